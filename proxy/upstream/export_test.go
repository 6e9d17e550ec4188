package upstream

import (
	"context"
	"net"
)

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
	cn, err := c.acquire(ctx, o, true, Terms{})
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
