package freshness

import (
	"net/http"
	"time"
)

// Override is what an operator decides about some responses in place of those who sent them; which responses those are is
// the caller's matter. Its zero value changes nothing.
//
// Never, Max and AlwaysRevalidate make reuse rarer and always apply. All the rest makes it more frequent, which RFC 9111
// does not allow; therefore it applies only where nobody gets what was made for somebody else, whatever the override says:
//
//   - The response has no Set-Cookie, and neither request, that which it answered nor that which it is to answer, has
//     Authorization. What the origin itself says about such responses stands.
//   - Neither request has a Cookie, unless IgnoreCookie says that cookies do not matter.
//   - Where the response says private or no-store, neither request is Personal, and IgnoreCookie does not help. What
//     answers a request that says nothing about its sender is about nobody.
//   - A 4xx or 5xx response is kept for longer only if Errors is set.
//
// Nothing lifts Vary (§4.1), a status code that is about one request, Cache-Control that cannot be read,
// must-understand, the policy's refusals, or the bounds that the client sets (max-age but for 0, min-fresh, no-store).
type Override struct {
	// Min is the least freshness lifetime, counted as always from when the origin made the response (§4.2.3). It is in
	// whole seconds; 0 is none.
	Min time.Duration
	// Max is the greatest freshness lifetime; not set is none. It wins over Min.
	Max Delta
	// Heuristic takes the place of Policy.HeuristicFraction, and Max, if set, that of Policy.HeuristicMax; 0 does not.
	Heuristic float64
	// Ignore is what is not obeyed.
	Ignore Ignored
	// Errors lets what makes reuse more frequent apply to 4xx and 5xx responses, too.
	Errors bool
	// Never keeps the responses out of the cache.
	Never bool
	// AlwaysRevalidate has a stored response validated before each use, as no-cache does (§5.2.2.4).
	AlwaysRevalidate bool
}

// Ignored is a set of things that an Override does not obey.
type Ignored uint8

// What can be ignored.
const (
	// IgnoreNoCache is no-cache in the response, and Pragma: no-cache. Fields that no-cache names stay withheld.
	IgnoreNoCache Ignored = 1 << iota
	// IgnoreNoStore is no-store in the response.
	IgnoreNoStore
	// IgnorePrivate is private.
	IgnorePrivate
	// IgnoreMustRevalidate is must-revalidate, proxy-revalidate and what s-maxage says of the kind (§5.2.2.10).
	IgnoreMustRevalidate
	// IgnoreLifetime is s-maxage, max-age and Expires: the lifetime is estimated (§4.2.2).
	IgnoreLifetime
	// IgnoreReload is no-cache, Pragma: no-cache and max-age=0 in the request, which is what reloading in a browser sends.
	IgnoreReload
	// IgnoreCookie is the request's Cookie: the response is the same for everybody.
	IgnoreCookie
)

// ruled is what a response says by itself and what of an Override matters when it is used, where one applies.
type ruled struct {
	lifetime uint32 // in seconds
	rule     uint16 // see Response.Rule; 0: no override applies, and the rest means nothing
	source   Source
	refusal  Reason
	flags    ruledFlags
}

type ruledFlags uint8

const (
	ownNoCache ruledFlags = 1 << iota
	ownMustRevalidate
	ownProxyRevalidate
	forCookies  // what makes reuse more frequent applies to requests with Cookie, too
	forReloads  // the request's wish to reload is not obeyed
	heldToTerms // what would make reuse more frequent does not apply
)

// Override returns the response as an override wants it to be taken. resp is what ParseResponse made of h under the same
// policy, with Authorized and Cookied filled in; the Age field may be missing from h. rule is a number other than 0 by
// which the caller will know the override, see Rule.
func (r *Response) Override(p *Policy, o Override, rule uint16, h http.Header) Response {
	frees := o.frees(r, h)
	if !frees {
		o = Override{Max: o.Max, Never: o.Never, AlwaysRevalidate: o.AlwaysRevalidate}
	}
	next := r.again(p, o, h)
	next.ruled = ruled{lifetime: uint32(r.Lifetime / time.Second), rule: rule, source: r.Source, refusal: r.refusal}
	f := &next.ruled.flags
	f.set(ownNoCache, r.NoCache)
	f.set(ownMustRevalidate, r.MustRevalidate)
	f.set(ownProxyRevalidate, r.ProxyRevalidate)
	f.set(forCookies, o.Ignore&IgnoreCookie != 0)
	f.set(forReloads, o.Ignore&IgnoreReload != 0)
	f.set(heldToTerms, !frees)
	return next
}

// Again returns what ParseResponse makes of a stored response's fields under a policy that may be another one by now. Age
// may be missing from h; what the caller filled in stays.
func (r *Response) Again(p *Policy, h http.Header) Response { return r.again(p, Override{}, h) }

// again is Again with an override.
func (r *Response) again(p *Policy, o Override, h http.Header) Response {
	next := parse(p, o, r.Status, h, r.Received.Add(-r.Delay), r.Received)
	next.AgeValue, next.ApparentAge, next.Delay = r.AgeValue, r.ApparentAge, r.Delay
	next.Received, next.steady = r.Received, r.steady
	next.Authorized, next.Cookied, next.Impersonal, next.SelfLocated = r.Authorized, r.Cookied, r.Impersonal, r.SelfLocated
	return next
}

func (f *ruledFlags) set(flag ruledFlags, on bool) {
	if on {
		*f |= flag
	}
}

