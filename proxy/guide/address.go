package guide

import (
	"net"
	"net/netip"
	"strconv"
	"strings"
)

// Address is where clients find a proxy.
type Address struct {
	Host   string // a name in lower case, or an address without brackets
	Port   uint16
	Secure bool // the proxy speaks TLS
}

// String is host:port; an IPv6 address has brackets.
func (a Address) String() string { return net.JoinHostPort(a.Host, strconv.Itoa(int(a.Port))) }

// Scheme is how URLs of the proxy begin.
func (a Address) Scheme() string {
	if a.Secure {
		return "https"
	}
	return "http"
}

// URL is the proxy's URL without a path.
func (a Address) URL() string { return a.Scheme() + "://" + a.String() }

// origin is the proxy's URL as browsers write it.
func (a Address) origin() string {
	if a.Secure && a.Port == 443 {
		return strings.TrimSuffix(a.URL(), ":443")
	}
	if !a.Secure && a.Port == 80 {
		return strings.TrimSuffix(a.URL(), ":80")
	}
	return a.URL()
}

// ParseAddress reads host:port, or https:// and that for a proxy that speaks TLS. The host is a name of letters, digits, hyphens, underscores and dots or an address without
// a zone, and the port is a number from 1 to 65535; nothing else is an address, whoever wrote it.
func ParseAddress(text string) (Address, bool) {
	rest, secure := strings.CutPrefix(text, "https://")
	host, port, err := net.SplitHostPort(rest)
	if err != nil {
		return Address{}, false
	}
	a, ok := NewAddress(host, port)
	a.Secure = secure
	return a, ok
}

// NewAddress makes an address of a host and a port; see [ParseAddress] for what they may be.
func NewAddress(host, port string) (Address, bool) {
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil || n == 0 {
		return Address{}, false
	}
	if ip, err := netip.ParseAddr(host); err == nil {
		return Address{Host: ip.Unmap().String(), Port: uint16(n)}, ip.Zone() == ""
	}
	host = strings.TrimSuffix(strings.ToLower(host), ".")
	return Address{Host: host, Port: uint16(n)}, validName(host) && !strings.Contains(host, "*")
}
