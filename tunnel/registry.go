package tunnel

import (
	"context"
	"fmt"
	"maps"
	"net"
	"slices"
	"sync"
	"time"
)

// Defaults of Options.
const (
	DefaultIdleTimeout  = time.Hour
	DefaultDrainTimeout = 30 * time.Second
	DefaultLifetime     = 24 * time.Hour
)

// Options bounds one tunnel in time. A zero field means its default, a negative
// one no limit.
type Options struct {
	// IdleTimeout ends a tunnel in which no byte moved in either direction
	// for so long.
	IdleTimeout time.Duration
	// DrainTimeout replaces IdleTimeout, when shorter, once one side has
	// ended its stream while the other goes on.
	DrainTimeout time.Duration
	// Lifetime ends a tunnel at that age, however busy it is.
	Lifetime time.Duration
}

// Early holds bytes that were read together with the heads before the tunnel
// began. They are passed on before anything else, and not kept after that.
type Early struct {
	FromClient, FromOrigin []byte
}

// Causes a tunnel can end for, as found in Result.Cause.
const (
	CauseClientClosed = "client-closed" // the client ended its stream first
	CauseOriginClosed = "origin-closed" // the origin ended its stream first
	CauseIdle         = "idle"          // Options.IdleTimeout passed
	CauseDrainTimeout = "drain-timeout" // Options.DrainTimeout passed after a half-close
	CauseLifetime     = "lifetime"      // Options.Lifetime passed
	CauseShutdown     = "shutdown"      // Registry.Shutdown, or Join's context ended
	CauseError        = "error"         // a connection broke; Result.Err says how
)

// Result tells what a tunnel did.
type Result struct {
	Sent     int64         // bytes from the client written to the origin, early ones included
	Received int64         // bytes from the origin written to the client, early ones included
	Duration time.Duration // from the call of Join to the end of both directions
	Cause    string        // one of the Cause constants
	Err      error         // the fault behind CauseError, else nil
}

// Registry knows all live tunnels of a proxy, so that they can be counted and
// ended. The zero value is ready for use. It must not be copied.
type Registry struct {
	mu    sync.Mutex
	live  map[*relay]struct{}
	shut  bool
	empty chan struct{} // made by Shutdown, closed when live becomes empty
	pipes pipePool
}

// Join relays bytes between client and origin, both ways, until both streams
// have ended, one of them broke, a limit of opt is reached, ctx ends or Shutdown
// is called. It closes both connections before it returns.
//
// The end of one stream is passed on as a half-close and leaves the other
// direction running; a connection that cannot be half-closed is closed. A
// connection that was reset resets the other one, so that what was cut off does
// not look complete (RFC 9110 §9.3.6 leaves the form of closing open); one that is
// neither a *net.TCPConn nor TLS on one may have a method Reset() for that, called
// before Close.
//
// A *net.TCPConn or *net.UnixConn holds no buffer while nothing moves, and its
// bytes are moved within the kernel when there are many (Linux). Any other
// net.Conn is read and written as such: a wrapper costs that advantage, but its
// Read and Write are never bypassed. Nobody else may use the connections, and
// deadlines set on them are cleared.
func (g *Registry) Join(ctx context.Context, client, origin net.Conn, early Early, opt Options) Result {
	r := newRelay(&g.pipes, client, origin, early, opt)
	if !g.add(r) {
		r.end(CauseShutdown)
		return r.result()
	}
	defer g.remove(r)
	if ctx.Done() != nil {
		stop := context.AfterFunc(ctx, func() { r.end(CauseShutdown) })
		defer stop()
	}
	r.run()
	return r.result()
}

// Count returns the number of live tunnels.
func (g *Registry) Count() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.live)
}

// Shutdown refuses new tunnels, waits until all live ones have ended by
// themselves or ctx has, then cuts those that are left. When it returns, both
// goroutines and both descriptors of every tunnel are gone, as are the pipes
// they shared. The error is nil or says how many were cut, and wraps ctx's.
func (g *Registry) Shutdown(ctx context.Context) error {
	empty := g.refuse()
	defer g.pipes.close()
	cut := 0
	select {
	case <-empty:
	case <-ctx.Done():
		cut = g.cut()
		<-empty
	}
	if cut == 0 {
		return nil
	}
	return fmt.Errorf("tunnel: %d still open were cut: %w", cut, ctx.Err())
}

// refuse lets no new tunnel in and returns what is closed when none is left.
func (g *Registry) refuse() <-chan struct{} {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.shut = true
	if g.empty == nil {
		g.empty = make(chan struct{})
		if len(g.live) == 0 {
			close(g.empty)
		}
	}
	return g.empty
}

// cut ends all live tunnels and returns how many there were. All are closed at
// once, since closing a TLS connection may take seconds.
func (g *Registry) cut() int {
	g.mu.Lock()
	left := slices.Collect(maps.Keys(g.live))
	g.mu.Unlock()
	var closing sync.WaitGroup
	for _, r := range left {
		closing.Go(func() { r.end(CauseShutdown) })
	}
	closing.Wait()
	return len(left)
}

func (g *Registry) add(r *relay) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.shut {
		return false
	}
	if g.live == nil {
		g.live = make(map[*relay]struct{})
	}
	g.live[r] = struct{}{}
	return true
}

func (g *Registry) remove(r *relay) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.live, r)
	if g.shut && len(g.live) == 0 {
		close(g.empty)
	}
}
