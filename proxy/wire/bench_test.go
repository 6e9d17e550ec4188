package wire_test

import (
	"fmt"
	"strings"
	"testing"

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
