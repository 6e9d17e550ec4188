package cache

import (
	"hash/maphash"
	"math"
	"sync"
	"sync/atomic"
)

// epochCount is the number of keys' stripes that count invalidations: two keys share a count once in 4,096.
const epochCount = 4096

// Store holds stored responses within a bound of bytes. It is safe for concurrent use.
//
// Locks: writer serialises all changes of membership; under it, and in the goroutine that ristretto calls back from,
// a shard's lock or mainMu is taken, never both at once. Nothing waits for ristretto under a shard's lock or mainMu.
type Store[M any] struct {
	seed         maphash.Seed
	idMask       uint64 // all ones, save in the test of colliding keys
	maxVariants  int
	counters     int64   // ristretto's, see counterSize; guarded by writer
	objectOption int64   // Options.MaxObjectBytes
	engine       *engine // replaced under writer and every shard's lock
	fills        *budget
	codec        Codec[M]
	arena        *arena    // nil: every entry is kept as it is
	scratch      sync.Pool // *[]byte for the metas of entries that are being packed

	writer  sync.Mutex
	window  queue               // newly stored, not yet offered to ristretto
	deleted map[uint64]struct{} // ids deleted from ristretto that its queue may still hold
	bounds  bounds
	purging int      // purges that are running
	reborn  []handle // what Swap gave a new node meanwhile

	mainMu sync.Mutex
	main   queue // offered to ristretto and not refused
	ghosts ghosts

	closed bool // written under writer and every shard's lock
	shards [shardCount]shard[M]
	epochs [epochCount]atomic.Uint64
	purges atomic.Uint64

	maxObject atomic.Int64
	maxBytes  atomic.Int64
	overhead  atomic.Int64 // bytes of counters and ghosts
	bytes     atomic.Int64
	entries   atomic.Int64
	high      atomic.Int64 // the most entries since the tables were trimmed; written under writer
	room      atomic.Int64 // nodes that there are, see nodes.room; written under writer
	counts    counts
}

// counts are the counters of Stats.
type counts struct{ puts, swaps, replaced, rejected, evicted, removed atomic.Int64 }

// New returns an empty store. Close it to end its goroutines. Where c is the zero value, every entry is kept as it is;
// otherwise small entries are kept in a form that costs less memory and no time in garbage collections.
func New[M any](o Options, c Codec[M]) (*Store[M], error) {
	if err := o.complete(); err != nil {
		return nil, err
	}
	s := &Store[M]{
		seed:        maphash.MakeSeed(),
		idMask:      ^uint64(0),
		maxVariants: o.MaxVariants,
		deleted:     make(map[uint64]struct{}),
		fills:       new(budget),
		codec:       c,
	}
	s.fills.max.Store(o.MaxFillBytes)
	if c.Append != nil {
		s.arena = newArena(o.MaxBytes)
	}
	s.scratch.New = func() any { return new([]byte) }
	if err := s.open(o); err != nil {
		return nil, err
	}
	return s, nil
}

// Variants returns the stored variants of key, newest first: an immutable snapshot. It keeps no reference to key.
func (s *Store[M]) Variants(key string) []*Entry[M] {
	var v View[M]
	return s.View(key, &v)
}

// View is Variants without allocations: what it returns is valid until the next call with the same v, or Reset. An entry
// that is to be stored must not refer to it; Clone does not.
func (s *Store[M]) View(key string, v *View[M]) []*Entry[M] {
	hash := s.hashOf(key)
	sh := s.shard(hash)
	sh.mu.RLock()
	first := s.lookup(sh, hash, key)
	if first == 0 {
		sh.mu.RUnlock()
		return nil
	}
	s.look(sh, first, math.MaxInt, v)
	sh.mu.RUnlock()
	return s.seen(v)
}

// Epoch returns the current epoch of key. Read it before the request is forwarded whose response Put shall store.
func (s *Store[M]) Epoch(key string) Epoch { return s.epochOf(s.hashOf(key)) }

// epochOf adds two counts that only grow, so that the sum is the same only while both are.
func (s *Store[M]) epochOf(hash uint64) Epoch {
	return Epoch(s.epochs[hash/shardCount%epochCount].Load() + s.purges.Load())
}

