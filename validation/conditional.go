package validation

import "net/http"

// Field is one header field line.
type Field struct{ Name, Value string }

// Conditions are the preconditions that a cache adds to a request to validate what it has stored (RFC 9111 §4.3.1).
type Conditions struct {
	// Set are fields to send in place of any of the same name.
	Set []Field
	// Drop are names of fields to remove from the request.
	Drop []string

	stored []Validators
	client bool
	sole   bool
}

// Conditional makes the preconditions that validate stored responses, most recent first, with the request req.
func Conditional(req http.Header, stored []Validators) Conditions { panic("unfinished") }

// Validating reports whether the request validates any stored response.
func (c *Conditions) Validating() bool { panic("unfinished") }

// Reply is what a 304 response to a conditional request means.
type Reply uint8

// The meanings of a 304.
const (
	// Reuse: the selected stored responses are to be freshened, then the request's own preconditions checked against them.
	Reuse Reply = iota
	// Relay: the 304 answers the client's own precondition only: pass it on and update nothing.
	Relay
	// Refetch: the 304 matches nothing: ask again without preconditions.
	Refetch
)

// NotModified tells what a 304 response with these validators means, and which stored responses it selects (as indices).
func (c *Conditions) NotModified(update Validators) ([]int, Reply) { panic("unfinished") }

// GapCondition is the If-Range value for a request that completes a partial stored response; ok is false without a strong validator.
func GapCondition(stored Validators) (value string, ok bool) { panic("unfinished") }
