package upstream_test

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jayproxy/jay/proxy/upstream"
)

// pipes is a DialContext to scripted origins in the same bubble. The test waits
// for their ends.
func pipes(t *testing.T, script func(p *peer)) func(context.Context, string, string) (net.Conn, error) {
	var wg sync.WaitGroup
	t.Cleanup(wg.Wait)
	return func(context.Context, string, string) (net.Conn, error) {
		here, there := net.Pipe()
		wg.Go(func() {
			defer there.Close()
			script(&peer{there, bufio.NewReader(there)})
		})
		return here, nil
	}
}

var anywhere = upstream.Origin{Addr: netip.MustParseAddrPort("192.0.2.1:80")}

// between checks that a time-out of d, which may be late by up to a second or a
// quarter of d, took effect after got.
func between(t *testing.T, got, d time.Duration) {
	t.Helper()
	if got < d || got > d+min(d/4, time.Second) {
		t.Errorf("got the time-out after %v; want %v", got, d)
	}
}

func TestDo_HeaderTimeout(t *testing.T) {
	trickle := func(p *peer) {
		p.head()
		p.say("HTTP/1.1 200 OK\r\nX: ")
		for {
			if _, err := io.WriteString(p, "x"); err != nil {
				return
			}
			time.Sleep(time.Second)
		}
	}
	silent := func(p *peer) { p.wait() }
	for _, tt := range []struct {
		name           string
		script         func(*peer)
		client, single time.Duration
		want           time.Duration
	}{
		{"default", silent, 0, 0, 10 * time.Minute},
		{"of the client", silent, 5 * time.Minute, 0, 5 * time.Minute},
		{"of the request", silent, 5 * time.Minute, 2 * time.Second, 2 * time.Second},
		{"in a trickling head", trickle, time.Minute, 0, time.Minute},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := upstream.New(upstream.Options{DialContext: pipes(t, tt.script), HeaderTimeout: tt.client})
				defer c.Close()
				r := get()
				r.HeaderTimeout = tt.single
				began := time.Now()
				_, err := c.Do(t.Context(), anywhere, r)
				if kind(err) != upstream.KindResponseTimeout {
					t.Errorf("got %v; want %s", err, upstream.KindResponseTimeout)
				}
				between(t, time.Since(began), tt.want)
			})
		})
	}
}

// TestDo_TimeoutIsNotRepeated: a reused connection that stays silent is not a
// stale one.
func TestDo_TimeoutIsNotRepeated(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var dials atomic.Int32
		c := upstream.New(upstream.Options{DialContext: pipes(t, func(p *peer) {
			dials.Add(1)
			p.head()
			p.say(okHello)
			p.wait()
		})})
		defer c.Close()
		if _, _, err := fetch(t.Context(), c, anywhere, get()); err != nil {
			t.Fatal(err)
		}
		if _, _, err := fetch(t.Context(), c, anywhere, get()); kind(err) != upstream.KindResponseTimeout || dials.Load() != 1 {
			t.Errorf("got %v, %d connections; want %s, 1", err, dials.Load(), upstream.KindResponseTimeout)
		}
	})
}

// TestClose_Dialling: Close ends attempts to connect, and the requests that wait for them.
func TestClose_Dialling(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := upstream.New(upstream.Options{MaxPerOrigin: 1, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		}})
		began := time.Now()
		done := make(chan error)
		for range 2 {
			go func() {
				_, err := c.Do(t.Context(), anywhere, get())
				done <- err
			}()
		}
		synctest.Wait()
		c.Close()
		for range 2 {
			if err := <-done; err == nil {
				t.Error("got no error; want one")
			}
		}
		if d := time.Since(began); d != 0 {
			t.Errorf("got the errors after %v; want them at once", d)
		}
	})
}

// TestDo_LongPoll: an answer may take its time on a reused connection as well,
// whose deadline was that of a body.
func TestDo_LongPoll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := upstream.New(upstream.Options{DialContext: pipes(t, func(p *peer) {
			for p.head() != "" {
				time.Sleep(9 * time.Minute)
				p.say("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n")
				time.Sleep(50 * time.Second)
				p.say("hello")
			}
		}), IdleTimeout: time.Hour})
		defer c.Close()
		for i := range 3 {
			resp, err := c.Do(t.Context(), anywhere, get())
			if err != nil || resp.Reused != (i > 0) {
				t.Fatalf("got %+v, %v; want an answer, reused from the second on", resp, err)
			}
			if body, err := io.ReadAll(resp.Body); string(body) != "hello" || err != nil {
				t.Errorf("got %q, %v; want hello", body, err)
			}
			resp.Close()
			time.Sleep(20 * time.Minute) // any deadline passes while idle
		}
	})
}

