package upstream

import (
	"bytes"
	"errors"
	"io"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jayproxy/jay/proxy/wire"
)

// A send buffer holds a piece of body, with room before it for the size line of
// a chunk and behind it for the end of a chunk and of a body without trailers.
const (
	sendBufferSize = 32 << 10
	chunkRoom      = 12
	chunkEnd       = 8
)

var sendBuffers = sync.Pool{New: func() any { return new([sendBufferSize]byte) }}

// The states of a sender. It ends in one of the last two.
const (
	sending int32 = iota // more of the body may come
	ending               // the last bytes are being written
	sent                 // the request is complete
	failed               // it never will be
)

var (
	errStopped   = errors.New("the rest of the request is not wanted")
	errNoFraming = errors.New("request with a body, but without a framing of it")
	errTooLong   = errors.New("request body is longer than announced")
)

// sender sends the body of one request.
type sender struct {
	cn      *conn
	r       *Request
	buf     *[sendBufferSize]byte
	left    int64 // bytes of the announced length that were not read yet; -1: chunked
	began   time.Time
	state   atomic.Int32
	stopped atomic.Bool
	last    atomic.Int64  // when bytes last went out: nanoseconds after began
	moved   atomic.Bool   // some of the body was read
	done    chan struct{} // closed at the end
	touched bool          // the body may have been read
	err     error         // why it failed; to be read after done
}

// sendBody sends as much of r's body with its head as can be had at once, and
// leaves the rest to a goroutine. An error means that there is no goroutine.
func (x *Response) sendBody(r *Request) error {
	left, err := bodyLength(r)
	if err != nil {
		return err
	}
	s := &sender{cn: x.cn, r: r, left: left, began: x.RequestTime, done: make(chan struct{})}
	s.buf = sendBuffers.Get().(*[sendBufferSize]byte)
	x.sender = s
	end, err := s.begin()
	if end || err != nil {
		s.finish(err)
		return err
	}
	s.touched = true
	go s.run()
	return nil
}

// begin sends the head, together with the beginning of a buffered body, and
// reports whether that was all.
func (s *sender) begin() (end bool, err error) {
	room := len(s.r.Head) + chunkRoom
	if !s.r.Buffered || room > sendBufferSize/2 {
		return false, s.write(s.r.Head)
	}
	s.touched = true
	free := s.buf[room : sendBufferSize-chunkEnd]
	n := 0
	for n < len(free) && !end && err == nil {
		var m int
		m, end, err = s.read(free[n:])
		n += m
	}
	if err != nil {
		return false, err
	}
	return end, s.write(s.frame(s.r.Head, room, n, end))
}

// run sends the rest.
func (s *sender) run() {
	s.finish(s.sendRest())
}

// sendRest sends the body piece by piece, each as it comes.
func (s *sender) sendRest() error {
	for end := false; !end; {
		n, eof, err := s.read(s.buf[chunkRoom : sendBufferSize-chunkEnd])
		if err != nil {
			return err
		}
		if err := s.write(s.frame(nil, chunkRoom, n, eof)); err != nil {
			return err
		}
		end = eof
	}
	return nil
}

// bodyLength returns the length of r's body as its head announces it, -1 if it is
// chunked. Without either the origin would take the body for another request.
func bodyLength(r *Request) (int64, error) {
	if r.Chunked {
		if strings.EqualFold(fieldOf(r.Head, "Transfer-Encoding"), "chunked") {
			return -1, nil
		}
	} else if n, err := strconv.ParseInt(fieldOf(r.Head, "Content-Length"), 10, 64); err == nil && n >= 0 {
		return n, nil
	}
	return 0, &Error{Kind: KindRequestError, Status: 400, Err: errNoFraming}
}

// fieldOf returns the first value of a field in a head, "" if there is none.
func fieldOf(head []byte, name string) string {
	for line := range bytes.Lines(head) {
		if len(line) > len(name) && line[len(name)] == ':' && strings.EqualFold(string(line[:len(name)]), name) {
			return string(bytes.TrimSpace(line[len(name)+1:]))
		}
	}
	return ""
}

