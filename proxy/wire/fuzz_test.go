package wire_test

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net/http"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/jayproxy/jay/proxy/wire"
	"github.com/jayproxy/jay/proxy/wire/wiretest"
)

// seed adds the heads of the cases that are not too long to be mutated well.
func seed(f *testing.F, cases ...[]wiretest.Case) {
	for _, c := range slices.Concat(cases...) {
		head, _, _ := strings.Cut(c.Raw, "\r\n\r\n")
		if len(head) < 2000 {
			f.Add(head + "\r\n\r\n")
		}
	}
}

// appendHead serialises a request as it was received, its version included.
func appendHead(req *wire.Request) string {
	b := wire.AppendRequestLine(nil, req.Method, req.Target)
	if req.Minor == 0 {
		b[len(b)-3] = '0'
	}
	return string(req.Fields.Append(b, nil)) + "\r\n"
}

// oneMessage reads head from a stream and fails unless it is one head exactly.
func oneMessage(t *testing.T, head string) {
	t.Helper()
	for _, conn := range []*script{whole(head + "NEXT"), bytewise(head + "NEXT")} {
		r := wire.NewReader(conn)
		if got, err := r.Head(wire.Limits{}); got != head || err != nil {
			t.Fatalf("Head: got %q, %v; want %q", got, err, head)
		}
	}
}

func FuzzParseRequest(f *testing.F) {
	seed(f, wiretest.OddRequests(), wiretest.Malformed(), wiretest.Mutations(1, 100))
	f.Fuzz(func(t *testing.T, head string) {
		m := received{}
		if m.err = wire.ParseRequest(head, wire.Limits{}, &m.req); m.err != nil {
			if !slices.Contains([]int{400, 414, 431, 501, 505}, m.status()) {
				t.Fatalf("got status %d, %v", m.status(), m.err)
			}
			return
		}
		oneMessage(t, head)
		req := m.req
		again := appendHead(&req)
		oneMessage(t, again)
		back := parseRequest(t, again)
		if back.Method != req.Method || back.Target != req.Target || back.URI != req.URI || back.Minor != req.Minor || back.Body != req.Body {
			t.Fatalf("got %+v; want %+v", back, req)
		}
		if !slices.Equal(list(&back.Fields), list(&req.Fields)) {
			t.Fatalf("got %q; want %q", list(&back.Fields), list(&req.Fields))
		}
		if third := appendHead(back); third != again {
			t.Fatalf("got %q; want %q", third, again)
		}
		agreeWithNetHTTP(t, again, &req)
	})
}

// agreeWithNetHTTP compares a request with what net/http makes of it, unless
// that refuses it.
func agreeWithNetHTTP(t *testing.T, head string, req *wire.Request) {
	t.Helper()
	std, err := http.ReadRequest(bufio.NewReader(strings.NewReader(head)))
	if err != nil {
		return
	}
	if std.Method != req.Method || std.RequestURI != req.Target || std.ProtoMinor != req.Minor {
		t.Fatalf("net/http: got %q %q minor %d; want %q %q minor %d", std.Method, std.RequestURI, std.ProtoMinor, req.Method, req.Target, req.Minor)
	}
	if chunked := len(std.TransferEncoding) > 0; chunked != req.Body.Chunked || !chunked && std.ContentLength != req.Body.Length {
		t.Fatalf("net/http: got %q, length %d; want %+v", std.TransferEncoding, std.ContentLength, req.Body)
	}
	for name, values := range std.Header {
		if name == "Content-Length" || strings.HasPrefix(name, "Pragma") || name == "Cache-Control" {
			continue // which net/http edits
		}
		if want := req.Fields.Values(name); !slices.Equal(values, want) {
			t.Fatalf("net/http: got %s %q; want %q", name, values, want)
		}
	}
}

func FuzzParseResponse(f *testing.F) {
	for _, c := range wiretest.BadResponses() {
		if head, _, _ := strings.Cut(c.Raw, "\r\n\r\n"); len(head) < 2000 {
			f.Add(head+"\r\n\r\n", "GET")
		}
	}
	f.Add(plainResponse, "HEAD")
	f.Add("HTTP/1.1 200\r\nX: a\r\n b\r\n\tc\r\n\r\n", "GET")
	f.Add("HTTP/1.0 204 \r\nX:\r\n b\r\n\r\n", "CONNECT")
	f.Fuzz(func(t *testing.T, head, method string) {
		m := received{}
		if m.err = wire.ParseResponse(head, method, wire.Limits{}, &m.resp); m.err != nil {
			if m.status() != 502 {
				t.Fatalf("got status %d, %v; want 502", m.status(), m.err)
			}
			return
		}
		resp := m.resp
		again := string(resp.Fields.Append(wire.AppendStatusLine(nil, resp.Minor, resp.Status, resp.Reason), nil)) + "\r\n"
		oneMessage(t, again)
		var back wire.Response
		if err := wire.ParseResponse(again, method, wire.Limits{}, &back); err != nil {
			t.Fatalf("%q: %v", again, err)
		}
		if back.Minor != resp.Minor || back.Status != resp.Status || back.Reason != resp.Reason || back.Body != resp.Body {
			t.Fatalf("got %+v; want %+v", back, resp)
		}
		if !slices.Equal(list(&back.Fields), list(&resp.Fields)) {
			t.Fatalf("got %q; want %q", list(&back.Fields), list(&resp.Fields))
		}
		resp.Detach()
		if resp.Reason != back.Reason || !slices.Equal(list(&back.Fields), list(&resp.Fields)) {
			t.Fatalf("detached: got %+v; want %+v", resp, back)
		}
	})
}

