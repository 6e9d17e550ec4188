package tunnel

import (
	"bytes"
	"context"
	"io"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sys/unix"
)

func isOpen(fd int) bool {
	_, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0)
	return err == nil
}

func TestPipePool_Bound(t *testing.T) {
	var pp pipePool
	defer pp.close()
	lent := make([]*pipe, 0, maxPipes)
	for range maxPipes {
		p := pp.get()
		if p == nil {
			t.Fatalf("no pipe after %d; want %d", len(lent), maxPipes)
		}
		lent = append(lent, p)
	}
	if p := pp.get(); p != nil {
		t.Errorf("got one more than %d", maxPipes)
	}
	pp.put(lent[0])
	if p := pp.get(); p != lent[0] {
		t.Errorf("got %v; want the one given back, %v", p, lent[0])
	}
	for _, p := range lent {
		pp.put(p)
	}
}

// A pipe with bytes inside must not reach another tunnel.
func TestPipePool_DropsUsedPipes(t *testing.T) {
	var pp pipePool
	defer pp.close()
	p := pp.get()
	p.held = 1
	pp.put(p)
	if isOpen(p.r) || isOpen(p.w) || pp.open != 0 {
		t.Errorf("a pipe with bytes inside was kept")
	}
}

func TestPipePool_ClosesWhatIsNotUsed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var pp pipePool
		a, b := pp.get(), pp.get()
		pp.put(a)
		pp.put(b)
		for range 5 { // one of them stays in use
			time.Sleep(pipesRest / 2)
			pp.put(pp.get())
		}
		synctest.Wait()
		pp.mu.Lock()
		if open := isOpen(a.r); open || pp.open != 1 {
			t.Errorf("unused pipe open: %v, %d pipes; want it closed, 1", open, pp.open)
		}
		pp.mu.Unlock()
		time.Sleep(2 * pipesRest)
		synctest.Wait()
		pp.mu.Lock()
		defer pp.mu.Unlock()
		if isOpen(b.r) || isOpen(b.w) || pp.open != 0 || pp.timer != nil {
			t.Errorf("%d pipes left after a rest", pp.open)
		}
	})
}

func TestPipePool_Close(t *testing.T) {
	var pp pipePool
	free, lent := pp.get(), pp.get()
	pp.put(free)
	pp.close()
	pp.close()
	if isOpen(free.r) || isOpen(free.w) {
		t.Error("a free pipe was left open")
	}
	pp.put(lent)
	if isOpen(lent.r) || isOpen(lent.w) || pp.open != 0 {
		t.Error("a lent pipe was left open")
	}
	if pp.get() != nil {
		t.Error("got a pipe after close")
	}
}

// Without a pipe to have, a tunnel copies.
func TestJoin_WithoutPipes(t *testing.T) {
	var g Registry
	g.pipes.open = maxPipes
	client, c := loopback(t)
	origin, o := loopback(t)
	res := make(chan Result)
	go func() { res <- g.Join(context.Background(), c, o, Early{}, Options{}) }()
	want := bytes.Repeat([]byte("0123456789abcde"), 1<<18)
	go func() {
		client.Write(want)
		client.Close()
	}()
	got, err := io.ReadAll(origin)
	origin.Close()
	if !bytes.Equal(got, want) || err != nil {
		t.Errorf("got %d bytes, %v; want the %d sent", len(got), err, len(want))
	}
	if r := <-res; r.Sent != int64(len(want)) || r.Cause != CauseClientClosed {
		t.Errorf("got %+v; want %d sent, %s", r, len(want), CauseClientClosed)
	}
}

func loopback(t *testing.T) (net.Conn, net.Conn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	a, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	b, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	return a, b
}
