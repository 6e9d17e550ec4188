package e2e

import (
	"crypto/tls"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jayproxy/jay/e2e/netns"
	"github.com/jayproxy/jay/e2e/origin"
	"github.com/jayproxy/jay/e2e/process"
	"github.com/jayproxy/jay/e2e/rawhttp"
)

// hosts are the names that the router (and so jay) and the client know.
const hosts = `10.77.2.2 site.test
10.77.2.3 other.test
10.77.2.4 socket.test
10.77.2.5 gateway.test
fd77:2::2 site6.test
`

// lan is a client behind a router on which jay runs, and servers beyond it:
//
//	client 10.77.1.2 -- lan0 10.77.1.1 router wan0 10.77.2.1 -- 10.77.2.2… servers
type lan struct {
	client, router, servers *netns.NS
	site, other, secure     *origin.Origin
	caFile                  string
	jay                     *process.Jay
}

// newLan builds it all; args are further flags for jay.
func newLan(t *testing.T, mode, rules string, args ...string) *lan {
	t.Helper()
	lab := netns.NewLab()
	t.Cleanup(lab.Close)
	n := &lan{}
	var err error
	for _, ns := range []**netns.NS{&n.client, &n.router, &n.servers} {
		if *ns, err = lab.Add(hosts); err != nil {
			t.Fatal(err)
		}
	}
	must(t, netns.Join(n.client, "eth0", "10.77.1.2/24 fd77:1::2/64", n.router, "lan0", "10.77.1.1/24 fd77:1::1/64"))
	must(t, netns.Join(n.servers, "eth0", "10.77.2.2/24 10.77.2.3/24 10.77.2.4/24 10.77.2.5/24 fd77:2::2/64", n.router, "wan0", "10.77.2.1/24 fd77:2::1/64"))
	must(t, n.client.Run("ip route add default via 10.77.1.1; ip -6 route add default via fd77:1::1"))
	must(t, n.servers.Run("ip route add default via 10.77.2.1; ip -6 route add default via fd77:2::1"))
	must(t, n.router.Run("echo 1 >/proc/sys/net/ipv4/ip_forward; echo 1 >/proc/sys/net/ipv6/conf/all/forwarding"))
	n.serve(t)
	n.jay = startJayWith(t, process.Options{
		Prefix: n.router.Prefix(), Listen: "10.77.1.1:3128", Intercept: ":3129", Mode: mode, Dial: n.router.Dial, Args: args})
	must(t, n.router.Run(rules))
	return n
}

func (n *lan) serve(t *testing.T) {
	t.Helper()
	start := func(address string, config *tls.Config, name string) *origin.Origin {
		l, err := n.servers.Listen("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		if config != nil {
			l = tls.NewListener(l, config)
		}
		o := origin.Serve(l, func(x *origin.Exchange) { x.OK(name + " " + x.Req.Target) })
		watch(t, o)
		return o
	}
	cert, ca, err := origin.SelfSigned("site.test")
	if err != nil {
		t.Fatal(err)
	}
	n.caFile = filepath.Join(t.TempDir(), "ca.pem")
	must(t, os.WriteFile(n.caFile, ca, 0o600))
	n.site = start("10.77.2.2:80", nil, "site")
	n.other = start("10.77.2.3:80", nil, "other")
	n.secure = start("10.77.2.2:443", &tls.Config{Certificates: []tls.Certificate{cert}}, "secure")
	start("[fd77:2::2]:80", nil, "site6")
	l, err := n.servers.Listen("tcp", "10.77.2.4:80")
	if err != nil {
		t.Fatal(err)
	}
	startSocketServer(t, l)
}

// explicit is the way of a client that was told to use jay.
func (n *lan) explicit() way {
	return way{name: "explicit", connect: func(string) (net.Conn, error) { return n.client.Dial("tcp", "10.77.1.1:3128") }}
}

// way is that of a client which knows of no proxy.
func (n *lan) way() way {
	addrs := map[string]string{}
	for line := range strings.Lines(hosts) {
		addr, name, _ := strings.Cut(strings.TrimSpace(line), " ")
		addrs[name] = addr
	}
	return way{name: "intercepted", transparent: true, connect: func(host string) (net.Conn, error) {
		name, port, err := net.SplitHostPort(host)
		if err != nil {
			name, port = host, "80"
		}
		if addr, ok := addrs[name]; ok {
			name = addr
		}
		return n.client.Dial("tcp", net.JoinHostPort(name, port))
	}}
}

// curl runs curl on the client's machine, without any setting for a proxy.
func (n *lan) curl(t *testing.T, args ...string) answer {
	t.Helper()
	heads := filepath.Join(t.TempDir(), "heads")
	all := append(n.client.Prefix(), "curl", "--silent", "--show-error", "--max-time", "60", "--dump-header", heads)
	all = append(all, args...)
	body, _ := command(t, all[0], all[1:]...)
	h, err := os.ReadFile(heads)
	must(t, err)
	return lastHead(t, string(h), body)
}

// rules returns the interception rules of that name as the README prints them.
func rules(t *testing.T, name string) string {
	t.Helper()
	blocks, _ := snippets(t)
	if blocks[name] == "" {
		t.Fatalf("README.md has no block marked %s", name)
	}
	return blocks[name]
}

