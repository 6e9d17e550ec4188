package freshness

import (
	"net/http"
	"strings"
	"time"
)

const (
	defaultFraction = 0.1 // RFC 9111 §4.2.2: "a typical setting of this fraction might be 10%"
	defaultMax      = 24 * time.Hour
)

// ParseResponse reads what a response says about its own caching. p may be nil. The names in h are canonical.
// requestTime and responseTime are when the exchange began and when the response's head arrived (§4.2.3).
//
// For a response that a validation has updated, h are the merged fields and the times those of the validation; an Age
// of the stored response that the 304 did not repeat must be gone from h, for it tells the age of an older message.
func ParseResponse(p *Policy, status int, h http.Header, requestTime, responseTime time.Time) Response {
	return parse(p, Override{}, status, h, requestTime, responseTime)
}

// parse is ParseResponse with an Override.
func parse(p *Policy, o Override, status int, h http.Header, requestTime, responseTime time.Time) Response {
	if p == nil {
		p = &Policy{}
	}
	d, targeted := responseDirectives(p, h)
	shared := d.sMaxAge.set // which includes the meaning of proxy-revalidate (§5.2.2.10)
	grants := d.public || d.granted || d.sMaxAge.delta().Set
	o.strike(&d)
	r := Response{
		Status:   status,
		NoStore:  d.noStore,
		NoCache:  d.noCache,
		Private:  d.private,
		Public:   d.public,
		Targeted: targeted,

		MustRevalidate:  d.mustRevalidate,
		ProxyRevalidate: (d.proxyRevalidate || shared) && o.Ignore&IgnoreMustRevalidate == 0,
		MustUnderstand:  d.mustUnderstand,
		NoTransform:     d.noTransform,
		Immutable:       d.immutable,
		Malformed:       d.malformed,
		Shareable:       grants,

		StaleWhileRevalidate: d.staleWhileRevalidate.delta(),
		StaleIfError:         d.staleIfError.delta(),

		staleOnError: p.MaxStaleOnError,
		withheld:     d.withheld,
	}
	r.setAge(h, requestTime, responseTime)
	r.HasValidator = r.hasValidator(h)
	r.setLifetime(p, &o, &d, h)
	explicit := r.Source.explicit()
	o.bound(&r)
	r.refusal = r.refuse(p, &o, h, explicit)
	return r
}

// Withholds tells whether the response must be reused without the named field unless it has just been validated,
// because of no-cache="…" (RFC 9111 §5.2.2.4).
func (r *Response) Withholds(name string) bool {
	for rest := r.withheld; rest != ""; {
		var field string
		field, rest, _ = strings.Cut(rest, ",")
		if fold(name, field) {
			return true
		}
	}
	return false
}

// setLifetime computes the freshness lifetime (RFC 9111 §4.2.1). A response whose freshness information cannot be read
// is stale; it does not fall back to the next kind of information.
func (r *Response) setLifetime(p *Policy, o *Override, d *directives, h http.Header) {
	_, hasExpires := h["Expires"]
	switch {
	case o.Ignore&IgnoreLifetime != 0:
		r.setHeuristic(p, o, h)
	case d.sMaxAge.set:
		r.Source, r.Lifetime = SourceSMaxAge, d.sMaxAge.delta().Value
	case d.maxAge.set:
		r.Source, r.Lifetime = SourceMaxAge, d.maxAge.delta().Value
	case hasExpires && !r.Targeted:
		r.Source, r.Lifetime = SourceExpires, r.untilExpires(h)
	default:
		r.setHeuristic(p, o, h)
	}
}

// untilExpires returns Expires minus Date. §5.3: an Expires that is no date means the past; so do several.
func (r *Response) untilExpires(h http.Header) time.Duration {
	value, ok := sole(h, "Expires")
	expires, valid := ParseDate(value, r.Received)
	if !ok || !valid {
		return 0
	}
	return clamp(expires.Sub(r.date(h)))
}

// setHeuristic estimates a lifetime from Last-Modified (RFC 9111 §4.2.2).
func (r *Response) setHeuristic(p *Policy, o *Override, h http.Header) {
	modified, ok := lastModified(h, r.Received)
	fraction, most := o.heuristic(p)
	if !ok || !(r.Public || heuristicStatus(r.Status)) || fraction < 0 {
		return
	}
	// A cookie is meant for one client, and Pragma: no-cache has no defined meaning in a response (§5.4) but a clear
	// intention: neither is a response to be kept on a guess.
	if len(h["Set-Cookie"]) > 0 || hasMember(h["Pragma"], "no-cache") && o.Ignore&IgnoreNoCache == 0 {
		return
	}
	if fraction == 0 {
		fraction = defaultFraction
	}
	if most <= 0 {
		most = defaultMax
	}
	since := clamp(r.date(h).Sub(modified))
	estimate := min(float64(since)*fraction, float64(min(most, maxDelta)))
	if estimate >= float64(time.Second) {
		r.Source, r.Lifetime = SourceHeuristic, time.Duration(estimate).Truncate(time.Second)
	}
}

// lastModified returns the date of Last-Modified, if there is exactly one and it can be read.
func lastModified(h http.Header, now time.Time) (time.Time, bool) {
	value, ok := sole(h, "Last-Modified")
	if !ok {
		return time.Time{}, false
	}
	return ParseDate(value, now)
}

// clamp cuts d to what a Delta can hold.
func clamp(d time.Duration) time.Duration { return min(max(d, 0), maxDelta) }
