package vary

import (
	"net/http"
	"slices"
	"strings"
)

// maxNames bounds the names in a Vary field. No real response comes near it; a response that does matches no request.
const maxNames = 64

// Source gives the header field lines of a request in the order received. Names may be in any case; values have no white
// space at either end.
type Source interface {
	Len() int
	At(i int) (name, value string)
}

// Names returns the field names that the lines of a Vary field list (RFC 9110 §12.5.5), in canonical form
// ([http.CanonicalHeaderKey]), sorted and without repetition, as [AppendKey] wants them. star is true if the lines contain "*",
// a member that is no field name, or too many members: no request ever matches such a response.
func Names(vary []string) (names []string, star bool) {
	for _, line := range vary {
		for member := range strings.SplitSeq(line, ",") {
			member = trimOWS(member)
			if member == "" {
				continue
			}
			if member == "*" || !isToken(member) || len(names) == maxNames {
				return nil, true
			}
			names = append(names, http.CanonicalHeaderKey(member))
		}
	}
	slices.Sort(names)
	return slices.Compact(names), false
}

// Key returns the canonical secondary key (RFC 9111 §4.1) of a request with the fields h for a response with these Vary
// lines. Two requests select the same variant exactly if their keys are equal. With star no request matches the response.
// A response without Vary has the key "".
func Key(vary []string, h http.Header) (key string, star bool) {
	names, star := Names(vary)
	if star {
		return "", true
	}
	var buf [256]byte
	b, ok := AppendHeaderKey(buf[:0], names, h)
	if !ok {
		return "", true
	}
	return string(b), false
}

// AppendKey appends to dst the key of the request req for names as returned by [Names]. If ok is false the request holds
// something that cannot be compared, and matches no stored response; dst then comes back as it was. It does not allocate
// where dst has room.
func AppendKey(dst []byte, names []string, req Source) (key []byte, ok bool) {
	key = dst
	for _, name := range names {
		if key, ok = appendField(key, name, lines{source: req, name: name}); !ok {
			return dst, false
		}
	}
	return key, true
}

// AppendHeaderKey is [AppendKey] for a request whose fields are in a map.
func AppendHeaderKey(dst []byte, names []string, h http.Header) (key []byte, ok bool) {
	key = dst
	for _, name := range names {
		if key, ok = appendField(key, name, lines{values: h[name], name: name}); !ok {
			return dst, false
		}
	}
	return key, true
}

// lines is a cursor over the lines of one field. It is a value, so that starting again is copying it.
type lines struct {
	values []string // used if source is nil
	source Source
	name   string
	i      int
}

func (l *lines) next() (string, bool) {
	if l.source == nil {
		if l.i >= len(l.values) {
			return "", false
		}
		l.i++
		return l.values[l.i-1], true
	}
	for l.i < l.source.Len() {
		name, value := l.source.At(l.i)
		l.i++
		if len(name) == len(l.name) && strings.EqualFold(name, l.name) {
			return value, true
		}
	}
	return "", false
}

// A key is a sequence of records, one per name: the name, then nothing if the request lacks the field, else a mark and the
// value, then a line feed. The marks keep values that were understood apart from values that were only tidied.
const (
	markMeaning = ':'
	markText    = '='
	recordEnd   = '\n'
	lineJoin    = '\x01' // between the lines of a field that is no list
)

func appendField(dst []byte, name string, in lines) ([]byte, bool) {
	dst = append(dst, name...)
	probe := in
	if _, present := probe.next(); !present {
		return append(dst, recordEnd), true
	}
	if k := kindOf(name); k.weighted() {
		if out, ok := appendWeighted(append(dst, markMeaning), k, in); ok {
			return append(out, recordEnd), true
		}
	}
	out, ok := appendText(append(dst, markText), in, !single(name))
	return append(out, recordEnd), ok
}

// single reports whether a field is defined as one value in which a comma separates nothing, so that white space around it
// counts.
func single(name string) bool {
	switch name {
	case "Cookie", "Authorization", "Proxy-Authorization", "User-Agent", "Referer", "Origin", "Host", "From", "Range",
		"If-Range", "If-Modified-Since", "If-Unmodified-Since", "Content-Type", "Content-Location":
		return true
	}
	return false
}

// appendText appends the lines of a field, as a list combined with commas and without white space around them (RFC 9110 §5.3,
// RFC 9111 §4.1), or as they are.
func appendText(dst []byte, in lines, list bool) ([]byte, bool) {
	for n := 0; ; n++ {
		value, more := in.next()
		if !more {
			return dst, true
		}
		if hasControl(value) {
			return dst, false
		}
		value = trimOWS(value)
		if !list {
			if n > 0 {
				dst = append(dst, lineJoin)
			}
			dst = append(dst, value...)
			continue
		}
		if n > 0 {
			dst = append(dst, ',')
		}
		var ok bool
		if dst, ok = appendList(dst, value); !ok {
			return dst, false
		}
	}
}

// appendList appends one line without the white space around its commas. A comma in a quoted string is data. A quoted string
// that does not end makes it impossible to tell the two apart.
func appendList(dst []byte, value string) ([]byte, bool) {
	start, quoted := len(dst), false
	for i := 0; i < len(value); i++ {
		c := value[i]
		switch {
		case quoted && c == '\\' && i+1 < len(value):
			dst = append(dst, c)
			i++
			c = value[i]
		case c == '"':
			quoted = !quoted
		case c == ',' && !quoted:
			for len(dst) > start && isOWS(dst[len(dst)-1]) {
				dst = dst[:len(dst)-1]
			}
			for i+1 < len(value) && isOWS(value[i+1]) {
				i++
			}
		}
		dst = append(dst, c)
	}
	return dst, !quoted
}

func isOWS(c byte) bool { return c == ' ' || c == '\t' }

func trimOWS(s string) string {
	for len(s) > 0 && isOWS(s[0]) {
		s = s[1:]
	}
	for len(s) > 0 && isOWS(s[len(s)-1]) {
		s = s[:len(s)-1]
	}
	return s
}

func hasControl(s string) bool {
	for i := 0; i < len(s); i++ {
		if (s[i] < ' ' && s[i] != '\t') || s[i] == 0x7f {
			return true
		}
	}
	return false
}

func isToken(s string) bool {
	for i := 0; i < len(s); i++ {
		if !isTokenByte(s[i]) {
			return false
		}
	}
	return s != ""
}

// tokenLow and tokenHigh have a bit set for every byte of a token (RFC 9110 §5.6.2), from 0 and from 64 on.
const (
	tokenLow  = 0x03ff6cfa00000000
	tokenHigh = 0x57ffffffc7fffffe
)

func isTokenByte(c byte) bool {
	if c < 64 {
		return uint64(tokenLow)>>c&1 == 1
	}
	return c < 128 && uint64(tokenHigh)>>(c-64)&1 == 1
}
