// Package admin is the listener through which people and programs see what a running Jay does, and steer it: a status
// page, figures in JSON and for Prometheus, what is stored and why, purging, and explanations.
//
// It is apart from the proxy: it has an address of its own, which the proxy refuses to connect to, and it takes no request
// that came through a proxy. Web pages cannot use it behind the back of whoever looks at them: a request with a foreign
// Host (DNS rebinding) or Origin (cross-site request forgery) is refused. When other machines can reach it, it wants a
// token.
//
//	GET  /             status page
//	GET  /healthz      200 while the process runs
//	GET  /readyz       200 while clients are accepted, 503 afterwards
//	GET  /stats        figures since the start
//	GET  /history      figures of the last hour
//	GET  /recent       last decisions, busiest hosts
//	GET  /metrics      for Prometheus
//	GET  /entry?url=   the stored responses of a URL
//	GET  /entries?q=   stored responses whose URLs contain a text; sort=held, received or url; limit=50
//	POST /explain      what would be done with a request
//	POST /purge        removes stored responses
//	POST /reload       reads the configuration anew
//	POST /reload-log   reopens the access log
//	GET  /debug/pprof/ profiles for go tool pprof, by option
//
// Left out on purpose: TLS (put the socket behind a server that speaks it, or use SSH), and settings other than those of the
// configuration.
package admin

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/jayproxy/jay/proxy"
)

// Options is what a Server is made from.
type Options struct {
	// Proxy is whom the server is about.
	Proxy *proxy.Proxy
	// Token has to be sent as Authorization: Bearer with everything but the page itself and the health checks. Empty: no
	// token is asked for.
	Token string
	// Names are host names by which clients may call the server besides localhost and its addresses.
	Names []string
	// Version is shown.
	Version string
	// StripQuery leaves queries out of the URLs of the last decisions.
	StripQuery bool
	// ReopenLog reopens the access log; nil: that is not offered.
	ReopenLog func() error
	// Reload reads the configuration anew and puts it in force, or only says what would change if dry is set; nil: that is
	// not offered. Its error is a *ConfigError if the configuration is at fault.
	Reload func(ctx context.Context, dry bool) (*ReloadAnswer, error)
	// LogDropped counts the lines that the access log lost; nil: it is not shown.
	LogDropped func() int64
	// Profiles offers profiles of the process at /debug/pprof/.
	Profiles bool
	// Logger gets what goes wrong; nil discards it.
	Logger *slog.Logger
	// Interval is the time between two samples of the history, which holds an hour; 0 means 10 s.
	Interval time.Duration
}

// Server is an admin listener. Make one with New, give it a listener with Serve, end it with Shutdown.
type Server struct {
	opt     Options
	access  atomic.Pointer[entrance]
	started time.Time
	http    *http.Server
	metrics http.Handler
	history history
	drained atomic.Bool

	cancel context.CancelFunc
	work   sync.WaitGroup
}

// New makes a server and begins to take samples.
func New(o Options) *Server {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Interval == 0 {
		o.Interval = 10 * time.Second
	}
	s := &Server{opt: o, started: time.Now()}
	s.access.Store(entranceOf(&o))
	s.metrics = s.metricsHandler()
	s.http = &http.Server{
		Handler: s.handler(), ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 15 * time.Second, WriteTimeout: time.Minute,
		IdleTimeout: time.Minute, MaxHeaderBytes: 32 << 10, ErrorLog: slog.NewLogLogger(o.Logger.Handler(), slog.LevelDebug),
	}
	var ctx context.Context
	ctx, s.cancel = context.WithCancel(context.Background())
	s.work.Go(func() { s.history.run(ctx, o.Proxy, o.Interval) })
	return s
}

// entrance is what can be changed while the server runs.
type entrance struct {
	open  bool // no token is asked for
	token [sha256.Size]byte
	names map[string]bool
	strip bool // no queries

	profiles bool // are offered
}

