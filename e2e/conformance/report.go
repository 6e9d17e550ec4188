package conformance

import (
	"errors"
	"fmt"
	"strings"
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
}

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
