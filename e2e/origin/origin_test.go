package origin_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/jayproxy/jay/e2e/origin"
	"github.com/jayproxy/jay/e2e/rawhttp"
)

func start(t *testing.T, h origin.Handler) *origin.Origin {
	t.Helper()
	o, err := origin.Start(h)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(o.Close)
	return o
}

func TestOrigin_recordsEachRequest(t *testing.T) {
	o := start(t, func(x *origin.Exchange) { x.OK("hello") })
	c, err := rawhttp.Dial(o.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for range 2 {
		if err := c.Send("POST /a HTTP/1.1\r\nhOsT: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nT: 1\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		resp, err := c.ReadResponse("POST")
		if err != nil || resp.Code != 200 || string(resp.Body) != "hello" {
			t.Fatalf("got %v, %v; want 200 hello", resp, err)
		}
	}
	// The first request's body was read before the second one's head.
	reqs := o.Requests()
	if len(reqs) != 2 {
		t.Fatalf("got %d requests; want 2", len(reqs))
	}
	r := reqs[0]
	if string(r.Body) != "abc" || !r.Complete || r.Trailers.Get("t") != "1" || r.Sum != sha256.Sum256([]byte("abc")) {
		t.Errorf("got %+v; want body abc, trailer T, complete", r)
	}
	if r.Fields[0].Name != "hOsT" || reqs[1].Seq != 1 {
		t.Errorf("got %+v; want name and order kept", r)
	}
}

func TestOrigin_reportsViolations(t *testing.T) {
	bad := []string{
		"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
		"GET / HTTP/1.1\r\n\r\n",
		"GET  / HTTP/1.1\r\nHost: a\r\n\r\n",
		"GET / HTTP/1.1\nHost: a\n\n",
		"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
		"GET / HTTP/1.1\r\nHost: a\r\n\r\nsmuggled",
	}
	for _, in := range bad {
		o := start(t, func(x *origin.Exchange) { x.OK("") })
		c, err := net.Dial("tcp", o.Addr())
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.WriteString(c, in)
		_ = c.(*net.TCPConn).CloseWrite()
		_, _ = io.Copy(io.Discard, c)
		c.Close()
		if v := o.Violations(); len(v) != 1 {
			t.Errorf("%q: got %d violations; want 1", in, len(v))
		}
	}
}

func TestContent_functionOfKeyAndVersion(t *testing.T) {
	c := origin.Content{Key: "k", Version: 1, Size: 100_003}
	whole := c.Bytes()
	for _, off := range []int64{0, 1, 15, 16, 17, 99_999} {
		part, _ := io.ReadAll(c.Reader(off, off+4))
		if string(part) != string(whole[off:off+4]) {
			t.Errorf("offset %d: got %x; want %x", off, part, whole[off:off+4])
		}
	}
	sum := sha256.Sum256(whole)
	if got := c.Sum(); got != hex.EncodeToString(sum[:]) {
		t.Errorf("got %s; want %x", got, sum)
	}
	d := origin.Content{Key: "k", Version: 2, Size: c.Size}
	if d.Sum() == c.Sum() || d.ETag() == c.ETag() {
		t.Error("two versions are alike; want them different")
	}
}

func TestContent_Serve_RFC9110_14(t *testing.T) {
	c := origin.Content{Key: "f", Size: 1000}
	whole := string(c.Bytes())
	o := start(t, func(x *origin.Exchange) { c.Serve(x, nil) })
	tests := []struct {
		fields rawhttp.Fields
		code   int
		body   string
	}{
		{nil, 200, whole},
		{rawhttp.F("Range", "bytes=0-0"), 206, whole[:1]},
		{rawhttp.F("Range", "bytes=990-"), 206, whole[990:]},
		{rawhttp.F("Range", "bytes=-10"), 206, whole[990:]},
		{rawhttp.F("Range", "bytes=5000-"), 416, ""},
		{rawhttp.F("Range", "bytes=0-0", "If-Range", `"other"`), 200, whole},
		{rawhttp.F("Range", "bytes=0-0", "If-Range", c.ETag()), 206, whole[:1]},
		{rawhttp.F("If-None-Match", c.ETag()), 304, ""},
	}
	for _, tt := range tests {
		resp, err := rawhttp.Get(o.Addr(), "GET", "/", append(rawhttp.F("Host", "x"), tt.fields...), "")
		if err != nil || resp.Code != tt.code || string(resp.Body) != tt.body {
			t.Errorf("%q: got %v, %v; want %d, %d bytes", tt.fields, resp, err, tt.code, len(tt.body))
		}
	}
}

func TestFaults_neverLookWhole(t *testing.T) {
	o := start(t, origin.Faults)
	for _, f := range origin.AllFaults() {
		if f == origin.FaultStall || f == origin.FaultDrip {
			continue // these end only with the client's patience
		}
		path := origin.FaultPath(f, 1000, 1, "x")
		resp, err := rawhttp.Get(o.Addr(), "GET", path, rawhttp.F("Host", "x"), "")
		if err == nil && resp.Err == nil {
			t.Errorf("%s: got a whole answer %v; want a visible fault", f, resp)
		}
	}
	path := origin.FaultPath(origin.FaultDrip, 5, 1, "x")
	resp, err := rawhttp.Get(o.Addr(), "GET", path, rawhttp.F("Host", "x"), "")
	if err != nil || resp.Err != nil || len(resp.Body) != 5 {
		t.Errorf("drip: got %v, %v; want 5 bytes", resp, err)
	}
}

func TestDNS_answersAndWaits(t *testing.T) {
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	d := origin.ServeDNS(conn, func(name string) ([]netip.Addr, time.Duration) {
		if strings.HasPrefix(name, "slow.") {
			return []netip.Addr{netip.MustParseAddr("127.0.0.2")}, 30 * time.Millisecond
		}
		return nil, 0
	})
	defer d.Close()
	res := &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "udp", d.Addr())
	}}
	began := time.Now()
	got, err := res.LookupNetIP(t.Context(), "ip4", "slow.test.")
	if err != nil || len(got) != 1 || got[0] != netip.MustParseAddr("127.0.0.2") {
		t.Errorf("got %v, %v; want 127.0.0.2", got, err)
	}
	if d := time.Since(began); d < 30*time.Millisecond {
		t.Errorf("got an answer after %v; want at least 30ms", d)
	}
	if got, err := res.LookupNetIP(t.Context(), "ip4", "none.test."); err == nil {
		t.Errorf("got %v; want an error", got)
	}
	if d.Asked("slow.test") != 1 {
		t.Errorf("got %d questions; want 1", d.Asked("slow.test"))
	}
}
