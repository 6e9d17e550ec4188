package freshness_test

import (
	"testing"
	"time"

	"github.com/jayproxy/jay/freshness"
)

// plain is what a browser sends with a navigation; none of it concerns caching.
var plain = fields("Host", "example.com", "Accept", "*/*", "Accept-Encoding", "gzip, br", "Cookie", "a=b")

// A hit must cost no allocation, however the decision ends.
func TestAllocs(t *testing.T) {
	now := time.Now()
	fresh := freshness.ParseResponse(nil, 200, fields("Cache-Control", "max-age=60", "ETag", `"a"`), now, now)
	stale := freshness.ParseResponse(nil, 200, fields("Cache-Control", "max-age=1, stale-while-revalidate=60, stale-if-error=60, no-cache=\"x-a\""), now, now)
	unknown := cc("nothing-to-see-here, foo=\"bar, baz\"")
	after := now.Add(5 * time.Second)
	for name, f := range map[string]func(){
		"Decide, fresh":          func() { freshness.Decide(freshness.Request{}, &fresh, after) },
		"Decide, stale":          func() { freshness.Decide(freshness.Request{OnlyIfCached: true}, &stale, after) },
		"Decide, nothing stored": func() { freshness.Decide(freshness.Request{}, nil, after) },
		"OnError":                func() { freshness.OnError(freshness.Request{}, &stale, 503, after) },
		"Storable":               func() { freshness.Storable("GET", freshness.Request{}, &fresh) },
		"Age":                    func() { fresh.Age(after) },
		"Withholds":              func() { stale.Withholds("X-A") },
		"ParseRequest, plain":    func() { freshness.ParseRequest(plain) },
		"ParseRequest, unknown":  func() { freshness.ParseRequest(unknown) },
		"ParseDate":              func() { freshness.ParseDate("Sunday, 06-Nov-94 08:49:37 GMT", after) },
		"Reason":                 func() { _ = freshness.ReasonFresh.String() + "" },
	} {
		if got := testing.AllocsPerRun(100, f); got != 0 {
			t.Errorf("%s: got %v allocations; want 0", name, got)
		}
	}
}

func BenchmarkDecide(b *testing.B) {
	now := time.Now()
	r := freshness.ParseResponse(nil, 200, fields("Cache-Control", "max-age=3600", "Age", "3"), now, now)
	after := now.Add(time.Minute)
	b.ReportAllocs()
	for b.Loop() {
		if d := freshness.Decide(freshness.Request{}, &r, after); d.Verdict != freshness.Reuse {
			b.Fatal(d)
		}
	}
}

func BenchmarkAge(b *testing.B) {
	now := time.Now()
	r := freshness.ParseResponse(nil, 200, fields("Age", "3"), now, now)
	after := now.Add(time.Minute)
	b.ReportAllocs()
	for b.Loop() {
		r.Age(after)
	}
}

func BenchmarkParseRequest(b *testing.B) {
	for name, h := range map[string]map[string][]string{"plain": plain, "reload": cc("max-age=0"), "unknown": cc("nothing-to-see-here")} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				freshness.ParseRequest(h)
			}
		})
	}
}

func BenchmarkParseResponse(b *testing.B) {
	h := fields("Date", at(0), "Last-Modified", at(-time.Hour), "Cache-Control", "public, max-age=3600", "ETag", `"abc"`, "Vary", "Accept-Encoding")
	b.ReportAllocs()
	for b.Loop() {
		freshness.ParseResponse(nil, 200, h, t0, t0)
	}
}

func BenchmarkParseDate(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		freshness.ParseDate("Sun, 06 Nov 1994 08:49:37 GMT", t0)
	}
}
