package policy

// Step is what one rule makes of a question.
type Step struct {
	// Rule is the rule's name, Action what it does.
	Rule   string
	Action Action
	// Matches is "yes", "no", or "unknown" where it depends on an address that the question does not tell.
	Matches string
	// Because is the condition that does not hold or is unknown: "via", "port", "method", "client", "user", "time" or "to";
	// empty for a rule that matches.
	Because string
}

// Explain answers like [Policy.Decide] and tells how: what each rule that was asked made of the question, the deciding one
// last.
func (p *Policy) Explain(q Question) (Decision, []Step) {
	d := p.Decide(q)
	rs := p.ruleset()
	if rs == nil {
		return d, nil
	}
	s, ok := subjectOf(q, rs.location)
	if !ok {
		return d, nil
	}
	var steps []Step
	for i := range rs.rules {
		r := &rs.rules[i]
		m, because := r.match(&s)
		steps = append(steps, Step{r.name, r.action, m.String(), because.String()})
		if m == yes && r.action != Report {
			break
		}
	}
	return d, steps
}

// String is the word that Step.Matches has.
func (m match) String() string { return [...]string{"no", "unknown", "yes"}[m] }

// String is the condition's key in the configuration.
func (c condition) String() string {
	return [...]string{"", "via", "port", "method", "client", "user", "time", "to"}[c]
}
