package upstream_test

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jayproxy/jay/proxy/upstream"
)

// origin is a scripted server: each connection is handed to a function.
type origin struct {
	ln       net.Listener
	accepted atomic.Int32
	wg       sync.WaitGroup
	mu       sync.Mutex
	conns    []net.Conn
}

// newOrigin serves connection number n, from 0, with script(n, c) and closes it then.
func newOrigin(t testing.TB, script func(n int, c *peer)) *origin {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	o := &origin{ln: ln}
	o.wg.Go(func() { o.accept(script) })
	t.Cleanup(o.close)
	return o
}

func (o *origin) accept(script func(int, *peer)) {
	for {
		c, err := o.ln.Accept()
		if err != nil {
			return
		}
		n := int(o.accepted.Add(1)) - 1
		o.mu.Lock()
		o.conns = append(o.conns, c)
		o.mu.Unlock()
		o.wg.Go(func() {
			defer c.Close()
			script(n, &peer{c, bufio.NewReader(c)})
		})
	}
}

func (o *origin) close() {
	o.ln.Close()
	o.mu.Lock()
	for _, c := range o.conns {
		c.Close()
	}
	o.mu.Unlock()
	o.wg.Wait()
}

func (o *origin) addr() netip.AddrPort { return netip.MustParseAddrPort(o.ln.Addr().String()) }

// origin is its key for a client.
func (o *origin) origin() upstream.Origin {
	return upstream.Origin{Host: "127.0.0.1", Port: o.addr().Port()}
}

// peer is the origin's end of a connection.
type peer struct {
	net.Conn
	r *bufio.Reader
}

// head reads one request head; "" at the end of the connection.
func (p *peer) head() string {
	var b strings.Builder
	for {
		line, err := p.r.ReadString('\n')
		if err != nil {
			return ""
		}
		b.WriteString(line)
		if line == "\r\n" {
			return b.String()
		}
	}
}

// request reads one request with its body; nil at the end of the connection.
func (p *peer) request() (*http.Request, string) {
	r, err := http.ReadRequest(p.r)
	if err != nil {
		return nil, ""
	}
	b, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, string(b)
	}
	return r, string(b)
}

func (p *peer) say(s string) { io.WriteString(p, s) }

// reset ends the connection with RST instead of FIN.
func (p *peer) reset() {
	p.Conn.(*net.TCPConn).SetLinger(0)
	p.Close()
}

// wait returns when the client has closed the connection.
func (p *peer) wait() { io.Copy(io.Discard, p.r) }

const okHello = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"

// get is a GET request.
func get() *upstream.Request {
	return &upstream.Request{Method: "GET", Head: []byte("GET / HTTP/1.1\r\nHost: a.example\r\n\r\n"), Idempotent: true}
}

// newClient returns a client that the test closes, and checks then that it
// leaves no goroutine and no descriptor. Origins must be made before it.
func newClient(t testing.TB, opt upstream.Options) *upstream.Client {
	t.Helper()
	c := upstream.New(opt)
	t.Cleanup(c.Close)
	return c
}

// noLeaks checks at the end of the test that goroutines and descriptors are
// what they were at the call. It is to be called first.
func noLeaks(t testing.TB) {
	t.Helper()
	goroutines, files := runtime.NumGoroutine(), descriptors()
	t.Cleanup(func() {
		for range 500 {
			if runtime.NumGoroutine() <= goroutines && descriptors() <= files {
				return
			}
			time.Sleep(2 * time.Millisecond)
		}
		buf := make([]byte, 1<<16)
		t.Errorf("got %d goroutines and %d descriptors; want at most %d and %d\n%s", runtime.NumGoroutine(), descriptors(),
			goroutines, files, buf[:runtime.Stack(buf, true)])
	})
}

// descriptors counts open descriptors, 0 where they cannot be counted.
func descriptors() int {
	names, _ := os.ReadDir("/proc/self/fd")
	return len(names)
}

// fetch does r and returns status, body and error of the whole exchange.
func fetch(ctx context.Context, c *upstream.Client, o upstream.Origin, r *upstream.Request) (int, string, error) {
	resp, err := c.Do(ctx, o, r)
	if err != nil {
		return 0, "", err
	}
	defer resp.Close()
	b, err := io.ReadAll(resp.Body)
	return resp.Status, string(b), err
}
