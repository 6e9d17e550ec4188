package cache

import (
	"slices"
	"sync/atomic"
)

// Places of a node. A node begins in the window and may move to the main list once.
const (
	inWindow uint8 = iota
	inMain
)

// node is the store's record of one stored variant. Ristretto holds handles of nodes, not entries, so that a refreshed
// entry can take the place of another without a round trip through ristretto. Nodes have no pointers, only numbers of
// other nodes: a garbage collection passes them by.
type node struct {
	hash   uint64 // of the primary key
	id     uint64 // of primary key and variant: the key in ristretto
	charge int64

	// Guarded by the shard's lock.
	at      ref    // where the entry is
	next    uint32 // of the newest variant of a key: the next key in the hash chain. Of a free node: the next free one
	variant uint32 // the next older variant of the same key
	version uint32 // how often another entry has taken the node over

	// Guarded by Store.writer while in the window, by Store.mainMu while in the main list.
	newer, older uint32

	state  atomic.Uint32 // odd while alive; it only grows, so that a handle of an earlier use of the node is known
	uses   atomic.Uint32 // uses since the node was last looked at, at most maxUses
	linked bool          // it is in the index; guarded by the shard's lock
	place  uint8         // guarded by Store.writer
	known  bool          // its key was evicted not long ago; guarded by Store.writer
}

// handle names a node for one life of it: its number below its state.
type handle uint64

func handleOf(number, state uint32) handle { return handle(state)<<32 | handle(number) }

// lifeOf returns the handle of a node's present life, which may be ending.
func (s *Store[M]) lifeOf(number uint32) handle {
	state := s.node(number).state.Load()
	return handleOf(number, state-(1-state&1))
}

func (h handle) number() uint32 { return uint32(h) }
func (h handle) state() uint32  { return uint32(h >> 32) }

// alive tells whether the life that h names has not ended.
func (n *node) alive(h handle) bool { return h.state()&1 == 1 && n.state.Load() == h.state() }

// kill ends the life that h names, once: true is for the caller who did it and has to release the node.
func (n *node) kill(h handle) bool {
	return h.state()&1 == 1 && n.state.CompareAndSwap(h.state(), h.state()+1)
}

// present tells whether n is in the index in the life that h names. The caller holds the shard's lock.
func (n *node) present(h handle) bool {
	return n.linked && h.state()&1 == 1 && n.state.Load()-h.state() <= 1
}

// pageNodes is the number of nodes that are made together.
const pageNodes = 16

// page is nodes with successive numbers.
type page [pageNodes]node

// nodes is a shard's nodes by number. The number 0 is no node's, since it means none.
type nodes struct {
	pages atomic.Pointer[[]*page] // written under the shard's lock
	count int                     // pages, without those that were given back
	given []vacancy               // what was given back
	free  uint32                  // the first free node
}

// vacancy is where a page was given back. Nodes that are made there begin with a state that is later than that of those
// before them, so that the handles of these stay invalid.
type vacancy struct {
	page  int
	state uint32
}

// node returns the node of a number, whose low bits tell the shard.
func (s *Store[M]) node(number uint32) *node {
	return s.shards[number%shardCount].nodes.get(number / shardCount)
}

func (t *nodes) get(i uint32) *node {
	return &(*t.pages.Load())[i/pageNodes][i%pageNodes]
}

// take returns the index of a node that is not in use; it is alive from now on. The caller holds the shard's lock.
func (t *nodes) take() uint32 {
	if t.free == 0 {
		t.grow()
	}
	i := t.free
	n := t.get(i)
	t.free = n.next
	n.at, n.next, n.variant, n.version, n.newer, n.older = 0, 0, 0, 0, 0, 0
	n.uses.Store(0)
	n.state.Add(1)
	return i
}

// grow makes a page of free nodes.
func (t *nodes) grow() {
	var pages []*page
	if p := t.pages.Load(); p != nil {
		pages = *p
	}
	fresh, at := new(page), vacancy{page: len(pages)}
	if n := len(t.given); n > 0 {
		at, t.given = t.given[n-1], t.given[:n-1]
		pages = slices.Clone(pages) // somebody may be reading the other one
		pages[at.page] = fresh
	} else {
		pages = append(pages, fresh)
	}
	for i := pageNodes - 1; i >= 0; i-- {
		if number := uint32(at.page*pageNodes + i); number != 0 {
			fresh[i].state.Store(at.state)
			fresh[i].next, t.free = t.free, number
		}
	}
	t.count++
	t.pages.Store(&pages)
}

// trim gives back the pages of which no node is in use: none, whose nodes are dead and stay so, takes their place for
// those who still have a number. The caller holds the shard's lock.
func (t *nodes) trim(none *page) {
	if t.count == 0 {
		return
	}
	pages := slices.Clone(*t.pages.Load())
	free, unused := make([]uint32, 0, t.count*pageNodes), make([]int, len(pages))
	unused[0] = 1 // the number 0
	for i := t.free; i != 0; i = t.get(i).next {
		free = append(free, i)
		unused[i/pageNodes]++
	}
	for i, p := range pages {
		if unused[i] < pageNodes {
			continue
		}
		at := vacancy{page: i}
		for j := range p {
			at.state = max(at.state, p[j].state.Load())
		}
		t.given = append(t.given, at)
		pages[i] = none
		t.count--
	}
	t.free = 0
	for _, i := range free {
		if pages[i/pageNodes] != none {
			t.get(i).next, t.free = t.free, i
		}
	}
	t.pages.Store(&pages)
}

// room returns how many nodes there are, those in use and others, without the first page's: that belongs to what every
// store costs.
func (t *nodes) room() int64 { return int64(max(t.count-1, 0)) * pageNodes }

// give takes a node back, which is dead. The caller holds the shard's lock.
func (t *nodes) give(i uint32) {
	t.get(i).next = t.free
	t.free = i
}

// queue is a list of nodes, newest first, that knows its bytes.
type queue struct {
	first, last uint32
	bytes       int64
	len         int
}

// push makes a node the newest of q.
func (s *Store[M]) push(q *queue, number uint32) {
	n := s.node(number)
	n.newer, n.older = 0, q.first
	if q.first != 0 {
		s.node(q.first).newer = number
	} else {
		q.last = number
	}
	q.first = number
	q.bytes += n.charge
	q.len++
}

// pull takes a node out of q, which it is in.
func (s *Store[M]) pull(q *queue, number uint32) {
	n := s.node(number)
	if n.newer != 0 {
		s.node(n.newer).older = n.older
	} else {
		q.first = n.older
	}
	if n.older != 0 {
		s.node(n.older).newer = n.newer
	} else {
		q.last = n.newer
	}
	n.newer, n.older = 0, 0
	q.bytes -= n.charge
	q.len--
}
