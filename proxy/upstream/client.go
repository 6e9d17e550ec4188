package upstream

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jayproxy/jay/proxy/parent"
	"github.com/jayproxy/jay/proxy/resolve"
	"github.com/jayproxy/jay/proxy/wire"
)

// errClosed is the cause of errors after [Client.Close].
var errClosed = errors.New("client closed")

// Origin says where a request goes. It is comparable and is the key of a
// connection pool, so two origins never share a connection.
type Origin struct {
	// TLS asks for HTTP over TLS, verified for Host.
	TLS bool
	// Host is a lower-case name or an IP literal without brackets. With Addr
	// valid it is only a label and the name for TLS.
	Host string
	// Port is the port to connect to unless Addr is valid.
	Port uint16
	// Addr, if valid, is the very address to connect to; nothing is resolved.
	Addr netip.AddrPort
	// Via, if not nil, is the parent through which the origin is reached, by a
	// tunnel; it resolves Host. Without Host and Addr the connection is to the
	// parent itself, for requests in absolute form (RFC 9112 §3.2.2).
	Via *parent.Parent
}

// Check says whether an address may be connected to. Its error is wrapped by the
// one that the caller gets. It is called by the goroutine that asked.
type Check func(netip.AddrPort) error

// Options configures a [Client]. The zero value is usable.
type Options struct {
	// Check is called with each address just before it is dialled, IPv4-mapped
	// IPv6 addresses in their IPv4 form. An error ends that attempt. If nil, every
	// address is allowed.
	Check Check
	// DNS says how names are looked up. Its Timeout is ConnectTimeout.
	DNS resolve.Options
	// DialContext opens a connection to a literal "IP:port". If nil, a
	// net.Dialer is used.
	DialContext func(ctx context.Context, network, address string) (net.Conn, error)
	// ConnectTimeout bounds name lookup, connecting and the TLS handshake
	// together, and before that the wait for a slot of the origin. Zero means 10 s.
	ConnectTimeout time.Duration
	// HeaderTimeout bounds the time from the end of the request to the end of
	// the head of the answer. Zero means 10 min.
	HeaderTimeout time.Duration
	// BodyIdleTimeout is the longest time without a byte of body, in either
	// direction. Zero means 60 s.
	BodyIdleTimeout time.Duration
	// IdleTimeout is how long an unused connection is kept. Zero means 60 s.
	IdleTimeout time.Duration
	// MaxPerOrigin bounds the connections of one origin, used and idle. Zero
	// means 256. Those of [Client.Dial] and [Response.Hijack] do not count, and
	// neither do those to a parent itself, behind which there are many origins.
	MaxPerOrigin int
	// MaxIdlePerOrigin bounds the idle connections of one origin. Zero means 64.
	MaxIdlePerOrigin int
	// MaxIdle bounds the idle connections of all origins; the one idle for
	// longest goes first. Zero means 1024.
	MaxIdle int
	// Limits bounds response heads and trailers. Zero means wire's defaults.
	Limits wire.Limits
	// MaxInterim is the number of 1xx answers accepted before a final one. Zero
	// means 10.
	MaxInterim int
	// TLS configures https origins. If nil, the system's roots are trusted.
	// ServerName, NextProtos and InsecureSkipVerify are overruled: certificates
	// are always verified and only http/1.1 is offered.
	TLS *tls.Config
}

// withDefaults returns o with its zero values replaced by what they mean.
func (o Options) withDefaults() Options {
	if o.DialContext == nil {
		o.DialContext = new(net.Dialer).DialContext
	}
	o.ConnectTimeout = orDefault(o.ConnectTimeout, 10*time.Second)
	o.HeaderTimeout = orDefault(o.HeaderTimeout, 10*time.Minute)
	o.BodyIdleTimeout = orDefault(o.BodyIdleTimeout, time.Minute)
	o.IdleTimeout = orDefault(o.IdleTimeout, time.Minute)
	o.MaxPerOrigin = orDefault(o.MaxPerOrigin, 256)
	o.MaxIdlePerOrigin = orDefault(o.MaxIdlePerOrigin, 64)
	o.MaxIdle = orDefault(o.MaxIdle, 1024)
	o.MaxInterim = orDefault(o.MaxInterim, 10)
	if o.Limits == (wire.Limits{}) {
		o.Limits = wire.DefaultLimits()
	}
	o.DNS.Timeout = o.ConnectTimeout
	o.TLS = tlsConfig(o.TLS)
	return o
}

// orDefault returns v, or def if v is not positive.
func orDefault[T int | time.Duration](v, def T) T {
	if v <= 0 {
		return def
	}
	return v
}

// Client sends requests to origins and keeps their connections. It is safe
// for concurrent use.
type Client struct {
	live   atomic.Pointer[Options]
	base   context.Context // done when the client is closed
	cancel context.CancelFunc
	wg     sync.WaitGroup // connection attempts
	names  *resolve.Resolver

	mu     sync.Mutex
	closed bool
	pools  map[Origin]*pool
	conns  map[*conn]struct{} // all that are open, so that Close finds those in use
	idle   idleList
	reaper *time.Timer // nil until the first connection became idle
	armed  bool        // the reaper is going to run
}

// New returns a client. It is to be ended with [Client.Close].
func New(opt Options) *Client {
	c := &Client{
		pools: make(map[Origin]*pool),
		conns: make(map[*conn]struct{}),
	}
	opt = opt.withDefaults()
	c.live.Store(&opt)
	c.names = resolve.New(opt.DNS)
	c.base, c.cancel = context.WithCancel(context.Background())
	return c
}

// Configure gives the client other options. Requests that run live on; their connections are closed behind them, idle ones
// now, and names are looked up anew: whatever begins afterwards knows nothing of the former options.
func (c *Client) Configure(opt Options) {
	opt = opt.withDefaults()
	c.mu.Lock()
	c.live.Store(&opt)
	c.names.Configure(opt.DNS)
	for _, p := range c.pools {
		for p.open < opt.MaxPerOrigin && p.grant(nil) {
			p.open++
		}
	}
	idle := c.takeIdle()
	c.mu.Unlock()
	for _, cn := range idle {
		c.drop(cn)
	}
}

// opt are the options in force. They are never changed, but replaced.
func (c *Client) opt() *Options { return c.live.Load() }

// Close closes every connection, idle or in use, and returns when no goroutine
// of the client is left, save those that send the bodies of requests whose
// responses are not closed yet.
func (c *Client) Close() {
	c.mu.Lock()
	c.closed = true
	if c.reaper != nil {
		c.reaper.Stop()
	}
	open := make([]*conn, 0, len(c.conns))
	for cn := range c.conns {
		open = append(open, cn)
	}
	c.mu.Unlock()
	c.cancel()
	c.CloseIdle()
	for _, cn := range open {
		cn.abort()
	}
	c.names.Close()
	c.wg.Wait()
}

// CloseIdle closes the idle connections.
func (c *Client) CloseIdle() {
	c.mu.Lock()
	idle := c.takeIdle()
	c.mu.Unlock()
	for _, cn := range idle {
		c.drop(cn)
	}
}

// takeIdle takes all idle connections out of their pools; c.mu is held.
func (c *Client) takeIdle() []*conn {
	var idle []*conn
	for c.idle.oldest != nil {
		idle = append(idle, c.removeIdle(c.idle.oldest))
	}
	return idle
}

// spawn runs f in a goroutine that Close waits for. It reports whether it did:
// a closed client starts nothing.
func (c *Client) spawn(f func()) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return false
	}
	c.wg.Go(f)
	return true
}
