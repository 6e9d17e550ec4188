package proxy

import (
	"strings"
	"time"
	"unsafe"

	"github.com/jayproxy/jay/cache"
	"github.com/jayproxy/jay/freshness"
	"github.com/jayproxy/jay/proxy/access"
	"github.com/jayproxy/jay/proxy/wire"
)

// lane answers a plain request for a fresh stored response straight from the connection loop, with the functions of the
// ordinary path but without its allocations. It returns false, with nothing done, when anything else might have to be
// decided.
func (c *conn) lane(now time.Time) bool {
	if c.p.noLane || !c.plain(now) {
		return false
	}
	x := c.p.lanes.Get().(*exchange)
	defer c.p.leaveLane(x)
	e := c.laneEntry(&x.view)
	if e == nil {
		return false
	}
	user, ruling, ok := c.lanePermit(now, e)
	if !ok {
		return false
	}
	fresh := &e.Meta.fresh
	if e.Meta.criteria != c.opt.criteria || fresh.InSpite() {
		return false
	}
	d := freshness.Decide(freshness.Request{Cookie: fresh.Rule() != 0 && c.req.Fields.Has("Cookie")}, fresh, now)
	if d.Verdict != freshness.Reuse {
		return false
	}
	c.persistent = true
	c.p.store.Use(e)
	c.laneExchange(x, now)
	x.rec.User, x.rec.Rule, x.rec.Reported = user, ruling.Rule, strings.Join(ruling.Reported, ",")
	x.begin(e, int64(d.Age/time.Second), x.cacheStatus(verdict{hit: true, detail: c.opt.word(d.Reason, fresh)}.withTTL(d.TTL())))
	x.pieces = e.Body.AppendBuffers(x.pieces[:0], 0, e.Length)
	x.reply.stored = x.pieces
	ok = x.answer()
	x.log()
	if x.reply.failed != nil {
		x.abort()
	}
	c.persistent = ok
	return true
}

// leaveLane puts an exchange of the lane back.
func (p *Proxy) leaveLane(x *exchange) {
	x.view.Reset()
	p.lanes.Put(x)
}

// plain tells whether a request is one for which only the store and the clock decide.
func (c *conn) plain(now time.Time) bool {
	r := &c.req
	if r.Method != "GET" && r.Method != "HEAD" || r.Minor != 1 || r.Body != (wire.Framing{}) {
		return false
	}
	switch c.mode {
	case Explicit:
		if r.URI.Form != wire.AbsoluteForm {
			return false
		}
	case ByHost:
		if r.URI.Form != wire.OriginForm {
			return false
		}
	default:
		if r.URI.Form != wire.OriginForm || !c.named(now) {
			return false
		}
	}
	for i := range r.Fields.Len() {
		if name, value := r.Fields.At(i); decisive(name, value) && !c.isLogin(name) {
			return false
		}
	}
	return true
}

// decisive tells whether a field may change what is answered, or how.
func decisive(name, value string) bool {
	switch name[0] | 0x20 {
	case 'a':
		return strings.EqualFold(name, "Authorization")
	case 'c':
		return strings.EqualFold(name, "Cache-Control") || strings.EqualFold(name, "Content-Length") ||
			strings.EqualFold(name, "Connection") && !strings.EqualFold(value, "keep-alive")
	case 'p':
		return strings.EqualFold(name, "Pragma") || strings.EqualFold(name, "Proxy-Authorization") ||
			strings.EqualFold(name, "Proxy-Connection") && !strings.EqualFold(value, "keep-alive")
	case 'e':
		return strings.EqualFold(name, "Expect")
	case 'i':
		return len(name) > 3 && name[2] == '-' && name[1]|0x20 == 'f'
	case 'r':
		return strings.EqualFold(name, "Range")
	case 't':
		return strings.EqualFold(name, "TE") || strings.EqualFold(name, "Trailer") || strings.EqualFold(name, "Transfer-Encoding")
	case 'm':
		return strings.EqualFold(name, "Max-Forwards")
	case 'u':
		return strings.EqualFold(name, "Upgrade")
	case 'v':
		return strings.EqualFold(name, "Via")
	}
	return false
}

// laneEntry is the stored response that the request selects byte for byte, or nil. It lies in v.
func (c *conn) laneEntry(v *cache.View[stored]) *entry {
	u := &c.req.URI
	if u.Scheme == "https" || u.Host == "" || u.Path == "" || u.Path[0] != '/' {
		return nil
	}
	c.key = append(c.key[:0], "http://"...)
	if strings.IndexByte(u.Host, ':') >= 0 {
		c.key = append(append(append(c.key, '['), u.Host...), ']')
	} else {
		c.key = append(c.key, u.Host...)
	}
	if u.Port != "" && u.Port != "80" {
		if u.Port[0] == '0' {
			return nil
		}
		c.key = append(append(c.key, ':'), u.Port...)
	}
	c.key = append(c.key, u.Path...)
	if !c.local && !c.dst.IsValid() && !c.laneMayReach(u.Port) {
		return nil
	}
	list := c.p.store.View(unsafe.String(unsafe.SliceData(c.key), len(c.key)), v)
	for _, e := range list {
		m := &e.Meta
		if !m.selects.likewise(list[0].Meta.selects) || !e.Complete() || m.withholds || m.restricted && !c.local {
			return nil // which one is selected is not plain
		}
		if m.selects.by(&c.req.Fields) {
			return e
		}
	}
	return nil
}

// laneMayReach tells whether other machines' clients may have a port without a closer look.
func (c *conn) laneMayReach(port string) bool {
	return (port == "" || port == "80") && contains(c.opt.HTTPPorts, 80)
}

// laneExchange makes x, which is from the pool, an exchange for the lane.
func (c *conn) laneExchange(x *exchange, now time.Time) {
	x.p, x.opt, x.c, x.req, x.start = c.p, c.opt, c, &c.req, now
	x.reply = reply{age: -1}
	x.rec = access.Record{
		Time: now, Client: c.client, Method: c.req.Method, Proto: x.protocol(), Decision: access.Hit,
		URL:       unsafe.String(unsafe.SliceData(c.key), len(c.key)),
		UserAgent: c.req.Fields.Get("User-Agent"), Referer: c.req.Fields.Get("Referer"),
	}
	x.url = x.rec.URL
}
