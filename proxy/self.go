package proxy

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/jayproxy/jay/proxy/access"
	"github.com/jayproxy/jay/proxy/auth"
	"github.com/jayproxy/jay/proxy/guide"
)

// The faults of requests to Jay itself.
var (
	faultNoPage   = fault{status: 404, kind: "http_request_error", text: "this is a proxy, which has no such page of its own; the request must name an absolute URL, such as http://example.com/"}
	faultNoMethod = fault{status: 405, kind: "http_request_error", text: "this is a proxy, whose own pages are for GET and HEAD; the request must name an absolute URL, such as http://example.com/", lines: "Allow: GET, HEAD\r\n"}
)

// self answers a request that is addressed to Jay itself: an origin-form target on an explicit listener. It is never
// fetched; it says how to use the proxy. Nobody has to log in for that, since the clients that need it cannot yet.
func (x *exchange) self() {
	x.rec.Decision, x.rec.Reason = access.Local, "self"
	x.reply = reply{own: true, status: 200, reason: "OK", age: -1, close: x.reply.close}
	if x.req.Method == "OPTIONS" && x.req.Target == "*" {
		x.reply.lines = "Allow: GET, HEAD, POST, PUT, DELETE, CONNECT, OPTIONS, TRACE, PATCH\r\n"
		return
	}
	path, _, _ := strings.Cut(x.req.Target, "?")
	show, ok := ownPages[path]
	switch {
	case !ok:
		x.refuse(faultNoPage)
	case x.req.Method != "GET" && x.req.Method != "HEAD":
		x.refuse(faultNoMethod)
	default:
		show(x)
	}
}

// ownPages are what there is on explicit listeners. The path /wpad.dat is asked for by clients that look for a proxy by
// themselves, with a Host field of wpad or wpad.DOMAIN.
var ownPages = map[string]func(*exchange){
	"/":          func(x *exchange) { x.showGuide("") },
	"/rules":     (*exchange).showRules,
	"/proxy.pac": (*exchange).showPAC,
	"/wpad.dat":  (*exchange).showPAC,
}

// show makes a text of Jay's own the answer.
func (x *exchange) show(kind, lines, text string) {
	x.reply.text, x.reply.length = []byte(text), int64(len(text))
	x.reply.lines = "Content-Type: " + kind + "\r\n" + lines + "X-Content-Type-Options: nosniff\r\n"
}

// showPAC answers with the PAC file. It is the same for all who come by the same address, and may be used for a while.
func (x *exchange) showPAC() {
	x.rec.Reason = "pac"
	p := guide.PAC{Proxies: x.opt.PACProxies, Direct: x.opt.PACDirect, Fallback: !x.opt.PACStrict}
	if len(p.Proxies) == 0 {
		at, _ := x.reachedAt()
		p.Proxies = []guide.Address{at}
	}
	x.show(guide.PACType, "Cache-Control: private, max-age=300\r\n", p.Script())
}

// showRules answers with the guide for who logs in: it has the rules for them.
func (x *exchange) showRules() {
	a := x.opt.Auth
	if a == nil {
		x.showGuide("")
		return
	}
	var sent string
	if v := x.req.Fields.Values("Authorization"); len(v) == 1 {
		sent = v[0]
	}
	user, outcome := a.Check(time.Now(), x.c.client.Addr(), sent)
	if outcome != auth.OK {
		x.reply.close = x.reply.close || outcome == auth.Limited
		x.refuse(fault{
			status: 401, kind: "http_request_denied", reason: outcome.String(), text: loginText[outcome],
			lines: "WWW-Authenticate: " + a.Challenge() + "\r\n",
		})
		return
	}
	x.rec.User = user
	x.showGuide(user)
}

// showGuide answers with the page that says how to use the proxy, for somebody who has logged in or for anybody. The rules
// are shown only to who has logged in where that is needed to use the proxy, and only to who asks by a name that is Jay's:
// a page elsewhere whose name is given Jay's address (DNS rebinding) may not read them.
func (x *exchange) showGuide(user string) {
	at, trusted := x.reachedAt()
	v := guide.Visit{Address: at, NoProxy: x.opt.PACDirect.NoProxy(), Login: x.opt.Auth != nil, User: user}
	if trusted && v.Login == (user != "") {
		v.Rules = x.rulesFor(user)
	}
	if trusted && x.c.local && x.c.client.Addr().IsLoopback() {
		v.StatusPage = x.opt.StatusPage
	}
	const lines = "Cache-Control: no-store\r\nReferrer-Policy: no-referrer\r\nCross-Origin-Resource-Policy: same-origin\r\n"
	if !x.prefersHTML() {
		x.show("text/plain; charset=utf-8", lines, v.Text())
		return
	}
	page, err := guide.Page(&v)
	if err != nil {
		x.refuse(fault{status: 500, kind: "proxy_internal_error", text: "the page could not be made", cause: err})
		return
	}
	x.show("text/html; charset=utf-8", lines+"Content-Security-Policy: "+guide.Policy()+"\r\n", string(page))
}

// reachedAt is the address by which the client has reached this listener. What the Host field says is that only if it is a
// name or an address of this machine's; otherwise it is the address that the connection came to. It tells whether the
// field can be trusted not to be a name that somebody else has made up: addresses can.
func (x *exchange) reachedAt() (at guide.Address, trusted bool) {
	local := x.c.reached()
	here := local.Addr().WithZone("")
	at, ok := guide.NewAddress(here.String(), fmt.Sprint(local.Port()))
	if !ok { // a connection from within the process
		at = guide.Address{Host: "localhost", Port: 3128}
	}
	standard := "80"
	if at.Secure = x.c.secure != nil; at.Secure {
		standard = "443"
	}
	asked, ok := guide.NewAddress(x.req.URI.Host, cmp.Or(x.req.URI.Port, standard))
	if !ok {
		return at, false
	}
	asked.Secure = at.Secure
	ip, err := netip.ParseAddr(asked.Host)
	switch {
	case err == nil && ip.IsLoopback() || asked.Host == "localhost":
		trusted, ok = true, here.IsLoopback()
	case err == nil:
		trusted, ok = true, ip == here || x.p.own.Local(ip)
	default:
		ok = slices.ContainsFunc(x.opt.Names, func(n string) bool { return strings.EqualFold(n, asked.Host) }) ||
			x.c.name != "" && strings.EqualFold(x.c.name, asked.Host) // the certificate has told the client so
		trusted = ok
	}
	if ok {
		at = asked
	}
	return at, trusted
}

// rulesFor says in sentences what the client may do.
func (x *exchange) rulesFor(user string) []string {
	var out []string
	if !x.c.local {
		out = append(out,
			"Tunnels (HTTPS) may go to the ports "+portText(x.opt.ConnectPorts)+" only.",
			"Other requests may go to the ports "+portText(x.opt.HTTPPorts)+" only.")
		if x.opt.DenyPrivate {
			out = append(out, "Addresses of private networks are refused.")
		}
	}
	words := x.opt.Policy.Words(x.c.client.Addr(), user)
	if words == nil {
		words = []string{"Everything else is allowed."}
		if out == nil {
			words[0] = "Everything is allowed."
		}
	}
	return append(out, words...)
}

// portText is a list of ports.
func portText(ranges []PortRange) string {
	texts := make([]string, len(ranges))
	for i, r := range ranges {
		texts[i] = fmt.Sprint(r.First)
		if r.Last != r.First {
			texts[i] += fmt.Sprintf("-%d", r.Last)
		}
	}
	return strings.Join(texts, ", ")
}
