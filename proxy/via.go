package proxy

import (
	"context"
	"errors"
	"net"
	"strings"
	"time"

	"github.com/jayproxy/jay/proxy/parent"
	"github.com/jayproxy/jay/proxy/upstream"
)

// patience is how long connecting to a parent may take while there is another way to be tried.
const patience = 1500 * time.Millisecond

// try hands one way after the other to f, until it succeeds or its error is no reason to try the next. more tells f that
// there is one.
func (x *exchange) try(ctx context.Context, f func(via *parent.Parent, more bool) error) error {
	w, err := x.ways()
	if err != nil {
		return err
	}
	var failure error
	for i, via := range w.list {
		more := i < len(w.list)-1
		if i >= w.up && failure != nil && !parentDown(failure) {
			break
		}
		if via != nil && more && !via.Try(time.Now()) {
			continue // another request finds out whether it is up again
		}
		if err = x.failedVia(via, f(via, more)); err == nil {
			return nil
		}
		if failure == nil || parentDown(failure) || !parentDown(err) { // what is about the origin tells more
			failure = err
		}
		if !fallsBack(err) || ctx.Err() != nil {
			break
		}
	}
	return failure
}

// parentDown tells whether an error means that a parent could not be connected to.
func parentDown(err error) bool {
	var pe *upstream.ParentError
	return errors.As(err, &pe) && pe.Down
}

// forwards tells whether a parent is sent the request itself, in absolute form (RFC 9112 §3.2.2). All else goes through a
// tunnel: what TLS protects, what changes to another protocol (RFC 6455 §4.1), what is for an address while the Host field
// says something else, and everything behind a SOCKS parent.
func (x *exchange) forwards(via *parent.Parent) bool {
	return via != nil && via.Kind() != parent.SOCKS5 && x.scheme == "http" && x.upgradeToken() == "" && x.named()
}

// far is where to connect to on a way, and with which client. The address of a parent is the operator's choice: it may be one
// that the client could not reach.
func (x *exchange) far(via *parent.Parent, tunnel bool) (*upstream.Client, upstream.Origin) {
	if via == nil {
		return x.client, x.origin
	}
	o := upstream.Origin{Via: via}
	if tunnel {
		o.TLS, o.Host, o.Port = x.origin.TLS, x.origin.Host, x.origin.Port
		if !x.named() {
			o.Addr = x.origin.Addr
		}
	}
	return x.p.direct, o
}

// terms are what the exchange asks of a connection; more tells that there is another way to be tried.
func (x *exchange) terms(via *parent.Parent, more bool) upstream.Terms {
	if via == nil {
		return upstream.Terms{Check: x.addrCheck()}
	}
	var t upstream.Terms
	if more {
		t.Patience = patience
	}
	t.Via = []string{"1.1 " + x.opt.via}
	if x.rec.Kind == "connect" {
		t.Via = append(x.req.Fields.Values("Via"), strings.TrimPrefix(x.protocol(), "HTTP/")+" "+x.opt.via)
	}
	return t
}

// request sends r on the first way that there is a connection on.
func (x *exchange) request(ctx context.Context, e edits, r *upstream.Request) (resp *upstream.Response, err error) {
	err = x.try(ctx, func(via *parent.Parent, more bool) error {
		forwards := x.forwards(via)
		r.Head = x.requestHead(e, forwards, via)
		r.Terms = x.terms(via, more)
		client, far := x.far(via, !forwards)
		var err error
		if resp, err = client.Do(ctx, far, r); err != nil {
			if r.Sent {
				return &sentError{err}
			}
			return err
		}
		resp, err = x.answered(resp, via, forwards)
		return err
	})
	return resp, err
}

// sentError marks the failure of a request of which something may have gone out, or that no other way can help.
type sentError struct{ err error }

// Error implements error.
func (e *sentError) Error() string { return e.err.Error() }

// Unwrap gives errors.Is and errors.As the cause.
func (e *sentError) Unwrap() error { return e.err }

// answered notes on which way an answer has come. A parent's demand to log in is for Jay, not for its clients.
func (x *exchange) answered(resp *upstream.Response, via *parent.Parent, forwarded bool) (*upstream.Response, error) {
	x.connected(resp.Addr, via)
	if via == nil {
		return resp, nil
	}
	resp.Addr = x.farAddr() // not the parent's: the rules are about where it comes from
	if forwarded && resp.Status == 407 {
		via.Answered()
		resp.Close()
		cause := &upstream.Error{Kind: upstream.KindConfiguration, Status: 502, Err: errors.New("it wants another login (407)")}
		return nil, &upstream.ParentError{Parent: via, Received: 407, Refused: true, Err: cause}
	}
	x.works(via)
	return resp, nil
}

// works notes that a parent does its work.
func (x *exchange) works(via *parent.Parent) {
	via.Answered()
	if via.Recovered() {
		x.p.log.Info("parent works again", "parent", via.String())
	}
}

// dial opens a connection for a tunnel on the first way that there is one on, with the bytes that have come on it already.
func (x *exchange) dial() (nc net.Conn, early []byte, err error) {
	err = x.try(x.ctx, func(via *parent.Parent, more bool) error {
		client, far := x.far(via, true)
		c, b, addr, err := client.DialOn(x.ctx, far, x.terms(via, more))
		if err != nil {
			return err
		}
		nc, early = c, b
		x.connected(addr, via)
		if via != nil {
			x.works(via)
		}
		return nil
	})
	return nc, early, err
}

// fallsBack tells whether the next way may be tried after a failure: not when something of the request may have gone out, and
// not when somebody has said no.
func fallsBack(err error) bool {
	var sent *sentError
	var pe *upstream.ParentError
	switch {
	case errors.As(err, &sent):
		return false
	case errors.As(err, &pe):
		return !pe.Refused
	}
	f := faultOf(err)
	return f.status != 403 && f.status != 508
}

// failedVia names the parent in an error, and tells the operator when it does not work.
func (x *exchange) failedVia(via *parent.Parent, err error) error {
	var pe *upstream.ParentError
	var ue *upstream.Error
	if via == nil || err == nil || !errors.As(err, &pe) && !errors.As(err, &ue) {
		return err
	}
	if pe == nil { // the way was there: no other one would help
		return &sentError{&upstream.ParentError{Parent: via, Err: ue}}
	}
	if (pe.Marked || pe.Err.Kind == upstream.KindConfiguration) && via.Complain(time.Now()) {
		x.p.log.Warn("parent does not work", "parent", via.String(), "kind", pe.Err.Kind, "err", pe.Err.Err)
	}
	return err
}

// parentText says in words what a failure on the way through a parent means to the person who sees it.
func parentText(e *upstream.ParentError) string {
	switch {
	case e.Down:
		return "the next proxy on the way to the origin server could not be connected to"
	case e.Err.Kind == upstream.KindConfiguration:
		return "the next proxy on the way to the origin server does not let this proxy in"
	case e.Refused:
		return "the next proxy on the way to the origin server refuses to go there"
	case e.Received != 0:
		return "the next proxy on the way could not connect to the origin server"
	}
	return kindText(e.Err.Kind)
}
