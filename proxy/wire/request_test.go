package wire_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/jayproxy/jay/proxy/wire"
)

func TestParseRequest_RFC9112_3(t *testing.T) {
	req := parseRequest(t, "GET http://A.test:8080/x?y HTTP/1.1\r\nHost: other\r\nX-a:  b \t\r\nx-A:\r\n\r\n")
	if req.Method != "GET" || req.Target != "http://A.test:8080/x?y" || req.Minor != 1 {
		t.Errorf("got %q %q minor %d; want GET http://A.test:8080/x?y minor 1", req.Method, req.Target, req.Minor)
	}
	if want := (wire.Target{Form: wire.AbsoluteForm, Scheme: "http", Host: "a.test", Port: "8080", Path: "/x?y"}); req.URI != want {
		t.Errorf("got URI %+v; want %+v", req.URI, want)
	}
	want := [][2]string{{"Host", "other"}, {"X-a", "b"}, {"x-A", ""}}
	if got := list(&req.Fields); !slices.Equal(got, want) {
		t.Errorf("got fields %q; want %q", got, want)
	}
}

func TestParseRequest_RFC9112_3_3_reconstruction(t *testing.T) {
	for _, tt := range []struct {
		head       string
		form       wire.Form
		host, port string
	}{
		{"GET / HTTP/1.1\r\nHost: A:81\r\n\r\n", wire.OriginForm, "a", "81"},
		{"GET / HTTP/1.1\r\nHost: [::1]\r\n\r\n", wire.OriginForm, "::1", ""},
		{"GET / HTTP/1.0\r\n\r\n", wire.OriginForm, "", ""},
		{"GET / HTTP/1.0\r\nHost: a\r\n\r\n", wire.OriginForm, "a", ""},
		{"OPTIONS * HTTP/1.1\r\nHost: a:1\r\n\r\n", wire.AsteriskForm, "a", "1"},
		{"OPTIONS * HTTP/1.1\r\nHost:\r\n\r\n", wire.AsteriskForm, "", ""},
		{"GET http://b:2/ HTTP/1.1\r\nHost: a:1\r\n\r\n", wire.AbsoluteForm, "b", "2"},
		{"GET http://b/ HTTP/1.1\r\nHost: a:1\r\n\r\n", wire.AbsoluteForm, "b", ""},
		{"GET http://b/ HTTP/1.1\r\nHost:\r\n\r\n", wire.AbsoluteForm, "b", ""},
		{"CONNECT b:2 HTTP/1.1\r\nHost: a:1\r\n\r\n", wire.AuthorityForm, "b", "2"},
	} {
		req := parseRequest(t, tt.head)
		if u := req.URI; u.Form != tt.form || u.Host != tt.host || u.Port != tt.port {
			t.Errorf("%q: got %v %q %q; want %v %q %q", tt.head, u.Form, u.Host, u.Port, tt.form, tt.host, tt.port)
		}
	}
}

func TestParseRequest_RFC9112_6_framing(t *testing.T) {
	for _, tt := range []struct {
		lines string
		want  wire.Framing
	}{
		{"", wire.Framing{}},
		{"Content-Length: 0\r\n", wire.Framing{}},
		{"Content-Length: 5\r\n", wire.Framing{Length: 5}},
		{"content-length:005\r\n", wire.Framing{Length: 5}},
		{"Content-Length: 5, 5,5\r\n", wire.Framing{Length: 5}},
		{"Content-Length: 5\r\nCONTENT-LENGTH: 5\r\n", wire.Framing{Length: 5}},
		{"Content-Length: 9223372036854775807\r\n", wire.Framing{Length: 1<<63 - 1}},
		{"Transfer-Encoding: chunked\r\n", wire.Framing{Chunked: true}},
		{"transfer-encoding:\tCHUNKED \r\n", wire.Framing{Chunked: true}},
	} {
		req := parseRequest(t, "POST / HTTP/1.1\r\nHost: a\r\n"+tt.lines+"\r\n")
		if req.Body != tt.want {
			t.Errorf("%q: got %+v; want %+v", tt.lines, req.Body, tt.want)
		}
	}
}

