package upstream

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"time"

	"github.com/jayproxy/jay/proxy/wire"
)

// sendGrace is how long a request whose answer is complete gets to become complete
// itself. As a rule it is, and its sender only has to be scheduled.
const sendGrace = 50 * time.Millisecond

var errResponseClosed = errors.New("response is closed")

// Request is one request in the form in which it goes on the wire.
type Request struct {
	// Head is the complete head: request line, fields, empty line. It is not
	// changed and not kept.
	Head []byte
	// Method is the method in Head; it decides the framing of the response.
	Method string
	// Body is the content, nil if there is none. Unless Chunked is set, it must
	// have the length that Head announces: neither more nor less is sent.
	// It is read until it returns io.EOF.
	Body io.Reader
	// Chunked says that Head announces the chunked coding, so that Body is to be
	// sent in chunks. Otherwise its bytes go out as they are.
	Chunked bool
	// Buffered says that Body can be read to its end without waiting for
	// anybody. A small one then goes out in one write with the head.
	Buffered bool
	// Trailers, if not nil, is asked after the end of a chunked Body. Fields that
	// may not stand in a trailer section (RFC 9110 §6.5.1) are left out.
	Trailers func() *wire.Fields
	// StopBody makes a pending or later Read of Body return at once, for instance
	// by a read deadline in the past. It is called, at most once, when the origin
	// has answered or failed and the rest of the body is not wanted; the client's
	// connection cannot be reused then. It may be nil if Body never waits.
	StopBody func()
	// Idempotent allows to repeat the request once (RFC 9110 §9.2.2) on a new
	// connection if a reused one failed before any byte of an answer and no byte
	// of the body was read.
	Idempotent bool
	// Upgrade says that Head asks for a change of protocol, so that 101 is a final
	// answer. Unasked, it is an error.
	Upgrade bool
	// Interim gets 1xx answers other than 101 as they come; the value is valid
	// until it returns. Its error ends the exchange. If nil they are dropped.
	Interim func(*wire.Response) error
	// HeaderTimeout overrides the client's. Zero means the client's.
	HeaderTimeout time.Duration
	// Terms are for the connection. Their Check is also asked about the address of
	// one that is going to be used again; what it refuses is left to others.
	Terms
	// Sent is set by [Client.Do] when it has a connection: some of the request may
	// have gone out, whatever happens then.
	Sent bool
}

// Response is the final answer to a request. It belongs to one goroutine.
type Response struct {
	// Response is the head, which stays valid after Close.
	wire.Response
	// Body reads the content. It is never nil.
	Body *Body
	// Addr is the address of the origin.
	Addr netip.AddrPort
	// Reused says that the connection had served another request before.
	Reused bool
	// RequestTime and ResponseTime are when the request was sent and when the head
	// of the response had arrived (RFC 9111 §4.2.3).
	RequestTime, ResponseTime time.Time

	ctx     context.Context
	cn      *conn         // nil once closed or hijacked
	release func() bool   // undoes context.AfterFunc; nil if ctx cannot end
	sender  *sender       // nil without a request body
	keep    bool          // the origin keeps the connection
	silence time.Duration // the longest time without a byte of body; 0: the client's
	early   bool          // the answer came before the end of the request
	body    Body          // what Body points to: one allocation for both
}

// Body is the content of a response. To [wire.Body] it adds the idle timeout
// and the names of errors.
type Body struct {
	wire.Body
	x   *Response
	err error
}

// Read reads content. io.EOF means that all of it has been received; every
// other error is an [*Error] or a [*BodyError] and lasts.
func (b *Body) Read(p []byte) (int, error) {
	if b.err != nil {
		return 0, b.err
	}
	if b.x.cn == nil {
		return 0, errResponseClosed
	}
	b.limit()
	n, err := b.Body.Read(p)
	if err == nil || err == io.EOF && !b.truncated() {
		return n, err
	}
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	b.err = b.x.nameError(err, bodyKinds)
	return n, b.err
}

// limit sets the idle timeout, unless all that is to come has come.
func (b *Body) limit() {
	cn := b.x.cn
	if left := b.Remaining(); left < 0 || left > int64(len(cn.r.Buffered())) {
		cn.limitRead(time.Now(), cmp.Or(b.x.silence, cn.by.BodyIdleTimeout))
	}
}

// AllowSilence lets d pass without a byte of body, in place of the client's
// BodyIdleTimeout: event streams may be silent for long.
func (x *Response) AllowSilence(d time.Duration) { x.silence = d }

// Pending reports whether bytes of the body have arrived already.
func (x *Response) Pending() bool { return x.cn != nil && x.cn.r.Pending() }

// truncated reports whether a body that ends with the connection was cut below
// TLS, without a close_notify alert (RFC 9112 §9.8).
func (b *Body) truncated() bool {
	return b.x.Response.Body.UntilClose && b.x.cn.tap != nil && b.x.cn.tap.ended
}

// Whole reports whether the content has been proven complete and read.
func (b *Body) Whole() bool { return b.err == nil && b.Body.Whole() }

// Close ends the exchange. The connection goes back to its pool only if
// response and request are both complete, in this order, the origin keeps the
// connection, and nothing follows the response; otherwise it is closed. A request
// body that goes on after a complete 2xx response is sent to its end before that.
// When Close returns, the request's body is not touched any more. More calls do
// nothing.
func (x *Response) Close() error {
	cn := x.cn
	if cn == nil {
		return nil
	}
	reuse := x.keep && x.Body.Whole() && x.requestSent()
	x.cn = nil
	if x.release != nil && !x.release() {
		reuse = false
	}
	if reuse && !cn.r.Pending() {
		cn.r.Release()
		cn.client.put(cn)
		return nil
	}
	cn.abort()
	x.endSender()
	cn.client.drop(cn)
	return nil
}

// requestSent waits for the end of the request and reports whether it was
// complete before its answer came, as far as can be known.
func (x *Response) requestSent() bool {
	s := x.sender
	if s == nil {
		return true
	}
	if x.early {
		if x.Status < 300 && s.moved.Load() {
			select {
			case <-s.done:
			case <-x.ctx.Done():
			}
		}
		return false
	}
	select {
	case <-s.done:
	default:
		grace := time.NewTimer(sendGrace)
		defer grace.Stop()
		select {
		case <-s.done:
		case <-grace.C:
		}
	}
	return s.state.Load() == sent
}

// Hijack hands over the connection after a 101, with the bytes read beyond the
// head. The caller owns both and need not call Close. Without a connection to hand
// over, because the response is closed, it returns nil.
func (x *Response) Hijack() (net.Conn, []byte) {
	cn := x.cn
	if cn == nil {
		return nil, nil
	}
	x.cn = nil
	x.endSender()
	if x.release != nil {
		x.release()
	}
	early := bytes.Clone(cn.r.Buffered())
	cn.nc.SetDeadline(time.Time{})
	cn.client.release(cn)
	return cn.nc, early
}
