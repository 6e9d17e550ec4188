package rawhttp_test

import (
	"bufio"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/jayproxy/jay/e2e/rawhttp"
)

func TestReadHead_RFC9112_5(t *testing.T) {
	tests := []struct {
		name, in string
		want     rawhttp.Fields
		ok       bool
	}{
		{"order and case kept", "GET / HTTP/1.1\r\nb: 1\r\nA:2\r\nb:\t3 \r\n\r\n", rawhttp.F("b", "1", "A", "2", "b", "3"), true},
		{"no fields", "GET / HTTP/1.1\r\n\r\n", nil, true},
		{"obs-text", "GET / HTTP/1.1\r\na: \xfc\r\n\r\n", rawhttp.F("a", "\xfc"), true},
		{"bare LF", "GET / HTTP/1.1\r\na: 1\n\r\n", nil, false},
		{"bare CR", "GET / HTTP/1.1\r\na: 1\r2\r\n\r\n", nil, false},
		{"NUL", "GET / HTTP/1.1\r\na: \x00\r\n\r\n", nil, false},
		{"space before colon", "GET / HTTP/1.1\r\na : 1\r\n\r\n", nil, false},
		{"obs-fold", "GET / HTTP/1.1\r\na: 1\r\n b: 2\r\n\r\n", nil, false},
		{"no colon", "GET / HTTP/1.1\r\na\r\n\r\n", nil, false},
		{"cut", "GET / HTTP/1.1\r\na: 1\r\n", nil, false},
		{"leading empty line", "\r\nGET / HTTP/1.1\r\n\r\n", nil, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h, err := rawhttp.ReadHead(bufio.NewReader(strings.NewReader(tt.in)))
			if (err == nil) != tt.ok {
				t.Fatalf("got error %v; want ok %v", err, tt.ok)
			}
			if tt.ok && h.Fields.String() != tt.want.String() {
				t.Errorf("got %q; want %q", h.Fields, tt.want)
			}
		})
	}
}

func TestBody_RFC9112_7_1(t *testing.T) {
	chunked := rawhttp.Framing{Chunked: true}
	tests := []struct {
		name, in string
		f        rawhttp.Framing
		want     string
		ok       bool
	}{
		{"chunked", "3\r\nabc\r\n0\r\n\r\n", chunked, "abc", true},
		{"chunked trailers", "3\r\nabc\r\n0\r\nX: 1\r\n\r\n", chunked, "abc", true},
		{"chunked cut", "3\r\nabc\r\n", chunked, "abc", false},
		{"chunked cut in data", "3\r\nab", chunked, "ab", false},
		{"extension", "3;x\r\nabc\r\n0\r\n\r\n", chunked, "", false},
		{"hex prefix", "0x3\r\nabc\r\n0\r\n\r\n", chunked, "", false},
		{"LF only", "3\nabc\n0\n\n", chunked, "", false},
		{"data end", "3\r\nabcd\r\n0\r\n\r\n", chunked, "abc", false},
		{"length", "abcdef", rawhttp.Framing{Length: 3}, "abc", true},
		{"length cut", "ab", rawhttp.Framing{Length: 3}, "ab", false},
		{"close", "abc", rawhttp.Framing{UntilClose: true}, "abc", true},
		{"none", "abc", rawhttp.Framing{}, "", true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := rawhttp.NewBody(bufio.NewReader(strings.NewReader(tt.in)), tt.f)
			got, err := io.ReadAll(b)
			if string(got) != tt.want || (err == nil) != tt.ok {
				t.Errorf("got %q, %v; want %q, ok %v", got, err, tt.want, tt.ok)
			}
			if !tt.ok && strings.Contains(tt.name, "cut") && !errors.Is(err, io.ErrUnexpectedEOF) {
				t.Errorf("got %v; want %v", err, io.ErrUnexpectedEOF)
			}
		})
	}
}

func TestRequestFraming_RFC9112_6_1(t *testing.T) {
	rl := rawhttp.RequestLine{Method: "POST", Target: "/", Version: "HTTP/1.1"}
	bad := []rawhttp.Fields{
		rawhttp.F("Content-Length", "5", "Transfer-Encoding", "chunked"),
		rawhttp.F("Content-Length", "5", "content-length", "5"),
		rawhttp.F("Content-Length", "+5"),
		rawhttp.F("Content-Length", "5, 5"),
		rawhttp.F("Content-Length", ""),
		rawhttp.F("Transfer-Encoding", "gzip, chunked"),
		rawhttp.F("Transfer-Encoding", "chunked", "Transfer-Encoding", "chunked"),
	}
	for _, fs := range bad {
		if f, err := rawhttp.RequestFraming(rl, fs); err == nil {
			t.Errorf("%q: got %+v; want an error", fs, f)
		}
	}
	if f, err := rawhttp.RequestFraming(rl, rawhttp.F("transfer-encoding", "Chunked")); err != nil || !f.Chunked {
		t.Errorf("got %+v, %v; want chunked", f, err)
	}
}
