package proxy

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/jayproxy/jay/proxy/parent"
	"github.com/jayproxy/jay/proxy/policy"
	"github.com/jayproxy/jay/proxy/upstream"
)

// patience is how long connecting to a parent may take while there is another way to be tried.
const patience = 1500 * time.Millisecond

// noParent is the list of ways of those who have no parent.
var noParent = []*parent.Parent{nil}

// ways are the ways to the origin that a request tries.
type ways struct {
	list []*parent.Parent // in the order in which they are tried; nil is the one without a parent
	up   int              // the first so many are up; the others are tried when none of these can be connected to
}

// ways finds the ways to the origin. What a parent resolves and connects to is its own affair, but nothing is sent to it that
// this proxy refuses by itself.
func (x *exchange) ways() (ways, error) {
	ps := x.opt.Parents
	if !ps.Active() {
		return ways{noParent, 1}, nil
	}
	var w ways
	w.list, w.up = parent.Order(x.chooseParents(ps).Use, time.Now())
	if len(w.list) == 1 && w.list[0] == nil {
		return w, nil
	}
	return w, x.mayGoVia()
}

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

// chooseParents asks the rules about parents. What is on this machine, or on a link of it, is something else there.
func (x *exchange) chooseParents(ps *parent.Parents) parent.Choice {
	host := x.farHost()
	if x.p.stays(host) {
		return parent.Choice{Use: noParent}
	}
	return ps.Choose(policy.Question{
		Time: x.start, Client: x.c.client.Addr(), User: x.rec.User, Via: x.via(), Method: x.req.Method,
		Host: host, Port: x.origin.Port, Addr: x.origin.Addr.Addr(),
	})
}

// named tells whether the name of the origin is what the client wants to get to. An intercepted client wants to get to an
// address, unless the name that it gives is proven to be that address's.
func (x *exchange) named() bool { return !x.origin.Addr.IsValid() || !x.unverified }

// farHost is the origin's host as a parent is told it: its name, if the client can be believed, else its address.
func (x *exchange) farHost() string {
	if x.named() {
		return x.origin.Host
	}
	return x.origin.Addr.Addr().Unmap().String()
}

// farAddr is the origin's address where nobody has to resolve a name to know it.
func (x *exchange) farAddr() netip.AddrPort {
	if x.origin.Addr.IsValid() {
		return x.origin.Addr
	}
	if a, err := netip.ParseAddr(x.origin.Host); err == nil {
		return netip.AddrPortFrom(a.Unmap(), x.origin.Port)
	}
	return netip.AddrPort{}
}

// stays tells whether a host never is behind a parent: this machine by any name or address, and what has a meaning only on
// its links.
func (p *Proxy) stays(host string) bool {
	if a, err := netip.ParseAddr(host); err == nil {
		a = embedded(a.Unmap().WithZone(""))
		return a.IsUnspecified() || a.IsLinkLocalUnicast() || p.thisMachine(a)
	}
	host = strings.TrimSuffix(host, ".")
	return host == "localhost" || strings.HasSuffix(host, ".localhost") // RFC 6761 §6.3
}

// mayGoVia refuses what a parent must not be asked for.
func (x *exchange) mayGoVia() error {
	if a := x.farAddr(); a.IsValid() {
		err := x.p.notOwn(a)
		if err == nil && !x.c.local {
			err = x.p.reach(x.opt, a)
		}
		if err != nil {
			return err
		}
	} else if err := upstream.CheckName(x.origin.Host); err != nil {
		return err
	}
	if !x.pending {
		return nil
	}
	if d := x.settle(); !d.Allow {
		return &deniedError{d.Rule}
	}
	return nil
}

// settle answers the policy's question about an address that only a parent will know: by the addresses that the name has
// here, each of which must be permitted; without any, the rules about addresses do not hold.
func (x *exchange) settle() policy.Decision {
	if x.settled.Rule != "" {
		return x.settled
	}
	ctx, cancel := context.WithTimeout(x.ctx, settleWait)
	defer cancel()
	addrs, _ := x.client.Lookup(ctx, strings.TrimSuffix(x.origin.Host, "."))
	q := x.asked
	q.Unresolved = len(addrs) == 0
	d := x.opt.Policy.Decide(q)
	for _, a := range addrs {
		if d = x.opt.Policy.CheckAddr(q, a); !d.Allow {
			break
		}
	}
	x.settled = d
	x.rec.Rule, x.rec.Reported = d.Rule, strings.Join(d.Reported, ",")
	return d
}

// settleWait bounds the look-up of a name that the request itself does not need looked up.
const settleWait = 2 * time.Second

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

// Parents tells how the parents are. Those that differ in nothing but their login are one.
func (p *Proxy) Parents() []parent.Status {
	now := time.Now()
	var out []parent.Status
	for _, via := range p.opt().Parents.All() {
		s := via.Status(now)
		i := slices.IndexFunc(out, func(o parent.Status) bool { return o.Name == s.Name })
		if i < 0 {
			out = append(out, s)
			continue
		}
		out[i].Up = out[i].Up && s.Up
		out[i].Connects += s.Connects
		out[i].Failures += s.Failures
	}
	return out
}
