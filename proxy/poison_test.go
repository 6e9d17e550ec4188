package proxy

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// TestPoison_C1 checks that a client cannot have the answer to an altered request stored for others: it hides a selecting
// field from the origin, or names one that has a say.
func TestPoison_C1(t *testing.T) {
	tests := []struct{ vary, name, value string }{
		{"Accept-Language", "Accept-Language", "de"},
		{"accept-language", "ACCEPT-LANGUAGE", "de"},
		{"X-Who", "X-Who", "victim"},
		{"Accept, X-Who", "x-who", "victim"},
		{"Cookie", "Cookie", "a=b"},
		{"Accept-Encoding", "Accept-Encoding", "br"},
		{"TE", "TE", "trailers"},
		{"Upgrade", "Upgrade", "x"},
		{"Keep-Alive", "Keep-Alive", "x"},
		{"Proxy-Authorization", "Proxy-Authorization", "x"},
	}
	for _, tt := range tests {
		inBubble(t, Options{}, func(a *ask) string {
			return respond(200, "got "+a.get(tt.name), "Cache-Control: max-age=60", "Vary: "+tt.vary)
		}, func(t *testing.T, w *world) {
			w.get(host+"/", tt.name+": "+tt.value, "Connection: "+tt.name)
			honest := w.get(host+"/", tt.name+": "+tt.value)
			if seen := w.origin.last().get(tt.name); honest.body != "got "+seen {
				t.Errorf("%s: the honest client got %q, %s; its origin saw %q", tt.name, honest.body, honest.cacheStatus(), seen)
			}
			if n := w.origin.count(""); n != 2 && honest.body != "got " {
				t.Errorf("%s: %d requests, %s; want the second forwarded", tt.name, n, honest.cacheStatus())
			}
		})
	}
}

// TestPoison_A11 checks that a GET with a body, whose answer may depend on it, has no part in the cache either way.
func TestPoison_A11(t *testing.T) {
	for _, framing := range []string{"Content-Length: 4\r\n\r\nevil", "Transfer-Encoding: chunked\r\n\r\n4\r\nevil\r\n0\r\n\r\n"} {
		for _, method := range []string{"GET", "HEAD"} {
			inBubble(t, Options{}, func(a *ask) string {
				if a.method == "HEAD" {
					return "HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\n\r\n"
				}
				return respond(200, "for "+a.body, "Cache-Control: max-age=60")
			}, func(t *testing.T, w *world) {
				c := w.client()
				c.send(method + " " + host + "/ HTTP/1.1\r\nHost: h\r\n" + framing)
				if a := c.read(method); w.origin.last().body != "evil" || !strings.Contains(a.cacheStatus(), "detail=request-body") {
					t.Errorf("%s: the origin got %q; %s", method, w.origin.last().body, a.cacheStatus())
				}
				if a := c.get(host + "/"); a.body != "for " {
					t.Errorf("%s: then an honest GET got %q", method, a.body)
				}
				c.send(method + " " + host + "/ HTTP/1.1\r\nHost: h\r\n" + framing)
				if a := c.read(method); strings.Contains(a.cacheStatus(), "hit") {
					t.Errorf("%s: answered from the cache: %s", method, a.cacheStatus())
				}
			})
		}
	}
}

// TestAuthorization_RFC9111_3_5 checks when the answer to one client's credentials serves another.
func TestAuthorization_RFC9111_3_5(t *testing.T) {
	for cc, shared := range map[string]bool{
		"max-age=60": false, "max-age=60, public": true, "s-maxage=60": true, "max-age=60, must-revalidate": true, "private": false, "max-age=60, proxy-revalidate": false,
	} {
		inBubble(t, Options{}, func(a *ask) string {
			return respond(200, "for "+a.get("Authorization"), "Cache-Control: "+cc, `ETag: "1"`)
		}, func(t *testing.T, w *world) {
			if a := w.get(host+"/", "Authorization: A"); a.body != "for A" {
				t.Fatalf("got %q", a.body)
			}
			for _, lines := range [][]string{nil, {"Authorization: B"}} {
				if a := w.get(host+"/", lines...); (a.body == "for A") != shared {
					t.Errorf("%s: another client %q got %q, %s", cc, lines, a.body, a.cacheStatus())
				}
			}
		})
	}
}

