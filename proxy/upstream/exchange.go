package upstream

import (
	"context"
	"errors"
	"io"
	"net"
	"time"

	"github.com/jayproxy/jay/proxy/wire"
)

// statusLine is how every response begins.
const statusLine = "HTTP/1."

var (
	errNotHTTP        = errors.New("response is not HTTP/1")
	errUnaskedUpgrade = errors.New("101 that was not asked for")
	errInterim        = errors.New("too many 1xx responses")
)

// Do sends r to o and returns the final response's head. Its body is read
// from [Response.Body], and the response must be closed. Cancelling ctx ends
// the exchange, body included, until then. The error is an [*Error], which
// wraps that of Interim if this was the cause, or a [*BodyError]; then nothing
// touches r any more.
func (c *Client) Do(ctx context.Context, o Origin, r *Request) (*Response, error) {
	if ctx.Err() != nil {
		return nil, &Error{Kind: KindConnectionTerminated, Status: 502, Err: context.Cause(ctx)}
	}
	cn, err := c.acquire(ctx, o, false, r.Terms)
	if err != nil {
		return nil, err
	}
	r.Sent = true
	x, again, err := cn.exchange(ctx, r)
	if again {
		if cn, err = c.acquire(ctx, o, true, r.Terms); err != nil {
			return nil, err
		}
		x, _, err = cn.exchange(ctx, r)
	}
	if err != nil {
		return nil, err
	}
	return x, nil
}

// exchange sends r and reads the head of the answer. On failure it closes the
// connection and says whether r may be sent again.
func (cn *conn) exchange(ctx context.Context, r *Request) (x *Response, again bool, err error) {
	x = &Response{Addr: cn.addr, Reused: cn.served, ctx: ctx, cn: cn}
	x.Body = &x.body
	x.body.x = x
	if ctx.Done() != nil {
		x.release = context.AfterFunc(ctx, cn.abort)
	}
	x.RequestTime = time.Now()
	silent := true
	if err = x.send(r); err == nil || x.mayHaveAnswer(err) {
		silent, err = x.receive(r, err)
	}
	if err == nil {
		return x, false, nil
	}
	again = silent && x.repeatable(r, err)
	return nil, again, x.fail(err)
}

// send sends the request, or what of it goes out at once.
func (x *Response) send(r *Request) error {
	if r.Body != nil {
		return x.sendBody(r)
	}
	x.cn.limitWrite(x.RequestTime, x.cn.by.BodyIdleTimeout)
	_, err := x.cn.nc.Write(r.Head)
	return writeError(err)
}

// writeError names the error of a write if it was that of the deadline.
func writeError(err error) error {
	if isTimeout(err) {
		return &Error{Kind: KindConnectionWriteTimeout, Status: 504, Err: err}
	}
	return err
}

// mayHaveAnswer reports whether there can be an answer although sending failed:
// an origin that refuses a request may answer and close before it has all of it.
// On a reused connection such bytes could as well belong to something else.
func (x *Response) mayHaveAnswer(err error) bool {
	var be *BodyError
	var named *Error // a time-out, or nothing was sent
	return !x.Reused && !errors.As(err, &named) && !errors.As(err, &be)
}

// repeatable reports whether, after err came before any byte of an answer, the
// request may go out once more (RFC 9110 §9.2.2): the connection was an old one
// that the origin closed, and the body, if any, is still complete.
func (x *Response) repeatable(r *Request, err error) bool {
	return x.Reused && r.Idempotent && !isTimeout(err) && x.ctx.Err() == nil &&
		(x.sender == nil || !x.sender.touched)
}

// receive reads heads until a final one. silent says that not one byte came.
// sendErr is what sending failed with; it explains a missing answer better.
func (x *Response) receive(r *Request, sendErr error) (silent bool, err error) {
	limit := orDefault(r.HeaderTimeout, x.cn.by.HeaderTimeout)
	x.ResponseTime = x.RequestTime
	for interim := 0; ; interim++ {
		if err := x.await(x.ResponseTime, limit); err != nil {
			if sendErr != nil {
				err = sendErr
			}
			return interim == 0, err
		}
		if err := x.readHead(r); err != nil {
			return false, err
		}
		x.ResponseTime = time.Now()
		if x.Status >= 200 || x.Status == 101 {
			return false, x.begin(r, sendErr)
		}
		if err := x.passInterim(r, interim+1); err != nil {
			return false, err
		}
	}
}

// passInterim deals with the nth answer that is not final (RFC 9110 §15.2).
func (x *Response) passInterim(r *Request, n int) error {
	if n > x.cn.by.MaxInterim {
		return &Error{Kind: KindProtocolError, Status: 502, Err: errInterim}
	}
	if r.Interim == nil {
		return nil
	}
	return r.Interim(&x.Response)
}

