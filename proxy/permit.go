package proxy

import (
	"cmp"
	"fmt"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/elazarl/goproxy"

	"github.com/jayproxy/jay/proxy/access"
	"github.com/jayproxy/jay/proxy/auth"
	"github.com/jayproxy/jay/proxy/parent"
	"github.com/jayproxy/jay/proxy/policy"
	"github.com/jayproxy/jay/proxy/upstream"
	"github.com/jayproxy/jay/tunnel"
)

// deniedError is what becomes of an address that the policy does not let this client reach.
type deniedError struct{ rule string }

// Error implements error.
func (e *deniedError) Error() string { return "proxy: refused by the rule " + e.rule }

// faultRule is the answer to what a rule of the policy refuses.
func faultRule(rule string) fault {
	return fault{status: 403, kind: "http_request_denied", text: fmt.Sprintf("the rule %q of this proxy's policy refuses it", rule), rule: rule}
}

// stranger tells whether nobody vouches for who asks.
func stranger(r *http.Request, _ *goproxy.ProxyCtx) bool {
	x := exchangeOf(r)
	x.denial = x.login()
	return x.denial.status != 0
}

// forbidden tells whether the policy refuses a request.
func forbidden(r *http.Request, _ *goproxy.ProxyCtx) bool {
	x := exchangeOf(r)
	x.denial = x.permit(x.origin.Host, func() bool { return !x.unverified })
	return x.denial.status != 0
}

// answerDenied gives the answer that one of the two has found.
func answerDenied(r *http.Request, _ *goproxy.ProxyCtx) (*http.Request, *http.Response) {
	x := exchangeOf(r)
	x.refuse(x.denial)
	return r, x.response()
}

// login finds out who asks (RFC 9110 §11.7). Only clients that know of the proxy can be asked; who has to explain a request
// is asked elsewhere.
func (x *exchange) login() fault {
	a := x.opt.Auth
	if a == nil || x.c.mode != Explicit || x.explaining != nil {
		return fault{}
	}
	user, outcome := a.Check(time.Now(), x.c.client.Addr(), x.credentials())
	if outcome == auth.OK {
		x.rec.User = user
		return fault{}
	}
	x.reply.close = x.reply.close || outcome == auth.Limited
	return fault{
		status: 407, kind: "http_request_denied", reason: outcome.String(), text: loginText[outcome],
		lines: "Proxy-Authenticate: " + a.Challenge() + "\r\n",
	}
}

var loginText = [...]string{
	auth.Missing: "this proxy wants to know who you are; set a user name and a password for it",
	auth.Wrong:   "the user name or the password for this proxy is wrong",
	auth.Limited: "there were too many wrong user names or passwords; try again in a minute",
}

// credentials is the Proxy-Authorization field; empty if there is not exactly one.
func (x *exchange) credentials() string {
	if v := x.req.Fields.Values("Proxy-Authorization"); len(v) == 1 {
		return v[0]
	}
	return ""
}

// permit asks the policy about the exchange, by the host that the client named. An intercepted client may name any host,
// and yet gets to the address that it connected to: unless the name is proven to be that address's, the address has to be
// permitted by itself, too.
func (x *exchange) permit(host string, proven func() bool) fault {
	pol := x.opt.Policy
	if !pol.Active() {
		return fault{}
	}
	x.asked = policy.Question{
		Time: x.start, Client: x.c.client.Addr(), User: x.rec.User, Via: x.via(), Method: x.req.Method,
		Host: host, Port: x.origin.Port, Addr: x.origin.Addr.Addr(),
	}
	d := pol.Decide(x.asked)
	if d.Allow && x.asked.Addr.IsValid() {
		q := x.asked
		q.Host = q.Addr.String()
		if e := pol.Decide(q); !e.Allow && !proven() {
			d = e
		}
	}
	x.ruled(d)
	if !d.Allow {
		return faultRule(d.Rule)
	}
	return fault{}
}

// via is how the request came, in the policy's words.
func (x *exchange) via() policy.Via {
	v := policy.HTTP
	switch {
	case x.rec.Kind == "connect":
		v = policy.Connect
	case x.rec.Kind == "intercept":
		v = 0
	case x.upgradeToken() != "":
		v = policy.Upgrade
	}
	return v | x.c.mode.via()
}

// via is what a listener adds to the ways in which its clients' requests come.
func (m Mode) via() policy.Via {
	if m == Explicit {
		return 0
	}
	return policy.Intercept
}

