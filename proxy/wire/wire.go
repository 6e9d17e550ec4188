// Package wire is the HTTP/1.1 message syntax of RFC 9112, read strictly and
// written back from the parsed form.
//
// It covers RFC 9112 §2 (message format, line terminators), §3 (request line,
// request targets, reconstructing the target URI), §4 (status line), §5
// (field lines, obsolete folding), §6 (framing), §7.1 (chunked coding,
// trailers), §8 (incomplete messages) and §9.8 (TLS closure), with the field syntax of RFC 9110
// §5 and the authority of RFC 9110 §4.2.
//
// One rule governs every choice the RFCs leave open: any doubt about where a
// message begins or ends is an *[Error], and nothing more of that connection
// may be used. So there is no bare LF, no Content-Length beside
// Transfer-Encoding, no folding in requests, no transfer coding but chunked.
// What is legal but odd is kept byte for byte: the case, order and repetition
// of fields, empty values, octets above 0x7F in values, percent-encoding and
// the characters that RFC 3986 forbids in a target and browsers send anyway.
//
// Left out on purpose: HTTP/0.9, transfer codings other than chunked, and the
// meaning of any field beyond framing and Host.
//
// The use of a connection looks like this:
//
//	r := wire.NewReader(conn)
//	var req wire.Request
//	var body wire.Body
//	for r.Wait() == nil {
//		head, err := r.Head(wire.Limits{})
//		if err == nil {
//			err = wire.ParseRequest(head, wire.Limits{}, &req)
//		}
//		if err != nil {
//			break // an *Error has the status to answer with before closing
//		}
//		r.Body(&body, req.Body)
//		answer(&req, &body)
//	}
package wire

// Limits bounds what a message head, or the trailer section of a body, may
// cost. A field that is zero has the value of DefaultLimits.
type Limits struct {
	HeadBytes   int // bytes of the whole head, its final empty line included
	Fields      int // field lines
	TargetBytes int // bytes of the request target
}

// DefaultLimits gives 64 KiB for a head, 256 field lines and 16 KiB for a
// request target.
func DefaultLimits() Limits {
	return Limits{HeadBytes: 64 << 10, Fields: 256, TargetBytes: 16 << 10}
}

// orDefault fills in the zero fields.
func (l Limits) orDefault() Limits {
	d := DefaultLimits()
	if l.HeadBytes > 0 {
		d.HeadBytes = l.HeadBytes
	}
	if l.Fields > 0 {
		d.Fields = l.Fields
	}
	if l.TargetBytes > 0 {
		d.TargetBytes = l.TargetBytes
	}
	return d
}

// Framing says how the body of a message ends (RFC 9112 §6.3). Its zero value
// means that the message has no body.
type Framing struct {
	Chunked    bool  // chunked transfer coding
	UntilClose bool  // a response body that ends with the connection
	Length     int64 // otherwise this many bytes
}

// Error says why bytes are not an acceptable message.
type Error struct {
	// Status is the status code to answer with: 400, 414, 431, 501 or 505 for
	// a request, 502 for a response. What Reader and Body report carries the
	// status for a request, as they do not know which of the two they read;
	// whoever reads a response takes each of them for 502.
	Status int
	// Detail names the fault in constant words; it never holds received bytes.
	Detail string
}

// Error implements the error interface.
func (e *Error) Error() string { return "wire: " + e.Detail }

// asResponse is e as the fault of a response.
func (e *Error) asResponse() error { return &Error{Status: 502, Detail: e.Detail} }

// The faults that a message can have.
var (
	errBareLF        = &Error{400, "line ended by a bare LF"}
	errBareCR        = &Error{400, "bare CR"}
	errNUL           = &Error{400, "NUL in the head"}
	errNoEnd         = &Error{400, "head without its final empty line"}
	errTrailing      = &Error{400, "bytes after the end of the head"}
	errHeadBytes     = &Error{431, "head too large"}
	errFieldCount    = &Error{431, "too many fields"}
	errTargetBytes   = &Error{414, "request target too long"}
	errEmptyLine     = &Error{400, "empty line where a message should start"}
	errMethod        = &Error{400, "malformed method"}
	errMethodCase    = &Error{400, "method not in upper case"}
	errMethodLength  = &Error{501, "method too long"}
	errNoVersion     = &Error{400, "request line without an HTTP version"}
	errTargetSpace   = &Error{400, "white space in the request line"}
	errTargetByte    = &Error{400, "forbidden byte in the request target"}
	errFragment      = &Error{400, "fragment in the request target"}
	errTargetForm    = &Error{400, "request target of an unknown form"}
	errScheme        = &Error{400, "request target with an unknown scheme"}
	errConnectTarget = &Error{400, "CONNECT target that is not a host and port"}
	errUserinfo      = &Error{400, "user information in an authority"}
	errHost          = &Error{400, "malformed host"}
	errPort          = &Error{400, "malformed port"}
	errVersionSyntax = &Error{400, "malformed HTTP version"}
	errVersion       = &Error{505, "HTTP version not supported"}
	errStatusLine    = &Error{502, "malformed status line"}
	errStatus        = &Error{502, "status code out of range"}
	errReason        = &Error{502, "forbidden byte in the reason phrase"}
	errFold          = &Error{400, "folded field line"}
	errFoldFraming   = &Error{400, "folded framing field"}
	errEmptyName     = &Error{400, "field without a name"}
	errNameSpace     = &Error{400, "white space before the colon of a field"}
	errName          = &Error{400, "forbidden byte in a field name"}
	errNoColon       = &Error{400, "field line without a colon"}
	errValue         = &Error{400, "control character in a field value"}
	errHostMissing   = &Error{400, "no Host field"}
	errHostRepeated  = &Error{400, "more than one Host field"}
	errHostEmpty     = &Error{400, "empty Host field"}
	errLength        = &Error{400, "malformed Content-Length"}
	errLengths       = &Error{400, "Content-Length values that differ"}
	errBothFramings  = &Error{400, "Content-Length beside Transfer-Encoding"}
	errCodingVersion = &Error{400, "Transfer-Encoding in an HTTP/1.0 message"}
	errCodingLines   = &Error{400, "more than one Transfer-Encoding field"}
	errCodingSyntax  = &Error{400, "malformed Transfer-Encoding"}
	errCodingOrder   = &Error{400, "chunked is not the last transfer coding"}
	errCoding        = &Error{501, "unknown transfer coding"}
	errChunkSize     = &Error{400, "malformed chunk size"}
	errChunkLine     = &Error{400, "chunk size line not ended by CRLF"}
	errChunkEnd      = &Error{400, "chunk data not followed by CRLF"}
	errChunkExt      = &Error{400, "malformed chunk extension"}
	errChunkExtBytes = &Error{400, "chunk extensions too large"}
)
