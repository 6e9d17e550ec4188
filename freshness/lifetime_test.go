package freshness_test

import (
	"math"
	"testing"
	"time"

	"github.com/jayproxy/jay/freshness"
)

func TestLifetime_RFC9111_4_2_1(t *testing.T) {
	for _, tt := range []struct {
		name   string
		fields []string
		want   time.Duration
		source freshness.Source
	}{
		{"nothing", nil, 0, freshness.SourceNone},
		{"max-age", []string{"Cache-Control", "max-age=60"}, sec(60), freshness.SourceMaxAge},
		{"max-age=0", []string{"Cache-Control", "max-age=0"}, 0, freshness.SourceMaxAge},
		{"s-maxage", []string{"Cache-Control", "s-maxage=60"}, sec(60), freshness.SourceSMaxAge},
		{"s-maxage is shorter", []string{"Cache-Control", "max-age=3600, s-maxage=1"}, sec(1), freshness.SourceSMaxAge},
		{"s-maxage first", []string{"Cache-Control", "s-maxage=1, max-age=3600"}, sec(1), freshness.SourceSMaxAge},
		{"s-maxage is longer", []string{"Cache-Control", "max-age=0, s-maxage=3600", "Expires", at(-sec(10))}, sec(3600), freshness.SourceSMaxAge},
		{"s-maxage on another line", []string{"Cache-Control", "max-age=60", "Cache-Control", "s-maxage=5"}, sec(5), freshness.SourceSMaxAge},
		{"max-age beats a past Expires", []string{"Cache-Control", "max-age=60", "Expires", at(-sec(7200))}, sec(60), freshness.SourceMaxAge},
		{"max-age beats an invalid Expires", []string{"Cache-Control", "max-age=60", "Expires", "0"}, sec(60), freshness.SourceMaxAge},
		{"max-age=0 beats Expires", []string{"Cache-Control", "max-age=0", "Expires", at(sec(3600))}, 0, freshness.SourceMaxAge},
		{"s-maxage=0 beats max-age", []string{"Cache-Control", "s-maxage=0, max-age=60"}, 0, freshness.SourceSMaxAge},
		{"invalid s-maxage beats max-age", []string{"Cache-Control", "s-maxage=x, max-age=60"}, 0, freshness.SourceSMaxAge},

		{"Expires", []string{"Expires", at(sec(60)), "Date", at(0)}, sec(60), freshness.SourceExpires},
		{"Expires minus Date, not now", []string{"Expires", at(sec(60)), "Date", at(-sec(60))}, sec(120), freshness.SourceExpires},
		{"Date ahead", []string{"Expires", at(sec(20)), "Date", at(sec(10))}, sec(10), freshness.SourceExpires},
		{"no Date", []string{"Expires", at(sec(10))}, sec(10), freshness.SourceExpires},
		{"invalid Date", []string{"Expires", at(sec(10)), "Date", "foo"}, sec(10), freshness.SourceExpires},
		{"Expires equals Date", []string{"Expires", at(0), "Date", at(0)}, 0, freshness.SourceExpires},
		{"past Expires", []string{"Expires", at(-sec(60)), "Date", at(0)}, 0, freshness.SourceExpires},
		{"past Expires with Last-Modified", []string{"Expires", at(-sec(60)), "Last-Modified", at(-time.Hour * 999)}, 0, freshness.SourceExpires},
		{"Expires: 0", []string{"Expires", "0", "Last-Modified", at(-time.Hour * 999)}, 0, freshness.SourceExpires},
		{"Expires: -1", []string{"Expires", "-1"}, 0, freshness.SourceExpires},
		{"empty Expires", []string{"Expires", "", "Last-Modified", at(-time.Hour * 999)}, 0, freshness.SourceExpires},
		{"two Expires", []string{"Expires", at(sec(60)), "Expires", at(sec(61))}, 0, freshness.SourceExpires},
		{"two equal Expires", []string{"Expires", at(sec(60)), "Expires", at(sec(60))}, 0, freshness.SourceExpires},
		{"quoted Expires", []string{"Expires", `"` + at(sec(60)) + `"`}, 0, freshness.SourceExpires},
		{"far Expires", []string{"Expires", "Fri, 31 Dec 9999 23:59:59 GMT", "Date", at(0)}, most, freshness.SourceExpires},
		{"rfc850 Expires", []string{"Expires", t0.Add(time.Hour).Format("Monday, 02-Jan-06 15:04:05 GMT"), "Date", at(0)}, time.Hour, freshness.SourceExpires},
		{"asctime Expires", []string{"Expires", t0.Add(time.Hour).Format(time.ANSIC), "Date", at(0)}, time.Hour, freshness.SourceExpires},
		{"asctime Date", []string{"Expires", at(time.Hour), "Date", t0.Format(time.ANSIC)}, time.Hour, freshness.SourceExpires},
	} {
		r := response(200, fields(tt.fields...))
		if r.Lifetime != tt.want || r.Source != tt.source {
			t.Errorf("%s: got %v from %v; want %v from %v", tt.name, r.Lifetime, r.Source, tt.want, tt.source)
		}
	}
}

