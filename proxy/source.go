package proxy

import (
	"context"
	"net"
	"net/netip"
)

// dialer opens connections to origins and parents; nil leaves it to the default.
func (o *Options) dialer() func(ctx context.Context, network, address string) (net.Conn, error) {
	if o.Dial != nil || len(o.SourceAddresses) == 0 {
		return o.Dial
	}
	return sources(o.SourceAddresses).dial
}

// sources are addresses that connections come from, at most one of each family.
type sources []netip.Addr

// dial connects to a literal address from the source of its family.
func (s sources) dial(ctx context.Context, network, address string) (net.Conn, error) {
	d := net.Dialer{}
	if to, err := netip.ParseAddrPort(address); err == nil {
		for _, from := range s {
			if from.Unmap().Is4() == to.Addr().Unmap().Is4() {
				d.LocalAddr = net.TCPAddrFromAddrPort(netip.AddrPortFrom(from.Unmap(), 0))
				break
			}
		}
	}
	return d.DialContext(ctx, network, address)
}
