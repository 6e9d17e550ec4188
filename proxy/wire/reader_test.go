package wire_test

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jayproxy/jay/proxy/wire"
)

// errPast is the error of a connection from which more was read than needed.
var errPast = errors.New("read past what was needed")

func TestReader_pipelined(t *testing.T) {
	const n = 500
	var b strings.Builder
	for i := range n {
		switch i % 4 {
		case 0:
			fmt.Fprintf(&b, "GET /%d HTTP/1.1\r\nHost: a\r\n\r\n", i)
		case 1:
			fmt.Fprintf(&b, "POST /%d HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nGET /", i)
		case 2:
			fmt.Fprintf(&b, "\r\nPUT /%d HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nGET\r\n2\r\n /\r\n0\r\n\r\n", i)
		case 3:
			fmt.Fprintf(&b, "GET /%d HTTP/1.1\r\nHost: a\r\nX: %s\r\n\r\n", i, strings.Repeat("x", i*20))
		}
	}
	for name, conn := range map[string]*script{"whole": whole(b.String()), "bytewise": bytewise(b.String())} {
		r := wire.NewReader(conn)
		for i := range n {
			if err := r.Wait(); err != nil {
				t.Fatalf("%s: Wait before request %d: %v", name, i, err)
			}
			m := receiveRequest(r)
			if m.err != nil {
				t.Fatalf("%s: request %d: %v", name, i, m.err)
			}
			if want := fmt.Sprintf("/%d", i); m.req.Target != want {
				t.Fatalf("%s: got target %q; want %q", name, m.req.Target, want)
			}
			if want := []string{"", "GET /", "GET /", ""}[i%4]; m.body != want {
				t.Fatalf("%s: request %d: got body %q; want %q", name, i, m.body, want)
			}
		}
		if r.Pending() || len(r.Buffered()) != 0 {
			t.Errorf("%s: got %q left over; want nothing", name, r.Buffered())
		}
		if err := r.Wait(); err != io.EOF {
			t.Errorf("%s: Wait at the end: got %v; want EOF", name, err)
		}
		if _, err := r.Head(wire.Limits{}); err != io.EOF {
			t.Errorf("%s: Head at the end: got %v; want EOF", name, err)
		}
	}
}

// TestReader_Head_faults_at_once reads heads that are not complete and never
// will be, from a connection that must not be read again.
func TestReader_Head_faults_at_once(t *testing.T) {
	for raw, status := range map[string]int{
		"GET / HTTP/1.1\n":                   400,
		"\n":                                 400,
		"GET / HTTP/1.1\r\nHost: a\n":        400,
		"GET / HTTP/1.1\r\nHost: a\r\n\n":    400,
		"GET / HTTP/1.1\r\nX: a\rb":          400,
		"GET / HTTP/1.1\r\nX: a\x00":         400,
		"\x00":                               400,
		"\r\n\r\n":                           400,
		"GET /\r\n":                          400,
		"SSH-2.0-x\r\n":                      400,
		"GET / HTTP/1.1 \r\n":                400,
		"GET /" + strings.Repeat("a", 17000): 414,
		"GET / HTTP/1.1\r\nX: " + strings.Repeat("a", 1e5):     431,
		"GET / HTTP/1.1\r\n" + strings.Repeat("X: a\r\n", 1e5): 431,
	} {
		for name, step := range map[string]int{"whole": 0, "bytewise": 1} {
			var m received
			r := wire.NewReader(&script{pieces: []string{raw}, step: step, err: errPast})
			_, m.err = r.Head(wire.Limits{})
			if m.status() != status {
				t.Errorf("%.60q, %s: got %v; want status %d", raw, name, m.err, status)
			}
		}
	}
}

func TestReader_Head_RFC9112_8_incomplete(t *testing.T) {
	reset := &net.OpError{Op: "read", Err: os.NewSyscallError("read", errReset)}
	for _, tt := range []struct {
		raw  string
		end  error
		want error
	}{
		{"", io.EOF, io.EOF},
		{"\r\n", io.EOF, io.EOF},
		{"\r", io.EOF, io.ErrUnexpectedEOF},
		{"G", io.EOF, io.ErrUnexpectedEOF},
		{"GET / HTTP/1.1\r\nHost: a\r\n\r", io.EOF, io.ErrUnexpectedEOF},
		{"HTTP/1.1 200 OK\r\n", io.EOF, io.ErrUnexpectedEOF},
		{"", reset, reset},
		{"G", reset, io.ErrUnexpectedEOF},
		{"G", errPast, errPast},
	} {
		r := wire.NewReader(&script{pieces: []string{tt.raw}, err: tt.end})
		if _, err := r.Head(wire.Limits{}); err != tt.want {
			t.Errorf("%q, %v: got %v; want %v", tt.raw, tt.end, err, tt.want)
		}
	}
}

