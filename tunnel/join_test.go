package tunnel_test

import (
	"bytes"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/jayproxy/jay/tunnel"
)

var networks = []string{"tcp", "unix"}

func TestJoin_RFC9110_9_3_6(t *testing.T) {
	for _, network := range networks {
		t.Run(network, func(t *testing.T) {
			var g tunnel.Registry
			client, origin, res := start(t, &g, network, tunnel.Early{}, tunnel.Options{})
			send(t, client, "ping")
			expect(t, origin, "ping")
			send(t, origin, "pong!")
			expect(t, client, "pong!")
			if n := g.Count(); n != 1 {
				t.Errorf("Count() = %d; want 1", n)
			}
			closeWrite(t, client)
			expectEnd(t, origin)
			send(t, origin, "late answer")
			expect(t, client, "late answer")
			closeWrite(t, origin)
			expectEnd(t, client)
			r := <-res
			if r.Sent != 4 || r.Received != 16 || r.Cause != tunnel.CauseClientClosed || r.Err != nil || r.Duration <= 0 {
				t.Errorf("got %+v; want 4 sent, 16 received, %s", r, tunnel.CauseClientClosed)
			}
			if n := g.Count(); n != 0 {
				t.Errorf("Count() = %d; want 0", n)
			}
		})
	}
}

func TestJoin_OriginHalfCloses(t *testing.T) {
	for _, network := range networks {
		t.Run(network, func(t *testing.T) {
			var g tunnel.Registry
			client, origin, res := start(t, &g, network, tunnel.Early{}, tunnel.Options{})
			send(t, origin, "bye")
			closeWrite(t, origin)
			expect(t, client, "bye")
			expectEnd(t, client)
			send(t, client, "not yet")
			expect(t, origin, "not yet")
			closeWrite(t, client)
			expectEnd(t, origin)
			if r := <-res; r.Cause != tunnel.CauseOriginClosed || r.Sent != 7 || r.Received != 3 || r.Err != nil {
				t.Errorf("got %+v; want 7 sent, 3 received, %s", r, tunnel.CauseOriginClosed)
			}
		})
	}
}

func TestJoin_EarlyBytesFirst(t *testing.T) {
	var g tunnel.Registry
	early := tunnel.Early{FromClient: []byte("hello, "), FromOrigin: []byte("welcome ")}
	client, c := pair(t, "tcp")
	origin, o := pair(t, "tcp")
	send(t, client, "origin")
	send(t, origin, "client")
	res := join(&g, c, o, early, tunnel.Options{})
	expect(t, origin, "hello, origin")
	expect(t, client, "welcome client")
	client.Close()
	origin.Close()
	if r := <-res; r.Sent != 13 || r.Received != 14 {
		t.Errorf("sent %d, received %d; want 13, 14", r.Sent, r.Received)
	}
}

// A deadline left over from reading a head must not cut the tunnel.
func TestJoin_ClearsDeadlines(t *testing.T) {
	var g tunnel.Registry
	client, c := pair(t, "tcp")
	origin, o := pair(t, "tcp")
	past := time.Now().Add(-time.Second)
	c.SetDeadline(past)
	o.SetDeadline(past)
	join(&g, c, o, tunnel.Early{}, tunnel.Options{})
	send(t, client, "x")
	expect(t, origin, "x")
}

// What was cut off by a reset must not look complete to the other side.
func TestJoin_ResetIsPassedOn(t *testing.T) {
	for _, side := range []string{"origin", "client"} {
		t.Run(side, func(t *testing.T) {
			var g tunnel.Registry
			client, origin, res := start(t, &g, "tcp", tunnel.Early{}, tunnel.Options{})
			from, to := origin, client
			if side == "client" {
				from, to = client, origin
			}
			send(t, from, "half of it")
			expect(t, to, "half of it")
			from.(*net.TCPConn).SetLinger(0)
			from.Close()
			if _, err := to.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
				t.Errorf("read after the %s's reset: %v; want %v", side, err, syscall.ECONNRESET)
			}
			r := <-res
			if r.Cause != tunnel.CauseError || !errors.Is(r.Err, syscall.ECONNRESET) {
				t.Errorf("got %s, %v; want %s, %v", r.Cause, r.Err, tunnel.CauseError, syscall.ECONNRESET)
			}
		})
	}
}

// An origin that answers and closes while the client still sends: the answer
// arrives.
func TestJoin_AnswerBeforeTheEndOfTheRequest(t *testing.T) {
	var g tunnel.Registry
	client, origin, res := start(t, &g, "unix", tunnel.Early{}, tunnel.Options{})
	if err := origin.(*net.UnixConn).CloseRead(); err != nil {
		t.Fatal(err)
	}
	send(t, client, "a body that nobody reads")
	for client.SetWriteDeadline(time.Now().Add(time.Second)); ; {
		if _, err := client.Write(make([]byte, 1<<10)); err != nil {
			break
		}
	}
	send(t, origin, "413")
	expect(t, client, "413")
	origin.Close()
	client.Close()
	if r := <-res; r.Cause != tunnel.CauseOriginClosed {
		t.Errorf("cause %s, %v; want %s", r.Cause, r.Err, tunnel.CauseOriginClosed)
	}
}

