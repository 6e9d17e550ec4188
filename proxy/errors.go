package proxy

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"html"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"syscall"

	"github.com/jayproxy/jay/cache"
	"github.com/jayproxy/jay/proxy/access"
	"github.com/jayproxy/jay/proxy/upstream"
	"github.com/jayproxy/jay/proxy/wire"
)

// fault is an answer that Jay makes itself because it cannot, or will not, give another one.
type fault struct {
	status int
	kind   string                // the proxy error type (RFC 9209 §2.3)
	text   string                // for people; it holds nothing that a client sent, and nothing of Jay's inside
	rule   string                // the policy rule that refused
	reason string                // the word for the log; empty: kind
	lines  string                // further field lines
	rcode  string                // the response code of a DNS server (RFC 9209 §2.3.2)
	via    *upstream.ParentError // what happened on the way through a parent; nil: nothing
	cause  error                 // for the log
}

// Faults that are the same wherever they occur.
var (
	faultLoop      = fault{status: 508, kind: "proxy_loop_detected", text: "this request has passed this proxy before, or leads back to it"}
	faultOwn       = fault{status: 508, kind: "proxy_loop_detected", text: "that is an address of this proxy itself, which can be asked directly only, not through a proxy"}
	faultReach     = fault{status: 403, kind: "destination_ip_prohibited", text: "this proxy does not let you reach that address"}
	faultPort      = fault{status: 403, kind: "http_request_denied", text: "this proxy does not let you reach that port"}
	faultDirect    = fault{status: 403, kind: "http_request_denied", text: "this port takes intercepted connections only"}
	faultTooLarge  = fault{status: 413, kind: "http_request_error", text: "the request body is larger than this proxy allows"}
	faultOnlyCache = fault{status: 504, kind: "http_request_error", text: "the cache holds no response that may be used, and the request asked for nothing else (only-if-cached)"}
)

// faultOf turns an upstream's failure into an answer.
func faultOf(err error) fault {
	var ue *upstream.Error
	var be *upstream.BodyError
	var de *deniedError
	var pe *upstream.ParentError
	switch {
	case errors.Is(err, errOwn):
		return faultOwn
	case errors.Is(err, errReach):
		return faultReach
	case errors.As(err, &de):
		return faultRule(de.rule)
	case errors.As(err, &be):
		return bodyFault(be.Err)
	case errors.As(err, &pe):
		return fault{status: pe.Err.Status, kind: pe.Err.Kind, text: parentText(pe), rcode: pe.Err.RCode, via: pe, cause: err}
	case errors.As(err, &ue):
		return fault{status: ue.Status, kind: ue.Kind, text: kindText(ue.Kind), rcode: ue.RCode, cause: err}
	}
	return fault{status: 502, kind: "proxy_internal_response", text: "the origin server could not be asked", cause: err}
}

// bodyFault is the answer to a request whose body did not come as announced.
func bodyFault(err error) fault {
	var we *wire.Error
	switch {
	case errors.As(err, &we):
		return fault{status: we.Status, kind: "http_request_error", text: we.Detail, cause: err}
	case errors.Is(err, os.ErrDeadlineExceeded):
		return fault{status: 408, kind: "http_request_error", text: "the request body did not arrive in time", cause: err}
	}
	return fault{status: 400, kind: "http_request_error", text: "the request body broke off", cause: err}
}

// kindText says in words what a proxy error type means to the person who sees it.
func kindText(kind string) string {
	switch kind {
	case upstream.KindDNSError:
		return "the name of the origin server was not found"
	case upstream.KindDNSTimeout:
		return "the name of the origin server could not be looked up in time"
	case upstream.KindConnectionRefused:
		return "the origin server refused the connection"
	case upstream.KindConnectionTimeout:
		return "the origin server could not be connected to in time"
	case upstream.KindDestinationUnroutable:
		return "there is no way to the origin server's address"
	case upstream.KindConnectionLimit:
		return "too many connections to this origin server are in use"
	case upstream.KindTLSCertificateError:
		return "the origin server's certificate cannot be trusted"
	case upstream.KindTLSProtocolError, upstream.KindTLSAlert:
		return "no secure connection to the origin server could be made"
	case upstream.KindResponseTimeout, upstream.KindConnectionReadTimeout:
		return "the origin server did not answer in time"
	case upstream.KindResponseIncomplete, upstream.KindConnectionTerminated:
		return "the origin server closed the connection without a complete answer"
	case upstream.KindResponseHeaderSize:
		return "the head of the origin server's answer is too large"
	}
	return "the origin server's answer is not valid HTTP"
}

