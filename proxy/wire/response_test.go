package wire_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/jayproxy/jay/proxy/wire"
)

func TestParseResponse_RFC9112_4(t *testing.T) {
	for _, tt := range []struct {
		line   string
		minor  int
		status int
		reason string
	}{
		{"HTTP/1.1 200 OK", 1, 200, "OK"},
		{"HTTP/1.0 404 Not Found", 0, 404, "Not Found"},
		{"HTTP/1.1 200 ", 1, 200, ""},
		{"HTTP/1.1 200", 1, 200, ""},
		{"HTTP/1.1 599  two  spaces ", 1, 599, " two  spaces "},
		{"HTTP/1.1 299 caf\xe9\ttab", 1, 299, "caf\xe9\ttab"},
		{"HTTP/1.1 100 Continue", 1, 100, "Continue"},
	} {
		var resp wire.Response
		err := wire.ParseResponse(tt.line+"\r\n\r\n", "GET", wire.Limits{}, &resp)
		if err != nil || resp.Minor != tt.minor || resp.Status != tt.status || resp.Reason != tt.reason {
			t.Errorf("%q: got %d %d %q, %v; want %d %d %q", tt.line, resp.Minor, resp.Status, resp.Reason, err, tt.minor, tt.status, tt.reason)
		}
	}
}

func TestParseResponse_RFC9112_6_3_framing(t *testing.T) {
	const te, cl = "Transfer-Encoding: chunked\r\n", "Content-Length: 5\r\n"
	none, five, chunked, until := wire.Framing{}, wire.Framing{Length: 5}, wire.Framing{Chunked: true}, wire.Framing{UntilClose: true}
	for _, tt := range []struct {
		method, line, fields string
		want                 wire.Framing
	}{
		{"GET", "1.1 200", cl, five},
		{"GET", "1.0 200", cl, five},
		{"GET", "1.1 200", te, chunked},
		{"GET", "1.1 200", "", until},
		{"GET", "1.0 200", "", until},
		{"GET", "1.1 200", "Content-Length: 0\r\n", none},
		{"GET", "1.1 200", "Content-Length: 5, 5\r\n", five},
		{"HEAD", "1.1 200", cl, none},
		{"HEAD", "1.1 200", te, none},
		{"HEAD", "1.1 200", "", none},
		{"GET", "1.1 100", cl, none},
		{"GET", "1.1 101", "", none},
		{"GET", "1.1 103", te, none},
		{"GET", "1.1 204", cl, none},
		{"GET", "1.1 204", "", none},
		{"GET", "1.1 205", "", until},
		{"GET", "1.1 304", cl, none},
		{"GET", "1.1 304", te, none},
		{"CONNECT", "1.1 200", cl, none},
		{"CONNECT", "1.1 299", te, none},
		{"CONNECT", "1.1 300", cl, five},
		{"CONNECT", "1.1 407", te, chunked},
		{"POST", "1.1 500", "", until},
	} {
		var resp wire.Response
		err := wire.ParseResponse("HTTP/"+tt.line+" X\r\n"+tt.fields+"\r\n", tt.method, wire.Limits{}, &resp)
		if err != nil || resp.Body != tt.want {
			t.Errorf("%s %s %q: got %+v, %v; want %+v", tt.method, tt.line, tt.fields, resp.Body, err, tt.want)
		}
	}
}

func TestParseResponse_RFC9112_5_2_unfold(t *testing.T) {
	for _, tt := range []struct {
		lines string
		want  [][2]string
	}{
		{"X: a\r\n b\r\n", [][2]string{{"X", "a b"}}},
		{"X: a \t\r\n\t  b \r\n", [][2]string{{"X", "a b"}}},
		{"X: a\r\n b\r\n c\r\nY: d\r\n", [][2]string{{"X", "a b c"}, {"Y", "d"}}},
		{"X:\r\n b\r\n", [][2]string{{"X", "b"}}},
		{"X: a\r\n Y: b\r\n", [][2]string{{"X", "a Y: b"}}},
		{"W: 1\r\nX: a\r\n b\r\nY: c\r\n d\r\n", [][2]string{{"W", "1"}, {"X", "a b"}, {"Y", "c d"}}},
	} {
		var resp wire.Response
		err := wire.ParseResponse("HTTP/1.1 200 OK\r\n"+tt.lines+"\r\n", "GET", wire.Limits{}, &resp)
		if got := list(&resp.Fields); err != nil || !slices.Equal(got, tt.want) {
			t.Errorf("%q: got %q, %v; want %q", tt.lines, got, err, tt.want)
		}
		resp.Detach()
		if resp.Reason != "OK" || !slices.Equal(list(&resp.Fields), tt.want) {
			t.Errorf("%q, detached: got %q %q; want OK %q", tt.lines, resp.Reason, list(&resp.Fields), tt.want)
		}
	}
}

func TestParseResponse_errors_are_502(t *testing.T) {
	for _, tt := range []struct{ head, want string }{
		{"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", "Content-Length beside Transfer-Encoding"},
		{"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n", "unknown transfer coding"},
		{"HTTP/1.1 200 OK\r\nContent-Length:\r\n 5\r\n\r\n", "folded framing field"},
		{"HTTP/1.1 200 OK\r\n X: a\r\n b\r\n\r\n", "folded field line"},
		{"HTTP/1.1 200 OK\r\nX: a\r\n \r\n\r\n", "folded field line"},
		{"HTTP/1.1 999 OK\r\n\r\n", "status code out of range"},
		{"HTTP/1.1 200 OK\r\nX: " + strings.Repeat("a", 64<<10) + "\r\n\r\n", "head too large"},
		{"HTTP/1.1 200 OK\r\n" + strings.Repeat("X: a\r\n", 257) + "\r\n", "too many fields"},
	} {
		m := received{resp: wire.Response{Status: 1}}
		m.err = wire.ParseResponse(tt.head, "GET", wire.Limits{}, &m.resp)
		if m.status() != 502 || detail(m.err) != tt.want || m.resp.Status != 0 {
			t.Errorf("%.80q: got status %d, %q, response %+v; want 502, %q, nothing", tt.head, m.status(), detail(m.err), m.resp, tt.want)
		}
	}
}

func TestResponse_Detach(t *testing.T) {
	r := wire.NewReader(&script{pieces: []string{plainResponse, strings.Repeat("#", 2000)}})
	text, err := r.Head(wire.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	var resp, want wire.Response
	if err := wire.ParseResponse(text, "GET", wire.Limits{}, &resp); err != nil {
		t.Fatal(err)
	}
	if err := wire.ParseResponse(plainResponse, "GET", wire.Limits{}, &want); err != nil {
		t.Fatal(err)
	}
	resp.Detach()
	kept := resp
	if err := r.Fill(); err != nil {
		t.Fatal(err)
	}
	if err := wire.ParseResponse("HTTP/1.1 404 No\r\nOther: z\r\nMore: z\r\n\r\n", "GET", wire.Limits{}, &resp); err != nil {
		t.Fatal(err)
	}
	if kept.Reason != "OK" || !slices.Equal(list(&kept.Fields), list(&want.Fields)) {
		t.Errorf("got %q %q; want OK %q", kept.Reason, list(&kept.Fields), list(&want.Fields))
	}
}

func TestParseResponse_allocations(t *testing.T) {
	var resp wire.Response
	n := testing.AllocsPerRun(100, func() {
		if err := wire.ParseResponse(plainResponse, "GET", wire.Limits{}, &resp); err != nil {
			t.Error(err)
		}
	})
	if n != 0 {
		t.Errorf("got %v allocations; want 0", n)
	}
}
