package proxy

import (
	"crypto/rand"
	"crypto/tls"
	"encoding/hex"
	"fmt"
	"net/netip"
	"reflect"
	"slices"

	"github.com/jayproxy/jay/cache"
	"github.com/jayproxy/jay/proxy/upstream"
)

// settings are what the proxy works by for a time. They are never changed once they are in use, but replaced as a whole;
// a connection takes them anew for each request, and an exchange keeps those that it began with.
type settings struct {
	Options
	via      string // the pseudonym
	criteria uint32 // see criteriaOf
}

// opt are the settings in use now. Who asks twice may get two answers: what belongs to an exchange asks the exchange.
func (p *Proxy) opt() *settings { return p.current.Load() }

// settingsOf makes settings of options that have their defaults. before are those that they replace, or nil: a name that
// was made up stays.
func settingsOf(o Options, before *settings) *settings {
	s := &settings{Options: o, via: o.Name, criteria: criteriaOf(&o)}
	switch {
	case s.via != "":
	case before != nil && before.Name == "":
		s.via = before.via
	default:
		s.via = "jay-" + randomName()
	}
	return s
}

// Reconfigure puts other options in force, all of them at once: what begins afterwards is done by them, and exchanges and
// tunnels that run are finished by those they began with. When it returns, the cache is within its bound, clients that may
// not ask any more are gone if they were idle, and no idle connection to an origin is left that the new options would not
// have opened. When it fails, nothing has changed. The Logger stays that of New; a generated Name stays if o has none.
func (p *Proxy) Reconfigure(o Options) error {
	p.configuring.Lock()
	defer p.configuring.Unlock()
	before := p.opt()
	o.Logger = before.Logger
	o = o.withDefaults()
	s := settingsOf(o, before)
	if err := p.store.Configure(o.cache()); err != nil {
		return fmt.Errorf("proxy: %w", err)
	}
	if !s.connectsLike(before) {
		p.guarded.Configure(p.guardedOptions(s))
		p.direct.Configure(p.directOptions(s))
	}
	p.current.Store(s)
	if s.DenyPrivate && !before.DenyPrivate {
		p.store.Purge(fromPrivate, false)
		p.flights.forgetAll()
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closeConns(func(c *conn) bool {
		if c.fronted && !c.counted || s.admits(c) { // of the last it is not known yet who they are
			return false
		}
		if c.h2 != nil {
			c.h2.Drain()
		}
		return c.state.CompareAndSwap(connIdle, connClosed)
	})
	return nil
}

// fromPrivate tells whether a stored response may have come from a private address: what was joined from several addresses
// is not said to come from any.
func fromPrivate(e *entry) bool {
	a := e.Meta.addr
	return !a.IsValid() || embedded(a.Addr()).IsPrivate()
}

// connectsLike tells whether the connections that other settings have opened are those that these would open.
func (s *settings) connectsLike(other *settings) bool {
	a, b := s.upstreamOptions(), other.upstreamOptions()
	a.TLS, b.TLS = nil, nil // copies
	if s.Dial == nil && other.Dial == nil {
		a.DialContext, b.DialContext = nil, nil // made of the source addresses
	}
	return s.TLS == other.TLS && s.DenyPrivate == other.DenyPrivate && slices.Equal(s.SourceAddresses, other.SourceAddresses) &&
		reflect.DeepEqual(a, b)
}

// cache is what the options mean to the cache.
func (o *Options) cache() cache.Options {
	return cache.Options{MaxBytes: o.CacheBytes, MaxObjectBytes: o.MaxObjectBytes, MaxFillBytes: o.FillBytes, MaxVariants: o.MaxVariants}
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
		DNS: s.DNS, DialContext: s.dialer(), TLS: conf,
		ConnectTimeout: s.ConnectTimeout, HeaderTimeout: s.HeaderTimeout, BodyIdleTimeout: s.StallTimeout,
		IdleTimeout:  s.IdleTimeout,
		MaxPerOrigin: s.MaxOriginConnections, MaxInterim: s.MaxInterim, Limits: s.Limits,
	}
}
