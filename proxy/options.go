package proxy

import (
	"context"
	"crypto/tls"
	"log/slog"
	"net"
	"net/netip"
	"time"

	"github.com/jayproxy/jay/freshness"
	"github.com/jayproxy/jay/proxy/access"
	"github.com/jayproxy/jay/proxy/auth"
	"github.com/jayproxy/jay/proxy/guide"
	"github.com/jayproxy/jay/proxy/parent"
	"github.com/jayproxy/jay/proxy/policy"
	"github.com/jayproxy/jay/proxy/resolve"
	"github.com/jayproxy/jay/proxy/wire"
)

// Mode says how the clients of a listener come to it.
type Mode int

// The kinds of listener.
const (
	// Explicit is for clients that were told to use a proxy: absolute-form targets and CONNECT (RFC 9112 §3.2.2).
	Explicit Mode = iota
	// Redirect is for connections that a NAT rule sent here; the destination comes from SO_ORIGINAL_DST.
	Redirect
	// TProxy is for connections caught by a TPROXY rule; the destination is the connection's local address.
	TProxy
	// ByHost is for networks that steer clients here by name; the destination comes from the Host field.
	ByHost
)

// String names the mode as the configuration does.
func (m Mode) String() string {
	return [...]string{"explicit", "redirect", "tproxy", "host"}[m]
}

// Options is what a Proxy is made from, and may be replaced while it runs, see [Proxy.Reconfigure]. The zero value of every
// field has the default that its comment names.
type Options struct {
	// Name is Jay's pseudonym in Via (RFC 9110 §7.6.3); it must be unique along a chain. Empty: one is made up.
	Name string
	// Logger receives what an operator should know; nil discards it.
	Logger *slog.Logger
	// Access receives one record an exchange or tunnel; nil discards them.
	Access *access.Log

	// CacheBytes bounds the stored responses; 0 means 256 MiB.
	CacheBytes int64
	// MaxObjectBytes is the largest body that is stored; 0 means 64 MiB, and never more than an eighth of CacheBytes.
	MaxObjectBytes int64
	// FillBytes bounds the bodies on their way into the cache; 0 means a quarter of CacheBytes.
	FillBytes int64
	// MaxVariants bounds the stored responses of one URL; 0 means 32.
	MaxVariants int
	// MaxRanges is the most ranges of one request that are answered; 0 means 8.
	MaxRanges int
	// Freshness is what the operator decides about RFC 9111's choices.
	Freshness freshness.Policy
	// Overrides are the operator's rules that go beyond those choices; nil means none.
	Overrides *Overrides
	// HideCacheStatus leaves Cache-Status out of answers to other machines' clients, who could learn from it what others
	// have asked for; the access log has it all the same.
	HideCacheStatus bool
	// CacheStatusKey adds the cache key to Cache-Status (RFC 9211 §2.7).
	CacheStatusKey bool
	// CollapseWait is how long a request waits for another one that fetches the same; 0 means 5 s.
	CollapseWait time.Duration

	// Limits bounds message heads, of requests and responses.
	Limits wire.Limits
	// IdleTimeout ends a client connection that sends no request, and one to an origin that is not used; 0 means 60 s.
	IdleTimeout time.Duration
	// HeadTimeout is the time for a whole request head; 0 means 10 s.
	HeadTimeout time.Duration
	// BodyTimeout ends an exchange whose request body stalls; 0 means 60 s.
	BodyTimeout time.Duration
	// WriteTimeout ends an exchange whose client does not read; 0 means 60 s.
	WriteTimeout time.Duration
	// MinBodyRate is the least rate, in bytes a second over 30 s, at which a request body must come; 0 means 1024, negative none.
	MinBodyRate int64
	// ConnectTimeout bounds name resolution, connecting and the TLS handshake; 0 means 10 s.
	ConnectTimeout time.Duration
	// HeaderTimeout is how long an origin may take to answer; 0 means 10 min.
	HeaderTimeout time.Duration
	// StallTimeout ends an exchange whose response body stalls; 0 means 60 s. An event stream may be silent for HeaderTimeout.
	StallTimeout time.Duration
	// TunnelIdle, TunnelDrain and TunnelLifetime bound tunnels; 0 means 1 h, 30 s and 24 h.
	TunnelIdle, TunnelDrain, TunnelLifetime time.Duration

	// MaxConnections bounds the client connections; 0 means no bound.
	MaxConnections int
	// MaxClientConnections bounds those of one address; 0 means no bound.
	MaxClientConnections int
	// MaxOriginConnections bounds the connections to one origin; 0 means 256.
	MaxOriginConnections int
	// MaxRequestBody bounds the body of a request; 0 means no bound.
	MaxRequestBody int64
	// MaxInterim bounds the 1xx answers to one request; 0 means 10.
	MaxInterim int

	// Names are host names by which clients may call the proxy, besides localhost and the addresses of this machine: the
	// guide that explicit listeners offer tells those back to them.
	Names []string
	// PACProxies are what the PAC file names; nil means the address that the client asked at.
	PACProxies []guide.Address
	// PACDirect is what the PAC file sends past the proxy.
	PACDirect guide.Direct
	// PACStrict leaves out of the PAC file that clients go direct when the proxy does not answer.
	PACStrict bool
	// StatusPage is the URL of the status page, which clients on loopback are told; empty: there is none.
	StatusPage string

	// Policy decides who may go where; nil allows everything.
	Policy *policy.Policy
	// Parents are the proxies through which origins are reached; nil means none.
	Parents *parent.Parents
	// SourceAddresses are the addresses that connections to origins and parents come from, at most one of each family; the
	// system chooses for a family that has none. They are of no meaning to Dial.
	SourceAddresses []netip.Addr
	// Auth asks the clients of explicit listeners who they are; nil does not.
	Auth *auth.Auth

	// ProxySenders are the machines whose PROXY headers are believed, on listeners that have them: they must send one.
	ProxySenders []netip.Prefix

	// AllowClients are the addresses that may use the proxy; nil means loopback and private ones.
	AllowClients []netip.Prefix
	// ConnectPorts are the ports other machines' clients may CONNECT to; nil means 80 and 443.
	ConnectPorts []PortRange
	// HTTPPorts are the ports other machines' clients may fetch from; nil means Squid's safe ports.
	HTTPPorts []PortRange
	// DenyPrivate refuses private destinations to other machines' clients.
	DenyPrivate bool
	// UpgradeTokens are the protocols that a client may upgrade to (RFC 9110 §7.8); nil means websocket.
	UpgradeTokens []string

	// DNS says how names are looked up, ConnectTimeout being its Timeout; the zero value asks the system's servers.
	DNS resolve.Options
	// Dial opens every connection to an origin, TLS and tunnels included, after its address was resolved and checked; it gets
	// a literal "IP:port". nil means the system's network. Tests connect an origin within the process.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// TLS verifies https:// origins; nil means the system's roots.
	TLS *tls.Config
}

