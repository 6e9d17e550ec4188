package proxy

import (
	"context"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/jayproxy/jay/proxy/parent"
	"github.com/jayproxy/jay/proxy/policy"
	"github.com/jayproxy/jay/proxy/upstream"
)

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