func TestHeuristic_RFC9111_4_2_2(t *testing.T) {
	for _, tt := range []struct {
		name   string
		fields []string
		want   time.Duration
	}{
		{"a day old", []string{"Last-Modified", at(-24 * time.Hour), "Date", at(0)}, 8640 * time.Second},
		{"a month old", []string{"Last-Modified", at(-30 * 24 * time.Hour), "Date", at(0)}, 24 * time.Hour},
		{"ages old", []string{"Last-Modified", "Mon, 01 Jan 0001 00:00:00 GMT", "Date", at(0)}, 24 * time.Hour},
		{"100 s old", []string{"Last-Modified", at(-sec(100))}, sec(10)},
		{"whole seconds only", []string{"Last-Modified", at(-sec(19)), "Date", at(0)}, sec(1)},
		{"too young", []string{"Last-Modified", at(-sec(9)), "Date", at(0)}, 0},
		{"now", []string{"Last-Modified", at(0), "Date", at(0)}, 0},
		{"in the future", []string{"Last-Modified", at(time.Hour), "Date", at(0)}, 0},
		{"counts to Date, not to now", []string{"Last-Modified", at(-sec(300)), "Date", at(-sec(200))}, sec(10)},
		{"invalid", []string{"Last-Modified", "yesterday"}, 0},
		{"two", []string{"Last-Modified", at(-sec(100)), "Last-Modified", at(-sec(100))}, 0},
		{"with ETag", []string{"Last-Modified", at(-sec(100)), "ETag", `"a"`}, sec(10)},
		{"ETag only", []string{"ETag", `"a"`}, 0},
		{"with must-revalidate", []string{"Last-Modified", at(-sec(100)), "Cache-Control", "must-revalidate"}, sec(10)},
		{"with an unknown directive", []string{"Last-Modified", at(-sec(100)), "Cache-Control", "foo=1"}, sec(10)},
		{"Content-Disposition does not matter", []string{"Last-Modified", at(-sec(100)), "Content-Disposition", "attachment"}, sec(10)},
		{"Set-Cookie", []string{"Last-Modified", at(-sec(100)), "Set-Cookie", "a=b"}, 0},
		{"Set-Cookie and public", []string{"Last-Modified", at(-sec(100)), "Set-Cookie", "a=b", "Cache-Control", "public"}, 0},
		{"Pragma: no-cache", []string{"Last-Modified", at(-sec(100)), "Pragma", "no-cache"}, 0},
		{"Pragma: foo", []string{"Last-Modified", at(-sec(100)), "Pragma", "foo"}, sec(10)},
	} {
		r := response(200, fields(tt.fields...))
		source := freshness.SourceNone
		if tt.want > 0 {
			source = freshness.SourceHeuristic
		}
		if r.Lifetime != tt.want || r.Source != source {
			t.Errorf("%s: got %v from %v; want %v from %v", tt.name, r.Lifetime, r.Source, tt.want, source)
		}
	}
}

// Every status code of RFC 9110 §15.1 and 451 allow heuristics, no other does, unless public says so.
func TestHeuristic_RFC9110_15_1_status(t *testing.T) {
	heuristic := map[int]bool{
		200: true, 203: true, 204: true, 206: true, 300: true, 301: true, 308: true, 404: true, 405: true, 410: true,
		414: true, 451: true, 501: true,
	}
	for status := 200; status <= 599; status++ {
		h := fields("Last-Modified", at(-sec(1000)), "Date", at(0))
		if got := response(status, h).Lifetime > 0; got != heuristic[status] {
			t.Errorf("%d: got heuristic freshness %v; want %v", status, got, heuristic[status])
		}
		h.Set("Cache-Control", "public")
		if r := response(status, h); r.Lifetime != sec(100) {
			t.Errorf("%d, public: got %v; want 1m40s", status, r.Lifetime)
		}
		h.Set("Cache-Control", "public=1")
		if got := response(status, h).Lifetime > 0; got != heuristic[status] {
			t.Errorf("%d, unreadable public: got heuristic freshness %v; want %v", status, got, heuristic[status])
		}
	}
}

