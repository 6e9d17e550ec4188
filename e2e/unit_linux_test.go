package e2e

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jayproxy/jay/e2e/origin"
	"github.com/jayproxy/jay/e2e/process"
)

// TestUnit: systemd finds nothing wrong with the units, and little that the service has a right to.
func TestUnit(t *testing.T) {
	t.Parallel()
	need(t, "systemd-analyze")
	binary, err := env.binary()
	must(t, err)
	for name, args := range map[string][]string{
		"plain":  nil,
		"tproxy": {"--listen", ":3128,192.0.2.1:8080", "--intercept", ":3129", "--intercept-mode", "tproxy", "--access-log", "/var/log/jay/access.log"},
		"host":   {"--listen", "", "--intercept", ":3129", "--intercept-mode", "host", "--auth-realm", `A "realm" with %, $ and \`},
	} {
		dir := filepath.Join(t.TempDir(), name)
		must(t, os.Mkdir(dir, 0o755))
		command(t, binary, append([]string{"systemd-unit", "--dir", dir}, args...)...)
		files, err := filepath.Glob(filepath.Join(dir, "*"))
		must(t, err)
		service := filepath.Join(dir, "jay.service")
		text, err := os.ReadFile(service)
		must(t, err)
		text = []byte(strings.Replace(string(text), "/usr/local/bin/jay", binary, 1)) // which is not installed here
		must(t, os.WriteFile(service, text, 0o644))
		stdout, stderr := command(t, "systemd-analyze", append([]string{"verify"}, files...)...)
		if found := stdout + stderr; strings.Contains(found, dir) {
			t.Errorf("%s: systemd-analyze verify: %s", name, found)
		}
		stdout, _ = command(t, "systemd-analyze", "security", "--offline=true", "--no-pager", service)
		m := regexp.MustCompile(`exposure level for jay.service: ([0-9.]+)`).FindStringSubmatch(stdout)
		if m == nil {
			t.Fatalf("no exposure level in %s", stdout)
		}
		if level, err := strconv.ParseFloat(m[1], 64); err != nil || level > 2 {
			t.Errorf("%s: exposure level %s; want at most 2.0, of 10\n%s", name, m[1], stdout)
		}
	}
}

// TestSocketActivate: systemd's own program hands sockets over as systemd does.
func TestSocketActivate(t *testing.T) {
	t.Parallel()
	need(t, "systemd-socket-activate")
	o := startOrigin(t, func(x *origin.Exchange) { x.OK("x") })
	binary, err := env.binary()
	must(t, err)
	addr, admin := process.FreeAddr(), process.FreeAddr()
	cmd := exec.Command("systemd-socket-activate", "-l", addr, "-l", admin, "--fdname=explicit:admin", binary, "serve", "--access-log", "off")
	var errs strings.Builder
	cmd.Stderr = &errs
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	must(t, cmd.Start())
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	w := way{name: "explicit", addr: addr}
	eventually(t, "an answer", func() bool { // the first connection starts jay
		resp, err := w.once(o.Addr(), "GET", "/", nil)
		return err == nil && resp.Code == 200
	})
	if _, stderr := command(t, binary, "stats", "--admin", admin); stderr != "" {
		t.Errorf("stats: %s", stderr)
	}
	must(t, cmd.Process.Signal(syscall.SIGTERM))
	select {
	case err := <-ended:
		if err != nil {
			t.Errorf("%v: %s", err, errs.String())
		}
	case <-time.After(30 * time.Second):
		_ = cmd.Process.Kill()
		t.Errorf("does not end: %s", errs.String())
	}
}

// TestLogDaemons: the access log reaches journald and syslog; a daemon that goes away costs lines and no answers.
func TestLogDaemons(t *testing.T) {
	t.Parallel()
	o := startOrigin(t, func(x *origin.Exchange) { x.OK("x") })
	binary, err := env.binary()
	must(t, err)
	for name, want := range map[string]string{"journald": "\nJAY_STATUS=200\n", "syslog": "]: {\"time\":"} {
		path := filepath.Join(t.TempDir(), "socket")
		d, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
		must(t, err)
		j, err := process.Start(process.Options{Binary: binary, Log: name + ":" + path})
		must(t, err)
		t.Cleanup(func() { j.Stop() })
		w := waysOf(j)[0]
		get := func(path string) {
			if resp := w.do(t, "GET", o.Addr(), path, nil, ""); resp.Code != 200 {
				t.Errorf("%s: got %v; want 200", name, resp)
			}
		}
		get("/one")
		var buf [16 << 10]byte
		must(t, d.SetReadDeadline(time.Now().Add(30*time.Second)))
		n, err := d.Read(buf[:])
		if got := string(buf[:n]); err != nil || !strings.Contains(got, want) || !strings.Contains(got, "/one") {
			t.Errorf("%s: got %q, %v; want %q", name, got, err, want)
		}
		d.Close()
		get("/two")
		must(t, j.Stop())
		if !strings.Contains(j.Stderr(), "lines lost") {
			t.Errorf("%s: got %s; want that lines are lost", name, j.Stderr())
		}
	}
}
