// Package freshness decides whether a shared cache may store a response and whether it may reuse a stored one.
//
// It covers RFC 9111 §3 (storing), §3.5 (Authorization), §4 and §4.2 (reuse, freshness lifetime, heuristics, current
// age, serving stale) and §5.1 to §5.4 (Age, Cache-Control, Expires, Pragma), RFC 5861 (stale-while-revalidate and
// stale-if-error), RFC 8246 (immutable, reported only), RFC 9213 (targeted fields) and the dates of RFC 9110 §5.6.7.
// Left out on purpose: which stored response matches (Vary, §4.1), validation (§4.3), invalidation (§4.4) and how
// partial content is combined (§3.4).
//
// An [Override] departs from all that at an operator's word, within lines that it names.
//
// The package is pure: values in, values out, and the time is an argument. What cannot be parsed never allows anything:
// it is not stored, or it counts as stale.
//
//	req := freshness.ParseRequest(r.Header)
//	resp := freshness.ParseResponse(nil, status, h, requestTime, responseTime)
//	if ok, reason := freshness.Storable(r.Method, req, &resp); ok {
//		// keep resp beside the stored response, then for each later request:
//		d := freshness.Decide(req, &resp, time.Now())
//	}
package freshness

import "time"

// maxDelta is the greatest delta-seconds that is told apart from a greater one; RFC 9111 §1.2.2 wants overflow to end
// at "the greatest positive integer that the cache can conveniently represent".
const maxDelta = (1<<31 - 1) * time.Second

// Delta is an optional delta-seconds value (RFC 9111 §1.2.2).
type Delta struct {
	// Value is the duration in whole seconds, never negative; values above 2^31-1 seconds are held as that.
	Value time.Duration
	// Set tells whether there is a value at all.
	Set bool
}

// Request holds what a request says about caching (RFC 9111 §5.2.1 and §5.4). Its zero value says nothing.
type Request struct {
	// NoStore forbids storing the response to this request (§5.2.1.5); it does not forbid reusing a stored one.
	NoStore bool
	// NoCache demands validation before reuse (§5.2.1.4, or Pragma without Cache-Control, §5.4).
	NoCache bool
	// OnlyIfCached asks for a stored response or a 504 (§5.2.1.7).
	OnlyIfCached bool
	// NoTransform forbids changing the content (§5.2.1.6).
	NoTransform bool
	// Authorization tells that the request has an Authorization field (§3.5).
	Authorization bool
	// Cookie tells that the request has a Cookie field (RFC 6265 §5.4); it matters for an [Override] only.
	Cookie bool
	// Personal tells that the request may say who sent it, see [Personal]. ParseRequest leaves it to the caller, since it
	// matters only for an [Override] that ignores private or no-store.
	Personal bool
	// Range tells that the request has a Range field (RFC 9110 §14.2).
	Range bool
	// MaxAge is the greatest age that the client accepts (§5.2.1.1); an unreadable value counts as zero.
	MaxAge Delta
	// MaxStale is by how much the lifetime may be exceeded (§5.2.1.2); without an argument it is the greatest Delta.
	MaxStale Delta
	// MinFresh is for how long the response must still be fresh (§5.2.1.3); an unreadable value is the greatest Delta.
	MinFresh Delta
	// StaleIfError is by how much the lifetime may be exceeded when the origin fails (RFC 5861 §4).
	StaleIfError Delta
}

// Policy holds the choices that RFC 9111 leaves to a cache. The zero value, like a nil *Policy, is the default.
type Policy struct {
	// Targeted names the response fields that are obeyed before Cache-Control, in order (RFC 9213 §2.2). Default: none.
	Targeted []string
	// RefuseSetCookie keeps every response with Set-Cookie out. By default it is stored with explicit freshness (§7.3).
	RefuseSetCookie bool
	// RefuseErrors keeps every 4xx and 5xx response out. By default §3 decides.
	RefuseErrors bool
	// HeuristicFraction is the part of the time since Last-Modified that a response without explicit freshness stays
	// fresh (§4.2.2). 0 means 0.1; negative means no heuristics.
	HeuristicFraction float64
	// HeuristicMax bounds heuristic freshness. 0 means 24 hours.
	HeuristicMax time.Duration
	// MaxStaleOnError is for how long past its lifetime a response is used when the origin does not answer, or answers
	// 500, 502, 503 or 504, and neither side sent stale-if-error (§4.2.4, §4.3.3). 0 means not at all.
	MaxStaleOnError time.Duration
}

// Source tells where a freshness lifetime comes from (RFC 9111 §4.2.1).
type Source uint8

// The sources of a freshness lifetime.
const (
	SourceNone      Source = iota // no freshness information: the lifetime is 0
	SourceSMaxAge                 // s-maxage
	SourceMaxAge                  // max-age
	SourceExpires                 // Expires minus Date
	SourceHeuristic               // part of the time since Last-Modified (§4.2.2)
	SourceOverride                // the least or the greatest lifetime of an Override
)

