package proxy

import (
	"io"
	"strings"
	"time"

	"github.com/jayproxy/jay/cache"
	"github.com/jayproxy/jay/proxy/access"
	"github.com/jayproxy/jay/proxy/upstream"
	"github.com/jayproxy/jay/validation"
)

// take gives an origin's answer to the client, to those who wait for it, and, where RFC 9111 §3 allows, to the cache.
func (x *exchange) take(resp *upstream.Response, fl *flight, epoch cache.Epoch, v verdict) {
	if f, bad := x.unasked(resp.Status); bad {
		fl.land(nil, nil)
		resp.Close()
		fl.cancel()
		x.refuse(f)
		return
	}
	x.rec.Decision = access.Miss
	if v.fwd == fwdStale {
		x.rec.Decision = access.Updated
	}
	x.allowSilence(resp)
	r := x.examine(resp)
	v.status = resp.Status
	ok, why := x.storable(r)
	v.detail = why
	length := bodyLength(&resp.Response)
	switch {
	case x.req.Method == "HEAD":
		x.headUpdates(r)
	case ok && resp.Status == 206:
		x.keepPart(r, fl, epoch, v)
		return
	case ok && length > x.p.store.MaxObjectBytes():
		v.detail = "too-large"
	case ok:
		x.keep(r, length, fl, epoch, v)
		return
	case !ok:
		x.outdate(resp.Status)
	}
	fl.land(nil, nil)
	x.relay(resp, x.cacheStatus(v))
	x.reply.flight = fl
}

// unasked tells whether a status answers a question that the request did not ask: passing it on would confuse the client,
// storing it everybody else.
func (x *exchange) unasked(status int) (fault, bool) {
	f := &x.req.Fields
	conditional := f.Has("If-None-Match") || f.Has("If-Modified-Since") || f.Has("If-Match") || f.Has("If-Unmodified-Since")
	if status == 304 && !conditional || status == 206 && !f.Has("Range") {
		return fault{status: 502, kind: upstream.KindProtocolError, text: "the origin server gave an answer that does not fit the request"}, true
	}
	return fault{}, false
}

// allowSilence lets an event stream be silent for as long as an answer may take.
func (x *exchange) allowSilence(r *upstream.Response) {
	if strings.HasPrefix(strings.ToLower(r.Fields.Get("Content-Type")), "text/event-stream") {
		r.AllowSilence(x.opt.HeaderTimeout)
	}
}

// outdate drops the stored response that a newer one, which must not be stored, has shown to be out of date.
func (x *exchange) outdate(status int) {
	if status >= 400 && status != 404 && status != 410 || status == 206 || status == 304 || x.apart {
		return
	}
	for _, e := range x.p.store.Variants(x.url) {
		if x.matches(e) {
			x.p.store.Delete(e)
		}
	}
}

// headUpdates brings what is stored for GET up to date with an answer to HEAD, or drops it (RFC 9111 §4.3.5).
func (x *exchange) headUpdates(r *received) {
	if r.Status != 200 {
		if r.Status == 404 || r.Status == 410 {
			x.outdate(r.Status)
		}
		return
	}
	for _, e := range x.p.store.Variants(x.url) {
		switch {
		case !x.matches(e) || e.Meta.fresh.Status != 200:
		case validation.HeadMatches(e.Meta.header(), r.fields, e.Length):
			x.freshen(e, r)
		default:
			x.p.store.Delete(e)
		}
	}
}

// inlineBelow is the size up to which a body that has arrived with its head is stored before the client gets it.
const inlineBelow = 64 << 10

// keep stores a response while the client, and those who wait, get it.
func (x *exchange) keep(r *received, length int64, fl *flight, epoch cache.Epoch, v verdict) {
	e := x.newEntry(r, length)
	v = v.withTTL(r.fresh.Lifetime - r.fresh.Age(time.Now()))
	var first []byte
	if length == 0 || length > 0 && length <= inlineBelow && r.Pending() {
		var whole bool
		if first, whole = firstBytes(r.Response, length); whole {
			x.keepWhole(r, e, first, fl, epoch, v)
			return
		}
	}
	v.stored = true
	fill := x.p.store.NewFill(cache.FillOptions{Expected: length, OnAbandon: fl.cancel})
	reader, _ := fill.NewReader(0)
	if length < 0 && r.Pending() {
		first = x.chunkAhead(r.Response)
	}
	first = top(fill, first)
	x.p.flights.publish(x.url, fl, epoch, e, fill)
	x.p.work.Add(1)
	go x.p.fillFrom(fl, r.Response, fill, first, e, epoch)
	x.begin(e, -1, x.cacheStatus(v))
	x.reply.fill, x.reply.flight = reader, fl
	x.originAge(r)
}

// chunkAhead reads what has already arrived of a body of unknown length.
func (x *exchange) chunkAhead(r *upstream.Response) []byte {
	b := make([]byte, 4<<10)
	n, _ := r.Body.Read(b) // a failure comes again
	return b[:n]
}

// top puts bytes into a new fill, and returns those for which it has no room yet.
func top(fill *cache.Fill, b []byte) []byte {
	if len(b) == 0 {
		return nil
	}
	buf, err := fill.Buffer()
	if err != nil {
		return b
	}
	n := copy(buf, b)
	fill.Advance(n)
	return b[n:]
}

// firstBytes reads what has already arrived of a body of known length. It tells whether that is all.
func firstBytes(r *upstream.Response, length int64) ([]byte, bool) {
	if length == 0 {
		_, err := r.Body.Read(nil)
		return nil, err == io.EOF || r.Body.Whole()
	}
	b := make([]byte, length)
	n, err := r.Body.Read(b)
	if int64(n) < length || err != nil && err != io.EOF {
		return b[:n], false
	}
	return b, true
}

