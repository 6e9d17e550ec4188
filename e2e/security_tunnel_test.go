package e2e

import (
	"context"
	"fmt"
	"io"
	"net"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/jayproxy/jay/e2e/process"
	"github.com/jayproxy/jay/e2e/rawhttp"
)

// holdAll accepts connections, answers each "?" with "!", and ends its own
// direction when it is told "bye". A stubborn one keeps a connection whose other
// side has ended.
func holdAll(l net.Listener, stubborn bool) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		go func() {
			defer c.Close()
			buf := make([]byte, 100)
			for {
				n, err := c.Read(buf)
				if err != nil {
					if stubborn {
						time.Sleep(time.Minute)
					}
					return
				}
				if strings.Contains(string(buf[:n]), "bye") {
					_ = c.(*net.TCPConn).CloseWrite()
				} else {
					_, _ = io.WriteString(c, "!")
				}
			}
		}()
	}
}

// tunnel opens a CONNECT tunnel.
func tunnel(t *testing.T, w way, address string) *rawhttp.Conn {
	t.Helper()
	c := w.dial(t, address)
	send(t, c, "CONNECT "+address+" HTTP/1.1\r\nHost: "+address+"\r\n\r\n")
	if resp, err := c.ReadHead("CONNECT"); err != nil || resp.Code != 200 {
		t.Fatalf("got %v, %v; want a tunnel", resp, err)
	}
	return c
}

// asks sends a question through a tunnel and wants its answer.
func asks(t *testing.T, c *rawhttp.Conn) {
	t.Helper()
	send(t, c, "?")
	_ = c.SetReadDeadline(time.Now().Add(rawhttp.Timeout))
	if b, err := c.Reader().ReadByte(); err != nil || b != '!' {
		t.Errorf("got %q, %v through the tunnel; want !", b, err)
	}
}

// TestTunnelsEnd: a tunnel ends when it is idle, some time after either side has
// ended its direction, and at the end of its life; one that is used in either
// direction is not idle; nothing is left (D7).
func TestTunnelsEnd(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" {
		t.Skip("skipped: counting descriptors needs Linux's /proc")
	}
	j := startJay(t, "--tunnel-idle-timeout", "2s", "--tunnel-drain-timeout", "1s", "--tunnel-lifetime", "4s")
	before, err := j.Descriptors()
	must(t, err)
	w := waysOf(j)[0]
	for _, tt := range []struct {
		name, cause string
		least, most time.Duration
		use         func(t *testing.T, c *rawhttp.Conn)
	}{
		{"idle", "idle", 2 * time.Second, 4 * time.Second, func(*testing.T, *rawhttp.Conn) {}},
		{"client half-closed", "drain-timeout", time.Second, 3 * time.Second, func(t *testing.T, c *rawhttp.Conn) { must(t, c.Conn.(*net.TCPConn).CloseWrite()) }},
		{"origin half-closed", "drain-timeout", time.Second, 3 * time.Second, func(t *testing.T, c *rawhttp.Conn) {
			send(t, c, "bye")
			if _, err := c.Reader().ReadByte(); err != io.EOF {
				t.Errorf("got %v; want the origin's half-close passed on", err)
			}
		}},
		{"busy to the end", "lifetime", 4 * time.Second, 7 * time.Second, func(t *testing.T, c *rawhttp.Conn) {
			for began := time.Now(); time.Since(began) < 3*time.Second; time.Sleep(200 * time.Millisecond) {
				asks(t, c)
			}
			for i := 0; i < 20 && c.Send("?") == nil; i++ {
				time.Sleep(200 * time.Millisecond)
			}
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			own := listen(t)
			defer own.Close()
			go holdAll(own, true)
			began := time.Now()
			c := tunnel(t, w, own.Addr().String())
			tt.use(t, c)
			e, ok := j.WaitLog(func(e process.Entry) bool {
				return strings.Contains(e.String("url"), own.Addr().String()) && e.String("cause") != ""
			})
			if d := time.Since(began); !ok || !strings.Contains(e.String("cause"), tt.cause) || d < tt.least || d > tt.most {
				t.Errorf("ended with %v after %v; want %s after %v", e, d, tt.cause, tt.least)
			}
			c.Close()
		})
	}
	t.Cleanup(func() {
		eventually(t, "descriptors go back", func() bool {
			now, err := j.Descriptors()
			return err == nil && now <= before+8
		})
	})
}

// TestTunnelsIdle: an idle tunnel has two descriptors, a WebSocket too, and they
// go back (D8).
func TestTunnelsIdle(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" {
		t.Skip("skipped: counting descriptors needs Linux's /proc")
	}
	const tunnels = 200
	l, ws := listen(t), listen(t)
	defer l.Close()
	go holdAll(l, false)
	startSocketServer(t, ws)
	j := startJay(t)
	for name, open := range map[string]func(t *testing.T) io.Closer{
		"CONNECT": func(t *testing.T) io.Closer {
			c := tunnel(t, waysOf(j)[0], l.Addr().String())
			asks(t, c)
			return c
		},
		"WebSocket intercepted": func(t *testing.T) io.Closer {
			c, err := waysOf(j)[1].socket(t.Context(), ws.Addr().String()+"/")
			must(t, err)
			must(t, c.Write(t.Context(), websocket.MessageText, []byte("x")))
			_, _, err = c.Read(context.Background())
			must(t, err)
			return closer(c.CloseNow)
		},
	} {
		t.Run(name, func(t *testing.T) {
			before, err := j.Descriptors()
			must(t, err)
			var held []io.Closer
			for range tunnels {
				held = append(held, open(t))
			}
			eventually(t, fmt.Sprintf("%d idle tunnels have 2.1 descriptors each", tunnels), func() bool {
				now, err := j.Descriptors()
				return err == nil && float64(now-before) <= 2.1*tunnels
			})
			for _, c := range held {
				c.Close()
			}
			eventually(t, "descriptors go back", func() bool {
				now, err := j.Descriptors()
				return err == nil && now <= before+8
			})
		})
	}
}

type closer func() error

func (f closer) Close() error { return f() }
