package h2

import (
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/jayproxy/jay/proxy/wire"
)

// errGone is what reading from a stream gives once the client has given it up.
var errGone = errors.New("h2: the client has reset the stream")

// Stream is one request of a client and its answer, as a connection on which one HTTP/1.1 exchange takes place. Reading and
// writing may go on at the same time; it ends when the function that [Conn.Serve] called returns.
type Stream struct {
	w  http.ResponseWriter
	rc *http.ResponseController
	r  *http.Request
	nc net.Conn

	in      []byte // what is to be read next; a view of chunk or the head
	body    io.Reader
	chunked bool // the body has no length of its own
	ended   bool // the body was read to its end
	failed  error
	waiting bool       // a read of the body is under way
	got     chan piece // what came of it
	chunk   *[]byte
	readBy  deadline

	mu      sync.Mutex
	writing bool
	closed  bool
	over    bool // the library has taken the answer back
	cut     bool

	head     []byte // the head of the answer, as far as it was written
	response wire.Response
	answered bool  // the head of the final answer went out
	left     int64 // bytes of the answer's body that are to come; -1: its end tells
}

// piece is what one read of a request's body gave.
type piece struct {
	n   int
	err error
}

func newStream(nc net.Conn, w http.ResponseWriter, r *http.Request) *Stream {
	s := &Stream{w: w, rc: http.NewResponseController(w), r: r, nc: nc, got: make(chan piece, 1)}
	s.readBy.init()
	return s
}

// Begin puts the request's head in front of what is read. It returns false, and nothing can be read, if the request cannot
// be expressed in HTTP/1.1. self are the names by which the client may mean the server itself, as they stand in :authority;
// a request for one of them has an origin-form target.
func (s *Stream) Begin(self func(authority string) bool) bool {
	head, ok := s.appendHead(nil, self)
	s.in = head
	s.ended = s.ended || !ok
	return ok
}

// Answered reports whether the final answer has begun.
func (s *Stream) Answered() bool { return s.answered }

// Refuse answers with a status code and a line of text, without anything having been read.
func (s *Stream) Refuse(status int, text string) {
	s.answered = true
	s.w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	s.w.WriteHeader(status)
	_, _ = io.WriteString(s.w, text) // nobody to tell
}

// Reset has the stream end in RST_STREAM: the client must not take the answer for whole.
func (s *Stream) Reset() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cut = true
}

// finish ends the stream, with a reset where that was asked for, or where there is no whole answer.
func (s *Stream) finish() {
	if e := recover(); e != nil {
		s.retire()
		panic(http.ErrAbortHandler)
	}
	s.retire()
	if s.cut || !s.answered || s.left > 0 {
		panic(http.ErrAbortHandler)
	}
}

// retire takes the stream out of use: from now on the library may use its parts again.
func (s *Stream) retire() {
	s.mu.Lock()
	s.closed, s.over = true, true
	s.mu.Unlock()
	if s.waiting {
		_ = s.rc.SetReadDeadline(past) // wakes the read for good
		<-s.got
		s.waiting = false
	}
	s.readBy.set(time.Time{})
	if s.chunk != nil {
		chunks.Put(s.chunk)
		s.chunk = nil
	}
}

// past is a time that has passed.
var past = time.Unix(1, 0)

// Close implements net.Conn. It wakes reads and writes; the client learns of the end when the stream's function returns.
func (s *Stream) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil
	}
	s.closed = true
	if s.writing {
		s.cut = true
		_ = s.rc.SetWriteDeadline(past)
	}
	s.readBy.set(past)
	return nil
}

func (s *Stream) isClosed() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.closed
}

// LocalAddr implements net.Conn.
func (s *Stream) LocalAddr() net.Addr { return s.nc.LocalAddr() }

// RemoteAddr implements net.Conn.
func (s *Stream) RemoteAddr() net.Addr { return s.nc.RemoteAddr() }

// SetDeadline implements net.Conn.
func (s *Stream) SetDeadline(t time.Time) error {
	return errors.Join(s.SetReadDeadline(t), s.SetWriteDeadline(t))
}

// SetReadDeadline implements net.Conn.
func (s *Stream) SetReadDeadline(t time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return net.ErrClosed
	}
	s.readBy.set(t)
	return nil
}

// SetWriteDeadline implements net.Conn. A write that misses its deadline resets the stream.
func (s *Stream) SetWriteDeadline(t time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return net.ErrClosed
	}
	return s.rc.SetWriteDeadline(t)
}

// deadline wakes waiting reads at a time that may be moved.
type deadline struct {
	mu     sync.Mutex
	timer  *time.Timer
	passed chan struct{} // closed when the time has come
}

func (d *deadline) init() { d.passed = make(chan struct{}) }

func (d *deadline) wait() <-chan struct{} {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.passed
}

// set moves the deadline; the zero time is never.
func (d *deadline) set(t time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.timer != nil && !d.timer.Stop() {
		<-d.passed // it is about to be closed, without the lock
	}
	d.timer = nil
	select {
	case <-d.passed:
		d.passed = make(chan struct{})
	default:
	}
	if t.IsZero() {
		return
	}
	if wait := time.Until(t); wait > 0 {
		passed := d.passed
		d.timer = time.AfterFunc(wait, func() { close(passed) })
		return
	}
	close(d.passed)
}

// timeout is the error of a read whose deadline has passed.
var timeout error = &net.OpError{Op: "read", Net: "h2", Err: os.ErrDeadlineExceeded}
