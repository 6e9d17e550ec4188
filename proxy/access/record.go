// Package access writes Jay's access log: one line for every exchange and every tunnel.
//
// Writing a record never blocks and never allocates: the line is encoded into a bounded buffer and written by one
// goroutine. When the disk or the reader of a pipe is too slow, lines are dropped and counted, never waited for.
// Values come from clients and origins, so every one of them is escaped; a line is at most 8 KiB long and holds no
// control byte, no invalid UTF-8 and no credentials.
//
// What is left out on purpose: rotation (use [Log.Reopen]) and sampling.
package access

import (
	"net/netip"
	"time"
)

// Decision says in one word what the proxy did with a request.
type Decision string

// The decisions. Their text is what text and json lines show.
const (
	Hit         Decision = "hit"         // answered with a stored fresh response
	Stale       Decision = "stale"       // answered with a stored stale response
	Revalidated Decision = "revalidated" // the origin confirmed the stored response (304)
	Updated     Decision = "updated"     // the origin replaced the stored response
	Collapsed   Decision = "collapsed"   // answered from a response that another request was fetching
	Miss        Decision = "miss"        // fetched, because nothing stored could be used
	Pass        Decision = "pass"        // fetched without looking at the cache
	Tunnel      Decision = "tunnel"      // bytes relayed: CONNECT, Upgrade or an intercepted connection
	Local       Decision = "local"       // answered by the proxy itself
	Denied      Decision = "denied"      // refused by policy
	Failed      Decision = "error"       // answered with an error that the proxy made
)

// Record is what is known about one finished exchange or tunnel. Fields at their zero value are left out of the line
// or shown as "-". Strings are only read during [Log.Write] and may be views of reused memory.
type Record struct {
	Time     time.Time      // when the request's first byte arrived, or when a tunnel was accepted
	Duration time.Duration  // until the last byte was passed on
	Client   netip.AddrPort // who asked
	User     string         // authenticated name

	Method, URL, Proto string // URL is absolute, or host:port for CONNECT; userinfo is never written. Proto as in "HTTP/1.1"
	Status             int    // status code sent to the client; 0 if none was
	BytesIn, BytesOut  int64  // received from and sent to the client, heads excluded

	Decision    Decision
	Reason      string         // why: a constant of the packages that decide
	CacheStatus string         // Cache-Status value of the response (RFC 9211)
	ProxyStatus string         // Proxy-Status value of the response (RFC 9209)
	Origin      netip.AddrPort // address that was connected to; invalid if none was
	Parent      string         // URL of the proxy that the origin was reached through, whose address Origin is then; empty: none
	Rule        string         // policy rule that decided
	Reported    string         // report rules of the policy that would have refused, separated by commas

	Kind  string // of a tunnel: "connect", "upgrade", "intercept"; empty for an exchange
	Cause string // why a tunnel or exchange ended early, such as "idle" or "client-closed"
	SNI   string // server name that a tunnelled TLS client asked for

	ContentType, Referer, UserAgent string // for the squid and combined formats
}
