package proxy

import (
	"time"

	"github.com/jayproxy/jay/cache/vary"
	"github.com/jayproxy/jay/freshness"
	"github.com/jayproxy/jay/proxy/access"
	"github.com/jayproxy/jay/validation"
)

// roundTrip decides the reply: from the cache, or from the origin with the cache's help (RFC 9111 §4).
func (x *exchange) roundTrip() {
	x.asks = x.opt.asks(x.fields)
	if x.bypass == "" {
		x.bypass = x.unsuitable()
	}
	switch {
	case x.bypass != "":
		x.pass(verdict{fwd: fwdBypass, detail: x.bypass})
	case x.req.Method != "GET" && x.req.Method != "HEAD":
		x.pass(verdict{fwd: fwdMethod, detail: "method"})
	default:
		x.fromCache()
	}
}

// unsuitable names what about a request keeps the cache out of it.
func (x *exchange) unsuitable() string {
	f := &x.req.Fields
	switch {
	case x.nominated.changesDecision():
		return "nominated-field"
	case x.upgradeToken() != "":
		return "upgrade"
	case x.hasBody && (x.req.Method == "GET" || x.req.Method == "HEAD"):
		return "request-body"
	case f.Has("If-Match"), f.Has("If-Unmodified-Since"):
		return "precondition"
	}
	return ""
}

// fromCache answers a GET or HEAD.
func (x *exchange) fromCache() {
	e, fwd := x.selectStored()
	if e == nil {
		x.missing(fwd)
		return
	}
	now := time.Now()
	fresh := x.opt.judged(e)
	d := freshness.Decide(x.asks, fresh, now)
	why := x.opt.word(d.Reason, fresh)
	switch {
	case d.Verdict == freshness.Reuse:
		x.serve(e, now, access.Hit, verdict{hit: true, detail: why}.withTTL(d.TTL()))
	case d.Verdict == freshness.ReuseStale:
		x.serve(e, now, access.Stale, verdict{hit: true, detail: why}.withTTL(d.TTL()))
	case d.Verdict == freshness.ReuseWhileRevalidate:
		x.serve(e, now, access.Stale, verdict{hit: true, detail: why}.withTTL(d.TTL()))
		x.p.refresh(x, e)
	case d.Verdict == freshness.Unsatisfiable:
		x.onlyCache(why)
	case d.Verdict == freshness.Forward && fresh.Rule() != 0: // it is stored for others, so its validators are theirs
		x.apart = true
		x.missing(fwdRequest)
	default: // Validate; or Forward, which is the same for want of validators
		x.validate(e, d)
	}
}

// selectStored is choose, and counts the use for the order of eviction.
func (x *exchange) selectStored() (*entry, string) {
	e, fwd := x.choose()
	if e == nil {
		return nil, fwd
	}
	if e = x.rejudge(e); e == nil {
		return nil, fwdURIMiss
	}
	x.p.store.Use(e)
	return e, ""
}

// choose is the stored response that the request selects (RFC 9111 §4.1), the most recent where several do; nil
// with the reason why there is none. A whole one is better than a part, and a part must be of use.
func (x *exchange) choose() (*entry, string) {
	variants := x.variants()
	var part *entry
	for _, e := range variants {
		if !x.matches(e) || !x.reachable(&e.Meta) {
			continue
		}
		if e.Complete() {
			return e, ""
		}
		if part == nil {
			part = e
		}
	}
	if part != nil {
		if x.usesPart(part) {
			return part, ""
		}
		return nil, fwdPartial
	}
	if e := x.preferred(variants); e != nil {
		return e, ""
	}
	if len(variants) > 0 {
		return nil, fwdVaryMiss
	}
	return nil, fwdURIMiss
}

// preferred is a stored variant that was selected by other field values and yet is for certain what the client likes best
// (RFC 9111 §4.1, RFC 9110 §12.5).
func (x *exchange) preferred(variants []*entry) *entry {
	for _, e := range variants {
		m := &e.Meta
		if e.Complete() && m.selects != "" && x.reachable(m) && x.prefers(e) {
			return e
		}
	}
	return nil
}

