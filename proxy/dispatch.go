package proxy

import (
	"net/http"
	"strconv"
	"strings"

	"github.com/elazarl/goproxy"

	"github.com/jayproxy/jay/proxy/access"
	"github.com/jayproxy/jay/proxy/wire"
)

// dispatcher is goproxy with Jay's handlers: it sends a request to the first that answers it, and what none answers to
// the round trip. CONNECT and everything about connections stay outside of it.
func (p *Proxy) dispatcher() *goproxy.ProxyHttpServer {
	gp := goproxy.NewProxyHttpServer()
	gp.Logger = gpLog{p}
	gp.KeepHeader, gp.KeepAcceptEncoding = true, true // the field section is put right where it is serialised
	gp.Tr, gp.ConnectDial = &http.Transport{}, nil    // neither is ever used
	gp.NonproxyHandler = http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		x := exchangeOf(r)
		x.self()
		x.answer()
	})
	gp.OnRequest(goproxy.ReqConditionFunc(looped)).DoFunc(refuseWith(faultLoop))
	gp.OnRequest(goproxy.ReqConditionFunc(stranger)).DoFunc(answerDenied)
	gp.OnRequest(goproxy.ReqConditionFunc(portRefused)).DoFunc(refuseWith(faultPort))
	gp.OnRequest(goproxy.ReqConditionFunc(forbidden)).DoFunc(answerDenied)
	gp.OnRequest(goproxy.ReqConditionFunc(lastHop)).DoFunc(answerLastHop)
	gp.OnRequest(goproxy.ReqConditionFunc(purges)).DoFunc(answerPurge)
	gp.OnRequest().DoFunc(func(r *http.Request, ctx *goproxy.ProxyCtx) (*http.Request, *http.Response) {
		ctx.RoundTripper = goproxy.RoundTripperFunc(func(r *http.Request, _ *goproxy.ProxyCtx) (*http.Response, error) {
			x := exchangeOf(r)
			if x.explaining != nil {
				x.explaining()
				return x.explained(), nil
			}
			x.roundTrip()
			return x.response(), nil
		})
		return r, nil
	})
	return gp
}

// gpLog passes goproxy's messages on to the proxy's log.
type gpLog struct{ p *Proxy }

// Printf implements goproxy.Logger.
func (l gpLog) Printf(format string, v ...any) {
	l.p.log.Debug("goproxy", "message", strings.TrimSpace(format))
}

// refuseWith is a handler that gives an answer of Jay's own.
func refuseWith(f fault) func(*http.Request, *goproxy.ProxyCtx) (*http.Request, *http.Response) {
	return func(r *http.Request, _ *goproxy.ProxyCtx) (*http.Request, *http.Response) {
		x := exchangeOf(r)
		if f.status == 508 {
			x.p.log.Warn("loop refused", "client", x.c.client.String(), "url", withoutQuery(x.url))
		}
		x.refuse(f)
		return r, x.response()
	}
}

// looped tells whether a request has passed this proxy before (RFC 9110 §7.6.3).
func looped(r *http.Request, _ *goproxy.ProxyCtx) bool {
	return loopedLines(r.Header["Via"], exchangeOf(r).opt.via)
}

// loopedLines tells whether Via lines name a proxy.
func loopedLines(lines []string, name string) bool {
	for _, line := range lines {
		for member := range strings.SplitSeq(line, ",") {
			if f := strings.Fields(member); len(f) >= 2 && strings.EqualFold(f[1], name) {
				return true
			}
		}
	}
	return false
}

// portRefused tells whether a client on another machine asks for a port that it may not reach through this one. Who was
// intercepted reached the port without its help.
func portRefused(r *http.Request, _ *goproxy.ProxyCtx) bool {
	x := exchangeOf(r)
	return !x.c.local && !x.origin.Addr.IsValid() && !contains(x.opt.HTTPPorts, x.origin.Port)
}

// lastHop tells whether Max-Forwards makes Jay the recipient of a TRACE or OPTIONS request (RFC 9110 §7.6.2).
func lastHop(r *http.Request, _ *goproxy.ProxyCtx) bool {
	return (r.Method == "TRACE" || r.Method == "OPTIONS") && strings.Trim(r.Header.Get("Max-Forwards"), "0") == "" && r.Header["Max-Forwards"] != nil
}

// answerLastHop answers a TRACE or OPTIONS request as its final recipient.
func answerLastHop(r *http.Request, _ *goproxy.ProxyCtx) (*http.Request, *http.Response) {
	x := exchangeOf(r)
	x.rec.Decision, x.rec.Reason = access.Local, "max-forwards"
	x.reply = reply{own: true, status: 200, reason: "OK", age: -1, close: x.reply.close}
	if r.Method == "OPTIONS" {
		x.reply.lines = "Allow: GET, HEAD, POST, PUT, DELETE, OPTIONS, TRACE, PATCH\r\n"
		return r, x.response()
	}
	x.reply.text = x.traced()
	x.reply.length = int64(len(x.reply.text))
	x.reply.lines = "Content-Type: message/http\r\n"
	return r, x.response()
}

// traced is the request as it arrived, less what a response must not disclose (RFC 9110 §9.3.8).
func (x *exchange) traced() []byte {
	r := x.req
	dst := append([]byte(r.Method+" "+r.Target+" HTTP/1."), strconv.Itoa(r.Minor)...)
	dst = r.Fields.Append(append(dst, "\r\n"...), func(name string) bool {
		return strings.EqualFold(name, "Cookie") || strings.EqualFold(name, "Authorization") || strings.EqualFold(name, "Proxy-Authorization")
	})
	return append(dst, "\r\n"...)
}

// forwardsLeft is the Max-Forwards value to send on, if the request has one to be counted down (RFC 9110 §7.6.2).
func (x *exchange) forwardsLeft(value string) string {
	if x.req.Method != "TRACE" && x.req.Method != "OPTIONS" {
		return value
	}
	n, err := strconv.ParseUint(value, 10, 31)
	if err != nil || n == 0 {
		return value
	}
	return strconv.FormatUint(n-1, 10)
}

// upgradeToken is the protocol that the client wants to change to, if it may (RFC 9110 §7.8, RFC 6455 §4.1).
func (x *exchange) upgradeToken() string {
	r := x.req
	if !x.options.upgrade || r.Method != "GET" || r.Minor < 1 || x.hasBody {
		return ""
	}
	values := r.Fields.Values("Upgrade")
	for token := range wire.ListTokens(values) {
		for _, allowed := range x.opt.UpgradeTokens {
			if strings.EqualFold(token, allowed) {
				return strings.Join(values, ", ")
			}
		}
	}
	return ""
}