// await waits for the first bytes of a head. As long as the request is still
// going out, time without an answer does not count.
func (x *Response) await(now time.Time, limit time.Duration) error {
	for {
		x.cn.limitRead(now, limit)
		err := x.cn.r.Wait()
		if err == nil || !isTimeout(err) || x.sender == nil {
			return err
		}
		since := x.RequestTime.Add(time.Duration(x.sender.last.Load()))
		if now = time.Now(); now.Sub(since) >= limit {
			return err
		}
		now = since
	}
}

// beginsHTTP refuses at once what cannot become a response, such as another
// protocol's greeting, instead of waiting for the end of a head.
func beginsHTTP(b []byte) error {
	n := min(len(b), len(statusLine))
	if string(b[:n]) != statusLine[:n] {
		return &Error{Kind: KindProtocolError, Status: 502, Err: errNotHTTP}
	}
	return nil
}

// readHead reads one head into x. It is a view of the reader's buffer.
func (x *Response) readHead(r *Request) error {
	if err := beginsHTTP(x.cn.r.Buffered()); err != nil {
		return err
	}
	head, err := x.cn.r.Head(x.cn.by.Limits)
	if err != nil {
		return err
	}
	return wire.ParseResponse(head, r.Method, x.cn.by.Limits, &x.Response)
}

// begin makes x the final response.
func (x *Response) begin(r *Request, sendErr error) error {
	if x.Status == 101 && !r.Upgrade {
		return &Error{Kind: KindProtocolError, Status: 502, Err: errUnaskedUpgrade}
	}
	x.Detach()
	x.cn.r.Body(&x.body.Body, x.Response.Body)
	x.keep = sendErr == nil && x.Status != 101 && persistent(&x.Response)
	s := x.sender
	x.early = s != nil && s.state.Load() == sending
	if x.early && x.Status >= 300 { // RFC 9112 §9.5: who was refused need not send the rest
		s.stop()
	}
	return nil
}

// persistent reports whether the origin keeps the connection (RFC 9112 §9.3).
func persistent(r *wire.Response) bool {
	if r.Body.UntilClose || r.Fields.HasToken("Connection", "close") {
		return false
	}
	return r.Minor >= 1 || r.Fields.HasToken("Connection", "keep-alive")
}

// fail ends a failed exchange and names its error.
func (x *Response) fail(err error) error {
	x.cn.abort()
	x.endSender()
	if x.release != nil {
		x.release()
	}
	x.cn.client.drop(x.cn)
	x.cn = nil
	return x.nameError(err, headKinds)
}

// endSender ends the sending of the request and waits for it.
func (x *Response) endSender() {
	if x.sender == nil {
		return
	}
	x.sender.stop()
	<-x.sender.done
}

// kinds are the error kinds that depend on how far the response is.
type kinds struct{ timeout, malformed, tooLarge string }

var (
	headKinds = kinds{KindResponseTimeout, KindProtocolError, KindResponseHeaderSize}
	bodyKinds = kinds{KindConnectionReadTimeout, KindResponseCoding, KindResponseTrailerSize}
)

// nameError makes err one of the errors that the package promises.
func (x *Response) nameError(err error, k kinds) error {
	var ours *Error
	var client *BodyError
	var bad *wire.Error
	if x.sender != nil && x.sender.state.Load() == failed && fatal(x.sender.err) {
		return x.sender.err
	}
	switch {
	case errors.As(err, &ours), errors.As(err, &client):
		return err
	case x.ctx.Err() != nil:
		return &Error{Kind: KindConnectionTerminated, Status: 502, Err: context.Cause(x.ctx)}
	case errors.As(err, &bad) && (bad.Status == 431 || bad.Status == 414):
		return &Error{Kind: k.tooLarge, Status: 502, Err: err}
	case bad != nil:
		return &Error{Kind: k.malformed, Status: 502, Err: err}
	case isTimeout(err):
		return &Error{Kind: k.timeout, Status: 504, Err: err}
	case errors.Is(err, io.ErrUnexpectedEOF):
		return &Error{Kind: KindResponseIncomplete, Status: 502, Err: err}
	}
	return &Error{Kind: KindConnectionTerminated, Status: 502, Err: err}
}

// isTimeout reports whether err is that of a deadline.
func isTimeout(err error) bool {
	if err == nil {
		return false // the usual case, without the allocation for ne
	}
	var ne net.Error
	return errors.As(err, &ne) && ne.Timeout()
}
