package freshness_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/jayproxy/jay/freshness"
)

// seeds are Cache-Control values, of requests and responses, good and bad.
var seeds = []string{
	"", "max-age=60", "MAX-AGE=60, public", "s-maxage=60, max-age=5", `max-age="60"`, "max-age='60'", "max-age=-1", "max-age",
	"max-age=60;no-store", "no-store", "private", `private="X-A"`, "no-cache", `no-cache="Set-Cookie, X-A"`, "no-cache=\"\"",
	"must-revalidate, max-age=1", "proxy-revalidate, max-age=1", "must-understand, no-store, max-age=9", "immutable, max-age=9",
	"stale-while-revalidate=30, max-age=1", "stale-if-error=30, max-age=1", "max-age=1, max-age=2", `foo="bar, max-age=5`,
	`foo="a\"b, no-store", max-age=9`, ",,, ,\t,", "max-stale", "max-stale=30", "min-fresh=30", "only-if-cached", "max-age=0",
	"99999999999=99999999999", "max-age=99999999999999999999", "\x00", "\xff, \xfe=", `"`, `\`, `="`, "public, x=\"\\",
}

// ages are seconds to look at a response after it was received.
var ages = []float64{0, 1, 5, 59, 60, 100, 1e6, 3e9}

func reused(v freshness.Verdict) bool {
	return v == freshness.Reuse || v == freshness.ReuseStale || v == freshness.ReuseWhileRevalidate
}

func addSeeds(f *testing.F) {
	for i, a := range seeds {
		f.Add(a, seeds[(i*7+3)%len(seeds)], uint16(200))
	}
	f.Add("max-age=60", "public, s-maxage=x", uint16(599))
}

// no-store anywhere, beside whatever else, keeps a response out; so does private. The one exception is must-understand.
func FuzzStorable_RFC9111_5_2_2_5_noStore(f *testing.F) {
	addSeeds(f)
	f.Fuzz(func(t *testing.T, a, b string, status uint16) {
		for _, word := range []string{"no-store", "No-Store", "private", "no-store=1", `private="a"`} {
			for _, lines := range [][]string{{a, word, b}, {word + "," + a, b}, {a, b + ", " + word}, {a + " , " + word}} {
				h := cc(lines...)
				h.Set("ETag", `"a"`)
				r := freshness.ParseResponse(nil, int(status), h, t0, t0)
				ok, reason := freshness.Storable("GET", freshness.Request{}, &r)
				if ok && (!r.MustUnderstand || strings.HasPrefix(word, "private")) {
					t.Fatalf("%q: stored (%v)", lines, reason)
				}
				if d := freshness.Decide(freshness.Request{}, &r, t0); !ok && reused(d.Verdict) {
					t.Fatalf("%q: reused (%v) though not storable (%v)", lines, d.Reason, reason)
				}
			}
		}
	})
}

// A stale response with one of these directives is never reused without validation, whatever else both sides say.
func FuzzDecide_RFC9111_4_2_4_mustRevalidate(f *testing.F) {
	addSeeds(f)
	policy := &freshness.Policy{MaxStaleOnError: time.Hour}
	f.Fuzz(func(t *testing.T, a, request string, status uint16) {
		req := freshness.ParseRequest(cc(request))
		for _, word := range []string{"must-revalidate", "proxy-revalidate", "s-maxage=60", "must-revalidate=x", "no-cache"} {
			h := cc(a, word)
			h.Set("ETag", `"a"`)
			r := freshness.ParseResponse(policy, int(status), h, t0, t0)
			for _, age := range ages {
				d := freshness.Decide(req, &r, later(age))
				e := freshness.OnError(req, &r, 0, later(age))
				if (d.TTL() <= 0 || word == "no-cache") && (reused(d.Verdict) || reused(e.Verdict)) {
					t.Fatalf("%q, %s, request %q, age %v: got %v (%v), on error %v (%v)",
						a, word, request, age, d.Verdict, d.Reason, e.Verdict, e.Reason)
				}
			}
		}
	})
}

