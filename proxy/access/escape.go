package access

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

const hex = "0123456789abcdef"

// cut ends values that are longer than a line has room for.
const cut = "..."

// style is how a value is escaped.
type style uint8

const (
	styleJSON   style = iota // inside a JSON string
	styleQuoted              // inside double quotes, with \xhh
	styleBare                // one word, with %hh
)

// special has one bit for each style that must escape a byte. Bytes from 0x80 are looked at as runes.
var special = specialBytes()

func specialBytes() (t [256]uint8) {
	const every = 1<<styleJSON | 1<<styleQuoted | 1<<styleBare
	for c := range t {
		switch {
		case c < ' ' || c >= 0x7f:
			t[c] = every
		case c == '"' || c == '\\':
			t[c] = every
		case c == ' ':
			t[c] = 1 << styleBare
		}
	}
	return t
}

// appendEscaped appends s in the style, in at most limit bytes; of a longer s the rest is replaced by "...".
func appendEscaped(dst []byte, s string, how style, limit int) []byte {
	mask := uint8(1) << how
	end := min(len(s), limit)
	i := 0
	for i < end && special[s[i]]&mask == 0 {
		i++
	}
	if i == len(s) {
		return append(dst, s...)
	}
	return appendSlowly(dst, s, i, how, limit)
}

// appendSlowly is appendEscaped for an s whose first plain bytes are known.
func appendSlowly(dst []byte, s string, plain int, how style, limit int) []byte {
	const longest = 12 // bytes of one escaped rune
	stop := len(dst) + limit - longest - len(cut)
	plain = min(plain, max(limit-longest-len(cut), 0))
	dst = append(dst, s[:plain]...)
	for i := plain; i < len(s); {
		if len(dst) > stop {
			return append(dst, cut...)
		}
		if special[s[i]]&(1<<how) == 0 {
			dst = append(dst, s[i])
			i++
			continue
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		dst = appendRune(dst, s[i:i+size], r, how)
		i += size
	}
	return dst
}

// appendRune appends one rune that is special; text is its encoding, or one byte that is none.
func appendRune(dst []byte, text string, r rune, how style) []byte {
	invalid := r == utf8.RuneError && len(text) == 1
	switch {
	case how == styleBare:
		for i := range len(text) {
			dst = append(dst, '%', upper(text[i]>>4), upper(text[i]&15))
		}
		return dst
	case r == '"' || r == '\\':
		return append(dst, '\\', text[0])
	case r >= utf8.RuneSelf && !invalid && unicode.IsPrint(r):
		return append(dst, text...)
	case how == styleQuoted:
		for i := range len(text) {
			dst = append(dst, '\\', 'x', hex[text[i]>>4], hex[text[i]&15])
		}
		return dst
	case invalid:
		return append(dst, `\ufffd`...)
	case r >= 0x10000: // a surrogate pair
		r -= 0x10000
		return appendUnicode(appendUnicode(dst, 0xd800+r>>10), 0xdc00+r&0x3ff)
	}
	return appendUnicode(dst, r)
}

// appendUnicode appends JSON's \uhhhh.
func appendUnicode(dst []byte, r rune) []byte {
	return append(dst, '\\', 'u', hex[r>>12&15], hex[r>>8&15], hex[r>>4&15], hex[r&15])
}

// upper is the upper-case digit that URLs use.
func upper(nibble byte) byte {
	if nibble < 10 {
		return '0' + nibble
	}
	return 'A' + nibble - 10
}

// appendWord appends s as one word for people: as it is where that is clear, else in quotes; "-" when it is empty.
func appendWord(dst []byte, s string, limit int) []byte {
	if s == "" {
		return append(dst, '-')
	}
	end := min(len(s), limit)
	for i := range end {
		if special[s[i]]&(1<<styleBare) != 0 {
			dst = append(dst, '"')
			dst = appendEscaped(dst, s, styleQuoted, limit)
			return append(dst, '"')
		}
	}
	return appendEscaped(dst, s, styleQuoted, limit)
}

// shown returns the parts of a URL that may be logged, to be written one after the other: everything but userinfo
// and, if strip is set, the query.
func shown(url string, strip bool) (front, back string) {
	if strip {
		url, _, _ = strings.Cut(url, "?")
	}
	if strings.IndexByte(url, '@') < 0 {
		return "", url
	}
	start := authority(url)
	end := len(url)
	if i := strings.IndexAny(url[start:], "/?#\\"); i >= 0 {
		end = start + i
	}
	at := strings.LastIndexByte(url[start:end], '@')
	if at < 0 {
		return "", url
	}
	return url[:start], url[start+at+1:]
}

// authority returns where the authority of a URL, a CONNECT target or something that only looks like one begins:
// behind "scheme:" and any slashes. A path has none, and what it returns for one holds no "@".
func authority(url string) int {
	if strings.HasPrefix(url, "/") && !strings.HasPrefix(url, "//") {
		return len(url)
	}
	i := strings.IndexAny(url, ":/?#@") + 1
	if i > 0 && url[i-1] != ':' {
		i = 0
	}
	for i < len(url) && (url[i] == '/' || url[i] == '\\') {
		i++
	}
	return i
}
