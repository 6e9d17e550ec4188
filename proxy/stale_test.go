package proxy

import (
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

const notModified = "HTTP/1.1 304 Not Modified\r\nETag: \"1\"\r\nCache-Control: max-age=10\r\n\r\n"

// TestStaleWhileRevalidate_RFC5861_3 checks that a stale response is given at once, and revalidated once in the
// background, however many ask.
func TestStaleWhileRevalidate_RFC5861_3(t *testing.T) {
	for name, answer := range map[string]string{
		"304":     "HTTP/1.1 304 Not Modified\r\nETag: \"1\"\r\nCache-Control: max-age=10\r\n\r\n",
		"200":     respond(200, "new", "Cache-Control: max-age=10", `ETag: "2"`),
		"chunked": chunked("Cache-Control: max-age=10\r\nETag: \"2\"\r\n", "ne", "w"),
		"hints":   "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + respond(200, "new", "Cache-Control: max-age=10"),
		"large":   chunked("Cache-Control: max-age=10\r\n", strings.Repeat("n", 300<<10)),
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, Options{}, func(a *ask) string {
				if a.nth == 0 {
					return respond(200, "old", "Cache-Control: max-age=10, stale-while-revalidate=60", `ETag: "1"`)
				}
				time.Sleep(time.Second)
				return answer
			}, func(t *testing.T, w *world) {
				w.get(host + "/")
				time.Sleep(20 * time.Second)
				start := time.Now()
				for _, a := range crowd(w, 20, host+"/", nil) {
					if a.body != "old" || a.cacheStatus() != "jay; hit; ttl=-10; detail=stale-while-revalidate" {
						t.Errorf("got %q, %s; want the old one", a.body, a.cacheStatus())
					}
				}
				if d := time.Since(start); d != 0 {
					t.Errorf("it took %v; want no wait", d)
				}
				time.Sleep(2 * time.Second)
				a := w.get(host + "/")
				if n := w.origin.count(""); n != 2 || !strings.Contains(a.cacheStatus(), "detail=fresh") {
					t.Errorf("after: %d requests, %s; want one background request and a hit", n, a.cacheStatus())
				}
				if got := w.origin.last().get("If-None-Match"); got != `"1"` {
					t.Errorf("it asked with If-None-Match %q", got)
				}
			})
		})
	}
}

// TestStaleWhileRevalidate_conditions checks that the background request has nothing of the client's own conditions, so
// that its answer serves everybody.
func TestStaleWhileRevalidate_conditions(t *testing.T) {
	inBubble(t, Options{}, func(a *ask) string {
		if a.o.count(a.target) == 1 {
			return respond(200, "old body", "Cache-Control: max-age=10, stale-while-revalidate=60", `ETag: "1"`)
		}
		return respond(200, "new body", "Cache-Control: max-age=10", `ETag: "2"`)
	}, func(t *testing.T, w *world) {
		for _, method := range []string{"GET", "HEAD"} {
			w.get(host + "/" + method)
			time.Sleep(20 * time.Second)
			a := w.client().do(method, host+"/"+method, "Range: bytes=0-2", `If-None-Match: "9"`, "X-Other: 1")
			if method == "GET" && (a.status != 206 || a.body != "old") {
				t.Errorf("got %q %q; want the part", a.line, a.body)
			}
			time.Sleep(time.Second)
			got := w.origin.last()
			want := "Host: 192.0.2.1\r\nX-Other: 1\r\nIf-None-Match: \"1\"\r\nVia: 1.1 jay-test\r\n"
			if got.method != "GET" || got.head != want {
				t.Errorf("after %s it asked %s with %q; want a GET with %q", method, got.method, got.head, want)
			}
		}
	})
}

// TestStaleWhileRevalidate_fails checks that a failure leaves the stale response, and the next request tries again.
func TestStaleWhileRevalidate_fails(t *testing.T) {
	inBubble(t, Options{}, func(a *ask) string {
		switch a.nth {
		case 0:
			return respond(200, "old", "Cache-Control: max-age=10, stale-while-revalidate=60")
		case 1:
			return respond(503, "sorry")
		case 2:
			return ""
		}
		return respond(200, "new", "Cache-Control: max-age=10")
	}, func(t *testing.T, w *world) {
		w.get(host + "/")
		time.Sleep(20 * time.Second)
		for range 3 { // the last one's succeeds
			if a := w.get(host + "/"); a.body != "old" {
				t.Errorf("got %q, %s", a.body, a.cacheStatus())
			}
			synctest.Wait()
		}
		if a := w.get(host + "/"); a.body != "new" || w.origin.count("") != 4 {
			t.Errorf("then: got %q after %d requests", a.body, w.origin.count(""))
		}
	})
}

