package proxy

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"time"
)

// TestTargets_RFC9112_3_2 checks what a request in each form becomes at the origin.
func TestTargets_RFC9112_3_2(t *testing.T) {
	tests := []struct {
		name       string
		mode       Mode
		send       string
		line, host string
		dial       string
	}{
		{"absolute-form", Explicit, "GET http://192.0.2.1/a?b HTTP/1.1\r\nHost: 192.0.2.1\r\n\r\n", "GET /a?b HTTP/1.1", "192.0.2.1", "192.0.2.1:80"},
		{"empty path", Explicit, "GET http://192.0.2.1 HTTP/1.1\r\nHost: 192.0.2.1\r\n\r\n", "GET / HTTP/1.1", "192.0.2.1", "192.0.2.1:80"},
		{"query only", Explicit, "GET http://192.0.2.1?q HTTP/1.1\r\nHost: 192.0.2.1\r\n\r\n", "GET /?q HTTP/1.1", "192.0.2.1", "192.0.2.1:80"},
		{"target wins over Host", Explicit, "GET http://192.0.2.1:8080/ HTTP/1.1\r\nHost: 192.0.2.9\r\n\r\n", "GET / HTTP/1.1", "192.0.2.1:8080", "192.0.2.1:8080"},
		{"default port is implied", Explicit, "GET http://192.0.2.1:80/ HTTP/1.1\r\nHost: 192.0.2.1:80\r\n\r\n", "GET / HTTP/1.1", "192.0.2.1", "192.0.2.1:80"},
		{"IPv6", Explicit, "GET http://[2001:db8::1]:81/ HTTP/1.1\r\nHost: [2001:db8::1]:81\r\n\r\n", "GET / HTTP/1.1", "[2001:db8::1]:81", "[2001:db8::1]:81"},
		{"bytes survive", Explicit, "GET http://192.0.2.1//a/../%7e%2F%2f;x?&a=|^\"b HTTP/1.1\r\nHost: 192.0.2.1\r\n\r\n", "GET //a/../%7e%2F%2f;x?&a=|^\"b HTTP/1.1", "192.0.2.1", "192.0.2.1:80"},
		{"OPTIONS without a path", Explicit, "OPTIONS http://192.0.2.1 HTTP/1.1\r\nHost: 192.0.2.1\r\n\r\n", "OPTIONS * HTTP/1.1", "192.0.2.1", "192.0.2.1:80"},
		{"HTTP/1.0 without Host", Explicit, "GET http://192.0.2.1/ HTTP/1.0\r\n\r\n", "GET / HTTP/1.1", "192.0.2.1", "192.0.2.1:80"},
		{"origin-form by Host", ByHost, "GET /a HTTP/1.1\r\nHost: 192.0.2.1:8080\r\n\r\n", "GET /a HTTP/1.1", "192.0.2.1:8080", "192.0.2.1:8080"},
		{"absolute-form by Host", ByHost, "GET http://192.0.2.1/a HTTP/1.1\r\nHost: 192.0.2.9\r\n\r\n", "GET /a HTTP/1.1", "192.0.2.1", "192.0.2.1:80"},
		{"OPTIONS * by Host", ByHost, "OPTIONS * HTTP/1.1\r\nHost: 192.0.2.1\r\n\r\n", "OPTIONS * HTTP/1.1", "192.0.2.1", "192.0.2.1:80"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			inBubble(t, Options{}, always(respond(200, "ok")), func(t *testing.T, w *world) {
				c := w.clientOf(tt.mode, "", "")
				c.send(tt.send)
				if a := c.read("GET"); a.status != 200 {
					t.Fatalf("got %q; want 200", a.line)
				}
				got := w.origin.last()
				if got.line != tt.line || got.get("Host") != tt.host || w.origin.dials[0] != tt.dial {
					t.Errorf("got %q, Host %q, dialled %s; want %q, %q, %s", got.line, got.get("Host"), w.origin.dials[0], tt.line, tt.host, tt.dial)
				}
			})
		})
	}
}