// Put stores e in place of an entry with the same Key and Variant. When it returns true, e is visible; otherwise the
// second result is one of the Reason constants, and whatever was stored before stays.
func (s *Store[M]) Put(e *Entry[M], at Epoch) (bool, string) {
	b := s.scratch.Get().(*[]byte)
	defer s.scratch.Put(b)
	p := s.pack(e, *b)
	*b = p.meta
	charge := s.chargeOf(e, p)
	s.writer.Lock()
	defer s.writer.Unlock()
	switch {
	case s.closed:
		return false, ReasonClosed
	case e.stored():
		return false, ReasonReused
	case at != s.epochOf(s.hashOf(e.Key)):
		return false, ReasonInvalidated
	case e.Body.Held() > s.maxObject.Load() || charge > s.bounds.object:
		return false, ReasonTooLarge
	}
	s.install(e, p, charge, nil)
	s.counts.puts.Add(1)
	return true, ""
}

// Swap puts next in the place of old if old is still stored, and reports whether it did. Both have the same Key and
// Variant. It serves refreshed fields (RFC 9111 §4.3.4) and merged parts (§3.4), and makes next the newest variant. It
// costs little while the charge does not grow.
func (s *Store[M]) Swap(old, next *Entry[M]) bool {
	if !old.stored() || next.stored() || old.Key != next.Key || old.Variant != next.Variant {
		return false
	}
	b := s.scratch.Get().(*[]byte)
	defer s.scratch.Put(b)
	p := s.pack(next, *b)
	*b = p.meta
	charge := s.chargeOf(next, p)
	if done, ok := s.swapInPlace(old, next, p, charge); done {
		return ok
	}
	s.writer.Lock()
	defer s.writer.Unlock()
	if s.closed || next.Body.Held() > s.maxObject.Load() || charge > s.bounds.object {
		return false
	}
	ok := s.install(next, p, charge, old)
	if ok {
		s.counts.swaps.Add(1)
		if s.purging > 0 {
			s.reborn = append(s.reborn, next.node)
		}
	}
	return ok
}

// slackBytes is by how much an entry may be charged too much after Swap made it smaller.
const slackBytes = 256

// swapInPlace lets next take over old's node when the charge allows it. done is false when it does not.
func (s *Store[M]) swapInPlace(old, next *Entry[M], p packed, charge int64) (done, ok bool) {
	sh := s.shardOf(old.node)
	sh.mu.Lock()
	n := s.node(old.node.number())
	if !s.holds(old) {
		sh.mu.Unlock()
		return true, false
	}
	if charge > n.charge || charge < n.charge-slackBytes {
		sh.mu.Unlock()
		return false, false
	}
	s.cut(sh, old.node)
	class := s.drop(sh, n.at)
	n.version++
	s.keep(sh, old.node.number(), next, p)
	s.link(sh, old.node.number(), next, math.MaxInt)
	sh.mu.Unlock()
	s.tidy(class)
	s.counts.swaps.Add(1)
	return true, true
}

// Delete removes e and reports true if it is still stored.
func (s *Store[M]) Delete(e *Entry[M]) bool {
	if !e.stored() {
		return false
	}
	s.writer.Lock()
	defer s.writer.Unlock()
	sh := s.shardOf(e.node)
	sh.mu.RLock()
	held := s.holds(e)
	sh.mu.RUnlock()
	return held && s.remove(e.node)
}

// Invalidate removes every variant of key and returns how many those were (RFC 9111 §4.4). A Put with an epoch that was
// read before stores nothing.
func (s *Store[M]) Invalidate(key string) int {
	hash := s.hashOf(key)
	s.writer.Lock()
	defer s.writer.Unlock()
	s.epochs[hash/shardCount%epochCount].Add(1)
	n := 0
	for _, e := range s.Variants(key) {
		if s.remove(e.node) {
			n++
		}
	}
	return n
}

