package config

// Size is a number of bytes. Its text is a number with an optional unit (k, m, g, t, in either case, with or without
// "B" or "iB" after it); all units are powers of 1024.
type Size int64

// Byte units.
const (
	KiB Size = 1 << (10 * (iota + 1))
	MiB
	GiB
	TiB
)

// PortRange is the TCP ports from First to Last, both included.
type PortRange struct{ First, Last uint16 }

// Contains reports whether port is in the range.
func (r PortRange) Contains(port uint16) bool { return r.First <= port && port <= r.Last }
