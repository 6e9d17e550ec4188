package proxy

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestCacheStatus_RFC9211 checks the exact member for each way to an answer.
func TestCacheStatus_RFC9211(t *testing.T) {
	fresh := respond(200, "ok", "Cache-Control: max-age=60", `ETag: "1"`)
	tests := []struct {
		name   string
		origin string // what the origin answers
		wait   time.Duration
		second []string // the fields of the second request
		first  string
		then   string
	}{
		{"hit", fresh, 5 * time.Second, nil,
			"jay; fwd=uri-miss; fwd-status=200; stored; ttl=60; detail=explicit-freshness", "jay; hit; ttl=55; detail=fresh"},
		{"stale", fresh, 61 * time.Second, nil,
			"jay; fwd=uri-miss; fwd-status=200; stored; ttl=60; detail=explicit-freshness",
			"jay; fwd=stale; fwd-status=200; stored; ttl=60; detail=explicit-freshness"},
		{"request no-cache", fresh, 5 * time.Second, []string{"Cache-Control: no-cache"},
			"jay; fwd=uri-miss; fwd-status=200; stored; ttl=60; detail=explicit-freshness",
			"jay; fwd=request; fwd-status=200; stored; ttl=60; detail=explicit-freshness"},
		{"no-store", respond(200, "ok", "Cache-Control: no-store"), 0, nil,
			"jay; fwd=uri-miss; fwd-status=200; detail=no-store", "jay; fwd=uri-miss; fwd-status=200; detail=no-store"},
		{"private", respond(200, "ok", "Cache-Control: private"), 0, nil,
			"jay; fwd=uri-miss; fwd-status=200; detail=private", "jay; fwd=uri-miss; fwd-status=200; detail=private"},
		{"another variant", respond(200, "ok", "Cache-Control: max-age=60", "Vary: X-A"), 0, []string{"X-A: 1"},
			"jay; fwd=uri-miss; fwd-status=200; stored; ttl=60; detail=explicit-freshness",
			"jay; fwd=vary-miss; fwd-status=200; stored; ttl=60; detail=explicit-freshness"},
		{"vary star", respond(200, "ok", "Cache-Control: max-age=60", "Vary: *"), 0, nil,
			"jay; fwd=uri-miss; fwd-status=200; detail=vary-star", "jay; fwd=uri-miss; fwd-status=200; detail=vary-star"},
		{"only-if-cached", respond(200, "ok"), 0, []string{"Cache-Control: only-if-cached"},
			"jay; fwd=uri-miss; fwd-status=200; detail=no-freshness", "jay; fwd=request; detail=only-if-cached"},
		{"precondition", fresh, 0, []string{`If-Match: "1"`},
			"jay; fwd=uri-miss; fwd-status=200; stored; ttl=60; detail=explicit-freshness",
			"jay; fwd=bypass; fwd-status=200; detail=precondition"},
		{"stale allowed", fresh, 70 * time.Second, []string{"Cache-Control: max-stale=20"},
			"jay; fwd=uri-miss; fwd-status=200; stored; ttl=60; detail=explicit-freshness", "jay; hit; ttl=-10; detail=max-stale"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			inBubble(t, Options{}, always(tt.origin), func(t *testing.T, w *world) {
				first := w.get(host + "/x")
				time.Sleep(tt.wait)
				then := w.get(host+"/x", tt.second...)
				if spelled(first.cacheStatus()) != spelled(tt.first) || spelled(then.cacheStatus()) != spelled(tt.then) {
					t.Errorf("got\n%s\n%s; want\n%s\n%s", first.cacheStatus(), then.cacheStatus(), tt.first, tt.then)
				}
			})
		})
	}
}

// spelled leaves the words for what was stored to the package that has them.
func spelled(s string) string {
	s = strings.ReplaceAll(s, "detail=explicit-freshness", "detail=explicit")
	return strings.ReplaceAll(s, "detail=no-freshness", "detail=no-explicit-freshness")
}

