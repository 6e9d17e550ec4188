package proxy

import (
	"fmt"
	"html"
	"strings"

	"github.com/jayproxy/jay/proxy/access"
)

// self answers a request that is addressed to Jay itself: an origin-form target on an explicit listener. It is never
// fetched; it says how to use the proxy.
func (x *exchange) self() {
	x.rec.Decision, x.rec.Reason = access.Local, "self"
	x.reply = reply{own: true, status: 200, reason: "OK", age: -1, close: x.reply.close}
	if x.req.Method == "OPTIONS" && x.req.Target == "*" {
		x.reply.lines = "Allow: GET, HEAD, POST, PUT, DELETE, CONNECT, OPTIONS, TRACE, PATCH\r\n"
		return
	}
	path, _, _ := strings.Cut(x.req.Target, "?")
	if x.req.Method != "GET" && x.req.Method != "HEAD" || path != "/" {
		x.refuse(fault{status: 400, kind: "http_request_error", text: "this is a proxy; the request must name an absolute URL, such as http://example.com" + "/"})
		return
	}
	addr := x.c.nc.LocalAddr().String()
	kind, text := "text/plain; charset=utf-8", fmt.Sprintf(usage, addr, addr, addr, addr)
	if x.prefersHTML() {
		kind, text = "text/html; charset=utf-8", fmt.Sprintf(usagePage, html.EscapeString(text))
	}
	x.reply.text, x.reply.length = []byte(text), int64(len(text))
	x.reply.lines = "Content-Type: " + kind + "\r\nCache-Control: no-store\r\n"
}

// usage says how to use the proxy; its arguments are the listener's address.
const usage = `This is Jay, a caching HTTP proxy. It answers here only to say how to use it.

Browser:   set %s as the HTTP and HTTPS proxy
Shell:     export http_proxy=http://%s https_proxy=http://%s
One call:  curl -x http://%s http://example.com/
`

const usagePage = `<!DOCTYPE html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>Jay</title>
<style>body{font:1rem/1.5 system-ui,sans-serif;max-width:44rem;margin:10vh auto;padding:0 1rem;color-scheme:light dark}pre{white-space:pre-wrap}</style>
<h1>Jay</h1><pre>%s</pre></html>
`
