package wire

import (
	"net/netip"
	"strings"
)

// Form is the form of a request target (RFC 9112 §3.2).
type Form int

// The forms of a request target.
const (
	OriginForm    Form = iota // "/path?query"
	AbsoluteForm              // "http://host/path?query"
	AuthorityForm             // "host:port", of CONNECT only
	AsteriskForm              // "*", of OPTIONS only
)

// String names the form in the RFC's words.
func (f Form) String() string {
	switch f {
	case OriginForm:
		return "origin-form"
	case AbsoluteForm:
		return "absolute-form"
	case AuthorityForm:
		return "authority-form"
	case AsteriskForm:
		return "asterisk-form"
	}
	return "unknown form"
}

// Target is a parsed request target.
type Target struct {
	Form Form
	// Scheme is "http" or "https" in absolute form, else "".
	Scheme string
	// Host is the host in lower case, an IPv6 address without its brackets. A
	// trailing dot is kept. "" in origin and asterisk form.
	Host string
	// Port is 1 to 65535 without leading zeros, or "" where none was given.
	Port string
	// Path is the path and query byte for byte. In absolute form it is ""
	// when the target ends with the authority, and starts with '?' when only
	// a query follows.
	Path string
}

// maxHost bounds a host name: DNS has no longer ones, a trailing dot included.
const maxHost = 254

// ParseTarget parses the target of a request with the given method. Absolute
// form needs the scheme http or https and an authority without user
// information, CONNECT a host and port, and "*" is for OPTIONS. It allocates
// only when the host is not in lower case. The error is an *Error.
func ParseTarget(method, target string) (Target, error) {
	if end := targetEnd(target, 0); end < len(target) {
		return Target{}, targetError(target[end])
	}
	t, err := parseTarget(method, target)
	if err != nil {
		return Target{}, err
	}
	return t, nil
}

// targetError says why c cannot be in a target.
func targetError(c byte) *Error {
	switch c {
	case '#':
		return errFragment
	case ' ', '\t':
		return errTargetSpace
	}
	return errTargetByte
}

// parseTarget parses a target whose octets have been checked.
func parseTarget(method, target string) (t Target, err *Error) {
	if method == "CONNECT" {
		t.Form = AuthorityForm
		t.Host, t.Port, err = parseAuthority(target)
		if err == nil && t.Port == "" {
			err = errConnectTarget
		}
		return t, err
	}
	if target == "" {
		return t, errTargetForm
	}
	if target[0] == '/' {
		t.Path = target
		return t, nil
	}
	if target == "*" && method == "OPTIONS" {
		t.Form = AsteriskForm
		return t, nil
	}
	return parseAbsolute(target)
}

// parseAbsolute parses a target in absolute form.
func parseAbsolute(target string) (t Target, err *Error) {
	t.Form = AbsoluteForm
	var rest string
	switch {
	case hasPrefixFold(target, "http://"):
		t.Scheme, rest = "http", target[len("http://"):]
	case hasPrefixFold(target, "https://"):
		t.Scheme, rest = "https", target[len("https://"):]
	case strings.Contains(target, "://"):
		return t, errScheme
	default:
		return t, errTargetForm
	}
	end := 0
	for end < len(rest) && rest[end] != '/' && rest[end] != '?' {
		end++
	}
	t.Host, t.Port, err = parseAuthority(rest[:end])
	t.Path = rest[end:]
	return t, err
}

// hasPrefixFold reports whether s starts with prefix in any case.
func hasPrefixFold(s, prefix string) bool {
	return len(s) >= len(prefix) && equalFold(s[:len(prefix)], prefix)
}

// ParseAuthority parses host[:port], as in a Host field or the target of
// CONNECT, to what Target has for Host and Port. A host is a valid IPv6
// address in brackets, without a zone, or a name of letters, digits and
// "-._~" with no empty label; RFC 3986 would allow more, but nothing that DNS
// could resolve. The error is an *Error.
func ParseAuthority(s string) (host, port string, err error) {
	h, p, e := parseAuthority(s)
	if e != nil {
		return "", "", e
	}
	return h, p, nil
}

func parseAuthority(s string) (host, port string, err *Error) {
	var rest string
	if strings.HasPrefix(s, "[") {
		host, rest, err = cutIPv6(s[1:])
	} else {
		host, rest, err = cutName(s)
	}
	if err == nil {
		port, err = parsePort(rest)
	}
	if err != nil {
		if strings.IndexByte(s, '@') >= 0 {
			err = errUserinfo
		}
		return "", "", err
	}
	return host, port, nil
}

// cutIPv6 splits what follows "[" into the address, in lower case, and what
// follows "]".
func cutIPv6(s string) (host, rest string, err *Error) {
	host, rest, ok := strings.Cut(s, "]")
	if !ok {
		return "", "", errHost
	}
	if addr, e := netip.ParseAddr(host); e != nil || !addr.Is6() || addr.Zone() != "" {
		return "", "", errHost
	}
	return strings.ToLower(host), rest, nil
}

// cutName splits an authority into the host name, in lower case, and what
// follows it.
func cutName(s string) (host, rest string, err *Error) {
	end, label := 0, 0
	var seen uint8
	for ; end < len(s) && class[s[end]]&isHost != 0; end++ {
		seen |= class[s[end]]
		if s[end] != '.' {
			continue
		}
		if end == label {
			return "", "", errHost
		}
		label = end + 1
	}
	if end == 0 || end > maxHost || end < len(s) && s[end] != ':' {
		return "", "", errHost
	}
	host = s[:end]
	if seen&isUpper != 0 {
		host = strings.ToLower(host)
	}
	return host, s[end:], nil
}

// parsePort reads ":port", ":" or "". RFC 3986 lets a port have leading zeros.
func parsePort(s string) (string, *Error) {
	if s == "" || s == ":" {
		return "", nil
	}
	if s[0] != ':' {
		return "", errHost
	}
	s = s[1:]
	n := 0
	for i := range len(s) {
		if i >= len("65535") || class[s[i]]&isDigit == 0 {
			return "", errPort
		}
		n = n*10 + int(s[i]-'0')
	}
	if n < 1 || n > 65535 {
		return "", errPort
	}
	for s[0] == '0' {
		s = s[1:]
	}
	return s, nil
}
