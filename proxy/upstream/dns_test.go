package upstream_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jayproxy/jay/proxy/upstream"
)

const (
	typeA    = 1
	typeAAAA = 28
)

// nameserver answers queries over streams made by its resolver.
type nameserver struct {
	mu      sync.Mutex
	queries []string // "name type"
	// answer gives the addresses of a name, or a response code.
	answer func(name string, qtype uint16) (addrs []netip.Addr, rcode byte)
}

func newNameserver(answer func(name string, qtype uint16) ([]netip.Addr, byte)) *nameserver {
	return &nameserver{answer: answer}
}

func (s *nameserver) resolver() *net.Resolver {
	return &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
		here, there := net.Pipe()
		go s.serve(there) // until the resolver closes its end
		return here, nil
	}}
}

func (s *nameserver) serve(c net.Conn) {
	defer c.Close()
	for {
		var size [2]byte
		if _, err := io.ReadFull(c, size[:]); err != nil {
			return
		}
		q := make([]byte, binary.BigEndian.Uint16(size[:]))
		if _, err := io.ReadFull(c, q); err != nil {
			return
		}
		r := s.reply(q)
		c.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(r))), r...))
	}
}

// reply answers the one question of q.
func (s *nameserver) reply(q []byte) []byte {
	var labels []string
	i := 12
	for q[i] != 0 {
		labels = append(labels, string(q[i+1:i+1+int(q[i])]))
		i += 1 + int(q[i])
	}
	name, qtype, end := strings.Join(labels, "."), binary.BigEndian.Uint16(q[i+1:]), i+5
	s.mu.Lock()
	s.queries = append(s.queries, fmt.Sprint(name, " ", qtype))
	s.mu.Unlock()
	addrs, rcode := s.answer(name, qtype)
	r := append([]byte{q[0], q[1], 0x81, 0x80 | rcode, 0, 1, 0, byte(len(addrs)), 0, 0, 0, 0}, q[12:end]...)
	for _, a := range addrs {
		r = append(r, 0xc0, 12, 0, byte(qtype), 0, 1, 0, 0, 0, 60, 0, byte(a.BitLen()/8))
		r = append(r, a.AsSlice()...)
	}
	return r
}

// asked is the number of queries for name.
func (s *nameserver) asked(name string) (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, q := range s.queries {
		if strings.HasPrefix(q, name+" ") {
			n++
		}
	}
	return n
}

// of answers queries for A or AAAA records with those of addrs that fit.
func of(qtype uint16, addrs ...string) (out []netip.Addr, rcode byte) {
	for _, s := range addrs {
		if a := netip.MustParseAddr(s); a.Is4() == (qtype == typeA) {
			out = append(out, a)
		}
	}
	return out, 0
}

// TestLookup_Literals covers E3: only what netip parses is an address, and no
// other numeric form gets as far as the resolver.
func TestLookup_Literals(t *testing.T) {
	noLeaks(t)
	ns := newNameserver(func(_ string, qtype uint16) ([]netip.Addr, byte) { return of(qtype, "127.0.0.1") })
	c := newClient(t, upstream.Options{Resolver: ns.resolver()})
	for host, want := range map[string]string{
		"127.0.0.1":        "127.0.0.1",
		"::1":              "::1",
		"::ffff:127.0.0.1": "127.0.0.1",
		"::ffff:7f00:1":    "127.0.0.1",
		"64:ff9b::7f00:1":  "64:ff9b::7f00:1",
		"127.1":            "", "127.0.1": "", "0x7f000001": "", "0X7F000001": "", "2130706433": "", "0": "", "0.": "",
		"0177.0.0.1": "", "0x7f.1": "", "1.2.3.0x4": "", "127.0.0.1.": "", "1.2.3.4.5": "", "a.b.1": "", "0x": "", "a.0x": "",
		"127.0.0.01": "", "256.1.1.1": "", "[::1]": "", "::1%lo": "", "fe80::1%eth0": "", "1:2:3": "",
		"": "", ".": "", "a..b": "", ".a": "", "a b": "", "a\x00b": "", "a/b": "", "a%62": "", "a:80": "", "b\xc3\xbc": "", "a@b": "",
		strings.Repeat("a", 64): "", strings.Repeat("a.", 127) + "a": "",
	} {
		got, err := c.Lookup(t.Context(), host)
		if want == "" {
			if kind(err) != upstream.KindDNSError {
				t.Errorf("%q: got %v, %v; want %s", host, got, err, upstream.KindDNSError)
			}
			continue
		}
		if len(got) != 1 || got[0] != netip.MustParseAddr(want) || err != nil {
			t.Errorf("%q: got %v, %v; want %s", host, got, err, want)
		}
	}
	if len(ns.queries) != 0 {
		t.Errorf("got queries %q; want none", ns.queries)
	}
}

