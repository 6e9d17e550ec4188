package cache

import (
	"fmt"
	"runtime"
	"slices"
)

// SetIDMask makes ids collide; the store must be empty.
func (s *Store[M]) SetIDMask(mask uint64) { s.idMask = mask }

// Charge returns what e is charged for.
func (s *Store[M]) Charge(e *Entry[M]) int64 { return s.chargeOf(e, s.pack(e, nil)) }

// WindowBytes returns the bytes in the recency window and its bound.
func (s *Store[M]) WindowBytes() (bytes, bound int64) {
	s.writer.Lock()
	defer s.writer.Unlock()
	return s.window.bytes, s.bounds.window
}

// Main reports whether e has been offered to ristretto and was not refused.
func (s *Store[M]) Main(e *Entry[M]) bool {
	s.writer.Lock()
	defer s.writer.Unlock()
	s.settle()
	n := s.node(e.node.number())
	return n.place == inMain && n.alive(e.node)
}

// Flush offers everything in the window to ristretto and waits for the verdicts.
func (s *Store[M]) Flush() {
	s.writer.Lock()
	defer s.writer.Unlock()
	for s.window.last != 0 {
		s.offer(s.lifeOf(s.window.last))
	}
	s.settle()
}

// Stall stops ristretto's worker in a callback until resume is called. Keys of the first shard cannot be used until then.
func (s *Store[M]) Stall() (resume func()) {
	sh := &s.shards[0]
	sh.mu.Lock()
	number := sh.nodes.take() * shardCount
	n := s.node(number)
	n.hash, n.id, n.charge, n.place = 0, 0, s.bounds.main+1, inMain // too large: ristretto refuses it and calls leave
	h := s.lifeOf(number)
	s.bytes.Add(n.charge)
	s.entries.Add(1)
	s.mainMu.Lock()
	s.push(&s.main, number)
	s.mainMu.Unlock()
	s.engine.Set(n.id, h, n.charge)
	for gone := false; !gone; {
		s.mainMu.Lock()
		gone = !n.alive(h) && s.main.last != number
		s.mainMu.Unlock()
		runtime.Gosched()
	}
	return sh.mu.Unlock
}

// FirstShard reports whether key belongs to the first shard.
func (s *Store[M]) FirstShard(key string) bool { return s.hashOf(key)%shardCount == 0 }

// Audit compares everything that counts with everything that is there. Nothing else may use Swap meanwhile.
func (s *Store[M]) Audit() error {
	s.writer.Lock()
	defer s.writer.Unlock()
	if s.closed {
		return nil
	}
	s.settle()
	a, err := s.auditIndex()
	if err != nil {
		return err
	}
	s.mainMu.Lock()
	defer s.mainMu.Unlock()
	var engineBytes int64
	var engineNodes int
	s.engine.IterValues(func(h handle) bool {
		n := s.node(h.number())
		engineBytes += n.charge
		engineNodes++
		if !n.alive(h) || n.place != inMain {
			err = fmt.Errorf("ristretto holds node of place %d, alive %t", n.place, n.alive(h))
		}
		return err != nil
	})
	switch {
	case err != nil:
		return err
	case a.bytes != s.bytes.Load() || a.entries != s.entries.Load():
		return fmt.Errorf("index has %d bytes in %d entries; counters say %d in %d", a.bytes, a.entries, s.bytes.Load(), s.entries.Load())
	case a.bytes != s.window.bytes+s.main.bytes || a.entries != int64(s.window.len+s.main.len):
		return fmt.Errorf("index has %d bytes in %d entries; window %d in %d and main %d in %d",
			a.bytes, a.entries, s.window.bytes, s.window.len, s.main.bytes, s.main.len)
	case engineBytes != s.main.bytes || engineNodes != s.main.len:
		return fmt.Errorf("ristretto has %d bytes in %d nodes; main %d in %d", engineBytes, engineNodes, s.main.bytes, s.main.len)
	case s.engine.MaxCost()-s.engine.RemainingCost() != engineBytes && s.idMask == ^uint64(0): // colliding keys share a cost there
		return fmt.Errorf("ristretto counts %d bytes; holds %d", s.engine.MaxCost()-s.engine.RemainingCost(), engineBytes)
	case s.arena.bytes() > a.records+s.arena.reserve():
		return fmt.Errorf("the arena takes %d bytes for records charged %d; may keep %d more", s.arena.bytes(), a.records, s.arena.reserve())
	case a.bytes+s.overhead.Load()+s.idle()+s.arena.reserve() > s.maxBytes.Load():
		return fmt.Errorf("%d bytes, %d of counters and %d of tables; bound %d", a.bytes, s.overhead.Load(), s.idle(), s.maxBytes.Load())
	}
	return nil
}

type audit struct{ bytes, entries, records int64 }

// auditIndex adds up the index and checks its links.
func (s *Store[M]) auditIndex() (a audit, err error) {
	for i := range s.shards {
		sh := &s.shards[i]
		keys := 0
		for _, h := range s.handles(sh, nil) {
			var v View[M]
			e := s.one(h, &v)
			n := s.node(h.number())
			list := s.Variants(e.Key)
			same := 0
			for _, o := range list {
				if o.Variant == e.Variant {
					same++
				}
			}
			p := s.pack(e, nil)
			switch {
			case !slices.ContainsFunc(list, func(o *Entry[M]) bool { return o.node == h }):
				return a, fmt.Errorf("entry %q %q is not reachable", e.Key, e.Variant)
			case !n.alive(h):
				return a, fmt.Errorf("entry %q %q is dead but visible", e.Key, e.Variant)
			case same != 1:
				return a, fmt.Errorf("variant %q %q is there %d times", e.Key, e.Variant, same)
			case s.chargeOf(e, p) > n.charge || s.chargeOf(e, p) < n.charge-slackBytes:
				return a, fmt.Errorf("entry %q %q costs %d; charged %d", e.Key, e.Variant, s.chargeOf(e, p), n.charge)
			case (p.size == 0) != n.at.loose():
				return a, fmt.Errorf("entry %q %q of record size %d is at %x", e.Key, e.Variant, p.size, n.at)
			}
			if p.size > 0 {
				a.records += s.arena.charge(p.size)
			}
			if list[0].node == h {
				keys++
			}
			a.entries++
			a.bytes += n.charge
		}
		if keys != sh.keys {
			return a, fmt.Errorf("shard %d has %d keys; counts %d", i, keys, sh.keys)
		}
	}
	return a, nil
}

// bytes returns the memory of all chunks.
func (a *arena) bytes() int64 {
	if a == nil {
		return 0
	}
	n := 0
	for i := range a.classes {
		c := &a.classes[i]
		c.mu.Lock()
		n += len(*c.chunks.Load()) - len(c.vacant)
		c.mu.Unlock()
	}
	return int64(n) * int64(a.chunkBytes)
}