// TestLoops_RFC9110_7_6_3 checks that a request which passed this proxy before gets no further.
func TestLoops_RFC9110_7_6_3(t *testing.T) {
	tests := []struct {
		via    string
		status int
	}{
		{"1.1 jay-test", 508},
		{"1.1 other, 1.0 JAY-test (comment)", 508},
		{"HTTP/1.1 jay-test", 508},
		{"1.1 jay-test2", 200},
		{"1.1 other (jay-test)", 200},
		{"1.1 other", 200},
	}
	for _, tt := range tests {
		for _, method := range []string{"GET", "POST"} {
			inBubble(t, Options{}, always(respond(200, "ok")), func(t *testing.T, w *world) {
				a := w.client().do(method, host+"/", "Via: "+tt.via)
				if a.status != tt.status {
					t.Errorf("%s, Via %q: got %d; want %d", method, tt.via, a.status, tt.status)
				}
				if want := "jay; error=proxy_loop_detected"; tt.status == 508 && a.get("Proxy-Status") != want {
					t.Errorf("Via %q: got Proxy-Status %q; want %q", tt.via, a.get("Proxy-Status"), want)
				}
			})
		}
	}
}

// TestExpect_RFC9110_10_1_1 checks that what nobody can meet is refused, and the connection with it.
func TestExpect_RFC9110_10_1_1(t *testing.T) {
	tests := []struct {
		minor, expect string
		status        int
	}{
		{"1", "200-ok", 417},
		{"1", "100-continue, x", 417},
		{"1", "100-Continue", 200},
		{"0", "200-ok", 200}, // RFC 9110: a 1.0 request's is ignored
	}
	for _, tt := range tests {
		inBubble(t, Options{}, func(a *ask) string {
			if a.get("Expect") != "" {
				a.say("HTTP/1.1 100 Continue\r\n\r\n")
				a.readBody()
			}
			return respond(200, "ok")
		}, func(t *testing.T, w *world) {
			c := w.client()
			c.send("POST " + host + "/ HTTP/1." + tt.minor + "\r\nHost: 192.0.2.1\r\nExpect: " + tt.expect + "\r\nContent-Length: 3\r\n\r\nabc")
			a := c.read("POST")
			if a.status != tt.status {
				t.Errorf("Expect: %s in 1.%s: got %d; want %d", tt.expect, tt.minor, a.status, tt.status)
			}
			if closes := a.get("Connection") == "close"; closes != (tt.status == 417 || tt.minor == "0") {
				t.Errorf("Expect: %s: got Connection %q", tt.expect, a.get("Connection"))
			}
		})
	}
}

// TestReach checks which ports and addresses a client on another machine may use; one on this machine may use all.
func TestReach(t *testing.T) {
	tests := []struct {
		send   string
		status int
	}{
		{"GET http://93.184.216.34/ HTTP/1.1\r\nHost: h\r\n\r\n", 200},
		{"GET http://93.184.216.34:8080/ HTTP/1.1\r\nHost: h\r\n\r\n", 200},
		{"GET http://93.184.216.34:25/ HTTP/1.1\r\nHost: h\r\n\r\n", 403},
		{"GET http://127.0.0.1/ HTTP/1.1\r\nHost: h\r\n\r\n", 403},
		{"GET http://[::ffff:127.0.0.1]/ HTTP/1.1\r\nHost: h\r\n\r\n", 403},
		{"GET http://[64:ff9b::7f00:1]/ HTTP/1.1\r\nHost: h\r\n\r\n", 403},
		{"GET http://[2002:7f00:1::]/ HTTP/1.1\r\nHost: h\r\n\r\n", 403},
		{"GET http://[::7f00:1]/ HTTP/1.1\r\nHost: h\r\n\r\n", 403},
		{"GET http://169.254.169.254/ HTTP/1.1\r\nHost: h\r\n\r\n", 403},
		{"GET http://192.0.2.1/ HTTP/1.1\r\nHost: h\r\n\r\n", 403},
		{"GET http://0.0.0.0/ HTTP/1.1\r\nHost: h\r\n\r\n", 403},
		{"GET http://10.1.2.3/ HTTP/1.1\r\nHost: h\r\n\r\n", 200},
		{"CONNECT 93.184.216.34:25 HTTP/1.1\r\nHost: h\r\n\r\n", 403},
		{"CONNECT 127.0.0.1:443 HTTP/1.1\r\nHost: h\r\n\r\n", 403},
	}
	for _, tt := range tests {
		for _, from := range []string{"10.0.0.7:1234", ""} {
			inBubble(t, Options{}, always(respond(200, "ok")), func(t *testing.T, w *world) {
				c := w.clientOf(Explicit, from, "")
				c.send(tt.send)
				a := c.readHead()
				want := tt.status
				if from == "" {
					want = 200
				}
				if a.status != want {
					t.Errorf("%q from %q: got %d; want %d", tt.send, from, a.status, want)
				}
				if want == 403 && (len(w.origin.dials) != 0 || a.get("Connection") != "close") {
					t.Errorf("%q: dialled %v, Connection %q; want no dial and close", tt.send, w.origin.dials, a.get("Connection"))
				}
			})
		}
	}
}