func TestLookup(t *testing.T) {
	noLeaks(t)
	ns := newNameserver(func(name string, qtype uint16) ([]netip.Addr, byte) {
		switch name {
		case "none.example":
			return nil, 0
		case "missing.example":
			return nil, 3
		case "failing.example":
			return nil, 2
		case "many.example":
			var all []string
			for i := range 100 {
				all = append(all, fmt.Sprintf("192.0.2.%d", i))
			}
			return of(qtype, all...)
		}
		return of(qtype, "192.0.2.1", "::ffff:192.0.2.2", "2001:db8::1")
	})
	c := newClient(t, upstream.Options{Resolver: ns.resolver()})
	for _, tt := range []struct {
		host, kind string
		n          int
		keep       time.Duration
	}{
		{"www.example.", "", 3, 30 * time.Second},
		{"under_score.example.", "", 3, 30 * time.Second},
		{"xn--bcher-kva.example.", "", 3, 30 * time.Second},
		{"1.example.", "", 3, 30 * time.Second},
		{"many.example.", "", 16, 30 * time.Second},
		{"none.example.", upstream.KindDNSError, 0, 5 * time.Second},
		{"missing.example.", upstream.KindDNSError, 0, 5 * time.Second},
		{"failing.example.", upstream.KindDNSError, 0, time.Second},
	} {
		for range 3 {
			got, err := c.Lookup(t.Context(), tt.host)
			if len(got) != tt.n || kind(err) != tt.kind {
				t.Errorf("%s: got %v, %v; want %d addresses, %q", tt.host, got, err, tt.n, tt.kind)
			}
			for _, a := range got {
				if a.Is4In6() {
					t.Errorf("%s: got the mapped address %v; want it unmapped", tt.host, a)
				}
			}
		}
		if kept := c.KeptFor(tt.host); kept > tt.keep || kept < tt.keep/2 {
			t.Errorf("%s: kept for %v; want %v", tt.host, kept, tt.keep)
		}
		name := strings.TrimSuffix(tt.host, ".")
		if n := ns.asked(name); n != 2 && tt.host != "failing.example." { // A and AAAA, once
			t.Errorf("%s: got %d queries; want 2", tt.host, n)
		}
	}
}

// TestLookup_Shared: those who ask for one name at once share a lookup, which
// does not end with the one who was first.
func TestLookup_Shared(t *testing.T) {
	noLeaks(t)
	asked, reply := make(chan bool, 2), make(chan bool)
	ns := newNameserver(func(_ string, qtype uint16) ([]netip.Addr, byte) {
		asked <- true
		<-reply
		return of(qtype, "192.0.2.1")
	})
	c := newClient(t, upstream.Options{Resolver: ns.resolver()})
	ctx, cancel := context.WithCancel(t.Context())
	first := make(chan error)
	go func() {
		_, err := c.Lookup(ctx, "www.example.")
		first <- err
	}()
	<-asked
	cancel()
	if err := <-first; kind(err) != upstream.KindDNSTimeout || !errors.Is(err, context.Canceled) {
		t.Errorf("got %v; want %s of %v", err, upstream.KindDNSTimeout, context.Canceled)
	}
	var wg sync.WaitGroup
	for range 10 {
		wg.Go(func() {
			if got, err := c.Lookup(t.Context(), "www.example."); len(got) != 1 || err != nil {
				t.Errorf("got %v, %v; want one address", got, err)
			}
		})
	}
	close(reply)
	wg.Wait()
	if n := ns.asked("www.example"); n != 2 {
		t.Errorf("got %d queries; want 2", n)
	}
}

// TestLookup_Timeout: a resolver that does not answer is a dns_timeout, and Close
// does not wait for it.
func TestLookup_Timeout(t *testing.T) {
	noLeaks(t)
	never := make(chan bool)
	ns := newNameserver(func(string, uint16) ([]netip.Addr, byte) { <-never; return nil, 0 })
	t.Cleanup(func() { close(never) })
	c := upstream.New(upstream.Options{Resolver: ns.resolver(), ConnectTimeout: 50 * time.Millisecond})
	_, err := c.Do(t.Context(), upstream.Origin{Host: "www.example", Port: 80}, get())
	var e *upstream.Error
	if !errors.As(err, &e) || e.Kind != upstream.KindDNSTimeout || e.Status != 504 {
		t.Errorf("got %v; want %s, 504", err, upstream.KindDNSTimeout)
	}
	c.Close()
	c = upstream.New(upstream.Options{Resolver: ns.resolver()})
	go c.Lookup(t.Context(), "www.example.")
	c.Close()
	if _, err := c.Lookup(t.Context(), "www.example."); err == nil {
		t.Error("after Close: got no error; want one")
	}
}

// TestLookup_Bounded: a flood of names does not fill the memory.
func TestLookup_Bounded(t *testing.T) {
	noLeaks(t)
	ns := newNameserver(func(_ string, qtype uint16) ([]netip.Addr, byte) { return nil, 3 })
	c := newClient(t, upstream.Options{Resolver: ns.resolver()})
	for i := range 1500 {
		c.Lookup(t.Context(), fmt.Sprintf("n%d.example.", i))
	}
	if n := c.Names(); n != 1024 {
		t.Errorf("got %d answers; want 1024", n)
	}
}

// TestDial_Rebinding covers E4: what was checked is what is dialled, with one
// lookup per dial, although the name says something else each time it is asked.
func TestDial_Rebinding(t *testing.T) {
	noLeaks(t)
	var mu sync.Mutex
	n := 0
	ns := newNameserver(func(_ string, qtype uint16) ([]netip.Addr, byte) {
		if qtype == typeAAAA {
			return nil, 0
		}
		mu.Lock()
		defer mu.Unlock()
		n++
		return of(qtype, fmt.Sprintf("192.0.2.%d", n))
	})
	var checked, dialled []string
	c := newClient(t, upstream.Options{
		Resolver: ns.resolver(),
		Check: func(a netip.AddrPort) error {
			checked = append(checked, a.String())
			return nil
		},
		DialContext: func(_ context.Context, network, address string) (net.Conn, error) {
			dialled = append(dialled, address)
			return nil, errors.New("not today")
		},
	})
	for range 3 {
		c.Dial(t.Context(), upstream.Origin{Host: "rebind.example.", Port: 80})
	}
	want := "[192.0.2.1:80 192.0.2.1:80 192.0.2.1:80]"
	if fmt.Sprint(checked) != want || fmt.Sprint(dialled) != want || n != 1 {
		t.Errorf("checked %v, dialled %v, %d lookups; want %v, 1 lookup", checked, dialled, n, want)
	}
}
