package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/jayproxy/jay/e2e/origin"
	"github.com/jayproxy/jay/e2e/rawhttp"
	"github.com/jayproxy/jay/proxy/wire/wiretest"
)

// exactly fails the test unless the origin got whole requests for these
// targets, in this order, and nothing else.
func exactly(t *testing.T, o *origin.Origin, since int, targets ...string) {
	t.Helper()
	var got []string
	for _, r := range o.Requests()[since:] {
		got = append(got, r.Target)
	}
	if strings.Join(got, " ") != strings.Join(targets, " ") {
		t.Errorf("origin got %q; want %q", got, targets)
	}
}

// patient is how long something may take that takes d at most where nothing
// else runs: longer under the race detector, and where many tests run at once.
func patient(d time.Duration) time.Duration {
	if raceEnabled {
		return 6 * d
	}
	return 2 * d
}

// closes fails the test unless jay ends the connection without another byte.
func closes(t *testing.T, c *rawhttp.Conn, after string) {
	t.Helper()
	if !c.Closed(closeTime) {
		t.Errorf("%s: the connection goes on; want it closed", after)
	}
}

// TestTrailers_merged: what a trailer section says never becomes a header field,
// in neither direction, and framing, routing and credentials in it are dropped
// (A10).
func TestTrailers_merged(t *testing.T) {
	t.Parallel()
	evil := rawhttp.F("Content-Length", "3", "Transfer-Encoding", "chunked", "Host", "evil.test", "Authorization", "Basic eDp5",
		"Proxy-Authorization", "Basic eDp5", "Cache-Control", "no-store", "Content-Encoding", "gzip", "Set-Cookie", "a=b", "Age", "0")
	o := startOrigin(t, func(x *origin.Exchange) {
		if _, err := x.ReadBody(); err != nil {
			x.Close()
			return
		}
		x.Head("200 OK", rawhttp.F("Cache-Control", "max-age=600", "Transfer-Encoding", "chunked"))
		x.Chunk("body")
		x.Send("0\r\n" + evil.String() + "\r\n")
	})
	eachWay(t, startJay(t), func(t *testing.T, w way) {
		path := "/" + w.name
		c := w.dial(t, o.Addr())
		send(t, c, rawhttp.Request("POST", w.target(o.Addr(), path), rawhttp.F("Host", o.Addr(), "Transfer-Encoding", "chunked"),
			"4\r\nabcd\r\n0\r\n"+evil.String()+"\r\n"))
		receive(t, c, "POST")
		r := o.To(path)[0]
		for _, f := range evil[:5] {
			if strings.Contains(r.Fields.Joined(f.Name), f.Value) && f.Name != "Transfer-Encoding" || r.Trailers.Has(f.Name) {
				t.Errorf("origin got %s in %q, trailers %q; want it dropped", f.Name, r.Fields, r.Trailers)
			}
		}
		for i := range 2 {
			resp := w.do(t, "GET", o.Addr(), path+"/get", nil, "")
			if resp.Fields.Get("Cache-Control") != "max-age=600" || resp.Fields.Has("Set-Cookie") || resp.Fields.Has("Content-Encoding") || string(resp.Body) != "body" {
				t.Errorf("%d: got %v; want no trailer among the fields", i, resp)
			}
			for _, name := range []string{"Content-Length", "Transfer-Encoding", "Set-Cookie"} {
				if i > 0 && resp.Trailers.Has(name) {
					t.Errorf("got trailers %q from the cache; want no %s", resp.Trailers, name)
				}
			}
		}
	})
}

