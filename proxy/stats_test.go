package proxy

import (
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jayproxy/jay/proxy/access"
)

func TestFigures(t *testing.T) {
	var p Proxy
	for i, d := range decisions {
		for n := range i + 1 {
			r := access.Record{Decision: d, Duration: time.Duration(n+1) * time.Millisecond, BytesIn: 2, BytesOut: 10}
			p.stats.count(&r)
		}
	}
	for i, f := range p.Figures() {
		n := int64(i + 1)
		if f.Decision != decisions[i] || f.Count != n || f.BytesIn != 2*n || f.BytesOut != 10*n {
			t.Errorf("%s: %+v; want %d times 2 and 10 bytes", decisions[i], f, n)
		}
		if want := time.Duration(n*(n+1)/2) * time.Millisecond; f.Time != want {
			t.Errorf("%s: %v; want %v", f.Decision, f.Time, want)
		}
	}
	if got := len(p.Figures()[0].Buckets); got != len(DurationBounds())+1 {
		t.Errorf("%d buckets for %d bounds", got, len(DurationBounds()))
	}
}

func TestFigures_Buckets(t *testing.T) {
	tests := []struct {
		d    time.Duration
		want int
	}{{0, 0}, {50 * time.Microsecond, 0}, {51 * time.Microsecond, 1}, {time.Second, 13}, {time.Minute, 17}, {time.Minute + 1, 18}, {time.Hour, 18}}
	for _, tt := range tests {
		var c counters
		c.count(&access.Record{Decision: access.Miss, Duration: tt.d})
		if c.by[slot(access.Miss)].buckets[tt.want].Load() != 1 {
			t.Errorf("%v is not in bucket %d", tt.d, tt.want)
		}
	}
}

func TestErrors_RFC9209_2_3(t *testing.T) {
	tests := map[string]string{
		"jay; error=dns_error": "dns_error", `jay; error=http_request_denied; details="rule x"`: "http_request_denied",
		"jay; error=proxy_loop_detected": "proxy_loop_detected", "jay; error=made_up": "other", "jay": "other",
	}
	for status, want := range tests {
		var p Proxy
		p.stats.count(&access.Record{Decision: access.Failed, ProxyStatus: status})
		if got := p.Errors(); got[want] != 1 || len(got) != len(errorTypes) {
			t.Errorf("%s: %v; want one %s", status, got, want)
		}
	}
}

// TestStats counts what real exchanges do.
func TestStats(t *testing.T) {
	inBubble(t, Options{}, always(respond(200, "body", "Cache-Control: max-age=60")), func(t *testing.T, w *world) {
		for _, via := range []string{"", "", "1.1 jay-test"} {
			w.get(host+"/", "Via: "+via)
			synctest.Wait() // a record is written after the answer
		}
		s := w.p.Stats()
		if s.Requests != 3 || s.Hits != 1 || s.Failures != 1 || s.BytesHit != 4 || s.BytesOut <= 8 {
			t.Errorf("got %+v; want 3 requests, 1 hit of 4 bytes, 1 failure", s)
		}
		if got := w.p.Errors()["proxy_loop_detected"]; got != 1 {
			t.Errorf("%d loops; want 1", got)
		}
		recent := w.p.Recent()
		if len(recent) != 3 || recent[0].Reason != "proxy_loop_detected" || recent[1].Decision != access.Hit || recent[2].URL != host+"/" {
			t.Errorf("recent: %+v", recent)
		}
		if top := w.p.TopHosts(5); len(top) != 1 || top[0] != (HostFigures{Host: "192.0.2.1", Requests: 3, Hits: 1, Bytes: s.BytesOut}) {
			t.Errorf("hosts: %+v", top)
		}
	})
}

func TestRecents(t *testing.T) {
	var p Proxy
	at := time.Unix(1, 0)
	for i := range 1000 { // ten hits within each gap
		p.recent.note(&access.Record{Time: at.Add(time.Duration(i) * recentGap / 10), Decision: access.Hit, Method: "GET", URL: "http://a/" + strings.Repeat("x", 600), BytesOut: 5})
	}
	list := p.Recent()
	if len(list) != 100 || len(list[0].URL) != recentURL {
		t.Errorf("%d are remembered, with %d bytes of URL; want 100, %d", len(list), len(list[0].URL), recentURL)
	}
	if top := p.TopHosts(1)[0]; top.Requests < 990 || top.Requests > 1000 || top.Hits != top.Requests || top.Bytes != 5*top.Requests {
		t.Errorf("got %+v; want about 1000 requests", top)
	}
	for i := range 300 {
		p.recent.note(&access.Record{Time: at, Decision: access.Miss, Method: "GET", URL: fmt.Sprintf("http://h%d/", i%7)})
	}
	if list = p.Recent(); len(list) != recentCount || list[0].URL != "http://h5/" {
		t.Errorf("%d, the last %s; want %d, http://h5/", len(list), list[0].URL, recentCount)
	}
	if top := p.TopHosts(3); len(top) != 3 || top[0].Host != "a" || top[1].Host != "h0" || top[1].Requests != 43 {
		t.Errorf("hosts: %+v", top)
	}
}

