package tunnel_test

import (
	"fmt"
	"testing"

	"github.com/jayproxy/jay/tunnel"
)

func TestSniff(t *testing.T) {
	tests := []struct {
		first string
		want  tunnel.Protocol
	}{
		{"", tunnel.NeedMore},
		{"GET / HTTP/1.1\r\n", tunnel.HTTP},
		{"G", tunnel.HTTP},
		{"get / HTTP/1.1\r\n", tunnel.HTTP},
		{"\r\nGET / HTTP/1.1\r\n", tunnel.HTTP},
		{"\nGET /", tunnel.HTTP},
		{" GET /", tunnel.HTTP},
		{"\tGET /", tunnel.HTTP},
		{"(GET) / HTTP/1.1", tunnel.HTTP},
		{"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", tunnel.HTTP},
		{"SEARCH / HTTP/1.1", tunnel.HTTP},
		{"S", tunnel.NeedMore},
		{"SSH", tunnel.NeedMore},
		{"SSH-2.0-OpenSSH_9.9\r\n", tunnel.Other},
		{"SSH / HTTP/1.1", tunnel.HTTP},
		{"<", tunnel.NeedMore},
		{"<html>", tunnel.HTTP},
		{"<?xml version='1.0'?>", tunnel.Other},
		{"<stream:stre", tunnel.NeedMore},
		{"<stream:stream to='x'>", tunnel.Other},
		{"<stream:feature", tunnel.HTTP},
		{"AMQP", tunnel.NeedMore},
		{"AMQP\x00\x01\x00\x00", tunnel.Other},
		{"AMQP / HTTP/1.1", tunnel.HTTP},
		{"\x16", tunnel.NeedMore},
		{"\x16\x03", tunnel.TLS},
		{"\x16\x03\x01\x02\x00\x01", tunnel.TLS},
		{"\x16\x04", tunnel.Other},
		{"\x13BitTorrent protocol", tunnel.Other},
		{"\x00", tunnel.Other},
		{"\x00GET / HTTP/1.1", tunnel.Other},
		{"\x10\x0c\x00\x04MQTT", tunnel.Other},
		{"\x7f", tunnel.Other},
		{"\x80\x2e\x01\x03", tunnel.Other},
		{"\xffGET / HTTP/1.1", tunnel.Other},
	}
	for _, tt := range tests {
		if got := tunnel.Sniff([]byte(tt.first)); got != tt.want {
			t.Errorf("Sniff(%q) = %v; want %v", tt.first, got, tt.want)
		}
	}
}

// A verdict never changes when more bytes come, and 14 bytes are enough for one.
func FuzzSniff(f *testing.F) {
	for _, s := range []string{"GET / HTTP/1.1\r\n", "SSH-2.0", "\x16\x03\x01", "<stream:stream", "AMQP\x00", "<?xml", "\r\n"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		verdict := tunnel.NeedMore
		for n := range len(b) + 1 {
			got := tunnel.Sniff(b[:n])
			if verdict != tunnel.NeedMore && got != verdict {
				t.Fatalf("Sniff(%q) = %v; want %v, as for a shorter part", b[:n], got, verdict)
			}
			if n >= 14 && got == tunnel.NeedMore {
				t.Fatalf("Sniff(%q) = %v after 14 bytes", b[:n], got)
			}
			verdict = got
		}
	})
}

func ExampleSniff() {
	fmt.Println(tunnel.Sniff([]byte("GET / HTTP/1.1\r\n")))
	fmt.Println(tunnel.Sniff([]byte{0x16, 0x03, 0x01}))
	fmt.Println(tunnel.Sniff([]byte("SSH-2.0-OpenSSH_9.9\r\n")))
	// Output:
	// http
	// tls
	// other
}
