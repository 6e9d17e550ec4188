package cache

// Sizes of segments, the pieces in which a fill takes memory.
const (
	firstSegment  = 4 << 10   // of a fill of unknown length; each following one is twice as large
	exactSegment  = 128 << 10 // up to this length a fill of known length takes all at once
	largeSegment  = 32 << 10  // first segment of a longer one
	maxSegment    = 256 << 10 // largest segment
	windowSegment = 64 << 10  // segment of a window
	windowBytes   = 256 << 10 // bytes that a windowed fill holds at most
	floorSegment  = 16 << 10  // segment of a window when the budget is used up
	floorBytes    = 2 * floorSegment
	probeSegment  = 512 // space to find the end in when all that may come has come
)

// segment is a piece of a fill's bytes from offset start on; the capacity of b is the memory it takes.
type segment struct {
	start int64
	b     []byte
}

func (g *segment) end() int64 { return g.start + int64(len(g.b)) }

// free returns the free space of the last segment.
func (f *Fill) free() []byte {
	if len(f.segments) == 0 {
		return nil
	}
	b := f.segments[len(f.segments)-1].b
	return b[len(b):cap(b)]
}

// grow adds a segment. It reports false when the writer has to wait.
func (f *Fill) grow() bool {
	if !f.windowed {
		if f.keep() {
			return true
		}
		f.windowed = true
	}
	f.drop()
	switch {
	case f.spare != nil:
		f.segments = append(f.segments, segment{f.end, f.spare[:0]})
		f.spare = nil
	case (f.charged+windowSegment <= windowBytes || f.served()) && f.budget.take(windowSegment):
		f.add(windowSegment)
	case f.charged+floorSegment <= floorBytes || f.served():
		f.budget.force(floorSegment)
		f.add(floorSegment)
	default:
		return false
	}
	return true
}

// keep adds a segment to a fill that keeps everything. It reports false when the fill has to become a window.
func (f *Fill) keep() bool {
	received := f.end - f.start
	if received == f.limit || received == f.expected {
		f.budget.force(probeSegment)
		f.add(probeSegment)
		return true
	}
	size := min(f.nextSize(), f.limit-received)
	if !f.budget.take(size) {
		return false
	}
	f.add(size)
	return true
}

// served reports whether every reader was handed all there is. A window then grows whatever it holds, for its only
// reader may be the goroutine that writes.
func (f *Fill) served() bool {
	if !f.attached {
		return false
	}
	for r := f.readers; r != nil; r = r.next {
		if r.pos < f.end {
			return false
		}
	}
	return true
}

func (f *Fill) add(size int64) {
	f.charged += size
	f.segments = append(f.segments, segment{f.end, make([]byte, 0, size)})
}

// nextSize returns the size of the next segment of a fill that keeps everything.
func (f *Fill) nextSize() int64 {
	rest := f.expected - (f.end - f.start)
	if rest > 0 && (rest <= exactSegment || len(f.segments) > 0 && rest <= maxSegment/2) {
		return rest
	}
	if len(f.segments) == 0 && rest > 0 {
		return largeSegment
	}
	if len(f.segments) == 0 {
		return firstSegment
	}
	size := min(2*int64(cap(f.segments[len(f.segments)-1].b)), maxSegment)
	if rest > 0 {
		size = min(size, rest)
	}
	return size
}

// drop gives up the segments of a window that every reader has passed. One of them is kept as the spare one.
func (f *Fill) drop() {
	slowest := f.slowest()
	n := 0
	for n < len(f.segments) && f.segments[n].end() <= slowest {
		b := f.segments[n].b
		f.segments[n].b = nil
		n++
		if f.spare == nil && cap(b) == windowSegment && !f.dropped {
			f.spare = b
			continue
		}
		f.charged -= int64(cap(b))
		f.budget.give(int64(cap(b)))
	}
	f.segments = f.segments[:copy(f.segments, f.segments[n:])]
}

// slowest returns the offset that every reader has passed: before the first reader came, where the fill begins.
func (f *Fill) slowest() int64 {
	if !f.attached {
		return f.start
	}
	slowest := f.end
	for r := f.readers; r != nil; r = r.next {
		slowest = min(slowest, r.held)
	}
	return slowest
}

// rightsize makes the body of the segments, without spare capacity.
func (f *Fill) rightsize() {
	size := f.end - f.start
	if n := len(f.segments); n > 0 && len(f.segments[n-1].b) == 0 {
		f.segments = f.segments[:n-1] // the writer found the end in it
	}
	if n := len(f.segments); n > 1 && size <= exactSegment {
		b := make([]byte, 0, size)
		for _, g := range f.segments {
			b = append(b, g.b...)
		}
		f.segments = append(f.segments[:0], segment{f.start, b})
	} else if n > 0 {
		last := &f.segments[n-1]
		last.b = owned(last.b, cap(last.b))
	}
	held := int64(0)
	for _, g := range f.segments {
		held += int64(cap(g.b))
	}
	f.budget.give(f.charged - held)
	f.charged = held
	f.body = bodyOf(f.segments)
}

// bodyOf returns the body of the segments.
func bodyOf(segments []segment) Body {
	if len(segments) == 1 {
		return NewPart(segments[0].start, segments[0].b)
	}
	runs := make([]run, 0, len(segments))
	for _, g := range segments {
		runs = append(runs, run(g))
	}
	return ofRuns(runs)
}
