package proxy

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http/httputil"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// world is a proxy between raw clients and a scripted origin, within this process and over pipes.
type world struct {
	t      testing.TB
	p      *Proxy
	origin *origin
	mu     sync.Mutex
	listen map[Mode]*pipeListener
}

// inBubble runs a test on a proxy whose clock is that of a synctest bubble. serve answers what gets to the origin.
func inBubble(t *testing.T, o Options, serve func(*ask) string, test func(t *testing.T, w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		test(t, newWorld(t, o, serve))
	})
}

// newWorld starts a proxy that ends with the test.
func newWorld(t testing.TB, o Options, serve func(*ask) string) *world {
	t.Helper()
	w := &world{t: t, origin: &origin{serve: serve}, listen: map[Mode]*pipeListener{}}
	if o.Dial == nil {
		o.Dial = w.origin.dial
	}
	if o.Name == "" {
		o.Name = "jay-test"
	}
	if o.CacheBytes == 0 {
		o.CacheBytes = 8 << 20
	}
	p, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	w.p = p
	t.Cleanup(w.end)
	return w
}

func (w *world) end() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	w.p.Shutdown(ctx)
	w.origin.close()
}

// listener is the listener of a mode, which is served from its first use on.
func (w *world) listener(mode Mode) *pipeListener {
	w.mu.Lock()
	defer w.mu.Unlock()
	ln := w.listen[mode]
	if ln == nil {
		ln = &pipeListener{conns: make(chan net.Conn), done: make(chan struct{})}
		w.listen[mode] = ln
		go w.p.Serve(ln, mode)
	}
	return ln
}

// client is a new connection to the explicit listener from this machine.
func (w *world) client() *client { return w.clientOf(Explicit, "", "") }

// clientOf is a new connection from an address, "" for this machine, to a listener of a mode at another.
func (w *world) clientOf(mode Mode, from, to string) *client {
	w.t.Helper()
	here, there := net.Pipe()
	served := net.Conn(there)
	if from != "" || to != "" {
		served = &addressed{Conn: there, local: tcpAddr(to), remote: tcpAddr(from)}
	}
	ln := w.listener(mode)
	select {
	case ln.conns <- served:
	case <-ln.done:
		w.t.Error("dialled a closed listener")
	}
	c := newClient(w.t, here)
	w.t.Cleanup(func() { c.Close() })
	return c
}

// get fetches a URL with a connection of its own.
func (w *world) get(url string, lines ...string) *answer {
	w.t.Helper()
	c := w.client()
	defer c.Close()
	return c.get(url, lines...)
}

func tcpAddr(s string) net.Addr {
	if s == "" {
		return &net.UnixAddr{}
	}
	return net.TCPAddrFromAddrPort(netip.MustParseAddrPort(s))
}

// addressed is a connection that claims addresses.
type addressed struct {
	net.Conn
	local, remote net.Addr
}

func (c *addressed) LocalAddr() net.Addr  { return c.local }
func (c *addressed) RemoteAddr() net.Addr { return c.remote }

