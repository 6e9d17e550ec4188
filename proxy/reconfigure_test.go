package proxy

//lint:file-ignore SA1019 net/http's own client, which is to replace http2.Transport, sends no http:// URLs over TLS

import (
	"crypto/tls"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/net/http2"

	"github.com/jayproxy/jay/proxy/policy"
	"github.com/jayproxy/jay/proxy/resolve"
)

// reconfigure replaces the options, with those that a world gives.
func (w *world) reconfigure(o Options) {
	w.t.Helper()
	o.Dial = w.p.opt().Dial
	if o.CacheBytes == 0 {
		o.CacheBytes = 8 << 20
	}
	if err := w.p.Reconfigure(o); err != nil {
		w.t.Fatal(err)
	}
}

// TestReconfigure_runningExchange checks that what runs is finished by the options it began with, and what comes next on
// the same connection is not.
func TestReconfigure_runningExchange(t *testing.T) {
	deny := rulesOf(t, policy.Rule{Name: "nothing", Action: policy.Deny})
	inBubble(t, Options{}, func(a *ask) string {
		a.say("HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nhalf")
		time.Sleep(10 * time.Second)
		a.say("half")
		return ""
	}, func(t *testing.T, w *world) {
		c := w.client()
		c.send(request("GET", host+"/", ""))
		time.Sleep(time.Second)
		w.reconfigure(Options{Policy: deny, StallTimeout: time.Second})
		if a := c.read("GET"); a.status != 200 || a.body != "halfhalf" {
			t.Errorf("the exchange that ran: got %d %q; want the whole of it", a.status, a.body)
		}
		if a := c.get(host + "/"); a.status != 403 {
			t.Errorf("the next one: got %s; want 403", a.line)
		}
	})
}

