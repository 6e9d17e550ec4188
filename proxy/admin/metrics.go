package admin

import (
	"net/http"
	"runtime"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/jayproxy/jay/proxy"
	"github.com/jayproxy/jay/proxy/access"
)

// collector turns the proxy's counters into metrics when somebody asks, so that counting itself stays cheap. The label
// values are those of two tables and the names of the policy's rules, whatever clients and origins send.
type collector struct {
	s    *Server
	info *prometheus.Desc

	requests, tunnels, received, sent *prometheus.Desc // by decision, tunnels apart
	errors                            *prometheus.Desc // by type
	rules                             *prometheus.Desc // by rule and action

	parentUp, parentConnects, parentFailures *prometheus.Desc // by parent
}

// figure is a metric without labels.
type figure struct {
	desc  *prometheus.Desc
	kind  prometheus.ValueType
	value func(*proxy.Stats) float64
}

func desc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("jay_"+name, help, labels, nil)
}

func gauge(name, help string, value func(*proxy.Stats) float64) figure {
	return figure{desc(name, help), prometheus.GaugeValue, value}
}

func counter(name, help string, value func(*proxy.Stats) float64) figure {
	return figure{desc(name, help), prometheus.CounterValue, value}
}

// plain are the metrics without labels.
func plain() []figure {
	return []figure{
		counter("refused_requests_total", "Requests that were not valid HTTP.", func(s *proxy.Stats) float64 { return float64(s.RefusedHeads) }),
		counter("refused_connections_total", "Client connections that were not let in.", func(s *proxy.Stats) float64 { return float64(s.RefusedClients) }),
		counter("accept_errors_total", "Failures to accept a connection.", func(s *proxy.Stats) float64 { return float64(s.AcceptErrors) }),
		counter("panics_total", "Faults of Jay's own.", func(s *proxy.Stats) float64 { return float64(s.Panics) }),
		gauge("client_connections", "Client connections that are open.", func(s *proxy.Stats) float64 { return float64(s.Connections) }),
		gauge("open_tunnels", "Tunnels that are open.", func(s *proxy.Stats) float64 { return float64(s.OpenTunnels) }),

		counter("dns_lookups_total", "Host names that were looked up.", func(s *proxy.Stats) float64 { return float64(s.Names.Lookups) }),
		counter("dns_hits_total", "Lookups that needed no server.", func(s *proxy.Stats) float64 { return float64(s.Names.Hits) }),
		counter("dns_stale_total", "Lookups that got expired addresses, since no server answered.", func(s *proxy.Stats) float64 { return float64(s.Names.Stale) }),
		counter("dns_not_found_total", "Lookups of names that have no address.", func(s *proxy.Stats) float64 { return float64(s.Names.NotFound) }),
		counter("dns_timeouts_total", "Lookups that no server answered in time.", func(s *proxy.Stats) float64 { return float64(s.Names.Timeouts) }),
		counter("dns_failures_total", "Lookups that failed otherwise.", func(s *proxy.Stats) float64 { return float64(s.Names.Failures) }),
		gauge("dns_names", "Host names that answers are kept of.", func(s *proxy.Stats) float64 { return float64(s.Names.Names) }),
		gauge("dns_bytes", "Bytes that kept answers about host names take.", func(s *proxy.Stats) float64 { return float64(s.Names.Bytes) }),

		gauge("cache_entries", "Stored responses.", func(s *proxy.Stats) float64 { return float64(s.Cache.Entries) }),
		gauge("cache_bytes", "Bytes that stored responses take, keys and indexes included.", func(s *proxy.Stats) float64 { return float64(s.Cache.Bytes) }),
		gauge("cache_overhead_bytes", "Bytes that the store takes besides.", func(s *proxy.Stats) float64 { return float64(s.Cache.Overhead) }),
		gauge("cache_limit_bytes", "Bound of cache_bytes and cache_overhead_bytes together.", func(s *proxy.Stats) float64 { return float64(s.Cache.MaxBytes) }),
		gauge("cache_fills", "Bodies on their way into the cache.", func(s *proxy.Stats) float64 { return float64(s.Cache.Fills) }),
		gauge("cache_fill_bytes", "Bytes of bodies on their way into the cache.", func(s *proxy.Stats) float64 { return float64(s.Cache.FillBytes) }),
		gauge("cache_fill_limit_bytes", "Bound of cache_fill_bytes.", func(s *proxy.Stats) float64 { return float64(s.Cache.MaxFillBytes) }),
		counter("cache_stored_total", "Responses that were stored.", func(s *proxy.Stats) float64 { return float64(s.Cache.Puts) }),
		counter("cache_refreshed_total", "Stored responses that were brought up to date or completed.", func(s *proxy.Stats) float64 { return float64(s.Cache.Swaps) }),
		counter("cache_replaced_total", "Stored responses that a newer one replaced.", func(s *proxy.Stats) float64 { return float64(s.Cache.Replaced) }),
		counter("cache_rejected_total", "Stored responses that were dropped as new and hardly used.", func(s *proxy.Stats) float64 { return float64(s.Cache.Rejected) }),
		counter("cache_evicted_total", "Stored responses that made place for others.", func(s *proxy.Stats) float64 { return float64(s.Cache.Evicted) }),
		counter("cache_removed_total", "Stored responses that were invalidated or purged.", func(s *proxy.Stats) float64 { return float64(s.Cache.Removed) }),
	}
}

