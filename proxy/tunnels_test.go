package proxy

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// TestCONNECT_RFC9110_9_3_6 checks that bytes pass both ways, those sent ahead included, and that an end of one side is
// the end of the other.
func TestCONNECT_RFC9110_9_3_6(t *testing.T) {
	inBubble(t, Options{Dial: nil}, nil, func(t *testing.T, w *world) {
		there := make(chan net.Conn, 1)
		w.origin.raw = func(c net.Conn) { there <- c }
		c := w.client()
		c.send("CONNECT 192.0.2.1:443 HTTP/1.1\r\nHost: 192.0.2.1:443\r\n\r\nearly")
		far := <-there
		a := c.readHead()
		if a.status != 200 || a.get("Content-Length") != "" || a.get("Transfer-Encoding") != "" || a.get("Connection") != "" {
			t.Fatalf("got %q %q; want 200 without framing", a.line, a.head)
		}
		r := bufio.NewReader(far)
		c.send(" late\n")
		if s, err := r.ReadString('\n'); s != "early late\n" {
			t.Errorf("the origin got %q, %v", s, err)
		}
		go io.WriteString(far, "answer\n")
		if s, err := c.r.ReadString('\n'); s != "answer\n" {
			t.Errorf("the client got %q, %v", s, err)
		}
		if n := w.p.Stats().OpenTunnels; n != 1 {
			t.Errorf("%d tunnels; want 1", n)
		}
		far.Close()
		if _, err := c.r.ReadByte(); err != io.EOF {
			t.Errorf("after the origin's end: got %v; want the end", err)
		}
		synctest.Wait()
		if s := w.p.Stats(); s.OpenTunnels != 0 || s.Connections != 0 {
			t.Errorf("left: %d tunnels, %d connections", s.OpenTunnels, s.Connections)
		}
	})
}

// TestCONNECT_refused checks that a refused CONNECT always ends the connection, with nothing after it processed (RFC 9931).
func TestCONNECT_refused(t *testing.T) {
	tests := []struct {
		name, from, head string
		status           int
	}{
		{"port", "10.0.0.7:1", "CONNECT 93.184.216.34:25 HTTP/1.1\r\nHost: h\r\n", 403},
		{"address", "10.0.0.7:1", "CONNECT 127.0.0.1:443 HTTP/1.1\r\nHost: h\r\n", 403},
		{"loop", "", "CONNECT 93.184.216.34:443 HTTP/1.1\r\nHost: h\r\nVia: 1.1 jay-test\r\n", 508},
		{"a body", "", "CONNECT 93.184.216.34:443 HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n", 400},
		{"no port", "", "CONNECT 93.184.216.34 HTTP/1.1\r\nHost: h\r\n", 400},
		{"refused", "", "CONNECT 192.0.2.7:443 HTTP/1.1\r\nHost: h\r\n", 502},
		{"HTTP/1.0", "10.0.0.7:1", "CONNECT 127.0.0.1:443 HTTP/1.0\r\nConnection: keep-alive\r\n", 403},
	}
	for _, tt := range tests {
		inBubble(t, Options{}, always(respond(200, "ok")), func(t *testing.T, w *world) {
			w.origin.refuses = "192.0.2.7:443"
			c := w.clientOf(Explicit, tt.from, "")
			c.send(tt.head + "\r\n" + request("GET", host+"/smuggled", ""))
			a := c.read("GET")
			if a.status != tt.status || a.get("Connection") != "close" || a.get("Proxy-Status") == "" {
				t.Errorf("%s: got %q %q; want %d and close", tt.name, a.line, a.head, tt.status)
			}
			if a := c.read("GET"); !a.cut || w.origin.count("") != 0 {
				t.Errorf("%s: then got %q", tt.name, a.line)
			}
		})
	}
}

