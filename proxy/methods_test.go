package proxy

import (
	"strings"
	"testing"
	"time"
)

// TestMaxForwards_RFC9110_7_6_2 checks that TRACE and OPTIONS end here when they have to, and are counted down otherwise.
func TestMaxForwards_RFC9110_7_6_2(t *testing.T) {
	tests := []struct {
		method, value string
		forwarded     string // the value at the origin; "-": not forwarded
	}{
		{"TRACE", "0", "-"},
		{"OPTIONS", "0", "-"},
		{"OPTIONS", "00", "-"},
		{"TRACE", "1", "0"},
		{"OPTIONS", "10", "9"},
		{"OPTIONS", "x", "x"},
		{"OPTIONS", "99999999999999999999", "99999999999999999999"},
		{"GET", "0", "0"},
		{"POST", "5", "5"},
	}
	for _, tt := range tests {
		inBubble(t, Options{}, always(respond(200, "far")), func(t *testing.T, w *world) {
			a := w.client().do(tt.method, host+"/", "Max-Forwards: "+tt.value)
			if tt.forwarded == "-" {
				if w.origin.count("") != 0 || a.status != 200 {
					t.Errorf("%s %s: got %q, forwarded %d times; want an answer of Jay's", tt.method, tt.value, a.line, w.origin.count(""))
				}
				return
			}
			if got := w.origin.last().get("Max-Forwards"); got != tt.forwarded {
				t.Errorf("%s %s: the origin got %q; want %q", tt.method, tt.value, got, tt.forwarded)
			}
		})
	}
}

// TestTrace_RFC9110_9_3_8 checks that the last recipient sends the request back, without what must not be disclosed.
func TestTrace_RFC9110_9_3_8(t *testing.T) {
	inBubble(t, Options{}, always(respond(200, "far")), func(t *testing.T, w *world) {
		c := w.client()
		c.send("TRACE " + host + "/a HTTP/1.1\r\nHost: 192.0.2.1\r\nx-A: 1\r\nCookie: c\r\nAuthorization: a\r\nProxy-Authorization: p\r\nMax-Forwards: 0\r\n\r\n")
		a := c.read("TRACE")
		want := "TRACE " + host + "/a HTTP/1.1\r\nHost: 192.0.2.1\r\nx-A: 1\r\nMax-Forwards: 0\r\n\r\n"
		if a.get("Content-Type") != "message/http" || a.body != want {
			t.Errorf("got %q %q; want message/http %q", a.head, a.body, want)
		}
		c.send("OPTIONS " + host + "/a HTTP/1.1\r\nHost: 192.0.2.1\r\nMax-Forwards: 0\r\n\r\n")
		if a := c.read("OPTIONS"); !strings.Contains(a.get("Allow"), "GET") || a.get("Content-Length") != "0" || a.get("Date") == "" {
			t.Errorf("OPTIONS: got %q; want Allow and no content", a.head)
		}
	})
}

// TestInterim_RFC9110_15_2 checks that 1xx answers reach the client that asked, in order and with their fields, but not
// one that cannot know them, and that the cache does not repeat them.
func TestInterim_RFC9110_15_2(t *testing.T) {
	hints := "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\nConnection: X-Hop\r\nX-Hop: 1\r\n\r\n"
	serve := always("HTTP/1.1 102 Processing\r\n\r\n" + hints + respond(200, "ok", "Cache-Control: max-age=60"))
	inBubble(t, Options{}, serve, func(t *testing.T, w *world) {
		a := w.get(host + "/")
		want := []string{"HTTP/1.1 102 Processing\r\n", "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\nVia: 1.1 jay-test\r\n"}
		if strings.Join(a.interim, "|") != strings.Join(want, "|") || a.body != "ok" {
			t.Errorf("got %q, then %q; want %q", a.interim, a.body, want)
		}
		if a := w.get(host + "/"); a.interim != nil || !strings.Contains(a.cacheStatus(), "hit") {
			t.Errorf("from the cache: got %q, %s", a.interim, a.cacheStatus())
		}
		c := w.client()
		c.send("GET " + host + "/other HTTP/1.0\r\nHost: 192.0.2.1\r\n\r\n")
		if a := c.read("GET"); a.interim != nil || a.body != "ok" {
			t.Errorf("HTTP/1.0: got %q, then %q; want no interim answer", a.interim, a.body)
		}
	})
}

// TestContinue_RFC9110_10_1_1 checks that the client's body is not asked for before the origin asks, and that the
// origin's refusal arrives instead.
func TestContinue_RFC9110_10_1_1(t *testing.T) {
	inBubble(t, Options{}, func(a *ask) string {
		time.Sleep(300 * time.Millisecond)
		if a.target == "/refused" {
			a.say(respond(417, "no", "Connection: close"))
			return ""
		}
		a.say("HTTP/1.1 100 Continue\r\n\r\n")
		a.readBody()
		return respond(200, a.body)
	}, func(t *testing.T, w *world) {
		head := " HTTP/1.1\r\nHost: 192.0.2.1\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n"
		c := w.client()
		c.send("PUT " + host + "/taken" + head)
		start := time.Now()
		line, fields, _ := readHead(c.r)
		if line != "HTTP/1.1 100 Continue" || fields != "" || time.Since(start) != 300*time.Millisecond {
			t.Fatalf("got %q %q after %v; want the origin's 100", line, fields, time.Since(start))
		}
		c.send("body")
		if a := c.read("PUT"); a.status != 200 || a.body != "body" || a.get("Connection") == "close" {
			t.Errorf("got %q %q; want the echo on a connection that stays", a.line, a.body)
		}
		c = w.client()
		c.send("PUT " + host + "/refused" + head)
		if a := c.read("PUT"); a.status != 417 || a.interim != nil || a.get("Connection") != "close" {
			t.Errorf("refused: got %v %q %q; want 417 and close", a.interim, a.line, a.head)
		}
	})
}