// read reads a piece of the body and reports whether it was the last. What comes
// is of the announced length or an error.
func (s *sender) read(p []byte) (n int, end bool, err error) {
	if s.stopped.Load() {
		return 0, false, errStopped
	}
	n, err = s.r.Body.Read(p)
	if n > 0 && !s.moved.Load() {
		s.moved.Store(true)
	}
	end = err == io.EOF
	if s.left >= 0 {
		s.left -= int64(n)
		switch {
		case s.left < 0:
			return 0, false, &BodyError{errTooLong}
		case s.left > 0 && end:
			err = io.ErrUnexpectedEOF
		}
	}
	switch {
	case err == nil || err == io.EOF:
		return n, end, nil
	case s.stopped.Load():
		return 0, false, errStopped
	}
	return 0, false, &BodyError{err}
}

// frame makes what is to be written of the n bytes of body at buf[room:],
// with head before them and, if end is set, with what ends the body. It notes
// beforehand when these bytes complete the request: its answer may come before
// their write returns.
func (s *sender) frame(head []byte, room, n int, end bool) []byte {
	start := room
	var line [chunkRoom]byte
	if s.r.Chunked && n > 0 {
		size := wire.AppendChunkHeader(line[:0], n)
		start -= copy(s.buf[start-len(size):], size)
	}
	start -= copy(s.buf[start-len(head):], head)
	out := s.buf[start : room+n]
	if s.r.Chunked && n > 0 {
		out = append(out, '\r', '\n')
	}
	if s.r.Chunked && end {
		out = wire.AppendLastChunk(out, s.trailers(), notATrailer)
	}
	if end || s.left == 0 {
		s.state.CompareAndSwap(sending, ending)
	}
	return out
}

// trailers returns the fields to send after a chunked body, if any.
func (s *sender) trailers() *wire.Fields {
	if s.r.Trailers == nil {
		return nil
	}
	return s.r.Trailers()
}

// write writes b, if there is any.
func (s *sender) write(b []byte) error {
	if len(b) == 0 {
		return nil
	}
	s.cn.limitWrite(time.Now(), s.cn.by.BodyIdleTimeout)
	_, err := s.cn.nc.Write(b)
	s.last.Store(int64(time.Since(s.began)))
	return writeError(err)
}

// finish ends the sender. A fatal error closes the connection, so that who waits
// for the answer learns of it.
func (s *sender) finish(err error) {
	sendBuffers.Put(s.buf)
	s.buf, s.err = nil, err
	if err == nil {
		s.state.Store(sent)
	} else {
		s.state.Store(failed)
	}
	close(s.done)
	if fatal(err) {
		s.cn.abort()
	}
}

// fatal reports whether a sender that failed with err makes an answer pointless:
// the body could not be read, or the origin does not take it. Other errors of
// writing leave the chance that the origin answered before it closed.
func fatal(err error) bool {
	var be *BodyError
	return errors.As(err, &be) || isTimeout(err)
}

// stop tells the sender that the rest of the body is not wanted.
func (s *sender) stop() {
	if s.stopped.Swap(true) {
		return
	}
	if s.state.Load() == sending && s.r.StopBody != nil {
		s.r.StopBody()
	}
}

// notATrailer tells which fields may not stand in a trailer section: those that
// frame, route, authenticate or control a message (RFC 9110 §6.5.1).
func notATrailer(name string) bool {
	switch strings.ToLower(name) {
	case "authorization", "cache-control", "connection", "content-encoding", "content-length", "content-range",
		"content-type", "cookie", "expect", "host", "http2-settings", "keep-alive", "max-forwards", "pragma",
		"proxy-authenticate", "proxy-authorization", "proxy-connection", "range", "set-cookie", "te", "trailer",
		"transfer-encoding", "upgrade", "via", "forwarded", "x-forwarded-for":
		return true
	}
	return len(name) > 3 && strings.EqualFold(name[:3], "if-")
}
