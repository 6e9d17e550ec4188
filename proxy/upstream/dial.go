package upstream

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"syscall"
	"time"
)

// stagger is the pause between connection attempts to the addresses of one name
// (RFC 8305 §5).
const stagger = 250 * time.Millisecond

// Dial opens a connection for a tunnel: no TLS, no pool, no slot. It returns
// the address it is connected to. The error is an [*Error].
func (c *Client) Dial(ctx context.Context, o Origin) (net.Conn, netip.AddrPort, error) {
	nc, _, addr, err := c.DialOn(ctx, o, Terms{})
	return nc, addr, err
}

// Terms are what a caller asks of a connection.
type Terms struct {
	// Check is asked besides that of the client, but not about the address of a
	// parent. If nil, every address is allowed.
	Check Check
	// Patience bounds the time to connect to a parent in place of the connect
	// timeout: others can be tried. Zero means the connect timeout.
	Patience time.Duration
	// Via are the lines of the Via field of a CONNECT request to a parent (RFC 9110
	// §7.6.3).
	Via []string
}

// DialOn is Dial on terms. It also returns the bytes that the other side of a
// parent's tunnel has sent already.
func (c *Client) DialOn(ctx context.Context, o Origin, t Terms) (net.Conn, []byte, netip.AddrPort, error) {
	if o.Via != nil {
		l, err := c.through(ctx, o, t)
		if err != nil {
			return nil, nil, netip.AddrPort{}, err
		}
		return l.nc, l.early, l.addr, nil
	}
	ctx, cancel := c.connectContext(ctx, c.opt().ConnectTimeout)
	defer cancel()
	nc, addr, err := c.dial(ctx, o, t.Check)
	return nc, nil, addr, err
}

// connectContext derives the context of one connection attempt from that of a
// request: it ends after d and with the client.
func (c *Client) connectContext(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithTimeout(ctx, d)
	stop := context.AfterFunc(c.base, cancel)
	return ctx, func() { stop(); cancel() }
}

// dial finds the addresses of o and connects to one of them. With no descriptor
// left it gives up the idle connections and tries once more.
func (c *Client) dial(ctx context.Context, o Origin, check Check) (net.Conn, netip.AddrPort, error) {
	addrs, err := c.addresses(ctx, o)
	if err != nil {
		return nil, netip.AddrPort{}, err
	}
	nc, addr, err := c.connect(ctx, addrs, check)
	if errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE) {
		c.CloseIdle()
		nc, addr, err = c.connect(ctx, addrs, check)
	}
	if err != nil {
		return nil, netip.AddrPort{}, dialError(err)
	}
	return nc, addr, nil
}

// addresses returns where o can be reached, in the order to be tried.
func (c *Client) addresses(ctx context.Context, o Origin) ([]netip.AddrPort, error) {
	if o.Addr.IsValid() {
		return []netip.AddrPort{netip.AddrPortFrom(o.Addr.Addr().Unmap(), o.Addr.Port())}, nil
	}
	ips, err := c.Lookup(ctx, o.Host)
	if err != nil {
		return nil, err
	}
	return interleave(ips, o.Port), nil
}

// interleave alternates between the address families, beginning with that of
// the first address (RFC 8305 §4).
func interleave(ips []netip.Addr, port uint16) []netip.AddrPort {
	var same, other []netip.AddrPort
	for _, ip := range ips {
		if ip.Is4() == ips[0].Is4() {
			same = append(same, netip.AddrPortFrom(ip, port))
		} else {
			other = append(other, netip.AddrPortFrom(ip, port))
		}
	}
	out := make([]netip.AddrPort, 0, len(ips))
	for i := range max(len(same), len(other)) {
		if i < len(same) {
			out = append(out, same[i])
		}
		if i < len(other) {
			out = append(out, other[i])
		}
	}
	return out
}

// attempt is the outcome of connecting to one address.
type attempt struct {
	nc   net.Conn
	addr netip.AddrPort
	err  error
}

