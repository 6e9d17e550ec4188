// Package resolve finds the addresses of host names and keeps them for as long as their records live.
//
// Which names are asked for, and in which order addresses are used, is decided by Go's own resolver: /etc/hosts, search
// domains, ndots and the order of RFC 6724 are those of the system. The questions that it asks are answered here, by the
// given servers or else by those of the system, so that the lifetimes of the answers are known.
package resolve

import (
	"cmp"
	"context"
	"errors"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// staleAfter is how long one waits for a lookup before expired addresses are used (RFC 8767 §5, client response timer).
	staleAfter = 1800 * time.Millisecond
	// staleFor is how long expired addresses are used before the servers are tried again (RFC 8767 §5, failure recheck timer).
	staleFor = 30 * time.Second
	// maxAddrs is the number of addresses of one name that are used.
	maxAddrs = 16
	// maxRunning is the number of lookups at one time.
	maxRunning = 1000
)

var (
	errNotAName  = errors.New("host is neither a name nor an IP address")
	errNoAddress = errors.New("name has no address")
	errZone      = errors.New("IPv6 zone in host")
	errBusy      = errors.New("too many lookups at once")
	errClosed    = errors.New("resolver closed")
)

// Options configures a [Resolver]. The zero value asks the servers of the system.
type Options struct {
	// Servers are asked instead of those of the system. The first that answers is asked first from then on; another one
	// is asked, too, when an answer takes longer than a second, or is an error.
	Servers []netip.AddrPort
	// Hosts are the addresses of names, in lower case and without a final dot, that are never looked up.
	Hosts map[string][]netip.Addr
	// MinTTL and MaxTTL are the bounds of the time for which addresses are kept. Zero means 0 and 1 h.
	MinTTL, MaxTTL time.Duration
	// MaxNegativeTTL is the longest time for which it is kept that a name has no address (RFC 2308). Zero means 5 min.
	MaxNegativeTTL time.Duration
	// MaxStale is how long after their time addresses are used while no server answers (RFC 8767). Zero means never.
	MaxStale time.Duration
	// Timeout bounds one lookup. Zero means 10 s.
	Timeout time.Duration
	// MaxBytes bounds the memory for answers. Zero means 8 MiB.
	MaxBytes int
	// Dial connects to a server. If it returns a connection that does not carry packets, messages are framed as over TCP.
	// If nil, a net.Dialer is used.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
}

// withDefaults returns o with its zero values replaced by what they mean.
func (o Options) withDefaults() *Options {
	o.MaxTTL = cmp.Or(o.MaxTTL, time.Hour)
	o.MaxNegativeTTL = cmp.Or(o.MaxNegativeTTL, 5*time.Minute)
	o.Timeout = cmp.Or(o.Timeout, 10*time.Second)
	o.MaxBytes = cmp.Or(o.MaxBytes, 8<<20)
	if o.Dial == nil {
		o.Dial = new(net.Dialer).DialContext
	}
	return &o
}

// Resolver looks names up. It is safe for concurrent use.
type Resolver struct {
	base   context.Context // done when the resolver is closed
	cancel context.CancelFunc
	wg     sync.WaitGroup // lookups and exchanges with servers
	first  atomic.Uint32  // the server to ask first

	mu      sync.Mutex
	opt     *Options
	closed  bool
	running int
	cache   cache
	stats   Stats
}

// Stats are the figures of a [Resolver] since its start.
type Stats struct {
	Lookups  int64 // of names, literal addresses apart
	Hits     int64 // of Lookups, those that needed no server: kept answers and Options.Hosts
	Stale    int64 // of Lookups, those that got expired addresses
	NotFound int64 // of Lookups, those of names without an address
	Timeouts int64 // of Lookups, those that no server answered in time
	Failures int64 // of Lookups, those that failed otherwise
	Names    int   // names that answers are kept of, now
	Bytes    int   // memory that they take, now
}

// Plus returns the sum of the figures of two resolvers.
func (s Stats) Plus(o Stats) Stats {
	return Stats{
		Lookups: s.Lookups + o.Lookups, Hits: s.Hits + o.Hits, Stale: s.Stale + o.Stale, NotFound: s.NotFound + o.NotFound,
		Timeouts: s.Timeouts + o.Timeouts, Failures: s.Failures + o.Failures, Names: s.Names + o.Names, Bytes: s.Bytes + o.Bytes,
	}
}

// Error is a lookup that gave no address.
type Error struct {
	// Timeout tells that nobody answered in time.
	Timeout bool
	// NotFound tells that a server, or the form of the name, says that there is no address.
	NotFound bool
	// RCode is the name of the response code that a server gave, such as NXDOMAIN; empty if there is none, or no error.
	RCode string
	// Err is what happened.
	Err error
}

// Error returns the cause.
func (e *Error) Error() string { return "resolve: " + e.Err.Error() }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// New returns a resolver. It is to be ended with [Resolver.Close].
func New(opt Options) *Resolver {
	r := &Resolver{opt: opt.withDefaults(), cache: newCache()}
	r.base, r.cancel = context.WithCancel(context.Background())
	return r
}

// Configure replaces the options and forgets all answers. Lookups that run go on as they began.
func (r *Resolver) Configure(opt Options) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.opt, r.cache = opt.withDefaults(), newCache()
	r.first.Store(0)
}

// Close ends all lookups and returns when nothing of the resolver runs any more.
func (r *Resolver) Close() {
	r.mu.Lock()
	r.closed = true
	r.mu.Unlock()
	r.cancel()
	r.wg.Wait()
}

// begin notes that something runs, which is to end with r.wg.Done. It reports false when the resolver is closed.
func (r *Resolver) begin() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return false
	}
	r.wg.Add(1)
	return true
}

// Stats returns the figures.
func (r *Resolver) Stats() Stats {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := r.stats
	s.Names, s.Bytes = len(r.cache.entries), r.cache.bytes
	return s
}
