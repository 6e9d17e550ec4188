package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"syscall"

	"github.com/jayproxy/jay/config"
	"github.com/jayproxy/jay/proxy"
	"github.com/jayproxy/jay/proxy/admin"
)

// place is where a listener is and what it is for. Two that are equal need one listener only: it stays when the
// configuration is read anew.
type place struct {
	address string // as configured
	admin   bool   // the status page and the commands; otherwise for clients
	mode    proxy.Mode
	socket  *socket // that was handed over for the place; nil: it is to be opened
	secure  bool    // clients speak TLS to it
	fronted bool    // there may be PROXY headers
	shared  bool    // other processes may listen there, too
}

// String names the place in messages.
func (pl place) String() string {
	if pl.admin {
		return "admin " + pl.address
	}
	if pl.secure {
		return "tls " + pl.address
	}
	return pl.mode.String() + " " + pl.address
}

// placesOf are the places where a configuration, to which sockets have been fitted, wants listeners.
func placesOf(c *config.Config, handed sockets) []place {
	var all []place
	add := func(addresses []string, pl place) {
		for _, pl.address = range addresses {
			pl.fronted = len(c.ProxyProtocolFrom) > 0 && (len(c.ProxyProtocolAt) == 0 || slices.Contains(c.ProxyProtocolAt, pl.address))
			all = append(all, pl)
		}
	}
	add(c.Listen, place{mode: proxy.Explicit})
	add(c.ListenTLS, place{mode: proxy.Explicit, secure: true})
	add(c.Intercept, place{mode: interceptMode(c)})
	if c.Admin != config.AdminOff {
		all = append(all, place{address: c.Admin, admin: true})
	}
	for i := range all {
		pl := &all[i]
		pl.shared = c.ReusePort
		if pl.socket = handed.find(pl.address); pl.socket != nil && !pl.admin {
			pl.mode = pl.socket.mode(pl.mode)
		}
	}
	return all
}

// open opens a listener at the place.
func (pl place) open(ctx context.Context) (net.Listener, error) {
	if pl.socket != nil {
		return pl.socket.listen(pl)
	}
	var control func(network, address string, raw syscall.RawConn) error
	if pl.shared {
		control = proxy.Beside
	}
	if pl.admin {
		return admin.Listen(ctx, pl.address, control)
	}
	return proxy.Listen(ctx, pl.address, pl.mode, control)
}

// listener is an open socket at its place.
type listener struct {
	net.Listener
	place place
}

// listeners are those that are open.
type listeners struct {
	open  []listener
	serve func(listener) // lets clients in, in a goroutine of its own; nil: not yet
	log   *slog.Logger
	// spare tells that Jay does without the admin listener rather than not at all: nobody chose its address.
	spare bool
}

// change is what it takes to get from the listeners that are open to those that are wanted. New ones are open already;
// old ones are still open, except for those in the way of new ones.
type change struct {
	set    *listeners
	kept   []listener
	opened []listener
	gone   []listener // to be closed, or closed already
	early  []place    // of those closed already, for undo
}

// prepare opens what is wanted and not open yet. When that fails, everything is as before.
func (s *listeners) prepare(ctx context.Context, want []place) (*change, error) {
	ch, come := s.compare(want)
	var blocked []place
	for _, pl := range come {
		ln, err := ch.open(ctx, pl)
		switch {
		case err == nil:
			ch.opened = append(ch.opened, listener{ln, pl})
		case errors.Is(err, syscall.EADDRINUSE) && ch.holds(pl):
			blocked = append(blocked, pl)
		case pl.admin && s.spare:
			s.log.Warn("there is no status page; choose an address for it with --admin, or off", "error", listenError(pl.address, err))
		default:
			return nil, errors.Join(placeError(pl, err), ch.undo(ctx))
		}
	}
	if err := ch.replace(ctx, blocked); err != nil {
		return nil, errors.Join(err, ch.undo(ctx))
	}
	return ch, nil
}

// placeError says what is wrong with a place.
func placeError(pl place, err error) error {
	err = listenError(pl.address, err)
	if pl.admin {
		return fmt.Errorf("admin: %w", err)
	}
	return err
}

