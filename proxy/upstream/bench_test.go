package upstream_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"testing"

	"github.com/jayproxy/jay/proxy/upstream"
)

// echoOrigin answers each read with one response of size bytes, as cheaply as it can.
func echoOrigin(b *testing.B, size int) *origin {
	answer := fmt.Appendf(nil, "HTTP/1.1 200 OK\r\nDate: Mon, 01 Jan 2024 00:00:00 GMT\r\nServer: o\r\nContent-Type: text/plain\r\nCache-Control: max-age=60\r\nETag: \"abc\"\r\nContent-Length: %d\r\n\r\n", size)
	answer = append(answer, bytes.Repeat([]byte("x"), size)...)
	return newOrigin(b, func(_ int, p *peer) {
		buf := make([]byte, 4096)
		for {
			if n, err := p.Read(buf); err != nil || n == 0 {
				return
			}
			p.Write(answer)
		}
	})
}

func benchDo(b *testing.B, size int, ctx context.Context, r *upstream.Request) {
	o := echoOrigin(b, size)
	c := newClient(b, upstream.Options{})
	key := o.origin()
	buf := make([]byte, 64<<10)
	b.ReportAllocs()
	for b.Loop() {
		resp, err := c.Do(ctx, key, r)
		if err != nil {
			b.Fatal(err)
		}
		for {
			_, err := resp.Body.Read(buf)
			if err == io.EOF {
				break
			}
			if err != nil {
				b.Fatal(err)
			}
		}
		resp.Close()
	}
	if n := o.accepted.Load(); n != 1 {
		b.Fatalf("got %d connections; want 1", n)
	}
}

// BenchmarkDo is one exchange on a kept connection over loopback, the origin's
// share included.
func BenchmarkDo(b *testing.B) {
	ctx, cancel := context.WithCancel(b.Context())
	defer cancel()
	b.Run("1KiB", func(b *testing.B) { benchDo(b, 1<<10, ctx, get()) })
	b.Run("1KiB-background", func(b *testing.B) { benchDo(b, 1<<10, context.Background(), get()) })
	b.Run("100KiB", func(b *testing.B) { benchDo(b, 100<<10, ctx, get()) })
}

// BenchmarkTransport is the same with net/http's client.
func BenchmarkTransport(b *testing.B) {
	o := echoOrigin(b, 1<<10)
	tr := &http.Transport{DisableCompression: true}
	defer tr.CloseIdleConnections()
	buf := make([]byte, 64<<10)
	b.ReportAllocs()
	for b.Loop() {
		r, err := http.NewRequestWithContext(b.Context(), "GET", "http://"+o.ln.Addr().String(), nil)
		if err != nil {
			b.Fatal(err)
		}
		resp, err := tr.RoundTrip(r)
		if err != nil {
			b.Fatal(err)
		}
		for err == nil {
			_, err = resp.Body.Read(buf)
		}
		resp.Body.Close()
	}
}

// BenchmarkDoParallel has many exchanges at once on many connections.
func BenchmarkDoParallel(b *testing.B) {
	o := echoOrigin(b, 1<<10)
	c := newClient(b, upstream.Options{})
	key := o.origin()
	b.SetParallelism(16)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		ctx, cancel := context.WithCancel(b.Context())
		defer cancel()
		buf := make([]byte, 64<<10)
		for pb.Next() {
			resp, err := c.Do(ctx, key, get())
			if err != nil {
				b.Error(err)
				return
			}
			for err == nil {
				_, err = resp.Body.Read(buf)
			}
			resp.Close()
		}
	})
}

// BenchmarkRaw is the same traffic without the client: write, read.
func BenchmarkRaw(b *testing.B) {
	o := echoOrigin(b, 1<<10)
	nc, err := net.Dial("tcp", o.ln.Addr().String())
	if err != nil {
		b.Fatal(err)
	}
	defer nc.Close()
	head, buf := get().Head, make([]byte, 64<<10)
	b.ReportAllocs()
	for b.Loop() {
		nc.Write(head)
		for n := 0; n < 1<<10; {
			m, err := nc.Read(buf)
			if err != nil {
				b.Fatal(err)
			}
			n += m
		}
	}
}
