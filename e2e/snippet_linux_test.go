package e2e

import (
	"context"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"github.com/jayproxy/jay/e2e/netns"
	"github.com/jayproxy/jay/e2e/origin"
)

// runSnippet runs a script of the README in a namespace of its own, in which
// http://example.com/ answers, and returns its output. What the script leaves
// running is ended.
func runSnippet(t *testing.T, script string) string {
	t.Helper()
	needRoot(t)
	need(t, "curl")
	lab := netns.NewLab()
	t.Cleanup(lab.Close)
	n, err := lab.Add("127.0.0.1 example.com\n")
	if err != nil {
		t.Fatal(err)
	}
	l, err := n.Listen("tcp", "127.0.0.1:80")
	if err != nil {
		t.Fatal(err)
	}
	watch(t, origin.Serve(l, func(x *origin.Exchange) { x.OK("hello from example.com\n") }))

	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	args := append(n.Prefix(), "bash", "-euo", "pipefail", "-c", script)
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Dir = env.root
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = 5 * time.Second
	out, err := cmd.CombinedOutput()
	_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // what runs in the background
	if err != nil && err != exec.ErrWaitDelay {
		t.Errorf("%v\n%s\noutput:\n%s", err, script, out)
	}
	return string(out)
}
