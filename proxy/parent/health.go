package parent

import (
	"slices"
	"time"
)

// How long a parent is left alone after it could not be connected to.
const (
	firstPause = time.Second
	maxPause   = 10 * time.Second
)

// trialTime is how long one request may take to find out whether a parent is up again, before another one tries, too.
const trialTime = 2 * time.Second

// Connected notes that a connection to the parent was made.
func (p *Parent) Connected() {
	p.connects.Add(1)
	p.Answered()
}

// Answered notes that the parent has answered something, whatever it was.
func (p *Parent) Answered() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.fails, p.until, p.trial = 0, time.Time{}, time.Time{}
}

// Failed notes that an attempt to connect, begun at began, failed at now; why is a word for it. Attempts that began before
// the parent was last found down say nothing new; marked tells whether this one did.
func (p *Parent) Failed(began, now time.Time, why string) (marked bool) {
	p.failures.Add(1)
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.fails > 0 && began.Before(p.marked) {
		return false
	}
	p.fails++
	p.marked, p.last, p.trial = now, why, time.Time{}
	p.until = now.Add(min(firstPause<<min(p.fails-1, 10), maxPause))
	return true
}

// Complain tells whether to tell the operator at now that the parent does not work: once a minute is enough.
func (p *Parent) Complain(now time.Time) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.told.IsZero() && now.Sub(p.told) < time.Minute {
		return false
	}
	p.told = now
	return true
}

// Recovered tells, once, whether to tell the operator that a parent that they were told about is up again.
func (p *Parent) Recovered() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.fails > 0 || p.told.IsZero() {
		return false
	}
	p.told = time.Time{}
	return true
}

// rest is when the parent may be tried; the zero value if it may be now.
func (p *Parent) rest(now time.Time) time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.fails == 0:
	case now.Before(p.until):
		return p.until
	case now.Before(p.trial):
		return p.trial
	}
	return time.Time{}
}

// Try tells whether a request that has other ways, too, may use the parent at now. When the parent may be tried again, one
// request at a time does.
func (p *Parent) Try(now time.Time) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.fails == 0 || now.Before(p.until) {
		return true
	}
	if now.Before(p.trial) {
		return false
	}
	p.trial = now.Add(trialTime)
	return true
}

// Order puts the ways of a [Choice] in the order in which a request tries them at now: those that are up, as they come, then
// those that are down, the one that may be tried first before the others. up is how many are up; the rest is for when none
// of these can be connected to. The slice must not be changed.
func Order(use []*Parent, now time.Time) (ways []*Parent, up int) {
	until := make([]time.Time, 0, 8) // when each may be tried, zero for now
	for _, p := range use {
		t := time.Time{}
		if p != nil {
			t = p.rest(now)
		}
		if t.IsZero() {
			up++
		}
		until = append(until, t)
	}
	if up == len(use) {
		return use, up
	}
	order := make([]int, len(use))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return until[a].Compare(until[b]) })
	ways = make([]*Parent, len(order))
	for i, k := range order {
		ways[i] = use[k]
	}
	return ways, up
}

// Status is a parent's health and what was counted about it.
type Status struct {
	// Name is its URL without user and password.
	Name string `json:"name"`
	// Up is false while it is left alone because it could not be connected to.
	Up bool `json:"up"`
	// Connects counts the connections that were made, Failures those that could not be.
	Connects int64 `json:"connects"`
	Failures int64 `json:"failures"`
	// Last is the proxy error type (RFC 9209 §2.3) of the last failure; empty if there was none.
	Last string `json:"last_failure,omitempty"`
}

// Status tells how the parent is at now.
func (p *Parent) Status(now time.Time) Status {
	p.mu.Lock()
	defer p.mu.Unlock()
	return Status{
		Name: p.name, Up: p.fails == 0 || !now.Before(p.until), Connects: p.connects.Load(), Failures: p.failures.Load(), Last: p.last,
	}
}
