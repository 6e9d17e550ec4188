package e2e

import (
	"fmt"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jayproxy/jay/e2e/origin"
	"github.com/jayproxy/jay/e2e/rawhttp"
)

// message is one request and the response to it, as a client and an origin
// send them. What a proxy does not have to change must arrive as it was sent.
type message struct {
	name string

	method   string // "" means GET
	target   string // path and query; "" means /
	fields   rawhttp.Fields
	body     string // framed by Content-Length if there is one or by chunks
	trailers string

	status         string // "" means 200 OK
	answer         rawhttp.Fields
	answerBody     string // "" with framing "length" means no body
	framing        string // "length" (default), "chunked", "close", "none"
	answerTrailers string

	stored       bool // ask twice: the second answer comes from the cache
	explicitOnly bool
}

// hopByHop are the fields that belong to one connection; tests that send them
// check that they are gone (RFC 9110 section 7.6.1).
var hopByHop = []string{"Connection", "Keep-Alive", "Proxy-Connection", "Transfer-Encoding", "TE", "Upgrade",
	"Proxy-Authenticate", "Proxy-Authorization", "X-Hop", "X-Hop-2"}

// added are the fields that jay adds or changes and that are checked on their own.
var added = []string{"Via", "Age", "Cache-Status"}

// TestFidelity: the corpus through both listeners.
func TestFidelity(t *testing.T) {
	t.Parallel()
	corpus := fidelityCorpus()
	if len(corpus) < 200 {
		t.Errorf("got %d pairs; want at least 200", len(corpus))
	}
	t.Logf("%d pairs", len(corpus))
	j := startJay(t)
	for _, w := range waysOf(j) {
		t.Run(w.name, func(t *testing.T) {
			t.Parallel()
			f := &fidelity{w: w, corpus: corpus}
			f.o = startOrigin(t, f.serve)
			for i := range corpus {
				if m := &corpus[i]; !m.explicitOnly || !w.transparent {
					t.Run(m.name, func(t *testing.T) { f.check(t, i) })
				}
			}
		})
	}
}

// fidelity runs a corpus one way.
type fidelity struct {
	w      way
	o      *origin.Origin
	corpus []message

	via string // jay's pseudonym
}

func (f *fidelity) serve(x *origin.Exchange) {
	_, err := x.ReadBody()
	i, convErr := strconv.Atoi(x.Req.Fields.Get("X-Case"))
	if err != nil || convErr != nil {
		x.Reply("500 No Case", nil, "")
		return
	}
	m := &f.corpus[i]
	fs := m.answer
	body := m.answerBody
	switch m.framing {
	case "chunked":
		fs = append(fs[:len(fs):len(fs)], rawhttp.F("Transfer-Encoding", "chunked")...)
		body = chunk(body, m.answerTrailers)
	case "close":
		x.Close()
	case "none":
	default:
		if !fs.Has("Content-Length") {
			fs = append(fs[:len(fs):len(fs)], rawhttp.F("Content-Length", strconv.Itoa(len(body)))...)
		}
	}
	if x.Req.Method == "HEAD" {
		body = ""
	}
	x.Send("HTTP/1.1 " + m.statusLine() + "\r\n" + fs.String() + "\r\n" + body)
}

func (m *message) statusLine() string {
	if m.status == "" {
		return "200 OK"
	}
	return m.status
}

// chunk frames body in chunks of growing size.
func chunk(body, trailers string) string {
	var b strings.Builder
	for n := 1; body != ""; n = 3*n + 1 {
		part := body[:min(n, len(body))]
		fmt.Fprintf(&b, "%X\r\n%s\r\n", len(part), part)
		body = body[len(part):]
	}
	return b.String() + "0\r\n" + trailers + "\r\n"
}

// check sends pair i and compares both sides.
func (f *fidelity) check(t *testing.T, i int) {
	m := &f.corpus[i]
	method, target := m.method, m.target
	if method == "" {
		method = "GET"
	}
	if target == "" {
		target = "/"
	}
	fs := append(rawhttp.F("Host", f.o.Addr(), "X-Case", strconv.Itoa(i)), m.fields...)
	body := m.body
	if fs.Has("Transfer-Encoding") {
		body = chunk(body, m.trailers)
	}
	before := len(f.o.Requests())
	c := f.w.dial(t, f.o.Addr())
	defer c.Close()
	send(t, c, rawhttp.Request(method, f.w.target(f.o.Addr(), target), fs, body))
	resp := receive(t, c, method)
	f.checkRequest(t, m, method, target, fs, before)
	f.checkResponse(t, m, method, resp)
	if !m.stored {
		return
	}
	c = f.w.dial(t, f.o.Addr())
	defer c.Close()
	send(t, c, rawhttp.Request(method, f.w.target(f.o.Addr(), target), fs, body))
	resp = receive(t, c, method)
	checkHit(t, resp.Fields)
	f.checkResponse(t, m, method, resp)
}

