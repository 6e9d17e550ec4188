package admin

import (
	"runtime/metrics"
	"time"

	"github.com/jayproxy/jay/proxy"
	"github.com/jayproxy/jay/proxy/access"
	"github.com/jayproxy/jay/proxy/parent"
)

// Figures are the answer to GET /stats: counts since the start, and what there is now.
type Figures struct {
	Version string        `json:"version"`
	Now     time.Time     `json:"now"`
	Started time.Time     `json:"started"`
	Uptime  proxy.Seconds `json:"uptime"`

	Requests     int64   `json:"requests"` // exchanges and tunnels that have ended
	Hits         int64   `json:"hits"`     // of them answered from the cache
	HitRatio     float64 `json:"hit_ratio"`
	Failures     int64   `json:"failures"` // answered with an error of Jay's own
	Tunnels      int64   `json:"tunnels"`  // tunnels that have ended
	BytesOut     int64   `json:"bytes_out"`
	BytesHit     int64   `json:"bytes_hit"`
	ByteHitRatio float64 `json:"byte_hit_ratio"`

	RefusedRequests    int64 `json:"refused_requests"` // that were not valid HTTP
	RefusedConnections int64 `json:"refused_connections"`
	AcceptErrors       int64 `json:"accept_errors"`
	Panics             int64 `json:"panics"`
	LogLinesDropped    int64 `json:"log_lines_dropped"`

	Connections int   `json:"connections"`  // clients' connections that are open
	OpenTunnels int   `json:"open_tunnels"` // tunnels that are open
	Memory      int64 `json:"memory"`       // bytes that the process has from the system

	Cache     CacheFigures        `json:"cache"`
	Names     NameFigures         `json:"names"`
	Decisions []DecisionFigures   `json:"decisions"`
	Errors    map[string]int64    `json:"errors"` // by Proxy-Status error type; those that occurred
	Rules     []proxy.RuleFigures `json:"rules"`  // of the policy; those that decided
	Parents   []parent.Status     `json:"parents,omitempty"`
}

// CacheFigures are about the stored responses.
type CacheFigures struct {
	Entries        int64 `json:"entries"`
	Bytes          int64 `json:"bytes"`    // that they take, with their keys and indexes
	Overhead       int64 `json:"overhead"` // that the store takes besides
	MaxBytes       int64 `json:"max_bytes"`
	MaxObjectBytes int64 `json:"max_object_bytes"`
	Fills          int64 `json:"fills"` // bodies on their way
	FillBytes      int64 `json:"fill_bytes"`
	MaxFillBytes   int64 `json:"max_fill_bytes"`
	Stored         int64 `json:"stored"`
	Refreshed      int64 `json:"refreshed"`
	Replaced       int64 `json:"replaced"`
	Rejected       int64 `json:"rejected"`
	Evicted        int64 `json:"evicted"`
	Removed        int64 `json:"removed"`
}

// NameFigures are about name resolution.
type NameFigures struct {
	Lookups  int64 `json:"lookups"`
	Hits     int64 `json:"hits"`      // that needed no server
	Stale    int64 `json:"stale"`     // that got expired addresses
	NotFound int64 `json:"not_found"` // of names without an address
	Timeouts int64 `json:"timeouts"`
	Failures int64 `json:"failures"` // that failed otherwise
	Names    int   `json:"names"`    // that answers are kept of
	Bytes    int   `json:"bytes"`    // that they take
}

// DecisionFigures are about the exchanges with one decision. The quantiles are estimates from a histogram.
type DecisionFigures struct {
	Decision access.Decision `json:"decision"`
	Count    int64           `json:"count"`
	BytesIn  int64           `json:"bytes_in"`
	BytesOut int64           `json:"bytes_out"`
	Mean     proxy.Seconds   `json:"mean"`
	P50      proxy.Seconds   `json:"p50"`
	P99      proxy.Seconds   `json:"p99"`
}

