package proxy

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jayproxy/jay/cache/vary"
	"github.com/jayproxy/jay/freshness"
	"github.com/jayproxy/jay/proxy/access"
	"github.com/jayproxy/jay/proxy/wire"
	"github.com/jayproxy/jay/validation"
)

// begin makes the head of a stored response the reply; the body is still to be said. age is in seconds, -1 for none.
func (x *exchange) begin(e *entry, age int64, cacheStatus []byte) {
	m := &e.Meta
	x.reply = reply{
		status: m.fresh.Status, reason: m.reason, lines: m.lines, length: e.Length,
		age: age, cacheStatus: cacheStatus, close: x.reply.close,
	}
	if m.withholds && age >= 0 {
		x.reply.lines = without(m.lines, m.fresh.Withholds)
	}
}

// serve answers with a stored response: whole, in part, or with what the request's conditions make of it (RFC 9111
// §4.3.2, RFC 9110 §13, §14).
func (x *exchange) serve(e *entry, now time.Time, decision access.Decision, v verdict) {
	x.rec.Decision = decision
	age := int64(e.Meta.fresh.Age(now) / time.Second)
	x.begin(e, age, x.cacheStatus(v))
	f := &x.req.Fields
	if !f.Has("If-None-Match") && !f.Has("If-Modified-Since") && !x.asks.Range {
		x.whole(e)
		return
	}
	header := e.Meta.header()
	has := validation.Of(header, e.Meta.fresh.Received)
	switch validation.Check(x.req.Method, x.fields, e.Meta.fresh.Status, has, now) {
	case validation.NotModified:
		x.notModifiedReply()
		return
	case validation.PreconditionFailed:
		x.refuse(fault{status: 412, kind: "http_request_error", text: "the stored response does not meet the request's conditions"})
		return
	}
	spans, answer := x.wants(e, has, now)
	switch {
	case answer == validation.Ignore:
		x.whole(e)
	case answer == validation.Unsatisfiable:
		x.unsatisfiable(e)
	default:
		x.serveRanges(e, header, spans)
	}
}

// whole makes the whole representation the body; in the background nobody wants it, nor what is missing of it.
func (x *exchange) whole(e *entry) {
	if x.req.Method == "HEAD" || x.background {
		return
	}
	if e.Complete() {
		x.reply.stored = e.Body.AppendBuffers(nil, 0, e.Length)
		return
	}
	x.patched(e, []patch{{span: validation.Span{End: e.Length}}}, nil)
}

// notModifiedReply answers 304 with the fields that a 304 carries (RFC 9110 §15.4.5).
func (x *exchange) notModifiedReply() {
	r := &x.reply
	r.status, r.reason, r.length = 304, http.StatusText(http.StatusNotModified), -1
	r.lines = without(r.lines, validation.OmitFrom304)
}

// without is field lines without those whose names drop reports true for.
func without(lines string, drop func(name string) bool) string {
	f, err := wire.ParseFields(lines)
	if err != nil {
		return ""
	}
	return string(f.Append(make([]byte, 0, len(lines)), drop))
}

// serveRanges answers with the parts of a stored response that were asked for (RFC 9110 §14). What is missing of them is
// fetched.
func (x *exchange) serveRanges(e *entry, header http.Header, spans []validation.Span) {
	parts, tail := []patch{{span: spans[0]}}, []byte(nil)
	if len(spans) == 1 {
		x.onePart(spans[0], e)
	} else {
		parts, tail = x.manyParts(spans, e, header)
	}
	if !covers(e, spans) {
		x.patched(e, parts, tail)
		return
	}
	x.reply.stored = [][]byte{}
	for _, p := range parts {
		if p.head != nil {
			x.reply.stored = append(x.reply.stored, p.head)
		}
		x.reply.stored = e.Body.AppendBuffers(x.reply.stored, p.span.Start, p.span.End)
	}
	if tail != nil {
		x.reply.stored = append(x.reply.stored, tail)
	}
}

// contentRange tells fields that describe a whole representation's framing, which a part replaces.
func contentRange(name string) bool { return strings.EqualFold(name, "Content-Range") }

// onePart makes the reply's head that of a 206 with one part.
func (x *exchange) onePart(s validation.Span, e *entry) {
	r := &x.reply
	r.status, r.reason, r.length = 206, http.StatusText(http.StatusPartialContent), s.End-s.Start
	value := validation.ContentRange{Span: s, Length: e.Length}.String()
	r.lines = without(r.lines, contentRange) + "Content-Range: " + value + "\r\n"
}

// unsatisfiable answers 416 (RFC 9110 §15.5.17).
func (x *exchange) unsatisfiable(e *entry) {
	r := &x.reply
	r.status, r.reason, r.length = 416, http.StatusText(http.StatusRequestedRangeNotSatisfiable), 0
	r.lines = without(r.lines, func(name string) bool {
		return strings.HasPrefix(strings.ToLower(name), "content-") || strings.EqualFold(name, "ETag") || strings.EqualFold(name, "Last-Modified")
	}) + "Content-Range: bytes */" + strconv.FormatInt(e.Length, 10) + "\r\n"
}

// manyParts makes the reply's head that of a 206 with a multipart/byteranges body (RFC 9110 §14.6), and returns the parts.
func (x *exchange) manyParts(spans []validation.Span, e *entry, header http.Header) ([]patch, []byte) {
	m := validation.Multipart{
		Boundary: "jay" + randomName() + randomName(), ContentType: header.Get("Content-Type"), Length: e.Length, Spans: spans,
	}
	r := &x.reply
	r.status, r.reason, r.length = 206, http.StatusText(http.StatusPartialContent), m.Size()
	r.lines = without(r.lines, func(name string) bool { return contentRange(name) || strings.EqualFold(name, "Content-Type") }) +
		"Content-Type: " + m.FieldValue() + "\r\n"
	parts := make([]patch, len(spans))
	for i, s := range spans {
		parts[i] = patch{head: m.AppendHead(nil, i), span: s}
	}
	return parts, m.AppendEnd(nil)
}