// refuse makes the fault the reply.
func (x *exchange) refuse(f fault) {
	r := &x.reply
	r.release()
	*r = reply{own: true, status: f.status, reason: http.StatusText(f.status), age: -1, close: r.close}
	status := x.proxyStatus(f)
	kind, text := "text/plain; charset=utf-8", fmt.Sprintf("%d %s: %s\n", f.status, r.reason, f.text)
	if x.prefersHTML() {
		kind, text = "text/html; charset=utf-8", errorPage(f.status, r.reason, f.text)
	}
	r.text, r.length = []byte(text), int64(len(text))
	r.lines = "Content-Type: " + kind + "\r\nCache-Control: no-store\r\nProxy-Status: " + status + "\r\n" + f.lines
	x.rec.ProxyStatus, x.rec.Reason = status, cmp.Or(f.reason, f.kind)
	x.rec.Rule = cmp.Or(f.rule, x.rec.Rule)
	x.rec.Decision = access.Failed
	if f.status == 401 || f.status == 403 || f.status == 407 {
		x.rec.Decision = access.Denied
	}
	if f.status == 400 || f.status == 403 || f.status >= 408 && f.status < 500 {
		r.close = true
	}
	if f.cause != nil {
		x.p.log.Debug("request failed", "client", x.c.client.String(), "url", withoutQuery(x.url), "kind", f.kind, "err", f.cause)
	}
}

// withoutQuery is a URL for Jay's messages: queries hold what only the access log may tell, if the operator lets it.
func withoutQuery(url string) string {
	url, _, _ = strings.Cut(url, "?")
	return url
}

// proxyStatus is the Proxy-Status member for a fault (RFC 9209 §2).
func (x *exchange) proxyStatus(f fault) string {
	s := "jay; error=" + f.kind
	if f.rcode != "" {
		s += `; rcode="` + f.rcode + `"`
	}
	if f.via != nil { // RFC 9209 §2.1.2, §2.1.4
		s += `; next-hop="` + f.via.Parent.Address() + `"`
		if f.via.Received != 0 {
			s += "; received-status=" + strconv.Itoa(f.via.Received)
		}
	}
	if f.rule != "" {
		s += `; details="rule ` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(f.rule) + `"`
	}
	return s
}

// prefersHTML tells whether a person's browser waits for the answer.
func (x *exchange) prefersHTML() bool {
	accept := x.req.Fields.Get("Accept")
	return strings.HasPrefix(accept, "text/html") || strings.Contains(accept, ",text/html") || strings.Contains(accept, ", text/html")
}

// errorPage is a fault for a browser.
func errorPage(status int, reason, text string) string {
	return fmt.Sprintf(`<!DOCTYPE html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>%d %s</title>
<style>body{font:1rem/1.5 system-ui,sans-serif;max-width:36rem;margin:15vh auto;padding:0 1rem;color-scheme:light dark}</style>
<h1>%s</h1><p>The page could not be loaded: %s.<p><small>This message comes from the proxy (Jay), status %d.</small></html>
`, status, reason, reason, html.EscapeString(text), status)
}

// cause is the word for the log that says why an answer broke off.
func cause(err error) string {
	var ue *upstream.Error
	switch {
	case errors.As(err, &ue):
		return ue.Kind
	case errors.Is(err, cache.ErrLagging):
		return "client-slow"
	case errors.Is(err, os.ErrDeadlineExceeded):
		return "client-stalled"
	case errors.Is(err, context.Canceled), errors.Is(err, cache.ErrCanceled), errors.Is(err, net.ErrClosed),
		errors.Is(err, syscall.EPIPE), errors.Is(err, syscall.ECONNRESET):
		return "client-closed"
	}
	return "origin-broke-off"
}
