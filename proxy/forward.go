package proxy

import (
	"bytes"
	"context"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/jayproxy/jay/proxy/parent"
	"github.com/jayproxy/jay/proxy/upstream"
	"github.com/jayproxy/jay/proxy/wire"
	"github.com/jayproxy/jay/validation"
)

// edits are what the cache changes about a request that it sends on in place of the client's.
type edits struct {
	drop func(name string) bool // fields of the client's that are left out; nil: none
	add  []validation.Field     // fields of the cache's own
}

// requestHead serialises the request as it goes to the origin: the client's end-to-end fields as they came, in their
// order and spelling, with Host, Via and framing put right. If it is forwarded to a parent, it is in absolute form, and has
// what the parent wants to know of Jay.
func (x *exchange) requestHead(e edits, forwarded bool, via *parent.Parent) []byte {
	r := x.req
	target := x.originTarget()
	if forwarded {
		target = x.absoluteTarget(target)
	}
	dst := wire.AppendRequestLine(make([]byte, 0, len(r.Target)+512), r.Method, target)
	host, length := false, false
	for i := range r.Fields.Len() {
		name, value := r.Fields.At(i)
		switch {
		case strings.EqualFold(name, "Content-Length"):
			if !length {
				dst, length = wire.AppendField(dst, name, plainLength(value, r.Body)), true
			}
		case strings.EqualFold(name, "Host"):
			dst, host = wire.AppendField(dst, name, x.hostValue(value)), true
		case hopByHop(name), x.nominated.has(name), e.drop != nil && e.drop(name):
		case r.Minor == 0 && strings.EqualFold(name, "Expect"):
		case strings.EqualFold(name, "Max-Forwards"):
			dst = wire.AppendField(dst, name, x.forwardsLeft(value))
		default:
			dst = wire.AppendField(dst, name, value)
		}
	}
	if !host {
		dst = wire.AppendField(dst, "Host", x.authority)
	}
	for _, f := range e.add {
		dst = wire.AppendField(dst, f.Name, f.Value)
	}
	if r.Body.Chunked {
		dst = append(dst, "Transfer-Encoding: chunked\r\n"...)
	}
	dst = appendVia(dst, x.protocol(), x.opt.via)
	if forwarded && via.Authorization() != "" {
		dst = wire.AppendField(dst, "Proxy-Authorization", via.Authorization())
	}
	return append(x.appendRequestConnection(dst), "\r\n"...)
}

// absoluteTarget is the request target in the form a proxy wants, made from the origin's (RFC 9112 §3.2.2, §3.2.4).
func (x *exchange) absoluteTarget(target string) string {
	if target == "*" {
		target = ""
	}
	return x.scheme + "://" + x.authority + target
}

// plainLength is a Content-Length as one number, whatever accepted form it came in (RFC 9112 §6.3).
func plainLength(value string, f wire.Framing) string {
	if f.Length > 0 || strings.ContainsAny(value, ", ") {
		value = strconv.FormatInt(f.Length, 10)
	}
	return value
}

// originTarget is the request target in the form an origin wants (RFC 9112 §3.2.1, §3.2.4).
func (x *exchange) originTarget() string {
	path := x.req.URI.Path
	switch {
	case x.req.URI.Form == wire.AsteriskForm, path == "" && x.req.Method == "OPTIONS":
		return "*"
	case path == "":
		return "/"
	case path[0] == '?':
		return "/" + path
	}
	return path
}

// hostValue is the Host field for the origin: what the client sent, unless its absolute-form target says otherwise
// (RFC 9112 §3.2.2).
func (x *exchange) hostValue(sent string) string {
	if x.req.URI.Form == wire.AbsoluteForm && !strings.EqualFold(sent, x.authority) {
		return x.authority
	}
	return sent
}

// appendVia adds Jay to the intermediaries a message has passed (RFC 9110 §7.6.3); protocol is the one it arrived in.
func appendVia(dst []byte, protocol, name string) []byte {
	dst = append(append(dst, "Via: "...), strings.TrimPrefix(protocol, "HTTP/")...)
	dst = append(dst, ' ')
	dst = append(dst, name...)
	return append(dst, "\r\n"...)
}

