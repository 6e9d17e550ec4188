package e2e

//lint:file-ignore SA1019 net/http's own client, which is to replace http2.Transport, sends no http:// URLs over TLS

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/net/http2"

	"github.com/jayproxy/jay/e2e/conformance"
	"github.com/jayproxy/jay/e2e/origin"
	"github.com/jayproxy/jay/e2e/process"
	"github.com/jayproxy/jay/e2e/rawhttp"
)

// secureJay is a jay with a TLS listener.
type secureJay struct {
	*process.Jay
	addr  string // of the TLS listener
	host  string // localhost and its port
	cert  string // file with the certificate, which is its own authority
	key   string
	trust *x509.CertPool
}

func startSecure(t *testing.T, args ...string) *secureJay {
	t.Helper()
	return startSecureAt(t, process.FreeAddr(), args...)
}

// startSecureAt is startSecure for an address of the test's choice.
func startSecureAt(t *testing.T, addr string, args ...string) *secureJay {
	t.Helper()
	dir := t.TempDir()
	s := &secureJay{addr: addr, cert: filepath.Join(dir, "cert.pem"), key: filepath.Join(dir, "key.pem"), trust: x509.NewCertPool()}
	_, port, _ := net.SplitHostPort(s.addr)
	s.host = "localhost:" + port
	s.trust.AppendCertsFromPEM(s.renew(t))
	s.Jay = startJay(t, append([]string{"--listen-tls", s.addr, "--tls-cert", s.cert, "--tls-key", s.key}, args...)...)
	return s
}

// renew writes a new certificate, and returns it.
func (s *secureJay) renew(t *testing.T) []byte {
	t.Helper()
	pair, ca, err := origin.SelfSigned("127.0.0.1", "::1", "localhost")
	must(t, err)
	key, err := x509.MarshalECPrivateKey(pair.PrivateKey.(*ecdsa.PrivateKey))
	must(t, err)
	must(t, os.WriteFile(s.cert, ca, 0o600))
	must(t, os.WriteFile(s.key, pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: key}), 0o600))
	return ca
}

// protocols counts the lines of the log by the version of HTTP.
func (s *secureJay) protocols() map[string]int {
	n := map[string]int{}
	for _, e := range s.Log() {
		n[e.String("proto")]++
	}
	return n
}

// TestSecure_curl: curl through a proxy that it speaks TLS to, and to the
// proxy's own page over HTTP/2.
func TestSecure_curl(t *testing.T) {
	t.Parallel()
	need(t, "curl")
	o := startOrigin(t, func(x *origin.Exchange) { x.Reply("200 OK", rawhttp.F("Cache-Control", "max-age=60"), "answer") })
	s := startSecure(t)
	through := []string{"--silent", "--show-error", "--proxy", "https://" + s.host, "--proxy-cacert", s.cert}
	for _, want := range []string{"fwd=uri-miss", "; hit"} {
		out, _ := command(t, "curl", append(through, "--include", o.URL("/"))...)
		if !strings.Contains(out, want) || !strings.HasSuffix(out, "answer") {
			t.Errorf("got %q; want %q and the answer", out, want)
		}
	}
	if out, _ := command(t, "curl", append(through, "--proxytunnel", o.URL("/tunnel"))...); out != "answer" {
		t.Errorf("through a tunnel: got %q; want answer", out)
	}
	if out, _ := command(t, "curl", "--silent", "--show-error", "--http2", "--include", "--cacert", s.cert, "https://"+s.host+"/proxy.pac"); !strings.HasPrefix(out, "HTTP/2 200") || !strings.Contains(out, "HTTPS "+s.host) {
		t.Errorf("PAC file: got %q; want HTTP/2 and HTTPS %s", out, s.host)
	}
	if out, _ := command(t, "curl", "--version"); strings.Contains(out, "HTTPS-proxy") && strings.Contains(out, "HTTP2") {
		help, _ := command(t, "curl", "--help", "proxy")
		if !strings.Contains(help, "--proxy-http2") {
			t.Log("this curl cannot speak HTTP/2 to proxies")
			return
		}
		out, _ := command(t, "curl", append(through, "--proxy-http2", "--proxytunnel", o.URL("/h2"))...)
		if out != "answer" || s.protocols()["HTTP/2.0"] < 2 {
			t.Errorf("through HTTP/2: got %q, protocols %v; want answer", out, s.protocols())
		}
	}
}

