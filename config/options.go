package config

import (
	"slices"
	"time"
)

// Categories of options, in the order in which they are listed.
const (
	catListen = "Listening"
	catCache  = "Cache"
	catLog    = "Logs"
	catAdmin  = "Administration"
	catTime   = "Timeouts"
	catLimit  = "Limits"
	catReach  = "Who may ask, and for what"
	catNames  = "Names"
	catParent = "The way to the origin"
)

// Bounds that keep a slip of the pen from becoming an outage.
const (
	shortest = int64(time.Millisecond)
	longest  = int64(10 * 365 * 24 * time.Hour)
	most     = 1 << 30
)

// Options returns the table of all options, grouped by category.
func Options() []Option {
	return slices.Concat(listenOptions(), cacheOptions(), logOptions(), adminOptions(), timeOptions(), limitOptions(), reachOptions(), authOptions(), nameOptions(), parentOptions())
}

func listenOptions() []Option {
	return []Option{{
		Name: "listen", Arg: "ADDR", Default: "127.0.0.1:3128", Category: catListen, Many: true, check: checkListen,
		Help:  "addresses where clients that know of the proxy connect, host:port or :port",
		field: func(c *Config) any { return &c.Listen },
	}, {
		Name: "listen-tls", Arg: "ADDR", Category: catListen, Many: true, check: checkListen,
		Help:  "addresses where clients that know of the proxy connect with TLS (a secure web proxy), with HTTP/1.1 or HTTP/2",
		field: func(c *Config) any { return &c.ListenTLS },
	}, {
		Name: "tls-cert", Arg: "FILE", Category: catListen,
		Help:  "PEM file with the certificate for listen-tls, followed by those up to its authority; read anew by jay reload and SIGHUP",
		field: func(c *Config) any { return &c.TLSCert },
	}, {
		Name: "tls-key", Arg: "FILE", Category: catListen,
		Help:  "PEM file with its key; when empty, the key is in tls-cert",
		field: func(c *Config) any { return &c.TLSKey },
	}, {
		Name: "tls-client-ca", Arg: "FILE", Category: catListen,
		Help:  "PEM file with certificate authorities; clients of listen-tls must then show a certificate of one of them",
		field: func(c *Config) any { return &c.TLSClientCA },
	}, {
		Name: "intercept", Arg: "ADDR", Category: catListen, Many: true, check: checkListen,
		Help:  "addresses that receive intercepted connections",
		field: func(c *Config) any { return &c.Intercept },
	}, {
		Name: "intercept-mode", Arg: "MODE", Default: InterceptRedirect, Category: catListen,
		choices: []string{InterceptRedirect, InterceptTProxy, InterceptHost},
		Help:    "how the destination of an intercepted connection is found: redirect (netfilter REDIRECT), tproxy (netfilter TPROXY) or host (the Host field)",
		field:   func(c *Config) any { return &c.InterceptMode },
	}, {
		Name: "proxy-protocol-from", Arg: "CIDR", Category: catListen, Many: true,
		Help:  "machines (load balancers) that begin every connection with a PROXY protocol header, version 1 or 2, which says who the client is",
		field: func(c *Config) any { return &c.ProxyProtocolFrom },
	}, {
		Name: "proxy-protocol-at", Arg: "ADDR", Category: catListen, Many: true, check: checkListen,
		Help:  "which of the addresses above they connect to; all of them when empty",
		field: func(c *Config) any { return &c.ProxyProtocolAt },
	}, {
		Name: "reuse-port", Default: "false", Category: catListen,
		Help:  "let another Jay of the same user listen on the same addresses, so that it can take the place of this one without refusing a connection (Linux)",
		field: func(c *Config) any { return &c.ReusePort },
	}, {
		Name: "name", Arg: "TOKEN", Category: catListen, check: checkName,
		Help:  "this proxy's name in Via, by which it recognises loops; generated when empty",
		field: func(c *Config) any { return &c.Name },
	}, {
		Name: "pac-direct", Arg: "HOST", Category: catListen, Many: true, check: checkDirect,
		Help: "what clients of /proxy.pac reach without the proxy, besides names without a dot and themselves: example.com, .example.com " +
			"(and all below), web-*.example.com, 192.0.2.0/24",
		field: func(c *Config) any { return &c.PACDirect },
	}, {
		Name: "pac-proxy", Arg: "ADDR", Category: catListen, Many: true, check: checkPACProxy,
		Help:  "host:port of the proxies that /proxy.pac names, tried in this order, https://host:port for those that speak TLS; when empty, the address that the client asked at",
		field: func(c *Config) any { return &c.PACProxy },
	}, {
		Name: "pac-fallback", Default: "true", Category: catListen,
		Help:  "let clients of /proxy.pac go direct when the proxy does not answer",
		field: func(c *Config) any { return &c.PACFallback },
	}}
}