// TestBody_RFC9112_6_3: whatever the method, a body is read by its framing
// before the next request, and nothing in it is taken for one (A11).
func TestBody_RFC9112_6_3(t *testing.T) {
	t.Parallel()
	o := startOrigin(t, func(x *origin.Exchange) {
		body, err := x.ReadBody()
		if err != nil {
			x.Close()
			return
		}
		x.OK(fmt.Sprintf("%s %d", x.Req.Method, len(body)))
	})
	eachWay(t, startJay(t), func(t *testing.T, w way) {
		hidden := w.get(o.Addr(), wiretest.Smuggled, nil)
		for _, method := range []string{"GET", "HEAD", "DELETE", "OPTIONS", "PROPFIND", "QUERY"} {
			for name, framed := range map[string]string{
				"length":  rawhttp.F("Content-Length", fmt.Sprint(len(hidden))).String() + "\r\n" + hidden,
				"chunked": "Transfer-Encoding: chunked\r\n\r\n" + fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(hidden), hidden),
			} {
				before := len(o.Requests())
				path := fmt.Sprintf("/%s/%s/%s", w.name, method, name)
				c := w.dial(t, o.Addr())
				send(t, c, fmt.Sprintf("%s %s HTTP/1.1\r\nHost: %s\r\n%s%s", method, w.target(o.Addr(), path), o.Addr(), framed, w.get(o.Addr(), path+"/next", nil)))
				resp := receive(t, c, method)
				if resp.Code == 400 || resp.Code == 413 {
					closes(t, c, method)
					exactly(t, o, before)
					continue
				}
				if resp.Fields.Has("Cache-Status") && strings.Contains(resp.Fields.Joined("Cache-Status"), "stored") {
					t.Errorf("%s with a body: got Cache-Status %q; want the cache bypassed", method, resp.Fields.Joined("Cache-Status"))
				}
				if next := receive(t, c, "GET"); string(next.Body) != "GET 0" {
					t.Errorf("%s: then got %v; want the answer to the next request", method, next)
				}
				exactly(t, o, before, path, path+"/next")
				c.Close()
			}
		}
		before := len(o.Requests())
		c := w.dial(t, o.Addr())
		send(t, c, fmt.Sprintf("TRACE %s HTTP/1.1\r\nHost: %s\r\nMax-Forwards: 0\r\nContent-Length: %d\r\n\r\n%s", w.target(o.Addr(), "/t"), o.Addr(), len(hidden), hidden))
		receive(t, c, "TRACE")
		c.Close()
		exactly(t, o, before)
	})
}

// TestEarlyAnswer: when the origin answers before it has the body, neither
// connection is used again, and what follows of the body is no request (A12).
func TestEarlyAnswer(t *testing.T) {
	t.Parallel()
	o := startOrigin(t, func(x *origin.Exchange) {
		if x.Req.Method == "POST" {
			x.Reply("413 Content Too Large", nil, "too large")
		} else {
			x.OK("fine")
		}
	})
	eachWay(t, startJay(t), func(t *testing.T, w way) {
		for _, expect := range []rawhttp.Fields{nil, rawhttp.F("Expect", "100-continue")} {
			before := len(o.Requests())
			path := fmt.Sprintf("/%s/%d", w.name, len(expect))
			c := w.dial(t, o.Addr())
			hidden := w.get(o.Addr(), wiretest.Smuggled, nil)
			fs := append(rawhttp.F("Host", o.Addr(), "Content-Length", fmt.Sprint(10_000+len(hidden))), expect...)
			send(t, c, rawhttp.Request("POST", w.target(o.Addr(), path), fs, ""))
			if expect == nil {
				send(t, c, strings.Repeat("x", 10))
			}
			resp := receive(t, c, "POST")
			if resp.Code != 413 {
				t.Errorf("got %v; want the origin's 413", resp)
			}
			_ = c.Send(hidden) // the connection may be closed already
			closes(t, c, "413 before the body")
			w.do(t, "GET", o.Addr(), path+"/next", nil, "")
			exactly(t, o, before, path, path+"/next")
			if r := o.Requests()[before:]; len(r) == 2 && r[0].Conn == r[1].Conn {
				t.Errorf("the next request came on connection %d, too; want a fresh one", r[1].Conn)
			}
		}
	})
}

