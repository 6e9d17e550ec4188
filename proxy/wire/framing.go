package wire

import (
	"math"
	"strings"
)

// marks is what the framing fields and Host of a message say.
type marks struct {
	host      string
	hosts     int
	length    int64
	hasLength bool
	coding    string
	codings   int
}

// marks reads the fields that frame a message. Their names differ in length,
// so that the others cost one comparison.
func (f *Fields) marks() (m marks, err *Error) {
	for i := range f.spans {
		s := &f.spans[i]
		name := f.text[s.name:s.colon]
		switch len(name) {
		case len("host"):
			if equalFold(name, "host") {
				m.host = f.text[s.value:s.end]
				m.hosts++
			}
		case len("content-length"):
			if equalFold(name, "content-length") {
				err = m.addLength(f.text[s.value:s.end])
			}
		case len("transfer-encoding"):
			if equalFold(name, "transfer-encoding") {
				m.coding = f.text[s.value:s.end]
				m.codings++
			}
		}
		if err != nil {
			return m, err
		}
	}
	return m, nil
}

// addLength takes in one Content-Length line. RFC 9110 §8.6 lets a recipient
// collapse a list of equal lengths; anything else that is not a number has no
// certain meaning.
func (m *marks) addLength(list string) *Error {
	for more := true; more; {
		var member string
		member, list, more = strings.Cut(list, ",")
		n, ok := parseLength(trimOWS(member))
		if !ok {
			return errLength
		}
		if m.hasLength && n != m.length {
			return errLengths
		}
		m.length, m.hasLength = n, true
	}
	return nil
}

// parseLength is the value of 1*DIGIT up to 2^63-1.
func parseLength(s string) (n int64, ok bool) {
	if s == "" {
		return 0, false
	}
	for i := range len(s) {
		d := int64(s[i]) - '0'
		if d < 0 || d > 9 || n > (math.MaxInt64-d)/10 {
			return 0, false
		}
		n = n*10 + d
	}
	return n, true
}

// chunked reports whether the message is in the chunked coding, or why its
// framing is in doubt (RFC 9112 §6.1).
func (m *marks) chunked(minor int) (bool, *Error) {
	if m.codings == 0 {
		return false, nil
	}
	switch {
	case m.hasLength:
		return false, errBothFramings
	case minor == 0:
		return false, errCodingVersion
	case m.codings > 1:
		return false, errCodingLines
	case equalFold(m.coding, "chunked"):
		return true, nil
	}
	return false, codingError(m.coding)
}

// codingError says what is wrong with a list of codings other than "chunked".
func codingError(list string) *Error {
	for more := true; more; {
		var member string
		member, list, more = strings.Cut(list, ",")
		name, _, params := strings.Cut(trimOWS(member), ";")
		name = trimOWS(name)
		if name == "" || run(name, 0, isToken) != len(name) {
			return errCodingSyntax
		}
		if !equalFold(name, "chunked") {
			continue
		}
		if params {
			return errCodingSyntax
		}
		if more {
			return errCodingOrder
		}
	}
	return errCoding
}
