package cache_test

import (
	"container/list"
	"fmt"
	"math"
	"math/rand/v2"
	"sort"
	"testing"

	"github.com/jayproxy/jay/cache"
)

// The hit-ratio benchmarks replay traces of a million requests to a catalogue of 100,000 objects through the store, a
// simple LRU and S3-FIFO, all bounded to the same bytes: 1 % or 10 % of the catalogue's. They report object and byte hit
// ratios in per cent. The two references are charged for the same bytes an object as the store, and for no counters.

const (
	catalogue = 100_000
	requests  = 1_000_000
)

type object struct {
	key  string
	size int
}

// zipf draws ranks with probability falling as rank^-a.
func zipf(r *rand.Rand, a float64) func() int {
	sums, sum := make([]float64, catalogue), 0.0
	for i := range sums {
		sum += math.Pow(float64(i+1), -a)
		sums[i] = sum
	}
	return func() int { return sort.SearchFloat64s(sums, r.Float64()*sum) }
}

// traces gives for each trace the object number of every request.
var traces = []struct {
	name string
	make func(r *rand.Rand) func(i int) int
}{
	{"zipf", func(r *rand.Rand) func(int) int {
		draw := zipf(r, 0.9)
		return func(int) int { return draw() }
	}},
	{"one-hit-wonders", func(r *rand.Rand) func(int) int { // 35 % of the requests
		draw := zipf(r, 0.8)
		return func(i int) int {
			if r.Float64() < 0.35 {
				return catalogue + i
			}
			return draw()
		}
	}},
	{"drift-50", drift(50, 1)},
	{"drift-5", drift(5, 1)},
	{"news-50", drift(50, -1)},
	{"news-5", drift(5, -1)},
}

// drift shifts popularity by one rank every so many requests: upwards, objects become popular slowly and end suddenly;
// downwards, they begin at the top and fade.
func drift(every, way int) func(*rand.Rand) func(int) int {
	return func(r *rand.Rand) func(int) int {
		draw := zipf(r, 0.9)
		return func(i int) int { return ((draw()+way*i/every)%catalogue + catalogue) % catalogue }
	}
}

// sizer gives the size of an object: all equal, or log-normal with a median of 3 KiB and a mean near 8 KiB.
func sizer(lognormal bool) func(n int) int {
	if !lognormal {
		return func(int) int { return 3000 }
	}
	return func(n int) int {
		r := rand.New(rand.NewPCG(uint64(n), 7))
		return int(min(math.Exp(8+1.4*r.NormFloat64()), 200<<10))
	}
}

// trace returns the requests of a trace; objects requested twice are the same value.
func trace(n int, make_ func(*rand.Rand) func(int) int, size func(int) int) []*object {
	next := make_(rand.New(rand.NewPCG(1, 2)))
	known := map[int]*object{}
	list := make([]*object, n)
	for i := range list {
		n := next(i)
		if known[n] == nil {
			known[n] = &object{fmt.Sprint("http://www.example.com/path/to/", n), size(n)}
		}
		list[i] = known[n]
	}
	return list
}

// access reports whether an object was there, and stores it if not.
type access func(*object) bool

func BenchmarkHitRatio(b *testing.B) {
	for _, lognormal := range []bool{false, true} {
		sizes := "equal"
		if lognormal {
			sizes = "lognormal"
		}
		for _, tr := range traces {
			var reqs []*object
			for _, percent := range []int64{1, 10} {
				for _, kind := range []string{"jay", "lru", "s3fifo"} {
					b.Run(fmt.Sprintf("%s/%s/%d%%/%s", sizes, tr.name, percent, kind), func(b *testing.B) {
						if reqs == nil {
							reqs = trace(requests, tr.make, sizer(lognormal))
						}
						replay(b, reqs, percent, kind)
					})
				}
			}
		}
	}
}

func replay(b *testing.B, reqs []*object, percent int64, kind string) {
	for range b.N {
		s := open(b, cache.Options{MaxBytes: 1 << 30})
		total := int64(0)
		seen := map[*object]int64{}
		for _, o := range reqs { // the catalogue's bytes are those of its first 100,000 objects
			if len(seen) < catalogue && seen[o] == 0 {
				seen[o] = s.Charge(entryOf(o))
				total += seen[o]
			}
		}
		capacity := total * catalogue / int64(len(seen)) * percent / 100
		charge := func(o *object) int64 { return s.Charge(entryOf(o)) }
		var do access
		switch kind {
		case "jay":
			do = jay(open(b, cache.Options{MaxBytes: capacity}))
		case "lru":
			do = newLRU(capacity, charge)
		case "s3fifo":
			do = newS3FIFO(capacity, charge)
		}
		var hits, hitBytes, bytes float64
		b.ResetTimer()
		for _, o := range reqs {
			bytes += float64(o.size)
			if do(o) {
				hits++
				hitBytes += float64(o.size)
			}
		}
		b.StopTimer()
		b.ReportMetric(100*hits/float64(len(reqs)), "hit%")
		b.ReportMetric(100*hitBytes/bytes, "byte-hit%")
		b.ReportMetric(0, "ns/op")
	}
}