// TestKeys_C6 checks that only requests for the same bytes share a stored response.
func TestKeys_C6(t *testing.T) {
	urls := []string{
		host + "/", host + "/?", host + "/x", host + "/x?", host + "//x", host + "/x/", host + "/./x", host + "/a/../x", host + "/X", host + "/%78",
		host + "/%2f", host + "/%2F", host + "/x;y", host + "/x%00", host + "/x?a=1&b=2", host + "/x?b=2&a=1", host + "/x?a=1&b=2&", host + "/x+y", host + "/x%20y",
		"http://192.0.2.1:8080/x", "http://192.0.2.2/x", "https://192.0.2.1/x", "http://[2001:db8::1]/x", "http://[2001:db8::1]:8080/x",
	}
	same := [][2]string{
		{host, host + "/"}, {host + "?q", host + "/?q"}, {"http://192.0.2.1:80/x", host + "/x"}, {"HTTP://192.0.2.1:0080/x", host + "/x"}, {"http://192.0.2.1:/x", host + "/x"},
		{"http://[2001:DB8::1]/x", "http://[2001:db8::1]/x"},
	}
	inBubble(t, Options{}, func(a *ask) string {
		return respond(200, fmt.Sprint(a.nth), "Cache-Control: max-age=60")
	}, func(t *testing.T, w *world) {
		seen := map[string]string{}
		for _, u := range urls {
			if strings.HasPrefix(u, "https:") {
				continue // no TLS here; see TestKeys_scheme
			}
			body := w.get(u).body
			for other, b := range seen {
				if b == body {
					t.Errorf("%s and %s share a response", u, other)
				}
			}
			seen[u] = body
		}
		for _, p := range same {
			a, b := w.get(p[0]), w.get(p[1])
			if a.body != b.body || b.body != "" && b.body != seen[p[1]] && seen[p[1]] != "" {
				t.Errorf("%s and %s: got %q, %q; want the same", p[0], p[1], a.body, b.body)
			}
		}
	})
}

// TestKeys_names checks keys of names: case does not matter, a final dot does.
func TestKeys_names(t *testing.T) {
	ns := &nameserver{addrs: map[string]string{"www.example.test": "192.0.2.1"}}
	inBubble(t, Options{DNS: ns.dns(), CacheStatusKey: true}, func(a *ask) string {
		return respond(200, a.get("Host"), "Cache-Control: max-age=60")
	}, func(t *testing.T, w *world) {
		for _, tt := range []struct{ url, key, host string }{
			{"http://www.example.test/", "http://www.example.test/", "www.example.test"},
			{"http://WWW.Example.TEST/", "http://www.example.test/", "www.example.test"},
			{"http://www.example.test./", "http://www.example.test./", "www.example.test."},
		} {
			a := w.get(tt.url)
			if !strings.Contains(a.cacheStatus(), `key="`+tt.key+`"`) || a.body != tt.host {
				t.Errorf("%s: got %s, Host %q; want the key %s", tt.url, a.cacheStatus(), a.body, tt.key)
			}
		}
	})
}

// intercepted is a client that thinks it is connected to an address.
func (w *world) intercepted(to string) *client { return w.clientOf(TProxy, "10.0.0.7:1234", to) }

// TestHostForgery_C7 checks that an intercepted client which lies about the host gets what its address has, and that
// the cache has no part in it.
func TestHostForgery_C7(t *testing.T) {
	ns := &nameserver{addrs: map[string]string{"good.test": "93.184.216.34", "other.test": "93.184.216.35"}}
	const dst = "93.184.216.34:80"
	tests := []struct {
		name, send string
		verified   bool
	}{
		{"its name", "GET /a HTTP/1.1\r\nHost: good.test\r\n\r\n", true},
		{"its address", "GET /a HTTP/1.1\r\nHost: 93.184.216.34\r\n\r\n", true},
		{"no Host", "GET /a HTTP/1.0\r\n\r\n", true},
		{"absolute-form", "GET http://good.test/a HTTP/1.1\r\nHost: other.test\r\n\r\n", true},
		{"another name", "GET /a HTTP/1.1\r\nHost: other.test\r\n\r\n", false},
		{"no such name", "GET /a HTTP/1.1\r\nHost: nowhere.test\r\n\r\n", false},
		{"another address", "GET /a HTTP/1.1\r\nHost: 93.184.216.35\r\n\r\n", false},
		{"another port", "GET /a HTTP/1.1\r\nHost: good.test:8080\r\n\r\n", false},
		{"absolute-form, another name", "GET http://other.test/a HTTP/1.1\r\nHost: good.test\r\n\r\n", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			inBubble(t, Options{DNS: ns.dns()}, func(a *ask) string {
				return respond(200, fmt.Sprint("nth ", a.nth), "Cache-Control: max-age=60")
			}, func(t *testing.T, w *world) {
				for i := range 2 {
					c := w.intercepted(dst)
					c.send(tt.send)
					a := c.read("GET")
					if hit := strings.Contains(a.cacheStatus(), "hit"); a.status != 200 || hit != (tt.verified && i == 1) {
						t.Errorf("%d: got %q, %s; want a hit only of what is true", i, a.line, a.cacheStatus())
					}
					if !tt.verified && !strings.Contains(a.cacheStatus(), "fwd=bypass; fwd-status=200; detail=host-mismatch") {
						t.Errorf("%d: got %s; want it said", i, a.cacheStatus())
					}
				}
				for _, d := range w.origin.dials {
					if d != dst {
						t.Errorf("dialled %s; want %s only", d, dst)
					}
				}
			})
		})
	}
}