// TestSecure_go: Go's client through the proxy, with a login.
func TestSecure_go(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "users")
	must(t, os.WriteFile(file, []byte("anna:$2y$05$abcdefghijklmnopqrstuuTR3sYp3zPqDQ0yyJWcK5K6VwQWCpCdq\n"), 0o600))
	o := startOrigin(t, func(x *origin.Exchange) { x.OK("answer") })
	s := startSecure(t, "--auth-file", file)
	tr := &http.Transport{Proxy: http.ProxyURL(&url.URL{Scheme: "https", Host: s.host}), TLSClientConfig: &tls.Config{RootCAs: s.trust}}
	defer tr.CloseIdleConnections()
	res, err := (&http.Client{Transport: tr}).Get(o.URL("/"))
	must(t, err)
	defer res.Body.Close()
	if res.StatusCode != 407 || res.Header.Get("Proxy-Authenticate") == "" {
		t.Errorf("got %d, Proxy-Authenticate %q; want 407", res.StatusCode, res.Header.Get("Proxy-Authenticate"))
	}
}

// TestSecure_Chromium: a browser that speaks TLS to the proxy agrees on HTTP/2,
// by command line and by PAC, with tunnels and WebSockets in it.
func TestSecure_Chromium(t *testing.T) {
	t.Parallel()
	plain, _, resolver := pacSites(t)
	cert, _, err := origin.SelfSigned("www.secure.test")
	must(t, err)
	secure := startSite(t, &tls.Config{Certificates: []tls.Certificate{cert}})
	_, port, _ := net.SplitHostPort(plain.addr)
	_, securePort, _ := net.SplitHostPort(secure.addr)
	at, secureAt := "www.through.test:"+port, "www.secure.test:"+securePort
	for _, by := range []string{"--proxy-server=https://%s", "--proxy-pac-url=data:text/plain,function FindProxyForURL(u, h) { return 'HTTPS %s'; }"} {
		s := startSecure(t, "--dns-servers", resolver)
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
		defer cancel()
		b := startChromiumWith(t, fmt.Sprintf(by, s.host), "--host-resolver-rules=MAP *.test ~NOTFOUND")
		loadPage(t, ctx, b, "http://"+at)
		loadPage(t, ctx, b, "https://"+secureAt)
		for _, socket := range []string{"ws://" + at, "wss://" + secureAt} {
			must(t, b.Open(ctx, strings.Replace(socket, "ws", "http", 1)+"/page.html"))
			if got, err := b.Eval(ctx, echoScript(socket+"/socket")); err != nil || got != "chat:hello,1048576" {
				t.Errorf("%s: got %q, %v; want the echo", socket, got, err)
			}
		}
		if n := plain.total(); n != pageResources+2 {
			t.Errorf("origin got %d requests; want %d", n, pageResources+2)
		}
		b.Close()
		tunnelled, ok := s.WaitLog(func(e process.Entry) bool { return e.String("url") == secureAt })
		if n := s.protocols(); !ok || tunnelled.String("proto") != "HTTP/2.0" || n["HTTP/1.1"] > 0 || n["HTTP/2.0"] < pageResources {
			t.Errorf("%s: got protocols %v, the tunnel's %q; want HTTP/2.0 only", by, n, tunnelled.String("proto"))
		}
	}
}

