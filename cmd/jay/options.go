package main

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"slices"

	"github.com/jayproxy/jay/config"
	"github.com/jayproxy/jay/proxy"
	"github.com/jayproxy/jay/proxy/guide"
	"github.com/jayproxy/jay/proxy/resolve"
)

// proxyOptions is what c means to the proxy, its logs aside. It fails for files that cannot be used.
func proxyOptions(c *config.Config) (proxy.Options, error) {
	o := proxy.Options{
		Name:            c.Name,
		CacheBytes:      int64(c.CacheSize),
		MaxObjectBytes:  int64(c.MaxObjectSize),
		FillBytes:       int64(c.FillSize),
		MaxVariants:     c.MaxVariants,
		MaxRanges:       c.MaxRanges,
		HideCacheStatus: !c.CacheStatus,
		CacheStatusKey:  c.CacheStatusKey,
		CollapseWait:    c.CollapseWait,

		IdleTimeout:    c.IdleTimeout,
		HeadTimeout:    c.HeadTimeout,
		BodyTimeout:    c.BodyTimeout,
		StallTimeout:   c.BodyTimeout,
		WriteTimeout:   c.WriteTimeout,
		MinBodyRate:    int64(c.MinBodyRate),
		ConnectTimeout: c.ConnectTimeout,
		HeaderTimeout:  c.ResponseHeaderTimeout,
		TunnelIdle:     c.TunnelIdleTimeout,
		TunnelDrain:    c.TunnelDrainTimeout,
		TunnelLifetime: c.TunnelLifetime,

		MaxConnections:       c.MaxConnections,
		MaxClientConnections: c.MaxClientConnections,
		MaxOriginConnections: c.MaxOriginConnections,
		MaxInterim:           c.MaxInterim,
		MaxRequestBody:       int64(c.MaxRequestBody),

		ProxySenders:  c.ProxyProtocolFrom,
		AllowClients:  c.AllowClients,
		ConnectPorts:  ranges(c.ConnectPorts),
		HTTPPorts:     ranges(c.HTTPPorts),
		DenyPrivate:   c.DenyPrivate,
		UpgradeTokens: c.UpgradeTokens,
		DNS:           nameOptions(c),
		PACStrict:     !c.PACFallback,
	}
	if o.MinBodyRate == 0 {
		o.MinBodyRate = -1 // none, where 0 would be the default
	}
	o.Limits.HeadBytes = int(c.MaxHeadSize)
	o.Limits.Fields = c.MaxFields
	o.Limits.TargetBytes = int(c.MaxTargetSize)
	o.Freshness.Targeted = c.TargetedCacheControl
	o.Freshness.RefuseSetCookie = !c.StoreSetCookie
	o.Freshness.RefuseErrors = !c.StoreErrors
	o.Freshness.MaxStaleOnError = c.StaleIfErrorMax
	var tlsErr, overrideErr error
	o.TLS, tlsErr = trust(c.CAFiles)
	o.Overrides, overrideErr = overrides(c.Overrides)
	return o, errors.Join(tlsErr, overrideErr, guards(&o, c), guideOptions(&o, c), routes(&o, c))
}

// guideOptions puts into o what clients are told about how to reach the proxy. It fails for destinations that cannot be
// written into a PAC file.
func guideOptions(o *proxy.Options, c *config.Config) error {
	for _, text := range slices.Concat(c.PACProxy, c.Listen, c.ListenTLS) {
		if a, ok := guide.ParseAddress(text); ok {
			o.Names = append(o.Names, a.Host)
		}
	}
	if name, err := os.Hostname(); err == nil {
		o.Names = append(o.Names, name)
	}
	for _, text := range c.PACProxy {
		a, ok := guide.ParseAddress(text)
		if !ok {
			return fmt.Errorf("pac-proxy: %q is not host:port", text)
		}
		o.PACProxies = append(o.PACProxies, a)
	}
	var err error
	if o.PACDirect, err = guide.NewDirect(c.PACDirect); err != nil {
		return fmt.Errorf("pac-direct: %w", err)
	}
	return nil
}

func ranges(list []config.PortRange) []proxy.PortRange {
	out := make([]proxy.PortRange, 0, len(list))
	for _, r := range list {
		out = append(out, proxy.PortRange{First: r.First, Last: r.Last})
	}
	return out
}

// trust returns a configuration that trusts the certificates in files besides the system's, or nil for no files.
func trust(files []string) (*tls.Config, error) {
	if len(files) == 0 {
		return nil, nil
	}
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool() // a system without any
	}
	for _, name := range files {
		pem, err := os.ReadFile(name)
		if err != nil {
			return nil, fmt.Errorf("ca-file: %w", plainPath(err))
		}
		if !pool.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("ca-file: %s: no certificate in it", name)
		}
	}
	return &tls.Config{RootCAs: pool}, nil
}

// nameOptions says how names are looked up.
func nameOptions(c *config.Config) resolve.Options {
	o := resolve.Options{
		MinTTL: c.DNSMinTTL, MaxTTL: c.DNSMaxTTL, MaxNegativeTTL: c.DNSNegativeTTL, MaxStale: c.DNSStaleMax,
		Timeout: c.ConnectTimeout,
	}
	for _, text := range c.DNSServers {
		server, err := netip.ParseAddrPort(text)
		if err != nil { // it is an address without a port: the configuration was checked
			server = netip.AddrPortFrom(netip.MustParseAddr(text), 53)
		}
		o.Servers = append(o.Servers, server)
	}
	if len(c.Hosts) > 0 {
		o.Hosts = make(map[string][]netip.Addr, len(c.Hosts))
		for _, h := range c.Hosts {
			o.Hosts[h.Name] = h.Addresses
		}
	}
	return o
}
