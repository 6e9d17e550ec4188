package e2e

import (
	"fmt"
	"net"
	"net/netip"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/jayproxy/jay/e2e/origin"
	"github.com/jayproxy/jay/e2e/rawhttp"
)

// hostile are addresses that a client of another machine must not reach
// through jay: its loopback, its link, its own addresses, clouds' metadata, and
// what the IANA special-purpose registries reserve.
var hostile = []string{
	"127.0.0.1", "127.1.2.3", "0.0.0.0", "0.1.2.3", "169.254.169.254", "169.254.1.1", "224.0.0.1", "239.1.1.1", "240.0.0.1", "255.255.255.255",
	"100.64.0.1", "192.0.0.1", "192.0.2.1", "198.18.0.1", "198.51.100.1", "203.0.113.1", "10.77.1.1", "10.77.2.1",
	"::1", "::", "::ffff:127.0.0.1", "::ffff:169.254.169.254", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "fe80::1", "ff02::1", "2001:db8::1",
	"2002:7f00:1::", "100::1", "::127.0.0.1", "fd77:2::1",
}

// dialWatch counts the TCP segments that leave the router for anywhere but the
// test's own networks and the stranger, its loopback included.
const dialWatch = `
ip route add default via 10.77.2.2
ip -6 route add default via fd77:2::2
nft -f - <<'EOF'
table inet watch {
  counter strays { }
  chain out {
    type filter hook output priority 0; policy accept;
    ip daddr 198.51.100.7 accept
    meta l4proto tcp oif lo counter name strays drop
    meta l4proto tcp ip daddr != 10.77.0.0/16 counter name strays drop
    meta l4proto tcp ip6 daddr != fd77::/16 counter name strays drop
  }
}
EOF
`

// TestReach: no client of another machine gets reach through jay that it does
// not have itself: by literal, by name, by names that change their mind, and by
// interception (security E1-E4, R4).
func TestReach(t *testing.T) {
	t.Parallel()
	needRoot(t)
	if len(hostile) < 27 {
		t.Errorf("got %d destinations; want at least 27", len(hostile))
	}
	n := newLan(t, "redirect", rules(t, "rules-redirect-nft"), "--dns-servers", "10.77.2.5:53", "--connect-timeout", "2s")
	must(t, n.router.Run(dialWatch))
	n.serveNames(t)
	for _, part := range []struct {
		name string
		run  func(*testing.T)
	}{
		{"literal", n.reachLiteral}, {"numerals", n.reachNumerals}, {"name", n.reachName}, {"rebinding", n.reachRebinding},
		{"ports", n.reachPorts}, {"strangers", n.refuseStranger}, {"intercepted", n.reachIntercepted},
	} {
		t.Run(part.name, func(t *testing.T) {
			part.run(t)
			n.noStrays(t)
		})
	}
}

// serveNames answers hN.hostile.test with hostile[N], and rebind-N.test with a
// good address and hostile[N] by turns.
func (n *lan) serveNames(t *testing.T) {
	t.Helper()
	var conn net.PacketConn
	must(t, n.servers.Do(func() (err error) {
		conn, err = net.ListenPacket("udp", "10.77.2.5:53")
		return err
	}))
	turn := make(chan int, 1)
	turn <- 0
	d := origin.ServeDNS(conn, func(name string) ([]netip.Addr, time.Duration) {
		var i int
		good := netip.MustParseAddr("10.77.2.2")
		if name == "site.test" {
			return []netip.Addr{good}, 0
		}
		if _, err := fmt.Sscanf(name, "h%d.hostile.test", &i); err == nil {
			return []netip.Addr{netip.MustParseAddr(hostile[i])}, 0
		}
		if _, err := fmt.Sscanf(name, "rebind-%d.test", &i); err == nil {
			k := <-turn
			turn <- k + 1
			if k%3 == 0 {
				return []netip.Addr{good}, 0
			}
			return []netip.Addr{netip.MustParseAddr(hostile[i]), good}[k%2 : k%2+1], 0
		}
		return nil, 0
	})
	t.Cleanup(d.Close)
}

// noStrays fails the test if jay sent a segment where it must not.
func (n *lan) noStrays(t *testing.T) {
	t.Helper()
	args := append(n.router.Prefix(), "nft", "list", "counter", "inet", "watch", "strays")
	out, err := exec.Command(args[0], args[1:]...).CombinedOutput()
	if err != nil || !strings.Contains(string(out), "packets 0 ") {
		t.Errorf("jay dialled: %s %v; want no segment", out, err)
	}
}

// refused asks explicitly for host, by GET and by CONNECT, and wants 403 and
// the connection closed; also allows other refusals.
func (n *lan) refused(t *testing.T, host string, also ...int) {
	t.Helper()
	for _, request := range []string{
		"GET http://" + host + "/ HTTP/1.1\r\nHost: " + host + "\r\n\r\n",
		"CONNECT " + host + ":443 HTTP/1.1\r\nHost: " + host + ":443\r\n\r\n",
	} {
		c := n.explicit().dial(t, host)
		send(t, c, request)
		resp, err := c.ReadResponse("GET")
		ok := err == nil && resp.Code == 403
		for _, code := range also {
			ok = ok || err == nil && resp.Code == code
		}
		if !ok {
			t.Errorf("%.40q: got %v, %v; want 403", request, resp, err)
		}
		if strings.HasPrefix(request, "CONNECT") && err == nil && !c.Closed(closeTime) {
			t.Errorf("%.40q: the connection stays open after %d", request, resp.Code)
		}
		c.Close()
	}
}

func bracket(addr string) string {
	if strings.Contains(addr, ":") {
		return "[" + addr + "]"
	}
	return addr
}

