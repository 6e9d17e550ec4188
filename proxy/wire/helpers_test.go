package wire_test

import (
	"errors"
	"io"
	"net"
	"testing"

	"github.com/jayproxy/jay/proxy/wire"
)

// script is a connection that gives prepared pieces, one per Read, and then
// its error.
type script struct {
	net.Conn // nil: only Read is ever called
	pieces   []string
	step     int // at most so many bytes per Read; 0: no bound
	err      error
}

func (c *script) Read(p []byte) (int, error) {
	for len(c.pieces) > 0 && c.pieces[0] == "" {
		c.pieces = c.pieces[1:]
	}
	if len(c.pieces) == 0 {
		return 0, c.err
	}
	if c.step > 0 {
		p = p[:min(len(p), c.step)]
	}
	n := copy(p, c.pieces[0])
	c.pieces[0] = c.pieces[0][n:]
	return n, nil
}

// whole is a connection that gives s at once and then ends.
func whole(s string) *script { return &script{pieces: []string{s}, err: io.EOF} }

// bytewise is a connection that gives s byte by byte and then ends.
func bytewise(s string) *script { return &script{pieces: []string{s}, step: 1, err: io.EOF} }

// received is what came of one message.
type received struct {
	req      wire.Request
	resp     wire.Response
	body     string
	trailers *wire.Fields
	inBody   bool // the head was accepted
	err      error
}

// status is the status of an *Error, or 0.
func (m *received) status() int {
	var e *wire.Error
	if errors.As(m.err, &e) {
		return e.Status
	}
	return 0
}

// receiveRequest reads a request with its body.
func receiveRequest(r *wire.Reader) *received {
	var m received
	head, err := r.Head(wire.Limits{})
	if err != nil {
		m.err = err
		return &m
	}
	if m.err = wire.ParseRequest(head, wire.Limits{}, &m.req); m.err != nil {
		return &m
	}
	m.req.Detach()
	m.readBody(r, m.req.Body)
	return &m
}

// receiveResponse reads a final response to method with its body.
func receiveResponse(r *wire.Reader, method string) *received {
	var m received
	for m.resp.Status < 200 {
		head, err := r.Head(wire.Limits{})
		if err != nil {
			m.err = err
			return &m
		}
		if m.err = wire.ParseResponse(head, method, wire.Limits{}, &m.resp); m.err != nil {
			return &m
		}
	}
	m.resp.Detach()
	m.readBody(r, m.resp.Body)
	return &m
}

func (m *received) readBody(r *wire.Reader, f wire.Framing) {
	var b wire.Body
	r.Body(&b, f)
	m.inBody = true
	data, err := io.ReadAll(&b)
	m.body, m.err, m.trailers = string(data), err, b.Trailers()
	if err == nil && !b.Whole() {
		m.err = errors.New("io.EOF from a body that is not whole")
	}
}

// list is the field lines as name-value pairs.
func list(f *wire.Fields) (pairs [][2]string) {
	for i := range f.Len() {
		name, value := f.At(i)
		pairs = append(pairs, [2]string{name, value})
	}
	return pairs
}

// parseRequest parses a request head that must be good.
func parseRequest(t *testing.T, head string) *wire.Request {
	t.Helper()
	var req wire.Request
	if err := wire.ParseRequest(head, wire.Limits{}, &req); err != nil {
		t.Fatalf("ParseRequest(%.200q): %v", head, err)
	}
	return &req
}

// detail is the words of an *Error, or what err is instead.
func detail(err error) string {
	var e *wire.Error
	if errors.As(err, &e) {
		return e.Detail
	}
	if err == nil {
		return "no error"
	}
	return "not an *Error: " + err.Error()
}
