package proxy

import (
	"strings"

	"github.com/jayproxy/jay/proxy/access"
	"github.com/jayproxy/jay/proxy/upstream"
	"github.com/jayproxy/jay/validation"
)

// pass forwards a request past the cache and relays the answer. What an unsafe request changed is invalidated.
func (x *exchange) pass(v verdict) {
	before := x.p.store.Epoch(x.url)
	resp, err := x.send(x.ctx, edits{})
	if err != nil {
		x.failed(err)
		return
	}
	x.rec.Decision = access.Pass
	x.reply.status = resp.Status
	if resp.Status == 101 {
		x.switched(resp)
		return
	}
	x.allowSilence(resp)
	overtaken := x.p.store.Epoch(x.url) != before // by another request that changed the same
	x.invalidate(resp)
	v.status = resp.Status
	if f, bad := x.unasked(resp.Status); bad {
		resp.Close()
		x.refuse(f)
		return
	}
	if overtaken || !x.postStored(resp, x.p.store.Epoch(x.url), &v) {
		x.relay(resp, x.cacheStatus(v))
	}
}

// invalidate drops what is stored for the URIs that an unsafe request has changed (RFC 9111 §4.4).
func (x *exchange) invalidate(resp *upstream.Response) {
	if x.unverified || !validation.Invalidates(x.req.Method, resp.Status) {
		return
	}
	x.p.drop(x.url)
	h := resp.Fields.Header()
	for _, target := range validation.Targets(x.uri(), h) {
		x.p.drop(x.scheme + "://" + x.authority + target)
	}
	x.invalidateGroups(h)
}

// drop invalidates one URI: what is stored, and what is on its way.
func (p *Proxy) drop(key string) {
	origin := key[:len("https://")+max(strings.IndexByte(key[len("https://"):], '/'), 0)]
	if same, ok := p.searches.find(origin, key[len(origin):]); ok && same != key {
		p.store.Invalidate(same)
	}
	p.store.Invalidate(key)
	p.flights.forget(key)
	p.flights.forget(partsOf(key))
}
