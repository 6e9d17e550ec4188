package resolve_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/miekg/dns"

	"github.com/jayproxy/jay/proxy/resolve"
)

// TestMain has the resolver of package net set itself up before any test runs in a bubble: what it makes there could not be
// used in another one.
func TestMain(m *testing.M) {
	r := &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) { return nil, errors.New("nobody") }}
	r.LookupHost(context.Background(), "warm.test")
	os.Exit(m.Run())
}

// server answers queries over pipes, which carry datagrams for udp.
type server struct {
	mu    sync.Mutex
	asked []string // "network address name type"
	down  map[string]bool
	reply func(q *dns.Msg, network, address string) []*dns.Msg // what is sent, in this order
}

// datagrams makes a pipe, which keeps the bounds of what is written, a packet connection.
type datagrams struct{ net.Conn }

func (d datagrams) ReadFrom(b []byte) (int, net.Addr, error) {
	n, err := d.Read(b)
	return n, d.RemoteAddr(), err
}

func (d datagrams) WriteTo(b []byte, _ net.Addr) (int, error) { return d.Write(b) }

func (s *server) dial(_ context.Context, network, address string) (net.Conn, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.down[address] {
		return nil, &net.OpError{Op: "dial", Net: network, Err: syscall.ECONNREFUSED}
	}
	here, there := net.Pipe()
	if network == "udp" {
		here, there = datagrams{here}, datagrams{there}
	}
	go s.serve(&dns.Conn{Conn: there, UDPSize: 4096}, network, address) // until the resolver closes its end
	return here, nil
}

func (s *server) serve(c *dns.Conn, network, address string) {
	defer c.Close()
	for {
		q, err := c.ReadMsg()
		if err != nil {
			return
		}
		s.mu.Lock()
		s.asked = append(s.asked, fmt.Sprint(network, " ", address, " ", q.Question[0].Name, " ", dns.TypeToString[q.Question[0].Qtype]))
		s.mu.Unlock()
		for _, m := range s.reply(q, network, address) {
			if c.WriteMsg(m) != nil {
				return
			}
		}
	}
}

// count is the number of queries so far that contain text.
func (s *server) count(text string) (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, a := range s.asked {
		if strings.Contains(a, text) {
			n++
		}
	}
	return n
}

// says makes a server that answers with records in zone form, those of the question's type or CNAME in the answer section
// and SOA in the authority section.
func says(records ...string) func(*dns.Msg, string, string) []*dns.Msg {
	return func(q *dns.Msg, _, _ string) []*dns.Msg { return []*dns.Msg{answer(q, dns.RcodeSuccess, records...)} }
}

func answer(q *dns.Msg, rcode int, records ...string) *dns.Msg {
	m := new(dns.Msg)
	m.SetRcode(q, rcode)
	m.RecursionAvailable = true
	for _, text := range records {
		rr, err := dns.NewRR(text)
		if err != nil {
			panic(err)
		}
		switch rr.Header().Rrtype {
		case dns.TypeSOA:
			m.Ns = append(m.Ns, rr)
		case dns.TypeCNAME, q.Question[0].Qtype:
			m.Answer = append(m.Answer, rr)
		}
	}
	return m
}

// soa is the authority record of a zone whose negative answers live for minimum seconds.
func soa(ttl, minimum int) string {
	return fmt.Sprintf("example. %d IN SOA ns.example. mail.example. 1 2 3 4 %d", ttl, minimum)
}

// bubble runs f with a resolver that asks s, in a bubble of its own.
func bubble(t *testing.T, s *server, o resolve.Options, f func(t *testing.T, r *resolve.Resolver)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		o.Dial = s.dial
		r := resolve.New(o)
		defer r.Close()
		f(t, r)
	})
}

// servers are n addresses of servers.
func servers(n int) (list []netip.AddrPort) {
	for i := range n {
		list = append(list, netip.MustParseAddrPort(fmt.Sprintf("192.0.2.%d:53", i+1)))
	}
	return list
}

// lookup returns the addresses, or what became of it, in one word.
func lookup(t *testing.T, r *resolve.Resolver, host string) string {
	t.Helper()
	addrs, err := r.Lookup(t.Context(), host)
	var e *resolve.Error
	switch {
	case err == nil:
		return strings.Trim(fmt.Sprint(addrs), "[]")
	case !errors.As(err, &e):
		return "unknown error " + err.Error()
	case e.Timeout:
		return "timeout"
	case e.NotFound:
		return strings.TrimSpace("none " + e.RCode)
	}
	return strings.TrimSpace("failed " + e.RCode)
}

// kept is for how many seconds the answer for host, which was just given, is used; most if no query follows by then.
func kept(t *testing.T, s *server, r *resolve.Resolver, host string, most int) int {
	t.Helper()
	before := s.count("")
	time.Sleep(time.Millisecond)
	for i := range most {
		lookup(t, r, host)
		if s.count("") > before {
			return i
		}
		time.Sleep(time.Second)
	}
	return most
}

// rawServer answers each query with its identifier, two bytes of flags, counts of one, and rest.
func rawServer(rest []byte, high, low byte) func(context.Context, string, string) (net.Conn, error) {
	return func(_ context.Context, network, _ string) (net.Conn, error) {
		here, there := net.Pipe()
		if network == "udp" {
			here, there = datagrams{here}, datagrams{there}
		}
		go func() {
			c := &dns.Conn{Conn: there, UDPSize: 4096}
			defer c.Close()
			q, err := c.ReadMsgHeader(nil)
			if err == nil {
				c.Write(append([]byte{q[0], q[1], high, low, 0, 1, 0, 1, 0, 1, 0, 0}, rest...))
			}
		}()
		return here, nil
	}
}
