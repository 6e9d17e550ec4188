package freshness_test

import (
	"testing"
	"time"

	"github.com/jayproxy/jay/freshness"
)

// decision is what a row of the tables below expects.
type decision struct {
	request string // Cache-Control of the request
	age     float64
	verdict freshness.Verdict
	reason  freshness.Reason
}

// check decides with and without a validator in the response; without one, validate becomes forward.
func check(t *testing.T, value string, want decision) {
	t.Helper()
	req := freshness.ParseRequest(cc(want.request))
	for _, tag := range []string{`"a"`, ""} {
		h := cc(value)
		if tag != "" {
			h.Set("ETag", tag)
		} else if r := response(200, h); r.NoCache || r.Lifetime == 0 {
			continue // would not have been stored
		}
		r := response(200, h)
		verdict := want.verdict
		if verdict == freshness.Validate && tag == "" {
			verdict = freshness.Forward
		}
		d := freshness.Decide(req, &r, later(want.age))
		if d.Verdict != verdict || d.Reason != want.reason {
			t.Errorf("response %q, request %q, age %v, etag %q: got %v, %v; want %v, %v",
				value, want.request, want.age, tag, d.Verdict, d.Reason, verdict, want.reason)
		}
	}
}

func TestDecide_RFC9111_4_2(t *testing.T) {
	for _, tt := range []struct {
		value string
		want  decision
	}{
		{"max-age=60", decision{"", 0, freshness.Reuse, freshness.ReasonFresh}},
		{"max-age=60", decision{"", 59.999, freshness.Reuse, freshness.ReasonFresh}},
		// "response_is_fresh = (freshness_lifetime > current_age)"
		{"max-age=60", decision{"", 60, freshness.Validate, freshness.ReasonStale}},
		{"max-age=60", decision{"", 61, freshness.Validate, freshness.ReasonStale}},
		{"max-age=0", decision{"", 0, freshness.Validate, freshness.ReasonStale}},
		{"max-age=99999999999", decision{"", 1e9, freshness.Reuse, freshness.ReasonFresh}},
		{"max-age=99999999999", decision{"", 3e9, freshness.Validate, freshness.ReasonStale}},
		{"max-age=60, must-revalidate", decision{"", 59, freshness.Reuse, freshness.ReasonFresh}},
		{"max-age=60, must-revalidate", decision{"", 60, freshness.Validate, freshness.ReasonMustRevalidate}},
		{"max-age=60, proxy-revalidate", decision{"", 59, freshness.Reuse, freshness.ReasonFresh}},
		{"max-age=60, proxy-revalidate", decision{"", 60, freshness.Validate, freshness.ReasonProxyRevalidate}},
		{"s-maxage=60", decision{"", 59, freshness.Reuse, freshness.ReasonFresh}},
		{"s-maxage=60", decision{"", 60, freshness.Validate, freshness.ReasonSMaxAge}},
		{"max-age=60, s-maxage=x", decision{"", 0, freshness.Validate, freshness.ReasonSMaxAge}},
		{"no-cache, max-age=60", decision{"", 0, freshness.Validate, freshness.ReasonNoCache}},
		{"no-cache", decision{"", 0, freshness.Validate, freshness.ReasonNoCache}},
		{`no-cache="x-a", max-age=60`, decision{"", 0, freshness.Reuse, freshness.ReasonFresh}},
		{"max-age=60, immutable", decision{"", 0, freshness.Reuse, freshness.ReasonFresh}},
		{"max-age=60, immutable", decision{"", 60, freshness.Validate, freshness.ReasonStale}},
		{"max-age=60, immutable", decision{"max-age=0", 1, freshness.Validate, freshness.ReasonRequestMaxAge}},
	} {
		check(t, tt.value, tt.want)
	}
}

