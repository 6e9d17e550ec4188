package tunnel

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"syscall"

	"golang.org/x/sys/unix"
)

// OriginalDst returns the address that the client of a redirected connection
// meant to reach, as connection tracking remembers it: SO_ORIGINAL_DST for IPv4,
// also on a dual-stack socket, IP6T_SO_ORIGINAL_DST for IPv6. The address is
// never an IPv4-mapped one.
//
// The error is ErrNotRedirected when there is no such record or it names the
// very address that the connection was accepted on.
func OriginalDst(c *net.TCPConn) (netip.AddrPort, error) {
	raw, err := c.SyscallConn()
	if err != nil {
		return netip.AddrPort{}, fmt.Errorf("tunnel: original destination: %w", err)
	}
	local := addrPort(c.LocalAddr())
	read := originalDst6
	if local.Addr().Is4() {
		read = originalDst4
	}
	var dst netip.AddrPort
	var fault error
	err = raw.Control(func(fd uintptr) { dst, fault = read(int(fd)) })
	switch {
	case err != nil:
		return netip.AddrPort{}, fmt.Errorf("tunnel: original destination: %w", err)
	case errors.Is(fault, unix.ENOENT), errors.Is(fault, unix.ENOPROTOOPT):
		// The second one means that the kernel does not track connections.
		return netip.AddrPort{}, ErrNotRedirected
	case fault != nil:
		return netip.AddrPort{}, fmt.Errorf("tunnel: original destination: %w", fault)
	case dst == local:
		return netip.AddrPort{}, ErrNotRedirected
	}
	return dst, nil
}

func addrPort(a net.Addr) netip.AddrPort {
	t, ok := a.(*net.TCPAddr)
	if !ok {
		return netip.AddrPort{}
	}
	ap := t.AddrPort()
	return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
}

// originalDst4 borrows a call whose result is large enough for a sockaddr_in,
// which the kernel fills in whatever the type says.
func originalDst4(fd int) (netip.AddrPort, error) {
	m, err := unix.GetsockoptIPv6Mreq(fd, unix.SOL_IP, unix.SO_ORIGINAL_DST)
	if err != nil {
		return netip.AddrPort{}, err
	}
	// struct sockaddr_in: family, port and address, the latter two in network order.
	b := m.Multiaddr
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte(b[4:8])), binary.BigEndian.Uint16(b[2:4])), nil
}

// originalDst6 borrows a call whose result begins with a sockaddr_in6.
func originalDst6(fd int) (netip.AddrPort, error) {
	m, err := unix.GetsockoptIPv6MTUInfo(fd, unix.SOL_IPV6, ip6tOriginalDst)
	if err != nil {
		return netip.AddrPort{}, err
	}
	var port [2]byte // the field's bytes are in network order
	binary.NativeEndian.PutUint16(port[:], m.Addr.Port)
	return netip.AddrPortFrom(netip.AddrFrom16(m.Addr.Addr).Unmap(), binary.BigEndian.Uint16(port[:])), nil
}

// ip6tOriginalDst is IP6T_SO_ORIGINAL_DST of linux/netfilter_ipv6/ip6_tables.h.
const ip6tOriginalDst = 80

// ListenTransparent listens on a TCP address for connections that a TPROXY rule
// steers there, whatever address they are for: the local address of each is the
// one that its client meant. An IPv6 wildcard address ("[::]:3130", ":3130")
// serves IPv4 as well.
//
// It needs the capability CAP_NET_ADMIN; the error says so when that is what is
// missing, and then is a fs.ErrPermission. The function control, unless it is
// nil, prepares the socket further, as that of a net.ListenConfig.
func ListenTransparent(ctx context.Context, address string, control func(network, address string, raw syscall.RawConn) error) (net.Listener, error) {
	lc := net.ListenConfig{Control: transparentWith(control)}
	// A listener for Multipath TCP would accept sockets that cannot be spliced.
	lc.SetMultipathTCP(false)
	l, err := lc.Listen(ctx, "tcp", address)
	if errors.Is(err, unix.EPERM) {
		return nil, fmt.Errorf("tunnel: listen on %s: IP_TRANSPARENT needs root or the capability CAP_NET_ADMIN: %w", address, err)
	}
	if err != nil {
		return nil, fmt.Errorf("tunnel: %w", err)
	}
	return l, nil
}

func controlTransparent(network, _ string, raw syscall.RawConn) error {
	level, option := unix.SOL_IP, unix.IP_TRANSPARENT
	if network == "tcp6" {
		level, option = unix.SOL_IPV6, unix.IPV6_TRANSPARENT
	}
	var fault error
	if err := raw.Control(func(fd uintptr) { fault = unix.SetsockoptInt(int(fd), level, option, 1) }); err != nil {
		return err
	}
	return fault
}

// Transparent reports whether a listener has what ListenTransparent sets, so
// that connections which a TPROXY rule steers there arrive.
func Transparent(l *net.TCPListener) (bool, error) {
	raw, err := l.SyscallConn()
	if err != nil {
		return false, fmt.Errorf("tunnel: %w", err)
	}
	var on int
	var fault error
	err = raw.Control(func(fd uintptr) {
		var family int
		if family, fault = unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_DOMAIN); fault != nil {
			return
		}
		level, option := unix.SOL_IP, unix.IP_TRANSPARENT
		if family == unix.AF_INET6 {
			level, option = unix.SOL_IPV6, unix.IPV6_TRANSPARENT
		}
		on, fault = unix.GetsockoptInt(int(fd), level, option)
	})
	if err := errors.Join(err, fault); err != nil {
		return false, fmt.Errorf("tunnel: %w", err)
	}
	return on != 0, nil
}
