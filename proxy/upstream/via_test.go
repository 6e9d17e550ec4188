package upstream_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jayproxy/jay/proxy/parent"
	"github.com/jayproxy/jay/proxy/resolve"
	"github.com/jayproxy/jay/proxy/upstream"
	"github.com/jayproxy/jay/proxy/wire/wiretest"
)

// parentAt is a parent of a kind where o listens, called host.
func parentAt(t testing.TB, kind parent.Kind, host string, o *origin, login ...string) *parent.Parent {
	t.Helper()
	s := parent.Spec{Kind: kind, Host: host, Port: o.addr().Port()}
	if len(login) == 2 {
		s.User, s.Password = login[0], login[1]
	}
	ps, err := parent.New(parent.Options{Else: []parent.Spec{s}})
	if err != nil {
		t.Fatal(err)
	}
	return ps.All()[0]
}

// toHere sends every connection to one address, whatever name it is for.
func toHere(o *origin) func(context.Context, string, string) (net.Conn, error) {
	return func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, o.addr().String())
	}
}

// answers serves requests on one connection until it ends.
func answers(p *peer) {
	for p.head() != "" {
		p.say(okHello)
	}
}

// TestVia_kinds: requests in absolute form and tunnels, with and without TLS inside, through parents of all kinds. No name
// can be resolved here.
func TestVia_kinds(t *testing.T) {
	ca := newAuthority(t)
	upTLS, originTLS := ca.server(t, "127.0.0.1"), ca.server(t, "a.example")
	for _, kind := range []parent.Kind{parent.HTTP, parent.HTTPS, parent.SOCKS5} {
		for _, secure := range []bool{false, true} {
			name := kind.String()
			if secure {
				name += ", TLS inside"
			}
			t.Run(name, func(t *testing.T) {
				noLeaks(t)
				asked := make(chan string, 8)
				o := newOrigin(t, func(_ int, p *peer) {
					if kind == parent.HTTPS {
						tc := tls.Server(p.Conn, upTLS)
						p = &peer{tc, bufio.NewReader(tc)}
					}
					if kind == parent.SOCKS5 {
						asked <- socksServe(p, "anna", "geheim", 0)
					} else {
						asked <- p.head()
						p.say("HTTP/1.0 200 Connection established\r\n\r\n")
					}
					if secure {
						tc := tls.Server(&buffered{p.Conn, p.r}, originTLS)
						p = &peer{tc, bufio.NewReader(tc)}
					}
					answers(p)
				})
				c := newClient(t, upstream.Options{TLS: &tls.Config{RootCAs: ca.roots}, DialContext: toHere(o), DNS: resolve.Options{Dial: noServer}})
				via := parentAt(t, kind, "127.0.0.1", o, "anna", "geheim")
				r := get()
				r.Via = []string{"1.1 jay-1"}
				for range 3 {
					far := upstream.Origin{TLS: secure, Host: "a.example", Port: 8443, Via: via}
					if status, body, err := fetch(t.Context(), c, far, r); status != 200 || body != "hello" || err != nil {
						t.Fatalf("got %d %q %v; want 200 hello", status, body, err)
					}
				}
				if n := o.accepted.Load(); n != 1 {
					t.Errorf("got %d connections; want one for all", n)
				}
				want := "CONNECT a.example:8443 HTTP/1.1\r\nHost: a.example:8443\r\nProxy-Authorization: Basic YW5uYTpnZWhlaW0=\r\nVia: 1.1 jay-1\r\n\r\n"
				if kind == parent.SOCKS5 {
					want = "a.example:8443"
				}
				if got := <-asked; got != want {
					t.Errorf("the parent was asked %q; want %q", got, want)
				}
				if s := via.Status(time.Now()); !s.Up || s.Connects != 1 || s.Failures != 0 {
					t.Errorf("got %+v; want one connection", s)
				}
			})
		}
	}
}

// noServer connects to no name server.
func noServer(context.Context, string, string) (net.Conn, error) {
	return nil, errors.New("no name server")
}

// buffered is a connection some bytes of which were read already.
type buffered struct {
	net.Conn
	r *bufio.Reader
}

