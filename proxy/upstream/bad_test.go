package upstream_test

import (
	"errors"
	"io"
	"net"
	"strings"
	"testing"

	"github.com/jayproxy/jay/proxy/upstream"
	"github.com/jayproxy/jay/proxy/wire/wiretest"
)

// How a bad origin ends the connection.
const (
	fin = iota
	rst
	stay
)

// badResponses are answers of which nothing may pass for whole. body is what
// the client may have got until it learned so; kind is where it learned.
var badResponses = []struct {
	name, sent string
	end        int
	inBody     bool // the head is good
	kind       string
	status     int
}{
	{"B1 short length", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello", fin, true, upstream.KindResponseIncomplete, 502},
	{"B1 short length, reset", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello", rst, true, upstream.KindResponseIncomplete, 502},
	{"B1 no last chunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", fin, true, upstream.KindResponseIncomplete, 502},
	{"B1 cut in chunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nhello", fin, true, upstream.KindResponseIncomplete, 502},
	{"B1 cut in last chunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n", fin, true, upstream.KindResponseIncomplete, 502},
	{"B1 chunked, reset", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", rst, true, upstream.KindResponseIncomplete, 502},
	{"B1 bad chunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nxyz\r\n", stay, true, upstream.KindResponseCoding, 502},
	{"B1 chunk size sign", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n+5\r\nhello\r\n0\r\n\r\n", stay, true, upstream.KindResponseCoding, 502},
	{"B1 chunk bare LF", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\nhello\r\n0\r\n\r\n", stay, true, upstream.KindResponseCoding, 502},
	{"B2 until close, reset", "HTTP/1.1 200 OK\r\n\r\nhello", rst, true, upstream.KindResponseIncomplete, 502},
	{"B3 cut in fields", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n", fin, false, upstream.KindResponseIncomplete, 502},
	{"B3 cut in status line", "HTTP/1.1 20", fin, false, upstream.KindResponseIncomplete, 502},
	{"B3 one byte", "H", fin, false, upstream.KindResponseIncomplete, 502},
	{"B3 nothing", "", fin, false, upstream.KindConnectionTerminated, 502},
	{"B3 nothing, reset", "", rst, false, upstream.KindConnectionTerminated, 502},
	{"B4 both framings", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", stay, false, upstream.KindProtocolError, 502},
	{"B4 lengths differ", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello", stay, false, upstream.KindProtocolError, 502},
	{"B4 negative length", "HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\nhello", stay, false, upstream.KindProtocolError, 502},
	{"B4 length over 64 bit", "HTTP/1.1 200 OK\r\nContent-Length: 18446744073709551621\r\n\r\nhello", stay, false, upstream.KindProtocolError, 502},
	{"B4 length with letters", "HTTP/1.1 200 OK\r\nContent-Length: 5abc\r\n\r\nhello", stay, false, upstream.KindProtocolError, 502},
	{"B4 unknown coding", "HTTP/1.1 200 OK\r\nTransfer-Encoding: zip\r\n\r\nhello", stay, false, upstream.KindProtocolError, 502},
	{"B4 two codings", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", stay, false, upstream.KindProtocolError, 502},
	{"B4 coding in 1.0", "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", stay, false, upstream.KindProtocolError, 502},
	{"B6 NUL", "HTTP/1.1 200 OK\r\nX: a\x00b\r\nContent-Length: 5\r\n\r\nhello", stay, false, upstream.KindProtocolError, 502},
	{"B6 bare CR", "HTTP/1.1 200 OK\r\nX: a\rY: b\r\nContent-Length: 5\r\n\r\nhello", stay, false, upstream.KindProtocolError, 502},
	{"B6 bare LF", "HTTP/1.1 200 OK\nContent-Length: 5\n\nhello", stay, false, upstream.KindProtocolError, 502},
	{"B6 space before colon", "HTTP/1.1 200 OK\r\nContent-Length : 5\r\n\r\nhello", stay, false, upstream.KindProtocolError, 502},
	{"B6 no colon", "HTTP/1.1 200 OK\r\nnonsense\r\nContent-Length: 5\r\n\r\nhello", stay, false, upstream.KindProtocolError, 502},
	{"B6 fold of framing", "HTTP/1.1 200 OK\r\nContent-Length:\r\n 5\r\n\r\nhello", stay, false, upstream.KindProtocolError, 502},
	{"B7 unasked 101", "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\nbytes", stay, false, upstream.KindProtocolError, 502},
	{"B8 200 times 103", strings.Repeat("HTTP/1.1 103 Early Hints\r\n\r\n", 200) + okHello, stay, false, upstream.KindProtocolError, 502},
	{"B9 status 99", "HTTP/1.1 99 Low\r\nContent-Length: 0\r\n\r\n", stay, false, upstream.KindProtocolError, 502},
	{"B9 status 999", "HTTP/1.1 999 High\r\nContent-Length: 0\r\n\r\n", stay, false, upstream.KindProtocolError, 502},
	{"B9 status 2000", "HTTP/1.1 2000 Long\r\nContent-Length: 0\r\n\r\n", stay, false, upstream.KindProtocolError, 502},
	{"B9 HTTP/2.0", "HTTP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n", stay, false, upstream.KindProtocolError, 502},
	{"B9 HTTP/0.9", "<html>hello</html>", stay, false, upstream.KindProtocolError, 502},
	{"B9 another protocol", "SSH-2.0-OpenSSH_9.2\r\n", stay, false, upstream.KindProtocolError, 502},
	{"B9 HTTP/2 preface", "\x00\x00\x12\x04\x00\x00\x00\x00\x00", stay, false, upstream.KindProtocolError, 502},
	{"B9 empty line first", "\r\n" + okHello, stay, false, upstream.KindProtocolError, 502},
	{"B10 1 MB head", "HTTP/1.1 200 OK\r\nX: " + strings.Repeat("a", 1<<20) + "\r\n\r\n", stay, false, upstream.KindResponseHeaderSize, 502},
	{"B10 1 MB of fields", "HTTP/1.1 200 OK\r\n" + strings.Repeat("X-Field: some value\r\n", 50000) + "\r\n", stay, false, upstream.KindResponseHeaderSize, 502},
	{"B10 5000 fields", "HTTP/1.1 200 OK\r\n" + strings.Repeat("a:\r\n", 5000) + "\r\n", stay, false, upstream.KindProtocolError, 502},
	{"B10 endless line", strings.Repeat("HTTP/1.1 200 ", 1<<17), stay, false, upstream.KindResponseHeaderSize, 502},
	{"trailers too many", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n" + strings.Repeat("a: b\r\n", 5000) + "\r\n", stay, true, upstream.KindResponseTrailerSize, 502},
}

// TestDo_BadResponses covers rows B1 to B10: each answer is an error of the right
// kind, and its connection serves nobody else.
func TestDo_BadResponses(t *testing.T) {
	for _, tt := range badResponses {
		t.Run(tt.name, func(t *testing.T) {
			noLeaks(t)
			o := newOrigin(t, func(n int, p *peer) {
				if p.head() == "" {
					return
				}
				if n > 0 {
					p.say(okHello)
					p.wait()
					return
				}
				p.say(tt.sent)
				switch tt.end {
				case rst:
					p.reset()
				case stay:
					p.wait()
				}
			})
			c := newClient(t, upstream.Options{})
			status, body, err := fetch(t.Context(), c, o.origin(), get())
			var e *upstream.Error
			if !errors.As(err, &e) {
				t.Fatalf("got %d %q and error %v; want an *Error", status, body, err)
			}
			if tt.inBody != (status != 0) {
				t.Errorf("got status %d with error %v; want an error in the body: %v", status, err, tt.inBody)
			}
			if e.Kind != tt.kind && !(tt.end == rst && e.Kind == upstream.KindConnectionTerminated) || e.Status != tt.status {
				t.Errorf("got %s, %d: %v; want %s, %d", e.Kind, e.Status, e.Err, tt.kind, tt.status)
			}
			if status, body, err := fetch(t.Context(), c, o.origin(), get()); status != 200 || body != "hello" || err != nil {
				t.Errorf("next exchange: got %d %q %v; want 200 hello", status, body, err)
			}
			if n := o.accepted.Load(); n != 2 {
				t.Errorf("got %d connections; want 2", n)
			}
		})
	}
}

// TestDo_BadResponseCorpus has the bad responses that the whole proxy is tested with.
func TestDo_BadResponseCorpus(t *testing.T) {
	noLeaks(t)
	var answer string // of the one connection that is open
	o := newOrigin(t, func(_ int, p *peer) {
		p.head()
		p.say(answer)
		p.Conn.(*net.TCPConn).CloseWrite()
		p.wait()
	})
	c := newClient(t, upstream.Options{})
	for _, tt := range wiretest.BadResponses() {
		answer = tt.Raw
		status, body, err := fetch(t.Context(), c, o.origin(), get())
		var e *upstream.Error
		if !errors.As(err, &e) || e.Status != tt.Status {
			t.Errorf("%s: got %d %q, %v; want an *Error with %d", tt.Name, status, body, err, tt.Status)
		}
		if status != 0 && !tt.Body {
			t.Errorf("%s: got %d and %v in the body; want the error in the head", tt.Name, status, err)
		}
		if pools, conns := c.Pools(); pools != 0 || conns != 0 {
			t.Fatalf("%s: got %d pools, %d connections; want none", tt.Name, pools, conns)
		}
	}
}

// TestBody_FailsForGood: a body that broke off never ends well later.
func TestBody_FailsForGood(t *testing.T) {
	noLeaks(t)
	o := newOrigin(t, func(_ int, p *peer) {
		p.head()
		p.say("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello")
	})
	c := newClient(t, upstream.Options{})
	resp, err := c.Do(t.Context(), o.origin(), get())
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Close()
	_, first := io.ReadAll(resp.Body)
	_, second := io.ReadAll(resp.Body)
	if first == nil || first != second || resp.Body.Whole() {
		t.Errorf("got %v, then %v, whole %v; want the same error twice, not whole", first, second, resp.Body.Whole())
	}
}

// TestClose_RFC9112_6_3 has answers that cannot have a body, with and without
// one. With one the connection is not used again.
func TestClose_RFC9112_6_3(t *testing.T) {
	for _, tt := range []struct {
		name, method, sent string
		conns              int32
	}{
		{"204", "GET", "HTTP/1.1 204 No Content\r\n\r\n", 1},
		{"304", "GET", "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", 1},
		{"HEAD", "HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", 1},
		{"HEAD chunked", "HEAD", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", 1},
		{"B7 204 with a body", "GET", "HTTP/1.1 204 No Content\r\n\r\nhello", 2},
		{"B7 204 with length and body", "GET", "HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\nhello", 2},
		{"B7 304 with a body", "GET", "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\nhello", 2},
		{"B7 HEAD with a body", "HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", 2},
		{"B7 100 with a body", "GET", "HTTP/1.1 100 Continue\r\n\r\n" + "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\nhello", 2},
		{"B5 two answers", "HEAD", strings.Repeat("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", 2), 2},
		{"closed by option", "HEAD", "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n", 2},
		{"closed by one option of many", "HEAD", "HTTP/1.1 200 OK\r\nConnection: x-y\r\nConnection: keep-alive, Close\r\n\r\n", 2},
		{"HTTP/1.0", "HEAD", "HTTP/1.0 200 OK\r\n\r\n", 2},
		{"HTTP/1.0 kept", "HEAD", "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n\r\n", 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			noLeaks(t)
			o := newOrigin(t, func(_ int, p *peer) {
				for p.head() != "" {
					p.say(tt.sent)
				}
			})
			c := newClient(t, upstream.Options{})
			for range 2 {
				r := get()
				r.Method = tt.method // the origin does not look
				if _, body, err := fetch(t.Context(), c, o.origin(), r); body != "" || err != nil {
					t.Fatalf("got body %q, error %v; want none", body, err)
				}
				if _, kept := c.Pools(); tt.conns == 2 && kept != 0 {
					t.Error("the connection was kept; want it closed")
				}
			}
			if n := o.accepted.Load(); n != tt.conns {
				t.Errorf("got %d connections; want %d", n, tt.conns)
			}
		})
	}
}

// TestClose_Unread: a body that was not read to its end takes its connection with it.
func TestClose_Unread(t *testing.T) {
	for name, sent := range map[string]string{
		"length":      okHello,
		"chunked":     "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
		"until close": "HTTP/1.1 200 OK\r\n\r\nhello",
	} {
		t.Run(name, func(t *testing.T) {
			noLeaks(t)
			o := newOrigin(t, func(_ int, p *peer) {
				for p.head() != "" {
					p.say(sent)
				}
			})
			c := newClient(t, upstream.Options{})
			for range 2 {
				resp, err := c.Do(t.Context(), o.origin(), get())
				if err != nil {
					t.Fatal(err)
				}
				resp.Body.Read(make([]byte, 2))
				resp.Close()
				resp.Close()
				if n, err := resp.Body.Read(make([]byte, 2)); n != 0 || err == nil || err == io.EOF {
					t.Errorf("read after Close: got %d, %v; want an error", n, err)
				}
			}
			if n := o.accepted.Load(); n != 2 {
				t.Errorf("got %d connections; want 2", n)
			}
		})
	}
}
