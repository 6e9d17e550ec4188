package validation_test

import (
	"fmt"
	"math"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/jayproxy/jay/validation"
)

const huge = math.MaxInt64

func TestParseRange_RFC9110_14_2(t *testing.T) {
	tests := []struct {
		in   string
		want []validation.ByteRange // nil: ignored
	}{
		{"bytes=0-499", []validation.ByteRange{{0, 499}}},
		{"bytes=500-999", []validation.ByteRange{{500, 999}}},
		{"bytes=-500", []validation.ByteRange{{-1, 500}}},
		{"bytes=9500-", []validation.ByteRange{{9500, -1}}},
		{"bytes=0-0,-1", []validation.ByteRange{{0, 0}, {-1, 1}}},
		{"bytes= 0-999, 4500-5499, -1000", []validation.ByteRange{{0, 999}, {4500, 5499}, {-1, 1000}}},
		{"bytes=500-600,601-999", []validation.ByteRange{{500, 600}, {601, 999}}},
		{"bytes=-0", []validation.ByteRange{{-1, 0}}},
		{"bytes=007-0010", []validation.ByteRange{{7, 10}}},
		{"BYTES=1-2", []validation.ByteRange{{1, 2}}},
		{" bytes=1-2 ", []validation.ByteRange{{1, 2}}},
		{"bytes=,1-2,, 3-4 ,", []validation.ByteRange{{1, 2}, {3, 4}}},
		{"bytes=1-2\t,\t3-4", []validation.ByteRange{{1, 2}, {3, 4}}},
		// Numbers too great to hold are only great.
		{"bytes=0-9223372036854775807", []validation.ByteRange{{0, huge}}},
		{"bytes=0-9223372036854775808", []validation.ByteRange{{0, huge}}},
		{"bytes=99999999999999999999999-", []validation.ByteRange{{huge, -1}}},
		{"bytes=-18446744073709551615", []validation.ByteRange{{-1, huge}}},
		{"bytes=18446744073709551616-18446744073709551617", []validation.ByteRange{{huge, huge}}},
		// Not ranges of bytes, or not ranges.
		{"", nil},
		{"bytes", nil},
		{"bytes=", nil},
		{"bytes=,", nil},
		{"bytes=-", nil},
		{"bytes=1", nil},
		{"bytes=a-b", nil},
		{"bytes=1-2-3", nil},
		{"bytes=--1", nil},
		{"bytes=1--2", nil},
		{"bytes=+1-2", nil},
		{"bytes=1-+2", nil},
		{"bytes=0x1-2", nil},
		{"bytes=1 -2", nil},
		{"bytes=1- 2", nil},
		{"bytes =1-2", nil},
		{"bytes:1-2", nil},
		{"bytes 1-2", nil},
		{"bytes=1-2;3-4", nil},
		{"bytes=1_0-2", nil},
		{"bytes=2-1", nil},
		{"bytes=0-1,5-4", nil},
		{"bytes=0-1,x", nil},
		{"bytes=1-2=3-4", nil},
		{"items=0-1", nil},
		{"=0-1", nil},
		{"bytes=\xd9\xa1-", nil}, // an Arabic digit
		{"bytes=0-1,2-3,4-5,6-7,8-9,10-11,12-13,14-15", []validation.ByteRange{{0, 1}, {2, 3}, {4, 5}, {6, 7}, {8, 9}, {10, 11}, {12, 13}, {14, 15}}},
		{"bytes=0-1,2-3,4-5,6-7,8-9,10-11,12-13,14-15,16-17", nil},
		{"bytes=" + strings.Repeat("0-,", 1300), nil},
	}
	for _, tt := range tests {
		got, ok := validation.ParseRange(tt.in, 0)
		if ok != (tt.want != nil) || (ok && !slices.Equal(got, tt.want)) {
			t.Errorf("ParseRange(%.60q) = %v, %v; want %v", tt.in, got, ok, tt.want)
		}
	}
	if _, ok := validation.ParseRange("bytes=0-1,3-4", 1); ok {
		t.Errorf("two ranges pass a limit of one")
	}
}

