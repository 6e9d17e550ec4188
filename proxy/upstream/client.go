package upstream

import (
	"context"
	"crypto/tls"
	"net"
	"net/netip"
	"time"

	"github.com/jayproxy/jay/proxy/wire"
)

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
}

// Options configures a [Client]. The zero value is usable.
type Options struct {
	// Check is called with each address just before it is dialled, IPv4-mapped
	// IPv6 addresses in their IPv4 form. An error ends that attempt. If nil, every
	// address is allowed.
	Check func(netip.AddrPort) error
	// Resolver looks names up. If nil, Go's own resolver is used.
	Resolver *net.Resolver
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
	// means 256. Those of [Client.Dial] and [Response.Hijack] do not count.
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

// Client sends requests to origins and keeps their connections. It is safe
// for concurrent use.
type Client struct {
	opt Options
}

// New returns a client. It is to be ended with [Client.Close].
func New(opt Options) *Client { return &Client{opt: opt} }

// Close closes every connection, idle or in use, and returns when no goroutine
// of the client is left, save those that send the bodies of requests whose
// responses are not closed yet.
func (c *Client) Close() { panic("upstream: not ready") }

// CloseIdle closes the idle connections.
func (c *Client) CloseIdle() { panic("upstream: not ready") }

// Lookup returns the addresses of host, IPv4-mapped ones in their IPv4 form.
// Only what netip parses is a literal; other numeric forms such as 127.1 are
// errors, never addresses. The error is an [*Error].
func (c *Client) Lookup(ctx context.Context, host string) ([]netip.Addr, error) {
	panic("upstream: not ready")
}

// Dial opens a connection for a tunnel: no TLS, no pool, no slot. It returns
// the address it is connected to. The error is an [*Error].
func (c *Client) Dial(ctx context.Context, o Origin) (net.Conn, netip.AddrPort, error) {
	panic("upstream: not ready")
}

// Do sends r to o and returns the final response's head. Its body is read
// from [Response.Body], and the response must be closed. Cancelling ctx ends
// the exchange, body included, until then. The error is an [*Error] or a
// [*BodyError]; then nothing touches r any more.
func (c *Client) Do(ctx context.Context, o Origin, r *Request) (*Response, error) {
	panic("upstream: not ready")
}
