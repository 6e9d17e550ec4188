package freshness_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/jayproxy/jay/freshness"
)

// overridden parses a response under an override that is rule 1.
func overridden(o freshness.Override, status int, h http.Header) freshness.Response {
	own := response(status, h)
	own.Impersonal = true
	return own.Override(nil, o, 1, h)
}

func TestOverride_Lifetime(t *testing.T) {
	tests := []struct {
		name string
		o    freshness.Override
		h    http.Header
		want time.Duration
		from freshness.Source
	}{
		{"nothing", freshness.Override{}, cc("max-age=60"), sec(60), freshness.SourceMaxAge},
		{"min over max-age", freshness.Override{Min: sec(100)}, cc("max-age=60"), sec(100), freshness.SourceOverride},
		{"min under max-age", freshness.Override{Min: sec(10)}, cc("max-age=60"), sec(60), freshness.SourceMaxAge},
		{"min without anything", freshness.Override{Min: sec(100)}, fields(), sec(100), freshness.SourceOverride},
		{"min over Expires in the past", freshness.Override{Min: sec(100)}, fields("Expires", "0"), sec(100), freshness.SourceOverride},
		{"max", freshness.Override{Max: set(sec(10))}, cc("s-maxage=60"), sec(10), freshness.SourceOverride},
		{"max above", freshness.Override{Max: set(sec(100))}, cc("s-maxage=60"), sec(60), freshness.SourceSMaxAge},
		{"max 0", freshness.Override{Max: set(0)}, cc("s-maxage=60"), 0, freshness.SourceOverride},
		{"max wins over min", freshness.Override{Min: sec(100), Max: set(sec(50))}, cc("max-age=9"), sec(50), freshness.SourceOverride},
		{"heuristic", freshness.Override{Heuristic: 0.5}, fields("Last-Modified", at(-sec(1000))), sec(500), freshness.SourceHeuristic},
		{"heuristic beside max-age", freshness.Override{Heuristic: 0.5}, fields("Last-Modified", at(-sec(1000)), "Cache-Control", "max-age=60"), sec(60), freshness.SourceMaxAge},
		{"lifetime ignored", freshness.Override{Heuristic: 0.5, Ignore: freshness.IgnoreLifetime},
			fields("Last-Modified", at(-sec(1000)), "Cache-Control", "max-age=60", "Expires", at(sec(10))), sec(500), freshness.SourceHeuristic},
		{"lifetime ignored, the usual fraction", freshness.Override{Ignore: freshness.IgnoreLifetime},
			fields("Last-Modified", at(-sec(1000)), "Cache-Control", "max-age=60"), sec(100), freshness.SourceHeuristic},
		{"heuristic with max", freshness.Override{Heuristic: 1, Max: set(sec(1000000))}, fields("Last-Modified", at(-sec(900000))), sec(900000), freshness.SourceHeuristic},
		{"heuristic without max", freshness.Override{Heuristic: 1}, fields("Last-Modified", at(-sec(900000))), 24 * time.Hour, freshness.SourceHeuristic},
		{"Pragma", freshness.Override{Heuristic: 0.5}, fields("Last-Modified", at(-sec(1000)), "Pragma", "no-cache"), 0, freshness.SourceNone},
		{"Pragma ignored", freshness.Override{Heuristic: 0.5, Ignore: freshness.IgnoreNoCache}, fields("Last-Modified", at(-sec(1000)), "Pragma", "no-cache"), sec(500), freshness.SourceHeuristic},
		{"always-revalidate", freshness.Override{AlwaysRevalidate: true}, cc("max-age=60"), 0, freshness.SourceMaxAge},
	}
	for _, tt := range tests {
		if r := overridden(tt.o, 200, tt.h); r.Lifetime != tt.want || r.Source != tt.from || r.Rule() != 1 {
			t.Errorf("%s: got %v from %v, rule %d; want %v from %v", tt.name, r.Lifetime, r.Source, r.Rule(), tt.want, tt.from)
		}
	}
}

