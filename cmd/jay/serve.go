package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/jayproxy/jay/config"
	"github.com/jayproxy/jay/proxy"
	"github.com/jayproxy/jay/proxy/access"
	"github.com/jayproxy/jay/proxy/admin"
)

// serve runs the proxy until a signal or the end of ctx.
func (p *process) serve(ctx context.Context, f *flags) error {
	handed, err := takeSockets(p.manager.sockets())
	if err != nil {
		return oneLine(&exitError{code: codeFailure, err: err})
	}
	defer handed.close()
	first, err := p.read(f, handed)
	if err != nil {
		return oneLine(err)
	}
	s, err := p.start(ctx, first, f, handed)
	if err != nil {
		return &exitError{code: codeFailure, err: err}
	}
	if text := p.strangers(); text != "" {
		s.log.Warn("variables are " + text)
	}
	p.banner(&first.config, s)
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
	tls       identity
	collector collector
	service   *service
	admin     *admin.Server // serves the listeners that there are for it
	messages  *messages

	process   *process
	flags     *flags
	handed    sockets
	reloading sync.Mutex // held while the configuration is replaced; guards setup and listeners
	setup     *setup     // in force
	grace     atomic.Int64
	stopping  atomic.Bool
	hups      chan struct{}
	work      sync.WaitGroup // of hups
}

// start opens what the proxy needs. When it fails, nothing stays open.
func (p *process) start(ctx context.Context, first *setup, f *flags, handed sockets) (*server, error) {
	c := &first.config
	s := &server{
		process: p, flags: f, handed: handed, setup: first, messages: &messages{},
		signals: make(chan os.Signal, 4), failed: make(chan error, 1), hups: make(chan struct{}, 1),
	}
	s.messages.set(p.stderr, c)
	s.log = slog.New(s.messages)
	s.grace.Store(int64(c.ShutdownTimeout))
	s.service = newService(p.manager, s.log)
	lines := accessOptions(c)
	lines.Stdout, lines.Logger = p.stdout, s.log
	var err error
	if s.access, err = access.Open(lines); err != nil {
		return nil, err
	}
	s.listeners.log, s.listeners.spare = s.log, first.spare
	ch, err := s.listeners.prepare(ctx, placesOf(c, handed))
	if err != nil {
		return nil, errors.Join(err, s.access.Close())
	}
	ch.commit()
	s.tls.use(first.identity)
	opt := &first.options
	opt.Logger, opt.Access, opt.StatusPage = s.log, s.access, statusPage(adminOf(s.listeners.open))
	s.proxy, err = proxy.New(*opt)
	if err != nil {
		s.listeners.close()
		return nil, errors.Join(err, s.access.Close())
	}
	s.admin = admin.New(s.adminOptions(c, first.token))
	s.limitMemory(c)
	s.collector.off = p.getenv("GOGC") != ""
	p.notify(s.signals)
	return s, nil
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
		kind := ""
		if ln.place.secure {
			kind = " (TLS)"
		}
		fmt.Fprintf(&b, "jay: listening on %s%s\n", ln.Addr(), kind)
		if usable == "" {
			usable = clientURL(ln.Addr())
			if ln.place.secure {
				usable = "https" + strings.TrimPrefix(usable, "http")
			}
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
	s.begin()
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
				s.hangup()
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

// begin lets clients in.
func (s *server) begin() {
	s.reloading.Lock()
	defer s.reloading.Unlock()
	s.work.Go(s.hangups)
	s.listeners.serve = s.serveListener
	for _, ln := range s.listeners.open {
		s.serveListener(ln)
	}
	s.service.ready(s.status())
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
		if err := s.proxy.ServeWith(ln.Listener, s.listenOptions(ln.place)); err != nil {
			select {
			case s.failed <- err:
			default: // another one was first
			}
		}
	}()
}

// drain lets running exchanges finish. A second signal ends it at once, with an error.
func (s *server) drain() error {
	s.stopping.Store(true)
	close(s.hups)
	grace := time.Duration(s.grace.Load())
	s.log.Info("stopping when running exchanges are finished; a second signal stops at once", "timeout", grace)
	s.service.stopping(grace)
	ctx, cancel := context.WithTimeout(context.Background(), grace)
	defer cancel()
	s.admin.Drain()
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := s.proxy.Shutdown(ctx); err != nil {
			s.log.Warn("some exchanges were cut off", "error", err)
		}
		s.endAdmin()
		s.work.Wait()
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
