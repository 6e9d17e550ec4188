package proxy

import (
	"sync/atomic"

	"github.com/jayproxy/jay/cache"
	"github.com/jayproxy/jay/proxy/access"
)

// counters are the proxy's running figures.
type counters struct {
	requests, hits, bytesOut, bytesHit atomic.Int64
	refusedHeads, refusedClients       atomic.Int64
	acceptErrors, panics, failures     atomic.Int64
	tunnels                            atomic.Int64
}

// count adds one finished exchange or tunnel.
func (c *counters) count(r *access.Record) {
	c.requests.Add(1)
	c.bytesOut.Add(r.BytesOut)
	switch r.Decision {
	case access.Hit, access.Stale, access.Collapsed, access.Revalidated:
		c.hits.Add(1)
		c.bytesHit.Add(r.BytesOut)
	case access.Failed:
		c.failures.Add(1)
	case access.Tunnel:
		c.tunnels.Add(1)
	}
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
}

// Stats returns the figures as they are now.
func (p *Proxy) Stats() Stats {
	c := &p.stats
	p.mu.Lock()
	conns := len(p.conns)
	p.mu.Unlock()
	return Stats{
		Requests: c.requests.Load(), Hits: c.hits.Load(), Failures: c.failures.Load(), Tunnels: c.tunnels.Load(),
		BytesOut: c.bytesOut.Load(), BytesHit: c.bytesHit.Load(),
		RefusedHeads: c.refusedHeads.Load(), RefusedClients: c.refusedClients.Load(),
		AcceptErrors: c.acceptErrors.Load(), Panics: c.panics.Load(),
		Connections: conns, OpenTunnels: p.tunnels.Count(), Cache: p.store.Stats(),
	}
}
