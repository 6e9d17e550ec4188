package proxy

import (
	"strings"
	"testing"

	"github.com/jayproxy/jay/proxy/guide"
	"github.com/jayproxy/jay/proxy/policy"
)

// askSelf sends an origin-form request to the explicit listener at an address and reads the answer.
func (w *world) askSelf(from, to, method, target, host string, lines ...string) *answer {
	w.t.Helper()
	c := w.clientOf(Explicit, from, to)
	defer c.Close()
	send := method + " " + target + " HTTP/1.1\r\nHost: " + host + "\r\n"
	for _, l := range lines {
		send += l + "\r\n"
	}
	c.send(send + "\r\n")
	return c.read(method)
}

// TestSelf checks that a request to the proxy itself is answered by it and never fetched.
func TestSelf(t *testing.T) {
	tests := []struct {
		send   string
		status int
		body   string
	}{
		{"GET / HTTP/1.1\r\nHost: 192.0.2.1\r\n\r\n", 200, "curl -x"},
		{"GET /?a HTTP/1.1\r\nHost: 192.0.2.1\r\n\r\n", 200, "curl -x"},
		{"HEAD / HTTP/1.1\r\nHost: 192.0.2.1\r\n\r\n", 200, ""},
		{"GET / HTTP/1.1\r\nHost: 192.0.2.1\r\nAccept: text/html\r\n\r\n", 200, "<!DOCTYPE html>"},
		{"GET /proxy.pac HTTP/1.1\r\nHost: 192.0.2.1\r\n\r\n", 200, "FindProxyForURL"},
		{"GET /wpad.dat HTTP/1.0\r\n\r\n", 200, "FindProxyForURL"},
		{"HEAD /wpad.dat HTTP/1.1\r\nHost: wpad\r\n\r\n", 200, ""},
		{"OPTIONS * HTTP/1.1\r\nHost: 192.0.2.1\r\n\r\n", 200, ""},
		{"GET /page HTTP/1.1\r\nHost: 192.0.2.1\r\n\r\n", 404, "absolute URL"},
		{"GET //proxy.pac HTTP/1.1\r\nHost: 192.0.2.1\r\n\r\n", 404, "absolute URL"},
		{"GET /proxy%2Epac HTTP/1.1\r\nHost: 192.0.2.1\r\n\r\n", 404, "absolute URL"},
		{"POST / HTTP/1.1\r\nHost: 192.0.2.1\r\nContent-Length: 3\r\n\r\nabc", 405, "absolute URL"},
		{"DELETE /proxy.pac HTTP/1.1\r\nHost: 192.0.2.1\r\n\r\n", 405, "absolute URL"},
	}
	for _, tt := range tests {
		inBubble(t, Options{}, always(respond(200, "fetched")), func(t *testing.T, w *world) {
			c := w.client()
			c.send(tt.send)
			method, _, _ := strings.Cut(tt.send, " ")
			a := c.read(method)
			if a.status != tt.status || !strings.Contains(a.body, tt.body) || tt.status == 405 && a.get("Allow") != "GET, HEAD" {
				t.Errorf("%q: got %d %q %q; want %d and %q", tt.send, a.status, a.head, a.body, tt.status, tt.body)
			}
			if len(w.origin.dials) != 0 {
				t.Errorf("%q: dialled %v", tt.send, w.origin.dials)
			}
		})
	}
}