// TestCONNECT_times checks the limits of tunnels, and that Shutdown ends them.
func TestCONNECT_times(t *testing.T) {
	open := func(w *world) *client {
		c := w.client()
		c.send("CONNECT 192.0.2.1:443 HTTP/1.1\r\nHost: h\r\n\r\n")
		if a := c.readHead(); a.status != 200 {
			w.t.Fatalf("got %q", a.line)
		}
		return c
	}
	inBubble(t, Options{TunnelIdle: 10 * time.Minute}, nil, func(t *testing.T, w *world) {
		w.origin.raw = func(c net.Conn) { io.Copy(io.Discard, c) }
		c := open(w)
		start := time.Now()
		if _, err := c.r.ReadByte(); err != io.EOF || time.Since(start) < 10*time.Minute || time.Since(start) > 11*time.Minute {
			t.Errorf("idle: got %v after %v; want the end after 10 min", err, time.Since(start))
		}
	})
	inBubble(t, Options{}, nil, func(t *testing.T, w *world) {
		w.origin.raw = func(c net.Conn) { io.Copy(io.Discard, c) }
		c := open(w)
		w.end() // allows a second
		if _, err := c.r.ReadByte(); err != io.EOF {
			t.Errorf("shutdown: got %v; want the end", err)
		}
	})
}

// TestUpgrade_RFC9110_7_8 checks which upgrades are passed on, and what becomes of the answer.
func TestUpgrade_RFC9110_7_8(t *testing.T) {
	const ws = "Connection: keep-alive, Upgrade\r\nUpgrade: WebSocket\r\nSec-WebSocket-Key: k\r\nSec-WebSocket-Version: 13\r\n"
	tests := []struct {
		name, send, upgrade string
	}{
		{"websocket", "GET " + host + "/ HTTP/1.1\r\nHost: h\r\n" + ws + "\r\n", "WebSocket"},
		{"h2c", "GET " + host + "/ HTTP/1.1\r\nHost: h\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: x\r\n\r\n", ""},
		{"not named in Connection", "GET " + host + "/ HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\n\r\n", ""},
		{"a POST", "POST " + host + "/ HTTP/1.1\r\nHost: h\r\n" + ws + "Content-Length: 1\r\n\r\nx", ""},
		{"a body", "GET " + host + "/ HTTP/1.1\r\nHost: h\r\n" + ws + "Content-Length: 1\r\n\r\nx", ""},
		{"HTTP/1.0", "GET " + host + "/ HTTP/1.0\r\nHost: h\r\n" + ws + "\r\n", ""},
	}
	for _, tt := range tests {
		inBubble(t, Options{}, func(a *ask) string {
			if a.get("Upgrade") == "" {
				return respond(200, "plain", "Cache-Control: max-age=60")
			}
			a.say("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nconnection: upgrade\r\nSec-WebSocket-Accept: y\r\n\r\nhello")
			io.Copy(a.Conn, a.r)
			return ""
		}, func(t *testing.T, w *world) {
			c := w.client()
			c.send(tt.send)
			method, _, _ := strings.Cut(tt.send, " ")
			a := c.read(method)
			got := w.origin.last()
			if got.get("Upgrade") != tt.upgrade || (got.get("Connection") == "Upgrade") != (tt.upgrade != "") || got.get("HTTP2-Settings") != "" {
				t.Errorf("%s: the origin got %q", tt.name, got.head)
			}
			if tt.upgrade == "" {
				if a.body != "plain" {
					t.Errorf("%s: got %q %q", tt.name, a.line, a.body)
				}
				return
			}
			want := "Sec-WebSocket-Accept: y\r\nDate: Sat, 01 Jan 2000 00:00:00 GMT\r\nVia: 1.1 jay-test\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
			if a.status != 101 || a.head != want {
				t.Errorf("%s: got %q %q; want %q", tt.name, a.line, a.head, want)
			}
			c.send("echo\n")
			if s, _ := c.r.ReadString('\n'); s != "helloecho\n" {
				t.Errorf("%s: got %q; want what was sent ahead, and the echo", tt.name, s)
			}
		})
	}
}

