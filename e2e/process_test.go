package e2e

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jayproxy/jay/e2e/origin"
	"github.com/jayproxy/jay/e2e/process"
	"github.com/jayproxy/jay/e2e/rawhttp"
)

// runJay runs jay to its end and returns its exit status and output.
func runJay(t *testing.T, args ...string) (status int, stdout, stderr string) {
	t.Helper()
	binary, err := env.binary()
	must(t, err)
	var out, errs strings.Builder
	cmd := exec.CommandContext(t.Context(), binary, args...)
	cmd.Stdout, cmd.Stderr = &out, &errs
	cmd.Dir = t.TempDir()
	err = cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), out.String(), errs.String()
}

// TestCommandLine: mistakes are one line on stderr and exit 2, an unusable
// environment one line and exit 1.
func TestCommandLine(t *testing.T) {
	t.Parallel()
	busy := listen(t)
	defer busy.Close()
	dir := t.TempDir()
	bad := filepath.Join(dir, "bad.yaml")
	must(t, os.WriteFile(bad, []byte("listen: 127.0.0.1:0\nno-such-option: 1\n"), 0o600))
	good := filepath.Join(dir, "good.yaml")
	must(t, os.WriteFile(good, []byte("listen: 127.0.0.1:3999\ncache-size: 10MiB\n"), 0o600))
	tests := []struct {
		args   []string
		status int
		want   string // in stdout or stderr
	}{
		{[]string{"--no-such-flag"}, 2, "no-such-flag"},
		{[]string{"serve", "stray"}, 2, "stray"},
		{[]string{"srve"}, 2, "srve"},
		{[]string{"serve", "--cache-size", "12 parsecs"}, 2, "cache-size"},
		{[]string{"serve", "--listen", busy.Addr().String()}, 1, busy.Addr().String()},
		{[]string{"serve", "--config", filepath.Join(dir, "none.yaml")}, 1, "none.yaml"},
		{[]string{"serve", "--config", bad}, 1, "bad.yaml:2"},
		{[]string{"check-config", "--config", bad}, 2, "bad.yaml:2"},
		{[]string{"check-config", "--config", good}, 0, ""},
		{[]string{"print-config", "--config", good}, 0, "127.0.0.1:3999"},
		{[]string{"version"}, 0, "go1."},
	}
	for _, tt := range tests {
		status, stdout, stderr := runJay(t, tt.args...)
		if status != tt.status || !strings.Contains(stdout+stderr, tt.want) {
			t.Errorf("%q: got %d, %q, %q; want %d and %q", tt.args, status, stdout, stderr, tt.status, tt.want)
		}
		if lines := strings.Count(strings.TrimSpace(stderr), "\n"); tt.status != 0 && lines != 0 {
			t.Errorf("%q: got %d lines on stderr; want one: %q", tt.args, lines+1, stderr)
		}
	}
}

// TestEnvironment: flag, environment, file, default, in that order.
func TestEnvironment(t *testing.T) {
	t.Parallel()
	binary, err := env.binary()
	must(t, err)
	file := filepath.Join(t.TempDir(), "jay.yaml")
	must(t, os.WriteFile(file, []byte("max-ranges: 3\nmax-variants: 4\nmax-interim: 5\n"), 0o600))
	cmd := exec.CommandContext(t.Context(), binary, "print-config", "--config", file, "--max-ranges", "7")
	cmd.Env = append(os.Environ(), "JAY_MAX_RANGES=8", "JAY_MAX_VARIANTS=9", "JAY_MAX_INTERIM=")
	out, err := cmd.CombinedOutput()
	must(t, err)
	for _, want := range []string{"max-ranges: 7", "max-variants: 9", "max-interim: 5"} {
		if !strings.Contains(string(out), want) {
			t.Errorf("got %s; want %q in it", out, want)
		}
	}
}

// TestStart: what a first user reads on stderr.
func TestStart(t *testing.T) {
	t.Parallel()
	j := startJay(t)
	for _, want := range []string{j.Proxy, j.Intercept, "64", "export http_proxy=", "https_proxy=", "curl -x"} {
		eventually(t, "stderr has "+want, func() bool { return strings.Contains(j.Stderr(), want) })
	}
}

