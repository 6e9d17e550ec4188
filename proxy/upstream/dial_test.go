package upstream_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jayproxy/jay/proxy/resolve"
	"github.com/jayproxy/jay/proxy/upstream"
)

// hosts is a network in which addresses behave as given, and that notes what happens.
type hosts struct {
	mu    sync.Mutex
	began time.Time
	plan  map[string]string // address: "ok", "refuse", "hang", "ok after 400ms"
	log   []string
	open  []net.Conn
}

func (h *hosts) dial(ctx context.Context, _, address string) (net.Conn, error) {
	ap := netip.MustParseAddrPort(address)
	h.note("%v %v", ap.Addr(), time.Since(h.began))
	switch plan := h.plan[ap.Addr().String()]; {
	case plan == "refuse":
		return nil, &net.OpError{Op: "dial", Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}
	case plan == "hang":
		<-ctx.Done()
		return nil, ctx.Err()
	case plan != "ok":
		d, _ := time.ParseDuration(strings.TrimPrefix(plan, "ok after "))
		time.Sleep(d) // and comes to an end although the context has
	}
	here, _ := net.Pipe()
	h.mu.Lock()
	h.open = append(h.open, here)
	h.mu.Unlock()
	return here, nil
}

func (h *hosts) note(format string, args ...any) {
	h.mu.Lock()
	h.log = append(h.log, fmt.Sprintf(format, args...))
	h.mu.Unlock()
}

// closed is the number of connections that were made and closed again.
func (h *hosts) closed() (n int) {
	for _, nc := range h.open {
		nc.SetReadDeadline(time.Now().Add(-time.Second))
		if _, err := nc.Read(make([]byte, 1)); err == io.ErrClosedPipe {
			n++
		}
	}
	return n
}