func TestHeuristic_RFC9111_4_2_2_policy(t *testing.T) {
	h := fields("Last-Modified", at(-sec(1000)), "Date", at(0))
	for _, tt := range []struct {
		name   string
		policy *freshness.Policy
		want   time.Duration
	}{
		{"nil", nil, sec(100)},
		{"zero", &freshness.Policy{}, sec(100)},
		{"half", &freshness.Policy{HeuristicFraction: 0.5}, sec(500)},
		{"off", &freshness.Policy{HeuristicFraction: -1}, 0},
		{"bounded", &freshness.Policy{HeuristicMax: sec(7)}, sec(7)},
		{"huge", &freshness.Policy{HeuristicFraction: math.MaxFloat64, HeuristicMax: math.MaxInt64}, most},
		{"infinite", &freshness.Policy{HeuristicFraction: math.Inf(1)}, 24 * time.Hour},
		{"not a number", &freshness.Policy{HeuristicFraction: math.NaN()}, 0},
	} {
		r := freshness.ParseResponse(tt.policy, 200, h, t0, t0)
		if d := r.Lifetime - tt.want; d < -time.Second || d > time.Second {
			t.Errorf("%s: got %v; want %v", tt.name, r.Lifetime, tt.want)
		}
	}
}

func TestTargeted_RFC9213_2(t *testing.T) {
	policy := &freshness.Policy{Targeted: []string{"jay-cache-control", "CDN-Cache-Control"}}
	for _, tt := range []struct {
		name     string
		fields   []string
		targeted bool
		want     time.Duration
		flags    string
	}{
		{"alone", []string{"CDN-Cache-Control", "max-age=60"}, true, sec(60), ""},
		{"longer", []string{"CDN-Cache-Control", "max-age=60", "Cache-Control", "max-age=1"}, true, sec(60), ""},
		{"shorter", []string{"CDN-Cache-Control", "max-age=1", "Cache-Control", "max-age=60"}, true, sec(1), ""},
		{"zero", []string{"CDN-Cache-Control", "max-age=0", "Cache-Control", "max-age=60"}, true, 0, ""},
		{"beats no-store", []string{"CDN-Cache-Control", "max-age=60", "Cache-Control", "no-store"}, true, sec(60), ""},
		{"beats Expires", []string{"CDN-Cache-Control", "max-age=60", "Expires", "0"}, true, sec(60), ""},
		{"hides Expires", []string{"CDN-Cache-Control", "foo", "Expires", at(sec(60))}, true, 0, ""},
		{"private", []string{"CDN-Cache-Control", "private", "Cache-Control", "max-age=60"}, true, 0, "private"},
		{"no-cache", []string{"CDN-Cache-Control", "no-cache", "Cache-Control", "max-age=60"}, true, 0, "no-cache"},
		{"s-maxage", []string{"CDN-Cache-Control", "s-maxage=7, max-age=60"}, true, sec(7), "proxy-revalidate shareable"},
		{"saturates", []string{"CDN-Cache-Control", "max-age=99999999999"}, true, most, ""},
		{"negative", []string{"CDN-Cache-Control", "max-age=-1", "Cache-Control", "max-age=60"}, true, 0, ""},
		{"several", []string{"CDN-Cache-Control", "max-age=60, must-revalidate, public, immutable, no-transform, must-understand, proxy-revalidate"}, true, sec(60), "public must-revalidate proxy-revalidate must-understand no-transform immutable shareable"},
		{"must-revalidate grants", []string{"CDN-Cache-Control", "must-revalidate"}, true, 0, "must-revalidate shareable"},
		{"lines", []string{"CDN-Cache-Control", "max-age=60", "CDN-Cache-Control", "no-store"}, true, sec(60), "no-store"},
		{"last of two", []string{"CDN-Cache-Control", "max-age=1, max-age=60"}, true, sec(60), ""}, // RFC 9651 §4.2.2
		{"parameters", []string{"CDN-Cache-Control", "max-age=60;foo=bar, private;x"}, true, sec(60), "private"},
		{"extension of any type", []string{"CDN-Cache-Control", `a="max-age=1", b=(1 2), c=?0, d=:YQ==:, max-age=60`}, true, sec(60), ""},
		{"field names", []string{"CDN-Cache-Control", `private="x-a"`}, true, 0, "private"},
		{"no field names", []string{"CDN-Cache-Control", `no-cache=""`}, true, 0, "no-cache"},
		{"order of the list", []string{"CDN-Cache-Control", "max-age=60", "Jay-Cache-Control", "max-age=5"}, true, sec(5), ""},
		{"first is unusable", []string{"CDN-Cache-Control", "max-age=60", "Jay-Cache-Control", "max-age"}, true, sec(60), ""},

		// What is no dictionary, is empty, or has a value of the wrong type is ignored as a whole.
		{"empty", []string{"CDN-Cache-Control", "", "Cache-Control", "max-age=9"}, false, sec(9), ""},
		{"spaces", []string{"CDN-Cache-Control", "  ", "Cache-Control", "max-age=9"}, false, sec(9), ""},
		{"junk", []string{"CDN-Cache-Control", "max-age=60, &&&&&", "Cache-Control", "no-store"}, false, 0, "no-store"},
		{"string", []string{"CDN-Cache-Control", `max-age="60"`, "Cache-Control", "no-store"}, false, 0, "no-store"},
		{"decimal", []string{"CDN-Cache-Control", "max-age=60.5", "Cache-Control", "max-age=9"}, false, sec(9), ""},
		{"boolean", []string{"CDN-Cache-Control", "max-age", "Cache-Control", "max-age=9"}, false, sec(9), ""},
		{"inner list", []string{"CDN-Cache-Control", "max-age=(60)", "Cache-Control", "max-age=9"}, false, sec(9), ""},
		{"flag as a number", []string{"CDN-Cache-Control", "private=1, max-age=60", "Cache-Control", "max-age=9"}, false, sec(9), ""},
		{"flag as an inner list", []string{"CDN-Cache-Control", `no-cache=("a")`, "Cache-Control", "max-age=9"}, false, sec(9), ""},
		{"false flag", []string{"CDN-Cache-Control", "public=?0", "Cache-Control", "max-age=9"}, false, sec(9), ""},
		{"upper case", []string{"CDN-Cache-Control", "MaX-aGe=60", "Cache-Control", "max-age=9"}, false, sec(9), ""},
		{"space before =", []string{"CDN-Cache-Control", "max-age =60", "Cache-Control", "max-age=9"}, false, sec(9), ""},
		{"space after =", []string{"CDN-Cache-Control", "max-age= 60", "Cache-Control", "max-age=9"}, false, sec(9), ""},
		{"trailing comma", []string{"CDN-Cache-Control", "max-age=60,", "Cache-Control", "max-age=9"}, false, sec(9), ""},
		{"16 digits", []string{"CDN-Cache-Control", "max-age=1000000000000000", "Cache-Control", "max-age=9"}, false, sec(9), ""},
		{"not listed", []string{"Surrogate-Control", "max-age=60", "Cache-Control", "max-age=9"}, false, sec(9), ""},
	} {
		r := freshness.ParseResponse(policy, 200, fields(tt.fields...), t0, t0)
		if r.Targeted != tt.targeted || r.Lifetime != tt.want || flagsOf(r) != tt.flags {
			t.Errorf("%s: got targeted %v, %v, %q; want %v, %v, %q", tt.name, r.Targeted, r.Lifetime, flagsOf(r), tt.targeted, tt.want, tt.flags)
		}
	}
	r := freshness.ParseResponse(policy, 200, fields("CDN-Cache-Control", `no-cache="x-a, x-b", max-age=60`), t0, t0)
	if r.NoCache || !r.Withholds("X-A") || !r.Withholds("X-B") {
		t.Errorf("qualified no-cache: got no-cache %v, withholds %v and %v", r.NoCache, r.Withholds("X-A"), r.Withholds("X-B"))
	}
	// Without the option the fields are nothing special.
	r = response(200, fields("CDN-Cache-Control", "max-age=60", "Cache-Control", "max-age=9"))
	if r.Targeted || r.Lifetime != sec(9) {
		t.Errorf("no option: got targeted %v, %v; want Cache-Control's 9s", r.Targeted, r.Lifetime)
	}
}

// A targeted field takes the place of Expires too, so heuristics may apply where it gives no lifetime.
func TestTargeted_RFC9213_2_2_heuristic(t *testing.T) {
	policy := &freshness.Policy{Targeted: []string{"CDN-Cache-Control"}}
	h := fields("CDN-Cache-Control", "public", "Expires", "0", "Last-Modified", at(-sec(1000)), "Date", at(0))
	if r := freshness.ParseResponse(policy, 200, h, t0, t0); r.Source != freshness.SourceHeuristic || r.Lifetime != sec(100) {
		t.Errorf("got %v from %v; want 1m40s from heuristic", r.Lifetime, r.Source)
	}
}