// TestStaleIfError_RFC5861_4 checks when a stale response stands in for a failure.
func TestStaleIfError_RFC5861_4(t *testing.T) {
	const age = "Cache-Control: max-age=10"
	tests := []struct {
		name, cc, failure string
		request           []string
		body              string
		status            int
	}{
		{"no answer", age + ", stale-if-error=60", "", nil, "old", 200},
		{"500", age + ", stale-if-error=60", respond(500, "broken"), nil, "old", 200},
		{"503", age + ", stale-if-error=60", respond(503, "broken"), nil, "old", 200},
		{"404 is an answer", age + ", stale-if-error=60", respond(404, "none"), nil, "none", 404},
		{"too old", age + ", stale-if-error=5", respond(500, "broken"), nil, "broken", 500},
		{"must-revalidate", age + ", must-revalidate, stale-if-error=60", "", nil, "", 504},
		{"not allowed", age, "", nil, "", 502},
		{"the client allows", age, respond(502, "broken"), []string{"Cache-Control: stale-if-error=60"}, "old", 200},
		{"the client wants validation", age + ", stale-if-error=60", "", []string{"Cache-Control: no-cache"}, "", 502},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			inBubble(t, Options{}, func(a *ask) string {
				if a.nth == 0 {
					return respond(200, "old", tt.cc, `ETag: "1"`)
				}
				return tt.failure
			}, func(t *testing.T, w *world) {
				w.get(host + "/")
				time.Sleep(20 * time.Second)
				a := w.get(host+"/", tt.request...)
				if a.status != tt.status || tt.body != "" && a.body != tt.body {
					t.Errorf("got %q %q, %s; want %d %q", a.line, a.body, a.cacheStatus(), tt.status, tt.body)
				}
				if tt.body == "old" && (a.get("Age") != "20" || !strings.Contains(a.cacheStatus(), "detail=stale-if-error")) {
					t.Errorf("got Age %q, %s", a.get("Age"), a.cacheStatus())
				}
			})
		})
	}
}

// TestStaleIfError_crowd checks that those who wait for a validation that fails get the stale response, too.
func TestStaleIfError_crowd(t *testing.T) {
	var down atomic.Bool
	inBubble(t, Options{}, func(a *ask) string {
		if down.Load() {
			time.Sleep(time.Second)
			return ""
		}
		return respond(200, "old", "Cache-Control: max-age=10, stale-if-error=600", `ETag: "1"`)
	}, func(t *testing.T, w *world) {
		w.get(host + "/")
		time.Sleep(20 * time.Second)
		down.Store(true)
		for _, a := range crowd(w, 20, host+"/", nil) {
			if a.body != "old" {
				t.Fatalf("got %q %q, %s", a.line, a.body, a.cacheStatus())
			}
		}
	})
}

// TestValidation_crowd checks that many clients and one stale response make one validation.
func TestValidation_crowd(t *testing.T) {
	for name, tt := range map[string]struct {
		answer, body string
	}{
		"304": {notModified, "old"},
		"200": {respond(200, "new", "Cache-Control: max-age=10"), "new"},
	} {
		inBubble(t, Options{}, func(a *ask) string {
			if a.nth == 0 {
				return respond(200, "old", "Cache-Control: max-age=10", `ETag: "1"`)
			}
			time.Sleep(time.Second)
			return tt.answer
		}, func(t *testing.T, w *world) {
			w.get(host + "/")
			time.Sleep(20 * time.Second)
			for _, a := range crowd(w, 50, host+"/", nil) {
				if a.body != tt.body || a.get("Age") > "1" {
					t.Fatalf("%s: got %q, Age %q, %s", name, a.body, a.get("Age"), a.cacheStatus())
				}
			}
			if n := w.origin.count(""); n != 2 {
				t.Errorf("%s: %d requests; want 2", name, n)
			}
		})
	}
}

// TestOnlyIfCached_RFC9111_5_2_1_7 checks that such a request never reaches an origin.
func TestOnlyIfCached_RFC9111_5_2_1_7(t *testing.T) {
	inBubble(t, Options{}, func(a *ask) string {
		return respond(200, fmt.Sprint(a.nth), "Cache-Control: max-age=10, stale-while-revalidate=100", `ETag: "1"`)
	}, func(t *testing.T, w *world) {
		only := "Cache-Control: only-if-cached"
		c := w.client()
		if a := c.get(host+"/", only); a.status != 504 || a.get("Connection") == "close" {
			t.Errorf("nothing stored: got %q %q; want 504 on a connection that stays", a.line, a.head)
		}
		c.get(host + "/")
		if a := c.get(host+"/", only); a.body != "0" || a.status != 200 {
			t.Errorf("fresh: got %q", a.line)
		}
		time.Sleep(20 * time.Second)
		if a := c.get(host+"/", only); a.body != "0" || a.status != 200 {
			t.Errorf("stale, allowed: got %q", a.line)
		}
		time.Sleep(200 * time.Second)
		if a := w.get(host+"/", only); a.status != 504 {
			t.Errorf("stale: got %q; want 504", a.line)
		}
		if n := w.origin.count(""); n != 1 {
			t.Errorf("%d requests; want 1", n)
		}
	})
}

// TestRefresh_part checks that the validation of a stored part, which no client waits for, does not wait for the gap that
// another request fetches.
func TestRefresh_part(t *testing.T) {
	body := content(1000)
	inBubble(t, Options{}, func(a *ask) string {
		switch {
		case a.get("If-None-Match") != "":
			return "HTTP/1.1 304 Not Modified\r\nETag: \"1\"\r\nCache-Control: max-age=1, stale-while-revalidate=60\r\n\r\n"
		case a.get("Range") != "bytes=0-99":
			time.Sleep(time.Second)
		}
		return ranged(a, body, `"1"`, "Cache-Control: max-age=1, stale-while-revalidate=60")
	}, func(t *testing.T, w *world) {
		w.get(host+"/", "Range: bytes=0-99")
		time.Sleep(2 * time.Second)
		done := make(chan *answer)
		go func() { done <- w.get(host + "/") }() // fetches the gap
		time.Sleep(100 * time.Millisecond)
		if a := w.get(host+"/", "Range: bytes=0-49"); a.body != body[:50] {
			t.Errorf("got %q with %d bytes", a.line, len(a.body))
		}
		synctest.Wait()
		if a := <-done; a.body != body {
			t.Errorf("got %q with %d bytes", a.line, len(a.body))
		}
		if n := w.p.Stats().Panics; n != 0 {
			t.Errorf("%d internal errors", n)
		}
	})
}