func TestDial_RFC8305(t *testing.T) {
	for _, tt := range []struct {
		name   string
		addrs  string
		plan   map[string]string
		log    string // address and time of each attempt
		winner string
		kind   string
		closed int
	}{
		{"the only one", "192.0.2.1", map[string]string{"192.0.2.1": "ok"},
			"[192.0.2.1 0s]", "192.0.2.1", "", 0},
		{"the first one", "2001:db8::1 192.0.2.1", map[string]string{"2001:db8::1": "ok"},
			"[2001:db8::1 0s]", "2001:db8::1", "", 0},
		{"the first hangs", "2001:db8::1 192.0.2.1", map[string]string{"2001:db8::1": "hang", "192.0.2.1": "ok"},
			"[2001:db8::1 0s 192.0.2.1 250ms]", "192.0.2.1", "", 0},
		{"the first fails", "2001:db8::1 192.0.2.1", map[string]string{"2001:db8::1": "refuse", "192.0.2.1": "ok"},
			"[2001:db8::1 0s 192.0.2.1 0s]", "192.0.2.1", "", 0},
		{"families in turn", "2001:db8::1 2001:db8::2 192.0.2.1 192.0.2.2", map[string]string{
			"2001:db8::1": "hang", "2001:db8::2": "hang", "192.0.2.1": "hang", "192.0.2.2": "ok"},
			"[2001:db8::1 0s 192.0.2.1 250ms 2001:db8::2 500ms 192.0.2.2 750ms]", "192.0.2.2", "", 0},
		{"the slower one is closed", "2001:db8::1 192.0.2.1", map[string]string{"2001:db8::1": "ok after 400ms", "192.0.2.1": "ok"},
			"[2001:db8::1 0s 192.0.2.1 250ms]", "192.0.2.1", "", 1},
		{"the first comes late, but first", "2001:db8::1 192.0.2.1", map[string]string{"2001:db8::1": "ok after 400ms", "192.0.2.1": "ok after 400ms"},
			"[2001:db8::1 0s 192.0.2.1 250ms]", "2001:db8::1", "", 1},
		{"all fail", "2001:db8::1 192.0.2.1", map[string]string{"2001:db8::1": "refuse", "192.0.2.1": "refuse"},
			"[2001:db8::1 0s 192.0.2.1 0s]", "", upstream.KindConnectionRefused, 0},
		{"all hang", "2001:db8::1 192.0.2.1", map[string]string{"2001:db8::1": "hang", "192.0.2.1": "hang"},
			"[2001:db8::1 0s 192.0.2.1 250ms]", "", upstream.KindConnectionTimeout, 0},
		{"one hangs", "192.0.2.1", map[string]string{"192.0.2.1": "hang"},
			"[192.0.2.1 0s]", "", upstream.KindConnectionTimeout, 0},
		{"prohibited", "203.0.113.1", nil,
			"[]", "", upstream.KindDestinationProhibited, 0},
		{"all prohibited", "203.0.113.1 203.0.113.2", nil,
			"[]", "", upstream.KindDestinationProhibited, 0},
		{"one prohibited", "203.0.113.1 192.0.2.1 203.0.113.2", map[string]string{"192.0.2.1": "ok"},
			"[192.0.2.1 0s]", "192.0.2.1", "", 0},
		{"one prohibited, one refuses", "203.0.113.1 192.0.2.1", map[string]string{"192.0.2.1": "refuse"},
			"[192.0.2.1 0s]", "", upstream.KindConnectionRefused, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := &hosts{plan: tt.plan, began: time.Now()}
				var addrs []netip.Addr
				for s := range strings.FieldsSeq(tt.addrs) {
					addrs = append(addrs, netip.MustParseAddr(s))
				}
				names := resolve.Options{Hosts: map[string][]netip.Addr{"a.example": addrs}}
				c := upstream.New(upstream.Options{DialContext: h.dial, DNS: names, Check: func(a netip.AddrPort) error {
					if a.Port() != 80 || !a.Addr().IsValid() {
						t.Errorf("Check got %v; want port 80", a)
					}
					if netip.MustParsePrefix("203.0.113.0/24").Contains(a.Addr()) {
						return errors.New("not there")
					}
					return nil
				}})
				nc, addr, err := c.Dial(t.Context(), upstream.Origin{Host: "a.example", Port: 80})
				if kind(err) != tt.kind {
					t.Errorf("got %v; want %q", err, tt.kind)
				}
				if err == nil && (nc == nil || addr.Addr().String() != tt.winner) {
					t.Errorf("got %v; want %s", addr, tt.winner)
				}
				c.Close() // waits for the losers
				if got := fmt.Sprint(h.log); got != tt.log {
					t.Errorf("got attempts %v; want %v", got, tt.log)
				}
				if n := h.closed(); n != tt.closed {
					t.Errorf("got %d connections closed; want %d", n, tt.closed)
				}
			})
		})
	}
}

// TestDial_Check: Check sees the very address, mapped ones as IPv4, and nothing
// is dialled that it has refused; that holds for given addresses too.
func TestDial_Check(t *testing.T) {
	for _, tt := range []struct {
		o    upstream.Origin
		want string
	}{
		{upstream.Origin{Host: "::ffff:127.0.0.1", Port: 80}, "127.0.0.1:80"},
		{upstream.Origin{Host: "127.0.0.1", Port: 25}, "127.0.0.1:25"},
		{upstream.Origin{Host: "::1", Port: 80}, "[::1]:80"},
		{upstream.Origin{Host: "0.0.0.0", Port: 80}, "0.0.0.0:80"},
		{upstream.Origin{Host: "64:ff9b::7f00:1", Port: 80}, "[64:ff9b::7f00:1]:80"},
		{upstream.Origin{Host: "www.example", Addr: netip.MustParseAddrPort("[::ffff:10.0.0.1]:81"), Port: 80}, "10.0.0.1:81"},
		{upstream.Origin{Host: "www.example", Addr: netip.MustParseAddrPort("10.0.0.1:81")}, "10.0.0.1:81"},
	} {
		var got []string
		c := upstream.New(upstream.Options{
			Check: func(a netip.AddrPort) error { got = append(got, a.String()); return errors.New("no") },
			DialContext: func(context.Context, string, string) (net.Conn, error) {
				t.Errorf("%v: dialled", tt.o)
				return nil, io.EOF
			},
		})
		_, _, err := c.Dial(t.Context(), tt.o)
		_, err2 := c.Do(t.Context(), tt.o, get())
		for _, err := range []error{err, err2} {
			var e *upstream.Error
			if !errors.As(err, &e) || e.Kind != upstream.KindDestinationProhibited || e.Status != 403 {
				t.Errorf("%v: got %v; want %s, 403", tt.o, err, upstream.KindDestinationProhibited)
			}
		}
		if !slices.Equal(got, []string{tt.want, tt.want}) {
			t.Errorf("%v: checked %v; want %s twice", tt.o, got, tt.want)
		}
		c.Close()
	}
}

