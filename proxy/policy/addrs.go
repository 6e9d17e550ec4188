package policy

import (
	"encoding/binary"
	"net/netip"
	"slices"
	"sort"
)

// addrs is a set of addresses: sorted ranges that do not overlap.
type addrs struct {
	four []range4
	six  []range6
}

type range4 struct{ first, last uint32 }

type range6 struct{ first, last [2]uint64 }

// newAddrs makes the set of all addresses in some blocks.
func newAddrs(blocks []netip.Prefix) *addrs {
	var a addrs
	for _, p := range blocks {
		a.add(p)
	}
	a.settle()
	return &a
}

// add adds a block; settle must follow before the set is asked.
func (a *addrs) add(p netip.Prefix) {
	p = p.Masked()
	if p.Addr().Is4In6() && p.Bits() >= 96 {
		p = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96)
	}
	if p.Addr().Is4() {
		first := four(p.Addr())
		a.four = append(a.four, range4{first, first | uint32(uint64(1)<<(32-p.Bits())-1)})
		return
	}
	r := range6{first: six(p.Addr())}
	r.last = r.first
	if n := p.Bits(); n <= 64 {
		r.last[0] |= ^uint64(0) >> n
		r.last[1] = ^uint64(0)
	} else {
		r.last[1] |= ^uint64(0) >> (n - 64)
	}
	a.six = append(a.six, r)
}

// settle sorts the ranges and joins those that overlap.
func (a *addrs) settle() {
	slices.SortFunc(a.four, func(x, y range4) int { return compare(x.first, y.first) })
	out4 := a.four[:0]
	for _, r := range a.four {
		if n := len(out4); n > 0 && r.first <= out4[n-1].last {
			out4[n-1].last = max(out4[n-1].last, r.last)
			continue
		}
		out4 = append(out4, r)
	}
	a.four = slices.Clip(out4)
	slices.SortFunc(a.six, func(x, y range6) int { return compare6(x.first, y.first) })
	out6 := a.six[:0]
	for _, r := range a.six {
		if n := len(out6); n > 0 && compare6(r.first, out6[n-1].last) <= 0 {
			if compare6(r.last, out6[n-1].last) > 0 {
				out6[n-1].last = r.last
			}
			continue
		}
		out6 = append(out6, r)
	}
	a.six = slices.Clip(out6)
}

// empty tells whether nothing is in the set.
func (a *addrs) empty() bool { return len(a.four)+len(a.six) == 0 }

// has tells whether an address, which is not IPv4-mapped, is in the set.
func (a *addrs) has(ip netip.Addr) bool {
	if ip.Is4() {
		v := four(ip)
		i := sort.Search(len(a.four), func(i int) bool { return a.four[i].last >= v })
		return i < len(a.four) && a.four[i].first <= v
	}
	if !ip.IsValid() || len(a.six) == 0 {
		return false
	}
	v := six(ip)
	i := sort.Search(len(a.six), func(i int) bool { return compare6(a.six[i].last, v) >= 0 })
	return i < len(a.six) && compare6(a.six[i].first, v) <= 0
}

func four(ip netip.Addr) uint32 {
	b := ip.As4()
	return binary.BigEndian.Uint32(b[:])
}

func six(ip netip.Addr) [2]uint64 {
	b := ip.As16()
	return [2]uint64{binary.BigEndian.Uint64(b[:8]), binary.BigEndian.Uint64(b[8:])}
}

func compare[T uint32 | uint64](x, y T) int {
	switch {
	case x < y:
		return -1
	case x > y:
		return 1
	}
	return 0
}

func compare6(x, y [2]uint64) int {
	if c := compare(x[0], y[0]); c != 0 {
		return c
	}
	return compare(x[1], y[1])
}

// Translated is the IPv4 address that an IPv6 address stands for, where packets to it end up at that: IPv4-mapped (RFC 4291
// §2.5.5.2), IPv4-compatible (§2.5.5.1), NAT64 (RFC 6052 §2.1) and 6to4 (RFC 3056). For all others it is not valid.
func Translated(a netip.Addr) netip.Addr {
	if !a.Is6() {
		return netip.Addr{}
	}
	b := a.As16()
	head, low := binary.BigEndian.Uint64(b[:8]), binary.BigEndian.Uint32(b[8:])
	switch {
	case a.Is4In6():
		return a.Unmap()
	case head == 0 && low == 0 && binary.BigEndian.Uint32(b[12:]) > 1, head == 0x64_ff9b<<32 && low == 0:
		return netip.AddrFrom4([4]byte(b[12:]))
	case b[0] == 0x20 && b[1] == 0x02:
		return netip.AddrFrom4([4]byte(b[2:6]))
	}
	return netip.Addr{}
}