// TestHostVerified_rotating: a client that goes where the name pointed a minute ago is believed, one that goes where it pointed
// long ago is not.
func TestHostVerified_rotating(t *testing.T) {
	ns := &nameserver{addrs: map[string]string{"cdn.test": "93.184.216.34"}}
	inBubble(t, Options{DNS: ns.dns()}, always(respond(200, "ok", "Cache-Control: max-age=60")), func(t *testing.T, w *world) {
		ask := func(dst string) string {
			c := w.intercepted(dst)
			c.send("GET / HTTP/1.1\r\nHost: cdn.test\r\n\r\n")
			return c.read("GET").cacheStatus()
		}
		ask("93.184.216.34:80")
		ns.set("cdn.test", "93.184.216.35")
		time.Sleep(31 * time.Second)
		for _, dst := range []string{"93.184.216.35:80", "93.184.216.34:80"} {
			if got := ask(dst); !strings.Contains(got, "hit") {
				t.Errorf("%s: got %s; want a hit", dst, got)
			}
		}
		time.Sleep(11 * time.Minute)
		if got := ask("93.184.216.34:80"); !strings.Contains(got, "host-mismatch") {
			t.Errorf("long after: got %s; want host-mismatch", got)
		}
	})
}

// TestHostForgery_others checks that a forged request changes nothing that others get, in both directions.
func TestHostForgery_others(t *testing.T) {
	ns := &nameserver{addrs: map[string]string{"good.test": "93.184.216.34"}}
	inBubble(t, Options{DNS: ns.dns()}, func(a *ask) string {
		return respond(200, a.o.dials[a.conn], "Cache-Control: max-age=60")
	}, func(t *testing.T, w *world) {
		forge := func(send string) *answer {
			c := w.intercepted("93.184.216.99:80")
			c.send(send)
			return c.read("GET")
		}
		get := "GET / HTTP/1.1\r\nHost: good.test\r\n\r\n"
		forge(get)
		if a := w.get("http://good.test/"); a.body != "93.184.216.34:80" {
			t.Errorf("an honest client got what %s said, %s", a.body, a.cacheStatus())
		}
		if a := forge(get); a.body != "93.184.216.99:80" {
			t.Errorf("the forger got a stored response: %q, %s", a.body, a.cacheStatus())
		}
		forge("POST / HTTP/1.1\r\nHost: good.test\r\nContent-Length: 1\r\n\r\nx")
		if !w.hits("http://good.test/") {
			t.Error("the forger invalidated what is stored for others")
		}
		synctest.Wait()
	})
}

// TestInterceptRefuses checks that an intercepting port does not serve who connects to it directly, nor CONNECT.
func TestInterceptRefuses(t *testing.T) {
	inBubble(t, Options{}, always(respond(200, "ok")), func(t *testing.T, w *world) {
		c := w.intercepted("93.184.216.34:80")
		c.send("CONNECT 93.184.216.34:443 HTTP/1.1\r\nHost: 93.184.216.34\r\n\r\n")
		if a := c.readHead(); a.status != 403 || a.get("Connection") != "close" {
			t.Errorf("CONNECT: got %q %q; want 403 and close", a.line, a.head)
		}
		c = w.intercepted("93.184.216.34:80")
		c.send("GET https://93.184.216.34/ HTTP/1.1\r\nHost: 93.184.216.34\r\n\r\n")
		if a := c.readHead(); a.status != 400 {
			t.Errorf("https: got %q; want 400", a.line)
		}
		c = w.clientOf(Redirect, "10.0.0.7:1", "10.0.0.1:3128") // no TCP connection: nothing was redirected
		c.send("GET / HTTP/1.1\r\nHost: 93.184.216.34\r\n\r\n")
		if a := c.readHead(); a.status != 403 || a.get("Connection") != "close" || len(w.origin.dials) != 0 {
			t.Errorf("direct: got %q %q; want 403 and close", a.line, a.head)
		}
	})
}
