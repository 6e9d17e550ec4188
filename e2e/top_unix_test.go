//go:build unix

package e2e

import (
	"bytes"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/creack/pty"
	"golang.org/x/term"

	"github.com/jayproxy/jay/e2e/process"
)

// terminal collects what a program writes to its terminal.
type terminal struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (c *terminal) read(r io.Reader) {
	buf := make([]byte, 4096)
	for {
		n, err := r.Read(buf)
		c.mu.Lock()
		c.text.Write(buf[:n])
		c.mu.Unlock()
		if err != nil {
			return
		}
	}
}

// wait waits until the program has written a text, and forgets what came up to it.
func (c *terminal) wait(t *testing.T, want string) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		c.mu.Lock()
		_, rest, ok := bytes.Cut(c.text.Bytes(), []byte(want))
		if ok {
			rest = bytes.Clone(rest)
			c.text.Reset()
			c.text.Write(rest)
		}
		text := c.text.String()
		c.mu.Unlock()
		if ok {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("the terminal never shows %q; it has %q", want, text)
		}
	}
}

// TestTop: jay top draws what happens, follows the terminal's size, and gives
// the terminal back however it is ended.
func TestTop(t *testing.T) {
	t.Parallel()
	admin := process.FreeAddr()
	j := startJay(t, "--admin", admin)
	site := startSite(t, nil)
	binary, err := env.binary()
	must(t, err)
	ends := map[string]func(*exec.Cmd, *os.File){
		"q":       func(_ *exec.Cmd, f *os.File) { _, _ = f.WriteString("q") },
		"Ctrl-C":  func(_ *exec.Cmd, f *os.File) { _, _ = f.WriteString("\x03") },
		"SIGTERM": func(c *exec.Cmd, _ *os.File) { _ = c.Process.Signal(syscall.SIGTERM) },
	}
	for name, end := range ends {
		cmd := exec.Command(binary, "top", "--admin", admin, "--interval", "100ms")
		cmd.Env = append(os.Environ(), "TERM=xterm", "LANG=C.UTF-8")
		f, err := pty.StartWithSize(cmd, &pty.Winsize{Rows: 24, Cols: 160})
		must(t, err)
		defer f.Close()
		var screen terminal
		go screen.read(f)
		screen.wait(t, "\x1b[?1049h")
		screen.wait(t, "Requests ")
		path := "/page.html?" + name
		way{addr: j.Proxy}.do(t, "GET", site.addr, path, nil, "")
		screen.wait(t, path)
		must(t, pty.Setsize(f, &pty.Winsize{Rows: 10, Cols: 30}))
		screen.wait(t, "Requests    ")
		before, err := term.GetState(int(f.Fd()))
		must(t, err)
		end(cmd, f)
		screen.wait(t, "\x1b[?1049l")
		if err := cmd.Wait(); err != nil {
			t.Errorf("%s: %v; want exit code 0", name, err)
		}
		after, err := term.GetState(int(f.Fd()))
		if err == nil && *after == *before {
			t.Errorf("%s: the terminal is still raw", name)
		}
	}
	cmd := exec.Command(binary, "top", "--admin", admin, "--once")
	out, err := cmd.CombinedOutput()
	if err != nil || strings.Contains(string(out), "\x1b") || strings.Count(string(out), "\n") != 2 {
		t.Errorf("jay top --once: %v, %q; want two lines", err, out)
	}
}
