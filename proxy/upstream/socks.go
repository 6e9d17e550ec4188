package upstream

import (
	"context"
	"errors"
	"net"
	"strings"
	"sync"
	"time"

	"golang.org/x/net/proxy"

	"github.com/jayproxy/jay/proxy/parent"
)

// socksCommand has a SOCKS5 parent connect to o (RFC 1928). It is given the name,
// not an address, so that it resolves it.
func (c *Client) socksCommand(ctx context.Context, l *leg, o Origin, t Terms) error {
	began := time.Now()
	ctx, cancel := c.connectContext(ctx, c.opt().ConnectTimeout)
	defer cancel()
	g := &greeting{Conn: l.nc, via: o.Via}
	if t.Patience > 0 {
		short, stop := context.WithCancelCause(ctx)
		timer := time.AfterFunc(t.Patience, func() { stop(context.DeadlineExceeded) })
		g.greeted = func() { timer.Stop() }
		defer stop(nil)
		defer timer.Stop()
		ctx = short
	}
	var auth *proxy.Auth
	if user, password, ok := o.Via.Login(); ok {
		auth = &proxy.Auth{User: user, Password: password}
	}
	d, err := proxy.SOCKS5("tcp", o.Via.Address(), auth, g)
	if err != nil {
		return &ParentError{Parent: o.Via, Err: &Error{Kind: KindConfiguration, Status: 502, Err: err}}
	}
	if _, err = d.(proxy.ContextDialer).DialContext(ctx, "tcp", o.target()); err == nil {
		return nil
	}
	if errors.Is(context.Cause(ctx), context.DeadlineExceeded) {
		err = context.DeadlineExceeded
	}
	if !g.heard {
		return parentDown(o.Via, began, dialError(err), ctx)
	}
	return socksError(o.Via, err)
}

// greeting is the connection to a SOCKS parent until it is a tunnel. The parent is
// up as soon as it says a word.
type greeting struct {
	net.Conn
	via     *parent.Parent
	once    sync.Once
	heard   bool
	greeted func() // nil: nobody waits for that
}

// Dial implements [proxy.Dialer]: the connection is there already.
func (g *greeting) Dial(string, string) (net.Conn, error) { return g, nil }

// DialContext implements [proxy.ContextDialer].
func (g *greeting) DialContext(context.Context, string, string) (net.Conn, error) { return g, nil }

// Read implements net.Conn.
func (g *greeting) Read(p []byte) (int, error) {
	n, err := g.Conn.Read(p)
	if n > 0 {
		g.once.Do(func() {
			g.heard = true
			g.via.Connected()
			if g.greeted != nil {
				g.greeted()
			}
		})
	}
	return n, err
}

// socksError names what became of a request to a SOCKS parent that speaks. The
// library has no types for the replies of RFC 1928 §6, only words.
func socksError(via *parent.Parent, err error) error {
	e := &ParentError{Parent: via}
	_, reply, replied := strings.Cut(err.Error(), "unknown error ")
	switch {
	case isTimeout(err), errors.Is(err, context.DeadlineExceeded):
		e.Err = &Error{Kind: KindConnectionTimeout, Status: 504, Err: err}
	case strings.Contains(err.Error(), "username/password"), strings.Contains(err.Error(), "authentication method"):
		e.Refused = true
		e.Err = &Error{Kind: KindConfiguration, Status: 502, Err: err}
	case !replied:
		e.Err = &Error{Kind: KindProtocolError, Status: 502, Err: err}
	case reply == "connection not allowed by ruleset":
		e.Refused = true
		e.Err = &Error{Kind: KindDestinationUnavailable, Status: 502, Err: err}
	case reply == "TTL expired":
		e.Err = &Error{Kind: KindConnectionTimeout, Status: 504, Err: err}
	case reply == "connection refused":
		e.Err = &Error{Kind: KindConnectionRefused, Status: 502, Err: err}
	default:
		e.Err = &Error{Kind: KindDestinationUnavailable, Status: 502, Err: err}
	}
	return e
}
