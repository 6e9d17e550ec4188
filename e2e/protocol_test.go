package e2e

import (
	"crypto/tls"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jayproxy/jay/e2e/origin"
	"github.com/jayproxy/jay/e2e/rawhttp"
)

// TestTarget_RFC9112_3_2: what the origin sees of targets without a path and of
// the asterisk form.
func TestTarget_RFC9112_3_2(t *testing.T) {
	t.Parallel()
	o := startOrigin(t, func(x *origin.Exchange) { x.Reply("200 OK", nil, x.Req.Target) })
	j := startJay(t)
	tests := []struct {
		transparent          bool
		method, target, want string
	}{
		{false, "GET", "http://" + o.Addr(), "/"},
		{false, "GET", "http://" + o.Addr() + "?q", "/?q"},
		{false, "GET", "HTTP://" + o.Addr() + "/a", "/a"},
		{false, "OPTIONS", "http://" + o.Addr(), "*"},
		{false, "OPTIONS", "http://" + o.Addr() + "/", "/"},
		{true, "OPTIONS", "*", "*"},
		{true, "GET", "http://" + o.Addr() + "/a", "/a"},
	}
	for _, tt := range tests {
		w := waysOf(j)[0]
		if tt.transparent {
			w = waysOf(j)[1]
		}
		c := w.dial(t, o.Addr())
		send(t, c, rawhttp.Request(tt.method, tt.target, rawhttp.F("Host", o.Addr()), ""))
		if resp := receive(t, c, tt.method); string(resp.Body) != tt.want {
			t.Errorf("%s %s: got %v; want %q at the origin", tt.method, tt.target, resp, tt.want)
		}
	}
}

// TestMaxForwards_RFC9110_7_6_2: TRACE and OPTIONS count down and end here at 0.
func TestMaxForwards_RFC9110_7_6_2(t *testing.T) {
	t.Parallel()
	o := startOrigin(t, func(x *origin.Exchange) {
		x.Reply("200 OK", rawhttp.F("Content-Type", "message/http", "X-Origin", "1"), x.Req.Raw)
	})
	eachWay(t, startJay(t), func(t *testing.T, w way) {
		for _, method := range []string{"TRACE", "OPTIONS"} {
			resp := w.do(t, method, o.Addr(), "/"+w.name, rawhttp.F("Max-Forwards", "5", "X-A", "1"), "")
			r := o.To("/" + w.name)
			if resp.Fields.Get("X-Origin") != "1" || r[len(r)-1].Fields.Get("Max-Forwards") != "4" {
				t.Errorf("%s 5: got %v; want the origin's answer to 4", method, resp)
			}
			before := len(o.Requests())
			resp = w.do(t, method, o.Addr(), "/"+w.name, rawhttp.F("Max-Forwards", "0", "X-A", "1", "Cookie", "secret=1", "Authorization", "Basic c2VjcmV0"), "")
			if resp.Code >= 300 || len(o.Requests()) != before {
				t.Errorf("%s 0: got %v, %d requests at the origin; want jay's own answer", method, resp, len(o.Requests())-before)
			}
			if method == "TRACE" && (!strings.HasPrefix(string(resp.Body), "TRACE ") || !strings.Contains(string(resp.Body), "X-A: 1")) {
				t.Errorf("TRACE 0: got %v; want the request as received", resp)
			}
			if strings.Contains(string(resp.Body), "secret=1") || strings.Contains(string(resp.Body), "c2VjcmV0") {
				t.Errorf("%s 0: got credentials back: %v", method, resp)
			}
		}
		resp := w.do(t, "GET", o.Addr(), "/"+w.name, rawhttp.F("Max-Forwards", "0"), "")
		if resp.Fields.Get("X-Origin") != "1" {
			t.Errorf("GET: got %v; want Max-Forwards ignored", resp)
		}
	})
}