func (c *buffered) Read(p []byte) (int, error) { return c.r.Read(p) }

// socksServe plays a SOCKS5 server up to its reply (RFC 1928), which wants a login if user is not empty (RFC 1929). It
// returns what it was asked to connect to.
func socksServe(p *peer, user, password string, reply byte) string {
	read := func(n int) []byte {
		b := make([]byte, n)
		if _, err := io.ReadFull(p.r, b); err != nil {
			return nil
		}
		return b
	}
	hello := read(2)
	if hello == nil || hello[0] != 5 {
		return "no hello"
	}
	methods := read(int(hello[1]))
	if user == "" {
		p.Write([]byte{5, 0})
	} else {
		if !bytes.Contains(methods, []byte{2}) {
			p.Write([]byte{5, 0xff})
			return "no login"
		}
		p.Write([]byte{5, 2})
		u := string(read(int(read(2)[1])))
		pw := string(read(int(read(1)[0])))
		if u != user || pw != password {
			p.Write([]byte{1, 1})
			return "wrong login"
		}
		p.Write([]byte{1, 0})
	}
	ask := read(4)
	if ask == nil || ask[1] != 1 {
		return "no connect"
	}
	var host string
	switch ask[3] {
	case 1:
		host = net.IP(read(4)).String()
	case 3:
		host = string(read(int(read(1)[0])))
	case 4:
		host = "[" + net.IP(read(16)).String() + "]"
	}
	port := read(2)
	p.Write([]byte{5, reply, 0, 1, 192, 0, 2, 1, 0, 80})
	return host + ":" + strconv.Itoa(int(port[0])<<8|int(port[1]))
}

// TestVia_absolute: requests in absolute form share connections, however many origins they are for, and are not bounded by
// what one origin may have.
func TestVia_absolute(t *testing.T) {
	noLeaks(t)
	o := newOrigin(t, func(_ int, p *peer) { answers(p) })
	c := newClient(t, upstream.Options{MaxPerOrigin: 1, MaxIdlePerOrigin: 1})
	far := upstream.Origin{Via: parentAt(t, parent.HTTP, "127.0.0.1", o)}
	var open []*upstream.Response
	for range 5 {
		resp, err := c.Do(t.Context(), far, get())
		if err != nil {
			t.Fatal(err)
		}
		open = append(open, resp)
	}
	for _, resp := range open {
		io.Copy(io.Discard, resp.Body)
		resp.Close()
	}
	for range 5 {
		if _, body, err := fetch(t.Context(), c, far, get()); body != "hello" || err != nil {
			t.Errorf("got %q, %v", body, err)
		}
	}
	if n := o.accepted.Load(); n != 5 {
		t.Errorf("got %d connections; want 5, used again", n)
	}
}

// TestVia_early: bytes that come with the parent's answer belong to a tunnel, and are a fault before a request.
func TestVia_early(t *testing.T) {
	noLeaks(t)
	o := newOrigin(t, func(_ int, p *peer) {
		p.head()
		p.say("HTTP/1.1 200 OK\r\n\r\nSSH-2.0-x")
		p.wait()
	})
	c := newClient(t, upstream.Options{})
	far := upstream.Origin{Host: "a.example", Port: 22, Via: parentAt(t, parent.HTTP, "127.0.0.1", o)}
	nc, early, addr, err := c.DialOn(t.Context(), far, upstream.Terms{})
	if err != nil || string(early) != "SSH-2.0-x" || addr != o.addr() {
		t.Fatalf("got %q at %v, %v; want the greeting", early, addr, err)
	}
	if _, ok := nc.(*net.TCPConn); !ok {
		t.Errorf("got a %T; want the socket itself", nc)
	}
	nc.Close()
	if _, err := c.Do(t.Context(), far, get()); kind(err) != upstream.KindProtocolError {
		t.Errorf("Do: got %v; want %s", err, upstream.KindProtocolError)
	}
}