func entranceOf(o *Options) *entrance {
	e := &entrance{open: o.Token == "", token: sha256.Sum256([]byte(o.Token)), names: map[string]bool{"localhost": true}, strip: o.StripQuery, profiles: o.Profiles}
	for _, n := range o.Names {
		e.names[plainName(n)] = true
	}
	return e
}

// Configure changes Token, Names, StripQuery and Profiles; the rest stays as it was. Idle connections are closed, so that none is left
// to a listener that was.
func (s *Server) Configure(o Options) {
	s.access.Store(entranceOf(&o))
	s.http.SetKeepAlivesEnabled(false)
	s.http.SetKeepAlivesEnabled(true)
}

// Listen opens the listener for an address: host:port, or unix: and the path of a socket, which only its owner may use. A
// socket that nobody listens on any more is replaced. The function control, unless it is nil, prepares a TCP socket, as that of
// a net.ListenConfig.
func Listen(ctx context.Context, address string, control func(network, address string, raw syscall.RawConn) error) (net.Listener, error) {
	path, ok := strings.CutPrefix(address, "unix:")
	if !ok {
		lc := net.ListenConfig{Control: control}
		lc.SetMultipathTCP(false)
		return lc.Listen(ctx, "tcp", address)
	}
	if err := clearSocket(path); err != nil {
		return nil, err
	}
	ln, err := net.Listen("unix", path)
	if err != nil {
		return nil, err
	}
	if err := os.Chmod(path, 0o600); err != nil {
		ln.Close()
		return nil, fmt.Errorf("admin: %w", err)
	}
	return ln, nil
}

// clearSocket removes a socket that nobody listens on. Another kind of file stays, and is in the way.
func clearSocket(path string) error {
	info, err := os.Lstat(path)
	if err != nil || info.Mode().Type() != os.ModeSocket {
		return nil
	}
	if c, err := net.Dial("unix", path); err == nil {
		c.Close()
		return &net.OpError{Op: "listen", Net: "unix", Err: syscall.EADDRINUSE}
	} else if !errors.Is(err, syscall.ECONNREFUSED) {
		return nil
	}
	if err := os.Remove(path); err != nil {
		return fmt.Errorf("admin: %w", err)
	}
	return nil
}

// Serve answers requests on ln until Shutdown, or until ln is closed, both of which make it return nil. Nobody reaches ln
// through the proxy.
func (s *Server) Serve(ln net.Listener) error {
	release := s.opt.Proxy.Reserve(ln.Addr())
	defer release()
	if err := s.http.Serve(&limited{Listener: ln, slots: make(chan struct{}, maxConns)}); !errors.Is(err, http.ErrServerClosed) && !errors.Is(err, net.ErrClosed) {
		return fmt.Errorf("admin: %w", err)
	}
	return nil
}

// Drain makes /readyz say that no more clients should come.
func (s *Server) Drain() { s.drained.Store(true) }

// Shutdown ends the server: requests that run may finish until ctx ends. No goroutine of it is left afterwards.
func (s *Server) Shutdown(ctx context.Context) error {
	s.cancel()
	err := s.http.Shutdown(ctx)
	if err != nil {
		s.http.Close()
		err = fmt.Errorf("admin: %w", err)
	}
	s.work.Wait()
	return err
}

// maxConns bounds the connections, so that a forgotten script cannot take the proxy's descriptors.
const maxConns = 64

// limited is a listener with a bound on the connections that are open.
type limited struct {
	net.Listener
	slots chan struct{}
}

// Accept waits for a client. One above the bound is turned away at once, since waiting could not be ended.
func (l *limited) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		select {
		case l.slots <- struct{}{}:
			return &slot{Conn: c, release: sync.OnceFunc(func() { <-l.slots })}, nil
		default:
			c.Close()
		}
	}
}

// slot is a connection that gives its place back when it is closed.
type slot struct {
	net.Conn
	release func()
}

// Close closes the connection.
func (s *slot) Close() error {
	s.release()
	return s.Conn.Close()
}