// pipeListener accepts pipes.
type pipeListener struct {
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

func (l *pipeListener) Close() error {
	l.once.Do(func() { close(l.done) })
	return nil
}

func (l *pipeListener) Addr() net.Addr { return &net.UnixAddr{Name: "pipe"} }

// client is a client's end of a connection.
type client struct {
	net.Conn
	t    testing.TB
	r    *bufio.Reader
	sent chan struct{} // closed when the last send went out
}

func newClient(t testing.TB, c net.Conn) *client {
	sent := make(chan struct{})
	close(sent)
	return &client{Conn: c, t: t, r: bufio.NewReader(c), sent: sent}
}

// send writes without waiting for the proxy to read, after what was sent before.
func (c *client) send(s string) {
	before, now := c.sent, make(chan struct{})
	c.sent = now
	go func() {
		defer close(now)
		<-before
		io.WriteString(c, s)
	}()
}

// get sends a GET and reads the answer.
func (c *client) get(url string, lines ...string) *answer {
	c.t.Helper()
	return c.do("GET", url, lines...)
}

// do sends a request without a body and reads the answer.
func (c *client) do(method, url string, lines ...string) *answer {
	c.t.Helper()
	c.send(request(method, url, "", lines...))
	return c.read(method)
}

// request is a request in absolute form, with Host and, where there is a body, its length.
func request(method, url, body string, lines ...string) string {
	host, _, _ := strings.Cut(strings.TrimPrefix(strings.TrimPrefix(url, "https://"), "http://"), "/")
	host, _, _ = strings.Cut(host, "?")
	s := method + " " + url + " HTTP/1.1\r\nHost: " + host + "\r\n"
	for _, l := range lines {
		s += l + "\r\n"
	}
	if body != "" {
		s += fmt.Sprintf("Content-Length: %d\r\n", len(body))
	}
	return s + "\r\n" + body
}

// answer is a response as a client got it.
type answer struct {
	status   int
	line     string // without its CRLF
	head     string // the field lines
	body     string
	trailers string   // the trailer field lines
	interim  []string // the heads of the 1xx responses before it
	cut      bool     // it broke off
}

// read reads the answer to a request.
func (c *client) read(method string) *answer {
	c.t.Helper()
	a := c.readHead()
	a.readBody(method, c.r)
	return a
}

// readHead reads heads up to that of a final response.
func (c *client) readHead() *answer {
	a := &answer{}
	for {
		line, head, err := readHead(c.r)
		a.line, a.head = line, head
		if err != nil {
			a.cut = true
			return a
		}
		_, rest, _ := strings.Cut(line, " ")
		a.status, _ = strconv.Atoi(rest[:min(3, len(rest))])
		if a.status >= 200 || a.status == 101 || a.status == 0 {
			return a
		}
		a.interim = append(a.interim, line+"\r\n"+head)
	}
}

func (a *answer) readBody(method string, r *bufio.Reader) {
	if a.cut || method == "HEAD" || a.status == 101 || a.status == 204 || a.status == 304 {
		return
	}
	var b []byte
	var err error
	switch {
	case a.get("Transfer-Encoding") == "chunked":
		if b, err = io.ReadAll(httputil.NewChunkedReader(r)); err == nil {
			_, a.trailers, err = readFields(r)
		}
	case a.get("Content-Length") != "":
		n, _ := strconv.Atoi(a.get("Content-Length"))
		b = make([]byte, n)
		n, err = io.ReadFull(r, b)
		b = b[:n]
	default:
		b, err = io.ReadAll(r)
	}
	a.body, a.cut = string(b), err != nil
}

// readHead reads a start line and field lines.
func readHead(r *bufio.Reader) (line, fields string, err error) {
	if line, err = r.ReadString('\n'); err != nil {
		return line, "", err
	}
	_, fields, err = readFields(r)
	return strings.TrimSuffix(line, "\r\n"), fields, err
}

// readFields reads field lines up to the empty one.
func readFields(r *bufio.Reader) (n int, fields string, err error) {
	for ; ; n++ {
		line, err := r.ReadString('\n')
		if err != nil || line == "\r\n" {
			return n, fields, err
		}
		fields += line
	}
}

// get is the first value of a field, "" if there is none.
func (a *answer) get(name string) string { return strings.Join(append(a.values(name), "")[:1], "") }

// values are the values of all lines of a field.
func (a *answer) values(name string) []string { return valuesOf(a.head, name) }

func valuesOf(head, name string) (out []string) {
	for line := range strings.SplitSeq(head, "\r\n") {
		if n, v, ok := strings.Cut(line, ":"); ok && strings.EqualFold(n, name) {
			out = append(out, strings.TrimSpace(v))
		}
	}
	return out
}

// cacheStatus is what the proxy itself says in Cache-Status.
func (a *answer) cacheStatus() string {
	list := a.values("Cache-Status")
	if len(list) == 0 {
		return ""
	}
	return list[len(list)-1]
}
