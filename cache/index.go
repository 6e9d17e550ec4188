package cache

import (
	"hash/maphash"
	"sync"
	"unsafe"
)

// shardCount is the number of index shards, a power of two.
const shardCount = 256

// shard is one part of the index: a hash table with chains through the nodes, which costs four bytes a key where a Go
// map of strings would cost sixty. The tables hold numbers of nodes.
type shard[M any] struct {
	mu        sync.RWMutex
	table     []uint32
	keys      int
	nodes     nodes
	loose     []*Entry[M] // entries that are no records
	looseFree []uint32    // indexes in it that are not in use
	_         [24]byte    // whole cache lines
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

// shardOf returns the shard of a node.
func (s *Store[M]) shardOf(h handle) *shard[M] { return &s.shards[h.number()%shardCount] }

// slot returns the head of the chain of hash. The low bits of hash chose the shard already.
func (sh *shard[M]) slot(hash uint64) *uint32 {
	return &sh.table[hash/shardCount&uint64(len(sh.table)-1)]
}

// find returns the link that leads to the newest variant of key, or to 0 at the end of its chain; nil if the table is
// empty. The caller holds the shard's lock, as for all that follows.
func (s *Store[M]) find(sh *shard[M], hash uint64, key string) *uint32 {
	if len(sh.table) == 0 {
		return nil
	}
	link := sh.slot(hash)
	for *link != 0 {
		n := s.node(*link)
		if n.hash == hash && s.key(sh, n) == key {
			return link
		}
		link = &n.next
	}
	return link
}

// lookup returns the number of the newest variant of key, 0 if there is none.
func (s *Store[M]) lookup(sh *shard[M], hash uint64, key string) uint32 {
	if link := s.find(sh, hash, key); link != nil {
		return *link
	}
	return 0
}

// key returns the primary key of a node's entry, as a view of the arena.
func (s *Store[M]) key(sh *shard[M], n *node) string {
	if n.at.loose() {
		return sh.loose[n.at.index()].Key
	}
	return recordKey(s.arena.at(n.at))
}

// variantOf returns the variant of a node's entry, as a view of the arena.
func (s *Store[M]) variantOf(sh *shard[M], n *node) string {
	if n.at.loose() {
		return sh.loose[n.at.index()].Variant
	}
	return recordVariant(s.arena.at(n.at))
}

// keep puts e where its node finds it, and makes it known which node that is.
func (s *Store[M]) keep(sh *shard[M], number uint32, e *Entry[M], p packed) {
	n := s.node(number)
	e.self, e.node, e.version, e.hash, e.id = e, handleOf(number, n.state.Load()), n.version, n.hash, n.id
	if p.size > 0 {
		at, slot := s.arena.take(p.size, number)
		write(slot, e, p)
		n.at = at
		return
	}
	if f := len(sh.looseFree); f > 0 {
		n.at = looseRef | ref(sh.looseFree[f-1])
		sh.looseFree = sh.looseFree[:f-1]
		sh.loose[n.at.index()] = e
		return
	}
	n.at = looseRef | ref(len(sh.loose))
	sh.loose = append(sh.loose, e)
}

// drop lets go of what is kept at a place, and returns the class of a slot that got free, or -1.
func (s *Store[M]) drop(sh *shard[M], at ref) int {
	switch {
	case at.loose():
		sh.loose[at.index()] = nil
		sh.looseFree = append(sh.looseFree, at.index())
	case at != 0:
		s.arena.give(at)
		return at.class()
	}
	return -1
}

// link makes a node the newest variant of its key, in the place of the one with the same variant, which it returns (0: there
// was none), and of those beyond the most that a key may have.
func (s *Store[M]) link(sh *shard[M], number uint32, e *Entry[M], most int) (same handle, surplus []handle) {
	n := s.node(number)
	link := s.find(sh, n.hash, e.Key)
	if link == nil || *link == 0 {
		sh.keys++
		s.grow(sh)
		link = s.find(sh, n.hash, e.Key)
	}
	head := *link
	n.variant = head
	if head != 0 {
		n.next = s.node(head).next
		s.node(head).next = 0
	}
	n.linked = true
	*link = number
	for count, prev := 1, n; prev.variant != 0; {
		v := s.node(prev.variant)
		replaced := same == 0 && s.variantOf(sh, v) == e.Variant
		if !replaced && count < most {
			count++
			prev = v
			continue
		}
		gone := s.lifeOf(prev.variant)
		prev.variant, v.variant, v.linked = v.variant, 0, false
		if replaced {
			same = gone
		} else {
			surplus = append(surplus, gone)
		}
	}
	return same, surplus
}

// cut takes a node out of the index if it is there in the life that h names.
func (s *Store[M]) cut(sh *shard[M], h handle) {
	n := s.node(h.number())
	if !n.present(h) {
		return
	}
	n.linked = false
	link := s.find(sh, n.hash, s.key(sh, n))
	if *link == h.number() {
		*link = n.variant
		if n.variant != 0 {
			s.node(n.variant).next = n.next
		} else {
			*link = n.next
			sh.keys--
		}
		n.next, n.variant = 0, 0
		return
	}
	for prev := s.node(*link); prev.variant != 0; prev = s.node(prev.variant) {
		if prev.variant == h.number() {
			prev.variant = n.variant
			n.variant = 0
			return
		}
	}
}

// unlink is cut for a caller without the shard's lock.
func (s *Store[M]) unlink(h handle) {
	sh := s.shardOf(h)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	s.cut(sh, h)
}

// grow doubles the table when there are more keys than chains.
func (s *Store[M]) grow(sh *shard[M]) {
	if sh.keys > len(sh.table) {
		s.rehash(sh, max(8, 2*len(sh.table)))
	}
}

// rehash makes the table one of so many chains, a power of two.
func (s *Store[M]) rehash(sh *shard[M], chains int) {
	old := sh.table
	sh.table = make([]uint32, chains)
	for _, number := range old {
		for number != 0 {
			n := s.node(number)
			next := n.next
			slot := sh.slot(n.hash)
			n.next = *slot
			*slot = number
			number = next
		}
	}
}

// holds reports whether e itself is in the index.
func (s *Store[M]) holds(e *Entry[M]) bool {
	n := s.node(e.node.number())
	return n.present(e.node) && n.version == e.version
}

// handles appends the nodes of a shard to dst.
func (s *Store[M]) handles(sh *shard[M], dst []handle) []handle {
	sh.mu.RLock()
	defer sh.mu.RUnlock()
	for _, number := range sh.table {
		for number != 0 {
			for v := number; v != 0; v = s.node(v).variant {
				dst = append(dst, s.lifeOf(v))
			}
			number = s.node(number).next
		}
	}
	return dst
}

// one returns the entry of a node, in memory that v gives; nil if the node is not in the index any more.
func (s *Store[M]) one(h handle, v *View[M]) *Entry[M] {
	sh := s.shardOf(h)
	sh.mu.RLock()
	n := s.node(h.number())
	if !n.present(h) {
		sh.mu.RUnlock()
		return nil
	}
	s.look(sh, h.number(), 1, v)
	sh.mu.RUnlock()
	return s.seen(v)[0]
}

// look copies up to count variants, from a node on, to v. The caller calls seen next, without the shard's lock.
func (s *Store[M]) look(sh *shard[M], number uint32, count int, v *View[M]) {
	entries, records, bytes := 0, 0, 0
	for i := number; i != 0 && entries < count; i = s.node(i).variant {
		entries++
		if at := s.node(i).at; !at.loose() {
			records++
			bytes += recordSize(s.arena.at(at))
		}
	}
	v.grow(entries, records, bytes)
	for i := number; i != 0 && len(v.list) < count; i = s.node(i).variant {
		n := s.node(i)
		if n.at.loose() {
			v.list = append(v.list, sh.loose[n.at.index()])
			continue
		}
		slot := s.arena.at(n.at)
		v.buf = append(v.buf, slot[:recordSize(slot)]...)
		v.own = append(v.own, Entry[M]{node: s.lifeOf(i), version: n.version, hash: n.hash, id: n.id})
		e := &v.own[len(v.own)-1]
		e.self = e
		v.list = append(v.list, e)
	}
}

// seen reads the records that look copied and returns the entries.
func (s *Store[M]) seen(v *View[M]) []*Entry[M] {
	rest := v.buf
	for i := range v.own {
		n := recordSize(rest)
		s.read(rest[:n:n], &v.own[i])
		rest = rest[n:]
	}
	return v.list
}

// chargeOf returns the bytes that e is charged for, kept as p says: the entry and what it points to, or its slot, and
// for every entry its share of the tables.
func (s *Store[M]) chargeOf(e *Entry[M], p packed) int64 {
	const common = nodeBytes + tableBytes
	if p.size > 0 {
		return common + s.arena.charge(p.size)
	}
	const link = 12 // in the list of loose entries
	return common + link + allocBytes(int64(unsafe.Sizeof(*e))) +
		allocBytes(int64(len(e.Key))) + allocBytes(int64(len(e.Variant))) + max(e.Extra, 0) + e.Body.memory()
}
