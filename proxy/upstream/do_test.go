package upstream_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"testing"

	"github.com/jayproxy/jay/proxy/upstream"
	"github.com/jayproxy/jay/proxy/wire"
)

func TestDo(t *testing.T) {
	noLeaks(t)
	o := newOrigin(t, func(_ int, p *peer) {
		for i := 0; p.head() != ""; i++ {
			p.say(fmt.Sprintf("HTTP/1.1 200 Fine%d\r\nX-a: 1\r\nContent-Length: 5\r\nx-A: %d\r\n\r\nhello", i, i))
		}
	})
	c := newClient(t, upstream.Options{})
	var all []*upstream.Response
	for i := range 3 {
		resp, err := c.Do(t.Context(), o.origin(), get())
		if err != nil {
			t.Fatal(err)
		}
		if !resp.Pending() { // sent with the head, in one write
			t.Error("got no body pending; want some")
		}
		body, err := io.ReadAll(resp.Body)
		if string(body) != "hello" || err != nil || !resp.Body.Whole() || resp.Pending() {
			t.Errorf("got %q, %v; want hello", body, err)
		}
		resp.Close()
		if resp.Reused != (i > 0) || resp.Addr != o.addr() || resp.RequestTime.After(resp.ResponseTime) {
			t.Errorf("exchange %d: got %+v", i, resp)
		}
		all = append(all, resp)
	}
	for i, resp := range all { // heads outlive the connection's buffer
		name, value := resp.Fields.At(2)
		if resp.Reason != fmt.Sprint("Fine", i) || name != "x-A" || value != fmt.Sprint(i) {
			t.Errorf("got reason %q, third field %q: %q; want Fine%d, x-A: %d", resp.Reason, name, value, i, i)
		}
	}
	if n := o.accepted.Load(); n != 1 {
		t.Errorf("got %d connections; want 1", n)
	}
}

// TestDo_RFC9110_9_2_2 covers F3: what happens to a request on a connection that
// the origin closes at that moment.
func TestDo_RFC9110_9_2_2(t *testing.T) {
	body := func(r *upstream.Request) *upstream.Request {
		r.Head = []byte("PUT / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 4\r\n\r\n")
		r.Method, r.Body, r.Buffered = "PUT", &slowReader{data: "body"}, true
		return r
	}
	post := func(r *upstream.Request) *upstream.Request { r.Idempotent = false; return r }
	same := func(r *upstream.Request) *upstream.Request { return r }
	for _, tt := range []struct {
		name     string
		request  func(*upstream.Request) *upstream.Request
		answer   string // on the reused connection
		end      int
		fresh    bool // the connection closes on its first request
		status   int
		requests int
		kind     string
	}{
		{"repeated once", same, "", fin, false, 200, 3, ""},
		{"repeated once after a reset", same, "", rst, false, 200, 3, ""},
		{"never if not idempotent", post, "", fin, false, 0, 2, upstream.KindConnectionTerminated},
		{"never if not idempotent, reset", post, "", rst, false, 0, 2, upstream.KindConnectionTerminated},
		{"never once a body was sent", body, "", fin, false, 0, 2, upstream.KindConnectionTerminated},
		{"never after one byte of an answer", same, "H", fin, false, 0, 2, upstream.KindResponseIncomplete},
		{"never after an interim answer", same, "HTTP/1.1 102 P\r\n\r\n", fin, false, 0, 2, upstream.KindConnectionTerminated},
		{"never after garbage", same, "SSH-2.0\r\n", fin, false, 0, 2, upstream.KindProtocolError},
		{"never on a fresh connection", same, "", fin, true, 0, 1, upstream.KindConnectionTerminated},
	} {
		t.Run(tt.name, func(t *testing.T) {
			noLeaks(t)
			requests := make(chan int, 10)
			o := newOrigin(t, func(n int, p *peer) {
				for i := 0; p.head() != ""; i++ {
					requests <- n
					if n == 0 && (i == 1 || tt.fresh) {
						p.say(tt.answer)
						if tt.end == rst {
							p.reset()
						}
						return
					}
					p.say(okHello)
				}
			})
			c := newClient(t, upstream.Options{})
			if !tt.fresh {
				if _, _, err := fetch(t.Context(), c, o.origin(), get()); err != nil {
					t.Fatal(err)
				}
			}
			status, _, err := fetch(t.Context(), c, o.origin(), tt.request(get()))
			if status != tt.status || kind(err) != tt.kind {
				t.Errorf("got %d, %v; want %d, %q", status, err, tt.status, tt.kind)
			}
			if len(requests) != tt.requests {
				t.Errorf("got %d requests at the origin; want %d", len(requests), tt.requests)
			}
		})
	}
}