// TestTrailers_RFC9112_7_1_2 checks that trailers pass both ways, to those who wait for the same response, too, and that
// fields which frame or route a message do not.
func TestTrailers_RFC9112_7_1_2(t *testing.T) {
	for _, cc := range []string{"no-store", "max-age=60"} {
		inBubble(t, Options{}, func(a *ask) string {
			return strings.TrimSuffix(chunked("Cache-Control: "+cc+"\r\nTrailer: X-Sum\r\n", "abc", "de"), "\r\n") + "X-Sum: 5\r\nConnection: x\r\n\r\n"
		}, func(t *testing.T, w *world) {
			a := w.get(host + "/")
			if a.body != "abcde" || a.trailers != "X-Sum: 5\r\n" || a.get("Trailer") != "X-Sum" {
				t.Errorf("%s: got %q, trailers %q; want X-Sum", cc, a.body, a.trailers)
			}
		})
	}
	inBubble(t, Options{}, func(a *ask) string {
		return respond(200, "ok")
	}, func(t *testing.T, w *world) {
		c := w.client()
		c.send("POST " + host + "/ HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3;ext=1\r\nabc\r\n0\r\nX-Sum: 3\r\nHost: evil\r\nContent-Length: 9\r\n\r\n")
		if a := c.read("POST"); a.status != 200 || w.origin.last().body != "abc" || w.origin.last().err != nil {
			t.Errorf("request: got %q, the origin got %q, %v", a.line, w.origin.last().body, w.origin.last().err)
		}
	})
}

// TestHTTP10Clients checks what a client of HTTP/1.0 gets: no chunks, its own idea of persistence, and hits.
func TestHTTP10Clients(t *testing.T) {
	inBubble(t, Options{}, func(a *ask) string {
		if a.target == "/length" {
			return respond(200, "length", "Cache-Control: max-age=60")
		}
		return chunked("Cache-Control: max-age=60\r\n", "chunk", "ed")
	}, func(t *testing.T, w *world) {
		tests := []struct {
			path, lines, body, connection string
		}{
			{"/length", "", "length", "close"},
			{"/length", "Connection: keep-alive\r\n", "length", "keep-alive"},
			{"/length", "Proxy-Connection: Keep-Alive\r\n", "length", "keep-alive"},
			{"/chunked", "Connection: keep-alive\r\n", "chunked", "close"},      // only its end can tell
			{"/chunked", "Connection: keep-alive\r\n", "chunked", "keep-alive"}, // the cache knows the length
		}
		for i, tt := range tests {
			c := w.client()
			c.send("GET " + host + tt.path + " HTTP/1.0\r\n" + tt.lines + "\r\n")
			a := c.read("GET")
			if a.body != tt.body || a.get("Connection") != tt.connection || a.get("Transfer-Encoding") != "" || !strings.HasPrefix(a.line, "HTTP/1.1 200") {
				t.Errorf("%d: got %q %q %q; want %q and %s", i, a.line, a.head, a.body, tt.body, tt.connection)
			}
			if tt.connection == "close" {
				if _, err := c.r.ReadByte(); err == nil {
					t.Errorf("%d: the connection stays open", i)
				}
			}
		}
	})
}

// TestHEAD_RFC9110_9_3_2 checks that HEAD has the fields of GET, from the origin and from the cache, and never a body.
func TestHEAD_RFC9110_9_3_2(t *testing.T) {
	inBubble(t, Options{}, func(a *ask) string {
		if a.method == "HEAD" {
			return "HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nContent-Length: 5\r\nETag: \"1\"\r\n\r\n"
		}
		return respond(200, "hello", "Cache-Control: max-age=60", `ETag: "1"`)
	}, func(t *testing.T, w *world) {
		c := w.client()
		for range 2 {
			if a := c.do("HEAD", host+"/"); a.get("Content-Length") != "5" || a.cut {
				t.Errorf("HEAD: got %q", a.head)
			}
		}
		if n := w.origin.count(""); n != 2 {
			t.Errorf("HEAD is answered from nothing stored: %d requests; want 2", n)
		}
		c.get(host + "/")
		if a := c.do("HEAD", host+"/"); a.get("Content-Length") != "5" || !strings.Contains(a.cacheStatus(), "hit") {
			t.Errorf("from the cache: got %q", a.head)
		}
		if a := c.get(host + "/"); a.body != "hello" {
			t.Errorf("then: got %q; want the body", a.body)
		}
	})
}

// TestStatuses checks that each status passes with its reason and framing, from the origin and from the cache.
func TestStatuses(t *testing.T) {
	for status := 200; status < 600; status++ {
		if status == 206 || status == 304 {
			continue
		}
		inBubble(t, Options{}, func(a *ask) string {
			if status == 204 {
				return "HTTP/1.1 204 Reason\r\nCache-Control: max-age=60\r\n\r\n"
			}
			return respond(status, "body", "Cache-Control: max-age=60")
		}, func(t *testing.T, w *world) {
			c := w.client()
			for range 2 {
				a := c.get(host + "/")
				if a.status != status || !strings.HasSuffix(a.line, " Reason") || (a.body == "body") == (status == 204) || a.cut {
					t.Errorf("%d: got %q %q", status, a.line, a.body)
				}
				if n := len(a.values("Content-Length")); status == 204 && n != 0 || status != 204 && n != 1 {
					t.Errorf("%d: got %d Content-Length lines", status, n)
				}
			}
		})
	}
}
