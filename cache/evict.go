package cache

// evictIdle lets the hand make room for n in the main part.
func (s *Store[M]) evictIdle(h handle) {
	for passed := 0; passed < handSteps; {
		s.mainMu.Lock()
		v := s.main.last
		if v == 0 || v == h.number() || s.main.bytes <= s.bounds.main {
			s.mainMu.Unlock()
			return
		}
		idle, life := s.pass(v), s.lifeOf(v)
		s.mainMu.Unlock()
		if !idle {
			passed++
		} else if s.discard(life) {
			s.counts.evicted.Add(1)
		}
	}
}

// pass looks at v, the last of the main queue: it reports true if v is idle, and else gives it another round.
func (s *Store[M]) pass(v uint32) bool {
	n := s.node(v)
	uses := n.uses.Load()
	if uses == 0 && n.state.Load()&1 == 1 {
		return true
	}
	if uses > 0 {
		n.uses.Store(uses - 1)
	}
	s.pull(&s.main, v)
	s.push(&s.main, v)
	return false
}

// evictOne removes one entry of the main part, or of the window when that is empty. It reports false when both are.
func (s *Store[M]) evictOne() bool {
	s.mainMu.Lock()
	for range 2 * handSteps {
		if s.main.last == 0 || s.pass(s.main.last) {
			break
		}
	}
	v, life := s.main.last, handle(0)
	if v != 0 {
		life = s.lifeOf(v)
	}
	s.mainMu.Unlock()
	if v == 0 {
		if v = s.window.last; v == 0 {
			return false
		}
		life = s.lifeOf(v)
	}
	if s.discard(life) {
		s.counts.evicted.Add(1)
	} else {
		s.settle() // ristretto is about to take it out
	}
	return true
}

// shrink evicts until the bounds are kept.
func (s *Store[M]) shrink() {
	for s.window.last != 0 && s.window.bytes > s.bounds.window {
		s.offer(s.lifeOf(s.window.last))
	}
	s.settle()
	for s.mainBytes() > s.bounds.main && s.evictOne() {
	}
	for s.bytes.Load() > s.bounds.total && s.evictOne() {
	}
	s.trim()
	for s.over(0) && s.evictOne() {
	}
	s.settle()
	s.trim()
}

func (s *Store[M]) mainBytes() int64 {
	s.mainMu.Lock()
	defer s.mainMu.Unlock()
	return s.main.bytes
}

// remove discards a node on a caller's demand.
func (s *Store[M]) remove(h handle) bool {
	if !s.discard(h) {
		return false
	}
	s.counts.removed.Add(1)
	return true
}

// discard takes a node out of wherever it is. It reports false if ristretto did before. It is not visible afterwards. The
// caller holds writer, and neither a shard's lock nor mainMu.
func (s *Store[M]) discard(h handle) bool {
	n := s.node(h.number())
	if !n.kill(h) {
		s.unlink(h) // ristretto's goroutine may be on its way to do it
		return false
	}
	if n.place == inWindow {
		s.pull(&s.window, h.number())
		s.release(h)
		return true
	}
	s.mainMu.Lock()
	s.pull(&s.main, h.number())
	s.mainMu.Unlock()
	id := n.id
	s.release(h)
	s.engine.Del(id)
	s.deleted[id] = struct{}{}
	if len(s.deleted) >= maxQueued {
		s.settle()
	}
	return true
}

// leave takes a node out of the main part after a verdict of ristretto, once. Ristretto calls it, more often than needed
// and also with 0, mostly in its own goroutine.
func (s *Store[M]) leave(h handle, count interface{ Add(int64) int64 }, ghost bool) {
	if h == 0 || !s.node(h.number()).kill(h) {
		return
	}
	s.mainMu.Lock()
	s.pull(&s.main, h.number())
	if ghost {
		s.ghosts.add(s.node(h.number()).id)
	}
	s.mainMu.Unlock()
	s.release(h)
	count.Add(1)
}

// release ends the visibility of a node that was killed, and then its charge. It may be used again afterwards.
func (s *Store[M]) release(h handle) {
	sh := s.shardOf(h)
	sh.mu.Lock()
	n := s.node(h.number())
	s.cut(sh, h)
	charge, class := n.charge, s.drop(sh, n.at)
	n.at = 0
	sh.nodes.give(h.number() / shardCount)
	sh.mu.Unlock()
	s.entries.Add(-1)
	s.bytes.Add(-charge)
	s.tidy(class)
}

// tidy empties chunks of the arena while a class has too many free slots. The caller holds no shard's lock.
func (s *Store[M]) tidy(class int) {
	if class < 0 || !s.arena.crowded(class) {
		return
	}
	s.arena.tidying.Lock()
	defer s.arena.tidying.Unlock()
	for list := s.arena.clearOut(class); list != nil; list = s.arena.clearOut(class) {
		for _, t := range list {
			s.move(t)
		}
	}
}

// move copies a record to another slot, unless it has left its slot meanwhile.
func (s *Store[M]) move(t tenant) {
	sh := &s.shards[t.owner%shardCount]
	sh.mu.Lock()
	defer sh.mu.Unlock()
	n := s.node(t.owner)
	if n.at != t.at {
		return
	}
	from := s.arena.at(t.at)
	at, slot := s.arena.take(recordSize(from), t.owner)
	copy(slot, from)
	n.at = at
	s.arena.give(t.at)
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