func cacheOptions() []Option {
	return []Option{{
		Name: "cache-size", Arg: "SIZE", Default: auto, Category: catCache, auto: true, least: int64(MiB),
		Help:  "memory for stored responses; auto is a quarter of what the process may use",
		field: func(c *Config) any { return &c.CacheSize },
	}, {
		Name: "max-object-size", Arg: "SIZE", Default: "64MiB", Category: catCache, least: 1,
		Help:  "largest response that is stored, and never more than an eighth of cache-size; larger ones stream through",
		field: func(c *Config) any { return &c.MaxObjectSize },
	}, {
		Name: "fill-size", Arg: "SIZE", Default: auto, Category: catCache, auto: true, least: int64(64 * KiB),
		Help:  "memory for responses that are on their way into the cache; auto is a quarter of cache-size",
		field: func(c *Config) any { return &c.FillSize },
	}, {
		Name: "max-variants", Arg: "N", Default: "32", Category: catCache, least: 1, most: most,
		Help:  "stored responses of one URL (Vary)",
		field: func(c *Config) any { return &c.MaxVariants },
	}, {
		Name: "max-ranges", Arg: "N", Default: "8", Category: catCache, least: 1, most: most,
		Help:  "ranges of one request that are answered; a Range field with more is ignored",
		field: func(c *Config) any { return &c.MaxRanges },
	}, {
		Name: "targeted-cache-control", Arg: "FIELD", Category: catCache, Many: true, check: checkToken,
		Help:  "response fields to obey before Cache-Control, in this order, such as CDN-Cache-Control (RFC 9213)",
		field: func(c *Config) any { return &c.TargetedCacheControl },
	}, {
		Name: "store-set-cookie", Default: "true", Category: catCache,
		Help:  "store responses with Set-Cookie that say how long they are fresh",
		field: func(c *Config) any { return &c.StoreSetCookie },
	}, {
		Name: "store-errors", Default: "true", Category: catCache,
		Help:  "store 4xx and 5xx responses that allow it",
		field: func(c *Config) any { return &c.StoreErrors },
	}, {
		Name: "stale-if-error-max", Arg: "DURATION", Default: "24h", Category: catCache, most: longest,
		Help:  "how long a stale response stands in for an unreachable origin when neither response nor request says so",
		field: func(c *Config) any { return &c.StaleIfErrorMax },
	}, {
		Name: "collapse-wait", Arg: "DURATION", Default: "5s", Category: catCache, least: shortest, most: longest,
		Help:  "how long a request waits to share the answer that another one is fetching",
		field: func(c *Config) any { return &c.CollapseWait },
	}, {
		Name: "cache-status", Default: "true", Category: catCache,
		Help:  "send Cache-Status to clients on other machines, too; without, they cannot see from it what others asked for",
		field: func(c *Config) any { return &c.CacheStatus },
	}, {
		Name: "cache-status-key", Default: "false", Category: catCache,
		Help:  "name the cache key in Cache-Status (RFC 9211)",
		field: func(c *Config) any { return &c.CacheStatusKey },
	}}
}

func logOptions() []Option {
	return []Option{{
		Name: "access-log", Arg: "FILE", Default: "-", Category: catLog, check: checkLog,
		Help:  "file for one line per exchange, reopened on SIGHUP; - is standard output, off none, or journald, syslog, syslog://HOST:PORT (UDP) or syslog+tcp://HOST:PORT",
		field: func(c *Config) any { return &c.AccessLog },
	}, {
		Name: "log-format", Arg: "FORMAT", Default: "text", Category: catLog,
		choices: []string{"text", "json", "squid", "combined"},
		Help:    "format of the access log: text, json, squid (native) or combined; json also turns messages on standard error into JSON",
		field:   func(c *Config) any { return &c.LogFormat },
	}, {
		Name: "log-level", Arg: "LEVEL", Default: "info", Category: catLog,
		choices: []string{"debug", "info", "warn", "error"},
		Help:    "least level of messages on standard error: debug, info, warn or error",
		field:   func(c *Config) any { return &c.LogLevel },
	}, {
		Name: "log-strip-query", Default: "false", Category: catLog,
		Help:  "leave the query out of logged URLs",
		field: func(c *Config) any { return &c.LogStripQuery },
	}}
}

