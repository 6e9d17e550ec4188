package e2e

import (
	"crypto/sha256"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/jayproxy/jay/e2e/origin"
	"github.com/jayproxy/jay/e2e/rawhttp"
)

// pair is what one client asks for and what another asks for after it. The
// second must get an answer of its own from the origin.
type pair struct {
	name           string
	answer         rawhttp.Fields // what the origin adds to its answer
	method         string         // of the first; "" means GET
	path, victim   string         // victim "" means the same path
	attack, honest rawhttp.Fields
	body           string // of the first request
	status         string // of the answer; "" means 200 OK
	refused        bool   // the first may be refused with 400
}

func fresh(more ...string) rawhttp.Fields {
	return append(rawhttp.F("Cache-Control", "max-age=600"), rawhttp.F(more...)...)
}

// poisonings are pairs by which one client could choose what another gets, or
// see what was meant for another (security A11, C1-C4, C6, C9).
func poisonings() []pair {
	ps := []pair{
		{name: "C3 authorization", answer: fresh(), attack: rawhttp.F("Authorization", "Basic YTpi")},
		{name: "C3 authorization of another", answer: fresh(), attack: rawhttp.F("Authorization", "Basic YTpi"), honest: rawhttp.F("Authorization", "Basic Yzpk")},
		{name: "C4 private", answer: rawhttp.F("Cache-Control", "private, max-age=600")},
		{name: "C4 private quoted", answer: rawhttp.F("Cache-Control", "max-age=600, private=\"set-cookie, x\"", "Set-Cookie", "a=b")},
		{name: "C4 no-store", answer: rawhttp.F("Cache-Control", "max-age=600", "Cache-Control", "no-store")},
		{name: "C4 no-cache field", answer: rawhttp.F("Cache-Control", "max-age=600, no-cache")},
		{name: "C4 set-cookie heuristic", answer: rawhttp.F("Set-Cookie", "session=1", "Last-Modified", origin.Date(time.Now().Add(-100*24*time.Hour)))},
		{name: "C4 vary cookie", answer: fresh("Vary", "Cookie"), attack: rawhttp.F("Cookie", "a=1"), honest: rawhttp.F("Cookie", "a=2")},
		{name: "C9 vary star", answer: fresh("Vary", "*")},
		{name: "C9 vary star in a list", answer: fresh("Vary", "accept, *")},
		{name: "vary absent and present", answer: fresh("Vary", "X-A"), attack: rawhttp.F("X-A", "1")},
		{name: "vary lines", answer: fresh("Vary", "X-A", "vary", "X-B"), attack: rawhttp.F("X-B", "1"), honest: rawhttp.F("X-B", "2")},
		{name: "vary accept-language", answer: fresh("Vary", "Accept-Language"), attack: rawhttp.F("Accept-Language", "de"), honest: rawhttp.F("Accept-Language", "fr")},
		{name: "vary accept-encoding", answer: fresh("Vary", "Accept-Encoding", "Content-Encoding", "gzip"), attack: rawhttp.F("Accept-Encoding", "gzip"), honest: rawhttp.F("Accept-Encoding", "identity")},
		{name: "A11 get with length", answer: fresh(), attack: rawhttp.F("Content-Length", "4"), body: "evil", refused: true},
		{name: "A11 get with chunks", answer: fresh(), attack: rawhttp.F("Transfer-Encoding", "chunked"), body: "4\r\nevil\r\n0\r\n\r\n", refused: true},
		{name: "A11 head with length", method: "HEAD", answer: fresh(), attack: rawhttp.F("Content-Length", "4"), body: "evil", refused: true},
		{name: "post is no get", method: "POST", answer: fresh(), attack: rawhttp.F("Content-Length", "4"), body: "evil"},
		{name: "post for another", method: "POST", path: "/p/evil", victim: "/p/good", answer: fresh("Content-Location", "/p/good"), attack: rawhttp.F("Content-Length", "4"), body: "evil"},
		{name: "content-location of another", path: "/cl/evil", victim: "/cl/good", answer: fresh("Content-Location", "/cl/good")},
		{name: "unsolicited 206", status: "206 Partial Content", answer: fresh("Content-Range", "bytes 0-3/10")},
		{name: "unsolicited 304", status: "304 Not Modified", answer: fresh("ETag", `"a"`)},
		{name: "head is no get", method: "HEAD", answer: fresh()},
	}
	for _, f := range []rawhttp.Field{
		{Name: "Accept-Language", Value: "de"}, {Name: "Accept-Encoding", Value: "gzip"}, {Name: "Cookie", Value: "a=1"},
		{Name: "Authorization", Value: "Basic YTpi"}, {Name: "X-A", Value: "1"},
	} {
		ps = append(ps, pair{name: "C1 connection " + f.Name, answer: fresh("Vary", f.Name, "Cache-Control", "public"),
			attack: rawhttp.F(f.Name, f.Value, "Connection", f.Name), honest: rawhttp.Fields{f}, refused: true})
	}
	for _, f := range []rawhttp.Field{
		{Name: "Range", Value: "bytes=0-1"}, {Name: "Cache-Control", Value: "no-cache"}, {Name: "If-None-Match", Value: `"x"`},
		{Name: "If-Modified-Since", Value: "Sat, 01 Jan 2000 00:00:00 GMT"}, {Name: "Cookie", Value: "a=1"}, {Name: "Authorization", Value: "Basic YTpi"},
	} {
		ps = append(ps, pair{name: "C2 connection " + f.Name, answer: fresh("Cache-Control", "public"),
			attack: rawhttp.F(f.Name, f.Value, "Connection", "close, "+strings.ToLower(f.Name)), refused: true})
	}
	for i, two := range [][2]string{
		{"/x?", "/x"}, {"//x", "/x"}, {"/k%20k", "/kk"}, {"/%6b", "/k"}, {"/%2f", "/%2F"}, {"/a/../b", "/b"}, {"/./c", "/c"}, {"/X", "/x"},
		{"/n%00", "/n"}, {"/s;p", "/s"}, {"/q?a=1&b=2", "/q?b=2&a=1"}, {"/q?a", "/q?a="}, {"/t/", "/t"}, {"/account;x.css", "/account"}, {"/u%0a", "/u"}, {"/v?%61=1", "/v?a=1"},
	} {
		base := fmt.Sprintf("/key%d", i)
		ps = append(ps, pair{name: "C6 key " + two[0] + " " + two[1], path: base + two[0], victim: base + two[1], answer: fresh()})
	}
	return ps
}