// TestDo_UploadIsNotAnswerTime: while the request goes out, the origin need not answer.
func TestDo_UploadIsNotAnswerTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := upstream.New(upstream.Options{DialContext: pipes(t, func(p *peer) {
			p.head()
			io.ReadFull(p.r, make([]byte, 100))
			time.Sleep(50 * time.Second)
			p.say(okHello)
		}), HeaderTimeout: time.Minute})
		defer c.Close()
		body := newClientBody()
		go func() {
			for range 100 {
				time.Sleep(30 * time.Second)
				body.data <- "x"
			}
			close(body.data)
		}()
		if status, _, err := fetch(t.Context(), c, anywhere, post(body, 100)); status != 200 || err != nil {
			t.Errorf("got %d, %v; want 200", status, err)
		}
	})
}

// TestDo_AnswerTimeAfterUpload: the time to answer counts from the end of the request.
func TestDo_AnswerTimeAfterUpload(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := upstream.New(upstream.Options{DialContext: pipes(t, func(p *peer) { p.wait() }), HeaderTimeout: time.Minute})
		defer c.Close()
		body := newClientBody()
		go func() {
			time.Sleep(50 * time.Second)
			body.data <- "x"
			close(body.data)
		}()
		began := time.Now()
		if _, err := c.Do(t.Context(), anywhere, post(body, 1)); kind(err) != upstream.KindResponseTimeout {
			t.Errorf("got %v; want %s", err, upstream.KindResponseTimeout)
		}
		between(t, time.Since(began)-50*time.Second, time.Minute)
	})
}

// TestDo_StalledUpload: an origin that does not take the body, nor answers.
func TestDo_StalledUpload(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := upstream.New(upstream.Options{DialContext: pipes(t, func(p *peer) {
			p.head()
			time.Sleep(time.Hour)
		})})
		defer c.Close()
		began := time.Now()
		_, err := c.Do(t.Context(), anywhere, post(io.LimitReader(zeros{}, 1<<20), 1<<20))
		if kind(err) != upstream.KindConnectionWriteTimeout {
			t.Errorf("got %v; want %s", err, upstream.KindConnectionWriteTimeout)
		}
		between(t, time.Since(began), time.Minute)
	})
}

// TestDo_StalledUploadAnswered: an answer ends a request although the origin
// takes no more of it.
func TestDo_StalledUploadAnswered(t *testing.T) {
	for answer, want := range map[string]string{
		"nonsense": upstream.KindProtocolError,
		"HTTP/1.1 500 Oops\r\nContent-Length: 5\r\n\r\nhello": "",
	} {
		synctest.Test(t, func(t *testing.T) {
			c := upstream.New(upstream.Options{DialContext: pipes(t, func(p *peer) {
				p.head()
				p.say(answer)
				time.Sleep(time.Hour)
			})})
			defer c.Close()
			began := time.Now()
			_, _, err := fetch(t.Context(), c, anywhere, post(io.LimitReader(zeros{}, 1<<20), 1<<20))
			if kind(err) != want || time.Since(began) != 0 {
				t.Errorf("got %v after %v; want %q at once", err, time.Since(began), want)
			}
		})
	}
}

// TestHijack_Deadlines: a connection that was handed over has none left.
func TestHijack_Deadlines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := upstream.New(upstream.Options{DialContext: pipes(t, func(p *peer) {
			p.head()
			p.say("HTTP/1.1 101 Switching Protocols\r\nUpgrade: echo\r\nConnection: upgrade\r\n\r\n")
			io.Copy(p, p.r)
		})})
		defer c.Close()
		r := get()
		r.Upgrade = true
		resp, err := c.Do(t.Context(), anywhere, r)
		if err != nil {
			t.Fatal(err)
		}
		nc, _ := resp.Hijack()
		defer nc.Close()
		time.Sleep(time.Hour)
		io.WriteString(nc, "echo")
		if _, err := io.ReadFull(nc, make([]byte, 4)); err != nil {
			t.Errorf("got %v; want the echo", err)
		}
	})
}

// failingConn fails to write from the nth write on.
type failingConn struct {
	net.Conn
	n int
}

func (c *failingConn) Write(p []byte) (int, error) {
	if c.n--; c.n <= 0 {
		return 0, syscall.EPIPE
	}
	return c.Conn.Write(p)
}

