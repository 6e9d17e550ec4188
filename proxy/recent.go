package proxy

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jayproxy/jay/proxy/access"
)

const (
	recentCount = 128              // exchanges that are remembered
	recentURL   = 512              // bytes of a URL that are remembered
	recentGap   = time.Millisecond // between two hits that are remembered
	maxHosts    = 512              // hosts that are counted
)

// recents remembers the last exchanges and counts hosts, for those who watch. Hits come by the ten thousand a second, so at
// most one a millisecond is noted, in place of all since the last: exact while there is little to do, a sample when there
// is much. Nothing is allocated but for a host that is new.
type recents struct {
	nextHit atomic.Int64 // in Unix nanoseconds; hits before it are only counted
	skipped atomic.Int64 // hits since the last that was noted

	mu    sync.Mutex
	n     int // exchanges that were noted
	ring  [recentCount]recent
	hosts map[string]*HostFigures
}

// recent is one exchange, without references to memory that is used again.
type recent struct {
	time     time.Time
	duration time.Duration
	client   netip.AddrPort
	method   string
	url      [recentURL]byte
	urlLen   int
	status   int
	out      int64
	decision access.Decision
	reason   string
	rule     string
}

// note adds one finished exchange or tunnel.
func (m *recents) note(r *access.Record) {
	weight := int64(1)
	if r.Decision == access.Hit {
		now := r.Time.UnixNano() + int64(r.Duration)
		if now < m.nextHit.Load() {
			m.skipped.Add(1)
			return
		}
		m.nextHit.Store(now + int64(recentGap))
		weight += m.skipped.Swap(0)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	s := &m.ring[m.n%recentCount]
	m.n++
	s.time, s.duration, s.client, s.status, s.out = r.Time, r.Duration, r.Client, r.Status, r.BytesOut
	s.decision, s.reason, s.rule, s.method = r.Decision, r.Reason, r.Rule, methodName(r)
	s.urlLen = copy(s.url[:], r.URL)
	m.countHost(r, weight)
}

// methodName is the method as a string that may be kept: that of a hit may be a view of a read buffer.
func methodName(r *access.Record) string {
	switch {
	case r.Method == "GET":
		return "GET"
	case r.Method == "HEAD":
		return "HEAD"
	}
	return strings.Clone(r.Method)
}

// countHost counts a request for its host; the lock is held. When there are too many hosts, those with few requests go.
func (m *recents) countHost(r *access.Record, weight int64) {
	name := hostOf(r.URL)
	if name == "" {
		return
	}
	h := m.hosts[name]
	if h == nil {
		if m.hosts == nil {
			m.hosts = map[string]*HostFigures{}
		}
		for len(m.hosts) >= maxHosts {
			m.age()
		}
		h = &HostFigures{Host: strings.Clone(name)}
		m.hosts[h.Host] = h
	}
	h.Requests += weight
	h.Bytes += weight * r.BytesOut
	if fromCache(r.Decision) {
		h.Hits += weight
	}
}

// age halves all counts and forgets who had one.
func (m *recents) age() {
	for name, h := range m.hosts {
		h.Requests, h.Hits, h.Bytes = h.Requests/2, h.Hits/2, h.Bytes/2
		if h.Requests == 0 {
			delete(m.hosts, name)
		}
	}
}

// hostOf is the host, with its port, of a URL or of a tunnel's host:port.
func hostOf(url string) string {
	if _, rest, ok := strings.Cut(url, "://"); ok {
		url = rest
	}
	if i := strings.IndexAny(url, "/?"); i >= 0 {
		url = url[:i]
	}
	if len(url) > 255 {
		return ""
	}
	return url
}

// Finished is an exchange or tunnel that has ended.
type Finished struct {
	Time     time.Time       `json:"time"`
	Duration Seconds         `json:"duration"`
	Client   string          `json:"client"`
	Method   string          `json:"method"`
	URL      string          `json:"url"` // at most 512 bytes of it
	Status   int             `json:"status"`
	BytesOut int64           `json:"bytes_out"`
	Decision access.Decision `json:"decision"`
	Reason   string          `json:"reason"`
	Rule     string          `json:"rule,omitempty"`
}

// Recent returns the last exchanges and tunnels that ended, latest first: up to 128. Of hits that follow each other
// within a millisecond there is only one.
func (p *Proxy) Recent() []Finished {
	m := &p.recent
	m.mu.Lock()
	defer m.mu.Unlock()
	out := make([]Finished, 0, min(m.n, recentCount))
	for i := m.n - 1; i >= max(0, m.n-recentCount); i-- {
		s := &m.ring[i%recentCount]
		f := Finished{
			Time: s.time.Round(0), Duration: Seconds(s.duration.Seconds()), Method: s.method, URL: string(s.url[:s.urlLen]), Status: s.status,
			BytesOut: s.out, Decision: s.decision, Reason: s.reason, Rule: s.rule,
		}
		if s.client.IsValid() {
			f.Client = s.client.String()
		}
		out = append(out, f)
	}
	return out
}

// HostFigures are a host's share of the requests: about the numbers since the start, since hits are sampled when there are
// many, and counts are halved when there are many hosts.
type HostFigures struct {
	Host     string `json:"host"`
	Requests int64  `json:"requests"`
	Hits     int64  `json:"hits"`
	Bytes    int64  `json:"bytes"` // body bytes sent to clients
}

// TopHosts returns the most hosts that were asked for most.
func (p *Proxy) TopHosts(most int) []HostFigures {
	p.recent.mu.Lock()
	defer p.recent.mu.Unlock()
	out := make([]HostFigures, 0, len(p.recent.hosts))
	for _, h := range p.recent.hosts {
		out = append(out, *h)
	}
	slices.SortFunc(out, func(a, b HostFigures) int {
		return cmp.Or(cmp.Compare(b.Requests, a.Requests), cmp.Compare(a.Host, b.Host))
	})
	return out[:min(len(out), most)]
}