func (n *lan) reachLiteral(t *testing.T) {
	for _, addr := range hostile {
		n.refused(t, bracket(addr))
	}
	n.refused(t, "localhost", 502) // a name that the machine's own hosts file knows
	n.refused(t, "localhost.", 502)
}

// reachNumerals: spellings of addresses that some resolvers take.
func (n *lan) reachNumerals(t *testing.T) {
	for _, host := range []string{"127.1", "2130706433", "0x7f000001", "0177.0.0.1", "0", "127.0.0.1.", "[::ffff:7f00:1]", "[0:0:0:0:0:ffff:127.0.0.1]", "%31%32%37.0.0.1"} {
		n.refused(t, host, 400, 502)
	}
}

func (n *lan) reachName(t *testing.T) {
	for i, addr := range hostile {
		if strings.HasPrefix(addr, "::ffff:") {
			continue // no such AAAA record reaches a resolver's caller as IPv6
		}
		n.refused(t, fmt.Sprintf("h%d.hostile.test", i))
	}
	n.refused(t, "H0.Hostile.Test.")
}

// reachRebinding: whatever a name says the next time, what was checked is what
// is dialled.
func (n *lan) reachRebinding(t *testing.T) {
	for i := range hostile {
		if strings.HasPrefix(hostile[i], "::ffff:") {
			continue
		}
		for range 3 {
			resp := n.explicit().do(t, "GET", fmt.Sprintf("rebind-%d.test", i), "/", nil, "")
			if good := resp.Code == 200 && string(resp.Body) == "site /"; !good && resp.Code != 403 && resp.Code != 502 {
				t.Errorf("%s: got %v; want the good server or a refusal", hostile[i], resp)
			}
		}
	}
}

// reachIntercepted: what a client's own network would route to the router.
func (n *lan) reachIntercepted(t *testing.T) {
	for _, addr := range []string{"169.254.169.254", "100.64.0.1", "192.0.0.1", "192.0.2.1", "198.18.0.1", "198.51.100.1", "203.0.113.1", "2001:db8::1", "64:ff9b::7f00:1", "100::1"} {
		for _, port := range []string{"80", "443"} {
			c, err := n.client.Dial("tcp", net.JoinHostPort(addr, port))
			if err != nil {
				t.Errorf("%s:%s: %v; want it intercepted", addr, port, err)
				continue
			}
			conn := rawhttp.NewConn(c)
			if port == "443" {
				send(t, conn, "\x16\x03\x01\x00\x05hello")
				if !conn.Closed(20 * time.Second) {
					t.Errorf("%s:%s: stays open; want it closed", addr, port)
				}
			} else {
				send(t, conn, "GET / HTTP/1.1\r\nHost: "+bracket(addr)+"\r\n\r\n")
				if resp, err := conn.ReadResponse("GET"); err != nil || resp.Code != 403 {
					t.Errorf("%s:%s: got %v, %v; want 403", addr, port, resp, err)
				}
			}
			c.Close()
		}
	}
}

func (n *lan) reachPorts(t *testing.T) {
	tests := []struct {
		request string
		want    int
	}{
		{"GET http://site.test:25/ HTTP/1.1\r\nHost: site.test\r\n\r\n", 403},
		{"GET http://10.77.2.2:22/ HTTP/1.1\r\nHost: site.test\r\n\r\n", 403},
		{"CONNECT site.test:25 HTTP/1.1\r\nHost: site.test\r\n\r\n", 403},
		{"CONNECT 10.77.2.2:22 HTTP/1.1\r\nHost: site.test\r\n\r\n", 403},
		{"CONNECT site.test:8443 HTTP/1.1\r\nHost: site.test\r\n\r\n", 403},
		{"CONNECT site.test:443 HTTP/1.1\r\nHost: site.test\r\n\r\n", 200},
		{"CONNECT site.test:80 HTTP/1.1\r\nHost: site.test\r\n\r\n", 200},
		{"GET http://site.test/ HTTP/1.1\r\nHost: site.test\r\n\r\n", 200},
	}
	for _, tt := range tests {
		c := n.explicit().dial(t, "site.test")
		send(t, c, tt.request)
		resp, err := c.ReadHead("CONNECT")
		if err != nil || resp.Code != tt.want {
			t.Errorf("%.40q: got %v, %v; want %d", tt.request, resp, err, tt.want)
		}
		c.Close()
	}
}

// refuseStranger: a client with a public address is refused before a byte is
// read, explicit and intercepted.
func (n *lan) refuseStranger(t *testing.T) {
	must(t, n.client.Run("ip addr add 198.51.100.7/32 dev lo"))
	must(t, n.router.Run("ip route add 198.51.100.7/32 via 10.77.1.2"))
	before := len(n.site.Requests())
	for _, address := range []string{"10.77.1.1:3128", "10.77.2.2:80"} {
		var c net.Conn
		err := n.client.Do(func() (err error) {
			d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(198, 51, 100, 7)}, Timeout: 10 * time.Second}
			c, err = d.Dial("tcp", address)
			return err
		})
		if err != nil {
			continue // refused even sooner
		}
		conn := rawhttp.NewConn(c)
		_ = conn.Send("GET http://site.test/stranger HTTP/1.1\r\nHost: site.test\r\nX-Forwarded-For: 10.77.1.2\r\n\r\n")
		if !conn.Closed(closeTime) {
			t.Errorf("%s: a stranger is answered; want the end of the connection", address)
		}
		c.Close()
	}
	if after := len(n.site.Requests()); after != before {
		t.Errorf("origin got %d requests of a stranger; want none", after-before)
	}
}
