package upstream

import (
	"context"
	"errors"
	"slices"
	"time"
)

var errNoSlot = errors.New("no connection slot became free in time")

// pool holds the connections of one origin. It exists as long as one of them, or
// one who waits for one, and is guarded by the client's mutex.
type pool struct {
	origin  Origin
	open    int     // slots in use: connections, idle ones too, and those being opened
	idle    []*conn // idle longest first
	waiters []chan *conn
}

// grant hands cn, or with nil the right to open a connection, to the first who
// waits. It reports whether somebody did.
func (p *pool) grant(cn *conn) bool {
	if len(p.waiters) == 0 {
		return false
	}
	p.waiters[0] <- cn // has room: each channel is used once
	p.waiters = slices.Delete(p.waiters, 0, 1)
	return true
}

// acquire returns a connection to o: an idle one that is still quiet and whose
// address passes the terms' check, unless fresh is set, or a new one.
func (c *Client) acquire(ctx context.Context, o Origin, fresh bool, t Terms) (*conn, error) {
	for {
		cn, p, err := c.take(ctx, o, fresh)
		if err != nil {
			return nil, err
		}
		if cn == nil {
			return c.open(ctx, p, t)
		}
		switch {
		case !cn.quiet():
			c.drop(cn)
		case t.Check != nil && o.Via == nil && t.Check(cn.addr) != nil:
			c.put(cn)
			fresh = true
		default:
			cn.served = true
			return cn, nil
		}
	}
}

// take takes the most recently used idle connection, or without one a slot for
// a new connection (conn nil), and waits if there is neither.
func (c *Client) take(ctx context.Context, o Origin, fresh bool) (*conn, *pool, error) {
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		return nil, nil, &Error{Kind: KindConnectionLimit, Status: 503, Err: errClosed}
	}
	p := c.pools[o]
	if p == nil {
		p = &pool{origin: o}
		c.pools[o] = p
	}
	cn, turn := c.takeNow(p, fresh)
	c.mu.Unlock()
	if turn != nil {
		var err error
		if cn, err = c.wait(ctx, p, turn); err != nil {
			return nil, nil, err
		}
	}
	if cn != nil && fresh { // only its slot is wanted
		c.forget(cn)
		cn = nil
	}
	return cn, p, nil
}

// takeNow takes what p has: a connection, or a slot, or else a turn to wait for.
// With fresh set a connection is to be given up for its slot, so the oldest goes.
func (c *Client) takeNow(p *pool, fresh bool) (cn *conn, turn chan *conn) {
	n := len(p.idle)
	switch {
	case n > 0 && !fresh:
		return c.removeIdle(p.idle[n-1]), nil
	case p.open < c.opt().MaxPerOrigin || p.origin.shared():
		p.open++
		return nil, nil
	case n > 0:
		return c.removeIdle(p.idle[0]), nil
	}
	turn = make(chan *conn, 1)
	p.waiters = append(p.waiters, turn)
	return nil, turn
}

// wait waits for its turn.
func (c *Client) wait(ctx context.Context, p *pool, turn chan *conn) (*conn, error) {
	limit := time.NewTimer(c.opt().ConnectTimeout)
	defer limit.Stop()
	var err error
	select {
	case cn := <-turn:
		return cn, nil
	case <-limit.C:
		err = errNoSlot
	case <-ctx.Done():
		err = context.Cause(ctx)
	case <-c.base.Done():
		err = errClosed
	}
	c.mu.Lock()
	i := slices.Index(p.waiters, turn)
	if i >= 0 {
		p.waiters = slices.Delete(p.waiters, i, i+1)
	}
	c.mu.Unlock()
	if i < 0 { // the turn came at the same moment: use it
		return <-turn, nil
	}
	return nil, &Error{Kind: KindConnectionLimit, Status: 503, Err: err}
}

// open opens a connection with a slot that was taken before.
func (c *Client) open(ctx context.Context, p *pool, t Terms) (*conn, error) {
	cn, err := c.newConn(ctx, p, t)
	if err != nil {
		c.freeSlot(p)
		return nil, err
	}
	c.mu.Lock()
	closed := c.closed
	if !closed {
		c.conns[cn] = struct{}{}
	}
	c.mu.Unlock()
	if closed {
		cn.close()
		c.freeSlot(p)
		return nil, &Error{Kind: KindConnectionTerminated, Status: 503, Err: errClosed}
	}
	return cn, nil
}