func (f *fidelity) checkRequest(t *testing.T, m *message, method, target string, fs rawhttp.Fields, before int) {
	t.Helper()
	all := f.o.Requests()
	if n := len(all) - before; n != 1 {
		t.Fatalf("origin got %d requests; want 1", n)
	}
	r := all[before]
	if r.Method != method || r.Target != target || r.Version != "HTTP/1.1" {
		t.Errorf("origin got %q; want %s %s HTTP/1.1", r.Line, method, target)
	}
	same(t, "origin", r.Fields.Without(added...).Without(hopByHop...), fs.Without(added...).Without(hopByHop...))
	f.checkVia(t, "origin", r.Fields, fs)
	if r.Size != int64(len(m.body)) || len(m.body) < 1<<20 && string(r.Body) != m.body {
		t.Errorf("origin got a body of %d bytes; want the %d sent", r.Size, len(m.body))
	}
	if got := r.Trailers.String(); got != m.trailers {
		t.Errorf("origin got trailers %q; want %q", got, m.trailers)
	}
	if fs.Has("Transfer-Encoding") != r.Framing.Chunked {
		t.Errorf("origin got framing %+v; want that of the client", r.Framing)
	}
}

func (f *fidelity) checkResponse(t *testing.T, m *message, method string, resp *rawhttp.Response) {
	t.Helper()
	if got := fmt.Sprintf("%d %s", resp.Code, resp.Reason); got != m.statusLine() || resp.Version != "HTTP/1.1" {
		t.Errorf("client got %q; want HTTP/1.1 %s (%s)", resp.Line, m.statusLine(), resp.Fields.Joined("Proxy-Status"))
		return
	}
	got, want := resp.Fields.Without(added...).Without(hopByHop...), m.answer.Without(added...).Without(hopByHop...)
	if m.framing == "" && !want.Has("Content-Length") {
		want = append(want, rawhttp.F("Content-Length", strconv.Itoa(len(m.answerBody)))...)
	}
	if !want.Has("Date") {
		if _, err := time.Parse("Mon, 02 Jan 2006 15:04:05 GMT", got.Get("Date")); err != nil {
			t.Errorf("client got Date %q; want one where the origin sent none", got.Get("Date"))
		}
		got = got.Without("Date")
	}
	if m.stored && m.framing != "" && !want.Has("Content-Length") {
		got = got.Without("Content-Length") // the stored length is known
	}
	same(t, "client", got, want)
	f.checkVia(t, "client", resp.Fields, m.answer)
	if cs := resp.Fields.Values("Cache-Status"); len(cs) != len(m.answer.Values("Cache-Status"))+1 && !strings.Contains(resp.Fields.Joined("Cache-Status"), ",") {
		t.Errorf("client got Cache-Status %q; want one more than the origin's %q", cs, m.answer.Values("Cache-Status"))
	}
	body := m.answerBody
	if method == "HEAD" {
		body = ""
	}
	if string(resp.Body) != body {
		t.Errorf("client got body %.80q (%d); want %.80q (%d)", resp.Body, len(resp.Body), body, len(body))
	}
	if m.framing == "chunked" && resp.Framing.Chunked {
		if got := resp.Trailers.String(); got != m.answerTrailers {
			t.Errorf("client got trailers %q; want %q", got, m.answerTrailers)
		}
	}
}

// checkVia: the sender's Via and after it jay's own entry, always the same.
func (f *fidelity) checkVia(t *testing.T, who string, got, sent rawhttp.Fields) {
	t.Helper()
	list := strings.Split(got.Joined("Via"), ", ")
	own := list[len(list)-1]
	if f.via == "" && strings.HasPrefix(own, "1.1 ") {
		f.via = own
	}
	want := strings.TrimPrefix(sent.Joined("Via")+", "+f.via, ", ")
	if f.via == "" || got.Joined("Via") != want {
		t.Errorf("%s got Via %q; want %q", who, got.Joined("Via"), want)
	}
}

