package proxy

import (
	"fmt"
	"net"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// TestTooLarge checks that what is above the limit streams through unstored, its length known beforehand or not.
func TestTooLarge(t *testing.T) {
	body := strings.Repeat("x", 300<<10)
	for name, answer := range map[string]string{
		"length":  respond(200, body, "Cache-Control: max-age=60"),
		"chunked": chunked("Cache-Control: max-age=60\r\n", body),
		"part": fmt.Sprintf("HTTP/1.1 206 Partial\r\nCache-Control: max-age=60\r\nETag: \"1\"\r\nContent-Range: bytes 0-%d/400000\r\nContent-Length: %d\r\n\r\n%s",
			len(body)-1, len(body), body),
	} {
		inBubble(t, Options{MaxObjectBytes: 200 << 10}, always(answer), func(t *testing.T, w *world) {
			var lines []string
			if name == "part" {
				lines = []string{"Range: bytes=0-"}
			}
			for range 2 {
				if a := w.get(host+"/", lines...); a.body != body || a.cut || strings.Contains(a.cacheStatus(), "hit") {
					t.Errorf("%s: got %q with %d bytes, %s", name, a.line, len(a.body), a.cacheStatus())
				}
				synctest.Wait()
			}
			if s := w.p.Stats().Cache; s.Entries != 0 || s.Fills != 0 || w.origin.count("") != 2 {
				t.Errorf("%s: %d entries, %d fills, %d requests", name, s.Entries, s.Fills, w.origin.count(""))
			}
		})
	}
}

// TestMaxRequestBody checks that a body above the limit is refused, announced or not.
func TestMaxRequestBody(t *testing.T) {
	for _, framing := range []string{"Content-Length: 101\r\n\r\n" + strings.Repeat("x", 101), "Transfer-Encoding: chunked\r\n\r\n65\r\n" + strings.Repeat("x", 101) + "\r\n0\r\n\r\n"} {
		inBubble(t, Options{MaxRequestBody: 100}, func(a *ask) string { return respond(200, fmt.Sprint(a.err)) }, func(t *testing.T, w *world) {
			c := w.client()
			c.send("POST " + host + "/ HTTP/1.1\r\nHost: h\r\n" + framing)
			if a := c.read("POST"); a.status != 413 || a.get("Connection") != "close" {
				t.Errorf("%.20q: got %q %q; want 413 and close", framing, a.line, a.head)
			}
			c = w.client()
			c.send(request("POST", host+"/", strings.Repeat("x", 100)))
			if a := c.read("POST"); a.status != 200 {
				t.Errorf("a hundred bytes: got %q", a.line)
			}
		})
	}
}

// failing is a listener whose Accept fails some times before it works.
type failing struct {
	*pipeListener
	errs []error
}

func (l *failing) Accept() (net.Conn, error) {
	if len(l.errs) > 0 {
		err := l.errs[0]
		l.errs = l.errs[1:]
		return nil, err
	}
	return l.pipeListener.Accept()
}

// TestServe_EMFILE checks that a lack of descriptors slows accepting and never ends it; other failures do.
func TestServe_EMFILE(t *testing.T) {
	inBubble(t, Options{}, always(respond(200, "ok")), func(t *testing.T, w *world) {
		ln := &failing{&pipeListener{conns: make(chan net.Conn), done: make(chan struct{})}, nil}
		for range 10 {
			ln.errs = append(ln.errs, &net.OpError{Op: "accept", Err: syscall.EMFILE})
		}
		start := time.Now()
		go w.p.Serve(ln, Explicit)
		here, there := net.Pipe()
		defer here.Close()
		ln.conns <- there
		if took := time.Since(start); took < 500*time.Millisecond || took > time.Second {
			t.Errorf("accepted after %v; want growing pauses", took)
		}
		if a := newClient(t, here).get(host + "/"); a.status != 200 || w.p.Stats().AcceptErrors != 10 {
			t.Errorf("then: got %q, %d errors", a.line, w.p.Stats().AcceptErrors)
		}
		broken := &failing{&pipeListener{done: make(chan struct{})}, []error{syscall.EINVAL}}
		if err := w.p.Serve(broken, Explicit); err == nil || !strings.HasPrefix(err.Error(), "proxy: ") {
			t.Errorf("a broken listener: got %v", err)
		}
	})
}

// TestNew_fails checks that what cannot work is an error.
func TestNew_fails(t *testing.T) {
	if p, err := New(Options{CacheBytes: 10}); err == nil {
		p.Shutdown(t.Context())
		t.Error("a cache of ten bytes was made")
	}
}

// TestUnasked_pass checks that an answer which fits no request of its kind is refused past the cache, too.
func TestUnasked_pass(t *testing.T) {
	for _, raw := range []string{"HTTP/1.1 304 Not Modified\r\n\r\n", "HTTP/1.1 206 Partial\r\nContent-Range: bytes 0-0/2\r\nContent-Length: 1\r\n\r\na"} {
		inBubble(t, Options{}, always(raw), func(t *testing.T, w *world) {
			c := w.client()
			c.send(request("POST", host+"/", "x"))
			if a := c.read("POST"); a.status != 502 {
				t.Errorf("%.20q: got %q; want 502", raw, a.line)
			}
			if a := c.do("PUT", host+"/", `If-Match: "1"`, "Range: bytes=0-0"); a.status == 502 {
				t.Errorf("%.20q, asked for: got %q", raw, a.line)
			}
		})
	}
}

// TestPOST_cut checks that the answer to a POST which breaks off is an error, and not stored.
func TestPOST_cut(t *testing.T) {
	inBubble(t, Options{}, func(a *ask) string {
		a.say("HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nContent-Location: /\r\nContent-Length: 10\r\n\r\nabc")
		return ""
	}, func(t *testing.T, w *world) {
		c := w.client()
		c.send(request("POST", host+"/", "x"))
		if a := c.read("POST"); a.status != 502 && !a.cut {
			t.Errorf("got %q; want 502 or a cut", a.line)
		}
		if n := w.p.Stats().Cache.Entries; n != 0 {
			t.Errorf("%d entries", n)
		}
	})
}

// TestHEAD_drops checks what other answers to HEAD do to what is stored for GET.
func TestHEAD_drops(t *testing.T) {
	for answer, hit := range map[string]bool{
		"HTTP/1.1 404 None\r\nContent-Length: 0\r\n\r\n":                     false,
		"HTTP/1.1 500 Broken\r\nContent-Length: 0\r\n\r\n":                   true,
		"HTTP/1.1 200 OK\r\nCache-Control: no-store\r\nETag: \"1\"\r\n\r\n":  false,
		"HTTP/1.1 200 OK\r\nCache-Control: max-age=9\r\nVary: X-A\r\n\r\n":   false,
		"HTTP/1.1 200 OK\r\nCache-Control: max-age=9\r\nETag: \"1\"\r\n\r\n": true,
	} {
		inBubble(t, Options{}, func(a *ask) string {
			if a.method == "HEAD" {
				return answer
			}
			return respond(200, "body", "Cache-Control: max-age=60", `ETag: "1"`)
		}, func(t *testing.T, w *world) {
			w.get(host + "/")
			w.client().do("HEAD", host+"/", "Cache-Control: no-cache")
			if got := w.hits(host + "/"); got != hit {
				t.Errorf("after %q: hit %v; want %v", answer, got, hit)
			}
		})
	}
}

// TestSelects_otherVariant checks a 304 that confirms a variant which this request does not select: the request is sent
// again, once, for what it does select.
func TestSelects_otherVariant(t *testing.T) {
	inBubble(t, Options{}, func(a *ask) string {
		if a.get("If-None-Match") != "" {
			return "HTTP/1.1 304 Not Modified\r\nETag: \"1\"\r\nVary: X-A\r\nCache-Control: max-age=10\r\n\r\n"
		}
		return respond(200, "for "+a.get("X-A"), "Cache-Control: max-age=10", "Vary: X-A", `ETag: "`+a.get("X-A")+`"`)
	}, func(t *testing.T, w *world) {
		w.get(host+"/", "X-A: 1")
		w.get(host+"/", "X-A: 2")
		time.Sleep(20 * time.Second)
		if a := w.get(host+"/", "X-A: 2"); a.body != "for 2" || w.origin.count("") != 4 {
			t.Errorf("got %q, %s after %d requests; want a refetch", a.body, a.cacheStatus(), w.origin.count(""))
		}
		if !w.hits(host+"/", "X-A: 1") {
			t.Error("the variant that was confirmed is not fresh")
		}
	})
}

// TestPrefers_RFC9111_4_1 checks that a stored variant which is for certain what the client likes best answers it.
func TestPrefers_RFC9111_4_1(t *testing.T) {
	inBubble(t, Options{}, func(a *ask) string {
		return respond(200, "hallo", "Cache-Control: max-age=60", "Vary: Accept-Language", "Content-Language: de")
	}, func(t *testing.T, w *world) {
		w.get(host+"/", "Accept-Language: de")
		for lang, hit := range map[string]bool{"de, en;q=0.5": true, "DE;q=0.9, fr;q=0.1": true, "en, de;q=0.5": false, "de, en": false} {
			a := w.get(host+"/", "Accept-Language: "+lang, "Cache-Control: only-if-cached")
			if (a.status == 200) != hit {
				t.Errorf("%s: got %q, %s; want a hit %v", lang, a.line, a.cacheStatus(), hit)
			}
		}
	})
}

// TestNoVarySearch checks that parameters which do not matter select the same response, and that an invalidation of one
// spelling is one of the other.
func TestNoVarySearch(t *testing.T) {
	inBubble(t, Options{}, func(a *ask) string {
		return respond(200, "for "+a.target, "Cache-Control: max-age=60", `No-Vary-Search: params=("utm")`)
	}, func(t *testing.T, w *world) {
		w.get(host + "/a?x=1&utm=9")
		for _, q := range []string{"?x=1", "?utm=3&x=1", "?x=1&utm"} {
			if a := w.get(host + "/a" + q); a.body != "for /a?x=1&utm=9" {
				t.Errorf("%s: got %q, %s; want the stored one", q, a.body, a.cacheStatus())
			}
		}
		if a := w.get(host + "/a?x=2"); a.body != "for /a?x=2" {
			t.Errorf("another x: got %q", a.body)
		}
		w.client().do("DELETE", host+"/a?x=1")
		if a := w.get(host + "/a?utm=5&x=1"); a.body != "for /a?utm=5&x=1" {
			t.Errorf("after DELETE: got %q", a.body)
		}
	})
}

// TestPartial_changesMidway checks an answer in several pieces whose representation changes while it is sent: it is cut.
func TestPartial_changesMidway(t *testing.T) {
	body := content(100_000)
	inBubble(t, Options{}, func(a *ask) string {
		if a.nth > 2 {
			return ranged(a, strings.Repeat("n", 100_000), `"2"`, "Cache-Control: max-age=60")
		}
		return ranged(a, body, `"1"`, "Cache-Control: max-age=60")
	}, func(t *testing.T, w *world) {
		w.get(host+"/", "Range: bytes=10000-19999")
		w.get(host+"/", "Range: bytes=30000-39999")
		synctest.Wait()
		a := w.get(host + "/") // the gap at 0 is of the old one, that at 20000 of the new
		if !a.cut || !strings.HasPrefix(body, a.body) || len(a.body) < 20000 {
			t.Errorf("got %q, cut %v, %d bytes; want the old one cut", a.line, a.cut, len(a.body))
		}
	})
}

// TestGroups checks groups through the proxy: an answer to an unsafe request drops those of its own origin.
func TestGroups(t *testing.T) {
	inBubble(t, Options{}, func(a *ask) string {
		if a.method == "GET" {
			return respond(200, "ok", "Cache-Control: max-age=60", `Cache-Groups: "g`+a.target[1:2]+`", "all"`)
		}
		return respond(200, "ok", `Cache-Group-Invalidation: "g1"`)
	}, func(t *testing.T, w *world) {
		urls := map[string]bool{host + "/1a": false, host + "/1b": false, host + "/2": true, "http://192.0.2.2/1a": true}
		for u := range urls {
			w.get(u)
		}
		w.client().do("DELETE", host+"/other")
		for u, want := range urls {
			if got := w.hits(u); got != want {
				t.Errorf("%s: hit %v; want %v", u, got, want)
			}
		}
	})
}

// TestGroups_epochs checks that a response which was asked for before its group was invalidated is neither stored nor shared
// after that, though nobody could know of it then.
func TestGroups_epochs(t *testing.T) {
	for _, early := range []bool{false, true} { // its head comes before the invalidation
		inBubble(t, Options{}, func(a *ask) string {
			switch {
			case a.method == "DELETE":
				return respond(200, "ok", `Cache-Group-Invalidation: "g"`)
			case a.nth > 0:
				return respond(200, "new", "Cache-Control: max-age=600", `Cache-Groups: "g"`)
			}
			if !early {
				time.Sleep(time.Minute)
			}
			a.say("HTTP/1.1 200 OK\r\nCache-Control: max-age=600\r\nCache-Groups: \"g\"\r\nContent-Length: 3\r\n\r\n")
			time.Sleep(time.Minute)
			return "old"
		}, func(t *testing.T, w *world) {
			before := w.client()
			before.send(request("GET", host+"/a", ""))
			time.Sleep(time.Second)
			w.client().do("DELETE", host+"/other")
			time.Sleep(50 * time.Second)
			if !early {
				time.Sleep(30 * time.Second)
			}
			if a := w.get(host + "/a"); a.body != "new" {
				t.Errorf("head before %v, meanwhile: got %q, %s", early, a.body, a.cacheStatus())
			}
			if a := before.read("GET"); a.body != "old" {
				t.Errorf("who had asked before got %q", a.body)
			}
			if a := w.get(host + "/a"); a.body != "new" {
				t.Errorf("head before %v, after: got %q, %s", early, a.body, a.cacheStatus())
			}
		})
	}
}

// TestModes names them as the configuration does.
func TestModes(t *testing.T) {
	if got := fmt.Sprint(Explicit, Redirect, TProxy, ByHost); got != "explicit redirect tproxy host" {
		t.Errorf("got %q", got)
	}
}
