package proxy

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"

	"github.com/jayproxy/jay/cache"
	"github.com/jayproxy/jay/freshness"
	"github.com/jayproxy/jay/proxy/access"
	"github.com/jayproxy/jay/proxy/policy"
	"github.com/jayproxy/jay/proxy/upstream"
	"github.com/jayproxy/jay/proxy/wire"
)

// exchange is one request and its answer. It is the http.ResponseWriter that goproxy answers through, and it belongs to
// its connection's goroutine.
type exchange struct {
	p   *Proxy
	opt *settings // those that were in use when it began
	c   *conn
	req *wire.Request

	body     wire.Body // the request's body; meaningful if hasBody
	hasBody  bool
	bodyDone atomic.Bool // all of it was read

	origin    upstream.Origin
	client    *upstream.Client
	scheme    string
	authority string // host[:port] as it stands in the key and, unless the client's Host says the same, in Host
	url       string // absolute, the cache key (RFC 9111 §2) byte for byte

	options    connectionOptions
	nominated  nominated
	fields     http.Header // the request's fields as forwarded
	asks       freshness.Request
	unverified bool   // the client may have lied about the host: nothing of this exchange touches the cache
	replaced   bool   // the cache's conditions went out in place of the client's
	apart      bool   // what is stored is for requests without credentials, and this one has some
	bypass     string // why the cache is left out of this exchange; empty: it is not

	asked   policy.Question // what the policy was asked
	pending bool            // the address that is connected to decides
	denial  fault           // what the handlers for strangers and for the policy found
	settled policy.Decision // what the policy says about a name that a parent resolves; without a Rule: not asked yet

	start  time.Time
	ctx    context.Context // ends when the client is gone or the proxy must end
	cancel context.CancelFunc

	watchMu    sync.Mutex
	stopWatch  func() // ends the watch that began after the request's body
	watchOver  bool
	background bool   // no client waits for this
	explaining func() // takes the place of the round trip when a request is explained, not answered

	reply   reply
	vector  [][]byte           // pieces to be written at once; reused
	pieces  [][]byte           // of a stored body; reused by the lane
	view    cache.View[stored] // of stored responses; used by the lane
	sending net.Buffers        // the same, as far as it is not written
	rec     access.Record
}

// newExchange begins an exchange for the request that c has read.
func (c *conn) newExchange(now time.Time) *exchange {
	x := &exchange{p: c.p, opt: c.opt, c: c, req: &c.req, start: now}
	x.reply.age = -1
	x.rec.Time, x.rec.Client = now, c.client
	return x
}

// exchange answers the request in c.req on the ordinary path. It returns false when the connection is done.
func (c *conn) exchange(now time.Time) bool {
	x := c.newExchange(now)
	x.ctx, x.cancel = context.WithCancel(c.p.ctx)
	defer x.cancel()
	defer x.reply.release() // in case of a fault; otherwise it is done
	x.readRequest()
	f := x.expectation()
	if f.status == 0 {
		f = x.locate()
	}
	switch {
	case f.status != 0:
		x.refuse(f)
		x.answer()
	case x.req.Method == "CONNECT":
		return x.connect()
	default:
		x.dispatch()
	}
	return x.finish()
}

// readRequest takes from the head what decides about the connection and the body.
func (x *exchange) readRequest() {
	r := x.req
	x.options = optionsOf(&r.Fields)
	x.c.persistent = !x.options.close && (r.Minor >= 1 || x.options.keepAlive)
	x.nominated = nominations(&r.Fields)
	if r.Body.Chunked || r.Body.Length > 0 {
		x.hasBody = true
		x.c.r.Body(&x.body, r.Body)
	}
	x.rec.Method = r.Method
	x.rec.Proto = x.protocol()
	x.rec.UserAgent, x.rec.Referer = r.Fields.Get("User-Agent"), r.Fields.Get("Referer")
}

// expectation refuses what a client expects and nobody here can meet (RFC 9110 §10.1.1), and a body that is too large.
func (x *exchange) expectation() fault {
	for _, v := range x.req.Fields.Values("Expect") {
		if !strings.EqualFold(v, "100-continue") && x.req.Minor > 0 {
			return fault{status: 417, kind: "http_request_error", text: "the only expectation that can be met is 100-continue"}
		}
	}
	if limit := x.opt.MaxRequestBody; limit > 0 && x.req.Body.Length > limit {
		return faultTooLarge
	}
	return fault{}
}

// setOrigin names where the request goes, and with that its cache key.
func (x *exchange) setOrigin(scheme, host, port, path string, addr netip.AddrPort) {
	x.scheme = scheme
	n := uint16(80)
	if scheme == "https" {
		n = 443
	}
	x.authority = host
	if strings.IndexByte(host, ':') >= 0 {
		x.authority = "[" + host + "]"
	}
	if v, err := strconv.ParseUint(port, 10, 16); err == nil && uint16(v) != n {
		n = uint16(v)
		x.authority += ":" + strconv.Itoa(int(n))
	}
	x.origin = upstream.Origin{TLS: scheme == "https", Host: host, Port: n, Addr: addr}
	x.client = x.p.guarded
	if x.c.local {
		x.client = x.p.direct
	}
	if path == "" || path[0] == '?' {
		path = "/" + path
	}
	x.url = scheme + "://" + x.authority + path
	x.rec.URL = x.url
}

