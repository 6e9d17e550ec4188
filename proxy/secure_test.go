package proxy

//lint:file-ignore SA1019 net/http's own client, which is to replace http2.Transport, sends no http:// URLs over TLS

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/http2"

	"github.com/jayproxy/jay/proxy/access"
)

// secureWorld is a world with a TLS listener on a real port.
type secureWorld struct {
	*world
	addr  string
	trust *x509.CertPool
	log   *logged
}

// logged collects what is written.
type logged struct {
	mu  sync.Mutex
	all strings.Builder
}

// Write implements io.Writer.
func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.all.Write(p)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.all.String()
}

func newSecureWorld(t testing.TB, o Options, serve func(*ask) string) *secureWorld {
	t.Helper()
	s := &secureWorld{log: &logged{}}
	out, err := access.Open(access.Options{Path: "-", Format: access.JSON, Stdout: s.log})
	if err != nil {
		t.Fatal(err)
	}
	o.Access = out
	s.world = newWorld(t, o, serve)
	t.Cleanup(func() { out.Close() })
	cert, pool := certificate(t, "127.0.0.1")
	s.trust = pool
	s.addr = s.listenWith(ListenOptions{TLS: &tls.Config{Certificates: []tls.Certificate{cert}}})
	return s
}

// listenWith opens a listener on a port of this machine.
func (w *world) listenWith(o ListenOptions) string {
	w.t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		w.t.Fatal(err)
	}
	go w.p.ServeWith(ln, o)
	return ln.Addr().String()
}

// dial connects with TLS and agrees on a protocol.
func (s *secureWorld) dial(protocols ...string) *tls.Conn {
	s.t.Helper()
	c, err := tls.Dial("tcp", s.addr, &tls.Config{RootCAs: s.trust, NextProtos: protocols})
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { c.Close() })
	return c
}

// h2 is a client that speaks HTTP/2 to the proxy.
func (s *secureWorld) h2() *http2.ClientConn {
	s.t.Helper()
	c := s.dial("h2")
	if got := c.ConnectionState().NegotiatedProtocol; got != "h2" {
		s.t.Fatalf("negotiated %q; want h2", got)
	}
	cc, err := new(http2.Transport).NewClientConn(c)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { cc.Close() })
	return cc
}

// ask does one request over HTTP/2 and reads all of its answer.
func h2Do(t testing.TB, cc *http2.ClientConn, r *http.Request) (*http.Response, string) {
	t.Helper()
	res, err := cc.RoundTrip(r)
	if err != nil {
		t.Fatalf("%s %s: %v", r.Method, r.URL, err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatalf("%s %s: body: %v", r.Method, r.URL, err)
	}
	return res, string(b)
}

func h2Request(method, url string, body io.Reader, fields ...string) *http.Request {
	r, err := http.NewRequest(method, url, body)
	if err != nil {
		panic(err)
	}
	for _, f := range fields {
		name, value, _ := strings.Cut(f, ": ")
		r.Header.Add(name, value)
	}
	return r
}

// TestTLS_HTTP1 checks the ordinary connection loop under TLS: hits, misses, uploads, CONNECT and the end of the body.
func TestTLS_HTTP1(t *testing.T) {
	s := newSecureWorld(t, Options{}, func(a *ask) string {
		if a.method == "POST" {
			return respond(200, a.body, "Cache-Control: no-store")
		}
		return respond(200, "body", "Cache-Control: max-age=60")
	})
	proxyURL, _ := url.Parse("https://" + s.addr)
	tr := &http.Transport{Proxy: http.ProxyURL(proxyURL), TLSClientConfig: &tls.Config{RootCAs: s.trust}}
	defer tr.CloseIdleConnections()
	client := &http.Client{Transport: tr}
	for i, want := range []string{"fwd=uri-miss", "; hit"} {
		res, err := client.Get(host + "/tls")
		if err != nil {
			t.Fatal(err)
		}
		b, _ := io.ReadAll(res.Body)
		res.Body.Close()
		if string(b) != "body" || !strings.Contains(res.Header.Get("Cache-Status"), want) {
			t.Errorf("request %d: got %q, Cache-Status %q; want body, %q", i, b, res.Header.Get("Cache-Status"), want)
		}
	}
	res, err := client.Post(host+"/tls", "text/plain", io.LimitReader(zeros{}, 300_000))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if n, err := io.Copy(io.Discard, res.Body); n != 300_000 || err != nil {
		t.Errorf("upload came back as %d bytes, %v; want 300000", n, err)
	}
}

// zeros is an endless body.
type zeros struct{}

// Read implements io.Reader.
func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

// TestTLS_refuses checks that old versions, prohibited suites and what is no TLS get nowhere, and that a slow handshake
// ends.
func TestTLS_refuses(t *testing.T) {
	s := newSecureWorld(t, Options{HeadTimeout: 200 * time.Millisecond}, nil)
	for name, conf := range map[string]*tls.Config{
		"1.1": {MaxVersion: tls.VersionTLS11, MinVersion: tls.VersionTLS10},
		"CBC": {MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA}},
	} {
		conf.RootCAs = s.trust
		if c, err := tls.Dial("tcp", s.addr, conf); err == nil {
			t.Errorf("%s: accepted", name)
			c.Close()
		}
	}
	for name, first := range map[string]string{"HTTP": "GET / HTTP/1.1\r\n\r\n", "silent": "", "half": "\x16\x03\x01"} {
		c, err := net.Dial("tcp", s.addr)
		if err != nil {
			t.Fatal(err)
		}
		io.WriteString(c, first)
		c.SetReadDeadline(time.Now().Add(20 * time.Second))
		if _, err := io.Copy(io.Discard, c); errors.Is(err, net.ErrClosed) || isTimeout(err) {
			t.Errorf("%s: got %v; want the end of the connection", name, err)
		}
		c.Close()
	}
}

