package tunnel_test

import (
	"context"
	"errors"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jayproxy/jay/tunnel"
)

// half is a connection in memory whose two directions end on their own.
type half struct {
	net.Conn          // what is read
	out      net.Conn // what is written
}

func (h half) Write(p []byte) (int, error) { return h.out.Write(p) }
func (h half) CloseWrite() error           { return h.out.Close() }
func (h half) Close() error                { h.out.Close(); return h.Conn.Close() }
func (h half) SetDeadline(t time.Time) error {
	h.out.SetDeadline(t)
	return h.Conn.SetDeadline(t)
}

func memory() (near, far net.Conn) {
	a, b := net.Pipe()
	c, d := net.Pipe()
	return half{a, c}, half{d, b}
}

func inMemory(g *tunnel.Registry, opt tunnel.Options) (client, origin net.Conn, res <-chan tunnel.Result) {
	client, c := memory()
	origin, o := memory()
	return client, origin, join(g, c, o, tunnel.Early{}, opt)
}

func expectResult(t *testing.T, res <-chan tunnel.Result, cause string, after time.Duration) {
	t.Helper()
	if r := <-res; r.Cause != cause || r.Duration != after || r.Err != nil {
		t.Errorf("ended by %s after %v, %v; want %s after %v", r.Cause, r.Duration, r.Err, cause, after)
	}
}

func TestIdle_EitherDirectionCounts(t *testing.T) {
	tests := []struct {
		name string
		opt  tunnel.Options
		want time.Duration
	}{
		{"default", tunnel.Options{}, time.Hour},
		{"given", tunnel.Options{IdleTimeout: 10 * time.Minute}, 10 * time.Minute},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var g tunnel.Registry
				client, origin, res := inMemory(&g, tt.opt)
				step := tt.want - time.Second
				for range 3 {
					time.Sleep(step)
					send(t, client, "up")
					expect(t, origin, "up")
					time.Sleep(step)
					send(t, origin, "down")
					expect(t, client, "down")
				}
				expectResult(t, res, tunnel.CauseIdle, 6*step+tt.want)
				expectEnd(t, client)
				expectEnd(t, origin)
			})
		})
	}
}

func TestDrain_InactivityAfterHalfClose(t *testing.T) {
	for _, side := range []string{"client", "origin"} {
		t.Run(side, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var g tunnel.Registry
				client, origin, res := inMemory(&g, tunnel.Options{})
				first, second := client, origin
				if side == "origin" {
					first, second = origin, client
				}
				time.Sleep(40 * time.Minute) // no drain before a half-close
				closeWrite(t, first)
				expectEnd(t, second)
				for range 4 {
					time.Sleep(29 * time.Second)
					send(t, second, "more")
					expect(t, first, "more")
				}
				expectResult(t, res, tunnel.CauseDrainTimeout, 40*time.Minute+4*29*time.Second+30*time.Second)
				expectEnd(t, first)
			})
		})
	}
}

func TestDrain_ShorterIdleTimeoutStays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var g tunnel.Registry
		client, origin, res := inMemory(&g, tunnel.Options{IdleTimeout: 5 * time.Second})
		time.Sleep(time.Second)
		closeWrite(t, client)
		expectEnd(t, origin)
		expectResult(t, res, tunnel.CauseIdle, 6*time.Second)
	})
}

func TestLifetime_EndsABusyTunnel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var g tunnel.Registry
		client, origin, res := inMemory(&g, tunnel.Options{})
		go func() {
			for range 6*24 - 1 {
				time.Sleep(10 * time.Minute)
				send(t, client, "x")
			}
		}()
		go func() {
			for b := make([]byte, 1); ; {
				if _, err := origin.Read(b); err != nil {
					return
				}
			}
		}()
		expectResult(t, res, tunnel.CauseLifetime, 24*time.Hour)
	})
}

func TestLimits_NegativeMeansNone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var g tunnel.Registry
		client, origin, res := inMemory(&g, tunnel.Options{IdleTimeout: -1, DrainTimeout: -1, Lifetime: -1})
		time.Sleep(100 * 24 * time.Hour)
		closeWrite(t, client)
		expectEnd(t, origin)
		time.Sleep(100 * 24 * time.Hour)
		send(t, origin, "still here")
		expect(t, client, "still here")
		closeWrite(t, origin)
		expectResult(t, res, tunnel.CauseClientClosed, 200*24*time.Hour)
	})
}