// Rule is the number of the override that applies; 0 for none.
func (r *Response) Rule() uint16 { return r.ruled.rule }

// HeldToTerms tells that an override applies but must not make reuse more frequent.
func (r *Response) HeldToTerms() bool { return r.ruled.flags&heldToTerms != 0 }

// AsSent returns the response as it is without the override that applies.
func (r *Response) AsSent() Response {
	own := *r
	if r.ruled.rule == 0 {
		return own
	}
	has := func(flag ruledFlags) bool { return r.ruled.flags&flag != 0 }
	own.Lifetime, own.Source, own.refusal = time.Duration(r.ruled.lifetime)*time.Second, r.ruled.source, r.ruled.refusal
	own.NoCache, own.MustRevalidate, own.ProxyRevalidate = has(ownNoCache), has(ownMustRevalidate), has(ownProxyRevalidate)
	own.ruled = ruled{}
	return own
}

// frees tells whether an override may make reuse of a response more frequent.
func (o *Override) frees(r *Response, h http.Header) bool {
	switch {
	case len(h["Set-Cookie"]) > 0, r.Authorized, r.Malformed, r.Status >= 400 && !o.Errors:
		return false
	case r.guarded():
		return r.Impersonal && !r.Cookied
	}
	return !r.Cookied || o.Ignore&IgnoreCookie != 0
}

// guarded tells that the response says that it is not for others.
func (r *Response) guarded() bool { return r.Private || r.NoStore }

// InSpite tells that an override may let the response be reused although it says private or no-store, so that it matters
// whether a request is Personal.
func (r *Response) InSpite() bool { return r.ruled.rule != 0 && r.guarded() }

// strike removes the directives that are ignored and have to go before a lifetime is computed.
func (o *Override) strike(d *directives) {
	if o.Ignore&IgnoreNoCache != 0 {
		d.noCache = false
	}
	if o.Ignore&IgnoreMustRevalidate != 0 {
		d.mustRevalidate, d.proxyRevalidate = false, false
	}
}

// heuristic returns the fraction and the bound for heuristic freshness.
func (o *Override) heuristic(p *Policy) (fraction float64, most time.Duration) {
	fraction, most = p.HeuristicFraction, p.HeuristicMax
	if o.Heuristic > 0 {
		fraction = o.Heuristic
		if o.Max.Set && o.Max.Value > 0 {
			most = o.Max.Value
		}
	}
	return fraction, most
}

// bound applies Min, Max and AlwaysRevalidate.
func (o *Override) bound(r *Response) {
	least, most := clamp(o.Min.Truncate(time.Second)), clamp(o.Max.Value.Truncate(time.Second))
	if r.Lifetime < least {
		r.Lifetime, r.Source = least, SourceOverride
	}
	if o.Max.Set && r.Lifetime > most {
		r.Lifetime, r.Source = most, SourceOverride
	}
	if o.AlwaysRevalidate {
		r.NoCache, r.Lifetime = true, 0
	}
}

// weigh returns request and response as an override wants them to be decided about: a request that says who sent it, or
// may say so, gets what both the response and the override allow.
func weigh(req Request, resp *Response) (Request, Response) {
	r := *resp
	r.ruled = ruled{}
	if req.Authorization || req.Cookie && resp.ruled.flags&forCookies == 0 || resp.guarded() && (req.Personal || req.Cookie) {
		own := resp.AsSent()
		if own.Lifetime < r.Lifetime {
			r.Lifetime, r.Source = own.Lifetime, own.Source
		}
		r.NoCache = r.NoCache || own.NoCache
		r.MustRevalidate = r.MustRevalidate || own.MustRevalidate
		r.ProxyRevalidate = r.ProxyRevalidate || own.ProxyRevalidate
		if own.refusal != ReasonNone {
			r.refusal = own.refusal
		}
		return req, r
	}
	if resp.ruled.flags&forReloads != 0 {
		req.NoCache = false
		if req.MaxAge.Value == 0 {
			req.MaxAge = Delta{}
		}
	}
	return req, r
}

// decideByRule is Decide where an override applies.
func decideByRule(req Request, resp *Response, now time.Time) Decision {
	asks, r := weigh(req, resp)
	own := resp.AsSent()
	return preferred(decide(asks, &r, now), decide(req, &own, now))
}

// onErrorByRule is OnError where an override applies.
func onErrorByRule(req Request, resp *Response, status int, now time.Time) Decision {
	asks, r := weigh(req, resp)
	own := resp.AsSent()
	return preferred(onError(asks, &r, status, now), onError(req, &own, status, now))
}

// preferred is a decision with the reason for it: the override where there would have been another without it.
func preferred(d, own Decision) Decision {
	if d.Reason = own.Reason; d.Verdict != own.Verdict {
		d.Reason = ReasonOverride
	}
	return d
}

// storableByRule is Storable where an override applies. An answer to another method than GET is stored only if it could be
// without the override, too.
func storableByRule(method string, req Request, resp *Response) (bool, Reason) {
	asks, r := weigh(req, resp)
	own := resp.AsSent()
	ok, _ := storable(http.MethodGet, asks, &r)
	without, why := storable(method, req, &own)
	if method != http.MethodGet {
		ok = ok && without
	}
	if ok != without || ok && (r.Lifetime != own.Lifetime || r.NoCache != own.NoCache) {
		why = ReasonOverride
	}
	return ok, why
}
