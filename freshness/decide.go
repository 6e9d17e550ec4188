package freshness

import (
	"net/http"
	"time"
)

// Decide says what to do with a request for which resp is stored; resp is nil when nothing that matches is
// (RFC 9111 §4). now is the time of the decision, not of the request's arrival. It does not allocate.
//
// The verdict is one of Reuse, ReuseStale, ReuseWhileRevalidate, Validate, Forward and Unsatisfiable. When it is one of
// the first three, fields that Response.Withholds names are to be left out. The reason is ReasonOverride where an
// [Override] made the difference.
func Decide(req Request, resp *Response, now time.Time) Decision {
	switch {
	case resp == nil:
		return finish(req, Decision{Verdict: Forward, Reason: ReasonAbsent})
	case resp.ruled.rule != 0:
		return decideByRule(req, resp, now)
	}
	return decide(req, resp, now)
}

// decide is Decide without a look at what an override changed.
func decide(req Request, resp *Response, now time.Time) Decision {
	d := Decision{Age: resp.Age(now), Lifetime: resp.Lifetime}
	if why := resp.prohibition(req); why != ReasonNone {
		d.Verdict, d.Reason = Forward, why
		if why == ReasonNoCache || why == ReasonRequestNoCache {
			d.Verdict = Validate // which lifts these two, but not what should not be stored at all
		}
	} else {
		d.Verdict, d.Reason = resp.judge(req, d.Age)
	}
	if d.Verdict == Validate && !resp.HasValidator {
		d.Verdict = Forward
	}
	return finish(req, d)
}

// finish applies only-if-cached (§5.2.1.7), which forbids every use of the network.
func finish(req Request, d Decision) Decision {
	if !req.OnlyIfCached {
		return d
	}
	switch d.Verdict {
	case Forward, Validate:
		d.Verdict, d.Reason = Unsatisfiable, ReasonOnlyIfCached
	case ReuseWhileRevalidate:
		d.Verdict = ReuseStale
	}
	return d
}

// prohibition returns why the response must not be used without validation however fresh it is, or ReasonNone.
func (r *Response) prohibition(req Request) Reason {
	switch {
	case r.refusal != ReasonNone:
		return r.refusal
	case r.Authorized && !r.Shareable:
		return ReasonAuthorization
	case r.NoCache:
		return ReasonNoCache
	case req.NoCache:
		return ReasonRequestNoCache
	}
	return ReasonNone
}

// judge weighs age against lifetime and the request's wishes (§5.2.1).
func (r *Response) judge(req Request, age time.Duration) (Verdict, Reason) {
	switch {
	case req.MaxAge.Set && (age > req.MaxAge.Value || req.MaxAge.Value == 0):
		// max-age=0 asks for validation, even of a response that has only just arrived.
		return Validate, ReasonRequestMaxAge
	case r.Lifetime <= age:
		return r.judgeStale(req, age-r.Lifetime)
	case req.MinFresh.Set && r.Lifetime-age < req.MinFresh.Value:
		return Validate, ReasonRequestMinFresh
	}
	return Reuse, ReasonFresh
}

// judgeStale decides about a stale response (§4.2.4). What the response prohibits no request can allow, so that comes
// first.
func (r *Response) judgeStale(req Request, staleness time.Duration) (Verdict, Reason) {
	if why := r.revalidation(); why != ReasonNone {
		return Validate, why
	}
	accepted := req.MaxStale.Set && staleness <= req.MaxStale.Value && !req.MinFresh.Set
	switch {
	case !accepted && (req.MaxAge.Set || req.MinFresh.Set || req.MaxStale.Set):
		// Such a client does not want a response this stale (§5.2.1.1 to §5.2.1.3).
		return Validate, ReasonStale
	case staleness < r.StaleWhileRevalidate.Value:
		return ReuseWhileRevalidate, ReasonStaleWhileRevalidate
	case accepted:
		return ReuseStale, ReasonMaxStale
	}
	return Validate, ReasonStale
}

// revalidation returns which directive forbids using the response once it is stale, or ReasonNone.
func (r *Response) revalidation() Reason {
	switch {
	case r.MustRevalidate:
		return ReasonMustRevalidate
	case r.Source == SourceSMaxAge && r.ProxyRevalidate:
		return ReasonSMaxAge
	case r.ProxyRevalidate:
		return ReasonProxyRevalidate
	}
	return ReasonNone
}

// OnError says whether the stored response may stand in for an origin server that failed (RFC 5861 §4; RFC 9111 §4.2.4,
// §4.3.3). status is what it answered, 0 if nothing or no complete head. It does not allocate.
//
// The verdict is Reuse or ReuseStale, or Forward: hand the failure on. Where the reason is then ReasonMustRevalidate,
// ReasonProxyRevalidate or ReasonSMaxAge and there is no answer to hand on, the status to use is 504 (§5.2.2.2).
func OnError(req Request, resp *Response, status int, now time.Time) Decision {
	switch {
	case resp == nil:
		return Decision{Reason: ReasonAbsent}
	case resp.ruled.rule != 0:
		return onErrorByRule(req, resp, status, now)
	}
	return onError(req, resp, status, now)
}

// onError is OnError without a look at what an override changed.
func onError(req Request, resp *Response, status int, now time.Time) Decision {
	d := Decision{Age: resp.Age(now), Lifetime: resp.Lifetime}
	staleness := d.Age - d.Lifetime
	d.Reason = resp.prohibition(req)
	switch {
	case !failure(status):
		d.Reason = ReasonNotAnError
	case d.Reason != ReasonNone:
	case staleness >= 0 && resp.revalidation() != ReasonNone:
		d.Reason = resp.revalidation()
	default:
		d.Verdict, d.Reason = resp.standIn(req, staleness)
	}
	return d
}

// standIn decides by the window in which a stale response may replace a failure. stale-if-error counts "regardless of
// other freshness information" (RFC 5861 §4), so the request's max-age and min-fresh do not matter here.
func (r *Response) standIn(req Request, staleness time.Duration) (Verdict, Reason) {
	window, reason := r.staleOnError, ReasonDisconnected
	if r.StaleIfError.Set || req.StaleIfError.Set {
		window, reason = max(r.StaleIfError.Value, req.StaleIfError.Value), ReasonStaleIfError
	}
	switch {
	case window <= 0 || staleness > window:
		return Forward, ReasonNotStaleIfError
	case staleness < 0:
		return Reuse, reason
	}
	return ReuseStale, reason
}

// failure tells whether a status is one that stale-if-error is about.
func failure(status int) bool {
	switch status {
	case 0, http.StatusInternalServerError, http.StatusBadGateway, http.StatusServiceUnavailable,
		http.StatusGatewayTimeout:
		return true
	}
	return false
}
