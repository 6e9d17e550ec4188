//go:build !linux

package tunnel

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"runtime"
	"syscall"
)

// OriginalDst needs Linux; elsewhere its error is an errors.ErrUnsupported.
func OriginalDst(c *net.TCPConn) (netip.AddrPort, error) {
	return netip.AddrPort{}, fmt.Errorf("tunnel: original destination of a redirected connection: not on %s: %w", runtime.GOOS, errors.ErrUnsupported)
}

// ListenTransparent needs Linux; elsewhere its error is an errors.ErrUnsupported.
func ListenTransparent(context.Context, string, func(string, string, syscall.RawConn) error) (net.Listener, error) {
	return nil, fmt.Errorf("tunnel: transparent listening (TPROXY): not on %s: %w", runtime.GOOS, errors.ErrUnsupported)
}

// Transparent needs Linux; elsewhere its error is an errors.ErrUnsupported.
func Transparent(*net.TCPListener) (bool, error) {
	return false, fmt.Errorf("tunnel: transparent listening (TPROXY): not on %s: %w", runtime.GOOS, errors.ErrUnsupported)
}
