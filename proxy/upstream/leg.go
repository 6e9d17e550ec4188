package upstream

import (
	"context"
	"crypto/tls"
	"net"
	"net/netip"
)

// leg is a connection as it was made: to an origin, to a parent, or through one.
type leg struct {
	transport net.Conn       // the socket
	nc        net.Conn       // what is written to: transport, or TLS over it
	tls       *tls.Conn      // the uppermost TLS, nil without
	tap       *tapConn       // below tls
	addr      netip.AddrPort // of the other end of transport
	early     []byte         // sent by the other side of a tunnel already
}

// leg connects to o, with TLS if o wants it.
func (c *Client) leg(ctx context.Context, o Origin, t Terms) (*leg, error) {
	if o.Via == nil {
		ctx, cancel := c.connectContext(ctx, c.opt().ConnectTimeout)
		defer cancel()
		nc, addr, err := c.dial(ctx, o, t.Check)
		if err != nil {
			return nil, err
		}
		return c.secured(ctx, &leg{transport: nc, nc: nc, addr: addr}, o)
	}
	l, err := c.through(ctx, o, t)
	if err != nil || o.shared() {
		return l, err
	}
	if len(l.early) > 0 { // the origin may not speak before it was asked
		l.transport.Close()
		return nil, &ParentError{Parent: o.Via, Err: &Error{Kind: KindProtocolError, Status: 502, Err: errEarly}}
	}
	ctx, cancel := c.connectContext(ctx, c.opt().ConnectTimeout)
	defer cancel()
	return c.secured(ctx, l, o)
}

// secured puts TLS on top of l if o wants it. On failure l is closed.
func (c *Client) secured(ctx context.Context, l *leg, o Origin) (*leg, error) {
	if !o.TLS {
		return l, nil
	}
	if err := l.secure(ctx, c, o.Host); err != nil {
		l.transport.Close()
		return nil, err
	}
	return l, nil
}

// secure puts TLS to host on top.
func (l *leg) secure(ctx context.Context, c *Client, host string) error {
	tap := &tapConn{Conn: l.nc}
	tc, err := c.handshake(ctx, tap, host)
	if err != nil {
		return err
	}
	l.tap, l.tls, l.nc = tap, tc, tc
	return nil
}
