package proxy

import (
	"bytes"
	"context"
	"log/slog"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// faulty is a client's connection on which writing certain bytes is a fault of the proxy's.
type faulty struct {
	net.Conn
	on string
}

func (c *faulty) Write(p []byte) (int, error) {
	if bytes.Contains(p, []byte(c.on)) {
		panic("injected")
	}
	return c.Conn.Write(p)
}

// faultyClient is a client whose connection is faulty.
func (w *world) faultyClient(on string) *client {
	here, there := net.Pipe()
	w.listener(Explicit).conns <- &faulty{there, on}
	c := newClient(w.t, here)
	w.t.Cleanup(func() { c.Close() })
	return c
}

// TestPanic_D9 checks that a fault ends the connection that it happened on and nothing else: those who wait are released,
// nothing incomplete is stored, no slot of the origin is lost for long.
func TestPanic_D9(t *testing.T) {
	tests := []struct {
		name, on string
		answer   func(a *ask) string
	}{
		{"before the answer", "103", func(a *ask) string {
			return "HTTP/1.1 103 Early Hints\r\n\r\n" + respond(200, "ok", "Cache-Control: max-age=60")
		}},
		{"with a stored answer", "HTTP/1.1 200", func(a *ask) string { return respond(200, "ok", "Cache-Control: max-age=60") }},
		{"within a stored body", "second", func(a *ask) string {
			a.say("HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nContent-Length: 11\r\n\r\nfirst")
			time.Sleep(time.Second)
			return "second"
		}},
		{"within a body", "second", func(a *ask) string {
			a.say("HTTP/1.1 200 OK\r\nCache-Control: no-store\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n")
			time.Sleep(time.Second)
			return "6\r\nsecond\r\n0\r\n\r\n"
		}},
		{"within a part", "second", func(a *ask) string {
			a.say("HTTP/1.1 206 Partial\r\nCache-Control: max-age=60\r\nETag: \"1\"\r\nContent-Range: bytes 0-10/20\r\nContent-Length: 11\r\n\r\nfirst")
			time.Sleep(time.Second)
			return "second"
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			inBubble(t, Options{MaxOriginConnections: 3}, func(a *ask) string {
				time.Sleep(time.Second)
				return tt.answer(a)
			}, func(t *testing.T, w *world) {
				var lines []string
				if strings.Contains(tt.name, "part") {
					lines = []string{"Range: bytes=0-10"}
				}
				unlucky := w.faultyClient(tt.on)
				unlucky.send(request("GET", host+"/", "", lines...))
				synctest.Wait()
				waits := w.client()
				waits.send(request("GET", host+"/", "", lines...))
				if a := unlucky.read("GET"); !a.cut {
					t.Errorf("the faulty one got %q %q", a.line, a.body)
				}
				start := time.Now()
				if a := waits.read("GET"); a.status/100 != 2 || a.cut || time.Since(start) > 4*time.Second {
					t.Errorf("who waited got %q, cut %v, after %v", a.line, a.cut, time.Since(start))
				}
				if a := w.get(host+"/", lines...); a.status/100 != 2 || a.cut {
					t.Errorf("then: got %q, cut %v", a.line, a.cut)
				}
				synctest.Wait()
				if s := w.p.Stats(); s.Panics != 1 || s.Cache.Fills != 0 {
					t.Errorf("%d panics, %d fills; want 1 and none", s.Panics, s.Cache.Fills)
				}
			})
		})
	}
}

// TestPanic_background checks that a fault in a background revalidation ends that, and not the process.
func TestPanic_background(t *testing.T) {
	inBubble(t, Options{Logger: slog.New(panicHandler{})}, func(a *ask) string {
		if a.nth == 0 {
			return respond(200, "ok", "Cache-Control: max-age=1, stale-while-revalidate=600")
		}
		a.say("HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nContent-Length: 10\r\n\r\nabc")
		return "" // that it broke off is logged
	}, func(t *testing.T, w *world) {
		w.get(host + "/")
		time.Sleep(2 * time.Second)
		for range 3 {
			if a := w.get(host + "/"); a.body != "ok" {
				t.Errorf("got %q", a.line)
			}
			synctest.Wait()
		}
		if s := w.p.Stats(); s.Panics != 3 || s.Cache.Fills != 0 {
			t.Errorf("%d panics, %d fills; want 3 and none", s.Panics, s.Cache.Fills)
		}
	})
}

// panicHandler is a log that fails.
type panicHandler struct{}

func (panicHandler) Enabled(context.Context, slog.Level) bool { return true }
func (panicHandler) Handle(_ context.Context, r slog.Record) error {
	if strings.HasPrefix(r.Message, "internal error") {
		return nil
	}
	panic("injected")
}
func (h panicHandler) WithAttrs([]slog.Attr) slog.Handler { return h }
func (h panicHandler) WithGroup(string) slog.Handler      { return h }