// keepWhole stores a response that has arrived completely.
func (x *exchange) keepWhole(r *received, e *entry, body []byte, fl *flight, epoch cache.Epoch, v verdict) {
	e.Body = cache.NewBody(body)
	stored, why := x.p.put(e, epoch)
	if v.stored = stored; !stored {
		v.detail = why
	}
	if why == cache.ReasonInvalidated {
		fl.land(nil, nil)
	} else {
		fl.land(e, nil)
	}
	r.Close()
	fl.cancel()
	x.serveNew(r, e, v)
}

// postStored stores the answer to an unsafe request that may serve later GETs (RFC 9110 §9.3.3), if it is small. It tells
// whether it made the reply.
func (x *exchange) postStored(resp *upstream.Response, epoch cache.Epoch, v *verdict) bool {
	length := bodyLength(&resp.Response)
	if x.bypass != "" || resp.Fields.Get("Content-Location") == "" || length < 0 || length > inlineBelow {
		return false
	}
	r := x.examine(resp)
	if ok, why := x.storable(r); !ok {
		v.detail = why
		return false
	}
	body := make([]byte, length)
	if _, err := io.ReadFull(resp.Body, body); err != nil {
		resp.Close()
		x.refuse(faultOf(err))
		return true
	}
	e := x.newEntry(r, length)
	x.keepWhole(r, e, body, x.p.flights.alone(x.ctx), epoch, *v)
	return true
}

// serveNew answers with a response that was just fetched. Where the cache had put its own conditions in place of the
// client's, the client's are checked now.
func (x *exchange) serveNew(r *received, e *entry, v verdict) {
	if x.replaced && r.Status == 200 {
		x.serve(e, time.Now(), x.rec.Decision, v)
	} else {
		x.begin(e, -1, x.cacheStatus(v))
		x.reply.stored = e.Body.AppendBuffers(nil, 0, e.Length)
	}
	x.originAge(r)
}

// originAge passes on what is not stored: the age that a response had when it arrived, and fields for this client alone.
func (x *exchange) originAge(r *received) {
	for name := range r.fields {
		if forClientOnly(name) {
			x.reply.lines = string(x.passLines(r.Response, ageOrLength))
		}
	}
	x.reply.age = -1
	if r.Fields.Has("Age") {
		x.reply.age = int64(r.fresh.Age(time.Now()) / time.Second)
	}
}

// fillFrom reads a body into the cache. It owns resp.
func (p *Proxy) fillFrom(fl *flight, resp *upstream.Response, fill *cache.Fill, first []byte, e *entry, epoch cache.Epoch) {
	defer p.work.Done()
	defer p.contain()
	defer fl.cancel()
	defer fl.done()
	defer resp.Close()
	defer fill.Close(errFault)
	err := pour(fill, first, resp.Body)
	fl.trailers = resp.Body.Trailers()
	if err != nil {
		fill.Close(err)
		return
	}
	fill.Close(nil)
	body, ok := fill.Body()
	if !ok {
		return
	}
	whole := *e
	whole.Body, whole.Length = body, body.Held()
	if stored, why := p.put(&whole, epoch); !stored {
		p.log.Debug("not stored", "url", withoutQuery(e.Key), "reason", why)
	}
}

// pour reads a body into a fill, after the bytes that were read before it began. Its nil means that the body is whole.
func pour(fill *cache.Fill, first []byte, body io.Reader) error {
	for {
		buf, err := fill.Buffer()
		if err != nil {
			return err
		}
		if len(first) > 0 {
			n := copy(buf, first)
			first = first[n:]
			fill.Advance(n)
			continue
		}
		n, err := body.Read(buf)
		fill.Advance(n)
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// notModified acts on a 304 (RFC 9111 §4.3.3, §4.3.4).
func (x *exchange) notModified(resp *upstream.Response, fl *flight, epoch cache.Epoch, variants []*entry, cond *validation.Conditions, v verdict) {
	r := x.examine(resp)
	v.status = 304
	selected, meaning := cond.NotModified(validation.Of(r.fields, r.ResponseTime))
	switch meaning {
	case validation.Relay:
		for _, i := range selected {
			x.freshen(variants[i], r)
		}
		fl.land(nil, nil)
		x.rec.Decision = access.Pass
		x.relay(resp, x.cacheStatus(v))
		x.reply.flight = fl
		return
	case validation.Refetch:
		resp.Close()
		x.refetch(fl, epoch, v)
		return
	}
	var mine *entry
	for _, i := range selected {
		if updated := x.freshen(variants[i], r); mine == nil && x.matches(updated) {
			mine = updated
		}
	}
	resp.Close()
	if mine == nil {
		x.refetch(fl, epoch, v)
		return
	}
	fl.land(mine, nil)
	fl.cancel()
	v.stored = x.mayShare(mine)
	now := time.Now()
	x.serve(mine, now, access.Revalidated, v.withTTL(mine.Meta.fresh.Lifetime-mine.Meta.fresh.Age(now)))
}

// refetch asks again without any condition, since the 304 fits nothing that is stored.
func (x *exchange) refetch(fl *flight, epoch cache.Epoch, v verdict) {
	x.refetchAs(fl, epoch, v, edits{drop: conditional})
}

// refetchAs is refetch with the edits given.
func (x *exchange) refetchAs(fl *flight, epoch cache.Epoch, v verdict, e edits) {
	resp, err := x.send(fl.ctx, e)
	if err != nil {
		fl.land(nil, nil)
		fl.cancel()
		x.failed(err)
		return
	}
	x.take(resp, fl, epoch, v)
}