func isTimeout(err error) bool {
	var ne net.Error
	return errors.As(err, &ne) && ne.Timeout()
}

// TestTLS_connect checks a tunnel under TLS: the end of the client's direction reaches the origin, and an origin's reset does
// not look like an end to the client.
func TestTLS_connect(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			first := make([]byte, 1)
			io.ReadFull(c, first)
			if first[0] == '!' {
				c.(*net.TCPConn).SetLinger(0)
				c.Close()
				continue
			}
			b, _ := io.ReadAll(c)
			c.Write(append(first, b...))
			c.Close()
		}
	}()
	s := newSecureWorld(t, Options{Dial: new(net.Dialer).DialContext}, nil)
	open := func() *tls.Conn {
		c := s.dial("http/1.1")
		io.WriteString(c, "CONNECT "+ln.Addr().String()+" HTTP/1.1\r\nHost: "+ln.Addr().String()+"\r\n\r\n")
		if line, _, err := readHead(bufio.NewReader(io.LimitReader(c, int64(len("HTTP/1.1 200 Connection established\r\n\r\n"))))); err != nil || !strings.Contains(line, "200") {
			t.Fatalf("got %q, %v; want 200", line, err)
		}
		return c
	}
	c := open()
	sent := strings.Repeat("x", 100_000)
	io.WriteString(c, sent)
	c.CloseWrite()
	if b, err := io.ReadAll(c); err != nil || string(b) != sent {
		t.Errorf("got %d bytes, %v; want %d and a clean end", len(b), err, len(sent))
	}
	c = open()
	io.WriteString(c, "!")
	if b, err := io.ReadAll(c); err == nil {
		t.Errorf("got %q and a clean end; want an error", b)
	}
}