// validating are the stored responses whose validators go with a request, the selected one first (RFC 9111 §4.3.1).
func (x *exchange) validating(e *entry) []*entry {
	out := []*entry{e}
	for _, o := range x.p.store.Variants(x.url) {
		if !o.Is(e) && len(out) < maxValidators && o.Complete() && x.reachable(&o.Meta) {
			out = append(out, o)
		}
	}
	return out
}

// maxValidators bounds the entity tags of one conditional request.
const maxValidators = 8

// validatorsOf are the validators of stored responses.
func validatorsOf(list []*entry) []validation.Validators {
	out := make([]validation.Validators, len(list))
	for i, e := range list {
		out[i] = validation.Of(e.Meta.header(), e.Meta.fresh.Received)
	}
	return out
}

// replace notes that the client's conditions give way to the cache's, and tells which fields those are.
func (x *exchange) replace(c *validation.Conditions) func(name string) bool {
	x.replaced = c.Validating()
	return func(name string) bool {
		is := func(s string) bool { return strings.EqualFold(s, name) }
		return slices.ContainsFunc(c.Drop, is) || slices.ContainsFunc(c.Set, func(f validation.Field) bool { return is(f.Name) })
	}
}

// conditional tells the fields that make a request conditional (RFC 9110 §13.1), If-Range apart.
func conditional(name string) bool {
	for _, s := range []string{"If-None-Match", "If-Modified-Since", "If-Match", "If-Unmodified-Since"} {
		if strings.EqualFold(name, s) {
			return true
		}
	}
	return false
}

// freshen stores a response updated by a 304 or an answer to HEAD in its old place (RFC 9111 §3.2), and returns it.
func (x *exchange) freshen(e *entry, r *received) *entry {
	old, err := wire.ParseFields(e.Meta.lines)
	if err != nil {
		return e
	}
	next := x.p.successor(e)
	var lines []byte
	for _, f := range validation.FreshenFields(fieldsOf(&old, nil), r.updates()) {
		lines = wire.AppendField(lines, f.Name, f.Value)
	}
	next.Meta.lines = string(lines)
	header := next.Meta.header()
	if age := r.fields["Age"]; age != nil {
		header["Age"] = age
	}
	before := &e.Meta.fresh
	next.Meta.fresh = freshness.ParseResponse(&x.opt.Freshness, before.Status, header, r.RequestTime, r.ResponseTime)
	next.Meta.fresh.Authorized, next.Meta.fresh.SelfLocated = before.Authorized, before.SelfLocated
	next.Meta.fresh.Cookied, next.Meta.fresh.Impersonal = before.Cookied, before.Impersonal
	next.Meta.fresh, next.Meta.criteria = x.opt.apply(e.Key, next.Meta.fresh, header), x.opt.criteria
	next.Meta.gap, _ = validation.GapCondition(validation.Of(header, r.ResponseTime))
	next.Meta.restricted = next.Meta.restricted || x.restricts(r.Addr)
	next.Meta.withholds = withholds(&next.Meta)
	next.Meta.indexed = indexed(header)
	next.Extra = next.Meta.size()
	switch {
	case !x.mayShare(&next) && !before.Authorized: // it stays as it is
	case !x.keeps(&next, header):
		x.p.store.Delete(e)
	case x.p.store.Swap(e, &next):
		x.p.index(&next)
	}
	return &next
}

// successor is an entry like e that is going to take its place. Entries that are read together lie in one piece of memory;
// a successor has memory of its own, for that of the others would stay, uncounted, as long as it is stored.
func (p *Proxy) successor(e *entry) entry {
	e = p.store.Clone(e)
	return entry{Key: e.Key, Variant: e.Variant, Meta: e.Meta, Body: e.Body, Length: e.Length}
}

// mayShare tells whether what the origin has said about a stored response may be told to others: not, in general, what it
// said to a client with credentials (RFC 9111 §3.5).
func (x *exchange) mayShare(e *entry) bool { return !x.asks.Authorization || e.Meta.fresh.Shareable }

// updates are the fields with which a response freshens a stored one, Date among them (RFC 9110 §6.6.1).
func (r *received) updates() []validation.Field {
	nominated := nominations(&r.Fields)
	out := fieldsOf(&r.Fields, func(name string) bool {
		return hopByHop(name) || nominated.has(name) || forClientOnly(name) || strings.EqualFold(name, "Via") || strings.EqualFold(name, "Age")
	})
	if r.fields["Date"] == nil {
		out = append(out, validation.Field{Name: "Date", Value: r.ResponseTime.UTC().Format(dateFormat)})
	}
	return out
}

// keeps tells whether a freshened response may stay where it is stored.
func (x *exchange) keeps(e *entry, header http.Header) bool {
	names, star := vary.Names(header["Vary"])
	return mayStay(&e.Meta.fresh) && !star && e.Meta.selects.has(names)
}

// fieldsOf are field lines as values, without those that drop (may be nil) reports true for.
func fieldsOf(f *wire.Fields, drop func(name string) bool) []validation.Field {
	out := make([]validation.Field, 0, f.Len())
	for i := range f.Len() {
		if name, value := f.At(i); drop == nil || !drop(name) {
			out = append(out, validation.Field{Name: name, Value: value})
		}
	}
	return out
}
