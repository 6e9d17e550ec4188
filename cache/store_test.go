package cache_test

import (
	"encoding/binary"
	"fmt"
	"strings"
	"testing"

	"github.com/jayproxy/jay/cache"
)

type meta struct{ n int }

// codec lets entries with such a meta be kept as records.
var codec = cache.Codec[meta]{
	Append: func(b []byte, m *meta) []byte { return binary.AppendVarint(b, int64(m.n)) },
	Parse: func(text string, m *meta) {
		n, size := binary.Varint([]byte(text))
		if size != len(text) {
			panic(fmt.Sprintf("a record's meta is %q", text))
		}
		m.n = int(n)
	},
}

func open(t testing.TB, o cache.Options) *cache.Store[meta] {
	t.Helper()
	s, err := cache.New(o, codec)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Audit(); err != nil {
			t.Error("audit at the end:", err)
		}
		s.Close()
	})
	return s
}

func entry(key, variant string, size int) *cache.Entry[meta] {
	return &cache.Entry[meta]{Key: key, Variant: variant, Body: cache.NewBody(make([]byte, size)), Length: int64(size)}
}

func put(t testing.TB, s *cache.Store[meta], e *cache.Entry[meta]) {
	t.Helper()
	if ok, why := s.Put(e, s.Epoch(e.Key)); !ok {
		t.Fatalf("Put(%q, %q) = false, %q; want true", e.Key, e.Variant, why)
	}
}

func audit(t testing.TB, s *cache.Store[meta]) {
	t.Helper()
	if err := s.Audit(); err != nil {
		t.Error("audit:", err)
	}
}

func names(list []*cache.Entry[meta]) string {
	var b strings.Builder
	for _, e := range list {
		fmt.Fprintf(&b, "%s%d ", e.Variant, e.Meta.n)
	}
	return strings.TrimSpace(b.String())
}

func TestPut_VisibleAtReturn(t *testing.T) {
	s := open(t, cache.Options{MaxBytes: 4 << 20})
	for i := range 20000 { // many times what fits
		e := entry(fmt.Sprint("http://a.example/", i), "", 1000)
		put(t, s, e)
		if list := s.Variants(e.Key); len(list) != 1 || list[0] != e {
			t.Fatalf("Variants after Put %d = %v; want the entry", i, list)
		}
	}
	st := s.Stats()
	if st.Bytes+st.Overhead > st.MaxBytes || st.Bytes < st.MaxBytes*8/10 {
		t.Errorf("bytes = %d with overhead %d; want most of %d", st.Bytes, st.Overhead, st.MaxBytes)
	}
}

func TestPut_ReplacesSameVariant_RFC9111_4_1(t *testing.T) {
	s := open(t, cache.Options{MaxVariants: 3})
	for i, v := range []string{"a", "b", "a", "c", "d", "b"} {
		e := entry("k", v, 10)
		e.Meta.n = i
		put(t, s, e)
	}
	if got, want := names(s.Variants("k")), "b5 d4 c3"; got != want {
		t.Errorf("variants = %q; want %q", got, want)
	}
	if got := s.Stats(); got.Entries != 3 || got.Replaced != 1 || got.Removed != 2 {
		t.Errorf("stats = %+v; want 3 entries, 1 replaced, 2 removed", got)
	}
	audit(t, s)
}

func TestPut_Refuses(t *testing.T) {
	s := open(t, cache.Options{MaxBytes: 1 << 20, MaxObjectBytes: 100000})
	used := entry("used", "", 1)
	put(t, s, used)
	big := entry("big", "", 1)
	big.Extra = 1 << 20
	for _, tc := range []struct {
		name string
		e    *cache.Entry[meta]
		at   cache.Epoch
		want string
	}{
		{"at the limit", entry("k", "", 100000), s.Epoch("k"), ""},
		{"over the limit", entry("k", "x", 100001), s.Epoch("k"), cache.ReasonTooLarge},
		{"fields over the limit", big, s.Epoch("big"), cache.ReasonTooLarge},
		{"an entry twice", used, s.Epoch("used"), cache.ReasonReused},
		{"an old epoch", entry("k", "y", 1), s.Epoch("k") - 1, cache.ReasonInvalidated},
	} {
		ok, why := s.Put(tc.e, tc.at)
		if ok != (tc.want == "") || why != tc.want {
			t.Errorf("%s: Put = %t, %q; want %q", tc.name, ok, why, tc.want)
		}
	}
	if got := names(s.Variants("k")); got != "0" {
		t.Errorf("variants = %q; want only the one stored", got)
	}
}