// TestDo_WriteFails: an origin that cannot be written to may have answered on a
// new connection; on a reused one its bytes need not belong to the request.
func TestDo_WriteFails(t *testing.T) {
	for _, tt := range []struct {
		good       int // requests before it fails
		idempotent bool
		status     int
		dials      int
	}{
		{0, false, 503, 1},
		{0, true, 503, 1},
		{1, false, 0, 1},
		{1, true, 503, 2},
	} {
		synctest.Test(t, func(t *testing.T) {
			dials := 0
			dial := pipes(t, func(p *peer) {
				for range tt.good {
					p.head()
					p.say(okHello)
				}
				p.say("HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n")
			})
			c := upstream.New(upstream.Options{DialContext: func(ctx context.Context, n, a string) (net.Conn, error) {
				nc, err := dial(ctx, n, a)
				if dials++; dials > 1 {
					return &failingConn{nc, 1}, err // fails as it did, but is new
				}
				return &failingConn{nc, tt.good + 1}, err
			}})
			defer c.Close()
			for range tt.good {
				if _, _, err := fetch(t.Context(), c, anywhere, get()); err != nil {
					t.Fatal(err)
				}
			}
			if tt.good > 0 {
				tt.good = 0 // of the second connection
			}
			r := get()
			r.Idempotent = tt.idempotent
			status, _, err := fetch(t.Context(), c, anywhere, r)
			if status != tt.status || dials != tt.dials {
				t.Errorf("got %d, %v, %d connections; want %d, %d", status, err, dials, tt.status, tt.dials)
			}
			if _, kept := c.Pools(); kept != 0 {
				t.Errorf("got %d connections kept; want 0", kept)
			}
		})
	}
}

// TestAcquire_Fresh: a request that is repeated never gets a connection that was
// used, even if there is no slot for another one.
func TestAcquire_Fresh(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := upstream.New(upstream.Options{MaxPerOrigin: 1, DialContext: pipes(t, func(p *peer) { p.wait() })})
		defer c.Close()
		first, put, err := c.AcquireFresh(t.Context(), anywhere)
		if err != nil {
			t.Fatal(err)
		}
		put()
		second, put, err := c.AcquireFresh(t.Context(), anywhere) // instead of the idle one
		if err != nil || second == first {
			t.Fatalf("got %v, %v; want another connection", second, err)
		}
		go func() {
			time.Sleep(time.Second)
			put()
		}()
		third, put, err := c.AcquireFresh(t.Context(), anywhere) // waits for the one in use
		if err != nil || third == second {
			t.Fatalf("got %v, %v; want another connection", third, err)
		}
		put()
		if pools, conns := c.Pools(); pools != 1 || conns != 1 {
			t.Errorf("got %d pools, %d connections; want 1, 1", pools, conns)
		}
	})
}

func TestBody_IdleTimeout(t *testing.T) {
	for name, head := range map[string]string{
		"length":      "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n",
		"chunked":     "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n64\r\n",
		"until close": "HTTP/1.1 200 OK\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				c := upstream.New(upstream.Options{DialContext: pipes(t, func(p *peer) {
					p.head()
					p.say(head)
					for range 20 { // slow, but never as slow as the time-out
						time.Sleep(55 * time.Second)
						p.say("x")
					}
					p.wait()
				})})
				defer c.Close()
				_, body, err := fetch(t.Context(), c, anywhere, get())
				if len(body) != 20 || kind(err) != upstream.KindConnectionReadTimeout {
					t.Errorf("got %d bytes, %v; want 20, %s", len(body), err, upstream.KindConnectionReadTimeout)
				}
				between(t, time.Since(began)-20*55*time.Second, time.Minute)
			})
		})
	}
}

// TestAllowSilence: an event stream may be silent for longer than other bodies.
func TestAllowSilence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := upstream.New(upstream.Options{DialContext: pipes(t, func(p *peer) {
			p.head()
			p.say("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n")
			time.Sleep(9 * time.Minute)
			p.say("data: 1\n\n")
			p.wait()
		})})
		defer c.Close()
		resp, err := c.Do(t.Context(), anywhere, get())
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Close()
		resp.AllowSilence(10 * time.Minute)
		began := time.Now()
		body, err := io.ReadAll(resp.Body)
		if string(body) != "data: 1\n\n" || kind(err) != upstream.KindConnectionReadTimeout {
			t.Errorf("got %q, %v; want an event, then %s", body, err, upstream.KindConnectionReadTimeout)
		}
		between(t, time.Since(began)-9*time.Minute, 10*time.Minute)
	})
}

// TestReap: idle connections end in time, each in its own, and in the order of use.
func TestReap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var open atomic.Int32
		c := upstream.New(upstream.Options{DialContext: pipes(t, func(p *peer) {
			open.Add(1)
			for p.head() != "" {
				p.say(okHello)
			}
			open.Add(-1)
		})})
		defer c.Close()
		other := upstream.Origin{Addr: netip.MustParseAddrPort("192.0.2.2:80")}
		use := func(o upstream.Origin) {
			t.Helper()
			if _, _, err := fetch(t.Context(), c, o, get()); err != nil {
				t.Fatal(err)
			}
		}
		check := func(want int) {
			t.Helper()
			synctest.Wait()
			if n := int(open.Load()); n != want {
				t.Errorf("got %d open connections; want %d", n, want)
			}
		}
		use(anywhere)
		time.Sleep(40 * time.Second)
		use(other)
		check(2)
		time.Sleep(21 * time.Second)
		check(1)
		use(other)
		time.Sleep(59 * time.Second)
		check(1)
		time.Sleep(2 * time.Second)
		check(0)
		use(other)
		check(1)
		c.CloseIdle()
		check(0)
	})
}