// appendRequestConnection adds the fields that concern the connection to the origin.
func (x *exchange) appendRequestConnection(dst []byte) []byte {
	if token := x.upgradeToken(); token != "" {
		dst = wire.AppendField(dst, "Upgrade", token)
		return append(dst, "Connection: Upgrade\r\n"...)
	}
	if x.options.te && x.req.Fields.HasToken("TE", "trailers") {
		dst = append(dst, "TE: trailers\r\nConnection: TE\r\n"...)
	}
	return dst
}

// send asks the origin. The client's going away ends it, unless ctx outlives the client.
func (x *exchange) send(ctx context.Context, e edits) (*upstream.Response, error) {
	r := &upstream.Request{
		Method:     x.req.Method,
		Idempotent: idempotent(x.req.Method) && !x.hasBody,
		Upgrade:    x.upgradeToken() != "",
		Interim:    x.interim,
	}
	if x.hasBody {
		x.sendsBody(r)
		defer x.unwatch()
	} else if !x.background {
		stop := x.c.watch(x.gone)
		defer stop()
	}
	return x.request(ctx, e, r)
}

// gone is called when the client has left.
func (x *exchange) gone() {
	x.rec.Cause = "client-closed"
	x.cancel()
}

// sendsBody has the request's body sent with it. One that has arrived with the head is read at once.
func (x *exchange) sendsBody(r *upstream.Request) {
	x.readBodyWithin()
	r.Chunked = x.req.Body.Chunked
	r.Trailers = x.body.Trailers
	body := &bodyReader{x: x}
	if left := x.body.Remaining(); left >= 0 && left <= int64(len(x.c.r.Buffered())) {
		b := make([]byte, left)
		n, _ := io.ReadFull(body, b)
		r.Body, r.Buffered = bytes.NewReader(b[:n]), true
		return
	}
	r.Body = body
	r.StopBody = func() { x.c.nc.SetReadDeadline(time.Unix(1, 0)) }
}

// watchAfterBody begins to look for the client's going away once nothing of its request is left to be read.
func (x *exchange) watchAfterBody() {
	x.watchMu.Lock()
	defer x.watchMu.Unlock()
	if x.stopWatch == nil && !x.watchOver {
		x.stopWatch = x.c.watch(x.gone)
	}
}

// unwatch ends that.
func (x *exchange) unwatch() {
	x.watchMu.Lock()
	stop := x.stopWatch
	x.stopWatch, x.watchOver = nil, true
	x.watchMu.Unlock()
	if stop != nil {
		stop()
	}
}

// bodyReader reads a request's body with a deadline that moves as it comes, but not for a body that only drips.
type bodyReader struct {
	x      *exchange
	waited time.Duration // for the n bytes: an origin that takes them slowly, or has not asked for them yet, is not counted
	n      int64
	total  int64
}

// Read implements io.Reader. A fault of Jay's own ends the body: nobody up the stack of the goroutine that sends it could
// contain it.
func (b *bodyReader) Read(p []byte) (n int, err error) {
	defer func() {
		if e := recover(); e != nil {
			b.x.p.panicked(b.x.c, e)
			n, err = 0, errFault
		}
	}()
	return b.read(p)
}

// read reads on. The end comes with the last bytes, as soon as it is known: an answer may be faster than another Read.
func (b *bodyReader) read(p []byte) (int, error) {
	start := time.Now()
	n, err := b.x.body.Read(p)
	now := time.Now()
	if b.total > 0 {
		b.n, b.waited = b.n+int64(n), b.waited+now.Sub(start)
	}
	b.total += int64(n)
	if limit := b.x.opt.MaxRequestBody; limit > 0 && b.total > limit {
		return 0, errLargeBody
	}
	b.x.rec.BytesIn += int64(n)
	if err == nil && b.x.body.Whole() {
		err = io.EOF
	}
	if (err == nil || err == io.EOF) && b.x.body.Whole() {
		b.x.bodyDone.Store(true)
		b.x.watchAfterBody()
		return n, err
	}
	if err != nil {
		return n, err
	}
	if rate := b.x.opt.MinBodyRate; rate > 0 && b.waited >= rateWindow {
		if b.n < rate*int64(rateWindow/time.Second) {
			return n, errSlowBody
		}
		b.waited, b.n = 0, 0
	}
	b.x.c.readWithin(now, b.x.opt.BodyTimeout)
	return n, nil
}