// compare sorts the open listeners into those that stay and those that go, and returns the places that are new.
func (s *listeners) compare(want []place) (ch *change, come []place) {
	ch = &change{set: s, gone: slices.Clone(s.open)}
	for _, pl := range want {
		i := slices.IndexFunc(ch.gone, func(ln listener) bool { return ln.place == pl })
		if i < 0 {
			come = append(come, pl)
			continue
		}
		ch.kept = append(ch.kept, ch.gone[i])
		ch.gone = slices.Delete(ch.gone, i, i+1)
	}
	return ch, come
}

// open opens a listener at a place: where a listener goes that needs no other socket, with a copy of that one's, so that
// nobody who connects meanwhile is refused or lost.
func (ch *change) open(ctx context.Context, pl place) (net.Listener, error) {
	for _, ln := range ch.gone {
		t, ok := ln.Listener.(*net.TCPListener)
		if !ok || !ln.place.sameSocket(pl) || ch.took(ln) {
			continue
		}
		if f, err := t.File(); err == nil { // not every system can
			defer f.Close()
			return net.FileListener(f)
		}
	}
	return pl.open(ctx)
}

// took tells whether a new listener has a copy of another one's socket already.
func (ch *change) took(ln listener) bool {
	return slices.ContainsFunc(ch.opened, func(o listener) bool { return o.Addr().String() == ln.Addr().String() })
}

// sameSocket tells whether the same socket does for another place.
func (pl place) sameSocket(other place) bool {
	return pl.address == other.address && pl.shared == other.shared && pl.socket == nil && other.socket == nil &&
		(pl.mode == proxy.TProxy) == (other.mode == proxy.TProxy)
}

// holds tells whether a listener that goes has the port of a place.
func (ch *change) holds(pl place) bool {
	return slices.ContainsFunc(ch.gone, func(ln listener) bool { return samePort(ln, pl) })
}

// samePort tells whether a listener has the port that a place wants.
func samePort(ln listener, pl place) bool {
	_, want, err := net.SplitHostPort(pl.address)
	_, has, err2 := net.SplitHostPort(ln.Addr().String())
	return err == nil && err2 == nil && want == has
}

// replace opens listeners in the place of those that go.
func (ch *change) replace(ctx context.Context, blocked []place) error {
	for _, pl := range blocked {
		for _, ln := range ch.gone {
			if samePort(ln, pl) && !slices.Contains(ch.early, ln.place) {
				ln.Close()
				ch.early = append(ch.early, ln.place)
			}
		}
		ln, err := pl.open(ctx)
		if err != nil {
			return placeError(pl, err)
		}
		ch.opened = append(ch.opened, listener{ln, pl})
	}
	return nil
}

// undo closes what was opened, and opens again what was closed. The set knows what is open then.
func (ch *change) undo(ctx context.Context) error {
	for _, ln := range ch.opened {
		ln.Close()
	}
	ch.opened = nil
	var failed []error
	for _, pl := range ch.early {
		ln, err := pl.open(ctx)
		if err != nil {
			failed = append(failed, placeError(pl, err))
			continue
		}
		ch.opened = append(ch.opened, listener{ln, pl})
	}
	ch.gone = slices.DeleteFunc(ch.gone, func(ln listener) bool { return slices.Contains(ch.early, ln.place) })
	ch.kept, ch.gone = append(ch.kept, ch.gone...), nil
	ch.commit()
	return errors.Join(failed...)
}

// after are the listeners that are open once the change is done.
func (ch *change) after() []listener { return slices.Concat(ch.kept, ch.opened) }

// commit lets clients into the new listeners and closes those that go; connections that they have accepted live on.
func (ch *change) commit() {
	ch.set.open = ch.after()
	for _, ln := range ch.opened {
		if ch.set.serve != nil {
			ch.set.serve(ln)
		}
	}
	for _, ln := range ch.gone {
		ln.Close()
	}
}

// close closes all listeners.
func (s *listeners) close() {
	for _, ln := range s.open {
		ln.Close()
	}
	s.open = nil
}

// adminOf is the admin listener among some; nil if there is none.
func adminOf(all []listener) net.Listener {
	for _, ln := range all {
		if ln.place.admin {
			return ln.Listener
		}
	}
	return nil
}