func TestMaxObjectBytes_IsAtMostAnEighth(t *testing.T) {
	for _, tc := range []struct{ max, object, want int64 }{
		{1 << 20, 0, 1 << 17},
		{1 << 20, 1 << 10, 1 << 10},
		{1 << 20, 1 << 30, 1 << 17},
		{64 << 10, 0, 8 << 10},
	} {
		s := open(t, cache.Options{MaxBytes: tc.max, MaxObjectBytes: tc.object})
		if got := s.MaxObjectBytes(); got != tc.want {
			t.Errorf("MaxObjectBytes(%d of %d) = %d; want %d", tc.object, tc.max, got, tc.want)
		}
		for i := range 20 { // the largest object always fits, and is there afterwards
			put(t, s, entry(fmt.Sprint(i), "", int(tc.want)))
			if len(s.Variants(fmt.Sprint(i))) != 1 {
				t.Errorf("object of %d bytes is not visible after Put", tc.want)
			}
		}
		audit(t, s)
	}
}

func TestNew_Errors(t *testing.T) {
	for _, o := range []cache.Options{{MaxBytes: 1}, {MaxBytes: -1}, {MaxObjectBytes: -1}, {MaxFillBytes: -1}, {MaxVariants: -1}} {
		if s, err := cache.New(o, codec); err == nil {
			s.Close()
			t.Errorf("New(%+v) gave no error", o)
		}
	}
}

func TestSwap(t *testing.T) {
	for _, tc := range []struct {
		name      string
		size, now int
		main      bool
	}{
		{"equal charge in the window", 1000, 1000, false},
		{"larger in the window", 1000, 5000, false},
		{"much smaller in the window", 5000, 10, false},
		{"equal charge after admission", 1000, 1000, true},
		{"larger after admission", 1000, 5000, true},
		{"a little smaller after admission", 1000, 990, true},
	} {
		s := open(t, cache.Options{})
		other, old := entry("k", "other", 1), entry("k", "v", tc.size)
		put(t, s, old)
		put(t, s, other)
		if tc.main {
			s.Flush()
			if !s.Main(old) {
				t.Fatalf("%s: not admitted", tc.name)
			}
		}
		next := entry("k", "v", tc.now)
		next.Meta.n = 1
		if !s.Swap(old, next) {
			t.Errorf("%s: Swap = false; want true", tc.name)
		}
		if got := names(s.Variants("k")); got != "v1 other0" {
			t.Errorf("%s: variants = %q; want the new one first", tc.name, got)
		}
		if s.Swap(old, entry("k", "v", tc.size)) || s.Delete(old) {
			t.Errorf("%s: the replaced entry is still taken for current", tc.name)
		}
		audit(t, s)
	}
}

// A copy of a stored entry is an entry that was not stored yet.
func TestSwap_Copy(t *testing.T) {
	s := open(t, cache.Options{})
	old := entry("k", "v", 100)
	put(t, s, old)
	next := *old
	next.Meta.n = 1
	if !s.Swap(old, &next) || names(s.Variants("k")) != "v1" {
		t.Errorf("Swap of a changed copy: variants = %q; want v1", names(s.Variants("k")))
	}
	again := next
	if ok, why := s.Put(&again, s.Epoch("k")); !ok || names(s.Variants("k")) != "v1" {
		t.Errorf("Put of a copy = %t, %q; want it stored", ok, why)
	}
	if ok, why := s.Put(&next, s.Epoch("k")); ok || why != cache.ReasonReused {
		t.Errorf("Put of an entry twice = %t, %q; want %q", ok, why, cache.ReasonReused)
	}
	if third := again; s.Delete(&third) || len(s.Variants("k")) != 1 {
		t.Error("Delete of a copy deleted the entry")
	}
	audit(t, s)
}

