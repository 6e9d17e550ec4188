package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-systemd/v22/activation"
	"github.com/coreos/go-systemd/v22/daemon"

	"github.com/jayproxy/jay/proxy"
)

// manager is a service manager such as systemd: what it handed over, and how to speak to it. The zero value is none.
type manager struct {
	files    func() []*os.File                // the listening sockets (sd_listen_fds(3)); nil: none
	notify   func(state string) (bool, error) // sd_notify(3); nil: nobody listens
	watchdog time.Duration                    // the longest time between two signs of life; 0: nobody waits for them
	fault    error                            // why watchdog is not known
}

// systemd is the manager that the environment tells of, if it does.
func systemd() manager {
	m := manager{
		files:  func() []*os.File { return activation.Files(true) },
		notify: func(state string) (bool, error) { return daemon.SdNotify(false, state) },
	}
	m.watchdog, m.fault = daemon.SdWatchdogEnabled(false)
	return m
}

// sockets are the files that the manager handed over.
func (m *manager) sockets() []*os.File {
	if m.files == nil {
		return nil
	}
	return m.files()
}

// service tells a manager how the server is.
type service struct {
	manager manager
	log     *slog.Logger
	beat    chan struct{} // a loop that receives from it shows that it comes round
}

func newService(m manager, log *slog.Logger) *service {
	if m.fault != nil {
		log.Warn("the service manager's watchdog is not served", "error", m.fault)
	}
	return &service{manager: m, log: log, beat: make(chan struct{})}
}

// tell sends assignments to the manager.
func (s *service) tell(lines ...string) {
	if s.manager.notify == nil {
		return
	}
	if _, err := s.manager.notify(strings.Join(lines, "\n")); err != nil {
		s.log.Warn("the service manager cannot be told", "state", lines[0], "error", err)
	}
}

// ready says that clients are served, after the start or after a reload.
func (s *service) ready(status string) { s.tell(daemon.SdNotifyReady, "STATUS="+status) }

// reloading says that settings are read anew; ready must follow. The time tells the manager that the signal for it has
// been heard (Type=notify-reload).
func (s *service) reloading() {
	s.tell(daemon.SdNotifyReloading, strings.TrimSpace(daemon.SdNotifyMonotonicUsec()), "STATUS=reading the settings anew")
}

// stopping says that the end has begun, and how long it may take, whatever the unit says.
func (s *service) stopping(grace time.Duration) {
	s.tell(daemon.SdNotifyStopping, fmt.Sprintf("EXTEND_TIMEOUT_USEC=%d", (grace+stopMargin).Microseconds()),
		fmt.Sprintf("STATUS=finishing what runs, for %v at most", grace))
}

// stopMargin is the time that the end takes besides waiting for what runs.
const stopMargin = 10 * time.Second

// watch gives the manager signs of life until the function that it returns is called: three for each time that it waits for
// one, and only as long as the server's own loop comes round and alive finds nothing wrong.
func (s *service) watch(alive func(context.Context) error) (stop func()) {
	every := s.manager.watchdog / 3
	if every <= 0 {
		return func() {}
	}
	ctx, cancel := context.WithCancel(context.Background())
	var work sync.WaitGroup
	work.Go(func() {
		tick := time.NewTicker(every)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				s.sign(ctx, every, alive)
			case <-ctx.Done():
				return
			}
		}
	})
	return func() {
		cancel()
		work.Wait()
	}
}

// sign gives one sign of life if there is life.
func (s *service) sign(ctx context.Context, within time.Duration, alive func(context.Context) error) {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	select {
	case s.beat <- struct{}{}:
	case <-ctx.Done():
		if errors.Is(ctx.Err(), context.Canceled) {
			return
		}
		s.log.Error("the server's loop does not come round; the service manager is not told that Jay lives")
		return
	}
	if err := alive(ctx); err != nil {
		s.log.Error("the service manager is not told that Jay lives", "error", err)
		return
	}
	s.tell(daemon.SdNotifyWatchdog)
}

// status says in one line what the server does.
func (s *server) status() string {
	var all []string
	for _, ln := range s.listeners.open {
		if ln.place.admin {
			continue
		}
		text := ln.Addr().String()
		switch {
		case ln.place.secure:
			text += " (TLS)"
		case ln.place.mode != proxy.Explicit:
			text += " (" + ln.place.mode.String() + ")"
		}
		all = append(all, text)
	}
	return "serving " + strings.Join(all, ", ")
}