// TestSecure_reload: the certificate is read anew on SIGHUP, a broken one is
// not taken, and connections live on.
func TestSecure_reload(t *testing.T) {
	t.Parallel()
	o := startOrigin(t, func(x *origin.Exchange) { x.OK("answer") })
	s := startSecure(t)
	conf := &tls.Config{RootCAs: s.trust, ServerName: "localhost"}
	before, err := tls.Dial("tcp", s.addr, conf)
	must(t, err)
	defer before.Close()
	must(t, os.WriteFile(s.cert, []byte("nothing"), 0o600))
	must(t, s.Signal(syscall.SIGHUP))
	eventually(t, "a message about the certificate", func() bool { return strings.Contains(s.Stderr(), "tls-cert") })
	if c, err := tls.Dial("tcp", s.addr, conf); err != nil {
		t.Errorf("with a broken file: %v; want the old certificate", err)
	} else {
		c.Close()
	}
	s.trust = x509.NewCertPool()
	s.trust.AppendCertsFromPEM(s.renew(t))
	must(t, s.Signal(syscall.SIGHUP))
	eventually(t, "the new certificate", func() bool {
		c, err := tls.Dial("tcp", s.addr, &tls.Config{RootCAs: s.trust, ServerName: "localhost"})
		if err == nil {
			c.Close()
		}
		return err == nil
	})
	c := rawhttp.NewConn(before)
	send(t, c, rawhttp.Request("GET", o.URL("/"), rawhttp.F("Host", o.Addr()), ""))
	if r := receive(t, c, "GET"); r.Code != 200 {
		t.Errorf("on the old connection: got %d; want 200", r.Code)
	}
}

// TestSecure_clientCertificate: with tls-client-ca, who has no certificate is
// not let in.
func TestSecure_clientCertificate(t *testing.T) {
	t.Parallel()
	pair, ca, err := origin.SelfSigned("client")
	must(t, err)
	file := filepath.Join(t.TempDir(), "clients.pem")
	must(t, os.WriteFile(file, ca, 0o600))
	s := startSecure(t, "--tls-client-ca", file)
	for _, certs := range [][]tls.Certificate{nil, {pair}} {
		c, err := tls.Dial("tcp", s.addr, &tls.Config{RootCAs: s.trust, ServerName: "localhost", Certificates: certs})
		must(t, err)
		io.WriteString(c, "GET / HTTP/1.0\r\n\r\n")
		c.SetReadDeadline(time.Now().Add(rawhttp.Timeout))
		b, err := io.ReadAll(c)
		if served := strings.HasPrefix(string(b), "HTTP/1.1 200"); served != (certs != nil) {
			t.Errorf("%d certificates: got %.40q, %v", len(certs), b, err)
		}
		c.Close()
	}
}

// TestSecure_conformance runs the cases of the public test suite over HTTP/2.
// What passes over HTTP/1.1 must pass here, save for requests that HTTP/2 has no
// words for.
func TestSecure_conformance(t *testing.T) {
	t.Parallel()
	suites := loadCases(t)
	s, cdn := startSecure(t), startSecure(t, "--targeted-cache-control", "CDN-Cache-Control")
	results, err := conformance.Run(suites, conformance.Via{Proxy: s.addr, Do: s.speaker(t)}, func(c *conformance.Case) bool { return !c.CDNOnly })
	must(t, err)
	targeted, err := conformance.Run(suites, conformance.Via{Proxy: cdn.addr, Do: cdn.speaker(t)}, func(c *conformance.Case) bool { return c.CDNOnly })
	must(t, err)
	results = append(results, targeted...)
	conformance.Resolve(results)
	fmt.Print(conformance.Report("h2", results))
	listed, passed := readList(t), 0
	for _, r := range results {
		switch {
		case r.Outcome == conformance.Pass:
			passed++
		case strings.Contains(r.Detail, errUnspeakable.Error()):
			t.Logf("cannot be asked: %s", r.Name())
		case listed[r.Name()]:
			t.Errorf("lost: %s %s %s: %s (%s)", r.Name(), r.Case.Kind, r.Outcome, r.Detail, r.Case.Name)
		}
	}
	if passed < 100 || s.protocols()["HTTP/1.1"] > 0 {
		t.Errorf("%d cases have passed, protocols %v; want hundreds, over HTTP/2", passed, s.protocols())
	}
}

// errUnspeakable means that a request cannot be expressed in HTTP/2.
var errUnspeakable = errors.New("no request of HTTP/2")

