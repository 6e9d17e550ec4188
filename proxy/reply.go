package proxy

import (
	"context"
	"io"
	"strconv"
	"time"

	"github.com/jayproxy/jay/cache"
	"github.com/jayproxy/jay/proxy/upstream"
	"github.com/jayproxy/jay/proxy/wire"
)

// reply is the answer to one request, decided but not yet written. Its lines are the end-to-end fields as they go out;
// what belongs to this connection or this use of the cache (framing, Age, Cache-Status) is added when it is written.
type reply struct {
	status      int
	reason      string
	own         bool   // Jay is the one who answers, not an origin
	lines       string // end-to-end field lines, each with its CRLF
	hasLength   bool   // lines hold a Content-Length
	length      int64  // bytes of the body; -1 if only its end will tell
	age         int64  // seconds, -1: no Age field is added
	cacheStatus []byte // the value of Jay's Cache-Status; empty: none
	close       bool   // the connection ends after this answer

	// The body is one of these; none of them means that there is none.
	text     []byte             // made by Jay
	stored   [][]byte           // pieces held by the cache
	fill     *cache.FillReader  // on its way into the cache
	gaps     *patchwork         // held and fetched pieces in turn
	origin   *upstream.Response // passed through
	flight   *flight            // the fetch that fill or origin belongs to; it may be nil
	begun    bool               // the head went out
	written  int64              // body bytes that went out
	failed   error              // why the body broke off
	takeOver bool               // the connection becomes a tunnel after this answer
}

// bodyless tells whether an answer of this kind never has a body (RFC 9112 §6.3).
func bodyless(method string, status int) bool {
	return method == "HEAD" || status < 200 || status == 204 || status == 304
}

// Close makes reply an io.ReadCloser; what it holds is given back by release.
func (r *reply) Close() error { return nil }

// Read is never asked: the exchange sends a reply by its kind, in ReadFrom.
func (r *reply) Read([]byte) (int, error) { return 0, io.EOF }

// release gives back what the reply holds, whether it was sent or not.
func (r *reply) release() {
	if r.fill != nil {
		r.fill.Close()
	}
	if r.gaps != nil {
		r.gaps.close()
	}
	if r.origin != nil {
		r.origin.Close()
		if r.flight != nil {
			r.flight.cancel()
		}
	}
}

// framing is how the end of a body is told to the client.
type framing int

const (
	byLength framing = iota
	byChunks
	byClose
	byStream // the end of an HTTP/2 stream
)

// frame decides the framing of the answer x is about to give.
func (x *exchange) frame() framing {
	r := &x.reply
	switch {
	case bodyless(x.req.Method, r.status) || r.length >= 0:
		return byLength
	case x.c.stream != nil:
		return byStream
	case x.req.Minor >= 1:
		return byChunks
	}
	r.close = true
	return byClose
}

// appendHead serialises the head of the answer.
func (x *exchange) appendHead(dst []byte, f framing) []byte {
	r := &x.reply
	dst = wire.AppendStatusLine(dst, 1, r.status, r.reason)
	if r.own {
		dst = time.Now().UTC().AppendFormat(append(dst, "Date: "...), dateFormat) // RFC 9110 §6.6.1
		dst = append(dst, "\r\n"...)
	}
	dst = append(dst, r.lines...)
	none := bodyless(x.req.Method, r.status)
	switch {
	case f == byChunks:
		dst = append(dst, "Transfer-Encoding: chunked\r\n"...)
	case r.length >= 0 && !r.hasLength && f == byLength && (!none || x.req.Method == "HEAD" && r.status >= 200 && r.status != 204 && r.status != 304):
		dst = appendNumber(dst, "Content-Length: ", r.length)
	}
	status := r.cacheStatus
	if x.opt.HideCacheStatus && !x.c.local {
		status = nil
	}
	dst = appendVerdict(dst, r.age, status)
	return append(x.appendConnection(dst), "\r\n"...)
}

// appendVerdict adds what the cache has to say: Age (RFC 9111 §5.1) and Cache-Status (RFC 9211).
func appendVerdict(dst []byte, age int64, status []byte) []byte {
	if age >= 0 {
		dst = appendNumber(dst, "Age: ", age)
	}
	if len(status) > 0 {
		dst = append(append(append(dst, "Cache-Status: "...), status...), "\r\n"...)
	}
	return dst
}

// appendNumber adds a field line whose value is a decimal number; name ends in ": ".
func appendNumber(dst []byte, name string, n int64) []byte {
	dst = append(dst, name...)
	dst = strconv.AppendInt(dst, n, 10)
	return append(dst, "\r\n"...)
}

// appendConnection tells the client whether its connection stays open, where its version would make it think otherwise.
func (x *exchange) appendConnection(dst []byte) []byte {
	switch {
	case x.reply.status == 101:
		return dst
	case x.reply.close:
		return append(dst, "Connection: close\r\n"...)
	case x.req.Minor == 0:
		return append(dst, "Connection: keep-alive\r\n"...)
	}
	return dst
}

// answer writes the decided reply. It returns false when the connection cannot be used any more.
func (x *exchange) answer() bool {
	r := &x.reply
	if r.failed != nil {
		return false
	}
	if !x.c.persistent || x.c.p.closing.Load() || x.hasBody && !x.bodyDone.Load() {
		r.close = true
	}
	f := x.frame()
	r.begun = true
	x.c.out = x.appendHead(x.c.borrow(), f)
	x.c.writeWithin(time.Now(), x.opt.WriteTimeout)
	if bodyless(x.req.Method, r.status) {
		r.failed = x.flush()
	} else {
		r.failed = x.sendBody(f)
	}
	return r.failed == nil && !r.close
}

