package proxy

import (
	"slices"
	"strings"

	"github.com/jayproxy/jay/proxy/wire"
)

// hopByHop tells whether a field describes one connection only and is never passed on as it came (RFC 9110 §7.6.1).
// Proxy-Authenticate is not here: a response carries it to the client that must answer it.
func hopByHop(name string) bool {
	switch len(name) {
	case 2:
		return strings.EqualFold(name, "TE")
	case 7:
		return strings.EqualFold(name, "Upgrade")
	case 10:
		return strings.EqualFold(name, "Connection") || strings.EqualFold(name, "Keep-Alive")
	case 14:
		return strings.EqualFold(name, "HTTP2-Settings")
	case 16:
		return strings.EqualFold(name, "Proxy-Connection")
	case 17:
		return strings.EqualFold(name, "Transfer-Encoding")
	case 19:
		return strings.EqualFold(name, "Proxy-Authorization")
	}
	return false
}

// nominated is the set of lower-case field names that a message's Connection field declares hop-by-hop.
type nominated []string

// nominations reads every Connection line of a message. Options that name no field, and fields that a message cannot do
// without on its way (security: Connection must not be able to remove them), are left out.
func nominations(f *wire.Fields) nominated {
	if !f.Has("Connection") {
		return nil
	}
	var out nominated
	for t := range wire.ListTokens(f.Values("Connection")) {
		switch t {
		case "close", "keep-alive", "upgrade", "te", "host", "content-length", "via", "x-forwarded-for", "forwarded", "date", "content-type", "content-encoding", "content-range", "cache-status":
		default:
			out = append(out, t)
		}
	}
	return out
}

// has tells whether the message nominated the field.
func (n nominated) has(name string) bool {
	return len(n) > 0 && slices.ContainsFunc(n, func(s string) bool { return strings.EqualFold(s, name) })
}

// changesDecision tells whether a nominated field would have had a say in what the origin answers or in what may be stored:
// an answer to such a request is not stored, since other clients' requests would not have been altered so.
func (n nominated) changesDecision() bool {
	for _, t := range n {
		switch t {
		case "cookie", "authorization", "range", "cache-control", "pragma":
			return true
		}
		if strings.HasPrefix(t, "if-") || strings.HasPrefix(t, "accept") {
			return true
		}
	}
	return false
}

// connectionOptions are the parts of a Connection field (and its obsolete relatives) that decide about the connection.
type connectionOptions struct{ close, keepAlive, upgrade, te bool }

// optionsOf reads the Connection and Proxy-Connection fields; browsers that were told to use a proxy send the latter.
func optionsOf(f *wire.Fields) connectionOptions {
	var o connectionOptions
	for i := range f.Len() {
		name, value := f.At(i)
		if !strings.EqualFold(name, "Connection") && !strings.EqualFold(name, "Proxy-Connection") {
			continue
		}
		for t := range wire.ListTokens([]string{value}) {
			switch t {
			case "close":
				o.close = true
			case "keep-alive":
				o.keepAlive = true
			case "upgrade":
				o.upgrade = o.upgrade || len(name) == len("Connection")
			case "te":
				o.te = true
			}
		}
	}
	return o
}
