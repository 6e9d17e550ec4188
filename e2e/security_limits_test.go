package e2e

import (
	"fmt"
	"io"
	"net"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jayproxy/jay/e2e/origin"
	"github.com/jayproxy/jay/e2e/process"
	"github.com/jayproxy/jay/e2e/rawhttp"
	"github.com/jayproxy/jay/validation"
)

// drip sends text one byte at a time until the other side ends the connection.
func drip(c *rawhttp.Conn, text string, every time.Duration) {
	for i := 0; i < len(text) && c.Send(text[i:i+1]) == nil; i++ {
		time.Sleep(every)
	}
}

// TestSlowClients: who drips a head, stalls in a body, does not read, or says
// nothing is let go after the time that the options say, whatever else it does
// (D1).
func TestSlowClients(t *testing.T) {
	t.Parallel()
	big := strings.Repeat("x", 32<<20)
	o := startOrigin(t, func(x *origin.Exchange) {
		if _, err := x.ReadBody(); err != nil {
			x.Close()
			return
		}
		if strings.HasPrefix(x.Path(), "/big/") {
			x.Reply("200 OK", noStore(), big)
			return
		}
		x.OK("fine")
	})
	j := startJay(t, "--head-timeout", "1s", "--body-timeout", "1s", "--write-timeout", "1s", "--idle-timeout", "1s")
	within := func(t *testing.T, began time.Time) {
		t.Helper()
		if d := time.Since(began); d < 500*time.Millisecond || d > patient(8*time.Second) {
			t.Errorf("let go after %v; want about a second", d)
		}
	}
	eachWay(t, j, func(t *testing.T, w way) {
		t.Run("head", func(t *testing.T) {
			t.Parallel()
			c, began := w.dial(t, o.Addr()), time.Now()
			go drip(c, w.get(o.Addr(), "/", rawhttp.F("X-Long", strings.Repeat("a", 1000))), 50*time.Millisecond)
			if resp, err := c.ReadResponse("GET"); err != nil || resp.Code != 408 {
				t.Errorf("got %v, %v; want 408", resp, err)
			}
			closes(t, c, "a head that drips")
			within(t, began)
		})
		t.Run("body", func(t *testing.T) {
			t.Parallel()
			c, began := w.dial(t, o.Addr()), time.Now()
			send(t, c, rawhttp.Request("POST", w.target(o.Addr(), "/stalled/"+w.name), rawhttp.F("Host", o.Addr(), "Content-Length", "100"), "half"))
			if resp, err := c.ReadResponse("POST"); err != nil || resp.Code != 408 {
				t.Errorf("got %v, %v; want 408", resp, err)
			}
			closes(t, c, "a body that stalls")
			within(t, began)
			for _, r := range o.To("/stalled/" + w.name) {
				if r.Complete {
					t.Error("origin got the half as the whole body")
				}
			}
		})
		t.Run("idle", func(t *testing.T) {
			t.Parallel()
			c, began := w.dial(t, o.Addr()), time.Now()
			closes(t, c, "silence")
			within(t, began)
			c = w.dial(t, o.Addr())
			send(t, c, w.get(o.Addr(), "/", nil))
			receive(t, c, "GET")
			began = time.Now()
			closes(t, c, "silence after a request")
			within(t, began)
		})
		t.Run("read", func(t *testing.T) {
			t.Parallel()
			c, began := w.dial(t, o.Addr()), time.Now()
			_ = c.Conn.(*net.TCPConn).SetReadBuffer(4 << 10)
			send(t, c, w.get(o.Addr(), "/big/"+w.name, nil))
			if _, ok := j.WaitLog(func(e process.Entry) bool {
				return strings.Contains(e.String("url"), o.Addr()+"/big/"+w.name) && e.String("cause") == "client-stalled"
			}); !ok {
				t.Error("log has no client that stalled")
			}
			within(t, began)
			c.ReadBody(must2(t)(c.ReadHead("GET")))
		})
	})
}

func must2(t *testing.T) func(*rawhttp.Response, error) *rawhttp.Response {
	return func(resp *rawhttp.Response, err error) *rawhttp.Response {
		t.Helper()
		must(t, err)
		return resp
	}
}

