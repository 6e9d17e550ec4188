//go:build unix

package cache_test

import (
	"fmt"
	"io"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/jayproxy/jay/cache"
)

// cpu makes b report the processor time of the whole process for one operation, ristretto's goroutines included. Unlike
// ns/op it means something on a busy machine. Call the result at the end.
func cpu(b *testing.B) func() {
	start := cpuTime(b)
	return func() { b.ReportMetric(float64(cpuTime(b)-start)/float64(b.N), "cpu-ns/op") }
}

func cpuTime(b *testing.B) int64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return u.Utime.Nano() + u.Stime.Nano()
}

// stocked returns a store with n entries of size bytes, and their keys.
func stocked(b *testing.B, n, size int) (*cache.Store[meta], []string) {
	s := open(b, cache.Options{MaxBytes: 1 << 30})
	keys := make([]string, n)
	for i := range keys {
		keys[i] = fmt.Sprintf("http://www.example.com/a/path/%08d", i)
		put(b, s, entry(keys[i], "", size))
	}
	b.ReportAllocs()
	b.ResetTimer()
	return s, keys
}

func BenchmarkVariants(b *testing.B) {
	for _, n := range []int{1_000, 100_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			s, keys := stocked(b, n, 100)
			defer cpu(b)()
			for i := 0; b.Loop(); i++ {
				if len(s.Variants(keys[i*7919%n])) != 1 {
					b.Fatal("a miss")
				}
			}
		})
	}
}

func BenchmarkVariants_Absent(b *testing.B) {
	s, _ := stocked(b, 1000, 100)
	defer cpu(b)()
	for b.Loop() {
		if s.Variants("http://www.example.com/another/path") != nil {
			b.Fatal("a hit")
		}
	}
}

func BenchmarkVariants_Parallel(b *testing.B) {
	s, keys := stocked(b, 1000, 100)
	defer cpu(b)()
	b.RunParallel(func(pb *testing.PB) {
		for i := 0; pb.Next(); i++ {
			s.Use(s.Variants(keys[i*7919%1000])[0])
		}
	})
}

func BenchmarkUse(b *testing.B) {
	s, keys := stocked(b, 1000, 100)
	var list []*cache.Entry[meta]
	for _, k := range keys {
		list = append(list, s.Variants(k)...)
	}
	defer cpu(b)()
	for i := 0; b.Loop(); i++ {
		s.Use(list[i%1000])
	}
}

// Put stores new keys into a full store: each evicts another entry.
func BenchmarkPut(b *testing.B) {
	for _, size := range []int{1 << 10, 100 << 10} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			s := open(b, cache.Options{MaxBytes: 64 << 20})
			body := cache.NewBody(make([]byte, size))
			fresh := func(i int) *cache.Entry[meta] {
				return &cache.Entry[meta]{Key: fmt.Sprintf("http://www.example.com/a/path/%08d", i), Body: body, Length: int64(size)}
			}
			for i := range 64 << 20 / size {
				put(b, s, fresh(-i))
			}
			b.ReportAllocs()
			defer cpu(b)()
			for i := 0; b.Loop(); i++ {
				e := fresh(i)
				if ok, why := s.Put(e, s.Epoch(e.Key)); !ok {
					b.Fatal(why)
				}
				if i%2 == 0 {
					s.Use(e) // every second one will be admitted
				}
			}
		})
	}
}

func BenchmarkPut_Replace(b *testing.B) {
	s, keys := stocked(b, 1000, 1000)
	s.Flush()
	body := cache.NewBody(make([]byte, 1000))
	defer cpu(b)()
	for i := 0; b.Loop(); i++ {
		s.Put(&cache.Entry[meta]{Key: keys[i%1000], Body: body, Length: 1000}, s.Epoch(keys[i%1000]))
	}
}

func BenchmarkSwap(b *testing.B) {
	s, keys := stocked(b, 1000, 1000)
	s.Flush()
	defer cpu(b)()
	for i := 0; b.Loop(); i++ {
		old := s.Variants(keys[i%1000])[0]
		if !s.Swap(old, &cache.Entry[meta]{Key: old.Key, Body: old.Body, Length: old.Length}) {
			b.Fatal("not swapped")
		}
	}
}

func BenchmarkInvalidate_Absent(b *testing.B) {
	s, _ := stocked(b, 1000, 100)
	defer cpu(b)()
	for b.Loop() {
		s.Invalidate("http://www.example.com/another/path")
	}
}

