package wire_test

import (
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/jayproxy/jay/proxy/wire"
)

// plainHead is what a browser behind a proxy sends, with six fields.
const plainHead = "GET http://www.example.org/assets/img/logo.png?v=17 HTTP/1.1\r\n" +
	"Host: www.example.org\r\n" +
	"User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0\r\n" +
	"Accept: image/avif,image/webp,*/*;q=0.8\r\n" +
	"Accept-Language: en-US,en;q=0.5\r\n" +
	"Accept-Encoding: gzip, deflate\r\n" +
	"Connection: keep-alive\r\n\r\n"

const plainResponse = "HTTP/1.1 200 OK\r\n" +
	"Date: Mon, 07 Jul 2025 10:00:00 GMT\r\n" +
	"Server: nginx/1.22.1\r\n" +
	"Content-Type: image/png\r\n" +
	"Content-Length: 12345\r\n" +
	"Last-Modified: Mon, 07 Jul 2025 09:00:00 GMT\r\n" +
	"ETag: \"686b9a10-3039\"\r\n" +
	"Cache-Control: max-age=3600\r\n\r\n"

// manyFields is a request head with n fields beside Host.
func manyFields(n int) string {
	var b strings.Builder
	b.WriteString("GET / HTTP/1.1\r\nHost: example.org\r\n")
	for i := range n {
		fmt.Fprintf(&b, "X%04d: %d\r\n", i, i)
	}
	b.WriteString("\r\n")
	return b.String()
}

func BenchmarkParseRequest(b *testing.B) {
	for _, bm := range []struct {
		name, head string
		fail       bool
	}{
		{"plain", plainHead, false},
		{"curl", "GET http://example.org/ HTTP/1.1\r\nHost: example.org\r\nUser-Agent: curl/7.88.1\r\nAccept: */*\r\nProxy-Connection: Keep-Alive\r\n\r\n", false},
		{"256-fields", manyFields(255), false},
		{"5000-fields", manyFields(5000), true},
	} {
		b.Run(bm.name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(bm.head)))
			var req wire.Request
			lim := wire.Limits{}
			for b.Loop() {
				if err := wire.ParseRequest(bm.head, lim, &req); (err != nil) != bm.fail {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkParseResponse(b *testing.B) {
	folded := "HTTP/1.1 200 OK\r\nX: a\r\n" + strings.Repeat(" b\r\n", 16_000) + "\r\n"
	for _, bm := range []struct {
		name, head string
		fail       bool
	}{
		{"plain", plainResponse, false},
		{"5000-fields", "HTTP/1.1 200 OK\r\n" + strings.Repeat("X: a\r\n", 5000) + "\r\n", true},
		{"16000-folds", folded, false},
	} {
		b.Run(bm.name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(bm.head)))
			var resp wire.Response
			for b.Loop() {
				if err := wire.ParseResponse(bm.head, "GET", wire.Limits{}, &resp); (err != nil) != bm.fail {
					b.Fatal(err)
				}
			}
		})
	}
}

// endless is a connection that repeats its text for ever.
type endless struct {
	net.Conn
	text string
	at   int
}

func (c *endless) Read(p []byte) (int, error) {
	n := copy(p, c.text[c.at:])
	c.at = (c.at + n) % len(c.text)
	return n, nil
}

func BenchmarkReader_Head(b *testing.B) {
	b.ReportAllocs()
	b.SetBytes(int64(len(plainHead)))
	r := wire.NewReader(&endless{text: plainHead})
	for b.Loop() {
		if _, err := r.Head(wire.Limits{}); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkReader_request is all that this package does for one request.
func BenchmarkReader_request(b *testing.B) {
	b.ReportAllocs()
	r := wire.NewReader(&endless{text: plainHead})
	var req wire.Request
	for b.Loop() {
		if err := r.Wait(); err != nil {
			b.Fatal(err)
		}
		head, err := r.Head(wire.Limits{})
		if err != nil {
			b.Fatal(err)
		}
		if err := wire.ParseRequest(head, wire.Limits{}, &req); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkBody_chunked(b *testing.B) {
	for _, size := range []int{100, 4 << 10, 32 << 10} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(64 << 10)
			raw := wire.AppendChunk(nil, make([]byte, size))
			body, _ := bodyOf(&endless{text: string(raw)}, chunkedFraming)
			p := make([]byte, 64<<10)
			for b.Loop() {
				if _, err := io.ReadFull(body, p); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkRequest_Detach(b *testing.B) {
	b.ReportAllocs()
	var req wire.Request
	for b.Loop() {
		if err := wire.ParseRequest(plainHead, wire.Limits{}, &req); err != nil {
			b.Fatal(err)
		}
		req.Detach()
	}
}

func BenchmarkFields_Header(b *testing.B) {
	b.ReportAllocs()
	var req wire.Request
	if err := wire.ParseRequest(plainHead, wire.Limits{}, &req); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		req.Fields.Header()
	}
}

// TestHead_cost holds the two bounds on large heads with room for a slow and
// busy machine: the best of several runs counts.
func TestHead_cost(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector makes everything slower")
	}
	for _, tt := range []struct {
		name, head string
		max        time.Duration
	}{
		{"256 fields", manyFields(255), 200 * time.Microsecond},
		{"5000 fields", manyFields(5000), 5 * time.Millisecond},
	} {
		best := time.Hour
		for range 20 {
			start := time.Now()
			head, err := wire.NewReader(whole(tt.head)).Head(wire.Limits{HeadBytes: 1 << 20})
			if err != nil {
				t.Fatal(err)
			}
			var req wire.Request
			_ = wire.ParseRequest(head, wire.Limits{HeadBytes: 1 << 20}, &req)
			best = min(best, time.Since(start))
		}
		if best > tt.max {
			t.Errorf("%s: got %v; want at most %v", tt.name, best, tt.max)
		}
	}
}
