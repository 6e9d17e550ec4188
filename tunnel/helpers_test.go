package tunnel_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"io"
	"math/big"
	mathrand "math/rand/v2"
	"net"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/jayproxy/jay/tunnel"
)

// pair returns the two ends of a loopback connection; the second was accepted.
func pair(tb testing.TB, network string) (net.Conn, net.Conn) {
	tb.Helper()
	address := "127.0.0.1:0"
	if network == "unix" {
		address = filepath.Join(tb.TempDir(), "s")
	}
	l, err := net.Listen(network, address)
	if err != nil {
		tb.Fatal(err)
	}
	defer l.Close()
	a, err := net.Dial(network, l.Addr().String())
	if err != nil {
		tb.Fatal(err)
	}
	b, err := l.Accept()
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { a.Close(); b.Close() })
	return a, b
}

// start joins two connections and returns their far ends.
func start(tb testing.TB, g *tunnel.Registry, network string, early tunnel.Early, opt tunnel.Options) (client, origin net.Conn, res <-chan tunnel.Result) {
	tb.Helper()
	client, c := pair(tb, network)
	origin, o := pair(tb, network)
	return client, origin, join(g, c, o, early, opt)
}

func join(g *tunnel.Registry, c, o net.Conn, early tunnel.Early, opt tunnel.Options) <-chan tunnel.Result {
	res := make(chan tunnel.Result, 1)
	go func() { res <- g.Join(context.Background(), c, o, early, opt) }()
	return res
}

func send(tb testing.TB, c net.Conn, s string) {
	tb.Helper()
	if _, err := io.WriteString(c, s); err != nil {
		tb.Fatalf("write: %v", err)
	}
}

func expect(tb testing.TB, c net.Conn, want string) {
	tb.Helper()
	got := make([]byte, len(want))
	if n, err := io.ReadFull(c, got); err != nil || string(got) != want {
		tb.Fatalf("read %q, %v; want %q", got[:n], err, want)
	}
}

func expectEnd(tb testing.TB, c net.Conn) {
	tb.Helper()
	if n, err := c.Read(make([]byte, 1)); n != 0 || err != io.EOF {
		tb.Fatalf("read %d bytes, %v; want the end of the stream", n, err)
	}
}

func closeWrite(tb testing.TB, c net.Conn) {
	tb.Helper()
	if err := c.(interface{ CloseWrite() error }).CloseWrite(); err != nil {
		tb.Fatal(err)
	}
}

// pour writes total bytes that depend on seed, then ends the stream.
func pour(c net.Conn, total int, seed uint64) {
	g := generator(total, seed)
	for {
		p := g()
		if p == nil {
			break
		}
		if _, err := c.Write(p); err != nil {
			return
		}
	}
	c.(interface{ CloseWrite() error }).CloseWrite()
}

func generator(total int, seed uint64) func() []byte {
	rnd := mathrand.New(mathrand.NewPCG(seed, 0))
	block := make([]byte, 1<<20)
	mathrand.NewChaCha8([32]byte{byte(seed)}).Read(block)
	return func() []byte {
		if total == 0 {
			return nil
		}
		n := min(1+rnd.IntN(1<<rnd.IntN(20)), total)
		total -= n
		off := rnd.IntN(len(block) - n + 1)
		return block[off : off+n]
	}
}

func digest(r io.Reader) []byte {
	h := sha256.New()
	if _, err := io.Copy(h, r); err != nil {
		return []byte(err.Error())
	}
	return h.Sum(nil)
}

func wanted(early string, total int, seed uint64) []byte {
	h := sha256.New()
	io.WriteString(h, early)
	g := generator(total, seed)
	for p := g(); p != nil; p = g() {
		h.Write(p)
	}
	return h.Sum(nil)
}

// exchange sends n bytes each way and waits for them.
func exchange(tb testing.TB, client, origin net.Conn, n int64) {
	tb.Helper()
	p := make([]byte, n)
	go client.Write(p)
	if _, err := io.CopyN(io.Discard, origin, n); err != nil {
		tb.Error(err)
	}
	go origin.Write(p)
	if _, err := io.CopyN(io.Discard, client, n); err != nil {
		tb.Error(err)
	}
}

func exchangeOne(tb testing.TB, g *tunnel.Registry) {
	client, origin, res := start(tb, g, "tcp", tunnel.Early{}, tunnel.Options{})
	exchange(tb, client, origin, 64)
	client.Close()
	origin.Close()
	<-res
}

// cut shuts down without a grace time.
func cut(tb testing.TB, g *tunnel.Registry) {
	tb.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	live := g.Count()
	if err := g.Shutdown(ctx); (err != nil) != (live > 0) {
		tb.Errorf("Shutdown with %d live tunnels: %v", live, err)
	}
}

// idleMemory returns the bytes of heap and stacks that an idle tunnel takes, less
// those of the far ends, which belong to the test.
func idleMemory(tb testing.TB, tunnels int) int {
	tb.Helper()
	var g tunnel.Registry
	exchangeOne(tb, &g)
	ends := make([][4]net.Conn, tunnels)
	before := inUse()
	for i := range ends {
		ends[i][0], ends[i][1] = pair(tb, "tcp")
		ends[i][2], ends[i][3] = pair(tb, "tcp")
	}
	connections := inUse() - before
	for _, e := range ends {
		join(&g, e[1], e[3], tunnel.Early{}, tunnel.Options{})
	}
	for _, e := range ends {
		exchange(tb, e[0], e[2], 64<<10)
	}
	all := inUse() - before
	cut(tb, &g)
	return int(all-connections/2) / tunnels
}

func inUse() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc + m.StackInuse
}
func certificate(tb testing.TB) (tls.Certificate, *x509.CertPool) {
	tb.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		tb.Fatal(err)
	}
	tmpl := &x509.Certificate{
		SerialNumber: big.NewInt(1), DNSNames: []string{"origin.test"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, &key.PublicKey, key)
	if err != nil {
		tb.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		tb.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(leaf)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, pool
}