// sendBody writes the body after the head that lies in the out buffer.
func (x *exchange) sendBody(f framing) error {
	r := &x.reply
	switch {
	case r.stored != nil:
		return x.sendPieces(r.stored)
	case r.fill != nil:
		return x.sendFill(f)
	case r.gaps != nil:
		return x.sendGaps()
	case r.origin != nil:
		return x.sendOrigin(f)
	}
	r.written = int64(len(r.text))
	x.c.out = append(x.c.out, r.text...)
	return x.flush()
}

// flush writes what lies in the out buffer.
func (x *exchange) flush() error {
	if len(x.c.out) == 0 {
		return nil
	}
	_, err := x.c.nc.Write(x.c.out)
	x.c.out = x.c.out[:0]
	return err
}

const (
	copyBelow   = 16 << 10  // smaller bodies are copied behind their head: one write costs less than a vector
	writeAtMost = 512 << 10 // bytes between two looks at the write deadline
)

// sendPieces writes stored pieces, in one write with the head where they are small.
func (x *exchange) sendPieces(pieces [][]byte) error {
	if len(pieces) == 1 && len(pieces[0]) <= copyBelow {
		x.c.out = append(x.c.out, pieces[0]...)
		x.reply.written = int64(len(pieces[0]))
		return x.flush()
	}
	x.vector = append(x.vector[:0], x.c.out)
	pending := len(x.c.out)
	for _, p := range pieces {
		for len(p) > 0 {
			n := min(len(p), writeAtMost)
			x.vector, pending = append(x.vector, p[:n]), pending+n
			p = p[n:]
			if pending >= writeAtMost {
				if err := x.writeVector(); err != nil {
					return err
				}
				pending = 0
			}
		}
	}
	return x.writeVector()
}

// writeVector writes the vector in one system call where the connection can. What is not the out buffer is body.
func (x *exchange) writeVector() error {
	head := int64(len(x.c.out))
	defer func() { x.c.out, x.vector = x.c.out[:0], x.vector[:0] }()
	if len(x.vector) == 0 {
		return nil
	}
	x.c.writeWithin(time.Now(), x.opt.WriteTimeout)
	x.sending = x.vector
	n, err := x.sending.WriteTo(x.c.nc)
	x.reply.written += max(n-head, 0)
	return err
}

// sendFill writes a body while it still comes in.
func (x *exchange) sendFill(f framing) error {
	r := &x.reply
	if r.flight != nil && r.flight.fill.End() <= r.fill.Offset() {
		if err := x.flush(); err != nil { // the head need not wait for the body
			return err
		}
	}
	defer x.watchBody(r.fill.Cancel)()
	for {
		b, err := r.fill.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			x.flush()
			return err
		}
		if err := x.sendPart(b, f); err != nil {
			return err
		}
	}
	var trailers *wire.Fields
	if r.flight != nil {
		trailers = r.flight.trailers
	}
	return x.endBody(f, trailers)
}

// watchBody has a body that the client has gone away from end at its source. The function it returns ends that.
func (x *exchange) watchBody(end func()) (stop func()) {
	if x.background {
		return func() {}
	}
	unhook := context.AfterFunc(x.ctx, end)
	unwatch := func() {}
	if !x.hasBody || x.bodyDone.Load() {
		unwatch = x.c.watch(x.gone)
	}
	return func() {
		unwatch()
		unhook()
	}
}

// sendPart writes a piece of a body of unknown end in the framing chosen.
func (x *exchange) sendPart(b []byte, f framing) error {
	if f == byChunks {
		x.c.out = wire.AppendChunkHeader(x.c.out, len(b))
	}
	written := x.reply.written + int64(len(b))
	defer func() { x.reply.written = written }()
	if len(b) > copyBelow {
		x.vector = append(x.vector[:0], x.c.out, b)
		if f == byChunks {
			x.vector = append(x.vector, crlf)
		}
		return x.writeVector()
	}
	x.c.out = append(x.c.out, b...)
	if f == byChunks {
		x.c.out = append(x.c.out, "\r\n"...)
	}
	x.c.writeWithin(time.Now(), x.opt.WriteTimeout)
	return x.flush()
}

// crlf ends a chunk.
var crlf = []byte("\r\n")

// endBody writes what tells the end of a body that is whole, and only then.
func (x *exchange) endBody(f framing, trailers *wire.Fields) error {
	switch f {
	case byChunks:
		x.c.out = wire.AppendLastChunk(x.c.out, trailers, hopByHop)
	case byStream:
		x.c.stream.Trailers(trailers, hopByHop)
	}
	return x.flush()
}

// sendOrigin passes a body through as it arrives.
func (x *exchange) sendOrigin(f framing) error {
	buf := x.p.copyBuffer()
	defer x.p.returnCopyBuffer(buf)
	body := x.reply.origin.Body
	waits := !x.reply.origin.Pending() && !body.Whole()
	if waits { // the head does not wait with it
		if err := x.flush(); err != nil {
			return err
		}
		defer x.watchBody(x.endOrigin)()
	}
	n, err := body.Read(*buf)
	if !waits && err == nil && !body.Whole() {
		defer x.watchBody(x.endOrigin)()
	}
	for {
		if n > 0 {
			if werr := x.sendPart((*buf)[:n], f); werr != nil {
				return werr
			}
		}
		if err == io.EOF {
			return x.endBody(f, body.Trailers())
		}
		if err != nil {
			x.flush()
			return err
		}
		n, err = body.Read(*buf)
	}
}

// endOrigin ends the fetch that the reply comes from.
func (x *exchange) endOrigin() {
	if x.reply.flight != nil {
		x.reply.flight.cancel()
	}
	x.cancel()
}
