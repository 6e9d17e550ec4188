package wire

import "bytes"

var crlf = []byte("\r\n")

// section is the search for the end of a message head or a trailer section in
// bytes that arrive piece by piece. Each byte is looked at once.
type section struct {
	head    bool // a start line precedes the field lines
	checked int  // bytes that are known to hold neither a fault nor the end
	started bool // the start line is complete and plausible
}

// find is the length of the section at the start of b, its empty line
// included, or 0 when b does not hold its end yet.
func (s *section) find(b []byte, lim Limits) (int, error) {
	if !s.head && bytes.HasPrefix(b, crlf) {
		return len(crlf), nil
	}
	if n := emptyLine(b, max(0, s.checked-len("\r\n\r"))); n > 0 {
		if n > lim.HeadBytes {
			return 0, s.tooLarge(b, lim)
		}
		return n, nil
	}
	if err := s.check(b, lim); err != nil {
		return 0, err
	}
	return 0, nil
}

// emptyLine is where the first empty line of b ends, looked for from index i
// on, or 0. It goes from line to line, which takes half the time of looking
// for CRLF CRLF, as each line has half of that.
func emptyLine(b []byte, i int) int {
	for {
		lf := bytes.IndexByte(b[i:], '\n')
		if lf < 0 || i+lf+2 >= len(b) {
			return 0
		}
		i += lf + 1
		if b[i] == '\r' && b[i+1] == '\n' && i > 1 && b[i-2] == '\r' {
			return i + 2
		}
	}
}

// check looks for faults in the part of b that has not been checked.
func (s *section) check(b []byte, lim Limits) *Error {
	for i := s.checked; i < len(b); i++ {
		switch b[i] {
		case 0:
			return errNUL
		case '\n':
			if i == 0 || b[i-1] != '\r' {
				return errBareLF
			}
		case '\r':
			if i+1 == len(b) {
				return s.checkSize(b, lim, i)
			}
			if b[i+1] != '\n' {
				return errBareCR
			}
		}
	}
	return s.checkSize(b, lim, len(b))
}

// checkSize checks the start line and the size of b, of which the bytes before
// checked are without a fault.
func (s *section) checkSize(b []byte, lim Limits, checked int) *Error {
	if s.head && !s.started {
		if err := s.checkStart(b, lim); err != nil {
			return err
		}
	}
	s.checked = checked
	if len(b) >= lim.HeadBytes {
		return s.tooLarge(b, lim)
	}
	return nil
}

// checkStart checks what can be told of a start line before the head is
// complete, so that a peer that speaks no HTTP/1 need not be waited for.
func (s *section) checkStart(b []byte, lim Limits) *Error {
	i := bytes.IndexByte(b[max(0, s.checked-1):], '\n')
	if i < 0 {
		if len(b) > lim.TargetBytes+maxMethod+len("  HTTP/1.1\r\n") {
			return errTargetBytes
		}
		return nil
	}
	s.started = true
	line := b[:max(0, s.checked-1)+i+1]
	if len(line) == len(crlf) {
		return errEmptyLine
	}
	if bytes.HasPrefix(line, []byte("HTTP/")) {
		return nil
	}
	version := line[bytes.LastIndexByte(line, ' ')+1:]
	if !isVersion(string(version[:len(version)-len(crlf)])) {
		return errNoVersion
	}
	return nil
}

// tooLarge is the fault of a section above the limit: that of its request
// target where this alone is too long.
func (s *section) tooLarge(b []byte, lim Limits) *Error {
	if line := bytes.IndexByte(b, '\n'); s.head && (line < 0 || line > lim.TargetBytes+maxMethod) {
		return errTargetBytes
	}
	return errHeadBytes
}
