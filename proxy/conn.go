package proxy

import (
	"bytes"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jayproxy/jay/proxy/h2"
	"github.com/jayproxy/jay/proxy/wire"
)

// The states of a client connection. Shutdown closes an idle one after partingWait; a parting one, which has become idle
// since, ends by itself after the same time, and a busy one after its exchange.
const (
	connIdle int32 = iota
	connParting
	connBusy
	connClosed
)

// partingWait is how long a connection without a request stays open when the proxy ends: HTTP/1.1 has no other way to say
// that no more requests are taken than in an answer, so one that is on its way, or that is about to be, gets an answer that
// ends the connection. Who has been silent for so long will hardly speak at the very moment that it is closed.
const partingWait = time.Second

// conn is one client's connection: one goroutine reads its requests and answers them in order.
type conn struct {
	p      *Proxy
	opt    *settings // for the request at hand
	nc     net.Conn
	raw    net.Conn // what was accepted, with TLS below nc
	r      *wire.Reader
	mode   Mode
	client netip.AddrPort
	local  bool           // the client is on this machine
	dst    netip.AddrPort // where an intercepted client thought it connected to
	proven proven         // the name that dst has
	limit  string         // the option that left no room for it; empty if there was room
	state  atomic.Int32

	secure  *tls.Config    // nil: no TLS
	at      netip.AddrPort // where the client has connected to, as the PROXY header says
	name    string         // the name that the client has connected to, if it told (SNI)
	fronted bool           // a PROXY header says who the client is
	counted bool           // among those of its client
	h2      *h2.Conn       // the client speaks HTTP/2: requests come as streams; set under p.mu
	stream  *h2.Stream     // this is such a request, and nc the same

	req    wire.Request // the request at hand; reused
	out    []byte       // bytes to be written; borrowed while an exchange runs
	box    *[]byte      // where out was borrowed
	key    []byte       // the cache key that the lane looks up; reused
	status []byte       // the Cache-Status value of the exchange at hand; reused

	readBy, writeBy time.Time // the deadlines that are set now
	persistent      bool      // another request may follow
}

// proven is a host that an intercepted client has named and that has the address which the client connected to, as was
// found at a time. It is asked for again soon: a name may move.
type proven struct {
	host string
	at   time.Time
}

// provenFor is how long a name is taken to have the address that it had.
const provenFor = 5 * time.Second

// named tells whether the request names its destination truly, as far as that is known without a look.
func (c *conn) named(now time.Time) bool {
	u := &c.req.URI
	if u.Host != c.proven.host || u.Host == "" || now.Sub(c.proven.at) > provenFor {
		return false
	}
	port := "80"
	if u.Port != "" {
		port = u.Port
	}
	n, err := strconv.ParseUint(port, 10, 16)
	return err == nil && uint16(n) == c.dst.Port()
}

// serve answers requests until either side wants no more.
func (c *conn) serve() {
	defer c.end()
	if c.fronted && !c.readConveyed() || c.secure != nil && !c.handshake() {
		return
	}
	if c.mode != Explicit && !c.admitIntercepted() {
		return
	}
	for c.next(time.Now()) {
	}
}

// next waits for one request and answers it. It returns false when the connection is done.
func (c *conn) next(now time.Time) bool {
	c.idle(now)
	if err := c.r.Wait(); err != nil || !c.busy() {
		return false
	}
	return c.request()
}

// request reads a request that has begun, and answers it. It returns false when the connection is done.
func (c *conn) request() bool {
	if !c.renew() {
		return false
	}
	head, err := c.readHead()
	if err != nil {
		return c.refuseHead(err)
	}
	if err := wire.ParseRequest(head, c.opt.Limits, &c.req); err != nil {
		return c.refuseHead(err)
	}
	now := time.Now()
	if c.lane(now) {
		return c.persistent
	}
	c.req.Detach()
	return c.exchange(now)
}

// renew takes the settings in force for the request that comes; false means that the client may not ask any more.
func (c *conn) renew() bool {
	now := c.p.opt()
	if now == c.opt {
		return true
	}
	c.opt = now
	if c.mayAsk() {
		return true
	}
	c.p.stats.refusedClients.Add(1)
	return false
}

// idle marks the connection as waiting for its next request, for as long as it may.
func (c *conn) idle(now time.Time) {
	c.giveBack()
	c.state.Store(connIdle) // first: Shutdown sets closing first, so that one of the two sees the other
	wait := c.opt.IdleTimeout
	if c.p.closing.Load() && c.state.CompareAndSwap(connIdle, connParting) {
		wait = min(wait, partingWait)
	}
	c.readWithin(now, wait)
}

// busy marks the connection as having a request; false means that Shutdown was faster.
func (c *conn) busy() bool {
	return c.state.CompareAndSwap(connIdle, connBusy) || c.state.CompareAndSwap(connParting, connBusy)
}

// readHead reads a whole head. The time for it counts from its first byte, however slowly the rest drips in.
func (c *conn) readHead() (string, error) {
	if !bytes.Contains(c.r.Buffered(), []byte("\r\n\r\n")) {
		c.readBy = time.Now().Add(c.opt.HeadTimeout)
		c.nc.SetReadDeadline(c.readBy)
	}
	return c.r.Head(c.opt.Limits)
}

