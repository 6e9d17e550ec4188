package vary

import (
	"bytes"
	"strconv"
	"strings"
)

// kind tells how the value of a request field is compared.
type kind uint8

const (
	kindText     kind = iota // white space only
	kindToken                // Accept-Charset: #( ( token / "*" ) [ weight ] )
	kindCoding               // Accept-Encoding: the same, with aliases and an implicit identity
	kindLanguage             // Accept-Language: #( language-range [ weight ] )
	kindMedia                // Accept: #( media-range [ weight ] )
)

func (k kind) weighted() bool { return k != kindText }

func kindOf(name string) kind {
	switch name {
	case "Accept":
		return kindMedia
	case "Accept-Charset":
		return kindToken
	case "Accept-Encoding":
		return kindCoding
	case "Accept-Language":
		return kindLanguage
	}
	return kindText
}

// maxMembers bounds the members of a field that are sorted; a longer one is compared as text. Browsers send below ten.
const maxMembers = 24

// fullWeight is the weight 1 in the thousandths that weights are counted in (RFC 9110 §12.4.2).
const fullWeight = 1000

// member is one member of a weighted list; the offsets are into the key under construction.
type member struct {
	start, itemEnd, end int32
	weight              int32
}

// weightedList is a list while it is brought into canonical order.
type weightedList struct {
	buf     []byte
	base    int
	members [maxMembers]member
	n       int
}

// appendWeighted appends the canonical form of an Accept-* field: members in lower case as far as case does not count,
// without white space, with weights in thousandths (none for 1), sorted, each only once. ok is false if the field does not
// follow its grammar, or is too long: then it is compared as text. dst comes back either way.
func appendWeighted(dst []byte, k kind, in lines) (out []byte, ok bool) {
	list := weightedList{buf: dst, base: len(dst)}
	for {
		line, more := in.next()
		if !more {
			break
		}
		if !list.addLine(k, line) {
			return dst, false
		}
	}
	if k == kindCoding {
		list.dropRefusedCodings()
	}
	return list.sorted(), true
}

func (l *weightedList) addLine(k kind, line string) bool {
	for line != "" {
		item, rest, _, ok := cutQuoted(line, ',')
		if !ok {
			return false
		}
		line = rest
		if item = trimOWS(item); item == "" {
			continue
		}
		if l.n == maxMembers || !l.add(k, item) {
			return false
		}
	}
	return true
}

// cutQuoted cuts s at the first separator outside a quoted string. ok is false if a quoted string does not end.
func cutQuoted(s string, separator byte) (item, rest string, more, ok bool) {
	quoted := false
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '"':
			quoted = !quoted
		case c == '\\' && quoted:
			i++
		case c == separator && !quoted:
			return s[:i], s[i+1:], true, true
		}
	}
	return s, "", false, !quoted
}

// add adds one member, an item with parameters of which the weight is the last.
func (l *weightedList) add(k kind, text string) bool {
	m := member{start: int32(len(l.buf)), weight: fullWeight}
	item, params, more := strings.Cut(text, ";")
	item = trimOWS(item)
	if !validItem(k, item) {
		return false
	}
	l.buf = appendLower(l.buf, item, k)
	m.itemEnd = int32(len(l.buf))
	for more {
		var param string
		param, params, more, _ = cutQuoted(params, ';') // that the quotes are paired was seen when the member was cut
		name, value, _ := strings.Cut(trimOWS(param), "=")
		if len(name) == 1 && name[0]|0x20 == 'q' {
			// Nothing follows the weight: what RFC 7231 called accept-ext has gone (RFC 9110 §12.5.1).
			var ok bool
			if m.weight, ok = parseWeight(value); !ok || more {
				return false
			}
			continue
		}
		if k != kindMedia || !isToken(name) || !validParamValue(value) {
			return false
		}
		l.buf = append(appendLower(append(l.buf, ';'), name, kindToken), '=')
		l.buf = append(l.buf, value...)
		m.itemEnd = int32(len(l.buf))
	}
	l.finish(m)
	return true
}

