package validation

import "net/http"

// URI is an effective request URI in the pieces that a proxy has already.
type URI struct {
	// Scheme is "http" or "https".
	Scheme string
	// Host is the lower-case host without brackets.
	Host string
	// Port is decimal, "" for the scheme's default.
	Port string
	// Target is path and query byte for byte as sent.
	Target string
}

// Invalidates reports whether an answer invalidates what is stored for its URI (RFC 9111 §4.4).
func Invalidates(method string, status int) bool { panic("unfinished") }

// Targets returns the path and query of the same-origin URIs that Location and Content-Location name (RFC 9111 §4.4).
func Targets(base URI, h http.Header) []string { panic("unfinished") }

// ContentLocationIs reports whether Content-Location names the request's own URI (RFC 9110 §8.7).
func ContentLocationIs(base URI, h http.Header) bool { panic("unfinished") }
