// Package proxy is Jay's caching proxy: it joins the cache, the decisions about freshness and validation, and the
// tunnels into an HTTP/1.1 intermediary (RFC 9110 §3.7, §7; RFC 9111; RFC 9112).
//
// A Proxy reads requests from explicit and intercepted client connections with its own strict parser (package wire), lets
// goproxy's handlers dispatch them, answers from the cache where RFC 9111 allows, forwards the rest (package upstream),
// and hands CONNECT and Upgrade over to package tunnel. It decodes nothing and invents nothing.
package proxy

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/elazarl/goproxy"

	"github.com/jayproxy/jay/cache"
	"github.com/jayproxy/jay/proxy/upstream"
	"github.com/jayproxy/jay/proxy/wire"
	"github.com/jayproxy/jay/tunnel"
)

// Proxy is a caching proxy. Make one with New, give it listeners with Serve, and end it with Shutdown.
type Proxy struct {
	current  atomic.Pointer[settings]
	log      *slog.Logger
	guarded  *upstream.Client // for other machines' clients: every address is checked before it is dialled
	direct   *upstream.Client // for clients on this machine, which could reach everything without Jay, too
	store    *cache.Store[stored]
	flights  flights
	groups   groups
	searches searches
	tunnels  tunnel.Registry
	gp       *goproxy.ProxyHttpServer
	own      tunnel.Addresses
	stats    counters
	recent   recents

	outBufs, copyBufs sync.Pool
	lanes             sync.Pool // exchanges for hits
	noLane            bool      // every request takes the ordinary path; for tests that compare the two

	ctx    context.Context // ends with the proxy; background revalidation hangs on it
	cancel context.CancelFunc
	work   sync.WaitGroup // fills and background revalidations

	merging     sync.Mutex // held while a part is joined with what is stored
	configuring sync.Mutex // held while the settings are replaced

	closing   atomic.Bool
	mu        sync.Mutex
	listeners map[net.Listener]*door
	accepting sync.WaitGroup         // loops of Serve
	reserved  map[netip.AddrPort]int // further addresses of Jay's own, see Reserve
	conns     map[*conn]struct{}
	streams   int // requests over HTTP/2, each of which counts as a connection
	perClient map[netip.Addr]int
	gone      sync.WaitGroup // client connections

	warnedOfLimit atomic.Int64 // when, in Unix nanoseconds
}

// New makes a proxy. It fails when the cache cannot be made.
func New(o Options) (*Proxy, error) {
	o = o.withDefaults()
	store, err := cache.New(o.cache(), codec(time.Now()))
	if err != nil {
		return nil, fmt.Errorf("proxy: %w", err)
	}
	p := &Proxy{
		log: o.Logger, store: store,
		listeners: map[net.Listener]*door{},
		reserved:  map[netip.AddrPort]int{},
		conns:     map[*conn]struct{}{},
		perClient: map[netip.Addr]int{},
	}
	p.ctx, p.cancel = context.WithCancel(context.Background())
	p.flights.init(store.Epoch)
	p.lanes.New = func() any { return new(exchange) }
	p.outBufs.New = func() any { b := make([]byte, 0, 8<<10); return &b }
	p.copyBufs.New = func() any { b := make([]byte, 64<<10); return &b }
	s := settingsOf(o, nil)
	p.guarded, p.direct = upstream.New(p.guardedOptions(s)), upstream.New(p.directOptions(s))
	p.current.Store(s)
	p.gp = p.dispatcher()
	return p, nil
}

// Serve accepts clients of the given mode on ln until Shutdown, or until ln is closed, both of which make it return nil. It
// owns ln from now on; closing it ends none of the connections that it has accepted.
func (p *Proxy) Serve(ln net.Listener, mode Mode) error {
	return p.ServeWith(ln, ListenOptions{Mode: mode})
}

// ServeWith is Serve for a listener whose clients may do something before they speak HTTP.
func (p *Proxy) ServeWith(ln net.Listener, o ListenOptions) error {
	o = o.prepared()
	d := p.register(ln)
	if d == nil {
		ln.Close()
		return nil
	}
	defer p.unregister(ln)
	var pause time.Duration
	var warned time.Time
	for {
		d.turns.Add(1)
		nc, err := ln.Accept()
		switch {
		case err == nil:
			pause = 0
			p.admit(nc, o)
		case p.closing.Load(), errors.Is(err, net.ErrClosed):
			return nil
		case temporary(err):
			pause = min(max(2*pause, 5*time.Millisecond), 100*time.Millisecond)
			p.stats.acceptErrors.Add(1)
			if time.Since(warned) > time.Minute {
				warned = time.Now()
				p.log.Warn("accepting is paused", "listener", ln.Addr().String(), "err", err)
			}
			time.Sleep(pause)
		default:
			return fmt.Errorf("proxy: accept on %s: %w", ln.Addr(), err)
		}
	}
}

// register makes ln one of the proxy's listeners, or returns nil if the proxy ends.
func (p *Proxy) register(ln net.Listener) *door {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closing.Load() {
		return nil
	}
	d := &door{addr: addrPort(ln.Addr())}
	p.listeners[ln] = d
	p.accepting.Add(1)
	return d
}

func (p *Proxy) unregister(ln net.Listener) {
	ln.Close()
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.listeners, ln)
	p.accepting.Done()
}

