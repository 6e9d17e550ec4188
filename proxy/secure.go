package proxy

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jayproxy/jay/proxy/h2"
	"github.com/jayproxy/jay/proxy/wire"
)

// ListenOptions say how the clients of a listener come to it.
type ListenOptions struct {
	Mode Mode
	// TLS has the certificate for clients that speak TLS to the proxy; nil: they do not. Versions before 1.2 and suites
	// that HTTP/2 prohibits are left out (RFC 9113 §9.2), and HTTP/2 is offered unless NextProtos says otherwise.
	TLS *tls.Config
	// ProxyProtocol has the machines in Options.ProxySenders say who a client is, and where it connected to.
	ProxyProtocol bool
}

// prepared completes the settings of TLS.
func (o ListenOptions) prepared() ListenOptions {
	if o.TLS == nil {
		return o
	}
	o.TLS = serverTLS(o.TLS)
	if choose := o.TLS.GetConfigForClient; choose != nil {
		o.TLS.GetConfigForClient = func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
			c, err := choose(hello)
			if c == nil || err != nil {
				return nil, err
			}
			return serverTLS(c), nil
		}
	}
	return o
}

// serverTLS is c with what it leaves open.
func serverTLS(c *tls.Config) *tls.Config {
	c = c.Clone()
	c.MinVersion = max(c.MinVersion, tls.VersionTLS12)
	if c.CipherSuites == nil {
		c.CipherSuites = suites()
	}
	if c.NextProtos == nil {
		c.NextProtos = []string{h2.Protocol, "http/1.1"}
	}
	return c
}

// suites are those of TLS 1.2 with forward secrecy and authenticated encryption; TLS 1.3 has no others.
func suites() []uint16 {
	return []uint16{
		tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
		tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
		tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, tls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
	}
}

// handshake begins TLS, in the time that a request's head may take. It returns whether HTTP/1.1 is to be served.
func (c *conn) handshake() bool {
	under := c.nc
	if early := c.r.Buffered(); len(early) > 0 {
		under = &replay{Conn: under, early: slices.Clone(early)}
		c.r.Skip(len(early))
		c.r.Release()
	}
	t := tls.Server(under, c.secure)
	c.nc.SetDeadline(time.Now().Add(c.opt.HeadTimeout))
	if err := t.HandshakeContext(c.p.ctx); err != nil {
		if !errors.Is(err, io.EOF) { // who just looks whether anybody listens
			c.p.stats.refusedHeads.Add(1)
			c.p.log.Debug("TLS handshake failed", "client", c.client.String(), "err", err)
		}
		return false
	}
	t.SetDeadline(time.Time{})
	c.nc, c.r = t, wire.NewReader(t)
	state := t.ConnectionState()
	c.name = state.ServerName
	if state.NegotiatedProtocol == h2.Protocol {
		c.serveStreams(t)
		return false
	}
	return true
}

// replay is a connection of which some bytes were read already.
type replay struct {
	net.Conn
	early []byte
}

// NetConn is the connection below, as tls.Conn has it.
func (r *replay) NetConn() net.Conn { return r.Conn }

// Read implements net.Conn.
func (r *replay) Read(p []byte) (int, error) {
	if len(r.early) == 0 {
		return r.Conn.Read(p)
	}
	n := copy(p, r.early)
	r.early = r.early[n:]
	return n, nil
}

// serveStreams serves a client that speaks HTTP/2, until the connection ends.
func (c *conn) serveStreams(t *tls.Conn) {
	h, err := h2.NewConn(t, h2.Options{IdleTimeout: c.opt.IdleTimeout, WriteTimeout: c.opt.WriteTimeout, HeadBytes: c.opt.Limits.HeadBytes})
	if err != nil || !c.busy() {
		return
	}
	c.p.mu.Lock()
	c.h2 = h
	c.p.mu.Unlock()
	if c.p.closing.Load() { // Shutdown looks after having set it
		h.Drain()
	}
	h.Serve(c.serveStream)
}

// serveStream serves one request of a client that speaks HTTP/2, in the same way as one on a connection of its own.
func (c *conn) serveStream(s *h2.Stream) {
	r := &conn{
		p: c.p, opt: c.p.opt(), nc: s, raw: s, stream: s, mode: c.mode, client: c.client, local: c.local,
		fronted: c.fronted, secure: c.secure, at: c.at, name: c.name, persistent: true,
	}
	if !r.mayAsk() { // any more: the settings may have changed since the client was let in
		c.p.stats.refusedClients.Add(1)
		s.Reset()
		return
	}
	if !c.p.rememberStream(r) {
		c.p.stats.refusedClients.Add(1)
		c.p.warnOfLimit(r)
		s.Refuse(503, "This proxy has as many requests as it takes; try again later.\n")
		return
	}
	r.state.Store(connBusy)
	r.r = wire.NewReader(s)
	defer r.end()
	if !s.Begin(c.isSelf) {
		c.p.stats.refusedHeads.Add(1)
		s.Refuse(400, "The request cannot be expressed in HTTP/1.1.\n")
		return
	}
	if r.r.Wait() == nil {
		r.request()
	}
}

// isSelf tells whether a client that asks for an https:// URL with this authority means the proxy itself: it is the name
// and the port by which it has connected to it. HTTP/2 has no other way to say so.
func (c *conn) isSelf(authority string) bool {
	host, port := splitAuthority(authority)
	at := c.reached()
	if port != strconv.Itoa(int(at.Port())) {
		return false
	}
	if c.name != "" {
		return strings.EqualFold(host, c.name)
	}
	a, err := netip.ParseAddr(host)
	return err == nil && a.Unmap().WithZone("") == at.Addr().WithZone("")
}

// reached is the address that the client has connected to.
func (c *conn) reached() netip.AddrPort {
	if c.at.IsValid() {
		return c.at
	}
	return addrPort(c.nc.LocalAddr())
}

// splitAuthority is the host of an https URL's authority, without brackets, and its port.
func splitAuthority(authority string) (host, port string) {
	if host, port, err := net.SplitHostPort(authority); err == nil {
		return host, port
	}
	return strings.Trim(authority, "[]"), "443"
}

// rememberStream is remember for a request over HTTP/2. Shutdown finds it by its connection.
func (p *Proxy) rememberStream(c *conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.full(c) || !p.count(c) {
		return false
	}
	p.streams++
	return true
}

// drainStreams has the clients that speak HTTP/2 open no more streams; p.mu is held.
func (p *Proxy) drainStreams() {
	for c := range p.conns {
		if c.h2 != nil {
			c.h2.Drain()
		}
	}
}

// protocol is the version of HTTP in which the request came.
func (x *exchange) protocol() string {
	if x.c.stream != nil {
		return "HTTP/2.0"
	}
	return httpOne(x.req.Minor)
}

// httpOne is HTTP/1's version with that minor number.
func httpOne(minor int) string {
	if minor == 0 {
		return "HTTP/1.0"
	}
	return "HTTP/1.1"
}
