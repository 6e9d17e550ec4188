package validation

import "strings"

// ETag is an entity tag (RFC 9110 §8.8.3). It is a comparable value; the zero value is "no entity tag" and equals nothing.
//
// Origins also send tags that break the grammar: unquoted, or with a lower-case weakness indicator. Such an odd tag is weak,
// and equals nothing but the same bytes. That is enough to validate with it, and can confuse no two representations that the
// origin kept apart.
type ETag struct {
	text  string // as received
	class tagClass
}

type tagClass uint8

const (
	noTag tagClass = iota
	strongTag
	weakTag
	oddTag
)

const weakPrefix = "W/"

// ParseETag reads the value of an ETag field. A value that could not be sent back as one member of a list is no entity tag.
func ParseETag(value string) ETag {
	tag, rest := nextTag(value)
	if rest != "" || trimOWS(value) != tag.text {
		return ETag{}
	}
	return tag
}

// ParseETags reads the lines of an If-Match or If-None-Match field that is not "*". Members that are unusable are left out.
func ParseETags(lines []string) []ETag {
	var tags []ETag
	for _, line := range lines {
		for line != "" {
			var tag ETag
			if tag, line = nextTag(line); tag.Present() {
				tags = append(tags, tag)
			}
		}
	}
	return tags
}

// nextTag cuts the first member off a list of entity tags. A comma in a quoted tag is part of it. The tag is absent if the
// list is at its end or the member is unusable.
func nextTag(list string) (tag ETag, rest string) {
	list = strings.TrimLeft(list, " \t,")
	if list == "" {
		return ETag{}, ""
	}
	n, class := scanTag(list)
	end := len(list)
	if i := strings.IndexByte(list[n:], ','); i >= 0 {
		end = n + i
	}
	if text := trimOWS(list[:end]); n == 0 || len(text) > n {
		return oddETag(text), list[end:]
	}
	return ETag{list[:n], class}, list[end:]
}

// scanTag returns the length of the well-formed entity tag that s begins with, or 0.
func scanTag(s string) (int, tagClass) {
	start, class := 0, strongTag
	if strings.HasPrefix(s, weakPrefix) {
		start, class = len(weakPrefix), weakTag
	}
	if len(s) <= start || s[start] != '"' {
		return 0, noTag
	}
	for i := start + 1; i < len(s); i++ {
		if s[i] == '"' {
			return i + 1, class
		}
		if !isTagByte(s[i]) {
			break
		}
	}
	return 0, noTag
}

// oddETag is the tag for text outside the grammar. If it were sent back, "*" would match everything, and a comma end the member.
func oddETag(text string) ETag {
	for i := 0; i < len(text); i++ {
		if text[i] == ',' || (text[i] != '"' && !isTagByte(text[i])) {
			return ETag{}
		}
	}
	if text == "" || text == "*" {
		return ETag{}
	}
	return ETag{text, oddTag}
}

// isTagByte reports whether c is an etagc.
func isTagByte(c byte) bool { return c > ' ' && c != '"' && c != 0x7f }

// Present reports whether there is a tag at all.
func (e ETag) Present() bool { return e.class != noTag }

// Strong reports whether the tag is a well-formed strong entity tag.
func (e ETag) Strong() bool { return e.class == strongTag }

// String returns the tag as it was received, "" for none.
func (e ETag) String() string { return e.text }

// StrongEqual is the strong comparison (RFC 9110 §8.8.3.2): both are strong and the same.
func (e ETag) StrongEqual(o ETag) bool {
	return e.class == strongTag && o.class == strongTag && e.text == o.text
}

// WeakEqual is the weak comparison (RFC 9110 §8.8.3.2): the same but for the weakness indicator.
func (e ETag) WeakEqual(o ETag) bool {
	if e.class == noTag || (e.class == oddTag) != (o.class == oddTag) {
		return false
	}
	return e.opaque() == o.opaque() && o.class != noTag
}

func (e ETag) opaque() string {
	if e.class == weakTag {
		return e.text[len(weakPrefix):]
	}
	return e.text
}

func trimOWS(s string) string { return strings.Trim(s, " \t") }
