package proxy

import (
	"net/http"
	"net/netip"
	"strings"

	"github.com/jayproxy/jay/cache"
	"github.com/jayproxy/jay/cache/vary"
	"github.com/jayproxy/jay/freshness"
	"github.com/jayproxy/jay/proxy/upstream"
	"github.com/jayproxy/jay/proxy/wire"
	"github.com/jayproxy/jay/validation"
)

// stored is what the proxy keeps about a stored response beside its body.
type stored struct {
	fresh    freshness.Response
	criteria uint32 // the rules that fresh was judged by, see criteriaOf
	reason   string // the reason phrase
	// lines are the end-to-end fields as they go out, with Via and Date, without Age and Content-Length.
	lines string
	// gap is the If-Range value that lets parts be combined: a strong validator; empty if there is none.
	gap string
	// selects are the request fields that Vary nominates, as they were in the request that was answered (RFC 9111 §4.1):
	// a request that has the very same needs no comparison by meaning.
	selects selection
	// asked and answered are the Range field and the Content-Range of a stored 206; answered is empty for other responses.
	asked    string
	answered validation.Span
	// indexed tells that the response belongs to a cache group or has a rule for its query.
	indexed bool
	// withholds tells that some of the lines may not be reused without validation (no-cache="…", RFC 9111 §5.2.2.4).
	withholds  bool
	addr       netip.AddrPort // where it came from
	restricted bool           // only clients on this machine may have it: it came from where others cannot reach
	parented   bool           // it came through a parent, which alone knows the address
}

// entry is a stored response.
type entry = cache.Entry[stored]

// received is an origin's response with what the cache decided about it.
type received struct {
	*upstream.Response
	fields http.Header // end-to-end fields
	fresh  freshness.Response
	names  []string // the selecting fields; nil without Vary
	star   bool     // Vary: * (RFC 9110 §12.5.5): it matches no other request
}

// examine reads what a response says about caching.
func (x *exchange) examine(r *upstream.Response) *received {
	h := r.Fields.Header()
	nominated := nominations(&r.Fields)
	for name := range h {
		if hopByHop(name) || nominated.has(name) {
			delete(h, name)
		}
	}
	v := &received{Response: r, fields: h}
	v.fresh = freshness.ParseResponse(&x.opt.Freshness, r.Status, h, r.RequestTime, r.ResponseTime)
	v.fresh.Authorized, v.fresh.Cookied, v.fresh.Impersonal = x.asks.Authorization, x.asks.Cookie, !x.asks.Personal
	v.fresh.SelfLocated = x.selfLocated(h)
	v.fresh = x.opt.apply(x.url, v.fresh, h)
	v.names, v.star = vary.Names(h["Vary"])
	return v
}

// selfLocated tells whether Content-Location is the URI that was asked (RFC 9110 §9.3.3).
func (x *exchange) selfLocated(h http.Header) bool {
	return len(h["Content-Location"]) == 1 && validation.ContentLocationIs(x.uri(), h)
}

// uri is the effective request URI.
func (x *exchange) uri() validation.URI {
	path := x.url[len(x.scheme)+3+len(x.authority):]
	u := validation.URI{Scheme: x.scheme, Host: x.origin.Host, Target: path}
	if _, port, ok := strings.Cut(x.authority[strings.IndexByte(x.authority, ']')+1:], ":"); ok {
		u.Port = port
	}
	return u
}

// storable tells whether a response may be stored, and in a word why (not).
func (x *exchange) storable(v *received) (bool, string) {
	if x.bypass != "" {
		return false, x.bypass
	}
	if v.star {
		return false, "vary-star"
	}
	for _, name := range v.names {
		if x.nominated.has(name) || hopByHop(name) { // the origin saw less than the client sent, or other than that
			return false, "nominated-field"
		}
	}
	if _, comparable := x.variant(v.names); !comparable {
		return false, "vary-unclear"
	}
	ok, reason := freshness.Storable(x.req.Method, x.asks, &v.fresh)
	if ok && x.req.Method != "GET" && !v.fresh.SelfLocated {
		return false, "method"
	}
	return ok, x.opt.word(reason, &v.fresh)
}

// newEntry is the stored form of a response, without its body.
func (x *exchange) newEntry(v *received, length int64) *entry {
	variant, _ := x.variant(v.names)
	e := &entry{Key: x.url, Variant: variant, Meta: x.meta(v), Length: length}
	e.Extra = e.Meta.size()
	return e
}

