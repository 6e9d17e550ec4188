package cache

// evictIdle lets the hand make room for n in the main part.
func (s *Store[M]) evictIdle(n *node[M]) {
	for passed := 0; passed < handSteps; {
		s.mainMu.Lock()
		v := s.main.last
		if v == nil || v == n || s.main.bytes <= s.bounds.main {
			s.mainMu.Unlock()
			return
		}
		idle := s.pass(v)
		s.mainMu.Unlock()
		if !idle {
			passed++
		} else if s.discard(v) {
			s.counts.evicted.Add(1)
		}
	}
}

// pass looks at v, the last of the main queue: it reports true if v is idle, and else gives it another round.
func (s *Store[M]) pass(v *node[M]) bool {
	uses := v.uses.Load()
	if uses == 0 && !v.dead.Load() {
		return true
	}
	if uses > 0 {
		v.uses.Store(uses - 1)
	}
	s.main.remove(v)
	s.main.push(v)
	return false
}

// evictOne removes one entry of the main part, or of the window when that is empty. It reports false when both are.
func (s *Store[M]) evictOne() bool {
	s.mainMu.Lock()
	for range 2 * handSteps {
		if s.main.last == nil || s.pass(s.main.last) {
			break
		}
	}
	v := s.main.last
	s.mainMu.Unlock()
	if v == nil {
		v = s.window.last
	}
	if v == nil {
		return false
	}
	if s.discard(v) {
		s.counts.evicted.Add(1)
	} else {
		s.settle() // ristretto is about to take it out
	}
	return true
}

// shrink evicts until the bounds are kept.
func (s *Store[M]) shrink() {
	for s.window.last != nil && s.window.bytes > s.bounds.window {
		s.offer(s.window.last)
	}
	s.settle()
	for s.mainBytes() > s.bounds.main && s.evictOne() {
	}
	for s.bytes.Load() > s.bounds.total && s.evictOne() {
	}
	s.settle()
}

func (s *Store[M]) mainBytes() int64 {
	s.mainMu.Lock()
	defer s.mainMu.Unlock()
	return s.main.bytes
}

// remove discards n on a caller's demand.
func (s *Store[M]) remove(n *node[M]) bool {
	if !s.discard(n) {
		return false
	}
	s.counts.removed.Add(1)
	return true
}

// discard takes n out of wherever it is. It reports false if ristretto did before. n is not visible afterwards. The
// caller holds writer, and neither a shard's lock nor mainMu.
func (s *Store[M]) discard(n *node[M]) bool {
	if !n.dead.CompareAndSwap(false, true) {
		s.unlink(n) // ristretto's goroutine may be on its way to do it
		return false
	}
	if n.place == inWindow {
		s.window.remove(n)
		s.release(n)
		return true
	}
	s.mainMu.Lock()
	s.main.remove(n)
	s.mainMu.Unlock()
	s.release(n)
	s.engine.Del(n.id)
	s.deleted[n.id] = struct{}{}
	if len(s.deleted) >= maxQueued {
		s.settle()
	}
	return true
}

// leave takes n out of the main part after a verdict of ristretto, once. Ristretto calls it, more often than needed and
// also with nil, mostly in its own goroutine.
func (s *Store[M]) leave(n *node[M], count interface{ Add(int64) int64 }, ghost bool) {
	if n == nil || !n.dead.CompareAndSwap(false, true) {
		return
	}
	s.mainMu.Lock()
	s.main.remove(n)
	if ghost {
		s.ghosts.add(n.id)
	}
	s.mainMu.Unlock()
	s.release(n)
	count.Add(1)
}

// release ends n's visibility and then its charge.
func (s *Store[M]) release(n *node[M]) {
	s.unlink(n)
	s.entries.Add(-1)
	s.bytes.Add(-n.charge)
}

// settle waits until ristretto has decided about everything that it was told.
func (s *Store[M]) settle() {
	s.engine.Wait()
	clear(s.deleted)
}

// takeGhost reports whether the id's entry was refused lately, and forgets it.
func (s *Store[M]) takeGhost(id uint64) bool {
	s.mainMu.Lock()
	defer s.mainMu.Unlock()
	return s.ghosts.take(id, s.entries.Load())
}
