package resolve_test

import (
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/jayproxy/jay/proxy/resolve"
)

// bothSockets listens on one port for TCP and UDP.
func bothSockets(t *testing.T) (net.Listener, net.PacketConn) {
	t.Helper()
	for range 20 {
		tcp, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		if udp, err := net.ListenPacket("udp", tcp.Addr().String()); err == nil {
			return tcp, udp
		}
		tcp.Close() // somebody has that port for UDP
	}
	t.Fatal("no port is free for both TCP and UDP")
	return nil, nil
}

// TestLookup_Sockets: the resolver and a real server over UDP, and over TCP for what is too large for that, while another
// server is gone.
func TestLookup_Sockets(t *testing.T) {
	handler := dns.HandlerFunc(func(w dns.ResponseWriter, q *dns.Msg) {
		var all []string
		for i := range 120 {
			all = append(all, fmt.Sprintf("large.example. 60 IN A 192.0.2.%d", i))
		}
		m := answer(q, 0, "small.example. 60 IN CNAME other.example.", "other.example. 60 IN A 192.0.2.1", "other.example. 60 IN AAAA 2001:db8::1")
		if q.Question[0].Name == "large.example." {
			m = answer(q, 0, all...)
		}
		if _, ok := w.RemoteAddr().(*net.UDPAddr); ok {
			m.Truncate(1232)
		}
		w.WriteMsg(m)
	})
	tcp, udp := bothSockets(t)
	here := netip.MustParseAddrPort(tcp.Addr().String())
	for _, s := range []*dns.Server{{Listener: tcp, Handler: handler}, {PacketConn: udp, Handler: handler}} {
		ready := make(chan struct{})
		s.NotifyStartedFunc = func() { close(ready) }
		go s.ActivateAndServe()
		<-ready
		defer s.Shutdown()
	}
	gone, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nobody := netip.MustParseAddrPort(gone.LocalAddr().String())
	gone.Close()
	r := resolve.New(resolve.Options{Servers: []netip.AddrPort{nobody, here}, Timeout: 20 * time.Second})
	defer r.Close()
	if got := strings.Fields(lookup(t, r, "small.example.")); len(got) != 2 {
		t.Errorf("got %q; want two addresses", got)
	}
	if got := strings.Fields(lookup(t, r, "large.example.")); len(got) != 16 {
		t.Errorf("got %d addresses; want the most that are used, 16", len(got))
	}
}
