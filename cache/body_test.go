package cache_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"reflect"
	"testing"

	"github.com/jayproxy/jay/cache"
)

// text is the representation that bodies in these tests are parts of.
var text = func() []byte {
	b := make([]byte, 200<<10)
	r := rand.New(rand.NewPCG(3, 4))
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}()

// part returns the body that holds text[start:end].
func part(start, end int64) cache.Body {
	return cache.NewPart(start, bytes.Clone(text[start:end]))
}

func parts(list ...cache.Span) (b cache.Body) {
	for _, s := range list {
		b = b.Merge(part(s.Start, s.End))
	}
	return b
}

func TestBody_Gaps(t *testing.T) {
	two := parts(cache.Span{Start: 10, End: 20}, cache.Span{Start: 30, End: 40})
	whole := cache.NewBody(text[:50])
	for _, tc := range []struct {
		name       string
		b          cache.Body
		start, end int64
		want       []cache.Span
	}{
		{"empty body", cache.Body{}, 0, 5, []cache.Span{{Start: 0, End: 5}}},
		{"empty range", two, 5, 5, nil},
		{"reversed", two, 5, 4, nil},
		{"all", two, 0, 50, []cache.Span{{Start: 0, End: 10}, {Start: 20, End: 30}, {Start: 40, End: 50}}},
		{"between", two, 20, 30, []cache.Span{{Start: 20, End: 30}}},
		{"within", two, 12, 18, nil},
		{"exact", two, 10, 20, nil},
		{"over one end", two, 15, 25, []cache.Span{{Start: 20, End: 25}}},
		{"behind", two, 40, 45, []cache.Span{{Start: 40, End: 45}}},
		{"whole", whole, 0, 50, nil},
		{"beyond whole", whole, 40, 60, []cache.Span{{Start: 50, End: 60}}},
	} {
		if got := tc.b.Gaps(tc.start, tc.end); !reflect.DeepEqual(got, tc.want) {
			t.Errorf("%s: Gaps(%d, %d) = %v; want %v", tc.name, tc.start, tc.end, got, tc.want)
		}
		covered := tc.start >= 0 && tc.start <= tc.end && tc.want == nil
		if got := tc.b.Covers(tc.start, tc.end); got != covered {
			t.Errorf("%s: Covers(%d, %d) = %t; want %t", tc.name, tc.start, tc.end, got, covered)
		}
	}
	if two.Covers(-1, 5) || whole.Covers(-1, -1) {
		t.Error("Covers with a negative offset = true")
	}
}

func TestBody_Merge_RFC9111_3_4(t *testing.T) {
	for _, tc := range []struct {
		name string
		b    cache.Body
		want []cache.Span
	}{
		{"in order", parts(cache.Span{Start: 0, End: 5}, cache.Span{Start: 10, End: 15}), []cache.Span{{Start: 0, End: 5}, {Start: 10, End: 15}}},
		{"reversed", parts(cache.Span{Start: 10, End: 15}, cache.Span{Start: 0, End: 5}), []cache.Span{{Start: 0, End: 5}, {Start: 10, End: 15}}},
		{"touching", parts(cache.Span{Start: 5, End: 10}, cache.Span{Start: 0, End: 5}), []cache.Span{{Start: 0, End: 10}}},
		{"overlapping", parts(cache.Span{Start: 5, End: 15}, cache.Span{Start: 0, End: 10}), []cache.Span{{Start: 0, End: 15}}},
		{"around", parts(cache.Span{Start: 5, End: 10}, cache.Span{Start: 0, End: 20}), []cache.Span{{Start: 0, End: 20}}},
		{"inside", parts(cache.Span{Start: 0, End: 20}, cache.Span{Start: 5, End: 10}), []cache.Span{{Start: 0, End: 20}}},
		{"over several", parts(cache.Span{Start: 2, End: 4}, cache.Span{Start: 6, End: 8}, cache.Span{Start: 10, End: 12}, cache.Span{Start: 3, End: 11}), []cache.Span{{Start: 2, End: 12}}},
		{"nothing", parts(cache.Span{Start: 3, End: 3}), nil},
		{"large", parts(cache.Span{Start: 100 << 10, End: 200 << 10}, cache.Span{Start: 0, End: 100 << 10}), []cache.Span{{Start: 0, End: 200 << 10}}},
	} {
		if got := tc.b.Spans(); !reflect.DeepEqual(got, tc.want) {
			t.Errorf("%s: spans = %v; want %v", tc.name, got, tc.want)
		}
		checkBytes(t, tc.name, tc.b)
	}
}

// checkBytes compares all that b holds with text.
func checkBytes(t *testing.T, name string, b cache.Body) {
	t.Helper()
	held := int64(0)
	for _, s := range b.Spans() {
		held += s.End - s.Start
		got := bytes.Join(b.AppendBuffers(nil, s.Start, s.End), nil)
		if !bytes.Equal(got, text[s.Start:s.End]) {
			t.Errorf("%s: bytes of %v differ from the representation's", name, s)
		}
	}
	if b.Held() != held {
		t.Errorf("%s: Held = %d; want %d", name, b.Held(), held)
	}
}

