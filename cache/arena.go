package cache

import (
	"math/bits"
	"sync"
	"sync/atomic"
)

// Sizes of the arena.
const (
	arenaShare = 1024      // one chunk for so many bytes of the store
	minChunk   = 16 << 10  // a store too small for such chunks has no arena
	maxChunk   = 128 << 10 // bytes of a chunk
	slotShare  = 16        // a slot is at most this fraction of a chunk, so that the rest of a chunk is little
	minSlot    = 64
	slotStep   = 16 // slots are multiples of this
)

// arena holds records in chunks of memory that have no pointers: a garbage collection looks at chunks, of which there
// are few, instead of millions of records. A chunk is cut into slots of one size. Records are copied out, never
// referred to, so that a slot can be used again at once.
//
// A record that goes leaves a free slot. When a class of slots has more free ones than a chunk and a quarter, the
// sparsest chunk is emptied into the others (Store.tidy) and given back. So the arena holds at most that much per class
// beyond the records: reserve.
type arena struct {
	chunkBytes int
	limit      int     // the largest record
	byStep     []uint8 // class of a record, by its size in steps
	classes    []class
	tidying    sync.Mutex // held while a chunk is emptied
}

// class is all slots of one size.
type class struct {
	size int // bytes of a slot
	per  int // slots of a chunk

	// chunks are the chunks by number, nil where a number is not in use. Written under mu; who holds a reference to a
	// slot may read that slot's chunk without.
	chunks atomic.Pointer[[]*chunk]

	mu     sync.Mutex
	vacant []uint32 // numbers not in use
	open   []*chunk // chunks with free slots, except those being emptied
	spare  int      // free slots in them
}

// chunk is a piece of memory and which of its slots are in use.
type chunk struct {
	b       []byte
	number  uint32
	owners  []uint32 // the node that each slot belongs to
	taken   []uint64 // a bit for each slot
	used    int
	pos     int  // in class.open, -1 if it is not
	closing bool // it is being emptied
}

// ref tells where an entry is kept: in a slot of the arena, or, as a loose entry, in the shard's list. 0: nowhere.
type ref uint64

const looseRef ref = 1 << 63

func slotRef(class int, chunk uint32, slot int) ref {
	return ref(class+1)<<56 | ref(chunk)<<24 | ref(slot)
}

func (r ref) loose() bool   { return r&looseRef != 0 }
func (r ref) index() uint32 { return uint32(r) } // of a loose entry
func (r ref) class() int    { return int(r>>56) - 1 }
func (r ref) chunk() uint32 { return uint32(r >> 24) }
func (r ref) slot() int     { return int(r & (1<<24 - 1)) }

// newArena returns the arena of a store of maxBytes, nil if that is too small for one.
func newArena(maxBytes int64) *arena {
	share := min(maxBytes/arenaShare, maxChunk)
	if share < minChunk {
		return nil
	}
	a := &arena{chunkBytes: 1 << (bits.Len64(uint64(share)) - 1)}
	a.limit = a.chunkBytes / slotShare
	a.byStep = make([]uint8, a.limit/slotStep+1)
	for n := minSlot; n <= a.limit; n = nextSlot(n) {
		a.classes = append(a.classes, class{size: n, per: a.chunkBytes / n})
	}
	c := 0
	for step := range a.byStep {
		if step*slotStep > a.classes[c].size {
			c++
		}
		a.byStep[step] = uint8(c)
	}
	for i := range a.classes {
		a.classes[i].chunks.Store(new([]*chunk))
	}
	return a
}

// nextSlot returns the slot size after n: an eighth larger.
func nextSlot(n int) int {
	return n + max(slotStep, 1<<(bits.Len(uint(n))-4))
}

// reserve is how many bytes the arena may hold beyond what its records are charged.
func (a *arena) reserve() int64 {
	if a == nil {
		return 0
	}
	return int64(len(a.classes)) * int64(a.chunkBytes) * 5 / 4
}

// charge is what a record of n bytes is charged: a slot with its share of what a chunk has beyond its slots and of the
// chunk's books.
func (a *arena) charge(n int) int64 {
	per := a.classes[a.classOf(n)].per
	return int64((a.chunkBytes+per-1)/per) + 4
}

func (a *arena) classOf(n int) int { return int(a.byStep[(n+slotStep-1)/slotStep]) }

