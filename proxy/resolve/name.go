package resolve

import "strings"

// isName reports whether host has the form of a host name. A last label that is
// a number makes it none: 127.1, 0x7f000001, 2130706433 and 0 are IPv4 addresses
// to inet_aton, and no resolver may be given the chance to see them so. There is
// no such top-level domain (RFC 3696 §2).
func isName(host string) bool {
	host = strings.TrimSuffix(host, ".")
	if host == "" || len(host) > 253 {
		return false
	}
	rest := host
	for {
		label, tail, more := strings.Cut(rest, ".")
		if !isLabel(label) {
			return false
		}
		if !more {
			return !isNumber(label)
		}
		rest = tail
	}
}

// isLabel reports whether s can be a label: letters, digits, hyphens, and the
// underscores that occur in practice.
func isLabel(s string) bool {
	if s == "" || len(s) > 63 {
		return false
	}
	for i := range len(s) {
		switch b := s[i]; {
		case 'a' <= b && b <= 'z', 'A' <= b && b <= 'Z', '0' <= b && b <= '9', b == '-', b == '_':
		default:
			return false
		}
	}
	return true
}

// isNumber reports whether inet_aton would read s as a number.
func isNumber(s string) bool {
	digits := "0123456789"
	if len(s) >= 2 && s[0] == '0' && s[1]|0x20 == 'x' {
		s, digits = s[2:], "0123456789abcdefABCDEF"
	}
	return strings.Trim(s, digits) == ""
}