// TestCacheStatus_method checks what is said of requests that the cache has no part in.
func TestCacheStatus_method(t *testing.T) {
	inBubble(t, Options{CacheStatusKey: true}, always(respond(200, "ok")), func(t *testing.T, w *world) {
		a := w.client().do("DELETE", host+`/a"b`)
		if want := `jay; fwd=method; fwd-status=200; key="http://192.0.2.1/a\"b"; detail=method`; a.cacheStatus() != want {
			t.Errorf("got %s; want %s", a.cacheStatus(), want)
		}
	})
}

// TestCacheStatus_list checks that the members of caches before this one stay, in their order.
func TestCacheStatus_list(t *testing.T) {
	inBubble(t, Options{}, always(respond(200, "ok", "Cache-Status: far; hit", "Cache-Control: no-store")), func(t *testing.T, w *world) {
		got := w.get(host + "/").values("Cache-Status")
		if len(got) != 2 || got[0] != "far; hit" || !strings.HasPrefix(got[1], "jay; ") {
			t.Errorf("got %q; want far, then jay", got)
		}
	})
}

// TestAge_RFC9111_5_1 checks Age on hits, from fresh and from aged responses, and that a miss invents none.
func TestAge_RFC9111_5_1(t *testing.T) {
	tests := []struct {
		lines       []string
		delay, wait time.Duration
		first, then string
	}{
		{[]string{"Cache-Control: max-age=100"}, 0, 7 * time.Second, "", "7"},
		{[]string{"Cache-Control: max-age=100", "Age: 30"}, 0, 7 * time.Second, "30", "37"},
		{[]string{"Cache-Control: max-age=100", "Age: 30"}, 4 * time.Second, 7 * time.Second, "34", "41"},
		{[]string{"Cache-Control: max-age=100", "Date: Fri, 31 Dec 1999 23:59:50 GMT"}, 0, 7 * time.Second, "", "17"},
		{[]string{"Cache-Control: max-age=100"}, 0, 1900 * time.Millisecond, "", "1"},
	}
	for _, tt := range tests {
		inBubble(t, Options{}, func(*ask) string {
			time.Sleep(tt.delay)
			return respond(200, "ok", tt.lines...)
		}, func(t *testing.T, w *world) {
			first := w.get(host + "/")
			time.Sleep(tt.wait)
			then := w.get(host + "/")
			if first.get("Age") != tt.first || then.get("Age") != tt.then || len(then.values("Age")) > 1 {
				t.Errorf("%v after %v: got Age %q, then %q; want %q, %q", tt.lines, tt.wait, first.get("Age"), then.values("Age"), tt.first, tt.then)
			}
		})
	}
}