// TestLoop_RFC9110_7_6_3: a request that passed this jay before, or that is
// for one of its own listeners, gets 508 and goes nowhere (E5).
func TestLoop_RFC9110_7_6_3(t *testing.T) {
	t.Parallel()
	o := startOrigin(t, func(x *origin.Exchange) { x.Reply("200 OK", nil, "") })
	j := startJay(t)
	eachWay(t, j, func(t *testing.T, w way) {
		w.do(t, "GET", o.Addr(), "/", nil, "")
		r := o.Requests()
		via := r[len(r)-1].Fields.Get("Via")
		before := len(r)
		resp := w.do(t, "GET", o.Addr(), "/", rawhttp.F("Via", "1.0 fred, "+via+", 1.1 other"), "")
		if resp.Code != 508 || len(o.Requests()) != before {
			t.Errorf("got %v and %d requests at the origin; want 508 and none", resp, len(o.Requests())-before)
		}
		for _, own := range []string{j.Proxy, j.Intercept} {
			began := time.Now()
			if resp := w.do(t, "GET", own, "/", nil, ""); resp.Code != 508 && resp.Code != 403 || time.Since(began) > 5*time.Second {
				t.Errorf("to its own %s: got %v after %v; want 508", own, resp, time.Since(began))
			}
		}
	})
	w := waysOf(j)[0]
	c := w.dial(t, j.Proxy)
	send(t, c, "CONNECT "+j.Proxy+" HTTP/1.1\r\nHost: "+j.Proxy+"\r\n\r\n")
	if resp, err := c.ReadResponse("CONNECT"); err != nil || resp.Code != 508 && resp.Code != 403 || !c.Closed(closeTime) {
		t.Errorf("CONNECT to itself: got %v, %v; want 508 and the end", resp, err)
	}
}

// TestOriginForm: a request to jay itself is answered by a text on how to use it.
func TestOriginForm(t *testing.T) {
	t.Parallel()
	o := startOrigin(t, func(x *origin.Exchange) { x.OK("fetched") })
	j := startJay(t)
	for _, host := range []string{j.Proxy, o.Addr()} {
		resp, err := rawhttp.Get(j.Proxy, "GET", "/", rawhttp.F("Host", host), "")
		if err != nil || resp.Code != 200 && resp.Code/100 != 4 || !strings.Contains(strings.ToLower(string(resp.Body)), "proxy") {
			t.Errorf("Host %s: got %v, %v; want a text on how to use the proxy", host, resp, err)
		}
	}
	if n := len(o.Requests()); n != 0 {
		t.Errorf("origin got %d requests; want none", n)
	}
}

// TestSecureTarget: an https:// target is fetched over verified TLS and cached;
// an unknown authority is 502, never clear text (E6).
func TestSecureTarget(t *testing.T) {
	t.Parallel()
	cert, ca, err := origin.SelfSigned("127.0.0.1")
	if err != nil {
		t.Fatal(err)
	}
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{cert}, NextProtos: []string{"h2", "http/1.1"}})
	if err != nil {
		t.Fatal(err)
	}
	o := origin.Serve(l, func(x *origin.Exchange) { x.OK("secure") })
	t.Cleanup(o.Close)                                                     // a failed handshake is no violation to report
	plain, err := origin.Start(func(x *origin.Exchange) { x.OK("plain") }) // it sees a TLS hello, which it cannot read
	must(t, err)
	t.Cleanup(plain.Close)
	caFile := filepath.Join(t.TempDir(), "ca.pem")
	must(t, os.WriteFile(caFile, ca, 0o600))
	get := func(j, target string) *rawhttp.Response {
		t.Helper()
		resp, err := rawhttp.Get(j, "GET", target, rawhttp.F("Host", o.Addr()), "")
		if err != nil {
			t.Fatal(err)
		}
		return resp
	}
	j := startJay(t, "--ca-file", caFile)
	for i := range 2 {
		resp := get(j.Proxy, "https://"+o.Addr()+"/a")
		if string(resp.Body) != "secure" {
			t.Errorf("got %v; want secure", resp)
		}
		if i == 1 {
			checkHit(t, resp.Fields)
		}
	}
	if n := o.Count("/a"); n != 1 {
		t.Errorf("origin got %d requests; want 1", n)
	}
	strict := startJay(t)
	if resp := get(strict.Proxy, "https://"+o.Addr()+"/b"); resp.Code != 502 || !strings.Contains(resp.Fields.Get("Proxy-Status"), "tls_certificate_error") {
		t.Errorf("got %v; want 502, tls_certificate_error", resp)
	}
	if resp := get(j.Proxy, "https://"+plain.Addr()+"/c"); resp.Code != 502 {
		t.Errorf("got %v from an origin without TLS; want 502", resp)
	}
	if n := len(plain.Requests()); n != 0 || o.Count("/b") != 0 {
		t.Errorf("origins got %d requests in clear and %d unverified; want none", n, o.Count("/b"))
	}
}