// TestVia_badAnswers: no answer that would be a bad one to a request opens a tunnel.
func TestVia_badAnswers(t *testing.T) {
	noLeaks(t)
	cases := wiretest.BadResponses()
	o := newOrigin(t, func(n int, p *peer) {
		p.head()
		p.say(cases[n].Raw)
	})
	c := newClient(t, upstream.Options{})
	far := upstream.Origin{Host: "a.example", Port: 443, Via: parentAt(t, parent.HTTP, "127.0.0.1", o)}
	for _, tt := range cases {
		nc, _, _, err := c.DialOn(t.Context(), far, upstream.Terms{})
		if err == nil {
			nc.Close()
		}
		var pe *upstream.ParentError
		switch {
		case framed(tt):
		case err == nil:
			t.Errorf("%s: got a tunnel; want an error", tt.Name)
		case !errors.As(err, &pe) || pe.Down || pe.Err.Status != 502:
			t.Errorf("%s: got %v; want 502 for an answer of the parent", tt.Name, err)
		}
	}
	if !far.Via.Status(time.Now()).Up {
		t.Error("a parent that answers is not down")
	}
}

// framed reports whether a response is bad for its body only, which the answer to CONNECT has none of (RFC 9110 §9.3.6).
func framed(c wiretest.Case) bool { return c.Body || strings.Contains(c.Name, "RFC9112-6") }

// TestVia_refused: who says no, who fails, and who is not there.
func TestVia_refused(t *testing.T) {
	closed := func(p *peer) {}
	socks := func(login string, reply byte) func(*peer) {
		return func(p *peer) { socksServe(p, login, "other", reply) }
	}
	for _, tt := range []struct {
		name          string
		kind          parent.Kind
		serve         func(*peer)
		want          string
		down, refused bool
	}{
		{"closed", parent.HTTP, closed, upstream.KindConnectionTerminated, false, false},
		{"closed", parent.SOCKS5, closed, upstream.KindConnectionTerminated, true, false},
		{"closed", parent.HTTPS, closed, upstream.KindTLSProtocolError, true, false},
		{"no TLS", parent.HTTPS, func(p *peer) { p.say(okHello); p.wait() }, upstream.KindTLSProtocolError, true, false},
		{"HTTP", parent.SOCKS5, func(p *peer) { p.say("HTTP/1.1 400 Bad\r\n\r\n"); p.wait() }, upstream.KindProtocolError, false, false},
		{"wants a login", parent.SOCKS5, socks("anna", 0), upstream.KindConfiguration, false, true},
		{"no rule", parent.SOCKS5, socks("", 2), upstream.KindDestinationUnavailable, false, true},
		{"failure", parent.SOCKS5, socks("", 1), upstream.KindDestinationUnavailable, false, false},
		{"unreachable", parent.SOCKS5, socks("", 4), upstream.KindDestinationUnavailable, false, false},
		{"refused", parent.SOCKS5, socks("", 5), upstream.KindConnectionRefused, false, false},
		{"expired", parent.SOCKS5, socks("", 6), upstream.KindConnectionTimeout, false, false},
		{"407", parent.HTTP, func(p *peer) { p.head(); p.say("HTTP/1.1 407 X\r\n\r\n") }, upstream.KindConfiguration, false, true},
		{"403", parent.HTTP, func(p *peer) { p.head(); p.say("HTTP/1.1 403 X\r\n\r\n") }, upstream.KindDestinationUnavailable, false, true},
	} {
		t.Run(tt.kind.String()+" "+tt.name, func(t *testing.T) {
			noLeaks(t)
			o := newOrigin(t, func(_ int, p *peer) { tt.serve(p) })
			c := newClient(t, upstream.Options{})
			far := upstream.Origin{TLS: true, Host: "a.example", Port: 443, Via: parentAt(t, tt.kind, "127.0.0.1", o)}
			r := get()
			_, err := c.Do(t.Context(), far, r)
			var pe *upstream.ParentError
			if !errors.As(err, &pe) || pe.Err.Kind != tt.want || pe.Down != tt.down || pe.Refused != tt.refused || pe.Parent != far.Via || r.Sent {
				t.Fatalf("got %v, %+v; want %s, down %v, refused %v", err, pe, tt.want, tt.down, tt.refused)
			}
			if up := far.Via.Status(time.Now()).Up; up == tt.down {
				t.Errorf("up %v; want %v", up, !tt.down)
			}
		})
	}
}