// TestConnectionLimits: connections beyond the limits are closed at once, and
// there is room again when others end (D2).
func TestConnectionLimits(t *testing.T) {
	t.Parallel()
	o := startOrigin(t, func(x *origin.Exchange) { x.OK("fine") })
	for _, option := range []string{"--max-connections", "--max-client-connections"} {
		eachWay(t, startJay(t, option, "10"), func(t *testing.T, w way) {
			var held []*rawhttp.Conn
			for range 10 {
				c := w.dial(t, o.Addr())
				send(t, c, w.get(o.Addr(), "/", nil))
				receive(t, c, "GET")
				held = append(held, c)
			}
			for range 5 {
				c := w.dial(t, o.Addr())
				_ = c.Send(w.get(o.Addr(), "/", nil))
				if !c.Closed(closeTime) {
					t.Errorf("%s: connection 11 is served", option)
				}
			}
			for _, c := range held {
				send(t, c, w.get(o.Addr(), "/", nil))
				if resp := receive(t, c, "GET"); resp.Code != 200 {
					t.Errorf("%s: got %v on a connection that was there before", option, resp)
				}
				c.Close()
			}
			eventually(t, "there is room again", func() bool {
				resp, err := w.once(o.Addr(), "GET", "/", nil)
				return err == nil && resp.Code == 200
			})
		})
	}
}

// TestDescriptorsUsedUp: with more clients than descriptors jay lives, and
// serves as before once they are gone (D2, F7).
func TestDescriptorsUsedUp(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" {
		t.Skip("skipped: the limit is set by a Linux shell")
	}
	need(t, "sh")
	o := startOrigin(t, func(x *origin.Exchange) { x.OK("fine") })
	j := startJayWith(t, process.Options{Prefix: []string{"sh", "-c", `ulimit -n 64; exec "$@"`, "jay"}, Args: []string{"--max-connections", "1000", "--max-client-connections", "0"}})
	w := waysOf(j)[0]
	var held []net.Conn
	for range 200 {
		if c, err := net.DialTimeout("tcp", j.Proxy, time.Second); err == nil {
			held = append(held, c)
		}
	}
	eventually(t, "the limit is felt", func() bool { return strings.Contains(j.Stderr(), "accepting is paused") })
	for _, c := range held {
		c.Close()
	}
	began := time.Now()
	eventually(t, "jay serves again", func() bool {
		resp, err := w.once(o.Addr(), "GET", "/", nil)
		return err == nil && resp.Code == 200
	})
	if d := time.Since(began); d > patient(3*time.Second) {
		t.Errorf("served again after %v; want about a second", d)
	}
}

// TestHeadLimits: heads, fields and targets beyond the limits are refused with
// their status and the end of the connection, those at the limits served, and
// either takes next to no time (D3, D4).
func TestHeadLimits(t *testing.T) {
	t.Parallel()
	o := startOrigin(t, func(x *origin.Exchange) { x.OK("fine") })
	eachWay(t, startJay(t), func(t *testing.T, w way) {
		fields := func(n int) string { return strings.Repeat("X: a\r\n", n) }
		for _, tt := range []struct {
			name, path, fields string
			want               int
		}{
			{"256 fields", "/", fields(255), 200}, {"257 fields", "/", fields(256), 431}, {"5,000 fields", "/", fields(5000), 431}, {"50,000 fields", "/", fields(50000), 431},
			{"60 KiB", "/", "X: " + strings.Repeat("a", 60<<10) + "\r\n", 200}, {"64 KiB", "/", "X: " + strings.Repeat("a", 64<<10) + "\r\n", 431},
			{"4 MB", "/", "X: " + strings.Repeat("a", 4<<20) + "\r\n", 431}, {"target of 15 KiB", "/" + strings.Repeat("a", 15<<10), "", 200},
			{"target of 20 KB", "/" + strings.Repeat("a", 20000), "", 414}, {"target of 1 MB", "/" + strings.Repeat("a", 1<<20), "", 414},
		} {
			c, began := w.dial(t, o.Addr()), time.Now()
			go c.Send("GET " + w.target(o.Addr(), tt.path) + " HTTP/1.1\r\nHost: " + o.Addr() + "\r\n" + tt.fields + "\r\n")
			resp, err := c.ReadResponse("GET")
			if err != nil || resp.Code != tt.want {
				t.Errorf("%s: got %v, %v; want %d", tt.name, resp, err, tt.want)
				continue
			}
			if tt.want != 200 {
				closes(t, c, tt.name)
			}
			if d := time.Since(began); d > patient(3*time.Second) {
				t.Errorf("%s: took %v", tt.name, d)
			}
		}
	})
}