// dispatch sends the request through goproxy's handlers, which answer it or have it forwarded.
func (x *exchange) dispatch() {
	if x.hasBody && x.req.Fields.Has("Expect") {
		x.readBodyWithin()
	}
	x.fields = x.forwardedFields()
	r := &http.Request{
		Method: x.req.Method, Proto: x.rec.Proto, ProtoMajor: 1, ProtoMinor: x.req.Minor,
		Header: x.fields, Body: http.NoBody, Host: x.authority, RemoteAddr: x.c.client.String(),
		RequestURI: x.req.Target, URL: &url.URL{},
	}
	if x.scheme != "" {
		path, query, _ := strings.Cut(x.url[len(x.scheme)+3+len(x.authority):], "?")
		r.URL = &url.URL{Scheme: x.scheme, Host: x.authority, Opaque: "//" + x.authority + path, Path: path, RawQuery: query}
	}
	x.p.gp.ServeHTTP(x, r.WithContext(context.WithValue(x.ctx, exchangeKey{}, x)))
}

// exchangeKey is where a request's context keeps its exchange.
type exchangeKey struct{}

// exchangeOf is the exchange that a request seen by goproxy's handlers belongs to.
func exchangeOf(r *http.Request) *exchange { return r.Context().Value(exchangeKey{}).(*exchange) }

// forwardedFields is the request's field section as the origin will see it, as a map for those who decide by it.
func (x *exchange) forwardedFields() http.Header {
	h := x.req.Fields.Header()
	for name := range h {
		if hopByHop(name) || x.nominated.has(name) {
			delete(h, name)
		}
	}
	return h
}

// Header is the map that goproxy copies a response's fields to. What goes out is the reply, whose order and spelling a
// map could not keep, so the map is thrown away.
func (x *exchange) Header() http.Header { return http.Header{} }

// WriteHeader is called by goproxy before the body; the reply writes both at once.
func (x *exchange) WriteHeader(int) {}

// Write is not used: every reply is sent by ReadFrom.
func (x *exchange) Write(p []byte) (int, error) { return len(p), nil }

// ReadFrom sends the reply that was decided. goproxy calls it to copy the body.
func (x *exchange) ReadFrom(io.Reader) (int64, error) {
	if x.explaining != nil {
		return 0, nil
	}
	x.answer()
	return x.reply.written, x.reply.failed
}

// response is the reply in the form that goproxy passes on.
func (x *exchange) response() *http.Response {
	return &http.Response{StatusCode: x.reply.status, Body: &x.reply}
}

// finish ends the exchange after its answer: the log line, what it held, what became of the request's body, and a protocol
// that was switched to. It returns whether the connection can take another request.
func (x *exchange) finish() bool {
	r := &x.reply
	if r.takeOver && r.failed == nil {
		x.takeOver()
		return false
	}
	r.release()
	x.log()
	switch {
	case r.failed != nil:
		x.abort()
	case x.hasBody && !x.bodyDone.Load():
		x.c.lingerClose()
	case r.begun && !r.close:
		return true
	}
	return false
}

// abort makes a body that broke off look so to the client: a reset, where the end of the connection would look like the
// end of the body.
func (x *exchange) abort() {
	x.c.reset()
}

// readBodyWithin lets the request's body take its time, as long as it does not stall. Who waits to be asked for it waits
// for the origin (RFC 9110 §10.1.1).
func (x *exchange) readBodyWithin() {
	d := x.opt.BodyTimeout
	if x.req.Fields.Has("Expect") {
		d = max(d, x.opt.HeaderTimeout)
	}
	x.c.readBy = time.Now().Add(d)
	x.c.nc.SetReadDeadline(x.c.readBy)
}

// log writes the exchange's record.
func (x *exchange) log() {
	r := &x.reply
	x.rec.Duration = time.Since(x.start)
	x.rec.Status, x.rec.BytesOut = r.status, r.written
	x.rec.CacheStatus = unsafe.String(unsafe.SliceData(r.cacheStatus), len(r.cacheStatus)) // read before the buffer is used again
	if r.failed != nil && x.rec.Cause == "" {
		x.rec.Cause = cause(r.failed)
	}
	if x.opt.Access.HasContentType() {
		x.rec.ContentType = contentType(r.lines)
	}
	x.p.recent.note(&x.rec)
	x.p.stats.count(&x.rec)
	x.opt.Access.Write(&x.rec)
}

// contentType is the media type among field lines, without its parameters; empty if there is none.
func contentType(lines string) string {
	const name = "Content-Type:"
	for line := range strings.Lines(lines) {
		if len(line) > len(name) && strings.EqualFold(line[:len(name)], name) {
			kind, _, _ := strings.Cut(line[len(name):], ";")
			return strings.TrimSpace(kind)
		}
	}
	return ""
}