func TestRanges_RFC9110_14_2(t *testing.T) {
	if _, ok := validation.Ranges(http.Header{}, 0); ok {
		t.Errorf("a request without Range has one")
	}
	if _, ok := validation.Ranges(http.Header{"Range": {"bytes=0-1", "bytes=0-1"}}, 0); ok {
		t.Errorf("two lines are obeyed")
	}
	if got, ok := validation.Ranges(http.Header{"Range": {"bytes=0-1"}}, 0); !ok || len(got) != 1 {
		t.Errorf("got %v, %v", got, ok)
	}
}

func TestResolve_RFC9110_14_1_2(t *testing.T) {
	sat, uns, ign := validation.Satisfiable, validation.Unsatisfiable, validation.Ignore
	tests := []struct {
		in     string
		length int64
		want   []validation.Span
		answer validation.Satisfiability
	}{
		{"bytes=0-499", 10000, []validation.Span{{0, 500}}, sat},
		{"bytes=9500-", 10000, []validation.Span{{9500, 10000}}, sat},
		{"bytes=-500", 10000, []validation.Span{{9500, 10000}}, sat},
		{"bytes=0-0,-1", 10000, []validation.Span{{0, 1}, {9999, 10000}}, sat},
		{"bytes=0-", 10, []validation.Span{{0, 10}}, sat},
		{"bytes=0-9", 10, []validation.Span{{0, 10}}, sat},
		{"bytes=0-10", 10, []validation.Span{{0, 10}}, sat},
		{"bytes=5-9223372036854775807", 10, []validation.Span{{5, 10}}, sat},
		{"bytes=-10", 10, []validation.Span{{0, 10}}, sat},
		{"bytes=-11", 10, []validation.Span{{0, 10}}, sat},
		{"bytes=-99999999999999999999", 10, []validation.Span{{0, 10}}, sat},
		{"bytes=9-9", 10, []validation.Span{{9, 10}}, sat},
		{"bytes=0-0", 1, []validation.Span{{0, 1}}, sat},
		// Not satisfiable.
		{"bytes=10-", 10, nil, uns},
		{"bytes=10-20", 10, nil, uns},
		{"bytes=99999999999999999999-", 10, nil, uns},
		{"bytes=-0", 10, nil, uns},
		{"bytes=10-,-0", 10, nil, uns},
		{"bytes=0-", 0, nil, uns},
		{"bytes=0-0", 0, nil, uns},
		{"bytes=-0", 0, nil, uns},
		// A suffix of nothing is satisfiable and has no Content-Range.
		{"bytes=-5", 0, nil, ign},
		// One that can be satisfied is enough.
		{"bytes=10-,0-1", 10, []validation.Span{{0, 2}}, sat},
		{"bytes=-0,0-1,99-", 10, []validation.Span{{0, 2}}, sat},
		// Order, overlap.
		{"bytes=8-9,0-1", 10, []validation.Span{{8, 10}, {0, 2}}, sat},
		{"bytes=0-1,2-3", 10, []validation.Span{{0, 4}}, sat},
		{"bytes=2-3,0-1", 10, []validation.Span{{0, 4}}, sat},
		{"bytes=0-1,3-4", 10, []validation.Span{{0, 2}, {3, 5}}, sat},
		{"bytes=0-5,3-9", 10, []validation.Span{{0, 10}}, sat},
		{"bytes=0-9,3-4", 10, []validation.Span{{0, 10}}, sat},
		{"bytes=3-4,3-4", 10, []validation.Span{{3, 5}}, sat},
		{"bytes=0-1,8-9,4-5,2-3", 10, []validation.Span{{0, 6}, {8, 10}}, sat},
		{"bytes=0-1,4-5,2-3", 10, []validation.Span{{0, 6}}, sat},
		{"bytes=0-1,2-3,4-5,6-7,8-", 10, []validation.Span{{0, 10}}, sat},
		{"bytes=0-5,3-9,5-6", 10, nil, ign},
		{"bytes=0-,0-,0-", 10, nil, ign},
		{"bytes=0-3,2-5,20-29,28-30", 100, nil, ign},
		{"bytes=0-3,2-5,20-29", 100, []validation.Span{{0, 6}, {20, 30}}, sat},
		// Unknown length.
		{"bytes=2-3", -1, []validation.Span{{2, 4}}, sat},
		{"bytes=2-9223372036854775807", -1, []validation.Span{{2, huge}}, sat},
		{"bytes=2-", -1, nil, ign},
		{"bytes=-2", -1, nil, ign},
		{"bytes=-0", -1, nil, uns},
	}
	for _, tt := range tests {
		ranges, ok := validation.ParseRange(tt.in, 0)
		if !ok {
			t.Fatalf("ParseRange(%q) failed", tt.in)
		}
		got, answer := validation.Resolve(ranges, tt.length)
		if answer != tt.answer || !slices.Equal(got, tt.want) {
			t.Errorf("Resolve(%q, %d) = %v, %v; want %v, %v", tt.in, tt.length, got, answer, tt.want, tt.answer)
		}
	}
}

