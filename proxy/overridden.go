package proxy

import (
	"strings"

	"github.com/jayproxy/jay/freshness"
)

// AppliedOverride is the override that applies to a response, and what comes of it.
type AppliedOverride struct {
	// Rule is its name.
	Rule string `json:"rule"`
	// Changes are what it changes, each in a few words; none if the response says the same.
	Changes []string `json:"changes,omitempty"`
	// Limit says why what would keep the response for longer does not apply to it; empty if it does.
	Limit string `json:"limit,omitempty"`
}

// String is the override for people.
func (a *AppliedOverride) String() string {
	text := a.Rule + ": "
	if len(a.Changes) == 0 {
		text += "changes nothing"
	}
	text += strings.Join(a.Changes, ", ")
	if a.Limit != "" {
		text += "; " + a.Limit
	}
	return text
}

// applied says what comes of the override that applies to a response, nil if none does.
func (s *settings) applied(f *freshness.Response, setsCookie bool) *AppliedOverride {
	if f.Rule() == 0 {
		return nil
	}
	rule := &s.Overrides.list[f.Rule()-1]
	a := &AppliedOverride{Rule: rule.Name, Changes: changes(f)}
	if f.HeldToTerms() {
		if rule.frees() {
			a.Limit = "nothing that would keep it for longer applies, since " + termsOf(f, setsCookie)
		}
	} else if rule.Then.Ignore&freshness.IgnoreReload != 0 {
		a.Changes = append(a.Changes, "reloading is ignored")
	}
	return a
}

// frees tells whether a rule wants anything that makes reuse more frequent.
func (o *Override) frees() bool {
	return o.Then.Min > 0 || o.Then.Heuristic > 0 || o.Then.Ignore != 0
}

// changes compares a response with what it would be without its override.
func changes(f *freshness.Response) (out []string) {
	own := f.AsSent()
	add := func(ok bool, text string) {
		if ok {
			out = append(out, text)
		}
	}
	before, why := freshness.Storable("GET", freshness.Request{Authorization: own.Authorized}, &own)
	after := mayStay(f)
	add(before && !after, "not stored")
	add(!before && after, "stored in spite of "+why.String())
	add(!own.NoCache && f.NoCache, "validated before each use")
	add(own.NoCache && !f.NoCache, "no-cache is ignored")
	add(own.MustRevalidate && !f.MustRevalidate, "must-revalidate is ignored")
	add(own.ProxyRevalidate && !f.ProxyRevalidate, "proxy-revalidate or s-maxage does not forbid stale use")
	if own.Lifetime != f.Lifetime && !f.NoCache {
		was := "none"
		if own.Source != freshness.SourceNone {
			was = span(seconds(own.Lifetime)) + " (" + own.Source.String() + ")"
		}
		add(true, "lifetime "+span(seconds(f.Lifetime))+" in place of "+was)
	}
	return out
}

// termsOf says why a response is held to what its origin says.
func termsOf(f *freshness.Response, setsCookie bool) string {
	switch {
	case setsCookie:
		return "the response sets a cookie"
	case f.Authorized:
		return "the request had Authorization"
	case f.Cookied:
		return "the request had a Cookie"
	case f.InSpite() && !f.Impersonal:
		return "the response says private or no-store, and the request had fields that may say who sent it"
	case f.Status >= 400:
		return "it is an error that the rule does not name"
	}
	return "its Cache-Control cannot be read"
}