// TestReconfigure_name checks that a name that was made up stays, until one is given.
func TestReconfigure_name(t *testing.T) {
	p, err := New(Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Shutdown(t.Context())
	was := p.opt().via
	for _, tt := range []struct {
		name string
		ok   func(via string) bool
	}{
		{"", func(via string) bool { return via == was }},
		{"mine", func(via string) bool { return via == "mine" }},
		{"", func(via string) bool { return via != was && strings.HasPrefix(via, "jay-") }},
	} {
		if err := p.Reconfigure(Options{Name: tt.name}); err != nil || !tt.ok(p.opt().via) {
			t.Errorf("Name %q: got %q, %v, after %q", tt.name, p.opt().via, err, was)
		}
	}
}

// TestReconfigure_clients checks that a client that may not ask any more is turned away on the connection that it has, and
// that others keep theirs.
func TestReconfigure_clients(t *testing.T) {
	inBubble(t, Options{}, always(respond(200, "ok")), func(t *testing.T, w *world) {
		a, b, here := w.clientOf(Explicit, "10.0.0.7:1", "10.0.0.1:3128"), w.clientOf(Explicit, "10.0.0.8:1", "10.0.0.1:3128"), w.client()
		slow := w.clientOf(Explicit, "10.0.0.8:2", "10.0.0.1:3128")
		slow.send("GET http://198.51.100.1/ HT") // busy in the eyes of the proxy
		for _, c := range []*client{a, b, here} {
			if r := c.get("http://93.184.216.34/"); r.status != 200 {
				t.Fatalf("before: got %s; want 200", r.line)
			}
		}
		synctest.Wait()
		w.reconfigure(Options{AllowClients: []netip.Prefix{netip.MustParsePrefix("10.0.0.7/32")}})
		for _, c := range []*client{a, here} {
			if r := c.get("http://93.184.216.34/"); r.status != 200 {
				t.Errorf("who may still ask: got %s; want 200", r.line)
			}
		}
		if n, err := b.r.Read(make([]byte, 1)); err == nil {
			t.Errorf("who may not: got %d bytes; want the end of the connection", n)
		}
	})
}

// TestReconfigure_clientsH2 checks the same of HTTP/2, where the connection has no requests of its own.
func TestReconfigure_clientsH2(t *testing.T) {
	inBubble(t, Options{}, always(respond(200, "ok")), func(t *testing.T, w *world) {
		cert, pool := certificate(t, "127.0.0.1")
		ln := &pipeListener{conns: make(chan net.Conn), done: make(chan struct{})}
		go w.p.ServeWith(ln, ListenOptions{TLS: &tls.Config{Certificates: []tls.Certificate{cert}}})
		dial := func(from string) *http2.ClientConn {
			here, there := net.Pipe()
			ln.conns <- &addressed{Conn: there, local: tcpAddr("10.0.0.1:3129"), remote: tcpAddr(from)}
			t.Cleanup(func() { here.Close() })
			return client2(t, tls.Client(here, &tls.Config{RootCAs: pool, ServerName: "127.0.0.1", NextProtos: []string{"h2"}}))
		}
		a, b := dial("10.0.0.7:1"), dial("10.0.0.8:1")
		for _, cc := range []*http2.ClientConn{a, b} {
			if res, _ := h2Do(t, cc, h2Request("GET", "http://93.184.216.34/", nil)); res.StatusCode != 200 {
				t.Fatalf("before: got %d; want 200", res.StatusCode)
			}
		}
		w.reconfigure(Options{AllowClients: []netip.Prefix{netip.MustParsePrefix("10.0.0.7/32")}})
		if res, _ := h2Do(t, a, h2Request("GET", "http://93.184.216.34/", nil)); res.StatusCode != 200 {
			t.Errorf("who may still ask: got %d; want 200", res.StatusCode)
		}
		if res, err := b.RoundTrip(h2Request("GET", "http://93.184.216.34/", nil)); err == nil {
			t.Errorf("who may not: got %d; want none", res.StatusCode)
		}
		time.Sleep(3 * time.Second)
		synctest.Wait()
		if !b.State().Closed {
			t.Error("the connection of who may not ask is open")
		}
	})
}

// TestReconfigure_denyPrivate checks that neither a stored response nor a kept connection leads where other machines'
// clients may not go any more.
func TestReconfigure_denyPrivate(t *testing.T) {
	const private = "http://10.9.9.9"
	inBubble(t, Options{}, func(a *ask) string {
		if a.target == "/stored" || a.target == "/merged" {
			return respond(200, "ok", "Cache-Control: max-age=60")
		}
		return respond(200, "ok")
	}, func(t *testing.T, w *world) {
		get := func(path string) *answer {
			return w.clientOf(Explicit, "10.0.0.7:1", "10.0.0.1:3128").get(private + path)
		}
		for _, path := range []string{"/stored", "/merged", "/"} {
			if a := get(path); a.status != 200 {
				t.Fatalf("before: got %s; want 200", a.line)
			}
		}
		old := w.p.store.Variants(private + "/merged")[0]
		merged := w.p.successor(old)
		merged.Meta.addr = netip.AddrPort{} // its parts came from several addresses
		if !w.p.store.Swap(old, &merged) {
			t.Fatal("Swap = false")
		}
		w.reconfigure(Options{DenyPrivate: true})
		for _, path := range []string{"/stored", "/merged", "/"} {
			if a := get(path); a.status != 403 {
				t.Errorf("%s: got %s %s; want 403", path, a.line, a.cacheStatus())
			}
		}
		w.reconfigure(Options{})
		if a := get("/"); a.status != 200 {
			t.Errorf("allowed again: got %s; want 200", a.line)
		}
	})
}

// TestReconfigure_wrong checks that options that cannot be used change nothing.
func TestReconfigure_wrong(t *testing.T) {
	inBubble(t, Options{}, always(respond(200, "ok")), func(t *testing.T, w *world) {
		was := w.p.opt()
		if err := w.p.Reconfigure(Options{CacheBytes: 1, Name: "other"}); err == nil || w.p.opt() != was {
			t.Errorf("got %v, name %q; want an error and what was", err, w.p.opt().Name)
		}
	})
}

// TestReconfigure_connections checks that connections to origins are given up only for what concerns them.
func TestReconfigure_connections(t *testing.T) {
	tests := []struct {
		name string
		o    Options
		want bool
	}{
		{"nothing", Options{}, true},
		{"cache", Options{CacheBytes: 4 << 20, MaxVariants: 3}, true},
		{"name", Options{Name: "x"}, true},
		{"time-out", Options{ConnectTimeout: time.Second}, false},
		{"reach", Options{DenyPrivate: true}, false},
		{"limits", Options{MaxOriginConnections: 3}, false},
		{"source", Options{SourceAddresses: []netip.Addr{netip.MustParseAddr("192.0.2.1")}}, false},
		{"names", Options{DNS: resolve.Options{Servers: []netip.AddrPort{netip.MustParseAddrPort("192.0.2.1:53")}}}, false},
	}
	from := []netip.Addr{netip.MustParseAddr("192.0.2.1")}
	if a, b := settingsOf(Options{SourceAddresses: from}, nil), settingsOf(Options{SourceAddresses: from}, nil); !a.connectsLike(b) {
		t.Error("the same source address: got false; want true")
	}
	before := settingsOf(Options{}.withDefaults(), nil)
	for _, tt := range tests {
		if got := settingsOf(tt.o.withDefaults(), before).connectsLike(before); got != tt.want {
			t.Errorf("%s: got %v; want %v", tt.name, got, tt.want)
		}
	}
}

// TestReconfigure_load checks under load that no request fails while everything changes, and that the cache is within its
// bound whenever a change is done.
func TestReconfigure_load(t *testing.T) {
	w := newWorld(t, Options{}, func(a *ask) string {
		return respond(200, strings.Repeat("x", 4000), "Cache-Control: max-age=600")
	})
	stop := make(chan struct{})
	var clients sync.WaitGroup
	for n := range 4 {
		c := w.clientOf(Explicit, fmt.Sprintf("10.0.0.%d:1", n+1), "10.0.1.1:3128")
		clients.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
				}
				if a := c.get(fmt.Sprintf("http://93.184.216.34/%d", (i*7+n)%1500)); a.status != 200 || len(a.body) != 4000 {
					t.Errorf("got %s, %d bytes; want 200 and 4000", a.line, len(a.body))
					return
				}
			}
		})
	}
	sizes := []int64{8 << 20, 2 << 20, 5 << 20, 1 << 20}
	for i := range 60 {
		o := Options{
			CacheBytes: sizes[i%4], MaxVariants: 1 + i%3, MaxOriginConnections: 2 + i%5, IdleTimeout: time.Duration(i+1) * time.Second,
			CacheStatusKey: i%2 == 0, HideCacheStatus: i%3 == 0, DenyPrivate: i%2 == 1, Name: []string{"", "a", "b"}[i%3],
		}
		w.reconfigure(o)
		if s := w.p.Stats().Cache; s.Bytes+s.Overhead > s.MaxBytes || s.MaxBytes != o.CacheBytes {
			t.Errorf("after change %d: %d bytes of %d; want at most %d", i, s.Bytes+s.Overhead, s.MaxBytes, o.CacheBytes)
		}
		time.Sleep(2 * time.Millisecond) // lets the clients in between
	}
	close(stop)
	clients.Wait()
}

// TestReconfigure_names checks that names lead where the new options say, at once.
func TestReconfigure_names(t *testing.T) {
	at := func(addr string) Options {
		return Options{DNS: resolve.Options{Hosts: map[string][]netip.Addr{"a.test": {netip.MustParseAddr(addr)}}}}
	}
	inBubble(t, at("93.184.216.34"), always(respond(200, "ok", "Cache-Control: no-store")), func(t *testing.T, w *world) {
		w.get("http://a.test/")
		w.reconfigure(at("93.184.216.35"))
		w.get("http://a.test/")
		if got := fmt.Sprint(w.origin.dials); got != "[93.184.216.34:80 93.184.216.35:80]" {
			t.Errorf("dialled %s; want each address once", got)
		}
	})
}