func TestSatisfiabilityString(t *testing.T) {
	for s, want := range map[validation.Satisfiability]string{validation.Ignore: "ignore", validation.Satisfiable: "satisfiable", validation.Unsatisfiable: "unsatisfiable"} {
		if got := s.String(); got != want {
			t.Errorf("got %q; want %q", got, want)
		}
	}
}

// Whatever is asked, the spans are in bounds, not empty, apart from each other, and hold exactly the bytes asked for.
func FuzzRange(f *testing.F) {
	for _, s := range []string{"bytes=0-1", "bytes=-5,2-", "bytes=0-5,3-9", "bytes=9223372036854775807-", "bytes=1-2,3-4,5-6,7-8", "bytes=-0"} {
		f.Add(s, int64(10))
	}
	f.Fuzz(func(t *testing.T, s string, length int64) {
		ranges, ok := validation.ParseRange(s, 0)
		if !ok {
			return
		}
		if len(ranges) == 0 || len(ranges) > validation.MaxRanges {
			t.Fatalf("%d ranges", len(ranges))
		}
		if length < 0 {
			length = -1
		}
		spans, answer := validation.Resolve(ranges, length)
		if (answer == validation.Satisfiable) != (len(spans) > 0) {
			t.Fatalf("%v with %v", answer, spans)
		}
		for i, a := range spans {
			if a.Start < 0 || (a.Len() <= 0 && a.End != huge) || (length >= 0 && a.End > length) {
				t.Errorf("%v is out of bounds of %d", a, length)
			}
			for _, b := range spans[i+1:] {
				if a.Start <= b.End && b.Start <= a.End {
					t.Errorf("%v and %v are not apart", a, b)
				}
			}
		}
		if answer == validation.Satisfiable && length >= 0 && length <= 64 {
			compareBytes(t, ranges, spans, length)
		}
	})
}

// compareBytes checks each byte of a small representation against what the ranges say of it.
func compareBytes(t *testing.T, ranges []validation.ByteRange, spans []validation.Span, length int64) {
	for at := range length {
		asked := slices.ContainsFunc(ranges, func(r validation.ByteRange) bool {
			switch {
			case r.First < 0:
				return at >= length-min(r.Last, length)
			case r.Last < 0:
				return at >= r.First
			}
			return at >= r.First && at <= r.Last
		})
		given := slices.ContainsFunc(spans, func(s validation.Span) bool { return at >= s.Start && at < s.End })
		if asked != given {
			t.Errorf("byte %d of %d: asked %v, given %v by %v for %v", at, length, asked, given, spans, ranges)
		}
	}
}

