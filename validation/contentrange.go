package validation

import (
	"math"
	"strconv"
	"strings"
)

// ContentRange is a Content-Range field in bytes (RFC 9110 §14.4).
type ContentRange struct {
	// Span is the range that is enclosed; an empty one stands for "bytes */Length" in a 416 response.
	Span Span
	// Length is the complete length of the representation in bytes, -1 if unknown.
	Length int64
}

// ParseContentRange reads a Content-Range field value. ok is false if it is not valid in every respect: such a response must not
// be combined with anything. It says nothing on whether the content has that many bytes.
func ParseContentRange(value string) (c ContentRange, ok bool) {
	unit, rest, found := strings.Cut(trimOWS(value), " ")
	span, length, found2 := strings.Cut(rest, "/")
	if !found || !found2 || !strings.EqualFold(unit, bytesUnit) {
		return ContentRange{}, false
	}
	c.Length = -1
	if length != "*" {
		if c.Length, ok = parseLength(length); !ok {
			return ContentRange{}, false
		}
	}
	if span == "*" && c.Length >= 0 {
		return c, true
	}
	first, last, found := strings.Cut(span, "-")
	start, ok := parseLength(first)
	end, ok2 := parseLength(last)
	if !found || !ok || !ok2 || end < start || (c.Length >= 0 && end >= c.Length) {
		return ContentRange{}, false
	}
	c.Span = Span{start, end + 1}
	return c, true
}

// parseLength reads digits that leave room for one more byte behind them.
func parseLength(s string) (int64, bool) {
	n, ok := parsePosition(s)
	return n, ok && n < math.MaxInt64
}

// Append appends the field value to dst.
func (c ContentRange) Append(dst []byte) []byte {
	dst = append(dst, bytesUnit+" "...)
	if c.Span.Len() <= 0 {
		dst = append(dst, '*')
	} else {
		dst = strconv.AppendInt(dst, c.Span.Start, 10)
		dst = strconv.AppendInt(append(dst, '-'), c.Span.End-1, 10)
	}
	if c.Length < 0 {
		return append(dst, "/*"...)
	}
	return strconv.AppendInt(append(dst, '/'), c.Length, 10)
}

// String returns the field value.
func (c ContentRange) String() string { return string(c.Append(nil)) }

// RangeValue returns the value of a Range field that asks for one span of a representation with the given complete length, -1 if
// unknown. A span that reaches the end is asked for as open.
func RangeValue(span Span, length int64) string {
	dst := strconv.AppendInt([]byte(bytesUnit+"="), span.Start, 10)
	dst = append(dst, '-')
	if length < 0 || span.End < length {
		dst = strconv.AppendInt(dst, span.End-1, 10)
	}
	return string(dst)
}
