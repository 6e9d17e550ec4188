package proxy

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/jayproxy/jay/freshness"
	"github.com/jayproxy/jay/proxy/access"
	"github.com/jayproxy/jay/proxy/wire"
)

// canned is a connection that needs no kernel and no other goroutine. To whoever reads it says the same thing again and
// again: once after each write if it is an origin's, without end if it is a client's.
type canned struct {
	says      []byte
	unchanged []byte // what an origin says to a request with If-None-Match; nil: the same
	left      []byte
	origin    bool
}

func (c *canned) Read(p []byte) (int, error) {
	if len(c.left) == 0 && !c.origin {
		c.left = c.says
	}
	if len(c.left) == 0 {
		return 0, io.EOF
	}
	n := copy(p, c.left)
	c.left = c.left[n:]
	return n, nil
}

func (c *canned) Write(p []byte) (int, error) {
	switch {
	case !c.origin:
	case c.unchanged != nil && bytes.Contains(p, []byte("If-None-Match")):
		c.left = c.unchanged
	default:
		c.left = c.says
	}
	return len(p), nil
}

func (c *canned) Close() error                     { return nil }
func (c *canned) LocalAddr() net.Addr              { return &net.UnixAddr{} }
func (c *canned) RemoteAddr() net.Addr             { return &net.UnixAddr{} }
func (c *canned) SetDeadline(time.Time) error      { return nil }
func (c *canned) SetReadDeadline(time.Time) error  { return nil }
func (c *canned) SetWriteDeadline(time.Time) error { return nil }

// cannedProxy is a proxy whose only origin says the same to every request, or that nothing has changed if it is asked.
func cannedProxy(t testing.TB, o Options, says, unchanged string) *Proxy {
	t.Helper()
	log, err := access.Open(access.Options{Path: "-", Stdout: io.Discard})
	if err != nil {
		t.Fatal(err)
	}
	o.Access, o.Name = log, "jay-test"
	o.Dial = func(context.Context, string, string) (net.Conn, error) {
		c := &canned{says: []byte(says), origin: true}
		if unchanged != "" {
			c.unchanged = []byte(unchanged)
		}
		return c, nil
	}
	p, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		p.Shutdown(context.Background())
		log.Close()
	})
	return p
}

// cannedConn is a client's connection that sends the same request without end.
func cannedConn(p *Proxy, req string) *conn {
	nc := &canned{says: []byte(req)}
	return &conn{p: p, opt: p.opt(), nc: nc, r: wire.NewReader(nc), local: true, persistent: true}
}

const benchGet = "GET http://192.0.2.1/path/to/a/page?with=a&query=1 HTTP/1.1\r\nHost: 192.0.2.1\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64)\r\n" +
	"Accept: text/html,application/xhtml+xml\r\nAccept-Language: en-US,en;q=0.5\r\nAccept-Encoding: gzip, deflate\r\nProxy-Connection: keep-alive\r\n\r\n"

// benchReply is an answer of size bytes.
func benchReply(size int, cc string) string {
	return respond(200, strings.Repeat("x", size), "Content-Type: text/html", `ETag: "123456"`, "Date: "+time.Now().UTC().Format(dateFormat),
		"Server: origin", "Vary: Accept-Encoding", "Cache-Control: "+cc)
}

// TestLane_allocs checks that a plain fresh hit allocates nothing, log line included.
func TestLane_allocs(t *testing.T) {
	if raceEnabled {
		return // its sync.Pool drops things at random
	}
	for i, size := range []int{0, 1 << 10, 100 << 10, 1 << 10} {
		for _, method := range []string{"GET", "HEAD"} {
			longer := Override{Name: "longer", Then: freshness.Override{Min: time.Hour}} // which decides about each of these hits
			o := Options{Overrides: []*Overrides{nil, rules(t, longer)}[i%2]}
			p := cannedProxy(t, o, benchReply(size, []string{"max-age=1000", "max-age=0"}[i%2]), "")
			fill := cannedConn(p, benchGet)
			fill.next(time.Now())
			p.work.Wait()
			c := cannedConn(p, method+strings.TrimPrefix(benchGet, "GET"))
			hits := p.Stats().Hits
			got := testing.AllocsPerRun(200, func() {
				if !c.next(time.Now()) {
					t.Fatal("the connection ended")
				}
			})
			if got > 0 || p.Stats().Hits-hits != 201 {
				t.Errorf("%s of %d bytes: %v allocations, %d hits; want none, and 201", method, size, got, p.Stats().Hits-hits)
			}
		}
	}
}

