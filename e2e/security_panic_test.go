package e2e

import (
	"context"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jayproxy/jay/e2e/origin"
	"github.com/jayproxy/jay/e2e/process"
	"github.com/jayproxy/jay/e2e/rawhttp"
	"github.com/jayproxy/jay/proxy"
)

// faultyConn is a connection to an origin that panics on a read, as a bug in the
// code that reads would.
type faultyConn struct {
	net.Conn
	after int // bytes
	n     int
}

// Read implements io.Reader.
func (c *faultyConn) Read(p []byte) (int, error) {
	if c.n >= c.after {
		panic("a fault of the test's making")
	}
	n, err := c.Conn.Read(p[:min(len(p), c.after-c.n)])
	c.n += n
	return n, err
}

// inProcess serves a proxy within this process until the test ends.
func inProcess(t *testing.T, o proxy.Options) (*proxy.Proxy, []way) {
	t.Helper()
	p, err := proxy.New(o)
	must(t, err)
	j := &process.Jay{}
	for mode, addr := range map[proxy.Mode]*string{proxy.Explicit: &j.Proxy, proxy.ByHost: &j.Intercept} {
		l := listen(t)
		*addr = l.Addr().String()
		go p.Serve(l, mode)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		if err := p.Shutdown(ctx); err != nil {
			t.Errorf("shutdown: %v", err)
		}
	})
	return p, waysOf(j)
}

// TestPanics: a fault of jay's own ends the connection that it happened on. The
// answer under way is never whole nor stored, others who wait for it are let go
// within a second or so, and everybody else is served (D9).
func TestPanics(t *testing.T) {
	t.Parallel()
	o := startOrigin(t, func(x *origin.Exchange) {
		time.Sleep(100 * time.Millisecond)
		origin.Content{Key: x.Path(), Version: 1, Size: 300_000}.Serve(x, fresh())
	})
	for _, after := range []int{0, 50, 100_000} { // in the head, behind it, in the body
		t.Run(fmt.Sprint(after), func(t *testing.T) {
			var mu sync.Mutex
			faulty := map[string]bool{}
			d := net.Dialer{}
			p, ways := inProcess(t, proxy.Options{
				Dial: func(ctx context.Context, network, address string) (net.Conn, error) {
					c, err := d.DialContext(ctx, network, address)
					mu.Lock()
					defer mu.Unlock()
					if err == nil && faulty["next"] {
						faulty["next"] = false
						return &faultyConn{Conn: c, after: after}, nil
					}
					return c, err
				},
			})
			for _, w := range ways {
				o.CloseConns() // the next request is on a fresh connection
				mu.Lock()
				faulty["next"] = true
				mu.Unlock()
				path := fmt.Sprintf("/%s/%d", w.name, after)
				var wg sync.WaitGroup
				for range 10 {
					wg.Go(func() {
						began := time.Now()
						resp, err := w.once(o.Addr(), "GET", path, nil)
						if err == nil && resp.Err == nil && resp.Code == 200 && len(resp.Body) != 300_000 {
							t.Errorf("%s: got a whole answer of %d bytes; want the whole or a break", w.name, len(resp.Body))
						}
						if d := time.Since(began); d > patient(3*time.Second) {
							t.Errorf("%s: held for %v", w.name, d)
						}
					})
				}
				wg.Wait()
				mu.Lock()
				if faulty["next"] {
					t.Errorf("%s: nothing panicked", w.name)
				}
				mu.Unlock()
				resp, err := w.once(o.Addr(), "GET", path, nil)
				if err != nil || resp.Err != nil || len(resp.Body) != 300_000 {
					t.Errorf("%s: afterwards got %v; want the whole", w.name, err)
				}
			}
			if got := p.Stats().Panics; got != int64(len(ways)) {
				t.Errorf("got %d panics counted; want %d", got, len(ways))
			}
		})
	}
}

// faultyListener accepts connections that panic on a read after some bytes.
type faultyListener struct {
	net.Listener
	after int
}

