package upstream_test

import (
	"errors"
	"io"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/jayproxy/jay/proxy/upstream"
)

// TestConfigure checks that a request that runs is finished, and that its connection serves no request of the new options.
func TestConfigure(t *testing.T) {
	noLeaks(t)
	release := make(chan struct{})
	o := newOrigin(t, func(n int, c *peer) {
		for {
			r, _ := c.request()
			if r == nil {
				return
			}
			if r.URL.Path == "/slow" {
				c.say("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nfirst")
				<-release
				c.say("after")
				continue
			}
			c.say("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n" + string(rune('0'+n)))
		}
	})
	c := newClient(t, upstream.Options{})
	slow := get()
	slow.Head = []byte(strings.Replace(string(slow.Head), "GET / ", "GET /slow ", 1))
	x, err := c.Do(t.Context(), o.origin(), slow)
	if err != nil {
		t.Fatal(err)
	}
	defer x.Close()
	_, first, err := fetch(t.Context(), c, o.origin(), get())
	if err != nil {
		t.Fatal(err)
	}
	c.Configure(upstream.Options{MaxPerOrigin: 2})
	if pools, conns := c.Pools(); pools != 1 || conns != 1 {
		t.Errorf("after the change: got %d pools, %d connections; want 1 and 1, that of the request which runs", pools, conns)
	}
	_, second, err := fetch(t.Context(), c, o.origin(), get())
	if err != nil || second == first {
		t.Errorf("after the change: got an answer on connection %q, %v; want another one than %q", second, err, first)
	}
	close(release)
	body, err := io.ReadAll(x.Body)
	if err != nil || string(body) != "firstafter" {
		t.Errorf("the request that ran: got %q, %v; want the whole of it", body, err)
	}
	x.Close()
	if _, conns := c.Pools(); conns != 1 {
		t.Errorf("after the last: got %d connections; want 1, the new one", conns)
	}
}

// TestConfigure_check checks that the new check holds for what is asked next, whatever connections there were.
func TestConfigure_check(t *testing.T) {
	noLeaks(t)
	o := newOrigin(t, func(_ int, c *peer) {
		for {
			if r, _ := c.request(); r == nil {
				return
			}
			c.say("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
		}
	})
	c := newClient(t, upstream.Options{})
	if _, _, err := fetch(t.Context(), c, o.origin(), get()); err != nil {
		t.Fatal(err)
	}
	no := errors.New("no")
	c.Configure(upstream.Options{Check: func(netip.AddrPort) error { return no }})
	if _, _, err := fetch(t.Context(), c, o.origin(), get()); !errors.Is(err, no) {
		t.Errorf("got %v; want %v", err, no)
	}
}

// TestConfigure_waiters checks that who waits for a slot gets one that the new options grant.
func TestConfigure_waiters(t *testing.T) {
	noLeaks(t)
	o := newOrigin(t, func(_ int, c *peer) {
		for {
			if r, _ := c.request(); r == nil {
				return
			}
			c.say("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n")
			c.say("x")
		}
	})
	c := newClient(t, upstream.Options{MaxPerOrigin: 1, ConnectTimeout: time.Minute})
	x, err := c.Do(t.Context(), o.origin(), get())
	if err != nil {
		t.Fatal(err)
	}
	defer x.Close()
	done := make(chan error)
	go func() {
		_, _, err := fetch(t.Context(), c, o.origin(), get())
		done <- err
	}()
	for c.Waiting() == 0 {
		time.Sleep(time.Millisecond)
	}
	c.Configure(upstream.Options{MaxPerOrigin: 2, ConnectTimeout: time.Minute})
	if err := <-done; err != nil {
		t.Errorf("got %v; want an answer", err)
	}
}
