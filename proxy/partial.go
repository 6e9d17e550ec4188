package proxy

import (
	"errors"
	"io"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/jayproxy/jay/cache"
	"github.com/jayproxy/jay/proxy/upstream"
	"github.com/jayproxy/jay/validation"
)

// keepPart stores a 206 while the client gets it (RFC 9111 §3.3, RFC 9110 §15.3.7). Where the content does not fit its
// Content-Range, nobody can tell which bytes it holds: it is passed on and not stored.
func (x *exchange) keepPart(r *received, fl *flight, epoch cache.Epoch, v verdict) {
	length := bodyLength(&r.Response.Response)
	cr, ok := soleContentRange(r.fields)
	held := cr.Span.End - cr.Span.Start
	switch {
	case !ok:
		v.detail = "content-range"
	case length > held:
		ok, v.detail = false, "content-range"
	case held > x.p.store.MaxObjectBytes():
		ok, v.detail = false, "too-large"
	}
	if !ok {
		fl.land(nil, nil)
		x.relay(r.Response, x.cacheStatus(v))
		x.reply.flight = fl
		return
	}
	e := x.part(r, cr)
	if length < 0 {
		length = held
	}
	fill := x.p.store.NewFill(cache.FillOptions{Start: cr.Span.Start, Expected: length, OnAbandon: fl.cancel})
	reader, _ := fill.NewReader(cr.Span.Start)
	fl.span = cr.Span
	x.p.flights.publish(partsOf(x.url), fl, epoch, e, fill)
	x.p.work.Add(1)
	if first, whole := arrivedPart(r, length); whole { // the client's next request, which may come at once, finds it stored
		x.p.fillPart(fl, r.Response, fill, first, e, epoch, true)
	} else {
		go x.p.fillPart(fl, r.Response, fill, first, e, epoch, true)
	}
	v.stored = true
	x.relay(r.Response, x.cacheStatus(v.withTTL(r.fresh.Lifetime-r.fresh.Age(time.Now()))))
	x.reply.origin, x.reply.fill, x.reply.flight = nil, reader, fl
}

// inlinePart is the size up to which a part that has arrived with its head is stored before the client gets it. A fill
// takes so much without a reader, however little room there is.
const inlinePart = 16 << 10

// arrivedPart reads what has already arrived of a small part's content, and tells whether that is all.
func arrivedPart(r *received, length int64) (first []byte, whole bool) {
	if length <= 0 || length > inlinePart || !r.Pending() {
		return nil, false
	}
	return firstBytes(r.Response, length)
}

// soleContentRange is the range that a 206 with one part carries, if it is one that can be stored.
func soleContentRange(h http.Header) (validation.ContentRange, bool) {
	if len(h["Content-Range"]) != 1 {
		return validation.ContentRange{}, false
	}
	cr, ok := validation.ParseContentRange(h["Content-Range"][0])
	return cr, ok && cr.Length >= 0 && cr.Span.End > cr.Span.Start
}

// part is the stored form of a 206: the head that the whole would have had, and the complete length.
func (x *exchange) part(r *received, cr validation.ContentRange) *entry {
	e := x.newEntry(r, cr.Length)
	m := &e.Meta
	m.lines = without(m.lines, contentRange)
	m.reason, m.fresh.Status = http.StatusText(200), 200
	m.asked, m.answered = strings.Clone(x.req.Fields.Get("Range")), cr.Span
	e.Extra = m.size()
	return e
}

// fillPart reads a part, of which the first bytes were read already, and, if it may be kept, joins it with what is held. It
// owns resp.
func (p *Proxy) fillPart(fl *flight, resp *upstream.Response, fill *cache.Fill, first []byte, e *entry, epoch cache.Epoch, keep bool) {
	defer p.work.Done()
	defer p.contain()
	defer fl.cancel()
	defer fl.done()
	defer resp.Close()
	defer fill.Close(errFault)
	rest := fl.span.End - fl.span.Start - int64(len(first))
	if err := pour(fill, first, &bounded{r: resp.Body, left: rest}); err != nil {
		fill.Close(err)
		return
	}
	fill.Close(nil)
	if body, ok := fill.Body(); ok && keep {
		p.merge(e, body, epoch)
	}
}

