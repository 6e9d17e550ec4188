package proxy

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/netip"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jayproxy/jay/proxy/parent"
	"github.com/jayproxy/jay/proxy/wire/wiretest"
)

// The addresses of two parents, which need no resolver.
const (
	firstParent  = "192.0.2.50:3128"
	secondParent = "192.0.2.51:3128"
)

// specOf is an HTTP parent at an address; of none for "direct".
func specOf(address string) parent.Spec {
	if address == "direct" {
		return parent.Spec{}
	}
	a := netip.MustParseAddrPort(address)
	return parent.Spec{Kind: parent.HTTP, Host: a.Addr().String(), Port: a.Port()}
}

// parentsOf sends everything to the parents at addresses.
func parentsOf(t testing.TB, addresses ...string) *parent.Parents {
	t.Helper()
	var o parent.Options
	for _, a := range addresses {
		o.Else = append(o.Else, specOf(a))
	}
	return parentsWith(t, o)
}

func parentsWith(t testing.TB, o parent.Options) *parent.Parents {
	t.Helper()
	ps, err := parent.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return ps
}

// asParent answers CONNECT requests with a tunnel, whose other end it is, and all others with serve.
func asParent(serve func(*ask) string) func(*ask) string {
	return func(a *ask) string {
		if a.method == "CONNECT" {
			return "HTTP/1.1 200 OK\r\n\r\n"
		}
		return serve(a)
	}
}

// TestParent_RFC9112_3_2_2: a parent is sent requests in absolute form, on connections for all origins, with Jay's login and
// not the client's; names are left for it to resolve, and what it answers is stored as what any origin answers.
func TestParent_RFC9112_3_2_2(t *testing.T) {
	s := specOf(firstParent)
	s.User, s.Password = "anna", "geheim"
	o := Options{Parents: parentsWith(t, parent.Options{Else: []parent.Spec{s}}), CacheStatusKey: true}
	inBubble(t, o, asParent(always(respond(200, "hello", "Cache-Control: max-age=60"))), func(t *testing.T, w *world) {
		tests := []struct{ url, target, host string }{
			{"http://a.example/x?y", "http://a.example/x?y", "a.example"},
			{"http://B.example:80", "http://b.example/", "B.example:80"},
			{"http://b.example:8080?q", "http://b.example:8080/?q", "b.example:8080"},
			{"http://[2001:db8::1]:81/", "http://[2001:db8::1]:81/", "[2001:db8::1]:81"},
		}
		for _, tt := range tests {
			a := w.get(tt.url, "Proxy-Authorization: Basic Y2xpZW50OnB3", "Proxy-Connection: keep-alive")
			got := w.origin.last()
			if a.status != 200 || got.line != "GET "+tt.target+" HTTP/1.1" || !strings.EqualFold(got.get("Host"), tt.host) && !strings.EqualFold(got.get("Host")+":80", tt.host) {
				t.Errorf("%s: got %s; the parent got %q %q", tt.url, a.line, got.line, got.head)
			}
			if v := valuesOf(got.head, "Proxy-Authorization"); len(v) != 1 || v[0] != "Basic YW5uYTpnZWhlaW0=" {
				t.Errorf("%s: the parent got the login %q; want Jay's", tt.url, v)
			}
			if got.get("Via") != "1.1 jay-test" || got.get("Proxy-Connection") != "" {
				t.Errorf("%s: the parent got %q", tt.url, got.head)
			}
			if again := w.get(tt.url); !strings.Contains(again.cacheStatus(), "; hit") || again.body != "hello" {
				t.Errorf("%s again: got %s, %s; want a hit", tt.url, again.line, again.cacheStatus())
			}
		}
		if !slices.Equal(w.origin.dials, []string{firstParent}) {
			t.Errorf("dialled %q; want the parent once", w.origin.dials)
		}
		if a := w.get("http://a.example/k", "Cache-Control: no-cache"); !strings.Contains(a.cacheStatus(), `key="http://a.example/k"`) {
			t.Errorf("got %s; want the key that there is without a parent", a.cacheStatus())
		}
		if a := w.client().do("OPTIONS", "http://a.example"); a.status != 200 || w.origin.last().line != "OPTIONS http://a.example HTTP/1.1" {
			t.Errorf("OPTIONS *: the parent got %q", w.origin.last().line) // RFC 9112 §3.2.4
		}
	})
}

