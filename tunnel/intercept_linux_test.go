package tunnel_test

import (
	"errors"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/jayproxy/jay/tunnel"
)

// Rules as the README gives them. There jay is a user's name; here it is root.
const nftRedirect = `
table inet jay {
	chain prerouting {
		type nat hook prerouting priority dstnat; policy accept;
		fib daddr type local accept
		iifname "lan0" tcp dport { 80, 443 } redirect to :3129
	}
	chain output {
		type nat hook output priority -100; policy accept;
		meta skuid "root" accept
		fib daddr type local accept
		tcp dport { 80, 443 } redirect to :3129
	}
}
`

var iptablesRedirect = []string{
	"-t nat -A PREROUTING -i lan0 -p tcp -m multiport --dports 80,443 -m addrtype ! --dst-type LOCAL -j REDIRECT --to-ports 3129",
	"-t nat -A OUTPUT -p tcp -m multiport --dports 80,443 -m owner ! --uid-owner root -m addrtype ! --dst-type LOCAL -j REDIRECT --to-ports 3129",
}

const nftTransparent = `
table inet jay {
	chain prerouting {
		type filter hook prerouting priority mangle; policy accept;
		fib daddr type local accept
		iifname "lan0" tcp dport { 80, 443 } tproxy to :3130 meta mark set 1 accept
	}
}
`

var iptablesTransparent = []string{
	"-t mangle -A PREROUTING -i lan0 -p tcp -m multiport --dports 80,443 -m addrtype ! --dst-type LOCAL -j TPROXY --on-port 3130 --tproxy-mark 1",
}

var transparentRoutes = []string{
	"ip rule add fwmark 1 lookup 100",
	"ip route add local default dev lo table 100",
	"ip -6 rule add fwmark 1 lookup 100",
	"ip -6 route add local default dev lo table 100",
}

// rules loads one of the two kinds of rules on the router.
func (l *lab) rules(kind, nft string, iptables []string) {
	l.Helper()
	if kind == "nft" {
		l.nft(l.router, nft)
		return
	}
	for _, line := range iptables {
		l.run(l.router, "iptables "+line, "ip6tables "+line)
	}
}

var kinds = map[string][]string{"nft": {"nft"}, "iptables": {"iptables", "ip6tables"}}

func redirected(c net.Conn) (netip.AddrPort, error) { return tunnel.OriginalDst(c.(*net.TCPConn)) }

func TestOriginalDst_Redirect(t *testing.T) {
	for kind, tools := range kinds {
		t.Run(kind, func(t *testing.T) {
			l := newLab(t, tools...)
			l.rules(kind, nftRedirect, iptablesRedirect)
			l.serve()
			saw := l.relay(func() (net.Listener, error) { return net.Listen("tcp", "[::]:3129") }, redirected)
			for _, server := range []string{serverAddr, serverAddr6} {
				l.check(l.fromClient, saw, server)
				l.check(l.fromRouter, saw, server)
			}
			for _, own := range []string{routerAddr, routerAddr6} {
				if _, err := l.fromClient(net.JoinHostPort(own, "3129")); err != nil {
					t.Fatal(err)
				}
				if s := <-saw; !errors.Is(s.err, tunnel.ErrNotRedirected) {
					t.Errorf("connection to the listener itself: got %v, %v; want %v", s.dst, s.err, tunnel.ErrNotRedirected)
				}
			}
		})
	}
}

func TestOriginalDst_IPv4Listener(t *testing.T) {
	l := newLab(t, "nft")
	l.nft(l.router, nftRedirect)
	l.serve()
	saw := l.relay(func() (net.Listener, error) { return net.Listen("tcp4", "0.0.0.0:3129") }, redirected)
	l.check(l.fromClient, saw, serverAddr)
}

func TestListenTransparent_TPROXY(t *testing.T) {
	for kind, tools := range kinds {
		for _, listener := range []string{"[::]:3130", "0.0.0.0:3130"} {
			t.Run(kind+" "+listener, func(t *testing.T) {
				l := newLab(t, tools...)
				l.rules(kind, nftTransparent, iptablesTransparent)
				l.run(l.router, transparentRoutes...)
				l.serve()
				saw := l.relay(func() (net.Listener, error) { return tunnel.ListenTransparent(t.Context(), listener, nil) },
					func(c net.Conn) (netip.AddrPort, error) { return unmapped(c.LocalAddr()), nil })
				l.check(l.fromClient, saw, serverAddr)
				if listener == "[::]:3130" {
					l.check(l.fromClient, saw, serverAddr6)
				}
			})
		}
	}
}

// What guards a transparent listener against a loop: the addresses of the router
// are local to it, the server's are not.
func TestAddresses_LocalOnARouter(t *testing.T) {
	l := newLab(t)
	var a tunnel.Addresses
	l.in(l.router, func() {
		for addr, want := range map[string]bool{routerAddr: true, routerAddr6: true, "::ffff:10.77.2.1": true, serverAddr: false, serverAddr6: false} {
			if got := a.Local(netip.MustParseAddr(addr)); got != want {
				t.Errorf("Local(%s) = %v; want %v", addr, got, want)
			}
		}
	})
}

func TestListenTransparent_Permission(t *testing.T) {
	var err error
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // and the thread ends with its capabilities
		if os.Geteuid() == 0 {
			hdr := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
			var none [2]unix.CapUserData
			if e := unix.Capset(&hdr, &none[0]); e != nil {
				t.Errorf("drop capabilities: %v", e)
				return
			}
		}
		_, err = tunnel.ListenTransparent(t.Context(), "127.0.0.1:0", nil)
	}()
	<-done
	if !errors.Is(err, fs.ErrPermission) || !strings.Contains(err.Error(), "CAP_NET_ADMIN") {
		t.Errorf("got %v; want a permission error that names CAP_NET_ADMIN", err)
	}
}

func TestListenTransparent_AddressInUse(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("listening transparently needs root")
	}
	l, err := tunnel.ListenTransparent(t.Context(), "127.0.0.1:0", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if _, err := tunnel.ListenTransparent(t.Context(), l.Addr().String(), nil); !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("got %v; want %v", err, syscall.EADDRINUSE)
	}
}
