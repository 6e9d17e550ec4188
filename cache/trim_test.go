package cache

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"testing"
)

func heap() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// flooded returns a store of 16 MiB that is full of the smallest entries, and a function that puts others.
func flooded(t *testing.T) (*Store[string], func(prefix string, count, size, uses int)) {
	s, err := New(Options{MaxBytes: 16 << 20}, Codec[string]{
		Append: func(b []byte, m *string) []byte { return append(b, *m...) },
		Parse:  func(text string, m *string) { *m = text },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	put := func(prefix string, count, size, uses int) {
		for i := range count {
			e := &Entry[string]{Key: fmt.Sprint(prefix, i), Body: NewBody(make([]byte, size)), Length: int64(size)}
			if ok, why := s.Put(e, s.Epoch(e.Key)); !ok {
				t.Fatal(why)
			}
			for range uses {
				s.Use(e)
			}
		}
	}
	put("tiny", 60000, 10, 0)
	if n := s.Stats().Entries; n < 40000 {
		t.Fatalf("%d entries; want a store full of small ones", n)
	}
	return s, put
}

// The bound holds for what the store takes, whatever was stored before: tables that grew for many small entries are
// counted while they are large, and become small when few large ones have taken their place.
func TestTrim_MemoryAfterAFlood(t *testing.T) {
	before := heap()
	s, put := flooded(t)
	check := func(what string) {
		t.Helper()
		if err := s.Audit(); err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		took, st := heap()-before, s.Stats()
		if counted := st.Bytes + st.Overhead + s.arena.reserve() + 400<<10; took > counted*103/100 {
			t.Errorf("%s: the store takes %d bytes; counts %d", what, took, counted)
		}
		if st.Overhead-s.overhead.Load() > st.MaxBytes/4 {
			t.Errorf("%s: tables for entries that left take %d bytes", what, st.Overhead-s.overhead.Load())
		}
	}
	check("flooded")
	for i, size := range []int{200, 500, 1000, 1500, 3000, 10000} {
		put(fmt.Sprint("of ", size), 48<<20/(size+2000), size, 3)
		if i%2 == 1 {
			put("again", 500, 600, 0)
		}
		check(fmt.Sprint("entries of ", size))
	}
	if n := s.Stats().Entries; n > 10000 {
		t.Errorf("%d entries; want large ones for the most part", n)
	}
	s.Purge(func(*Entry[string]) bool { return true }, false)
	check("purged")
	if st := s.Stats(); st.Overhead-s.overhead.Load() > st.MaxBytes/100 {
		t.Errorf("tables of an empty store take %d bytes", st.Overhead-s.overhead.Load())
	}
	put("large", 200, 200000, 1)
	check("entries of 200000")
	runtime.KeepAlive(s)
}

// A handle from before means nothing after, whoever has the node's number now.
func TestTrim_OldHandles(t *testing.T) {
	s, put := flooded(t)
	var old []*Entry[string]
	s.Range(func(e *Entry[string]) bool {
		old = append(old, s.Clone(e))
		return len(old) < 5000
	})
	s.Purge(func(*Entry[string]) bool { return true }, false)
	if pages := s.shards[7].nodes.count; pages > 1 {
		t.Fatalf("an empty shard has %d pages of nodes", pages)
	}
	put("new", 30000, 10, 0)
	for _, e := range old {
		s.Use(e)
		next := &Entry[string]{Key: e.Key, Body: NewBody(nil)}
		if s.Delete(e) || s.Swap(e, next) {
			t.Fatalf("%q is taken for another entry", e.Key)
		}
	}
	if err := s.Audit(); err != nil {
		t.Error(err)
	}
	if n := s.Stats().Entries; n != 30000 {
		t.Errorf("%d entries; want 30000", n)
	}
}

// A store that is made much smaller, with more tables than it may have then, keeps its bound.
func TestTrim_Resize(t *testing.T) {
	s, put := flooded(t)
	for _, size := range []int64{8 << 20, 4 << 20} {
		if err := s.Resize(size); err != nil {
			t.Fatal(err)
		}
		if err := s.Audit(); err != nil {
			t.Errorf("after Resize(%d): %v", size, err)
		}
		put("small", 2000, 100, 1)
		if err := s.Audit(); err != nil {
			t.Errorf("%d bytes, after Put: %v", size, err)
		}
	}
	if n := s.Stats().Entries; n < 1000 {
		t.Errorf("%d entries; want a store in use", n)
	}
}

// While tables become smaller, everybody finds what is there, and nothing else.
func TestTrim_UnderConcurrency(t *testing.T) {
	s, put := flooded(t)
	done := make(chan struct{})
	var wg sync.WaitGroup
	for g := range 3 {
		wg.Go(func() {
			r, v := rand.New(rand.NewPCG(1, uint64(g))), View[string]{}
			for n := 0; ; n++ {
				select {
				case <-done:
					return
				default:
				}
				key := fmt.Sprint("tiny", r.IntN(60000))
				list := s.View(key, &v)
				for _, e := range list {
					if e.Key != key {
						t.Errorf("%q is found as %q", e.Key, key)
					}
					s.Use(e)
				}
				next := &Entry[string]{Key: key, Body: NewBody(make([]byte, r.IntN(3000))), Length: -1}
				if r.IntN(2) == 0 {
					next.Length = next.Body.Held()
				}
				switch {
				case len(list) == 0:
					s.Put(next, s.Epoch(key))
				case n%3 == 0:
					s.Swap(list[0], next)
				case n%7 == 0:
					s.Delete(list[0])
				}
			}
		})
	}
	for round := range 4 {
		put("again", 5000, 10, 1)
		if s.Purge(func(e *Entry[string]) bool { return round%2 == 0 || e.Key[0] == 'a' || e.Key[len(e.Key)-1] > '1' }, false) == 0 {
			t.Error("nothing was purged")
		}
	}
	close(done)
	wg.Wait()
	if err := s.Audit(); err != nil {
		t.Error(err)
	}
}