// TestUpgrade_refused checks that any other answer than 101 is an ordinary one, on a connection that stays.
func TestUpgrade_refused(t *testing.T) {
	for _, status := range []int{200, 403, 426, 500} {
		inBubble(t, Options{}, always(respond(status, "no", "Upgrade: websocket", "Connection: Upgrade", "Cache-Control: max-age=60")), func(t *testing.T, w *world) {
			c := w.client()
			for range 2 {
				a := c.get(host+"/", "Connection: Upgrade", "Upgrade: websocket")
				if a.status != status || a.body != "no" || a.get("Connection") != "" || a.get("Upgrade") != "" {
					t.Errorf("%d: got %q %q %q", status, a.line, a.head, a.body)
				}
			}
			if n := w.origin.count(""); n != 2 {
				t.Errorf("%d: %d requests; want none answered from the cache", status, n)
			}
		})
	}
}

// TestIntercept_raw checks that what is no HTTP is relayed untouched to where it was meant to go.
func TestIntercept_raw(t *testing.T) {
	tests := []struct{ name, to, send string }{
		{"TLS", "93.184.216.34:443", "\x16\x03\x01\x00\x05hello"},
		{"TLS on another port", "93.184.216.34:8443", "\x16\x03\x01\x00\x05hello"},
		{"SSH", "93.184.216.34:22", "SSH-2.0-x\r\n"},
		{"anything on 443", "93.184.216.34:443", "GET / HTTP/1.1\r\n\r\n"},
	}
	for _, tt := range tests {
		inBubble(t, Options{}, nil, func(t *testing.T, w *world) {
			w.origin.raw = func(c net.Conn) { io.Copy(c, c) }
			c := w.intercepted(tt.to)
			c.send(tt.send)
			got := make([]byte, len(tt.send))
			if _, err := io.ReadFull(c.r, got); string(got) != tt.send || err != nil || w.origin.dials[0] != tt.to {
				t.Errorf("%s: got %q, %v from %v", tt.name, got, err, w.origin.dials)
			}
		})
	}
	inBubble(t, Options{}, nil, func(t *testing.T, w *world) {
		w.origin.raw = func(c net.Conn) { io.WriteString(c, "220 hello\r\n") }
		c := w.intercepted("93.184.216.34:587")
		if s, _ := c.r.ReadString('\n'); s != "220 hello\r\n" {
			t.Errorf("a server that speaks first: got %q", s)
		}
	})
}

// TestLoopback_ownListener checks that a request to one of the proxy's own addresses is refused and never loops.
func TestLoopback_ownListener(t *testing.T) {
	p, addr := loopbackProxy(t, Options{})
	_, port, _ := net.SplitHostPort(addr)
	for _, target := range []string{addr, "localhost:" + port, "[::ffff:127.0.0.1]:" + port} {
		for _, send := range []string{
			"GET http://" + target + "/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
			"CONNECT " + target + " HTTP/1.1\r\nHost: x\r\n\r\n",
		} {
			nc, err := net.Dial("tcp", addr)
			if err != nil {
				t.Fatal(err)
			}
			c := newClient(t, nc)
			c.send(send)
			if a := c.read("GET"); a.status != 508 || a.get("Proxy-Status") != "jay; error=proxy_loop_detected" {
				t.Errorf("%q: got %q %q; want 508", send, a.line, a.head)
			}
			c.Close()
		}
	}
	ctx, cancel := contextFor(10 * time.Second)
	defer cancel()
	p.Shutdown(ctx) // exchanges are counted after their answers
	if n := p.Stats().Requests; n != 6 {
		t.Errorf("%d requests were counted; want 6", n)
	}
}

