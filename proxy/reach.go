package proxy

import (
	"errors"
	"net"
	"net/netip"
	"sync"
	"syscall"

	"github.com/jayproxy/jay/proxy/policy"
)

// errOwn means that an exchange would have come back to Jay itself.
var errOwn = errors.New("proxy: the destination is one of this proxy's own listeners")

// errReach means that the client must not reach the destination through Jay.
var errReach = errors.New("proxy: the destination is not reachable through this proxy")

// addrPort is a connection's address as a value; the zero value where it has none (pipes in tests, Unix sockets).
func addrPort(a net.Addr) netip.AddrPort {
	t, ok := a.(*net.TCPAddr)
	if !ok {
		return netip.AddrPort{}
	}
	ap := t.AddrPort()
	return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
}

// temporary tells whether accepting may work again later: descriptors or memory ran out, or the client left already.
func temporary(err error) bool {
	return errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE) || errors.Is(err, syscall.ENOBUFS) ||
		errors.Is(err, syscall.ENOMEM) || errors.Is(err, syscall.ECONNABORTED) || errors.Is(err, syscall.EPROTO)
}

// thisMachine tells whether a client is on this machine. A connection without an address came from within the process.
func (p *Proxy) thisMachine(a netip.Addr) bool {
	return !a.IsValid() || a.IsLoopback() || p.own.Local(a)
}

// mayAsk tells whether a client may use the proxy at all.
func (c *conn) mayAsk() bool {
	return c.opt.admits(c)
}

// admits tells whether c's client may use the proxy, as who it is known to be: what the header of a machine said is worth
// nothing any more when that machine is not one of those that are believed.
func (s *settings) admits(c *conn) bool {
	return c.local || s.allows(c.client.Addr()) && (!c.fronted || s.sends(addrPort(c.raw.RemoteAddr()).Addr()))
}

// allows tells whether a client on another machine may use the proxy.
func (s *settings) allows(client netip.Addr) bool {
	for _, pre := range s.AllowClients {
		if pre.Contains(client.WithZone("")) {
			return true
		}
	}
	return false
}

// welcome finds out whether c's client is on this machine, and whether it may use the proxy.
func (c *conn) welcome() bool {
	if !c.fronted {
		c.local = c.p.thisMachine(c.client.Addr())
	}
	if c.mayAsk() {
		return true
	}
	c.p.log.Debug("client refused", "client", c.client.Addr().String())
	return false
}

// notOwn refuses addresses that lead back to this proxy.
func (p *Proxy) notOwn(to netip.AddrPort) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, d := range p.listeners {
		if p.leadsTo(d.addr, to) {
			return errOwn
		}
	}
	for l := range p.reserved {
		if p.leadsTo(l, to) {
			return errOwn
		}
	}
	return nil
}

// leadsTo tells whether a connection to an address would arrive at a listener.
func (p *Proxy) leadsTo(l, to netip.AddrPort) bool {
	if !l.IsValid() || l.Port() != to.Port() {
		return false
	}
	return l.Addr() == to.Addr() || l.Addr().IsUnspecified() && p.thisMachine(to.Addr()) || to.Addr().IsUnspecified()
}

// Reserve makes the address of another listener of the same process one of the proxy's own: nobody reaches it through the
// proxy, by whatever name, not even clients on this machine. The function that it returns ends that. An address that is
// not TCP's cannot be reached anyway.
func (p *Proxy) Reserve(a net.Addr) (release func()) {
	l := addrPort(a)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.reserved[l]++
	return sync.OnceFunc(func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		if p.reserved[l]--; p.reserved[l] == 0 {
			delete(p.reserved, l)
		}
	})
}

// reach refuses addresses that a client on another machine must not reach through this one.
func (p *Proxy) reach(s *settings, to netip.AddrPort) error {
	if err := p.notOwn(to); err != nil {
		return err
	}
	if p.forbidden(s, to.Addr()) {
		return errReach
	}
	return nil
}

// forbidden tells whether an address is closed to other machines' clients: this machine's own, those that have meaning
// on one link or host only, and the IANA special-purpose ranges; private ones by option.
func (p *Proxy) forbidden(s *settings, a netip.Addr) bool {
	a = embedded(a.Unmap().WithZone(""))
	if p.thisMachine(a) {
		return true
	}
	if a.IsPrivate() {
		return s.DenyPrivate
	}
	return special(a)
}

// embedded is the IPv4 address that an IPv6 one translates to, or a itself.
func embedded(a netip.Addr) netip.Addr {
	if v4 := policy.Translated(a); v4.IsValid() {
		return v4
	}
	return a
}

// specialPrefixes are the IANA special-purpose ranges (RFC 6890 and its registries) that are not globally reachable; the
// private ones have a rule of their own.
var specialPrefixes = parsePrefixes(
	"0.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "192.0.0.0/24", "192.0.2.0/24", "192.31.196.0/24",
	"192.52.193.0/24", "192.88.99.0/24", "192.175.48.0/24", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
	"::/128", "::1/128", "64:ff9b:1::/48", "100::/64", "100:0:0:1::/64", "2001::/23", "2001:db8::/32", "3fff::/20", "5f00::/16", "2620:4f:8000::/48", "fe80::/10", "fec0::/10", "ff00::/8",
)

func parsePrefixes(list ...string) []netip.Prefix {
	out := make([]netip.Prefix, len(list))
	for i, s := range list {
		out[i] = netip.MustParsePrefix(s)
	}
	return out
}

func special(a netip.Addr) bool {
	for _, p := range specialPrefixes {
		if p.Contains(a) {
			return true
		}
	}
	return false
}
