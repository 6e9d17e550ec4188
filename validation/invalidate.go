package validation

import (
	"bytes"
	"net/http"
	"slices"
	"strings"
)

// Invalidates reports whether the answer to a request invalidates what is stored for its URI (RFC 9111 §4.4): it is no error,
// and the method is not known to be safe.
func Invalidates(method string, status int) bool {
	return status >= 200 && status <= 399 && !safe(method)
}

// safe reports whether a method is registered as safe (RFC 9110 §9.2.1, §16.1.1).
func safe(method string) bool {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodTrace, "PROPFIND", "REPORT", "SEARCH", "QUERY":
		return true
	}
	return false
}

// URI is an effective request URI in the pieces that a proxy has already.
type URI struct {
	// Scheme is "http" or "https".
	Scheme string
	// Host is the lower-case host without brackets.
	Host string
	// Port is decimal, "" for the default of the scheme.
	Port string
	// Target is path and query byte for byte as sent.
	Target string
}

// maxLocations bounds how many lines of a Location field are looked at; one is legal.
const maxLocations = 4

// Targets returns the path and query of the URIs that the fields Location and Content-Location of an answer name, as far as
// they have the origin of the request's own URI, base: these are invalidated with it (RFC 9111 §4.4), others must not be. Bytes
// stay as they are. Where a path has dot segments it comes back both with and without them, for either may have been requested.
func Targets(base URI, h http.Header) []string {
	var targets []string
	for _, name := range [...]string{"Location", "Content-Location"} {
		lines := h[name]
		for _, ref := range lines[:min(len(lines), maxLocations)] {
			target, ok := base.resolve(ref)
			if !ok {
				continue
			}
			for _, t := range [...]string{target, removeDots(target)} {
				if !slices.Contains(targets, t) {
					targets = append(targets, t)
				}
			}
		}
	}
	return targets
}

// ContentLocationIs reports whether an answer says by its Content-Location that it is a representation of the request's own URI
// (RFC 9110 §8.7), so that the answer to a POST may serve a later GET (RFC 9110 §9.3.3).
func ContentLocationIs(base URI, h http.Header) bool {
	lines := h["Content-Location"]
	if len(lines) != 1 || trimOWS(lines[0]) == "" {
		return false
	}
	target, ok := base.resolve(lines[0])
	return ok && (target == rooted(base.Target) || removeDots(target) == rooted(base.Target))
}

// resolve resolves a URI reference (RFC 3986 §5.2), dot segments excepted, to path and query. ok is false if it is malformed or
// leads to another origin.
func (u URI) resolve(ref string) (target string, ok bool) {
	ref, _, _ = strings.Cut(trimOWS(ref), "#")
	if strings.ContainsFunc(ref, func(r rune) bool { return r <= ' ' || r == 0x7f || r == '\\' }) {
		return "", false
	}
	if scheme, rest, found := cutScheme(ref); found {
		if !strings.EqualFold(scheme, u.Scheme) || !strings.HasPrefix(rest, "//") {
			return "", false
		}
		ref = rest
	}
	if authority, found := strings.CutPrefix(ref, "//"); found {
		end := strings.IndexAny(authority, "/?")
		if end < 0 {
			end = len(authority)
		}
		return rooted(authority[end:]), u.hasAuthority(authority[:end])
	}
	path, _, _ := strings.Cut(u.Target, "?")
	switch {
	case ref == "":
		return rooted(u.Target), true
	case ref[0] == '/':
		return ref, true
	case ref[0] == '?':
		return rooted(path + ref), true
	}
	return rooted(path[:strings.LastIndexByte(path, '/')+1] + ref), true
}

// rooted gives a target without a path the path that is sent for it.
func rooted(target string) string {
	if target == "" || target[0] != '/' {
		return "/" + target
	}
	return target
}

// cutScheme cuts a scheme off a reference. A colon behind the first slash or question mark is no scheme's.
func cutScheme(ref string) (scheme, rest string, found bool) {
	for i := 0; i < len(ref); i++ {
		c := ref[i] | 0x20
		switch {
		case 'a' <= c && c <= 'z':
		case ref[i] == ':' && i > 0:
			return ref[:i], ref[i+1:], true
		case i > 0 && ('0' <= ref[i] && ref[i] <= '9' || ref[i] == '+' || ref[i] == '-' || ref[i] == '.'):
		default:
			return "", ref, false
		}
	}
	return "", ref, false
}

// hasAuthority reports whether an authority is the URI's own. One with user information is nobody's.
func (u URI) hasAuthority(authority string) bool {
	host, port := authority, ""
	if i := strings.LastIndexByte(authority, ':'); i > strings.LastIndexByte(authority, ']') {
		host, port = authority[:i], authority[i+1:]
	}
	if strings.HasPrefix(host, "[") && strings.HasSuffix(host, "]") {
		host = host[1 : len(host)-1]
	}
	return strings.EqualFold(host, u.Host) && u.effectivePort(port) == u.effectivePort(u.Port)
}

func (u URI) effectivePort(port string) string {
	switch {
	case port != "":
		return port
	case u.Scheme == "https":
		return "443"
	}
	return "80"
}

// removeDots removes the dot segments from the path of a target (RFC 3986 §5.2.4).
func removeDots(target string) string {
	end := strings.IndexByte(target, '?')
	if end < 0 {
		end = len(target)
	}
	path := target[:end]
	if !strings.Contains(path, "/.") {
		return target
	}
	out := make([]byte, 0, len(target))
	for path != "" {
		segment := path[1:]
		if i := strings.IndexByte(segment, '/'); i >= 0 {
			segment = segment[:i]
		}
		path = path[1+len(segment):]
		switch segment {
		case "..":
			out = out[:max(bytes.LastIndexByte(out, '/'), 0)]
		case ".":
		default:
			out = append(append(out, '/'), segment...)
			continue
		}
		if path == "" {
			out = append(out, '/')
		}
	}
	return string(append(out, target[end:]...))
}