// TestFillsAreBounded: large answers on their way cost no more memory than the
// cache may have; what does not fit streams through, whole (D5).
func TestFillsAreBounded(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" {
		t.Skip("skipped: measuring memory needs Linux's /proc")
	}
	const clients, size = 30, 12 << 20
	o := startOrigin(t, func(x *origin.Exchange) {
		origin.Content{Key: x.Path(), Version: 1, Size: size}.Serve(x, fresh())
	})
	j := startJay(t, "--cache-size", "128MiB", "--fill-size", "8MiB")
	var wg sync.WaitGroup
	for i := range clients {
		w := waysOf(j)[i%2]
		wg.Go(func() {
			path := fmt.Sprintf("/%d", i)
			c, err := w.open(o.Addr())
			if err != nil {
				t.Error(err)
				return
			}
			defer c.Close()
			conn := rawhttp.NewConn(c)
			_ = conn.Send(w.get(o.Addr(), path, nil))
			resp, err := conn.ReadFinal("GET")
			if err != nil {
				t.Error(err)
				return
			}
			want := origin.Content{Key: path, Version: 1, Size: size}.Reader(0, size)
			if err := sameBytes(conn.Body(resp), want); err != nil {
				t.Errorf("%s: %v", path, err)
			}
		})
	}
	wg.Wait()
	_, peak, err := j.Memory()
	must(t, err)
	limit := int64(128<<20/2*3 + 64<<20)
	if raceEnabled {
		limit *= 4
	}
	if peak > limit {
		t.Errorf("jay's memory peaked at %d MiB for %d answers of %d MiB; want at most %d", peak>>20, clients, size>>20, limit>>20)
	}
	t.Logf("peak %d MiB", peak>>20)
}

// sameBytes reads both to their ends and compares them.
func sameBytes(got, want io.Reader) error {
	a, b := make([]byte, 64<<10), make([]byte, 64<<10)
	for off := 0; ; {
		n, err := io.ReadFull(got, a)
		m, _ := io.ReadFull(want, b)
		if string(a[:n]) != string(b[:m]) {
			return fmt.Errorf("%d bytes, then others than expected (%d and %d; %v)", off, n, m, err)
		}
		off += n
		switch err {
		case nil:
		case io.EOF, io.ErrUnexpectedEOF:
			if n < len(a) && m < len(b) {
				return bodyEnd(got)
			}
		default:
			return err
		}
	}
}

// bodyEnd tells why a body ended: nil if that was proven to be its end.
func bodyEnd(r io.Reader) error {
	if _, err := r.Read(make([]byte, 1)); err != io.EOF {
		return err
	}
	return nil
}

// TestRangesCost: deciding about a request for 500 ranges takes at most a
// millisecond, whatever they are (R14).
func TestRangesCost(t *testing.T) {
	for _, part := range []string{"0-,", "1-1,", "-1,", "9-8,", "18446744073709551616-,", " , ,,", "0-0 ,"} {
		value := "bytes=" + strings.TrimSuffix(strings.Repeat(part, 500), ",")
		best := time.Hour
		for range 10 {
			began := time.Now()
			if ranges, ok := validation.ParseRange(value, 8); ok {
				validation.Resolve(ranges, 1<<20)
			}
			best = min(best, time.Since(began))
		}
		if best > time.Millisecond {
			t.Errorf("500 times %q: got %v; want at most 1 ms", part, best)
		}
	}
}
