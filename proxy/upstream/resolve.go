package upstream

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"strings"
	"sync"
	"time"
)

// How long answers are kept, and how many. The resolver does not tell the
// records' own lifetimes; half a minute is short against any of them that matters.
const (
	keepFound    = 30 * time.Second
	keepNotFound = 5 * time.Second
	keepFailed   = time.Second
	maxNames     = 1024
	maxAddrs     = 16 // of one name
)

var (
	errNotAName  = errors.New("host is neither a name nor an IP address")
	errNoAddress = errors.New("name has no address")
	errZone      = errors.New("IPv6 zone in host")
)

// names holds the answers of the resolver.
type names struct {
	mu      sync.Mutex
	answers map[string]*answer
}

// answer is what became of one lookup. Its other fields are set when done is
// closed.
type answer struct {
	done  chan struct{}
	addrs []netip.Addr
	err   error
	until time.Time
}

// valid reports whether a may be used at now: it is pending or still kept.
func (a *answer) valid(now time.Time) bool {
	select {
	case <-a.done:
		return now.Before(a.until)
	default:
		return true
	}
}

// Lookup returns the addresses of host, IPv4-mapped ones in their IPv4 form.
// Only what netip parses is a literal; other numeric forms such as 127.1 are
// errors, never addresses. The slice is shared and must not be changed. The
// error is an [*Error].
func (c *Client) Lookup(ctx context.Context, host string) ([]netip.Addr, error) {
	if a, err := netip.ParseAddr(host); err == nil {
		if a.Zone() != "" {
			return nil, &Error{KindDNSError, 502, errZone}
		}
		return []netip.Addr{a.Unmap()}, nil
	}
	if !isName(host) {
		return nil, &Error{KindDNSError, 502, errNotAName}
	}
	a, err := c.answer(host)
	if err != nil {
		return nil, err
	}
	select {
	case <-a.done:
	default:
		select {
		case <-a.done:
		case <-ctx.Done():
			return nil, &Error{KindDNSTimeout, 504, context.Cause(ctx)}
		}
	}
	if a.err != nil {
		return nil, a.err
	}
	return a.addrs, nil
}

// answer returns the kept or pending answer for host, or starts a lookup. The
// lookup belongs to all who wait for it and so outlives the one who started it.
func (c *Client) answer(host string) (*answer, error) {
	c.names.mu.Lock()
	defer c.names.mu.Unlock()
	now := time.Now()
	if a := c.names.answers[host]; a != nil && a.valid(now) {
		return a, nil
	}
	a := &answer{done: make(chan struct{})}
	if !c.spawn(func() { c.lookup(host, a) }) {
		return nil, &Error{KindDNSError, 503, errClosed}
	}
	c.names.makeRoom(now)
	c.names.answers[host] = a
	return a, nil
}

// makeRoom sees to it that one more answer fits: expired ones go first, then any.
func (n *names) makeRoom(now time.Time) {
	if len(n.answers) < maxNames {
		return
	}
	for host, a := range n.answers {
		if !a.valid(now) {
			delete(n.answers, host)
		}
	}
	for host := range n.answers {
		if len(n.answers) < maxNames {
			return
		}
		delete(n.answers, host)
	}
}

// lookup asks the resolver and completes a.
func (c *Client) lookup(host string, a *answer) {
	defer close(a.done)
	ctx, cancel := context.WithTimeout(c.base, c.opt().ConnectTimeout)
	defer cancel()
	addrs, err := c.opt().Resolver.LookupNetIP(ctx, "ip", host)
	for _, addr := range addrs[:min(len(addrs), maxAddrs)] {
		a.addrs = append(a.addrs, addr.WithZone("").Unmap())
	}
	if err == nil && len(a.addrs) == 0 {
		err = errNoAddress
	}
	keep := keepFound
	if err != nil {
		keep, a.err = dnsError(err)
	}
	a.until = time.Now().Add(keep)
}

// dnsError says how long to keep a resolver's error, and names it.
func dnsError(err error) (time.Duration, error) {
	var de *net.DNSError
	switch {
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &de) && de.IsTimeout:
		return keepFailed, &Error{KindDNSTimeout, 504, err}
	case errors.Is(err, errNoAddress), de != nil && de.IsNotFound:
		return keepNotFound, &Error{KindDNSError, 502, err}
	}
	return keepFailed, &Error{KindDNSError, 502, err}
}

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