// outcome is what came of reading a chunked body.
type outcome struct {
	data, trailers, err, rest string
}

// readChunked reads a chunked body in steps of size bytes.
func readChunked(conn *script, size int) (o outcome) {
	b, r := bodyOf(conn, chunkedFraming)
	p := make([]byte, size)
	var err error
	for err == nil {
		var n int
		n, err = b.Read(p)
		o.data += string(p[:n])
	}
	if errors.As(err, new(*wire.Error)) {
		// Of several faults the first to be seen depends on the pieces.
		return outcome{data: o.data, err: "malformed"}
	}
	if err != io.EOF {
		return outcome{data: o.data, err: err.Error()}
	}
	if b.Trailers() != nil {
		o.trailers = string(b.Trailers().Append(nil, nil))
	}
	rest, _ := io.ReadAll(io.MultiReader(bytes.NewReader(r.Buffered()), conn))
	o.rest = string(rest)
	return o
}

func FuzzBody(f *testing.F) {
	for _, c := range slices.Concat(wiretest.Malformed(), wiretest.OddRequests()) {
		head, body, _ := strings.Cut(c.Raw, "\r\n\r\n")
		if strings.Contains(head, "hunked") && len(body) < 2000 {
			f.Add(body, uint8(len(body)), uint8(3))
		}
	}
	f.Fuzz(func(t *testing.T, raw string, cut, size uint8) {
		want := readChunked(whole(raw), 1<<15)
		at := min(int(cut), len(raw))
		for how, got := range map[string]outcome{
			"byte by byte":  readChunked(bytewise(raw), 1<<15),
			"in two pieces": readChunked(&script{pieces: []string{raw[:at], raw[at:]}, err: io.EOF}, 1<<15),
			"in small bits": readChunked(whole(raw), int(size)+1),
		} {
			if got != want {
				t.Fatalf("%s: got %+v; want %+v", how, got, want)
			}
		}
		if want.err != "" {
			return
		}
		var trailers *wire.Fields
		if want.trailers != "" {
			fields, err := wire.ParseFields(want.trailers)
			if err != nil {
				t.Fatal(err)
			}
			trailers = &fields
		}
		again := wire.AppendLastChunk(wire.AppendChunk(nil, []byte(want.data)), trailers, nil)
		if got := readChunked(whole(string(again)+want.rest), 1<<15); got != want {
			t.Fatalf("written again: got %+v; want %+v", got, want)
		}
		std, err := io.ReadAll(httputil.NewChunkedReader(strings.NewReader(raw)))
		if err == nil && string(std) != want.data {
			t.Fatalf("net/http: got %q; want %q", std, want.data)
		}
	})
}

func FuzzParseTarget(f *testing.F) {
	for _, c := range slices.Concat(wiretest.Malformed(), wiretest.OddRequests()) {
		line, _, _ := strings.Cut(c.Raw, "\r\n")
		if words := strings.Fields(line); len(words) == 3 && len(words[1]) < 500 {
			f.Add(words[0], words[1])
		}
	}
	f.Fuzz(func(t *testing.T, method, target string) {
		u, err := wire.ParseTarget(method, target)
		if err != nil {
			if !errors.As(err, new(*wire.Error)) || u != (wire.Target{}) {
				t.Fatalf("got %+v, %T %v; want nothing and an *Error", u, err, err)
			}
			return
		}
		if strings.ContainsAny(u.Host, "@/?#[] \t\r\n%\\,") || u.Host != strings.ToLower(u.Host) {
			t.Fatalf("got host %q", u.Host)
		}
		if !strings.HasSuffix(target, u.Path) {
			t.Fatalf("got path %q; want an end of %q", u.Path, target)
		}
		again := writeTarget(u)
		back, err := wire.ParseTarget(method, again)
		if err != nil || back != u {
			t.Fatalf("%q: got %+v, %v; want %+v", again, back, err, u)
		}
		if u.Form != wire.AbsoluteForm {
			return
		}
		std, err := url.Parse(target)
		if err == nil && (std.Scheme != u.Scheme || !strings.EqualFold(std.Hostname(), u.Host) || strings.TrimLeft(std.Port(), "0") != u.Port || std.User != nil) {
			t.Fatalf("net/url: got %+v; want %+v", std, u)
		}
	})
}

// writeTarget is the target that u was parsed from, in lower case.
func writeTarget(u wire.Target) string {
	authority := u.Host
	if strings.Contains(u.Host, ":") {
		authority = "[" + u.Host + "]"
	}
	if u.Port != "" {
		authority += ":" + u.Port
	}
	switch u.Form {
	case wire.AbsoluteForm:
		return u.Scheme + "://" + authority + u.Path
	case wire.AuthorityForm:
		return authority
	case wire.AsteriskForm:
		return "*"
	}
	return u.Path
}
