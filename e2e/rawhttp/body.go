package rawhttp

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// Framing says how a body is delimited (RFC 9112 section 6).
type Framing struct {
	Chunked    bool
	UntilClose bool
	Length     int64
}

// None reports whether the message has no body.
func (f Framing) None() bool {
	return !f.Chunked && !f.UntilClose && f.Length == 0
}

// RequestFraming returns how the body of a request is delimited. Any doubt is
// an error: both fields, several lines, another coding, HTTP/1.0 with chunked.
func RequestFraming(rl RequestLine, fs Fields) (Framing, error) {
	f, _, err := declared(fs)
	if err == nil && f.Chunked && rl.Version == "HTTP/1.0" {
		return f, errors.New("rawhttp: Transfer-Encoding in HTTP/1.0")
	}
	return f, err
}

// ResponseFraming returns how the body of the response to a request of that
// method is delimited (RFC 9112 section 6.3).
func ResponseFraming(method string, sl StatusLine, fs Fields) (Framing, error) {
	if method == "HEAD" || sl.Code < 200 || sl.Code == 204 || sl.Code == 304 {
		return Framing{}, nil
	}
	if method == "CONNECT" && sl.Code < 300 {
		return Framing{}, nil
	}
	f, found, err := declared(fs)
	if err == nil && !found {
		f.UntilClose = true
	}
	return f, err
}

func declared(fs Fields) (f Framing, found bool, err error) {
	te, cl := fs.Values("Transfer-Encoding"), fs.Values("Content-Length")
	switch {
	case len(te)+len(cl) > 1:
		return f, true, fmt.Errorf("rawhttp: framing declared %d times", len(te)+len(cl))
	case len(te) == 1:
		if !strings.EqualFold(te[0], "chunked") {
			return f, true, fmt.Errorf("rawhttp: transfer coding %q", te[0])
		}
		return Framing{Chunked: true}, true, nil
	case len(cl) == 1:
		f.Length, err = parseDigits(cl[0], 10)
		return f, true, err
	}
	return f, false, nil
}

func parseDigits(s string, base int) (int64, error) {
	if s == "" || strings.ContainsAny(s, "+-_xX") {
		return 0, fmt.Errorf("rawhttp: bad length %q", s)
	}
	n, err := strconv.ParseInt(s, base, 64)
	if err != nil {
		return 0, fmt.Errorf("rawhttp: bad length %q", s)
	}
	return n, nil
}

// Body reads one message body strictly. Read returns io.EOF only when the end
// was proven by the framing (for UntilClose: by a clean end of the connection);
// a body that breaks off ends in io.ErrUnexpectedEOF or the network's error.
type Body struct {
	r        *bufio.Reader
	f        Framing
	left     int64 // bytes of the current chunk or of the whole body
	err      error
	trailers Fields
}

// NewBody returns the body that follows a head on r.
func NewBody(r *bufio.Reader, f Framing) *Body {
	b := &Body{r: r, f: f, left: f.Length}
	if f.Chunked {
		b.left = 0
	} else if f.None() {
		b.err = io.EOF
	}
	return b
}

// Trailers returns the trailer section; it is valid after io.EOF.
func (b *Body) Trailers() Fields { return b.trailers }

// Done reports whether the body has been read to its proven end.
func (b *Body) Done() bool { return b.err == io.EOF }

// Read implements io.Reader.
func (b *Body) Read(p []byte) (int, error) {
	if b.err != nil {
		return 0, b.err
	}
	if b.f.UntilClose {
		n, err := b.r.Read(p)
		b.err = err
		return n, err
	}
	if b.f.Chunked && b.left == 0 {
		if b.err = b.nextChunk(); b.err != nil {
			return 0, b.err
		}
	}
	n, err := b.r.Read(p[:min(int64(len(p)), b.left)])
	b.left -= int64(n)
	switch {
	case err != nil:
		b.err = cutShort(err, true)
	case b.left == 0 && b.f.Chunked:
		b.err = b.crlf()
	case b.left == 0:
		b.err = io.EOF
	}
	if b.err != nil && b.err != io.EOF {
		return n, b.err
	}
	return n, nil
}

// nextChunk reads a chunk line; after the last one, the trailers and io.EOF.
// Chunk extensions are refused: a proxy has to drop them.
func (b *Body) nextChunk() error {
	line, err := b.r.ReadString('\n')
	if err != nil {
		return cutShort(err, true)
	}
	size, ok := strings.CutSuffix(line, "\r\n")
	if !ok || len(size) > 16 {
		return fmt.Errorf("rawhttp: bad chunk line %q", line)
	}
	if b.left, err = parseDigits(size, 16); err != nil {
		return err
	}
	if b.left > 0 {
		return nil
	}
	return b.readTrailers()
}

func (b *Body) readTrailers() error {
	for {
		line, err := b.r.ReadString('\n')
		if err != nil {
			return cutShort(err, true)
		}
		text, ok := strings.CutSuffix(line, "\r\n")
		if !ok {
			return errors.New("rawhttp: trailer line ended by a bare LF")
		}
		if text == "" {
			return io.EOF
		}
		f, err := parseField(text)
		if err != nil {
			return err
		}
		b.trailers = append(b.trailers, f)
	}
}

func (b *Body) crlf() error {
	var end [2]byte
	if _, err := io.ReadFull(b.r, end[:]); err != nil {
		return cutShort(err, true)
	}
	if string(end[:]) != "\r\n" {
		return fmt.Errorf("rawhttp: chunk data followed by %q", end[:])
	}
	return nil
}
