package proxy

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jayproxy/jay/freshness"
	"github.com/jayproxy/jay/proxy/access"
	"github.com/jayproxy/jay/proxy/override"
)

// onPath is the condition that a path begins so.
func onPath(path string) override.Conditions { return override.Conditions{Paths: []string{path + "*"}} }

// rules makes overrides.
func rules(t testing.TB, list ...Override) *Overrides {
	t.Helper()
	o, err := NewOverrides(list)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// several are overrides of every kind.
func several(t testing.TB) *Overrides {
	return rules(t,
		Override{"longer", onPath("/min"), freshness.Override{Min: time.Hour}},
		Override{"shorter", onPath("/max"), freshness.Override{Max: freshness.Delta{Value: 5 * time.Second, Set: true}}},
		Override{"never", onPath("/never"), freshness.Override{Never: true}},
		Override{"always", onPath("/always"), freshness.Override{AlwaysRevalidate: true}},
		Override{"private", onPath("/private"), freshness.Override{Min: time.Hour, Ignore: freshness.IgnorePrivate}},
		Override{"no-store", onPath("/no-store"), freshness.Override{Min: time.Hour, Ignore: freshness.IgnoreNoStore}},
		Override{"no-cache", onPath("/no-cache"), freshness.Override{Min: time.Hour, Ignore: freshness.IgnoreNoCache}},
		Override{"reload", onPath("/reload"), freshness.Override{Ignore: freshness.IgnoreReload}},
		Override{"cookie", onPath("/cookie"), freshness.Override{Min: time.Hour, Ignore: freshness.IgnoreCookie}},
		Override{"type", override.Conditions{Types: []string{"image/*"}}, freshness.Override{Min: time.Hour}},
		Override{"errors", override.Conditions{Paths: []string{"/404*"}, Statuses: []override.StatusRange{{First: 404, Last: 404}}}, freshness.Override{Min: time.Hour}},
	)
}

// said is Cache-Status without the status that the origin answered with where that is the client's.
func said(a *answer) string {
	return strings.Replace(a.cacheStatus(), fmt.Sprintf("; fwd-status=%d", a.status), "", 1)
}

// TestOverrides checks what is said of a first request, of one a little later, and how many get to the origin.
func TestOverrides(t *testing.T) {
	const etag = "\nETag: \"1\""
	tests := []struct {
		path, lines string
		request     string // field lines of both requests, with "|" between the first's and the second's if they differ
		first, then string // Cache-Status without "jay; "
		asked       int
	}{
		{"/min", "", "", "fwd=uri-miss; stored; ttl=3600; detail=override:longer", "hit; ttl=3590; detail=override:longer", 1},
		{"/min/fresh", "Cache-Control: max-age=60", "", "fwd=uri-miss; stored; ttl=3600; detail=override:longer", "hit; ttl=3590; detail=fresh", 1},
		{"/min/long", "Cache-Control: max-age=7200", "", "fwd=uri-miss; stored; ttl=7200; detail=explicit-freshness", "hit; ttl=7190; detail=fresh", 1},
		{"/min/aged", "Age: 3000", "", "fwd=uri-miss; stored; ttl=600; detail=override:longer", "hit; ttl=590; detail=override:longer", 1},
		{"/min/no-store", "Cache-Control: no-store", "", "fwd=uri-miss; detail=no-store", "fwd=uri-miss; detail=no-store", 2},
		{"/min/cookie", "", "Cookie: a", "fwd=uri-miss; detail=no-explicit-freshness", "fwd=uri-miss; detail=no-explicit-freshness", 2},
		{"/min/later", "Cache-Control: max-age=5" + etag, "|Cookie: a", "fwd=uri-miss; stored; ttl=3600; detail=override:longer", "fwd=stale; stored; ttl=5; detail=explicit-freshness", 2},
		{"/min/set", "Set-Cookie: a=b", "", "fwd=uri-miss; detail=set-cookie", "fwd=uri-miss; detail=set-cookie", 2},
		{"/min/auth", "", "Authorization: Basic x", "fwd=uri-miss; detail=no-explicit-freshness", "fwd=uri-miss; detail=no-explicit-freshness", 2},
		{"/min/vary", "Vary: *", "", "fwd=uri-miss; detail=vary-star", "fwd=uri-miss; detail=vary-star", 2},
		{"/max", "Cache-Control: max-age=60" + etag, "", "fwd=uri-miss; stored; ttl=5; detail=override:shorter", "fwd=stale; stored; ttl=5; detail=override:shorter", 2},
		{"/never", "Cache-Control: max-age=60", "", "fwd=uri-miss; detail=override:never", "fwd=uri-miss; detail=override:never", 2},
		{"/always", "Cache-Control: max-age=60" + etag, "", "fwd=uri-miss; stored; ttl=0; detail=override:always", "fwd=stale; stored; ttl=0; detail=override:always", 2},
		{"/private", "Cache-Control: private", "", "fwd=uri-miss; stored; ttl=3600; detail=override:private", "hit; ttl=3590; detail=override:private", 1},
		{"/private/cookie", "Cache-Control: private", "Cookie: a", "fwd=uri-miss; detail=private", "fwd=uri-miss; detail=private", 2},
		{"/private/later", "Cache-Control: private" + etag, "|Cookie: a", "fwd=uri-miss; stored; ttl=3600; detail=override:private", "fwd=request; detail=private", 2},
		{"/private/key", "Cache-Control: private", "X-Api-Key: a", "fwd=uri-miss; detail=private", "fwd=uri-miss; detail=private", 2},
		{"/min/key", "", "X-Api-Key: a", "fwd=uri-miss; stored; ttl=3600; detail=override:longer", "hit; ttl=3590; detail=override:longer", 1},
		{"/private/set", "Cache-Control: private, max-age=60\nSet-Cookie: a=b", "", "fwd=uri-miss; detail=private", "fwd=uri-miss; detail=private", 2},
		{"/no-store", "Cache-Control: no-store", "", "fwd=uri-miss; stored; ttl=3600; detail=override:no-store", "hit; ttl=3590; detail=override:no-store", 1},
		{"/no-cache", "Cache-Control: no-cache\nPragma: no-cache", "", "fwd=uri-miss; stored; ttl=3600; detail=override:no-cache", "hit; ttl=3590; detail=override:no-cache", 1},
		{"/reload", "Cache-Control: max-age=60", "|Cache-Control: no-cache", "fwd=uri-miss; stored; ttl=60; detail=explicit-freshness", "hit; ttl=50; detail=override:reload", 1},
		{"/reload/soft", "Cache-Control: max-age=60", "|Cache-Control: max-age=0", "fwd=uri-miss; stored; ttl=60; detail=explicit-freshness", "hit; ttl=50; detail=override:reload", 1},
		{"/cookie", "", "Cookie: a|Cookie: b", "fwd=uri-miss; stored; ttl=3600; detail=override:cookie", "hit; ttl=3590; detail=override:cookie", 1},
		{"/cookie/private", "Cache-Control: private", "Cookie: a|Cookie: b", "fwd=uri-miss; detail=private", "fwd=uri-miss; detail=private", 2},
		{"/image", "Content-Type: image/png; x=y", "", "fwd=uri-miss; stored; ttl=3600; detail=override:type", "hit; ttl=3590; detail=override:type", 1},
		{"/404", "", "", "fwd=uri-miss; stored; ttl=3600; detail=override:errors", "hit; ttl=3590; detail=override:errors", 1},
		{"/min/404", "", "", "fwd=uri-miss; detail=no-explicit-freshness", "fwd=uri-miss; detail=no-explicit-freshness", 2},
		{"/other", "Cache-Control: max-age=60", "", "fwd=uri-miss; stored; ttl=60; detail=explicit-freshness", "hit; ttl=50; detail=fresh", 1},
	}
	for _, tt := range tests {
		status := 200
		if strings.HasSuffix(tt.path, "404") {
			status = 404
		}
		var log bytes.Buffer
		out, err := access.Open(access.Options{Path: "-", Format: access.JSON, Stdout: &log})
		if err != nil {
			t.Fatal(err)
		}
		o := Options{Overrides: several(t), Access: out}
		lines := strings.Fields(strings.ReplaceAll(tt.lines, " ", "\x00"))
		for i := range lines {
			lines[i] = strings.ReplaceAll(lines[i], "\x00", " ")
		}
		inBubble(t, o, always(respond(status, "body", lines...)), func(t *testing.T, w *world) {
			before, after, two := strings.Cut(tt.request, "|")
			if !two {
				after = before
			}
			for i, want := range []string{tt.first, tt.then} {
				var ask []string
				if line := []string{before, after}[i]; line != "" {
					ask = []string{line}
				}
				if got := said(w.get(host+tt.path, ask...)); got != "jay; "+want {
					t.Errorf("%s, request %d: got %q; want %q", tt.path, i, got, "jay; "+want)
				}
				time.Sleep(10 * time.Second)
			}
			if n := w.origin.count(tt.path); n != tt.asked {
				t.Errorf("%s: the origin was asked %d times; want %d", tt.path, n, tt.asked)
			}
		})
		out.Close()
		if _, word, _ := strings.Cut(tt.first, "detail="); !strings.Contains(log.String(), `"reason":"`+word+`"`) {
			t.Errorf("%s: got %s; want the reason %s in the log", tt.path, log.String(), word)
		}
	}
}

// TestOverrides_Validated checks that a 304 brings the stored response under its override again.
func TestOverrides_Validated(t *testing.T) {
	inBubble(t, Options{Overrides: several(t)}, func(a *ask) string {
		if a.nth == 0 {
			return respond(200, "body", "Cache-Control: max-age=60", `ETag: "1"`)
		}
		return notModified
	}, func(t *testing.T, w *world) {
		for _, want := range []string{"fwd=uri-miss; stored; ttl=3600; detail=override:longer", "fwd=stale; fwd-status=304; stored; ttl=3600; detail=stale"} {
			if got := said(w.get(host + "/min")); got != "jay; "+want {
				t.Errorf("got %q; want %q", got, "jay; "+want)
			}
			time.Sleep(2 * time.Hour)
		}
	})
}

// TestOverrides_Apart checks that what is stored for requests without credentials survives those that have some.
func TestOverrides_Apart(t *testing.T) {
	inBubble(t, Options{Overrides: several(t)}, func(a *ask) string {
		return respond(200, "for "+a.get("Cookie"), "Cache-Control: private", `ETag: "1"`)
	}, func(t *testing.T, w *world) {
		w.get(host + "/private")
		for i, line := range []string{"Cookie: anna", "Authorization: Basic x", "X-Token: x"} {
			a := w.get(host+"/private", line)
			if a.body != "for "+[]string{"anna", "", ""}[i] || said(a) != "jay; fwd=request; detail=private" {
				t.Errorf("%s: got %q, %s; want an answer of its own", line, a.body, a.cacheStatus())
			}
			if got := w.origin.last().get("If-None-Match"); got != "" {
				t.Errorf("%s: it asked with If-None-Match %q", line, got)
			}
			if a := w.get(host + "/private"); a.body != "for " || said(a) != "jay; hit; ttl=3600; detail=override:private" {
				t.Errorf("after %s: got %q, %s; want the stored one", line, a.body, a.cacheStatus())
			}
		}
	})
}

// TestOverrides_Parts checks that parts, too, are kept for longer, and remain parts.
func TestOverrides_Parts(t *testing.T) {
	const part = "HTTP/1.1 206 Partial Content\r\nContent-Length: 2\r\nContent-Range: bytes 0-1/4\r\nETag: \"1\"\r\n\r\nbo"
	inBubble(t, Options{Overrides: several(t)}, func(a *ask) string {
		if strings.HasPrefix(a.get("Range"), "bytes=0-1") {
			return part
		}
		return respond(200, "body", `ETag: "1"`)
	}, func(t *testing.T, w *world) {
		w.get(host+"/min", "Range: bytes=0-1")
		time.Sleep(time.Minute)
		if a := w.get(host+"/min", "Range: bytes=0-1"); a.status != 206 || a.body != "bo" || a.cacheStatus() != "jay; hit; ttl=3540; detail=override:longer" {
			t.Errorf("got %d %q, %s; want the part from the cache", a.status, a.body, a.cacheStatus())
		}
		if a := w.get(host + "/min"); a.status != 200 || a.body != "body" {
			t.Errorf("got %d %q; want the whole", a.status, a.body)
		}
	})
}

// TestOverrides_Replaced checks that what is stored is judged by new rules as soon as there are some.
func TestOverrides_Replaced(t *testing.T) {
	for _, noLane := range []bool{false, true} {
		inBubble(t, Options{}, always(respond(200, "body", "Cache-Control: max-age=60", `ETag: "1"`)), func(t *testing.T, w *world) {
			w.p.noLane = noLane
			set := func(o *Overrides) {
				next := w.p.opt().Options
				next.Overrides = o
				if err := w.p.Reconfigure(next); err != nil {
					t.Error(err)
				}
			}
			expect := func(path, want string) {
				t.Helper()
				if got := said(w.get(host + path)); got != "jay; "+want {
					t.Errorf("%s: got %q; want %q", path, got, want)
				}
			}
			for _, path := range []string{"/min", "/max", "/never"} {
				expect(path, "fwd=uri-miss; stored; ttl=60; detail=explicit-freshness")
			}
			time.Sleep(10 * time.Second)
			set(several(t))
			before := w.explain(ExplainRequest{URL: host + "/max"})
			if before.Outcome != OutcomeRevalidate || before.Override != "shorter" || before.WithoutOverride != "hit: The stored response is still fresh." {
				t.Errorf("explained: got %s by %q, without it %q", before.Outcome, before.Override, before.WithoutOverride)
			}
			expect("/min", "hit; ttl=3590; detail=fresh")
			expect("/max", "fwd=stale; stored; ttl=5; detail=override:shorter")
			expect("/never", "fwd=uri-miss; detail=override:never")
			time.Sleep(time.Minute)
			expect("/min", "hit; ttl=3530; detail=override:longer")
			expect("/min", "hit; ttl=3530; detail=override:longer")
			set(nil)
			expect("/max", "fwd=stale; stored; ttl=60; detail=explicit-freshness")
			expect("/min", "fwd=stale; stored; ttl=60; detail=explicit-freshness")
		})
	}
}

// TestOverrides_Explain checks that explanations and descriptions name the rule and what it changes.
func TestOverrides_Explain(t *testing.T) {
	serve := byPath(map[string]string{
		"/private":   "Cache-Control: private, max-age=60",
		"/max":       "Cache-Control: max-age=60",
		"/min/fresh": "Cache-Control: max-age=7200",
		"/reload":    "Cache-Control: max-age=60",
		"/no-cache":  "Cache-Control: no-cache",
		"/always":    "Cache-Control: max-age=60\nETag: \"1\"",
		"/min/set":   "Cache-Control: max-age=60\nSet-Cookie: a=b",
	})
	tests := []struct {
		path, override string
		storable       bool
		text           string // a line of it
	}{
		{"/private", "private: stored in spite of private, lifetime 1h0m0s in place of 1m0s (max-age)", true, "Storable     The override private decided, in place of what the response says. (override:private)"},
		{"/max", "shorter: lifetime 5s in place of 1m0s (max-age)", true, "Override     shorter: "},
		{"/min/fresh", "longer: changes nothing", true, "Storable     The origin server gave"},
		{"/min", "longer: stored in spite of no-explicit-freshness, lifetime 1h0m0s in place of none", true, "Lifetime     1h0m0s (override)"},
		{"/min/set", "longer: changes nothing; nothing that would keep it for longer applies, since the response sets a cookie", true, "Override     longer: "},
		{"/reload", "reload: reloading is ignored", true, "Override     reload: "},
		{"/never", "never: not stored", false, "Advice       Change the override never, or put one about this URL before it."},
		{"/no-cache", "no-cache: stored in spite of no-validator, no-cache is ignored, lifetime 1h0m0s in place of none", true, "Override     no-cache: "},
		{"/always", "always: validated before each use", true, "Override     always: "},
	}
	serveAll := func(a *ask) string {
		if a.target == "/never" {
			return respond(200, "body", "Cache-Control: max-age=60")
		}
		return serve(a)
	}
	for _, tt := range tests {
		inBubble(t, Options{Overrides: several(t)}, serveAll, func(t *testing.T, w *world) {
			e := w.explain(ExplainRequest{URL: host + tt.path})
			if e.Answer == nil || e.Answer.Response == nil || e.Answer.Response.Override == nil {
				t.Fatalf("%s: got %+v; want an override", tt.path, e)
			}
			if got := e.Answer.Response.Override.String(); got != tt.override || e.Answer.Storable != tt.storable {
				t.Errorf("%s: got %q, storable %v; want %q, %v", tt.path, got, e.Answer.Storable, tt.override, tt.storable)
			}
			if !strings.Contains(e.String(), "\n"+tt.text) {
				t.Errorf("%s: got\n%s\nwant %q in it", tt.path, e.String(), tt.text)
			}
			w.get(host + tt.path)
			stored, err := w.p.Stored(host + tt.path)
			if err != nil || len(stored) > 0 != tt.storable || tt.storable && stored[0].Override.String() != tt.override {
				t.Errorf("%s: got %+v, %v; want it with %q", tt.path, stored, err, tt.override)
			}
		})
	}
	inBubble(t, Options{Overrides: several(t)}, always(respond(200, "body")), func(t *testing.T, w *world) {
		w.get(host + "/min")
		e := w.explain(ExplainRequest{URL: host + "/min", Ask: AskNever})
		want := "Answered from the cache. The override longer decided, in place of what the response says. (override:longer)\nWithout that override: fetch: "
		if e.Outcome != OutcomeHit || e.Override != "longer" || !strings.Contains(e.String(), want) {
			t.Errorf("got %+v,\n%s\nwant %q", e, e.String(), want)
		}
		cookie := w.explain(ExplainRequest{URL: host + "/min/c", Fields: []Field{{Name: "Cookie", Value: "a"}}})
		if got := cookie.Answer.Response.Override.Limit; !strings.HasSuffix(got, "the request had a Cookie") {
			t.Errorf("got limit %q; want the Cookie", got)
		}
	})
}

// TestLane_overrides checks that the short way and the ordinary one agree under overrides.
func TestLane_overrides(t *testing.T) {
	o := rules(t,
		Override{"all", override.Conditions{Paths: []string{"/short", "/fresh", "/no", "/swr"}}, freshness.Override{Min: time.Hour, Ignore: freshness.IgnoreNoStore | freshness.IgnoreReload}},
		Override{"vary", override.Conditions{Regexp: "vary"}, freshness.Override{Max: freshness.Delta{Value: 6 * time.Second, Set: true}}},
		Override{"aged", onPath("/aged"), freshness.Override{AlwaysRevalidate: true}},
		Override{"large", onPath("/large"), freshness.Override{Never: true}},
		Override{"rest", override.Conditions{}, freshness.Override{Min: time.Minute, Ignore: freshness.IgnoreCookie}},
	)
	synctest.Test(t, func(t *testing.T) { compareTwins(t, newTwins(t, Options{Overrides: o})) })
}

func TestNewOverrides_Errors(t *testing.T) {
	_, err := NewOverrides([]Override{{Name: "good"}, {Name: "bad", If: override.Conditions{Regexp: "("}}})
	if want := "overrides: rule bad: regexp: error parsing regexp: missing closing ): `(`"; err == nil || err.Error() != want {
		t.Errorf("got %v; want %s", err, want)
	}
	if _, err := NewOverrides(make([]Override, maxOverrides+1)); err == nil {
		t.Error("got no error for too many rules; want one")
	}
}

// TestOverrides_ReplacedOrder checks that to judge a stored response anew does not make it the most recent one.
func TestOverrides_ReplacedOrder(t *testing.T) {
	inBubble(t, Options{}, func(a *ask) string {
		return respond(200, fmt.Sprint(a.nth), "Cache-Control: max-age=60", "Vary: "+[]string{"X-A", "X-B"}[a.nth])
	}, func(t *testing.T, w *world) {
		w.get(host+"/", "X-A: 1", "X-B: 1")
		w.get(host+"/", "X-A: 2", "X-B: 2")
		next := w.p.opt().Options
		next.Overrides = several(t)
		if err := w.p.Reconfigure(next); err != nil {
			t.Fatal(err)
		}
		for _, lines := range [][]string{{"X-A: 1", "X-B: 3", "0"}, {"X-A: 1", "X-B: 2", "1"}} {
			if a := w.get(host+"/", lines[:2]...); a.body != lines[2] {
				t.Errorf("%v: got %q, %s; want %q", lines[:2], a.body, a.cacheStatus(), lines[2])
			}
		}
	})
}
