package upstream_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jayproxy/jay/proxy/resolve"
	"github.com/jayproxy/jay/proxy/upstream"
)

const (
	typeA    = 1
	typeAAAA = 28
)

// nameserver answers queries over streams made by its resolver.
type nameserver struct {
	// answer gives the addresses of a name, or a response code.
	answer func(name string, qtype uint16) (addrs []netip.Addr, rcode byte)
}

func newNameserver(answer func(name string, qtype uint16) ([]netip.Addr, byte)) *nameserver {
	return &nameserver{answer: answer}
}

func (s *nameserver) dns() resolve.Options {
	return resolve.Options{Dial: func(context.Context, string, string) (net.Conn, error) {
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
	addrs, rcode := s.answer(name, qtype)
	r := append([]byte{q[0], q[1], 0x81, 0x80 | rcode, 0, 1, 0, byte(len(addrs)), 0, 0, 0, 0}, q[12:end]...)
	for _, a := range addrs {
		r = append(r, 0xc0, 12, 0, byte(qtype), 0, 1, 0, 0, 0, 60, 0, byte(a.BitLen()/8))
		r = append(r, a.AsSlice()...)
	}
	return r
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

// TestLookup_Kinds: what servers say becomes a proxy error type (RFC 9209 §2.3.1, §2.3.2).
func TestLookup_Kinds(t *testing.T) {
	noLeaks(t)
	ns := newNameserver(func(name string, qtype uint16) ([]netip.Addr, byte) {
		rcode, _ := strconv.Atoi(name[:1])
		return nil, byte(rcode)
	})
	c := newClient(t, upstream.Options{DNS: ns.dns()})
	for host, rcode := range map[string]string{"0.example.": "", "2.example.": "SERVFAIL", "3.example.": "NXDOMAIN", "5.example.": "REFUSED", "127.1": ""} {
		_, err := c.Lookup(t.Context(), host)
		var e *upstream.Error
		if !errors.As(err, &e) || e.Kind != upstream.KindDNSError || e.Status != 502 || e.RCode != rcode {
			t.Errorf("%s: got %+v; want %s, 502, %q", host, e, upstream.KindDNSError, rcode)
		}
	}
	if s := c.LookupStats(); s.Lookups != 4 || s.NotFound != 2 || s.Failures != 2 {
		t.Errorf("got %+v; want 4 lookups (127.1 is no name), 2 not found, 2 failures", s)
	}
}

// TestLookup_Timeout: a resolver that does not answer is a dns_timeout, and Close
// does not wait for it.
func TestLookup_Timeout(t *testing.T) {
	noLeaks(t)
	never := make(chan bool)
	ns := newNameserver(func(string, uint16) ([]netip.Addr, byte) { <-never; return nil, 0 })
	t.Cleanup(func() { close(never) })
	c := upstream.New(upstream.Options{DNS: ns.dns(), ConnectTimeout: 50 * time.Millisecond})
	_, err := c.Do(t.Context(), upstream.Origin{Host: "www.example", Port: 80}, get())
	var e *upstream.Error
	if !errors.As(err, &e) || e.Kind != upstream.KindDNSTimeout || e.Status != 504 {
		t.Errorf("got %v; want %s, 504", err, upstream.KindDNSTimeout)
	}
	c.Close()
	c = upstream.New(upstream.Options{DNS: ns.dns()})
	go c.Lookup(t.Context(), "www.example.")
	c.Close()
	if _, err := c.Lookup(t.Context(), "www.example."); err == nil {
		t.Error("after Close: got no error; want one")
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
		DNS: ns.dns(),
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