// PortRange is a range of ports, both ends included.
type PortRange struct{ First, Last uint16 }

// contains tells whether port lies in one of the ranges.
func contains(ranges []PortRange, port uint16) bool {
	for _, r := range ranges {
		if r.First <= port && port <= r.Last {
			return true
		}
	}
	return false
}

// safePorts are those that Squid's users know as Safe_ports.
func safePorts() []PortRange {
	return []PortRange{{21, 21}, {70, 70}, {80, 80}, {210, 210}, {280, 280}, {443, 443}, {488, 488}, {591, 591}, {777, 777}, {1025, 65535}}
}

// privateClients are the addresses that may ask by default: an exposed port is no open proxy.
func privateClients() []netip.Prefix {
	var out []netip.Prefix
	for _, s := range []string{"127.0.0.0/8", "::1/128", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16", "100.64.0.0/10", "fc00::/7", "fe80::/10"} {
		out = append(out, netip.MustParsePrefix(s))
	}
	return out
}

// withDefaults fills in what the caller left zero.
func (o Options) withDefaults() Options {
	orInt := func(v *int, d int) {
		if *v == 0 {
			*v = d
		}
	}
	orBytes := func(v *int64, d int64) {
		if *v == 0 {
			*v = d
		}
	}
	orTime := func(v *time.Duration, d time.Duration) {
		if *v == 0 {
			*v = d
		}
	}
	orBytes(&o.CacheBytes, 256<<20)
	orBytes(&o.MaxObjectBytes, 64<<20)
	orBytes(&o.FillBytes, o.CacheBytes/4)
	orBytes(&o.MinBodyRate, 1024)
	orInt(&o.MaxVariants, 32)
	orInt(&o.MaxRanges, 8)
	orInt(&o.MaxOriginConnections, 256)
	orInt(&o.MaxInterim, 10)
	orTime(&o.CollapseWait, 5*time.Second)
	orTime(&o.IdleTimeout, time.Minute)
	orTime(&o.HeadTimeout, 10*time.Second)
	orTime(&o.BodyTimeout, time.Minute)
	orTime(&o.WriteTimeout, time.Minute)
	orTime(&o.ConnectTimeout, 10*time.Second)
	orTime(&o.HeaderTimeout, 10*time.Minute)
	orTime(&o.StallTimeout, time.Minute)
	orTime(&o.TunnelIdle, time.Hour)
	orTime(&o.TunnelDrain, 30*time.Second)
	orTime(&o.TunnelLifetime, 24*time.Hour)
	if o.Limits == (wire.Limits{}) {
		o.Limits = wire.DefaultLimits()
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.AllowClients == nil {
		o.AllowClients = privateClients()
	}
	if o.ConnectPorts == nil {
		o.ConnectPorts = []PortRange{{80, 80}, {443, 443}}
	}
	if o.HTTPPorts == nil {
		o.HTTPPorts = safePorts()
	}
	if o.UpgradeTokens == nil {
		o.UpgradeTokens = []string{"websocket"}
	}
	return o
}