// TestSelfAddress checks that the address told back is one of Jay's own, whatever the Host field says.
func TestSelfAddress(t *testing.T) {
	opt := Options{Names: []string{"jay.example"}}
	tests := []struct{ from, to, host, want string }{
		{"10.0.0.7:1000", "10.0.0.5:3128", "10.0.0.5:3128", "10.0.0.5:3128"},
		{"10.0.0.7:1000", "10.0.0.5:3128", "jay.example:8080", "jay.example:8080"},
		{"10.0.0.7:1000", "10.0.0.5:3128", "JAY.example.", "jay.example:80"},
		{"10.0.0.7:1000", "10.0.0.5:80", "wpad", "10.0.0.5:80"},
		{"10.0.0.7:1000", "10.0.0.5:80", "wpad.example.com", "10.0.0.5:80"},
		{"10.0.0.7:1000", "10.0.0.5:3128", "evil.example:3128", "10.0.0.5:3128"},
		{"10.0.0.7:1000", "10.0.0.5:3128", "198.51.100.9:3128", "10.0.0.5:3128"},
		{"10.0.0.7:1000", "10.0.0.5:3128", "localhost:3128", "10.0.0.5:3128"},
		{"10.0.0.7:1000", "10.0.0.5:3128", "127.0.0.1:3128", "10.0.0.5:3128"},
		{"10.0.0.7:1000", "[::ffff:10.0.0.5]:3128", "a:1", "10.0.0.5:3128"},
		{"127.0.0.1:1000", "127.0.0.1:3128", "localhost:3128", "localhost:3128"},
		{"127.0.0.1:1000", "127.0.0.1:3128", "[::1]:3128", "[::1]:3128"},
		{"[2001:db8::7]:1000", "[2001:db8::5]:3128", "[2001:DB8::5]:3128", "[2001:db8::5]:3128"},
		{"[fe80::7%eth0]:1000", "[fe80::5%eth0]:3128", "a:1", "[fe80::5]:3128"},
	}
	for _, tt := range tests {
		opt.AllowClients = parsePrefixes("0.0.0.0/0", "::/0")
		inBubble(t, opt, always(respond(200, "fetched")), func(t *testing.T, w *world) {
			a := w.askSelf(tt.from, tt.to, "GET", "/proxy.pac", tt.host)
			if want := `var proxies = "PROXY ` + tt.want + `; DIRECT";`; !strings.Contains(a.body, want) {
				t.Errorf("%s to %s, Host %q: got %s %q; want %s", tt.from, tt.to, tt.host, a.line, a.body, want)
			}
			if got, want := a.get("Content-Type"), "application/x-ns-proxy-autoconfig"; got != want || a.get("X-Content-Type-Options") != "nosniff" {
				t.Errorf("got Content-Type %q; want %q", got, want)
			}
			if page := w.askSelf(tt.from, tt.to, "GET", "/", tt.host, "Accept: text/html"); !strings.Contains(page.body, "http_proxy=http://"+tt.want+"\n") {
				t.Errorf("%s: the page does not name %s: %s", tt.host, tt.want, page.body)
			}
		})
	}
}

// TestPAC checks what the options make of the PAC file.
func TestPAC(t *testing.T) {
	d, err := guide.NewDirect([]string{".corp.example"})
	if err != nil {
		t.Fatal(err)
	}
	opt := Options{
		PACProxies: []guide.Address{{Host: "proxy.example", Port: 3128}, {Host: "10.0.0.6", Port: 3128}}, PACDirect: d, PACStrict: true,
	}
	inBubble(t, opt, always(respond(200, "fetched")), func(t *testing.T, w *world) {
		a := w.askSelf("10.0.0.7:1000", "10.0.0.5:3128", "GET", "/wpad.dat", "wpad")
		if !strings.Contains(a.body, `var proxies = "PROXY proxy.example:3128; PROXY 10.0.0.6:3128";`) || !strings.Contains(a.body, `"corp.example": 1`) {
			t.Errorf("got %q; want both proxies, no DIRECT, and corp.example", a.body)
		}
		if p := w.askSelf("10.0.0.7:1000", "10.0.0.5:3128", "GET", "/", "10.0.0.5:3128"); !strings.Contains(p.body, "no_proxy=localhost,127.0.0.1,::1,.corp.example\n") {
			t.Errorf("got %q; want .corp.example in no_proxy", p.body)
		}
	})
}

