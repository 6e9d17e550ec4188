package proxy

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"math/big"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// certificate is one for an address, and a pool that trusts it.
func certificate(t testing.TB, ip string) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tpl := &x509.Certificate{
		SerialNumber: big.NewInt(1), IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.ParseIP(ip)},
	}
	der, err := x509.CreateCertificate(rand.Reader, tpl, tpl, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(leaf)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, pool
}

// tapped records what goes out on a connection.
type tapped struct {
	net.Conn
	mu  *sync.Mutex
	out *bytes.Buffer
}

func (c tapped) Write(p []byte) (int, error) {
	c.mu.Lock()
	c.out.Write(p)
	c.mu.Unlock()
	return c.Conn.Write(p)
}

// TestHTTPS_E6 checks that an https:// target is fetched over verified TLS or not at all, and is another resource than
// the http:// one.
func TestHTTPS_E6(t *testing.T) {
	for _, trusted := range []bool{true, false} {
		var mu sync.Mutex
		var wire bytes.Buffer
		var conf *tls.Config
		var w *world
		o := Options{TLS: &tls.Config{}}
		o.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
			if strings.HasSuffix(address, ":80") {
				return w.origin.dial(ctx, network, address)
			}
			here, there := net.Pipe()
			w.origin.mu.Lock()
			defer w.origin.mu.Unlock()
			w.origin.conns = append(w.origin.conns, there)
			w.origin.wg.Go(func() { w.origin.handle(0, tls.Server(there, conf)) })
			return tapped{here, &mu, &wire}, nil
		}
		synctest.Test(t, func(t *testing.T) {
			cert, pool := certificate(t, "192.0.2.1")
			conf = &tls.Config{Certificates: []tls.Certificate{cert}, SessionTicketsDisabled: true} // their writes would wait for a read in a pipe
			if trusted {
				o.TLS.RootCAs = pool
			}
			w = newWorld(t, o, func(a *ask) string {
				return respond(200, a.get("Host"), "Cache-Control: max-age=60", "X-Target: "+a.target)
			})
			const secret = "/secret-path"
			a := w.get("https://192.0.2.1" + secret)
			mu.Lock()
			clear := bytes.Contains(wire.Bytes(), []byte(secret))
			mu.Unlock()
			if clear {
				t.Fatal("the request went out in clear")
			}
			if !trusted {
				if a.status != 502 || a.get("Proxy-Status") != "jay; error=tls_certificate_error" || w.origin.count("") != 0 {
					t.Errorf("untrusted: got %q %q; want 502", a.line, a.head)
				}
				return
			}
			if a.status != 200 || a.body != "192.0.2.1" || a.get("X-Target") != secret {
				t.Errorf("trusted: got %q %q", a.line, a.body)
			}
			if !w.hits("https://192.0.2.1"+secret) || w.hits("http://192.0.2.1"+secret) {
				t.Error("https and http are not told apart by the cache")
			}
		})
	}
}
