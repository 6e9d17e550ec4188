package proxy

import (
	"bytes"
	"io"
	"net"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pires/go-proxyproto"

	"github.com/jayproxy/jay/proxy/policy"
	"github.com/jayproxy/jay/proxy/wire"
)

// The machine in front of Jay, and a outsider, in the tests of the PROXY protocol.
const (
	sender   = "198.51.100.9:7000"
	outsider = "10.0.0.5:7000"
)

// fronted is a connection from an address to a listener that may have PROXY headers.
func (w *world) fronted(mode Mode, from string) *client {
	w.t.Helper()
	ln := &pipeListener{conns: make(chan net.Conn), done: make(chan struct{})}
	go w.p.ServeWith(ln, ListenOptions{Mode: mode, ProxyProtocol: true})
	here, there := net.Pipe()
	ln.conns <- &addressed{Conn: there, local: tcpAddr("198.51.100.1:3128"), remote: tcpAddr(from)}
	c := newClient(w.t, here)
	w.t.Cleanup(func() { c.Close() })
	return c
}

// v2 is a header of version 2.
func v2(t testing.TB, h *proxyproto.Header) string {
	t.Helper()
	b, err := h.Format()
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func conveyedOptions() Options {
	return Options{ProxySenders: []netip.Prefix{netip.MustParsePrefix("198.51.100.0/24"), netip.MustParsePrefix("2001:db8::/32")}}
}

// TestConveyed checks who the client is, and what it may, by the header that the connection begins with.
func TestConveyed(t *testing.T) {
	tcp := func(s string) net.Addr { return net.TCPAddrFromAddrPort(netip.MustParseAddrPort(s)) }
	four := v2(t, proxyproto.HeaderProxyFromAddrs(2, tcp("10.1.2.3:5000"), tcp("198.51.100.1:3128")))
	six := v2(t, proxyproto.HeaderProxyFromAddrs(2, tcp("[fd00::7]:5000"), tcp("[2001:db8::1]:3128")))
	local := v2(t, &proxyproto.Header{Version: 2, Command: proxyproto.LOCAL, TransportProtocol: proxyproto.UNSPEC})
	const get = "GET http://1.2.3.4/ HTTP/1.1\r\nHost: 1.2.3.4\r\n\r\n"
	for _, tt := range []struct {
		name, from, header string
		status             int // 0: the connection ends without a word
		client             string
	}{
		{"v1", sender, "PROXY TCP4 10.1.2.3 198.51.100.1 5000 3128\r\n", 200, "10.1.2.3:5000"},
		{"v1 IPv6", sender, "PROXY TCP6 fd00::7 2001:db8::1 5000 3128\r\n", 200, "[fd00::7]:5000"},
		{"v1 from IPv6", "[2001:db8::9]:1", "PROXY TCP4 10.1.2.3 198.51.100.1 5000 3128\r\n", 200, "10.1.2.3:5000"},
		{"v1 from a zone", "[2001:db8::9%eth0]:1", "PROXY TCP4 10.1.2.3 198.51.100.1 5000 3128\r\n", 200, "10.1.2.3:5000"},
		{"v2", sender, four, 200, "10.1.2.3:5000"},
		{"v2 IPv6", sender, six, 200, "[fd00::7]:5000"},
		{"mapped", sender, "PROXY TCP6 ::ffff:10.1.2.3 ::ffff:198.51.100.1 5000 3128\r\n", 200, "10.1.2.3:5000"},
		{"not allowed", sender, "PROXY TCP4 203.0.113.5 198.51.100.1 5000 3128\r\n", 0, ""},
		{"unknown, sender not allowed", sender, "PROXY UNKNOWN\r\n", 0, ""},
		{"local, sender not allowed", sender, local, 0, ""},
		{"no header", sender, "", 400, sender},
		{"garbage", sender, "PROXY TCP4 junk\r\n", 400, sender},
		{"two headers", sender, four + four, 400, "10.1.2.3:5000"},
		{"endless v1", sender, "PROXY " + strings.Repeat("x", 200), 400, sender},
		{"endless v2", sender, string(proxyproto.SIGV2) + "\x21\x11\xff\xff", 400, sender},
		{"v1 from a stranger", outsider, "PROXY TCP4 10.1.2.3 198.51.100.1 5000 3128\r\n", 400, outsider},
		{"v2 from a stranger", outsider, four, 400, outsider},
		{"stranger", outsider, "", 200, outsider},
	} {
		for _, piecemeal := range []bool{false, true} {
			inBubble(t, conveyedOptions(), always(respond(200, "body", "Cache-Control: no-store")), func(t *testing.T, w *world) {
				c := w.fronted(Explicit, tt.from)
				go func() {
					for _, part := range parts(tt.header, piecemeal) {
						io.WriteString(c, part)
					}
					io.WriteString(c, get)
				}()
				if tt.status == 0 {
					if b, _ := io.ReadAll(c); len(b) > 0 {
						t.Errorf("%s: got %q; want nothing", tt.name, b)
					}
					return
				}
				if a := c.read("GET"); a.status != tt.status {
					t.Errorf("%s: got %d; want %d", tt.name, a.status, tt.status)
				}
				synctest.Wait()
				if got := w.p.Recent()[0].Client; got != tt.client {
					t.Errorf("%s: the client is %s; want %s", tt.name, got, tt.client)
				}
			})
		}
	}
}

// parts is s, as a whole or byte by byte.
func parts(s string, piecemeal bool) []string {
	if piecemeal {
		return strings.Split(s, "")
	}
	return []string{s}
}

// TestConveyed_local checks that nobody gets the rights of this machine by a PROXY header.
func TestConveyed_local(t *testing.T) {
	for _, header := range []string{
		"PROXY TCP4 127.0.0.1 127.0.0.1 5000 3128\r\n", "PROXY TCP6 ::1 ::1 5000 3128\r\n",
		"PROXY TCP6 ::ffff:127.0.0.1 ::ffff:127.0.0.1 5000 3128\r\n",
	} {
		for _, request := range []string{
			"PURGE " + host + "/ HTTP/1.1\r\nHost: 192.0.2.1\r\n\r\n",
			"GET http://127.0.0.1/ HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
			"CONNECT 1.2.3.4:25 HTTP/1.1\r\nHost: 1.2.3.4:25\r\n\r\n",
		} {
			inBubble(t, conveyedOptions(), always(respond(200, "body")), func(t *testing.T, w *world) {
				c := w.fronted(Explicit, sender)
				c.send(header + request)
				if a := c.read("GET"); a.status != 403 && a.status != 405 {
					t.Errorf("%q %q: got %d; want a refusal", header, request, a.status)
				}
				if n := w.origin.count(""); n != 0 {
					t.Errorf("%q %q: %d requests went out; want none", header, request, n)
				}
			})
		}
	}
}

// TestConveyed_limits checks that connections count for the client that the header names, and that a slow header holds up
// nobody and ends.
func TestConveyed_limits(t *testing.T) {
	o := conveyedOptions()
	o.MaxClientConnections = 1
	inBubble(t, o, always(respond(200, "body")), func(t *testing.T, w *world) {
		slow := w.fronted(Explicit, sender)
		slow.send("PROXY TC")
		const one, other = "PROXY TCP4 10.0.0.1 198.51.100.1 5000 3128\r\n", "PROXY TCP4 10.0.0.2 198.51.100.1 5000 3128\r\n"
		first, second, third := w.fronted(Explicit, sender), w.fronted(Explicit, sender), w.fronted(Explicit, sender)
		first.send(one)
		second.send(other)
		synctest.Wait()
		third.send(one)
		if _, err := io.ReadAll(third); err != nil {
			t.Errorf("second connection of a client: got %v; want its end", err)
		}
		for _, c := range []*client{first, second} {
			if a := c.get("http://1.2.3.4/"); a.status != 200 {
				t.Errorf("first connection of a client: got %d; want 200", a.status)
			}
		}
		began := time.Now()
		if b, err := io.ReadAll(slow); len(b) > 0 || err != nil || time.Since(began) > 11*time.Second {
			t.Errorf("slow header: got %q, %v after %v; want the end after 10 s", b, err, time.Since(began))
		}
	})
}

// TestConveyed_reconfigure checks that who was let in by the word of a machine goes when that is not believed any more.
func TestConveyed_reconfigure(t *testing.T) {
	inBubble(t, conveyedOptions(), always(respond(200, "body")), func(t *testing.T, w *world) {
		c, busy := w.fronted(Explicit, sender), w.fronted(Explicit, sender)
		for _, c := range []*client{c, busy} {
			c.send("PROXY TCP4 10.1.2.3 198.51.100.1 5000 3128\r\n")
			if a := c.get("http://1.2.3.4/"); a.status != 200 {
				t.Fatalf("got %d; want 200", a.status)
			}
		}
		w.reconfigure(conveyedOptions())
		if a := c.get("http://1.2.3.4/"); a.status != 200 {
			t.Fatalf("believed as before: got %d; want 200", a.status)
		}
		busy.send("GET http://1.2.3.4/ HT")
		synctest.Wait()
		w.reconfigure(Options{})
		busy.send("TP/1.1\r\nHost: 1.2.3.4\r\n\r\n")
		if a := busy.read("GET"); a.status != 200 { // it had begun
			t.Errorf("what had begun: got %d; want 200", a.status)
		}
		busy.send("GET http://1.2.3.4/ HTTP/1.1\r\nHost: 1.2.3.4\r\n\r\n")
		began := time.Now()
		for name, c := range map[string]*client{"idle": c, "busy": busy} {
			if b, err := io.ReadAll(c.r); len(b) > 0 || err != nil || time.Since(began) > time.Second {
				t.Errorf("%s: got %q, %v after %v; want the end at once", name, b, err, time.Since(began))
			}
		}
	})
}

// TestConveyed_intercept checks that on an intercepting listener the destination in the header is where the client wanted
// to go.
func TestConveyed_intercept(t *testing.T) {
	for _, mode := range []Mode{Redirect, TProxy} {
		inBubble(t, conveyedOptions(), always(respond(200, "body")), func(t *testing.T, w *world) {
			c := w.fronted(mode, sender)
			c.send("PROXY TCP4 10.1.2.3 1.2.3.4 5000 80\r\nGET /there HTTP/1.1\r\nHost: 1.2.3.4\r\n\r\n")
			if a := c.read("GET"); a.status != 200 || w.origin.dials[0] != "1.2.3.4:80" {
				t.Errorf("%v: got %d from %v; want 200 from 1.2.3.4:80", mode, a.status, w.origin.dials)
			}
		})
	}
}

// FuzzConveyed checks that a header is found the same in one piece and byte by byte, and that nothing behind it is taken.
func FuzzConveyed(f *testing.F) {
	f.Add([]byte("PROXY TCP4 10.1.2.3 198.51.100.1 5000 3128\r\nGET"))
	f.Add([]byte("PROXY UNKNOWN\r\n"))
	f.Add(append(bytes.Clone(proxyproto.SIGV2), "\x21\x11\x00\x0c\x0a\x01\x02\x03\xc6\x33\x64\x01\x13\x88\x0c\x38GET"...))
	f.Add(append(bytes.Clone(proxyproto.SIGV2), "\x20\x00\x00\x00"...))
	f.Fuzz(func(t *testing.T, b []byte) {
		whole, rest := conveyedIn(b, len(b)+1)
		pieces, rest2 := conveyedIn(b, 1)
		if (whole == nil) != (pieces == nil) || whole != nil && (!whole.EqualTo(pieces) || !bytes.HasSuffix(b, rest) || !bytes.HasSuffix(b, rest2)) {
			t.Errorf("%q: got %v and %v, rest %q and %q", b, whole, pieces, rest, rest2)
		}
	})
}

// conveyedIn is the header that b begins with, n bytes at a time, and what was read beyond it.
func conveyedIn(b []byte, n int) (*proxyproto.Header, []byte) {
	r := wire.NewReader(&addressed{Conn: &dripping{b: b, n: n}})
	h, err := conveyed(r)
	if err != nil {
		return nil, nil
	}
	return h, bytes.Clone(r.Buffered())
}

// dripping is a connection that brings n bytes at a time.
type dripping struct {
	net.Conn
	b []byte
	n int
}

// Read implements net.Conn.
func (d *dripping) Read(p []byte) (int, error) {
	if len(d.b) == 0 {
		return 0, io.EOF
	}
	n := copy(p[:min(len(p), d.n)], d.b)
	d.b = d.b[n:]
	return n, nil
}

// TestConveyed_lane checks that where a client has connected to, by the header, decides nothing about where its requests
// may go: hits are held to the ports and to the policy as if the client had come by itself.
func TestConveyed_lane(t *testing.T) {
	dns := &nameserver{addrs: map[string]string{"net.test": "1.2.3.4"}}
	o := conveyedOptions()
	o.DNS = dns.dns()
	o.HTTPPorts = []PortRange{{First: 80, Last: 80}}
	o.Policy = rulesOf(t, policy.Rule{Name: "no-net", Action: policy.Deny, Clients: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}, To: []string{"1.2.3.0/24"}})
	for _, mode := range []Mode{Explicit, ByHost} {
		inBubble(t, o, always(respond(200, "body", "Cache-Control: max-age=60")), func(t *testing.T, w *world) {
			for _, u := range []string{"http://1.2.4.4:81/", "http://net.test/"} {
				if a := w.client().get(u); a.status != 200 {
					t.Fatalf("%s from this machine: got %d; want 200", u, a.status)
				}
				c := w.fronted(mode, sender)
				target, authority := u, strings.Split(u, "/")[2]
				if mode == ByHost {
					target = "/"
				}
				c.send("PROXY TCP4 10.1.2.3 198.51.100.1 5000 3128\r\nGET " + target + " HTTP/1.1\r\nHost: " + authority + "\r\n\r\n")
				if a := c.read("GET"); a.status != 403 {
					t.Errorf("%v %s: got %d %s; want 403", mode, u, a.status, a.cacheStatus())
				}
			}
		})
	}
}
