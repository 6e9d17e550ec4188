package proxy

import (
	"strings"
	"testing"
)

// TestHopByHop_RFC9110_7_6_1 checks the fields that end here, in both directions, and that the rest passes as it came.
func TestHopByHop_RFC9110_7_6_1(t *testing.T) {
	const ends = "Connection: close, X-Named ,,x-other\r\nconnection: X-Third\r\nX-Named: 1\r\nX-OTHER: 2\r\nX-Third: 3\r\n" +
		"Keep-Alive: timeout=5\r\nProxy-Connection: keep-alive\r\nTE: gzip\r\nUpgrade: h2c\r\nHTTP2-Settings: AAA\r\n"
	const passes = "x-CASE: a\r\nAccept-Language: de\r\nX-Twice: 1\r\nX-Empty: \r\nX-Twice: 2\r\nX-Obs: \xe9\xff\r\nCookie: a=\"b\"; c\r\n"
	inBubble(t, Options{}, always("HTTP/1.1 200 All is Well\r\n"+ends+passes+"Proxy-Authenticate: Basic\r\nContent-Length: 0\r\n\r\n"), func(t *testing.T, w *world) {
		c := w.client()
		c.send("GET " + host + "/ HTTP/1.1\r\nHost: 192.0.2.1\r\n" + ends + "Proxy-Authorization: Basic x\r\n" + passes + "\r\n")
		a := c.read("GET")
		if want := "Host: 192.0.2.1\r\n" + passes + "Via: 1.1 jay-test\r\n"; w.origin.last().head != want {
			t.Errorf("request: got\n%q; want\n%q", w.origin.last().head, want)
		}
		want := passes + "Proxy-Authenticate: Basic\r\nContent-Length: 0\r\nDate: Sat, 01 Jan 2000 00:00:00 GMT\r\nVia: 1.1 jay-test\r\n" +
			"Cache-Status: jay; fwd=uri-miss; fwd-status=200; detail=no-explicit-freshness\r\nConnection: close\r\n"
		if got := normalized(a.head, "detail="); a.line != "HTTP/1.1 200 All is Well" || got != normalized(want, "detail=") {
			t.Errorf("response: got %q\n%q; want\n%q", a.line, a.head, want)
		}
	})
}

// normalized is field lines without the rest of the line from a word on.
func normalized(lines, from string) string {
	out := strings.Split(lines, "\r\n")
	for i, l := range out {
		out[i], _, _ = strings.Cut(l, from)
	}
	return strings.Join(out, "\r\n")
}

// TestNominations_RFC9110_7_6_1 checks that Connection cannot remove what a message cannot do without, and that what it
// does remove keeps the answer out of the cache where it has a say in it.
func TestNominations_RFC9110_7_6_1(t *testing.T) {
	tests := []struct {
		name, value string
		passes      bool
		stored      bool
	}{
		{"X-Any", "1", false, true},
		{"Content-Type", "text/plain", true, true},
		{"Forwarded", "for=1", true, true},
		{"X-Forwarded-For", "1", true, true},
		{"Date", "Sat, 01 Jan 2000 00:00:00 GMT", true, true},
		{"Accept-Language", "de", false, false},
		{"Accept", "*/*", false, false},
		{"Cookie", "a=b", false, false},
		{"Authorization", "Basic x", false, false},
		{"Range", "bytes=0-1", false, false},
		{"Cache-Control", "max-age=5", false, false},
		{"Pragma", "no-cache", false, false},
		{"If-None-Match", `"x"`, false, false},
		{"If-Modified-Since", "Sat, 01 Jan 2000 00:00:00 GMT", false, false},
	}
	for _, tt := range tests {
		inBubble(t, Options{}, always(respond(200, "ok", "Cache-Control: max-age=60")), func(t *testing.T, w *world) {
			w.get(host+"/", "Connection: "+tt.name, tt.name+": "+tt.value)
			if got := w.origin.last().get(tt.name); (got != "") != tt.passes {
				t.Errorf("%s: the origin got %q; want it passed %v", tt.name, got, tt.passes)
			}
			a := w.get(host + "/")
			if hit := strings.Contains(a.cacheStatus(), "hit"); hit != tt.stored {
				t.Errorf("%s: then got %q; want hit %v", tt.name, a.cacheStatus(), tt.stored)
			}
		})
	}
}

// TestHostNominated checks that Host and Content-Length survive being named.
func TestHostNominated(t *testing.T) {
	inBubble(t, Options{}, always(respond(200, "ok")), func(t *testing.T, w *world) {
		c := w.client()
		c.send(request("POST", host+"/", "abc", "Connection: host, content-length, via", "Via: 1.1 before"))
		c.read("POST")
		got := w.origin.last()
		if want := "Host: 192.0.2.1\r\nVia: 1.1 before\r\nContent-Length: 3\r\nVia: 1.1 jay-test\r\n"; got.head != want || got.body != "abc" {
			t.Errorf("got %q, %q; want %q", got.head, got.body, want)
		}
	})
}

