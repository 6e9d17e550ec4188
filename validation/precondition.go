package validation

import (
	"net/http"
	"time"
)

// Outcome is what the preconditions of a request make of a stored response.
type Outcome uint8

// The outcomes of Check.
const (
	// Proceed: the stored response is the answer.
	Proceed Outcome = iota
	// NotModified: 304 is the answer.
	NotModified
	// PreconditionFailed: 412 is the answer.
	PreconditionFailed
)

// Check evaluates If-Match, If-Unmodified-Since, If-None-Match and If-Modified-Since of a request against a stored response.
func Check(method string, req http.Header, status int, stored Validators, now time.Time) Outcome {
	panic("unfinished")
}

// IfRange reports whether a Range field may be obeyed (RFC 9110 §13.1.5).
func IfRange(req http.Header, stored Validators, now time.Time) bool { panic("unfinished") }

// OmitFrom304 reports whether a stored field is left out of a 304 response (RFC 9110 §15.4.5).
func OmitFrom304(name string) bool { panic("unfinished") }
