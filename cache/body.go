package cache

import (
	"cmp"
	"slices"
	"sort"
)

// Span is a half-open range of byte offsets of a representation: Start is in it, End is not.
type Span struct{ Start, End int64 }

// Body is an immutable set of byte runs of one representation: all of it, or the parts that 206 responses gave (RFC 9111
// §3.3). The zero value holds nothing. It is cheap to copy.
type Body struct {
	whole []byte // one run from offset 0 on; nil if there are parts
	parts *parts
}

// parts are the runs of a body that is not one run from offset 0 on, in order, none empty and none overlapping.
type parts struct {
	runs   []run
	held   int64
	memory int64
}

// run is a piece of a representation that lies in one slice.
type run struct {
	start int64
	b     []byte
}

func (r run) end() int64 { return r.start + int64(len(r.b)) }

// cut returns the part of r within [start, end), which is not empty.
func (r run) cut(start, end int64) []byte {
	start, end = max(start, r.start), min(end, r.end())
	return r.b[start-r.start : end-r.start : end-r.start]
}

const (
	joinBytes = 32 << 10 // contiguous runs up to that length together are copied into one
	maxSpans  = 256      // separate spans of one body
)

// NewBody returns the body that holds b from offset 0 on. It keeps b, which must not change any more.
func NewBody(b []byte) Body { return Body{whole: b} }

// NewPart returns the body that holds b from offset start on. It keeps b, which must not change any more.
func NewPart(start int64, b []byte) Body {
	if start == 0 || len(b) == 0 {
		return Body{whole: b}
	}
	return ofRuns([]run{{start, b}})
}

// ofRuns returns the body of runs that are in order and apart. It keeps runs.
func ofRuns(runs []run) Body {
	if len(runs) == 0 {
		return Body{}
	}
	if len(runs) == 1 && runs[0].start == 0 {
		return Body{whole: runs[0].b}
	}
	const perRun, perParts = 40, 48
	p := &parts{runs: runs, memory: perParts + perRun*int64(len(runs))}
	for _, r := range runs {
		p.held += int64(len(r.b))
		p.memory += allocBytes(int64(cap(r.b)))
	}
	return Body{parts: p}
}

// list returns b's runs; one lends space for the single run of a whole body.
func (b Body) list(one *[1]run) []run {
	if b.parts != nil {
		return b.parts.runs
	}
	if len(b.whole) == 0 {
		return nil
	}
	one[0] = run{0, b.whole}
	return one[:]
}

// from returns the runs that end after off.
func from(runs []run, off int64) []run {
	return runs[sort.Search(len(runs), func(i int) bool { return runs[i].end() > off }):]
}

// Held returns the number of bytes held.
func (b Body) Held() int64 {
	if b.parts != nil {
		return b.parts.held
	}
	return int64(len(b.whole))
}

// memory returns the bytes of memory that the body takes, spare capacity and bookkeeping included.
func (b Body) memory() int64 {
	if b.parts != nil {
		return b.parts.memory
	}
	return allocBytes(int64(cap(b.whole)))
}

// Bytes returns all that is held if that is a single slice from offset 0 on. It must not be changed.
func (b Body) Bytes() ([]byte, bool) { return b.whole, b.parts == nil }

// Spans returns the ranges held, in order and with a gap between any two.
func (b Body) Spans() []Span {
	var one [1]run
	return spans(b.list(&one))
}

func spans(runs []run) []Span {
	var list []Span
	for _, r := range runs {
		if n := len(list); n > 0 && list[n-1].End == r.start {
			list[n-1].End = r.end()
			continue
		}
		list = append(list, Span{r.start, r.end()})
	}
	return list
}

// Gaps returns the ranges within [start, end) that are not held, in order.
func (b Body) Gaps(start, end int64) []Span {
	var one [1]run
	var list []Span
	for _, r := range from(b.list(&one), start) {
		if r.start >= end {
			break
		}
		if r.start > start {
			list = append(list, Span{start, r.start})
		}
		start = r.end()
	}
	if start < end {
		list = append(list, Span{start, end})
	}
	return list
}

// Covers reports whether all of [start, end) is held. An empty range always is; a reversed or negative one never.
func (b Body) Covers(start, end int64) bool {
	if start < 0 || end <= start {
		return start >= 0 && end == start
	}
	if b.parts == nil {
		return end <= int64(len(b.whole))
	}
	for _, r := range from(b.parts.runs, start) {
		if r.start > start {
			return false
		}
		if start = r.end(); start >= end {
			return true
		}
	}
	return false
}

// AppendBuffers appends to dst the slices that hold [start, end), in order; they must not be changed. It returns dst as
// it was when the range is not covered.
func (b Body) AppendBuffers(dst [][]byte, start, end int64) [][]byte {
	if !b.Covers(start, end) || start == end {
		return dst
	}
	if b.parts == nil {
		return append(dst, b.whole[start:end:end])
	}
	for _, r := range from(b.parts.runs, start) {
		if r.start >= end {
			break
		}
		dst = append(dst, r.cut(start, end))
	}
	return dst
}

// Merge returns the union of b and other (RFC 9111 §3.4: the caller has compared the validators). Where both hold a
// byte, b's is taken. A body keeps at most 256 spans that are apart; beyond, the shortest are dropped.
func (b Body) Merge(other Body) Body {
	if b.Held() == 0 {
		return other
	}
	var one, two [1]run
	mine := b.list(&one)
	runs := slices.Clone(mine)
	for _, r := range other.list(&two) {
		for _, gap := range b.Gaps(r.start, r.end()) {
			runs = append(runs, run{gap.Start, owned(r.cut(gap.Start, gap.End), cap(r.b))})
		}
	}
	if len(runs) == len(mine) {
		return b
	}
	slices.SortFunc(runs, func(x, y run) int { return cmp.Compare(x.start, y.start) })
	return ofRuns(joined(bounded(runs)))
}

// owned returns piece, copied unless it is most of the memory of size bytes that it would keep alive.
func owned(piece []byte, size int) []byte {
	if len(piece) >= size-size/8 {
		return piece
	}
	b := make([]byte, len(piece))
	copy(b, piece)
	return b
}

// bounded drops the shortest spans when there are too many. It may change runs.
func bounded(runs []run) []run {
	if len(runs) <= maxSpans {
		return runs
	}
	list := spans(runs)
	if len(list) <= maxSpans {
		return runs
	}
	slices.SortFunc(list, func(x, y Span) int { return cmp.Compare(y.End-y.Start, x.End-x.Start) })
	dropped := list[maxSpans:]
	slices.SortFunc(dropped, func(x, y Span) int { return cmp.Compare(x.Start, y.Start) })
	kept := runs[:0]
	for _, r := range runs {
		for len(dropped) > 0 && dropped[0].End <= r.start {
			dropped = dropped[1:]
		}
		if len(dropped) == 0 || r.start < dropped[0].Start {
			kept = append(kept, r)
		}
	}
	return kept
}

// joined copies contiguous short runs into one, so that a body that came in many small parts ends as few slices.
func joined(runs []run) []run {
	kept := runs[:0]
	for len(runs) > 0 {
		n, size := 1, len(runs[0].b)
		for n < len(runs) && runs[n-1].end() == runs[n].start && size+len(runs[n].b) <= joinBytes {
			size += len(runs[n].b)
			n++
		}
		first := runs[0]
		if n > 1 {
			b := make([]byte, 0, size)
			for _, r := range runs[:n] {
				b = append(b, r.b...)
			}
			first.b = b
		}
		kept = append(kept, first)
		runs = runs[n:]
	}
	return kept
}
