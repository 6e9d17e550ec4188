package cache

import (
	"errors"
	"sync"
	"time"
)

// Errors of fills and their readers.
var (
	// ErrAbandoned is returned to a fill's writer when nobody reads it any more.
	ErrAbandoned = errors.New("cache: fill abandoned")
	// ErrCanceled is returned to a reader that was cancelled.
	ErrCanceled = errors.New("cache: reader cancelled")
	// ErrLagging is returned to a reader that was dropped because it held back others for too long.
	ErrLagging = errors.New("cache: reader lags behind")
	// ErrClosed is returned to a fill's writer after Close.
	ErrClosed = errors.New("cache: fill closed")
)

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

	defaultPatience = 5 * time.Second
)

// FillOptions configures a Fill.
type FillOptions struct {
	// Start is the offset of the first byte in the representation, not 0 for a part (RFC 9110 §14.4).
	Start int64
	// Expected is the number of bytes that will come, -1 when unknown. It sizes memory; it is not enforced.
	Expected int64
	// Patience is for how long a reader of a windowed fill may hold back the others before it is dropped with
	// ErrLagging. It is dropped only if another one has read all there is. 0: 5 seconds.
	Patience time.Duration
	// OnAbandon, if not nil, is called once when a fill that is not closed has lost its last reader, in the goroutine
	// that closed that reader. A reader that never came is not missed.
	OnAbandon func()
}

// Fill is a body that is being received: one writer appends to it, any number of readers follow, each at its own speed.
//
// At first a fill keeps everything and can be stored in the end. When it exceeds the limit for one object, or the bound
// for all fills, it becomes a window: bytes that the slowest reader has passed are dropped, the writer blocks while 256
// KiB are unread, and it cannot be stored any more. When the bound is used up, a window may still hold 32 KiB beyond it,
// so that every fill goes on.
//
// Buffer, Advance and Close are the writer's, for one goroutine at a time. The other methods may be called from any.
type Fill struct {
	budget    *budget
	limit     int64 // bytes that may be kept
	start     int64
	expected  int64
	patience  time.Duration
	onAbandon func()

	mu        sync.Mutex
	readable  sync.Cond // readers wait for bytes or the end
	writable  sync.Cond // the writer waits for room
	segments  []segment // what is held, in order; the last one may have free space
	spare     []byte    // a passed segment of a window, for reuse
	end       int64     // offset after the last byte received
	charged   int64     // bytes charged to budget
	windowed  bool
	closed    bool
	abandoned bool
	err       error
	body      Body
	inline    [2]segment // where segments begins
	first     FillReader // the first reader
	readers   *FillReader
	attached  bool // there was a reader
	waiting   int  // readers in a wait
	dropped   bool // a reader was dropped and may still look at a segment
	blocked   bool // the writer is in a wait
	laggards  *time.Timer
}

// segment is a piece of a fill's bytes from offset start on; the capacity of b is the memory it takes.
type segment struct {
	start int64
	b     []byte
}

func (g *segment) end() int64 { return g.start + int64(len(g.b)) }

// NewFill begins a fill. The caller must Close it.
func (s *Store[M]) NewFill(o FillOptions) *Fill {
	f := &Fill{
		budget: s.fills, limit: s.MaxObjectBytes(),
		start: o.Start, end: o.Start, expected: o.Expected,
		patience: o.Patience, onAbandon: o.OnAbandon,
	}
	if f.patience == 0 {
		f.patience = defaultPatience
	}
	f.windowed = o.Expected > f.limit
	f.segments = f.inline[:0]
	f.readable.L, f.writable.L = &f.mu, &f.mu
	f.budget.count.Add(1)
	return f
}

// Buffer returns space to read into, at least one byte. In a window it blocks until readers have advanced. The error is
// ErrAbandoned when nobody reads any more, ErrClosed after Close.
func (f *Fill) Buffer() ([]byte, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for {
		if f.closed {
			return nil, ErrClosed
		}
		if f.abandoned {
			return nil, ErrAbandoned
		}
		if b := f.free(); len(b) > 0 {
			return b, nil
		}
		if f.grow() {
			continue
		}
		f.blocked = true
		f.urge()
		f.writable.Wait()
		f.blocked = false
	}
}

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

// Advance says that the first n bytes of the last Buffer were filled.
func (f *Fill) Advance(n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if n == 0 || f.closed {
		return
	}
	g := &f.segments[len(f.segments)-1]
	g.b = g.b[:len(g.b)+n]
	f.end += int64(n)
	f.windowed = f.windowed || f.end-f.start > f.limit
	f.wake()
}

// wake wakes the readers that wait; a reader that is busy finds the bytes without.
func (f *Fill) wake() {
	if f.waiting > 0 {
		f.readable.Broadcast()
	}
}

// Close ends the fill: nil when the body is proven whole, otherwise the error that cut it, which readers get after the
// bytes. Only the first call counts.
func (f *Fill) Close(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return
	}
	f.closed, f.err = true, err
	if f.laggards != nil {
		f.laggards.Stop()
	}
	if err == nil && !f.windowed {
		f.rightsize()
	}
	f.wake()
	f.writable.Signal()
	f.settle()
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

// Body returns the received body. It reports false unless the fill was closed with nil and was never windowed.
func (f *Fill) Body() (Body, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.body, f.closed && f.err == nil && !f.windowed
}

// Storable reports whether the fill can still be stored: it is not windowed, cut or abandoned.
func (f *Fill) Storable() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return !f.windowed && !f.abandoned && f.err == nil
}

// End returns the offset after the last byte received so far.
func (f *Fill) End() int64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.end
}

// settle gives the charge back when the fill is over: closed and without readers. A stored body is charged to the store
// by then; a reader that still comes sees that body.
func (f *Fill) settle() {
	if !f.closed || f.readers != nil {
		return
	}
	if f.windowed || f.err != nil {
		f.segments = nil
	}
	f.spare = nil
	if f.charged >= 0 {
		f.budget.give(f.charged)
		f.budget.count.Add(-1)
	}
	f.charged = -1
}
