package cache

// Configure changes the options while the store is in use, and evicts what is above the new bounds before it returns.
// What is stored and larger than the new MaxObjectBytes stays, as do variants and fills above their new bounds until the
// next one comes. MaxBytes is raised where a store that was made for much more cannot be that small: some MiB.
func (s *Store[M]) Configure(o Options) error {
	if err := o.complete(); err != nil {
		return err
	}
	s.writer.Lock()
	defer s.writer.Unlock()
	if s.closed {
		return nil
	}
	s.maxVariants, s.objectOption = o.MaxVariants, o.MaxObjectBytes
	s.fills.max.Store(o.MaxFillBytes)
	return s.resize(o.MaxBytes)
}

// Resize changes MaxBytes (at least 64 KiB) and evicts what is above it before it returns. The limit for one object
// follows.
func (s *Store[M]) Resize(maxBytes int64) error {
	s.writer.Lock()
	defer s.writer.Unlock()
	if s.closed {
		return nil
	}
	return s.resize(maxBytes)
}

// resize is Resize; writer is held. When it fails, nothing has changed.
func (s *Store[M]) resize(maxBytes int64) error {
	counters, bytes := counterSize(maxBytes)
	var next *engine
	if counters != s.counters {
		var err error
		if next, err = s.newEngine(counters); err != nil {
			return err
		}
	}
	ghosts := newGhosts(maxBytes)
	overhead := bytes + ghosts.bytes()
	s.overhead.Store(overhead)
	s.setBounds(max(maxBytes, minMaxBytes+overhead+s.arena.reserve()))
	s.engine.UpdateMaxCost(s.bounds.main)
	s.shrink()
	s.mainMu.Lock()
	if len(ghosts.items) != len(s.ghosts.items) {
		s.ghosts = ghosts
	}
	s.mainMu.Unlock()
	if next != nil {
		s.counters = counters
		s.replace(next)
	}
	s.reckon()
	return nil
}

// replace puts another engine in the place of the one in use, which has nothing in its queue, and tells it of the main
// part, the oldest first. It has the counters that fit, but how often keys were asked for it has to learn anew.
func (s *Store[M]) replace(next *engine) {
	next.UpdateMaxCost(s.bounds.main)
	for _, h := range s.mainHandles() {
		n := s.node(h.number())
		for !next.Set(n.id, h, n.charge) {
			next.Wait() // its queue was full
		}
	}
	next.Wait()
	for i := range s.shards {
		s.shards[i].mu.Lock()
	}
	old := s.engine
	s.engine = next
	for i := range s.shards {
		s.shards[i].mu.Unlock()
	}
	clear(s.deleted)
	old.retired.Store(true)
	old.Close()
}

// mainHandles are the nodes of the main part, the oldest first.
func (s *Store[M]) mainHandles() []handle {
	s.mainMu.Lock()
	defer s.mainMu.Unlock()
	all := make([]handle, 0, s.main.len)
	for i := s.main.last; i != 0; i = s.node(i).newer {
		all = append(all, s.lifeOf(i))
	}
	return all
}
