package wire

import "io"

// Body reads the body of one message from a Reader. Its zero value is an empty
// body that is whole.
//
// A body is partial until it is proven whole (RFC 9112 §8): Read returns
// io.EOF only once its framing says that all of it was there, and
// io.ErrUnexpectedEOF when the connection ended before.
type Body struct {
	r        *Reader
	mode     bodyMode
	started  bool
	state    chunkState
	left     int64 // bytes that are still to come, of the body or of the chunk
	digits   int   // of the chunk size that is being read
	extBytes int   // of chunk extensions so far
	section  section
	trailers *Fields
	err      error // for good
}

// bodyMode is how the end of a body is found.
type bodyMode uint8

const (
	bodyDone bodyMode = iota
	bodyLength
	bodyChunked
	bodyUntilClose
)

// Read reads up to len(p) bytes of the body, of chunked bodies only the data.
// What is not buffered it reads from the connection straight into p, and never
// beyond the end of the body. It blocks only while it has no byte to give.
//
// The error is io.EOF when the body is whole, io.ErrUnexpectedEOF when the
// connection broke off before, and an *Error when the chunked coding is
// malformed. All these are final; a time-out is not.
func (b *Body) Read(p []byte) (int, error) {
	if b.err != nil {
		return 0, b.err
	}
	if b.mode == bodyDone {
		return 0, io.EOF
	}
	if len(p) == 0 {
		return 0, nil
	}
	switch b.mode {
	case bodyLength:
		n, err := b.readData(p)
		if b.left == 0 {
			b.mode = bodyDone
		}
		return n, err
	case bodyChunked:
		return b.readChunked(p)
	}
	n, err := b.r.take(p)
	b.started = b.started || n > 0
	if err == io.EOF && !endedBelow(b.r.conn) {
		b.mode = bodyDone
		return n, io.EOF
	}
	return n, b.fail(err)
}

// readData reads data of which b.left bytes are still to come.
func (b *Body) readData(p []byte) (int, error) {
	if int64(len(p)) > b.left {
		p = p[:b.left]
	}
	n, err := b.r.take(p)
	b.left -= int64(n)
	b.started = b.started || n > 0
	return n, b.fail(err)
}

// fail keeps an error that is for good.
func (b *Body) fail(err error) error {
	if err == nil || isTimeout(err) {
		return err
	}
	b.err = cut(err)
	return b.err
}

// Whole reports whether the body is proven whole and all of it has been read.
// It may be so before Read has returned io.EOF.
func (b *Body) Whole() bool { return b.mode == bodyDone }

// Started reports whether any byte of the body has been consumed, the framing
// of the chunked coding included.
func (b *Body) Started() bool { return b.started }

// Remaining is the number of bytes that are still to come, or -1 when only the
// end of the body will tell.
func (b *Body) Remaining() int64 {
	switch b.mode {
	case bodyDone:
		return 0
	case bodyLength:
		return b.left
	}
	return -1
}

// Trailers are the trailer fields of a chunked body that is whole, nil if
// there were none. They own their memory. The limits of the message's head
// held for them too.
func (b *Body) Trailers() *Fields { return b.trailers }