// TestTE_RFC9110_10_1_4 checks that only the keyword trailers is passed on, and only if Connection names TE.
func TestTE_RFC9110_10_1_4(t *testing.T) {
	for _, tt := range []struct{ lines, te, connection string }{
		{"TE: trailers, deflate;q=0.5\r\nConnection: TE\r\n", "trailers", "TE"},
		{"TE: gzip\r\nTE: Trailers\r\nConnection: close, te\r\n", "trailers", "TE"},
		{"TE: trailers\r\n", "", ""},
		{"TE: gzip\r\nConnection: TE\r\n", "", ""},
	} {
		inBubble(t, Options{}, always(respond(200, "ok")), func(t *testing.T, w *world) {
			c := w.client()
			c.send("GET " + host + "/ HTTP/1.1\r\nHost: h\r\n" + tt.lines + "\r\n")
			c.read("GET")
			if got := w.origin.last(); got.get("TE") != tt.te || got.get("Connection") != tt.connection {
				t.Errorf("%q: got TE %q, Connection %q; want %q, %q", tt.lines, got.get("TE"), got.get("Connection"), tt.te, tt.connection)
			}
		})
	}
}

// TestVia_RFC9110_7_6_3 checks that each direction names the version it arrived in.
func TestVia_RFC9110_7_6_3(t *testing.T) {
	tests := []struct{ client, origin, sent, got string }{
		{"1.1", "1.1", "1.1 jay-test", "1.1 jay-test"},
		{"1.0", "1.1", "1.0 jay-test", "1.1 jay-test"},
		{"1.1", "1.0", "1.1 jay-test", "1.0 jay-test"},
	}
	for _, tt := range tests {
		inBubble(t, Options{}, always("HTTP/"+tt.origin+" 200 OK\r\nVia: 1.1 far\r\nContent-Length: 0\r\n\r\n"), func(t *testing.T, w *world) {
			c := w.client()
			c.send("GET " + host + "/ HTTP/" + tt.client + "\r\nHost: 192.0.2.1\r\n\r\n")
			a := c.read("GET")
			if got := w.origin.last().get("Via"); got != tt.sent {
				t.Errorf("request in %s: got Via %q; want %q", tt.client, got, tt.sent)
			}
			if got := strings.Join(a.values("Via"), "|"); got != "1.1 far|"+tt.got {
				t.Errorf("response in %s: got Via %q; want %q after the first", tt.origin, got, tt.got)
			}
		})
	}
}

// TestInventsNothing checks that no field appears that nobody sent, and none disappears.
func TestInventsNothing(t *testing.T) {
	inBubble(t, Options{}, always("HTTP/1.1 200 OK\r\nPragma: no-cache\r\nContent-Encoding: gzip\r\nContent-Length: 9\r\nETag: W/\"x\"\r\nDate: junk\r\n\r\n<html>abc"), func(t *testing.T, w *world) {
		a := w.get(host+"/", "Pragma: no-cache")
		if got, want := w.origin.last().head, "Host: 192.0.2.1\r\nPragma: no-cache\r\nVia: 1.1 jay-test\r\n"; got != want {
			t.Errorf("request: got %q; want %q", got, want)
		}
		for _, name := range []string{"Content-Type", "Cache-Control", "Server", "Age", "Transfer-Encoding", "Proxy-Status", "Warning", "Connection"} {
			if v := a.values(name); v != nil {
				t.Errorf("response: got %s %q; want none", name, v)
			}
		}
		if a.get("Date") != "junk" || a.get("Content-Encoding") != "gzip" || a.body != "<html>abc" {
			t.Errorf("response: got %q %q; want it as it came", a.head, a.body)
		}
	})
}

// TestContentLength_RFC9112_6_3 checks that a length given more than once in an acceptable way goes on as one number.
func TestContentLength_RFC9112_6_3(t *testing.T) {
	inBubble(t, Options{}, always("HTTP/1.1 200 OK\r\nContent-Length: 2, 2\r\nCache-Control: no-store\r\nContent-Length: 2\r\n\r\nok"), func(t *testing.T, w *world) {
		c := w.client()
		c.send("POST " + host + "/ HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nContent-Length: 3, 3\r\n\r\nabc")
		a := c.read("POST")
		if got := valuesOf(w.origin.last().head, "Content-Length"); len(got) != 1 || got[0] != "3" || w.origin.last().body != "abc" {
			t.Errorf("request: got %q; want 3", got)
		}
		if got := a.values("Content-Length"); len(got) != 1 || got[0] != "2" || a.body != "ok" {
			t.Errorf("response: got %q, %q; want 2", got, a.body)
		}
	})
}