// rateWindow is the time over which the rate of a request's body is averaged.
const rateWindow = 30 * time.Second

// errSlowBody ends a request whose body drips.
var errSlowBody = &wire.Error{Status: 408, Detail: "the request body arrives too slowly"}

// errLargeBody ends a request whose body turns out to be too large.
var errLargeBody = &wire.Error{Status: 413, Detail: faultTooLarge.text}

// interim passes a 1xx answer on (RFC 9110 §15.2). HTTP/1.0 clients do not know them, in the background there is no client,
// and while a body is sent that is put together from several answers there is no place for them.
func (x *exchange) interim(r *wire.Response) error {
	if x.req.Minor == 0 || x.background || x.reply.begun {
		return nil
	}
	if r.Status == 100 && x.hasBody && !x.bodyDone.Load() { // now it is up to the client
		x.c.nc.SetReadDeadline(time.Now().Add(x.opt.BodyTimeout))
	}
	nominated := nominations(&r.Fields)
	x.c.out = wire.AppendStatusLine(x.c.borrow(), 1, r.Status, r.Reason)
	x.c.out = r.Fields.Append(x.c.out, func(name string) bool { return hopByHop(name) || nominated.has(name) })
	if r.Fields.Len() > 0 {
		x.c.out = appendVia(x.c.out, httpOne(r.Minor), x.opt.via)
	}
	x.c.out = append(x.c.out, "\r\n"...)
	x.c.writeWithin(time.Now(), x.opt.WriteTimeout)
	return x.flush()
}

// idempotent tells whether a request may be repeated by an intermediary (RFC 9110 §9.2.2).
func idempotent(method string) bool {
	switch method {
	case "GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE":
		return true
	}
	return false
}

// passLines are a response's end-to-end fields as they came, with Date where it lacks one (RFC 9110 §6.6.1) and Via.
// Fields that only leave reports true for are left out, too.
func (x *exchange) passLines(r *upstream.Response, leave func(name string) bool) []byte {
	nominated := nominations(&r.Fields)
	size := 128
	if n := r.Fields.Len(); n > 0 {
		size += 48 * n
	}
	length, repeated := false, soleLength(r)
	dst := r.Fields.Append(make([]byte, 0, size), func(name string) bool {
		if repeated != "" && strings.EqualFold(name, "Content-Length") {
			length = true
			return true
		}
		return hopByHop(name) || nominated.has(name) || leave != nil && leave(name)
	})
	if length && (leave == nil || !leave("Content-Length")) {
		dst = wire.AppendField(dst, "Content-Length", repeated)
	}
	if !r.Fields.Has("Date") {
		dst = wire.AppendField(dst, "Date", r.ResponseTime.UTC().Format(dateFormat))
	}
	return appendVia(dst, httpOne(r.Minor), x.opt.via)
}

// soleLength is the Content-Length of a response that gives it more than once, as one number; empty if it does not.
func soleLength(r *upstream.Response) string {
	values := r.Fields.Values("Content-Length")
	if len(values) == 0 || len(values) == 1 && !strings.Contains(values[0], ",") {
		return ""
	}
	first, _, _ := strings.Cut(values[0], ",")
	return strings.TrimSpace(first)
}

// dateFormat is IMF-fixdate (RFC 9110 §5.6.7).
const dateFormat = "Mon, 02 Jan 2006 15:04:05 GMT"

// relay makes a response that is not stored the reply: its body goes through as it arrives.
func (x *exchange) relay(r *upstream.Response, cacheStatus []byte) {
	length := bodyLength(&r.Response)
	if bodyless(x.req.Method, r.Status) {
		length = -1
	}
	x.reply = reply{
		status: r.Status, reason: r.Reason, lines: string(x.passLines(r, nil)), age: -1, cacheStatus: cacheStatus,
		hasLength: r.Fields.Has("Content-Length"), length: length, origin: r, close: x.reply.close,
	}
}

// bodyLength is how many bytes a response's body has, or -1.
func bodyLength(r *wire.Response) int64 {
	if r.Body.Chunked || r.Body.UntilClose {
		return -1
	}
	return r.Body.Length
}