// TestTLS_cutBody checks that a body of unknown length that broke off does not end like a whole one, in either protocol.
func TestTLS_cutBody(t *testing.T) {
	s := newSecureWorld(t, Options{}, func(a *ask) string {
		io.WriteString(a, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")
		a.Close()
		return ""
	})
	c := s.dial("http/1.1")
	io.WriteString(c, "GET "+host+"/cut HTTP/1.0\r\n\r\n")
	if b, err := io.ReadAll(c); err == nil {
		t.Errorf("HTTP/1.0: got %q and a clean end; want an error", b)
	}
	res, err := s.h2().RoundTrip(h2Request("GET", host+"/cut2", nil))
	if err != nil {
		t.Fatal(err)
	}
	var reset http2.StreamError
	if b, err := io.ReadAll(res.Body); !errors.As(err, &reset) {
		t.Errorf("HTTP/2: got %q, %v; want a reset stream", b, err)
	}
}

// TestH2_exchanges compares what clients of the plain listener and of HTTP/2 get, and what the log says.
func TestH2_exchanges(t *testing.T) {
	s := newSecureWorld(t, Options{}, func(a *ask) string {
		switch {
		case a.method == "POST":
			return respond(201, a.body, "Cache-Control: no-store")
		case strings.HasSuffix(a.target, "/304"):
			return "HTTP/1.1 304 Not Modified\r\nETag: \"1\"\r\n\r\n"
		case strings.HasSuffix(a.target, "/early"):
			return "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + respond(200, "later", "Cache-Control: max-age=9")
		}
		return respond(200, "0123456789", "Cache-Control: max-age=60", `ETag: "1"`, "X-Two: a", "X-Two: b")
	})
	cc := s.h2()
	for _, tt := range []struct {
		name, method, path, body string
		fields                   []string
		status                   int
		want, cacheStatus        string
	}{
		{"miss", "GET", "/a", "", nil, 200, "0123456789", "fwd=uri-miss"},
		{"hit", "GET", "/a", "", nil, 200, "0123456789", "; hit"},
		{"head", "HEAD", "/a", "", nil, 200, "", "; hit"},
		{"range", "GET", "/a", "", []string{"Range: bytes=2-4"}, 206, "234", "; hit"},
		{"condition", "GET", "/a", "", []string{`If-None-Match: "1"`}, 304, "", "; hit"},
		{"only-if-cached", "GET", "/none", "", []string{"Cache-Control: only-if-cached"}, 504, "*", ""},
		{"post", "POST", "/a", strings.Repeat("x", 100_000), nil, 201, strings.Repeat("x", 100_000), "fwd=method"},
		{"bad port", "GET", ":1/", "", nil, 502, "*", ""},
	} {
		var body io.Reader
		if tt.body != "" {
			body = strings.NewReader(tt.body)
		}
		if tt.name == "bad port" {
			s.origin.refuses = "192.0.2.1:1"
		}
		res, got := h2Do(t, cc, h2Request(tt.method, host+tt.path, body, tt.fields...))
		if res.StatusCode != tt.status || tt.want != "*" && got != tt.want || !strings.Contains(res.Header.Get("Cache-Status"), tt.cacheStatus) {
			t.Errorf("%s: got %d %.40q, %q; want %d %.40q, %q", tt.name, res.StatusCode, got, res.Header.Get("Cache-Status"), tt.status, tt.want, tt.cacheStatus)
		}
		for _, name := range []string{"Connection", "Transfer-Encoding", "Keep-Alive"} {
			if v := res.Header.Get(name); v != "" {
				t.Errorf("%s: got %s: %s; want none", tt.name, name, v)
			}
		}
		if n := len(res.Header.Values("X-Two")); n != 2 && tt.status == 200 {
			t.Errorf("%s: got %d X-Two fields; want 2", tt.name, n)
		}
	}
	h2Do(t, cc, h2Request("GET", host+"/via", nil))
	if via := s.origin.last().get("Via"); via != "2.0 jay-test" {
		t.Errorf("origin got Via %q; want 2.0 jay-test", via)
	}
	s.p.opt().Access.Close()
	if got := s.log.String(); strings.Count(got, `"proto":"HTTP/2.0"`) != 9 || !strings.Contains(got, `"client":"127.0.0.1:`) {
		t.Errorf("log has not nine lines of HTTP/2.0 with the client's address:\n%s", got)
	}
}

// BenchmarkSecureHit is a hit over TLS, client included, on one connection: in HTTP/1.1 one after the other, in HTTP/2 ten
// at a time.
func BenchmarkSecureHit(b *testing.B) {
	s := newSecureWorld(b, Options{}, always(respond(200, strings.Repeat("x", 1024), "Cache-Control: max-age=3600")))
	b.Run("HTTP1", func(b *testing.B) {
		c := newClient(b, s.dial("http/1.1"))
		b.ReportAllocs()
		for b.Loop() {
			if a := c.get(host + "/"); a.status != 200 {
				b.Fatalf("got %d; want 200", a.status)
			}
		}
	})
	b.Run("HTTP2", func(b *testing.B) {
		cc := s.h2()
		b.ReportAllocs()
		b.SetParallelism(10)
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				if res, _ := h2Do(b, cc, h2Request("GET", host+"/", nil)); res.StatusCode != 200 {
					b.Errorf("got %d; want 200", res.StatusCode)
				}
			}
		})
	})
}
