package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jayproxy/jay/e2e/origin"
	"github.com/jayproxy/jay/e2e/process"
	"github.com/jayproxy/jay/e2e/rawhttp"
)

// reckless are overrides that ignore whatever can be ignored.
const reckless = `overrides:
  - {name: exempt, path: /exempt/*}
  - {name: cookies, path: /cookies/*, min: 30d, ignore: [no-cache, must-revalidate, lifetime, reload, cookie]}
  - {name: reckless, min: 30d, ignore: [no-cache, no-store, private, must-revalidate, lifetime, reload], status: [2xx, 3xx, 4xx, 5xx]}
`

// TestOverrides: what an override allows happens, is named, and is undone for none of those who say who they are: nobody
// gets what was made for somebody else.
func TestOverrides(t *testing.T) {
	t.Parallel()
	config := filepath.Join(t.TempDir(), "jay.yaml")
	must(t, os.WriteFile(config, []byte(reckless), 0o600))
	o := startOrigin(t, func(x *origin.Exchange) {
		_, says, _ := strings.Cut(x.Req.Target, "?")
		fs := rawhttp.F("Date", origin.Date(time.Now()), "ETag", `"same for all"`, "Cache-Control", strings.ReplaceAll(says, "+", ", "))
		who := x.Req.Fields.Get("Cookie") + x.Req.Fields.Get("Authorization") + x.Req.Fields.Get("X-Api-Key")
		if strings.Contains(x.Req.Target, "/set/") {
			fs = append(fs, rawhttp.F("Set-Cookie", "new")...)
			who += "new"
		}
		x.Reply("200 OK", fs, "for "+who)
	})
	users := []rawhttp.Fields{rawhttp.F("Cookie", "anna"), rawhttp.F("Cookie", "ben"), rawhttp.F("Authorization", "Basic anna"), rawhttp.F("Authorization", "Basic ben")}
	eachWay(t, startJayWith(t, process.Options{Args: []string{"--config", config}}), func(t *testing.T, w way) {
		for _, says := range []string{"private", "no-store", "no-cache", "private+no-store+max-age=0+must-revalidate", "max-age=0", ""} {
			path := "/" + w.name + "?" + says
			for range 2 {
				if resp := w.do(t, "GET", o.Addr(), path, rawhttp.F("Cache-Control", "no-cache"), ""); string(resp.Body) != "for " {
					t.Errorf("%s: nobody in particular got %q", says, resp.Body)
				}
			}
			resp := w.do(t, "GET", o.Addr(), path, nil, "")
			if got := resp.Fields.Get("Cache-Status"); !strings.HasPrefix(got, "jay; hit; ttl=") || !strings.HasSuffix(got, "; detail=override:reckless") {
				t.Errorf("%s: got %s; want a hit by the override", says, got)
			}
			for i, who := range append(users, users...) {
				want := "for " + who.Get("Cookie") + who.Get("Authorization")
				if resp := w.do(t, "GET", o.Addr(), path, who, ""); string(resp.Body) != want {
					t.Errorf("%s, %d: got %q, %s; want %q", says, i, resp.Body, resp.Fields.Get("Cache-Status"), want)
				}
			}
			if strings.HasPrefix(says, "private") || says == "no-store" {
				for _, who := range []string{"anna", "ben", "anna"} {
					if resp := w.do(t, "GET", o.Addr(), path, rawhttp.F("X-Api-Key", who), ""); string(resp.Body) != "for "+who {
						t.Errorf("%s: with a key %s got %q, %s", says, who, resp.Body, resp.Fields.Get("Cache-Status"))
					}
				}
			}
			set := "/set/" + w.name + "?" + says
			for range 2 {
				if resp := w.do(t, "GET", o.Addr(), set, nil, ""); strings.Contains(resp.Fields.Get("Cache-Status"), "hit") {
					t.Errorf("%s: a cookie was set from the cache: %s", says, resp.Fields.Get("Cache-Status"))
				}
			}
			exempt := w.do(t, "GET", o.Addr(), "/exempt/"+w.name+"?"+says, nil, "")
			if got := exempt.Fields.Get("Cache-Status"); strings.Contains(got, "override") {
				t.Errorf("%s: exempt, and yet %s", says, got)
			}
		}
		path := "/cookies/" + w.name + "?max-age=0"
		for i, who := range users {
			want := []string{"for anna", "for anna", "for Basic anna", "for Basic ben"}[i]
			if resp := w.do(t, "GET", o.Addr(), path, who, ""); string(resp.Body) != want {
				t.Errorf("cookies ignored, %d: got %q, %s; want %q", i, resp.Body, resp.Fields.Get("Cache-Status"), want)
			}
		}
	})
	j := config + ".bad"
	must(t, os.WriteFile(j, []byte(strings.Replace(reckless, "30d", "30", 1)), 0o600))
	if status, _, stderr := runJay(t, "check-config", "--config", j); status != 2 || !strings.Contains(stderr, `jay.yaml.bad:3: min: "30" needs a unit`) {
		t.Errorf("check-config: got %d, %q; want the line", status, stderr)
	}
}

// TestOverridesReloaded: what is stored goes by the rules in force, not by those that it came under.
func TestOverridesReloaded(t *testing.T) {
	t.Parallel()
	config := filepath.Join(t.TempDir(), "jay.yaml")
	must(t, os.WriteFile(config, nil, 0o600))
	o := startOrigin(t, func(x *origin.Exchange) {
		x.Reply("200 OK", rawhttp.F("Date", origin.Date(time.Now()), "Cache-Control", "max-age=3600"), "body")
	})
	j := startJayWith(t, process.Options{Args: []string{"--config", config}})
	w := waysOf(j)[0]
	status := func(path string) string {
		return w.do(t, "GET", o.Addr(), path, nil, "").Fields.Get("Cache-Status")
	}
	for _, path := range []string{"/longer", "/never", "/other"} {
		status(path)
	}
	must(t, os.WriteFile(config, []byte("overrides: [{name: longer, path: /longer, min: 2h}, {name: never, path: /never, never: true}]"), 0o600))
	must(t, j.Signal(syscall.SIGHUP))
	eventually(t, "/never by the new rules", func() bool { return strings.HasSuffix(status("/never"), "; detail=override:never") })
	for path, want := range map[string]string{"/longer": "hit; ttl=7", "/other": "hit; ttl=3", "/never": "fwd=uri-miss; "} {
		if got := status(path); !strings.HasPrefix(got, "jay; "+want) {
			t.Errorf("%s: got %s; want %s…", path, got, want)
		}
	}
	must(t, os.WriteFile(config, []byte("overrides: [{name: longer}, {}]"), 0o600))
	must(t, j.Signal(syscall.SIGHUP))
	eventually(t, "the refusal of a broken file", func() bool { return strings.Contains(j.Stderr(), "override: name is missing") })
	if got := status("/never"); !strings.HasSuffix(got, "; detail=override:never") {
		t.Errorf("after a broken file: got %s; want the old rules", got)
	}
}
