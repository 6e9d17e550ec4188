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
// and decides nothing.
package config

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// The values that [Config].InterceptMode may have.
const (
	InterceptRedirect = "redirect" // destination from SO_ORIGINAL_DST, for netfilter REDIRECT
	InterceptTProxy   = "tproxy"   // destination from the local address of an IP_TRANSPARENT socket, for netfilter TPROXY
	InterceptHost     = "host"     // destination from the Host field, for steering by DNS
)

// AdminOff is the value of [Config].Admin for which there is no admin listener.
const AdminOff = "off"

// Config is the complete set of Jay's settings. [Default] gives usable ones; the zero value does not. Fields appear
// in the order of [Options], whose Name is the field's name in kebab case and whose Help says more.
type Config struct {
	Listen            []string       // addresses of explicit proxy listeners, host:port or :port
	ListenTLS         []string       // addresses of explicit proxy listeners that speak TLS
	Intercept         []string       // addresses of transparent listeners
	InterceptMode     string         // InterceptRedirect, InterceptTProxy or InterceptHost
	TLSCert           string         // PEM file with the certificate of ListenTLS, and those between it and its authority
	TLSKey            string         // PEM file with its key; empty: TLSCert has it, too
	TLSClientCA       string         // PEM file with authorities of which clients of ListenTLS need a certificate; empty: they need none
	ProxyProtocolFrom []netip.Prefix // machines whose PROXY headers are believed
	ProxyProtocolAt   []string       // the addresses where they are; empty: all
	ReusePort         bool           // whether other processes of the same user may listen on the same addresses
	Name              string         // pseudonym in Via; empty: one is generated

	PACDirect   []string // destinations that the PAC file sends past the proxy
	PACProxy    []string // host:port of the proxies that the PAC file names; none: where the client asked
	PACFallback bool     // whether the PAC file lets clients go direct when the proxy does not answer

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
	CacheStatus          bool          // whether other machines' clients are sent Cache-Status
	CacheStatusKey       bool          // whether Cache-Status names the cache key (RFC 9211 section 2.7)

	AccessLog     string // "-" for stdout, "off", a log daemon, or a file's path, see LogFile
	LogFormat     string // "text", "json", "squid" or "combined"
	LogLevel      string // "debug", "info", "warn" or "error"
	LogStripQuery bool   // whether queries are left out of logged URLs

	Admin          string // address of the admin listener: host:port, AdminOff or unix: and a path
	AdminTokenFile string // file with the token that the admin listener asks for; empty: none
	AdminPprof     bool   // whether the admin listener offers profiles

	IdleTimeout           time.Duration // between two requests on one connection
	HeadTimeout           time.Duration // for a request's complete head
	ConnectTimeout        time.Duration // for a connection to an origin, name resolution included
	ResponseHeaderTimeout time.Duration // between a request sent and the response's head
	BodyTimeout           time.Duration // without a byte of a body, from the origin or from the client
	WriteTimeout          time.Duration // without a byte taken by the client
	TunnelIdleTimeout     time.Duration // without a byte in either direction of a tunnel
	TunnelDrainTimeout    time.Duration // for the other direction after one side has ended
	TunnelLifetime        time.Duration // of a tunnel altogether
	ShutdownTimeout       time.Duration // for running exchanges after SIGTERM

	MaxConnections       int  // client connections; 0: automatic, see Resolve
	MaxClientConnections int  // connections of one client address; 0: any number
	MaxOriginConnections int  // connections to one origin; 0: automatic, see Resolve
	MaxHeadSize          Size // bytes of a request's or response's head
	MaxFields            int  // fields of a request's or response's head
	MaxTargetSize        Size // bytes of a request's target
	MaxRequestBody       Size // bytes of a request's body; 0: any number
	MaxInterim           int  // 1xx responses before a final one
	MinBodyRate          Size // bytes a second of a request's body, averaged over 30 s; 0: any

	AllowClients  []netip.Prefix // source addresses that may use the proxy
	ConnectPorts  []PortRange    // ports that CONNECT may reach from other machines
	HTTPPorts     []PortRange    // ports that http:// may reach from other machines
	DenyPrivate   bool           // whether private destinations are refused to other machines
	UpgradeTokens []string       // Upgrade tokens that are tunnelled
	CAFiles       []string       // PEM files of certificate authorities that are trusted besides the system's
	AuthFile      string         // htpasswd file of those who may use the explicit listeners; empty: everybody may
	AuthRealm     string         // what people are told they log in to

	DNSServers     []string      // resolvers, address or address:port; none: the system's
	DNSMinTTL      time.Duration // least time for which answers are kept
	DNSMaxTTL      time.Duration // longest time for which addresses are kept
	DNSNegativeTTL time.Duration // longest time for which it is kept that a name has no address
	DNSStaleMax    time.Duration // how long expired addresses stand in while no resolver answers; 0: not at all

	Parent          []string // proxies on the way to origins that no rule of Parents is about, see ParseParent
	ParentLoginFile string   // file with logins for them; empty: none
	SourceAddress   []string // addresses that connections to origins come from, one of a family

	Hosts     []HostAddresses // the file's section of that name, which is no option
	Policy    *Policy         // likewise; nil: there is none
	Overrides []Override      // likewise
	Parents   []ParentRule    // likewise
}

// Default returns the settings of a Jay that was told nothing: the defaults of [Options]. Automatic settings are left
// for [Config.Resolve].
func Default() Config {
	var c Config
	for _, o := range Options() {
		if err := o.Set(&c, o.Split(o.Default)); err != nil {
			panic("config: default of " + o.Name + ": " + err.Error()) // a slip in the table, found by any test
		}
	}
	return c
}