func TestDial_Errors(t *testing.T) {
	sys := func(errno syscall.Errno) error {
		return &net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("connect", errno)}
	}
	for _, tt := range []struct {
		err    error
		kind   string
		status int
	}{
		{sys(syscall.ECONNREFUSED), upstream.KindConnectionRefused, 502},
		{sys(syscall.ETIMEDOUT), upstream.KindConnectionTimeout, 504},
		{context.DeadlineExceeded, upstream.KindConnectionTimeout, 504},
		{sys(syscall.EHOSTUNREACH), upstream.KindDestinationUnroutable, 502},
		{sys(syscall.ENETUNREACH), upstream.KindDestinationUnroutable, 502},
		{sys(syscall.EMFILE), upstream.KindConnectionLimit, 503},
		{sys(syscall.EADDRNOTAVAIL), upstream.KindConnectionLimit, 503},
		{sys(syscall.ECONNRESET), upstream.KindConnectionTerminated, 502},
	} {
		c := upstream.New(upstream.Options{DialContext: func(context.Context, string, string) (net.Conn, error) { return nil, tt.err }})
		_, err := c.Do(t.Context(), anywhere, get())
		var e *upstream.Error
		if !errors.As(err, &e) || e.Kind != tt.kind || e.Status != tt.status || !errors.Is(err, tt.err) {
			t.Errorf("%v: got %v; want %s, %d", tt.err, err, tt.kind, tt.status)
		}
		if pools, conns := c.Pools(); pools != 0 || conns != 0 {
			t.Errorf("%v: got %d pools, %d connections left; want none", tt.err, pools, conns)
		}
		c.Close()
	}
}

// TestDial_NoDescriptors: with none left, idle connections make room for new ones.
func TestDial_NoDescriptors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c *upstream.Client
		dial := pipes(t, func(p *peer) {
			for p.head() != "" {
				p.say(okHello)
			}
		})
		c = upstream.New(upstream.Options{DialContext: func(ctx context.Context, n, a string) (net.Conn, error) {
			if _, conns := c.Pools(); conns > 0 {
				return nil, syscall.EMFILE
			}
			return dial(ctx, n, a)
		}})
		defer c.Close()
		for i := range 3 {
			o := upstream.Origin{Addr: netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, 2, byte(i)}), 80)}
			if _, _, err := fetch(t.Context(), c, o, get()); err != nil {
				t.Errorf("got %v; want an answer", err)
			}
		}
	})
}

// TestDial_TCP: a tunnel gets the bare TCP connection, which nobody else closes.
func TestDial_TCP(t *testing.T) {
	noLeaks(t)
	o := newOrigin(t, func(_ int, p *peer) { io.Copy(p, p.r) })
	c := upstream.New(upstream.Options{MaxPerOrigin: 1})
	for range 2 {
		nc, addr, err := c.Dial(t.Context(), o.origin())
		if err != nil {
			t.Fatal(err)
		}
		defer nc.Close()
		if _, ok := nc.(*net.TCPConn); !ok || addr != o.addr() {
			t.Errorf("got %T to %v; want a *net.TCPConn to %v", nc, addr, o.addr())
		}
		c.Close()
		io.WriteString(nc, "echo")
		buf := make([]byte, 4)
		if _, err := io.ReadFull(nc, buf); err != nil {
			t.Errorf("after Close: %v; want it open", err)
		}
		c = upstream.New(upstream.Options{})
	}
	c.Close()
}
