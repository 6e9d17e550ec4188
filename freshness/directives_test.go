package freshness_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/jayproxy/jay/freshness"
)

// flagsOf writes the directives without delta-seconds that a response has, in a fixed order.
func flagsOf(r freshness.Response) string {
	var out []string
	for _, f := range []struct {
		name string
		set  bool
	}{
		{"no-store", r.NoStore}, {"no-cache", r.NoCache}, {"private", r.Private}, {"public", r.Public},
		{"must-revalidate", r.MustRevalidate}, {"proxy-revalidate", r.ProxyRevalidate},
		{"must-understand", r.MustUnderstand}, {"no-transform", r.NoTransform}, {"immutable", r.Immutable},
		{"malformed", r.Malformed}, {"shareable", r.Shareable},
	} {
		if f.set {
			out = append(out, f.name)
		}
	}
	return strings.Join(out, " ")
}

func TestParseResponse_RFC9111_5_2_2_flags(t *testing.T) {
	for _, tt := range []struct{ value, want string }{
		{"", ""},
		{",, ,", ""},
		{"no-store", "no-store"},
		{"No-StOrE", "no-store"},
		{"no-cache", "no-cache"},
		{"private", "private"},
		{"public", "public shareable"},
		{"must-revalidate", "must-revalidate shareable"},
		{"proxy-revalidate", "proxy-revalidate"},
		{"must-understand", "must-understand"},
		{"no-transform", "no-transform"},
		{"immutable", "immutable"},
		{"s-maxage=60", "proxy-revalidate shareable"},
		{"PUBLIC , Immutable,\tmax-age=5", "public immutable shareable"},
		{"no-store,no-cache,private", "no-store no-cache private"},

		// An argument that the directive does not have changes nothing about what it forbids …
		{"no-store=1", "no-store"},
		{`no-store=""`, "no-store"},
		{"no-store=", "no-store"},
		{"no-store =1", "no-store"},
		{`must-revalidate="x"`, "must-revalidate"}, // … but it no longer allows sharing
		{"proxy-revalidate=x", "proxy-revalidate"},
		{"no-transform=x", "no-transform"},
		// and takes away what it allows.
		{"public=1", ""},
		{"immutable=1", ""},
		{"must-understand=1", ""},
		{"public ;q", ""},

		// private with field names is private (§5.2.2.7 lets a shared cache store the rest; this one does not).
		{`private="X-A"`, "private"},
		{"private=X-A", "private"},
		{`private=""`, "private"},
		{`private="X-A, X-B", public`, "private public shareable"},
		{"private=X-A,no-store", "no-store private"},

		// Other separators are mistakes; what is forbidden stays so.
		{"max-age=60;no-store", "no-store"},
		{"public;no-cache", "no-cache"},
		{"max-age=60 private", "private"},
		{"foo bar no-store", "no-store"},
		{"foo;must-revalidate", "must-revalidate"},
		{"{no-store}", "no-store"},
		{`"no-store"`, "no-store"},
		{`foo=bar"private"`, "private"},
		{`foo="a"no-store`, "no-store"},
		{"foo=a=no-store", "no-store"},
		{"\u00e9,no-store", "no-store"},
		{"\u00e9no-store", "no-store"},

		// Words inside other words and inside arguments are not directives.
		{"x-no-store, no-storex, no_store, nostore, no-store-x", ""},
		{`foo="no-store"`, ""},
		{`foo="private, no-cache"`, ""},
		{`foo="\", no-store"`, ""},
		{`foo="\\", no-store`, "no-store"},
		{"foo=no-store", ""},

		// Where a quote stays open nobody knows where the members end.
		{`foo="bar, public`, "malformed"},
		{`public, foo="bar`, "public malformed shareable"},
		{`private="a, max-age=5`, "private malformed"},
		{`foo="bar\"`, "malformed"},
		{`foo="bar\`, "malformed"},
		{`"`, "malformed"},
		{`a"b, no-store, c"d`, "no-store"},
	} {
		got := flagsOf(response(200, cc(tt.value)))
		if got != tt.want {
			t.Errorf("%q: got %q; want %q", tt.value, got, tt.want)
		}
	}
}

func TestParseResponse_RFC9111_5_2_2_4_qualified(t *testing.T) {
	for _, tt := range []struct {
		value    string
		noCache  bool
		withheld string // names, by space, that are left out
	}{
		{`no-cache="Set-Cookie"`, false, "set-cookie"},
		{"no-cache=Set-Cookie", false, "set-cookie"},
		{`no-cache="Set-Cookie, X-A"`, false, "set-cookie x-a"},
		{`no-cache="x-b", max-age=5, no-cache="x-a"`, false, "x-a x-b"},
		{`no-cache="\x-a"`, true, ""}, // an escape that nobody needs
		{`no-cache="X-A", no-cache`, true, "x-a"},
		{`no-cache, no-cache="X-A"`, true, "x-a"},
		{`no-cache=""`, true, ""},
		{`no-cache=","`, true, ""},
		{`no-cache="X A"`, true, ""},
		{"no-cache=", true, ""},
		{"no-cache X-A", true, ""},
		// Without these the stored response would mean something else.
		{`no-cache="Content-Encoding"`, true, ""},
		{`no-cache="Content-Type, X-A"`, true, ""},
		{`no-cache="Vary"`, true, ""},
		{`no-cache="ETag"`, true, ""},
		{`no-cache="Cache-Control"`, true, ""},
		{`no-cache="Transfer-Encoding"`, true, ""},
	} {
		r := response(200, cc(tt.value))
		if r.NoCache != tt.noCache {
			t.Errorf("%s: got no-cache %v; want %v", tt.value, r.NoCache, tt.noCache)
		}
		for _, name := range []string{"Set-Cookie", "X-A", "X-B", "Vary", "ETag", "Content-Encoding", "", ","} {
			want := name != "" && strings.Contains(" "+tt.withheld+" ", " "+strings.ToLower(name)+" ")
			if got := r.Withholds(name); got != want {
				t.Errorf("%s: withholds %q: got %v; want %v", tt.value, name, got, want)
			}
		}
	}
}

// Thousands of names must not cost more than reading them.
func TestParseResponse_RFC9111_5_2_2_4_manyNames(t *testing.T) {
	var list strings.Builder
	for i := range 20000 {
		fmt.Fprintf(&list, "x%d,", i)
	}
	r := response(200, cc(`no-cache="`+list.String()+`x"`))
	if !r.NoCache {
		t.Error("got a list of names; want no-cache without names")
	}
}

func TestParseResponse_RFC9111_1_2_2_deltaSeconds(t *testing.T) {
	for _, tt := range []struct {
		argument string
		want     time.Duration
	}{
		{"60", sec(60)},
		{"0", 0},
		{"003600", sec(3600)},
		{`"60"`, sec(60)},
		{`"060"`, sec(60)},
		{"2147483646", most - time.Second},
		{"2147483647", most},
		{"2147483648", most},
		{"2147483649", most},
		{"4294967296", most},
		{"99999999999", most},
		{"9223372036854775808", most},
		{"18446744073709551617", most},
		{"99999999999999999999999999999999", most},
		{"00000000000000000000000000000000060", sec(60)},
		// RFC 9111 §4.2.1: invalid freshness information is stale.
		{"", 0},
		{`""`, 0},
		{"-1", 0},
		{"-3600", 0},
		{"+60", 0},
		{"60.5", 0},
		{"6e1", 0},
		{"0x10", 0},
		{"1_000", 0},
		{"60s", 0},
		{"a60", 0},
		{"60a", 0},
		{" 60", 0},
		{"'60'", 0},
		{`"60`, 0},
		{`" 60"`, 0},
		{`60"`, 0},
		{"=60", 0},
		{"60;foo", 0},
		{"60 foo", 0},
		{"60=60", 0},
		{"٦٠", 0},
	} {
		for name, source := range map[string]freshness.Source{
			"max-age": freshness.SourceMaxAge, "s-maxage": freshness.SourceSMaxAge, "MAX-age": freshness.SourceMaxAge,
		} {
			// An invalid value must not make the cache look elsewhere either.
			h := cc(name + "=" + tt.argument)
			h.Set("Expires", at(time.Hour))
			h.Set("Last-Modified", at(-time.Hour))
			r := response(200, h)
			if r.Lifetime != tt.want || r.Source != source {
				t.Errorf("%s=%s: got %v from %v; want %v from %v", name, tt.argument, r.Lifetime, r.Source, tt.want, source)
			}
		}
	}
	for _, value := range []string{"max-age", "max-age =60", "max-age 60", "max-age:60", "max-age;60"} {
		if r := response(200, cc(value)); r.Lifetime != 0 || r.Source != freshness.SourceMaxAge {
			t.Errorf("%s: got %v from %v; want 0 from max-age", value, r.Lifetime, r.Source)
		}
	}
}

func TestParseResponse_RFC9111_4_2_1_duplicates(t *testing.T) {
	for _, tt := range []struct {
		lines []string
		want  time.Duration
	}{
		{[]string{"max-age=60, max-age=60"}, sec(60)},
		{[]string{"max-age=60", "MAX-AGE=060"}, sec(60)},
		{[]string{`max-age=60, max-age="60"`}, sec(60)},
		{[]string{"max-age=1800, max-age=1"}, 0},
		{[]string{"max-age=1, max-age=1800"}, 0},
		{[]string{"max-age=1800", "max-age=1"}, 0},
		{[]string{"max-age=1", "max-age=1800"}, 0},
		{[]string{"max-age=1", "max-age=2", "max-age=1"}, 0},
		{[]string{"max-age=60, max-age=x"}, 0},
		{[]string{"max-age=x", "max-age=60"}, 0},
		{[]string{"s-maxage=60, s-maxage=61, max-age=5"}, 0},
		{[]string{"s-maxage=60", "max-age=5, max-age=6"}, sec(60)}, // max-age does not matter then
		{[]string{"max-age=60", "foo=1, max-age=60, foo=2"}, sec(60)},
	} {
		if r := response(200, cc(tt.lines...)); r.Lifetime != tt.want {
			t.Errorf("%q: got %v; want %v", tt.lines, r.Lifetime, tt.want)
		}
	}
	r := response(200, cc("max-age=1, stale-while-revalidate=5, stale-while-revalidate=6", "stale-if-error=7, stale-if-error=7"))
	if r.StaleWhileRevalidate.Set || r.StaleIfError != set(sec(7)) {
		t.Errorf("windows: got %v and %v; want none and 7 s", r.StaleWhileRevalidate, r.StaleIfError)
	}
	if r := response(200, cc("s-maxage=5, s-maxage=6")); r.Shareable || !r.ProxyRevalidate {
		t.Errorf("contradicting s-maxage: got shareable %v, proxy-revalidate %v; want only the restriction", r.Shareable, r.ProxyRevalidate)
	}
}

// One bad directive must never cost the others: neither what they forbid nor what they say.
func TestParseResponse_RFC9111_5_2_badNeighbours(t *testing.T) {
	for _, bad := range []string{
		"max-age=x", "max-age", "s-maxage=-1", "no-transform=1", "public=yes", "stale-if-error", "stale-while-revalidate=",
		"foo=", "=", "=bar", `foo="`, "@", ";", "no-cache=\"\x01\"", "\x00", "\xff\xfe", "max-age==1", "a b c",
	} {
		for _, order := range [][]string{{bad, "no-store"}, {"no-store", bad}, {bad + ",no-store"}, {"no-store ," + bad}} {
			r := response(200, cc(order...))
			if !r.NoStore && !r.Malformed {
				t.Errorf("%q: no-store was lost", order)
			}
		}
	}
	// A line with an open quote does not swallow the next one, even where that would close the quote.
	if r := response(200, cc(`foo="`, "no-store", `"`)); !r.NoStore || !r.Malformed {
		t.Errorf("quote over three lines: got no-store %v, malformed %v; want both", r.NoStore, r.Malformed)
	}
	r := response(200, cc("private=, s-maxage=60, foo, stale-if-error"))
	if !r.Private || r.Lifetime != sec(60) || r.StaleIfError.Set {
		t.Errorf("got private %v, lifetime %v, stale-if-error %v; want true, 1m0s, none", r.Private, r.Lifetime, r.StaleIfError)
	}
}

func TestParseResponse_RFC9111_5_2_3_extensions(t *testing.T) {
	for _, value := range []string{
		"foo, max-age=60", "foo=bar, max-age=60", `foo="max-age=5, no-store", max-age=60`, `max-age=60, foo="a\"b, private"`,
		"x-s-maxage=9, max-age=60", "max-agex=9, max-age=60", "max-age=60, xmax-age=9", "foo=, max-age=60", ",,foo,,max-age=60,,",
		`community="UCI", max-age=60`, "max-age=60, x\u00e9=3",
	} {
		r := response(200, cc(value))
		if r.Lifetime != sec(60) || flagsOf(r) != "" {
			t.Errorf("%q: got %v, %q; want 1m0s and no flags", value, r.Lifetime, flagsOf(r))
		}
	}
}

func TestParseRequest_RFC9111_5_2_1(t *testing.T) {
	for _, tt := range []struct {
		value string
		want  freshness.Request
	}{
		{"", freshness.Request{}},
		{"nothing-to-see-here", freshness.Request{}},
		{"no-cache", freshness.Request{NoCache: true}},
		{"NO-CACHE", freshness.Request{NoCache: true}},
		{"no-cache=x", freshness.Request{NoCache: true}},
		{`no-cache="Set-Cookie"`, freshness.Request{NoCache: true}},
		{"no-store", freshness.Request{NoStore: true}},
		{"no-transform", freshness.Request{NoTransform: true}},
		{"no-transform=1", freshness.Request{NoTransform: true}},
		{"only-if-cached", freshness.Request{OnlyIfCached: true}},
		{"only-if-cached=1", freshness.Request{OnlyIfCached: true}},
		{"max-age=0", freshness.Request{MaxAge: set(0)}},
		{`max-age="60"`, freshness.Request{MaxAge: set(sec(60))}},
		{"max-age=99999999999", freshness.Request{MaxAge: set(most)}},
		{"max-age=60, max-age=10", freshness.Request{MaxAge: set(sec(10))}},
		{"max-age=10, max-age=60", freshness.Request{MaxAge: set(sec(10))}},
		{"max-stale", freshness.Request{MaxStale: set(most)}},
		{"max-stale=0", freshness.Request{MaxStale: set(0)}},
		{"max-stale=30", freshness.Request{MaxStale: set(sec(30))}},
		{"max-stale, max-stale=30", freshness.Request{MaxStale: set(sec(30))}},
		{"max-stale=30, max-stale", freshness.Request{MaxStale: set(sec(30))}},
		{"min-fresh=30", freshness.Request{MinFresh: set(sec(30))}},
		{"min-fresh=30, min-fresh=20", freshness.Request{MinFresh: set(sec(30))}},
		{"min-fresh=20, min-fresh=30", freshness.Request{MinFresh: set(sec(30))}},
		{"stale-if-error=600", freshness.Request{StaleIfError: set(sec(600))}},
		{"stale-if-error=0", freshness.Request{StaleIfError: set(0)}},
		{"stale-if-error=9, stale-if-error=8", freshness.Request{StaleIfError: set(sec(8))}},

		// What cannot be read counts as the strictest that it could say.
		{"max-age=abc", freshness.Request{MaxAge: set(0)}},
		{"max-age", freshness.Request{MaxAge: set(0)}},
		{"max-age=-1", freshness.Request{MaxAge: set(0)}},
		{"max-age= 60", freshness.Request{MaxAge: set(0)}},
		{"max-age=60, max-age=x", freshness.Request{MaxAge: set(0)}},
		{"max-stale=abc", freshness.Request{MaxStale: set(0)}},
		{"max-stale=60, max-stale=abc", freshness.Request{MaxStale: set(0)}},
		{"min-fresh", freshness.Request{MinFresh: set(most)}},
		{"min-fresh=abc", freshness.Request{MinFresh: set(most)}},
		{"stale-if-error", freshness.Request{StaleIfError: set(0)}},
		{"max-age=5;no-store", freshness.Request{MaxAge: set(0), NoStore: true}},
		{"max-age=abc, no-store", freshness.Request{MaxAge: set(0), NoStore: true}},
		{`foo="bar, max-age=5`, freshness.Request{NoCache: true, NoStore: true, MaxAge: set(0)}},
		{`foo="bar`, freshness.Request{NoCache: true, NoStore: true}},

		{`foo="no-store, no-cache", bar=no-cache`, freshness.Request{}},
		{"private, public, s-maxage=5, must-revalidate", freshness.Request{}},
		{"no-cache, no-store, max-age=1, max-stale=2, min-fresh=3, only-if-cached", freshness.Request{
			NoCache: true, NoStore: true, OnlyIfCached: true, MaxAge: set(sec(1)), MaxStale: set(sec(2)), MinFresh: set(sec(3)),
		}},
	} {
		if got := freshness.ParseRequest(cc(tt.value)); got != tt.want {
			t.Errorf("%q: got %+v; want %+v", tt.value, got, tt.want)
		}
		lines := strings.Split(tt.value, ", ")
		if strings.Contains(tt.value, `"`) {
			continue
		}
		if got := freshness.ParseRequest(cc(lines...)); got != tt.want {
			t.Errorf("%q: got %+v; want %+v", lines, got, tt.want)
		}
	}
}

func TestParseRequest_RFC9111_5_4_pragma(t *testing.T) {
	for _, tt := range []struct {
		header []string
		want   bool
	}{
		{[]string{"Pragma", "no-cache"}, true},
		{[]string{"Pragma", "No-Cache"}, true},
		{[]string{"Pragma", "foo, no-cache"}, true},
		{[]string{"Pragma", "foo", "Pragma", "no-cache"}, true},
		{[]string{"Pragma", "no-cache=1"}, true},
		{[]string{"Pragma", "foo"}, false},
		{[]string{"Pragma", "no-cachex"}, false},
		{[]string{"Pragma", `foo="no-cache"`}, false},
		{[]string{"Pragma", `foo=", no-cache, "`}, false},
		{[]string{"Pragma", ""}, false},
		{[]string{"Pragma", "no-cache", "Cache-Control", "max-stale"}, false},
		{[]string{"Pragma", "no-cache", "Cache-Control", "foo"}, false},
		{[]string{"Pragma", "no-cache", "Cache-Control", " "}, true},
		{[]string{"Pragma", "foo", "Cache-Control", "no-cache"}, true},
	} {
		if got := freshness.ParseRequest(fields(tt.header...)).NoCache; got != tt.want {
			t.Errorf("%q: got %v; want %v", tt.header, got, tt.want)
		}
	}
}

func TestParseRequest_fields(t *testing.T) {
	got := freshness.ParseRequest(fields("Authorization", "", "Range", "bytes=0-1"))
	if want := (freshness.Request{Authorization: true, Range: true}); got != want {
		t.Errorf("got %+v; want %+v", got, want)
	}
	if got := freshness.ParseRequest(nil); got != (freshness.Request{}) {
		t.Errorf("no fields: got %+v; want the zero value", got)
	}
}
