package proxy

import (
	"context"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// TestLeave checks that a request ends at the origin when its client goes, at whatever point that happens.
func TestLeave(t *testing.T) {
	const head = "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n"
	tests := []struct {
		name, send, answer string
	}{
		{"no answer", request("GET", host+"/", ""), ""},
		{"no answer, not shared", request("GET", host+"/", "", "Authorization: x"), ""},
		{"a body sent", request("POST", host+"/", "body"), ""},
		{"chunked body sent", "POST " + host + "/ HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", ""},
		{"after 103", request("GET", host+"/", ""), "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"},
		{"after the head", request("GET", host+"/", ""), head + "\r\n"},
		{"after the head, stored", request("GET", host+"/", ""), head + "Cache-Control: max-age=60\r\n\r\n"},
		{"within the body", request("GET", host+"/", ""), head + "\r\nabc"},
		{"within the body, stored", request("GET", host+"/", ""), head + "Cache-Control: max-age=60\r\n\r\nabc"},
		{"within the body of a POST", request("POST", host+"/", "x"), head + "\r\nabc"},
		{"within a part", request("GET", host+"/", "", "Range: bytes=0-99"), "HTTP/1.1 206 Partial\r\nETag: \"1\"\r\nContent-Range: bytes 0-99/200\r\nContent-Length: 100\r\nCache-Control: max-age=60\r\n\r\nabc"},
		{"events", request("GET", host+"/", ""), "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			gone := make(chan time.Time, 1)
			inBubble(t, Options{}, func(a *ask) string {
				a.say(tt.answer)
				a.gone()
				gone <- time.Now()
				return ""
			}, func(t *testing.T, w *world) {
				gone = make(chan time.Time, 1)
				c := w.client()
				c.send(tt.send)
				if strings.Contains(tt.answer, "HTTP/1.1 2") {
					c.readHead()
				}
				time.Sleep(time.Second)
				left := time.Now()
				c.Close()
				select {
				case at := <-gone:
					if at.Sub(left) > 10*time.Millisecond {
						t.Errorf("the request ended after %v", at.Sub(left))
					}
				case <-time.After(time.Minute):
					t.Error("the request goes on")
				}
				synctest.Wait()
				if s := w.p.Stats(); s.Connections != 0 || s.Cache.Fills != 0 || s.Cache.Entries != 0 {
					t.Errorf("left: %d connections, %d fills, %d entries", s.Connections, s.Cache.Fills, s.Cache.Entries)
				}
			})
		})
	}
}

// TestLeave_notReading checks that a client which does not read is given up after a while, and its request with it.
func TestLeave_notReading(t *testing.T) {
	for _, cc := range []string{"no-store", "max-age=60"} {
		inBubble(t, Options{}, func(a *ask) string {
			return respond(200, strings.Repeat("x", 1<<20), "Cache-Control: "+cc)
		}, func(t *testing.T, w *world) {
			c := w.client()
			c.send(request("GET", host+"/", ""))
			time.Sleep(59 * time.Second)
			synctest.Wait()
			if n := w.p.Stats().Connections; n != 1 {
				t.Errorf("%s: %d connections after 59 s; want 1", cc, n)
			}
			time.Sleep(10 * time.Second)
			if n := w.p.Stats().Connections; n != 0 {
				t.Errorf("%s: %d connections after 69 s; want none", cc, n)
			}
		})
	}
}

// TestRepeat_RFC9110_9_2_2 checks which requests are sent again when an old connection to the origin turns out to be
// closed: only those that may be, once, and never after a byte of an answer.
func TestRepeat_RFC9110_9_2_2(t *testing.T) {
	tests := []struct {
		send, answer string
		requests     int
	}{
		{request("GET", host+"/x", ""), "", 2},
		{request("HEAD", host+"/x", ""), "", 2},
		{request("PUT", host+"/x", ""), "", 2},
		{request("DELETE", host+"/x", ""), "", 2},
		{request("POST", host+"/x", ""), "", 1},
		{request("PATCH", host+"/x", ""), "", 1},
		{request("FOO", host+"/x", ""), "", 1},
		{request("POST", host+"/x", "body"), "", 1},
		{request("PUT", host+"/x", "body"), "", 1},
		{request("GET", host+"/x", ""), "HTTP/1.1 2", 1},
		{request("GET", host+"/x", ""), "HTTP/1.1 103 Early Hints\r\n\r\n", 1},
		{request("GET", host+"/x", ""), "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\na", 1},
	}
	for _, tt := range tests {
		method, _, _ := strings.Cut(tt.send, " ")
		inBubble(t, Options{}, func(a *ask) string {
			if a.target == "/first" {
				return respond(200, "ok")
			}
			a.say(tt.answer)
			return ""
		}, func(t *testing.T, w *world) {
			c := w.client()
			c.get(host + "/first") // leaves a connection to the origin
			c.send(tt.send)
			if a := c.read(method); a.status != 502 && !a.cut {
				t.Errorf("%.20q: got %q; want 502", tt.send, a.line)
			}
			if n := w.origin.count("/x"); n != tt.requests {
				t.Errorf("%.20q, answered %q: sent %d times; want %d", tt.send, tt.answer, n, tt.requests)
			}
		})
	}
}

