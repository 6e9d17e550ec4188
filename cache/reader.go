package cache

import (
	"io"
	"sort"
	"time"
)

// FillReader reads a fill as it grows. Its methods are for one goroutine, Cancel excepted.
type FillReader struct {
	fill *Fill
	pos  int64 // next byte to return
	held int64 // first byte that the reader may still look at
	err  error // set when cancelled or dropped
	next *FillReader
	prev *FillReader
	gone bool
}

// NewReader returns a reader from offset off on, which may lie ahead of what has come. It reports false when the bytes
// there are not held any more (or never were: off lies before Start), and when the fill was abandoned or cut.
func (f *Fill) NewReader(off int64) (*FillReader, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if off < f.start || f.abandoned || f.err != nil || f.windowed && off < f.base() || f.windowed && f.closed && f.readers == nil {
		return nil, false
	}
	r := &f.first
	if f.attached {
		r = new(FillReader)
	}
	f.attached = true
	*r = FillReader{fill: f, pos: off, held: off, next: f.readers}
	if r.next != nil {
		r.next.prev = r
	}
	f.readers = r
	return r, true
}

// base returns the offset of the first byte that is held.
func (f *Fill) base() int64 {
	if len(f.segments) == 0 {
		return f.end
	}
	return f.segments[0].start
}

// Next blocks until there are bytes and returns as many as lie in one piece. They must not be changed and are valid
// until the following Next or Close. io.EOF means that the body is whole and was read to its end; any other error that
// it is cut, or ErrCanceled, or ErrLagging.
func (r *FillReader) Next() ([]byte, error) {
	f := r.fill
	f.mu.Lock()
	defer f.mu.Unlock()
	r.advance(r.pos)
	for {
		switch {
		case r.err != nil:
			return nil, r.err
		case r.pos < f.end:
			b := f.at(r.pos)
			r.pos += int64(len(b))
			return b, nil
		case f.closed && f.err != nil:
			return nil, f.err
		case f.closed:
			return nil, io.EOF
		}
		f.urge()
		f.waiting++
		f.readable.Wait()
		f.waiting--
	}
}

// at returns the bytes from off on that lie in one segment; off is held.
func (f *Fill) at(off int64) []byte {
	i := len(f.segments) - 1
	if off < f.segments[i].start {
		i = sort.Search(i, func(i int) bool { return f.segments[i].end() > off })
	}
	g := &f.segments[i]
	return g.b[off-g.start : len(g.b) : len(g.b)]
}

// advance lets go of the bytes before off and tells a writer that may wait for it.
func (r *FillReader) advance(off int64) {
	if r.held == off {
		return
	}
	r.held = off
	if r.fill.windowed {
		r.fill.writable.Signal()
	}
}

// Available returns the number of bytes that Next and its followers would return now without blocking.
func (r *FillReader) Available() int64 {
	r.fill.mu.Lock()
	defer r.fill.mu.Unlock()
	return max(r.fill.end-r.pos, 0)
}

// Offset returns the offset of the first byte that the following Next will return.
func (r *FillReader) Offset() int64 { return r.pos }

// Cancel wakes a blocked Next, which then returns ErrCanceled, as every later one does. It may be called from any
// goroutine. The reader must still be closed.
func (r *FillReader) Cancel() {
	f := r.fill
	f.mu.Lock()
	defer f.mu.Unlock()
	if r.err == nil {
		r.err = ErrCanceled
	}
	f.wake()
}

// Close gives the reader up. The last reader of a fill that is not closed abandons it.
func (r *FillReader) Close() {
	f := r.fill
	f.mu.Lock()
	if r.gone {
		f.mu.Unlock()
		return
	}
	r.gone = true
	f.detach(r)
	lost := f.readers == nil && !f.closed && !f.abandoned
	f.abandoned = f.abandoned || lost
	f.writable.Signal()
	f.settle()
	f.mu.Unlock()
	if lost && f.onAbandon != nil {
		f.onAbandon()
	}
}

// detach takes r out of the list of readers.
func (f *Fill) detach(r *FillReader) {
	if r.prev != nil {
		r.prev.next = r.next
	} else if f.readers == r {
		f.readers = r.next
	}
	if r.next != nil {
		r.next.prev = r.prev
	}
	r.next, r.prev = nil, nil
}

// urge starts the timer for laggards when some readers block the writer while another one waits for bytes.
func (f *Fill) urge() {
	if !f.blocked || f.laggards != nil || !f.divided() {
		return
	}
	slowest := f.slowest()
	f.laggards = time.AfterFunc(f.patience, func() { f.dropLaggards(slowest) })
}

// divided reports whether one reader has read all while another one still holds up the first segment.
func (f *Fill) divided() bool {
	first := f.base()
	if len(f.segments) > 0 {
		first = f.segments[0].end()
	}
	caught, behind := false, false
	for r := f.readers; r != nil; r = r.next {
		caught = caught || r.pos >= f.end
		behind = behind || r.held < first
	}
	return caught && behind
}

// dropLaggards drops the readers that have not passed the segment which slowest lies in for as long as patience lasts.
func (f *Fill) dropLaggards(slowest int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.laggards = nil
	if f.closed || !f.blocked || !f.divided() {
		return
	}
	if f.base() > slowest {
		f.urge() // that one went on; another segment is being held up
		return
	}
	first := f.segments[0].end()
	for r := f.readers; r != nil; {
		next := r.next
		if r.held < first {
			r.err = ErrLagging
			f.dropped = true
			f.detach(r)
		}
		r = next
	}
	f.writable.Signal()
}