// TestDo_RepeatsOnce: a request that failed twice is not sent a third time, and
// not on a second idle connection, which may be as stale as the first.
func TestDo_RepeatsOnce(t *testing.T) {
	noLeaks(t)
	o := newOrigin(t, func(n int, p *peer) {
		if p.head(); n < 2 { // two connections that answer once
			p.say(okHello)
			p.head()
		}
	})
	c := newClient(t, upstream.Options{})
	var open []*upstream.Response
	for range 2 {
		resp, err := c.Do(t.Context(), o.origin(), get())
		if err != nil {
			t.Fatal(err)
		}
		io.ReadAll(resp.Body)
		open = append(open, resp)
	}
	for _, resp := range open {
		resp.Close()
	}
	_, _, err := fetch(t.Context(), c, o.origin(), get())
	if kind(err) != upstream.KindConnectionTerminated {
		t.Errorf("got %v; want %s", err, upstream.KindConnectionTerminated)
	}
	if n := o.accepted.Load(); n != 3 {
		t.Errorf("got %d connections; want 3", n)
	}
}

// kind is the kind of an *Error, "" of nil.
func kind(err error) string {
	var e *upstream.Error
	if errors.As(err, &e) {
		return e.Kind
	}
	if err != nil {
		return err.Error()
	}
	return ""
}

// TestAcquire_QuietOnly covers B5: an idle connection on which anything arrived,
// be it only its end, is not used, not even for a request that cannot be repeated.
func TestAcquire_QuietOnly(t *testing.T) {
	for name, extra := range map[string]string{
		"an answer too many": okHello,
		"one byte":           "\n",
		"the end":            "",
	} {
		t.Run(name, func(t *testing.T) {
			noLeaks(t)
			closed, said := make(chan bool), make(chan bool)
			o := newOrigin(t, func(n int, p *peer) {
				p.head()
				p.say(okHello)
				if n == 0 {
					<-closed
					p.say(extra)
					if extra == "" {
						p.Close()
					}
					said <- true
				}
				p.wait()
			})
			c := newClient(t, upstream.Options{})
			for i := range 2 {
				r := get()
				r.Idempotent = false
				if status, body, err := fetch(t.Context(), c, o.origin(), r); status != 200 || body != "hello" || err != nil {
					t.Fatalf("exchange %d: got %d %q %v; want 200 hello", i, status, body, err)
				}
				if i == 0 {
					closed <- true
					<-said
				}
			}
			if n := o.accepted.Load(); n != 2 {
				t.Errorf("got %d connections; want 2", n)
			}
		})
	}
}