// speaker sends requests that are written in HTTP/1.1 over connections of
// HTTP/2, many at a time.
func (s *secureJay) speaker(t *testing.T) func(string) (*rawhttp.Response, error) {
	t.Helper()
	tr := &http2.Transport{DisableCompression: true}
	conns := make(chan *http2.ClientConn, 4)
	for range cap(conns) {
		c, err := tls.Dial("tcp", s.addr, &tls.Config{RootCAs: s.trust, ServerName: "localhost", NextProtos: []string{"h2"}})
		must(t, err)
		t.Cleanup(func() { c.Close() })
		cc, err := tr.NewClientConn(c)
		must(t, err)
		conns <- cc
	}
	return func(text string) (*rawhttp.Response, error) {
		r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(text)))
		if err != nil {
			return nil, err
		}
		r.RequestURI = ""
		for _, name := range []string{"Connection", "Upgrade", "Keep-Alive", "Transfer-Encoding"} {
			if r.Header.Get(name) != "" {
				return nil, errUnspeakable
			}
		}
		if _, ok := r.Header["User-Agent"]; !ok {
			r.Header["User-Agent"] = nil // or the transport would add its own
		}
		cc := <-conns
		conns <- cc
		var interim []rawhttp.Response
		trace := &httptrace.ClientTrace{Got1xxResponse: func(code int, h textproto.MIMEHeader) error {
			interim = append(interim, *headOnly(code, http.Header(h)))
			return nil
		}}
		res, err := cc.RoundTrip(r.WithContext(httptrace.WithClientTrace(t.Context(), trace)))
		if err != nil {
			return nil, err
		}
		defer res.Body.Close()
		answer := headOnly(res.StatusCode, res.Header)
		answer.Interim = interim
		answer.Body, answer.Err = io.ReadAll(res.Body)
		return answer, answer.Err
	}
}

// headOnly is a response without its body.
func headOnly(code int, h http.Header) *rawhttp.Response {
	r := &rawhttp.Response{StatusLine: rawhttp.StatusLine{Version: "HTTP/1.1", Code: code}}
	for name, values := range h {
		for _, v := range values {
			r.Fields = append(r.Fields, rawhttp.Field{Name: name, Value: v})
		}
	}
	return r
}

// TestIPv6: listeners, targets, tunnels, the cache, the log and the PAC file
// with literal IPv6 addresses.
func TestIPv6(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp6", "[::1]:0")
	if err != nil {
		t.Skipf("skipped: this machine has no IPv6: %v", err)
	}
	o := origin.Serve(l, func(x *origin.Exchange) { x.Reply("200 OK", rawhttp.F("Cache-Control", "max-age=60"), "answer") })
	watch(t, o)
	plain := process.FreeAddrOf("::1")
	s := startSecureAt(t, process.FreeAddrOf("::1"), "--listen", plain)
	do := s.speaker(t)
	request := rawhttp.Request("GET", "http://"+o.Addr()+"/six", rawhttp.F("Host", o.Addr()), "")
	c, err := rawhttp.Dial(plain)
	must(t, err)
	defer c.Close()
	send(t, c, request)
	if r := receive(t, c, "GET"); r.Code != 200 {
		t.Errorf("got %d; want 200", r.Code)
	}
	r, err := do(request)
	must(t, err)
	checkHit(t, r.Fields)
	e, ok := s.WaitLog(func(e process.Entry) bool { return e.String("proto") == "HTTP/2.0" })
	if !ok || e.String("url") != "http://"+o.Addr()+"/six" || !strings.HasPrefix(e.String("client"), "[::1]:") {
		t.Errorf("the log has client %q, URL %q; want [::1] and http://%s/six", e.String("client"), e.String("url"), o.Addr())
	}
	send(t, c, "CONNECT "+o.Addr()+" HTTP/1.1\r\nHost: "+o.Addr()+"\r\n\r\n")
	if r, err := c.ReadResponse("CONNECT"); err != nil || r.Code != 200 {
		t.Errorf("CONNECT: got %v, %v; want 200", r, err)
	}
	tr := &http.Transport{Protocols: new(http.Protocols), TLSClientConfig: &tls.Config{RootCAs: s.trust}}
	tr.Protocols.SetHTTP2(true)
	defer tr.CloseIdleConnections()
	res, err := (&http.Client{Transport: tr}).Get("https://" + s.addr + "/proxy.pac")
	must(t, err)
	defer res.Body.Close()
	if b, err := io.ReadAll(res.Body); err != nil || res.ProtoMajor != 2 || !strings.Contains(string(b), "HTTPS "+s.addr) {
		t.Errorf("got %s %q, %v; want HTTPS %s", res.Proto, b, err, s.addr)
	}
}

