package policy

import (
	"net/netip"
	"slices"
	"strings"
	"time"
)

// match is whether a rule matches.
type match uint8

const (
	no    match = iota
	maybe       // it depends on the address
	yes
)

// condition is a part of a rule.
type condition uint8

const (
	none condition = iota
	onVia
	onPort
	onMethod
	onClient
	onUser
	onTime
	onDestination
)

// subject is a question in the form in which rules are asked.
type subject struct {
	Question
	name       string     // the host without trailing dot; empty if it is an address
	addr       netip.Addr // unmapped; invalid if it is not known
	translated netip.Addr // the IPv4 address that addr stands for, if that is another one
	client     netip.Addr // unmapped, without zone
	location   *time.Location
}

// subjectOf reads a question; false means that its host is not one.
func subjectOf(q Question, location *time.Location) (subject, bool) {
	s := subject{Question: q, client: q.Client.Unmap().WithZone(""), location: location}
	name, addr, ok := cutHost(q.Host)
	if !ok {
		return s, false
	}
	s.name, s.addr = lower(name), addr
	if q.Addr.IsValid() {
		s.addr = q.Addr.Unmap().WithZone("")
	}
	if s.addr.Is6() {
		s.translated = Translated(s.addr)
	}
	return s, true
}

// lower is strings.ToLower for ASCII, which costs nothing where there is nothing to do.
func lower(s string) string {
	for i := range len(s) {
		if 'A' <= s[i] && s[i] <= 'Z' {
			return strings.ToLower(s)
		}
	}
	return s
}

// cutHost tells names from addresses. IPv6 addresses may be in brackets, nothing else may.
func cutHost(host string) (name string, addr netip.Addr, ok bool) {
	name = strings.TrimSuffix(host, ".")
	if inner, bracket := strings.CutPrefix(name, "["); bracket {
		inner, closed := strings.CutSuffix(inner, "]")
		addr, err := netip.ParseAddr(inner)
		return "", addr.Unmap(), closed && err == nil && addr.Is6() && addr.Zone() == ""
	}
	if numeric(name) {
		if addr, err := netip.ParseAddr(name); err == nil {
			return "", addr.Unmap(), addr.Zone() == ""
		}
	}
	return name, netip.Addr{}, validName(name)
}

// numeric tells whether a host can be an address at all, since finding out that it is none costs an allocation.
func numeric(s string) bool {
	return s != "" && (s[len(s)-1] >= '0' && s[len(s)-1] <= '9' || strings.IndexByte(s, ':') >= 0)
}

// match tells whether the rule matches, and if not for certain, what condition is to blame.
func (r *rule) match(s *subject) (match, condition) {
	switch {
	case r.via != 0 && r.via&s.Via == 0:
		return no, onVia
	case r.ports != nil && !inPorts(r.ports, s.Port):
		return no, onPort
	case r.methods != nil && !slices.Contains(r.methods, s.Method):
		return no, onMethod
	case r.clients != nil && !r.clients.has(s.client):
		return no, onClient
	case r.users != nil && !r.hasUser(s.User):
		return no, onUser
	case r.times.set && !r.times.has(s.Time.In(s.location)):
		return no, onTime
	case r.to == nil:
		return yes, none
	}
	m := no
	for _, h := range r.to {
		if m = max(m, h.match(s)); m == yes {
			return yes, none
		}
	}
	return m, onDestination
}

// hasUser tells whether the rule is about a user. Who did not say who they are is nobody.
func (r *rule) hasUser(user string) bool {
	_, ok := r.users[user]
	return ok && user != ""
}

func inPorts(ranges []PortRange, port uint16) bool {
	for _, r := range ranges {
		if r.First <= port && port <= r.Last {
			return true
		}
	}
	return false
}
