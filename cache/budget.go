package cache

import "sync/atomic"

// budget bounds the bytes that fills hold together.
type budget struct {
	max   atomic.Int64
	used  atomic.Int64
	count atomic.Int64
}

// take charges n bytes and reports true if they fit.
func (b *budget) take(n int64) bool {
	if b.used.Add(n) <= b.max.Load() {
		return true
	}
	b.used.Add(-n)
	return false
}

// force charges n bytes whether they fit or not.
func (b *budget) force(n int64) { b.used.Add(n) }

func (b *budget) give(n int64) { b.used.Add(-n) }
