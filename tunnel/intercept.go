package tunnel

import (
	"errors"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

// ErrNotRedirected is returned by OriginalDst for a connection that reached the
// listener by its own address. To relay it there would be a loop.
var ErrNotRedirected = errors.New("tunnel: connection was not redirected")

// Addresses tells which addresses belong to this machine. The zero value is
// ready for use; it must not be copied. The list of interface addresses is kept
// for five seconds, so that asking costs no system call.
type Addresses struct {
	known atomic.Pointer[addressList]
	mu    sync.Mutex // held by whoever renews known
}

type addressList struct {
	until time.Time
	set   map[netip.Addr]struct{}
}

const addressesKept = 5 * time.Second

// Local reports whether a connection to addr ends at this machine: a loopback or
// unspecified address, or one of an interface. An IPv4-mapped address counts as
// the IPv4 address, and a zone is ignored. When the interfaces cannot be listed,
// the last list stays in use.
func (a *Addresses) Local(addr netip.Addr) bool {
	addr = addr.Unmap().WithZone("")
	if addr.IsLoopback() || addr.IsUnspecified() {
		return true
	}
	_, found := a.list().set[addr]
	return found
}

func (a *Addresses) list() *addressList {
	now := time.Now()
	l := a.known.Load()
	if l != nil && now.Before(l.until) {
		return l
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if l := a.known.Load(); l != nil && now.Before(l.until) {
		return l
	}
	l = renewed(l, now)
	a.known.Store(l)
	return l
}

func renewed(old *addressList, now time.Time) *addressList {
	l := &addressList{until: now.Add(addressesKept)}
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		if old != nil {
			l.set = old.set
		}
		return l
	}
	l.set = make(map[netip.Addr]struct{}, len(addrs))
	for _, a := range addrs {
		if n, ok := a.(*net.IPNet); ok {
			if ip, ok := netip.AddrFromSlice(n.IP); ok {
				l.set[ip.Unmap()] = struct{}{}
			}
		}
	}
	return l
}
