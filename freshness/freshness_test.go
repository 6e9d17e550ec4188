package freshness_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/jayproxy/jay/freshness"
)

// t0 is when the responses in these tests are received, unless they say otherwise.
var t0 = time.Date(2026, time.March, 1, 12, 0, 0, 0, time.UTC)

// fields makes a header of names and values; a repeated name makes a repeated field line.
func fields(pairs ...string) http.Header {
	h := http.Header{}
	for i := 0; i < len(pairs); i += 2 {
		h.Add(pairs[i], pairs[i+1])
	}
	return h
}

// cc makes a header of Cache-Control lines only.
func cc(lines ...string) http.Header {
	h := http.Header{}
	for _, line := range lines {
		h.Add("Cache-Control", line)
	}
	return h
}

// at writes t0 plus an offset as an HTTP-date.
func at(offset time.Duration) string { return t0.Add(offset).Format(http.TimeFormat) }

// response parses a response that was received at t0 without delay under the default policy.
func response(status int, h http.Header) freshness.Response {
	return freshness.ParseResponse(nil, status, h, t0, t0)
}

// later is a time after t0.
func later(seconds float64) time.Time { return t0.Add(time.Duration(seconds * float64(time.Second))) }

func sec(n int) time.Duration { return time.Duration(n) * time.Second }

// most is the greatest value that delta-seconds are told apart from.
const most = 2147483647 * time.Second

func set(d time.Duration) freshness.Delta { return freshness.Delta{Value: d, Set: true} }

func TestReason_Words(t *testing.T) {
	seen := map[string]freshness.Reason{}
	for r := freshness.ReasonNone; r <= freshness.ReasonNotStaleIfError; r++ {
		word, sentence := r.String(), r.Explain()
		if word == "" || sentence == "" {
			t.Errorf("reason %d: got word %q and sentence %q; want both", r, word, sentence)
		}
		if other, ok := seen[word]; ok {
			t.Errorf("reasons %d and %d: got the same word %q", other, r, word)
		}
		seen[word] = r
		for _, c := range word {
			if c != '-' && (c < 'a' || c > 'z') {
				t.Errorf("reason %d: got word %q; want lower-case letters and hyphens", r, word)
			}
		}
		if sentence != "" && sentence[len(sentence)-1] != '.' {
			t.Errorf("reason %v: got %q; want a sentence", r, sentence)
		}
	}
	if got := freshness.Reason(255).String(); got != "unknown" {
		t.Errorf("Reason(255): got %q; want unknown", got)
	}
	if got := freshness.Reason(255).Explain(); got == "" {
		t.Error("Reason(255).Explain: got nothing")
	}
}

func TestVerdictAndSource_String(t *testing.T) {
	for want, got := range map[string]interface{ String() string }{
		"forward":                freshness.Forward,
		"validate":               freshness.Validate,
		"reuse":                  freshness.Reuse,
		"reuse-stale":            freshness.ReuseStale,
		"reuse-while-revalidate": freshness.ReuseWhileRevalidate,
		"unsatisfiable":          freshness.Unsatisfiable,
		"none":                   freshness.SourceNone,
		"s-maxage":               freshness.SourceSMaxAge,
		"max-age":                freshness.SourceMaxAge,
		"expires":                freshness.SourceExpires,
		"heuristic":              freshness.SourceHeuristic,
	} {
		if got.String() != want {
			t.Errorf("got %q; want %q", got, want)
		}
	}
	if got := freshness.Verdict(99).String() + freshness.Source(99).String(); got != "unknownunknown" {
		t.Errorf("out of range: got %q; want unknown twice", got)
	}
}

func TestDecision_TTL_RFC9211_2_4(t *testing.T) {
	d := freshness.Decision{Age: sec(30), Lifetime: sec(20)}
	if got, want := d.TTL(), -sec(10); got != want {
		t.Errorf("got %v; want %v", got, want)
	}
}