// figures collects all figures.
func (s *Server) figures() Figures {
	t, now := s.opt.Proxy.Stats(), time.Now()
	c := &t.Cache
	f := Figures{
		Names:   NameFigures(t.Names),
		Version: s.opt.Version, Now: now.Round(0), Started: s.started.Round(0), Uptime: proxy.Seconds(now.Sub(s.started).Seconds()),
		Requests: t.Requests, Hits: t.Hits, HitRatio: ratio(t.Hits, t.Requests-t.Tunnels), Failures: t.Failures, Tunnels: t.Tunnels,
		BytesOut: t.BytesOut, BytesHit: t.BytesHit,
		RefusedRequests: t.RefusedHeads, RefusedConnections: t.RefusedClients, AcceptErrors: t.AcceptErrors, Panics: t.Panics,
		Connections: t.Connections, OpenTunnels: t.OpenTunnels, Memory: memory(), Errors: map[string]int64{}, Rules: s.opt.Proxy.Rules(),
		Parents: s.opt.Proxy.Parents(),
		Cache: CacheFigures{
			Entries: c.Entries, Bytes: c.Bytes, Overhead: c.Overhead, MaxBytes: c.MaxBytes, MaxObjectBytes: c.MaxObjectBytes,
			Fills: c.Fills, FillBytes: c.FillBytes, MaxFillBytes: c.MaxFillBytes,
			Stored: c.Puts, Refreshed: c.Swaps, Replaced: c.Replaced, Rejected: c.Rejected, Evicted: c.Evicted, Removed: c.Removed,
		},
	}
	if s.opt.LogDropped != nil {
		f.LogLinesDropped = s.opt.LogDropped()
	}
	bounds, tunnelBytes := proxy.DurationBounds(), int64(0)
	for _, d := range s.opt.Proxy.Figures() {
		if d.Decision == access.Tunnel {
			tunnelBytes = d.BytesOut
		}
		f.Decisions = append(f.Decisions, DecisionFigures{
			Decision: d.Decision, Count: d.Count, BytesIn: d.BytesIn, BytesOut: d.BytesOut,
			Mean: mean(d.Time, d.Count), P50: quantile(d.Buckets, bounds, 0.5), P99: quantile(d.Buckets, bounds, 0.99),
		})
	}
	f.ByteHitRatio = ratio(t.BytesHit, t.BytesOut-tunnelBytes)
	for kind, n := range s.opt.Proxy.Errors() {
		if n > 0 {
			f.Errors[kind] = n
		}
	}
	return f
}

func ratio(part, whole int64) float64 {
	if whole <= 0 {
		return 0
	}
	return float64(part) / float64(whole)
}

func mean(total time.Duration, n int64) proxy.Seconds {
	if n == 0 {
		return 0
	}
	return proxy.Seconds((total / time.Duration(n)).Seconds())
}

// quantile estimates below which duration the share q of those in the buckets lies, as if they were spread evenly within
// each bucket. What is in the bucket without bound counts as the greatest bound.
func quantile(buckets []int64, bounds []time.Duration, q float64) proxy.Seconds {
	total := int64(0)
	for _, n := range buckets {
		total += n
	}
	if total == 0 {
		return 0
	}
	rank, low := q*float64(total), time.Duration(0)
	for i, n := range buckets {
		if i == len(bounds) {
			break
		}
		if n > 0 && rank <= float64(n) {
			return proxy.Seconds((low + time.Duration(float64(bounds[i]-low)*rank/float64(n))).Seconds())
		}
		rank -= float64(n)
		low = bounds[i]
	}
	return proxy.Seconds(bounds[len(bounds)-1].Seconds())
}

// memory is how many bytes the Go runtime has from the system, without what it has given back.
func memory() int64 {
	samples := []metrics.Sample{{Name: "/memory/classes/total:bytes"}, {Name: "/memory/classes/heap/released:bytes"}}
	metrics.Read(samples)
	return int64(samples[0].Value.Uint64() - samples[1].Value.Uint64())
}