// finish appends the weight of a member and takes it into the list.
func (l *weightedList) finish(m member) {
	if m.weight != fullWeight {
		l.buf = strconv.AppendInt(append(l.buf, ";q="...), int64(m.weight), 10)
	}
	m.end = int32(len(l.buf))
	l.members[l.n] = m
	l.n++
}

func validItem(k kind, item string) bool {
	switch k {
	case kindLanguage:
		return validLanguage(item)
	case kindMedia:
		major, minor, ok := strings.Cut(item, "/")
		return ok && isToken(major) && isToken(minor) && (major != "*" || minor == "*")
	}
	return isToken(item)
}

// validLanguage checks a basic language range (RFC 4647 §2.1).
func validLanguage(s string) bool {
	if s == "*" {
		return true
	}
	for n := 0; ; n++ {
		sub, rest, more := strings.Cut(s, "-")
		if len(sub) == 0 || len(sub) > 8 {
			return false
		}
		for i := 0; i < len(sub); i++ {
			c := sub[i] | 0x20
			if (c < 'a' || c > 'z') && (n == 0 || sub[i] < '0' || sub[i] > '9') {
				return false
			}
		}
		if !more {
			return true
		}
		s = rest
	}
}

func validParamValue(s string) bool {
	if isToken(s) {
		return true
	}
	return len(s) >= 2 && s[0] == '"' && s[len(s)-1] == '"' && !hasControl(s)
}

// parseWeight reads a qvalue (RFC 9110 §12.4.2) in thousandths.
func parseWeight(s string) (int32, bool) {
	if s == "" || len(s) > 5 || (s[0] != '0' && s[0] != '1') || (len(s) > 1 && s[1] != '.') {
		return 0, false
	}
	weight, unit := int32(s[0]-'0')*fullWeight, int32(100)
	for i := 2; i < len(s); i++ {
		if s[i] < '0' || s[i] > '9' {
			return 0, false
		}
		weight += int32(s[i]-'0') * unit
		unit /= 10
	}
	return weight, weight <= fullWeight
}

func appendLower(dst []byte, s string, k kind) []byte {
	if k == kindCoding && len(s) > 2 && s[0]|0x20 == 'x' && s[1] == '-' &&
		(strings.EqualFold(s[2:], "gzip") || strings.EqualFold(s[2:], "compress")) {
		s = s[2:] // RFC 9110 §8.4.1.1, §8.4.1.3: equivalent names
	}
	for i := 0; i < len(s); i++ {
		c := s[i]
		if 'A' <= c && c <= 'Z' {
			c |= 0x20
		}
		dst = append(dst, c)
	}
	return dst
}

func (l *weightedList) item(m member) []byte { return l.buf[m.start:m.itemEnd] }

// dropRefusedCodings removes members with weight 0 that say nothing: a coding that is not listed is not acceptable either,
// unless "*" makes it so. identity is acceptable unless it is refused, so its refusal stays (RFC 9110 §12.5.3).
func (l *weightedList) dropRefusedCodings() {
	for _, m := range l.members[:l.n] {
		if m.weight > 0 && string(l.item(m)) == "*" {
			return
		}
	}
	kept := 0
	for _, m := range l.members[:l.n] {
		if item := l.item(m); m.weight > 0 || string(item) == "*" || string(item) == "identity" {
			l.members[kept] = m
			kept++
		}
	}
	l.n = kept
}

// sorted writes the members in order behind the unsorted ones, then moves them into their place.
func (l *weightedList) sorted() []byte {
	text := func(m member) []byte { return l.buf[m.start:m.end] }
	for i := 1; i < l.n; i++ {
		for j := i; j > 0 && bytes.Compare(text(l.members[j]), text(l.members[j-1])) < 0; j-- {
			l.members[j], l.members[j-1] = l.members[j-1], l.members[j]
		}
	}
	end := len(l.buf)
	for i, m := range l.members[:l.n] {
		if i > 0 {
			if bytes.Equal(text(m), text(l.members[i-1])) {
				continue
			}
			l.buf = append(l.buf, ',')
		}
		l.buf = append(l.buf, l.buf[m.start:m.end]...)
	}
	n := copy(l.buf[l.base:], l.buf[end:])
	return l.buf[:l.base+n]
}