// connect returns a connection to the first of addrs that can be had.
func (c *Client) connect(ctx context.Context, addrs []netip.AddrPort, check Check) (net.Conn, netip.AddrPort, error) {
	if len(addrs) == 1 {
		if err := c.check(addrs[0], check); err != nil {
			return nil, addrs[0], err
		}
		nc, err := c.opt().DialContext(ctx, "tcp", addrs[0].String())
		return nc, addrs[0], err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	r := race{c: c, ctx: ctx, addrs: addrs, check: check, results: make(chan attempt)}
	return r.run()
}

// check asks the policy about an address that is going to be dialled now.
func (c *Client) check(addr netip.AddrPort, besides Check) error {
	for _, check := range [...]Check{c.opt().Check, besides} {
		if check == nil {
			continue
		}
		if err := check(addr); err != nil {
			return &prohibitedError{err}
		}
	}
	return nil
}

// prohibitedError marks what Options.Check said.
type prohibitedError struct{ err error }

// Error implements error.
func (e *prohibitedError) Error() string { return e.err.Error() }

// Unwrap gives errors.Is and errors.As the cause.
func (e *prohibitedError) Unwrap() error { return e.err }

// race connects to several addresses, a new one whenever the one before failed
// or had its stagger (RFC 8305 §5). The first connection wins.
type race struct {
	c       *Client
	ctx     context.Context // done when the race is over
	addrs   []netip.AddrPort
	check   Check
	running int
	results chan attempt
	err     error // the failure to report if nothing succeeds
}

// run returns the winner.
func (r *race) run() (net.Conn, netip.AddrPort, error) {
	r.start()
	next := time.NewTimer(stagger)
	defer next.Stop()
	for r.running > 0 {
		select {
		case a := <-r.results:
			if a.err == nil {
				return a.nc, a.addr, nil
			}
			r.running--
			r.failed(a.err)
			r.start()
			next.Reset(stagger)
		case <-next.C:
			r.start()
			next.Reset(stagger)
		case <-r.ctx.Done():
			return nil, netip.AddrPort{}, r.ctx.Err()
		}
	}
	return nil, netip.AddrPort{}, r.err
}

// start begins one more attempt, if an address is left that may be dialled.
func (r *race) start() {
	for len(r.addrs) > 0 {
		addr := r.addrs[0]
		r.addrs = r.addrs[1:]
		err := r.c.check(addr, r.check)
		if err == nil && r.c.spawn(func() { r.attempt(addr) }) {
			r.running++
			return
		}
		if err == nil {
			err = errClosed
		}
		r.failed(err)
	}
}

// attempt connects to addr. A connection that comes after the race is closed.
func (r *race) attempt(addr netip.AddrPort) {
	nc, err := r.c.opt().DialContext(r.ctx, "tcp", addr.String())
	select {
	case r.results <- attempt{nc, addr, err}:
	case <-r.ctx.Done():
		if err == nil {
			nc.Close()
		}
	}
}

// failed notes why an attempt failed. The first failure counts, but one to
// connect says more about the origin than a prohibited address beside it.
func (r *race) failed(err error) {
	var now, before *prohibitedError
	if r.err == nil || errors.As(r.err, &before) && !errors.As(err, &now) {
		r.err = err
	}
}

// dialError names what went wrong while connecting.
func dialError(err error) error {
	var prohibited *prohibitedError
	var ne net.Error
	switch {
	case errors.As(err, &prohibited):
		return &Error{Kind: KindDestinationProhibited, Status: 403, Err: err}
	case errors.Is(err, syscall.ECONNREFUSED):
		return &Error{Kind: KindConnectionRefused, Status: 502, Err: err}
	case errors.Is(err, syscall.EMFILE), errors.Is(err, syscall.ENFILE), errors.Is(err, syscall.EADDRNOTAVAIL):
		return &Error{Kind: KindConnectionLimit, Status: 503, Err: err}
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		return &Error{Kind: KindDestinationUnroutable, Status: 502, Err: err}
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &ne) && ne.Timeout():
		return &Error{Kind: KindConnectionTimeout, Status: 504, Err: err}
	}
	return &Error{Kind: KindConnectionTerminated, Status: 502, Err: err}
}
