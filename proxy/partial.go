package proxy

import "github.com/jayproxy/jay/cache"

// keepPart gives a 206 to the client.
func (x *exchange) keepPart(r *received, fl *flight, epoch cache.Epoch, v verdict) {
	fl.land(nil, nil)
	x.relay(r.Response, x.cacheStatus(v))
	x.reply.flight = fl
}
