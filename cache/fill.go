package cache

import "errors"

// Errors of fills and their readers.
var (
	// ErrAbandoned is returned to a fill's writer when nobody reads it any more.
	ErrAbandoned = errors.New("cache: fill abandoned")
	// ErrCanceled is returned to a reader that was cancelled.
	ErrCanceled = errors.New("cache: reader cancelled")
	// ErrLagging is returned to a reader that held back others for too long.
	ErrLagging = errors.New("cache: reader lags behind")
	// ErrClosed is returned to a fill's writer after Close.
	ErrClosed = errors.New("cache: fill closed")
)

// FillOptions configures a Fill.
type FillOptions struct {
	// Start is the offset of the first byte in the representation (not 0 for a part).
	Start int64
	// Expected is the number of bytes that will come, -1 when unknown.
	Expected int64
	// OnAbandon, if not nil, is called once, from the goroutine that closes the last reader, when a fill that is not
	// closed has lost its last reader.
	OnAbandon func()
}

// Fill is a body that is being received: one writer, many readers.
type Fill struct{ _ int }

// Buffer returns space to read into, at least one byte. In window mode it blocks until readers have advanced.
func (f *Fill) Buffer() ([]byte, error) { panic("cache: not yet") }

// Advance says that the first n bytes of the last Buffer were filled.
func (f *Fill) Advance(n int) { panic("cache: not yet") }

// Close ends the fill: nil when the body is proven whole, else the error that cut it. Only the first call counts.
func (f *Fill) Close(err error) { panic("cache: not yet") }

// Body returns the received body. It reports false unless the fill was closed with nil and was never windowed.
func (f *Fill) Body() (Body, bool) { panic("cache: not yet") }

// NewReader returns a reader from offset off on; false once bytes there are gone, or the fill was abandoned.
func (f *Fill) NewReader(off int64) (*FillReader, bool) { panic("cache: not yet") }

// Storable reports whether the fill may still be stored, that is, it is not windowed.
func (f *Fill) Storable() bool { panic("cache: not yet") }

// FillReader reads a fill as it grows. Its methods except Cancel are for one goroutine.
type FillReader struct{ _ int }

// Next blocks until bytes are there and returns them; they stay valid until the following Next or Close. io.EOF: the body is whole.
func (r *FillReader) Next() ([]byte, error) { panic("cache: not yet") }

// Offset returns the offset of the first byte that the following Next will return.
func (r *FillReader) Offset() int64 { panic("cache: not yet") }

// Cancel wakes a blocked Next, which then returns ErrCanceled, and may be called from any goroutine.
func (r *FillReader) Cancel() { panic("cache: not yet") }

// Close gives up the reader.
func (r *FillReader) Close() { panic("cache: not yet") }