func TestSwap_Refuses(t *testing.T) {
	s := open(t, cache.Options{MaxBytes: 1 << 20})
	old := entry("k", "v", 100)
	if s.Swap(old, entry("k", "v", 100)) {
		t.Error("Swap of an entry never stored = true")
	}
	put(t, s, old)
	if s.Swap(old, entry("k", "w", 100)) || s.Swap(old, entry("l", "v", 100)) || s.Swap(old, old) || s.Swap(old, entry("k", "v", 1<<19)) {
		t.Error("Swap with another key, variant, itself or too large = true")
	}
	s.Invalidate("k")
	if s.Swap(old, entry("k", "v", 100)) {
		t.Error("Swap after Invalidate = true")
	}
}

func TestInvalidate_RFC9111_4_4(t *testing.T) {
	s := open(t, cache.Options{})
	at := s.Epoch("k")
	put(t, s, entry("k", "a", 10))
	put(t, s, entry("k", "b", 10))
	s.Flush()
	put(t, s, entry("k", "c", 10))
	put(t, s, entry("l", "", 10))
	if got := s.Invalidate("k"); got != 3 {
		t.Errorf("Invalidate = %d; want 3", got)
	}
	if ok, why := s.Put(entry("k", "a", 10), at); ok || why != cache.ReasonInvalidated {
		t.Errorf("Put of a response requested before = %t, %q; want false, %q", ok, why, cache.ReasonInvalidated)
	}
	if gone := entry("k", "d", 1); s.Delete(gone) {
		t.Error("Delete of an entry never stored = true")
	}
	if s.Variants("k") != nil || len(s.Variants("l")) != 1 {
		t.Errorf("variants after Invalidate: %v and %v; want none and the other key's", s.Variants("k"), s.Variants("l"))
	}
	put(t, s, entry("k", "a", 10))
	if got := s.Invalidate("nothing"); got != 0 {
		t.Errorf("Invalidate of an unknown key = %d; want 0", got)
	}
	audit(t, s)
}

func TestPurge(t *testing.T) {
	s := open(t, cache.Options{})
	for i := range 100 {
		put(t, s, entry(fmt.Sprintf("http://a.example/%d", i%50), fmt.Sprint(i/50), 10))
		if i == 30 {
			s.Flush()
		}
	}
	at := s.Epoch("http://b.example/")
	match := func(e *cache.Entry[meta]) bool { return strings.HasSuffix(e.Key, "7") && len(s.Variants(e.Key)) > 0 }
	if got := s.Purge(match, true); got != 10 {
		t.Errorf("dry Purge = %d; want 10", got)
	}
	if got := s.Purge(match, false); got != 10 {
		t.Errorf("Purge = %d; want 10", got)
	}
	if got := s.Purge(match, true); got != 0 {
		t.Errorf("dry Purge after Purge = %d; want 0", got)
	}
	if ok, why := s.Put(entry("http://b.example/", "", 1), at); ok || why != cache.ReasonInvalidated {
		t.Errorf("Put of a response requested before = %t, %q; want false", ok, why)
	}
	audit(t, s)
}

// A purge also meets what a Swap has put in an entry's place after the purge saw it.
func TestPurge_BesideSwap(t *testing.T) {
	for _, grow := range []int{0, 5000} {
		s := open(t, cache.Options{})
		old := entry("k", "v", 100)
		put(t, s, old)
		swapped := false
		n := s.Purge(func(e *cache.Entry[meta]) bool {
			if !swapped {
				swapped = true
				if !s.Swap(old, entry("k", "v", 100+grow)) {
					t.Error("Swap = false; want true")
				}
			}
			return true
		}, false)
		if n != 1 || s.Variants("k") != nil {
			t.Errorf("Purge = %d and left %d; want 1 and none", n, len(s.Variants("k")))
		}
	}
	s := open(t, cache.Options{})
	old := entry("k", "v", 100)
	put(t, s, old)
	if n := s.Purge(func(e *cache.Entry[meta]) bool { return s.Delete(e) }, false); n != 0 {
		t.Errorf("Purge of an entry that goes meanwhile = %d; want 0", n)
	}
}

