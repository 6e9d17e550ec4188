package admin

import (
	"context"
	"sync"
	"time"

	"github.com/jayproxy/jay/proxy"
)

// samplesKept is how many samples there are at most.
const samplesKept = 360

// Sample is what happened in one interval. Rates are per second.
type Sample struct {
	Time        time.Time     `json:"time"`
	Requests    float64       `json:"requests"`
	Hits        float64       `json:"hits"`
	BytesOut    float64       `json:"bytes_out"`
	BytesHit    float64       `json:"bytes_hit"`
	HitP50      proxy.Seconds `json:"hit_p50"` // of answers from the cache in the interval; 0 when there was none
	HitP99      proxy.Seconds `json:"hit_p99"`
	MissP50     proxy.Seconds `json:"miss_p50"` // of answers that were fetched
	MissP99     proxy.Seconds `json:"miss_p99"`
	Connections int           `json:"connections"`
	OpenTunnels int           `json:"open_tunnels"`
	CacheBytes  int64         `json:"cache_bytes"`
}

// history holds the samples of the last hour.
type history struct {
	mu      sync.Mutex
	samples []Sample // oldest first
}

// state is what the next sample is compared with.
type state struct {
	at        time.Time
	stats     proxy.Stats
	hit, miss []int64 // buckets
}

// run takes a sample each interval until ctx ends.
func (h *history) run(ctx context.Context, p *proxy.Proxy, interval time.Duration) {
	tick := time.NewTicker(interval)
	defer tick.Stop()
	before := observe(p)
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			now := observe(p)
			h.add(since(&before, &now))
			before = now
		}
	}
}

// observe reads the counters.
func observe(p *proxy.Proxy) state {
	s := state{at: time.Now(), stats: p.Stats()}
	for _, f := range p.Figures() {
		switch f.Decision {
		case "hit", "stale":
			s.hit = plus(s.hit, f.Buckets)
		case "miss", "updated", "revalidated", "pass":
			s.miss = plus(s.miss, f.Buckets)
		}
	}
	return s
}

func plus(a, b []int64) []int64 {
	if a == nil {
		return b
	}
	for i := range a {
		a[i] += b[i]
	}
	return a
}

// since is what happened between two states.
func since(a, b *state) Sample {
	t := b.at.Sub(a.at).Seconds()
	rate := func(from, to int64) float64 { return float64(to-from) / t }
	bounds := proxy.DurationBounds()
	hit, miss := minus(b.hit, a.hit), minus(b.miss, a.miss)
	return Sample{
		Time: b.at.Round(0), Requests: rate(a.stats.Requests, b.stats.Requests), Hits: rate(a.stats.Hits, b.stats.Hits),
		BytesOut: rate(a.stats.BytesOut, b.stats.BytesOut), BytesHit: rate(a.stats.BytesHit, b.stats.BytesHit),
		HitP50: quantile(hit, bounds, 0.5), HitP99: quantile(hit, bounds, 0.99),
		MissP50: quantile(miss, bounds, 0.5), MissP99: quantile(miss, bounds, 0.99),
		Connections: b.stats.Connections, OpenTunnels: b.stats.OpenTunnels, CacheBytes: b.stats.Cache.Bytes,
	}
}

func minus(a, b []int64) []int64 {
	out := make([]int64, len(a))
	for i := range a {
		out[i] = a[i] - b[i]
	}
	return out
}

func (h *history) add(s Sample) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.samples) == samplesKept {
		h.samples = append(h.samples[:0], h.samples[1:]...)
	}
	h.samples = append(h.samples, s)
}

// Report is the answer to GET /history.
type Report struct {
	Interval proxy.Seconds `json:"interval"` // between two samples
	Samples  []Sample      `json:"samples"`  // oldest first
}

func (h *history) report(interval time.Duration) Report {
	h.mu.Lock()
	defer h.mu.Unlock()
	return Report{Interval: proxy.Seconds(interval.Seconds()), Samples: append([]Sample{}, h.samples...)}
}
