package freshness_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/jayproxy/jay/freshness"
)

func TestStorable_RFC9111_3(t *testing.T) {
	for _, tt := range []struct {
		name   string
		status int
		fields []string
		want   freshness.Reason
		ok     bool
	}{
		{"max-age", 200, []string{"Cache-Control", "max-age=60"}, freshness.ReasonExplicit, true},
		{"s-maxage", 200, []string{"Cache-Control", "s-maxage=60"}, freshness.ReasonExplicit, true},
		{"Expires", 200, []string{"Expires", at(time.Hour)}, freshness.ReasonExplicit, true},
		{"heuristic", 200, []string{"Last-Modified", at(-time.Hour)}, freshness.ReasonHeuristic, true},
		{"ETag", 200, []string{"ETag", `"a"`}, freshness.ReasonValidator, true},
		{"stale with a validator", 200, []string{"Cache-Control", "max-age=0", "ETag", `"a"`}, freshness.ReasonValidator, true},
		{"no-cache with a validator", 200, []string{"Cache-Control", "no-cache", "ETag", `"a"`}, freshness.ReasonValidator, true},
		{"fresh no-cache with a validator", 200, []string{"Cache-Control", "no-cache, max-age=60", "ETag", `"a"`}, freshness.ReasonValidator, true},
		{"too old on arrival", 200, []string{"Cache-Control", "max-age=60", "Age", "90"}, freshness.ReasonExplicit, true},
		{"only stale use", 200, []string{"Cache-Control", "max-age=0, stale-while-revalidate=60"}, freshness.ReasonExplicit, true},
		{"only use on error", 200, []string{"Cache-Control", "max-age=0, stale-if-error=60"}, freshness.ReasonExplicit, true},
		{"partial", 206, []string{"Cache-Control", "max-age=60"}, freshness.ReasonPartial, true},
		{"partial with a validator", 206, []string{"ETag", `"a"`}, freshness.ReasonPartial, true},
		{"unknown status, public", 599, []string{"Cache-Control", "public", "Last-Modified", at(-time.Hour)}, freshness.ReasonHeuristic, true},
		{"Set-Cookie with max-age", 200, []string{"Cache-Control", "max-age=60", "Set-Cookie", "a=b"}, freshness.ReasonExplicit, true},

		{"nothing", 200, nil, freshness.ReasonNoFreshness, false},
		{"stale without a validator", 200, []string{"Cache-Control", "max-age=0"}, freshness.ReasonNoFreshness, false},
		{"unreadable max-age", 200, []string{"Cache-Control", "max-age=x"}, freshness.ReasonNoFreshness, false},
		{"past Expires", 200, []string{"Expires", "0"}, freshness.ReasonNoFreshness, false},
		{"public alone", 200, []string{"Cache-Control", "public"}, freshness.ReasonNoFreshness, false},
		{"empty ETag", 200, []string{"ETag", ""}, freshness.ReasonNoFreshness, false},
		{"unreadable Last-Modified", 200, []string{"Last-Modified", "foo"}, freshness.ReasonNoFreshness, false},
		{"no-cache without a validator", 200, []string{"Cache-Control", "no-cache, max-age=60"}, freshness.ReasonNoValidator, false},
		{"no-store", 200, []string{"Cache-Control", "no-store"}, freshness.ReasonNoStore, false},
		{"no-store and max-age", 200, []string{"Cache-Control", "max-age=60, no-store", "Expires", at(time.Hour)}, freshness.ReasonNoStore, false},
		{"no-store on a second line", 200, []string{"Cache-Control", "max-age=60", "Cache-Control", "no-store"}, freshness.ReasonNoStore, false},
		{"private", 200, []string{"Cache-Control", "private, max-age=60"}, freshness.ReasonPrivate, false},
		{"private and public", 200, []string{"Cache-Control", "public, private, s-maxage=60"}, freshness.ReasonPrivate, false},
		{"private with a name", 200, []string{"Cache-Control", `private="x-a", max-age=60`}, freshness.ReasonPrivate, false},
		{"open quote", 200, []string{"Cache-Control", `max-age=60, foo="`}, freshness.ReasonMalformed, false},
		{"Vary: *", 200, []string{"Cache-Control", "max-age=60", "Vary", "*"}, freshness.ReasonVary, false},
		{"* among others", 200, []string{"Cache-Control", "max-age=60", "Vary", "Accept, *"}, freshness.ReasonVary, false},
		{"* on a second line", 200, []string{"Cache-Control", "max-age=60", "Vary", "Accept", "Vary", " * "}, freshness.ReasonVary, false},
		{"302 without freshness", 302, []string{"ETag", `"a"`}, freshness.ReasonNoFreshness, false},
		{"302 heuristically", 302, []string{"Last-Modified", at(-time.Hour)}, freshness.ReasonNoFreshness, false},
		{"503 without freshness", 503, []string{"ETag", `"a"`, "Last-Modified", at(-time.Hour)}, freshness.ReasonNoFreshness, false},
		{"503 stale", 503, []string{"ETag", `"a"`, "Cache-Control", "max-age=0"}, freshness.ReasonNoFreshness, false},
		{"503 no-cache", 503, []string{"ETag", `"a"`, "Cache-Control", "max-age=60, no-cache"}, freshness.ReasonNoFreshness, false},
		{"Set-Cookie heuristically", 200, []string{"Last-Modified", at(-time.Hour), "Set-Cookie", "a=b"}, freshness.ReasonSetCookie, false},
		{"Set-Cookie to validate", 200, []string{"ETag", `"a"`, "Set-Cookie", "a=b"}, freshness.ReasonSetCookie, false},
		{"Set-Cookie and no-cache", 200, []string{"ETag", `"a"`, "Set-Cookie", "a=b", "Cache-Control", "no-cache, max-age=60"}, freshness.ReasonSetCookie, false},
		{"Set-Cookie and max-age=0", 200, []string{"ETag", `"a"`, "Set-Cookie", "a=b", "Cache-Control", "max-age=0"}, freshness.ReasonSetCookie, false},
	} {
		r := response(tt.status, fields(tt.fields...))
		if ok, reason := freshness.Storable("GET", freshness.Request{}, &r); ok != tt.ok || reason != tt.want {
			t.Errorf("%s: got %v, %v; want %v, %v", tt.name, ok, reason, tt.ok, tt.want)
		}
	}
}