// TestReach_byHost checks that a client which was steered here by name gets no further than one that was told to.
func TestReach_byHost(t *testing.T) {
	for _, tt := range []struct {
		host   string
		status int
	}{{"93.184.216.34", 200}, {"93.184.216.34:25", 403}, {"127.0.0.1", 403}, {"192.168.1.1", 403}} {
		inBubble(t, Options{DenyPrivate: true}, always(respond(200, "ok")), func(t *testing.T, w *world) {
			c := w.clientOf(ByHost, "10.0.0.7:1234", "")
			c.send("GET / HTTP/1.1\r\nHost: " + tt.host + "\r\n\r\n")
			if a := c.readHead(); a.status != tt.status {
				t.Errorf("Host %s: got %d; want %d", tt.host, a.status, tt.status)
			}
		})
	}
}

// TestRestrictedEntries checks that a client on another machine gets nothing from the cache that it could not have
// fetched itself.
func TestRestrictedEntries(t *testing.T) {
	inBubble(t, Options{}, always(respond(200, "secret", "Cache-Control: max-age=60")), func(t *testing.T, w *world) {
		if a := w.get("http://127.0.0.1/"); a.body != "secret" {
			t.Fatalf("from this machine: got %q", a.line)
		}
		c := w.clientOf(Explicit, "10.0.0.7:1234", "")
		if a := c.get("http://127.0.0.1/"); a.status != 403 || strings.Contains(a.body, "secret") {
			t.Errorf("from another: got %d %q; want 403", a.status, a.body)
		}
	})
}

// TestMayAsk checks that who may not use the proxy is not answered.
func TestMayAsk(t *testing.T) {
	for from, want := range map[string]bool{"10.0.0.1:1": true, "192.168.9.9:1": true, "[fe80::1]:1": true, "8.8.8.8:1": false, "[2001:db8::1]:1": false} {
		inBubble(t, Options{}, always(respond(200, "ok")), func(t *testing.T, w *world) {
			c := w.clientOf(Explicit, from, "")
			a := c.get("http://93.184.216.34/")
			if a.cut == want || want && a.status != 200 {
				t.Errorf("from %s: got %q; want served %v", from, a.line, want)
			}
		})
	}
}

// TestLimits checks the bounds on connections, and that the log says, not too often, which of them was reached.
func TestLimits(t *testing.T) {
	var log bytes.Buffer
	defer func() {
		if got := log.String(); strings.Count(got, "limit=") != 1 || !strings.Contains(got, "limit=max-client-connections client=10.0.0.1") {
			t.Errorf("the log says %q; want the first limit once", got)
		}
	}()
	logger := slog.New(slog.NewTextHandler(&log, nil))
	inBubble(t, Options{MaxConnections: 3, MaxClientConnections: 2, Logger: logger}, always(respond(200, "ok")), func(t *testing.T, w *world) {
		url := "http://93.184.216.34/"
		one, two := w.clientOf(Explicit, "10.0.0.1:1", ""), w.clientOf(Explicit, "10.0.0.1:2", "")
		if one.get(url).status != 200 || two.get(url).status != 200 {
			t.Fatal("two of one address are not served")
		}
		if a := w.clientOf(Explicit, "10.0.0.1:3", "").get(url); !a.cut {
			t.Errorf("a third of one address: got %q", a.line)
		}
		if a := w.clientOf(Explicit, "10.0.0.2:1", "").get(url); a.status != 200 {
			t.Errorf("another address: got %q; want 200", a.line)
		}
		if a := w.clientOf(Explicit, "10.0.0.3:1", "").get(url); !a.cut {
			t.Errorf("a fourth connection: got %q", a.line)
		}
		one.Close()
		time.Sleep(time.Second)
		if a := w.clientOf(Explicit, "10.0.0.1:4", "").get(url); a.status != 200 {
			t.Errorf("after one has gone: got %q; want 200", a.line)
		}
	})
}