// TestPoisoning: no client gets what another one's request brought in, where
// the two must be kept apart (R3).
func TestPoisoning(t *testing.T) {
	t.Parallel()
	o := startOrigin(t, func(x *origin.Exchange) {
		if _, err := x.ReadBody(); err != nil {
			return
		}
		q, _ := url.QueryUnescape(x.Req.Fields.Get("X-Answer"))
		var fs rawhttp.Fields
		for line := range strings.Lines(q) {
			name, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
			fs = append(fs, rawhttp.Field{Name: name, Value: value})
		}
		status := x.Req.Fields.Get("X-Status")
		if status == "" {
			status = "200 OK"
		}
		x.Reply(status, append(rawhttp.F("Date", origin.Date(time.Now())), fs...), "for "+x.Req.Fields.Get("X-Who"))
	})
	pairs := poisonings()
	if len(pairs) < 30 {
		t.Errorf("got %d pairs; want at least 30", len(pairs))
	}
	eachWay(t, startJay(t), func(t *testing.T, w way) {
		for _, p := range pairs {
			t.Run(p.name, func(t *testing.T) { poison(t, w, o, p) })
		}
		t.Run("control", func(t *testing.T) { control(t, w, o) })
	})
}

func poison(t *testing.T, w way, o *origin.Origin, p pair) {
	sum := sha256.Sum256([]byte(w.name + p.name))
	base := fmt.Sprintf("/%x", sum[:6])
	path, victim := base+p.path, base+p.victim
	if p.victim == "" {
		victim = path
	}
	method := p.method
	if method == "" {
		method = "GET"
	}
	ask := rawhttp.F("X-Who", "attacker", "X-Answer", url.QueryEscape(p.answer.String()), "X-Status", p.status)
	for range 2 {
		resp := w.do(t, method, o.Addr(), path, append(ask, p.attack...), p.body)
		if resp.Code == 400 && !p.refused {
			t.Errorf("attacker got %v; want an answer", resp)
		}
	}
	ask = rawhttp.F("X-Who", "victim", "X-Answer", url.QueryEscape(fresh().String()))
	resp := w.do(t, "GET", o.Addr(), victim, append(ask, p.honest...), "")
	if resp.Code != 200 || string(resp.Body) != "for victim" {
		t.Errorf("victim got %v; want its own answer", resp)
	}
	checkNoHit(t, resp.Fields)
}

// control: the same requests do hit where they may.
func control(t *testing.T, w way, o *origin.Origin) {
	for _, more := range []rawhttp.Fields{nil, rawhttp.F("Cookie", "a=1"), rawhttp.F("X-Unkeyed", "2")} {
		ask := append(rawhttp.F("X-Who", "first", "X-Answer", url.QueryEscape(fresh("Vary", "X-A").String())), more...)
		w.do(t, "GET", o.Addr(), "/control", ask, "")
	}
	resp := w.do(t, "GET", o.Addr(), "/control", rawhttp.F("X-Who", "second"), "")
	checkHit(t, resp.Fields)
}

// TestAuthority_RFC9112_3_2_2: the authority of an absolute-form target wins
// over Host for routing, for the key and for what the origin sees (A13).
func TestAuthority_RFC9112_3_2_2(t *testing.T) {
	t.Parallel()
	answer := func(name string) origin.Handler {
		return func(x *origin.Exchange) { x.OK(name + " for " + x.Req.Fields.Get("Host")) }
	}
	a, b := startOrigin(t, answer("a")), startOrigin(t, answer("b"))
	j := startJay(t)
	w := waysOf(j)[0]
	for i, host := range []string{b.Addr(), "other.test", ""} {
		for range 2 {
			c := w.dial(t, a.Addr())
			send(t, c, fmt.Sprintf("GET http://%s/%d HTTP/1.1\r\nHost: %s\r\n\r\n", a.Addr(), i, host))
			if resp := receive(t, c, "GET"); string(resp.Body) != "a for "+a.Addr() {
				t.Errorf("Host %q: got %v; want a's answer for its own name", host, resp)
			}
		}
	}
	if resp := w.do(t, "GET", b.Addr(), "/0", nil, ""); string(resp.Body) != "b for "+b.Addr() {
		t.Errorf("got %v; want b's answer", resp)
	}
	if a.Count("/0") != 1 {
		t.Errorf("a got %d requests for /0; want 1", a.Count("/0"))
	}
}