func TestBody_MergeKeepsItsOwnBytes(t *testing.T) {
	b := cache.NewPart(2, []byte("bbb")).Merge(cache.NewBody([]byte("aaaaaaa")))
	if got, ok := b.Bytes(); !ok || string(got) != "aabbbaa" {
		t.Errorf("merged = %q, %t; want one slice aabbbaa", got, ok)
	}
}

func TestBody_CompletesToOneSlice(t *testing.T) {
	b := cache.Body{}
	for _, i := range rand.New(rand.NewPCG(1, 1)).Perm(300) {
		b = b.Merge(part(int64(i)*100, int64(i)*100+100))
	}
	if got, ok := b.Bytes(); !ok || !bytes.Equal(got, text[:30000]) {
		t.Errorf("300 parts of 100 bytes ended as %v, one slice: %t; want one with all bytes", b.Spans(), ok)
	}
}

func TestBody_SpansAreBounded(t *testing.T) {
	b := part(150<<10, 151<<10)
	for i := range int64(1000) {
		b = b.Merge(part(i*100, i*100+10+i%2))
	}
	checkBytes(t, "bounded", b)
	if n := len(b.Spans()); n != 256 {
		t.Errorf("1,001 spans became %d; want 256", n)
	}
	if !b.Covers(150<<10, 151<<10) {
		t.Error("the longest span was dropped")
	}
}

func TestBody_SmallPiecesDoNotPinLargeOnes(t *testing.T) {
	s := open(t, cache.Options{MaxBytes: 4 << 20})
	first := part(10, 100<<10)
	e := &cache.Entry[meta]{Key: "k", Body: first.Merge(part(0, 100<<10)), Length: -1}
	small := &cache.Entry[meta]{Key: "k", Body: first, Length: -1}
	if more := s.Charge(e) - s.Charge(small); more > 200 {
		t.Errorf("ten bytes more cost %d", more)
	}
	one := &cache.Entry[meta]{Key: "k", Body: cache.NewBody(make([]byte, 10, 1<<20)), Length: 10}
	if got := s.Charge(one); got < 1<<20 {
		t.Errorf("a body of 10 bytes in a slice of 1 MiB costs %d; want all it keeps alive", got)
	}
}

func TestCharge_FollowsTheRuntime(t *testing.T) {
	s := open(t, cache.Options{})
	empty := s.Charge(&cache.Entry[meta]{Length: -1})
	for n := 33; n < 200<<10; n += 1 + n/50 {
		real := cap(append([]byte(nil), make([]byte, n)...))
		got := int(s.Charge(&cache.Entry[meta]{Body: cache.NewBody(make([]byte, n)), Length: -1}) - empty)
		if got < n || got < real*85/100 || got > real*115/100 {
			t.Errorf("%d bytes are charged as %d; the runtime takes %d", n, got, real)
		}
	}
}

// FuzzBody_Merge: combining parts in any order gives the bytes of the whole (RFC 9111 §3.4).
func FuzzBody_Merge(f *testing.F) {
	f.Add([]byte{0, 10, 5, 20, 200, 255, 30, 0})
	f.Add([]byte{1, 1, 1, 1, 1, 1, 1, 1, 0, 255, 255, 255})
	f.Fuzz(func(t *testing.T, program []byte) {
		held := make([]bool, len(text))
		var b cache.Body
		for i := 0; i+1 < len(program); i += 2 {
			start := int64(program[i]) * 401
			end := min(start+1+int64(program[i+1])*int64(program[i+1]), int64(len(text)))
			if program[i]%5 == 0 {
				b = part(start, end).Merge(b)
			} else {
				b = b.Merge(part(start, end))
			}
			for j := start; j < end; j++ {
				held[j] = true
			}
		}
		checkBytes(t, fmt.Sprint(program), b)
		if len(program) > 400 {
			return // spans may have been dropped
		}
		for _, g := range b.Gaps(0, int64(len(text))) {
			for j := g.Start; j < g.End; j++ {
				if held[j] {
					t.Fatalf("byte %d is missing", j)
				}
			}
			if !b.Covers(0, g.Start) && g.Start > 0 && !held[g.Start-1] {
				t.Fatalf("gap %v begins late", g)
			}
		}
		for _, s := range b.Spans() {
			if bytes.Contains(boolBytes(held[s.Start:s.End]), []byte{0}) {
				t.Fatalf("span %v was never merged", s)
			}
		}
	})
}

func boolBytes(list []bool) []byte {
	b := make([]byte, len(list))
	for i, v := range list {
		if v {
			b[i] = 1
		}
	}
	return b
}
