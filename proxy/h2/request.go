package h2

import (
	"io"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// appendHead appends the request's head in HTTP/1.1. What the library has let through and HTTP/1.1 cannot carry is refused:
// a byte too many would be a request too many.
func (s *Stream) appendHead(dst []byte, self func(string) bool) ([]byte, bool) {
	r := s.r
	if r.RequestURI == "*" && r.Method != "OPTIONS" {
		return nil, false
	}
	if !bare(r.Method) || !bare(r.Host) || !bare(r.RequestURI) || r.Method == "" {
		return nil, false
	}
	dst = append(append(dst, r.Method...), ' ')
	switch {
	case r.Method == "CONNECT":
		if r.Host == "" {
			return nil, false
		}
		dst = append(dst, r.Host...)
	case r.Host == "" || r.TLS != nil && self(r.Host):
		dst = append(dst, r.RequestURI...)
	default:
		dst = append(dst, s.absolute()...)
	}
	dst = append(dst, " HTTP/1.1\r\nHost: "...)
	dst = append(append(dst, r.Host...), "\r\n"...)
	s.body = r.Body
	if r.Method != "CONNECT" {
		dst = s.frame(dst)
	}
	return s.appendFields(dst)
}

// absolute is the request's target (RFC 9113 §8.3.1). OPTIONS * is that of an URL without a path (RFC 9112 §3.2.4).
func (s *Stream) absolute() string {
	scheme, path := "http://", s.r.RequestURI
	if s.r.TLS != nil { // the library has it for :scheme https only
		scheme = "https://"
	}
	if path == "*" {
		path = ""
	}
	return scheme + s.r.Host + path
}

// frame tells where the body ends, as far as its fields do not.
func (s *Stream) frame(dst []byte) []byte {
	if s.r.ContentLength >= 0 {
		return dst
	}
	s.chunked = true
	dst = append(dst, "Transfer-Encoding: chunked\r\n"...)
	if len(s.r.Trailer) > 0 {
		dst = append(dst, "Trailer: "...)
		dst = append(dst, strings.Join(slices.Sorted(maps.Keys(s.r.Trailer)), ", ")...)
		dst = append(dst, "\r\n"...)
	}
	return dst
}

// appendFields appends the request's fields and the end of its head. Their order is that of their names, for the library
// has dropped the one they had.
func (s *Stream) appendFields(dst []byte) ([]byte, bool) {
	for _, name := range slices.Sorted(maps.Keys(s.r.Header)) {
		if name == "Transfer-Encoding" {
			return nil, false
		}
		for _, value := range s.r.Header[name] {
			if !bare(name) || strings.ContainsAny(value, "\r\n\x00") {
				return nil, false
			}
			if name == "Content-Length" && s.r.ContentLength == 0 && strings.Trim(value, "0") != "" {
				return nil, false // there is no body, or the library could not make sense of its length
			}
			dst = append(append(dst, name...), ": "...)
			dst = append(append(dst, value...), "\r\n"...)
		}
	}
	return append(dst, "\r\n"...), true
}

// bare reports whether text has nothing in it that could end a word of HTTP/1.1.
func bare(text string) bool {
	return !strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r == 0x7f })
}

// A chunk has room for its size line in front and its end behind.
const (
	chunkFront = 8
	chunkData  = 16 << 10
	chunkEnd   = "\r\n"
)

var chunks = sync.Pool{New: func() any { b := make([]byte, chunkFront+chunkData+len(chunkEnd)); return &b }}

// Read implements net.Conn. After the request it waits until the client gives the stream up.
func (s *Stream) Read(p []byte) (int, error) {
	for len(s.in) == 0 {
		if err := s.fetch(); err != nil {
			return 0, err
		}
	}
	n := copy(p, s.in)
	s.in = s.in[n:]
	return n, nil
}

// fetch waits for more to be read.
func (s *Stream) fetch() error {
	if s.isClosed() {
		return io.ErrClosedPipe
	}
	if s.failed != nil {
		return s.failed
	}
	passed := s.readBy.wait()
	select {
	case <-passed:
		return timeout
	default:
	}
	if s.ended {
		select {
		case <-s.r.Context().Done():
			return errGone
		case <-passed:
			return s.woken()
		}
	}
	s.ask()
	select {
	case p := <-s.got:
		s.waiting = false
		return s.take(p)
	case <-passed:
		return s.woken()
	}
}

// woken is why a read was woken.
func (s *Stream) woken() error {
	if s.isClosed() {
		return io.ErrClosedPipe
	}
	return timeout
}

// ask has the body read once, by a goroutine that ends with that: the one who asks may stop to wait for it, and ask again.
func (s *Stream) ask() {
	if s.waiting {
		return
	}
	if s.chunk == nil {
		s.chunk = chunks.Get().(*[]byte)
	}
	s.waiting = true
	buf, body, got := (*s.chunk)[chunkFront:chunkFront+chunkData], s.body, s.got
	go func() {
		n, err := body.Read(buf)
		got <- piece{n, err}
	}()
}

// take makes what was read of the body what is read next.
func (s *Stream) take(p piece) error {
	end := chunkFront + p.n
	b := *s.chunk
	switch {
	case p.n == 0:
	case s.chunked:
		end += copy(b[end:], chunkEnd)
		size := strconv.FormatInt(int64(p.n), 16) + chunkEnd
		copy(b[chunkFront-len(size):], size)
		s.in = b[chunkFront-len(size) : end]
	default:
		s.in = b[chunkFront:end]
	}
	switch {
	case p.err == nil:
		return nil
	case p.err != io.EOF:
		s.failed = errGone
	case s.r.Method == "CONNECT":
		s.failed = io.EOF
	default:
		s.ended = true
		if s.chunked {
			s.in = append(s.in[:len(s.in):len(s.in)], s.lastChunk()...)
		}
	}
	if len(s.in) > 0 {
		return nil
	}
	return s.failed
}

// lastChunk ends a chunked body, with the trailers that came.
func (s *Stream) lastChunk() []byte {
	dst := []byte("0\r\n")
	for _, name := range slices.Sorted(maps.Keys(s.r.Trailer)) {
		for _, value := range s.r.Trailer[name] {
			if bare(name) && !strings.ContainsAny(value, "\r\n\x00") && http.CanonicalHeaderKey(name) != "Content-Length" {
				dst = append(append(append(append(dst, name...), ": "...), value...), "\r\n"...)
			}
		}
	}
	return append(dst, "\r\n"...)
}
