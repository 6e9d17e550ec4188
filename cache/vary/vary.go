// Package vary decides which stored response a request selects where more than its URI counts: Vary (RFC 9111 §4.1),
// No-Vary-Search, and cache groups (RFC 9875). It is pure.
package vary

import "net/http"

// Source gives the header field lines of a request in order, names in any case.
type Source interface {
	Len() int
	At(i int) (name, value string)
}

// Names returns the field names that the lines of a Vary field list: lower-case, sorted, without repetition.
// star is true if no request ever matches.
func Names(vary []string) (names []string, star bool) { panic("unfinished") }

// Key returns the canonical secondary key for a request h and a response with these Vary lines.
func Key(vary []string, h http.Header) (key string, star bool) { panic("unfinished") }

// AppendKey appends the key for names as Names returned them; ok is false if the request matches nothing. It does not allocate.
func AppendKey(dst []byte, names []string, req Source) (key []byte, ok bool) { panic("unfinished") }

// Prefers reports whether a stored response that was selected by another key is nevertheless what this request prefers for certain.
func Prefers(names []string, storedKey string, stored http.Header, req Source) bool { panic("unfinished") }

// Header makes an http.Header a Source.
func Header(h http.Header) Source { panic("unfinished") }