// cutOutsideQuotes splits a line at its n-th comma that is not quoted.
func cutOutsideQuotes(line string, n int) []string {
	quoted, escaped := false, false
	for i := range len(line) {
		switch {
		case escaped:
			escaped = false
		case quoted && line[i] == '\\':
			escaped = true
		case line[i] == '"':
			quoted = !quoted
		case line[i] == ',' && !quoted:
			if n--; n < 0 {
				return []string{line[:i], line[i+1:]}
			}
		}
	}
	return []string{line}
}

// Splitting a field over lines changes nothing (RFC 9110 §5.3).
func FuzzParse_RFC9110_5_3_lines(f *testing.F) {
	addSeeds(f)
	f.Fuzz(func(t *testing.T, a, b string, status uint16) {
		line := a + "," + b
		whole := freshness.ParseResponse(nil, int(status), cc(line), t0, t0)
		asked := freshness.ParseRequest(cc(line))
		for n := range 4 {
			lines := cutOutsideQuotes(line, n)
			if split := freshness.ParseResponse(nil, int(status), cc(lines...), t0, t0); split != whole {
				t.Fatalf("%q: got %+v; want %+v", lines, split, whole)
			}
			if split := freshness.ParseRequest(cc(lines...)); split != asked {
				t.Fatalf("request %q: got %+v; want %+v", lines, split, asked)
			}
		}
	})
}

// Without public, must-revalidate or s-maxage no response to a request with Authorization is stored or reused.
func FuzzStorable_RFC9111_3_5_authorization(f *testing.F) {
	addSeeds(f)
	f.Fuzz(func(t *testing.T, a, b string, status uint16) {
		text := strings.ToLower(a + "," + b)
		r := freshness.ParseResponse(nil, int(status), cc(a, b), t0, t0)
		ok, reason := freshness.Storable("GET", freshness.Request{Authorization: true}, &r)
		named := strings.Contains(text, "public") || strings.Contains(text, "must-revalidate") || strings.Contains(text, "s-maxage")
		if ok && !named {
			t.Fatalf("%q, %q: stored (%v)", a, b, reason)
		}
		r.Authorized = true
		for _, age := range ages {
			d := freshness.Decide(freshness.Request{MaxStale: set(most)}, &r, later(age))
			if reused(d.Verdict) && !ok {
				t.Fatalf("%q, %q, age %v: reused (%v) though not storable (%v)", a, b, age, d.Reason, reason)
			}
		}
	})
}

