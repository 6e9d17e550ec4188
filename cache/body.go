package cache

// Span is a half-open range of byte offsets of a representation: Start is in it, End is not.
type Span struct{ Start, End int64 }

// Body is an immutable set of byte runs of one representation. The zero value holds nothing. It is cheap to copy.
type Body struct {
	whole []byte
}

// NewBody returns the body that holds b from offset 0 on. It keeps b, which must not change any more.
func NewBody(b []byte) Body { panic("cache: not yet") }

// NewPart returns the body that holds b from offset start on. It keeps b.
func NewPart(start int64, b []byte) Body { panic("cache: not yet") }

// Held returns the number of bytes held.
func (b Body) Held() int64 { panic("cache: not yet") }

// Spans returns the held ranges in order, apart from each other.
func (b Body) Spans() []Span { panic("cache: not yet") }

// Gaps returns the ranges within [start, end) that are not held.
func (b Body) Gaps(start, end int64) []Span { panic("cache: not yet") }

// Covers reports whether all of [start, end) is held.
func (b Body) Covers(start, end int64) bool { panic("cache: not yet") }

// Merge returns the union of b and other; where both hold a byte, b's is kept.
func (b Body) Merge(other Body) Body { panic("cache: not yet") }

// AppendBuffers appends the buffers that hold [start, end), in order, and returns dst unchanged when it is not covered.
func (b Body) AppendBuffers(dst [][]byte, start, end int64) [][]byte { panic("cache: not yet") }

// Bytes returns the body as one slice if it is held as one that begins at offset 0.
func (b Body) Bytes() ([]byte, bool) { panic("cache: not yet") }
