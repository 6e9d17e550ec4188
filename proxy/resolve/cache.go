package resolve

import (
	"container/list"
	"errors"
	"net/netip"
	"time"
)

const (
	// recentFor is how long an address still counts as a name's after its time.
	recentFor = 10 * time.Minute
	// maxRecent bounds the addresses that are remembered of one name.
	maxRecent = 64
	// entryBytes is what an entry takes besides its name and addresses: itself, its answer with an error's text, its
	// places in the map and in the list.
	entryBytes = 640
	// addrBytes and seenBytes are what an address takes, and one with its time.
	addrBytes, seenBytes = 24, 48
)

// ended is closed: the channel of answers that were never pending.
var ended = func() chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}()

// answer is what became of one lookup. Its other fields are set when done is closed, and not changed from then on.
type answer struct {
	done  chan struct{}
	addrs []netip.Addr
	err   error
	until time.Time
	stale bool // addrs are expired ones
}

func (a *answer) isDone() bool {
	select {
	case <-a.done:
		return true
	default:
		return false
	}
}

// valid reports whether a may be used at now: it is pending or still kept.
func (a *answer) valid(now time.Time) bool { return !a.isDone() || now.Before(a.until) }

// cache holds the answers, the one used last first. It is guarded by the resolver's mutex.
type cache struct {
	entries map[string]*entry
	order   *list.List // of *entry
	bytes   int
}

func newCache() cache { return cache{entries: make(map[string]*entry), order: list.New()} }

// entry is what is known of a name.
type entry struct {
	host    string
	current *answer
	good    *answer // the last one with addresses, unless the name was found to be gone since
	seen    []seen
	place   *list.Element
	bytes   int
}

// seen is an address that a name had, and until when it counts as its.
type seen struct {
	addr  netip.Addr
	until time.Time
}

// use returns the entry of host, nil if there is none.
func (c *cache) use(host string) *entry {
	e := c.entries[host]
	if e != nil {
		c.order.MoveToFront(e.place)
	}
	return e
}

// add makes an entry.
func (c *cache) add(host string) *entry {
	e := &entry{host: host}
	e.place = c.order.PushFront(e)
	c.entries[host] = e
	c.resize(e)
	return e
}

// resize counts the bytes of an entry anew.
func (c *cache) resize(e *entry) {
	c.bytes -= e.bytes
	e.bytes = entryBytes + len(e.host) + len(e.seen)*seenBytes
	for _, a := range []*answer{e.current, e.good} {
		if a != nil {
			e.bytes += len(a.addrs) * addrBytes
		}
	}
	c.bytes += e.bytes
}

// fit drops entries, those used least recently first, until the rest fits.
func (c *cache) fit(limit int) {
	for c.bytes > limit && c.order.Len() > 1 {
		e := c.order.Remove(c.order.Back()).(*entry)
		delete(c.entries, e.host)
		c.bytes -= e.bytes
	}
}

// recent reports whether host had an address a short while ago.
func (c *cache) recent(host string, addr netip.Addr, now time.Time) bool {
	e := c.entries[host]
	if e == nil {
		return false
	}
	for _, s := range e.seen {
		if s.addr == addr {
			return now.Before(s.until)
		}
	}
	return false
}

// stale returns what may stand in for the current answer at now, nil if there is nothing.
func (e *entry) stale(now time.Time, most time.Duration) *answer {
	if e.good == nil || !now.Before(e.good.until.Add(most)) {
		return nil
	}
	return &answer{done: ended, addrs: e.good.addrs, stale: true}
}

// learn takes in an answer that has just come. One that says nothing about the name becomes one with the expired
// addresses, if they may be used still; a name that is gone has none (RFC 8767 §4).
func (e *entry) learn(a *answer, now time.Time, most time.Duration) {
	var failure *Error
	switch {
	case a.err == nil:
		e.good = a
		e.remember(a, now)
	case errors.As(a.err, &failure) && failure.NotFound:
		e.good = nil
	default:
		if old := e.stale(now, most); old != nil {
			a.addrs, a.err, a.stale = old.addrs, nil, true
			if a.until = now.Add(staleFor); a.until.After(e.good.until.Add(most)) {
				a.until = e.good.until.Add(most)
			}
		}
	}
}

// remember notes the addresses of a as the name's.
func (e *entry) remember(a *answer, now time.Time) {
	kept := make([]seen, 0, len(a.addrs))
	for _, addr := range a.addrs {
		kept = append(kept, seen{addr, a.until.Add(recentFor)})
	}
	n := len(kept)
old:
	for _, s := range e.seen {
		if len(kept) == maxRecent {
			break
		}
		for _, k := range kept[:n] {
			if k.addr == s.addr {
				continue old
			}
		}
		if now.Before(s.until) {
			kept = append(kept, s)
		}
	}
	e.seen = kept
}