// Whatever comes in, the numbers stay within their bounds and the verdict agrees with them.
func FuzzDecide_RFC9111_4(f *testing.F) {
	for i, a := range seeds {
		f.Add(a, seeds[(i*5+1)%len(seeds)], "30", "Sun, 06 Nov 1994 08:49:37 GMT", "0", `max-age=60, x="y"`, int64(i)*1e9)
	}
	f.Add("max-age=60", "", "1, 2", at(0), at(time.Hour), "max-age=5, private", int64(-1<<62))
	policy := &freshness.Policy{Targeted: []string{"CDN-Cache-Control"}, MaxStaleOnError: time.Minute}
	f.Fuzz(func(t *testing.T, value, request, age, date, expires, targeted string, offset int64) {
		h := fields("Cache-Control", value, "Age", age, "Date", date, "Expires", expires, "Last-Modified", date)
		if targeted != "" {
			h.Set("CDN-Cache-Control", targeted)
		}
		req := freshness.ParseRequest(fields("Cache-Control", request, "Pragma", request))
		now := t0.Add(time.Duration(offset))
		for _, p := range []*freshness.Policy{nil, policy} {
			r := freshness.ParseResponse(p, 200, h, t0, t0.Add(time.Second))
			ok, why := freshness.Storable("GET", req, &r)
			d := freshness.Decide(req, &r, now)
			switch {
			case d.Age < 0 || d.Age > most || d.Lifetime < 0 || d.Lifetime > most || r.InitialAge() < 0:
				t.Fatalf("age %v of initial %v, lifetime %v; want 0 to %v", d.Age, r.InitialAge(), d.Lifetime, most)
			case d.Verdict == freshness.Reuse && d.TTL() <= 0, d.Verdict != freshness.Reuse && d.Reason == freshness.ReasonFresh:
				t.Fatalf("got %v, %v at ttl %v", d.Verdict, d.Reason, d.TTL())
			case (d.Verdict == freshness.ReuseStale || d.Verdict == freshness.ReuseWhileRevalidate) &&
				(d.TTL() > 0 || !req.MaxStale.Set && !r.StaleWhileRevalidate.Set):
				t.Fatalf("got %v, %v at ttl %v without leave", d.Verdict, d.Reason, d.TTL())
			case reused(d.Verdict) && (req.NoCache || r.NoCache || r.Private || r.Malformed || req.MaxAge.Set && d.Age > req.MaxAge.Value):
				t.Fatalf("got %v, %v against a directive", d.Verdict, d.Reason)
			case reused(d.Verdict) && !ok && !req.NoStore:
				t.Fatalf("got %v, %v though not storable: %v", d.Verdict, d.Reason, why)
			case req.OnlyIfCached != (d.Reason == freshness.ReasonOnlyIfCached) && !reused(d.Verdict):
				t.Fatalf("only-if-cached %v: got %v, %v", req.OnlyIfCached, d.Verdict, d.Reason)
			case d.Reason == freshness.ReasonNone || why == freshness.ReasonNone:
				t.Fatalf("got no reason: %v, %v, %v", d.Verdict, ok, why)
			}
			if again := freshness.ParseResponse(p, 200, h, t0, t0.Add(time.Second)); again != r {
				t.Fatalf("parsed again: got %+v; want %+v", again, r)
			}
		}
	})
}

// What is accepted as a date is one, and comes back from the form that is to be sent.
func FuzzParseDate_RFC9110_5_6_7(f *testing.F) {
	for _, s := range []string{
		"Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994", "0", "",
		"sat, 31 DEC 2016 23:59:60 gmt", "Tuesday, 29-Feb-00 00:00:00 GMT", "Sun, 06 Nov 1994 08:49:37 UTC", ", 06-Nov-94 08:49:37 GMT",
	} {
		f.Add(s, int64(784111777))
	}
	f.Fuzz(func(t *testing.T, s string, unix int64) {
		if got, ok := freshness.ParseDate(s, t0); ok {
			again, ok := freshness.ParseDate(got.Format(http.TimeFormat), t0)
			if !ok || !again.Equal(got) {
				t.Fatalf("%q: got %v, then %v, %v", s, got, again, ok)
			}
			twoDigits := strings.Contains(s, "-")
			if std, err := http.ParseTime(s); err == nil && !twoDigits && !std.Equal(got) {
				t.Fatalf("%q: got %v; want %v", s, got, std)
			}
			if twoDigits && got.After(t0.AddDate(50, 0, 0)) {
				t.Fatalf("%q: got %v, more than 50 years after %v", s, got, t0)
			}
		}
		// Any second of the years 1 to 9999 comes back in each form that can hold it.
		const first, last = -62135596800, 253402300799
		when := time.Unix(first+int64(uint64(unix)%(last-first+1)), 0).UTC()
		for _, layout := range []string{http.TimeFormat, time.ANSIC} {
			if got, ok := freshness.ParseDate(when.Format(layout), t0); !ok || !got.Equal(when) {
				t.Fatalf("%q: got %v, %v; want %v", when.Format(layout), got, ok, when)
			}
		}
		old := when.Format("Monday, 02-Jan-06 15:04:05 GMT")
		if got, ok := freshness.ParseDate(old, when); !ok || !got.Equal(when) {
			t.Fatalf("%q: got %v, %v; want %v", old, got, ok, when)
		}
	})
}
