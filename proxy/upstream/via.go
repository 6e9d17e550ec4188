package upstream

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"time"

	"github.com/jayproxy/jay/proxy/parent"
	"github.com/jayproxy/jay/proxy/wire"
)

var errEarly = errors.New("bytes of the origin before it was asked for any")

// ParentError is a failure to reach an origin through a parent, or to reach the
// parent.
type ParentError struct {
	// Parent is the parent.
	Parent *parent.Parent
	// Received is the status code that it answered CONNECT with; 0 without.
	Received int
	// Down says that the parent itself could not be connected to, Marked that this
	// is news: it counts as down from now on, or for longer.
	Down, Marked bool
	// Refused says that the parent does not let Jay go there. Another parent is
	// no way around that.
	Refused bool
	// Err is what happened.
	Err *Error
}

// Error names the parent and the cause.
func (e *ParentError) Error() string { return fmt.Sprintf("through %v: %v", e.Parent, e.Err) }

// Unwrap returns the cause, which is an [*Error].
func (e *ParentError) Unwrap() error { return e.Err }

// shared reports whether o is a parent itself, with any number of origins behind
// it.
func (o *Origin) shared() bool { return o.Via != nil && o.Host == "" && !o.Addr.IsValid() }

// target is what a parent is asked to connect to.
func (o *Origin) target() string {
	if o.Addr.IsValid() {
		return netip.AddrPortFrom(o.Addr.Addr().Unmap(), o.Addr.Port()).String()
	}
	return net.JoinHostPort(o.Host, strconv.Itoa(int(o.Port)))
}

// through connects to the parent of o and, unless that is all, has it connect to
// o. The error is a [*ParentError].
func (c *Client) through(ctx context.Context, o Origin, t Terms) (*leg, error) {
	l, err := c.toParent(ctx, o.Via, t.Patience)
	if err != nil || o.shared() {
		return l, err
	}
	open := c.connectCommand
	if o.Via.Kind() == parent.SOCKS5 {
		open = c.socksCommand
	}
	if err := open(ctx, l, o, t); err != nil {
		l.transport.Close()
		return nil, err
	}
	return l, nil
}

// toParent connects to a parent and notes how that went. A SOCKS parent has not
// shown yet then that it is one.
func (c *Client) toParent(ctx context.Context, via *parent.Parent, patience time.Duration) (*leg, error) {
	began := time.Now()
	ctx, cancel := c.connectContext(ctx, min(cmp.Or(patience, c.opt().ConnectTimeout), c.opt().ConnectTimeout))
	defer cancel()
	nc, addr, err := c.dial(ctx, Origin{Host: via.Host(), Port: via.Port()}, nil)
	l := &leg{transport: nc, nc: nc, addr: addr}
	if err == nil && via.Kind() == parent.HTTPS {
		if err = l.secure(ctx, c, via.Host()); err != nil {
			nc.Close()
		}
	}
	if err != nil {
		return nil, parentDown(via, began, err, ctx)
	}
	if via.Kind() != parent.SOCKS5 {
		via.Connected()
	}
	return l, nil
}

// parentDown notes a failure to connect to a parent, unless it was Jay's client
// who gave up.
func parentDown(via *parent.Parent, began time.Time, err error, ctx context.Context) error {
	var e *Error
	if !errors.As(err, &e) {
		e = &Error{Kind: KindConnectionTerminated, Status: 502, Err: err}
	}
	marked := false
	if cause := context.Cause(ctx); cause == nil || errors.Is(cause, context.DeadlineExceeded) {
		marked = via.Failed(began, time.Now(), e.Kind)
	}
	return &ParentError{Parent: via, Down: true, Marked: marked, Err: e}
}

// connectCommand opens a tunnel through an HTTP parent (RFC 9110 §9.3.6).
func (c *Client) connectCommand(ctx context.Context, l *leg, o Origin, t Terms) error {
	ctx, cancel := c.connectContext(ctx, c.opt().ConnectTimeout)
	defer cancel()
	release := bound(ctx, l.nc)
	status, early, err := c.askTunnel(l.nc, connectHead(o, t))
	if !release() && err == nil {
		err = context.Cause(ctx)
	}
	if err == nil && status/100 == 2 {
		l.early = early
		return nil
	}
	return connectError(o.Via, status, err)
}

// bound limits what is done with nc to the time of ctx. The function that it
// returns lifts that, and reports whether ctx had not ended yet.
func bound(ctx context.Context, nc net.Conn) (release func() bool) {
	stop := context.AfterFunc(ctx, func() { nc.SetDeadline(time.Unix(1, 0)) })
	return func() bool {
		if !stop() {
			return false
		}
		nc.SetDeadline(time.Time{})
		return true
	}
}

// connectHead is the CONNECT request.
func connectHead(o Origin, t Terms) []byte {
	target := o.target()
	head := wire.AppendField(wire.AppendRequestLine(nil, "CONNECT", target), "Host", target)
	if v := o.Via.Authorization(); v != "" {
		head = wire.AppendField(head, "Proxy-Authorization", v)
	}
	for _, v := range t.Via {
		head = wire.AppendField(head, "Via", v)
	}
	return append(head, "\r\n"...)
}

// askTunnel sends a CONNECT request and reads the head of the final answer. It
// returns the bytes behind that, too.
func (c *Client) askTunnel(nc net.Conn, head []byte) (status int, early []byte, err error) {
	if _, err := nc.Write(head); err != nil {
		return 0, nil, err
	}
	r := wire.NewReader(nc)
	for range c.opt().MaxInterim + 1 {
		if err := r.Wait(); err != nil {
			return 0, nil, err
		}
		if err := beginsHTTP(r.Buffered()); err != nil {
			return 0, nil, err
		}
		text, err := r.Head(c.opt().Limits)
		if err != nil {
			return 0, nil, err
		}
		var resp wire.Response
		if err := wire.ParseResponse(text, "CONNECT", c.opt().Limits, &resp); err != nil {
			return 0, nil, err
		}
		if resp.Status == 101 {
			return 0, nil, &Error{Kind: KindProtocolError, Status: 502, Err: errUnaskedUpgrade}
		}
		if resp.Status >= 200 {
			early = append(early, r.Buffered()...)
			r.Release() // of use when it is empty
			return resp.Status, early, nil
		}
	}
	return 0, nil, &Error{Kind: KindProtocolError, Status: 502, Err: errInterim}
}

// connectError names what became of a CONNECT request to a parent: err, or else
// a status that is no success.
func connectError(via *parent.Parent, status int, err error) error {
	e := &ParentError{Parent: via, Received: status}
	var bad *wire.Error
	switch {
	case err != nil && errors.As(err, &e.Err):
	case errors.As(err, &bad):
		e.Err = &Error{Kind: KindProtocolError, Status: 502, Err: err}
	case isTimeout(err), errors.Is(err, context.DeadlineExceeded):
		e.Err = &Error{Kind: KindConnectionTimeout, Status: 504, Err: err}
	case err != nil:
		e.Err = &Error{Kind: KindConnectionTerminated, Status: 502, Err: err}
	case status == 407:
		e.Refused = true
		e.Err = &Error{Kind: KindConfiguration, Status: 502, Err: errors.New("it does not accept the user name and password configured for it (407)")}
	case status == 504:
		e.Err = &Error{Kind: KindConnectionTimeout, Status: 504, Err: errors.New("it answered CONNECT with 504")}
	default:
		e.Refused = status < 500
		e.Err = &Error{Kind: KindDestinationUnavailable, Status: 502, Err: fmt.Errorf("it answered CONNECT with %d", status)}
	}
	return e
}
