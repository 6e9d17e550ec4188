// Package origin is a programmable HTTP/1.1 origin server for tests. It works
// on raw TCP: a Handler writes whatever bytes it likes, legal or not, and every
// request is re-parsed strictly by package rawhttp, so that a proxy which lets
// one client request look like two, or changes a byte, is seen.
//
// It also holds deterministic content (Content), an origin full of faults
// (Faults) and a name server stub (DNS). HTTP/2 and TLS sessions as such are
// left to crypto/tls: give Serve a tls listener.
package origin

import (
	"bufio"
	"crypto/sha256"
	"errors"
	"io"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/jayproxy/jay/e2e/rawhttp"
)

// Request is one request as the origin received it.
type Request struct {
	Conn int // number of the connection, from 0
	Seq  int // number of the request on that connection, from 0
	rawhttp.Head
	rawhttp.RequestLine
	Framing  rawhttp.Framing
	Body     []byte // the first MiB; all of it is in Size and Sum
	Size     int64
	Sum      [sha256.Size]byte
	Trailers rawhttp.Fields
	// Complete is set once the body was read to its proven end.
	Complete bool
	Received time.Time
}

// Violation is something received that is not exactly one well-formed request.
type Violation struct {
	Conn  int
	Err   error
	Bytes string // what was read of the offending head
}

// Handler answers one request. When it returns, what is left of the request
// body is read, and the connection waits for the next request unless the
// handler closed it.
type Handler func(x *Exchange)

// Origin is a listening server. Start or Serve make one.
type Origin struct {
	l       net.Listener
	handler Handler
	wg      sync.WaitGroup

	mu         sync.Mutex
	conns      map[net.Conn]bool
	accepted   int
	requests   []*Request
	violations []Violation
	closed     bool
}

// Start serves h on a free port of 127.0.0.1.
func Start(h Handler) (*Origin, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	return Serve(l, h), nil
}

// Serve serves h on l, which it closes in the end.
func Serve(l net.Listener, h Handler) *Origin {
	o := &Origin{l: l, handler: h, conns: map[net.Conn]bool{}}
	o.wg.Go(o.accept)
	return o
}

// Addr returns the address listened on, as host:port.
func (o *Origin) Addr() string { return o.l.Addr().String() }

// Port returns the port listened on.
func (o *Origin) Port() string {
	_, port, _ := net.SplitHostPort(o.Addr())
	return port
}

// URL returns the absolute http URL of path.
func (o *Origin) URL(path string) string { return "http://" + o.Addr() + path }

// Close ends all connections and waits for their handlers.
func (o *Origin) Close() {
	o.mu.Lock()
	o.closed = true
	for c := range o.conns {
		c.Close()
	}
	o.mu.Unlock()
	o.l.Close()
	o.wg.Wait()
}

// CloseConns ends the connections that are open now and goes on serving.
func (o *Origin) CloseConns() {
	o.mu.Lock()
	defer o.mu.Unlock()
	for c := range o.conns {
		c.Close()
	}
}

// Accepted returns how many connections have been accepted.
func (o *Origin) Accepted() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.accepted
}

// Open returns how many connections are open.
func (o *Origin) Open() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.conns)
}

// Requests returns the requests received so far, in order of their heads.
func (o *Origin) Requests() []Request {
	o.mu.Lock()
	defer o.mu.Unlock()
	out := make([]Request, 0, len(o.requests))
	for _, r := range o.requests {
		out = append(out, *r)
	}
	return out
}

// To returns the requests received so far for exactly that request target.
func (o *Origin) To(target string) []Request {
	return slices.DeleteFunc(o.Requests(), func(r Request) bool { return r.Target != target })
}

// Count returns how many requests for that target were received.
func (o *Origin) Count(target string) int { return len(o.To(target)) }

// Violations returns everything received that was not well-formed.
func (o *Origin) Violations() []Violation {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.Clone(o.violations)
}

func (o *Origin) accept() {
	for {
		c, err := o.l.Accept()
		if err != nil {
			return
		}
		o.mu.Lock()
		n := o.accepted
		o.accepted++
		if o.closed {
			c.Close()
			o.mu.Unlock()
			continue
		}
		o.conns[c] = true
		o.mu.Unlock()
		o.wg.Go(func() { o.serve(c, n) })
	}
}

func (o *Origin) serve(c net.Conn, n int) {
	defer func() {
		c.Close()
		o.mu.Lock()
		delete(o.conns, c)
		o.mu.Unlock()
	}()
	r := bufio.NewReaderSize(c, 64<<10)
	for seq := 0; ; seq++ {
		req, err := o.readRequest(r, n, seq)
		if err != nil {
			return
		}
		x := &Exchange{Req: req, o: o, conn: c, r: r}
		x.body = rawhttp.NewBody(r, req.Framing)
		x.sum = sha256.New()
		o.handler(x)
		if x.over || x.drain() != nil {
			return
		}
	}
}

func (o *Origin) readRequest(r *bufio.Reader, conn, seq int) (*Request, error) {
	h, err := rawhttp.ReadHead(r)
	if h.Raw == "" && err != nil {
		return nil, err // a connection that ended between requests
	}
	req := &Request{Conn: conn, Seq: seq, Head: h, Received: time.Now()}
	if err == nil {
		req.RequestLine, err = rawhttp.ParseRequestLine(h.Line)
	}
	if err == nil {
		req.Framing, err = rawhttp.RequestFraming(req.RequestLine, h.Fields)
	}
	if err == nil && len(h.Fields.Values("Host")) != 1 {
		err = errors.New("origin: not exactly one Host")
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if err != nil && !o.closed {
		o.violations = append(o.violations, Violation{conn, err, h.Raw})
	}
	if err == nil {
		o.requests = append(o.requests, req)
	}
	return req, err
}

func (o *Origin) violate(conn int, err error) {
	if err == nil || errors.Is(err, io.ErrUnexpectedEOF) || isNetError(err) {
		return // cut by the proxy: allowed, and told by Request.Complete
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.closed {
		o.violations = append(o.violations, Violation{Conn: conn, Err: err})
	}
}

func isNetError(err error) bool {
	var ne net.Error
	return errors.As(err, &ne) || errors.Is(err, net.ErrClosed)
}
