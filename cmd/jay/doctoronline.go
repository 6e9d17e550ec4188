package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"time"

	"github.com/jayproxy/jay/config"
	"github.com/jayproxy/jay/proxy"
	"github.com/jayproxy/jay/proxy/resolve"
)

// lookOnline fetches a URL through the Jay that runs or, if there is none, through one of its own with the same
// configuration.
func lookOnline(ctx context.Context, c *config.Config, a *facts, target *url.URL) {
	ctx, cancel := context.WithTimeout(ctx, c.ConnectTimeout+doctorWait)
	defer cancel()
	a.clock.url = target.String()
	for _, p := range a.ports {
		if p.option == "listen" && p.state == portJay {
			a.clock.date, a.clock.err = fetchDate(ctx, clientAddress(p.address), target)
			a.clock.now = time.Now()
			return
		}
	}
	address, end, err := ownProxy(c)
	if err != nil {
		a.clock.err = err
		return
	}
	defer end(ctx)
	a.clock.date, a.clock.err = fetchDate(ctx, address, target)
	a.clock.now = time.Now()
}

// ownProxy starts a proxy for this process, and returns its address and what ends it.
func ownProxy(c *config.Config) (address string, end func(context.Context), err error) {
	opt, err := proxyOptions(c)
	if err != nil {
		return "", nil, err
	}
	opt.Auth = nil
	own, err := proxy.New(opt)
	if err != nil {
		return "", nil, err
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, errors.Join(err, own.Shutdown(context.Background()))
	}
	done := make(chan error, 1)
	go func() { done <- own.Serve(ln, proxy.Explicit) }()
	return ln.Addr().String(), func(ctx context.Context) {
		own.Shutdown(ctx)
		<-done
	}, nil
}

// fetchDate fetches a URL through the proxy at an address and returns the Date of its answer.
func fetchDate(ctx context.Context, address string, target *url.URL) (time.Time, error) {
	t := &http.Transport{Proxy: http.ProxyURL(&url.URL{Scheme: "http", Host: address}), DisableKeepAlives: true}
	req, err := http.NewRequestWithContext(ctx, "HEAD", target.String(), nil)
	if err != nil {
		return time.Time{}, err
	}
	req.Header.Set("Cache-Control", "no-cache")
	resp, err := t.RoundTrip(req)
	if err != nil {
		return time.Time{}, err
	}
	resp.Body.Close()
	if status := resp.Header.Get("Proxy-Status"); status != "" {
		return time.Time{}, fmt.Errorf("%s (%s)", resp.Status, status)
	}
	date, _ := http.ParseTime(resp.Header.Get("Date")) // the zero time says that there is none
	return date, nil
}

// lookParents connects to each of the parents.
func lookParents(ctx context.Context, c *config.Config) (all []parentFact) {
	urls := slices.Clone(c.Parent)
	for i := range c.Parents {
		urls = append(urls, c.Parents[i].Use...)
	}
	r := resolve.New(nameOptions(c))
	defer r.Close()
	for _, text := range urls {
		u, err := config.ParseParent(text)
		known := slices.ContainsFunc(all, func(p parentFact) bool { return p.address == u.Address() })
		if err == nil && u.Scheme != "" && !known {
			all = append(all, parentFact{u.Address(), connects(ctx, r, u)})
		}
	}
	return all
}

// connects connects to a parent for a moment.
func connects(ctx context.Context, r *resolve.Resolver, u config.ParentURL) error {
	ctx, cancel := context.WithTimeout(ctx, doctorWait)
	defer cancel()
	addrs, err := r.Lookup(ctx, u.Host)
	var d net.Dialer
	for _, a := range addrs {
		var nc net.Conn
		nc, err = d.DialContext(ctx, "tcp", netip.AddrPortFrom(a, u.Port).String())
		if err == nil {
			return nc.Close()
		}
	}
	return err
}