// ruled notes what the policy has said.
func (x *exchange) ruled(d policy.Decision) {
	x.pending = d.Pending
	x.rec.Rule, x.rec.Reported = d.Rule, strings.Join(d.Reported, ",")
}

// addrCheck asks the policy about addresses, if these decide.
func (x *exchange) addrCheck() upstream.Check {
	if !x.pending {
		return nil
	}
	return func(a netip.AddrPort) error {
		if d := x.opt.Policy.CheckAddr(x.asked, a.Addr()); !d.Allow {
			return &deniedError{d.Rule}
		}
		return nil
	}
}

// connected notes the address that the exchange got to, and with that which rule has let it. A parent's address says nothing
// about that.
func (x *exchange) connected(a netip.AddrPort, via *parent.Parent) {
	x.rec.Origin = a
	if via != nil {
		x.rec.Parent = via.String()
		return
	}
	if x.pending && a.IsValid() {
		d := x.opt.Policy.CheckAddr(x.asked, a.Addr())
		x.rec.Rule, x.rec.Reported = d.Rule, strings.Join(d.Reported, ",")
	}
}

// mayHave tells whether the client may see what came from a stored response's origin, if its address decides about that.
func (x *exchange) mayHave(m *stored) bool {
	if !x.pending {
		return true
	}
	if m.parented && !m.addr.IsValid() {
		return x.settle().Allow
	}
	d := x.opt.Policy.CheckAddr(x.asked, m.addr.Addr())
	if !d.Allow || d.Pending {
		return false
	}
	x.rec.Rule, x.rec.Reported = d.Rule, strings.Join(d.Reported, ",")
	return true
}

// permitRaw asks the policy about a connection that is going to be relayed untouched, by the name that a TLS client asks
// for and by the address.
func (x *exchange) permitRaw() fault {
	if !x.opt.Policy.Active() {
		return fault{}
	}
	if name := x.c.serverName(); name != "" {
		return x.permit(name, func() bool { return x.resolvesTo(name, x.c.dst.Addr()) })
	}
	return x.permit(x.origin.Host, func() bool { return true })
}

// serverName waits for the rest of a TLS client's first message, if there is a beginning of one, and returns the name in it.
func (c *conn) serverName() string {
	c.nc.SetReadDeadline(time.Now().Add(sniffWait))
	for {
		b := c.r.Buffered()
		name, _, whole := tunnel.ServerName(b)
		if whole || name != "" || tunnel.Sniff(b) != tunnel.TLS || len(b) >= maxHello || c.r.Fill() != nil {
			return name
		}
	}
}

// maxHello bounds the first message of a TLS client, as far as it is looked at.
const maxHello = 16 << 10

// cut ends an intercepted connection that must not be relayed. There is no way to say why but in the log.
func (x *exchange) cut(f fault) {
	x.rec.ProxyStatus, x.rec.Reason, x.rec.Rule = x.proxyStatus(f), f.kind, cmp.Or(f.rule, x.rec.Rule)
	x.rec.Decision = access.Denied
	x.abort()
	x.log()
}

// isLogin tells whether a field says who asks, in a way that lanePermit looks at.
func (c *conn) isLogin(name string) bool {
	return c.opt.Auth != nil && c.mode == Explicit && strings.EqualFold(name, "Proxy-Authorization")
}

// lanePermit tells whether a request in the lane may have a stored response, for whom and what the policy says. Where that
// takes more than a look, the answer is no, and the ordinary path decides.
func (c *conn) lanePermit(now time.Time, e *entry) (user string, d policy.Decision, ok bool) {
	if a := c.opt.Auth; a != nil && c.mode == Explicit {
		if user, ok = a.Known(now, c.client.Addr(), c.req.Fields.Get("Proxy-Authorization")); !ok {
			return "", d, false
		}
	}
	pol := c.opt.Policy
	if !pol.Active() {
		return user, d, true
	}
	q := policy.Question{
		Time: now, Client: c.client.Addr(), User: user, Via: policy.HTTP | c.mode.via(), Method: c.req.Method,
		Host: c.req.URI.Host, Port: 80, Addr: c.dst.Addr(),
	}
	if port := c.req.URI.Port; port != "" {
		n, _ := strconv.ParseUint(port, 10, 16)
		q.Port = uint16(n)
	}
	d = pol.Decide(q)
	if d.Pending {
		d = pol.CheckAddr(q, e.Meta.addr.Addr())
	}
	return user, d, d.Allow && !d.Pending
}
