package wire_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jayproxy/jay/proxy/wire"
)

// bodyOf is the body, framed by f, that conn gives.
func bodyOf(conn net.Conn, f wire.Framing) (*wire.Body, *wire.Reader) {
	r := wire.NewReader(conn)
	var b wire.Body
	r.Body(&b, f)
	return &b, r
}

var chunkedFraming = wire.Framing{Chunked: true}

func TestBody_RFC9112_6_3(t *testing.T) {
	for _, tt := range []struct {
		name string
		f    wire.Framing
		raw  string
		want string
		err  error
		rest string
	}{
		{"none", wire.Framing{}, "GET", "", nil, "GET"},
		{"length", wire.Framing{Length: 5}, "abcdeGET", "abcde", nil, "GET"},
		{"length cut", wire.Framing{Length: 5}, "abcd", "abcd", io.ErrUnexpectedEOF, ""},
		{"length nothing", wire.Framing{Length: 5}, "", "", io.ErrUnexpectedEOF, ""},
		{"chunked", chunkedFraming, "3\r\nabc\r\n2\r\nde\r\n0\r\n\r\nGET", "abcde", nil, "GET"},
		{"chunked cut in data", chunkedFraming, "3\r\nab", "ab", io.ErrUnexpectedEOF, ""},
		{"chunked cut after data", chunkedFraming, "3\r\nabc", "abc", io.ErrUnexpectedEOF, ""},
		{"chunked cut before last chunk", chunkedFraming, "3\r\nabc\r\n", "abc", io.ErrUnexpectedEOF, ""},
		{"chunked cut in last chunk", chunkedFraming, "3\r\nabc\r\n0\r\n", "abc", io.ErrUnexpectedEOF, ""},
		{"chunked cut in trailers", chunkedFraming, "3\r\nabc\r\n0\r\nA: b\r\n", "abc", io.ErrUnexpectedEOF, ""},
		{"chunked nothing", chunkedFraming, "", "", io.ErrUnexpectedEOF, ""},
		{"until close", wire.Framing{UntilClose: true}, "abc", "abc", nil, ""},
		{"until close nothing", wire.Framing{UntilClose: true}, "", "", nil, ""},
	} {
		for how, conn := range map[string]*script{"whole": whole(tt.raw), "bytewise": bytewise(tt.raw)} {
			b, r := bodyOf(conn, tt.f)
			if b.Started() {
				t.Errorf("%s, %s: started before the first Read", tt.name, how)
			}
			got, err := io.ReadAll(b)
			if string(got) != tt.want || err != tt.err || b.Whole() != (tt.err == nil) {
				t.Errorf("%s, %s: got %q, %v, whole %v; want %q, %v", tt.name, how, got, err, b.Whole(), tt.want, tt.err)
			}
			if rest, _ := io.ReadAll(io.MultiReader(bytes.NewReader(r.Buffered()), conn)); err == nil && string(rest) != tt.rest {
				t.Errorf("%s, %s: got %q behind the body; want %q", tt.name, how, rest, tt.rest)
			}
			if n, again := b.Read(make([]byte, 1)); n != 0 || again != tt.err && again != io.EOF {
				t.Errorf("%s, %s: Read again: got %d, %v; want the same end", tt.name, how, n, again)
			}
			if want := tt.want != ""; b.Started() != want {
				t.Errorf("%s, %s: Started: got %v; want %v", tt.name, how, b.Started(), want)
			}
		}
	}
	var zero wire.Body
	if n, err := zero.Read(make([]byte, 1)); n != 0 || err != io.EOF || !zero.Whole() || zero.Remaining() != 0 {
		t.Errorf("zero Body: got %d, %v; want a whole empty body", n, err)
	}
}

