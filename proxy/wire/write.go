package wire

import "strconv"

// AppendField appends a field line to dst and returns it. Name and value must
// be valid; those of Fields are.
func AppendField(dst []byte, name, value string) []byte {
	dst = append(dst, name...)
	dst = append(dst, ": "...)
	dst = append(dst, value...)
	return append(dst, "\r\n"...)
}

// AppendRequestLine appends the request line of an HTTP/1.1 request to dst and
// returns it: an intermediary sends its own version (RFC 9110 §2.5).
func AppendRequestLine(dst []byte, method, target string) []byte {
	dst = append(dst, method...)
	dst = append(dst, ' ')
	dst = append(dst, target...)
	return append(dst, " HTTP/1.1\r\n"...)
}

// AppendStatusLine appends a status line of HTTP/1.minor to dst and returns
// it. The space after the status code is there even without a reason phrase.
func AppendStatusLine(dst []byte, minor, status int, reason string) []byte {
	dst = append(dst, "HTTP/1."...)
	dst = strconv.AppendInt(dst, int64(minor), 10)
	dst = append(dst, ' ')
	dst = strconv.AppendInt(dst, int64(status), 10)
	dst = append(dst, ' ')
	dst = append(dst, reason...)
	return append(dst, "\r\n"...)
}

// AppendChunkHeader appends the size line of a chunk of n bytes to dst and
// returns it. The n bytes and then CRLF must follow. n must be above 0, as an
// empty chunk ends the body.
func AppendChunkHeader(dst []byte, n int) []byte {
	dst = strconv.AppendUint(dst, uint64(n), 16)
	return append(dst, "\r\n"...)
}

// AppendChunk appends data as one chunk to dst and returns it. Empty data adds
// nothing.
func AppendChunk(dst, data []byte) []byte {
	if len(data) == 0 {
		return dst
	}
	dst = AppendChunkHeader(dst, len(data))
	dst = append(dst, data...)
	return append(dst, "\r\n"...)
}

// AppendLastChunk appends the end of a chunked body to dst and returns it: the
// last chunk, the trailers save those whose name drop refuses, and the empty
// line (RFC 9112 §7.1). Both trailers and drop may be nil.
func AppendLastChunk(dst []byte, trailers *Fields, drop func(name string) bool) []byte {
	dst = append(dst, "0\r\n"...)
	if trailers != nil {
		dst = trailers.Append(dst, drop)
	}
	return append(dst, "\r\n"...)
}
