package cache

// Configure changes the options while the store is in use, and evicts what is above the new bounds before it returns.
// What is stored and larger than the new MaxObjectBytes stays, as do variants and fills above their new bounds until the
// next one comes. The admission counters keep the size they had at New.
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
	s.resize(o.MaxBytes)
	return nil
}