func TestRange(t *testing.T) {
	s := open(t, cache.Options{})
	for i := range 300 {
		put(t, s, entry(fmt.Sprint(i%100), fmt.Sprint(i/100), 1))
	}
	seen := map[string]bool{}
	s.Range(func(e *cache.Entry[meta]) bool {
		seen[e.Key+" "+e.Variant] = true
		s.Delete(e) // f may change the store
		return true
	})
	if len(seen) != 300 || s.Stats().Entries != 0 {
		t.Errorf("Range saw %d entries and left %d; want 300 and 0", len(seen), s.Stats().Entries)
	}
	put(t, s, entry("a", "", 1))
	put(t, s, entry("b", "", 1))
	n := 0
	s.Range(func(*cache.Entry[meta]) bool { n++; return false })
	if n != 1 {
		t.Errorf("Range went on %d times after false; want 1", n)
	}
}

func TestResize(t *testing.T) {
	s := open(t, cache.Options{MaxBytes: 8 << 20})
	for i := range 8000 {
		put(t, s, entry(fmt.Sprint(i), "", 1000))
	}
	for _, size := range []int64{4 << 20, 1 << 20, 0, 16 << 20} {
		s.Resize(size)
		audit(t, s)
		st := s.Stats()
		if st.Bytes+st.Overhead > st.MaxBytes || size > 0 && (st.MaxBytes != size || st.MaxObjectBytes != size/8) {
			t.Errorf("after Resize(%d): %+v", size, st)
		}
		put(t, s, entry("k", "", 1000))
		if len(s.Variants("k")) != 1 {
			t.Error("not visible after Resize and Put")
		}
	}
	for i := range 16000 {
		put(t, s, entry(fmt.Sprint(i), "", 1000))
	}
	if st := s.Stats(); st.Bytes < 12<<20 {
		t.Errorf("bytes = %d after growing to 16 MiB; want most of it in use", st.Bytes)
	}
}

func TestClose(t *testing.T) {
	s, err := cache.New(cache.Options{}, codec)
	if err != nil {
		t.Fatal(err)
	}
	e := entry("a", "", 1)
	put(t, s, e)
	s.Flush()
	put(t, s, entry("b", "", 1))
	s.Close()
	s.Close()
	if ok, why := s.Put(entry("c", "", 1), s.Epoch("c")); ok || why != cache.ReasonClosed {
		t.Errorf("Put after Close = %t, %q; want false, %q", ok, why, cache.ReasonClosed)
	}
	s.Use(e)
	s.Resize(1 << 20)
	if s.Variants("a") != nil || s.Swap(e, entry("a", "", 1)) || s.Delete(e) || s.Invalidate("b") != 0 || s.Purge(func(*cache.Entry[meta]) bool { return true }, false) != 0 {
		t.Error("something is still there after Close")
	}
	if st := s.Stats(); st.Bytes != 0 || st.Entries != 0 {
		t.Errorf("stats after Close = %+v; want no bytes, no entries", st)
	}
}

func TestEntry_Complete(t *testing.T) {
	for _, tc := range []struct {
		body   cache.Body
		length int64
		want   bool
	}{
		{cache.NewBody([]byte("abc")), 3, true},
		{cache.NewBody([]byte("abc")), 4, false},
		{cache.NewBody([]byte("abc")), -1, false},
		{cache.NewPart(1, []byte("bc")), 3, false},
		{cache.Body{}, 0, true},
	} {
		e := cache.Entry[meta]{Body: tc.body, Length: tc.length}
		if got := e.Complete(); got != tc.want {
			t.Errorf("Complete(%v of %d) = %t; want %t", tc.body.Spans(), tc.length, got, tc.want)
		}
	}
}
