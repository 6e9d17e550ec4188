package cache_test

import (
	"fmt"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/jayproxy/jay/cache"
)

// TestResize_keeps checks that a store that grows keeps what it has, that one that shrinks keeps what fits, and that the
// counters follow in both directions.
func TestResize_keeps(t *testing.T) {
	s := open(t, cache.Options{MaxBytes: 4 << 20})
	for i := range 2000 {
		put(t, s, entry(fmt.Sprint(i), "", 1000))
	}
	goroutines := runtime.NumGoroutine()
	before := s.Stats()
	for _, size := range []int64{64 << 20, 16 << 20, 256 << 20} {
		if err := s.Resize(size); err != nil {
			t.Fatal(err)
		}
		audit(t, s)
		if st := s.Stats(); st.Entries != before.Entries || st.Bytes != before.Bytes {
			t.Errorf("after Resize(%d): got %d entries of %d bytes; want %d of %d", size, st.Entries, st.Bytes, before.Entries, before.Bytes)
		}
		if st := s.Stats(); st.Overhead < size/200 || st.Overhead > size/40 {
			t.Errorf("after Resize(%d): got %d bytes of counters; want what fits", size, st.Overhead)
		}
	}
	if err := s.Resize(1 << 20); err != nil {
		t.Fatal(err)
	}
	audit(t, s)
	if st := s.Stats(); st.MaxBytes != 1<<20 || st.Bytes+st.Overhead > 1<<20 || st.Bytes < 800<<10 {
		t.Errorf("got %+v; want most of a MiB in use", st)
	}
	for range 100 {
		if runtime.NumGoroutine() <= goroutines {
			return
		}
		time.Sleep(time.Millisecond)
	}
	t.Errorf("got %d goroutines; want %d", runtime.NumGoroutine(), goroutines)
}

// TestResize_load checks under load that the bytes are within the bound whenever Resize returns, and that all counts fit at
// the end.
func TestResize_load(t *testing.T) {
	s := open(t, cache.Options{MaxBytes: 8 << 20})
	stop := make(chan struct{})
	var all sync.WaitGroup
	for w := range 3 {
		all.Go(func() {
			for i := w; ; i++ {
				select {
				case <-stop:
					return
				default:
				}
				key := fmt.Sprint(i % 5000)
				if list := s.Variants(key); len(list) > 0 {
					s.Use(list[0])
					if i%50 == 0 {
						s.Delete(list[0])
					}
					continue
				}
				s.Put(entry(key, "", 700+i%4000), s.Epoch(key))
			}
		})
	}
	for _, size := range []int64{2 << 20, 32 << 20, 1 << 20, 512 << 10, 128 << 20, 6 << 20} {
		if err := s.Resize(size); err != nil {
			t.Fatal(err)
		}
		if st := s.Stats(); st.Bytes+st.Overhead > st.MaxBytes || st.MaxBytes != size {
			t.Errorf("after Resize(%d): got %d bytes, bound %d", size, st.Bytes+st.Overhead, st.MaxBytes)
		}
		time.Sleep(5 * time.Millisecond) // lets the others in between
	}
	close(stop)
	all.Wait()
	audit(t, s)
}

// TestConfigure checks that all limits can be changed while the store is in use.
func TestConfigure(t *testing.T) {
	s := open(t, cache.Options{MaxBytes: 8 << 20, MaxVariants: 4})
	for i := range 4000 {
		put(t, s, entry(fmt.Sprint(i), "", 1000))
	}
	if err := s.Configure(cache.Options{MaxBytes: 1}); err == nil || s.Stats().MaxBytes != 8<<20 {
		t.Errorf("Configure with 1 byte = %v, bound %d; want an error and no change", err, s.Stats().MaxBytes)
	}
	if err := s.Configure(cache.Options{MaxBytes: 2 << 20, MaxObjectBytes: 5000, MaxFillBytes: 3000, MaxVariants: 2}); err != nil {
		t.Fatal(err)
	}
	audit(t, s)
	st := s.Stats()
	if st.Bytes+st.Overhead > 2<<20 || st.MaxBytes != 2<<20 || st.MaxObjectBytes != 5000 || st.MaxFillBytes != 3000 {
		t.Errorf("got %+v; want all of the new bounds, and bytes within", st)
	}
	for i := range 3 {
		put(t, s, entry("k", fmt.Sprint(i), 10))
	}
	if n := len(s.Variants("k")); n != 2 {
		t.Errorf("got %d variants; want 2", n)
	}
	if ok, why := s.Put(entry("large", "", 5001), s.Epoch("large")); ok || why != cache.ReasonTooLarge {
		t.Errorf("Put of 5001 bytes = %v, %q; want %q", ok, why, cache.ReasonTooLarge)
	}
}