// take returns a slot for n bytes, which owner has from now on.
func (a *arena) take(n int, owner uint32) (ref, []byte) {
	i := a.classOf(n)
	c := &a.classes[i]
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.open) == 0 {
		c.add(a.chunkBytes)
	}
	k := c.open[len(c.open)-1]
	slot := k.take(owner)
	c.spare--
	if k.used == c.per {
		c.hide(k)
	}
	return slotRef(i, k.number, slot), k.b[slot*c.size:][:n:n]
}

// give takes a slot back.
func (a *arena) give(r ref) {
	c := &a.classes[r.class()]
	c.mu.Lock()
	defer c.mu.Unlock()
	k := (*c.chunks.Load())[r.chunk()]
	k.taken[r.slot()/64] &^= 1 << (r.slot() % 64)
	k.used--
	if !k.closing {
		c.spare++
		if k.pos < 0 {
			k.pos = len(c.open)
			c.open = append(c.open, k)
		}
	}
	if k.used == 0 && (k.closing || c.excessive()) {
		c.release(k)
	}
}

// at returns the bytes of a slot. The caller knows that it is in use, and keeps it so meanwhile.
func (a *arena) at(r ref) []byte {
	c := &a.classes[r.class()]
	k := (*c.chunks.Load())[r.chunk()]
	return k.b[r.slot()*c.size:][:c.size:c.size]
}

// excessive tells whether a class has more free slots than it should keep.
func (c *class) excessive() bool { return c.spare > c.per+c.per/4 }

// crowded tells whether a class has more free slots than it should keep.
func (a *arena) crowded(i int) bool {
	c := &a.classes[i]
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.excessive()
}

// add makes a chunk.
func (c *class) add(bytes int) {
	k := &chunk{b: make([]byte, bytes), owners: make([]uint32, c.per), taken: make([]uint64, (c.per+63)/64)}
	if n := c.per % 64; n > 0 {
		k.taken[len(k.taken)-1] = ^uint64(0) << n
	}
	chunks := *c.chunks.Load()
	if n := len(c.vacant); n > 0 {
		k.number = c.vacant[n-1]
		c.vacant = c.vacant[:n-1]
		chunks[k.number] = k
	} else {
		k.number = uint32(len(chunks))
		chunks = append(chunks, k)
		c.chunks.Store(&chunks)
	}
	k.pos = len(c.open)
	c.open = append(c.open, k)
	c.spare += c.per
}

// take marks a free slot as taken; there is one.
func (k *chunk) take(owner uint32) int {
	for i, word := range k.taken {
		if free := bits.TrailingZeros64(^word); free < 64 {
			slot := i*64 + free
			k.taken[i] |= 1 << free
			k.owners[slot] = owner
			k.used++
			return slot
		}
	}
	panic("cache: a chunk in the list of open ones is full")
}

// hide takes a chunk out of the list of those that slots are taken from.
func (c *class) hide(k *chunk) {
	last := len(c.open) - 1
	c.open[k.pos] = c.open[last]
	c.open[k.pos].pos = k.pos
	c.open[last] = nil
	c.open = c.open[:last]
	k.pos = -1
}

// release gives an empty chunk back.
func (c *class) release(k *chunk) {
	if !k.closing {
		c.hide(k)
		c.spare -= c.per
	}
	(*c.chunks.Load())[k.number] = nil
	c.vacant = append(c.vacant, k.number)
}

// tenant is a slot in use and the node that it belongs to.
type tenant struct {
	at    ref
	owner uint32
}

// clearOut closes the chunk of a class with the most free slots, if the class has too many, and returns who is in it.
// What leaves a closed chunk gives it back in the end. nil: the class has not too many.
func (a *arena) clearOut(i int) []tenant {
	c := &a.classes[i]
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.excessive() {
		return nil
	}
	k := c.open[0]
	for _, o := range c.open {
		if o.used < k.used {
			k = o
		}
	}
	list := make([]tenant, 0, k.used)
	if k.used == 0 {
		c.release(k)
		return list
	}
	c.hide(k)
	c.spare -= c.per - k.used
	k.closing = true
	for slot, owner := range k.owners {
		if k.taken[slot/64]>>(slot%64)&1 != 0 {
			list = append(list, tenant{slotRef(i, k.number, slot), owner})
		}
	}
	return list
}