// TestOriginConnections checks that one connection serves one request after the other, whatever the clients do with
// theirs, and not one after an answer that left a doubt.
func TestOriginConnections(t *testing.T) {
	tests := []struct {
		name, answer string
		conns        int
	}{
		{"kept", respond(200, "ok", "Cache-Control: no-store"), 1},
		{"chunked", chunked("Cache-Control: no-store\r\n", "ok"), 1},
		{"no content", "HTTP/1.1 204 No Content\r\n\r\n", 1},
		{"close", respond(200, "ok", "Cache-Control: no-store", "Connection: close"), 3},
		{"bytes after", respond(200, "ok", "Cache-Control: no-store") + "HTTP/1.1 200 Evil\r\n\r\n", 3},
		{"a body of 204", "HTTP/1.1 204 No Content\r\n\r\nHTTP/1.1 200 Evil\r\n\r\n", 3},
		{"HTTP/1.0", "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok", 3},
		{"HTTP/1.0 kept", "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nok", 1},
	}
	for _, tt := range tests {
		inBubble(t, Options{}, always(tt.answer), func(t *testing.T, w *world) {
			for i := range 3 {
				a := w.get(fmt.Sprint(host, "/", i), "Connection: close")
				if a.cut || strings.Contains(a.line, "Evil") {
					t.Errorf("%s: got %q", tt.name, a.line)
				}
				synctest.Wait()
			}
			if n := len(w.origin.dials); n != tt.conns {
				t.Errorf("%s: %d connections; want %d", tt.name, n, tt.conns)
			}
		})
	}
}

// TestShutdown checks that idle connections end after a second in which a request on them is still answered, that running
// exchanges finish, and that nothing is left.
func TestShutdown(t *testing.T) {
	inBubble(t, Options{}, func(a *ask) string {
		time.Sleep(5 * time.Second)
		return respond(200, "done", "Cache-Control: max-age=1, stale-while-revalidate=60")
	}, func(t *testing.T, w *world) {
		w.get(host + "/stale")
		time.Sleep(10 * time.Second)
		idle, silent, busy, late := w.client(), w.client(), w.client(), w.client()
		idle.get(host + "/stale") // and a revalidation in the background
		late.get(host + "/stale")
		busy.send(request("GET", host+"/", "") + request("GET", host+"/next", ""))
		time.Sleep(time.Second)
		ended := make(chan error)
		start := time.Now()
		go func() {
			ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
			defer cancel()
			ended <- w.p.Shutdown(ctx)
		}()
		time.Sleep(partingWait - time.Millisecond)
		late.send(request("POST", host+"/late", "x"))
		for name, c := range map[string]*client{"idle": idle, "silent": silent} {
			if _, err := c.r.ReadByte(); err != io.EOF || time.Since(start) != partingWait {
				t.Errorf("%s: got %v after %v; want the end after %v", name, err, time.Since(start), partingWait)
			}
		}
		if a := late.read("POST"); a.cut || a.body != "done" || a.get("Connection") != "close" {
			t.Errorf("late: got %q %q; want an answer and close", a.line, a.head)
		}
		if a := busy.read("GET"); a.body != "done" || a.get("Connection") != "close" {
			t.Errorf("busy: got %q %q; want its answer and close", a.line, a.head)
		}
		if err := <-ended; err != nil || time.Since(start) > 6*time.Second {
			t.Errorf("Shutdown: %v after %v; want nil after 6 s", err, time.Since(start))
		}
		here, there := net.Pipe()
		defer here.Close()
		ln := &pipeListener{conns: make(chan net.Conn, 1), done: make(chan struct{})}
		ln.conns <- there
		if err := w.p.Serve(ln, Explicit); err != nil {
			t.Errorf("Serve after Shutdown: %v; want nil", err)
		}
	})
}

// TestShutdown_cuts checks that what does not end in time is cut.
func TestShutdown_cuts(t *testing.T) {
	inBubble(t, Options{}, func(a *ask) string {
		if a.target == "/body" {
			a.say("HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nContent-Length: 10\r\n\r\nabc")
		}
		a.gone()
		return ""
	}, func(t *testing.T, w *world) {
		held, body, follower, upload := w.client(), w.client(), w.client(), w.client()
		held.send(request("POST", host+"/held", "x"))
		body.send(request("GET", host+"/body", ""))
		upload.send("POST " + host + "/upload HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 10\r\n\r\nabc")
		synctest.Wait()
		follower.send(request("GET", host+"/body", ""))
		time.Sleep(time.Second)
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		start := time.Now()
		if err := w.p.Shutdown(ctx); err != context.DeadlineExceeded || time.Since(start) > 11*time.Second {
			t.Errorf("Shutdown: %v after %v; want the deadline's error after 10 s", err, time.Since(start))
		}
		for name, c := range map[string]*client{"held": held, "body": body, "follower": follower, "upload": upload} {
			if a := c.read("GET"); !a.cut {
				t.Errorf("%s: got %q %q; want it cut", name, a.line, a.body)
			}
		}
	})
}