// shared is what all bodies of a trace are cut from; only their sizes matter.
var shared = make([]byte, 256<<10)

func entryOf(o *object) *cache.Entry[meta] {
	return &cache.Entry[meta]{Key: o.key, Body: cache.NewBody(shared[:o.size:o.size]), Length: int64(o.size)}
}

func jay(s *cache.Store[meta]) access {
	return func(o *object) bool {
		if list := s.Variants(o.key); len(list) > 0 {
			s.Use(list[0])
			return true
		}
		s.Put(entryOf(o), s.Epoch(o.key))
		return false
	}
}

// newLRU is the simplest cache there is.
func newLRU(capacity int64, charge func(*object) int64) access {
	used, order, at := int64(0), list.New(), map[*object]*list.Element{}
	return func(o *object) bool {
		if e := at[o]; e != nil {
			order.MoveToFront(e)
			return true
		}
		at[o] = order.PushFront(o)
		for used += charge(o); used > capacity; {
			v := order.Remove(order.Back()).(*object)
			used -= charge(v)
			delete(at, v)
		}
		return false
	}
}

// s3fifo is the algorithm of "FIFO queues are all you need for cache eviction" (SOSP 2023): a small queue of a tenth, a
// main queue, and a ghost queue as long as the main one.
type s3fifo struct {
	capacity, smallBytes, mainBytes int64
	charge                          func(*object) int64
	small, main                     []*object
	ghost                           []*object
	uses                            map[*object]int
	ghosts                          map[*object]bool
}

func newS3FIFO(capacity int64, charge func(*object) int64) access {
	c := &s3fifo{capacity: capacity, charge: charge, uses: map[*object]int{}, ghosts: map[*object]bool{}}
	return c.access
}

func (c *s3fifo) access(o *object) bool {
	if n, ok := c.uses[o]; ok {
		c.uses[o] = min(n+1, 3)
		return true
	}
	for c.smallBytes+c.mainBytes+c.charge(o) > c.capacity {
		if c.smallBytes > c.capacity/10 || len(c.main) == 0 {
			c.evictSmall()
		} else {
			c.evictMain()
		}
	}
	c.uses[o] = 0
	if c.ghosts[o] {
		delete(c.ghosts, o)
		c.main = append(c.main, o)
		c.mainBytes += c.charge(o)
		return false
	}
	c.small = append(c.small, o)
	c.smallBytes += c.charge(o)
	return false
}

func (c *s3fifo) evictSmall() {
	o := c.small[0]
	c.small = c.small[1:]
	c.smallBytes -= c.charge(o)
	if c.uses[o] > 1 {
		c.uses[o] = 0
		c.main = append(c.main, o)
		c.mainBytes += c.charge(o)
		return
	}
	delete(c.uses, o)
	c.ghosts[o] = true
	for c.ghost = append(c.ghost, o); len(c.ghost) > len(c.main)+1; c.ghost = c.ghost[1:] {
		delete(c.ghosts, c.ghost[0])
	}
}

func (c *s3fifo) evictMain() {
	for {
		o := c.main[0]
		c.main = c.main[1:]
		if n := c.uses[o]; n > 0 {
			c.uses[o] = n - 1
			c.main = append(c.main, o)
			continue
		}
		c.mainBytes -= c.charge(o)
		delete(c.uses, o)
		return
	}
}

// The store must not fall behind a simple LRU by much on any of the traces; the benchmark tells how it really does.
func TestHitRatio(t *testing.T) {
	for _, tr := range traces {
		reqs := trace(60_000, tr.make, sizer(false))
		s := open(t, cache.Options{MaxBytes: 8 << 20})
		charge := func(o *object) int64 { return s.Charge(entryOf(o)) }
		hits := func(do access) (n float64) {
			for _, o := range reqs {
				if do(o) {
					n++
				}
			}
			return 100 * n / float64(len(reqs))
		}
		got, lru, s3 := hits(jay(s)), hits(newLRU(8<<20, charge)), hits(newS3FIFO(8<<20, charge))
		t.Logf("%s: %.1f; LRU %.1f, S3-FIFO %.1f", tr.name, got, lru, s3)
		if got < lru-6 && got < s3-3 {
			t.Errorf("%s: hit ratio %.1f; LRU has %.1f, S3-FIFO %.1f", tr.name, got, lru, s3)
		}
	}
}