// TestParent_tunnels: what a parent must not, or cannot, understand goes through a tunnel.
func TestParent_tunnels(t *testing.T) {
	upgrade := []string{"Connection: Upgrade", "Upgrade: websocket"}
	o := Options{Parents: parentsOf(t, firstParent)}
	serve := asParent(func(a *ask) string {
		if a.get("Upgrade") != "" {
			return "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
		}
		return respond(200, "ok")
	})
	inBubble(t, o, serve, func(t *testing.T, w *world) {
		if a := w.get("http://ws.example/chat", upgrade...); a.status != 101 { // RFC 6455 §4.1
			t.Errorf("got %s; want 101", a.line)
		}
		first, last := w.origin.asks[0], w.origin.last()
		if first.line != "CONNECT ws.example:80 HTTP/1.1" || first.get("Host") != "ws.example:80" || last.line != "GET /chat HTTP/1.1" || last.conn != first.conn {
			t.Errorf("the parent got %q and then %q; want a tunnel", first.line, last.line)
		}
		// The client says one thing and wants another: the parent gets the address, the server what the client says.
		c := w.clientOf(TProxy, "10.0.0.7:1", "93.184.216.34:80")
		c.send("GET /x HTTP/1.1\r\nHost: 93.184.216.99\r\n\r\n")
		if a := c.read("GET"); a.status != 200 {
			t.Errorf("intercepted with another name: got %s", a.line)
		}
		n := len(w.origin.asks)
		if tun, req := w.origin.asks[n-2], w.origin.asks[n-1]; tun.line != "CONNECT 93.184.216.34:80 HTTP/1.1" || req.line != "GET /x HTTP/1.1" || req.get("Host") != "93.184.216.99" {
			t.Errorf("intercepted with another name: the parent got %q and %q", tun.line, req.line)
		}
		c = w.clientOf(TProxy, "10.0.0.7:1", "93.184.216.34:80")
		c.send("GET /x HTTP/1.1\r\nHost: 93.184.216.34\r\n\r\n")
		if a := c.read("GET"); a.status != 200 || w.origin.last().line != "GET http://93.184.216.34/x HTTP/1.1" {
			t.Errorf("intercepted with its own name: got %s; the parent got %q", a.line, w.origin.last().line)
		}
		for _, d := range w.origin.dials {
			if d != firstParent {
				t.Errorf("dialled %s", d)
			}
		}
	})
}

// TestParent_raw: what is intercepted and no HTTP goes through a parent by the name that it asks for, if that is proven to
// belong to where it was going, else by the address.
func TestParent_raw(t *testing.T) {
	dns := &nameserver{addrs: map[string]string{"www.test": "93.184.216.34"}}
	for _, tt := range []struct {
		name, to, send, want string
	}{
		{"proven name", "93.184.216.34:443", string(clientHello("www.test")), "www.test:443"},
		{"borrowed name", "93.184.216.35:443", string(clientHello("www.test")), "93.184.216.35:443"},
		{"unknown name", "93.184.216.34:443", string(clientHello("x.test")), "93.184.216.34:443"},
		{"no TLS", "93.184.216.34:22", "SSH-2.0-x\r\n", "93.184.216.34:22"},
		{"IPv6", "[2606:2800::1]:443", "\x00\x01", "[2606:2800::1]:443"},
	} {
		inBubble(t, Options{Parents: parentsOf(t, firstParent), DNS: dns.dns()}, nil, func(t *testing.T, w *world) {
			w.origin.raw = func(c net.Conn) {
				r := bufio.NewReader(c)
				line, _, _ := readHead(r)
				if line != "CONNECT "+tt.want+" HTTP/1.1" {
					t.Errorf("%s: the parent got %q; want %s", tt.name, line, tt.want)
				}
				io.WriteString(c, "HTTP/1.1 200 OK\r\n\r\n")
				got := make([]byte, len(tt.send))
				io.ReadFull(r, got)
				if string(got) != tt.send {
					t.Errorf("%s: the origin got %q; want what the client said", tt.name, got)
				}
				io.WriteString(c, "answer")
				c.Close()
			}
			c := w.clientOf(TProxy, "10.0.0.7:1", tt.to)
			c.send(tt.send)
			if b, err := io.ReadAll(c.r); string(b) != "answer" || err != nil {
				t.Errorf("%s: got %q, %v", tt.name, b, err)
			}
		})
	}
}

