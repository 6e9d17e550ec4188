package wire

import "strings"

// Request is a parsed request head. Its strings share the memory of the head
// until Detach.
type Request struct {
	// Method is a token without lower-case letters.
	Method string
	// Target is the request target as received.
	Target string
	// URI is the parsed target. In origin and asterisk form, which name no
	// authority, its Host and Port are those of the Host field (RFC 9112
	// §3.3), "" when an HTTP/1.0 request has none.
	URI Target
	// Minor is 0 for HTTP/1.0 and 1 for HTTP/1.1.
	Minor int
	// Fields are the field lines, Host, Content-Length and Transfer-Encoding
	// among them.
	Fields Fields
	// Body says how the body ends. Equal Content-Length values have become one
	// number: whoever writes the message on must write that number and not the
	// field lines.
	Body Framing
}

// maxMethod bounds a method; the longest registered ones have 17 bytes.
const maxMethod = 64

// ParseRequest parses a request head, its final empty line included, into req,
// or says with an *Error which status to refuse it with. Nothing may be
// forwarded or read from a connection after an error. It checks all that
// RFC 9112 §2 to §6 demand of a request, and beyond that refuses what
// recipients have been seen to read in two ways.
//
// It reuses the memory of req and allocates nothing when that is large enough,
// unless the host is not in lower case.
func ParseRequest(head string, lim Limits, req *Request) error {
	fields := req.Fields
	*req = Request{}
	if err := req.parse(head, lim.orDefault(), &fields); err != nil {
		*req = Request{Fields: Fields{spans: fields.spans[:0], detached: fields.detached}}
		return err
	}
	return nil
}

func (r *Request) parse(head string, lim Limits, fields *Fields) *Error {
	next, err := r.parseLine(head, lim)
	if err != nil {
		return err
	}
	if len(head) > lim.HeadBytes {
		return errHeadBytes
	}
	end, err := fieldsEnd(head)
	if err != nil {
		return err
	}
	if err = fields.parse(head, next, end, lim.Fields); err != nil {
		return err
	}
	r.Fields = *fields
	if r.URI, err = parseTarget(r.Method, r.Target); err != nil {
		return err
	}
	m, err := r.Fields.marks()
	if err != nil {
		return err
	}
	if err = r.checkHost(&m); err != nil {
		return err
	}
	r.Body.Length = m.length
	r.Body.Chunked, err = m.chunked(r.Minor)
	return err
}

// parseLine parses the request line (RFC 9112 §3) and returns where the field
// lines start.
func (r *Request) parseLine(head string, lim Limits) (int, *Error) {
	i := run(head, 0, isMethod)
	if i == 0 || i >= len(head) || head[i] != ' ' {
		return 0, methodError(head, i)
	}
	if i > maxMethod {
		return 0, errMethodLength
	}
	r.Method = head[:i]
	start := i + 1
	i = targetEnd(head, start)
	if i-start > lim.TargetBytes {
		return 0, errTargetBytes
	}
	if i >= len(head) || head[i] != ' ' || i == start {
		return 0, requestLineError(head, start, i)
	}
	r.Target = head[start:i]
	return r.parseVersion(head, i+1)
}

// methodError says why head[i], which follows i octets that a method may have,
// cannot be there.
func methodError(head string, i int) *Error {
	switch {
	case i >= len(head):
		return errNoEnd
	case strings.HasPrefix(head, "\r\n"):
		return errEmptyLine
	case class[head[i]]&isToken != 0:
		return errMethodCase
	case class[head[i]]&isValue == 0:
		return lineError(head, i)
	}
	return errMethod
}

// requestLineError says why the target head[start:i] is not followed by SP.
func requestLineError(head string, start, i int) *Error {
	switch {
	case i >= len(head):
		return errNoEnd
	case head[i] == ' ' || head[i] == '\t':
		return errTargetSpace
	case strings.HasPrefix(head[i:], "\r\n"):
		return errNoVersion
	case class[head[i]]&isValue == 0:
		return lineError(head, i)
	}
	return targetError(head[i])
}