// same compares two field sections line by line.
func same(t *testing.T, who string, got, want rawhttp.Fields) {
	t.Helper()
	if got.String() == want.String() {
		return
	}
	for i := range max(len(got), len(want)) {
		var g, w string
		if i < len(got) {
			g = got[i].Name + ": " + got[i].Value
		}
		if i < len(want) {
			w = want[i].Name + ": " + want[i].Value
		}
		if g != w {
			t.Errorf("%s: line %d: got %.200q; want %.200q", who, i, g, w)
			return
		}
	}
}

// TestFidelity_hopByHop: what belongs to one connection stays there, both ways
// (RFC 9110 section 7.6.1).
func TestFidelity_hopByHop(t *testing.T) {
	t.Parallel()
	o := startOrigin(t, func(x *origin.Exchange) {
		x.Reply("200 OK", rawhttp.F("Connection", "X-Hop", "connection", "keep-alive, x-hop-2", "Keep-Alive", "timeout=5", "X-Hop", "1", "X-Hop-2", "2",
			"Proxy-Connection", "keep-alive", "Proxy-Authenticate", "Basic realm=x", "Upgrade", "h2c", "TE", "trailers", "X-End", "1"), "body")
	})
	eachWay(t, startJay(t), func(t *testing.T, w way) {
		fs := rawhttp.F("Connection", "X-Hop, Upgrade, HTTP2-Settings", "Connection", "keep-alive, x-hop-2", "Keep-Alive", "300", "X-Hop", "1", "x-hop-2", "2",
			"Proxy-Connection", "keep-alive", "Proxy-Authorization", "Basic YTpi", "Upgrade", "h2c", "HTTP2-Settings", "AAMAAABkAAQAAP__", "TE", "gzip", "X-End", "1")
		resp := w.do(t, "GET", o.Addr(), "/"+w.name, fs, "")
		r := o.To("/" + w.name)
		if len(r) != 1 {
			t.Fatalf("origin got %d requests; want 1", len(r))
		}
		for _, side := range []struct {
			who string
			fs  rawhttp.Fields
		}{{"origin", r[0].Fields}, {"client", resp.Fields}} {
			for _, name := range append(hopByHop, "HTTP2-Settings") {
				if name == "Proxy-Authenticate" {
					continue // whom a challenge is for, an origin's or a parent's, is the proxy's choice
				}
				if v := side.fs.Joined(name); side.fs.Has(name) && !(name == "Connection" && (v == "close" || v == "keep-alive")) {
					t.Errorf("%s got %s: %q; want it removed", side.who, name, v)
				}
			}
			if side.fs.Get("X-End") != "1" {
				t.Errorf("%s lacks X-End", side.who)
			}
		}
	})
}

// TestFidelity_inventsNothing: a bare request and a bare response get Via, Age,
// Cache-Status and Date, nothing else.
func TestFidelity_inventsNothing(t *testing.T) {
	t.Parallel()
	o := startOrigin(t, func(x *origin.Exchange) {
		if x.Path() == "/pragma" {
			x.Reply("200 OK", nil, "<html>")
			return
		}
		x.Send("HTTP/1.1 200 OK\r\n\r\n<html>")
		x.Close()
	})
	eachWay(t, startJay(t), func(t *testing.T, w way) {
		for path, fs := range map[string]rawhttp.Fields{"/bare": nil, "/pragma": rawhttp.F("Pragma", "no-cache")} {
			before := len(o.Requests())
			resp := w.do(t, "GET", o.Addr(), path, fs, "")
			got := o.Requests()[before].Fields
			same(t, "origin", got.Without("Via", "Connection"), append(rawhttp.F("Host", o.Addr()), fs...))
			same(t, "client", resp.Fields.Without("Via", "Cache-Status", "Date", "Connection", "Transfer-Encoding", "Content-Length"), nil)
		}
	})
}

// TestFidelity_IPv6: a literal address in the target.
func TestFidelity_IPv6(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "[::1]:0")
	if err != nil {
		t.Skipf("skipped: no IPv6 here: %v", err)
	}
	o := origin.Serve(l, func(x *origin.Exchange) { x.OK(x.Req.Target) })
	watch(t, o)
	j := startJay(t)
	for _, w := range waysOf(j) {
		resp := w.do(t, "GET", o.Addr(), "/%7Ea?b", nil, "")
		if r := o.Requests(); string(resp.Body) != "/%7Ea?b" || r[len(r)-1].Fields.Get("Host") != o.Addr() {
			t.Errorf("%s: got %v; want the target and Host %s", w.name, resp, o.Addr())
		}
	}
}
