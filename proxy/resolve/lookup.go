package resolve

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// Lookup returns the addresses of host in the order in which to try them, IPv4-mapped ones in their IPv4 form. Only what
// netip parses is a literal; other numeric forms such as 127.1 are errors, never addresses. The slice is shared and must
// not be changed. Those who ask for one name at once share a lookup, which does not end with the one who was first. The
// error is an [*Error].
func (r *Resolver) Lookup(ctx context.Context, host string) ([]netip.Addr, error) {
	if !isName(host) {
		return literal(host)
	}
	a, stale, err := r.answer(host)
	if err == nil {
		a, err = r.wait(ctx, a, stale)
	}
	r.count(a, err)
	if err != nil {
		return nil, err
	}
	return a.addrs, nil
}

// Check reports as an [*Error] that host is neither a name nor a literal address, so that nobody has to be asked for it.
func Check(host string) error {
	if isName(host) {
		return nil
	}
	_, err := literal(host)
	return err
}

// literal is what host stands for, which is no name.
func literal(host string) ([]netip.Addr, error) {
	a, err := netip.ParseAddr(host)
	switch {
	case err != nil:
		return nil, &Error{NotFound: true, Err: errNotAName}
	case a.Zone() != "":
		return nil, &Error{NotFound: true, Err: errZone}
	}
	return []netip.Addr{a.Unmap()}, nil
}

// Has reports whether addr is an address of host, or was one within the last minutes: who connects to a name that has
// other addresses each time may have asked a little earlier. The error is that of [Resolver.Lookup] when neither is so.
func (r *Resolver) Has(ctx context.Context, host string, addr netip.Addr) (bool, error) {
	addrs, err := r.Lookup(ctx, host)
	addr = addr.Unmap()
	if slices.Contains(addrs, addr) {
		return true, nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.cache.recent(host, addr, time.Now()) {
		return true, nil
	}
	return false, err
}

// answer returns the kept or pending answer for host, or starts a lookup, and what may stand in for it. The lookup belongs
// to all who wait for it and so outlives the one who started it.
func (r *Resolver) answer(host string) (a, stale *answer, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.stats.Lookups++
	if len(r.opt.Hosts) > 0 {
		if addrs := r.opt.Hosts[strings.TrimSuffix(strings.ToLower(host), ".")]; addrs != nil {
			r.stats.Hits++
			return &answer{done: ended, addrs: addrs}, nil, nil
		}
	}
	now := time.Now()
	e := r.cache.use(host)
	if e != nil && e.current.valid(now) {
		if e.current.isDone() {
			r.stats.Hits++
			return e.current, nil, nil
		}
		return e.current, e.stale(now, r.opt.MaxStale), nil
	}
	if r.closed {
		return nil, nil, &Error{Err: errClosed}
	}
	if r.running >= maxRunning {
		return nil, nil, &Error{Err: errBusy}
	}
	if e == nil {
		e = r.cache.add(host)
	}
	e.current = &answer{done: make(chan struct{})}
	r.running++
	opt, pending := r.opt, e.current
	r.wg.Go(func() { r.lookup(opt, host, pending) })
	r.cache.fit(r.opt.MaxBytes)
	return pending, e.stale(now, r.opt.MaxStale), nil
}

// wait waits for an answer. Expired addresses stand in for one that does not come soon.
func (r *Resolver) wait(ctx context.Context, a, stale *answer) (*answer, error) {
	if a.isDone() {
		return a, a.err
	}
	var soon <-chan time.Time
	if stale != nil {
		t := time.NewTimer(staleAfter)
		defer t.Stop()
		soon = t.C
	}
	select {
	case <-a.done:
		return a, a.err
	case <-soon:
		return stale, nil
	case <-ctx.Done():
		return nil, &Error{Timeout: true, Err: context.Cause(ctx)}
	}
}

// count counts how a lookup ended.
func (r *Resolver) count(a *answer, err error) {
	if err == nil && !a.stale {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	var e *Error
	switch {
	case !errors.As(err, &e):
		r.stats.Stale++
	case e.Timeout:
		r.stats.Timeouts++
	case e.NotFound:
		r.stats.NotFound++
	default:
		r.stats.Failures++
	}
}

// lookup asks for host and completes a.
func (r *Resolver) lookup(opt *Options, host string, a *answer) {
	ctx, cancel := context.WithTimeout(r.base, opt.Timeout)
	defer cancel()
	rec := newRecord(ctx)
	defer rec.cancel()
	own := net.Resolver{PreferGo: true, Dial: func(ctx context.Context, network, address string) (net.Conn, error) {
		return &exchange{r: r, opt: opt, rec: rec, ctx: ctx, network: network, system: address}, nil
	}}
	found, err := own.LookupNetIP(ctx, "ip", host)
	var addrs []netip.Addr
	for _, addr := range found[:min(len(found), maxAddrs)] {
		if addr = addr.WithZone("").Unmap(); !slices.Contains(addrs, addr) {
			addrs = append(addrs, addr)
		}
	}
	if err == nil && len(addrs) == 0 {
		err = errNoAddress
	}
	r.finish(opt, host, a, addrs, rec, err)
}

// finish makes a what a lookup brought, and remembers it.
func (r *Resolver) finish(opt *Options, host string, a *answer, addrs []netip.Addr, rec *record, err error) {
	now := time.Now()
	r.mu.Lock()
	defer r.mu.Unlock()
	defer close(a.done)
	r.running--
	var keep time.Duration
	if err == nil {
		a.addrs, keep = addrs, rec.keepFound(opt)
	} else {
		var failure *Error
		failure, keep = rec.failure(opt, err)
		a.err = failure
	}
	a.until = now.Add(keep)
	e := r.cache.entries[host]
	if e == nil || e.current != a {
		return
	}
	e.learn(a, now, opt.MaxStale)
	r.cache.resize(e)
	r.cache.fit(opt.MaxBytes)
}
