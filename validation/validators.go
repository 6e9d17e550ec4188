package validation

import (
	"net/http"
	"time"
)

// Validators are the validators of one response (RFC 9110 §8.8) and the date that tells how strong they are.
type Validators struct {
	// ETag is the entity tag; the zero value means none.
	ETag ETag
	// LastModified is the modification date, zero if there is none or it is no HTTP-date.
	LastModified time.Time
	// Date is when the response was generated, or received where it does not say; zero if neither is known.
	Date time.Time

	modifiedText string
}

// Of reads the validators of a response that was received at the given time.
func Of(h http.Header, received time.Time) Validators { panic("unfinished") }

// None reports whether there is neither an entity tag nor a modification date.
func (v Validators) None() bool { panic("unfinished") }

// StrongDate reports whether LastModified may be used as a strong validator (RFC 9110 §8.8.2.2).
func (v Validators) StrongDate() bool { panic("unfinished") }