// TestRecents_ManyHosts checks that the table of hosts is bounded and keeps the busy ones.
func TestRecents_ManyHosts(t *testing.T) {
	var p Proxy
	for i := range 20000 {
		host := fmt.Sprintf("h%d:443", i)
		if i%10 == 0 {
			host = "busy:443"
		}
		p.recent.note(&access.Record{Decision: access.Tunnel, Method: "CONNECT", URL: host})
	}
	if n := len(p.recent.hosts); n > maxHosts {
		t.Errorf("%d hosts; want at most %d", n, maxHosts)
	}
	if top := p.TopHosts(1)[0]; top.Host != "busy:443" {
		t.Errorf("the top is %+v; want busy:443", top)
	}
}

func TestHostOf(t *testing.T) {
	tests := map[string]string{
		"http://a.b:8080/c?d": "a.b:8080", "https://[::1]/x": "[::1]", "example.com:443": "example.com:443", "http://a?b": "a", "": "", "/x": "",
		strings.Repeat("x", 300): "",
	}
	for url, want := range tests {
		if got := hostOf(url); got != want {
			t.Errorf("hostOf(%q) = %q; want %q", url, got, want)
		}
	}
}

// TestCount_Allocations: answers from the cache are counted and noted without allocating.
func TestCount_Allocations(t *testing.T) {
	var p Proxy
	r := access.Record{Decision: access.Hit, Method: "GET", URL: "http://example.com/", BytesOut: 100}
	step := recentGap / 3
	if n := testing.AllocsPerRun(1000, func() {
		r.Time = time.Unix(0, int64(step))
		step += recentGap / 3
		p.stats.count(&r)
		p.recent.note(&r)
	}); n != 0 {
		t.Errorf("%v allocations; want 0", n)
	}
}

func BenchmarkCount(b *testing.B) {
	var p Proxy
	r := access.Record{Time: time.Now(), Duration: 30 * time.Microsecond, Decision: access.Hit, Method: "GET", URL: "http://example.com/", BytesOut: 100}
	b.ReportAllocs()
	for b.Loop() {
		p.stats.count(&r)
		p.recent.note(&r)
	}
}

// TestRecents_Race has everything at once.
func TestRecents_Race(t *testing.T) {
	var p Proxy
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			for n := range 500 {
				p.recent.note(&access.Record{Time: time.Unix(0, int64(n)*int64(recentGap)), Decision: decisions[n%len(decisions)], Method: "GET", URL: fmt.Sprintf("http://h%d/", i)})
				if n%100 == 0 {
					p.Recent()
					p.TopHosts(2)
				}
			}
		})
	}
	wg.Wait()
}

func TestReserve(t *testing.T) {
	w := newWorld(t, Options{}, always(respond(200, "body")))
	admin := &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 3127}
	to := netip.MustParseAddrPort("127.0.0.1:3127")
	twice := w.p.Reserve(admin)
	release := w.p.Reserve(admin)
	twice()
	twice()
	for _, url := range []string{"http://127.0.0.1:3127/", "http://0.0.0.0:3127/", "http://[::ffff:127.0.0.1]:3127/"} {
		if a := w.get(url); a.status != 508 {
			t.Errorf("%s: %s; want 508", url, a.line)
		}
	}
	if a := w.get("http://127.0.0.1:3128/"); a.status != 200 {
		t.Errorf("another port: %s; want 200", a.line)
	}
	release()
	if err := w.p.notOwn(to); err != nil {
		t.Errorf("still refused after its release: %v", err)
	}
	all := w.p.Reserve(&net.TCPAddr{IP: net.IPv6unspecified, Port: 3127})
	defer all()
	if err := w.p.notOwn(to); err == nil {
		t.Error("127.0.0.1:3127 may be dialled although [::]:3127 is reserved")
	}
}