// benchmark answers requests on one connection.
func benchmark(b *testing.B, p *Proxy, req string, size int) {
	b.Helper()
	c := cannedConn(p, req)
	b.ReportAllocs()
	b.SetBytes(int64(size))
	for b.Loop() {
		if !c.next(time.Now()) {
			b.Fatal("the connection ended")
		}
	}
}

// BenchmarkHit is a plain fresh hit, on the short way, on the ordinary one, and on the short one by an override.
func BenchmarkHit(b *testing.B) {
	for _, size := range []int{1 << 10, 100 << 10} {
		for _, way := range []string{"lane", "ordinary", "override"} {
			b.Run(fmt.Sprintf("%s-%dk", way, size>>10), func(b *testing.B) {
				o, cc := Options{}, "max-age=100000"
				if way == "override" {
					o.Overrides, cc = rules(b, Override{Name: "longer", Then: freshness.Override{Min: time.Hour}}), "max-age=0"
				}
				p := cannedProxy(b, o, benchReply(size, cc), "")
				p.noLane = way == "ordinary"
				cannedConn(p, benchGet).next(time.Now())
				p.work.Wait()
				benchmark(b, p, benchGet, size)
			})
		}
	}
}

// BenchmarkMiss fetches and stores: the response replaces itself, since the client demands so.
func BenchmarkMiss(b *testing.B) {
	for _, size := range []int{1 << 10, 100 << 10} {
		b.Run(fmt.Sprintf("%dk", size>>10), func(b *testing.B) {
			p := cannedProxy(b, Options{}, strings.Replace(benchReply(size, "max-age=1000"), "ETag", "X-Tag", 1), "")
			benchmark(b, p, strings.Replace(benchGet, "Accept:", "Cache-Control: no-cache\r\nAccept:", 1), size)
		})
	}
}

// BenchmarkPass relays what must not be stored.
func BenchmarkPass(b *testing.B) {
	p := cannedProxy(b, Options{}, benchReply(1<<10, "no-store"), "")
	benchmark(b, p, benchGet, 1<<10)
}

// BenchmarkRevalidate has a stored response confirmed for each request.
func BenchmarkRevalidate(b *testing.B) {
	p := cannedProxy(b, Options{}, benchReply(1<<10, "max-age=1000"), "HTTP/1.1 304 Not Modified\r\nETag: \"123456\"\r\nDate: "+
		time.Now().UTC().Format(dateFormat)+"\r\nCache-Control: max-age=1000\r\nVary: Accept-Encoding\r\n\r\n")
	cannedConn(p, benchGet).next(time.Now())
	benchmark(b, p, strings.Replace(benchGet, "Accept:", "Cache-Control: max-age=0\r\nAccept:", 1), 1<<10)
}

// BenchmarkTunnel relays bytes through CONNECT over the kernel's loopback.
func BenchmarkTunnel(b *testing.B) {
	p, addr := loopbackProxy(b, Options{})
	echo := loopback(b, func(c net.Conn) { io.Copy(io.Discard, c) })
	c, err := net.Dial("tcp", addr)
	if err != nil {
		b.Fatal(err)
	}
	defer c.Close()
	fmt.Fprintf(c, "CONNECT %s HTTP/1.1\r\nHost: %s\r\n\r\n", echo, echo)
	if _, _, err := readHead(newClient(b, c).r); err != nil {
		b.Fatal(err)
	}
	buf := make([]byte, 64<<10)
	b.ReportAllocs()
	b.SetBytes(int64(len(buf)))
	for b.Loop() {
		if _, err := c.Write(buf); err != nil {
			b.Fatal(err)
		}
	}
	if p.Stats().OpenTunnels != 1 {
		b.Error("the tunnel has ended")
	}
}
