package proxy

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"sync/atomic"
)

// door is what the proxy knows of a listener that it serves.
type door struct {
	addr  netip.AddrPort
	turns atomic.Int64 // how often its loop came round to accept

	seen    atomic.Int64 // turns at the last look of Alive
	answers atomic.Bool  // a connection of Alive's own has arrived and was served
}

// Alive fails with the reason when a listener takes no connections any more: when its loop has not come round since the
// last call, and does not serve a connection that Alive makes to it either, before ctx ends. It is for those who restart a
// proxy that hangs, so in doubt it finds nothing wrong: a listener that never answered Alive, or whose address is not this
// machine's any more, is none to be judged.
func (p *Proxy) Alive(ctx context.Context) error {
	for _, d := range p.doors() {
		turns := d.turns.Load()
		if turns != d.seen.Swap(turns) || !d.addr.IsValid() {
			continue
		}
		switch err := d.try(ctx); {
		case err == nil:
			d.answers.Store(true)
		case d.answers.Load() && turns == d.turns.Load() && errors.Is(err, os.ErrDeadlineExceeded):
			return fmt.Errorf("proxy: the listener on %v takes no connections: %w", d.addr, err)
		}
	}
	return nil
}

// doors are the listeners at hand. It waits for p.mu, as every connection does; a lock that nobody gives back makes Alive hang.
func (p *Proxy) doors() []*door {
	p.mu.Lock()
	defer p.mu.Unlock()
	all := make([]*door, 0, len(p.listeners))
	for _, d := range p.listeners {
		all = append(all, d)
	}
	return all
}

// try connects to the listener and ends its side at once, which has the proxy end the other: no request is made, so
// nothing is logged or counted.
func (d *door) try(ctx context.Context) error {
	to := d.addr
	if to.Addr().IsUnspecified() {
		to = netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), to.Port())
	}
	from := netip.AddrPortFrom(to.Addr(), 0) // an address that this machine has lost fails here, not on the way to others
	dialer := net.Dialer{LocalAddr: net.TCPAddrFromAddrPort(from)}
	c, err := dialer.DialContext(ctx, "tcp", to.String())
	if err != nil {
		return timeout(ctx, err)
	}
	defer c.Close()
	if err := c.(*net.TCPConn).CloseWrite(); err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { c.Close() })
	defer stop()
	if _, err = io.Copy(io.Discard, c); err != nil {
		return timeout(ctx, err)
	}
	return nil
}

// timeout is err, or os.ErrDeadlineExceeded when ctx is what ended something.
func timeout(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return os.ErrDeadlineExceeded
	}
	return err
}
