package proxy

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"

	"github.com/jayproxy/jay/proxy/access"
)

// secureWorld is a proxy with a TLS listener on a real port.
type secureWorld struct {
	*world
	addr  string
	trust *x509.CertPool
}

func newSecureWorld(t *testing.T, o Options, lo ListenOptions, serve func(*ask) string) *secureWorld {
	t.Helper()
	s := &secureWorld{world: newWorld(t, o, serve)}
	if lo.TLS == nil {
		lo.TLS = &tls.Config{}
	}
	cert, pool := testCertificate(t)
	lo.TLS.Certificates = []tls.Certificate{cert}
	s.trust = pool
	s.addr = s.listen(lo)
	return s
}

// listen opens a further listener.
func (w *world) listen2(lo ListenOptions) string {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		w.t.Fatal(err)
	}
	go w.p.ServeWith(ln, lo)
	return ln.Addr().String()
}
