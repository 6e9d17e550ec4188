package tunnel_test

import (
	"errors"
	"net"
	"net/netip"
	"runtime"
	"testing"

	"github.com/jayproxy/jay/tunnel"
)

func TestAddresses_Local(t *testing.T) {
	tests := []struct {
		addr string
		want bool
	}{
		{"127.0.0.1", true},
		{"127.8.9.10", true},
		{"::1", true},
		{"::ffff:127.0.0.1", true},
		{"0.0.0.0", true},
		{"::", true},
		{"::ffff:0.0.0.0", true},
		{"192.0.2.1", false},
		{"::ffff:192.0.2.1", false},
		{"2001:db8::1", false},
		{"fe80::dead%lo", false},
	}
	var a tunnel.Addresses
	for _, tt := range tests {
		if got := a.Local(netip.MustParseAddr(tt.addr)); got != tt.want {
			t.Errorf("Local(%s) = %v; want %v", tt.addr, got, tt.want)
		}
	}
	if a.Local(netip.Addr{}) {
		t.Error("Local of the zero Addr = true; want false")
	}
}

func TestAddresses_LocalInterfaces(t *testing.T) {
	list, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	var a tunnel.Addresses
	for _, n := range list {
		ip, ok := netip.AddrFromSlice(n.(*net.IPNet).IP)
		if !ok {
			t.Fatalf("address %v", n)
		}
		for _, addr := range []netip.Addr{ip, ip.Unmap(), netip.AddrFrom16(ip.As16()), ip.WithZone("eth9")} {
			if !a.Local(addr) {
				t.Errorf("Local(%v) = false; want true", addr)
			}
		}
	}
}

func TestOriginalDst_NotRedirected(t *testing.T) {
	_, accepted := pair(t, "tcp")
	_, err := tunnel.OriginalDst(accepted.(*net.TCPConn))
	want := tunnel.ErrNotRedirected
	if runtime.GOOS != "linux" {
		want = errors.ErrUnsupported
	}
	if !errors.Is(err, want) {
		t.Errorf("got %v; want %v", err, want)
	}
}

func TestOriginalDst_ClosedConnection(t *testing.T) {
	_, accepted := pair(t, "tcp")
	accepted.Close()
	if dst, err := tunnel.OriginalDst(accepted.(*net.TCPConn)); err == nil || dst.IsValid() {
		t.Errorf("got %v, %v; want an error", dst, err)
	}
}

func BenchmarkAddresses_Local(b *testing.B) {
	var a tunnel.Addresses
	addr := netip.MustParseAddr("192.0.2.1")
	b.ReportAllocs()
	for b.Loop() {
		if a.Local(addr) {
			b.Fatal("192.0.2.1 is local")
		}
	}
}