func (x *exchange) prefers(e *entry) bool {
	key, ok := x.variant(e.Meta.selects.names())
	return ok && vary.Prefers(e.Variant, key, e.Meta.header())
}

// usesPart tells whether a stored part answers the request, alone or with what can be fetched to go with it.
func (x *exchange) usesPart(e *entry) bool {
	if x.req.Method == "HEAD" {
		return true
	}
	spans, answer := x.wants(e, validation.Of(e.Meta.header(), e.Meta.fresh.Received), time.Now())
	switch {
	case answer == validation.Ignore:
		return !x.asks.OnlyIfCached
	case answer == validation.Unsatisfiable, covers(e, spans):
		return true
	}
	return e.Meta.gap != "" && !x.asks.OnlyIfCached
}

// onlyCache answers a request that wanted nothing but the cache (RFC 9111 §5.2.1.7).
func (x *exchange) onlyCache(detail string) {
	x.refuse(faultOnlyCache)
	x.reply.close = false
	x.reply.cacheStatus = x.cacheStatus(verdict{fwd: fwdRequest, detail: detail})
}

// missing answers a request for which nothing is stored: from a fetch under way, or from one of its own.
func (x *exchange) missing(fwd string) {
	if x.asks.OnlyIfCached {
		x.onlyCache("only-if-cached")
		return
	}
	if r, ok := x.oneRange(); ok {
		x.missingPart(r, fwd)
		return
	}
	if !x.sharable() {
		x.fetch(x.p.flights.alone(x.p.ctx), verdict{fwd: fwd, detail: "miss"})
		return
	}
	if x.p.flights.filling(x.url, x.share) {
		return
	}
	fl, leads := x.p.flights.join(x.p.ctx, x.url)
	if leads {
		x.fetch(fl, verdict{fwd: fwd, detail: "miss"})
		return
	}
	if !x.await(fl) {
		x.fetch(x.p.flights.alone(x.p.ctx), verdict{fwd: fwd, detail: "miss"})
	}
}

// sharable tells whether the answer to this request may be the answer to others: whole, and not of the client's own
// making.
func (x *exchange) sharable() bool {
	f := &x.req.Fields
	return x.req.Method == "GET" && !x.asks.NoStore && !x.asks.NoCache && !x.asks.Range && !x.asks.Authorization &&
		!f.Has("If-None-Match") && !f.Has("If-Modified-Since")
}

// oneRange is the range that the request asks for, if it is one, and if nothing else about the request is particular.
func (x *exchange) oneRange() (validation.ByteRange, bool) {
	f := &x.req.Fields
	if x.req.Method != "GET" || !x.asks.Range || x.asks.NoStore || x.asks.NoCache || x.asks.Authorization ||
		f.Has("If-None-Match") || f.Has("If-Modified-Since") || f.Has("If-Range") {
		return validation.ByteRange{}, false
	}
	list, ok := validation.Ranges(x.fields, x.opt.MaxRanges)
	if !ok || len(list) != 1 || list[0].First < 0 {
		return validation.ByteRange{}, false
	}
	return list[0], true
}

// missingPart fetches a range, unless a request under way brings bytes of it: then it waits for that, and fetches what is
// left over.
func (x *exchange) missingPart(r validation.ByteRange, fwd string) {
	if x.p.flights.filling(x.url, func(fl *flight) bool { return fl.brings(r.First) && x.sharePart(fl) }) {
		return
	}
	fl, leads := x.p.flights.joinPart(x.p.ctx, partsOf(x.url), r)
	if !leads && x.awaitPart(fl) {
		return
	}
	if !leads {
		fl = x.p.flights.alone(x.p.ctx)
	}
	x.fetch(fl, verdict{fwd: fwd, detail: "miss"})
}

