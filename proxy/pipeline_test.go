package proxy

import (
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// TestPipelining_RFC9112_9_3_2 checks that requests sent together are answered in order, from wherever each comes.
func TestPipelining_RFC9112_9_3_2(t *testing.T) {
	inBubble(t, Options{}, func(a *ask) string {
		if strings.HasPrefix(a.target, "/slow") {
			time.Sleep(time.Second)
		}
		return respond(200, a.method+a.target+a.body, "Cache-Control: max-age=60")
	}, func(t *testing.T, w *world) {
		w.get(host + "/hit")
		c := w.client()
		all, want := "", []string{}
		for i := range 40 {
			path := []string{"/hit", "/slow", "/miss"}[i%3]
			if i%3 > 0 {
				path += fmt.Sprint(i)
			}
			all += request("GET", host+path, "")
			want = append(want, "GET"+path)
			if i%5 == 0 {
				all += request("POST", host+"/post", fmt.Sprint("body", i))
				want = append(want, fmt.Sprint("POST/postbody", i))
			}
		}
		c.send(all)
		for i, body := range want {
			if a := c.read("GET"); a.body != body || a.get("Connection") == "close" {
				t.Fatalf("answer %d: got %q %q; want %q", i, a.line, a.body, body)
			}
		}
	})
}

// TestPipelining_dripping checks requests that arrive byte by byte while others are held.
func TestPipelining_dripping(t *testing.T) {
	inBubble(t, Options{}, func(a *ask) string {
		time.Sleep(50 * time.Millisecond)
		return respond(200, a.target+a.body)
	}, func(t *testing.T, w *world) {
		c := w.client()
		all := request("GET", host+"/1", "") + request("PUT", host+"/2", "two") + request("GET", host+"/3", "")
		go drip(c.Conn, all, 7*time.Millisecond)
		for _, want := range []string{"/1", "/2two", "/3"} {
			if a := c.read("GET"); a.body != want {
				t.Errorf("got %q %q; want %q", a.line, a.body, want)
			}
		}
	})
}

// drip writes byte by byte until that fails.
func drip(w io.Writer, s string, pause time.Duration) {
	for i := range s {
		if _, err := io.WriteString(w, s[i:i+1]); err != nil {
			return
		}
		time.Sleep(pause)
	}
}

// TestPipelining_many checks that requests beyond what is read ahead wait their turn while one is held.
func TestPipelining_many(t *testing.T) {
	inBubble(t, Options{}, func(a *ask) string {
		time.Sleep(20 * time.Millisecond)
		return respond(200, a.target)
	}, func(t *testing.T, w *world) {
		c := w.client()
		var all strings.Builder
		for i := range 300 {
			all.WriteString(request("GET", fmt.Sprintf("%s/%d", host, i), "", "X-Filler: "+strings.Repeat("x", i)))
		}
		c.send(all.String())
		for i := range 300 {
			if a := c.read("GET"); a.body != fmt.Sprint("/", i) {
				t.Fatalf("answer %d: got %q %q", i, a.line, a.body)
			}
		}
	})
}

// TestPersistence_RFC9112_9_3 checks when a connection stays.
func TestPersistence_RFC9112_9_3(t *testing.T) {
	tests := []struct {
		minor, lines string
		stays        bool
	}{
		{"1", "", true},
		{"1", "Connection: close\r\n", false},
		{"1", "Connection: x, Close\r\n", false},
		{"1", "Proxy-Connection: close\r\n", false},
		{"1", "Connection: keep-alive\r\n", true},
		{"0", "", false},
		{"0", "Connection: Keep-Alive\r\n", true},
		{"0", "Proxy-Connection: keep-alive\r\n", true},
	}
	for _, tt := range tests {
		for _, path := range []string{"/miss", "/hit"} {
			inBubble(t, Options{}, always(respond(200, "ok", "Cache-Control: max-age=60")), func(t *testing.T, w *world) {
				w.get(host + "/hit")
				c := w.client()
				req := "GET " + host + path + " HTTP/1." + tt.minor + "\r\nHost: 192.0.2.1\r\n" + tt.lines + "\r\n"
				c.send(req)
				a := c.read("GET")
				if closes := a.get("Connection") == "close"; a.body != "ok" || closes == tt.stays {
					t.Errorf("1.%s %q %s: got %q %q; want it to stay %v", tt.minor, tt.lines, path, a.line, a.head, tt.stays)
				}
				if tt.stays {
					c.send(req)
				}
				if a := c.read("GET"); a.cut == tt.stays {
					t.Errorf("1.%s %q %s: then got %q", tt.minor, tt.lines, path, a.line)
				}
			})
		}
	}
}

// TestIdle checks the time that a connection may be without a request, and the time for a head, whose first byte starts
// the clock.
func TestIdle(t *testing.T) {
	inBubble(t, Options{}, always(respond(200, "ok")), func(t *testing.T, w *world) {
		c := w.client()
		c.get(host + "/")
		start := time.Now()
		if a := c.readHead(); !a.cut || a.line != "" {
			t.Errorf("idle: got %q; want the end without a word", a.line)
		}
		if d := time.Since(start); d < time.Minute || d > 70*time.Second {
			t.Errorf("idle: ended after %v; want a minute", d)
		}
		c = w.client()
		start = time.Now()
		go drip(c.Conn, request("GET", host+"/", "", strings.Repeat("x", 50)+": y"), time.Second)
		a := c.readHead()
		if d := time.Since(start); a.status != 408 || d < 10*time.Second || d > 12*time.Second || a.get("Connection") != "close" {
			t.Errorf("slow head: got %q after %v; want 408 after 10 s", a.line, d)
		}
		c.Close()
		c = w.client()
		for range 5 { // each has its own time
			time.Sleep(50 * time.Second)
			if a := c.get(host + "/"); a.status != 200 {
				t.Errorf("after 50 s: got %q; want 200", a.line)
			}
		}
	})
}

// TestMalformed checks that nothing follows a request that cannot be trusted.
func TestMalformed(t *testing.T) {
	for send, status := range map[string]int{
		"GET " + host + "/ HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n": 400,
		"GET " + host + "/ HTTP/1.1\r\nHost: h\r\nX: a\r\n b\r\n\r\n":                                      400,
		"GET " + host + "/ HTTP/1.1\r\n\r\n":                                                               400,
		"GET " + host + "/ HTTP/2.0\r\nHost: h\r\n\r\n":                                                    505,
		"GET " + host + "/" + strings.Repeat("x", 20<<10) + " HTTP/1.1\r\nHost: h\r\n\r\n":                 414,
		"GET " + host + "/ HTTP/1.1\r\nHost: h\r\n" + strings.Repeat("X: y\r\n", 300) + "\r\n":             431,
		"POST " + host + "/ HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip, chunked\r\n\r\n":               501,
		"GET " + host + "/\n":            400,
		"CONNECT /path HTTP/1.1\r\n\r\n": 400,
	} {
		inBubble(t, Options{}, always(respond(200, "ok")), func(t *testing.T, w *world) {
			for _, mode := range []Mode{Explicit, ByHost} {
				c := w.clientOf(mode, "", "")
				c.send(send + request("GET", host+"/smuggled", ""))
				a := c.read("GET")
				if a.status != status || a.get("Connection") != "close" || a.get("Proxy-Status") != "jay; error=http_request_error" {
					t.Errorf("%.60q: got %q %q; want %d and close", send, a.line, a.head, status)
				}
				if a := c.read("GET"); !a.cut {
					t.Errorf("%.60q: then got %q", send, a.line)
				}
			}
			if n := w.origin.count(""); n != 0 {
				t.Errorf("%.60q: %d requests reached the origin", send, n)
			}
		})
	}
}

// TestBodyOfRefused checks that the body of a request that is refused is not taken for another request.
func TestBodyOfRefused(t *testing.T) {
	inner := request("GET", host+"/smuggled", "")
	inBubble(t, Options{}, always(respond(200, "ok")), func(t *testing.T, w *world) {
		for _, method := range []string{"POST", "TRACE", "OPTIONS"} {
			c := w.client()
			c.send(request(method, host+"/", inner, "Via: 1.1 jay-test", "Max-Forwards: 0"))
			if a := c.read(method); a.get("Connection") != "close" {
				t.Errorf("%s: got %q %q; want close", method, a.line, a.head)
			}
			if a := c.read("GET"); !a.cut {
				t.Errorf("%s: then got %q", method, a.line)
			}
		}
		for _, method := range []string{"GET", "HEAD", "DELETE", "OPTIONS", "TRACE"} {
			c := w.client()
			c.send(request(method, host+"/outer", inner))
			c.send(request("GET", host+"/next", ""))
			if a, b := c.read(method), c.read("GET"); a.cut || b.cut {
				t.Errorf("%s: got %q, then %q; want two answers", method, a.line, b.line)
			}
		}
		synctest.Wait()
		if n := w.origin.count("/smuggled"); n != 0 {
			t.Errorf("%d requests were smuggled", n)
		}
	})
}
