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

// defaultPatience is what a zero FillOptions.Patience means.
const defaultPatience = 5 * time.Second

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