// TestLoopback_reset checks that a body which breaks off ends in a reset where the end of the connection would look like
// its end.
func TestLoopback_reset(t *testing.T) {
	origin := loopback(t, func(c net.Conn) {
		readHead(bufio.NewReader(c))
		io.WriteString(c, "HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n")
	})
	_, addr := loopbackProxy(t, Options{})
	nc, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	fmt.Fprintf(nc, "GET http://%s/ HTTP/1.0\r\n\r\n", origin)
	b, err := io.ReadAll(nc)
	if !strings.Contains(string(b), "200 OK") || !isReset(err) {
		t.Errorf("got %q, %v; want the beginning and a reset", b, err)
	}
}

func isReset(err error) bool {
	for e := err; e != nil; {
		if e == error(syscall.ECONNRESET) {
			return true
		}
		u, ok := e.(interface{ Unwrap() error })
		if !ok {
			return false
		}
		e = u.Unwrap()
	}
	return false
}

// TestLoopback_leaks checks that a proxy which has ended leaves no goroutine and no descriptor.
func TestLoopback_leaks(t *testing.T) {
	fds, goroutines := descriptors(t), runtime.NumGoroutine()
	t.Run("busy", func(t *testing.T) {
		origin := loopback(t, func(c net.Conn) {
			r := bufio.NewReader(c)
			for {
				line, _, err := readHead(r)
				if err != nil {
					return
				}
				if strings.Contains(line, "hang") {
					io.Copy(io.Discard, c)
					return
				}
				io.WriteString(c, respond(200, "ok", "Cache-Control: max-age=60"))
			}
		})
		_, addr := loopbackProxy(t, Options{})
		for i := range 30 {
			nc, err := net.Dial("tcp", addr)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { nc.Close() })
			switch c := newClient(t, nc); i % 3 {
			case 0:
				c.get(fmt.Sprintf("http://%s/%d", origin, i))
			case 1:
				c.send(request("GET", fmt.Sprintf("http://%s/hang%d", origin, i%2), ""))
			case 2:
				c.send("CONNECT " + origin + " HTTP/1.1\r\nHost: h\r\n\r\n")
				c.readHead()
			}
		}
	})
	deadline := time.Now().Add(5 * time.Second)
	for descriptors(t) > fds || runtime.NumGoroutine() > goroutines {
		if time.Now().After(deadline) {
			buf := make([]byte, 1<<20)
			t.Fatalf("%d descriptors, %d goroutines; want %d, %d\n%s", descriptors(t), runtime.NumGoroutine(), fds, goroutines, buf[:runtime.Stack(buf, true)])
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// descriptors counts those that are open; 0 where that cannot be told.
func descriptors(t testing.TB) int {
	list, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return 0
	}
	return len(list)
}

// TestConnect_halfClosed checks that a client which sends what it has with its CONNECT, and ends its side before there is a
// tunnel, gets the origin's answer.
func TestConnect_halfClosed(t *testing.T) {
	origin, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer origin.Close()
	go func() {
		nc, err := origin.Accept()
		if err != nil {
			return
		}
		defer nc.Close()
		all, _ := io.ReadAll(nc)
		io.WriteString(nc, "got "+string(all))
	}()
	release := make(chan struct{})
	p, err := New(Options{Dial: func(ctx context.Context, network, address string) (net.Conn, error) {
		select {
		case <-release:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		return new(net.Dialer).DialContext(ctx, network, address)
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Shutdown(context.Background())
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go p.Serve(ln, Explicit)
	nc, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	fmt.Fprintf(nc, "CONNECT %[1]s HTTP/1.1\r\nHost: %[1]s\r\n\r\nall of it", origin.Addr())
	nc.(*net.TCPConn).CloseWrite()
	time.AfterFunc(20*watchDelay, func() { close(release) }) // the watch has seen the end by then, most likely
	all, _ := io.ReadAll(nc)
	if !strings.HasSuffix(string(all), "got all of it") {
		t.Errorf("got %q; want the origin's answer", all)
	}
}
