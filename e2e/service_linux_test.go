package e2e

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/jayproxy/jay/e2e/origin"
	"github.com/jayproxy/jay/e2e/process"
	"github.com/jayproxy/jay/e2e/rawhttp"
)

// manager is the test in the part of systemd: it holds the sockets and hears what jay says.
type manager struct {
	t      *testing.T
	socket *net.UnixConn // NOTIFY_SOCKET
	path   string
	mu     sync.Mutex
	said   []string
}

func startManager(t *testing.T) *manager {
	t.Helper()
	m := &manager{t: t, path: filepath.Join(t.TempDir(), "notify")}
	var err error
	m.socket, err = net.ListenUnixgram("unixgram", &net.UnixAddr{Name: m.path, Net: "unixgram"})
	must(t, err)
	t.Cleanup(func() { m.socket.Close() })
	go func() {
		var buf [4096]byte
		for {
			n, err := m.socket.Read(buf[:])
			if err != nil {
				return
			}
			m.mu.Lock()
			m.said = append(m.said, string(buf[:n]))
			m.mu.Unlock()
		}
	}()
	return m
}

// say sends the manager a message.
func (m *manager) say(text string) {
	m.t.Helper()
	c, err := net.Dial("unixgram", m.path)
	must(m.t, err)
	defer c.Close()
	_, err = c.Write([]byte(text))
	must(m.t, err)
}

// heard counts the messages that have a line, or one that begins with it if it ends in "=".
func (m *manager) heard(line string) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	n := 0
	for _, message := range m.said {
		for l := range strings.SplitSeq(message, "\n") {
			if l == line || strings.HasSuffix(line, "=") && strings.HasPrefix(l, line) {
				n++
			}
		}
	}
	return n
}

// last is the last message with a line.
func (m *manager) last(line string) string {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, message := range slices.Backward(m.said) {
		if slices.Contains(strings.Split(message, "\n"), line) {
			return message
		}
	}
	return ""
}

// start runs jay with the sockets; names say what they are for.
func (m *manager) start(files []*os.File, names string, env []string, args ...string) *process.Jay {
	m.t.Helper()
	o := process.Options{
		Args: args, Files: files, Listen: "none", Intercept: "none",
		// As systemd does: the process that gets the sockets is named.
		Prefix: []string{"sh", "-c", `LISTEN_PID=$$ exec "$@"`, "sh"},
		Env: append([]string{
			"NOTIFY_SOCKET=" + m.path, "LISTEN_FDS=" + strconv.Itoa(len(files)), "LISTEN_FDNAMES=" + names,
		}, env...),
	}
	return startJayWith(m.t, o)
}

// socketOf is a listening socket that no Go code accepts on.
func socketOf(t *testing.T, transparent bool) (*os.File, string) {
	t.Helper()
	lc := net.ListenConfig{Control: func(_, _ string, raw syscall.RawConn) error {
		var fault error
		err := raw.Control(func(fd uintptr) {
			if transparent {
				fault = unix.SetsockoptInt(int(fd), unix.SOL_IP, unix.IP_TRANSPARENT, 1)
			}
		})
		if err != nil {
			return err
		}
		return fault
	}}
	lc.SetMultipathTCP(false)
	ln, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
	must(t, err)
	defer ln.Close()
	f, err := ln.(*net.TCPListener).File()
	must(t, err)
	t.Cleanup(func() { f.Close() })
	return f, ln.Addr().String()
}

// TestService: sockets are served by their names, and the manager hears that jay is ready, reloads, lives and stops.
func TestService(t *testing.T) {
	t.Parallel()
	o := startOrigin(t, func(x *origin.Exchange) { x.OK("x") })
	m := startManager(t)
	explicit, addr := socketOf(t, false)
	host, byHost := socketOf(t, false)
	admin, adminAddr := socketOf(t, false)
	j := m.start([]*os.File{explicit, host, admin}, "explicit:host:admin", []string{"WATCHDOG_USEC=300000", "JAY_ADMIN="})
	eventually(t, "READY=1", func() bool { return m.heard("READY=1") == 1 })
	if status := m.last("READY=1"); !strings.Contains(status, "STATUS=serving "+addr+", "+byHost+" (host)") {
		t.Errorf("got %q; want the addresses in STATUS", status)
	}
	for _, w := range []way{{name: "explicit", addr: addr}, {name: "host", addr: byHost, transparent: true}} {
		if resp := w.do(t, "GET", o.Addr(), "/", nil, ""); resp.Code != 200 {
			t.Errorf("%s: got %v; want 200", w.name, resp)
		}
	}
	resp, err := http.Get("http://" + adminAddr + "/readyz")
	must(t, err)
	resp.Body.Close()
	if resp.StatusCode != 200 {
		t.Errorf("admin: got %v; want 200", resp.Status)
	}
	eventually(t, "WATCHDOG=1", func() bool { return m.heard("WATCHDOG=1") > 2 })
	must(t, j.Signal(syscall.SIGHUP))
	eventually(t, "READY=1 again", func() bool { return m.heard("READY=1") == 2 })
	checkMonotonic(t, m.last("RELOADING=1"))
	must(t, j.Stop())
	eventually(t, "STOPPING=1", func() bool { return m.heard("STOPPING=1") == 1 && m.heard("EXTEND_TIMEOUT_USEC=") == 1 })
}