// With explicit freshness every final status code is storable, known or not, save those about one request only.
func TestStorable_RFC9111_3_status(t *testing.T) {
	never := map[int]bool{
		304: true, 401: true, 407: true, 408: true, 412: true, 416: true, 417: true, 421: true, 425: true, 426: true,
		428: true, 429: true, 431: true, 511: true,
	}
	for status := 0; status < 700; status++ {
		r := response(status, fields("Cache-Control", "max-age=100000", "Date", at(0)))
		want := 200 <= status && status <= 599 && !never[status]
		if ok, reason := freshness.Storable("GET", freshness.Request{}, &r); ok != want || !ok && reason != freshness.ReasonStatus {
			t.Errorf("%d: got %v, %v; want %v", status, ok, reason, want)
		}
	}
}

func TestStorable_RFC9111_5_2_2_3_mustUnderstand(t *testing.T) {
	for _, tt := range []struct {
		status int
		value  string
		want   freshness.Reason
		ok     bool
	}{
		{200, "max-age=60, no-store, must-understand", freshness.ReasonExplicit, true},
		{200, "must-understand, max-age=60, no-store", freshness.ReasonExplicit, true},
		{404, "max-age=60, no-store, must-understand", freshness.ReasonExplicit, true},
		{451, "max-age=60, no-store, must-understand", freshness.ReasonExplicit, true},
		{206, "max-age=60, no-store, must-understand", freshness.ReasonPartial, true},
		{200, "max-age=60, must-understand", freshness.ReasonExplicit, true},
		{599, "max-age=60, no-store, must-understand", freshness.ReasonMustUnderstand, false},
		{599, "max-age=60, must-understand", freshness.ReasonMustUnderstand, false},
		{299, "public, max-age=60, must-understand", freshness.ReasonMustUnderstand, false},
		{306, "max-age=60, must-understand", freshness.ReasonMustUnderstand, false},
		{200, "max-age=60, no-store, must-understand=1", freshness.ReasonNoStore, false},
		{200, "max-age=60, no-store;must-understand", freshness.ReasonNoStore, false},
		{200, "max-age=60, no-store, must-understand, private", freshness.ReasonPrivate, false},
	} {
		r := response(tt.status, cc(tt.value))
		if ok, reason := freshness.Storable("GET", freshness.Request{}, &r); ok != tt.ok || reason != tt.want {
			t.Errorf("%d %s: got %v, %v; want %v, %v", tt.status, tt.value, ok, reason, tt.ok, tt.want)
		}
	}
}

