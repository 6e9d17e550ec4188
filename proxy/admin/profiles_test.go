package admin

import (
	"net/http"
	"strings"
	"testing"
)

// TestProfiles checks that profiles are made when they are asked for, and only then, and that they are guarded like the rest.
func TestProfiles(t *testing.T) {
	off := newRig(t, Options{})
	for _, path := range []string{"/debug/pprof/", "/debug/pprof/heap", "/debug/pprof/profile?seconds=1"} {
		if code, body, _ := off.do("GET", path, ""); code != http.StatusNotFound || !strings.Contains(body, "admin-pprof") {
			t.Errorf("off: %s: got %d %q; want 404 and the option", path, code, body)
		}
	}
	on := newRig(t, Options{Profiles: true, Token: "0123456789abcdef"})
	const token = "Authorization: Bearer 0123456789abcdef"
	tests := []struct {
		path, field string
		code        int
		want        string // in the body, or its beginning where that is no text
	}{
		{"/debug/pprof/", token, 200, "heap?debug=1"},
		{"/debug/pprof/goroutine?debug=2", token, 200, "admin.(*Server).profiles"},
		{"/debug/pprof/heap", token, 200, "\x1f\x8b"},
		{"/debug/pprof/allocs", token, 200, "\x1f\x8b"},
		{"/debug/pprof/profile?seconds=1", token, 200, "\x1f\x8b"},
		{"/debug/pprof/trace?seconds=0.1", token, 200, "go 1."},
		{"/debug/pprof/cmdline", token, 404, "Unknown profile"},
		{"/debug/pprof/nothing", token, 404, "Unknown profile"},
		{"/debug/pprof/a/b", token, 404, "not found"},
		{"/debug/pprof/heap", "Accept: */*", 401, "a token is needed"},
		{"/debug/pprof/heap", "Host: evil.example", 403, "the Host field names another server"},
		{"/debug/pprof/heap", "Origin: http://evil.example", 403, "a page of another origin"},
		{"/debug/pprof/heap", "Via: 1.1 jay", 403, "this is not a proxy"},
	}
	for _, tt := range tests {
		code, body, h := on.do("GET", tt.path, "", tt.field)
		if code != tt.code || !strings.Contains(body, tt.want) {
			t.Errorf("%s with %q: got %d %.200q; want %d and %q", tt.path, tt.field, code, body, tt.code, tt.want)
		}
		if h.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: got Cache-Control %q; want no-store", tt.path, h.Get("Cache-Control"))
		}
	}
	if code, _, _ := on.do("POST", "/debug/pprof/heap", "{}", token); code != http.StatusMethodNotAllowed {
		t.Errorf("POST: got %d; want 405", code)
	}
}

// TestProfiles_configure checks that they are turned on and off while the server runs.
func TestProfiles_configure(t *testing.T) {
	r := newRig(t, Options{})
	for _, on := range []bool{true, false} {
		r.s.Configure(Options{Profiles: on})
		if code, _, _ := r.do("GET", "/debug/pprof/heap", ""); (code == http.StatusOK) != on {
			t.Errorf("Profiles %v: got %d", on, code)
		}
	}
}