// checkMonotonic checks that a message has a time of the clock that systemd compares it with.
func checkMonotonic(t *testing.T, message string) {
	t.Helper()
	_, rest, _ := strings.Cut(message, "MONOTONIC_USEC=")
	number, _, _ := strings.Cut(rest, "\n")
	usec, err := strconv.ParseInt(number, 10, 64)
	var now unix.Timespec
	must(t, unix.ClockGettime(unix.CLOCK_MONOTONIC, &now))
	if err != nil || usec*1000 > now.Nano() || usec*1000 < now.Nano()-time.Minute.Nanoseconds() {
		t.Errorf("got %q; want RELOADING=1 with a MONOTONIC_USEC just before %d", message, now.Nano()/1000)
	}
}

// TestService_hangs: a jay that stands still gives no sign of life.
func TestService_hangs(t *testing.T) {
	t.Parallel()
	m := startManager(t)
	f, _ := socketOf(t, false)
	j := m.start([]*os.File{f}, "explicit", []string{"WATCHDOG_USEC=300000"})
	eventually(t, "WATCHDOG=1", func() bool { return m.heard("WATCHDOG=1") > 0 })
	must(t, j.Signal(syscall.SIGSTOP))
	defer j.Signal(syscall.SIGCONT)
	eventually(t, "it stands still", func() bool {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", j.PID()))
		return err == nil && strings.Contains(string(stat), ") T ")
	})
	m.say("MARK=1") // behind all that was said before
	eventually(t, "the mark", func() bool { return m.heard("MARK=1") == 1 })
	before := m.heard("WATCHDOG=1")
	time.Sleep(500 * time.Millisecond) // in which there would be five
	if after := m.heard("WATCHDOG=1"); after != before {
		t.Errorf("%d signs of life of a process that stands still; want 0", after-before)
	}
}

// TestService_refused: sockets that jay cannot use are named.
func TestService_refused(t *testing.T) {
	t.Parallel()
	binary, err := env.binary()
	must(t, err)
	f, addr := socketOf(t, false)
	for names, want := range map[string]string{
		"jay.socket": `descriptor 3 ("jay.socket"): its address, ` + addr + `, is not configured`,
		"tproxy":     "Transparent=yes",
	} {
		_, err = process.Start(process.Options{
			Binary: binary, Intercept: "none", Files: []*os.File{f},
			Prefix: []string{"sh", "-c", `LISTEN_PID=$$ exec "$@"`, "sh"},
			Env:    []string{"LISTEN_FDS=1", "LISTEN_FDNAMES=" + names},
		})
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "exit status 1") {
			t.Errorf("%s: got %v; want %s", names, err, want)
		}
	}
}

// TestService_transparent: a socket with Transparent=yes serves TPROXY.
func TestService_transparent(t *testing.T) {
	t.Parallel()
	needRoot(t)
	m := startManager(t)
	f, addr := socketOf(t, true)
	m.start([]*os.File{f}, "tproxy", nil, "--listen", process.FreeAddr()) // or Jay would open its default port
	eventually(t, "READY=1", func() bool { return strings.Contains(m.last("READY=1"), addr+" (tproxy)") })
}

// TestServiceRestart: restarts under load refuse no connection and fail no request, as long as somebody holds the sockets. No
// client repeats a request.
func TestServiceRestart(t *testing.T) {
	t.Parallel()
	f, addr := socketOf(t, false)
	m := startManager(t)
	j := m.start([]*os.File{f}, "explicit", nil)
	restartUnderLoad(t, addr, func() {
		must(t, j.Stop())
		j = m.start([]*os.File{f}, "explicit", nil)
	})
}

// TestReusePort: nor do they where the new process starts beside the old one.
func TestReusePort(t *testing.T) {
	t.Parallel()
	addr := process.FreeAddr()
	start := func() *process.Jay {
		return startJayWith(t, process.Options{Listen: addr, Intercept: "none", Args: []string{"--reuse-port"}})
	}
	j := start()
	restartUnderLoad(t, addr, func() {
		next := start()
		must(t, j.Stop())
		j = next
	})
}

