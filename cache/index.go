package cache

import (
	"hash/maphash"
	"sync"
	"sync/atomic"
	"unsafe"
)

// shardCount is the number of index shards, a power of two.
const shardCount = 256

// Places of a node. A node begins in the window and may move to the main list once.
const (
	inWindow uint8 = iota
	inMain
)

// node is the store's record of one stored variant. Ristretto holds nodes, not entries, so that a refreshed entry can
// take the place of another without a round trip through ristretto.
type node[M any] struct {
	hash   uint64 // of the primary key
	id     uint64 // of primary key and variant: the key in ristretto
	charge int64

	// Of the newest variant of a key only, guarded by the shard's lock: the next key in the hash chain, and the
	// snapshot that Variants hands out.
	next     *node[M]
	variants []*Entry[M]

	// Guarded by Store.writer while in the window, by Store.mainMu while in the main list.
	newer, older *node[M]

	uses  atomic.Uint32 // uses since the node was last looked at, at most maxUses
	dead  atomic.Bool   // set once, by whoever takes the node out
	place uint8         // guarded by Store.writer
	known bool          // its key was evicted not long ago
}

// shard is one part of the index: a hash table with chains through the nodes, which costs eight bytes a key where a Go
// map of strings would cost sixty.
type shard[M any] struct {
	mu    sync.RWMutex
	table []*node[M]
	keys  int
	_     [64 - 24 - 24 - 8]byte // one cache line each
}

// find returns the link that leads to the first node of key, or to nil at the end of its chain. The table is not empty.
func (sh *shard[M]) find(hash uint64, key string) **node[M] {
	link := sh.slot(hash)
	for n := *link; n != nil; n = *link {
		if n.hash == hash && n.variants[0].Key == key {
			return link
		}
		link = &n.next
	}
	return link
}

// slot returns the head of the chain of hash. The low bits of hash chose the shard already.
func (sh *shard[M]) slot(hash uint64) **node[M] {
	return &sh.table[hash/shardCount&uint64(len(sh.table)-1)]
}

// lookup returns the variants of key; the caller holds the lock.
func (sh *shard[M]) lookup(hash uint64, key string) []*Entry[M] {
	if len(sh.table) == 0 {
		return nil
	}
	n := *sh.find(hash, key)
	if n == nil {
		return nil
	}
	return n.variants
}

// replace makes list the variants of key in the place of old, which is what lookup returns now.
func (sh *shard[M]) replace(hash uint64, key string, old, list []*Entry[M]) {
	if len(old) == 0 && len(list) == 0 {
		return
	}
	if len(old) == 0 {
		sh.keys++
		sh.grow()
	}
	link := sh.find(hash, key)
	rest := *link
	if rest != nil {
		first := rest
		rest = first.next
		first.next, first.variants = nil, nil
	}
	if len(list) == 0 {
		sh.keys--
		*link = rest
		return
	}
	n := list[0].node
	n.next, n.variants = rest, list
	*link = n
}

// grow doubles the table when there are more keys than chains.
func (sh *shard[M]) grow() {
	if sh.keys <= len(sh.table) {
		return
	}
	old := sh.table
	sh.table = make([]*node[M], max(8, 2*len(old)))
	for _, n := range old {
		for n != nil {
			next := n.next
			slot := sh.slot(n.hash)
			n.next = *slot
			*slot = n
			n = next
		}
	}
}

// entries appends every entry of the shard to dst.
func (sh *shard[M]) entries(dst []*Entry[M]) []*Entry[M] {
	sh.mu.RLock()
	defer sh.mu.RUnlock()
	for _, n := range sh.table {
		for ; n != nil; n = n.next {
			dst = append(dst, n.variants...)
		}
	}
	return dst
}

// with returns the variants with e first and without the one of e's variant.
func with[M any](list []*Entry[M], e *Entry[M]) []*Entry[M] {
	if len(list) == 0 || len(list) == 1 && list[0].Variant == e.Variant {
		return e.self[:]
	}
	next := make([]*Entry[M], 1, len(list)+1)
	next[0] = e
	for _, v := range list {
		if v.Variant != e.Variant {
			next = append(next, v)
		}
	}
	return next
}

// without returns the variants except the one of node n.
func without[M any](list []*Entry[M], n *node[M]) []*Entry[M] {
	if len(list) == 1 {
		return nil
	}
	next := make([]*Entry[M], 0, len(list)-1)
	for _, v := range list {
		if v.node != n {
			next = append(next, v)
		}
	}
	if len(next) == 1 {
		return next[0].self[:]
	}
	return next
}

// holds reports whether e itself is one of list.
func holds[M any](list []*Entry[M], e *Entry[M]) bool {
	for _, v := range list {
		if v == e {
			return true
		}
	}
	return false
}

// nodeOf returns the node of the entry with e's variant, nil if there is none.
func nodeOf[M any](list []*Entry[M], variant string) *node[M] {
	for _, v := range list {
		if v.Variant == variant {
			return v.node
		}
	}
	return nil
}

// hashOf returns the hash of a primary key. The seed differs from store to store, so nobody outside can build collisions.
func (s *Store[M]) hashOf(key string) uint64 { return maphash.String(s.seed, key) }

// idOf returns ristretto's key for a variant of the key with the given hash.
func (s *Store[M]) idOf(hash uint64, variant string) uint64 {
	if variant != "" {
		hash ^= maphash.String(s.seed, variant) * 0x9e3779b97f4a7c15
	}
	return hash & s.idMask
}

func (s *Store[M]) shard(hash uint64) *shard[M] { return &s.shards[hash%shardCount] }

// unlink takes n out of the index if it is there.
func (s *Store[M]) unlink(n *node[M]) {
	sh := s.shard(n.hash)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	list := sh.owner(n)
	if list == nil {
		return
	}
	sh.replace(n.hash, list[0].Key, list, without(list, n))
}

// owner returns the variants that n is one of, nil when n is not in the index any more.
func (sh *shard[M]) owner(n *node[M]) []*Entry[M] {
	if len(sh.table) == 0 {
		return nil
	}
	for h := *sh.slot(n.hash); h != nil; h = h.next {
		if h.hash != n.hash {
			continue
		}
		for _, v := range h.variants {
			if v.node == n {
				return h.variants
			}
		}
	}
	return nil
}

// queue is a list of nodes, newest first, that knows its bytes.
type queue[M any] struct {
	first, last *node[M]
	bytes       int64
	len         int
}

// push makes n the newest.
func (q *queue[M]) push(n *node[M]) {
	n.newer, n.older = nil, q.first
	if q.first != nil {
		q.first.newer = n
	} else {
		q.last = n
	}
	q.first = n
	q.bytes += n.charge
	q.len++
}

// remove takes n out; n is in q.
func (q *queue[M]) remove(n *node[M]) {
	if n.newer != nil {
		n.newer.older = n.older
	} else {
		q.first = n.older
	}
	if n.older != nil {
		n.older.newer = n.newer
	} else {
		q.last = n.newer
	}
	n.newer, n.older = nil, nil
	q.bytes -= n.charge
	q.len--
}

// indexBytes is what the index, the node and ristretto hold for one entry: the node and the entry themselves, a chain
// head in a table that is at least half full, and ristretto's two maps of 8+48 and 8+8 bytes with their spare slots.
func indexBytes[M any]() int64 {
	const (
		chain     = 16
		ristretto = 200
	)
	return allocBytes(int64(unsafe.Sizeof(node[M]{}))) + allocBytes(int64(unsafe.Sizeof(Entry[M]{}))) + chain + ristretto
}
