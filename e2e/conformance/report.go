package conformance

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/jayproxy/jay/e2e/rawhttp"
)

// Outcome is how a case ended.
type Outcome string

// The outcomes. Only Pass counts as passed.
const (
	Pass       Outcome = "pass"
	Fail       Outcome = "fail"
	SetUp      Outcome = "set-up"     // the case could not be run as planned
	Dependency Outcome = "dependency" // a case that this one rests on did not pass
)

// Result is the outcome of one case.
type Result struct {
	Suite   string
	Case    *Case
	Outcome Outcome
	Detail  string // what did not hold; "" for Pass

	// Seen are the responses as far as the case went.
	Seen        []*rawhttp.Response
	token, host string
}

// passing are fields that differ from one run of a case to the next.
var passing = []string{"Date", "Age", "Server-Now", "Last-Modified", "Expires"}

// Transcript is what the client has seen, in a form that can be compared with
// that of another run: without the times, and with the case's token (a part of it, where a case has the body cut) and the
// origin's address replaced by words.
func (r *Result) Transcript() string {
	var b strings.Builder
	for _, resp := range r.Seen {
		fmt.Fprintf(&b, "%v\n", resp.StatusLine)
		for _, f := range resp.Fields.Without(passing...) {
			fmt.Fprintf(&b, "%s: %s\n", f.Name, f.Value)
		}
		fmt.Fprintf(&b, "%q %v\n\n", resp.Body, resp.Trailers)
	}
	text := strings.NewReplacer(r.token, "TOKEN", r.token[:10], "TOKEN", r.host, "ORIGIN").Replace(b.String())
	return ttl.ReplaceAllString(text, "ttl=…")
}

var ttl = regexp.MustCompile(`ttl=-?\d+`)

// Name returns suite/case.
func (r *Result) Name() string { return r.Suite + "/" + r.Case.ID }

func (r *Result) judge(err error) {
	var f *failure
	switch {
	case err == nil:
		r.Outcome = Pass
		return
	case errors.As(err, &f) && f.setup:
		r.Outcome = SetUp
	default:
		r.Outcome = Fail
	}
	r.Detail = err.Error()
}

// Resolve applies depends_on: a passed case proves nothing where one that it
// names did not pass. Dependencies may be anywhere in results.
func Resolve(results []Result) {
	passed := map[string]bool{}
	for i := range results {
		passed[results[i].Case.ID] = results[i].Outcome == Pass
	}
	for again := true; again; {
		again = false
		for i := range results {
			r := &results[i]
			if r.Outcome != Pass {
				continue
			}
			for _, d := range r.Case.DependsOn {
				if !passed[d] {
					r.Outcome, r.Detail = Dependency, d+" did not pass"
					passed[r.Case.ID], again = false, true
					break
				}
			}
		}
	}
}

// Score counts the passed cases of a kind.
func Score(results []Result, kind string) (passed, all int) {
	for i := range results {
		if results[i].Case.Kind != kind {
			continue
		}
		all++
		if results[i].Outcome == Pass {
			passed++
		}
	}
	return passed, all
}

// Report renders the score of each kind, each required or optimal case that did
// not pass with its reason, and the answer to each check. Every line begins
// with "conformance" and the title.
func Report(title string, results []Result) string {
	var b strings.Builder
	prefix := "conformance " + title + ": "
	b.WriteString(prefix + "score")
	for _, kind := range []string{Required, Optimal, Check} {
		passed, all := Score(results, kind)
		fmt.Fprintf(&b, " %s %d/%d", kind, passed, all)
	}
	b.WriteString("\n")
	for i := range results {
		r := &results[i]
		if r.Case.Kind != Check && r.Outcome != Pass {
			fmt.Fprintf(&b, "%s%s %s %s: %s\n", prefix, r.Outcome, r.Case.Kind, r.Name(), r.Detail)
		}
	}
	for i := range results {
		r := &results[i]
		if r.Case.Kind != Check {
			continue
		}
		answer := map[Outcome]string{Pass: "yes", Fail: "no"}[r.Outcome]
		if answer == "" {
			answer = "untested"
		}
		fmt.Fprintf(&b, "%scheck %s %s\n", prefix, answer, r.Name())
	}
	return b.String()
}