// One goroutine writes and reads, as for a response that nobody else waits for.
func BenchmarkFill_Alone(b *testing.B) {
	for _, tc := range []struct {
		name  string
		size  int
		known bool
	}{{"1KiB", 1 << 10, true}, {"100KiB", 100 << 10, true}, {"100KiB-chunked", 100 << 10, false}, {"64MiB-window", 64 << 20, false}} {
		b.Run(tc.name, func(b *testing.B) {
			s := open(b, cache.Options{MaxBytes: 64 << 20})
			expected := int64(-1)
			if tc.known {
				expected = int64(tc.size)
			}
			b.ReportAllocs()
			b.SetBytes(int64(tc.size))
			defer cpu(b)()
			for b.Loop() {
				f := s.NewFill(cache.FillOptions{Expected: expected})
				r, _ := f.NewReader(0)
				for left := tc.size; left > 0; {
					p, err := f.Buffer()
					if err != nil {
						b.Fatal(err)
					}
					n := min(len(p), left)
					f.Advance(n)
					left -= n
					if _, err := r.Next(); err != nil {
						b.Fatal(err)
					}
				}
				f.Close(nil)
				if _, err := r.Next(); err != io.EOF {
					b.Fatal(err)
				}
				r.Close()
			}
		})
	}
}

// One goroutine writes chunks of 4 KiB, another reads.
func BenchmarkFill_Follow(b *testing.B) {
	s := open(b, cache.Options{MaxBytes: 64 << 20})
	f := s.NewFill(cache.FillOptions{Expected: -1})
	r, _ := f.NewReader(0)
	done := make(chan int)
	go func() {
		n := 0
		for {
			if _, err := r.Next(); err != nil {
				done <- n
				return
			}
			n++
		}
	}()
	b.SetBytes(4096)
	b.ReportAllocs()
	defer cpu(b)()
	for b.Loop() {
		p, err := f.Buffer()
		if err != nil {
			b.Fatal(err)
		}
		f.Advance(min(len(p), 4096))
	}
	f.Close(nil)
	b.ReportMetric(float64(<-done)/float64(b.N), "wakeups/op")
	r.Close()
}

// stored is a realistic Meta: a serialised head and some numbers.
type stored struct {
	head string
	_    [4]int64 // a status and times
}

var storedCodec = cache.Codec[stored]{
	Append: func(b []byte, m *stored) []byte { return append(append(b, make([]byte, 32)...), m.head...) },
	Parse:  func(text string, m *stored) { m.head = text[32:] },
}

// BenchmarkMemory stores entries of 1 KiB with a head of 300 bytes and reports what each takes beyond the body, the head
// and the key, and how long a full
// collection takes, in time and processor time, and the 99th percentile of lookups beside it.
func BenchmarkMemory(b *testing.B) {
	for _, n := range []int{1_000, 10_000, 100_000, 1_000_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			for range b.N {
				measureMemory(b, n)
			}
		})
	}
}

func heap() float64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return float64(m.HeapAlloc)
}

func measureMemory(b *testing.B, n int) {
	const size, headSize = 1024, 300
	before := heap()
	s, err := cache.New(cache.Options{MaxBytes: int64(n)*2400 + 4<<20}, storedCodec)
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	empty := heap()
	keys := 0
	key := func(i int) string { return fmt.Sprintf("http://www.example.com/some/path/to/a/page-%08d.html", i) }
	for i := range n {
		e := &cache.Entry[stored]{
			Key: key(i), Meta: stored{head: strings.Repeat("h", headSize)}, Extra: headSize,
			Body: cache.NewBody(make([]byte, size)), Length: size,
		}
		keys += len(e.Key)
		if ok, why := s.Put(e, s.Epoch(e.Key)); !ok {
			b.Fatal(why)
		}
	}
	full := heap()
	st := s.Stats()
	if st.Entries != int64(n) {
		b.Fatalf("%d entries stored; want %d", st.Entries, n)
	}
	payload := float64(n*(size+headSize) + keys)
	b.ReportMetric((full-before-payload)/float64(n), "B/entry")
	b.ReportMetric((empty-before)/float64(n), "fixed-B/entry")
	b.ReportMetric((float64(st.Bytes)-payload)/float64(n), "charged-B/entry")
	var stop atomic.Bool
	p99 := make(chan time.Duration)
	go func() {
		var took []time.Duration
		var v cache.View[stored]
		for i := 0; !stop.Load() || i < 100; i++ {
			key := key(i * 7919 % n)
			start := time.Now()
			s.View(key, &v)
			took = append(took, time.Since(start))
			time.Sleep(50 * time.Microsecond)
		}
		slices.Sort(took)
		p99 <- took[len(took)*99/100]
	}()
	start, used := time.Now(), cpuTime(b)
	runtime.GC()
	b.ReportMetric(float64(time.Since(start).Microseconds())/1000, "gc-ms")
	b.ReportMetric(float64(cpuTime(b)-used)/1e6, "gc-cpu-ms")
	stop.Store(true)
	b.ReportMetric(float64((<-p99).Microseconds())/1000, "lookup-p99-ms")
	b.ReportMetric(0, "ns/op")
	runtime.KeepAlive(s)
}