// TestParent_CONNECT_RFC9110_9_3_6: a client's tunnel goes through the parent's, whole: bytes that come with the parent's
// answer, and bytes that the client sends ahead. The Via field goes on, so that loops are found.
func TestParent_CONNECT_RFC9110_9_3_6(t *testing.T) {
	inBubble(t, Options{Parents: parentsOf(t, firstParent)}, nil, func(t *testing.T, w *world) {
		heads := make(chan string, 1)
		w.origin.raw = func(c net.Conn) {
			r := bufio.NewReader(c)
			line, head, _ := readHead(r)
			heads <- line + "\r\n" + head
			io.WriteString(c, "HTTP/1.1 102 Wait\r\n\r\nHTTP/1.1 200 Yes\r\nX: y\r\n\r\ngreeting\n")
			s, _ := r.ReadString('\n')
			io.WriteString(c, "echo "+s)
			c.Close()
		}
		c := w.client()
		c.send("CONNECT ssh.example:443 HTTP/1.1\r\nHost: ssh.example:443\r\nVia: 1.1 before\r\nProxy-Authorization: Basic eA==\r\nX-Own: 1\r\n\r\nearly ")
		want := "CONNECT ssh.example:443 HTTP/1.1\r\nHost: ssh.example:443\r\nVia: 1.1 before\r\nVia: 1.1 jay-test\r\n"
		if got := <-heads; got != want {
			t.Errorf("the parent got %q; want %q", got, want)
		}
		if a := c.readHead(); a.status != 200 || a.get("X") != "" {
			t.Fatalf("got %q %q; want Jay's own 200", a.line, a.head)
		}
		c.send("data\n")
		if b, err := io.ReadAll(c.r); string(b) != "greeting\necho early data\n" || err != nil {
			t.Errorf("got %q, %v", b, err)
		}
	})
}

// TestParent_refusals: what a parent says no to is an error of Jay's that names the parent, never the parent's own answer,
// and no reason to ask another parent. What it fails at is one.
func TestParent_refusals(t *testing.T) {
	tests := []struct {
		answer, kind string
		status       int
		next         bool
	}{
		{respond(403, "my page"), "destination_unavailable", 502, false},
		{respond(404, ""), "destination_unavailable", 502, false},
		{respond(407, "", "Proxy-Authenticate: Basic realm=up"), "proxy_configuration_error", 502, false},
		{respond(302, "", "Location: http://login.example/"), "destination_unavailable", 502, false},
		{respond(502, ""), "destination_unavailable", 502, true},
		{respond(503, ""), "destination_unavailable", 502, true},
		{respond(504, ""), "connection_timeout", 504, true},
		{"HTTP/1.1 101 X\r\n\r\n", "http_protocol_error", 502, true},
		{"SSH-2.0-x\r\n", "http_protocol_error", 502, true},
		{"", "connection_terminated", 502, true},
		{strings.Repeat("HTTP/1.1 100 X\r\n\r\n", 20), "http_protocol_error", 502, true},
	}
	for _, tt := range tests {
		for _, last := range []bool{true, false} {
			ways := []string{firstParent, secondParent}
			if last {
				ways = ways[:1]
			}
			o := Options{Parents: parentsOf(t, ways...)}
			serve := func(a *ask) string {
				if a.conn == 0 {
					return tt.answer
				}
				return "HTTP/1.1 200 OK\r\n\r\n"
			}
			inBubble(t, o, serve, func(t *testing.T, w *world) {
				c := w.client()
				c.send("CONNECT a.example:443 HTTP/1.1\r\nHost: a.example:443\r\n\r\n")
				a := c.readHead()
				if !last && tt.next {
					if a.status != 200 || !slices.Equal(w.origin.dials, ways) {
						t.Errorf("%.30q: got %s after %v; want the next parent's tunnel", tt.answer, a.line, w.origin.dials)
					}
					return
				}
				a.readBody("GET", c.r)
				status := a.get("Proxy-Status")
				received := ""
				fmt.Sscanf(tt.answer, "HTTP/1.1 %s Reason", &received)
				if strings.Contains(tt.answer, "Reason") {
					received = "; received-status=" + received
				} else {
					received = ""
				}
				if a.status != tt.status || status != "jay; error="+tt.kind+`; next-hop="`+firstParent+`"`+received {
					t.Errorf("%.30q: got %s, %s; want %d %s", tt.answer, a.line, status, tt.status, tt.kind)
				}
				if a.get("Proxy-Authenticate") != "" || a.get("Location") != "" || strings.Contains(a.body, "my page") || a.get("Connection") != "close" {
					t.Errorf("%.30q: got %q %q; want nothing of the parent's", tt.answer, a.head, a.body)
				}
				if !slices.Equal(w.origin.dials, []string{firstParent}) {
					t.Errorf("%.30q: dialled %v; want one parent", tt.answer, w.origin.dials)
				}
			})
		}
	}
}

