package wire_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"math/big"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jayproxy/jay/proxy/wire"
)

// errReset is what a read from a connection that was reset gives.
const errReset = syscall.ECONNRESET

// tcpPair is a TCP connection over the loopback interface, closed at the end.
func tcpPair(t testing.TB) (client, server *net.TCPConn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	s, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close(); s.Close() })
	return c.(*net.TCPConn), s.(*net.TCPConn)
}

func write(t testing.TB, c net.Conn, s string) {
	t.Helper()
	if _, err := io.WriteString(c, s); err != nil {
		t.Fatal(err)
	}
}

func TestReader_TCP_holds_no_buffer(t *testing.T) {
	client, server := tcpPair(t)
	r := wire.NewReader(server)
	for _, name := range []string{"first", "second"} {
		server.SetReadDeadline(time.Now().Add(10 * time.Millisecond))
		if err := r.Wait(); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatalf("%s: got %v; want a time-out", name, err)
		}
		if r.Held() != 0 {
			t.Errorf("%s: got a buffer of %d bytes; want none", name, r.Held())
		}
		server.SetReadDeadline(time.Time{})
		write(t, client, plainHead+"rest")
		if err := r.Wait(); err != nil || !r.Pending() {
			t.Fatalf("%s: Wait: got %v; want bytes", name, err)
		}
		if got, err := r.Head(wire.Limits{}); got != plainHead || err != nil {
			t.Fatalf("%s: Head: got %q, %v", name, got, err)
		}
		var b wire.Body
		r.Body(&b, wire.Framing{Length: 8})
		p := make([]byte, 8)
		if n, err := b.Read(p); string(p[:n]) != "rest" || err != nil {
			t.Errorf("%s: Read: got %q, %v; want rest", name, p[:n], err)
		}
		write(t, client, "more")
		if n, err := b.Read(p); string(p[:n]) != "more" || err != nil {
			t.Errorf("%s: Read: got %q, %v; want more", name, p[:n], err)
		}
		if r.Held() != 0 {
			t.Errorf("%s: got a buffer of %d bytes during a body; want none", name, r.Held())
		}
	}
	client.CloseWrite()
	for range 2 {
		if err := r.Wait(); err != io.EOF {
			t.Errorf("after FIN: got %v; want EOF", err)
		}
	}
}

func TestReader_TCP_reset(t *testing.T) {
	client, server := tcpPair(t)
	r := wire.NewReader(server)
	write(t, client, "GET / HTTP/1.1\r\n")
	if err := r.Wait(); err != nil {
		t.Fatal(err)
	}
	client.SetLinger(0)
	client.Close()
	if _, err := r.Head(wire.Limits{}); err != io.ErrUnexpectedEOF {
		t.Errorf("reset within a head: got %v; want unexpected EOF", err)
	}

	client, server = tcpPair(t)
	r = wire.NewReader(server)
	client.SetLinger(0)
	client.Close()
	if err := r.Wait(); !errors.Is(err, errReset) {
		t.Errorf("reset while waiting: got %v; want ECONNRESET", err)
	}
	if err := r.Fill(); !errors.Is(err, errReset) {
		t.Errorf("after it: got %v; want ECONNRESET", err)
	}

	_, server = tcpPair(t)
	r = wire.NewReader(server)
	server.Close()
	if err := r.Wait(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("closed on this side: got %v; want net.ErrClosed", err)
	}
}

// TestBody_RFC9112_8_until_close: only a clean end proves such a body whole.
func TestBody_RFC9112_8_until_close(t *testing.T) {
	const head = "HTTP/1.1 200 OK\r\n\r\n"
	for name, tt := range map[string]struct {
		end  func(*net.TCPConn)
		want error
	}{
		"FIN":   {func(c *net.TCPConn) { c.Close() }, nil},
		"reset": {func(c *net.TCPConn) { time.Sleep(0); c.SetLinger(0); c.Close() }, io.ErrUnexpectedEOF},
	} {
		client, server := tcpPair(t)
		r := wire.NewReader(client)
		body := strings.Repeat("x", 30_000)
		done := make(chan bool)
		go func() {
			defer close(done)
			io.WriteString(server, head+body)
			var ack [1]byte
			server.Read(ack[:]) // all has been read: a reset discards nothing
			tt.end(server)
		}()
		text, err := r.Head(wire.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		var resp wire.Response
		if err := wire.ParseResponse(text, "GET", wire.Limits{}, &resp); err != nil {
			t.Fatal(err)
		}
		var b wire.Body
		r.Body(&b, resp.Body)
		got := make([]byte, len(body))
		if _, err := io.ReadFull(&b, got); err != nil || string(got) != body {
			t.Errorf("%s: got %d bytes, %v; want the body", name, len(got), err)
		}
		if b.Whole() || b.Remaining() != -1 {
			t.Errorf("%s: before the end: got whole %v, %d remaining; want false, -1", name, b.Whole(), b.Remaining())
		}
		write(t, client, "k")
		rest, err := io.ReadAll(&b)
		if len(rest) != 0 || err != tt.want || b.Whole() != (tt.want == nil) {
			t.Errorf("%s: got %q, %v, whole %v; want %v", name, rest, err, b.Whole(), tt.want)
		}
		<-done
	}
}

// certificate is a self-signed one.
func certificate(t *testing.T) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

func TestBody_TLS(t *testing.T) {
	config := &tls.Config{Certificates: []tls.Certificate{certificate(t)}}
	for _, tt := range []struct {
		name, lines, body string
		notify            bool
		want              string
		err               error
	}{
		{"length", "Content-Length: 5\r\n", "abcde", false, "abcde", nil},
		{"chunked", "Transfer-Encoding: chunked\r\n", "5\r\nabcde\r\n0\r\n\r\n", false, "abcde", nil},
		{"length cut", "Content-Length: 6\r\n", "abcde", true, "abcde", io.ErrUnexpectedEOF},
		{"until close_notify", "", "abcde", true, "abcde", nil},
		{"until FIN", "", "abcde", false, "abcde", io.ErrUnexpectedEOF},
	} {
		client, server := tcpPair(t)
		done := make(chan bool)
		go func() {
			defer close(done)
			c := tls.Server(server, config)
			io.WriteString(c, "HTTP/1.1 200 OK\r\n"+tt.lines+"\r\n"+tt.body)
			if tt.notify {
				c.CloseWrite()
			}
			server.CloseWrite()
		}()
		r := wire.NewReader(tls.Client(&wire.UnderTLS{Conn: client}, &tls.Config{InsecureSkipVerify: true}))
		m := receiveResponse(r, "GET")
		if m.body != tt.want || m.err != tt.err {
			t.Errorf("%s: got %q, %v; want %q, %v", tt.name, m.body, m.err, tt.want, tt.err)
		}
		<-done
	}
}

func TestReader_TCP_allocations(t *testing.T) {
	if raceEnabled {
		t.Skip("sync.Pool drops buffers under the race detector")
	}
	client, server := tcpPair(t)
	r := wire.NewReader(server)
	var req wire.Request
	head := []byte(plainHead)
	n := testing.AllocsPerRun(200, func() {
		if _, err := client.Write(head); err != nil {
			t.Error(err)
		}
		if err := r.Wait(); err != nil {
			t.Error(err)
		}
		text, err := r.Head(wire.Limits{})
		if err != nil {
			t.Error(err)
		}
		if err := wire.ParseRequest(text, wire.Limits{}, &req); err != nil {
			t.Error(err)
		}
	})
	if n != 0 {
		t.Errorf("got %v allocations for a request; want 0", n)
	}
}
