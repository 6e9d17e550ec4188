package cache

import (
	"fmt"
	"math/rand/v2"
	"sync/atomic"

	"github.com/dgraph-io/ristretto/v2"
)

// How an entry lives. Put places it in the window, a queue over a tenth of the bytes: it is there at the next request,
// whatever ristretto would say. At the window's end it is offered to the main part, whose membership is ristretto's:
//
//   - While there is room, ristretto takes it.
//   - When the main part is full, an entry that nobody has used goes, and its key is remembered for a while (a ghost).
//   - One that was used, or whose key was a ghost, is worth a place. A hand first looks at up to handSteps of the
//     longest admitted entries; one that was not used since the last look gives way. That is how the store follows a
//     popularity that moves. Where none is idle, popularity is stable, and ristretto's frequencies (TinyLFU) decide who
//     goes, the offered entry or others; there they decide better than recency.
//
// Byte counts are exact because the store keeps them itself: bytes are added before an entry becomes visible and
// subtracted after it has gone. Ristretto decides in another goroutine, so for some time an offered entry is in the
// main queue while ristretto has not made room for it; bounds.main leaves room for some of those. When that room is
// used up, Put waits for ristretto.
const (
	maxUses   = 3   // uses that are remembered of one entry, as S3-FIFO does
	handSteps = 4   // used entries that the hand passes over before ristretto decides
	maxQueued = 512 // deletions after which ristretto's queue is awaited
)

// bounds are the byte limits that follow from MaxBytes.
type bounds struct {
	total  int64 // of all entries: MaxBytes without the counters and what the arena may hold in reserve
	idle   int64 // what the tables took for entries that have left when the next two were computed
	window int64 // of the window, unless a single entry is larger
	main   int64 // of what ristretto holds
	object int64 // of one entry with all that it is charged for
}

// setBounds computes the bounds for a store of maxBytes. The caller holds writer, or is New.
func (s *Store[M]) setBounds(maxBytes int64) {
	total := maxBytes - s.overhead.Load() - s.arena.reserve()
	s.bounds = bounds{total: total, idle: s.idle(), object: maxBytes/8 + maxBytes/32}
	free := max(total-s.bounds.idle, total/8)
	s.bounds.window = free / 10
	s.bounds.main = free - s.bounds.window - free/64
	s.maxBytes.Store(maxBytes)
	object := maxBytes / 8
	if s.objectOption > 0 {
		object = min(object, s.objectOption)
	}
	s.maxObject.Store(object)
}

// open sizes the counters and starts ristretto.
func (s *Store[M]) open(o Options) (err error) {
	counters, bytes := counterSize(o.MaxBytes)
	s.counters, s.objectOption = counters, o.MaxObjectBytes
	s.ghosts = newGhosts(o.MaxBytes)
	s.overhead.Store(bytes + s.ghosts.bytes())
	s.setBounds(o.MaxBytes)
	s.engine, err = s.newEngine(counters)
	return err
}

// engine is ristretto. Once it is retired, it has no say any more, and nothing happens when it is closed.
type engine struct {
	*ristretto.Cache[uint64, handle]
	retired atomic.Bool
}

func (s *Store[M]) newEngine(counters int64) (*engine, error) {
	g := new(engine)
	leave := func(h handle, count *atomic.Int64, ghost bool) {
		if !g.retired.Load() {
			s.leave(h, count, ghost)
		}
	}
	var err error
	g.Cache, err = ristretto.NewCache(&ristretto.Config[uint64, handle]{
		NumCounters:        counters,
		MaxCost:            s.bounds.main,
		BufferItems:        64,
		IgnoreInternalCost: true,
		// The ids are hashes already. A conflict hash would change nothing: values are never read from ristretto.
		KeyToHash: func(id uint64) (uint64, uint64) { return id, 0 },
		OnReject:  func(i *ristretto.Item[handle]) { leave(i.Value, &s.counts.rejected, true) },
		OnEvict:   func(i *ristretto.Item[handle]) { leave(i.Value, &s.counts.evicted, false) },
		OnExit:    func(h handle) { leave(h, &s.counts.evicted, false) },
	})
	if err != nil {
		return nil, fmt.Errorf("cache: %w", err)
	}
	return g, nil
}

