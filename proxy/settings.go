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
	via     string           // the pseudonym
	guarded *upstream.Client // for other machines' clients: every address is checked before it is dialled
	direct  *upstream.Client // for clients on this machine, which could reach everything without Jay, too
}

// opt are the settings in use now. Who asks twice may get two answers: what belongs to an exchange asks the exchange.
func (p *Proxy) opt() *settings { return p.current.Load() }

// settingsOf makes settings of options that have their defaults.
func (p *Proxy) settingsOf(o Options) *settings {
	s := &settings{Options: o, via: o.Name}
	if s.via == "" {
		s.via = "jay-" + randomName()
	}
	s.guarded = upstream.New(s.upstreamOptions(p.reach))
	s.direct = upstream.New(s.upstreamOptions(p.notOwn))
	return s
}

// randomName tells this instance from others in Via, so that two of them in a chain are no loop.
func randomName() string {
	var b [4]byte
	rand.Read(b[:])
	return hex.EncodeToString(b[:])
}

func (s *settings) upstreamOptions(check func(netip.AddrPort) error) upstream.Options {
	var conf *tls.Config
	if s.TLS != nil {
		conf = s.TLS.Clone()
	}
	return upstream.Options{
		Check: check, Resolver: s.Resolver, DialContext: s.Dial, TLS: conf,
		ConnectTimeout: s.ConnectTimeout, HeaderTimeout: s.HeaderTimeout, BodyIdleTimeout: s.StallTimeout,
		IdleTimeout:  s.IdleTimeout,
		MaxPerOrigin: s.MaxOriginConnections, MaxInterim: s.MaxInterim, Limits: s.Limits,
	}
}
