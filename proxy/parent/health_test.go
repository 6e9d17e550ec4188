package parent_test

import (
	"strings"
	"testing"
	"time"

	"github.com/jayproxy/jay/proxy/parent"
	"github.com/jayproxy/jay/proxy/policy"
)

// clock is a time that moves when it is told to.
type clock struct{ now time.Time }

func (c *clock) pass(d time.Duration) time.Time {
	c.now = c.now.Add(d)
	return c.now
}

func trio(t *testing.T, specs ...parent.Spec) []*parent.Parent {
	t.Helper()
	return newParents(t, parent.Options{Else: specs}).Choose(policy.Question{}).Use
}

// TestHealth_F4: a parent that fails is down for a second, then for longer, but never for more than ten.
func TestHealth_F4(t *testing.T) {
	p := trio(t, via("a"))[0]
	c := clock{time.Unix(1e9, 0)}
	for i, pause := range []time.Duration{1, 2, 4, 8, 10, 10, 10} {
		pause *= time.Second
		if !p.Failed(c.now, c.now, "connection_refused") {
			t.Errorf("failure %d did not count", i)
		}
		if up := p.Status(c.pass(pause - 1)).Up; up {
			t.Errorf("failure %d: up before %v", i, pause)
		}
		if s := p.Status(c.pass(1)); !s.Up || s.Last != "connection_refused" || s.Failures != int64(i+1) {
			t.Errorf("failure %d: got %+v after %v; want up", i, s, pause)
		}
	}
	p.Connected()
	p.Failed(c.now, c.now, "x")
	if !p.Status(c.pass(time.Second)).Up {
		t.Error("after a success: still down after a second; the pauses begin anew")
	}
}

// TestHealth_together: failures of attempts that ran side by side count as one.
func TestHealth_together(t *testing.T) {
	p := trio(t, via("a"))[0]
	c := clock{time.Unix(1e9, 0)}
	began := c.now
	now := c.pass(time.Second)
	for i := range 50 {
		if marked := p.Failed(began, now.Add(time.Duration(i)), "x"); marked != (i == 0) {
			t.Errorf("failure %d: marked %v", i, marked)
		}
	}
	if !p.Status(now.Add(firstPause)).Up {
		t.Error("fifty failures at once made the pause longer than one")
	}
}

const firstPause = time.Second + 50

// ordered are the names of the ways in order, those that are down behind a slash.
func ordered(use []*parent.Parent, now time.Time) string {
	ways, up := parent.Order(use, now)
	if up == len(ways) {
		return names(ways)
	}
	return strings.TrimSpace(names(ways[:up]) + " / " + names(ways[up:]))
}

func TestOrder(t *testing.T) {
	a, b := via("a"), via("b")
	for _, tt := range []struct {
		name string
		use  []parent.Spec
		down map[int]time.Duration // how long ago which failed
		want string
	}{
		{"all up", []parent.Spec{a, b}, nil, "a b"},
		{"first down", []parent.Spec{a, b}, map[int]time.Duration{0: 0}, "b / a"},
		{"second down", []parent.Spec{a, b}, map[int]time.Duration{1: 0}, "a / b"},
		{"both down", []parent.Spec{a, b}, map[int]time.Duration{0: 0, 1: time.Second / 2}, "/ b a"},
		{"both down alike", []parent.Spec{a, b}, map[int]time.Duration{0: 0, 1: 0}, "/ a b"},
		{"down, direct left", []parent.Spec{a, b, {}}, map[int]time.Duration{0: 0, 1: 0}, "direct / a b"},
		{"direct first", []parent.Spec{{}, a}, map[int]time.Duration{1: 0}, "direct / a"},
		{"time over", []parent.Spec{a, b}, map[int]time.Duration{0: time.Second}, "a b"},
		{"only one, down", []parent.Spec{a}, map[int]time.Duration{0: 0}, "/ a"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			now := time.Unix(1e9, 0)
			use := trio(t, tt.use...)
			for i, ago := range tt.down {
				use[i].Failed(now.Add(-ago), now.Add(-ago), "x")
			}
			if got := ordered(use, now); got != tt.want {
				t.Errorf("got %q; want %q", got, tt.want)
			}
		})
	}
}

// TestTry: when the time of a parent is over, one request at a time tries it.
func TestTry(t *testing.T) {
	use := trio(t, via("a"), via("b"))
	c := clock{time.Unix(1e9, 0)}
	use[0].Failed(c.now, c.now, "x")
	now := c.pass(time.Second)
	if got := ordered(use, now); got != "a b" || !use[0].Try(now) {
		t.Errorf("got %q; want a tried first", got)
	}
	if got := ordered(use, now); got != "b / a" || use[0].Try(now) {
		t.Errorf("during the trial: got %q; want b alone", got)
	}
	if now = c.pass(3 * time.Second); !use[0].Try(now) {
		t.Error("after a trial without an end: got no other one")
	}
	use[0].Answered()
	if got := ordered(use, now); got != "a b" || !use[0].Try(now) || !use[0].Try(now) {
		t.Errorf("after an answer: got %q; want both for all", got)
	}
}

func TestComplain(t *testing.T) {
	p := trio(t, via("a"))[0]
	c := clock{time.Unix(1e9, 0)}
	if p.Recovered() || !p.Complain(c.now) || p.Complain(c.pass(59*time.Second)) || !p.Complain(c.pass(time.Second)) {
		t.Error("want one complaint a minute")
	}
	p.Failed(c.now, c.now, "x")
	if p.Recovered() {
		t.Error("recovered while it is down")
	}
	p.Answered()
	if !p.Recovered() || p.Recovered() {
		t.Error("want to hear once that it recovered")
	}
}
