package tunnel_test

import (
	"context"
	"net"
	"syscall"
	"testing"
	"time"

	"github.com/jayproxy/jay/tunnel"
)

// TestHandOver checks that connections go to the second listener of an address, and that what the first has got already
// stays there to be accepted.
func TestHandOver(t *testing.T) {
	lc := net.ListenConfig{Control: func(_, _ string, raw syscall.RawConn) error { return tunnel.ShareAddress(raw) }}
	lc.SetMultipathTCP(false)
	listen := func(address string) *net.TCPListener {
		l, err := lc.Listen(context.Background(), "tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { l.Close() })
		return l.(*net.TCPListener)
	}
	dial := func(n int, address string) {
		for range n {
			c, err := net.Dial("tcp", address)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { c.Close() })
		}
	}
	accept := func(l *net.TCPListener, n int) {
		t.Helper()
		l.SetDeadline(time.Now().Add(20 * time.Second))
		for range n {
			c, err := l.Accept()
			if err != nil {
				t.Fatal(err)
			}
			c.Close()
		}
	}
	first := listen("127.0.0.1:0")
	address := first.Addr().String()
	dial(20, address)
	second := listen(address)
	if !tunnel.HandOver(first) {
		t.Fatal("got false; want the address handed over")
	}
	dial(50, address)
	accept(first, 20)
	accept(second, 50)
	first.Close()
	dial(10, address) // the second is the only one now
	accept(second, 10)
	third := listen(address)
	if !tunnel.HandOver(second) {
		t.Fatal("got false; want the address handed over once more")
	}
	dial(50, address)
	accept(third, 50)

	alone, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer alone.Close()
	if tunnel.HandOver(alone.(*net.TCPListener)) {
		t.Error("got true for an address that is not shared; want false")
	}
}
