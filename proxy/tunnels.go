package proxy

import (
	"net"
	"net/netip"
	"strconv"
	"time"

	"github.com/jayproxy/jay/proxy/access"
	"github.com/jayproxy/jay/proxy/upstream"
	"github.com/jayproxy/jay/proxy/wire"
	"github.com/jayproxy/jay/tunnel"
)

// tunnelOptions bound a tunnel.
func (s *settings) tunnelOptions() tunnel.Options {
	return tunnel.Options{IdleTimeout: s.TunnelIdle, DrainTimeout: s.TunnelDrain, Lifetime: s.TunnelLifetime}
}

// connect answers CONNECT: with a tunnel, or with a refusal that ends the connection, since what the client may have sent
// ahead was meant for somebody else (RFC 9110 §9.3.6, RFC 9931).
func (x *exchange) connect() bool {
	u := &x.req.URI
	port, _ := strconv.ParseUint(u.Port, 10, 16)
	x.setOrigin("http", u.Host, u.Port, "", netip.AddrPort{})
	x.origin.Port = uint16(port)
	x.rec.URL = net.JoinHostPort(u.Host, u.Port)
	x.rec.Kind = "connect"
	x.reply.close = true
	if f := x.connectFault(); f.status != 0 {
		return x.refuseTunnel(f)
	}
	stop := x.c.watch(x.gone)
	origin, early, err := x.dial()
	stop()
	if err != nil {
		return x.refuseTunnel(faultOf(err))
	}
	x.c.out = append(x.c.borrow(), "HTTP/1.1 200 Connection established\r\n\r\n"...)
	x.c.writeWithin(time.Now(), x.opt.WriteTimeout)
	x.reply.status = 200
	if err := x.flush(); err != nil {
		origin.Close()
		x.reply.failed = err
		x.log()
		return false
	}
	x.relayTunnel(origin, early)
	return false
}

// connectFault tells why a CONNECT is refused.
func (x *exchange) connectFault() fault {
	switch {
	case x.hasBody:
		return fault{status: 400, kind: "http_request_error", text: "a CONNECT request has no body"}
	case x.viaSelf():
		return faultLoop
	}
	if f := x.login(); f.status != 0 {
		return f
	}
	if !x.c.local && !contains(x.opt.ConnectPorts, x.origin.Port) {
		return faultPort
	}
	return x.permit(x.origin.Host, nil)
}

// viaSelf tells whether a CONNECT has passed this proxy before.
func (x *exchange) viaSelf() bool {
	return loopedLines(x.req.Fields.Values("Via"), x.opt.via)
}

// refuseTunnel answers a CONNECT that gets no tunnel. It always ends the connection.
func (x *exchange) refuseTunnel(f fault) bool {
	x.refuse(f)
	x.reply.close = true
	x.answer()
	x.log()
	x.c.lingerClose()
	return false
}

// relayTunnel hands both connections over until the tunnel ends, and logs it.
func (x *exchange) relayTunnel(origin net.Conn, early []byte) {
	x.c.nc.SetDeadline(time.Time{})
	fromClient := append([]byte(nil), x.c.r.Buffered()...)
	if len(fromClient) > 0 {
		x.rec.SNI, _, _ = tunnel.ServerName(fromClient)
	}
	x.c.giveBack()
	res := x.p.tunnels.Join(x.p.ctx, x.c.nc, origin, tunnel.Early{FromClient: fromClient, FromOrigin: early}, x.opt.tunnelOptions())
	x.rec.Decision, x.rec.Cause = access.Tunnel, res.Cause
	x.rec.BytesIn = res.Sent
	x.reply.written = res.Received
	x.log()
}

// switched makes a 101 the reply; the connection becomes a tunnel once it was sent.
func (x *exchange) switched(r *upstream.Response) {
	x.rec.Kind = "upgrade"
	lines := string(x.passLines(r, nil))
	for _, v := range r.Fields.Values("Upgrade") {
		lines += "Upgrade: " + v + "\r\n"
	}
	x.reply = reply{
		status: 101, reason: r.Reason, lines: lines + "Connection: Upgrade\r\n", length: -1, age: -1, origin: r, takeOver: true,
	}
}