// put makes cn available again, unless it was opened by other options than those in force.
func (c *Client) put(cn *conn) {
	p := cn.pool
	c.mu.Lock()
	if c.closed || cn.by != c.opt() {
		c.mu.Unlock()
		c.drop(cn)
		return
	}
	if p.grant(cn) {
		c.mu.Unlock()
		return
	}
	var over *conn
	if len(p.idle) >= c.opt().MaxIdlePerOrigin && !p.origin.shared() {
		over = c.removeIdle(p.idle[0])
	} else if c.idle.n >= c.opt().MaxIdle {
		over = c.removeIdle(c.idle.oldest)
	}
	cn.idleSince = time.Now()
	p.idle = append(p.idle, cn)
	c.idle.push(cn)
	c.armReaper(c.opt().IdleTimeout / 4)
	c.mu.Unlock()
	if over != nil {
		c.drop(over)
	}
}

// drop closes cn and gives its slot back.
func (c *Client) drop(cn *conn) {
	c.forget(cn)
	c.freeSlot(cn.pool)
}

// forget closes cn and keeps its slot.
func (c *Client) forget(cn *conn) {
	cn.close()
	c.mu.Lock()
	delete(c.conns, cn)
	c.mu.Unlock()
}

// release lets go of cn without closing it.
func (c *Client) release(cn *conn) {
	c.mu.Lock()
	delete(c.conns, cn)
	c.mu.Unlock()
	c.freeSlot(cn.pool)
}

// freeSlot gives a slot of p to who waits for one, or back.
func (c *Client) freeSlot(p *pool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if p.grant(nil) {
		return
	}
	p.open--
	if p.open == 0 {
		delete(c.pools, p.origin)
	}
}

// removeIdle takes cn out of its pool's idle connections.
func (c *Client) removeIdle(cn *conn) *conn {
	p := cn.pool
	i := len(p.idle) - 1
	for p.idle[i] != cn {
		i--
	}
	p.idle = slices.Delete(p.idle, i, i+1)
	c.idle.remove(cn)
	return cn
}

// armReaper lets the reaper run after d unless it is going to anyway.
func (c *Client) armReaper(d time.Duration) {
	if c.armed {
		return
	}
	c.armed = true
	if c.reaper == nil {
		c.reaper = time.AfterFunc(d, c.reap)
		return
	}
	c.reaper.Reset(d)
}

// reap closes connections that were idle for too long or that the origin has
// closed, and comes again as long as some are left.
func (c *Client) reap() {
	c.mu.Lock()
	c.armed = false
	if c.closed {
		c.mu.Unlock()
		return
	}
	now := time.Now()
	var dead []*conn
	for cn := c.idle.oldest; cn != nil; {
		next := cn.newer
		if now.Sub(cn.idleSince) >= c.opt().IdleTimeout || cn.readable() {
			dead = append(dead, c.removeIdle(cn))
		}
		cn = next
	}
	if cn := c.idle.oldest; cn != nil {
		c.armReaper(min(c.opt().IdleTimeout-now.Sub(cn.idleSince), c.opt().IdleTimeout/4))
	}
	c.mu.Unlock()
	for _, cn := range dead {
		c.drop(cn)
	}
}

// idleList holds the idle connections of all pools in the order in which they
// became idle.
type idleList struct {
	oldest, newest *conn
	n              int
}

// push appends cn.
func (l *idleList) push(cn *conn) {
	cn.older, cn.newer = l.newest, nil
	if l.newest != nil {
		l.newest.newer = cn
	} else {
		l.oldest = cn
	}
	l.newest = cn
	l.n++
}

// remove takes cn out.
func (l *idleList) remove(cn *conn) {
	if cn.older != nil {
		cn.older.newer = cn.newer
	} else {
		l.oldest = cn.newer
	}
	if cn.newer != nil {
		cn.newer.older = cn.older
	} else {
		l.newest = cn.older
	}
	cn.older, cn.newer = nil, nil
	l.n--
}
