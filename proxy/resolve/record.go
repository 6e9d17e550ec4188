package resolve

import (
	"context"
	"errors"
	"net"
	"sync"
	"time"

	"github.com/miekg/dns"
)

const (
	// keepUntold is for what was found without asking a server, in /etc/hosts: Go looks there anew after the same time.
	keepUntold = 5 * time.Second
	// keepFailed is for failures, negative answers without a lifetime among them (RFC 9520 §3.2).
	keepFailed = time.Second
	// keepPartial is the most for addresses of a name when not all of its questions were answered.
	keepPartial = 30 * time.Second
	// grace is how long one waits for the addresses of the other family when one has come (RFC 8305 §3).
	grace = 500 * time.Millisecond
	// maxRounds is how often the given servers are asked the same, all of them each time.
	maxRounds = 2
)

// record is what the servers said during one lookup: the answer to each question, the last one if there are several.
type record struct {
	ctx    context.Context // done when no further answer is waited for
	cancel context.CancelFunc

	mu    sync.Mutex
	said  map[dns.Question]outcome
	later *time.Timer // the end of the grace; nil before the first address
}

// outcome is the answer to a question.
type outcome struct {
	rounds   int // how often it was asked
	answered bool
	rcode    int
	found    bool          // there are addresses
	ttl      time.Duration // of the records with which it was answered; of a negative answer only if told
	told     bool
}

// failed tells that the answer does not say whether there are addresses.
func (o *outcome) failed() bool {
	return !o.answered || o.rcode != dns.RcodeSuccess && o.rcode != dns.RcodeNameError
}

func newRecord(ctx context.Context) *record {
	ctx, cancel := context.WithCancel(ctx)
	return &record{ctx: ctx, cancel: cancel, said: make(map[dns.Question]outcome)}
}

// asked notes that a question is put, and returns how often it was before.
func (r *record) asked(q dns.Question) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	o := r.said[q]
	o.rounds++
	r.said[q] = o
	return o.rounds - 1
}

// answered notes an answer.
func (r *record) answered(q dns.Question, m *dns.Msg) {
	r.mu.Lock()
	defer r.mu.Unlock()
	o := outcome{rounds: r.said[q].rounds, answered: true, rcode: m.Rcode}
	o.ttl, o.found, o.told = lifetime(q, m)
	r.said[q] = o
	if o.found && r.later == nil {
		r.later = time.AfterFunc(grace, r.cancel)
		context.AfterFunc(r.ctx, func() { r.later.Stop() })
	}
}

// lifetime is how long an answer may be kept: as long as the first of its records to expire or, for one without addresses,
// as its SOA record says (RFC 2308 §5).
func lifetime(q dns.Question, m *dns.Msg) (ttl time.Duration, found, told bool) {
	least := uint32(maxTTL)
	for _, rr := range m.Answer {
		h := rr.Header()
		least = min(least, seconds(h.Ttl))
		found = found || h.Rrtype == q.Qtype
	}
	if found {
		return time.Duration(least) * time.Second, true, true
	}
	for _, rr := range m.Ns {
		if soa, ok := rr.(*dns.SOA); ok {
			least, told = min(least, seconds(soa.Hdr.Ttl), seconds(soa.Minttl)), true
		}
	}
	return time.Duration(least) * time.Second, false, told
}

// maxTTL is the greatest TTL; what is above counts as 0 (RFC 2181 §8).
const maxTTL = 1<<31 - 1

func seconds(ttl uint32) uint32 {
	if ttl > maxTTL {
		return 0
	}
	return ttl
}

// keepFound is how long the addresses that were found are kept. What a name lacks besides, such as addresses of the other
// family, is not asked for before they expire.
func (r *record) keepFound(opt *Options) time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.said) == 0 {
		return keepUntold
	}
	keep := opt.MaxTTL
	for _, o := range r.said {
		switch {
		case o.failed():
			keep = min(keep, keepPartial)
		case o.found:
			keep = min(keep, o.ttl)
		}
	}
	return max(keep, opt.MinTTL)
}

// failure is the error of a lookup without addresses, and how long it is kept.
func (r *record) failure(opt *Options, err error) (*Error, time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	var de *net.DNSError
	e := &Error{Err: err}
	e.Timeout = errors.Is(err, context.DeadlineExceeded) || errors.As(err, &de) && de.IsTimeout
	e.NotFound = errors.Is(err, errNoAddress) || de != nil && de.IsNotFound
	keep := opt.MaxNegativeTTL
	for _, o := range r.said {
		switch {
		case !o.answered:
			keep = min(keep, keepFailed)
		case o.failed():
			keep = min(keep, keepFailed)
			if !e.NotFound {
				e.RCode = dns.RcodeToString[o.rcode]
			}
		case o.rcode == dns.RcodeNameError && e.NotFound:
			e.RCode = dns.RcodeToString[o.rcode]
			fallthrough
		default:
			keep = min(keep, negative(&o))
		}
	}
	if !e.NotFound || len(r.said) == 0 {
		return e, keepFailed
	}
	return e, max(keep, opt.MinTTL)
}

// negative is how long it may be kept that there is no address.
func negative(o *outcome) time.Duration {
	if !o.told {
		return keepFailed
	}
	return o.ttl
}
