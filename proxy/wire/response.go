package wire

import "strings"

// Response is a parsed response head. Its strings share the memory of the head
// until Detach.
type Response struct {
	// Minor is 0 for HTTP/1.0 and 1 for HTTP/1.1.
	Minor int
	// Status is the status code, 100 to 599.
	Status int
	// Reason is the reason phrase as received, "" if none.
	Reason string
	// Fields are the field lines, Content-Length and Transfer-Encoding among
	// them.
	Fields Fields
	// Body says how the body ends, given the method of the request.
	Body Framing
}

// statusLine is the shape of what precedes the reason phrase.
const statusLine = "HTTP/1.1 200 "

// ParseResponse parses the head of a response to a request with the given
// method, its final empty line included, into resp. Framing is that of RFC
// 9112 §6.3. Folded field lines are joined by one space, save those that frame
// the message. Every *Error has the status 502, and the connection that the
// head came from must be closed.
//
// It reuses the memory of resp and allocates nothing when that is large enough.
func ParseResponse(head, method string, lim Limits, resp *Response) error {
	fields := resp.Fields
	*resp = Response{}
	err := resp.parse(head, lim.orDefault(), &fields)
	if err == errFold {
		if head, err = unfold(head); err == nil {
			*resp = Response{}
			err = resp.parse(head, lim.orDefault(), &fields)
		}
	}
	if err == nil {
		err = resp.frame(method)
	}
	if err != nil {
		*resp = Response{Fields: Fields{spans: fields.spans[:0], detached: fields.detached}}
		return err.asResponse()
	}
	return nil
}

func (r *Response) parse(head string, lim Limits, fields *Fields) *Error {
	if len(head) > lim.HeadBytes {
		return errHeadBytes
	}
	next, err := r.parseLine(head)
	if err != nil {
		return err
	}
	end, err := fieldsEnd(head)
	if err != nil {
		return err
	}
	if err = fields.parse(head, next, end, lim.Fields); err != nil {
		return err
	}
	r.Fields = *fields
	return nil
}

// parseLine parses the status line (RFC 9112 §4) and returns where the field
// lines start. The space after the status code may be missing along with the
// reason phrase, as many servers leave it out.
func (r *Response) parseLine(head string) (int, *Error) {
	if len(head) < len(statusLine)+1 || head[:7] != "HTTP/1." || head[8] != ' ' {
		return 0, errStatusLine
	}
	minor := head[7] - '0'
	if minor > 1 {
		return 0, errStatusLine
	}
	for i := 9; i < 12; i++ {
		if class[head[i]]&isDigit == 0 {
			return 0, errStatusLine
		}
		r.Status = r.Status*10 + int(head[i]-'0')
	}
	if r.Status < 100 || r.Status > 599 {
		return 0, errStatus
	}
	r.Minor = int(minor)
	if head[12] == '\r' && head[13] == '\n' {
		return 14, nil
	}
	if head[12] != ' ' {
		return 0, errStatusLine
	}
	end := valueEnd(head, len(statusLine))
	if !strings.HasPrefix(head[end:], "\r\n") {
		return 0, errReason
	}
	r.Reason = head[len(statusLine):end]
	return end + 2, nil
}

// frame applies RFC 9112 §6.3.
func (r *Response) frame(method string) *Error {
	m, err := r.Fields.marks()
	if err != nil {
		return err
	}
	chunked, err := m.chunked(r.Minor)
	switch {
	case err != nil:
		return err
	case method == "HEAD" || r.Status < 200 || r.Status == 204 || r.Status == 304:
	case method == "CONNECT" && r.Status < 300:
	case chunked:
		r.Body.Chunked = true
	case m.hasLength:
		r.Body.Length = m.length
	default:
		r.Body.UntilClose = true
	}
	return nil
}

// unfold replaces each fold of head, the white space around it included, by
// one space (RFC 9112 §5.2). The result is yet to be parsed.
func unfold(head string) (string, *Error) {
	var b strings.Builder
	b.Grow(len(head))
	lines := strings.SplitAfter(head, "\r\n")
	for i := 0; i < len(lines); {
		folds := 0
		for next := i + 1; next < len(lines) && lines[next] != "" && isOWS(lines[next][0]); next++ {
			folds++
		}
		switch {
		case folds == 0:
			b.WriteString(lines[i])
		case i == 0: // the start line is no field to go on with
			return "", errFold
		default:
			if err := join(&b, lines[i:i+folds+1]); err != nil {
				return "", err
			}
		}
		i += folds + 1
	}
	return b.String(), nil
}

// join writes a field line and the lines folded under it as one.
func join(b *strings.Builder, lines []string) *Error {
	if framesMessage(lines[0]) {
		return errFoldFraming
	}
	for i, line := range lines {
		line = trimOWS(strings.TrimSuffix(line, "\r\n"))
		// A fold with nothing on it looks to some like the end of the head.
		if line == "" {
			return errFold
		}
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(line)
	}
	b.WriteString("\r\n")
	return nil
}

// framesMessage reports whether a field line is one that framing depends on.
func framesMessage(line string) bool {
	name, _, _ := strings.Cut(line, ":")
	name = trimOWS(name)
	return equalFold(name, "content-length") || equalFold(name, "transfer-encoding")
}

// Detach copies the text of the head, so that r, and copies made of it later,
// outlive the buffer that the head was a view of. A later ParseResponse into r
// leaves such copies alone.
func (r *Response) Detach() {
	text := strings.Clone(r.Fields.text)
	r.Fields.text, r.Fields.detached = text, true
	if r.Reason != "" {
		r.Reason = text[len(statusLine) : len(statusLine)+len(r.Reason)]
	}
}
