package freshness

import (
	"net/http"
	"strings"
)

// joined returns all lines of a field as one list (RFC 9110 §5.3), so that splitting a field over lines changes nothing.
func joined(lines []string) string {
	if len(lines) == 1 {
		return lines[0]
	}
	return strings.Join(lines, ", ")
}

// sole returns the value of a field that may not be a list; it is not ok when the field is absent or repeated.
func sole(h http.Header, name string) (value string, ok bool) {
	lines := h[name]
	if len(lines) != 1 {
		return "", false
	}
	return lines[0], true
}

// cut splits the first member off a comma-separated list. Commas inside quoted strings do not count (RFC 9110 §5.6.4).
// open tells that a quote was still open at the end: then nobody knows where the members end.
func cut(list string) (member, rest string, open bool) {
	quoted := false
	for i := 0; i < len(list); i++ {
		switch c := list[i]; {
		case c == '"':
			quoted = !quoted
		case c == '\\' && quoted:
			i++
		case c == ',' && !quoted:
			return trim(list[:i]), list[i+1:], false
		}
	}
	return trim(list), "", quoted
}

// trim removes optional white space (RFC 9110 §5.6.3), which is less than what strings.TrimSpace removes.
func trim(s string) string { return strings.Trim(s, " \t") }

// nameOf returns the token that a directive starts with, and whether the whole of it is
// token [ "=" ( token / quoted-string ) ] (RFC 9111 §5.2).
func nameOf(directive string) (name string, wellFormed bool) {
	n := tokenLen(directive)
	name, rest := directive[:n], directive[n:]
	if n == 0 || rest == "" {
		return name, n > 0
	}
	if rest[0] != '=' {
		return name, false
	}
	arg := rest[1:]
	if strings.HasPrefix(arg, `"`) {
		return name, quotedLen(arg) == len(arg)
	}
	return name, arg != "" && tokenLen(arg) == len(arg)
}

// quotedLen returns the length of the quoted string that s starts with, 0 if it does not end.
func quotedLen(s string) int {
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return 0
}

// tokenLen returns how many bytes at the start of s belong to a token.
func tokenLen(s string) int {
	for i := range len(s) {
		if !isTokenByte(s[i]) {
			return i
		}
	}
	return len(s)
}

// isTokenByte tells whether c is a tchar (RFC 9110 §5.6.2).
func isTokenByte(c byte) bool {
	switch {
	case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		return true
	}
	return strings.IndexByte("!#$%&'*+-.^_`|~", c) >= 0
}

// eachWord calls f, in lower case, with every run of token bytes in s that could be a directive's name.
func eachWord(s string, f func(word string)) {
	for s != "" {
		n := tokenLen(s)
		if n > 0 {
			f(strings.ToLower(s[:n]))
		}
		s = s[min(n+1, len(s)):]
	}
}

// hasMember tells whether a list has the member, regardless of case and of an argument to it.
func hasMember(lines []string, member string) bool {
	for list, open := joined(lines), false; list != "" && !open; {
		var m string
		m, list, open = cut(list)
		if name, _ := nameOf(m); fold(name, member) {
			return true
		}
	}
	return false
}
