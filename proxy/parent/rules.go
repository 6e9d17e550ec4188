package parent

import (
	"errors"
	"fmt"
	"strings"

	"github.com/jayproxy/jay/proxy/policy"
)

// Rule says through which parents a request goes that it matches.
type Rule struct {
	// Match has the rule's name and its conditions; its action is not looked at.
	Match policy.Rule
	// Use are the ways to be tried, in this order; there is at least one.
	Use []Spec
}

// Options is what Parents are made from. The zero value uses no parent.
type Options struct {
	// Rules are asked in this order.
	Rules []Rule
	// Else are the ways for what no rule matches; none means straight to the origin.
	Else []Spec
}

// RuleElse is what Choice calls the ways for what no rule matches.
const RuleElse = "parent"

// Choice is which ways a request may take.
type Choice struct {
	// Rule is the rule that decided; RuleElse or empty if none did.
	Rule string
	// Use are the ways, in the order of the configuration; nil stands for the one without a parent. The slice must not be
	// changed, and is never empty.
	Use []*Parent
}

// straight is the choice of those who have none; it is never written.
var straight = []*Parent{nil}

// Parents are rules in the form in which they are asked. They are not changed while they are in use; others take their
// place. A nil Parents uses no parent.
type Parents struct {
	match *policy.Policy // each rule allows; its name leads to the ways
	use   map[string][]*Parent
	other Choice
	all   []*Parent // each once, in the order of the rules
}

// Inherit takes from the Parents that ps is going to replace those with the same Specs, with their health and their
// connections. It is called before ps is in use; either may be nil.
func (ps *Parents) Inherit(before *Parents) {
	if ps == nil || before == nil {
		return
	}
	known := make(map[Spec]*Parent)
	for _, p := range before.all {
		known[p.spec] = p
	}
	keep := func(list []*Parent) {
		for i, p := range list {
			if p != nil && known[p.spec] != nil {
				list[i] = known[p.spec]
			}
		}
	}
	keep(ps.all)
	keep(ps.other.Use)
	for _, list := range ps.use {
		keep(list)
	}
}

// Active tells whether there is any parent.
func (ps *Parents) Active() bool { return ps != nil && len(ps.all) > 0 }

// Choose finds the ways for a request. It takes no lock and allocates nothing.
func (ps *Parents) Choose(q policy.Question) Choice {
	if !ps.Active() {
		return Choice{Use: straight}
	}
	if ps.match != nil {
		d := ps.match.Decide(q)
		if use := ps.use[d.Rule]; d.Allow && use != nil {
			return Choice{d.Rule, use}
		}
	}
	return ps.other
}

// All are the parents of all rules.
func (ps *Parents) All() []*Parent {
	if ps == nil {
		return nil
	}
	return ps.all
}

// New makes Parents. Its error joins one error for each wrong rule.
func New(o Options) (*Parents, error) {
	ps := &Parents{use: make(map[string][]*Parent)}
	c := compiler{ps: ps, known: make(map[Spec]*Parent)}
	rules := policy.Options{Default: policy.Deny}
	for i := range o.Rules {
		r := &o.Rules[i]
		match := r.Match
		match.Action = policy.Allow
		rules.Rules = append(rules.Rules, match)
		if len(r.Use) == 0 {
			c.errs = append(c.errs, fmt.Errorf("parent: rule %s: says nothing to use", match.Name))
		}
		ps.use[match.Name] = c.ways(r.Use)
	}
	ps.other = Choice{Use: straight}
	if len(o.Else) > 0 {
		ps.other = Choice{RuleElse, c.ways(o.Else)}
	}
	if len(rules.Rules) > 0 {
		var err error
		if ps.match, err = policy.New(rules); err != nil {
			c.errs = append(c.errs, errors.New(strings.ReplaceAll(err.Error(), "policy: rule", "parent: rule")))
		}
	}
	if err := errors.Join(c.errs...); err != nil {
		return nil, err
	}
	return ps, nil
}

// compiler makes parents from specs, one from each.
type compiler struct {
	ps    *Parents
	known map[Spec]*Parent
	errs  []error
}

// ways are the parents of a list, each once.
func (c *compiler) ways(list []Spec) []*Parent {
	var out []*Parent
	here := make(map[Spec]bool)
	for _, s := range list {
		if here[s] {
			continue
		}
		here[s] = true
		out = append(out, c.parent(s))
	}
	return out
}

func (c *compiler) parent(s Spec) *Parent {
	if err := s.check(); err != nil {
		c.errs = append(c.errs, err)
	}
	if s.direct() {
		return nil
	}
	p := c.known[s]
	if p == nil {
		p = newParent(s)
		c.known[s] = p
		c.ps.all = append(c.ps.all, p)
	}
	return p
}