func TestOverride_Storable(t *testing.T) {
	all := freshness.Ignored(127)
	min := func(ignore freshness.Ignored) freshness.Override {
		return freshness.Override{Min: sec(60), Ignore: ignore}
	}
	cookie, auth := freshness.Request{Cookie: true}, freshness.Request{Authorization: true}
	tests := []struct {
		name   string
		o      freshness.Override
		req    freshness.Request
		status int
		h      http.Header
		want   bool
		reason freshness.Reason
	}{
		{"no difference", min(0), freshness.Request{}, 200, cc("max-age=90"), true, freshness.ReasonExplicit},
		{"min", min(0), freshness.Request{}, 200, fields(), true, freshness.ReasonOverride},
		{"min of a redirect", min(0), freshness.Request{}, 302, fields(), true, freshness.ReasonOverride},
		{"longer", min(0), freshness.Request{}, 200, cc("max-age=9"), true, freshness.ReasonOverride},
		{"no-store stays", min(0), freshness.Request{}, 200, cc("no-store"), false, freshness.ReasonNoStore},
		{"no-store", min(freshness.IgnoreNoStore), freshness.Request{}, 200, cc("no-store"), true, freshness.ReasonOverride},
		{"private stays", min(freshness.IgnoreNoStore), freshness.Request{}, 200, cc("no-store, private"), false, freshness.ReasonNoStore},
		{"private", min(freshness.IgnorePrivate), freshness.Request{}, 200, cc("private"), true, freshness.ReasonOverride},
		{"never", freshness.Override{Never: true}, freshness.Request{}, 200, cc("max-age=60"), false, freshness.ReasonOverride},
		{"never anyway", freshness.Override{Never: true}, freshness.Request{}, 200, cc("private"), false, freshness.ReasonPrivate},
		{"always-revalidate", freshness.Override{AlwaysRevalidate: true}, freshness.Request{}, 200, fields("Cache-Control", "max-age=60", "ETag", `"a"`), true, freshness.ReasonOverride},
		{"always-revalidate without a validator", freshness.Override{AlwaysRevalidate: true}, freshness.Request{}, 200, cc("max-age=60"), false, freshness.ReasonOverride},

		{"Authorization", min(all), auth, 200, cc("max-age=9"), false, freshness.ReasonAuthorization},
		{"Authorization and public", min(all), auth, 200, cc("public, max-age=9"), true, freshness.ReasonExplicit},
		{"must-revalidate still permits", min(all), auth, 200, cc("must-revalidate, max-age=9"), true, freshness.ReasonExplicit},
		{"Cookie", min(all &^ freshness.IgnoreCookie), cookie, 200, fields(), false, freshness.ReasonNoFreshness},
		{"Cookie ignored", min(freshness.IgnoreCookie), cookie, 200, fields(), true, freshness.ReasonOverride},
		{"Cookie and private", min(all), cookie, 200, cc("private"), false, freshness.ReasonPrivate},
		{"Cookie and no-store", min(all), cookie, 200, cc("no-store"), false, freshness.ReasonNoStore},
		{"Personal", min(all), freshness.Request{Personal: true}, 200, fields(), true, freshness.ReasonOverride},
		{"Personal and private", min(all), freshness.Request{Personal: true}, 200, cc("private"), false, freshness.ReasonPrivate},
		{"Personal and no-store", min(all), freshness.Request{Personal: true}, 200, cc("no-store"), false, freshness.ReasonNoStore},
		{"Set-Cookie", min(all), freshness.Request{}, 200, fields("Set-Cookie", "a=b"), false, freshness.ReasonSetCookie},
		{"Set-Cookie and private", min(all), freshness.Request{}, 200, fields("Set-Cookie", "a=b", "Cache-Control", "private, max-age=9"), false, freshness.ReasonPrivate},
		{"Set-Cookie, explicit", min(all), freshness.Request{}, 200, fields("Set-Cookie", "a=b", "Cache-Control", "max-age=9"), true, freshness.ReasonExplicit},
		{"Set-Cookie, explicit, max", freshness.Override{Max: set(sec(5))}, freshness.Request{}, 200, fields("Set-Cookie", "a=b", "Cache-Control", "max-age=9"), true, freshness.ReasonOverride},
		{"error", min(all), freshness.Request{}, 503, fields(), false, freshness.ReasonNoFreshness},
		{"error that is named", freshness.Override{Min: sec(60), Errors: true}, freshness.Request{}, 503, fields(), true, freshness.ReasonOverride},
		{"status", freshness.Override{Min: sec(60), Ignore: all, Errors: true}, freshness.Request{}, 401, fields(), false, freshness.ReasonStatus},
		{"Vary", min(all), freshness.Request{}, 200, fields("Vary", "*", "Cache-Control", "max-age=9"), false, freshness.ReasonVary},
		{"malformed", min(all), freshness.Request{}, 200, cc(`max-age=9, x="`), false, freshness.ReasonMalformed},
		{"must-understand", min(all), freshness.Request{}, 299, cc("must-understand, max-age=9"), false, freshness.ReasonMustUnderstand},
		{"request no-store", min(all), freshness.Request{NoStore: true}, 200, cc("max-age=90"), false, freshness.ReasonRequestNoStore},
	}
	for _, tt := range tests {
		own := response(tt.status, tt.h)
		own.Authorized, own.Cookied, own.Impersonal = tt.req.Authorization, tt.req.Cookie, !tt.req.Personal
		r := own.Override(nil, tt.o, 7, tt.h)
		if ok, reason := freshness.Storable("GET", tt.req, &r); ok != tt.want || reason != tt.reason {
			t.Errorf("%s: got %v, %v; want %v, %v", tt.name, ok, reason, tt.want, tt.reason)
		}
		if back := r.AsSent(); back != own {
			t.Errorf("%s: as sent %+v; want %+v", tt.name, back, own)
		}
	}
	// A POST's response is stored only if its sender wants that.
	for _, lines := range []string{"max-age=9", "no-cache, max-age=9", ""} {
		own := response(200, cc(lines))
		own.SelfLocated = true
		r := own.Override(nil, min(all), 7, cc(lines))
		if ok, _ := freshness.Storable("POST", freshness.Request{}, &r); ok != (lines == "max-age=9") {
			t.Errorf("POST, %q: got %v", lines, ok)
		}
	}
	policy := &freshness.Policy{RefuseSetCookie: true, RefuseErrors: true}
	for _, h := range []http.Header{fields("Set-Cookie", "a", "Cache-Control", "max-age=9"), fields("X", "404")} {
		own := freshness.ParseResponse(policy, 404, h, t0, t0)
		r := own.Override(policy, freshness.Override{Min: sec(60), Ignore: all, Errors: true}, 7, h)
		if ok, reason := freshness.Storable("GET", freshness.Request{}, &r); ok {
			t.Errorf("%v: stored (%v) against the policy", h, reason)
		}
	}
}

