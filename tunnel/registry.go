package tunnel

import (
	"context"
	"net"
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
	// DrainTimeout replaces IdleTimeout, when shorter, once one side has sent
	// its end of stream.
	DrainTimeout time.Duration
	// Lifetime ends a tunnel at that age, however busy it is.
	Lifetime time.Duration
}

// Early holds bytes that were read together with the heads before the tunnel
// began. They are passed on before anything else.
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
type Registry struct{}

// Join relays bytes between client and origin, both ways, until both streams
// have ended, one of them broke, a limit of opt is reached, ctx ends or Shutdown
// is called. It closes both connections before it returns.
func (g *Registry) Join(ctx context.Context, client, origin net.Conn, early Early, opt Options) Result {
	panic("tunnel: not built yet")
}

// Shutdown refuses new tunnels, waits until all live ones have ended or ctx has,
// cuts those that are left, and returns when every call of Join has.
func (g *Registry) Shutdown(ctx context.Context) error { panic("tunnel: not built yet") }

// Count returns the number of live tunnels.
func (g *Registry) Count() int { return 0 }