// Response holds what the decisions need to know of a response. It is built by ParseResponse, kept beside the stored
// response, and built anew from the merged fields whenever a validation updates them.
type Response struct {
	// Status is the status code.
	Status int
	// Authorized tells that the request which this response answered had an Authorization field. ParseResponse cannot
	// know; the caller sets it, and keeps it when a validation updates the response (§3.5).
	Authorized bool
	// Cookied and Impersonal tell more about that request: that it had a Cookie field, and that it was found not to be
	// Personal. They matter for an [Override] only.
	Cookied, Impersonal bool
	// SelfLocated tells that Content-Location is the target URI of the request. The caller sets it; it matters for
	// responses to POST and PATCH only (RFC 9110 §9.3.3, RFC 5789 §2).
	SelfLocated bool

	// NoStore, NoCache, Private and the following are the directives of §5.2.2, or of a targeted field.
	NoStore         bool
	NoCache         bool // without field names; with them see Withholds
	Private         bool // with or without field names
	Public          bool
	MustRevalidate  bool
	ProxyRevalidate bool // also implied by s-maxage
	MustUnderstand  bool
	NoTransform     bool
	Immutable       bool // RFC 8246; reported, changes no decision
	// Malformed tells that the directives cannot be told apart (an open quote): nothing may be stored.
	Malformed bool
	// Shareable tells that a readable public, must-revalidate or s-maxage allows a shared cache to store the response
	// even if its request had an Authorization field (§3.5).
	Shareable bool
	// HasValidator tells that there is an ETag or a readable Last-Modified.
	HasValidator bool
	// Targeted tells that a targeted field took the place of Cache-Control and Expires (RFC 9213).
	Targeted bool

	// Source is where Lifetime comes from.
	Source Source
	// Lifetime is the freshness lifetime (§4.2.1), never negative.
	Lifetime time.Duration
	// AgeValue is the value of Age (§5.1), ApparentAge the receipt time minus Date, Delay the time that the exchange
	// took; none is negative. See InitialAge.
	AgeValue, ApparentAge, Delay time.Duration
	// Received is the time when the response arrived, with its monotonic reading if it had one and was not stored; see Moment.
	Received time.Time
	// StaleWhileRevalidate and StaleIfError are the windows of RFC 5861 §3 and §4.
	StaleWhileRevalidate, StaleIfError Delta

	steady       time.Time     // the time of receipt with its monotonic reading, if Received has lost it; its wall time means nothing
	staleOnError time.Duration // Policy.MaxStaleOnError
	withheld     string        // lower-case field names of no-cache="…", each followed by a comma
	refusal      Reason        // why it must not be stored whatever the request was; 0: nothing speaks against it
	ruled        ruled         // what it says by itself, where an Override applies
}

// Verdict is what to do with a request.
type Verdict uint8

// The verdicts, from RFC 9111 §4.
const (
	// Forward sends the request on unconditionally: nothing is stored, or what is stored can be neither used nor validated.
	Forward Verdict = iota
	// Validate sends the request on with the stored response's validators (§4.3).
	Validate
	// Reuse answers with the stored response, which is fresh.
	Reuse
	// ReuseStale answers with the stored response although it is stale (§4.2.4).
	ReuseStale
	// ReuseWhileRevalidate answers with the stale stored response and validates it meanwhile (RFC 5861 §3).
	ReuseWhileRevalidate
	// Unsatisfiable answers 504 because of only-if-cached (§5.2.1.7).
	Unsatisfiable
)

// Decision is a verdict, why it was given, and the numbers behind it.
type Decision struct {
	Verdict  Verdict
	Reason   Reason
	Age      time.Duration // the current age (§4.2.3), at most 2^31-1 seconds; 0 when nothing is stored
	Lifetime time.Duration // the freshness lifetime (§4.2.1)
}

// TTL is the time for which the response is still fresh; it is negative when the response is stale (RFC 9211 §2.4).
func (d Decision) TTL() time.Duration { return d.Lifetime - d.Age }

// String returns the verdict as a short lower-case word.
func (v Verdict) String() string {
	if int(v) >= len(verdicts) {
		return "unknown"
	}
	return verdicts[v]
}

// String returns the source as the name of the directive or field, or "heuristic" or "none".
func (s Source) String() string {
	if int(s) >= len(sources) {
		return "unknown"
	}
	return sources[s]
}

var (
	verdicts = [...]string{"forward", "validate", "reuse", "reuse-stale", "reuse-while-revalidate", "unsatisfiable"}
	sources  = [...]string{"none", "s-maxage", "max-age", "expires", "heuristic", "override"}
)

// explicit tells that the origin gave the lifetime itself, if only as a value that cannot be read.
func (s Source) explicit() bool {
	return s == SourceSMaxAge || s == SourceMaxAge || s == SourceExpires
}