// Use counts a use of e for eviction. It is cheap: an entry used often is counted once in eight times only.
func (s *Store[M]) Use(e *Entry[M]) {
	if e.node == 0 {
		return
	}
	n := s.node(e.node.number())
	if !n.alive(e.node) {
		return
	}
	uses := n.uses.Load()
	if uses < maxUses {
		n.uses.CompareAndSwap(uses, uses+1)
	} else if rand.Uint32()%8 != 0 {
		return
	}
	sh := s.shard(e.hash)
	sh.mu.RLock() // ristretto's Get must not run beside its Close
	if !s.closed {
		s.engine.Get(e.id)
	}
	sh.mu.RUnlock()
}

// install makes e visible, in place of old only if old is not nil. The caller holds writer and has checked the limits.
func (s *Store[M]) install(e *Entry[M], p packed, charge int64, old *Entry[M]) bool {
	s.makeRoom(charge)
	hash := s.hashOf(e.Key)
	sh := s.shard(hash)
	s.bytes.Add(charge)
	sh.mu.Lock()
	if old != nil && !s.holds(old) {
		sh.mu.Unlock()
		s.bytes.Add(-charge)
		return false
	}
	room := sh.nodes.room()
	number := sh.nodes.take()*shardCount + uint32(hash%shardCount)
	s.room.Add(sh.nodes.room() - room)
	n := s.node(number)
	n.hash, n.id, n.charge, n.place, n.known = hash, s.idOf(hash, e.Variant), charge, inWindow, false
	s.keep(sh, number, e, p)
	same, surplus := s.link(sh, number, e, s.maxVariants)
	sh.mu.Unlock()
	s.high.Store(max(s.high.Load(), s.entries.Add(1)))
	s.push(&s.window, number)
	s.engine.Get(n.id) // the request that led here counts
	s.succeed(n, same)
	for _, h := range surplus {
		s.remove(h)
	}
	return true
}

// succeed discards the node that n has replaced in the index, if any, and passes its standing on.
func (s *Store[M]) succeed(n *node, prev handle) {
	n.known = s.takeGhost(n.id)
	if prev == 0 {
		return
	}
	if p := s.node(prev.number()); p.alive(prev) {
		n.known = n.known || p.place == inMain
		n.uses.Store(p.uses.Load())
	}
	if s.discard(prev) {
		s.counts.replaced.Add(1)
	}
}

// makeRoom evicts until an entry of the given charge fits into the window and into the total.
func (s *Store[M]) makeRoom(charge int64) {
	s.trim()
	s.reckon()
	for s.window.last != 0 && s.window.bytes+charge > s.bounds.window {
		s.offer(s.lifeOf(s.window.last))
	}
	if s.over(charge) {
		s.settle()
	}
	for s.over(charge) && s.evictOne() {
	}
}

// offer moves a node from the window to the main part, or drops it.
func (s *Store[M]) offer(h handle) {
	n := s.node(h.number())
	proven := n.known || n.uses.Load() > 0
	s.pull(&s.window, h.number())
	n.uses.Store(0)
	n.place = inMain
	id, charge := n.id, n.charge
	s.mainMu.Lock()
	s.push(&s.main, h.number())
	full := s.main.bytes > s.bounds.main
	s.mainMu.Unlock()
	if full && !proven {
		s.leave(h, &s.counts.rejected, true)
		return
	}
	if full {
		s.evictIdle(h)
	}
	if _, queued := s.deleted[id]; queued {
		s.settle() // or the deletion of the id's former node would hit this one
	}
	if s.engine.Set(id, h, charge) {
		return
	}
	s.settle() // its queue was full
	if !s.engine.Set(id, h, charge) {
		s.leave(h, &s.counts.rejected, true)
	}
}
