package proxy

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http/httputil"
	"strconv"
	"strings"
	"sync"
	"syscall"
)

// origin is a scripted origin server: it takes every connection that the proxy dials, and records what it is asked.
type origin struct {
	serve   func(*ask) string
	raw     func(net.Conn) // takes connections in its place
	refuses string         // an address that nobody listens on

	mu    sync.Mutex
	conns []net.Conn
	dials []string // the addresses
	asks  []*ask
	ended bool
	wg    sync.WaitGroup
}

// ask is one request as the origin got it.
type ask struct {
	net.Conn
	r      *bufio.Reader
	o      *origin
	conn   int // number of the connection
	nth    int // number of the request
	method string
	target string
	line   string
	head   string // the field lines
	body   string // once read
	err    error  // why the body broke off
}

// dial connects the proxy with the origin.
func (o *origin) dial(_ context.Context, _, address string) (net.Conn, error) {
	here, there := net.Pipe()
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.ended || o.refuses == address {
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}
	}
	n := len(o.conns)
	o.conns = append(o.conns, there)
	o.dials = append(o.dials, address)
	if o.raw != nil {
		o.wg.Go(func() { o.raw(there) })
	} else {
		o.wg.Go(func() { o.handle(n, there) })
	}
	return here, nil
}

func (o *origin) close() {
	o.mu.Lock()
	o.ended = true
	for _, c := range o.conns {
		c.Close()
	}
	o.mu.Unlock()
	o.wg.Wait()
}

// handle answers the requests on one connection.
func (o *origin) handle(n int, c net.Conn) {
	defer c.Close()
	r := bufio.NewReader(c)
	for {
		line, head, err := readHead(r)
		if err != nil {
			return
		}
		a := &ask{Conn: c, r: r, o: o, conn: n, line: line, head: head}
		a.method, a.target, _ = strings.Cut(line, " ")
		a.target, _, _ = strings.Cut(a.target, " ")
		o.mu.Lock()
		a.nth = len(o.asks)
		o.asks = append(o.asks, a)
		o.mu.Unlock()
		if a.get("Expect") == "" {
			a.readBody()
		}
		s := o.serve(a)
		if s == "" {
			return
		}
		if _, err := io.WriteString(c, s); err != nil {
			return
		}
	}
}

// readBody reads the request's body.
func (a *ask) readBody() {
	var b []byte
	switch {
	case a.get("Transfer-Encoding") == "chunked":
		b, a.err = io.ReadAll(httputil.NewChunkedReader(a.r))
		if a.err == nil {
			_, _, a.err = readFields(a.r)
		}
	case a.get("Content-Length") != "":
		n, _ := strconv.Atoi(a.get("Content-Length"))
		b = make([]byte, n)
		_, a.err = io.ReadFull(a.r, b)
	}
	a.body = string(b)
}

// get is the first value of a field, "" if there is none.
func (a *ask) get(name string) string {
	return strings.Join(append(valuesOf(a.head, name), "")[:1], "")
}

// say sends something to the proxy.
func (a *ask) say(s string) error {
	_, err := io.WriteString(a.Conn, s)
	return err
}

// gone waits until the proxy has closed the connection.
func (a *ask) gone() { io.Copy(io.Discard, a.r) }

// count is how many requests there were for a target, "" for any.
func (o *origin) count(target string) (n int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, a := range o.asks {
		if target == "" || a.target == target {
			n++
		}
	}
	return n
}

// last is the latest request.
func (o *origin) last() *ask {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.asks) == 0 {
		return &ask{}
	}
	return o.asks[len(o.asks)-1]
}

// respond is a response with a Content-Length.
func respond(status int, body string, lines ...string) string {
	s := fmt.Sprintf("HTTP/1.1 %d Reason\r\n", status)
	for _, l := range lines {
		s += l + "\r\n"
	}
	return s + fmt.Sprintf("Content-Length: %d\r\n\r\n%s", len(body), body)
}

// chunked is a response in chunks.
func chunked(lines string, chunks ...string) string {
	s := "HTTP/1.1 200 OK\r\n" + lines + "Transfer-Encoding: chunked\r\n\r\n"
	for _, c := range chunks {
		s += fmt.Sprintf("%x\r\n%s\r\n", len(c), c)
	}
	return s + "0\r\n\r\n"
}

// always is an origin that answers everything alike.
func always(s string) func(*ask) string { return func(*ask) string { return s } }

// host is an origin's address that needs no resolver.
const host = "http://192.0.2.1"
