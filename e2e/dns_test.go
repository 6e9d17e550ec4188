package e2e

import (
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/jayproxy/jay/e2e/origin"
)

// TestNames: a slow name server delays, one that knows nothing or says nothing
// is a 502 or 504 that says so, and one fetch asks once (F1).
func TestNames(t *testing.T) {
	t.Parallel()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	must(t, err)
	here := []netip.Addr{netip.MustParseAddr("127.0.0.1")}
	d := origin.ServeDNS(conn, func(name string) ([]netip.Addr, time.Duration) {
		switch name {
		case "slow.test":
			return here, 500 * time.Millisecond
		case "silent.test":
			return here, 8 * time.Second
		}
		return nil, 0
	})
	t.Cleanup(d.Close)
	o := startOrigin(t, func(x *origin.Exchange) { x.OK("found") })
	j := startJay(t, "--dns-servers", d.Addr(), "--connect-timeout", "3s")
	eachWay(t, j, func(t *testing.T, w way) {
		for range 2 {
			resp := w.do(t, "GET", "slow.test:"+o.Port(), "/"+w.name, nil, "")
			if string(resp.Body) != "found" {
				t.Errorf("slow: got %v; want found", resp)
			}
		}
		for name, want := range map[string]struct {
			code int
			kind string
		}{"none.test": {502, `dns_error; rcode="NXDOMAIN"`}, "silent.test": {504, "dns_timeout"}} {
			began := time.Now()
			resp := w.do(t, "GET", name+":"+o.Port(), "/", nil, "")
			if resp.Code != want.code || !strings.Contains(resp.Fields.Get("Proxy-Status"), want.kind) || time.Since(began) > 6*time.Second {
				t.Errorf("%s: got %v after %v; want %d, %s", name, resp, time.Since(began), want.code, want.kind)
			}
		}
	})
	if n := d.Asked("slow.test"); n > 4 {
		t.Errorf("asked %d times for slow.test; want A and AAAA once or twice", n)
	}
}
