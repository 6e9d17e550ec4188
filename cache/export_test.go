package cache

import (
	"fmt"
	"runtime"
)

// SetIDMask makes ids collide; the store must be empty.
func (s *Store[M]) SetIDMask(mask uint64) { s.idMask = mask }

// Charge returns what e is charged for.
func (s *Store[M]) Charge(e *Entry[M]) int64 { return s.charge(e) }

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
	return e.node.place == inMain && !e.node.dead.Load()
}

// Flush offers everything in the window to ristretto and waits for the verdicts.
func (s *Store[M]) Flush() {
	s.writer.Lock()
	defer s.writer.Unlock()
	for s.window.last != nil {
		s.offer(s.window.last)
	}
	s.settle()
}

// Stall stops ristretto's worker in a callback until resume is called. Keys of the first shard cannot be used until then.
func (s *Store[M]) Stall() (resume func()) {
	n := &node[M]{charge: s.bounds.main + 1, place: inMain} // too large: ristretto refuses it and calls leave
	s.bytes.Add(n.charge)
	s.entries.Add(1)
	s.mainMu.Lock()
	s.main.push(n)
	s.mainMu.Unlock()
	s.shards[0].mu.Lock()
	s.engine.Set(n.id, n, n.charge)
	for gone := false; !gone; {
		s.mainMu.Lock()
		gone = n.dead.Load() && s.main.last != n
		s.mainMu.Unlock()
		runtime.Gosched()
	}
	return s.shards[0].mu.Unlock
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
	s.engine.IterValues(func(n *node[M]) bool {
		engineBytes += n.charge
		engineNodes++
		if n.dead.Load() || n.place != inMain {
			err = fmt.Errorf("ristretto holds node of place %d, dead %t", n.place, n.dead.Load())
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
	case a.bytes+s.overhead > s.maxBytes.Load():
		return fmt.Errorf("%d bytes and %d of counters; bound %d", a.bytes, s.overhead, s.maxBytes.Load())
	}
	return nil
}

type audit struct{ bytes, entries int64 }

// auditIndex adds up the index and checks its links.
func (s *Store[M]) auditIndex() (a audit, err error) {
	for i := range s.shards {
		sh := &s.shards[i]
		keys := 0
		for _, e := range sh.entries(nil) {
			list := s.Variants(e.Key)
			switch {
			case !holds(list, e):
				return a, fmt.Errorf("entry %q %q is not reachable", e.Key, e.Variant)
			case e.node.dead.Load():
				return a, fmt.Errorf("entry %q %q is dead but visible", e.Key, e.Variant)
			case nodeOf(list, e.Variant) != e.node:
				return a, fmt.Errorf("variant %q %q is there twice", e.Key, e.Variant)
			case s.charge(e) > e.node.charge || s.charge(e) < e.node.charge-slackBytes:
				return a, fmt.Errorf("entry %q %q costs %d; charged %d", e.Key, e.Variant, s.charge(e), e.node.charge)
			}
			if list[0] == e {
				keys++
			}
			a.entries++
			a.bytes += e.node.charge
		}
		if keys != sh.keys {
			return a, fmt.Errorf("shard %d has %d keys; counts %d", i, keys, sh.keys)
		}
	}
	return a, nil
}
