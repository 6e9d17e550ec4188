package wire

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"unsafe"
)

// ErrFull is what Fill returns when it has no room to read into.
var ErrFull = errors.New("wire: buffer full")

// A Reader reads messages from a connection, one after the other. Bytes that
// follow a message stay for the next one. It is not safe for concurrent use.
//
// A Reader holds a buffer only while it has bytes in it; while it waits on a
// *net.TCPConn it holds none. Deadlines are the connection's: a read that
// times out may be repeated, after any other error the connection is of no
// further use.
type Reader struct {
	conn  net.Conn
	raw   syscall.RawConn    // nil unless conn is a TCP connection that can be polled
	poll  func(uintptr) bool // pollRead, bound once
	buf   []byte             // nil or from takeBuffer; buf[start:end] is buffered
	start int
	end   int
	err   error  // the end of the connection, for good
	lim   Limits // of the last Head
	blank bool   // the one leading empty line of the next head has been skipped

	polled    int   // what pollRead read
	polledErr error // or why not
}

// NewReader is a Reader of c. It reads from c only when asked for bytes.
func NewReader(c net.Conn) *Reader {
	r := &Reader{conn: c}
	r.initPoll()
	return r
}

// Conn is the connection that the Reader reads.
func (r *Reader) Conn() net.Conn { return r.conn }

// Buffered are the bytes that were read from the connection and not consumed.
// They stay valid until the next call that reads.
func (r *Reader) Buffered() []byte { return r.buf[r.start:r.end] }

// Pending reports whether bytes are buffered.
func (r *Reader) Pending() bool { return r.start < r.end }

// Skip consumes n of the buffered bytes, which are no part of a message.
func (r *Reader) Skip(n int) { r.start += n }

// Release gives the buffer back when nothing is in it. A connection that will
// be idle, or whose exchange may take long, should be released; the heads that
// were read from it must be detached by then.
func (r *Reader) Release() {
	if r.Pending() || r.buf == nil {
		return
	}
	giveBuffer(r.buf)
	r.buf, r.start, r.end = nil, 0, 0
}

// Wait blocks until a byte of the next message is buffered. One empty line
// before a message counts as nothing (RFC 9112 §2.2).
func (r *Reader) Wait() error {
	for {
		r.skipBlank()
		if r.Pending() {
			return nil
		}
		if err := r.fetch(); err != nil {
			return err
		}
	}
}

// Fill reads from the connection once and keeps the bytes for later: a way to
// learn that the other side has gone away. It never grows the buffer; when
// that is full it returns ErrFull without reading.
func (r *Reader) Fill() error {
	if r.err == nil && r.Pending() && r.end-r.start == len(r.buf) {
		return ErrFull
	}
	return r.fetch()
}

// fetch adds the bytes of one read to the buffer.
func (r *Reader) fetch() error {
	if r.err != nil {
		return r.err
	}
	if !r.Pending() {
		r.Release()
		if r.raw != nil {
			return r.await()
		}
		r.buf = takeBuffer(smallBuffer)
	}
	if r.end == len(r.buf) {
		r.room()
	}
	n, err := r.readConn(r.buf[r.end:])
	r.end += n
	if n == 0 {
		r.Release()
	}
	return err
}

// room makes place behind the buffered bytes.
func (r *Reader) room() {
	if r.start > 0 {
		r.end = copy(r.buf, r.buf[r.start:r.end])
		r.start = 0
		return
	}
	larger := takeBuffer(len(r.buf) * 2)
	copy(larger, r.buf)
	giveBuffer(r.buf)
	r.buf = larger
}

// readConn reads into p until there is a byte or an error, and keeps an error
// that ends the connection.
func (r *Reader) readConn(p []byte) (int, error) {
	if r.err != nil {
		return 0, r.err
	}
	for range 100 {
		n, err := r.conn.Read(p)
		if err != nil && !isTimeout(err) {
			r.err = err
		}
		if n > 0 {
			return n, nil
		}
		if err != nil {
			return 0, err
		}
	}
	return 0, io.ErrNoProgress
}

// take reads into p: what is buffered, else straight from the connection.
func (r *Reader) take(p []byte) (int, error) {
	if !r.Pending() {
		r.Release()
		return r.readConn(p)
	}
	n := copy(p, r.buf[r.start:r.end])
	r.start += n
	return n, nil
}

// isTimeout reports whether err is a deadline that passed.
func isTimeout(err error) bool {
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return true
	}
	var ne net.Error
	return errors.As(err, &ne) && ne.Timeout()
}

// cut is err, or io.ErrUnexpectedEOF when the other side ended the connection
// in one way or another.
func cut(err error) error {
	if err == io.EOF || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// skipBlank drops the one empty line that RFC 9112 §2.2 has a server ignore
// before a request.
func (r *Reader) skipBlank() {
	if !r.blank && bytes.HasPrefix(r.Buffered(), crlf) {
		r.start += len(crlf)
		r.blank = true
	}
}

// Head reads a message head up to and including its empty line, and ignores
// one empty line before it. The string is a view of the buffer: it is valid
// until the next call on the Reader, or on a Body of it, that reads or
// releases.
//
// The error is an *Error as soon as the bytes at hand cannot become a head: a
// bare CR or LF, a NUL, no HTTP version on the first line, too many bytes. It
// is io.EOF when the connection ended before the first byte, and
// io.ErrUnexpectedEOF when it did later.
func (r *Reader) Head(lim Limits) (string, error) {
	r.lim = lim.orDefault()
	s := section{head: true}
	for {
		r.skipBlank()
		n, err := s.find(r.Buffered(), r.lim)
		if err != nil {
			return "", err
		}
		if n > 0 {
			return r.cutHead(n)
		}
		if err := r.fetch(); err != nil {
			return "", r.headError(err)
		}
	}
}

// cutHead consumes a head of n bytes.
func (r *Reader) cutHead(n int) (string, error) {
	head := unsafe.String(&r.buf[r.start], n)
	if r.blank && strings.HasPrefix(head, "HTTP/") {
		// RFC 9112 §2.2 allows the empty line before a request only.
		return "", errEmptyLine
	}
	r.start += n
	r.blank = false
	return head, nil
}

// headError is the error of a read within a head.
func (r *Reader) headError(err error) error {
	if r.Pending() {
		return cut(err)
	}
	return err
}

// Body makes b the body, framed by f, of the message whose head was read last.
// b must have been read to its end before the next Head.
func (r *Reader) Body(b *Body, f Framing) {
	*b = Body{r: r}
	switch {
	case f.Chunked:
		b.mode, b.state = bodyChunked, chunkSize
	case f.UntilClose:
		b.mode = bodyUntilClose
	case f.Length > 0:
		b.mode, b.left = bodyLength, f.Length
	}
}
