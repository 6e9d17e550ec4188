package upstream

import (
	"context"
	"crypto/tls"
	"net"
	"net/netip"
	"syscall"
	"time"

	"github.com/jayproxy/jay/proxy/wire"
)

// conn is one connection to an origin. Between acquire and put or drop it
// belongs to one exchange.
type conn struct {
	client *Client
	by     *Options // those in force when it was opened; its exchanges keep to them
	pool   *pool
	addr   netip.AddrPort
	nc     net.Conn // what requests are written to: transport, or TLS over it
	r      *wire.Reader
	served bool // had an exchange before this one

	transport net.Conn
	sys       syscall.RawConn // nil if transport has none
	tls       *tls.Conn       // nil without TLS
	tap       *tapConn        // nil without TLS
	abort     func()          // closes transport; made once, for context.AfterFunc
	peek      func(fd uintptr)
	silent    bool // result of peek

	readBy, writeBy time.Time // the deadlines that are set

	idleSince    time.Time // of an idle connection, as are older and newer
	older, newer *conn
}

// newConn connects to the origin of p.
func (c *Client) newConn(ctx context.Context, p *pool, t Terms) (*conn, error) {
	by := c.opt()
	l, err := c.leg(ctx, p.origin, t)
	if err != nil {
		return nil, err
	}
	cn := &conn{client: c, by: by, pool: p, addr: l.addr, nc: l.nc, transport: l.transport, tls: l.tls, tap: l.tap}
	cn.abort = func() { l.transport.Close() }
	if sc, ok := l.transport.(syscall.Conn); ok {
		cn.sys, _ = sc.SyscallConn()
	}
	cn.peek = func(fd uintptr) { cn.silent = nothingToRead(fd) }
	cn.r = wire.NewReader(cn.nc)
	return cn, nil
}

// close closes the connection. TLS is not closed in form: nobody waits for the
// alert, and writing it could block.
func (cn *conn) close() { cn.transport.Close() }

// readable reports whether the socket has bytes or its end to be read. Without a
// socket nothing is known.
func (cn *conn) readable() bool {
	if cn.sys == nil {
		return false
	}
	cn.silent = false
	err := cn.sys.Control(cn.peek)
	return err != nil || !cn.silent
}

// quiet reports whether the origin has sent nothing since the last response, not
// even the end of the connection. Whatever it sent would be taken for the answer
// to the next request (response queue poisoning).
func (cn *conn) quiet() bool {
	if cn.r.Pending() || cn.readable() {
		return false
	}
	if cn.tls == nil {
		return true
	}
	cn.readBy = time.Time{}
	return tlsQuiet(cn.tls)
}

// limitRead sets the deadline for reads to d after now. Setting one costs as much
// as a small exchange, so up to a second more is granted and a deadline that is
// near enough stays.
func (cn *conn) limitRead(now time.Time, d time.Duration) {
	if by, renew := deadline(cn.readBy, now, d); renew {
		cn.readBy = by
		cn.nc.SetReadDeadline(by)
	}
}

// limitWrite is limitRead for writes.
func (cn *conn) limitWrite(now time.Time, d time.Duration) {
	if by, renew := deadline(cn.writeBy, now, d); renew {
		cn.writeBy = by
		cn.nc.SetWriteDeadline(by)
	}
}

// deadline decides whether the deadline set is between d and a little more after
// now, and if not, what to set.
func deadline(set, now time.Time, d time.Duration) (by time.Time, renew bool) {
	slack := min(d/4, time.Second)
	if left := set.Sub(now); left >= d && left <= d+slack {
		return set, false
	}
	return now.Add(d + slack), true
}