func TestReader_Head_RFC9112_2_2_empty_line(t *testing.T) {
	const head = "GET / HTTP/1.1\r\nHost: a\r\n\r\n"
	r := wire.NewReader(bytewise("\r\n" + head + "\r\n" + head + head))
	for i := range 3 {
		if got, err := r.Head(wire.Limits{}); got != head || err != nil {
			t.Errorf("head %d: got %q, %v; want %q", i, got, err, head)
		}
	}
	var m received
	_, m.err = wire.NewReader(whole("\r\n" + plainResponse)).Head(wire.Limits{})
	if m.status() != 400 {
		t.Errorf("empty line before a response: got %v; want an *Error", m.err)
	}
}

func TestReader_Head_larger_limits(t *testing.T) {
	head := "GET / HTTP/1.1\r\nHost: a\r\nX: " + strings.Repeat("x", 300_000) + "\r\n\r\n"
	lim := wire.Limits{HeadBytes: len(head)}
	r := wire.NewReader(whole(head + "GET"))
	got, err := r.Head(lim)
	if got != head || err != nil {
		t.Errorf("got %d bytes, %v; want %d", len(got), err, len(head))
	}
	if string(r.Buffered()) != "GET" {
		t.Errorf("got %q left over; want GET", r.Buffered())
	}
	lim.HeadBytes--
	for name, conn := range map[string]*script{"whole": whole(head), "in two": {pieces: []string{head[:200_000], head[200_000:]}, err: io.EOF}} {
		var m received
		if _, m.err = wire.NewReader(conn).Head(lim); m.status() != 431 {
			t.Errorf("%s, one byte too much: got %v; want 431", name, m.err)
		}
	}
}

func TestReader_Wait_pipe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, server := net.Pipe()
		defer client.Close()
		r := wire.NewReader(server)
		if r.Conn() != server {
			t.Error("Conn: got another connection")
		}
		if err := server.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
			t.Fatal(err)
		}
		if err := r.Wait(); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("got %v; want a time-out", err)
		}
		if err := server.SetReadDeadline(time.Time{}); err != nil {
			t.Fatal(err)
		}
		go func() {
			for _, s := range []string{"\r\n", "GE", "T / HTTP/1.0\r\n", "\r\nrest"} {
				time.Sleep(time.Hour)
				io.WriteString(client, s)
			}
			client.Close()
		}()
		start := time.Now()
		if err := r.Wait(); err != nil || time.Since(start) != 2*time.Hour {
			t.Errorf("Wait: got %v after %v; want it to pass over the empty line", err, time.Since(start))
		}
		if got, err := r.Head(wire.Limits{}); got != "GET / HTTP/1.0\r\n\r\n" || err != nil {
			t.Errorf("Head: got %q, %v", got, err)
		}
		if err := r.Fill(); err != io.EOF {
			t.Errorf("Fill: got %v; want EOF", err)
		}
		if got := string(r.Buffered()); got != "rest" || !r.Pending() {
			t.Errorf("Buffered: got %q; want rest", got)
		}
	})
}

func TestReader_Fill(t *testing.T) {
	r := wire.NewReader(&script{pieces: []string{"GET / HTTP/1.0\r\n\r\nabc", strings.Repeat("d", 100_000)}, err: errPast})
	if _, err := r.Head(wire.Limits{}); err != nil {
		t.Fatal(err)
	}
	size := r.Held()
	for range 3 {
		if err := r.Fill(); err != nil && err != wire.ErrFull {
			t.Errorf("got %v; want no error or ErrFull", err)
		}
	}
	if err := r.Fill(); err != wire.ErrFull {
		t.Errorf("full: got %v; want ErrFull", err)
	}
	if r.Held() != size || len(r.Buffered()) != size {
		t.Errorf("got %d bytes in a buffer of %d; want one full buffer of %d", len(r.Buffered()), r.Held(), size)
	}
	if got := string(r.Buffered()[:5]); got != "abcdd" {
		t.Errorf("got %q...; want abcdd", got)
	}
	r.Release()
	if r.Held() == 0 {
		t.Error("Release: a buffer with bytes in it was given back")
	}
}

// odd is a connection that behaves as io.Reader allows and seldom does.
type odd struct {
	net.Conn
	n   int
	err error
}

func (c *odd) Read(p []byte) (int, error) {
	n := copy(p, "GET / HTTP/1.0\r\n\r\n"[:c.n])
	return n, c.err
}

func TestReader_odd_connections(t *testing.T) {
	r := wire.NewReader(&odd{n: 18, err: io.EOF})
	if got, err := r.Head(wire.Limits{}); len(got) != 18 || err != nil {
		t.Errorf("bytes along with EOF: got %q, %v; want the head", got, err)
	}
	if err := r.Wait(); err != io.EOF {
		t.Errorf("after it: got %v; want EOF", err)
	}
	r = wire.NewReader(&odd{})
	if err := r.Wait(); err != io.ErrNoProgress {
		t.Errorf("no bytes and no error: got %v; want ErrNoProgress", err)
	}
	if r.Held() != 0 {
		t.Errorf("got a buffer of %d bytes held with nothing in it; want none", r.Held())
	}
}