// parseVersion parses the version at the end of the request line.
func (r *Request) parseVersion(head string, i int) (int, *Error) {
	const size = len("HTTP/1.1\r\n")
	if len(head)-i < size {
		return 0, versionError(head[i:])
	}
	switch head[i : i+size] {
	case "HTTP/1.1\r\n":
		r.Minor = 1
	case "HTTP/1.0\r\n":
		r.Minor = 0
	default:
		return 0, versionError(head[i:])
	}
	return i + size, nil
}

// versionError says what is wrong with s, where "HTTP/1.1" CRLF should be.
func versionError(s string) *Error {
	line, _, ok := strings.Cut(s, "\n")
	switch {
	case !ok:
		return errNoEnd
	case !strings.HasSuffix(line, "\r"):
		return errBareLF
	case isVersion(line[:len(line)-1]):
		return errVersion
	case strings.ContainsAny(line, " \t"):
		return errTargetSpace
	}
	return errVersionSyntax
}

// isVersion reports whether s is an HTTP-version of any number.
func isVersion(s string) bool {
	return len(s) == len("HTTP/1.1") && s[:5] == "HTTP/" && s[6] == '.' &&
		class[s[5]]&class[s[7]]&isDigit != 0
}

// fieldsEnd is where the field lines end and the final empty line starts.
func fieldsEnd(head string) (int, *Error) {
	end := len(head) - 2
	if !strings.HasSuffix(head, "\r\n\r\n") {
		return 0, endError(head)
	}
	return end, nil
}

// endError says why head does not end with an empty line.
func endError(head string) *Error {
	switch {
	case strings.Contains(head, "\r\n\r\n"):
		return errTrailing
	case strings.HasSuffix(head, "\n\n") || strings.HasSuffix(head, "\n\r\n"):
		return errBareLF
	}
	return errNoEnd
}

// checkHost demands the one valid Host field of RFC 9112 §3.2 and completes
// the URI with it.
func (r *Request) checkHost(m *marks) *Error {
	if m.hosts > 1 {
		return errHostRepeated
	}
	if m.hosts == 0 {
		if r.Minor == 0 {
			return nil
		}
		return errHostMissing
	}
	if m.host == "" {
		// Empty is right only where the target names the authority itself, or
		// where there is none to name (RFC 9110 §7.2).
		if r.URI.Form == OriginForm {
			return errHostEmpty
		}
		return nil
	}
	if m.host == r.authority() {
		return nil
	}
	host, port, err := parseAuthority(m.host)
	if err == nil && (r.URI.Form == OriginForm || r.URI.Form == AsteriskForm) {
		r.URI.Host, r.URI.Port = host, port
	}
	return err
}

// authority is the authority of a target in absolute form as received, which
// is a valid one, else "".
func (r *Request) authority() string {
	if r.URI.Form != AbsoluteForm {
		return ""
	}
	return r.Target[len(r.URI.Scheme)+len("://") : len(r.Target)-len(r.URI.Path)]
}

// Detach copies the text of the head, so that r, and copies made of it later,
// outlive the buffer that the head was a view of. A later ParseRequest into r
// leaves such copies alone.
func (r *Request) Detach() {
	text := strings.Clone(r.Fields.text)
	r.Fields.text, r.Fields.detached = text, true
	if text == "" {
		return
	}
	start := len(r.Method) + len(" ")
	r.Method = text[:len(r.Method)]
	r.Target = text[start : start+len(r.Target)]
	// These were parsed before, from the same text, without an error.
	host, port := r.URI.Host, r.URI.Port
	r.URI, _ = parseTarget(r.Method, r.Target)
	if r.URI.Host == "" {
		r.URI.Host, r.URI.Port = strings.Clone(host), strings.Clone(port)
	}
}