// TestBody_RFC9112_7_1_pieces cuts random chunked bodies into random pieces
// and reads them with buffers of random sizes.
func TestBody_RFC9112_7_1_pieces(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	for range 300 {
		var raw, want []byte
		for range rnd.IntN(20) {
			data := bytes.Repeat([]byte{byte(rnd.Uint32())}, 1+rnd.IntN(1+rnd.IntN(20_000)))
			want = append(want, data...)
			raw = wire.AppendChunk(raw, data)
		}
		raw = append(wire.AppendLastChunk(raw, nil, nil), "NEXT"...)
		var pieces []string
		for rest := string(raw); rest != ""; {
			n := 1 + rnd.IntN(min(len(rest), 1+rnd.IntN(30_000)))
			pieces = append(pieces, rest[:n])
			rest = rest[n:]
		}
		b, r := bodyOf(&script{pieces: pieces, err: errPast}, chunkedFraming)
		var got []byte
		p := make([]byte, 1+rnd.IntN(40_000))
		for {
			n, err := b.Read(p[:1+rnd.IntN(len(p))])
			got = append(got, p[:n]...)
			if err == io.EOF {
				break
			}
			if err != nil {
				t.Fatalf("after %d of %d bytes: %v", len(got), len(want), err)
			}
			if n == 0 {
				t.Fatal("Read: got nothing and no error")
			}
		}
		if !bytes.Equal(got, want) {
			t.Fatalf("got %d bytes; want %d", len(got), len(want))
		}
		rest, err := io.ReadAll(io.MultiReader(bytes.NewReader(r.Buffered()), r.Conn()))
		if string(rest) != "NEXT" || err != errPast {
			t.Fatalf("behind the body: got %q, %v; want NEXT", rest, err)
		}
	}
}

func TestBody_RFC9112_7_1_2_trailers(t *testing.T) {
	for how, conn := range map[string]*script{
		"whole":    whole("1\r\na\r\n0\r\nA: 1\r\na:  2 \r\nContent-Length: 7\r\n\r\nNEXT"),
		"bytewise": bytewise("1\r\na\r\n0\r\nA: 1\r\na:  2 \r\nContent-Length: 7\r\n\r\nNEXT"),
	} {
		b, _ := bodyOf(conn, chunkedFraming)
		if b.Trailers() != nil {
			t.Errorf("%s: trailers before the end", how)
		}
		got, err := io.ReadAll(b)
		want := [][2]string{{"A", "1"}, {"a", "2"}, {"Content-Length", "7"}}
		if string(got) != "a" || err != nil || b.Trailers() == nil || !slices.Equal(list(b.Trailers()), want) {
			t.Errorf("%s: got %q, %v, trailers %v; want a and %q", how, got, err, b.Trailers(), want)
		}
	}
	b, _ := bodyOf(whole("0\r\n\r\n"), chunkedFraming)
	if _, err := io.ReadAll(b); err != nil || b.Trailers() != nil {
		t.Errorf("none: got %v, %v; want nil", err, b.Trailers())
	}
}

func TestBody_trailer_limits(t *testing.T) {
	const head = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
	for _, tt := range []struct {
		lim    wire.Limits
		status int
	}{
		{wire.Limits{Fields: 3, HeadBytes: 100}, 0},
		{wire.Limits{Fields: 2, HeadBytes: 100}, 431},
		{wire.Limits{Fields: 3, HeadBytes: len(head)}, 431},
	} {
		r := wire.NewReader(whole(head + "0\r\nA: 1\r\nB: 2\r\nC: " + strings.Repeat("3", 60) + "\r\n\r\n"))
		if _, err := r.Head(tt.lim); err != nil {
			t.Fatal(err)
		}
		var m received
		m.readBody(r, chunkedFraming)
		if m.status() != tt.status {
			t.Errorf("%+v: got %v; want status %d", tt.lim, m.err, tt.status)
		}
	}
}

// sizes is a connection that notes how much it was asked for.
type sizes struct {
	script
	asked []int
}

func (c *sizes) Read(p []byte) (int, error) {
	c.asked = append(c.asked, len(p))
	return c.script.Read(p)
}