// meta is what is kept about a response that is going to be stored. It shares no memory with the response's head, which
// would stay, uncounted, as long as a word of it.
func (x *exchange) meta(v *received) stored {
	m := stored{
		fresh: v.fresh, criteria: x.opt.criteria, reason: ownReason(v.Status, v.Reason), addr: v.Addr, restricted: x.restricts(v.Addr),
		parented: x.rec.Parent != ""}
	m.lines = string(x.passLines(v.Response, func(name string) bool {
		return ageOrLength(name) || forClientOnly(name)
	}))
	m.selects = selectionOf(x, v.names)
	gap, _ := validation.GapCondition(validation.Of(v.fields, v.ResponseTime))
	m.gap = strings.Clone(gap)
	m.indexed = indexed(v.fields)
	m.withholds = withholds(&m)
	return m
}

// restricts tells whether only clients on this machine may have what comes from an address, by the settings of now: those
// that the exchange began with may allow what has been forbidden, and thrown out of the cache, since.
func (x *exchange) restricts(a netip.AddrPort) bool {
	return a.IsValid() && x.p.reach(x.p.opt(), a) != nil
}

// ownReason is a reason phrase in memory of its own.
func ownReason(status int, reason string) string {
	if usual := http.StatusText(status); reason == usual {
		return usual
	}
	return strings.Clone(reason)
}

// ageOrLength tells the fields that are made anew whenever a stored response is used.
func ageOrLength(name string) bool {
	return strings.EqualFold(name, "Age") || strings.EqualFold(name, "Content-Length")
}

// forClientOnly tells the fields of a response that concern the client's authentication to a proxy and are not stored (RFC
// 9111 §3.1).
func forClientOnly(name string) bool {
	return strings.EqualFold(name, "Proxy-Authenticate") || strings.EqualFold(name, "Proxy-Authentication-Info")
}

// withholds tells whether a stored response has fields that must not be reused without validation.
func withholds(m *stored) bool {
	f, err := wire.ParseFields(m.lines)
	if err != nil {
		return true
	}
	for i := range f.Len() {
		if name, _ := f.At(i); m.fresh.Withholds(name) {
			return true
		}
	}
	return false
}

// size is how many bytes a stored response's meta holds beyond its fixed part.
func (m *stored) size() int64 {
	return int64(len(m.lines) + len(m.reason) + len(m.gap) + len(m.selects) + len(m.asked))
}

// variant is the secondary key of a response to this request (RFC 9111 §4.1).
// ok is false if the request's fields cannot be compared.
func (x *exchange) variant(names []string) (key string, ok bool) {
	if len(names) == 0 {
		return "", true
	}
	b, ok := vary.AppendKey(nil, names, x)
	return string(b), ok
}

// matches tells whether a stored response was made for a request like this one (RFC 9111 §4.1).
func (x *exchange) matches(e *entry) bool {
	m := &e.Meta
	if m.selects.by(x) {
		return true
	}
	key, ok := x.variant(m.selects.names())
	return ok && key == e.Variant
}

// fieldValue is the value of a field over all its lines; an absent field is told from an empty one.
func fieldValue(src vary.Source, name string) string {
	value := "\x00"
	for i := range src.Len() {
		n, v := src.At(i)
		if len(n) != len(name) || !strings.EqualFold(n, name) {
			continue
		}
		if value == "\x00" {
			value = v
		} else {
			value += ", " + v
		}
	}
	return value
}

// Len and At make an exchange a vary.Source: the lines of its request as they are forwarded.
func (x *exchange) Len() int { return x.req.Fields.Len() }

// At is line i; a line that is not forwarded has no name.
func (x *exchange) At(i int) (name, value string) {
	name, value = x.req.Fields.At(i)
	if hopByHop(name) || x.nominated.has(name) {
		return "", ""
	}
	return name, value
}

// header is the stored field section as a map.
func (m *stored) header() http.Header {
	f, err := wire.ParseFields(m.lines)
	if err != nil {
		return http.Header{}
	}
	return f.Header()
}

// reachable tells whether the client may see a response that came from the stored response's origin: a client on another
// machine gets nothing from the cache that it could not have fetched.
func (x *exchange) reachable(m *stored) bool {
	return (x.c.local || !m.restricted) && x.mayHave(m)
}