func TestParseContentRange_RFC9110_14_4(t *testing.T) {
	tests := []struct {
		in   string
		want validation.ContentRange
		ok   bool
	}{
		{"bytes 42-1233/1234", validation.ContentRange{validation.Span{42, 1234}, 1234}, true},
		{"bytes 42-1233/*", validation.ContentRange{validation.Span{42, 1234}, -1}, true},
		{"bytes */1234", validation.ContentRange{validation.Span{}, 1234}, true},
		{"bytes 0-0/1", validation.ContentRange{validation.Span{0, 1}, 1}, true},
		{"bytes */0", validation.ContentRange{validation.Span{}, 0}, true},
		{"Bytes 0-4/10", validation.ContentRange{validation.Span{0, 5}, 10}, true},
		{" bytes 0-4/10 ", validation.ContentRange{validation.Span{0, 5}, 10}, true},
		{"bytes 0-9223372036854775805/9223372036854775806", validation.ContentRange{validation.Span{0, huge - 1}, huge - 1}, true},
		{in: ""},
		{in: "bytes"},
		{in: "bytes 0-4"},
		{in: "bytes 4-0/10"},
		{in: "bytes 0-10/10"},
		{in: "bytes 0-0/0"},
		{in: "bytes */*"},
		{in: "bytes -4/10"},
		{in: "bytes 4-/10"},
		{in: "bytes=0-4/10"},
		{in: "bytes  0-4/10"},
		{in: "bytes 0 -4/10"},
		{in: "bytes 0-4 / 10"},
		{in: "bytes 0-4/ten"},
		{in: "bytes 0-4/-1"},
		{in: "bytes 0-4/+10"},
		{in: "bytes 0-4/10/11"},
		{in: "bytes 0-4/10, bytes 5-9/10"},
		{in: "items 0-4/10"},
		{in: "0-4/10"},
		{in: "bytes 0-9223372036854775807/*"},
		{in: "bytes 0-4/9223372036854775808"},
		{in: "bytes 0-99999999999999999999/*"},
	}
	for _, tt := range tests {
		got, ok := validation.ParseContentRange(tt.in)
		if ok != tt.ok || got != tt.want {
			t.Errorf("ParseContentRange(%q) = %+v, %v; want %+v, %v", tt.in, got, ok, tt.want, tt.ok)
		}
	}
}

func TestContentRangeString_RFC9110_14_4(t *testing.T) {
	tests := []struct {
		in   validation.ContentRange
		want string
	}{
		{validation.ContentRange{validation.Span{0, 500}, 1234}, "bytes 0-499/1234"},
		{validation.ContentRange{validation.Span{734, 1234}, 1234}, "bytes 734-1233/1234"},
		{validation.ContentRange{validation.Span{0, 1}, -1}, "bytes 0-0/*"},
		{validation.ContentRange{validation.Span{}, 47022}, "bytes */47022"},
		{validation.ContentRange{validation.Span{}, 0}, "bytes */0"},
	}
	for _, tt := range tests {
		if got := tt.in.String(); got != tt.want {
			t.Errorf("got %q; want %q", got, tt.want)
		}
		if got := string(tt.in.Append([]byte("x: "))); got != "x: "+tt.want {
			t.Errorf("Append gives %q", got)
		}
	}
}

func TestRangeValue_RFC9111_3_3(t *testing.T) {
	tests := []struct {
		span   validation.Span
		length int64
		want   string
	}{
		{validation.Span{5, 10}, 10, "bytes=5-"},
		{validation.Span{0, 5}, 10, "bytes=0-4"},
		{validation.Span{0, 10}, 10, "bytes=0-"},
		{validation.Span{3, 4}, 10, "bytes=3-3"},
		{validation.Span{3, 4}, -1, "bytes=3-3"},
	}
	for _, tt := range tests {
		got := validation.RangeValue(tt.span, tt.length)
		if got != tt.want {
			t.Errorf("RangeValue(%v, %d) = %q; want %q", tt.span, tt.length, got, tt.want)
		}
		ranges, ok := validation.ParseRange(got, 0)
		if !ok {
			t.Fatalf("ParseRange(%q) failed", got)
		}
		if spans, _ := validation.Resolve(ranges, tt.length); len(spans) != 1 || spans[0] != tt.span {
			t.Errorf("%q asks for %v; want %v", got, spans, tt.span)
		}
	}
}

func FuzzContentRange(f *testing.F) {
	for _, s := range []string{"bytes 0-4/10", "bytes */10", "bytes 0-4/*", "bytes 9223372036854775806-9223372036854775806/*"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		c, ok := validation.ParseContentRange(s)
		if !ok {
			if c != (validation.ContentRange{}) {
				t.Errorf("%q is refused with %+v", s, c)
			}
			return
		}
		if c.Span.Start < 0 || c.Span.End < c.Span.Start || (c.Length >= 0 && c.Span.End > c.Length) {
			t.Errorf("%q is %+v", s, c)
		}
		if again, ok := validation.ParseContentRange(c.String()); !ok || again != c {
			t.Errorf("%q is %+v, which comes back as %+v", s, c, again)
		}
	})
}

func ExampleResolve() {
	ranges, ok := validation.ParseRange("bytes=0-99,-100", validation.MaxRanges)
	fmt.Println(ok)
	fmt.Println(validation.Resolve(ranges, 1000))
	// Output:
	// true
	// [{0 100} {900 1000}] satisfiable
}