func TestDecide_RFC9111_5_2_1(t *testing.T) {
	for _, tt := range []struct {
		value string
		want  decision
	}{
		// §5.2.1.1 max-age
		{"max-age=60", decision{"max-age=0", 0, freshness.Validate, freshness.ReasonRequestMaxAge}},
		{"max-age=60", decision{"max-age=0", 30, freshness.Validate, freshness.ReasonRequestMaxAge}},
		{"max-age=60", decision{"max-age=1", 30, freshness.Validate, freshness.ReasonRequestMaxAge}},
		{"max-age=60", decision{"max-age=30", 30, freshness.Reuse, freshness.ReasonFresh}},
		{"max-age=60", decision{"max-age=30", 30.5, freshness.Validate, freshness.ReasonRequestMaxAge}},
		{"max-age=60", decision{"max-age=90", 70, freshness.Validate, freshness.ReasonStale}},
		{"max-age=60", decision{"max-age=x", 1, freshness.Validate, freshness.ReasonRequestMaxAge}},
		{"max-age=60", decision{"max-age=90, max-stale=20", 70, freshness.ReuseStale, freshness.ReasonMaxStale}},
		{"max-age=60", decision{"max-age=90, max-stale=200", 100, freshness.Validate, freshness.ReasonRequestMaxAge}},
		{"max-age=60", decision{"max-age=0, max-stale=200", 70, freshness.Validate, freshness.ReasonRequestMaxAge}},
		// §5.2.1.2 max-stale
		{"max-age=60", decision{"max-stale", 60, freshness.ReuseStale, freshness.ReasonMaxStale}},
		{"max-age=60", decision{"max-stale", 1e8, freshness.ReuseStale, freshness.ReasonMaxStale}},
		{"max-age=60", decision{"max-stale=10", 59, freshness.Reuse, freshness.ReasonFresh}},
		{"max-age=60", decision{"max-stale=10", 70, freshness.ReuseStale, freshness.ReasonMaxStale}},
		{"max-age=60", decision{"max-stale=10", 70.5, freshness.Validate, freshness.ReasonStale}},
		{"max-age=60", decision{"max-stale=x", 61, freshness.Validate, freshness.ReasonStale}},
		{"max-age=60, must-revalidate", decision{"max-stale", 61, freshness.Validate, freshness.ReasonMustRevalidate}},
		{"max-age=60, proxy-revalidate", decision{"max-stale", 61, freshness.Validate, freshness.ReasonProxyRevalidate}},
		{"s-maxage=60", decision{"max-stale", 61, freshness.Validate, freshness.ReasonSMaxAge}},
		{"no-cache, max-age=60", decision{"max-stale", 1, freshness.Validate, freshness.ReasonNoCache}},
		// §5.2.1.3 min-fresh
		{"max-age=60", decision{"min-fresh=30", 30, freshness.Reuse, freshness.ReasonFresh}},
		{"max-age=60", decision{"min-fresh=30", 30.5, freshness.Validate, freshness.ReasonRequestMinFresh}},
		{"max-age=60", decision{"min-fresh=90", 0, freshness.Validate, freshness.ReasonRequestMinFresh}},
		{"max-age=60", decision{"min-fresh=0", 59, freshness.Reuse, freshness.ReasonFresh}},
		{"max-age=60", decision{"min-fresh=0", 60, freshness.Validate, freshness.ReasonStale}},
		{"max-age=60", decision{"min-fresh=x", 0, freshness.Validate, freshness.ReasonRequestMinFresh}},
		{"max-age=60", decision{"min-fresh=0, max-stale", 61, freshness.Validate, freshness.ReasonStale}},
		{"max-age=60", decision{"min-fresh=99999999999", 0, freshness.Validate, freshness.ReasonRequestMinFresh}},
		// §5.2.1.4 no-cache, §5.2.1.5 no-store, §5.2.1.6 no-transform
		{"max-age=60", decision{"no-cache", 0, freshness.Validate, freshness.ReasonRequestNoCache}},
		{"max-age=60", decision{"no-cache, max-stale", 90, freshness.Validate, freshness.ReasonRequestNoCache}},
		{"max-age=60", decision{"no-store", 0, freshness.Reuse, freshness.ReasonFresh}},
		{"max-age=60", decision{"no-transform", 0, freshness.Reuse, freshness.ReasonFresh}},
		{"max-age=60", decision{"foo, bar=baz", 0, freshness.Reuse, freshness.ReasonFresh}},
		{"max-age=60", decision{`foo="`, 0, freshness.Validate, freshness.ReasonRequestNoCache}},
		// §5.2.1.7 only-if-cached
		{"max-age=60", decision{"only-if-cached", 0, freshness.Reuse, freshness.ReasonFresh}},
		{"max-age=60", decision{"only-if-cached", 60, freshness.Unsatisfiable, freshness.ReasonOnlyIfCached}},
		{"max-age=60", decision{"only-if-cached, max-stale", 60, freshness.ReuseStale, freshness.ReasonMaxStale}},
		{"max-age=60", decision{"only-if-cached, no-cache", 0, freshness.Unsatisfiable, freshness.ReasonOnlyIfCached}},
		{"max-age=60, no-cache", decision{"only-if-cached", 0, freshness.Unsatisfiable, freshness.ReasonOnlyIfCached}},
		{"max-age=60, must-revalidate", decision{"only-if-cached, max-stale", 60, freshness.Unsatisfiable, freshness.ReasonOnlyIfCached}},
		{"max-age=1, stale-while-revalidate=60", decision{"only-if-cached", 2, freshness.ReuseStale, freshness.ReasonStaleWhileRevalidate}},
	} {
		check(t, tt.value, tt.want)
	}
}

