package tunnel_test

import (
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/jayproxy/jay/tunnel"
)

// A lab is three network namespaces in a row: a client, a router on which the
// interception happens, and a server. Nothing outside of them is touched.
type lab struct {
	testing.TB
	client, router, server string // names of the namespaces
}

const (
	routerAddr  = "10.77.1.1" // the side that the client is on
	routerAddr6 = "fd77:1::1"
	serverAddr  = "10.77.2.2"
	serverAddr6 = "fd77:2::2"
	nobody      = 65534 // stands for every user but Jay's, which is root here
)

func newLab(tb testing.TB, tools ...string) *lab {
	tb.Helper()
	if os.Geteuid() != 0 {
		tb.Skip("making network namespaces needs root")
	}
	for _, tool := range append(tools, "ip") {
		if _, err := exec.LookPath(tool); err != nil {
			tb.Skipf("needs the tool %s: %v", tool, err)
		}
	}
	prefix := fmt.Sprintf("jay-test-%d-%d-", os.Getpid(), time.Now().UnixNano())
	l := &lab{tb, prefix + "client", prefix + "router", prefix + "server"}
	for _, ns := range []string{l.client, l.router, l.server} {
		if out, err := exec.Command("ip", "netns", "add", ns).CombinedOutput(); err != nil {
			tb.Skipf("network namespaces cannot be made here: %v: %s", err, out)
		}
		tb.Cleanup(func() {
			if out, err := exec.Command("ip", "netns", "del", ns).CombinedOutput(); err != nil {
				tb.Errorf("delete namespace: %v: %s", err, out)
			}
		})
		l.run(ns, "ip link set lo up")
	}
	l.run(l.client, "ip link add eth0 type veth peer name lan0 netns "+l.router)
	l.run(l.server, "ip link add eth0 type veth peer name wan0 netns "+l.router)
	l.address(l.client, "eth0", "10.77.1.2/24", "fd77:1::2/64")
	l.address(l.server, "eth0", serverAddr+"/24", serverAddr6+"/64")
	l.address(l.router, "lan0", routerAddr+"/24", routerAddr6+"/64")
	l.address(l.router, "wan0", "10.77.2.1/24", "fd77:2::1/64")
	l.run(l.client, "ip route add default via "+routerAddr, "ip -6 route add default via "+routerAddr6)
	l.in(l.router, func() { // as distributions set it
		if err := os.WriteFile("/proc/sys/net/ipv4/conf/all/rp_filter", []byte("1"), 0); err != nil {
			tb.Error(err)
		}
	})
	return l
}

func (l *lab) address(ns, link string, addrs ...string) {
	l.Helper()
	for _, a := range addrs {
		l.run(ns, "ip address add "+a+" dev "+link+" nodad")
	}
	l.run(ns, "ip link set "+link+" up")
}

// run runs commands in a namespace.
func (l *lab) run(ns string, lines ...string) {
	l.Helper()
	for _, line := range lines {
		args := append([]string{"netns", "exec", ns}, strings.Fields(line)...)
		if out, err := exec.Command("ip", args...).CombinedOutput(); err != nil {
			l.Fatalf("%s: %v: %s", line, err, out)
		}
	}
}

// nft loads rules in a namespace.
func (l *lab) nft(ns, rules string) {
	l.Helper()
	cmd := exec.Command("ip", "netns", "exec", ns, "nft", "-f", "-")
	cmd.Stdin = strings.NewReader(rules)
	if out, err := cmd.CombinedOutput(); err != nil {
		l.Fatalf("nft: %v: %s", err, out)
	}
}

// in calls f on a thread of the namespace, which ends with it. A socket stays in
// the namespace that it was made in.
func (l *lab) in(ns string, f func()) {
	l.Helper()
	done := make(chan error)
	go func() {
		runtime.LockOSThread()
		h, err := os.Open("/run/netns/" + ns)
		if err == nil {
			err = unix.Setns(int(h.Fd()), unix.CLONE_NEWNET)
			h.Close()
		}
		if err == nil {
			f()
		}
		done <- err
	}()
	if err := <-done; err != nil {
		l.Fatalf("enter namespace: %v", err)
	}
}

