package wire

import (
	"iter"
	"net/http"
	"slices"
	"strings"
)

// Fields is an immutable view of the field lines of a message: their order,
// their repetition and the case of their names are as received. Its zero value
// has no lines.
//
// The Fields of a Request or Response that has not been detached share the
// memory of the head that was parsed, and end with it.
type Fields struct {
	text     string
	spans    []span
	detached bool // spans belong to whoever holds a copy; parse takes new ones
}

// span places one field line in the text: its name is text[name:colon], its
// value text[value:end].
type span struct{ name, colon, value, end uint32 }

// ParseFields parses field lines, each ended by CRLF and with no empty line
// among or after them, such as a trailer section or the fields of a stored
// message. There is no bound on their number. The Fields share text's memory.
// The error is an *Error.
func ParseFields(text string) (Fields, error) {
	var f Fields
	if err := f.parse(text, 0, len(text), len(text)); err != nil {
		return Fields{}, err
	}
	return f, nil
}

// parse reads the field lines in text[from:to], at most limit of them.
func (f *Fields) parse(text string, from, to, limit int) *Error {
	spans := f.spans[:0]
	if f.detached {
		spans = nil
	}
	*f = Fields{text: text}
	for i := from; i < to; {
		colon := run(text, i, isToken)
		if colon == i || colon >= to || text[colon] != ':' {
			return nameError(text[i:to], colon-i)
		}
		value := colon + 1
		for value < to && isOWS(text[value]) {
			value++
		}
		next := valueEnd(text, value)
		if next+1 >= to || text[next] != '\r' || text[next+1] != '\n' {
			return lineError(text[:to], next)
		}
		end := next
		for end > value && isOWS(text[end-1]) {
			end--
		}
		if len(spans) >= limit {
			return errFieldCount
		}
		if spans == nil {
			spans = make([]span, 0, 16)
		}
		spans = append(spans, span{uint32(i), uint32(colon), uint32(value), uint32(end)})
		i = next + 2
	}
	f.spans = spans
	return nil
}

// nameError says why line, whose first n octets are a token, does not start
// with a field name and a colon.
func nameError(line string, n int) *Error {
	if n == len(line) {
		return errNoColon
	}
	switch c := line[n]; {
	case n == 0 && isOWS(c):
		return errFold
	case n == 0 && c == ':':
		return errEmptyName
	case n == 0 && c == '\r' && strings.HasPrefix(line, "\r\n"):
		return errEmptyLine
	case c == '\r' && strings.HasPrefix(line[n:], "\r\n"):
		return errNoColon
	case isOWS(c):
		return errNameSpace
	case class[c]&isValue == 0:
		return lineError(line, n)
	}
	return errName
}

// lineError says why s[i] cannot be in a field line or end one.
func lineError(s string, i int) *Error {
	if i >= len(s) {
		return errNoEnd
	}
	switch s[i] {
	case '\n':
		return errBareLF
	case '\r':
		return errBareCR
	case 0:
		return errNUL
	}
	return errValue
}

// Len is the number of field lines.
func (f *Fields) Len() int { return len(f.spans) }

// At is field line i, counted from 0: the name as received and the value
// without the white space around it.
func (f *Fields) At(i int) (name, value string) {
	s := &f.spans[i]
	return f.text[s.name:s.colon], f.text[s.value:s.end]
}

// index is the first line at or after i that is called name, or -1.
func (f *Fields) index(name string, i int) int {
	for ; i < len(f.spans); i++ {
		s := &f.spans[i]
		if int(s.colon-s.name) == len(name) && equalFold(f.text[s.name:s.colon], name) {
			return i
		}
	}
	return -1
}

// value is the value of line i.
func (f *Fields) value(i int) string {
	return f.text[f.spans[i].value:f.spans[i].end]
}

// Get is the value of the first line called name in any case, or "".
func (f *Fields) Get(name string) string {
	if i := f.index(name, 0); i >= 0 {
		return f.value(i)
	}
	return ""
}

// Has reports whether a line is called name in any case.
func (f *Fields) Has(name string) bool { return f.index(name, 0) >= 0 }

// Values are the values of all lines called name in any case, in their order;
// nil when there is none.
func (f *Fields) Values(name string) []string {
	var values []string
	for i := f.index(name, 0); i >= 0; i = f.index(name, i+1) {
		values = append(values, f.value(i))
	}
	return values
}

// HasToken reports whether the list of tokens in the lines called name holds
// token, both in any case. It allocates nothing.
func (f *Fields) HasToken(name, token string) bool {
	for i := f.index(name, 0); i >= 0; i = f.index(name, i+1) {
		for rest, member := f.value(i), ""; rest != ""; {
			member, rest, _ = strings.Cut(rest, ",")
			member = trimOWS(member)
			if member != "" && equalFold(member, token) {
				return true
			}
		}
	}
	return false
}

// Tokens are the members of the list in the lines called name, as ListTokens
// gives them.
func (f *Fields) Tokens(name string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for i := f.index(name, 0); i >= 0; i = f.index(name, i+1) {
			if !eachToken(f.value(i), yield) {
				return
			}
		}
	}
}

// Header is the lines as a map with canonical names. Its values share the
// memory of the Fields; the map and its slices are the caller's.
func (f *Fields) Header() http.Header {
	h := make(http.Header, len(f.spans))
	backing := make([]string, len(f.spans))
	for i := range f.spans {
		name, value := f.At(i)
		name = http.CanonicalHeaderKey(name)
		if values, ok := h[name]; ok {
			h[name] = append(values, value)
			continue
		}
		backing[i] = value
		// No spare capacity, so that a second line does not write over the
		// next field's value.
		h[name] = backing[i : i+1 : i+1]
	}
	return h
}

// Clone is a copy that shares no memory with f.
func (f *Fields) Clone() Fields {
	return Fields{text: strings.Clone(f.text), spans: slices.Clone(f.spans), detached: true}
}

// Append appends the field lines to dst, save those whose name drop refuses,
// and returns it. A nil drop refuses none.
func (f *Fields) Append(dst []byte, drop func(name string) bool) []byte {
	for i := range f.spans {
		name, value := f.At(i)
		if drop == nil || !drop(name) {
			dst = AppendField(dst, name, value)
		}
	}
	return dst
}

// ListTokens are the members of the list of tokens in values, the lines of one
// field such as Connection, Vary or Upgrade (RFC 9110 §5.6.1): in lower case,
// without white space around them, empty ones left out. It splits at every
// comma and is not for fields with quoted strings.
func ListTokens(values []string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for _, v := range values {
			if !eachToken(v, yield) {
				return
			}
		}
	}
}

// eachToken yields the members of one line until yield has enough.
func eachToken(rest string, yield func(string) bool) bool {
	for member := ""; rest != ""; {
		member, rest, _ = strings.Cut(rest, ",")
		if member = trimOWS(member); member != "" && !yield(strings.ToLower(member)) {
			return false
		}
	}
	return true
}
