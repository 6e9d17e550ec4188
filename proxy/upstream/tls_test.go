package upstream_test

import (
	"bufio"
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"math/big"
	"net"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jayproxy/jay/proxy/upstream"
)

// authority makes certificates that clients with its roots accept.
type authority struct {
	cert  *x509.Certificate
	key   *ecdsa.PrivateKey
	roots *x509.CertPool
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	a := &authority{key: key, roots: x509.NewCertPool()}
	if a.cert, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	a.roots.AddCert(a.cert)
	return a
}

// server is the configuration of a server called name.
func (a *authority) server(t *testing.T, name string) *tls.Config {
	t.Helper()
	template := &x509.Certificate{SerialNumber: big.NewInt(2), NotAfter: time.Now().Add(time.Hour), DNSNames: []string{name}}
	if ip := net.ParseIP(name); ip != nil {
		template.DNSNames, template.IPAddresses = nil, []net.IP{ip}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, a.key.Public(), a.key)
	if err != nil {
		t.Fatal(err)
	}
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: a.key}}}
}

// secure is the origin o as it is reached over TLS under name.
func secure(o *origin, name string) upstream.Origin {
	return upstream.Origin{TLS: true, Host: name, Addr: o.addr()}
}

// tlsOrigin speaks TLS on each connection.
func tlsOrigin(t *testing.T, cfg *tls.Config, script func(n int, p *peer)) *origin {
	return newOrigin(t, func(n int, p *peer) {
		tc := tls.Server(p.Conn, cfg)
		script(n, &peer{tc, bufio.NewReader(tc)})
	})
}

func TestDo_TLS(t *testing.T) {
	noLeaks(t)
	ca := newAuthority(t)
	cfg := ca.server(t, "a.example")
	var hellos []*tls.ClientHelloInfo
	cfg.GetConfigForClient = func(h *tls.ClientHelloInfo) (*tls.Config, error) {
		hellos = append(hellos, h)
		return nil, nil
	}
	cfg.NextProtos = []string{"h2", "http/1.1"}
	o := tlsOrigin(t, cfg, func(_ int, p *peer) {
		for {
			r, body := p.request()
			if r == nil {
				return
			}
			p.say("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n" + body)
		}
	})
	c := newClient(t, upstream.Options{TLS: &tls.Config{RootCAs: ca.roots, ServerName: "other", NextProtos: []string{"h2"}}})
	for range 3 {
		r := post(bytes.NewReader([]byte("body")), 4)
		if status, body, err := fetch(t.Context(), c, secure(o, "a.example."), r); status != 200 || body != "body" || err != nil {
			t.Fatalf("got %d %q %v; want 200 body", status, body, err)
		}
	}
	if n := o.accepted.Load(); n != 1 {
		t.Errorf("got %d connections; want 1", n)
	}
	if h := hellos[0]; h.ServerName != "a.example" || !slices.Equal(h.SupportedProtos, []string{"http/1.1"}) {
		t.Errorf("got name %q, protocols %q; want a.example, http/1.1", h.ServerName, h.SupportedProtos)
	}
}

