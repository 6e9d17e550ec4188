package upstream

import (
	"context"
	"net"
	"net/netip"
	"time"
)

// SetAnswer lets the names of c know host.
func (c *Client) SetAnswer(host string, addrs ...netip.Addr) {
	a := &answer{done: make(chan struct{}), addrs: addrs, until: time.Now().Add(time.Hour)}
	close(a.done)
	c.names.answers[host] = a
}

// KeptFor is how long the answer for host is going to be used.
func (c *Client) KeptFor(host string) time.Duration {
	c.names.mu.Lock()
	defer c.names.mu.Unlock()
	if a := c.names.answers[host]; a != nil {
		return time.Until(a.until)
	}
	return 0
}

// Names is the number of answers that are held.
func (c *Client) Names() int {
	c.names.mu.Lock()
	defer c.names.mu.Unlock()
	return len(c.names.answers)
}

// Pools is the number of pools and of open connections.
func (c *Client) Pools() (pools, conns int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.pools), len(c.conns)
}

// Reap lets the reaper run now.
func (c *Client) Reap() { c.reap() }

// AcquireFresh acquires a new connection, as a request that is repeated does.
func (c *Client) AcquireFresh(ctx context.Context, o Origin) (nc net.Conn, put func(), err error) {
	cn, err := c.acquire(ctx, o, true, nil)
	if err != nil {
		return nil, nil, err
	}
	return cn.nc, func() { c.put(cn) }, nil
}

// Waiting is how many wait for a slot.
func (c *Client) Waiting() (n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, p := range c.pools {
		n += len(p.waiters)
	}
	return n
}
