package main

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// told records what a manager is told.
type told struct {
	mu    sync.Mutex
	lines []string
}

func (t *told) notify(state string) (bool, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.lines = append(t.lines, strings.Split(state, "\n")...)
	return true, nil
}

func (t *told) count(line string) (n int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, l := range t.lines {
		if l == line {
			n++
		}
	}
	return n
}

// TestWatch checks that the manager gets signs of life as long as there is life, and no others.
func TestWatch(t *testing.T) {
	tests := []struct {
		name  string
		loops bool  // the server's loop comes round
		alive error // what the proxy finds wrong
		hangs bool  // the proxy says nothing at all
		want  int
	}{
		{name: "alive", loops: true, want: 30},
		{name: "a loop that stands still", want: 0},
		{name: "a listener that takes nothing", loops: true, alive: errors.New("no"), want: 0},
		{name: "a lock that nobody gives back", loops: true, hangs: true, want: 0},
	}
	for _, tt := range tests {
		synctest.Test(t, func(t *testing.T) {
			var heard told
			s := newService(manager{notify: heard.notify, watchdog: 30 * time.Second}, slog.New(slog.DiscardHandler))
			done := make(chan struct{})
			go func() {
				for tt.loops {
					select {
					case <-s.beat:
					case <-done:
						return
					}
				}
			}()
			stop := s.watch(func(ctx context.Context) error {
				if tt.hangs {
					<-done
				}
				return tt.alive
			})
			time.Sleep(5*time.Minute + time.Second)
			synctest.Wait()
			if got := heard.count("WATCHDOG=1"); got != tt.want {
				t.Errorf("%s: got %d signs of life in 5 minutes; want %d", tt.name, got, tt.want)
			}
			close(done)
			stop()
		})
	}
}

// TestNoManager checks that nothing is said, and nothing waited for, where nobody listens.
func TestNoManager(t *testing.T) {
	s := newService(manager{}, slog.New(slog.DiscardHandler))
	s.ready("x")
	s.reloading()
	s.stopping(time.Second)
	s.watch(func(context.Context) error { return errors.New("asked although nobody waits") })()
	if files := s.manager.sockets(); files != nil {
		t.Errorf("got sockets %v; want none", files)
	}
}

// TestStopping checks that the manager is told how long the end may take.
func TestStopping(t *testing.T) {
	var heard told
	s := newService(manager{notify: heard.notify}, slog.New(slog.DiscardHandler))
	s.stopping(time.Minute)
	if want := []string{"STOPPING=1", "EXTEND_TIMEOUT_USEC=70000000", "STATUS=finishing what runs, for 1m0s at most"}; !slices.Equal(heard.lines, want) {
		t.Errorf("got %q; want %q", heard.lines, want)
	}
}
