package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"runtime/debug"
	"strings"
	"syscall"
	"time"

	"github.com/jayproxy/jay/config"
	"github.com/jayproxy/jay/proxy"
	"github.com/jayproxy/jay/proxy/access"
	"github.com/jayproxy/jay/proxy/admin"
)

// serve runs the proxy until a signal or the end of ctx.
func (p *process) serve(ctx context.Context, f *flags) error {
	c, err := p.settings(f, codeFailure)
	if err != nil {
		return oneLine(err)
	}
	handed, err := takeSockets(p.manager.sockets())
	if err == nil {
		err = handed.fit(&c, f.listenChosen, f.adminChosen)
	}
	if err != nil {
		return oneLine(&exitError{code: codeFailure, err: err})
	}
	defer handed.close()
	s, err := p.start(ctx, &c, handed, f.adminChosen)
	if err != nil {
		return &exitError{code: codeFailure, err: err}
	}
	s.rules.reread = func() (config.Config, error) { return p.settings(f, codeFailure) }
	p.banner(&c, s)
	return s.run(ctx)
}

// server is a running proxy.
type server struct {
	proxy     *proxy.Proxy
	log       *slog.Logger
	access    *access.Log
	listeners listeners
	failed    chan error // of a listener
	signals   chan os.Signal
	grace     time.Duration
	collector collector
	rules     rules
	service   *service

	admin *admin.Server // nil: there is none
}

// start opens what the proxy needs. When it fails, nothing stays open. adminChosen tells that the admin address is no
// default.
func (p *process) start(ctx context.Context, c *config.Config, handed sockets, adminChosen bool) (*server, error) {
	opt, err := proxyOptions(c)
	if err != nil {
		return nil, err
	}
	token, err := adminToken(c)
	if err != nil {
		return nil, err
	}
	s := &server{log: p.logger(c), signals: make(chan os.Signal, 4), failed: make(chan error, 1), grace: c.ShutdownTimeout}
	s.service = newService(p.manager, s.log)
	s.access, err = access.Open(access.Options{
		Path: c.AccessLog, Format: c.LogFormat, StripQuery: c.LogStripQuery, Stdout: p.stdout, Logger: s.log,
	})
	if err != nil {
		return nil, err
	}
	s.listeners.log, s.listeners.spare = s.log, !adminChosen
	ch, err := s.listeners.prepare(ctx, placesOf(c, handed))
	if err != nil {
		return nil, errors.Join(err, s.access.Close())
	}
	ch.commit()
	opt.Logger, opt.Access, opt.StatusPage = s.log, s.access, statusPage(s.listeners.admin())
	s.rules.policy, s.rules.auth = opt.Policy, opt.Auth
	s.proxy, err = proxy.New(opt)
	if err != nil {
		s.listeners.close()
		return nil, errors.Join(err, s.access.Close())
	}
	if s.listeners.admin() != nil {
		s.startAdmin(c, token)
	}
	if p.getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(memoryLimit(c, p.host().Memory))
	}
	s.collector.off = p.getenv("GOGC") != ""
	p.notify(s.signals)
	return s, nil
}

// logger writes messages to standard error, as JSON where the access log is.
func (p *process) logger(c *config.Config) *slog.Logger {
	var o slog.HandlerOptions
	switch c.LogLevel {
	case "debug":
		o.Level = slog.LevelDebug
	case "warn":
		o.Level = slog.LevelWarn
	case "error":
		o.Level = slog.LevelError
	}
	if c.LogFormat == access.JSON {
		return slog.New(slog.NewJSONHandler(p.stderr, &o))
	}
	return slog.New(slog.NewTextHandler(p.stderr, &o))
}

// memoryLimit is where the garbage collector starts to work harder: with half of the cache and 64 MiB on top of it for
// everything else, but no more than nine tenths of the memory. A small cache is no reason to be stingy, since thousands of
// connections need memory too.
func memoryLimit(c *config.Config, memory int64) int64 {
	limit := max(int64(c.CacheSize)/2*3+64<<20, 256<<20)
	if memory > 0 {
		limit = min(limit, memory/10*9)
	}
	return limit
}