func TestDecide_RFC9111_4_nothingStored(t *testing.T) {
	for request, want := range map[string]freshness.Decision{
		"":               {Verdict: freshness.Forward, Reason: freshness.ReasonAbsent},
		"no-cache":       {Verdict: freshness.Forward, Reason: freshness.ReasonAbsent},
		"max-stale":      {Verdict: freshness.Forward, Reason: freshness.ReasonAbsent},
		"only-if-cached": {Verdict: freshness.Unsatisfiable, Reason: freshness.ReasonOnlyIfCached},
	} {
		if got := freshness.Decide(freshness.ParseRequest(cc(request)), nil, t0); got != want {
			t.Errorf("%q: got %+v; want %+v", request, got, want)
		}
	}
	if got := freshness.OnError(freshness.Request{}, nil, 0, t0); got.Verdict != freshness.Forward || got.Reason != freshness.ReasonAbsent {
		t.Errorf("on error: got %v, %v; want forward, absent", got.Verdict, got.Reason)
	}
}

// A response to a request without Authorization may answer one that has it (RFC 9111 §3.5 speaks of the other way
// round); so may one whose request had no cookie.
func TestDecide_RFC9111_3_5_anonymousResponse(t *testing.T) {
	r := response(200, cc("max-age=60"))
	if d := freshness.Decide(freshness.Request{Authorization: true}, &r, later(1)); d.Verdict != freshness.Reuse {
		t.Errorf("got %v, %v; want reuse", d.Verdict, d.Reason)
	}
}

// The numbers in a decision are those that Age and Cache-Status report.
func TestDecide_numbers(t *testing.T) {
	r := response(200, fields("Cache-Control", "max-age=60", "Age", "30"))
	d := freshness.Decide(freshness.Request{}, &r, later(12.5))
	if d.Age != 42500*time.Millisecond || d.Lifetime != sec(60) || d.TTL() != 17500*time.Millisecond {
		t.Errorf("got age %v, lifetime %v, ttl %v; want 42.5s, 1m0s, 17.5s", d.Age, d.Lifetime, d.TTL())
	}
	if d := freshness.Decide(freshness.Request{NoCache: true}, &r, later(1)); d.Age != sec(31) || d.Lifetime != sec(60) {
		t.Errorf("no-cache: got age %v, lifetime %v; want 31s, 1m0s", d.Age, d.Lifetime)
	}
}

func TestDecide_RFC5861_3_staleWhileRevalidate(t *testing.T) {
	const swr = "max-age=10, stale-while-revalidate=20"
	for _, tt := range []struct {
		value string
		want  decision
	}{
		{swr, decision{"", 9, freshness.Reuse, freshness.ReasonFresh}},
		{swr, decision{"", 10, freshness.ReuseWhileRevalidate, freshness.ReasonStaleWhileRevalidate}},
		{swr, decision{"", 29.9, freshness.ReuseWhileRevalidate, freshness.ReasonStaleWhileRevalidate}},
		{swr, decision{"", 30, freshness.Validate, freshness.ReasonStale}},
		{"max-age=10, stale-while-revalidate=0", decision{"", 10, freshness.Validate, freshness.ReasonStale}},
		{"max-age=10, stale-while-revalidate", decision{"", 10, freshness.Validate, freshness.ReasonStale}},
		{"max-age=10, stale-while-revalidate=x", decision{"", 10, freshness.Validate, freshness.ReasonStale}},
		{"max-age=10, stale-while-revalidate=99999999999", decision{"", 1e8, freshness.ReuseWhileRevalidate, freshness.ReasonStaleWhileRevalidate}},
		{"max-age=0, stale-while-revalidate=20", decision{"", 5, freshness.ReuseWhileRevalidate, freshness.ReasonStaleWhileRevalidate}},
		// Prohibitions win.
		{swr + ", must-revalidate", decision{"", 10, freshness.Validate, freshness.ReasonMustRevalidate}},
		{swr + ", proxy-revalidate", decision{"", 10, freshness.Validate, freshness.ReasonProxyRevalidate}},
		{"s-maxage=10, stale-while-revalidate=20", decision{"", 10, freshness.Validate, freshness.ReasonSMaxAge}},
		{swr + ", no-cache", decision{"", 10, freshness.Validate, freshness.ReasonNoCache}},
		// So do the client's wishes.
		{swr, decision{"no-cache", 10, freshness.Validate, freshness.ReasonRequestNoCache}},
		{swr, decision{"max-age=60", 10, freshness.Validate, freshness.ReasonStale}},
		{swr, decision{"min-fresh=1", 10, freshness.Validate, freshness.ReasonStale}},
		{swr, decision{"max-stale=5", 12, freshness.ReuseWhileRevalidate, freshness.ReasonStaleWhileRevalidate}},
		{swr, decision{"max-stale=5", 16, freshness.Validate, freshness.ReasonStale}},
		{swr, decision{"max-stale=50", 40, freshness.ReuseStale, freshness.ReasonMaxStale}},
	} {
		check(t, tt.value, tt.want)
	}
}

