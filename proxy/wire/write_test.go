package wire_test

import (
	"testing"

	"github.com/jayproxy/jay/proxy/wire"
)

func TestAppend_RFC9112_2_1(t *testing.T) {
	b := []byte("> ")[:2:2] // so that no result is written over by the next
	trailers, err := wire.ParseFields("A: 1\r\nB: 2\r\n")
	if err != nil {
		t.Fatal(err)
	}
	dropA := func(name string) bool { return name == "A" }
	for _, tt := range []struct {
		got  []byte
		want string
	}{
		{wire.AppendRequestLine(b, "GET", "/a"), "> GET /a HTTP/1.1\r\n"},
		{wire.AppendStatusLine(b, 1, 200, "OK"), "> HTTP/1.1 200 OK\r\n"},
		{wire.AppendStatusLine(b, 0, 404, ""), "> HTTP/1.0 404 \r\n"},
		{wire.AppendField(b, "a-B", "c"), "> a-B: c\r\n"},
		{wire.AppendField(b, "A", ""), "> A: \r\n"},
		{wire.AppendChunkHeader(b, 0xabc), "> abc\r\n"},
		{wire.AppendChunk(b, []byte("hello")), "> 5\r\nhello\r\n"},
		{wire.AppendChunk(b, nil), "> "},
		{wire.AppendLastChunk(b, nil, nil), "> 0\r\n\r\n"},
		{wire.AppendLastChunk(b, &trailers, nil), "> 0\r\nA: 1\r\nB: 2\r\n\r\n"},
		{wire.AppendLastChunk(b, &trailers, dropA), "> 0\r\nB: 2\r\n\r\n"},
	} {
		if string(tt.got) != tt.want {
			t.Errorf("got %q; want %q", tt.got, tt.want)
		}
	}
}