func TestStorable_RFC9111_3_5_authorization(t *testing.T) {
	for value, want := range map[string]bool{
		"max-age=60":                            false,
		"max-age=60, public":                    true,
		"max-age=60, must-revalidate":           true,
		"s-maxage=60":                           true,
		"s-maxage=0, max-age=60":                false, // shareable, but then never fresh and without a validator
		"max-age=60, proxy-revalidate":          false,
		"max-age=60, immutable":                 false,
		"max-age=60, no-transform":              false,
		"max-age=60, foo=\"public\"":            false,
		"max-age=60, public=1":                  false,
		"max-age=60, must-revalidate=1":         false,
		"max-age=60, must-revalidate;q":         false,
		"max-age=60, s-maxage=x":                false,
		"max-age=60, private, public":           false,
		"max-age=60, public, no-store":          false,
		"max-age=60, s-maxage=10, s-maxage=10":  true,
		"max-age=60, s-maxage=10, s-maxage=900": false,
	} {
		r := response(200, cc(value))
		if ok, reason := freshness.Storable("GET", freshness.Request{Authorization: true}, &r); ok != want {
			t.Errorf("%s: got %v, %v; want %v", value, ok, reason, want)
		}
		// The same when the caller has noted it on the response, as for an update by somebody else's validation.
		r.Authorized = true
		if ok, reason := freshness.Storable("GET", freshness.Request{}, &r); ok != want {
			t.Errorf("%s, noted: got %v, %v; want %v", value, ok, reason, want)
		}
		if d := freshness.Decide(freshness.Request{}, &r, t0); (d.Verdict == freshness.Reuse) != want {
			t.Errorf("%s: got %v, %v; want reuse %v", value, d.Verdict, d.Reason, want)
		}
	}
}

func TestStorable_RFC9111_5_2_1_5_requestNoStore(t *testing.T) {
	r := response(200, cc("public, max-age=60"))
	if ok, reason := freshness.Storable("GET", freshness.Request{NoStore: true}, &r); ok || reason != freshness.ReasonRequestNoStore {
		t.Errorf("got %v, %v; want false, request-no-store", ok, reason)
	}
	// no-cache in the request forbids reuse, not storing.
	if ok, reason := freshness.Storable("GET", freshness.Request{NoCache: true}, &r); !ok {
		t.Errorf("no-cache: got %v, %v; want true", ok, reason)
	}
}

func TestStorable_RFC9110_9_2_3_method(t *testing.T) {
	fresh := cc("max-age=60")
	for _, tt := range []struct {
		method string
		status int
		header http.Header
		self   bool
		want   freshness.Reason
		ok     bool
	}{
		{"GET", 200, fresh, false, freshness.ReasonExplicit, true},
		{"HEAD", 200, fresh, false, freshness.ReasonMethod, false},
		{"PUT", 200, fresh, true, freshness.ReasonMethod, false},
		{"DELETE", 200, fresh, true, freshness.ReasonMethod, false},
		{"OPTIONS", 200, fresh, true, freshness.ReasonMethod, false},
		{"get", 200, fresh, true, freshness.ReasonMethod, false},
		{"M-SEARCH", 200, fresh, true, freshness.ReasonMethod, false},
		{"POST", 200, fresh, true, freshness.ReasonExplicit, true},
		{"POST", 200, fields("Expires", at(time.Hour)), true, freshness.ReasonExplicit, true},
		{"POST", 200, fresh, false, freshness.ReasonContentLocation, false},
		{"POST", 201, fresh, true, freshness.ReasonContentLocation, false},
		{"POST", 204, fresh, true, freshness.ReasonContentLocation, false},
		{"POST", 404, fresh, true, freshness.ReasonContentLocation, false},
		{"POST", 200, fields("Last-Modified", at(-time.Hour)), true, freshness.ReasonContentLocation, false},
		{"POST", 200, fields("Cache-Control", "max-age=0", "ETag", `"a"`), true, freshness.ReasonContentLocation, false},
		{"POST", 200, fields("Cache-Control", "max-age=60, no-cache", "ETag", `"a"`), true, freshness.ReasonContentLocation, false},
		{"POST", 200, cc("max-age=60, no-store"), true, freshness.ReasonNoStore, false},
		{"PATCH", 200, fresh, true, freshness.ReasonExplicit, true},
		{"PATCH", 200, fresh, false, freshness.ReasonContentLocation, false},
	} {
		r := response(tt.status, tt.header)
		r.SelfLocated = tt.self
		if ok, reason := freshness.Storable(tt.method, freshness.Request{}, &r); ok != tt.ok || reason != tt.want {
			t.Errorf("%s %d %v (self %v): got %v, %v; want %v, %v", tt.method, tt.status, tt.header, tt.self, ok, reason, tt.ok, tt.want)
		}
	}
}