func TestOnError_RFC5861_4_staleIfError(t *testing.T) {
	const sie = "max-age=10, stale-if-error=20"
	for _, tt := range []struct {
		value, request string
		status         int
		age            float64
		verdict        freshness.Verdict
		reason         freshness.Reason
	}{
		{sie, "", 0, 15, freshness.ReuseStale, freshness.ReasonStaleIfError},
		{sie, "", 500, 15, freshness.ReuseStale, freshness.ReasonStaleIfError},
		{sie, "", 502, 15, freshness.ReuseStale, freshness.ReasonStaleIfError},
		{sie, "", 503, 15, freshness.ReuseStale, freshness.ReasonStaleIfError},
		{sie, "", 504, 15, freshness.ReuseStale, freshness.ReasonStaleIfError},
		{sie, "", 501, 15, freshness.Forward, freshness.ReasonNotAnError},
		{sie, "", 505, 15, freshness.Forward, freshness.ReasonNotAnError},
		{sie, "", 404, 15, freshness.Forward, freshness.ReasonNotAnError},
		{sie, "", 429, 15, freshness.Forward, freshness.ReasonNotAnError},
		{sie, "", 200, 15, freshness.Forward, freshness.ReasonNotAnError},
		{sie, "", 304, 15, freshness.Forward, freshness.ReasonNotAnError},
		{sie, "", 0, 30, freshness.ReuseStale, freshness.ReasonStaleIfError},
		{sie, "", 0, 30.5, freshness.Forward, freshness.ReasonNotStaleIfError},
		{sie, "", 0, 5, freshness.Reuse, freshness.ReasonStaleIfError},
		{"max-age=10, stale-if-error=x", "", 0, 11, freshness.Forward, freshness.ReasonNotStaleIfError},
		{"max-age=10, stale-if-error=0", "", 0, 11, freshness.Forward, freshness.ReasonNotStaleIfError},
		{"max-age=10", "", 0, 11, freshness.Forward, freshness.ReasonNotStaleIfError},
		{"max-age=10", "", 0, 5, freshness.Forward, freshness.ReasonNotStaleIfError},
		// in the request
		{"max-age=10", "stale-if-error=20", 0, 30, freshness.ReuseStale, freshness.ReasonStaleIfError},
		{"max-age=10", "stale-if-error=20", 0, 31, freshness.Forward, freshness.ReasonNotStaleIfError},
		{"max-age=10", "stale-if-error=x", 0, 11, freshness.Forward, freshness.ReasonNotStaleIfError},
		{sie, "stale-if-error=60", 0, 60, freshness.ReuseStale, freshness.ReasonStaleIfError},
		{sie, "stale-if-error=0", 0, 20, freshness.ReuseStale, freshness.ReasonStaleIfError},
		// "regardless of other freshness information"
		{sie, "max-age=0", 0, 15, freshness.ReuseStale, freshness.ReasonStaleIfError},
		{sie, "min-fresh=60", 503, 15, freshness.ReuseStale, freshness.ReasonStaleIfError},
		// but not of prohibitions
		{sie, "no-cache", 0, 15, freshness.Forward, freshness.ReasonRequestNoCache},
		{sie + ", no-cache", "", 0, 5, freshness.Forward, freshness.ReasonNoCache},
		{sie + ", must-revalidate", "", 0, 15, freshness.Forward, freshness.ReasonMustRevalidate},
		{sie + ", must-revalidate", "stale-if-error=60", 503, 15, freshness.Forward, freshness.ReasonMustRevalidate},
		{sie + ", must-revalidate", "max-age=0", 0, 5, freshness.Reuse, freshness.ReasonStaleIfError},
		{sie + ", proxy-revalidate", "", 0, 15, freshness.Forward, freshness.ReasonProxyRevalidate},
		{"s-maxage=10, stale-if-error=20", "", 0, 15, freshness.Forward, freshness.ReasonSMaxAge},
	} {
		h := cc(tt.value)
		h.Set("ETag", `"a"`)
		r := response(200, h)
		d := freshness.OnError(freshness.ParseRequest(cc(tt.request)), &r, tt.status, later(tt.age))
		if d.Verdict != tt.verdict || d.Reason != tt.reason {
			t.Errorf("response %q, request %q, status %d, age %v: got %v, %v; want %v, %v",
				tt.value, tt.request, tt.status, tt.age, d.Verdict, d.Reason, tt.verdict, tt.reason)
		}
		if want := time.Duration(tt.age * float64(time.Second)); d.Age != want {
			t.Errorf("response %q: got age %v; want %v", tt.value, d.Age, want)
		}
	}
}

