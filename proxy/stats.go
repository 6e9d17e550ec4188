package proxy

import (
	"strings"
	"sync/atomic"
	"time"

	"github.com/jayproxy/jay/cache"
	"github.com/jayproxy/jay/proxy/access"
	"github.com/jayproxy/jay/proxy/resolve"
)

// decisions are those that are counted apart; what is none of them counts as the last.
var decisions = [...]access.Decision{
	access.Hit, access.Stale, access.Revalidated, access.Updated, access.Collapsed, access.Miss, access.Pass, access.Tunnel,
	access.Local, access.Denied, access.Failed,
}

// slot is where a decision is counted.
func slot(d access.Decision) int {
	switch d {
	case access.Hit:
		return 0
	case access.Stale:
		return 1
	case access.Revalidated:
		return 2
	case access.Updated:
		return 3
	case access.Collapsed:
		return 4
	case access.Miss:
		return 5
	case access.Pass:
		return 6
	case access.Tunnel:
		return 7
	case access.Local:
		return 8
	case access.Denied:
		return 9
	}
	return 10
}

// fromCache tells whether a decision means that the body came from the cache.
func fromCache(d access.Decision) bool {
	return d == access.Hit || d == access.Stale || d == access.Collapsed || d == access.Revalidated
}

// durationBounds are the upper bounds of the histograms' buckets; one more bucket has no bound.
var durationBounds = [...]time.Duration{
	50 * time.Microsecond, 100 * time.Microsecond, 250 * time.Microsecond, 500 * time.Microsecond,
	time.Millisecond, 2500 * time.Microsecond, 5 * time.Millisecond, 10 * time.Millisecond, 25 * time.Millisecond,
	50 * time.Millisecond, 100 * time.Millisecond, 250 * time.Millisecond, 500 * time.Millisecond,
	time.Second, 2500 * time.Millisecond, 5 * time.Second, 10 * time.Second, 60 * time.Second,
}

// errorTypes are the proxy error types of RFC 9209 §2.3 and what Jay adds to them; others count as the last.
var errorTypes = [...]string{
	"dns_timeout", "dns_error", "destination_not_found", "destination_unavailable", "destination_ip_prohibited",
	"destination_ip_unroutable", "connection_refused", "connection_terminated", "connection_timeout",
	"connection_read_timeout", "connection_write_timeout", "connection_limit_reached", "tls_protocol_error",
	"tls_certificate_error", "tls_alert_received", "http_request_error", "http_request_denied",
	"http_response_incomplete", "http_response_header_section_size", "http_response_body_size", "http_response_timeout",
	"http_upgrade_failed", "http_protocol_error", "proxy_internal_response", "proxy_internal_error",
	"proxy_configuration_error", "proxy_loop_detected", "other",
}

// counters are the proxy's running figures.
type counters struct {
	by     [len(decisions)]tally
	errors [len(errorTypes)]atomic.Int64
	rules  ruleCounts

	refusedHeads, refusedClients atomic.Int64
	acceptErrors, panics         atomic.Int64
}

// tally is what is counted of the exchanges with one decision.
type tally struct {
	buckets        [len(durationBounds) + 1]atomic.Int64
	nanos, in, out atomic.Int64
}

// count adds one finished exchange or tunnel. It does not allocate: answers from the cache pass here, too.
func (c *counters) count(r *access.Record) {
	t := &c.by[slot(r.Decision)]
	i := 0
	for i < len(durationBounds) && r.Duration > durationBounds[i] {
		i++
	}
	t.buckets[i].Add(1)
	t.nanos.Add(int64(r.Duration))
	t.out.Add(r.BytesOut)
	if r.BytesIn != 0 {
		t.in.Add(r.BytesIn)
	}
	if r.Rule != "" || r.Reported != "" {
		c.rules.count(r)
	}
	if r.ProxyStatus != "" {
		c.errors[errorSlot(r.ProxyStatus)].Add(1)
	}
}