func TestOverride_Decide(t *testing.T) {
	reload := freshness.Override{Min: sec(60), Ignore: freshness.IgnoreReload}
	tests := []struct {
		name    string
		o       freshness.Override
		h       http.Header
		request http.Header
		age     float64
		want    freshness.Verdict
		reason  freshness.Reason
	}{
		{"fresh anyway", freshness.Override{Min: sec(60)}, cc("max-age=20"), nil, 10, freshness.Reuse, freshness.ReasonFresh},
		{"fresh by min", freshness.Override{Min: sec(60)}, cc("max-age=20"), nil, 30, freshness.Reuse, freshness.ReasonOverride},
		{"stale all the same", freshness.Override{Min: sec(60)}, cc("max-age=20"), nil, 70, freshness.Forward, freshness.ReasonStale},
		{"stale by max", freshness.Override{Max: set(sec(10))}, cc("max-age=20"), nil, 15, freshness.Forward, freshness.ReasonOverride},
		{"s-maxage ignored when stale", freshness.Override{Ignore: freshness.IgnoreMustRevalidate}, cc("s-maxage=20"), cc("max-stale"), 30, freshness.ReuseStale, freshness.ReasonOverride},
		{"must-revalidate ignored when stale", freshness.Override{Ignore: freshness.IgnoreMustRevalidate}, cc("must-revalidate, max-age=20"), cc("max-stale"), 30, freshness.ReuseStale, freshness.ReasonOverride},
		{"no-cache", freshness.Override{Min: sec(60), Ignore: freshness.IgnoreNoCache}, cc("no-cache"), nil, 1, freshness.Reuse, freshness.ReasonOverride},
		{"no-cache stays", freshness.Override{Min: sec(60)}, fields("Cache-Control", "no-cache", "ETag", `"a"`), nil, 1, freshness.Validate, freshness.ReasonNoCache},
		{"always-revalidate", freshness.Override{AlwaysRevalidate: true}, fields("Cache-Control", "max-age=60", "ETag", `"a"`), nil, 1, freshness.Validate, freshness.ReasonOverride},
		{"reload", reload, cc("max-age=60"), cc("no-cache"), 1, freshness.Reuse, freshness.ReasonOverride},
		{"reload by Pragma", reload, cc("max-age=60"), fields("Pragma", "no-cache"), 1, freshness.Reuse, freshness.ReasonOverride},
		{"soft reload", reload, cc("max-age=60"), cc("max-age=0"), 1, freshness.Reuse, freshness.ReasonOverride},
		{"max-age", reload, cc("max-age=60"), cc("max-age=5"), 10, freshness.Forward, freshness.ReasonRequestMaxAge},
		{"min-fresh", reload, cc("max-age=60"), cc("min-fresh=55"), 10, freshness.Forward, freshness.ReasonRequestMinFresh},
		{"reload with Cookie", reload, cc("max-age=60"), fields("Cache-Control", "no-cache", "Cookie", "a"), 1, freshness.Forward, freshness.ReasonRequestNoCache},
		{"min with Cookie", freshness.Override{Min: sec(60)}, cc("max-age=20"), fields("Cookie", "a"), 30, freshness.Forward, freshness.ReasonStale},
		{"min with Cookie ignored", freshness.Override{Min: sec(60), Ignore: freshness.IgnoreCookie}, cc("max-age=20"), fields("Cookie", "a"), 30, freshness.Reuse, freshness.ReasonOverride},
		{"min with Authorization", freshness.Override{Min: sec(60), Ignore: freshness.IgnoreCookie}, cc("max-age=20"), fields("Authorization", "a"), 30, freshness.Forward, freshness.ReasonStale},
		{"private with Cookie", freshness.Override{Min: sec(60), Ignore: freshness.IgnorePrivate | freshness.IgnoreCookie}, cc("private"), fields("Cookie", "a"), 30, freshness.Forward, freshness.ReasonPrivate},
		{"private with a key", freshness.Override{Min: sec(60), Ignore: freshness.IgnorePrivate}, cc("private"), fields("X-Api-Key", "a"), 30, freshness.Forward, freshness.ReasonPrivate},
		{"min with a key", freshness.Override{Min: sec(60)}, cc("max-age=20"), fields("X-Api-Key", "a"), 30, freshness.Reuse, freshness.ReasonOverride},
		{"max with Cookie", freshness.Override{Max: set(sec(10))}, cc("max-age=20"), fields("Cookie", "a"), 15, freshness.Forward, freshness.ReasonOverride},
		{"only-if-cached", freshness.Override{Min: sec(60)}, cc("max-age=20"), cc("only-if-cached"), 30, freshness.Reuse, freshness.ReasonOverride},
	}
	for _, tt := range tests {
		r := overridden(tt.o, 200, tt.h)
		req := freshness.ParseRequest(tt.request)
		req.Personal = freshness.Personal(tt.request)
		d := freshness.Decide(req, &r, later(tt.age))
		if d.Verdict != tt.want || d.Reason != tt.reason {
			t.Errorf("%s: got %v, %v; want %v, %v", tt.name, d.Verdict, d.Reason, tt.want, tt.reason)
		}
	}
	r := overridden(freshness.Override{Ignore: freshness.IgnoreMustRevalidate}, 200, cc("max-age=20, must-revalidate, stale-if-error=60"))
	if d := freshness.OnError(freshness.Request{}, &r, 503, later(30)); d.Verdict != freshness.ReuseStale || d.Reason != freshness.ReasonOverride {
		t.Errorf("on error: got %v, %v; want reuse-stale by the override", d.Verdict, d.Reason)
	}
	if n := testing.AllocsPerRun(100, func() { freshness.Decide(freshness.Request{}, &r, t0) }); n != 0 {
		t.Errorf("Decide allocates %v times; want 0", n)
	}
}

