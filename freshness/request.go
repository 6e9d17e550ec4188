package freshness

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/pquerna/cachecontrol/cacheobject"
)

// ParseRequest reads what a request says about caching (RFC 9111 §5.2.1, §5.4; RFC 5861 §4). It never fails: a directive
// that cannot be read counts as its strictest form. The names in h are canonical. It does not allocate unless the
// request has a directive that it knows.
func ParseRequest(h http.Header) Request {
	r := Request{Authorization: len(h["Authorization"]) > 0, Cookie: len(h["Cookie"]) > 0, Range: len(h["Range"]) > 0}
	said := false
	eachMember(h["Cache-Control"], func(member string, open bool) {
		said = said || member != ""
		r.NoCache = r.NoCache || open
		r.NoStore = r.NoStore || open
		r.add(member)
	})
	if !said {
		r.NoCache = hasMember(h["Pragma"], "no-cache")
	}
	return r
}

// add takes one directive into r.
func (r *Request) add(member string) {
	name, wellFormed := nameOf(member)
	if !wellFormed {
		// Something like "no-store;max-age=0": obey every word in it that demands anything.
		eachWord(member, r.restrict)
		return
	}
	if !knownToRequests(name) {
		return // RFC 9111 §5.2.3: unknown directives are ignored
	}
	d, err := cacheobject.ParseRequestCacheControl(member)
	if err != nil {
		r.restrict(strings.ToLower(name))
		return
	}
	r.merge(d, name)
}

// merge takes a directive that could be read. Of several values the strictest counts.
func (r *Request) merge(d *cacheobject.RequestCacheDirectives, name string) {
	r.NoCache = r.NoCache || d.NoCache
	r.NoStore = r.NoStore || d.NoStore
	r.NoTransform = r.NoTransform || d.NoTransform
	r.OnlyIfCached = r.OnlyIfCached || d.OnlyIfCached
	if d.MaxAge >= 0 {
		r.MaxAge = r.MaxAge.least(seconds(d.MaxAge))
	}
	if d.MinFresh >= 0 {
		r.MinFresh = r.MinFresh.most(seconds(d.MinFresh))
	}
	switch {
	case d.MaxStaleSet:
		r.MaxStale = r.MaxStale.least(maxDelta)
	case d.MaxStale >= 0:
		r.MaxStale = r.MaxStale.least(seconds(d.MaxStale))
	}
	if fold(name, "stale-if-error") { // absent and 0 look alike in the decoded form
		r.StaleIfError = r.StaleIfError.least(seconds(d.StaleIfError))
	}
}

// restrict takes the lower-case name of a directive whose argument cannot be read.
func (r *Request) restrict(name string) {
	switch name {
	case "no-cache":
		r.NoCache = true
	case "no-store":
		r.NoStore = true
	case "no-transform":
		r.NoTransform = true
	case "only-if-cached":
		r.OnlyIfCached = true
	case "max-age":
		r.MaxAge = r.MaxAge.least(0)
	case "min-fresh":
		r.MinFresh = r.MinFresh.most(maxDelta)
	case "max-stale":
		r.MaxStale = r.MaxStale.least(0)
	case "stale-if-error":
		r.StaleIfError = r.StaleIfError.least(0)
	}
}

var requestDirectives = [...]string{
	"no-cache", "max-age", "no-store", "only-if-cached", "max-stale", "min-fresh", "stale-if-error", "no-transform",
}

// knownToRequests tells whether name, in either case, is a request directive that matters here.
func knownToRequests(name string) bool {
	return slices.ContainsFunc(requestDirectives[:], func(known string) bool { return fold(name, known) })
}

// seconds converts what the decoder returns; it has already cut the value to 2^31-1.
func seconds(n cacheobject.DeltaSeconds) time.Duration { return time.Duration(n) * time.Second }

// least returns the smaller of d and v, v if d is not set.
func (d Delta) least(v time.Duration) Delta {
	if d.Set && d.Value < v {
		return d
	}
	return Delta{Value: v, Set: true}
}

// most returns the greater of d and v, v if d is not set.
func (d Delta) most(v time.Duration) Delta {
	if d.Set && d.Value > v {
		return d
	}
	return Delta{Value: v, Set: true}
}