// TestConnect_RFC9110_9_3_6: bytes sent with the head are not lost, half-close
// passes each way, and a refused CONNECT closes (A15).
func TestConnect_RFC9110_9_3_6(t *testing.T) {
	t.Parallel()
	l := listen(t)
	defer l.Close()
	go echoAll(l)
	j := startJay(t)
	c := waysOf(j)[0].dial(t, "")
	send(t, c, "CONNECT "+l.Addr().String()+" HTTP/1.1\r\nHost: x\r\n\r\nearly ")
	resp, err := c.ReadHead("CONNECT")
	if err != nil || resp.Code != 200 || resp.Fields.Has("Content-Length") || resp.Fields.Has("Transfer-Encoding") {
		t.Fatalf("got %v, %v; want 200 without framing", resp, err)
	}
	send(t, c, "late")
	if err := c.Conn.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	// The echo answers only once it has seen the end of what it got.
	_ = c.SetReadDeadline(time.Now().Add(rawhttp.Timeout))
	got := make([]byte, 100)
	n := 0
	for err == nil {
		var m int
		m, err = c.Reader().Read(got[n:])
		n += m
	}
	if string(got[:n]) != "early late" {
		t.Errorf("got %q, %v; want %q", got[:n], err, "early late")
	}

	dead := listen(t)
	address := dead.Addr().String()
	dead.Close()
	c = waysOf(j)[0].dial(t, "")
	send(t, c, "CONNECT "+address+" HTTP/1.1\r\nHost: x\r\n\r\nGET http://x/ HTTP/1.1\r\nHost: x\r\n\r\n")
	if resp, err := c.ReadResponse("GET"); err != nil || resp.Code != 502 || !c.Closed(closeTime) {
		t.Errorf("got %v, %v; want 502 and the end", resp, err)
	}
}

// echoAll answers on each connection what it got, once it has got all.
func echoAll(l net.Listener) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		go func() {
			defer c.Close()
			var all []byte
			buf := make([]byte, 1000)
			for {
				n, err := c.Read(buf)
				all = append(all, buf[:n]...)
				if err != nil {
					break
				}
			}
			_, _ = c.Write(all)
		}()
	}
}

// TestUpgrade_unknown: a token that no option lists is stripped with what
// belongs to it, and the request served as plain HTTP (A16); a 101 that nobody
// asked for is 502.
func TestUpgrade_unknown(t *testing.T) {
	t.Parallel()
	o := startOrigin(t, func(x *origin.Exchange) {
		if x.Path() == "/101" {
			x.Head("101 Switching Protocols", rawhttp.F("Connection", "Upgrade", "Upgrade", "websocket"))
			x.Close()
			return
		}
		x.Reply("200 OK", nil, "plain")
	})
	eachWay(t, startJay(t), func(t *testing.T, w way) {
		for _, fs := range []rawhttp.Fields{
			rawhttp.F("Connection", "Upgrade, HTTP2-Settings", "Upgrade", "h2c", "HTTP2-Settings", "AAMAAABkAAQAAP__"),
			rawhttp.F("Connection", "Upgrade", "Upgrade", "foo/2"),
			rawhttp.F("Connection", "Upgrade", "Upgrade", "TLS/1.0"),
		} {
			resp := w.do(t, "GET", o.Addr(), "/", fs, "")
			r := o.Requests()
			last := r[len(r)-1].Fields
			if string(resp.Body) != "plain" || last.Has("Upgrade") || last.Has("HTTP2-Settings") {
				t.Errorf("%s: got %v, origin %q; want it stripped", fs.Get("Upgrade"), resp, last)
			}
		}
		if resp := w.do(t, "GET", o.Addr(), "/101", nil, ""); resp.Code != 502 {
			t.Errorf("got %v; want 502", resp)
		}
	})
}