// RFC 9111 §4.2.4 lets a cache that is disconnected serve stale responses, where nothing in the protocol forbids it.
func TestOnError_RFC9111_4_2_4_disconnected(t *testing.T) {
	policy := &freshness.Policy{MaxStaleOnError: time.Minute}
	for _, tt := range []struct {
		value, request string
		status         int
		age            float64
		verdict        freshness.Verdict
		reason         freshness.Reason
	}{
		{"max-age=10", "", 0, 60, freshness.ReuseStale, freshness.ReasonDisconnected},
		{"max-age=10", "", 503, 70, freshness.ReuseStale, freshness.ReasonDisconnected},
		{"max-age=10", "", 0, 71, freshness.Forward, freshness.ReasonNotStaleIfError},
		{"max-age=10", "", 404, 20, freshness.Forward, freshness.ReasonNotAnError},
		{"max-age=10", "max-age=0", 0, 5, freshness.Reuse, freshness.ReasonDisconnected},
		{"max-age=10, stale-if-error=5", "", 0, 16, freshness.Forward, freshness.ReasonNotStaleIfError},
		{"max-age=10", "stale-if-error=5", 0, 16, freshness.Forward, freshness.ReasonNotStaleIfError},
		{"max-age=10", "stale-if-error=0", 0, 16, freshness.Forward, freshness.ReasonNotStaleIfError},
		{"max-age=10, must-revalidate", "", 0, 11, freshness.Forward, freshness.ReasonMustRevalidate},
		{"max-age=10, proxy-revalidate", "", 0, 11, freshness.Forward, freshness.ReasonProxyRevalidate},
		{"max-age=10, s-maxage=10", "", 0, 11, freshness.Forward, freshness.ReasonSMaxAge},
		{"max-age=10, no-cache", "", 0, 5, freshness.Forward, freshness.ReasonNoCache},
		{"max-age=10", "no-cache", 0, 5, freshness.Forward, freshness.ReasonRequestNoCache},
	} {
		h := cc(tt.value)
		h.Set("ETag", `"a"`)
		r := freshness.ParseResponse(policy, 200, h, t0, t0)
		d := freshness.OnError(freshness.ParseRequest(cc(tt.request)), &r, tt.status, later(tt.age))
		if d.Verdict != tt.verdict || d.Reason != tt.reason {
			t.Errorf("response %q, request %q, status %d, age %v: got %v, %v; want %v, %v",
				tt.value, tt.request, tt.status, tt.age, d.Verdict, d.Reason, tt.verdict, tt.reason)
		}
	}
	r := freshness.ParseResponse(policy, 200, cc("max-age=10"), t0, t0)
	if d := freshness.OnError(freshness.Request{}, &r, 0, t0.Add(-24*time.Hour)); d.Verdict != freshness.Forward {
		t.Errorf("clock set back: got %v, %v; want forward", d.Verdict, d.Reason)
	}
}