// Validate checks every setting and how they fit together. Its error joins one error for each setting that is wrong,
// "name: what is wrong".
func (c *Config) Validate() error {
	var all []error
	for _, o := range Options() {
		var scratch Config
		if err := o.Set(&scratch, o.Values(c)); err != nil {
			all = append(all, fmt.Errorf("%s: %w", o.Name, err))
		}
	}
	return errors.Join(append(all, c.conflicts()...)...)
}

// conflicts finds settings that are good by themselves but not together.
func (c *Config) conflicts() []error {
	var all []error
	if len(c.Listen)+len(c.ListenTLS)+len(c.Intercept) == 0 {
		all = append(all, errors.New("listen: no address to listen on, and none in listen-tls or intercept either"))
	}
	all = append(all, twice("listen", c.Listen, nil)...)
	all = append(all, twice("listen-tls", c.ListenTLS, c.Listen)...)
	all = append(all, twice("intercept", c.Intercept, slices.Concat(c.Listen, c.ListenTLS))...)
	all = append(all, c.frontConflicts()...)
	if c.MaxTargetSize > c.MaxHeadSize {
		all = append(all, fmt.Errorf("max-target-size: %v is more than max-head-size, %v", c.MaxTargetSize, c.MaxHeadSize))
	}
	if !onlyHere(c.Admin) && c.AdminTokenFile == "" {
		all = append(all, fmt.Errorf("admin: %s can be reached from other machines, which takes a token; name its file in admin-token-file", c.Admin))
	}
	if !anyPort(c.Admin) && slices.Contains(slices.Concat(c.Listen, c.ListenTLS, c.Intercept), c.Admin) {
		all = append(all, fmt.Errorf("admin: %s is listened on already", c.Admin))
	}
	return append(append(all, c.policyConflicts()...), c.parentConflicts()...)
}

// LogFile is the path of the access log's file; empty if it goes elsewhere or nowhere.
func (c *Config) LogFile() string {
	if c.AccessLog == "-" || c.AccessLog == "off" || isLogDaemon(c.AccessLog) {
		return ""
	}
	return c.AccessLog
}

// twice finds addresses of the option name that are in taken, or in the option before.
func twice(name string, list, taken []string) []error {
	var all []error
	for i, addr := range list {
		if !anyPort(addr) && (slices.Contains(taken, addr) || slices.Contains(list[:i], addr)) {
			all = append(all, fmt.Errorf("%s: %s is listened on twice", name, addr))
		}
	}
	return all
}

// frontConflicts finds what is wrong between listeners and what comes before HTTP on them.
func (c *Config) frontConflicts() []error {
	var all []error
	if len(c.ListenTLS) > 0 && c.TLSCert == "" {
		all = append(all, errors.New("listen-tls: needs a certificate; name its file in tls-cert"))
	}
	if len(c.ProxyProtocolAt) > 0 && len(c.ProxyProtocolFrom) == 0 {
		all = append(all, errors.New("proxy-protocol-at: needs proxy-protocol-from, the machines that send PROXY headers"))
	}
	for _, addr := range c.ProxyProtocolAt {
		if !slices.Contains(slices.Concat(c.Listen, c.ListenTLS, c.Intercept), addr) {
			all = append(all, fmt.Errorf("proxy-protocol-at: %s is in none of listen, listen-tls and intercept", addr))
		}
	}
	return all
}

// onlyHere reports whether an admin address, which is valid, can be reached from this machine only.
func onlyHere(addr string) bool {
	if addr == AdminOff || strings.HasPrefix(addr, unixPrefix) {
		return true
	}
	host, _, err := splitHostPort(addr)
	if err != nil || host == "localhost" {
		return true // what is no address at all is complained about elsewhere
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.IsLoopback()
}

// anyPort reports whether addr leaves the choice of its port to the system, so that it may be listened on repeatedly.
func anyPort(addr string) bool {
	_, port, err := splitHostPort(addr)
	return err == nil && port == "0"
}

// Host is what [Config.Resolve] must know about the machine.
type Host struct {
	Memory      int64 // bytes that the process may use; 0: unknown
	Descriptors int64 // file descriptors that the process may open; 0: unknown
}

// Resolve returns c with its automatic settings filled in for h: cache-size is a quarter of the memory (256 MiB when it
// is unknown) and fill-size a quarter of that, both in whole MiB; max-connections is three quarters of the descriptors,
// but no more than one for each 64 KiB of memory, and max-origin-connections a third of that: clients that are slow with
// their uploads, or that wait for events, must not lock others out of an origin. max-object-size is cut to an eighth of cache-size.
func (c Config) Resolve(h Host) Config {
	if c.CacheSize == 0 {
		c.CacheSize = max(Size(h.Memory/4)/MiB*MiB, 16*MiB)
		if h.Memory == 0 {
			c.CacheSize = 256 * MiB
		}
	}
	if c.FillSize == 0 {
		c.FillSize = max(c.CacheSize/4/MiB*MiB, c.CacheSize/16)
	}
	c.MaxObjectSize = min(c.MaxObjectSize, c.CacheSize/8)
	if c.MaxConnections == 0 {
		n := h.Descriptors / 4 * 3
		if h.Memory > 0 {
			n = min(n, h.Memory/(64<<10))
		}
		c.MaxConnections = int(max(n, 64))
	}
	if c.MaxOriginConnections == 0 {
		c.MaxOriginConnections = max(c.MaxConnections/3, 16)
	}
	return c
}
