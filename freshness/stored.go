package freshness

import (
	"encoding/binary"
	"time"
)

// storedSize is the length of a stored form without the withheld field names and what an override needs, ruledSize the
// length of that, which only responses have to which one applies.
const (
	storedSize = 2 + 4 + 1 + 1 + 7*8 + 2*8
	ruledSize  = 2 + 4 + 1 + 1 + 1
)

// isRuled is the bit of those that an override applies to.
const isRuled = 1 << 31

// Append appends the form of r in which a cache may keep it: bytes that refer to nothing. base is any time with a
// monotonic reading, the same for Append and [ReadResponse], which are of use within one process only.
func (r *Response) Append(b []byte, base time.Time) []byte {
	le := binary.LittleEndian
	b = le.AppendUint16(b, uint16(r.Status))
	bits := r.bits()
	if r.ruled.rule != 0 {
		bits |= isRuled
	}
	b = le.AppendUint32(b, bits)
	b = append(b, byte(r.Source), byte(r.refusal))
	for _, d := range [...]time.Duration{
		r.Lifetime, r.AgeValue, r.ApparentAge, r.Delay, r.StaleWhileRevalidate.Value, r.StaleIfError.Value, r.staleOnError,
	} {
		b = le.AppendUint64(b, uint64(d))
	}
	b = le.AppendUint64(b, uint64(r.Received.UnixNano()))
	b = le.AppendUint64(b, uint64(r.Moment().Sub(base)))
	if own := &r.ruled; own.rule != 0 {
		b = le.AppendUint32(le.AppendUint16(b, own.rule), own.lifetime)
		b = append(b, byte(own.source), byte(own.refusal), byte(own.flags))
	}
	return append(b, r.withheld...)
}

// ReadResponse reads what [Response.Append] wrote, with the same base. The result refers to text. Its Received has no
// monotonic reading; Age and Moment know it all the same.
func ReadResponse(text string, base time.Time) Response {
	var r Response
	r.Status = int(uint16(text[0]) | uint16(text[1])<<8)
	bits := number32(text[2:])
	r.setBits(bits)
	r.Source, r.refusal = Source(text[6]), Reason(text[7])
	text, r.withheld = text[8:storedSize], text[storedSize:]
	if bits&isRuled != 0 {
		own := r.withheld[:ruledSize]
		r.withheld = r.withheld[ruledSize:]
		r.ruled = ruled{
			rule: uint16(own[0]) | uint16(own[1])<<8, lifetime: number32(own[2:]),
			source: Source(own[6]), refusal: Reason(own[7]), flags: ruledFlags(own[8]),
		}
	}
	next := func() int64 {
		v := uint64(text[0]) | uint64(text[1])<<8 | uint64(text[2])<<16 | uint64(text[3])<<24 |
			uint64(text[4])<<32 | uint64(text[5])<<40 | uint64(text[6])<<48 | uint64(text[7])<<56
		text = text[8:]
		return int64(v)
	}
	r.Lifetime, r.AgeValue = time.Duration(next()), time.Duration(next())
	r.ApparentAge, r.Delay = time.Duration(next()), time.Duration(next())
	r.StaleWhileRevalidate.Value, r.StaleIfError.Value = time.Duration(next()), time.Duration(next())
	r.staleOnError = time.Duration(next())
	r.Received = time.Unix(0, next())
	r.steady = base.Add(time.Duration(next()))
	return r
}

// number32 reads what AppendUint32 wrote.
func number32(text string) uint32 {
	return uint32(text[0]) | uint32(text[1])<<8 | uint32(text[2])<<16 | uint32(text[3])<<24
}

// flags are r's properties that are there or not, in the order of their bits.
func (r *Response) flags() [19]*bool {
	return [...]*bool{
		&r.Authorized, &r.SelfLocated, &r.NoStore, &r.NoCache, &r.Private, &r.Public, &r.MustRevalidate, &r.ProxyRevalidate,
		&r.MustUnderstand, &r.NoTransform, &r.Immutable, &r.Malformed, &r.Shareable, &r.HasValidator, &r.Targeted,
		&r.StaleWhileRevalidate.Set, &r.StaleIfError.Set, &r.Cookied, &r.Impersonal,
	}
}

func (r *Response) bits() uint32 {
	var bits uint32
	for i, f := range r.flags() {
		if *f {
			bits |= 1 << i
		}
	}
	return bits
}

func (r *Response) setBits(bits uint32) {
	for i, f := range r.flags() {
		*f = bits>>i&1 != 0
	}
}

// Moment is when the response arrived, for comparisons with other times: Received, with a monotonic reading if there
// ever was one.
func (r *Response) Moment() time.Time {
	if r.steady.IsZero() {
		return r.Received
	}
	return r.steady
}