// TestSelfRules checks who reads what about the rules, and who is told of the status page.
func TestSelfRules(t *testing.T) {
	pol, err := policy.New(policy.Options{Default: policy.Deny, Groups: map[string][]string{"bosses": {"carol"}}, Rules: []policy.Rule{
		{Name: "wiki", Action: policy.Allow, Users: []string{"anna"}, To: []string{"wiki.test"}},
		{Name: "shop", Action: policy.Allow, Groups: []string{"bosses"}, To: []string{"shop.test"}},
		{Name: "news", Action: policy.Deny, To: []string{"news.test"}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	const status = "http://127.0.0.1:3127/"
	here, there := "127.0.0.1:3128", "10.0.0.5:3128"
	login := strings.TrimPrefix(credentials("anna", "sesame"), "Proxy-")
	tests := []struct {
		name, to, host, path, login string
		auth                        bool
		code                        int
		has, not                    []string
	}{
		{"this machine", here, here, "/", "", false, 200, []string{status, "news.test", "Everything else is refused."}, []string{"ports", "wiki.test", "shop.test"}},
		{"this machine by an alien name", here, "evil.example", "/", "", false, 200, []string{"export http_proxy"}, []string{status, "news.test"}},
		{"another machine", there, there, "/", "", false, 200, []string{"news.test", "Tunnels (HTTPS) may go to the ports 80, 443 only."}, []string{status, "wiki.test"}},
		{"another machine by an unknown address", there, "198.51.100.1:80", "/", "", false, 200, []string{"news.test"}, nil},
		{"another machine by an alien name", there, "evil.example", "/", "", false, 200, nil, []string{"news.test"}},
		{"rules where nobody logs in", there, there, "/rules", "", false, 200, []string{"news.test"}, nil},
		{"nobody", here, here, "/", "", true, 200, []string{status, "/rules", "NAME:PASSWORD"}, []string{"news.test", "wiki.test"}},
		{"nobody asks for rules", here, here, "/rules", "", true, 401, nil, []string{"news.test"}},
		{"with a wrong password", here, here, "/rules", "Authorization: Basic YW5uYTp4", true, 401, nil, []string{"news.test"}},
		{"anna", there, there, "/rules", login, true, 200, []string{"What anna may do", "You may reach wiki.test.", "news.test"}, []string{"shop.test", "bosses", "carol"}},
		{"anna by an alien name", there, "evil.example", "/rules", login, true, 200, nil, []string{"wiki.test", "news.test"}},
		{"PAC needs no login", there, there, "/proxy.pac", "", true, 200, []string{"FindProxyForURL"}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			opt := Options{Policy: pol, StatusPage: status, AllowClients: parsePrefixes("0.0.0.0/0", "::/0")}
			if tt.auth {
				opt.Auth = guarded(t)
			}
			inBubble(t, opt, always(respond(200, "fetched")), func(t *testing.T, w *world) {
				from := "127.0.0.1:1000"
				if tt.to == there {
					from = "10.0.0.7:1000"
				}
				lines := []string{"Accept: text/html"}
				if tt.login != "" {
					lines = append(lines, tt.login)
				}
				a := w.askSelf(from, tt.to, "GET", tt.path, tt.host, lines...)
				if a.status != tt.code || tt.code == 401 && a.get("WWW-Authenticate") != `Basic realm="the office", charset="UTF-8"` {
					t.Fatalf("got %s %q; want %d", a.line, a.head, tt.code)
				}
				for _, want := range tt.has {
					if !strings.Contains(a.body, want) {
						t.Errorf("no %q in %s", want, a.body)
					}
				}
				for _, not := range tt.not {
					if strings.Contains(a.body, not) {
						t.Errorf("%q in %s", not, a.body)
					}
				}
				if csp := a.get("Content-Security-Policy"); tt.code == 200 && tt.path != "/proxy.pac" && (!strings.HasPrefix(csp, "default-src 'none'") || a.get("Cache-Control") != "no-store") {
					t.Errorf("got policy %q, Cache-Control %q", csp, a.get("Cache-Control"))
				}
			})
		})
	}
}
