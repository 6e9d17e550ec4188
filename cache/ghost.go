package cache

import "math/bits"

// Sizes that follow from MaxBytes. Eight kilobytes are taken for the mean charge of an entry where counters are sized
// (up to 30 counters an entry), two for ghosts (one an entry).
const (
	counterBytes = 3   // bytes a ristretto counter costs: four rows of half a byte, and a bloom filter of 8 bits
	counterShare = 171 // one counter for so many bytes at most, so that counters stay below 1.8 % of MaxBytes
	minCounters  = 1 << 8
	maxCounters  = 1 << 25 // above, halving them all would hold up ristretto for too long
	ghostBytes   = 4
	ghostShare   = 2048 // one ghost for so many bytes: 0.2 %
	minGhosts    = 1 << 5
	maxGhosts    = 1 << 23
	ghostWays    = 4
)

// counterSize returns ristretto's NumCounters for a store of maxBytes, and the bytes that those take. Ristretto rounds
// the counters up to a power of two p, and the bits of its bloom filter, 9.6 a counter, to another. 0.83 p counters need
// just under 8 p bits, so that neither is rounded far.
func counterSize(maxBytes int64) (counters, bytes int64) {
	p := int64(minCounters)
	for p < maxCounters && 2*p <= maxBytes/counterShare {
		p *= 2
	}
	return p * 83 / 100, p * counterBytes
}

// ghosts remembers the ids of entries that were refused, in a table of buckets that are queues of four. An item is 15
// bits of the id and the time of the refusal, which counts refusals in units.
type ghosts struct {
	items []uint32
	count uint64
	unit  uint64
}

func newGhosts(maxBytes int64) ghosts {
	n := min(max(maxBytes/ghostShare, minGhosts), maxGhosts) / ghostWays * ghostWays
	return ghosts{items: make([]uint32, n), unit: uint64(n)/4096 + 1}
}

func (g *ghosts) bytes() int64 { return int64(len(g.items)) * ghostBytes }

func (g *ghosts) now() uint16 { return uint16(g.count / g.unit) }

func (g *ghosts) bucket(id uint64) (bucket []uint32, tag uint32) {
	id *= 0x9e3779b97f4a7c15
	hi, lo := bits.Mul64(id, uint64(len(g.items)/ghostWays))
	i := int(hi) * ghostWays
	return g.items[i : i+ghostWays : i+ghostWays], uint32(lo>>48)<<16 | 1<<16
}

// add remembers id.
func (g *ghosts) add(id uint64) {
	b, tag := g.bucket(id)
	g.count++
	copy(b[1:], b)
	b[0] = tag | uint32(g.now())
}

// take reports whether id is among about the last horizon refusals, and forgets it.
func (g *ghosts) take(id uint64, horizon int64) bool {
	b, tag := g.bucket(id)
	for i, item := range b {
		if item&^0xffff == tag {
			b[i] = 0
			return uint64(g.now()-uint16(item))*g.unit < uint64(horizon)
		}
	}
	return false
}
