package auth

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/binary"
	"net/netip"
	"time"
)

// verdict is what became of checking credentials from an address. Its fields behind done are set when that is closed.
type verdict struct {
	digest [sha256.Size]byte
	who    uint64
	done   chan struct{}

	right   bool
	limited bool // nothing was checked; not kept
	user    string
	until   time.Time
}

// index is where a verdict is kept.
func index(digest [sha256.Size]byte) uint64 { return binary.LittleEndian.Uint64(digest[:]) }

// is tells whether the verdict is about what has this digest.
func (v *verdict) is(digest [sha256.Size]byte) bool {
	return subtle.ConstantTimeCompare(v.digest[:], digest[:]) == 1
}

// settled tells whether the verdict was reached.
func (v *verdict) settled() bool {
	select {
	case <-v.done:
		return true
	default:
		return false
	}
}

// origin is what failures are counted by and verdicts are about: an address, or the network of one host where hosts have
// many.
func origin(client netip.Addr) netip.Addr {
	client = client.Unmap().WithZone("")
	if client.Is6() {
		p, _ := client.Prefix(64)
		return p.Addr()
	}
	return client
}

// find returns the verdict on credentials, which may not be reached yet. With first set nobody else reaches it: the
// caller has to judge.
func (a *Auth) find(now time.Time, digest [sha256.Size]byte, c *credentials) (v *verdict, first bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	old := a.verdicts[index(digest)]
	if old != nil && old.is(digest) && (!old.settled() || now.Before(old.until)) {
		return old, false
	}
	a.makeRoom(now)
	v = &verdict{digest: digest, who: a.who(c.buf[:c.colon]), done: make(chan struct{})}
	v.right = old != nil && old.is(digest) && old.right // was right before: see judge
	a.verdicts[index(digest)] = v
	return v, true
}

// judge checks a password and so reaches the verdict. Of many that wait for their turn, none is checked once there were
// too many failures, unless it was right before and only has to be confirmed.
func (a *Auth) judge(now time.Time, client netip.Addr, v *verdict, c *credentials) {
	a.slots <- struct{}{}
	defer func() { <-a.slots }()
	defer close(v.done)
	a.mu.Lock()
	v.limited = !v.right && a.over(now, failure{client, 0})
	a.mu.Unlock()
	right := false
	if !v.limited {
		right = a.users.match(v.who, c.user(), c.password())
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	v.right, v.until = right, now.Add(a.opt.Keep)
	if right {
		v.user = c.user()
		return
	}
	a.count(now, failure{client, v.who})
	if v.limited && a.verdicts[index(v.digest)] == v {
		delete(a.verdicts, index(v.digest))
	}
}

// apply is what a verdict means now. Right credentials are refused while many wrong ones for the same user come from the
// same address: they could be somebody's guesses.
func (a *Auth) apply(now time.Time, client netip.Addr, v *verdict) (user string, outcome Outcome) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if v.right {
		if a.over(now, failure{client, v.who}) {
			return "", Limited
		}
		return v.user, OK
	}
	return "", a.failed(now, client)
}

// failed counts a failure and says what the answer to it is.
func (a *Auth) failed(now time.Time, client netip.Addr) Outcome {
	limited := a.over(now, failure{client, 0})
	a.count(now, failure{client, 0})
	if limited {
		return Limited
	}
	return Wrong
}

// makeRoom sees to it that one more verdict fits: expired ones go first, then any that was reached.
func (a *Auth) makeRoom(now time.Time) {
	if len(a.verdicts) < a.opt.MaxVerdicts {
		return
	}
	for i, v := range a.verdicts {
		if v.settled() && !now.Before(v.until) {
			delete(a.verdicts, i)
		}
	}
	for i, v := range a.verdicts {
		if len(a.verdicts) < a.opt.MaxVerdicts {
			return
		}
		if v.settled() {
			delete(a.verdicts, i)
		}
	}
}

// failure is what is counted: all of an address's, or those of one user name (who not 0) from it. Of the latter, only
// different passwords count.
type failure struct {
	from netip.Addr
	who  uint64
}

// window counts the failures of a minute.
type window struct {
	since time.Time
	n     int
}

// over tells whether there were too many failures; a.mu is held.
func (a *Auth) over(now time.Time, f failure) bool {
	w := a.failures[f]
	return w.n >= a.opt.MaxFailures && now.Sub(w.since) < time.Minute
}

// count counts a failure; a.mu is held.
func (a *Auth) count(now time.Time, f failure) {
	w, ok := a.failures[f]
	if !ok {
		a.forget(now)
	}
	if now.Sub(w.since) >= time.Minute {
		w = window{since: now}
	}
	w.n++
	a.failures[f] = w
}

// forget drops windows that are over, and if there are still too many, some that are not.
func (a *Auth) forget(now time.Time) {
	if len(a.failures) < a.opt.MaxVerdicts {
		return
	}
	for f, w := range a.failures {
		if now.Sub(w.since) >= time.Minute {
			delete(a.failures, f)
		}
	}
	for f := range a.failures {
		if len(a.failures) < a.opt.MaxVerdicts {
			return
		}
		delete(a.failures, f)
	}
}