// metricsHandler answers GET /metrics from a registry of its own.
func (s *Server) metricsHandler() http.Handler {
	return promhttp.HandlerFor(s.registry(), promhttp.HandlerOpts{ErrorLog: promLog{s}, MaxRequestsInFlight: 4})
}

func (s *Server) registry() *prometheus.Registry {
	r := prometheus.NewRegistry()
	r.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), &collector{
		s:        s,
		info:     desc("build_info", "Always 1; the labels say what runs.", "version", "goversion"),
		requests: desc("request_duration_seconds", "How long exchanges took, from the first byte of the request to the last of the answer.", "decision"),
		tunnels:  desc("tunnel_duration_seconds", "How long tunnels lived."),
		received: desc("received_bytes_total", "Body bytes received from clients.", "decision"),
		sent:     desc("sent_bytes_total", "Body bytes sent to clients.", "decision"),
		errors:   desc("errors_total", "Errors that Jay answered with, by proxy error type (RFC 9209).", "type"),
		rules:    desc("policy_decisions_total", "What the rules of the policy decided.", "rule", "action"),

		parentUp:       desc("parent_up", "Whether a parent is up: 0 while it is left alone because it could not be connected to.", "parent"),
		parentConnects: desc("parent_connections_total", "Connections that were made to a parent.", "parent"),
		parentFailures: desc("parent_failures_total", "Connections to a parent that could not be made.", "parent"),
	})
	return r
}

// promLog passes errors of the metrics on to the log.
type promLog struct{ s *Server }

// Println implements promhttp.Logger.
func (l promLog) Println(v ...any) { l.s.opt.Logger.Error("metrics", "err", v) }

// Describe implements prometheus.Collector.
func (c *collector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{c.info, c.requests, c.tunnels, c.received, c.sent, c.errors, c.rules, c.parentUp, c.parentConnects, c.parentFailures, droppedDesc()} {
		ch <- d
	}
	for _, f := range plain() {
		ch <- f.desc
	}
}

func droppedDesc() *prometheus.Desc {
	return desc("log_dropped_lines_total", "Lines of the access log that were lost because it could not be written fast enough.")
}

// Collect implements prometheus.Collector.
func (c *collector) Collect(ch chan<- prometheus.Metric) {
	p := c.s.opt.Proxy
	stats := p.Stats()
	for _, f := range plain() {
		ch <- prometheus.MustNewConstMetric(f.desc, f.kind, f.value(&stats))
	}
	ch <- prometheus.MustNewConstMetric(c.info, prometheus.GaugeValue, 1, c.s.opt.Version, runtime.Version())
	for _, f := range p.Figures() {
		c.decision(ch, &f)
	}
	for kind, n := range p.Errors() {
		ch <- prometheus.MustNewConstMetric(c.errors, prometheus.CounterValue, float64(n), kind)
	}
	for _, r := range p.Rules() {
		ch <- prometheus.MustNewConstMetric(c.rules, prometheus.CounterValue, float64(r.Allowed), r.Rule, "allow")
		ch <- prometheus.MustNewConstMetric(c.rules, prometheus.CounterValue, float64(r.Denied), r.Rule, "deny")
		ch <- prometheus.MustNewConstMetric(c.rules, prometheus.CounterValue, float64(r.Reported), r.Rule, "report")
	}
	for _, s := range p.Parents() {
		up := 0.0
		if s.Up {
			up = 1
		}
		ch <- prometheus.MustNewConstMetric(c.parentUp, prometheus.GaugeValue, up, s.Name)
		ch <- prometheus.MustNewConstMetric(c.parentConnects, prometheus.CounterValue, float64(s.Connects), s.Name)
		ch <- prometheus.MustNewConstMetric(c.parentFailures, prometheus.CounterValue, float64(s.Failures), s.Name)
	}
	if c.s.opt.LogDropped != nil {
		ch <- prometheus.MustNewConstMetric(droppedDesc(), prometheus.CounterValue, float64(c.s.opt.LogDropped()))
	}
}

// decision sends the metrics of one decision.
func (c *collector) decision(ch chan<- prometheus.Metric, f *proxy.Figures) {
	name := string(f.Decision)
	cumulative, n := map[float64]uint64{}, uint64(0)
	for i, bound := range proxy.DurationBounds() {
		n += uint64(f.Buckets[i])
		cumulative[bound.Seconds()] = n
	}
	if f.Decision == access.Tunnel {
		ch <- prometheus.MustNewConstHistogram(c.tunnels, uint64(f.Count), f.Time.Seconds(), cumulative)
	} else {
		ch <- prometheus.MustNewConstHistogram(c.requests, uint64(f.Count), f.Time.Seconds(), cumulative, name)
	}
	ch <- prometheus.MustNewConstMetric(c.received, prometheus.CounterValue, float64(f.BytesIn), name)
	ch <- prometheus.MustNewConstMetric(c.sent, prometheus.CounterValue, float64(f.BytesOut), name)
}
