package proxy

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jayproxy/jay/cache"
	"github.com/jayproxy/jay/freshness"
)

// The growth benchmarks show what a hit costs as one thing grows, over loopback and with the client's share in it:
//
//	go test -run xxx -bench Growth -cpu 1,2 ./proxy

// growing is a proxy on a loopback listener whose cache is filled without an origin.
type growing struct {
	p    *Proxy
	addr string
}

func newGrowing(b *testing.B, cacheBytes int64) *growing {
	b.Helper()
	p, err := New(Options{CacheBytes: cacheBytes, MaxObjectBytes: cacheBytes / 8})
	if err != nil {
		b.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- p.Serve(ln, Explicit) }()
	b.Cleanup(func() {
		ctx, cancel := contextFor(time.Second)
		defer cancel()
		p.Shutdown(ctx)
		if err := <-done; err != nil {
			b.Error(err)
		}
	})
	return &growing{p: p, addr: ln.Addr().String()}
}

// store puts a response of size bytes under a key that number names.
func (g *growing) store(b *testing.B, number, size int) {
	now := time.Now()
	lines := "Cache-Control: max-age=86400\r\nContent-Type: text/plain\r\nETag: \"1\"\r\nDate: " + now.UTC().Format(dateFormat) + "\r\nVia: 1.1 jay\r\n"
	h := (&stored{lines: lines}).header()
	m := stored{lines: lines, reason: "OK", addr: netip.MustParseAddrPort("192.0.2.1:80")}
	m.fresh = freshness.ParseResponse(nil, 200, h, now, now)
	e := &entry{Key: keyOf(number), Meta: m, Body: cache.NewBody(make([]byte, size)), Length: int64(size)}
	e.Extra = e.Meta.size()
	if ok, why := g.p.put(e, g.p.store.Epoch(e.Key)); !ok {
		b.Fatalf("entry %d is not stored: %s", number, why)
	}
}

func keyOf(number int) string { return "http://growth.test/" + strconv.Itoa(number) }

// dial connects a client.
func (g *growing) dial(b *testing.B) net.Conn {
	b.Helper()
	c, err := net.Dial("tcp", g.addr)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { c.Close() })
	return c
}

// hit asks for a stored response and reads all of it.
func hit(b *testing.B, c net.Conn, number, size int, buf []byte) {
	b.Helper()
	if _, err := io.WriteString(c, "GET "+keyOf(number)+" HTTP/1.1\r\nHost: growth.test\r\n\r\n"); err != nil {
		b.Fatal(err)
	}
	for head, got := -1, 0; head < 0 || got < head+size; {
		n, err := c.Read(buf)
		if err != nil {
			b.Fatal(err)
		}
		if head < 0 {
			s := string(buf[:min(n, 1024)])
			end := strings.Index(s, "\r\n\r\n")
			if end < 0 || !strings.Contains(s[:end], "jay; hit") {
				b.Fatalf("got %q; want a hit", s)
			}
			head = end + 4
		}
		got += n
	}
}

// BenchmarkGrowth_entries: hits on random entries among more and more.
func BenchmarkGrowth_entries(b *testing.B) {
	for _, n := range []int{1e3, 1e4, 1e5, 1e6} {
		b.Run(strconv.Itoa(n), func(b *testing.B) {
			g := newGrowing(b, 4<<30)
			for i := range n {
				g.store(b, i, 1024)
			}
			runtime.GC()
			c, buf := g.dial(b), make([]byte, 64<<10)
			b.ReportAllocs()
			for b.Loop() {
				hit(b, c, rand.IntN(n), 1024, buf)
			}
		})
	}
}

// BenchmarkGrowth_connections: hits by turns on more and more open connections.
func BenchmarkGrowth_connections(b *testing.B) {
	for _, n := range []int{10, 100, 1000, 8000} {
		b.Run(strconv.Itoa(n), func(b *testing.B) {
			g := newGrowing(b, 64<<20)
			g.store(b, 0, 1024)
			conns, buf := make([]net.Conn, n), make([]byte, 64<<10)
			for i := range conns {
				conns[i] = g.dial(b)
				hit(b, conns[i], 0, 1024, buf)
			}
			i := 0
			for b.Loop() {
				hit(b, conns[i%n], 0, 1024, buf)
				i++
			}
		})
	}
}

// BenchmarkGrowth_size: hits on larger and larger responses.
func BenchmarkGrowth_size(b *testing.B) {
	for _, size := range []int{1 << 10, 10 << 10, 100 << 10, 1 << 20, 10 << 20, 100 << 20} {
		b.Run(fmt.Sprintf("%dKiB", size>>10), func(b *testing.B) {
			g := newGrowing(b, 1<<30)
			g.store(b, 0, size)
			c, buf := g.dial(b), make([]byte, 1<<20)
			b.SetBytes(int64(size))
			for b.Loop() {
				hit(b, c, 0, size, buf)
			}
		})
	}
}

// contextFor is a context that ends after d.
func contextFor(d time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), d)
}
