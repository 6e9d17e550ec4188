package main

import (
	"runtime/debug"
	"testing"
)

func TestGCPercent(t *testing.T) {
	for bytes, want := range map[int64]int{0: 400, 16 << 20: 200, 112 << 20: 50, 1 << 30: 12, 64 << 30: 12} {
		if got := gcPercent(bytes); got != want {
			t.Errorf("gcPercent(%d) = %d; want %d", bytes, got, want)
		}
	}
}

// TestCollector checks that looks set what fits, and that a user's GOGC stays.
func TestCollector(t *testing.T) {
	was := debug.SetGCPercent(100)
	defer debug.SetGCPercent(was)
	set := func() int {
		now := debug.SetGCPercent(100)
		debug.SetGCPercent(now)
		return now
	}
	(&collector{off: true}).look(1<<30, 0)
	if got := set(); got != 100 {
		t.Errorf("with GOGC set: got %d; want 100", got)
	}
	var g collector
	g.look(1<<30, 1)
	if got := set(); got != 12 {
		t.Errorf("with 1 GiB stored: got %d; want 12", got)
	}
	for range quietLooks {
		g.look(1<<30, 1)
	}
	if g.quiet != quietLooks {
		t.Errorf("got %d quiet looks; want %d", g.quiet, quietLooks)
	}
	if g.look(1<<30, 2); g.quiet != 0 {
		t.Errorf("after a store: got %d quiet looks; want 0", g.quiet)
	}
}
