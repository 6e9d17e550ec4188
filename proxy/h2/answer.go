package h2

import (
	"bytes"
	"io"
	"net"
	"net/http"
	"strings"

	"github.com/jayproxy/jay/proxy/wire"
)

// Write implements net.Conn. It takes the heads of interim answers and of the final one, and then its body as it is.
func (s *Stream) Write(p []byte) (int, error) {
	if !s.startWriting() {
		return 0, io.ErrClosedPipe
	}
	defer s.stopWriting()
	n := len(p)
	for !s.answered && len(p) > 0 {
		head, rest, err := s.collect(p)
		if err != nil {
			return 0, err
		}
		p = rest
		if head == "" {
			break
		}
		if err := s.sendHead(head); err != nil {
			return 0, err
		}
	}
	if s.answered {
		if err := s.sendBody(p); err != nil {
			return 0, err
		}
	}
	return n, nil
}

func (s *Stream) startWriting() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.writing = !s.closed
	return s.writing
}

func (s *Stream) stopWriting() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.writing = false
}

// mostHead bounds the head of an answer, which is the server's own and no larger than what it accepts from others.
const mostHead = 1 << 20

// headEnd is the end of a head.
var headEnd = []byte("\r\n\r\n")

// collect adds p to the head that is being written. Once that is whole it is returned, with what follows it.
func (s *Stream) collect(p []byte) (head string, rest []byte, err error) {
	from := max(len(s.head)-len(headEnd)+1, 0)
	before := len(s.head)
	s.head = append(s.head, p[:min(len(p), mostHead)]...)
	i := bytes.Index(s.head[from:], headEnd)
	if i < 0 {
		if len(s.head) > mostHead {
			return "", nil, net.ErrClosed
		}
		return "", nil, nil
	}
	n := from + i + len(headEnd)
	head = string(s.head[:n])
	s.head = nil
	return head, p[n-before:], nil
}

// sendHead sends the head of an answer. The fields that frame HTTP/1.1 messages or are about its connections stay here
// (RFC 9113 §8.2.2).
func (s *Stream) sendHead(head string) error {
	lim := wire.Limits{HeadBytes: mostHead, Fields: mostHead, TargetBytes: 1}
	if err := wire.ParseResponse(head, s.r.Method, lim, &s.response); err != nil {
		return err
	}
	h := s.w.Header()
	clear(h)
	for i := range s.response.Fields.Len() {
		name, value := s.response.Fields.At(i)
		if key := http.CanonicalHeaderKey(name); !connectionField(key) {
			h[key] = append(h[key], value)
		}
	}
	if s.response.Status < 200 {
		s.w.WriteHeader(s.response.Status)
		clear(h)
		return nil
	}
	for _, key := range []string{"Date", "Content-Type"} {
		if _, ok := h[key]; !ok {
			h[key] = nil // or the library would make one up
		}
	}
	s.answered = true
	s.left = s.expected()
	s.w.WriteHeader(s.response.Status)
	clear(h) // what is in it at the end of the stream may become a trailer
	return nil
}

// expected is the length of the final answer's body.
func (s *Stream) expected() int64 {
	r := &s.response
	switch {
	case r.Body.Length > 0:
		return r.Body.Length
	case s.r.Method == "CONNECT" && r.Status < 300, r.Body.Chunked, r.Body.UntilClose:
		return -1
	}
	return 0
}

// connectionField reports whether a field is about an HTTP/1.1 connection.
func connectionField(key string) bool {
	switch key {
	case "Connection", "Keep-Alive", "Proxy-Connection", "Transfer-Encoding", "Upgrade":
		return true
	}
	return strings.HasPrefix(key, http.TrailerPrefix)
}

// sendBody sends a part of the body, and with it the head if that is still here. What completes the body waits for the end
// of the stream, which follows at once, to be sent with it.
func (s *Stream) sendBody(p []byte) error {
	if s.left >= 0 {
		if int64(len(p)) > s.left {
			return http.ErrContentLength
		}
		s.left -= int64(len(p))
	}
	if len(p) > 0 {
		if _, err := s.w.Write(p); err != nil {
			return err
		}
	}
	if s.left == 0 {
		return nil
	}
	return s.rc.Flush()
}

// Trailers ends a body of unknown length with trailer fields, of which drop refuses some. Both may be nil.
func (s *Stream) Trailers(f *wire.Fields, drop func(name string) bool) {
	if f == nil || !s.answered {
		return
	}
	h := s.w.Header()
	for i := range f.Len() {
		name, value := f.At(i)
		if drop == nil || !drop(name) {
			key := http.TrailerPrefix + http.CanonicalHeaderKey(name)
			h[key] = append(h[key], value)
		}
	}
}
