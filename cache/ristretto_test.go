package cache_test

import (
	"fmt"
	"sync"
	"testing"

	"github.com/jayproxy/jay/cache"
)

// The tests in this file are about habits of ristretto that would break a cache built on its Set and Get alone.

// A second Set of a new key, before the first is processed, leaves the first value in place.
func TestRistretto_SecondSetOfANewKey(t *testing.T) {
	s := open(t, cache.Options{})
	for i := range 2000 {
		key := fmt.Sprint("k", i%50)
		for n := range 3 {
			e := entry(key, "", 100)
			e.Meta.n = i*3 + n
			put(t, s, e)
			if n == 0 {
				s.Flush()
			}
		}
		if got := s.Variants(key); len(got) != 1 || got[0].Meta.n != i*3+2 {
			t.Fatalf("variants of %q = %q; want the newest, %d", key, names(got), i*3+2)
		}
	}
	s.Flush()
	audit(t, s)
}

// Set drops items when its queue is full, and nobody is told. A stalled worker makes it so.
func TestRistretto_QueueFull(t *testing.T) {
	s := open(t, cache.Options{MaxBytes: 1 << 30})
	resume := s.Stall()
	var keys []string
	for i := 0; len(keys) < 40000; i++ { // ristretto queues 32,768
		if key := fmt.Sprint(i); !s.FirstShard(key) {
			keys = append(keys, key)
			put(t, s, entry(key, "", 0))
		}
	}
	done := make(chan struct{})
	go func() {
		s.Flush() // blocks on the full queue
		close(done)
	}()
	select {
	case <-done:
		t.Error("Flush returned while the worker was stalled")
	default:
	}
	resume()
	<-done
	for _, key := range keys {
		if len(s.Variants(key)) != 1 {
			t.Fatalf("%q is lost", key)
		}
	}
	audit(t, s)
}

// Replacing and deleting what still waits in the queue must neither lose the newer entry nor leave the older one.
func TestRistretto_ReplacedWhileQueued(t *testing.T) {
	s := open(t, cache.Options{})
	keys := []string{}
	for i := 0; len(keys) < 30; i++ {
		if key := fmt.Sprint(i); !s.FirstShard(key) {
			keys = append(keys, key)
			put(t, s, entry(key, "", 100))
		}
	}
	resume := s.Stall()
	done := make(chan struct{})
	go func() { s.Flush(); close(done) }()
	resume()
	<-done
	resume = s.Stall()
	for i, key := range keys {
		e := entry(key, "", 200) // the deletion of the former one is queued
		e.Meta.n = 1
		put(t, s, e)
		if i%3 == 0 {
			s.Delete(e)
		}
	}
	resume()
	s.Flush()
	for i, key := range keys {
		want := "1"
		if i%3 == 0 {
			want = ""
		}
		if got := names(s.Variants(key)); got != want {
			t.Errorf("variants of %q = %q; want %q", key, got, want)
		}
	}
	audit(t, s)
}

// An update to a larger cost never evicts.
func TestRistretto_GrowingUpdates(t *testing.T) {
	s := open(t, cache.Options{MaxBytes: 1 << 20})
	for size := 100; size < 60000; size = size * 3 / 2 {
		for i := range 100 {
			key := fmt.Sprint(i)
			e := entry(key, "", size)
			if list := s.Variants(key); len(list) == 1 && i%2 == 0 {
				s.Swap(list[0], e)
			} else {
				put(t, s, e)
			}
			if st := s.Stats(); st.Bytes+st.Overhead > st.MaxBytes {
				t.Fatalf("%d bytes and %d of overhead; bound %d", st.Bytes, st.Overhead, st.MaxBytes)
			}
		}
		audit(t, s)
	}
}

// Two keys with one hash: ristretto keeps the first, and lets a deletion of the second take the first out of its policy.
func TestRistretto_CollidingHashes(t *testing.T) {
	s := open(t, cache.Options{MaxBytes: 1 << 20})
	s.SetIDMask(15)
	for i := range 5000 {
		key := fmt.Sprint(i % 700)
		switch i % 11 {
		case 3:
			s.Invalidate(key)
		case 7:
			s.Flush()
		default:
			put(t, s, entry(key, "", i%3000))
			if list := s.Variants(key); len(list) != 1 || list[0].Key != key {
				t.Fatalf("variants of %q = %v; want its own", key, list)
			}
		}
		if i%100 == 0 {
			audit(t, s)
		}
	}
}

// A full ristretto refuses nearly every new key at first. What is used while in the window must find a place when
// others are idle; what is not used must not displace them.
func TestWindow_ProvenEntriesAreAdmitted(t *testing.T) {
	s := open(t, cache.Options{MaxBytes: 4 << 20})
	for i := range 10000 {
		put(t, s, entry(fmt.Sprint("idle", i), "", 1000))
	}
	before := s.Stats()
	for i := range 200 {
		used := entry(fmt.Sprint("used", i), "", 1000)
		put(t, s, used)
		s.Use(used)
		put(t, s, entry(fmt.Sprint("once", i), "", 1000))
	}
	for i := range 1000 {
		put(t, s, entry(fmt.Sprint("later", i), "", 1000))
	}
	s.Flush()
	strangers := 0
	for i := range 200 {
		used, once := s.Variants(fmt.Sprint("used", i)), s.Variants(fmt.Sprint("once", i))
		if len(used) != 1 {
			t.Fatalf("%d: used entry there %d times; want 1", i, len(used))
		}
		strangers += len(once)
	}
	if strangers > 3 { // a key is taken for a ghost's once in 8,192 times
		t.Errorf("%d of 200 unused entries are there; want none, but for ghosts taken for another's", strangers)
	}
	after := s.Stats()
	if got := after.Evicted - before.Evicted; got < 150 || got > 300 {
		t.Errorf("%d evicted for 200 admitted; want about as many", got)
	}
	audit(t, s)
}

// A key that was refused comes back with a better claim.
func TestWindow_GhostsAreAdmitted(t *testing.T) {
	s := open(t, cache.Options{MaxBytes: 4 << 20})
	for i := range 10000 {
		put(t, s, entry(fmt.Sprint("idle", i), "", 1000))
	}
	put(t, s, entry("back", "", 1000))
	if s.Flush(); len(s.Variants("back")) != 0 {
		t.Fatal("an entry used never was admitted to a full store")
	}
	put(t, s, entry("back", "", 1000))
	if s.Flush(); len(s.Variants("back")) != 1 {
		t.Error("an entry refused lately was refused again")
	}
}

// Close beside Set or Get panics in ristretto.
func TestRistretto_CloseBesideEverything(t *testing.T) {
	for round := range 10 {
		s, err := cache.New(cache.Options{MaxBytes: 1 << 20}, codec)
		if err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		for g := range 4 {
			wg.Go(func() {
				for i := range 300 {
					e := entry(fmt.Sprint(i%100), fmt.Sprint(g), 2000)
					s.Put(e, s.Epoch(e.Key))
					for range 5 {
						s.Use(e)
					}
					s.Variants(e.Key)
					if i == 100+round && g == 0 {
						s.Close()
					}
					if i%20 == 0 {
						s.Invalidate(e.Key)
						s.Resize(1 << 19)
					}
				}
			})
		}
		wg.Wait()
		if st := s.Stats(); st.Bytes != 0 || st.Entries != 0 {
			t.Errorf("stats after Close = %+v; want nothing", st)
		}
	}
}