// TestProxyStatus_RFC9209 checks the answer to each failure of an origin: never 500, nothing of what is inside, and the
// error type in words of the RFC.
func TestProxyStatus_RFC9209(t *testing.T) {
	ns := &nameserver{addrs: map[string]string{}}
	dialFails := func(err error) func(context.Context, string, string) (net.Conn, error) {
		return func(context.Context, string, string) (net.Conn, error) {
			return nil, &net.OpError{Op: "dial", Err: err}
		}
	}
	tests := []struct {
		name   string
		o      Options
		url    string
		origin string
		status int
		kind   string
	}{
		{"no such name", Options{DNS: ns.dns()}, "http://nowhere.test/", "", 502, `dns_error; rcode="NXDOMAIN"`},
		{"refused", Options{Dial: dialFails(syscall.ECONNREFUSED)}, host + "/", "", 502, "connection_refused"},
		{"unreachable", Options{Dial: dialFails(syscall.EHOSTUNREACH)}, host + "/", "", 502, "destination_ip_unroutable"},
		{"no connection in time", Options{Dial: dialFails(context.DeadlineExceeded)}, host + "/", "", 504, "connection_timeout"},
		{"no descriptor", Options{Dial: dialFails(syscall.EMFILE)}, host + "/", "", 503, "connection_limit_reached"},
		{"closed at once", Options{}, host + "/", "", 502, "connection_terminated"},
		{"cut head", Options{}, host + "/", "HTTP/1.1 200 OK\r\nX: 1", 502, "http_response_incomplete"},
		{"not HTTP", Options{}, host + "/", "SSH-2.0-x\r\n", 502, "http_protocol_error"},
		{"two lengths", Options{}, host + "/", "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab", 502, "http_protocol_error"},
		{"large head", Options{}, host + "/", "HTTP/1.1 200 OK\r\nX: " + strings.Repeat("x", 70<<10) + "\r\n\r\n", 502, "http_response_header_section_size"},
		{"unasked 101", Options{}, host + "/", "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n", 502, "http_protocol_error"},
		{"unasked 304", Options{}, host + "/", "HTTP/1.1 304 Not Modified\r\n\r\n", 502, "http_protocol_error"},
		{"unasked 206", Options{}, host + "/", "HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 0-0/2\r\nContent-Length: 1\r\n\r\na", 502, "http_protocol_error"},
		{"eleven interim", Options{}, host + "/", strings.Repeat("HTTP/1.1 103 Early Hints\r\n\r\n", 11) + respond(200, ""), 502, "http_protocol_error"},
		{"no answer", Options{HeaderTimeout: time.Second}, host + "/", "wait", 504, "http_response_timeout"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			inBubble(t, tt.o, func(a *ask) string {
				if tt.origin == "wait" {
					a.gone()
					return ""
				}
				a.say(tt.origin)
				return ""
			}, func(t *testing.T, w *world) {
				a := w.get(tt.url)
				if want := "jay; error=" + tt.kind; a.status != tt.status || a.get("Proxy-Status") != want {
					t.Errorf("got %q, Proxy-Status %q; want %d, %q", a.line, a.get("Proxy-Status"), tt.status, want)
				}
				if _, err := time.Parse(dateFormat, a.get("Date")); err != nil {
					t.Errorf("Date: %v", err)
				}
				if a.get("Cache-Control") != "no-store" || !strings.HasPrefix(a.body, fmt.Sprint(tt.status, " ")) || strings.Contains(a.body, "dial") {
					t.Errorf("got %q %q; want no-store and a plain text", a.head, a.body)
				}
			})
		})
	}
}

// TestErrorPage checks that a browser gets HTML, and that a failed GET leaves the connection usable.
func TestErrorPage(t *testing.T) {
	inBubble(t, Options{}, always(""), func(t *testing.T, w *world) {
		c := w.client()
		a := c.get(host+"/<script>", "Accept: text/html,application/xhtml+xml")
		if a.get("Content-Type") != "text/html; charset=utf-8" || !strings.Contains(a.body, "502 Bad Gateway") || strings.Contains(a.body, "script>") {
			t.Errorf("got %q %q; want a page without input", a.head, a.body)
		}
		if a := c.get(host + "/again"); a.status != 502 {
			t.Errorf("then: got %q; want 502 on the same connection", a.line)
		}
		if a := c.do("HEAD", host+"/"); a.status != 502 || a.body != "" {
			t.Errorf("HEAD: got %q %q", a.line, a.body)
		}
	})
}

// TestNever500 checks the one path that no error type fits.
func TestNever500(t *testing.T) {
	if f := faultOf(errors.New("unheard of")); f.status != 502 || f.kind == "" || f.text == "" {
		t.Errorf("got %+v; want 502 with a type and a text", f)
	}
	for err, want := range map[error]string{io.EOF: "origin-broke-off", context.Canceled: "client-closed", syscall.EPIPE: "client-closed"} {
		if got := cause(err); got != want {
			t.Errorf("cause of %v: got %s; want %s", err, got, want)
		}
	}
}