func (l *lab) dial(ns, address string) (net.Conn, error) {
	l.Helper()
	var c net.Conn
	var err error
	l.in(ns, func() { c, err = net.DialTimeout("tcp", address, 5*time.Second) })
	if err == nil {
		c.SetDeadline(time.Now().Add(5 * time.Second))
		l.Cleanup(func() { c.Close() })
	}
	return c, err
}

// serve answers each line on port 80 of the server with itself and the address
// that the client meant.
func (l *lab) serve() {
	l.Helper()
	l.in(l.server, func() {
		listener, err := net.Listen("tcp", "[::]:80")
		if err != nil {
			l.Error(err)
			return
		}
		l.Cleanup(func() { listener.Close() })
		go acceptAll(listener, func(c net.Conn) {
			defer c.Close()
			b, _ := io.ReadAll(c)
			fmt.Fprintf(c, "%s at %s", b, unmapped(c.LocalAddr()))
		})
	})
}

func acceptAll(l net.Listener, f func(net.Conn)) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		go f(c)
	}
}

func unmapped(a net.Addr) netip.AddrPort {
	ap := a.(*net.TCPAddr).AddrPort()
	return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
}

// seen is what the router knows about an intercepted connection.
type seen struct {
	dst netip.AddrPort
	err error
}

// relay runs on the router what an intercepting proxy does: it finds the original
// destination, connects to it as root, and joins the two.
func (l *lab) relay(listen func() (net.Listener, error), original func(net.Conn) (netip.AddrPort, error)) <-chan seen {
	l.Helper()
	saw := make(chan seen, 16)
	var g tunnel.Registry
	l.Cleanup(func() { cut(l, &g) })
	l.in(l.router, func() {
		listener, err := listen()
		if err != nil {
			l.Error(err)
			return
		}
		l.Cleanup(func() { listener.Close() })
		go acceptAll(listener, func(c net.Conn) {
			dst, err := original(c)
			saw <- seen{dst, err}
			if err != nil {
				c.Close()
				return
			}
			o, err := l.dial(l.router, dst.String())
			if err != nil {
				l.Errorf("dial the original destination: %v", err)
				c.Close()
				return
			}
			g.Join(l.Context(), c, o, tunnel.Early{}, tunnel.Options{})
		})
	})
	return saw
}

// check lets dial connect to the server and expects the router to have seen that,
// once, and the server to have answered.
func (l *lab) check(dial func(address string) (net.Conn, error), saw <-chan seen, server string) {
	l.Helper()
	address := net.JoinHostPort(server, "80")
	c, err := dial(address)
	if err != nil {
		l.Errorf("dial %s: %v", address, err)
		return
	}
	send(l, c, "hello")
	closeWrite(l, c)
	answer, err := io.ReadAll(c)
	if want := "hello at " + address; string(answer) != want || err != nil {
		l.Errorf("got %q, %v; want %q", answer, err, want)
	}
	select {
	case s := <-saw:
		if s.err != nil || s.dst.String() != address {
			l.Errorf("original destination %v, %v; want %s", s.dst, s.err, address)
		}
	default:
		l.Errorf("connection to %s was not intercepted", address)
	}
	if len(saw) > 0 {
		l.Errorf("the proxy's own connection was intercepted: %v", <-saw)
	}
}

func (l *lab) fromClient(address string) (net.Conn, error) { return l.dial(l.client, address) }

// fromRouter connects as a user of the router who is not Jay's.
func (l *lab) fromRouter(address string) (c net.Conn, err error) {
	l.in(l.router, func() {
		if err = syscall.Setfsuid(nobody); err == nil {
			c, err = net.DialTimeout("tcp", address, 5*time.Second)
		}
	})
	if err == nil {
		c.SetDeadline(time.Now().Add(5 * time.Second))
		l.Cleanup(func() { c.Close() })
	}
	return c, err
}