// TestProxyProtocol: a sender's header says who the client is, on the plain, the
// TLS and the intercepting listener.
func TestProxyProtocol(t *testing.T) {
	t.Parallel()
	need(t, "curl")
	o := startOrigin(t, func(x *origin.Exchange) { x.OK("answer") })
	s := startSecure(t, "--proxy-protocol-from", "127.0.0.0/8")
	const header = "PROXY TCP4 10.9.8.7 192.0.2.1 5000 80\r\n"
	for _, addr := range []string{s.Jay.Proxy, s.addr, s.Intercept} {
		path := "/" + addr
		c, err := net.Dial("tcp", addr)
		must(t, err)
		defer c.Close()
		_, err = io.WriteString(c, header)
		must(t, err)
		target := o.URL(path)
		switch addr {
		case s.addr:
			c = tls.Client(c, &tls.Config{RootCAs: s.trust, ServerName: "localhost"})
		case s.Intercept:
			target = path
		}
		conn := rawhttp.NewConn(c)
		send(t, conn, rawhttp.Request("GET", target, rawhttp.F("Host", o.Addr()), ""))
		// An origin on this machine is none for clients on others.
		if r := receive(t, conn, "GET"); r.Code != 403 {
			t.Errorf("%s: got %d; want 403, as for a client on another machine", addr, r.Code)
		}
		e, ok := s.WaitLog(func(e process.Entry) bool { return strings.Contains(e.String("url"), path) })
		if !ok || !strings.HasPrefix(e.String("client"), "10.9.8.7") {
			t.Errorf("%s: the log names %q; want 10.9.8.7", addr, e.String("client"))
		}
	}
	out, _ := command(t, "curl", "--silent", "--haproxy-protocol", "http://"+s.Jay.Proxy+"/")
	if !strings.Contains(out, "This is Jay") {
		t.Errorf("curl --haproxy-protocol: got %q; want the proxy's own page", out)
	}
}

// TestProxyProtocol_listed: only the listeners that are listed take headers,
// and only from the senders that are.
func TestProxyProtocol_listed(t *testing.T) {
	t.Parallel()
	at := process.FreeAddr()
	s := startJay(t, "--listen", at, "--proxy-protocol-from", "127.0.0.0/8", "--proxy-protocol-at", at)
	elsewhere := startJay(t, "--proxy-protocol-from", "192.0.2.1")
	const header, page = "PROXY TCP4 10.9.8.7 192.0.2.1 5000 80\r\n", "GET / HTTP/1.0\r\n\r\n"
	for _, tt := range []struct{ addr, first, want string }{
		{at, header, "200"}, {at, "", "400"}, {s.Proxy, "", "200"}, {s.Proxy, header, "400"},
		{elsewhere.Proxy, "", "200"}, {elsewhere.Proxy, header, "400"},
		{elsewhere.Proxy, "\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x0c\x0a\x01\x02\x03\xc0\x00\x02\x01\x13\x88\x00\x50", "400"},
	} {
		c, err := net.Dial("tcp", tt.addr)
		must(t, err)
		io.WriteString(c, tt.first+page)
		c.SetReadDeadline(time.Now().Add(rawhttp.Timeout))
		if b, err := io.ReadAll(c); !strings.HasPrefix(string(b), "HTTP/1.1 "+tt.want) {
			t.Errorf("%q: got %.40q, %v; want %s", tt.first, b, err, tt.want)
		}
		c.Close()
	}
}