// takeOver turns the client's connection and the origin's into a tunnel.
func (x *exchange) takeOver() {
	origin, early := x.reply.origin.Hijack()
	x.relayTunnel(origin, early)
}

// admitIntercepted looks at a new intercepted connection: it finds where the client wanted to go, and relays what is not
// HTTP. It returns whether HTTP is to be served.
func (c *conn) admitIntercepted() bool {
	if c.mode == ByHost {
		return true
	}
	dst, err := c.destination()
	if err != nil || c.p.notOwn(dst) != nil {
		return c.refuseDirect(err)
	}
	c.dst = dst
	if dst.Port() == 443 {
		c.nc.SetReadDeadline(time.Now().Add(helloWait))
		c.r.Wait() // the server's name, for the log; if none comes, the server may be the one to speak first
		return c.relayRaw()
	}
	return c.speaksHTTP() || c.relayRaw()
}

// destination is the address that the client wanted.
func (c *conn) destination() (netip.AddrPort, error) {
	if c.dst.IsValid() { // conveyed
		return c.dst, nil
	}
	if c.mode == TProxy {
		return addrPort(c.nc.LocalAddr()), nil
	}
	t, ok := c.nc.(*net.TCPConn)
	if !ok {
		return netip.AddrPort{}, tunnel.ErrNotRedirected
	}
	return tunnel.OriginalDst(t)
}

// refuseDirect answers a client that connected to an intercepting port itself: there is nowhere to send it on to but here.
func (c *conn) refuseDirect(err error) bool {
	c.readWithin(time.Now(), c.opt.HeadTimeout)
	if c.r.Wait() != nil {
		return false
	}
	x := c.newExchange(time.Now())
	x.req = &wire.Request{Method: "-", Target: "-", Minor: 1}
	f := faultDirect
	f.cause = err
	x.refuse(f)
	x.answer()
	x.finish()
	c.lingerClose()
	return false
}

// speaksHTTP looks at the client's first bytes. A client that waits for the server to speak first is no HTTP client.
func (c *conn) speaksHTTP() bool {
	wait := sniffWait
	if c.dst.Port() == 80 {
		wait = c.opt.IdleTimeout
	}
	c.readBy = time.Now().Add(wait)
	c.nc.SetReadDeadline(c.readBy)
	if c.r.Wait() != nil {
		return false
	}
	for {
		switch tunnel.Sniff(c.r.Buffered()) {
		case tunnel.HTTP:
			return true
		case tunnel.NeedMore:
			if c.r.Fill() != nil {
				return true
			}
		default:
			return false
		}
	}
}

// sniffWait is how long a client may be silent before its connection counts as one where the server speaks first.
const sniffWait = 3 * time.Second

// helloWait is how long a connection to port 443 is held back for its first bytes.
const helloWait = 500 * time.Millisecond

// relayRaw relays an intercepted connection to where it was meant to go, untouched. It returns false: nothing is left to do.
func (c *conn) relayRaw() bool {
	x := c.newExchange(time.Now())
	x.req = &wire.Request{Method: "-", Target: "-", Minor: 1}
	x.ctx, x.cancel = c.p.ctx, func() {}
	x.setOrigin("http", c.dst.Addr().String(), strconv.Itoa(int(c.dst.Port())), "", c.dst)
	x.rec.Method, x.rec.Kind, x.rec.URL = "CONNECT", "intercept", c.dst.String()
	c.state.Store(connBusy)
	if f := x.permitRaw(); f.status != 0 {
		x.cut(f)
		return false
	}
	x.nameRaw()
	origin, early, err := x.dial()
	if f := faultOf(err); err != nil && f.status == 403 {
		x.cut(f)
		return false
	}
	if err != nil {
		x.rec.Cause, x.rec.Decision = "origin-unreachable", access.Failed
		x.abort()
		x.log()
		return false
	}
	x.relayTunnel(origin, early)
	return false
}

// nameRaw finds the name that a parent can be told for a connection that is going to be relayed untouched.
func (x *exchange) nameRaw() {
	x.unverified = true
	if !x.opt.Parents.Active() {
		return
	}
	if name := x.c.serverName(); name != "" && x.resolvesTo(name, x.c.dst.Addr()) {
		x.origin.Host, x.unverified = name, false
	}
}
