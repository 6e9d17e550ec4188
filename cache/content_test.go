package cache

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// written is a body that says what it belongs to, over and over.
func written(e *Entry[string], size int) string {
	text := e.Key + "|" + e.Variant + "|" + e.Meta + ";"
	return strings.Repeat(text, size/len(text)+1)[:size]
}

// authored is an entry of a size near those that are treated differently, of known length or not.
func authored(r *rand.Rand, key, variant string) *Entry[string] {
	size := r.IntN(1 << r.IntN(12))
	if r.IntN(2) == 0 {
		size = r.IntN(1100)
	}
	e := &Entry[string]{Key: key, Variant: variant, Meta: strconv.FormatUint(r.Uint64(), 36), Length: int64(size)}
	e.Body = NewBody([]byte(written(e, size)))
	if r.IntN(20) == 0 {
		e.Length = -1
	}
	return e
}

// Whatever is stored, replaced, moved and thrown away at the same time, an entry that is found has the content that was
// stored with it.
func TestContent_UnderConcurrency(t *testing.T) {
	s, err := New(Options{MaxBytes: 16 << 20, MaxVariants: 4}, Codec[string]{
		Append: func(b []byte, m *string) []byte { return append(b, *m...) },
		Parse:  func(text string, m *string) { *m = text },
	})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			r, v := rand.New(rand.NewPCG(7, uint64(g))), new(View[string])
			for range 12000 {
				work(t, s, r, v)
				v.Reset()
			}
		})
	}
	wg.Wait()
	if err := s.Audit(); err != nil {
		t.Error(err)
	}
}

// work looks a key up and does something with what is there.
func work(t *testing.T, s *Store[string], r *rand.Rand, v *View[string]) {
	check := func(e *Entry[string], key string) {
		b, ok := e.Body.Bytes()
		if !ok || e.Key != key || string(b) != written(e, len(b)) || e.Length >= 0 && e.Length != int64(len(b)) {
			t.Errorf("%q, variant %q, %q has %d bytes that are not its own", e.Key, e.Variant, e.Meta, len(b))
		}
	}
	key := fmt.Sprint("k", r.IntN(2500*(1+r.IntN(8))))
	list := s.View(key, v)
	for _, e := range list {
		check(e, key)
		s.Use(e)
	}
	switch n := r.IntN(100); {
	case n < 40:
		s.Put(authored(r, key, strconv.Itoa(r.IntN(5))), s.Epoch(key))
	case n < 70 && len(list) > 0:
		old := list[r.IntN(len(list))]
		s.Swap(old, authored(r, key, strings.Clone(old.Variant)))
	case n < 75 && len(list) > 0:
		s.Delete(list[0])
	case n < 80:
		s.Invalidate(key)
	case n == 80 && r.IntN(50) == 0:
		s.Purge(func(e *Entry[string]) bool { check(e, e.Key); return r.IntN(4) > 0 }, r.IntN(2) == 0)
	case n == 81 && r.IntN(50) == 0:
		if err := s.Resize([]int64{8 << 20, 16 << 20, 32 << 20, 2 << 20}[r.IntN(4)]); err != nil {
			t.Error(err)
		}
	case n == 82:
		for _, e := range list {
			check(s.Clone(e), key)
		}
	}
}
