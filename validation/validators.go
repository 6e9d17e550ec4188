package validation

import (
	"net/http"
	"time"
)

// Validators are the validators of one response (RFC 9110 §8.8), and the date that tells how strong they are. It is a
// comparable value.
type Validators struct {
	// ETag is the entity tag; the zero value means none.
	ETag ETag
	// LastModified is the modification date, zero if there is none or it is no HTTP-date.
	LastModified time.Time
	// Date is when the response was generated, or received where it does not say so; zero if neither is known.
	Date time.Time

	modifiedText string // Last-Modified as received, to be echoed byte for byte
	dated        bool   // Date is the origin's word
}

// strongAfter is how long before the Date of its response a modification date must lie to be a strong validator. RFC 9110
// §8.8.2.2 says one second, if the two clocks are known to agree; a minute covers those that do not.
const strongAfter = 60 * time.Second

// Of reads the validators of a response with the fields h that was received at the given time, which may be zero if unknown.
// A field that is repeated with different values says nothing.
func Of(h http.Header, received time.Time) Validators {
	var v Validators
	if value, ok := sole(h["Etag"]); ok {
		v.ETag = ParseETag(value)
	}
	if value, ok := sole(h["Last-Modified"]); ok {
		if t, ok := parseDate(value, received); ok {
			v.LastModified, v.modifiedText = t, value
		}
	}
	v.Date = received
	if value, ok := sole(h["Date"]); ok {
		if t, ok := parseDate(value, received); ok {
			v.Date, v.dated = t, true
		}
	}
	return v
}

// sole returns the value of a field that has just one, however often it is repeated.
func sole(values []string) (string, bool) {
	if len(values) == 0 {
		return "", false
	}
	first := trimOWS(values[0])
	for _, other := range values[1:] {
		if trimOWS(other) != first {
			return "", false
		}
	}
	return first, true
}

// None reports whether there is neither an entity tag nor a modification date.
func (v Validators) None() bool { return !v.ETag.Present() && v.LastModified.IsZero() }

// StrongDate reports whether LastModified may serve as a strong validator (RFC 9110 §8.8.2.2): the response says when it was
// generated, and that is long enough after the modification that no second one can hide in the same second.
func (v Validators) StrongDate() bool {
	return v.dated && !v.LastModified.IsZero() && v.Date.Sub(v.LastModified) >= strongAfter
}

// sharesStrong reports whether two responses have the same strong validator. Where both have an entity tag it alone decides.
func (v Validators) sharesStrong(o Validators) bool {
	if v.ETag.Present() && o.ETag.Present() {
		return v.ETag.StrongEqual(o.ETag)
	}
	return v.StrongDate() && o.StrongDate() && v.LastModified.Equal(o.LastModified)
}

// sharesWeak reports whether two responses have the same validator, weak or strong.
func (v Validators) sharesWeak(o Validators) bool {
	if v.ETag.Present() && o.ETag.Present() {
		return v.ETag.WeakEqual(o.ETag)
	}
	return !v.LastModified.IsZero() && v.LastModified.Equal(o.LastModified)
}