// admit starts serving a client, if it may use the proxy and there is room for it. Who may not is not answered: not a
// byte of theirs is read.
func (p *Proxy) admit(nc net.Conn, o ListenOptions) {
	c := &conn{p: p, opt: p.opt(), nc: nc, raw: nc, mode: o.Mode, secure: o.TLS, client: addrPort(nc.RemoteAddr()), persistent: true}
	c.fronted = o.ProxyProtocol && c.opt.sends(c.client.Addr())
	if !c.fronted && !c.welcome() || !p.remember(c) {
		p.stats.refusedClients.Add(1)
		p.warnOfLimit(c)
		nc.Close()
		return
	}
	c.r = wire.NewReader(nc)
	go func() {
		defer p.gone.Done()
		c.serve()
	}()
}

// remember counts a connection against the limits; false means that one of them is reached. One that was accepted before
// Shutdown closed the listener is served like others.
func (p *Proxy) remember(c *conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.full(c) || !c.fronted && !p.count(c) {
		return false
	}
	p.conns[c] = struct{}{}
	p.gone.Add(1)
	return true
}

// full tells whether there is no room for c; p.mu is held.
func (p *Proxy) full(c *conn) bool {
	if c.opt.MaxConnections <= 0 || len(p.conns)+p.streams < c.opt.MaxConnections {
		return false
	}
	c.limit = "max-connections"
	return true
}

// warnOfLimit says which limit a connection was turned away by, if it was one: at most once a minute, since there may be
// many.
func (p *Proxy) warnOfLimit(c *conn) {
	if c.limit == "" {
		return
	}
	now, last := time.Now().UnixNano(), p.warnedOfLimit.Load()
	if now-last >= int64(time.Minute) && p.warnedOfLimit.CompareAndSwap(last, now) {
		p.log.Warn("a limit of connections is reached, more are turned away", "limit", c.limit, "client", c.client.Addr().String())
	}
}

// count adds a connection to those of its client, unless they are too many; p.mu is held.
func (p *Proxy) count(c *conn) bool {
	addr := c.client.Addr()
	if c.opt.MaxClientConnections > 0 && p.perClient[addr] >= c.opt.MaxClientConnections {
		c.limit = "max-client-connections"
		return false
	}
	p.perClient[addr]++
	c.counted = true
	return true
}

func (p *Proxy) forget(c *conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.conns, c)
	if c.stream != nil {
		p.streams--
	}
	if !c.counted {
		return
	}
	addr := c.client.Addr()
	if p.perClient[addr]--; p.perClient[addr] == 0 {
		delete(p.perClient, addr)
	}
}

// panicked logs a fault of Jay's own. Only the connection that it happened on ends.
func (p *Proxy) panicked(c *conn, e any) {
	p.stats.panics.Add(1)
	p.log.Error("internal error, connection closed", "client", c.client.String(), "err", fmt.Sprint(e), "stack", string(debug.Stack()))
}

// contain is deferred by goroutines that work for no connection alone: a fault of Jay's own ends what it happened in, and
// nothing else.
func (p *Proxy) contain() {
	if e := recover(); e != nil {
		p.stats.panics.Add(1)
		p.log.Error("internal error, fetch given up", "err", fmt.Sprint(e), "stack", string(debug.Stack()))
	}
}

// errFault is what becomes of a body whose reading a fault of Jay's own has ended.
var errFault = errors.New("proxy: internal error")

// Shutdown ends the proxy: no new connections, running exchanges may finish and tunnels may end by themselves until ctx
// ends, then what is left is cut. Answers say that their connection ends; an idle connection may bring one more request
// within a second. When it returns, no goroutine and no descriptor of the proxy is left. It returns ctx's error if
// anything had to be cut.
func (p *Proxy) Shutdown(ctx context.Context) error {
	p.closing.Store(true)
	parting := time.AfterFunc(partingWait, p.closeIdle)
	defer parting.Stop()
	p.mu.Lock()
	for ln := range p.listeners {
		if handOver(ln) {
			time.AfterFunc(partingWait, func() { ln.Close() })
		} else {
			ln.Close()
		}
	}
	p.drainStreams()
	p.mu.Unlock()
	p.accepting.Wait()
	drained := make(chan struct{})
	go func() {
		p.gone.Wait()
		close(drained)
	}()
	var err error
	select {
	case <-drained:
	case <-ctx.Done():
		err = ctx.Err()
		p.cancel()
		p.mu.Lock()
		p.closeConns(func(*conn) bool { return true })
		p.mu.Unlock()
		<-drained
	}
	_ = p.tunnels.Shutdown(ctx) // none is left: each belongs to a connection
	p.cancel()
	p.guarded.Close()
	p.direct.Close()
	p.work.Wait()
	p.store.Close()
	return err
}

// closeIdle closes the connections that have brought no request since before Shutdown.
func (p *Proxy) closeIdle() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closeConns(func(c *conn) bool { return c.state.CompareAndSwap(connIdle, connClosed) })
}

// closeConns closes the connections that match; p.mu is held.
func (p *Proxy) closeConns(match func(*conn) bool) {
	for c := range p.conns {
		if match(c) {
			c.raw.Close()
		}
	}
}

func (p *Proxy) copyBuffer() *[]byte        { return p.copyBufs.Get().(*[]byte) }
func (p *Proxy) returnCopyBuffer(b *[]byte) { p.copyBufs.Put(b) }
