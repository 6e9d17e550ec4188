package proxy

import (
	"context"
	"net"
	"strings"
	"testing"
	"time"
)

// gate is a listener whose accepted connections wait at a gate.
type gate struct {
	net.Listener
	open chan struct{} // has an item for each that may pass, or is closed
}

func (g *gate) Accept() (net.Conn, error) {
	c, err := g.Listener.Accept()
	<-g.open
	return c, err
}

// TestAlive checks that a listener which takes no connections is found, and one that nobody has used is not.
func TestAlive(t *testing.T) {
	p, err := New(Options{})
	if err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	g := &gate{ln, make(chan struct{}, 1)}
	served := make(chan error)
	go func() { served <- p.Serve(g, Explicit) }()
	alive := func(wait time.Duration) error {
		ctx, cancel := context.WithTimeout(t.Context(), wait)
		defer cancel()
		return p.Alive(ctx)
	}
	for range 4 { // of two calls, one at least makes a connection, which must be served
		select {
		case g.open <- struct{}{}:
		default:
		}
		if err := alive(time.Minute); err != nil {
			t.Errorf("got %v; want nil", err)
		}
	}
	for len(g.open) > 0 { // whoever passes with it is the last
		if err := alive(time.Minute); err != nil {
			t.Errorf("got %v; want nil", err)
		}
	}
	if err = alive(time.Millisecond); err == nil { // the loop has come round for the last one
		err = alive(100 * time.Millisecond)
	}
	if err == nil || !strings.Contains(err.Error(), "the listener on "+ln.Addr().String()+" takes no connections") {
		t.Errorf("got %v; want the listener's address", err)
	}
	close(g.open)
	if err := p.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
	if err := <-served; err != nil {
		t.Error(err)
	}
	if err := alive(time.Minute); err != nil {
		t.Errorf("after Shutdown: got %v; want nil", err)
	}
}
