package validation

import (
	"math"
	"net/http"
	"strings"
)

// MaxRanges is a good limit for the ranges of one request: no client that means well asks for more at once.
const MaxRanges = 8

// bytesUnit is the only range unit here (RFC 9110 §14.1.2).
const bytesUnit = "bytes"

// ByteRange is one range as asked for (RFC 9110 §14.1.1, §14.1.2). Numbers beyond the int64 range count as the greatest int64.
type ByteRange struct {
	// First is the position of the first byte, or -1 for a suffix range.
	First int64
	// Last is the position of the last byte, inclusive, or -1 for "up to the end"; of a suffix range it is the length.
	Last int64
}

// Span is a run of bytes from Start up to, not including, End.
type Span struct{ Start, End int64 }

// Len is the number of bytes in the span.
func (s Span) Len() int64 { return s.End - s.Start }

// Satisfiability tells how a request with a Range field is answered.
type Satisfiability uint8

// The answers to a Range field.
const (
	// Ignore means as if there were no Range field.
	Ignore Satisfiability = iota
	// Satisfiable means 206 with the spans.
	Satisfiable
	// Unsatisfiable means 416.
	Unsatisfiable
)

// String returns the answer as a word.
func (s Satisfiability) String() string {
	switch s {
	case Satisfiable:
		return "satisfiable"
	case Unsatisfiable:
		return "unsatisfiable"
	}
	return "ignore"
}

// Ranges reads the Range field in the fields of a GET request; for other methods it means nothing (RFC 9110 §14.2). ok is false
// if there is none, or more than one line, or it is to be ignored as [ParseRange] says.
func Ranges(req http.Header, limit int) (ranges []ByteRange, ok bool) {
	lines := req["Range"]
	if len(lines) != 1 {
		return nil, false
	}
	return ParseRange(lines[0], limit)
}

// ParseRange reads the value of a Range field (RFC 9110 §14.2). ok is false if the field is to be ignored: its unit is not bytes, its
// syntax is wrong anywhere, a range ends before it begins, or there are more than limit ranges ([MaxRanges] if limit is 0).
func ParseRange(value string, limit int) (ranges []ByteRange, ok bool) {
	if limit <= 0 {
		limit = MaxRanges
	}
	unit, set, found := strings.Cut(trimOWS(value), "=")
	if !found || !strings.EqualFold(unit, bytesUnit) {
		return nil, false
	}
	for set != "" {
		var spec string
		spec, set, _ = strings.Cut(set, ",")
		if spec = trimOWS(spec); spec == "" {
			continue // empty list members are legal to receive (RFC 9110 §5.6.1.2)
		}
		r, good := parseSpec(spec)
		if !good || len(ranges) == limit {
			return nil, false
		}
		ranges = append(ranges, r)
	}
	return ranges, len(ranges) > 0
}

func parseSpec(spec string) (ByteRange, bool) {
	first, last, found := strings.Cut(spec, "-")
	if !found {
		return ByteRange{}, false
	}
	r := ByteRange{-1, -1}
	var ok bool
	if first != "" {
		if r.First, ok = parsePosition(first); !ok {
			return r, false
		}
		if last == "" {
			return r, true
		}
	}
	if r.Last, ok = parsePosition(last); !ok {
		return r, false
	}
	return r, r.First <= r.Last
}

// parsePosition reads digits; a number that is too great is as good as the greatest.
func parsePosition(s string) (int64, bool) {
	var n int64
	for i := 0; i < len(s); i++ {
		digit := int64(s[i]) - '0'
		if digit < 0 || digit > 9 {
			return 0, false
		}
		if n > (math.MaxInt64-digit)/10 {
			n = math.MaxInt64
			continue
		}
		n = n*10 + digit
	}
	return n, s != ""
}

// Resolve applies the ranges of a request to a representation of the given length, -1 if it is unknown (RFC 9110 §14.1.2, §14.2,
// §15.3.7). Ranges that overlap or touch become one, in the place of the first of them; ranges that cannot be satisfied are left
// out. It answers Ignore if more than two ranges overlap, or if the spans cannot be told.
func Resolve(ranges []ByteRange, length int64) ([]Span, Satisfiability) {
	spans := make([]Span, 0, len(ranges))
	for _, r := range ranges {
		span, s := r.resolve(length)
		if s == Ignore {
			return nil, Ignore
		}
		if s == Satisfiable {
			spans = append(spans, span)
		}
	}
	if len(spans) == 0 {
		return nil, Unsatisfiable
	}
	if overlapping(spans) > 2 {
		return nil, Ignore
	}
	return coalesce(spans), Satisfiable
}

func (r ByteRange) resolve(length int64) (Span, Satisfiability) {
	switch {
	case r.First < 0 && r.Last == 0:
		return Span{}, Unsatisfiable
	case length < 0 && (r.First < 0 || r.Last < 0), r.First < 0 && length == 0:
		// Nothing is a suffix of nothing, yet it is satisfiable and has no Content-Range: only the whole can be sent.
		return Span{}, Ignore
	case r.First < 0:
		return Span{length - min(r.Last, length), length}, Satisfiable
	case length < 0:
		return Span{r.First, after(r.Last)}, Satisfiable
	case r.First >= length:
		return Span{}, Unsatisfiable
	case r.Last < 0:
		return Span{r.First, length}, Satisfiable
	}
	return Span{r.First, min(after(r.Last), length)}, Satisfiable
}

// after is the position behind last.
func after(last int64) int64 {
	if last == math.MaxInt64 {
		return last
	}
	return last + 1
}

// overlapping counts the spans that overlap another.
func overlapping(spans []Span) int {
	n := 0
	for i, a := range spans {
		for j, b := range spans {
			if i != j && a.Start < b.End && b.Start < a.End {
				n++
				break
			}
		}
	}
	return n
}

// coalesce joins spans that overlap or touch. There are few, so that going over them again after each join costs nothing.
func coalesce(spans []Span) []Span {
	for i := 0; i < len(spans); i++ {
		for j := i + 1; j < len(spans); {
			if spans[j].Start > spans[i].End || spans[i].Start > spans[j].End {
				j++
				continue
			}
			spans[i] = Span{min(spans[i].Start, spans[j].Start), max(spans[i].End, spans[j].End)}
			spans = append(spans[:j], spans[j+1:]...)
			j = i + 1
		}
	}
	return spans
}