// TestConnect_RFC9931: whatever the reason for refusing a CONNECT, the
// connection ends, and what the client had sent behind it is not looked at
// (A15).
func TestConnect_RFC9931(t *testing.T) {
	t.Parallel()
	o := startOrigin(t, func(x *origin.Exchange) { x.OK("smuggled") })
	j := startJay(t, "--connect-timeout", "2s")
	dead := listen(t)
	nobody := dead.Addr().String()
	dead.Close()
	for _, w := range waysOf(j) {
		for _, tt := range []struct {
			authority string
			min, max  int
		}{
			{nobody, 502, 502}, {j.Proxy, 403, 508}, {j.Intercept, 403, 508}, {"no-such-host.invalid:443", 502, 504}, {"127.0.0.1", 400, 400},
			{"127.0.0.1:0", 400, 400}, {"http://" + o.Addr() + "/", 400, 400}, {"[::1", 400, 400}, {"u:p@" + o.Addr(), 400, 400}, {"*", 400, 400},
		} {
			if w.transparent && tt.min == 502 {
				tt.min = 400 // a client that knows of no proxy sends no CONNECT
			}
			c := w.dial(t, o.Addr())
			began := time.Now()
			send(t, c, "CONNECT "+tt.authority+" HTTP/1.1\r\nHost: "+o.Addr()+"\r\n\r\n"+w.get(o.Addr(), wiretest.Smuggled, nil))
			resp, err := c.ReadResponse("GET")
			if err != nil || resp.Code < tt.min || resp.Code > tt.max {
				t.Errorf("%s %s: got %v, %v; want %d", w.name, tt.authority, resp, err, tt.min)
				continue
			}
			closes(t, c, w.name+" "+tt.authority)
			if d := time.Since(began); d > 10*time.Second {
				t.Errorf("%s %s: took %v", w.name, tt.authority, d)
			}
		}
	}
	exactly(t, o, 0)
}

// TestUpgrade_RFC9110_7_8: an upgrade is only asked of the origin for WebSocket,
// with GET and no body; nothing of any other reaches it, and its 101 is an
// error (A16).
func TestUpgrade_RFC9110_7_8(t *testing.T) {
	t.Parallel()
	o := startOrigin(t, func(x *origin.Exchange) {
		if _, err := x.ReadBody(); err != nil {
			x.Close()
		} else if strings.HasPrefix(x.Path(), "/101") {
			x.Head("101 Switching Protocols", rawhttp.F("Connection", "Upgrade", "Upgrade", x.Req.Fields.Get("X-Token")))
			x.Send("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison")
		} else {
			x.OK("plain")
		}
	})
	eachWay(t, startJay(t), func(t *testing.T, w way) {
		for i, tt := range []struct {
			method, token, body string
		}{
			{"POST", "websocket", "body"}, {"GET", "websocket", "body"}, {"PUT", "websocket", ""}, {"GET", "h2c", ""}, {"GET", "websocket, h2c", "body"},
			{"GET", "WebSocket2", ""}, {"GET", "TLS/1.2", ""}, {"POST", "h2c", "body"},
		} {
			fs := rawhttp.F("Connection", "Upgrade, HTTP2-Settings", "Upgrade", tt.token, "HTTP2-Settings", "AAMAAABkAAQAAP__", "X-Token", tt.token)
			if tt.body != "" {
				fs = append(fs, rawhttp.F("Content-Length", fmt.Sprint(len(tt.body)))...)
			}
			resp := w.do(t, tt.method, o.Addr(), fmt.Sprintf("/%s/%d", w.name, i), fs, tt.body)
			all := o.To(fmt.Sprintf("/%s/%d", w.name, i))
			if resp.Code == 200 && len(all) == 1 {
				if r := all[0]; r.Fields.Has("Upgrade") || r.Fields.Has("HTTP2-Settings") || strings.Contains(strings.ToLower(r.Fields.Joined("Connection")), "upgrade") {
					t.Errorf("%s %q: origin got %q; want the upgrade stripped", tt.method, tt.token, r.Fields)
				}
			} else if resp.Code != 400 {
				t.Errorf("%s %q: got %v; want it served as plain HTTP", tt.method, tt.token, resp)
			}
			resp = w.do(t, tt.method, o.Addr(), fmt.Sprintf("/101/%s/%d", w.name, i), fs, tt.body)
			if resp.Code != 502 && resp.Code != 400 {
				t.Errorf("%s %q: got %v for a 101 that was not asked for; want 502", tt.method, tt.token, resp)
			}
		}
	})
}
