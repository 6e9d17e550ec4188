package rawhttp

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// MaxHead bounds a message head in bytes. It is larger than any limit of the
// product, so that a head the product should have refused is seen here.
const MaxHead = 4 << 20

// Head is the head of a request or a response.
type Head struct {
	Raw    string // every byte, with the empty line
	Line   string // the first line without CRLF
	Fields Fields
}

// RequestLine is a request line (RFC 9112 section 3), its parts as sent.
type RequestLine struct {
	Method, Target, Version string
}

// StatusLine is a status line (RFC 9112 section 4), its parts as sent.
type StatusLine struct {
	Version string
	Code    int
	Reason  string
}

// ReadHead reads one message head. It returns io.EOF when the connection ended
// before the first byte and io.ErrUnexpectedEOF when it ended inside. Raw holds
// what was read even when an error is returned.
func ReadHead(r *bufio.Reader) (Head, error) {
	var h Head
	var raw strings.Builder
	for {
		line, err := r.ReadString('\n')
		raw.WriteString(line)
		h.Raw = raw.String()
		if err != nil {
			return h, cutShort(err, raw.Len() > 0)
		}
		if raw.Len() > MaxHead {
			return h, errors.New("rawhttp: head too large")
		}
		if !strings.HasSuffix(line, "\r\n") {
			return h, errors.New("rawhttp: line ended by a bare LF")
		}
		if line == "\r\n" && h.Line != "" {
			return h, nil
		}
		if err := h.add(strings.TrimSuffix(line, "\r\n")); err != nil {
			return h, err
		}
	}
}

func (h *Head) add(line string) error {
	if h.Line == "" {
		if line == "" {
			return errors.New("rawhttp: empty line before a head")
		}
		h.Line = line
		return checkText(line, "first line")
	}
	f, err := parseField(line)
	if err != nil {
		return err
	}
	h.Fields = append(h.Fields, f)
	return nil
}

func cutShort(err error, started bool) error {
	if err == io.EOF && started {
		return io.ErrUnexpectedEOF
	}
	return err
}

func parseField(line string) (Field, error) {
	name, value, ok := strings.Cut(line, ":")
	if !ok {
		return Field{}, fmt.Errorf("rawhttp: field line without colon: %q", line)
	}
	if !IsToken(name) {
		return Field{}, fmt.Errorf("rawhttp: field name is no token: %q", name)
	}
	if err := checkText(value, "value of "+name); err != nil {
		return Field{}, err
	}
	return Field{name, strings.Trim(value, " \t")}, nil
}

// checkText refuses control bytes; obs-text and HTAB are allowed (RFC 9110
// section 5.5).
func checkText(s, what string) error {
	for i := 0; i < len(s); i++ {
		if c := s[i]; c < ' ' && c != '\t' || c == 0x7f {
			return fmt.Errorf("rawhttp: control byte %#02x in %s", c, what)
		}
	}
	return nil
}

// IsToken reports whether s is a token (RFC 9110 section 5.6.2).
func IsToken(s string) bool {
	for i := 0; i < len(s); i++ {
		c := s[i]
		alnum := c >= '0' && c <= '9' || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z'
		if !alnum && strings.IndexByte("!#$%&'*+-.^_`|~", c) < 0 {
			return false
		}
	}
	return s != ""
}

// ParseRequestLine parses a request line: exactly two single spaces, a token,
// a target without white space or control bytes, HTTP/1.0 or HTTP/1.1.
func ParseRequestLine(line string) (RequestLine, error) {
	p := strings.Split(line, " ")
	if len(p) != 3 {
		return RequestLine{}, fmt.Errorf("rawhttp: request line of %d parts: %q", len(p), line)
	}
	rl := RequestLine{p[0], p[1], p[2]}
	switch {
	case !IsToken(rl.Method):
		return rl, fmt.Errorf("rawhttp: bad method %q", rl.Method)
	case rl.Target == "" || strings.ContainsAny(rl.Target, "\t#"):
		return rl, fmt.Errorf("rawhttp: bad target %q", rl.Target)
	case rl.Version != "HTTP/1.0" && rl.Version != "HTTP/1.1":
		return rl, fmt.Errorf("rawhttp: bad version %q", rl.Version)
	}
	return rl, nil
}

// ParseStatusLine parses a status line with three digits and a space after
// them, as RFC 9112 section 4 demands even where the reason is empty.
func ParseStatusLine(line string) (StatusLine, error) {
	version, rest, _ := strings.Cut(line, " ")
	code, reason, ok := strings.Cut(rest, " ")
	n, err := strconv.Atoi(code)
	switch {
	case version != "HTTP/1.0" && version != "HTTP/1.1":
		return StatusLine{}, fmt.Errorf("rawhttp: bad version in %q", line)
	case err != nil || len(code) != 3 || n < 100:
		return StatusLine{}, fmt.Errorf("rawhttp: bad status in %q", line)
	case !ok:
		return StatusLine{}, fmt.Errorf("rawhttp: no space after the status in %q", line)
	}
	return StatusLine{version, n, reason}, nil
}
