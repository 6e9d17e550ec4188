package proxy

import (
	"crypto/rand"
	"crypto/tls"
	"encoding/hex"
	"net/netip"

	"github.com/jayproxy/jay/proxy/upstream"
)

// settings are what the proxy works by for a time. They are never changed once they are in use, but replaced as a whole;
// a connection takes them anew for each request, and an exchange keeps those that it began with.
type settings struct {
	Options
	via string // the pseudonym
}

// opt are the settings in use now. Who asks twice may get two answers: what belongs to an exchange asks the exchange.
func (p *Proxy) opt() *settings { return p.current.Load() }

// settingsOf makes settings of options that have their defaults. before are those that they replace, or nil: a name that
// was made up stays.
func settingsOf(o Options, before *settings) *settings {
	s := &settings{Options: o, via: o.Name}
	switch {
	case s.via != "":
	case before != nil && before.Name == "":
		s.via = before.via
	default:
		s.via = "jay-" + randomName()
	}
	return s
}

// randomName tells this instance from others in Via, so that two of them in a chain are no loop.
func randomName() string {
	var b [4]byte
	rand.Read(b[:])
	return hex.EncodeToString(b[:])
}

// guardedOptions are for the client that connects for other machines.
func (p *Proxy) guardedOptions(s *settings) upstream.Options {
	o := s.upstreamOptions()
	o.Check = func(to netip.AddrPort) error { return p.reach(s, to) }
	return o
}

// directOptions are for the client that connects for this machine.
func (p *Proxy) directOptions(s *settings) upstream.Options {
	o := s.upstreamOptions()
	o.Check = p.notOwn
	return o
}

func (s *settings) upstreamOptions() upstream.Options {
	var conf *tls.Config
	if s.TLS != nil {
		conf = s.TLS.Clone()
	}
	return upstream.Options{
		Resolver: s.Resolver, DialContext: s.Dial, TLS: conf,
		ConnectTimeout: s.ConnectTimeout, HeaderTimeout: s.HeaderTimeout, BodyIdleTimeout: s.StallTimeout,
		IdleTimeout:  s.IdleTimeout,
		MaxPerOrigin: s.MaxOriginConnections, MaxInterim: s.MaxInterim, Limits: s.Limits,
	}
}
