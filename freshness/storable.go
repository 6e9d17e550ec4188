package freshness

import "net/http"

// Storable decides whether the response may be stored and says why or why not (RFC 9111 §3). method and req are those
// of the request that resp answers. Partial content (206) is storable as such; the caller must keep it apart from
// complete responses (§3.3). It is to be asked again when a validation has updated the response.
//
// The reason is ReasonOverride where an [Override] made the difference.
func Storable(method string, req Request, resp *Response) (bool, Reason) {
	if resp.ruled.rule != 0 {
		return storableByRule(method, req, resp)
	}
	return storable(method, req, resp)
}

// storable is Storable without a look at what an override changed.
func storable(method string, req Request, resp *Response) (bool, Reason) {
	switch {
	case resp.refusal != ReasonNone:
		return false, resp.refusal
	case req.NoStore:
		return false, ReasonRequestNoStore
	case (req.Authorization || resp.Authorized) && !resp.Shareable:
		return false, ReasonAuthorization
	}
	switch method {
	case http.MethodGet:
		return true, resp.basis()
	case http.MethodPost, http.MethodPatch:
		if !resp.answersGET() {
			return false, ReasonContentLocation
		}
		return true, ReasonExplicit
	}
	return false, ReasonMethod
}

// answersGET tells whether the response to a POST or PATCH is one that a later GET could have got: explicitly fresh, and
// a representation of the target itself (RFC 9110 §9.3.3, RFC 5789 §2).
func (r *Response) answersGET() bool {
	return r.SelfLocated && r.Status == http.StatusOK && r.Source.explicit() && r.Lifetime > 0 && !r.NoCache
}

// basis tells what a stored response will be good for.
func (r *Response) basis() Reason {
	switch {
	case r.Status == http.StatusPartialContent:
		return ReasonPartial
	case r.NoCache || r.Lifetime == 0 && r.HasValidator:
		return ReasonValidator
	case r.Source == SourceHeuristic:
		return ReasonHeuristic
	}
	return ReasonExplicit
}

// refuse returns why the response must not be stored whatever the request was, or ReasonNone.
// explicit tells that the origin gave the lifetime, which o may have changed since.
func (r *Response) refuse(p *Policy, o *Override, h http.Header, explicit bool) Reason {
	fresh := r.Lifetime > 0 && !r.NoCache
	switch {
	case !storableStatus(r.Status):
		return ReasonStatus
	case r.Malformed:
		return ReasonMalformed
	case r.MustUnderstand && !understood(r.Status):
		return ReasonMustUnderstand
	case r.NoStore && !r.MustUnderstand && o.Ignore&IgnoreNoStore == 0: // §5.2.2.3: must-understand outdoes no-store where the status code is known
		return ReasonNoStore
	case r.Private && o.Ignore&IgnorePrivate == 0:
		return ReasonPrivate
	case hasMember(h["Vary"], "*"):
		return ReasonVary
	case p.RefuseErrors && r.Status >= 400:
		return ReasonErrorRefused
	case len(h["Set-Cookie"]) > 0 && (p.RefuseSetCookie || !fresh || !explicit):
		// Not even to be validated later: a 304 would hand one client's cookie to another.
		return ReasonSetCookie
	case !fresh && !heuristicStatus(r.Status):
		return ReasonNoFreshness
	case o.Never:
		return ReasonOverride
	}
	return r.useless()
}

// useless returns why storing the response would serve nothing, or ReasonNone.
func (r *Response) useless() Reason {
	switch {
	case r.HasValidator:
		return ReasonNone
	case r.NoCache:
		return ReasonNoValidator
	case r.Lifetime == 0 && r.StaleWhileRevalidate.Value == 0 && r.StaleIfError.Value == 0:
		return ReasonNoFreshness
	}
	return ReasonNone
}

// hasValidator tells whether the fields have an ETag or a readable Last-Modified.
func (r *Response) hasValidator(h http.Header) bool {
	tag, _ := sole(h, "Etag")
	_, ok := lastModified(h, r.Received)
	return ok || tag != ""
}

// storableStatus tells whether a response with the status code can answer another request at all. Interim responses
// and 304 cannot; 428, 429, 431 and 511 "MUST NOT be stored by a cache" (RFC 6585); the others speak of fields of one
// request that later requests need not have: credentials, conditions, ranges, expectations, the connection.
func storableStatus(status int) bool {
	switch status {
	case http.StatusNotModified, http.StatusUnauthorized, http.StatusProxyAuthRequired, http.StatusRequestTimeout,
		http.StatusPreconditionFailed, http.StatusRequestedRangeNotSatisfiable, http.StatusExpectationFailed,
		http.StatusMisdirectedRequest, http.StatusTooEarly, http.StatusUpgradeRequired, http.StatusPreconditionRequired,
		http.StatusTooManyRequests, http.StatusRequestHeaderFieldsTooLarge, http.StatusNetworkAuthenticationRequired:
		return false
	}
	return 200 <= status && status <= 599
}

// heuristicStatus tells whether the status code is defined as heuristically cacheable (RFC 9110 §15.1; 451: RFC 7725).
func heuristicStatus(status int) bool {
	switch status {
	case 200, 203, 204, 206, 300, 301, 308, 404, 405, 410, 414, 451, 501:
		return true
	}
	return false
}

// understood tells whether this cache knows the status code's own rules, for must-understand (RFC 9111 §5.2.2.3): those
// of RFC 9110 §15 that can be stored, and 451.
func understood(status int) bool {
	switch {
	case 200 <= status && status <= 206, 300 <= status && status <= 303, status == 307, status == 308:
		return true
	case 400 <= status && status <= 415, status == 422, status == 451, 500 <= status && status <= 505:
		return true
	}
	return false
}
