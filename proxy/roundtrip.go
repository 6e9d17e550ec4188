package proxy

import (
	"time"

	"github.com/jayproxy/jay/freshness"
	"github.com/jayproxy/jay/proxy/access"
	"github.com/jayproxy/jay/proxy/upstream"
	"github.com/jayproxy/jay/validation"
)

// roundTrip decides the reply: from the cache, or from the origin with the cache's help (RFC 9111 §4).
func (x *exchange) roundTrip() {
	x.asks = freshness.ParseRequest(x.fields)
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
	d := freshness.Decide(x.asks, &e.Meta.fresh, now)
	switch d.Verdict {
	case freshness.Reuse:
		x.serve(e, now, access.Hit, verdict{hit: true, detail: d.Reason.String()}.withTTL(d.TTL()))
	case freshness.ReuseStale:
		x.serve(e, now, access.Stale, verdict{hit: true, detail: d.Reason.String()}.withTTL(d.TTL()))
	case freshness.ReuseWhileRevalidate:
		x.serve(e, now, access.Stale, verdict{hit: true, detail: d.Reason.String()}.withTTL(d.TTL()))
		x.p.refresh(x, e)
	case freshness.Validate:
		x.validate(e, d)
	case freshness.Unsatisfiable:
		x.onlyCache(d.Reason.String())
	default:
		x.fetch(x.p.flights.alone(x.p.ctx), verdict{fwd: fwdRequest, detail: d.Reason.String()})
	}
}

// selectStored is the stored response that the request selects (RFC 9111 §4.1), the most recent where several do; nil
// with the reason why there is none.
func (x *exchange) selectStored() (*entry, string) {
	variants := x.p.store.Variants(x.url)
	for _, e := range variants {
		if e.Complete() && x.matches(e) && x.reachable(&e.Meta) {
			x.p.store.Use(e)
			return e, ""
		}
	}
	if len(variants) > 0 {
		return nil, fwdVaryMiss
	}
	return nil, fwdURIMiss
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

// await waits for another request's fetch of the same, and answers from it where that is allowed. It returns false when
// this request has to go on by itself.
func (x *exchange) await(fl *flight) bool {
	defer fl.leave()
	stop := x.c.watch(x.gone)
	defer stop()
	limit := time.NewTimer(x.p.opt.CollapseWait)
	defer limit.Stop()
	select {
	case <-fl.ready:
	case <-limit.C:
		return false
	case <-x.ctx.Done():
		x.reply.failed, x.reply.close, x.reply.begun = x.ctx.Err(), true, true
		return true
	}
	return fl.head != nil && x.share(fl)
}

// share answers from a response that is still coming in for another request, under the rules for stored ones.
func (x *exchange) share(fl *flight) bool {
	e, now := fl.head, time.Now()
	if !x.matches(e) || !x.reachable(&e.Meta) {
		return false
	}
	d := freshness.Decide(x.asks, &e.Meta.fresh, now)
	if d.Verdict != freshness.Reuse {
		return false
	}
	v := verdict{fwd: fwdURIMiss, collapsed: true, detail: d.Reason.String()}.withTTL(d.TTL())
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
	defer fl.leave()
	stop := x.onGone(fl)
	defer stop()
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
		x.reply.failed, x.reply.close, x.reply.begun = x.ctx.Err(), true, true
		return
	}
	x.refuse(faultOf(err))
}

// validate asks the origin whether a stored response is still good (RFC 9111 §4.3).
func (x *exchange) validate(e *entry, d freshness.Decision) {
	v := verdict{fwd: fwdStale, detail: d.Reason.String()}
	if d.Age < d.Lifetime {
		v.fwd = fwdRequest
	}
	fl := x.p.flights.alone(x.p.ctx)
	if x.sharable() && !e.Meta.fresh.NoCache && d.Lifetime > 0 {
		var leads bool
		if fl, leads = x.p.flights.join(x.p.ctx, x.url); !leads {
			if x.await(fl) {
				return
			}
			if again, _ := x.selectStored(); again != nil && again != e {
				if d := freshness.Decide(x.asks, &again.Meta.fresh, time.Now()); d.Verdict == freshness.Reuse {
					x.serve(again, time.Now(), access.Collapsed, verdict{fwd: fwdStale, collapsed: true, detail: d.Reason.String()}.withTTL(d.TTL()))
					return
				}
			}
			fl = x.p.flights.alone(x.p.ctx)
		}
	}
	x.ask(fl, e, v)
}

// ask sends the conditional request and acts on the answer (RFC 9111 §4.3.3).
func (x *exchange) ask(fl *flight, e *entry, v verdict) {
	defer fl.leave()
	stop := x.onGone(fl)
	defer stop()
	variants := x.validating(e)
	cond := validation.Conditional(x.fields, validatorsOf(variants))
	epoch := x.p.store.Epoch(x.url)
	resp, err := x.send(fl.ctx, edits{drop: x.replace(&cond), add: cond.Set})
	switch {
	case err != nil:
		fl.land(nil, nil)
		fl.cancel()
		if !x.standIn(e, 0, v) {
			x.failed(err)
		}
	case resp.Status == 304:
		x.notModified(resp, fl, epoch, variants, &cond, v)
	case resp.Status >= 500 && x.standIn(e, resp.Status, v):
		fl.land(nil, nil)
		resp.Close()
		fl.cancel()
	default:
		x.take(resp, fl, epoch, v)
	}
}

// standIn answers with a stale response because the origin failed, if that is allowed (RFC 5861 §4, RFC 9111 §4.2.4).
func (x *exchange) standIn(e *entry, status int, v verdict) bool {
	now := time.Now()
	d := freshness.OnError(x.asks, &e.Meta.fresh, status, now)
	if d.Verdict != freshness.ReuseStale && d.Verdict != freshness.Reuse || x.ctx.Err() != nil {
		return false
	}
	v.status, v.detail = status, d.Reason.String()
	x.serve(e, now, access.Stale, v.withTTL(d.TTL()))
	return true
}

// onGone has the fetch ended when the client leaves, unless somebody else waits for it.
func (x *exchange) onGone(fl *flight) (stop func() bool) {
	return afterCancel(x.ctx, fl)
}

// pass forwards a request past the cache and relays the answer. What an unsafe request changed is invalidated.
func (x *exchange) pass(v verdict) {
	resp, err := x.send(x.ctx, edits{})
	if err != nil {
		x.failed(err)
		return
	}
	x.rec.Decision = access.Pass
	x.reply.status = resp.Status
	if resp.Status == 101 {
		x.switched(resp)
		return
	}
	x.invalidate(resp)
	v.status = resp.Status
	if x.postStored(resp, x.p.store.Epoch(x.url), &v) {
		return
	}
	x.relay(resp, x.cacheStatus(v))
}

// invalidate drops what is stored for the URIs that an unsafe request has changed (RFC 9111 §4.4).
func (x *exchange) invalidate(resp *upstream.Response) {
	if x.unverified || !validation.Invalidates(x.req.Method, resp.Status) {
		return
	}
	x.p.drop(x.url)
	for _, target := range validation.Targets(x.uri(), resp.Fields.Header()) {
		x.p.drop(x.scheme + "://" + x.authority + target)
	}
}

// drop invalidates one URI: what is stored, and what is on its way.
func (p *Proxy) drop(key string) {
	p.store.Invalidate(key)
	p.flights.forget(key)
}
