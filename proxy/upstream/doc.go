// Package upstream is the strict HTTP/1.1 client through which the proxy
// reaches origins: RFC 9112 §9 (connection management), RFC 9110 §10.1.1
// (Expect), §15.2 (1xx) and §9.2.2 (when a request may be repeated), with error
// types named as in RFC 9209 §2.3.
//
// It writes heads that its caller serialised and reads answers through
// proxy/wire, so nothing is added, decoded, followed or repaired on the way.
// Each [Origin] has its own bounded pool. A connection is reused only when the
// exchange before it is proven complete on both sides and the socket has
// nothing to read at the moment it is taken.
//
// Left out on purpose: HTTP/2, proxies in front of the origin, redirects,
// cookies, content codings, and any reading of header fields beyond framing,
// Connection and the status.
package upstream
