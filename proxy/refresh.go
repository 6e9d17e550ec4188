package proxy

import (
	"io"
	"time"

	"github.com/jayproxy/jay/freshness"
	"github.com/jayproxy/jay/proxy/wire"
)

// refresh validates a stale stored response for which stale-while-revalidate answered a client (RFC 5861 §3): once,
// however many clients got it, and without any of them waiting.
func (p *Proxy) refresh(of *exchange, e *entry) {
	fl, leads := p.flights.join(p.ctx, "refresh "+of.url)
	if !leads {
		fl.leave()
		return
	}
	x := of.inBackground(fl)
	p.work.Add(1)
	go func() {
		defer p.work.Done()
		defer p.contain()
		defer fl.cancel()
		defer fl.land(nil, nil)
		fresh := x.opt.judged(e)
		d := freshness.Decide(freshness.Request{}, fresh, time.Now())
		x.ask(p.flights.alone(fl.ctx), e, verdict{fwd: fwdStale, detail: x.opt.word(d.Reason, fresh)})
		x.sink()
	}()
}

// inBackground is an exchange like this one that no client waits for: a GET of the whole, without the conditions that are
// the client's own.
func (x *exchange) inBackground(fl *flight) *exchange {
	req := *x.req
	req.Method = "GET"
	req.Fields, _ = wire.ParseFields(string(req.Fields.Append(nil, rangeOrCondition))) // what was valid still is
	y := &exchange{
		p: x.p, opt: x.opt, c: &conn{p: x.p, opt: x.opt, client: x.c.client, local: x.c.local, mode: x.c.mode}, req: &req,
		origin: x.origin, client: x.client, scheme: x.scheme, authority: x.authority, url: x.url,
		options: x.options, nominated: x.nominated, start: time.Now(),
		ctx: fl.ctx, cancel: fl.cancel, background: true, asked: x.asked, pending: x.pending, settled: x.settled,
	}
	y.fields = y.forwardedFields()
	y.asks = y.opt.asks(y.fields)
	y.reply.age = -1
	return y
}

// sink takes in the reply of an exchange that no client waits for, so that it gets into the cache.
func (x *exchange) sink() {
	r := &x.reply
	defer r.release()
	if r.fill == nil {
		return
	}
	for {
		if _, err := r.fill.Next(); err != nil {
			if err != io.EOF {
				x.p.log.Debug("background validation broke off", "url", withoutQuery(x.url), "err", err)
			}
			return
		}
	}
}