// TestExpect_RFC9110_10_1_1: an unknown expectation is 417; a final answer
// before the body ends the exchange without the body.
func TestExpect_RFC9110_10_1_1(t *testing.T) {
	t.Parallel()
	o := startOrigin(t, func(x *origin.Exchange) {
		if x.Path() == "/early" {
			x.Reply("413 Content Too Large", nil, "too large")
			x.Close()
			return
		}
		x.Head("100 Continue", nil)
		body, _ := x.ReadBody()
		x.Reply("200 OK", nil, "got "+string(body))
	})
	eachWay(t, startJay(t), func(t *testing.T, w way) {
		if resp := w.do(t, "POST", o.Addr(), "/unknown", rawhttp.F("Expect", "something", "Content-Length", "0"), ""); resp.Code != 417 || o.Count("/unknown") != 0 {
			t.Errorf("got %v; want 417 and nothing forwarded", resp)
		}
		c := w.dial(t, o.Addr())
		fs := rawhttp.F("Host", o.Addr(), "Expect", "100-continue", "Content-Length", "5")
		send(t, c, rawhttp.Request("POST", w.target(o.Addr(), "/100"), fs, ""))
		if resp, err := c.ReadHead("POST"); err != nil || resp.Code != 100 {
			t.Fatalf("got %v, %v; want 100", resp, err)
		}
		send(t, c, "hello")
		if resp := receive(t, c, "POST"); string(resp.Body) != "got hello" {
			t.Errorf("got %v; want got hello", resp)
		}
		send(t, c, rawhttp.Request("POST", w.target(o.Addr(), "/early"), fs, ""))
		resp := receive(t, c, "POST")
		if resp.Code != 413 || string(resp.Body) != "too large" || len(resp.Interim) != 0 {
			t.Errorf("got %v; want the origin's 413 at once", resp)
		}
	})
}

// TestStampede: many clients that want one missing resource at a time make one
// request; where the answer may not be shared, each gets its own (R11, D6).
func TestStampede(t *testing.T) {
	t.Parallel()
	const clients = 100
	o := startOrigin(t, func(x *origin.Exchange) {
		control := "max-age=600"
		if strings.HasPrefix(x.Path(), "/private") {
			control = "private"
		}
		if x.Req.Method == "GET" {
			time.Sleep(300 * time.Millisecond)
		}
		x.Reply("200 OK", rawhttp.F("Cache-Control", control), "for "+x.Req.Fields.Get("X-Who"))
	})
	eachWay(t, startJay(t), func(t *testing.T, w way) {
		for _, kind := range []string{"shared", "private"} {
			path := "/" + kind + "/" + w.name
			bodies := make(chan string, clients)
			began := time.Now()
			for i := range clients {
				go func() {
					resp, err := w.once(o.Addr(), "GET", path, rawhttp.F("X-Who", fmt.Sprint(i)))
					if err != nil || resp.Err != nil || resp.Code != 200 {
						bodies <- fmt.Sprintf("%v, %v", resp, err)
						return
					}
					bodies <- string(resp.Body)
				}()
			}
			count := map[string]int{}
			for range clients {
				count[<-bodies]++
			}
			n := o.Count(path)
			switch {
			case kind == "shared" && (n != 1 || len(count) != 1):
				t.Errorf("shared: %d requests at the origin, answers %v; want one", n, count)
			case kind == "private" && (n != clients || len(count) != clients):
				t.Errorf("private: %d requests at the origin, %d answers; want %d", n, len(count), clients)
			}
			if d := time.Since(began); d > 10*time.Second {
				t.Errorf("%s: took %v; want no queue", kind, d)
			}
		}
	})
}