// Accept implements net.Listener.
func (l faultyListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &faultyConn{Conn: c, after: l.after}, nil
}

// TestPanics_upload: a fault while a client's body is read ends that exchange,
// and the origin does not take the half for the whole (D9).
func TestPanics_upload(t *testing.T) {
	t.Parallel()
	o := startOrigin(t, func(x *origin.Exchange) {
		if _, err := x.ReadBody(); err != nil {
			x.Close()
			return
		}
		x.OK("got it")
	})
	p, ways := inProcess(t, proxy.Options{})
	for mode, way := range map[proxy.Mode]way{proxy.Explicit: ways[0], proxy.ByHost: ways[1]} {
		l := listen(t)
		go p.Serve(faultyListener{l, 5000}, mode)
		w := way
		w.addr = l.Addr().String()
		body := strings.Repeat("x", 100_000)
		resp, err := w.once2(o.Addr(), "POST", "/"+w.name, rawhttp.F("Content-Length", fmt.Sprint(len(body))), body)
		if err == nil && resp.Code == 200 {
			t.Errorf("%s: got %v; want an error", w.name, resp)
		}
		for _, r := range o.To("/" + w.name) {
			if r.Complete {
				t.Errorf("%s: origin got %d bytes as the whole", w.name, r.Size)
			}
		}
		if resp, err := way.once2(o.Addr(), "POST", "/then", rawhttp.F("Content-Length", "4"), "body"); err != nil || resp.Code != 200 {
			t.Errorf("%s: then got %v, %v", w.name, resp, err)
		}
	}
	eventually(t, "two panics are counted", func() bool { return p.Stats().Panics == 2 })
}

// traps are functions of the standard library that have been quadratic, or that
// change what they parse: none of them may see what a client sent (D10).
var traps = []string{"Cookies", "CookiesNamed", "ParseForm", "ParseMultipartForm", "FormValue", "PostFormValue", "ResolveReference"}

// TestNoTraps: the packages on a request's way call none of traps (D10).
func TestNoTraps(t *testing.T) {
	t.Parallel()
	calls := 0
	for _, dir := range []string{"proxy", "proxy/wire", "proxy/upstream", "proxy/access", "proxy/policy", "cache", "cache/vary", "freshness", "validation", "tunnel"} {
		names, err := filepath.Glob(filepath.Join(env.root, dir, "*.go"))
		must(t, err)
		for _, name := range names {
			if strings.HasSuffix(name, "_test.go") {
				continue
			}
			f, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
			must(t, err)
			ast.Inspect(f, func(n ast.Node) bool {
				if call, ok := n.(*ast.CallExpr); ok {
					if sel, ok := call.Fun.(*ast.SelectorExpr); ok {
						calls++
						if slices.Contains(traps, sel.Sel.Name) {
							t.Errorf("%s calls %s", name, sel.Sel.Name)
						}
					}
				}
				return true
			})
		}
	}
	if calls < 1000 {
		t.Errorf("looked at %d calls; want the product's", calls)
	}
}

// TestManyCookies: a head full of cookies, or a query full of parameters, costs
// no more than its bytes (D10).
func TestManyCookies(t *testing.T) {
	t.Parallel()
	o := startOrigin(t, func(x *origin.Exchange) { x.OK("fine") })
	eachWay(t, startJay(t), func(t *testing.T, w way) {
		began := time.Now()
		for i := range 20 {
			resp := w.do(t, "GET", o.Addr(), fmt.Sprintf("/%s/%d?%s", w.name, i, strings.Repeat("a&", 4000)+strings.Repeat("/..", 1000)),
				rawhttp.F("Cookie", strings.Repeat("a=b; ", 6000), "Accept", strings.Repeat("a/b;q=0.1,", 1000), "Cache-Control", strings.Repeat("x=y, ", 1000)), "")
			if resp.Code != 200 {
				t.Fatalf("got %v; want 200", resp)
			}
		}
		if d := time.Since(began); d > patient(5*time.Second) {
			t.Errorf("20 requests took %v", d)
		}
	})
}