// awaitPart answers from a part that another request fetches. It returns false when this request has to go on by itself.
func (x *exchange) awaitPart(fl *flight) bool {
	return x.awaitThen(fl, func() bool { return x.sharePart(fl) })
}

// sharePart answers a range from what another request is fetching, a part or the whole, under the rules for stored parts.
func (x *exchange) sharePart(fl *flight) bool {
	e, now := fl.head, time.Now()
	if !x.matches(e) || !x.reachable(&e.Meta) || e.Meta.gap == "" || e.Meta.fresh.Status != 200 || x.p.outdated(e) {
		return false
	}
	fresh := x.opt.judged(e)
	d := freshness.Decide(x.asks, fresh, now)
	if d.Verdict != freshness.Reuse {
		return false
	}
	x.serve(e, now, access.Collapsed, verdict{fwd: fwdPartial, collapsed: true, detail: x.opt.word(d.Reason, fresh)}.withTTL(d.TTL()))
	return true
}

// await waits for another request's fetch of the same, and answers from it where that is allowed. It returns false when
// this request has to go on by itself.
func (x *exchange) await(fl *flight) bool {
	return x.awaitThen(fl, func() bool { return x.share(fl) })
}

// awaitThen waits for a fetch and then has the answer made from its head, if there is one.
func (x *exchange) awaitThen(fl *flight, then func() bool) bool {
	defer fl.leave()
	landed := x.waitFor(fl)
	if x.ctx.Err() != nil {
		x.left()
		return true
	}
	return landed && fl.head != nil && then()
}

// waitFor waits for the outcome of a fetch, for as long as the client and the configuration allow.
func (x *exchange) waitFor(fl *flight) (landed bool) {
	if !x.background {
		defer x.c.watch(x.gone)()
	}
	limit := time.NewTimer(x.opt.CollapseWait)
	defer limit.Stop()
	select {
	case <-fl.ready:
		return true
	case <-limit.C:
	case <-x.ctx.Done():
	}
	return false
}

// share answers from a response that is still coming in for another request, under the rules for stored ones.
func (x *exchange) share(fl *flight) bool {
	e, now := fl.head, time.Now()
	if !x.matches(e) || !x.reachable(&e.Meta) || x.p.outdated(e) {
		return false
	}
	fresh := x.opt.judged(e)
	d := freshness.Decide(x.asks, fresh, now)
	if d.Verdict != freshness.Reuse {
		return false
	}
	v := verdict{fwd: fwdURIMiss, collapsed: true, detail: x.opt.word(d.Reason, fresh)}.withTTL(d.TTL())
	if fl.fill == nil {
		x.serve(e, now, access.Collapsed, v)
		return true
	}
	r, ok := fl.fill.NewReader(0)
	if !ok {
		return false
	}
	x.rec.Decision = access.Collapsed
	x.begin(e, int64(e.Meta.fresh.Age(now)/time.Second), x.cacheStatus(v))
	x.reply.fill, x.reply.flight = r, fl
	return true
}

// fetch asks the origin, unconditionally or with the client's own conditions, and gives the answer to the client, to
// those who wait, and to the cache.
func (x *exchange) fetch(fl *flight, v verdict) {
	defer fl.lead(x.ctx)()
	epoch := x.p.store.Epoch(x.url)
	resp, err := x.send(fl.ctx, edits{})
	if err != nil {
		fl.land(nil, nil)
		fl.cancel()
		x.failed(err)
		return
	}
	x.take(resp, fl, epoch, v)
}

// failed answers a request whose origin could not be asked.
func (x *exchange) failed(err error) {
	if x.ctx.Err() != nil {
		x.left()
		return
	}
	x.refuse(faultOf(err))
}

// left ends an exchange whose client has gone.
func (x *exchange) left() {
	x.reply.failed, x.reply.close = x.ctx.Err(), true
	if x.rec.Decision == "" {
		x.rec.Decision = access.Miss
	}
}
