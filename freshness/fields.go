package freshness

import (
	"net/http"
	"strings"
)

// eachMember calls f with every member of a list, empty ones too, in all its lines (RFC 9110 §5.3, §5.6.1). open tells
// that a quote was still open at the end of the line: then nobody knows where the members end. Lines are read one by
// one, so that such a line cannot swallow what the following ones say.
func eachMember(lines []string, f func(member string, open bool)) {
	for _, line := range lines {
		for more, open := true, false; more; {
			var member string
			member, line, more, open = cut(line)
			f(member, open)
		}
	}
}

// sole returns the value of a field that may not be a list; it is not ok when the field is absent or repeated.
func sole(h http.Header, name string) (value string, ok bool) {
	lines := h[name]
	if len(lines) != 1 {
		return "", false
	}
	return lines[0], true
}

// cut splits the first member off a line. Commas inside quoted strings do not count (RFC 9110 §5.6.4).
func cut(line string) (member, rest string, more, open bool) {
	for i := 0; i < len(line); i++ {
		switch c := line[i]; {
		case c == '"':
			open = !open
		case c == '\\' && open:
			i++
		case c == ',' && !open:
			return trim(line[:i]), line[i+1:], true, false
		}
	}
	return trim(line), "", false, open
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
func hasMember(lines []string, want string) bool {
	found := false
	eachMember(lines, func(member string, _ bool) {
		name, _ := nameOf(member)
		found = found || fold(name, want)
	})
	return found
}