// TestShutdown: SIGTERM lets running exchanges finish, takes no new connection,
// and gives tunnels a grace period (F6).
func TestShutdown(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("skipped: signals are Unix's")
	}
	release := make(chan bool)
	o := startOrigin(t, func(x *origin.Exchange) {
		x.Head("200 OK", rawhttp.F("Content-Length", "8"))
		x.Send("half")
		<-release
		x.Send("half")
	})
	l := listen(t)
	defer l.Close()
	go echoAll(l)
	j := startJay(t, "--shutdown-timeout", "5s")
	w := waysOf(j)[0]

	c := w.dial(t, o.Addr())
	send(t, c, w.get(o.Addr(), "/", nil))
	resp, err := c.ReadFinal("GET")
	must(t, err)
	tunnel := w.dial(t, "")
	send(t, tunnel, "CONNECT "+l.Addr().String()+" HTTP/1.1\r\nHost: x\r\n\r\n")
	if _, err := tunnel.ReadHead("CONNECT"); err != nil {
		t.Fatal(err)
	}
	idle := w.dial(t, "")

	began := time.Now()
	must(t, j.Signal(syscall.SIGTERM))
	if !idle.Closed(4 * time.Second) {
		t.Error("an idle connection stays open after SIGTERM")
	}
	eventually(t, "no new connections", func() bool {
		c, err := net.Dial("tcp", j.Proxy)
		if err == nil {
			c.Close()
		}
		return err != nil
	})
	close(release)
	c.ReadBody(resp)
	if resp.Err != nil || string(resp.Body) != "halfhalf" {
		t.Errorf("got %v; want the running exchange to finish", resp)
	}
	if err := j.Wait(); err != nil {
		t.Error(err)
	}
	if d := time.Since(began); d > 9*time.Second {
		t.Errorf("ended %v after SIGTERM; want at most 5 s and a little", d)
	}
}

// TestShutdown_second: a second signal ends jay at once.
func TestShutdown_second(t *testing.T) {
	t.Parallel()
	o := startOrigin(t, func(x *origin.Exchange) {
		x.Gone(20 * time.Second)
		x.Close()
	})
	binary, err := env.binary()
	must(t, err)
	j, err := process.Start(process.Options{Binary: binary})
	must(t, err)
	defer j.Kill()
	w := waysOf(j)[0]
	c := w.dial(t, o.Addr())
	send(t, c, w.get(o.Addr(), "/", nil))
	eventually(t, "the request is held", func() bool { return o.Count("/") == 1 })
	must(t, j.Signal(syscall.SIGTERM))
	time.Sleep(200 * time.Millisecond)
	must(t, j.Signal(syscall.SIGTERM))
	select {
	case <-j.Done():
	case <-time.After(5 * time.Second):
		t.Error("jay lives 5 s after the second signal")
	}
}

// TestLogReopen: SIGHUP reopens the log file, for rotation.
func TestLogReopen(t *testing.T) {
	t.Parallel()
	o := startOrigin(t, func(x *origin.Exchange) { x.OK("x") })
	dir := t.TempDir()
	name, moved := filepath.Join(dir, "access.log"), filepath.Join(dir, "access.log.1")
	j := startJayLogging(t, name)
	w := waysOf(j)[0]
	has := func(file, text string) func() bool {
		return func() bool {
			b, _ := os.ReadFile(file)
			return strings.Contains(string(b), text)
		}
	}
	w.do(t, "GET", o.Addr(), "/before", nil, "")
	eventually(t, "the first line", has(name, "/before"))
	must(t, os.Rename(name, moved))
	must(t, j.Signal(syscall.SIGHUP))
	eventually(t, "lines in the new file", func() bool {
		w.do(t, "GET", o.Addr(), "/between", nil, "")
		return has(name, "/between")()
	})
	w.do(t, "GET", o.Addr(), "/after", nil, "")
	eventually(t, "the second line", has(name, "/after"))
	if has(moved, "/after")() || has(name, "/before")() {
		t.Error("lines are in the wrong file")
	}
}

// startJayLogging runs jay with its log in a file.
func startJayLogging(t *testing.T, file string) *process.Jay {
	t.Helper()
	binary, err := env.binary()
	must(t, err)
	j, err := process.Start(process.Options{Binary: binary, Log: file})
	must(t, err)
	t.Cleanup(func() {
		if err := j.Stop(); err != nil {
			t.Error(err)
		}
	})
	return j
}

// TestNothingLeaks: descriptors go back after traffic of all kinds.
func TestNothingLeaks(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" {
		t.Skip("skipped: counting descriptors needs Linux's /proc")
	}
	o := startOrigin(t, origin.Faults)
	j := startJay(t, "--body-timeout", "1s", "--idle-timeout", "2s")
	before, err := j.Descriptors()
	must(t, err)
	for round := range 5 {
		for _, w := range waysOf(j) {
			for _, f := range append(origin.AllFaults(), origin.FaultNone) {
				if f != origin.FaultStall || round == 0 {
					_, _ = w.once(o.Addr(), "GET", origin.FaultPath(f, 30, round, w.name), nil)
				}
			}
			c := w.dial(t, o.Addr()) // a client that goes away in the middle
			send(t, c, w.get(o.Addr(), origin.FaultPath(origin.FaultDrip, 1000, round, w.name+"gone"), nil))
			c.Close()
		}
	}
	eventually(t, fmt.Sprintf("descriptors go back to about %d", before), func() bool {
		now, err := j.Descriptors()
		return err == nil && now <= before+8
	})
}