// Bulk in both directions at once, in pieces of every size, with pauses that let
// a flow change between copying and splicing.
func TestJoin_BulkKeepsEveryByte(t *testing.T) {
	for _, network := range networks {
		t.Run(network, func(t *testing.T) {
			var g tunnel.Registry
			client, origin, res := start(t, &g, network, tunnel.Early{FromClient: []byte("e"), FromOrigin: []byte("E")}, tunnel.Options{})
			const total = 64 << 20
			sums := make(chan [2][]byte, 2)
			go pour(client, total, 1)
			go pour(origin, total, 2)
			go func() { sums <- [2][]byte{digest(origin), wanted("e", total, 1)} }()
			go func() { sums <- [2][]byte{digest(client), wanted("E", total, 2)} }()
			for range 2 {
				if s := <-sums; !bytes.Equal(s[0], s[1]) {
					t.Errorf("got hash %x; want %x", s[0], s[1])
				}
			}
			if r := <-res; r.Sent != total+1 || r.Received != total+1 || r.Err != nil {
				t.Errorf("got %+v; want %d both ways", r, total+1)
			}
		})
	}
}

// A reader that takes bytes slowly out of large buffers is not idle, even though
// a single write waits for longer than the drain timeout. A fast beginning lets
// the kernel make the buffers large.
func TestJoin_SlowReaderIsNoIdleTunnel(t *testing.T) {
	if testing.Short() {
		t.Skip("takes four seconds")
	}
	if runtime.GOOS != "linux" {
		t.Skip("the length of the send queue is known on Linux only")
	}
	var g tunnel.Registry
	client, origin, res := start(t, &g, "tcp", tunnel.Early{}, tunnel.Options{DrainTimeout: time.Second})
	closeWrite(t, client)
	expectEnd(t, origin)
	const total, fast, step = 96 << 20, 64 << 20, 400 << 10
	go pour(origin, total, 3)
	if _, err := io.CopyN(io.Discard, client, fast); err != nil {
		t.Fatal(err)
	}
	for range 6 {
		time.Sleep(600 * time.Millisecond)
		if _, err := io.CopyN(io.Discard, client, step); err != nil {
			t.Fatalf("slow reading: %v", err)
		}
	}
	if n, err := io.Copy(io.Discard, client); n != total-fast-6*step || err != nil {
		t.Errorf("got %d more bytes, %v; want %d", n, err, total-fast-6*step)
	}
	if r := <-res; r.Cause != tunnel.CauseClientClosed {
		t.Errorf("cause %s; want %s", r.Cause, tunnel.CauseClientClosed)
	}
}

// A client that stops reading is cut at the drain timeout.
func TestJoin_StalledReaderIsCut(t *testing.T) {
	var g tunnel.Registry
	client, origin, res := start(t, &g, "tcp", tunnel.Early{}, tunnel.Options{DrainTimeout: 100 * time.Millisecond})
	closeWrite(t, client)
	expectEnd(t, origin)
	go pour(origin, 64<<20, 3)
	if r := <-res; r.Cause != tunnel.CauseDrainTimeout {
		t.Errorf("cause %s; want %s", r.Cause, tunnel.CauseDrainTimeout)
	}
}

// One side in TLS, as when a WebSocket is opened to an https:// origin.
func TestJoin_TLS(t *testing.T) {
	var g tunnel.Registry
	cert, pool := certificate(t)
	client, c := pair(t, "tcp")
	origin, o := pair(t, "tcp")
	server := tls.Server(origin, &tls.Config{Certificates: []tls.Certificate{cert}})
	dialled := tls.Client(o, &tls.Config{RootCAs: pool, ServerName: "origin.test"})
	go server.Handshake()
	if err := dialled.Handshake(); err != nil {
		t.Fatal(err)
	}
	res := join(&g, c, dialled, tunnel.Early{}, tunnel.Options{})
	const total = 8 << 20
	sums := make(chan []byte, 2)
	go pour(client, total, 1)
	go pour(server, total, 2)
	go func() { sums <- digest(server) }()
	got := digest(client)
	if want := wanted("", total, 2); !bytes.Equal(got, want) {
		t.Errorf("down: got hash %x; want %x", got, want)
	}
	if got, want := <-sums, wanted("", total, 1); !bytes.Equal(got, want) {
		t.Errorf("up: got hash %x; want %x", got, want)
	}
	if r := <-res; r.Sent != total || r.Received != total || r.Err != nil {
		t.Errorf("got %+v; want %d both ways", r, total)
	}
}

// A type around a connection may hold bytes back: its Read must be used.
func TestJoin_DoesNotBypassAWrapper(t *testing.T) {
	var g tunnel.Registry
	client, c := pair(t, "tcp")
	origin, o := pair(t, "tcp")
	send(t, client, "world")
	w := &prefixed{TCPConn: c.(*net.TCPConn), prefix: "hello "}
	res := join(&g, w, o, tunnel.Early{}, tunnel.Options{})
	expect(t, origin, "hello world")
	closeWrite(t, client)
	expectEnd(t, origin)
	closeWrite(t, origin)
	expectEnd(t, client)
	if r := <-res; r.Sent != 11 || r.Cause != tunnel.CauseClientClosed {
		t.Errorf("got %+v; want 11 sent, %s", r, tunnel.CauseClientClosed)
	}
}

type prefixed struct {
	*net.TCPConn
	prefix string
}

func (p *prefixed) Read(b []byte) (int, error) {
	if p.prefix == "" {
		return p.TCPConn.Read(b)
	}
	n := copy(b, p.prefix)
	p.prefix = p.prefix[n:]
	return n, nil
}