// An override that says nothing changes no decision; max never lengthens, min never shortens; and whatever it says, nobody
// gets what was made for somebody else.
func FuzzOverride(f *testing.F) {
	for i, a := range seeds {
		f.Add(a, seeds[(i*5+1)%len(seeds)], uint16(200), uint8(i), uint8(i*11), uint16(i*7), uint16(i*3), at(-time.Hour))
	}
	f.Fuzz(func(t *testing.T, value, request string, status uint16, bits, ignore uint8, least, most uint16, modified string) {
		bit := func(n int) bool { return bits>>n&1 == 1 }
		h := fields("Cache-Control", value, "Last-Modified", modified)
		if bit(0) {
			h.Set("Set-Cookie", "a=b")
		}
		if bit(1) {
			h.Set("Vary", "*")
		}
		req := freshness.ParseRequest(cc(request))
		asked := freshness.Request{Authorization: bit(2), Cookie: bit(3), Personal: bit(6)}
		own := freshness.ParseResponse(nil, int(status), h, t0, t0)
		own.Authorized, own.Cookied, own.Impersonal = asked.Authorization, asked.Cookie, !asked.Personal
		guarded := own.Private || own.NoStore
		storable, why := freshness.Storable("GET", asked, &own)
		decide := func(o freshness.Override) (freshness.Response, bool) {
			r := own.Override(nil, o, 1, h)
			ok, reason := freshness.Storable("GET", asked, &r)
			if back := r.AsSent(); back != own {
				t.Fatalf("as sent %+v; want %+v", back, own)
			}
			if !ok && !storable && reason != why || ok != storable && reason != freshness.ReasonOverride {
				t.Fatalf("%+v: %v, %v; without it %v, %v", o, ok, reason, storable, why)
			}
			return r, ok
		}
		if r, ok := decide(freshness.Override{Errors: bit(4)}); ok != storable || r.Lifetime != own.Lifetime {
			t.Fatalf("nothing: %v, %v; want %v, %v", ok, r.Lifetime, storable, own.Lifetime)
		} else if d, was := freshness.Decide(req, &r, later(30)), freshness.Decide(req, &own, later(30)); d != was {
			t.Fatalf("nothing: got %+v; want %+v", d, was)
		}
		if r, ok := decide(freshness.Override{Min: sec(int(least)), Errors: bit(4)}); r.Lifetime < own.Lifetime || storable && !ok {
			t.Fatalf("min: %v, %v; without it %v, %v", ok, r.Lifetime, storable, own.Lifetime)
		}
		for _, o := range []freshness.Override{{Max: set(sec(int(most)))}, {AlwaysRevalidate: true}, {Never: true}} {
			r, ok := decide(o)
			if r.Lifetime > own.Lifetime || ok && !storable || o.Never && ok {
				t.Fatalf("%+v: %v, %v; without it %v, %v", o, ok, r.Lifetime, storable, own.Lifetime)
			}
			for _, age := range ages {
				d, was := freshness.Decide(req, &r, later(age)), freshness.Decide(req, &own, later(age))
				if d.Verdict == freshness.Reuse && was.Verdict != freshness.Reuse {
					t.Fatalf("%+v: %+v; without it %+v", o, d, was)
				}
			}
		}
		o := freshness.Override{Min: sec(int(least)), Max: freshness.Delta{Value: sec(int(most)), Set: bit(5)}, Ignore: freshness.Ignored(ignore), Heuristic: 0.5, Errors: bit(4)}
		r, ok := decide(o)
		held := bit(0) || bit(2) || bit(3) && o.Ignore&freshness.IgnoreCookie == 0 || guarded && (bit(3) || bit(6))
		if ok && !storable && (held || bit(1) || own.Malformed || status >= 400 && !bit(4)) {
			t.Fatalf("%+v: stored", o)
		}
		for _, with := range []freshness.Request{{Authorization: true}, {Cookie: true}, {Personal: true}} {
			if !guarded && (with.Personal || with.Cookie && o.Ignore&freshness.IgnoreCookie != 0) {
				continue
			}
			for _, age := range ages {
				d, was := freshness.Decide(with, &r, later(age)), freshness.Decide(with, &own, later(age))
				if reused(d.Verdict) && !reused(was.Verdict) {
					t.Fatalf("%+v for %+v: %+v; without it %+v", o, with, d, was)
				}
			}
		}
	})
}

func TestPersonal(t *testing.T) {
	for name, want := range map[string]bool{
		"": false, "User-Agent": false, "Sec-Fetch-Mode": false, "Sec-Ch-Ua-Mobile": false, "Referer": false, "Accept-Encoding": false,
		"Cookie": true, "Authorization": true, "X-Api-Key": true, "X-Forwarded-For": true, "Forwarded": true, "From": true, "Sec-Session": true,
	} {
		h := fields("Host", "a.test", "Accept", "*/*")
		if name != "" {
			h.Set(name, "x")
		}
		if got := freshness.Personal(h); got != want {
			t.Errorf("%s: got %v; want %v", name, got, want)
		}
	}
}
