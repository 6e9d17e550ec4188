package tunnel

import (
	"context"
	"errors"
	"net"
	"net/netip"
)

// ErrNotRedirected is returned by OriginalDst for a connection that reached the
// listener without being redirected to it.
var ErrNotRedirected = errors.New("tunnel: connection was not redirected")

// OriginalDst returns the address that the client of a redirected connection
// meant (SO_ORIGINAL_DST).
func OriginalDst(c *net.TCPConn) (netip.AddrPort, error) { return netip.AddrPort{}, ErrNotRedirected }

// ListenTransparent listens on a TCP address for connections that TPROXY steers
// there; a connection's local address is the address its client meant.
func ListenTransparent(ctx context.Context, address string) (net.Listener, error) {
	return nil, errors.ErrUnsupported
}

// Addresses tells which addresses belong to this machine. The zero value is
// ready for use. It must not be copied.
type Addresses struct{}

// Local reports whether addr belongs to this machine.
func (a *Addresses) Local(addr netip.Addr) bool { return addr.IsLoopback() }