// refuseHead answers a head that cannot be trusted. Nothing of it goes on, nothing more is read, and the connection ends.
func (c *conn) refuseHead(err error) bool {
	if errors.Is(err, io.EOF) {
		return false
	}
	status, detail := 400, "the request ended before its head was complete"
	var we *wire.Error
	switch {
	case errors.As(err, &we):
		status, detail = we.Status, we.Detail
	case errors.Is(err, os.ErrDeadlineExceeded):
		status, detail = 408, "the request head did not arrive in time"
	case !errors.Is(err, io.ErrUnexpectedEOF):
		return false
	}
	c.p.stats.refusedHeads.Add(1)
	x := c.newExchange(time.Now())
	x.req = &wire.Request{Method: "-", Target: "-", Minor: 1}
	x.reply.close = true
	x.refuse(fault{status: status, kind: "http_request_error", text: detail})
	x.answer()
	x.finish()
	c.lingerClose()
	return false
}

// lingerClose lets the client read the answer before the connection is reset for the bytes that nobody will read.
func (c *conn) lingerClose() {
	cw, ok := c.nc.(interface{ CloseWrite() error })
	if !ok || cw.CloseWrite() != nil {
		return
	}
	c.nc.SetReadDeadline(time.Now().Add(500 * time.Millisecond))
	var sink [2048]byte
	for total := 0; total < 256<<10; {
		n, err := c.nc.Read(sink[:])
		if err != nil {
			return
		}
		total += n
	}
}

// borrow returns the out buffer, empty; from the pool if there is none.
func (c *conn) borrow() []byte {
	if c.box == nil {
		c.box = c.p.outBufs.Get().(*[]byte)
		c.out = *c.box
	}
	return c.out[:0]
}

// giveBack gives the out buffer back, unless it has grown too large to be kept.
func (c *conn) giveBack() {
	if c.box != nil && cap(c.out) <= 64<<10 {
		*c.box = c.out[:0]
		c.p.outBufs.Put(c.box)
	}
	c.box, c.out = nil, nil
}

// end closes the connection and gives back what it holds.
func (c *conn) end() {
	if e := recover(); e != nil {
		c.p.panicked(c, e)
		c.reset()
	}
	c.state.Store(connClosed)
	c.nc.Close()
	c.r.Release()
	c.giveBack()
	c.p.forget(c)
}

// reset makes the coming end of the connection look like a break.
func (c *conn) reset() {
	if c.stream != nil {
		c.stream.Reset()
		return
	}
	if t, ok := c.raw.(interface{ SetLinger(int) error }); ok {
		t.SetLinger(0)
	}
	if c.raw != c.nc {
		c.raw.Close() // without TLS telling the client that all is well
	}
}

// readWithin lets reads block until about d from now. The deadline is moved only when it is off by a sixteenth, since
// setting it costs more than answering from the cache.
func (c *conn) readWithin(now time.Time, d time.Duration) {
	if left := c.readBy.Sub(now); left >= d && left <= d+d/8 {
		return
	}
	c.readBy = now.Add(d + d/16)
	c.nc.SetReadDeadline(c.readBy)
}

// writeWithin is readWithin for writes.
func (c *conn) writeWithin(now time.Time, d time.Duration) {
	if left := c.writeBy.Sub(now); left >= d && left <= d+d/8 {
		return
	}
	c.writeBy = now.Add(d + d/16)
	c.nc.SetWriteDeadline(c.writeBy)
}

// watch calls gone when the client closes its connection while an exchange waits for its origin. It begins after a moment,
// so that a prompt answer costs only a timer. The function that it returns ends the watch, and must be called before the
// connection is read again.
func (c *conn) watch(gone func()) (stop func()) {
	w := &watch{c: c, gone: gone, done: make(chan struct{})}
	w.timer = time.AfterFunc(watchDelay, w.run)
	return w.stop
}

// A watch reads ahead on a client connection to see it end; what it reads stays in the connection's buffer. A client that has
// sent more and then ended its side is not gone: that is how a simple one sends all it has.
type watch struct {
	c     *conn
	gone  func()
	timer *time.Timer
	done  chan struct{}
	mu    sync.Mutex
	ended bool
}

func (w *watch) run() {
	defer close(w.done)
	if !w.begin() {
		return
	}
	err := w.c.r.Fill()
	for err == nil && len(w.c.r.Buffered()) < watchBytes {
		err = w.c.r.Fill()
	}
	if err == nil || errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, wire.ErrFull) {
		return
	}
	if errors.Is(err, io.EOF) && len(w.c.r.Buffered()) > 0 {
		return // it has said all it wants to say, and waits for the answers, or for the tunnel to say it in
	}
	w.mu.Lock()
	ended := w.ended
	w.mu.Unlock()
	if !ended {
		w.gone()
	}
}

// begin lifts the deadline that was set for reading requests: a held request has none.
func (w *watch) begin() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.ended {
		w.c.readBy = time.Time{}
		w.c.nc.SetReadDeadline(time.Time{})
	}
	return !w.ended
}

func (w *watch) stop() {
	if w.timer.Stop() {
		return
	}
	w.mu.Lock()
	w.ended = true
	w.c.nc.SetReadDeadline(time.Unix(1, 0))
	w.mu.Unlock()
	<-w.done
	w.c.readBy = time.Time{}
	w.c.nc.SetReadDeadline(time.Time{})
}

const (
	watchDelay = 5 * time.Millisecond
	watchBytes = 4 << 10 // pipelined requests beyond this wait in the kernel
)
