// Package process builds the jay binary and runs it for tests: on free ports,
// with its access log read as it is written, and stopped in the end whatever
// the test did.
package process

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

const (
	startTimeout = 30 * time.Second
	stopTimeout  = 60 * time.Second
)

// Build compiles ./cmd/jay of the module at root into the file binary, with
// the race detector if race is set.
func Build(root, binary string, race bool) error {
	args := []string{"build", "-o", binary}
	if race {
		args = append(args, "-race")
	}
	cmd := exec.Command("go", append(args, "./cmd/jay")...)
	cmd.Dir = root
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("process: go build ./cmd/jay: %w\n%s", err, out)
	}
	return nil
}

// Options say how Start runs jay.
type Options struct {
	// Binary is the program that Build made.
	Binary string
	// Args follow the arguments that Start sets itself: the listeners, a log
	// in JSON on stdout and, unless they set it or name a file, a cache of
	// 64 MiB.
	Args []string
	// Env is added to the environment.
	Env []string
	// Prefix is put before the command, such as ip netns exec NAME.
	Prefix []string
	// Files are passed on as descriptors 3 and so on.
	Files []*os.File
	// Listen is the explicit listener; "": a free port of 127.0.0.1;
	// "none": none that the arguments name.
	Listen string
	// Intercept is the intercepting listener; "": a free port of
	// 127.0.0.1; "none": no such listener.
	Intercept string
	// Mode is the interception mode; "" means host.
	Mode string
	// Log is where the access log goes; "" means that Jay.Log has it.
	Log string
	// Dial connects to the explicit listener to learn that it is ready;
	// nil means net.Dial.
	Dial func(network, address string) (net.Conn, error)
}

// Jay is a running jay process.
type Jay struct {
	// Proxy and Intercept are the addresses of the two listeners.
	Proxy, Intercept string

	cmd  *exec.Cmd
	log  log
	errs buffer
	done chan struct{} // closed once the process was waited for
	exit error
	once sync.Once
	stop error
}

// Start runs jay serve and waits until its explicit listener answers. A free port that another test's jay took first is
// chosen anew.
func Start(o Options) (*Jay, error) {
	for tries := 0; ; tries++ {
		j, err := start(o)
		if err == nil || tries == 5 || o.Listen != "" || !strings.Contains(err.Error(), "another program listens there") {
			return j, err
		}
	}
}

func start(o Options) (*Jay, error) {
	j := &Jay{Proxy: o.Listen, Intercept: o.Intercept, done: make(chan struct{})}
	if j.Proxy == "" {
		j.Proxy = FreeAddr()
	}
	if j.Intercept == "" {
		j.Intercept = FreeAddr()
	}
	args := append(o.Prefix[:len(o.Prefix):len(o.Prefix)], o.Binary, "serve", "--access-log", cmp.Or(o.Log, "-"), "--log-format", "json")
	if j.Proxy != "none" {
		args = append(args, "--listen", j.Proxy)
	}
	if !slices.Contains(o.Args, "--cache-size") && !slices.Contains(o.Args, "--config") {
		args = append(args, "--cache-size", "64MiB")
	}
	if j.Intercept != "none" {
		mode := o.Mode
		if mode == "" {
			mode = "host"
		}
		args = append(args, "--intercept", j.Intercept, "--intercept-mode", mode)
	}
	args = append(args, o.Args...)
	j.cmd = exec.Command(args[0], args[1:]...)
	j.cmd.Env = append(append(os.Environ(), "JAY_ADMIN=off"), o.Env...) // tests run side by side
	j.cmd.Stdout, j.cmd.Stderr = &j.log, &j.errs
	j.cmd.ExtraFiles = o.Files
	j.cmd.SysProcAttr = dieWithParent()
	if err := j.cmd.Start(); err != nil {
		return nil, fmt.Errorf("process: %w", err)
	}
	go func() {
		j.exit = j.cmd.Wait()
		close(j.done)
	}()
	return j, j.ready(o.Dial)
}

func (j *Jay) ready(dial func(network, address string) (net.Conn, error)) error {
	if dial == nil {
		dial = net.Dial
	}
	deadline := time.Now().Add(startTimeout)
	for time.Now().Before(deadline) {
		select {
		case <-j.done:
			return fmt.Errorf("process: jay ended at once: %w\n%s", errors.Join(j.exit), j.Stderr())
		case <-time.After(10 * time.Millisecond):
		}
		if !strings.Contains(j.Stderr(), "jay: cache of") {
			continue // whoever answers may be another jay
		}
		if j.Proxy == "none" {
			return nil
		}
		if c, err := dial("tcp", j.Proxy); err == nil {
			return c.Close()
		}
	}
	j.Kill()
	return fmt.Errorf("process: jay does not listen on %s after %v\n%s", j.Proxy, startTimeout, j.Stderr())
}

// PID returns the process's id.
func (j *Jay) PID() int { return j.cmd.Process.Pid }

// Stderr returns what the process wrote to its standard error so far.
func (j *Jay) Stderr() string { return j.errs.String() }

// Done is closed when the process has ended.
func (j *Jay) Done() <-chan struct{} { return j.done }

// Signal sends a signal to the process.
func (j *Jay) Signal(s os.Signal) error { return j.cmd.Process.Signal(s) }

// Kill ends the process at once and waits for its end.
func (j *Jay) Kill() {
	_ = j.cmd.Process.Kill()
	<-j.done
}

// Stop sends SIGTERM, waits for the end, and returns an error if the process
// did not exit with 0, did not end in time, panicked or raced. It may be called
// again and then returns the same.
func (j *Jay) Stop() error {
	j.once.Do(func() { j.stop = j.stopOnce() })
	return j.stop
}

// Wait is Stop without the signal, for a process that has been told to end.
func (j *Jay) Wait() error {
	j.once.Do(func() { j.stop = j.end() })
	return j.stop
}

func (j *Jay) stopOnce() error {
	_ = j.Signal(syscall.SIGTERM)
	return j.end()
}

func (j *Jay) end() error {
	select {
	case <-j.done:
	case <-time.After(stopTimeout):
		_ = j.Signal(syscall.SIGQUIT) // the stacks go to stderr
		<-j.done
		return fmt.Errorf("process: jay did not end within %v of SIGTERM\n%s", stopTimeout, j.Stderr())
	}
	text := j.Stderr()
	for _, bad := range []string{"DATA RACE", "panic:", "fatal error:", "goroutine "} {
		if strings.Contains(text, bad) {
			return fmt.Errorf("process: jay's stderr has %q\n%s", bad, text)
		}
	}
	if j.exit != nil {
		return fmt.Errorf("process: jay: %w\n%s", j.exit, text)
	}
	return nil
}

// buffer is a bounded bytes.Buffer for several goroutines.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

var _ io.Writer = (*buffer)(nil)

// Write implements io.Writer; what goes beyond 1 MiB is dropped.
func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.b.Len() < 1<<20 {
		b.b.Write(p)
	}
	return len(p), nil
}

// String returns what was written.
func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}