// bounded reads the content of a 206, which must not be longer than its Content-Range says.
type bounded struct {
	r    io.Reader
	left int64
}

// errRange means that the content of a 206 does not fit its Content-Range.
var errRange = errors.New("proxy: a part is longer than its Content-Range")

// Read implements io.Reader.
func (b *bounded) Read(p []byte) (int, error) {
	n, err := b.r.Read(p)
	if b.left -= int64(n); b.left < 0 {
		return 0, errRange
	}
	return n, err
}

// merge stores a part, together with parts of the same representation that are stored already (RFC 9111 §3.4). One at a
// time: two first parts must not replace each other.
func (p *Proxy) merge(e *entry, body cache.Body, epoch cache.Epoch) {
	p.merging.Lock()
	defer p.merging.Unlock()
	p.index(e)
	for range mergeTries {
		if p.store.Epoch(e.Key) != epoch || p.outdated(e) {
			return
		}
		cur := p.variant(e.Key, e.Variant)
		next := *e
		next.Body = body
		if cur == nil || !sameRepresentation(cur, e) {
			if cur != nil && cur.Meta.fresh.Moment().After(e.Meta.fresh.Moment()) {
				return
			}
			p.put(&next, epoch)
			return
		}
		if next.Meta.addr != cur.Meta.addr { // a rule about addresses must not find but one of them
			next.Meta.addr = netip.AddrPort{}
		}
		next.Meta.parented = e.Meta.parented && cur.Meta.parented
		if next.Body = cur.Body.Merge(body); next.Body.Held() == cur.Body.Held() || p.store.Swap(cur, &next) {
			return
		}
	}
}

// mergeTries bounds how often a merge begins anew because the entry was freshened meanwhile.
const mergeTries = 16

// variant is the stored response with both keys, or nil.
func (p *Proxy) variant(key, variant string) *entry {
	for _, e := range p.store.Variants(key) {
		if e.Variant == variant {
			return e
		}
	}
	return nil
}

// sameRepresentation tells whether two stored responses hold bytes of the same representation for certain (RFC 9111 §3.4).
// A place that not all clients may reach has representations of its own, whatever it calls them.
func sameRepresentation(a, b *entry) bool {
	return a.Meta.gap != "" && a.Meta.gap == b.Meta.gap && a.Length == b.Length && a.Meta.restricted == b.Meta.restricted
}

// wants are the spans of a representation that the request asks for; the whole of it without a Range field that counts.
func (x *exchange) wants(e *entry, has validation.Validators, now time.Time) ([]validation.Span, validation.Satisfiability) {
	if x.asks.Range && x.req.Method == "GET" && e.Meta.fresh.Status == 200 && validation.IfRange(x.fields, has, now) {
		if asked, ok := validation.Ranges(x.fields, x.opt.MaxRanges); ok {
			spans, answer := validation.Resolve(asked, e.Length)
			return x.asAnswered(e, spans), answer
		}
	}
	return nil, validation.Ignore
}

// asAnswered fits the span that is asked for to a stored part whose origin announced more bytes than it sent, and gave no
// validator with which the rest could be fetched: what the origin itself answered is the answer again, as far as it goes.
func (x *exchange) asAnswered(e *entry, spans []validation.Span) []validation.Span {
	m := &e.Meta
	if e.Complete() || m.gap != "" || len(spans) != 1 || m.answered == (validation.Span{}) {
		return spans
	}
	end := heldFrom(e, m.answered.Start, m.answered.End)
	s := &spans[0]
	switch {
	case end == m.answered.Start || end == m.answered.End:
	case m.asked == x.req.Fields.Get("Range"):
		*s = validation.Span{Start: m.answered.Start, End: end}
	case m.answered.Start <= s.Start && s.Start < end && end < s.End && s.End <= m.answered.End:
		s.End = end
	}
	return spans
}

// covers tells whether all of the spans is held.
func covers(e *entry, spans []validation.Span) bool {
	return !slices.ContainsFunc(spans, func(s validation.Span) bool { return !e.Body.Covers(s.Start, s.End) })
}
