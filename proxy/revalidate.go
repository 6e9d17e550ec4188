package proxy

import (
	"time"

	"github.com/jayproxy/jay/freshness"
	"github.com/jayproxy/jay/proxy/access"
	"github.com/jayproxy/jay/validation"
)

// validate asks the origin whether a stored response is still good (RFC 9111 §4.3).
func (x *exchange) validate(e *entry, d freshness.Decision) {
	v := verdict{fwd: fwdStale, detail: x.opt.word(d.Reason, x.opt.judged(e))}
	if d.Age < d.Lifetime {
		v.fwd = fwdRequest
	}
	if !x.sharable() || e.Meta.fresh.NoCache || d.Lifetime <= 0 {
		x.ask(x.p.flights.alone(x.p.ctx), e, v)
		return
	}
	fl, leads := x.p.flights.join(x.p.ctx, x.url)
	switch {
	case leads:
		x.ask(fl, e, v)
	case x.await(fl), x.renewed(e):
	default:
		x.ask(x.p.flights.alone(x.p.ctx), e, v)
	}
}

// renewed answers with what took the place of a stale response while this request waited for another one's validation.
func (x *exchange) renewed(e *entry) bool {
	again, _ := x.selectStored()
	if again == nil || again.Is(e) {
		return false
	}
	now := time.Now()
	fresh := x.opt.judged(again)
	d := freshness.Decide(x.asks, fresh, now)
	if d.Verdict != freshness.Reuse {
		return false
	}
	x.serve(again, now, access.Collapsed, verdict{fwd: fwdStale, collapsed: true, detail: x.opt.word(d.Reason, fresh)}.withTTL(d.TTL()))
	return true
}

// ask sends the conditional request and acts on the answer (RFC 9111 §4.3.3).
func (x *exchange) ask(fl *flight, e *entry, v verdict) {
	defer fl.lead(x.ctx)()
	variants := x.validating(e)
	cond := validation.Conditional(x.fields, validatorsOf(variants))
	epoch := x.p.store.Epoch(x.url)
	resp, err := x.send(fl.ctx, edits{drop: x.replace(&cond), add: cond.Set})
	switch {
	case err != nil:
		fl.land(nil, nil)
		fl.cancel()
		if !x.standIn(e, 0, v) {
			x.unvalidated(e, err)
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
	fresh := x.opt.judged(e)
	d := freshness.OnError(x.asks, fresh, status, now)
	if d.Verdict != freshness.ReuseStale && d.Verdict != freshness.Reuse || x.ctx.Err() != nil {
		return false
	}
	v.status, v.detail = status, x.opt.word(d.Reason, fresh)
	x.serve(e, now, access.Stale, v.withTTL(d.TTL()))
	return true
}

// unvalidated answers a request whose stored response could not be validated; 504 where it could have been used but for
// its demand to be (RFC 9111 §5.2.2.2).
func (x *exchange) unvalidated(e *entry, err error) {
	f := faultOf(err)
	if held := &e.Meta.fresh; f.status == 502 && (held.MustRevalidate || held.ProxyRevalidate) {
		f.status = 504
	}
	if x.ctx.Err() != nil {
		x.left()
		return
	}
	x.refuse(f)
}
