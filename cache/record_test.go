package cache_test

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/jayproxy/jay/cache"
)

// What is kept as a record comes back as it was; what is not may be as long or as partial as it likes.
func TestRecord_RoundTrip(t *testing.T) {
	s := open(t, cache.Options{MaxBytes: 256 << 20})
	for i, size := range []int{0, 1, 100, 1000, 8000, 8150, 8192, 9000, 100000} {
		for _, length := range []int64{int64(size), int64(size) + 1, -1} {
			key, variant := fmt.Sprintf("http://a.example/%d/%d", i, length), fmt.Sprint("v", i)
			e := entry(key, variant, size)
			body, _ := e.Body.Bytes()
			for j := range body {
				body[j] = byte(i + j)
			}
			e.Length, e.Meta.n = length, -i
			put(t, s, e)
			list := s.Variants(key)
			if len(list) != 1 {
				t.Fatalf("%d variants of %q; want 1", len(list), key)
			}
			for _, got := range []*cache.Entry[meta]{list[0], s.Clone(list[0])} {
				b, ok := got.Body.Bytes()
				if got.Key != key || got.Variant != variant || got.Meta != e.Meta || got.Length != length || !ok || !bytes.Equal(b, body) || !got.Is(e) {
					t.Errorf("%q of %d bytes came back as %q %q %v of length %d", key, size, got.Key, got.Variant, got.Meta, got.Length)
				}
			}
		}
	}
}

func TestIs(t *testing.T) {
	s := open(t, cache.Options{})
	put(t, s, entry("a", "", 100))
	put(t, s, entry("b", "", 100))
	a, again, b := s.Variants("a")[0], s.Variants("a")[0], s.Variants("b")[0]
	if !a.Is(a) || !a.Is(again) || a.Is(b) || a.Is(entry("a", "", 100)) {
		t.Error("Is does not tell an entry from others")
	}
	if !s.Swap(a, entry("a", "", 100)) {
		t.Fatal("Swap = false; want true")
	}
	if now := s.Variants("a")[0]; now.Is(a) || s.Delete(again) {
		t.Error("an entry is taken for the one that took its place")
	}
	if now := s.Clone(s.Variants("a")[0]); !s.Delete(now) {
		t.Error("Delete of a clone = false; want true")
	}
}

// A view is overwritten by the next call, and costs no allocation.
func TestView_AllocatesNothing(t *testing.T) {
	s := open(t, cache.Options{})
	for i := range 3 {
		put(t, s, entry("k", fmt.Sprint(i), 1000))
	}
	var v cache.View[meta]
	if got := names(s.View("k", &v)); got != "20 10 00" {
		t.Errorf("view = %q; want three variants, newest first", got)
	}
	if got := s.View("nothing", &v); got != nil {
		t.Errorf("view of an unknown key = %v; want nil", got)
	}
	if n := testing.AllocsPerRun(100, func() {
		for _, e := range s.View("k", &v) {
			s.Use(e)
		}
		v.Reset()
	}); n > 0 {
		t.Errorf("%v allocations for a view; want none", n)
	}
}

// Entries that came out of the store stay as they are when their slots are used for others.
func TestVariants_AreCopies(t *testing.T) {
	s := open(t, cache.Options{})
	e := entry("k", "", 500)
	body, _ := e.Body.Bytes()
	copy(body, "the body of k")
	put(t, s, e)
	got := s.Variants("k")[0]
	s.Invalidate("k")
	for i := range 100 {
		put(t, s, entry(fmt.Sprint(i), "", 500))
	}
	if b, _ := got.Body.Bytes(); got.Key != "k" || !bytes.HasPrefix(b, []byte("the body of k")) {
		t.Errorf("an entry read before is %q with body %q now", got.Key, b[:20])
	}
}