// banner says what runs and how to use it.
func (p *process) banner(c *config.Config, s *server) {
	var b strings.Builder
	usable := ""
	for _, ln := range s.listeners.open {
		if ln.place.admin {
			continue
		}
		if ln.place.mode != proxy.Explicit {
			fmt.Fprintf(&b, "jay: intercepting on %s (%v)\n", ln.Addr(), ln.place.mode)
			continue
		}
		fmt.Fprintf(&b, "jay: listening on %s\n", ln.Addr())
		if usable == "" {
			usable = clientURL(ln.Addr())
		}
	}
	fmt.Fprintf(&b, "jay: cache of %v, access log %s\n", c.CacheSize, logName(c))
	if text := s.adminText(); text != "" {
		fmt.Fprintf(&b, "jay: %s\n", text)
	}
	if usable != "" {
		fmt.Fprintf(&b, "jay: to use it, paste one of\n")
		fmt.Fprintf(&b, "  export http_proxy=%[1]s https_proxy=%[1]s\n", usable)
		fmt.Fprintf(&b, "  curl -x %s http://example.com/\n", usable)
	}
	_, _ = io.WriteString(p.stderr, b.String()) // nobody to tell when standard error is closed
}

// logName is what people call the place of the access log.
func logName(c *config.Config) string {
	switch {
	case c.AccessLog == "-":
		return "on standard output"
	case c.AccessLog == "off":
		return "off"
	case c.LogFile() == "":
		return "to " + c.AccessLog
	}
	return "in " + c.AccessLog
}

// clientURL is the URL by which clients on this machine reach a listener.
func clientURL(a net.Addr) string {
	host, port, err := net.SplitHostPort(a.String())
	if err != nil {
		return ""
	}
	if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return "http://" + net.JoinHostPort(host, port)
}

// run serves until it is told to stop, or until a listener fails.
func (s *server) run(ctx context.Context) error {
	s.listeners.serve = s.serveListener
	for _, ln := range s.listeners.open {
		s.serveListener(ln)
	}
	s.service.ready(s.status())
	stop := s.service.watch(s.proxy.Alive)
	defer stop()
	var failure error
	s.collector.look(0, 0)
	look := time.NewTicker(collectEvery)
	defer look.Stop()
	for running := true; running; {
		select {
		case <-look.C:
			st := s.proxy.Stats().Cache
			s.collector.look(st.Bytes, st.Puts)
		case sig := <-s.signals:
			if running = sig == syscall.SIGHUP; running {
				s.service.reloading()
				s.reopen()
				s.reload()
				s.service.ready(s.status())
			}
		case <-s.service.beat:
		case failure = <-s.failed:
			running = false
		case <-ctx.Done():
			running = false
		}
	}
	if err := s.drain(); err != nil {
		return err
	}
	if failure != nil {
		return &exitError{code: codeFailure, err: failure}
	}
	return nil
}

// serveListener lets clients in until the listener is closed. The first that fails ends the proxy.
func (s *server) serveListener(ln listener) {
	if ln.place.admin {
		release := s.proxy.Reserve(ln.Addr()) // from now on, not only once it is served
		go func() {
			defer release()
			s.serveAdmin(ln.Listener)
		}()
		return
	}
	go func() {
		if err := s.proxy.Serve(ln.Listener, ln.place.mode); err != nil {
			select {
			case s.failed <- err:
			default: // another one was first
			}
		}
	}()
}

// reopen reopens the access log.
func (s *server) reopen() {
	if err := s.access.Reopen(); err != nil {
		s.log.Error("the old access log stays in use", "error", err)
		return
	}
	s.log.Info("access log reopened")
}

// drain lets running exchanges finish. A second signal ends it at once, with an error.
func (s *server) drain() error {
	s.log.Info("stopping when running exchanges are finished; a second signal stops at once", "timeout", s.grace)
	s.service.stopping(s.grace)
	ctx, cancel := context.WithTimeout(context.Background(), s.grace)
	defer cancel()
	if s.admin != nil {
		s.admin.Drain()
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := s.proxy.Shutdown(ctx); err != nil {
			s.log.Warn("some exchanges were cut off", "error", err)
		}
		if s.admin != nil {
			s.endAdmin()
		}
		if err := s.access.Close(); err != nil {
			s.log.Warn(err.Error())
		}
	}()
	for {
		select {
		case <-done:
			return nil
		case <-s.service.beat:
		case sig := <-s.signals:
			if sig == syscall.SIGHUP {
				continue
			}
			cancel()
			select { // what is cut off now still belongs into the log
			case <-done:
			case <-time.After(time.Second):
			}
			return &exitError{code: codeFailure, err: errors.New("stopped at once by a second signal")}
		}
	}
}