// TestVia_login: a wrong password for a SOCKS parent is a matter of configuration.
func TestVia_login(t *testing.T) {
	o := newOrigin(t, func(_ int, p *peer) { socksServe(p, "anna", "geheim", 0) })
	c := newClient(t, upstream.Options{})
	far := upstream.Origin{Host: "a.example", Port: 80, Via: parentAt(t, parent.SOCKS5, "127.0.0.1", o, "anna", "falsch")}
	_, _, _, err := c.DialOn(t.Context(), far, upstream.Terms{})
	if kind(err) != upstream.KindConfiguration || strings.Contains(err.Error(), "falsch") {
		t.Errorf("got %v; want %s without the password", err, upstream.KindConfiguration)
	}
}

// TestVia_addresses: literal addresses reach a parent as such.
func TestVia_addresses(t *testing.T) {
	for _, tt := range []struct{ host, socks, connect string }{
		{"192.0.2.7", "192.0.2.7:80", "192.0.2.7:80"},
		{"2001:db8::7", "[2001:db8::7]:80", "[2001:db8::7]:80"},
		{"a.example", "a.example:80", "a.example:80"},
	} {
		for _, k := range []parent.Kind{parent.SOCKS5, parent.HTTP} {
			asked := make(chan string, 1)
			o := newOrigin(t, func(_ int, p *peer) {
				if k == parent.SOCKS5 {
					asked <- socksServe(p, "", "", 0)
				} else {
					line, _, _ := strings.Cut(p.head(), "\r\n")
					asked <- strings.Fields(line)[1]
					p.say("HTTP/1.1 200 OK\r\n\r\n")
				}
				p.wait()
			})
			c := newClient(t, upstream.Options{})
			far := upstream.Origin{Host: tt.host, Port: 80, Via: parentAt(t, k, "127.0.0.1", o)}
			nc, _, _, err := c.DialOn(t.Context(), far, upstream.Terms{})
			if err != nil {
				t.Fatal(err)
			}
			nc.Close()
			want := tt.connect
			if k == parent.SOCKS5 {
				want = tt.socks
			}
			if got := <-asked; got != want {
				t.Errorf("%v: asked for %q; want %q", k, got, want)
			}
		}
	}
}

// TestVia_patience_F4: a parent that takes the connection and says nothing is given up soon where it must have said
// something, if there is another way; the one who waits for an origin is not hurried.
func TestVia_patience_F4(t *testing.T) {
	for _, tt := range []struct {
		kind parent.Kind
		want time.Duration
		down bool
	}{{parent.HTTPS, time.Second, true}, {parent.SOCKS5, time.Second, true}, {parent.HTTP, 10 * time.Second, false}} {
		inBubble(t, tt.kind, func(c *upstream.Client, via *parent.Parent) {
			began := time.Now()
			far := upstream.Origin{Host: "a.example", Port: 80, Via: via}
			_, _, _, err := c.DialOn(context.Background(), far, upstream.Terms{Patience: time.Second})
			var pe *upstream.ParentError
			if !errors.As(err, &pe) || pe.Err.Status != 504 || pe.Down != tt.down || time.Since(began) != tt.want {
				t.Errorf("%v: got %v after %v; want 504 after %v", tt.kind, err, time.Since(began), tt.want)
			}
		})
	}
}

// inBubble runs test in a synctest bubble with a parent that never says a word.
func inBubble(t *testing.T, k parent.Kind, test func(*upstream.Client, *parent.Parent)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		c := upstream.New(upstream.Options{DialContext: pipes(t, func(p *peer) { p.wait() })})
		defer c.Close()
		ps, err := parent.New(parent.Options{Else: []parent.Spec{{Kind: k, Host: "192.0.2.1", Port: 1080}}})
		if err != nil {
			t.Fatal(err)
		}
		test(c, ps.All()[0])
	})
}