func TestParseRequest_incomplete(t *testing.T) {
	const head = "GET / HTTP/1.1\r\nHost: a\r\n\r\n"
	var req wire.Request
	for i := range len(head) {
		if err := wire.ParseRequest(head[:i], wire.Limits{}, &req); err == nil {
			t.Errorf("%q: got no error; want one", head[:i])
		}
		if req.Method != "" || req.Fields.Len() != 0 {
			t.Errorf("%q: got %+v; want nothing left in the request", head[:i], req)
		}
	}
	for _, more := range []string{"x", "\r\n", head} {
		if err := wire.ParseRequest(head+more, wire.Limits{}, &req); err == nil {
			t.Errorf("%q: got no error; want one", head+more)
		}
	}
}

func TestParseRequest_limits(t *testing.T) {
	const head = "GET /aaaaaaa HTTP/1.1\r\nHost: a\r\nX: b\r\n\r\n"
	for _, tt := range []struct {
		lim    wire.Limits
		status int
	}{
		{wire.Limits{}, 0},
		{wire.Limits{HeadBytes: len(head)}, 0},
		{wire.Limits{HeadBytes: len(head) - 1}, 431},
		{wire.Limits{Fields: 2}, 0},
		{wire.Limits{Fields: 1}, 431},
		{wire.Limits{TargetBytes: 8}, 0},
		{wire.Limits{TargetBytes: 7}, 414},
		{wire.Limits{TargetBytes: 7, HeadBytes: 10}, 414},
	} {
		var m received
		m.err = wire.ParseRequest(head, tt.lim, &m.req)
		if m.status() != tt.status {
			t.Errorf("%+v: got %v; want status %d", tt.lim, m.err, tt.status)
		}
	}
}

func TestRequest_Detach(t *testing.T) {
	for _, head := range []string{
		plainHead,
		"GET /a?b HTTP/1.1\r\nHost: h.test:81\r\nX: y\r\n\r\n",
		"GET http://UPPER.test/ HTTP/1.1\r\nHost: a\r\n\r\n",
		"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n",
		"CONNECT a.test:443 HTTP/1.1\r\nHost: a\r\n\r\n",
	} {
		want := parseRequest(t, head)
		buf := []byte(head)
		conn := &script{pieces: []string{head, strings.Repeat("#", len(buf))}}
		r := wire.NewReader(conn)
		text, err := r.Head(wire.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		var req wire.Request
		if err := wire.ParseRequest(text, wire.Limits{}, &req); err != nil {
			t.Fatal(err)
		}
		req.Detach()
		kept := req
		if err := r.Fill(); err != nil { // overwrites what text was a view of
			t.Fatal(err)
		}
		if err := wire.ParseRequest("GET /other HTTP/1.1\r\nHost: other\r\nOther: z\r\nMore: z\r\n\r\n", wire.Limits{}, &req); err != nil {
			t.Fatal(err)
		}
		if kept.Method != want.Method || kept.Target != want.Target || kept.URI != want.URI || !slices.Equal(list(&kept.Fields), list(&want.Fields)) {
			t.Errorf("got %+v %q; want %+v %q", kept, list(&kept.Fields), want, list(&want.Fields))
		}
	}
	var empty wire.Request
	empty.Detach()
}

func TestParseRequest_allocations(t *testing.T) {
	var req wire.Request
	for _, head := range []string{plainHead, manyFields(255), "GET /a HTTP/1.1\r\nHost: [::1]:80\r\n\r\n"} {
		n := testing.AllocsPerRun(100, func() {
			if err := wire.ParseRequest(head, wire.Limits{}, &req); err != nil {
				t.Error(err)
			}
		})
		if n != 0 {
			t.Errorf("%.40q: got %v allocations; want 0", head, n)
		}
	}
}
