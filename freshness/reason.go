package freshness

// Reason tells why a decision was taken. The same word serves Cache-Status (RFC 9211 §2.8), the log and people.
type Reason uint8

// The reasons. The first group goes with what may be done, the second with what may not.
const (
	ReasonNone                 Reason = iota
	ReasonFresh                       // reused: still fresh
	ReasonMaxStale                    // reused stale: the client accepts it
	ReasonStaleWhileRevalidate        // reused stale: the origin allows it
	ReasonStaleIfError                // reused stale: the origin failed, and one side allows it
	ReasonDisconnected                // reused stale: the origin failed, and the policy allows it
	ReasonExplicit                    // stored: explicit freshness
	ReasonHeuristic                   // stored: heuristic freshness
	ReasonValidator                   // stored: not fresh, but it can be validated
	ReasonPartial                     // stored: part of a representation

	ReasonAbsent          // nothing is stored
	ReasonStale           // no longer fresh
	ReasonNoCache         // response no-cache
	ReasonMustRevalidate  // stale, and must-revalidate
	ReasonProxyRevalidate // stale, and proxy-revalidate
	ReasonSMaxAge         // stale, and s-maxage
	ReasonRequestNoCache  // request no-cache, or Pragma
	ReasonRequestMaxAge   // older than the request's max-age
	ReasonRequestMinFresh // not fresh for as long as the request's min-fresh
	ReasonOnlyIfCached    // request only-if-cached
	ReasonRequestNoStore  // request no-store
	ReasonNoStore         // response no-store
	ReasonPrivate         // response private
	ReasonAuthorization   // the request had Authorization, and §3.5 does not allow it
	ReasonMustUnderstand  // must-understand with an unknown status code
	ReasonMalformed       // unreadable Cache-Control
	ReasonMethod          // a method whose responses are not stored
	ReasonContentLocation // POST or PATCH without its own URI in Content-Location
	ReasonStatus          // a status code that is never stored
	ReasonErrorRefused    // Policy.RefuseErrors
	ReasonSetCookie       // Set-Cookie without explicit freshness, or Policy.RefuseSetCookie
	ReasonVary            // Vary: *
	ReasonNoFreshness     // no freshness, and nothing else that storing could serve
	ReasonNoValidator     // no-cache without a validator
	ReasonNotAnError      // the origin's answer is not a failure
	ReasonNotStaleIfError // the origin failed, and nothing allows a stale answer

	ReasonOverride // an Override decided, this way or that
)

// reasons holds the word and the sentence of each Reason.
var reasons = [...]struct{ word, sentence string }{
	ReasonNone:                 {"none", "No decision was taken."},
	ReasonFresh:                {"fresh", "The stored response is still fresh."},
	ReasonMaxStale:             {"max-stale", "The stored response is stale, and the request's max-stale accepts that."},
	ReasonStaleWhileRevalidate: {"stale-while-revalidate", "The stored response is stale, and its stale-while-revalidate allows one more use while it is validated."},
	ReasonStaleIfError:         {"stale-if-error", "The origin server failed, and stale-if-error allows the stored response in its place."},
	ReasonDisconnected:         {"disconnected", "The origin server failed, and the proxy is set up to use a stale response in that case."},
	ReasonExplicit:             {"explicit-freshness", "The origin server gave the response a freshness lifetime."},
	ReasonHeuristic:            {"heuristic-freshness", "The response has no explicit freshness lifetime; one was estimated from Last-Modified."},
	ReasonValidator:            {"validator", "The response is not fresh, but its ETag or Last-Modified lets it be validated."},
	ReasonPartial:              {"partial", "The response holds a part of the representation and was stored as such."},
	ReasonAbsent:               {"absent", "Nothing that matches the request is stored."},
	ReasonStale:                {"stale", "The stored response is older than its freshness lifetime."},
	ReasonNoCache:              {"no-cache", "The response says no-cache, so it must be validated before each use."},
	ReasonMustRevalidate:       {"must-revalidate", "The stored response is stale, and must-revalidate forbids using it without validation."},
	ReasonProxyRevalidate:      {"proxy-revalidate", "The stored response is stale, and proxy-revalidate forbids a shared cache to use it without validation."},
	ReasonSMaxAge:              {"s-maxage", "The stored response is stale, and s-maxage forbids a shared cache to use it without validation."},
	ReasonRequestNoCache:       {"request-no-cache", "The request asks for validation with no-cache."},
	ReasonRequestMaxAge:        {"request-max-age", "The stored response is older than the request's max-age accepts."},
	ReasonRequestMinFresh:      {"request-min-fresh", "The stored response will not stay fresh for as long as the request's min-fresh asks."},
	ReasonOnlyIfCached:         {"only-if-cached", "The request wants only a stored response, and none can be used."},
	ReasonRequestNoStore:       {"request-no-store", "The request says no-store, so the response to it is not stored."},
	ReasonNoStore:              {"no-store", "The response says no-store."},
	ReasonPrivate:              {"private", "The response says private: it is meant for one user, and this cache is shared."},
	ReasonAuthorization:        {"authorization", "The request was sent with Authorization; only public, must-revalidate or s-maxage makes the response shareable."},
	ReasonMustUnderstand:       {"must-understand", "The response says must-understand, and its status code is not known to this cache."},
	ReasonMalformed:            {"malformed-cache-control", "The Cache-Control field cannot be read (a quote is not closed), so nothing is stored."},
	ReasonMethod:               {"method", "Responses to this method are not stored."},
	ReasonContentLocation:      {"content-location", "A response to this method is stored only as a 200 with explicit freshness and the request's own URI in Content-Location."},
	ReasonStatus:               {"status", "Responses with this status code are not stored: they are about one request, not about the resource."},
	ReasonErrorRefused:         {"store-errors-off", "The proxy is set up not to store error responses."},
	ReasonSetCookie:            {"set-cookie", "The response sets a cookie; it is stored only with an explicit freshness lifetime, and only if the proxy is set up so."},
	ReasonVary:                 {"vary-star", "The response says Vary: *, so no later request can match it."},
	ReasonNoFreshness:          {"no-explicit-freshness", "The response has no freshness lifetime and no validator that would make storing it useful; a max-age would."},
	ReasonNoValidator:          {"no-validator", "The response says no-cache and has no ETag or Last-Modified, so it could never be used."},
	ReasonNotAnError:           {"not-an-error", "The origin server's answer is not a failure that a stored response may stand in for."},
	ReasonNotStaleIfError:      {"no-stale-if-error", "The origin server failed, and neither stale-if-error nor the proxy's settings allow the stored response in its place."},
	ReasonOverride:             {"override", "One of the proxy's overrides decided, in place of what the response says."},
}

// String returns a short lower-case word that is also a token.
func (r Reason) String() string {
	if int(r) >= len(reasons) {
		return "unknown"
	}
	return reasons[r].word
}

// Explain returns one sentence for people.
func (r Reason) Explain() string {
	if int(r) >= len(reasons) {
		return "The reason is not known."
	}
	return reasons[r].sentence
}
