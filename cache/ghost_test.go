package cache

import (
	"math/rand/v2"
	"runtime"
	"testing"
)

func TestCounterSize(t *testing.T) {
	for max := int64(minMaxBytes); max <= 1<<40; max = max * 5 / 4 {
		counters, bytes := counterSize(max)
		g := newGhosts(max)
		if all := bytes + g.bytes(); all > max/50 && max > 64<<10 {
			t.Errorf("%d bytes: counters and ghosts take %d; want at most 2 %%", max, all)
		}
		if perEntry := float64(counters) * 8192 / float64(max); max < 8<<30 && perEntry < 10 {
			t.Errorf("%d bytes: %.1f counters for each 8 KiB; want 10 or more", max, perEntry)
		}
	}
}

// What is counted as overhead is what ristretto takes.
func TestOverhead_IsMeasured(t *testing.T) {
	heap := func() int64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	before := heap()
	s, err := New(Options{MaxBytes: 3 << 30}, Codec[int]{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	took := heap() - before
	if want := s.Stats().Overhead; took < want*95/100 || took > want+1<<20 {
		t.Errorf("an empty store takes %d bytes; counts %d", took, want)
	}
	runtime.KeepAlive(s)
}

func TestGhosts(t *testing.T) {
	g := newGhosts(1 << 20) // 512 items
	r := rand.New(rand.NewPCG(1, 2))
	ids := make([]uint64, 20000)
	found, strangers := 0, 0
	for i := range ids {
		ids[i] = r.Uint64()
		g.add(ids[i])
		if i < 100 {
			continue
		}
		if g.take(ids[i-100], 512) {
			found++
		}
		if g.take(r.Uint64(), 512) {
			strangers++
		}
		if g.take(ids[i-i%100-1], 0) {
			t.Fatal("a ghost is within a horizon of nothing")
		}
	}
	if found < 19000 || strangers > 20 {
		t.Errorf("found %d of 19,900 recent ids and %d strangers; want nearly all and hardly any", found, strangers)
	}
	g = newGhosts(1 << 20)
	g.add(ids[0])
	for _, id := range ids[1:60] {
		g.add(id)
	}
	if g.take(ids[0], 50) {
		t.Error("an id is found that was refused 59 refusals before a horizon of 50")
	}
}
