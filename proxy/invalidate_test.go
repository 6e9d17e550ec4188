package proxy

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// hits tells whether a URL is answered from the cache now.
func (w *world) hits(url string, lines ...string) bool {
	w.t.Helper()
	return strings.Contains(w.get(url, lines...).cacheStatus(), "hit")
}

// TestInvalidation_RFC9111_4_4 checks which requests drop what is stored, and for which URIs.
func TestInvalidation_RFC9111_4_4(t *testing.T) {
	tests := []struct {
		method  string
		status  int
		lines   []string // of the answer
		dropped string   // of /a /b /c
	}{
		{"POST", 200, nil, "/a"},
		{"PUT", 204, nil, "/a"},
		{"DELETE", 200, nil, "/a"},
		{"PATCH", 302, nil, "/a"},
		{"M-SEARCH", 200, nil, "/a"},
		{"POST", 404, nil, ""},
		{"POST", 500, nil, ""},
		{"OPTIONS", 200, nil, ""},
		{"TRACE", 200, nil, ""},
		{"POST", 201, []string{"Location: /b"}, "/a /b"},
		{"POST", 201, []string{"Location: http://192.0.2.1/b", "Content-Location: c"}, "/a /b /c"},
		{"POST", 201, []string{"Location: http://192.0.2.2/b"}, "/a"},
		{"POST", 201, []string{"Location: http://192.0.2.1:8080/b"}, "/a"},
		{"POST", 201, []string{"Location: https://192.0.2.1/b"}, "/a"},
		{"POST", 201, []string{"Location: //192.0.2.2/b"}, "/a"},
	}
	for _, tt := range tests {
		inBubble(t, Options{}, func(a *ask) string {
			if a.method == "GET" {
				return respond(200, "ok", "Cache-Control: max-age=60")
			}
			if tt.status == 204 {
				return "HTTP/1.1 204 No Content\r\n\r\n"
			}
			return respond(tt.status, "done", tt.lines...)
		}, func(t *testing.T, w *world) {
			paths := []string{"/a", "/b", "/c"}
			for _, p := range paths {
				w.get(host + p)
			}
			w.client().do(tt.method, host+"/a")
			var dropped []string
			for _, p := range paths {
				if !w.hits(host + p) {
					dropped = append(dropped, p)
				}
			}
			if got := strings.Join(dropped, " "); got != tt.dropped {
				t.Errorf("%s %d %q: dropped %q; want %q", tt.method, tt.status, tt.lines, got, tt.dropped)
			}
		})
	}
}

// TestInvalidation_variants checks that all variants go.
func TestInvalidation_variants(t *testing.T) {
	inBubble(t, Options{}, always(respond(200, "ok", "Cache-Control: max-age=60", "Vary: X-A")), func(t *testing.T, w *world) {
		w.get(host+"/", "X-A: 1")
		w.get(host+"/", "X-A: 2")
		w.client().do("DELETE", host+"/")
		if w.hits(host+"/", "X-A: 1") || w.hits(host+"/", "X-A: 2") {
			t.Error("a variant is left")
		}
	})
}

// TestEpochs checks that a response which was asked for before an invalidation is neither stored nor shared after it,
// whatever it is on its way to.
func TestEpochs(t *testing.T) {
	tests := []struct {
		name  string
		old   string // the answer to the GET
		early bool   // its head comes before the invalidation
		lines []string
	}{
		{"small", respond(200, "old", "Cache-Control: max-age=60"), false, nil},
		{"chunked", chunked("Cache-Control: max-age=60\r\n", "old"), false, nil},
		{"large", respond(200, strings.Repeat("old", 50<<10), "Cache-Control: max-age=60"), false, nil},
		{"large, head before", respond(200, strings.Repeat("old", 50<<10), "Cache-Control: max-age=60"), true, nil},
		{"chunked, head before", chunked("Cache-Control: max-age=60\r\n", "old"), true, nil},
		{"a part", "HTTP/1.1 206 Partial Content\r\nCache-Control: max-age=60\r\nETag: \"1\"\r\nContent-Range: bytes 0-2/3\r\nContent-Length: 3\r\n\r\nold", false, []string{"Range: bytes=0-2"}},
		{"a part, head before", "HTTP/1.1 206 Partial Content\r\nCache-Control: max-age=60\r\nETag: \"1\"\r\nContent-Range: bytes 0-2/3\r\nContent-Length: 3\r\n\r\nold", true, []string{"Range: bytes=0-2"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			inBubble(t, Options{}, func(a *ask) string {
				switch {
				case a.method == "POST":
					return respond(200, "changed")
				case a.nth == 0:
					head := 0
					if tt.early {
						head = strings.Index(tt.old, "\r\n\r\n") + 4
						a.say(tt.old[:head])
					}
					time.Sleep(time.Minute)
					return tt.old[head:]
				}
				return respond(200, "new", "Cache-Control: max-age=60")
			}, func(t *testing.T, w *world) {
				before := w.client()
				before.send(request("GET", host+"/", "", tt.lines...))
				time.Sleep(time.Second)
				c := w.client()
				c.send(request("POST", host+"/", "x"))
				c.read("POST")
				// After the invalidation, while the old response is on its way.
				time.Sleep(time.Second)
				if a := w.get(host+"/", tt.lines...); a.body != "new" {
					t.Errorf("during: got %.10q, %s; want the new one", a.body, a.cacheStatus())
				}
				w.client().do("DELETE", host+"/")
				if a := before.read("GET"); !strings.HasPrefix(a.body, "old") || a.cut {
					t.Errorf("who had asked before: got %q %.10q", a.line, a.body)
				}
				synctest.Wait()
				if n := w.p.Stats().Cache.Entries; n != 0 {
					t.Errorf("after: %d entries; want none", n)
				}
				if a := w.get(host+"/", tt.lines...); a.body != "new" {
					t.Errorf("after: got %.10q", a.body)
				}
			})
		})
	}
}