func TestDo_TLSErrors(t *testing.T) {
	ca, stranger := newAuthority(t), newAuthority(t)
	imap := ca.server(t, "a.example")
	imap.NextProtos = []string{"imap"} // crypto/tls lets "h2" alone pass
	wantsCert := ca.server(t, "a.example")
	wantsCert.ClientAuth = tls.RequireAnyClientCert
	wantsCert.MaxVersion = tls.VersionTLS12
	for _, tt := range []struct {
		name   string
		server *tls.Config
		kind   string
	}{
		{"unknown authority", stranger.server(t, "a.example"), upstream.KindTLSCertificateError},
		{"another name", ca.server(t, "b.example"), upstream.KindTLSCertificateError},
		{"no common protocol", imap, upstream.KindTLSAlert},
		{"alert", wantsCert, upstream.KindTLSAlert},
		{"no TLS", nil, upstream.KindTLSProtocolError},
	} {
		t.Run(tt.name, func(t *testing.T) {
			noLeaks(t)
			answered := false
			o := newOrigin(t, func(_ int, p *peer) {
				if tt.server == nil {
					p.say("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
					p.wait()
					return
				}
				tc := tls.Server(p.Conn, tt.server)
				defer tc.Close()
				answered = tc.Handshake() == nil && (&peer{tc, bufio.NewReader(tc)}).head() != ""
			})
			c := upstream.New(upstream.Options{TLS: &tls.Config{RootCAs: ca.roots, InsecureSkipVerify: true}})
			_, err := c.Do(t.Context(), secure(o, "a.example"), get())
			var e *upstream.Error
			if !errors.As(err, &e) || e.Kind != tt.kind || e.Status != 502 {
				t.Errorf("got %v; want %s, 502", err, tt.kind)
			}
			c.Close()
			o.close()
			if answered {
				t.Error("the origin got a request; want none")
			}
		})
	}
}

func TestDo_TLSHandshakeTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := upstream.New(upstream.Options{DialContext: pipes(t, func(p *peer) { p.wait() })})
		defer c.Close()
		o := anywhere
		o.TLS, o.Host = true, "a.example"
		began := time.Now()
		_, err := c.Do(t.Context(), o, get())
		if kind(err) != upstream.KindConnectionTimeout || time.Since(began) != 10*time.Second {
			t.Errorf("got %v after %v; want %s after 10s", err, time.Since(began), upstream.KindConnectionTimeout)
		}
	})
}

// TestBody_RFC9112_9_8: below TLS anybody can end the connection, so without a
// close_notify a body that ends with it is cut.
func TestBody_RFC9112_9_8(t *testing.T) {
	for _, notify := range []bool{true, false} {
		noLeaks(t)
		ca := newAuthority(t)
		o := newOrigin(t, func(_ int, p *peer) {
			tc := tls.Server(p.Conn, ca.server(t, "a.example"))
			s := &peer{tc, bufio.NewReader(tc)}
			s.head()
			s.say("HTTP/1.1 200 OK\r\n\r\nhello")
			if notify {
				tc.CloseWrite()
			}
		})
		c := newClient(t, upstream.Options{TLS: &tls.Config{RootCAs: ca.roots}})
		resp, err := c.Do(t.Context(), secure(o, "a.example"), get())
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		want := ""
		if !notify {
			want = upstream.KindResponseIncomplete
		}
		if string(body) != "hello" || kind(err) != want || resp.Body.Whole() != notify {
			t.Errorf("close_notify %v: got %q, %v, whole %v; want hello, %q", notify, body, err, resp.Body.Whole(), want)
		}
		resp.Close()
	}
}

// heldConn holds what is written until it is flushed.
type heldConn struct {
	net.Conn
	hold bool
	buf  []byte
}

func (c *heldConn) Write(p []byte) (int, error) {
	if !c.hold {
		return c.Conn.Write(p)
	}
	c.buf = append(c.buf, p...)
	return len(p), nil
}

// TestAcquire_QuietTLS covers B5 where the bytes too many are in a record that
// TLS has read, but not given out, so that the socket is quiet.
func TestAcquire_QuietTLS(t *testing.T) {
	noLeaks(t)
	ca := newAuthority(t)
	o := newOrigin(t, func(n int, p *peer) {
		held := &heldConn{Conn: p.Conn}
		tc := tls.Server(held, ca.server(t, "a.example"))
		s := &peer{tc, bufio.NewReader(tc)}
		s.head()
		if n > 0 {
			s.say("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nright")
			s.wait()
			return
		}
		held.hold = true
		s.say(okHello)
		s.say("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nwrong")
		p.Conn.Write(held.buf)
		s.wait()
	})
	c := newClient(t, upstream.Options{TLS: &tls.Config{RootCAs: ca.roots}})
	for _, want := range []string{"hello", "right", "right"} {
		if _, body, err := fetch(t.Context(), c, secure(o, "a.example"), get()); body != want || err != nil {
			t.Errorf("got %q, %v; want %s", body, err, want)
		}
		if want == "right" {
			break
		}
	}
}