// restartUnderLoad calls restart again and again while clients use the proxy.
func restartUnderLoad(t *testing.T, addr string, restart func()) {
	t.Helper()
	const restarts, between = 6, 600
	o := startOrigin(t, func(x *origin.Exchange) {
		switch {
		case strings.HasPrefix(x.Path(), "/slow"): // is under way for a good part of a restart
			x.Head("200 OK", rawhttp.F("Content-Length", "20"))
			for range 10 {
				time.Sleep(30 * time.Millisecond)
				x.Send("xy")
			}
		case strings.HasPrefix(x.Path(), "/fresh"):
			x.Head("200 OK", append(rawhttp.F("Content-Length", "5"), rawhttp.F("Cache-Control", "max-age=60")...))
			x.Send("fresh")
		default:
			x.OK("answer")
		}
	})
	l := &load{t: t, proxy: addr, origin: o.Addr(), end: make(chan struct{})}
	for i := range 4 {
		l.clients.Go(func() { l.raw(i, 1<<30) }) // keeps its connection
		l.clients.Go(func() { l.raw(i, 1) })     // a new one for each request
	}
	l.clients.Go(func() { l.slow() })
	l.clients.Go(l.goClient)
	for i := range restarts {
		eventually(t, "requests", func() bool { return l.done.Load() >= int64(between*(i+1)) })
		restart()
	}
	eventually(t, "requests after the last restart", func() bool { return l.done.Load() >= between*(restarts+1) })
	close(l.end)
	l.clients.Wait()
	t.Logf("%d requests and %d restarts, %d failures", l.done.Load(), restarts, l.failed.Load())
	if l.failed.Load() > 0 {
		t.Errorf("%d requests failed; want 0", l.failed.Load())
	}
}

// load are clients that never repeat a request.
type load struct {
	t             *testing.T
	proxy, origin string
	end           chan struct{}
	clients       sync.WaitGroup
	done, failed  atomic.Int64
}

func (l *load) ended() bool {
	select {
	case <-l.end:
		return true
	default:
		return false
	}
}

func (l *load) fail(format string, args ...any) {
	if l.failed.Add(1) < 10 {
		l.t.Errorf(format, args...)
	}
}

// raw sends requests one after the other, up to so many on one connection, unless an answer says that it is the last.
func (l *load) raw(id, each int) {
	for n := 0; !l.ended(); {
		c, err := rawhttp.Dial(l.proxy)
		if err != nil {
			l.fail("connect: %v", err)
			continue
		}
		for i := 0; i < each && !l.ended(); i++ {
			n++
			method, body := "GET", ""
			if n%3 == 0 {
				method, body = "POST", strings.Repeat("b", 100)
			}
			path := fmt.Sprintf("/%s/%d/%d", []string{"fresh", "other"}[n%2], id, n%7)
			fs := rawhttp.F("Host", l.origin, "Content-Length", strconv.Itoa(len(body)))
			if err := c.Send(rawhttp.Request(method, "http://"+l.origin+path, fs, body)); err != nil {
				l.fail("%s %s, request %d of its connection: %v", method, path, i, err)
				break
			}
			resp, err := c.ReadResponse(method)
			if err != nil || resp.Err != nil || resp.Code != 200 {
				l.fail("%s %s, request %d of its connection: %v, %v", method, path, i, err, resp)
				break
			}
			l.done.Add(1)
			if slices.Contains(resp.Fields.Values("Connection"), "close") {
				break
			}
			time.Sleep(time.Duration(n%3) * time.Millisecond)
		}
		c.Close()
	}
}

// slow downloads what takes its time.
func (l *load) slow() {
	w := way{name: "explicit", addr: l.proxy}
	for n := 0; !l.ended(); n++ {
		resp, err := w.once(l.origin, "GET", fmt.Sprintf("/slow/%d", n), nil)
		if err != nil || resp.Err != nil || len(resp.Body) != 20 {
			l.fail("slow: %v, %v", err, resp)
			continue
		}
		l.done.Add(1)
	}
}

// goClient is an ordinary client program, whose posts are never repeated.
func (l *load) goClient() {
	transport := &http.Transport{Proxy: http.ProxyURL(&url.URL{Scheme: "http", Host: l.proxy})}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport}
	for n := 0; !l.ended(); n++ {
		// A reader of an unknown type cannot be rewound.
		body := struct{ io.Reader }{bytes.NewReader(make([]byte, 10))}
		resp, err := client.Post(fmt.Sprintf("http://%s/go/%d", l.origin, n), "text/plain", body)
		if err != nil {
			l.fail("Go client: %v", err)
			continue
		}
		_, err = io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
		if err != nil || resp.StatusCode != 200 {
			l.fail("Go client: %v, %v", resp.Status, err)
			continue
		}
		l.done.Add(1)
		time.Sleep(time.Duration(n%10) * time.Millisecond)
	}
}
