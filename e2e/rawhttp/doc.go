// Package rawhttp is the tests' own HTTP/1.1, written independently of the
// product's parser so that the two can disagree. It keeps every byte: field
// names in their case and order, repeated lines, reason phrases, interim
// responses, trailers, and how a message ended.
//
// It follows RFC 9112 sections 2, 3, 5, 6 and 7 to the letter and accepts
// nothing beyond them: what a proxy sends must parse here exactly. HTTP/0.9,
// obsolete line folding (5.2) and transfer codings other than chunked are
// refused on purpose.
package rawhttp
