// Package config holds Jay's settings: what they are called, what they mean, what they are when nobody says anything,
// and how they are read from text.
//
// Every option is described once, in the table that [Options] returns. Command line flags, JAY_… environment variables,
// keys of the YAML file, the output of print-config and the table in the README are all derived from it.
//
//	cfg := config.Default()
//	if err := config.Load(&cfg, "jay.yaml", data); err != nil { … }   // file:line: what is wrong
//	if err := cfg.Validate(); err != nil { … }
//	cfg = cfg.Resolve(config.Host{Memory: …, Descriptors: …})
//
// The package reads nothing by itself: callers hand it the text of files and the values of variables. It knows no HTTP
// and decides nothing; access rules, parents and other structured settings are not part of it yet.
package config

import (
	"net/netip"
	"time"
)

// The values that [Config].InterceptMode may have.
const (
	InterceptRedirect = "redirect" // destination from SO_ORIGINAL_DST, for netfilter REDIRECT
	InterceptTProxy   = "tproxy"   // destination from the local address of an IP_TRANSPARENT socket, for netfilter TPROXY
	InterceptHost     = "host"     // destination from the Host field, for steering by DNS
)

// Config is the complete set of Jay's settings. [Default] gives usable ones; the zero value does not. Fields appear
// in the order of [Options], whose Name is the field's name in kebab case and whose Help says more.
type Config struct {
	Listen        []string // addresses of explicit proxy listeners, host:port or :port
	Intercept     []string // addresses of transparent listeners
	InterceptMode string   // InterceptRedirect, InterceptTProxy or InterceptHost
	Name          string   // pseudonym in Via; empty: one is generated

	CacheSize            Size          // bytes of stored responses; 0: automatic, see Resolve
	MaxObjectSize        Size          // largest response that is stored, in bytes
	FillSize             Size          // bytes of responses that are being received for the cache; 0: automatic
	MaxVariants          int           // stored responses of one URL
	MaxRanges            int           // ranges that one request may ask for
	TargetedCacheControl []string      // fields obeyed before Cache-Control, in this order (RFC 9213)
	StoreSetCookie       bool          // whether responses with Set-Cookie and explicit freshness may be stored
	StoreErrors          bool          // whether 4xx and 5xx responses may be stored
	StaleIfErrorMax      time.Duration // how long a stale response replaces an unreachable origin without being told to
	CollapseWait         time.Duration // how long a request waits for another one's response head
	CacheStatusKey       bool          // whether Cache-Status names the cache key (RFC 9211 section 2.7)

	AccessLog     string // "-" for stdout, "off", or a file's path
	LogFormat     string // "text", "json", "squid" or "combined"
	LogLevel      string // "debug", "info", "warn" or "error"
	LogStripQuery bool   // whether queries are left out of logged URLs

	IdleTimeout           time.Duration // between two requests on one connection
	HeadTimeout           time.Duration // for a request's complete head
	ConnectTimeout        time.Duration // for a connection to an origin, name resolution included
	ResponseHeaderTimeout time.Duration // between a request sent and the response's head
	BodyTimeout           time.Duration // without a byte of a response's body from the origin
	WriteTimeout          time.Duration // without a byte taken by the client
	MinBodyRate           Size          // bytes a second of a request's body, averaged over 30 s; 0: any
	TunnelIdleTimeout     time.Duration // without a byte in either direction of a tunnel
	TunnelDrainTimeout    time.Duration // for the other direction after one side has ended
	TunnelLifetime        time.Duration // of a tunnel altogether
	ShutdownTimeout       time.Duration // for running exchanges after SIGTERM

	MaxConnections       int  // client connections; 0: automatic, see Resolve
	MaxClientConnections int  // connections of one client address; 0: any number
	MaxOriginConnections int  // connections to one origin
	MaxHeadSize          Size // bytes of a request's or response's head
	MaxFields            int  // fields of a request's or response's head
	MaxTargetSize        Size // bytes of a request's target
	MaxInterim           int  // 1xx responses before a final one

	AllowClients  []netip.Prefix // source addresses that may use the proxy
	ConnectPorts  []PortRange    // ports that CONNECT may reach from other machines
	HTTPPorts     []PortRange    // ports that http:// may reach from other machines
	DenyPrivate   bool           // whether private destinations are refused to other machines
	UpgradeTokens []string       // Upgrade tokens that are tunnelled
	CAFiles       []string       // PEM files of certificate authorities that are trusted besides the system's
	DNSServers    []string       // resolvers, host or host:port; none: the system's
}

// Host is what [Config.Resolve] must know about the machine.
type Host struct {
	Memory      int64 // bytes that the process may use; 0: unknown
	Descriptors int64 // file descriptors that the process may open; 0: unknown
}
