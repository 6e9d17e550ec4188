package cache_test

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/jayproxy/jay/cache"
)

// world is what the store's users know: the version of every resource, and the oldest version that may still be seen.
type world struct {
	*cache.Store[meta]
	version, floor []atomic.Int64
}

func newWorld(t *testing.T, o cache.Options, resources int) *world {
	return &world{open(t, o), make([]atomic.Int64, resources), make([]atomic.Int64, resources)}
}

// request acts like an exchange: the epoch first, then the origin's answer, then Put.
func (w *world) request(r *rand.Rand) {
	k := r.IntN(len(w.version))
	key := fmt.Sprint("http://a.example/", k)
	at := w.Epoch(key)
	e := entry(key, fmt.Sprint(r.IntN(3)), r.IntN(1<<r.IntN(15)))
	e.Meta.n = int(w.version[k].Load())
	w.Put(e, at)
}

// refresh acts like a 304 or a merged part.
func (w *world) refresh(r *rand.Rand) {
	for _, e := range w.Variants(fmt.Sprint("http://a.example/", r.IntN(len(w.version)))) {
		next := &cache.Entry[meta]{Key: e.Key, Variant: e.Variant, Meta: e.Meta, Body: e.Body, Extra: int64(r.IntN(2) * 300)}
		w.Swap(e, next)
	}
}

// invalidate changes a resource; afterwards no older version may be seen.
func (w *world) invalidate(r *rand.Rand, purge bool) {
	k := r.IntN(len(w.version))
	key := fmt.Sprint("http://a.example/", k)
	v := w.version[k].Add(1)
	if purge {
		w.Purge(func(e *cache.Entry[meta]) bool { return e.Key == key }, false)
	} else {
		w.Invalidate(key)
	}
	for {
		floor := w.floor[k].Load()
		if floor >= v || w.floor[k].CompareAndSwap(floor, v) {
			return
		}
	}
}

// check looks a resource up.
func (w *world) check(t *testing.T, r *rand.Rand) {
	k := r.IntN(len(w.version))
	key := fmt.Sprint("http://a.example/", k)
	floor := int(w.floor[k].Load())
	for _, e := range w.Variants(key) {
		if e.Key != key || e.Meta.n < floor {
			t.Errorf("%q has version %d of %q; want at least %d", key, e.Meta.n, e.Key, floor)
		}
		w.Use(e)
	}
	over := cache.Stats{}
	for range 4 { // the figures are read one after the other
		if over = w.Stats(); over.Bytes+over.Overhead <= over.MaxBytes {
			return
		}
	}
	t.Errorf("%d bytes and %d of overhead; bound %d", over.Bytes, over.Overhead, over.MaxBytes)
}

func (w *world) step(t *testing.T, r *rand.Rand) {
	switch n := r.IntN(1000); {
	case n < 400:
		w.request(r)
	case n < 900:
		w.check(t, r)
	case n < 960:
		w.refresh(r)
	case n < 995:
		w.invalidate(r, false)
	case n < 997:
		w.invalidate(r, true)
	default:
		for _, e := range w.Variants(fmt.Sprint("http://a.example/", r.IntN(len(w.version)))) {
			w.Delete(e)
		}
	}
}

func TestAudit_UnderConcurrency(t *testing.T) {
	for _, tc := range []struct {
		name      string
		max       int64
		idMask    uint64
		resources int
	}{
		{"tight", 256 << 10, ^uint64(0), 200},
		{"roomy", 8 << 20, ^uint64(0), 200},
		{"colliding", 512 << 10, 31, 200},
		{"records", 16 << 20, ^uint64(0), 200},
		{"records evicted", 16 << 20, ^uint64(0), 20000},
		{"records colliding", 16 << 20, 31, 2000},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := newWorld(t, cache.Options{MaxBytes: tc.max}, tc.resources)
			w.SetIDMask(tc.idMask)
			for round := range 5 {
				var wg sync.WaitGroup
				for g := range 4 {
					wg.Go(func() {
						r := rand.New(rand.NewPCG(uint64(round), uint64(g)))
						for range 4000 {
							w.step(t, r)
						}
					})
				}
				wg.Wait()
				audit(t, w.Store)
			}
			if st := w.Stats(); st.Puts == 0 || st.Swaps == 0 || st.Removed == 0 {
				t.Errorf("stats = %+v; want some of each operation", st)
			}
		})
	}
}
