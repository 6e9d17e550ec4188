package e2e

import (
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jayproxy/jay/e2e/origin"
	"github.com/jayproxy/jay/e2e/process"
	"github.com/jayproxy/jay/e2e/rawhttp"
)

// TestOriginDown: an origin that refuses, does not answer or has no name is a
// 502 or 504 with its reason, in time; nothing of it is stored, and when it is
// back, it is asked again at once (F1).
func TestOriginDown(t *testing.T) {
	t.Parallel()
	var known atomic.Bool
	pc, err := net.ListenPacket("udp", "127.0.0.1:0")
	must(t, err)
	d := origin.ServeDNS(pc, func(name string) ([]netip.Addr, time.Duration) {
		switch {
		case name == "slow.test":
			return []netip.Addr{netip.MustParseAddr("127.0.0.1")}, 10 * time.Second
		case strings.HasPrefix(name, "back-") && known.Load():
			return []netip.Addr{netip.MustParseAddr("127.0.0.1")}, 0
		}
		return nil, 0
	})
	t.Cleanup(d.Close)
	silent := listen(t) // it accepts and says nothing
	defer silent.Close()
	o := startOrigin(t, func(x *origin.Exchange) { x.OK("back") })
	j := startJay(t, "--dns-servers", d.Addr(), "--connect-timeout", "1s", "--response-header-timeout", "1s")
	eachWay(t, j, func(t *testing.T, w way) {
		known.Store(false)
		later := "back-" + w.name + ".test:" + o.Port()
		nobody := process.FreeAddr()
		for _, tt := range []struct {
			host string
			want int
			kind string
		}{
			{nobody, 502, "connection_refused"}, {"no-such-name.test", 502, "dns_error"}, {"slow.test:" + o.Port(), 504, "dns_timeout"},
			{silent.Addr().String(), 504, "http_response_timeout"}, {later, 502, "dns_error"},
		} {
			for range 2 {
				began := time.Now()
				resp := w.do(t, "GET", tt.host, "/", nil, "")
				if resp.Code != tt.want || !strings.Contains(resp.Fields.Get("Proxy-Status"), tt.kind) || resp.Fields.Get("Cache-Control") != "no-store" {
					t.Errorf("%s: got %v; want %d, %s", tt.host, resp, tt.want, tt.kind)
				}
				if d := time.Since(began); d > patient(4*time.Second) {
					t.Errorf("%s: took %v", tt.host, d)
				}
			}
		}
		l, err := net.Listen("tcp", nobody)
		must(t, err)
		back := origin.Serve(l, func(x *origin.Exchange) { x.OK("back") })
		defer back.Close()
		if resp := w.do(t, "GET", nobody, "/", nil, ""); string(resp.Body) != "back" {
			t.Errorf("got %v from an origin that is back", resp)
		}
		known.Store(true)
		began := time.Now()
		eventually(t, "the name is known", func() bool { return w.do(t, "GET", later, "/", nil, "").Code == 200 })
		if d := time.Since(began); d > patient(7*time.Second) {
			t.Errorf("the name was known after %v; want at most 5 s", d)
		}
	})
}

// TestStaleConnections: an origin that ends kept connections when they are used
// again is not noticed by who sent a request that may be repeated; what may not
// be is never sent twice (F3).
func TestStaleConnections(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	got := map[string]int{}
	o := startOrigin(t, func(x *origin.Exchange) {
		_, err := x.ReadBody()
		mu.Lock()
		got[x.Req.Method+" "+x.Path()]++
		mu.Unlock()
		if x.Req.Seq > 0 || err != nil {
			x.Close() // without an answer
			return
		}
		x.Reply("200 OK", nil, "fine")
	})
	eachWay(t, startJay(t), func(t *testing.T, w way) {
		for i := range 20 {
			for _, method := range []string{"GET", "HEAD", "POST", "PATCH"} {
				w.do(t, "GET", o.Addr(), "/warm", nil, "")
				path := fmt.Sprintf("/%s/%d", w.name, i)
				fs, body := rawhttp.Fields(nil), ""
				if method == "POST" || method == "PATCH" {
					fs, body = rawhttp.F("Content-Length", "4"), "body"
				}
				resp := w.do(t, method, o.Addr(), path, fs, body)
				mu.Lock()
				n := got[method+" "+path]
				mu.Unlock()
				switch {
				case body == "" && (resp.Code != 200 || n > 2):
					t.Errorf("%s: got %v after %d requests; want 200 after at most 2", method, resp, n)
				case body != "" && (resp.Code != 200 && resp.Code != 502 || n > 1):
					t.Errorf("%s: got %v after %d requests; want at most one", method, resp, n)
				}
			}
		}
	})
}

// TestUnusedConnections: what is kept of an origin ends after idle-timeout.
func TestUnusedConnections(t *testing.T) {
	t.Parallel()
	o := startOrigin(t, func(x *origin.Exchange) { x.Reply("200 OK", nil, "fine") })
	eachWay(t, startJay(t, "--idle-timeout", "1s"), func(t *testing.T, w way) {
		w.do(t, "GET", o.Addr(), "/", nil, "")
		if o.Open() != 1 {
			t.Errorf("%d connections are kept; want 1", o.Open())
		}
		began := time.Now()
		eventually(t, "the kept connection ends", func() bool { return o.Open() == 0 })
		if d := time.Since(began); d > patient(5*time.Second) {
			t.Errorf("it ended after %v; want about a second", d)
		}
	})
}

// TestRestart: after SIGKILL under load jay serves again within a second, and
// SIGTERM under load ends it with 0 (F6).
func TestRestart(t *testing.T) {
	t.Parallel()
	o := startOrigin(t, func(x *origin.Exchange) { x.OK("fine") })
	binary, err := env.binary()
	must(t, err)
	listenAt := process.FreeAddr()
	for i := range 4 {
		began := time.Now()
		j, err := process.Start(process.Options{Binary: binary, Listen: listenAt, Args: []string{"--shutdown-timeout", "2s"}})
		must(t, err)
		w := waysOf(j)[0]
		resp, err := w.once(o.Addr(), "GET", "/", nil)
		if d := time.Since(began); err != nil || resp.Code != 200 || d > patient(time.Second) {
			t.Errorf("%d: got %v, %v after %v; want an answer within a second", i, resp, err, d)
		}
		stop := make(chan struct{})
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				for n := 0; ; n++ {
					select {
					case <-stop:
						return
					default:
						_, _ = w.once(o.Addr(), "GET", fmt.Sprintf("/%d", n), nil)
					}
				}
			})
		}
		time.Sleep(100 * time.Millisecond)
		if i%2 == 0 {
			j.Kill()
		} else if err := j.Stop(); err != nil {
			t.Errorf("%d: %v", i, err)
		}
		close(stop)
		wg.Wait()
	}
}