// Purge removes every entry that match reports true for and returns how many those were. Responses requested before are
// not stored any more, whatever their key. With dry it counts only. match may read the store, but not change it; the entry
// that it is given is valid until it returns.
func (s *Store[M]) Purge(match func(*Entry[M]) bool, dry bool) int {
	n := 0
	meet := func(e *Entry[M]) bool {
		if match(e) && (dry || s.purge(e, match)) {
			n++
		}
		return true
	}
	if dry {
		s.each(meet)
		return n
	}
	seen := s.beginPurge()
	defer s.endPurge()
	s.each(meet)
	var v View[M]
	for h, ok := s.rebornAfter(seen); ok; h, ok = s.rebornAfter(seen) {
		seen++
		if e := s.one(h, &v); e != nil {
			meet(e)
		}
	}
	return n
}

// beginPurge shuts out what was requested before, and has Swap remember what it gives a new node, which the purge might
// miss. It returns how many of those there are already.
func (s *Store[M]) beginPurge() int {
	s.writer.Lock()
	defer s.writer.Unlock()
	s.purges.Add(1)
	s.purging++
	return len(s.reborn)
}

func (s *Store[M]) endPurge() {
	s.writer.Lock()
	defer s.writer.Unlock()
	if s.purging--; s.purging == 0 {
		s.reborn = nil
	}
	if !s.closed {
		s.trim()
		s.reckon()
	}
}

// rebornAfter returns what Swap gave a new node after the first seen of them.
func (s *Store[M]) rebornAfter(seen int) (handle, bool) {
	s.writer.Lock()
	defer s.writer.Unlock()
	if seen >= len(s.reborn) {
		return 0, false
	}
	return s.reborn[seen], true
}

// purge removes what is stored under e's key and variant: e itself or its refreshed form, or what a Swap that changed
// the charge has put in its place meanwhile.
func (s *Store[M]) purge(e *Entry[M], match func(*Entry[M]) bool) bool {
	s.writer.Lock()
	defer s.writer.Unlock()
	if s.remove(e.node) {
		return true
	}
	for _, v := range s.Variants(e.Key) {
		if v.Variant == e.Variant {
			return match(v) && s.remove(v.node)
		}
	}
	return false
}

// Range calls f for every stored entry, in no order, until f returns false. An entry is valid until f returns; [Store.Clone]
// keeps it. f may call the store; what is stored or removed meanwhile may be seen or not.
func (s *Store[M]) Range(f func(*Entry[M]) bool) { s.each(f) }

// each calls f for every entry until it returns false.
func (s *Store[M]) each(f func(*Entry[M]) bool) {
	var list []handle
	var v View[M]
	for i := range s.shards {
		list = s.handles(&s.shards[i], list[:0])
		for _, h := range list {
			if e := s.one(h, &v); e != nil && !f(e) {
				return
			}
		}
	}
}

// MaxObjectBytes returns the effective limit for one body.
func (s *Store[M]) MaxObjectBytes() int64 { return s.maxObject.Load() }

// Stats returns the current figures.
func (s *Store[M]) Stats() Stats {
	return Stats{
		Entries:        s.entries.Load(),
		Bytes:          s.bytes.Load(),
		Overhead:       s.overhead.Load() + s.idle(),
		MaxBytes:       s.maxBytes.Load(),
		MaxObjectBytes: s.maxObject.Load(),
		Fills:          s.fills.count.Load(),
		FillBytes:      s.fills.used.Load(),
		MaxFillBytes:   s.fills.max.Load(),
		Puts:           s.counts.puts.Load(),
		Swaps:          s.counts.swaps.Load(),
		Replaced:       s.counts.replaced.Load(),
		Rejected:       s.counts.rejected.Load(),
		Evicted:        s.counts.evicted.Load(),
		Removed:        s.counts.removed.Load(),
	}
}

// Close drops everything and ends the store's goroutines. Later calls find nothing and store nothing.
func (s *Store[M]) Close() {
	s.writer.Lock()
	defer s.writer.Unlock()
	if s.closed {
		return
	}
	for i := range s.shards {
		s.shards[i].mu.Lock()
	}
	s.closed = true
	for i := range s.shards {
		s.shards[i].mu.Unlock()
	}
	for s.window.last != 0 {
		s.discard(s.lifeOf(s.window.last))
	}
	s.engine.Close() // calls back for every node it holds
}