// TestEpochs_headAfter checks that a response whose head comes after the invalidation is shared with those who had asked
// before, and with nobody else.
func TestEpochs_headAfter(t *testing.T) {
	for _, kind := range []string{"200", "206"} {
		inBubble(t, Options{}, func(a *ask) string {
			switch {
			case a.method == "DELETE":
				return respond(200, "gone")
			case a.nth > 0:
				return respond(200, "new", "Cache-Control: max-age=60")
			}
			time.Sleep(time.Minute)
			a.say("HTTP/1.1 " + kind + " Fine\r\nCache-Control: max-age=600\r\nETag: \"1\"\r\nContent-Length: 3\r\n" + map[string]string{"206": "Content-Range: bytes 0-2/3\r\n"}[kind] + "\r\n")
			time.Sleep(time.Minute)
			return "old"
		}, func(t *testing.T, w *world) {
			lines := []string{"Range: bytes=0-2"}
			if kind == "200" {
				lines = nil
			}
			before := w.client()
			before.send(request("GET", host+"/", "", lines...))
			time.Sleep(time.Second)
			w.client().do("DELETE", host+"/")
			time.Sleep(90 * time.Second)
			if a := w.get(host+"/", lines...); a.body != "new" {
				t.Errorf("%s, while the body comes: got %q, %s; want the new one", kind, a.body, a.cacheStatus())
			}
			if a := before.read("GET"); a.body != "old" {
				t.Errorf("%s: who had asked before got %q", kind, a.body)
			}
			if a := w.get(host+"/", lines...); a.body != "new" {
				t.Errorf("%s, after: got %q, %s", kind, a.body, a.cacheStatus())
			}
		})
	}
}

// TestEpochs_revalidation checks that a 304 which was asked for before an invalidation brings nothing back.
func TestEpochs_revalidation(t *testing.T) {
	inBubble(t, Options{}, func(a *ask) string {
		switch {
		case a.method == "DELETE":
			return respond(200, "gone")
		case a.get("If-None-Match") != "":
			time.Sleep(time.Minute)
			return "HTTP/1.1 304 Not Modified\r\nETag: \"1\"\r\nCache-Control: max-age=60\r\n\r\n"
		}
		return respond(200, fmt.Sprint("nth ", a.nth), "Cache-Control: max-age=10", `ETag: "1"`)
	}, func(t *testing.T, w *world) {
		w.get(host + "/")
		time.Sleep(20 * time.Second)
		c := w.client()
		c.send(request("GET", host+"/", ""))
		time.Sleep(time.Second)
		w.client().do("DELETE", host+"/")
		if a := c.read("GET"); a.body != "nth 0" {
			t.Errorf("who had asked before: got %q %q", a.line, a.body)
		}
		if a := w.get(host + "/"); a.body != "nth 3" || strings.Contains(a.cacheStatus(), "hit") {
			t.Errorf("after: got %q, %s; want a new one", a.body, a.cacheStatus())
		}
	})
}

// TestPOST_RFC9110_9_3_3 checks when the answer to a POST serves a later GET.
func TestPOST_RFC9110_9_3_3(t *testing.T) {
	tests := []struct {
		name  string
		lines []string
		hit   bool
	}{
		{"its own URI", []string{"Cache-Control: max-age=60", "Content-Location: /a"}, true},
		{"its own URI, absolute", []string{"Cache-Control: max-age=60", "Content-Location: http://192.0.2.1/a"}, true},
		{"another URI", []string{"Cache-Control: max-age=60", "Content-Location: /b"}, false},
		{"another origin", []string{"Cache-Control: max-age=60", "Content-Location: http://192.0.2.2/a"}, false},
		{"no freshness", []string{"Content-Location: /a"}, false},
		{"no-store", []string{"Cache-Control: max-age=60, no-store", "Content-Location: /a"}, false},
		{"no Content-Location", []string{"Cache-Control: max-age=60"}, false},
	}
	for _, tt := range tests {
		inBubble(t, Options{}, always(respond(200, "answer", tt.lines...)), func(t *testing.T, w *world) {
			c := w.client()
			c.send(request("POST", host+"/a", "question"))
			if a := c.read("POST"); a.body != "answer" || strings.Contains(a.cacheStatus(), "stored") != tt.hit {
				t.Errorf("%s: got %q, %s", tt.name, a.body, a.cacheStatus())
			}
			if got := w.hits(host + "/a"); got != tt.hit {
				t.Errorf("%s: then hit %v; want %v", tt.name, got, tt.hit)
			}
			n := w.origin.count("")
			c.send(request("POST", host+"/a", "question"))
			if c.read("POST"); w.origin.count("") != n+1 {
				t.Errorf("%s: a POST was answered from the cache", tt.name)
			}
		})
	}
}

// TestPOST_overtaken checks that the answer to a POST is not stored if another one changed the resource meanwhile.
func TestPOST_overtaken(t *testing.T) {
	inBubble(t, Options{}, func(a *ask) string {
		if a.body == "slow" {
			time.Sleep(time.Minute)
		}
		return respond(200, a.body, "Cache-Control: max-age=600", "Content-Location: /a")
	}, func(t *testing.T, w *world) {
		slow, fast := w.client(), w.client()
		slow.send(request("POST", host+"/a", "slow"))
		time.Sleep(time.Second)
		fast.send(request("POST", host+"/a", "fast"))
		fast.read("POST")
		if a := slow.read("POST"); a.body != "slow" || strings.Contains(a.cacheStatus(), "stored") {
			t.Errorf("got %q, %s; want it not stored", a.body, a.cacheStatus())
		}
	})
}
