package validation

import "net/http"

// MaxRanges is the number of ranges in one request that Jay serves; more make it ignore the field.
const MaxRanges = 8

// ByteRange is one range as asked for: First-Last, First- (Last is -1) or the last -First… see RFC 9110 §14.1.2.
type ByteRange struct {
	// First is the first byte position, -1 for a suffix range.
	First int64
	// Last is the last position (inclusive), -1 for an open range; for a suffix range the suffix length.
	Last int64
}

// Span is a half-open run of bytes [Start, End).
type Span struct{ Start, End int64 }

// Satisfiability tells how a Range field is answered.
type Satisfiability uint8

// The answers to a Range field.
const (
	// Ignore: as if there were no Range field.
	Ignore Satisfiability = iota
	// Satisfiable: 206.
	Satisfiable
	// Unsatisfiable: 416.
	Unsatisfiable
)

// Ranges reads the Range field of a request: ok is false if there is none that is to be obeyed.
func Ranges(req http.Header, max int) (ranges []ByteRange, ok bool) { panic("unfinished") }

// ParseRange reads a Range field value (RFC 9110 §14.2); ok is false if it is to be ignored.
func ParseRange(value string, max int) (ranges []ByteRange, ok bool) { panic("unfinished") }

// Resolve applies ranges to a representation of the given length.
func Resolve(ranges []ByteRange, length int64) ([]Span, Satisfiability) { panic("unfinished") }

// ContentRange is a parsed Content-Range field (RFC 9110 §14.4).
type ContentRange struct {
	// Span is the range carried; empty for an unsatisfied range ("bytes */10").
	Span Span
	// Length is the complete length, -1 if unknown.
	Length int64
}

// ParseContentRange reads a Content-Range field value; ok is false if it is not a valid one in bytes.
func ParseContentRange(value string) (c ContentRange, ok bool) { panic("unfinished") }

// Append appends the field value.
func (c ContentRange) Append(dst []byte) []byte { panic("unfinished") }

// String is the field value.
func (c ContentRange) String() string { return string(c.Append(nil)) }