func adminOptions() []Option {
	return []Option{{
		Name: "admin", Arg: "ADDR", Default: "127.0.0.1:3127", Category: catAdmin, check: checkAdmin,
		Help:  "address of the status page, the metrics and the commands that speak to a running Jay: host:port, unix:/path or off",
		field: func(c *Config) any { return &c.Admin },
	}, {
		Name: "admin-token-file", Arg: "FILE", Category: catAdmin,
		Help:  "file with the token that the admin address asks for (Authorization: Bearer); a must when other machines can reach it",
		field: func(c *Config) any { return &c.AdminTokenFile },
	}, {
		Name: "admin-pprof", Default: "false", Category: catAdmin,
		Help:  "offer profiles of the running process at the admin address, below /debug/pprof/, for go tool pprof",
		field: func(c *Config) any { return &c.AdminPprof },
	}}
}

func timeOptions() []Option {
	d := func(name, value, help string, field func(*Config) any) Option {
		return Option{
			Name: name, Arg: "DURATION", Default: value, Category: catTime, Help: help,
			least: shortest, most: longest, field: field,
		}
	}
	return []Option{
		d("idle-timeout", "60s", "between two requests on one connection, and for an unused connection to an origin",
			func(c *Config) any { return &c.IdleTimeout }),
		d("head-timeout", "10s", "for a request's complete head (408)",
			func(c *Config) any { return &c.HeadTimeout }),
		d("connect-timeout", "10s", "for a connection to an origin, name resolution included (504)",
			func(c *Config) any { return &c.ConnectTimeout }),
		d("response-header-timeout", "10m", "from a request sent to its response's head (504); long polls live this long",
			func(c *Config) any { return &c.ResponseHeaderTimeout }),
		d("body-timeout", "60s", "without a byte of a body, from the origin or from the client",
			func(c *Config) any { return &c.BodyTimeout }),
		d("write-timeout", "60s", "without a byte taken by the client",
			func(c *Config) any { return &c.WriteTimeout }),
		d("tunnel-idle-timeout", "1h", "without a byte in either direction of a tunnel",
			func(c *Config) any { return &c.TunnelIdleTimeout }),
		d("tunnel-drain-timeout", "30s", "for the rest of a tunnel after one side has ended",
			func(c *Config) any { return &c.TunnelDrainTimeout }),
		d("tunnel-lifetime", "24h", "for a tunnel altogether",
			func(c *Config) any { return &c.TunnelLifetime }),
		d("shutdown-timeout", "30s", "for running exchanges and tunnels after SIGTERM",
			func(c *Config) any { return &c.ShutdownTimeout }),
	}
}

func limitOptions() []Option {
	return []Option{{
		Name: "max-connections", Arg: "N", Default: auto, Category: catLimit, auto: true, most: most,
		Help:  "client connections; auto is three quarters of the file descriptors that the process may open",
		field: func(c *Config) any { return &c.MaxConnections },
	}, {
		Name: "max-client-connections", Arg: "N", Default: "1024", Category: catLimit, most: most,
		Help:  "connections of one client address; 0 is any number",
		field: func(c *Config) any { return &c.MaxClientConnections },
	}, {
		Name: "max-origin-connections", Arg: "N", Default: auto, Category: catLimit, auto: true, most: most,
		Help:  "connections to one origin; auto is a third of max-connections",
		field: func(c *Config) any { return &c.MaxOriginConnections },
	}, {
		Name: "max-head-size", Arg: "SIZE", Default: "64KiB", Category: catLimit, least: int64(KiB), most: int64(MiB),
		Help:  "bytes of a head (431)",
		field: func(c *Config) any { return &c.MaxHeadSize },
	}, {
		Name: "max-fields", Arg: "N", Default: "256", Category: catLimit, least: 16, most: 1 << 14,
		Help:  "fields of a head (431)",
		field: func(c *Config) any { return &c.MaxFields },
	}, {
		Name: "max-target-size", Arg: "SIZE", Default: "16KiB", Category: catLimit, least: 256, most: int64(MiB),
		Help:  "bytes of a request's URL (414)",
		field: func(c *Config) any { return &c.MaxTargetSize },
	}, {
		Name: "max-request-body", Arg: "SIZE", Default: "0", Category: catLimit, most: most,
		Help:  "bytes of a request's body (413); 0 is any number",
		field: func(c *Config) any { return &c.MaxRequestBody },
	}, {
		Name: "max-interim", Arg: "N", Default: "10", Category: catLimit, least: 1, most: 1000,
		Help:  "1xx responses before the final one (502)",
		field: func(c *Config) any { return &c.MaxInterim },
	}, {
		Name: "min-body-rate", Arg: "SIZE", Default: "1KiB", Category: catLimit, most: int64(GiB),
		Help:  "bytes a second that a request's body must bring, averaged over 30 s; 0 is any",
		field: func(c *Config) any { return &c.MinBodyRate },
	}}
}

