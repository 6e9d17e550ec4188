package proxy

import (
	"context"
	"slices"
	"sync"

	"github.com/jayproxy/jay/cache"
	"github.com/jayproxy/jay/proxy/wire"
	"github.com/jayproxy/jay/validation"
)

// flights are the fetches under way that other requests may share (collapsed requests, RFC 9111 §4).
type flights struct {
	epoch func(key string) cache.Epoch // the store's
	mu    sync.Mutex
	m     map[string][]*flight
}

func (f *flights) init(epoch func(key string) cache.Epoch) {
	f.epoch, f.m = epoch, map[string][]*flight{}
}

// A flight is one fetch: by a leading request, for everybody who wants the same. It ends its upstream request when nobody
// is interested any more.
type flight struct {
	set    *flights
	key    string // empty: nobody may join
	ctx    context.Context
	cancel context.CancelFunc
	ready  chan struct{} // closed when the outcome is known

	// The outcome, set before ready is closed. Without a head, everybody asks for themselves.
	head     *entry      // the response without its body, or whole if fill is nil
	fill     *cache.Fill // the body on its way
	trailers *wire.Fields
	span     validation.Span // of a part: what the fill brings

	asked validation.ByteRange // of a part: what the leader asked for

	// Guarded by set.mu.
	waiting int  // who is interested: the leader, and those who wait for the outcome
	joined  bool // there was somebody beside the leader
	landed  bool
	anchor  *cache.FillReader // keeps the fill from being abandoned before those who waited have begun to read it
}

// join returns the fetch for key to wait for, or a new one that the caller must lead.
func (f *flights) join(parent context.Context, key string) (fl *flight, leads bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, fl := range f.m[key] {
		if !fl.landed {
			fl.waiting, fl.joined = fl.waiting+1, true
			return fl, false
		}
	}
	fl = newFlight(parent, f)
	fl.key, fl.waiting = key, 1
	f.m[key] = append(f.m[key], fl)
	return fl, true
}

// joinPart is join for a range: only a fetch of an overlapping range that has no answer yet is waited for.
func (f *flights) joinPart(parent context.Context, key string, r validation.ByteRange) (fl *flight, leads bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, fl := range f.m[key] {
		if !fl.landed && overlap(fl.asked, r) || fl.landed && fl.fill != nil && fl.span.Start <= r.First && r.First < fl.span.End {
			fl.waiting, fl.joined = fl.waiting+1, true
			return fl, false
		}
	}
	fl = newFlight(parent, f)
	fl.key, fl.waiting, fl.asked = key, 1, r
	f.m[key] = append(f.m[key], fl)
	return fl, true
}

// joinGap is join for a gap in what is stored: only a fetch that was to bring all of it is waited for, since those who want
// ever a little more would wait for each other in a row.
func (f *flights) joinGap(parent context.Context, key string, gap validation.Span) (fl *flight, leads bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, fl := range f.m[key] {
		if !fl.landed && fl.asked.First <= gap.Start && (fl.asked.Last < 0 || gap.End <= fl.asked.Last+1) {
			fl.waiting, fl.joined = fl.waiting+1, true
			return fl, false
		}
	}
	fl = newFlight(parent, f)
	fl.key, fl.asked = key, validation.ByteRange{First: gap.Start, Last: gap.End - 1}
	f.m[key] = append(f.m[key], fl)
	return fl, true
}

// soonBytes is how far ahead of what has come a byte may lie for a fetch under way to be taken to bring it soon.
const soonBytes = 1 << 20

// brings tells whether a fetch of a whole representation of known length has brought the byte at pos, or will before long.
func (fl *flight) brings(pos int64) bool {
	return fl.fill != nil && pos < fl.head.Length && pos <= fl.fill.End()+soonBytes
}

// overlap tells whether two ranges, neither of them a suffix, have bytes in common.
func overlap(a, b validation.ByteRange) bool {
	return (b.Last < 0 || a.First <= b.Last) && (a.Last < 0 || b.First <= a.Last)
}

// alone is a fetch that nobody can join.
func (f *flights) alone(parent context.Context) *flight { return newFlight(parent, f) }

// newFlight is a fetch that nobody can join.
func newFlight(parent context.Context, f *flights) *flight {
	fl := &flight{set: f, ready: make(chan struct{}), waiting: 1}
	fl.ctx, fl.cancel = context.WithCancel(parent)
	return fl
}

// filling calls f for the fetches for key whose responses are coming in, until f returns true.
func (f *flights) filling(key string, try func(*flight) bool) bool {
	f.mu.Lock()
	list := slices.Clone(f.m[key])
	f.mu.Unlock()
	for _, fl := range list {
		select {
		case <-fl.ready:
			if fl.head != nil && try(fl) {
				return true
			}
		default:
		}
	}
	return false
}

// land tells those who wait what came of the fetch. With a fill the flight stays to be found until done.
func (fl *flight) land(head *entry, fill *cache.Fill) {
	fl.set.mu.Lock()
	defer fl.set.mu.Unlock()
	if fl.landed {
		return
	}
	fl.head, fl.fill, fl.landed = head, fill, true
	switch {
	case fill == nil:
		fl.drop()
	case fl.joined && fl.waiting > 0:
		fl.anchor, _ = fill.NewReader(fl.span.Start)
	}
	close(fl.ready)
}

// publish puts a fetch that has its head where others find it, unless what it fetches was invalidated since it began: then
// only those who wait already get it. An invalidation counts the epoch up before it forgets the flights.
func (f *flights) publish(key string, fl *flight, at cache.Epoch, head *entry, fill *cache.Fill) {
	f.mu.Lock()
	switch {
	case f.epoch(head.Key) != at:
		fl.drop()
	case fl.key != key:
		fl.drop()
		fl.key = key
		f.m[key] = append(f.m[key], fl)
	}
	f.mu.Unlock()
	fl.land(head, fill)
}

// done takes the flight out of the table; requests find what it brought in the store.
func (fl *flight) done() {
	fl.set.mu.Lock()
	defer fl.set.mu.Unlock()
	fl.drop()
}

// drop removes the flight from the table; the lock is held.
func (fl *flight) drop() {
	if fl.key == "" {
		return
	}
	list := slices.DeleteFunc(slices.Clone(fl.set.m[fl.key]), func(o *flight) bool { return o == fl })
	if len(list) == 0 {
		delete(fl.set.m, fl.key)
	} else {
		fl.set.m[fl.key] = list
	}
	fl.key = ""
}

// leave says that one of those who were interested has gone, or has begun to read. When the last one has, and there is no
// outcome yet, the upstream request ends.
func (fl *flight) leave() {
	fl.set.mu.Lock()
	fl.waiting--
	var anchor *cache.FillReader
	if fl.waiting <= 0 {
		anchor, fl.anchor = fl.anchor, nil
	}
	end := fl.waiting <= 0 && !fl.landed
	fl.set.mu.Unlock()
	if anchor != nil {
		anchor.Close()
	}
	if end {
		fl.cancel()
	}
}

// lead has its caller count among those who are interested until ctx ends or it calls the function returned. By then the
// flight has landed, if only because of a fault.
func (fl *flight) lead(ctx context.Context) (end func()) {
	leave := sync.OnceFunc(fl.leave)
	stop := context.AfterFunc(ctx, leave)
	return func() {
		stop()
		leave()
		fl.land(nil, nil)
	}
}

// forget makes later requests for key begin anew: what is on its way was asked for before an invalidation.
func (f *flights) forget(key string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, fl := range f.m[key] {
		fl.key = ""
	}
	delete(f.m, key)
}
