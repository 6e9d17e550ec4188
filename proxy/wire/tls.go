package wire

import (
	"crypto/tls"
	"io"
	"net"
	"sync/atomic"
)

// UnderTLS is the connection to build a *tls.Conn on, so that a Reader of that
// can tell a closure alert from a bare FIN, which crypto/tls reports as the
// same io.EOF. A body that ends with the connection is whole only with the
// alert (RFC 9112 §9.8): anyone on the way can send a FIN.
type UnderTLS struct {
	net.Conn
	ended atomic.Bool
}

// Read implements net.Conn.
func (c *UnderTLS) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if err == io.EOF {
		c.ended.Store(true)
	}
	return n, err
}

// endedBelow reports whether the end of c, a TLS connection, came from below
// and not by a closure alert. It is false where nobody can tell.
func endedBelow(c net.Conn) bool {
	over, ok := c.(*tls.Conn)
	if !ok {
		return false
	}
	under, ok := over.NetConn().(*UnderTLS)
	return ok && under.ended.Load()
}
