package proxy

import (
	"fmt"
	"strings"
	"time"
	"unicode"
)

// verdicts say what an outcome means to the person who asks.
var verdicts = map[string]string{
	OutcomeHit:        "Answered from the cache.",
	OutcomeStale:      "Answered from the cache with a stale response.",
	OutcomeRevalidate: "Stored, but the origin server is asked first whether it is still good.",
	OutcomeFetch:      "Fetched from the origin server.",
	OutcomePass:       "Passed on to the origin server, past the cache.",
	OutcomeRefuse:     "Not forwarded.",
}

// String is the explanation in a few lines for people. It holds nothing that a terminal could take for a command.
func (e *Explanation) String() string {
	t := &lines{}
	fmt.Fprintf(t, "%s %s\n", printable(e.Method), printable(e.URL))
	fmt.Fprintf(t, "%s %s (%s)\n", verdicts[e.Outcome], printable(e.Sentence), printable(e.Reason))
	if e.Rule != "" {
		fmt.Fprintf(t, "The policy's rule %s decided who may ask for this.\n", printable(e.Rule))
	}
	if e.Override != "" {
		fmt.Fprintf(t, "Without that override: %s\n", printable(e.WithoutOverride))
	}
	if len(e.Parents) > 0 {
		by := ""
		if e.ParentRule != "" {
			by = ", by the rule " + printable(e.ParentRule)
		}
		fmt.Fprintf(t, "The origin server is reached through: %s%s.\n", printable(strings.Join(e.Parents, ", ")), by)
	}
	if e.UnderWay {
		t.WriteString("Another request is fetching the same just now; this one could share its answer.\n")
	}
	if e.Stored != nil {
		t.WriteByte('\n')
		t.response("Stored", "Why stored", e.Stored)
	}
	if len(e.Others) > 0 {
		t.line("Others", fmt.Sprintf("%d stored, selected by %s", len(e.Others), variantsText(e.Others)))
	}
	if e.Answer != nil {
		t.WriteByte('\n')
		t.answer(e.Answer)
	}
	if len(e.Advice) > 0 {
		t.WriteByte('\n')
	}
	for _, s := range e.Advice {
		t.line("Advice", s)
	}
	return t.String()
}

// lines are labelled lines.
type lines struct{ strings.Builder }

func (t *lines) line(label, text string) {
	if text != "" {
		fmt.Fprintf(t, "%-12s %s\n", label, printable(text))
	}
}

// answer describes what the origin answered.
func (t *lines) answer(a *OriginAnswer) {
	switch {
	case a.Response == nil:
		t.line("Origin", "no answer: "+a.Error)
	case a.Storable:
		t.response("Origin now", "Storable", a.Response)
	default:
		t.response("Origin now", "Not storable", a.Response)
	}
}

// response describes a response; why is the label of the reason why it is stored, or not.
func (t *lines) response(what, why string, r *StoredResponse) {
	t.line(what, responseText(r))
	t.line(why, r.Why+" ("+r.Reason+")")
	if r.Source == "none" {
		t.line("Lifetime", "none; nothing says how long it stays fresh")
	} else {
		t.line("Lifetime", span(r.Lifetime)+" ("+r.Source+")")
	}
	t.line("Age", ageText(&r.Age))
	switch {
	case r.TTL > 0:
		t.line("Fresh for", span(r.TTL))
	case r.Lifetime > 0:
		t.line("Stale for", span(-r.TTL))
	}
	if r.Override != nil {
		t.line("Override", r.Override.String())
	}
	t.line("Validators", validatorsText(r))
	if len(r.Selecting) > 0 {
		t.line("Variant", "selected by "+selectingText(r.Selecting))
	}
	if r.LocalOnly {
		t.line("Reach", "only for clients on this machine, since others could not fetch it")
	}
}

// responseText is a response's first line.
func responseText(r *StoredResponse) string {
	s := strings.TrimSpace(fmt.Sprintf("%d %s", r.Status, r.Phrase))
	switch {
	case r.Length < 0:
		s += ", length unknown"
	case r.Held > 0 && !r.Complete:
		s += fmt.Sprintf(", %d of %d bytes", r.Held, r.Length)
	default:
		s += fmt.Sprintf(", %d bytes", r.Length)
	}
	s += ", received " + r.Received.UTC().Format("2006-01-02 15:04:05 UTC")
	if r.Origin != "" {
		s += " from " + r.Origin
	}
	return s
}

// ageText says how an age was computed.
func ageText(a *Age) string {
	return fmt.Sprintf("%s = %s on arrival (Age field %s + delay %s, or by Date %s) + %s here",
		span(a.Current), span(a.Initial), span(a.Value), span(a.Delay), span(a.Apparent), span(a.Resident))
}

// span is a duration for people: whole seconds from one second on.
func span(s Seconds) string {
	d := s.Duration()
	if d >= time.Second || d <= -time.Second {
		d = d.Round(time.Second)
	}
	return d.String()
}

// printable replaces what a terminal could take for a command.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return unicode.ReplacementChar
		}
		return r
	}, strings.ToValidUTF8(s, "\ufffd"))
}