func TestStorable_policy(t *testing.T) {
	for _, tt := range []struct {
		name   string
		policy freshness.Policy
		status int
		fields []string
		want   freshness.Reason
		ok     bool
	}{
		{"cookies off", freshness.Policy{RefuseSetCookie: true}, 200, []string{"Cache-Control", "max-age=60", "Set-Cookie", "a=b"}, freshness.ReasonSetCookie, false},
		{"cookies off, none there", freshness.Policy{RefuseSetCookie: true}, 200, []string{"Cache-Control", "max-age=60"}, freshness.ReasonExplicit, true},
		{"errors off, 404", freshness.Policy{RefuseErrors: true}, 404, []string{"Cache-Control", "max-age=60"}, freshness.ReasonErrorRefused, false},
		{"errors off, 500", freshness.Policy{RefuseErrors: true}, 500, []string{"Cache-Control", "max-age=60"}, freshness.ReasonErrorRefused, false},
		{"errors off, 302", freshness.Policy{RefuseErrors: true}, 302, []string{"Cache-Control", "max-age=60"}, freshness.ReasonExplicit, true},
		{"errors on, 500", freshness.Policy{}, 500, []string{"Cache-Control", "max-age=60"}, freshness.ReasonExplicit, true},
		{"errors on, 404", freshness.Policy{}, 404, []string{"Last-Modified", at(-time.Hour)}, freshness.ReasonHeuristic, true},
		{"targeted no-store", freshness.Policy{Targeted: []string{"CDN-Cache-Control"}}, 200, []string{"Cache-Control", "max-age=60", "CDN-Cache-Control", "no-store"}, freshness.ReasonNoStore, false},
		{"targeted max-age", freshness.Policy{Targeted: []string{"CDN-Cache-Control"}}, 200, []string{"Cache-Control", "no-store", "CDN-Cache-Control", "max-age=60"}, freshness.ReasonExplicit, true},
	} {
		r := freshness.ParseResponse(&tt.policy, tt.status, fields(tt.fields...), t0, t0)
		if ok, reason := freshness.Storable("GET", freshness.Request{}, &r); ok != tt.ok || reason != tt.want {
			t.Errorf("%s: got %v, %v; want %v, %v", tt.name, ok, reason, tt.ok, tt.want)
		}
	}
}

// A response that a validation turned into one that must not be stored is not reused either, validator or not.
func TestDecide_RFC9111_3_2_updatedToUnstorable(t *testing.T) {
	for value, want := range map[string]freshness.Reason{
		"max-age=60, no-store":        freshness.ReasonNoStore,
		"max-age=60, private":         freshness.ReasonPrivate,
		`max-age=60, foo="`:           freshness.ReasonMalformed,
		"max-age=60, must-understand": freshness.ReasonExplicit,
	} {
		h := cc(value)
		h.Set("ETag", `"a"`)
		r := response(200, h)
		d := freshness.Decide(freshness.Request{}, &r, t0)
		if want == freshness.ReasonExplicit {
			if d.Verdict != freshness.Reuse {
				t.Errorf("%s: got %v, %v; want reuse", value, d.Verdict, d.Reason)
			}
			continue
		}
		if d.Verdict != freshness.Forward || d.Reason != want {
			t.Errorf("%s: got %v, %v; want forward, %v", value, d.Verdict, d.Reason, want)
		}
		if d := freshness.OnError(freshness.Request{StaleIfError: set(most)}, &r, 0, t0); d.Verdict != freshness.Forward || d.Reason != want {
			t.Errorf("%s, on error: got %v, %v; want forward, %v", value, d.Verdict, d.Reason, want)
		}
	}
}