func TestDrain_AsTheOnlyLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var g tunnel.Registry
		client, origin, res := inMemory(&g, tunnel.Options{IdleTimeout: -1, Lifetime: -1})
		time.Sleep(48 * time.Hour)
		closeWrite(t, client)
		expectEnd(t, origin)
		expectResult(t, res, tunnel.CauseDrainTimeout, 48*time.Hour+30*time.Second)
	})
}

// Without a half-close an answer may still be under way to a side that has ended
// its stream, but takes nothing more.
func TestDrain_StalledWriteWithoutHalfClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var g tunnel.Registry
		client, c := memory()
		origin, o := net.Pipe()
		res := join(&g, c, o, tunnel.Early{}, tunnel.Options{})
		send(t, origin, "an answer that nobody reads")
		closeWrite(t, client)
		expectEnd(t, origin)
		expectResult(t, res, tunnel.CauseDrainTimeout, 30*time.Second)
	})
}

// A write that nobody takes is no activity.
func TestIdle_StalledWrite(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var g tunnel.Registry
		client, _, res := inMemory(&g, tunnel.Options{IdleTimeout: time.Minute})
		time.Sleep(time.Second)
		send(t, client, "into the void")
		expectResult(t, res, tunnel.CauseIdle, time.Minute+time.Second)
	})
}

// net.Pipe cannot be half-closed: the end of one side closes the other.
func TestJoin_WithoutHalfClose(t *testing.T) {
	for _, side := range []string{"client", "origin"} {
		t.Run(side, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var g tunnel.Registry
				client, c := net.Pipe()
				origin, o := net.Pipe()
				res := join(&g, c, o, tunnel.Early{}, tunnel.Options{})
				first, second, cause := client, origin, tunnel.CauseClientClosed
				if side == "origin" {
					first, second, cause = origin, client, tunnel.CauseOriginClosed
				}
				send(t, first, "last words")
				first.Close()
				expect(t, second, "last words")
				expectEnd(t, second)
				expectResult(t, res, cause, 0)
			})
		})
	}
}

func TestJoin_ContextEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var g tunnel.Registry
		client, c := memory()
		_, o := memory()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		r := g.Join(ctx, c, o, tunnel.Early{}, tunnel.Options{})
		if r.Cause != tunnel.CauseShutdown || r.Duration != time.Minute {
			t.Errorf("ended by %s after %v; want %s after 1m", r.Cause, r.Duration, tunnel.CauseShutdown)
		}
		expectEnd(t, client)
	})
}

func TestShutdown_GraceThenCut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var g tunnel.Registry
		client, origin, short := inMemory(&g, tunnel.Options{})
		_, _, long := inMemory(&g, tunnel.Options{})
		synctest.Wait()
		go func() {
			time.Sleep(5 * time.Second)
			client.Close()
			origin.Read(make([]byte, 1))
			origin.Close()
		}()
		began := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		err := g.Shutdown(ctx)
		if !errors.Is(err, context.DeadlineExceeded) || err.Error() != "tunnel: 1 still open were cut: context deadline exceeded" {
			t.Errorf("got %v; want one tunnel cut", err)
		}
		if d := time.Since(began); d != 10*time.Second {
			t.Errorf("took %v; want 10s", d)
		}
		expectResult(t, short, tunnel.CauseClientClosed, 5*time.Second)
		expectResult(t, long, tunnel.CauseShutdown, 10*time.Second)
	})
}

func TestShutdown_ReturnsWhenTheLastTunnelEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var g tunnel.Registry
		client, origin, _ := inMemory(&g, tunnel.Options{})
		synctest.Wait()
		began := time.Now()
		time.AfterFunc(time.Second, func() { client.Close(); origin.Close() })
		if err := g.Shutdown(t.Context()); err != nil {
			t.Errorf("got %v; want nil", err)
		}
		if d := time.Since(began); d != time.Second {
			t.Errorf("took %v; want 1s", d)
		}
		if err := g.Shutdown(t.Context()); err != nil {
			t.Errorf("second call: got %v; want nil", err)
		}
	})
}

func TestShutdown_RefusesNewTunnels(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var g tunnel.Registry
		if err := g.Shutdown(t.Context()); err != nil {
			t.Fatal(err)
		}
		client, origin, res := inMemory(&g, tunnel.Options{})
		expectResult(t, res, tunnel.CauseShutdown, 0)
		expectEnd(t, client)
		expectEnd(t, origin)
	})
}
