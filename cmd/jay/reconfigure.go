package main

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/jayproxy/jay/config"
	"github.com/jayproxy/jay/proxy/access"
	"github.com/jayproxy/jay/proxy/admin"
)

// errStopping is why a configuration is not put in force any more.
var errStopping = errors.New("this Jay is stopping")

// reload reads the configuration anew and puts it in force, all at once or not at all; with dry set it only says what would
// change. One is done after the other.
func (s *server) reload(dry bool) (*admin.ReloadAnswer, error) {
	s.reloading.Lock()
	defer s.reloading.Unlock()
	if s.stopping.Load() {
		return nil, errStopping
	}
	if !dry {
		s.service.reloading()
		defer func() { s.service.ready(s.status()) }()
	}
	next, err := s.process.read(s.flags, s.handed)
	if err != nil {
		return nil, &admin.ConfigError{Err: err}
	}
	next.keep(s.setup)
	answer := s.difference(next)
	if answer.DryRun = dry; dry {
		return answer, nil
	}
	if err := s.put(next); err != nil {
		return nil, err
	}
	answer.Listeners = slices.DeleteFunc(answer.Listeners, s.without)
	s.log.Info("configuration reloaded", "changed", strings.Join(summary(answer), "; "))
	return answer, nil
}

// without tells whether a listener was to be opened and is not: Jay can do without it.
func (s *server) without(ln admin.ListenerChange) bool {
	return ln.State == "opened" && ln.Kind == kindAdmin && adminOf(s.listeners.open) == nil
}

// put puts a setup in force. What can fail comes first, and is undone when something does.
func (s *server) put(next *setup) error {
	ctx, c := context.Background(), &next.config
	s.listeners.spare = next.spare
	ch, err := s.listeners.prepare(ctx, placesOf(c, s.handed))
	if err != nil {
		return err
	}
	lines, err := s.access.Prepare(accessOptions(c))
	if err != nil {
		return errors.Join(err, ch.undo(ctx))
	}
	next.options.Access, next.options.StatusPage = s.access, statusPage(adminOf(ch.after()))
	if err := s.proxy.Reconfigure(next.options); err != nil {
		lines.Discard()
		return errors.Join(err, ch.undo(ctx))
	}
	lines.Commit()
	s.tls.use(next.identity)
	s.messages.set(s.process.stderr, c)
	s.admin.Configure(s.adminOptions(c, next.token))
	ch.commit()
	shrinks := c.CacheSize < s.setup.config.CacheSize
	s.setup = next
	s.grace.Store(int64(c.ShutdownTimeout))
	s.limitMemory(c)
	if shrinks {
		debug.FreeOSMemory() // now, not only when nothing happens
	}
	return nil
}

// limitMemory tells the garbage collector what fits the configuration, unless the environment does.
func (s *server) limitMemory(c *config.Config) {
	if s.process.getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(memoryLimit(c, s.process.host().Memory))
	}
}

// accessOptions is what c means to the access log.
func accessOptions(c *config.Config) access.Options {
	return access.Options{Path: c.AccessLog, Format: c.LogFormat, StripQuery: c.LogStripQuery}
}

// difference says what a setup changes.
func (s *server) difference(next *setup) *admin.ReloadAnswer {
	a := &admin.ReloadAnswer{Options: []admin.OptionChange{}, Sections: []string{}, Files: next.changed(s.setup), Listeners: []admin.ListenerChange{}}
	changes, sections := config.Diff(&s.setup.config, &next.config)
	for _, ch := range changes {
		a.Options = append(a.Options, admin.OptionChange(ch))
	}
	a.Sections = append(a.Sections, sections...)
	ch, come := s.listeners.compare(placesOf(&next.config, s.handed))
	add := func(pl place, state string) {
		kind := pl.mode.String()
		switch {
		case pl.admin:
			kind = kindAdmin
		case pl.secure:
			kind = kindTLS
		}
		a.Listeners = append(a.Listeners, admin.ListenerChange{Kind: kind, Address: pl.address, State: state})
	}
	for _, ln := range ch.kept {
		add(ln.place, "kept")
	}
	for _, pl := range come {
		add(pl, "opened")
	}
	for _, ln := range ch.gone {
		add(ln.place, "closed")
	}
	return a
}

// summary says in lines what has changed.
func summary(a *admin.ReloadAnswer) []string {
	var all []string
	for _, o := range a.Options {
		all = append(all, fmt.Sprintf("%s: %s → %s", o.Option, orNone(o.Old), orNone(o.New)))
	}
	for _, name := range a.Sections {
		all = append(all, "section "+name+" has changed")
	}
	for _, name := range a.Files {
		all = append(all, name+" has changed")
	}
	for _, ln := range a.Listeners {
		if ln.State != "kept" {
			all = append(all, fmt.Sprintf("%s listener %s %s", ln.Kind, ln.Address, ln.State))
		}
	}
	if all == nil {
		all = []string{"nothing"}
	}
	return all
}

// orNone makes an empty value visible.
func orNone(value string) string {
	if value == "" {
		return "(none)"
	}
	return value
}

// hangups does what SIGHUP asks for, until the channel is closed. Of many that come while one is being obeyed, one more is.
func (s *server) hangups() {
	for range s.hups {
		if _, err := s.reload(false); err != nil {
			s.log.Error("the old configuration stays in use", "error", oneLine(err))
			if err := s.access.Reopen(); err != nil { // logs are rotated all the same
				s.log.Error("the old access log stays in use", "error", err)
			}
		}
	}
}

// hangup asks for a reload.
func (s *server) hangup() {
	select {
	case s.hups <- struct{}{}:
	default: // one is coming already
	}
}