// errorSlot is where the error of a Proxy-Status value is counted.
func errorSlot(status string) int {
	_, kind, _ := strings.Cut(status, "error=")
	kind, _, _ = strings.Cut(kind, ";")
	for i, known := range errorTypes {
		if kind == known {
			return i
		}
	}
	return len(errorTypes) - 1
}

// total is how many were counted.
func (t *tally) total() (n int64) {
	for i := range t.buckets {
		n += t.buckets[i].Load()
	}
	return n
}

// Figures are what was counted, since the start, of the exchanges and tunnels with one decision.
type Figures struct {
	Decision access.Decision
	Count    int64
	Time     time.Duration // of all together
	BytesIn  int64         // body bytes received from clients
	BytesOut int64         // body bytes sent to clients
	// Buckets counts those that took no longer than the bound of the same index of DurationBounds, each in the first
	// bucket that it fits in; the last has no bound.
	Buckets []int64
}

// DurationBounds are the upper bounds of the buckets in Figures.
func DurationBounds() []time.Duration { return append([]time.Duration(nil), durationBounds[:]...) }

// Figures returns what was counted by decision, every decision in a fixed place.
func (p *Proxy) Figures() []Figures {
	out := make([]Figures, len(decisions))
	for i := range out {
		t := &p.stats.by[i]
		f := &out[i]
		f.Decision, f.Time = decisions[i], time.Duration(t.nanos.Load())
		f.BytesIn, f.BytesOut = t.in.Load(), t.out.Load()
		f.Buckets = make([]int64, len(t.buckets))
		for j := range t.buckets {
			f.Buckets[j] = t.buckets[j].Load()
			f.Count += f.Buckets[j]
		}
	}
	return out
}

// Errors counts the errors that Jay answered with, by proxy error type (RFC 9209 §2.3); every type that is counted apart
// is there.
func (p *Proxy) Errors() map[string]int64 {
	out := make(map[string]int64, len(errorTypes))
	for i, kind := range errorTypes {
		out[kind] = p.stats.errors[i].Load()
	}
	return out
}

// Stats are a proxy's figures since its start.
type Stats struct {
	// Requests counts finished exchanges and tunnels, Hits those answered from the cache, Failures those that Jay had to
	// answer with an error, Tunnels those that became tunnels.
	Requests, Hits, Failures, Tunnels int64
	// BytesOut counts the body bytes sent to clients, BytesHit those that came from the cache.
	BytesOut, BytesHit int64
	// RefusedHeads counts requests that were not valid HTTP, RefusedClients connections that were not let in.
	RefusedHeads, RefusedClients int64
	// AcceptErrors counts failures to accept a connection, Panics faults of Jay's own.
	AcceptErrors, Panics int64
	// Connections counts the client connections that are open, OpenTunnels the tunnels.
	Connections, OpenTunnels int
	// Cache has the figures of the stored responses.
	Cache cache.Stats
	// Names has the figures of name resolution.
	Names resolve.Stats
}

// Stats returns the figures as they are now.
func (p *Proxy) Stats() Stats {
	c := &p.stats
	p.mu.Lock()
	conns := len(p.conns)
	p.mu.Unlock()
	s := Stats{
		RefusedHeads: c.refusedHeads.Load(), RefusedClients: c.refusedClients.Load(),
		AcceptErrors: c.acceptErrors.Load(), Panics: c.panics.Load(),
		Connections: conns, OpenTunnels: p.tunnels.Count(), Cache: p.store.Stats(),
		Names: p.guarded.LookupStats().Plus(p.direct.LookupStats()),
	}
	for i, d := range decisions {
		n, out := c.by[i].total(), c.by[i].out.Load()
		s.Requests += n
		s.BytesOut += out
		switch {
		case fromCache(d):
			s.Hits += n
			s.BytesHit += out
		case d == access.Failed:
			s.Failures = n
		case d == access.Tunnel:
			s.Tunnels = n
		}
	}
	return s
}
