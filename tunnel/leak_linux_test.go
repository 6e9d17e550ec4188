package tunnel_test

import (
	"io"
	"net"
	"os"
	"runtime"
	"testing"
	"time"

	"github.com/jayproxy/jay/tunnel"
)

func descriptors(tb testing.TB) int {
	tb.Helper()
	list, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		tb.Fatal(err)
	}
	return len(list) - 1 // the one that lists them
}

// settles waits until count is at most want, for five seconds.
func settles(tb testing.TB, what string, want int, count func() int) {
	tb.Helper()
	for end := time.Now().Add(5 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		n := count()
		if n <= want {
			return
		}
		if time.Now().After(end) {
			tb.Errorf("%d %s; want at most %d", n, what, want)
			return
		}
	}
}

// Security row D7: whoever closes, and however, nothing is left of 1,000 tunnels.
func TestJoin_LeavesNothing_D7(t *testing.T) {
	endings := []func(client, origin net.Conn){
		func(client, origin net.Conn) { client.Close(); io.Copy(io.Discard, origin); origin.Close() },
		func(client, origin net.Conn) { origin.Close(); io.Copy(io.Discard, client); client.Close() },
		func(client, origin net.Conn) { client.(*net.TCPConn).SetLinger(0); client.Close() },
		func(client, origin net.Conn) { origin.(*net.TCPConn).SetLinger(0); origin.Close() },
		func(client, origin net.Conn) { client.(*net.TCPConn).CloseWrite(); origin.Close(); client.Close() },
	}
	var g tunnel.Registry
	exchangeOne(t, &g) // whatever the runtime opens once
	fds, routines := descriptors(t), runtime.NumGoroutine()
	for i := range 1000 {
		client, origin, res := start(t, &g, "tcp", tunnel.Early{}, tunnel.Options{})
		size := int64(64)
		if i%10 == 0 {
			size = 256 << 10 // enough to be spliced
		}
		exchange(t, client, origin, size)
		endings[i%len(endings)](client, origin)
		<-res
		client.Close()
		origin.Close()
	}
	if err := g.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
	settles(t, "descriptors", fds, func() int { return descriptors(t) })
	settles(t, "goroutines", routines, runtime.NumGoroutine)
}

// Security row D8: an idle tunnel holds its two connections and no pipe, also
// when bytes were spliced through it before.
func TestIdle_TwoDescriptors_D8(t *testing.T) {
	const tunnels = 300
	var g tunnel.Registry
	fds := descriptors(t)
	ends := make([][2]net.Conn, tunnels)
	for i := range ends {
		client, origin, _ := start(t, &g, "tcp", tunnel.Early{}, tunnel.Options{})
		ends[i] = [2]net.Conn{client, origin}
	}
	done := make(chan struct{})
	for _, e := range ends {
		go func() { exchange(t, e[0], e[1], 256<<10); done <- struct{}{} }()
	}
	for range ends {
		<-done
	}
	// Two descriptors each are the far ends, which the test holds.
	settles(t, "descriptors", fds+2*tunnels+tunnels*21/10, func() int { return descriptors(t) })
	settles(t, "descriptors after a rest", fds+4*tunnels, func() int { return descriptors(t) })
	cut(t, &g)
}

// After Shutdown nothing of idle and busy tunnels is left.
func TestShutdown_LeavesNothing(t *testing.T) {
	var warm tunnel.Registry
	exchangeOne(t, &warm)
	cut(t, &warm)
	fds, routines := descriptors(t), runtime.NumGoroutine()
	var g tunnel.Registry
	var far []net.Conn
	for i := range 12 {
		client, origin, _ := start(t, &g, "tcp", tunnel.Early{}, tunnel.Options{})
		far = append(far, client, origin)
		exchange(t, client, origin, 128<<10)
		if i%4 == 0 {
			go pour(client, 1<<30, 1)
			go io.Copy(io.Discard, origin)
		}
	}
	cut(t, &g)
	if n := descriptors(t); n > fds+len(far) {
		t.Errorf("%d descriptors when Shutdown returned; want at most %d, those of the far ends", n, fds+len(far))
	}
	if n := g.Count(); n != 0 {
		t.Errorf("Count() = %d; want 0", n)
	}
	for _, c := range far {
		c.Close()
	}
	settles(t, "goroutines", routines, runtime.NumGoroutine)
	settles(t, "descriptors", fds, func() int { return descriptors(t) })
}

// Figure R7 allows 40 KB for an idle tunnel.
func TestIdle_Memory_R7(t *testing.T) {
	const tunnels, limit = 500, 16 << 10
	if n := idleMemory(t, tunnels); n > limit {
		t.Errorf("an idle tunnel takes %d bytes; want at most %d", n, limit)
	} else {
		t.Logf("an idle tunnel takes %d bytes, the goroutine of its caller included", n)
	}
}