// TestParent_login_RFC9110_15_5_8: a parent that wants another login answers Jay, not Jay's client.
func TestParent_login_RFC9110_15_5_8(t *testing.T) {
	o := Options{Parents: parentsOf(t, firstParent, secondParent)}
	inBubble(t, o, always(respond(407, "log in", "Proxy-Authenticate: Basic realm=up", "Cache-Control: max-age=60")), func(t *testing.T, w *world) {
		for range 2 {
			a := w.get("http://a.example/")
			want := `jay; error=proxy_configuration_error; next-hop="` + firstParent + `"; received-status=407`
			if a.status != 502 || a.get("Proxy-Authenticate") != "" || a.get("Proxy-Status") != want {
				t.Errorf("got %s %q; want 502, %s", a.line, a.head, want)
			}
		}
		if n := w.origin.count(""); n != 2 {
			t.Errorf("the parents were asked %d times; want once for each request", n)
		}
	})
}

// networkOf dials w's origin but for some addresses: those that refuse, and those that swallow everything.
type network struct {
	w              *world
	refuse, ignore []string
	dials          []string
}

func (n *network) dial(ctx context.Context, network, address string) (net.Conn, error) {
	n.dials = append(n.dials, address)
	switch {
	case slices.Contains(n.refuse, address):
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}
	case slices.Contains(n.ignore, address):
		<-ctx.Done()
		return nil, ctx.Err()
	}
	return n.w.origin.dial(ctx, network, address)
}

// onNetwork is inBubble with a network that fails as the test likes.
func onNetwork(t *testing.T, o Options, serve func(*ask) string, test func(t *testing.T, w *world, n *network)) {
	t.Helper()
	n := &network{}
	o.Dial = n.dial
	inBubble(t, o, serve, func(t *testing.T, w *world) {
		n.w = w
		test(t, w, n)
	})
}

// TestParentDown_F4: a parent that is down costs no request, and no more than two seconds; it is left alone until its time
// is over, and is used again when it is up again.
func TestParentDown_F4(t *testing.T) {
	for _, next := range []string{secondParent, "direct"} {
		for _, how := range []string{"refuses", "swallows"} {
			t.Run(next+" "+how, func(t *testing.T) {
				o := Options{Parents: parentsOf(t, firstParent, next)}
				onNetwork(t, o, asParent(always(respond(200, "ok"))), func(t *testing.T, w *world, n *network) {
					if how == "refuses" {
						n.refuse = []string{firstParent}
					} else {
						n.ignore = []string{firstParent}
					}
					began := time.Now()
					url := "http://192.0.2.1/"
					if a := w.client().do("POST", url); a.status != 200 || time.Since(began) > 2*time.Second {
						t.Fatalf("got %s after %v; want 200 within 2s", a.line, time.Since(began))
					}
					c := w.client()
					c.send("CONNECT 192.0.2.1:443 HTTP/1.1\r\nHost: a\r\n\r\n")
					if a := c.readHead(); a.status != 200 {
						t.Errorf("CONNECT: got %s", a.line)
					}
					if i := slices.Index(n.dials[1:], firstParent); i >= 0 {
						t.Errorf("dialled %q; want the one that is down left alone", n.dials)
					}
					n.refuse, n.ignore = nil, nil
					time.Sleep(10 * time.Second)
					n.dials = nil
					if a := w.get("http://192.0.2.1/b"); a.status != 200 || n.dials[0] != firstParent {
						t.Errorf("ten seconds later: got %s by %q; want the first parent back", a.line, n.dials)
					}
				})
			})
		}
	}
}