func reachOptions() []Option {
	return []Option{{
		Name: "allow-clients", Arg: "CIDR", Category: catReach, Many: true,
		Default: "127.0.0.0/8,10.0.0.0/8,172.16.0.0/12,192.168.0.0/16,169.254.0.0/16,::1/128,fc00::/7,fe80::/10",
		Help:    "addresses that may use the proxy; others are refused before anything is read",
		field:   func(c *Config) any { return &c.AllowClients },
	}, {
		Name: "connect-ports", Arg: "PORTS", Default: "80,443", Category: catReach, Many: true,
		Help:  "ports that CONNECT may reach; clients on this machine may reach any",
		field: func(c *Config) any { return &c.ConnectPorts },
	}, {
		Name: "http-ports", Arg: "PORTS", Category: catReach, Many: true,
		Default: "21,70,80,210,280,443,488,591,777,1025-65535",
		Help:    "ports that other requests may reach; clients on this machine may reach any",
		field:   func(c *Config) any { return &c.HTTPPorts },
	}, {
		Name: "deny-private", Default: "false", Category: catReach,
		Help:  "refuse destinations with private addresses to clients on other machines",
		field: func(c *Config) any { return &c.DenyPrivate },
	}, {
		Name: "upgrade-tokens", Arg: "TOKEN", Default: "websocket", Category: catReach, Many: true, check: checkToken,
		Help:  "Upgrade protocols that are tunnelled; others are stripped from requests",
		field: func(c *Config) any { return &c.UpgradeTokens },
	}, {
		Name: "ca-file", Arg: "FILE", Category: catReach, Many: true, check: checkFilled,
		Help:  "PEM files with certificate authorities to trust for https:// besides the system's",
		field: func(c *Config) any { return &c.CAFiles },
	}}
}

func nameOptions() []Option {
	return []Option{{
		Name: "dns-servers", Arg: "ADDR", Category: catNames, Many: true, check: checkResolver,
		Help:  "resolvers to ask, address or address:port; the next one when one fails or takes longer than a second; the system's when empty",
		field: func(c *Config) any { return &c.DNSServers },
	}, {
		Name: "dns-min-ttl", Arg: "DURATION", Default: "1s", Category: catNames, most: longest,
		Help:  "least time for which answers are kept",
		field: func(c *Config) any { return &c.DNSMinTTL },
	}, {
		Name: "dns-max-ttl", Arg: "DURATION", Default: "1h", Category: catNames, least: int64(time.Second), most: longest,
		Help:  "longest time for which addresses are kept",
		field: func(c *Config) any { return &c.DNSMaxTTL },
	}, {
		Name: "dns-negative-ttl", Arg: "DURATION", Default: "5m", Category: catNames, least: int64(time.Second), most: longest,
		Help:  "longest time for which it is kept that a name has no address",
		field: func(c *Config) any { return &c.DNSNegativeTTL },
	}, {
		Name: "dns-stale-max", Arg: "DURATION", Default: "1h", Category: catNames, most: longest,
		Help:  "how long after their time addresses stand in while no resolver answers (RFC 8767); 0 is not at all",
		field: func(c *Config) any { return &c.DNSStaleMax },
	}}
}
