package tunnel

import (
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// relay is one live tunnel: two flows and what ends them.
type relay struct {
	start             time.Time
	idle, drain, life time.Duration // no limit when <= 0
	last              atomic.Int64  // last movement of bytes, in nanoseconds after start
	up, down          flow          // client to origin, origin to client

	mu    sync.Mutex
	timer *time.Timer // nil before the first check, or without a limit
	cause string      // why the tunnel ends, "" while nothing ended
	fault error       // the first broken read or write
	half  bool        // one flow has ended
	ended bool        // both connections are closed, or about to be
	reset net.Conn    // to be reset, not closed, because its peer was
}

func newRelay(pipes *pipePool, client, origin net.Conn, early Early, opt Options) *relay {
	r := &relay{
		start: time.Now(),
		idle:  orDefault(opt.IdleTimeout, DefaultIdleTimeout),
		drain: orDefault(opt.DrainTimeout, DefaultDrainTimeout),
		life:  orDefault(opt.Lifetime, DefaultLifetime),
	}
	r.up.init(r, pipes, client, origin, early.FromClient)
	r.down.init(r, pipes, origin, client, early.FromOrigin)
	return r
}

func orDefault(d, def time.Duration) time.Duration {
	if d == 0 {
		return def
	}
	return d
}

// run relays until both flows have ended and both connections are closed. The
// caller's goroutine carries one flow, so that a tunnel costs one more only.
func (r *relay) run() {
	client, origin := r.up.src, r.up.dst
	// Deadlines that guarded the heads must not cut the tunnel. A connection
	// without deadlines needs none cleared.
	_ = client.SetDeadline(time.Time{})
	_ = origin.SetDeadline(time.Time{})
	r.check()
	done := make(chan struct{})
	go r.runDown(done)
	r.finish(&r.up, r.up.carry())
	<-done
	r.closeAll()
}

// runDown is named so that a stack dump tells what the goroutine does.
func (r *relay) runDown(done chan<- struct{}) {
	defer close(done)
	r.finish(&r.down, r.down.carry())
}

// touch notes that bytes have moved.
func (r *relay) touch() { r.last.Store(int64(time.Since(r.start))) }

const forever = time.Duration(1<<63 - 1)

// left returns the time until the next limit is reached, and which one it is.
func (r *relay) left() (time.Duration, string) {
	wait, cause := forever, ""
	limit, name := r.idle, CauseIdle
	if r.half && r.drain > 0 && (limit <= 0 || r.drain < limit) {
		limit, name = r.drain, CauseDrainTimeout
	}
	now := time.Since(r.start)
	if limit > 0 {
		wait, cause = time.Duration(r.last.Load())+limit-now, name
	}
	if r.life > 0 && r.life-now < wait {
		wait, cause = r.life-now, CauseLifetime
	}
	return wait, cause
}

// check ends the tunnel when a limit is reached. It is what the only timer calls,
// which does not move when bytes do: when it fires, it looks how much time is
// really left.
func (r *relay) check() {
	wait, cause := r.recheck()
	if wait <= 0 {
		r.end(cause)
	}
}

// recheck moves the timer to the next limit, or reports the one that is reached.
func (r *relay) recheck() (time.Duration, string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	wait, cause := r.left()
	if wait <= 0 && cause != CauseLifetime && r.delivering() {
		r.touch()
		wait, cause = r.left()
	}
	switch {
	case r.ended || wait <= 0 || wait == forever:
	case r.timer == nil:
		r.timer = time.AfterFunc(wait, r.check)
	default:
		r.timer.Reset(wait)
	}
	return wait, cause
}

// delivering reports whether a write that has been waiting all the time is still
// being carried: a slow reader behind a large send buffer lets a write wait for
// longer than the drain timeout while its bytes do arrive.
func (r *relay) delivering() bool {
	up, down := r.up.delivering(), r.down.delivering()
	return up || down
}

// end closes both connections for cause, which wakes both flows.
func (r *relay) end(cause string) {
	r.mu.Lock()
	if r.ended {
		r.mu.Unlock()
		return
	}
	r.ended = true
	r.cause = cause
	r.mu.Unlock()
	r.up.src.Close()
	r.up.dst.Close()
}

// finish takes note of the end of f. A nil error means the end of its stream.
func (r *relay) finish(f *flow, err error) {
	var broken *readError
	switch {
	case err == nil:
		r.passEnd(f)
	case errors.As(err, &broken):
		r.passReset(f, err)
	default:
		// The destination takes no more. What it has sent is still carried,
		// and tells whether it closed or broke.
		r.note("", err)
		r.shorten()
	}
}

// passEnd hands the end of f's stream to its destination.
func (r *relay) passEnd(f *flow) {
	cause := CauseClientClosed
	if f == &r.down {
		cause = CauseOriginClosed
	}
	r.note(cause, nil)
	// An error means that the destination has gone, which the other flow sees.
	if half, ok := f.dst.(interface{ CloseWrite() error }); ok {
		_ = half.CloseWrite()
	} else {
		_ = f.dst.Close()
	}
	r.shorten()
}

// passReset stops the other flow and has its source reset at the end.
func (r *relay) passReset(f *flow, err error) {
	r.note(CauseError, err)
	if errors.Is(err, net.ErrClosed) || errors.Is(err, io.ErrClosedPipe) {
		return // by this tunnel itself
	}
	r.mu.Lock()
	ended := r.ended
	if !ended {
		r.ended, r.reset = true, f.dst
	}
	r.mu.Unlock()
	if ended {
		return
	}
	f.src.Close()
	if f.dst.SetReadDeadline(time.Unix(1, 0)) != nil {
		f.dst.Close()
	}
}

// note keeps the first cause and the first fault.
func (r *relay) note(cause string, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.cause == "" {
		r.cause = cause
	}
	if r.fault == nil && !r.ended {
		r.fault = err
	}
}

// shorten begins the drain time.
func (r *relay) shorten() {
	r.touch()
	r.mu.Lock()
	r.half = true
	r.mu.Unlock()
	r.check()
}

// closeAll closes what is still open, after both flows have returned.
func (r *relay) closeAll() {
	r.mu.Lock()
	r.ended = true
	reset, timer := r.reset, r.timer
	r.mu.Unlock()
	if timer != nil {
		timer.Stop()
	}
	if reset != nil {
		abandon(reset)
	}
	r.up.src.Close()
	r.up.dst.Close()
}

// abandon makes the coming Close of c a reset. Bytes under way to its peer get a
// short time to arrive: a reset would drop them. Under TLS the connection is closed
// from below, or the peer would be told that all has come.
func abandon(c net.Conn) {
	if s, ok := c.(interface{ Reset() }); ok {
		s.Reset()
		return
	}
	t := socketOf(c)
	if t == nil {
		return
	}
	for i := 0; i < 20 && unsent(t) > 0; i++ {
		time.Sleep(lastBytes / 20)
	}
	_ = t.SetLinger(0)
	if net.Conn(t) != c {
		t.Close()
	}
}

// socketOf is the socket that carries c, TLS or not; nil if there is none to be found.
func socketOf(c net.Conn) *net.TCPConn {
	for {
		over, ok := c.(interface{ NetConn() net.Conn })
		if !ok {
			t, _ := c.(*net.TCPConn)
			return t
		}
		c = over.NetConn()
	}
}

// lastBytes bounds the wait for the delivery of what a reset would drop.
const lastBytes = time.Second

func (r *relay) result() Result {
	r.mu.Lock()
	defer r.mu.Unlock()
	res := Result{Sent: r.up.moved, Received: r.down.moved, Duration: time.Since(r.start), Cause: r.cause}
	if res.Cause == "" {
		res.Cause = CauseError
	}
	if res.Cause == CauseError {
		res.Err = fmt.Errorf("tunnel: %w", r.fault)
	}
	return res
}

// readError marks a fault of a flow's source.
type readError struct{ err error }

// Error implements error.
func (e *readError) Error() string { return e.err.Error() }

// Unwrap gives errors.Is and errors.As the cause.
func (e *readError) Unwrap() error { return e.err }

// endOrFault turns an error of reading into what relay returns.
func endOrFault(err error) error {
	if errors.Is(err, io.EOF) {
		return nil
	}
	return &readError{err}
}