// TestTake_Slots: requests wait for one of the slots of their origin, in turn.
func TestTake_Slots(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dials := 0
		dial := pipes(t, func(p *peer) {
			for p.head() != "" {
				time.Sleep(4 * time.Second)
				p.say(okHello)
			}
		})
		c := upstream.New(upstream.Options{MaxPerOrigin: 1, DialContext: func(ctx context.Context, n, a string) (net.Conn, error) {
			dials++
			return dial(ctx, n, a)
		}})
		defer c.Close()
		began := time.Now()
		type outcome struct {
			after time.Duration
			kind  string
		}
		outcomes := make(chan outcome, 10)
		do := func(ctx context.Context) {
			_, _, err := fetch(ctx, c, anywhere, get())
			outcomes <- outcome{time.Since(began), kind(err)}
		}
		for range 4 {
			go do(t.Context())
			synctest.Wait()
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		go do(ctx)
		for _, want := range []outcome{
			{1 * time.Second, upstream.KindConnectionLimit}, // its context ended
			{4 * time.Second, ""},
			{8 * time.Second, ""},
			{10 * time.Second, upstream.KindConnectionLimit},
			{12 * time.Second, ""},
		} {
			if got := <-outcomes; got != want {
				t.Errorf("got %v; want %v", got, want)
			}
		}
		if dials != 1 {
			t.Errorf("got %d connections; want 1", dials)
		}
	})
}

// TestTake_SlotsFreed: a slot comes free when a connection fails, is closed or
// hijacked, and when it cannot be opened.
func TestTake_SlotsFreed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := 0
		dial := pipes(t, func(p *peer) {
			p.head()
			time.Sleep(time.Second)
			switch n % 4 {
			case 1:
				p.say("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
			case 2:
				p.say("nonsense")
			case 3:
				p.say("HTTP/1.1 101 S\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n")
			}
			p.wait()
		})
		c := upstream.New(upstream.Options{MaxPerOrigin: 1, DialContext: func(ctx context.Context, network, a string) (net.Conn, error) {
			if n++; n%4 == 0 {
				return nil, io.ErrClosedPipe
			}
			return dial(ctx, network, a)
		}})
		defer c.Close()
		done := make(chan bool)
		for range 9 { // three rounds at once, all waiting for the one slot
			go func() {
				r := get()
				r.Upgrade = true
				if resp, err := c.Do(t.Context(), anywhere, r); err == nil && resp.Status == 101 {
					nc, _ := resp.Hijack()
					nc.Close()
				} else if err == nil {
					resp.Close()
				} else if kind(err) == upstream.KindConnectionLimit {
					t.Error("got no slot")
				}
				done <- true
			}()
		}
		for range 9 {
			<-done
		}
		if n != 9 {
			t.Errorf("got %d attempts to connect; want 9", n)
		}
	})
}

// TestPut_Bounds: more idle connections than allowed are closed, the oldest first.
func TestPut_Bounds(t *testing.T) {
	for _, tt := range []struct {
		name    string
		opt     upstream.Options
		origins int
		want    int
	}{
		{"per origin", upstream.Options{MaxIdlePerOrigin: 2}, 1, 2},
		{"per origin, two of them", upstream.Options{MaxIdlePerOrigin: 2}, 2, 4},
		{"of all origins", upstream.Options{MaxIdle: 3}, 2, 3},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var open atomic.Int32
				tt.opt.DialContext = pipes(t, func(p *peer) {
					open.Add(1)
					for p.head() != "" {
						p.say(okHello)
					}
					open.Add(-1)
				})
				c := upstream.New(tt.opt)
				defer c.Close()
				var responses []*upstream.Response
				for i := range 10 {
					o := upstream.Origin{Addr: netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, 2, byte(i % tt.origins)}), 80)}
					resp, err := c.Do(t.Context(), o, get())
					if err != nil {
						t.Fatal(err)
					}
					io.ReadAll(resp.Body)
					responses = append(responses, resp)
				}
				for _, resp := range responses {
					resp.Close()
				}
				synctest.Wait()
				if n := int(open.Load()); n != tt.want {
					t.Errorf("got %d open connections; want %d", n, tt.want)
				}
			})
		})
	}
}