// TestInterception: a client that needs no setting is served through REDIRECT
// and TPROXY, by the rules that the README prints.
func TestInterception(t *testing.T) {
	t.Parallel()
	needRoot(t)
	need(t, "curl")
	for _, name := range []string{"rules-redirect-nft", "rules-redirect-iptables", "rules-tproxy-nft", "rules-tproxy-iptables"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			mode := strings.Split(name, "-")[1]
			n := newLan(t, mode, rules(t, name))
			t.Run("cached", n.testCached)
			t.Run("IPv6", n.testIPv6)
			t.Run("HTTPS", n.testHTTPS)
			t.Run("WebSocket", func(t *testing.T) { checkSocket(t, n.way(), "socket.test:80/chat") })
			t.Run("forged Host", n.testForged)
			t.Run("direct", n.testDirect)
			t.Run("own address", n.testLoop)
			if name == "rules-redirect-nft" {
				t.Run("messenger", n.testMessenger)
			}
		})
	}
}

func (n *lan) testCached(t *testing.T) {
	first := n.curl(t, "http://site.test/page")
	second := n.curl(t, "http://site.test/page")
	checkNoHit(t, first.Fields)
	second.hit(t)
	if first.body != "site /page" || second.body != first.body || n.site.Count("/page") != 1 {
		t.Errorf("got %q, %q, %d requests; want the page twice from 1", first.body, second.body, n.site.Count("/page"))
	}
	if host := n.site.Requests()[0].Fields.Get("Host"); host != "site.test" {
		t.Errorf("origin got Host %q; want site.test", host)
	}
}

func (n *lan) testIPv6(t *testing.T) {
	n.curl(t, "http://site6.test/page")
	a := n.curl(t, "http://site6.test/page")
	a.hit(t)
	if a.body != "site6 /page" {
		t.Errorf("got %q; want site6 /page", a.body)
	}
}

func (n *lan) testHTTPS(t *testing.T) {
	for range 2 {
		if a := n.curl(t, "--cacert", n.caFile, "https://site.test/s"); a.body != "secure /s" || a.Has("Via") {
			t.Errorf("got %q, Via %q; want it untouched", a.body, a.Get("Via"))
		}
	}
	if n.secure.Count("/s") != 2 {
		t.Errorf("origin got %d requests; want 2", n.secure.Count("/s"))
	}
	if _, ok := n.jay.WaitLog(func(e process.Entry) bool { return strings.Contains(e.String("sni"), "site.test") }); !ok {
		t.Errorf("log has no tunnel to site.test: %v", n.jay.Log())
	}
}

// testForged: a client that claims another server's name gets what its own
// destination answers; nobody else does (security C7).
func (n *lan) testForged(t *testing.T) {
	forged := n.way()
	honest := forged.connect
	forged.connect = func(string) (net.Conn, error) { return honest("10.77.2.3:80") }
	for _, target := range []string{"/forged", "http://site.test/absolute"} {
		path := strings.TrimPrefix(target, "http://site.test")
		for range 2 {
			resp := forged.do(t, "GET", "site.test", target, nil, "")
			if want := "other "; !strings.HasPrefix(string(resp.Body), want) {
				t.Errorf("%s: forger got %v; want the answer of its destination", target, resp)
			}
			checkNoHit(t, resp.Fields)
			if cs := resp.Fields.Joined("Cache-Status"); strings.Contains(cs, "stored") && !strings.Contains(cs, "stored=?0") {
				t.Errorf("%s: got Cache-Status %q; want nothing stored", target, cs)
			}
		}
		for i := range 2 {
			resp := n.way().do(t, "GET", "site.test", path, nil, "")
			if string(resp.Body) != "site "+path {
				t.Errorf("%s: honest client got %v; want the site's page", target, resp)
			}
			if i == 1 {
				checkHit(t, resp.Fields)
			}
		}
		resp := forged.do(t, "GET", "site.test", target, nil, "")
		if !strings.HasPrefix(string(resp.Body), "other ") {
			t.Errorf("%s: forger got %v from the cache; want the answer of its destination", target, resp)
		}
	}
}

// testDirect: a connection to the intercepting port itself is refused.
func (n *lan) testDirect(t *testing.T) {
	c, err := n.client.Dial("tcp", "10.77.1.1:3129")
	must(t, err)
	defer c.Close()
	conn := rawhttp.NewConn(c)
	send(t, conn, "GET / HTTP/1.1\r\nHost: site.test\r\n\r\n")
	resp, err := conn.ReadResponse("GET")
	if err != nil || resp.Code != 403 && resp.Code != 508 || !conn.Closed(rawhttp.Timeout) {
		t.Errorf("got %v, %v; want 403 or 508 and the connection closed", resp, err)
	}
}

// testLoop: a connection to the router itself, intercepted or not, does not
// loop.
func (n *lan) testLoop(t *testing.T) {
	c, err := n.client.Dial("tcp", "10.77.1.1:80")
	if errors.Is(err, syscall.ECONNREFUSED) {
		return // the rules leave the router's own addresses alone, and nothing listens
	}
	must(t, err)
	defer c.Close()
	conn := rawhttp.NewConn(c)
	send(t, conn, "GET / HTTP/1.1\r\nHost: 10.77.1.1\r\n\r\n")
	resp, err := conn.ReadResponse("GET")
	if err != nil || resp.Code < 400 {
		t.Errorf("got %v, %v; want an error answer", resp, err)
	}
}

// testMessenger: the poll scenario of TestMessenger for a client that knows of
// no proxy.
func (n *lan) testMessenger(t *testing.T) {
	l, err := n.servers.Listen("tcp", "10.77.2.5:80")
	must(t, err)
	g := &gateway{hold: 500 * time.Millisecond}
	o := origin.Serve(l, g.serve)
	watch(t, o)
	chat(t, n.way(), o, "gateway.test", 20)
	if g.thrown != "" || g.polls != 20 {
		t.Errorf("thrown out: %q after %d polls; want 20", g.thrown, g.polls)
	}
}