func TestBody_reads_straight_into_p(t *testing.T) {
	const size = 100_000
	for name, tt := range map[string]struct {
		f   wire.Framing
		raw string
	}{
		"length":      {wire.Framing{Length: size}, ""},
		"until close": {wire.Framing{UntilClose: true}, ""},
		"chunked":     {chunkedFraming, fmt.Sprintf("%x\r\n", size)},
	} {
		conn := &sizes{script: script{pieces: []string{tt.raw, strings.Repeat("x", size)}, err: io.EOF}}
		b, _ := bodyOf(conn, tt.f)
		p := make([]byte, 64<<10)
		n, err := io.ReadFull(b, p)
		if err != nil {
			t.Errorf("%s: got %v", name, err)
		}
		if last := conn.asked[len(conn.asked)-1]; last != len(p) {
			t.Errorf("%s: the connection was asked for %d bytes; want %d", name, last, len(p))
		}
		m, err := io.ReadFull(b, p[:size-n])
		if n+m != size || err != nil {
			t.Errorf("%s: got %d bytes, %v; want %d", name, n+m, err, size)
		}
		if tt.f.Length > 0 && !b.Whole() {
			t.Errorf("%s: got not whole after the last byte", name)
		}
	}
}

func TestBody_Remaining(t *testing.T) {
	b, _ := bodyOf(whole("abcde"), wire.Framing{Length: 5})
	p := make([]byte, 2)
	for _, want := range []int64{5, 3, 1, 0} {
		if got := b.Remaining(); got != want {
			t.Errorf("got %d; want %d", got, want)
		}
		b.Read(p)
	}
	b, _ = bodyOf(whole("1\r\na\r\n0\r\n\r\n"), chunkedFraming)
	if got := b.Remaining(); got != -1 {
		t.Errorf("chunked: got %d; want -1", got)
	}
	// The end that is already buffered is seen along with the last data.
	if n, err := b.Read(p); n != 1 || err != nil || !b.Whole() || b.Remaining() != 0 {
		t.Errorf("chunked: got %d, %v, whole %v; want the byte and a whole body", n, err, b.Whole())
	}
	if n, err := b.Read(nil); n != 0 || err != io.EOF {
		t.Errorf("Read(nil) at the end: got %d, %v; want EOF", n, err)
	}
}

func TestBody_timeout_is_not_final(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, server := net.Pipe()
		defer client.Close()
		b, _ := bodyOf(server, chunkedFraming)
		go func() {
			for _, s := range []string{"3", "\r\nab", "c\r", "\n0\r\nA: b", "\r\n\r\n"} {
				time.Sleep(time.Minute)
				io.WriteString(client, s)
			}
		}()
		var got []byte
		var err error
		for tries := 0; err != io.EOF && tries < 100; tries++ {
			server.SetReadDeadline(time.Now().Add(7 * time.Second))
			var n int
			p := make([]byte, 10)
			n, err = b.Read(p)
			got = append(got, p[:n]...)
			if err != nil && err != io.EOF && !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Fatal(err)
			}
		}
		if string(got) != "abc" || !b.Whole() || b.Trailers() == nil {
			t.Errorf("got %q, whole %v; want abc, true and trailers", got, b.Whole())
		}
	})
}

func TestBody_RFC9112_7_1_details(t *testing.T) {
	long := strings.Repeat("a", 16<<10)
	for raw, want := range map[string]string{
		"x\r\n":                      "malformed chunk size",
		"5 \r\n":                     "chunk size line not ended by CRLF",
		"5\n":                        "chunk size line not ended by CRLF",
		"5\rx":                       "chunk size line not ended by CRLF",
		"1\r\nab":                    "chunk data not followed by CRLF",
		"1\r\na\rb":                  "chunk data not followed by CRLF",
		"5;a=\"\r\n":                 "chunk size line not ended by CRLF",
		"5;=\r\n":                    "malformed chunk extension",
		"5;" + long + "a":            "chunk extensions too large",
		"8000000000000000\r\n":       "malformed chunk size",
		"00000000000000001\r\n":      "malformed chunk size",
		"0\r\nA : b\r\n\r\n":         "white space before the colon of a field",
		"0\r\nA: b\r\n c\r\n\r\n":    "folded field line",
		"0\r\nA: b\n":                "line ended by a bare LF",
		"0\r\nA: " + long + long[1:]: "not an *Error: unexpected EOF",
	} {
		b, _ := bodyOf(whole(raw), chunkedFraming)
		if _, err := io.ReadAll(b); detail(err) != want {
			t.Errorf("%.40q: got %q; want %q", raw, detail(err), want)
		}
		if b.Whole() {
			t.Errorf("%.40q: got a whole body", raw)
		}
	}
}