// TestParentDown_all: with all parents down all are tried, once for a request, and the answer says so.
func TestParentDown_all(t *testing.T) {
	o := Options{Parents: parentsOf(t, firstParent, secondParent)}
	onNetwork(t, o, nil, func(t *testing.T, w *world, n *network) {
		n.refuse, n.ignore = []string{firstParent}, []string{secondParent}
		for range 3 {
			n.dials = nil
			began := time.Now()
			a := w.get("http://a.example/")
			if a.status != 504 && a.status != 502 || !strings.Contains(a.get("Proxy-Status"), `; next-hop="192.0.2.5`) || time.Since(began) > 12*time.Second {
				t.Errorf("got %s %q after %v; want 502 or 504 with the parent", a.line, a.get("Proxy-Status"), time.Since(began))
			}
			slices.Sort(n.dials)
			if !slices.Equal(n.dials, []string{firstParent, secondParent}) {
				t.Errorf("dialled %q; want each parent once", n.dials)
			}
		}
		if s := w.p.Parents(); len(s) != 2 || s[1].Up || s[0].Name != "http://"+firstParent || s[0].Failures != 3 || s[0].Last != "connection_refused" ||
			s[1].Failures != 3 || s[1].Last != "connection_timeout" {
			t.Errorf("got %+v; want three failures of each", s)
		}
	})
}

// TestParent_repeats_F3: once something of a request may have gone out, no other parent gets it.
func TestParent_repeats_F3(t *testing.T) {
	for _, method := range []string{"GET", "POST"} {
		o := Options{Parents: parentsOf(t, firstParent, secondParent)}
		inBubble(t, o, always(""), func(t *testing.T, w *world) {
			a := w.client().do(method, "http://a.example/")
			if a.status != 502 || w.origin.count("") != 1 || !strings.Contains(a.get("Proxy-Status"), `next-hop="`+firstParent+`"`) {
				t.Errorf("%s: got %s, %q after %d requests; want 502 after one", method, a.line, a.get("Proxy-Status"), w.origin.count(""))
			}
		})
	}
}

// TestParent_body: a body that was not touched goes to the next parent whole.
func TestParent_body(t *testing.T) {
	o := Options{Parents: parentsOf(t, firstParent, secondParent)}
	body := strings.Repeat("0123456789", 10_000)
	onNetwork(t, o, func(a *ask) string { return respond(200, fmt.Sprint(len(a.body))) }, func(t *testing.T, w *world, n *network) {
		n.refuse = []string{firstParent}
		c := w.client()
		c.send(request("POST", "http://a.example/", body))
		if a := c.read("POST"); a.status != 200 || a.body != "100000" {
			t.Errorf("got %s %q; want all 100000 bytes at the second parent", a.line, a.body)
		}
	})
}

// TestParent_badAnswers: what is no valid answer of an origin is none of a parent either, and names the parent.
func TestParent_badAnswers(t *testing.T) {
	for _, tt := range wiretest.BadResponses() {
		serve := func(a *ask) string {
			a.say(tt.Raw)
			return ""
		}
		inBubble(t, Options{Parents: parentsOf(t, firstParent, secondParent)}, serve, func(t *testing.T, w *world) {
			for range 2 {
				c := w.client()
				c.send("GET http://a.example/ HTTP/1.1\r\nHost: a.example\r\nConnection: close\r\n\r\n")
				a := c.readHead()
				io.Copy(io.Discard, c.r)
				if a.status == 502 && !strings.Contains(a.get("Proxy-Status"), `next-hop="`+firstParent+`"`) {
					t.Errorf("%s: got %q; want the parent named", tt.Name, a.get("Proxy-Status"))
				}
				if a.status != 502 && !tt.Body {
					t.Errorf("%s: got %s; want 502", tt.Name, a.line)
				}
			}
			if n := w.origin.count(""); n != 2 {
				t.Errorf("%s: the parents were asked %d times; want once for each request, and nothing stored", tt.Name, n)
			}
		})
	}
}
