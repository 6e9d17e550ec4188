package validation

import "net/http"

// Selects returns the indices of the stored responses, most recent first, that a 304 response updates (RFC 9111 §4.3.4).
func Selects(update Validators, stored []Validators) []int { panic("unfinished") }

// Freshen returns the fields of a stored response updated by those of a newer one (RFC 9111 §3.2). Neither argument changes.
func Freshen(stored, update http.Header) http.Header { panic("unfinished") }

// FreshenFields is Freshen on ordered field lines.
func FreshenFields(stored, update []Field) []Field { panic("unfinished") }

// HeadMatches reports whether a 200 response to HEAD updates a stored response (true) or makes it stale (RFC 9111 §4.3.5). length is
// the complete length of the stored representation, -1 if unknown.
func HeadMatches(stored, head http.Header, length int64) bool { panic("unfinished") }

// Combinable reports whether two partial responses may be combined (RFC 9111 §3.4).
func Combinable(stored, update http.Header) bool { panic("unfinished") }