// TestAcquire_LatestFirst: the connection used last is used next, so that the
// others can end.
func TestAcquire_LatestFirst(t *testing.T) {
	noLeaks(t)
	o := newOrigin(t, func(n int, p *peer) {
		for p.head() != "" {
			p.say(fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n%d", n))
		}
	})
	c := newClient(t, upstream.Options{})
	var open []*upstream.Response
	for range 3 {
		resp, err := c.Do(t.Context(), o.origin(), get())
		if err != nil {
			t.Fatal(err)
		}
		io.ReadAll(resp.Body)
		open = append(open, resp)
	}
	for _, i := range []int{1, 2, 0} {
		open[i].Close()
	}
	for range 3 {
		if _, body, err := fetch(t.Context(), c, o.origin(), get()); body != "0" || err != nil {
			t.Errorf("got connection %s, %v; want 0", body, err)
		}
	}
}

// TestReap_Closed: idle connections that the origin closed do not keep their
// descriptors until their time is up.
func TestReap_Closed(t *testing.T) {
	noLeaks(t)
	idle, closed := make(chan bool), make(chan bool)
	o := newOrigin(t, func(n int, p *peer) {
		p.head()
		p.say(okHello)
		<-idle
		if n == 0 {
			p.Close()
		}
		closed <- true
		p.wait()
	})
	c := newClient(t, upstream.Options{})
	var open []*upstream.Response
	for range 2 {
		resp, err := c.Do(t.Context(), o.origin(), get())
		if err != nil {
			t.Fatal(err)
		}
		io.ReadAll(resp.Body)
		open = append(open, resp)
	}
	for _, resp := range open {
		resp.Close()
		idle <- true
		<-closed
	}
	c.Reap()
	if _, conns := c.Pools(); conns != 1 {
		t.Errorf("got %d connections; want 1", conns)
	}
}

func TestDo_Interim_RFC9110_15_2(t *testing.T) {
	noLeaks(t)
	o := newOrigin(t, func(_ int, p *peer) {
		for p.head() != "" {
			p.say("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n")
			for range 8 {
				p.say("HTTP/1.1 102 Processing\r\n\r\n")
			}
			p.say(okHello)
		}
	})
	c := newClient(t, upstream.Options{})
	var got []string
	r := get()
	r.Interim = func(resp *wire.Response) error {
		got = append(got, fmt.Sprint(resp.Status, resp.Fields.Get("Link")))
		return nil
	}
	if status, body, err := fetch(t.Context(), c, o.origin(), r); status != 200 || body != "hello" || err != nil {
		t.Fatalf("got %d %q %v; want 200 hello", status, body, err)
	}
	if len(got) != 10 || !slices.Equal(got[:3], []string{"100", "103</a>", "102"}) {
		t.Errorf("got %q; want 100, 103 and eight times 102", got)
	}
	r.Interim = nil
	if status, _, err := fetch(t.Context(), c, o.origin(), r); status != 200 || err != nil {
		t.Errorf("without Interim: got %d %v; want 200", status, err)
	}
	gone := errors.New("gone")
	r.Interim = func(*wire.Response) error { return gone }
	if _, _, err := fetch(t.Context(), c, o.origin(), r); !errors.Is(err, gone) {
		t.Errorf("got %v; want what Interim returned", err)
	}
}

func TestHijack_RFC9110_7_8(t *testing.T) {
	noLeaks(t)
	o := newOrigin(t, func(_ int, p *peer) {
		p.head()
		p.say("HTTP/1.1 101 Switching Protocols\r\nUpgrade: echo\r\nConnection: upgrade\r\n\r\nfirst")
		io.Copy(p, p.r)
	})
	c := upstream.New(upstream.Options{MaxPerOrigin: 1})
	for range 2 { // a second one has a slot
		r := get()
		r.Upgrade = true
		resp, err := c.Do(t.Context(), o.origin(), r)
		if err != nil || resp.Status != 101 {
			t.Fatalf("got %v, %v; want 101", resp, err)
		}
		nc, early := resp.Hijack()
		defer nc.Close()
		resp.Close()
		if again, _ := resp.Hijack(); again != nil {
			t.Error("second Hijack: got a connection; want none")
		}
		if len(early) < len("first") { // the rest may have come in a segment of its own
			rest := make([]byte, len("first")-len(early))
			io.ReadFull(nc, rest)
			early = append(early, rest...)
		}
		c.Close() // leaves the connection alone
		io.WriteString(nc, "second")
		buf := make([]byte, 6)
		if _, err := io.ReadFull(nc, buf); err != nil || string(early)+string(buf) != "firstsecond" {
			t.Errorf("got %q, %v; want firstsecond", string(early)+string(buf), err)
		}
		c = upstream.New(upstream.Options{MaxPerOrigin: 1})
	}
	c.Close()
}

// TestClose_101: an upgrade that nobody wanted is closed, not kept.
func TestClose_101(t *testing.T) {
	noLeaks(t)
	o := newOrigin(t, func(_ int, p *peer) {
		p.head()
		p.say("HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n")
		p.wait()
	})
	c := newClient(t, upstream.Options{})
	for range 2 {
		r := get()
		r.Upgrade = true
		if status, _, err := fetch(t.Context(), c, o.origin(), r); status != 101 || err != nil {
			t.Fatalf("got %d, %v; want 101", status, err)
		}
	}
	if n := o.accepted.Load(); n != 2 {
		t.Errorf("got %d connections; want 2", n)
	}
}

// TestDo_Cancel: the context ends an exchange wherever it is, and its error says so.
func TestDo_Cancel(t *testing.T) {
	for name, sent := range map[string]string{
		"before the head": "",
		"in the head":     "HTTP/1.1 200 OK\r\nContent-",
		"in the body":     "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello",
	} {
		t.Run(name, func(t *testing.T) {
			noLeaks(t)
			cause := errors.New("client went away")
			ctx, cancel := context.WithCancelCause(t.Context())
			o := newOrigin(t, func(_ int, p *peer) {
				p.head()
				p.say(sent)
				cancel(cause)
				p.wait()
			})
			c := newClient(t, upstream.Options{})
			_, _, err := fetch(ctx, c, o.origin(), get())
			if !errors.Is(err, cause) || kind(err) != upstream.KindConnectionTerminated {
				t.Errorf("got %v; want %v", err, cause)
			}
			if _, err := c.Do(ctx, o.origin(), get()); !errors.Is(err, cause) {
				t.Errorf("with an ended context: got %v; want %v", err, cause)
			}
		})
	}
}

// TestDo_CancelAfter: a context that ends after the exchange leaves the connection alone.
func TestDo_CancelAfter(t *testing.T) {
	noLeaks(t)
	o := newOrigin(t, func(_ int, p *peer) {
		for p.head() != "" {
			p.say(okHello)
		}
	})
	c := newClient(t, upstream.Options{})
	for range 3 {
		ctx, cancel := context.WithCancel(t.Context())
		if _, _, err := fetch(ctx, c, o.origin(), get()); err != nil {
			t.Fatal(err)
		}
		cancel()
	}
	if n := o.accepted.Load(); n != 1 {
		t.Errorf("got %d connections; want 1", n)
	}
}

// TestClient_Close: connections in use end too, and nothing starts afterwards.
func TestClient_Close(t *testing.T) {
	noLeaks(t)
	asked := make(chan bool)
	o := newOrigin(t, func(_ int, p *peer) {
		p.head()
		asked <- true
		p.wait()
	})
	c := upstream.New(upstream.Options{})
	failed := make(chan error)
	go func() {
		_, err := c.Do(context.Background(), o.origin(), get())
		failed <- err
	}()
	<-asked
	c.Close()
	if err := <-failed; kind(err) != upstream.KindConnectionTerminated {
		t.Errorf("got %v; want %s", err, upstream.KindConnectionTerminated)
	}
	if _, err := c.Do(context.Background(), o.origin(), get()); kind(err) != upstream.KindConnectionLimit {
		t.Errorf("got %v; want %s", err, upstream.KindConnectionLimit)
	}
	c.Close()
}
