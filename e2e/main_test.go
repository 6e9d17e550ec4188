// Package e2e runs the built jay binary with real parties: curl, Chromium, a
// raw client, origins that misbehave, and clients in network namespaces that
// know of no proxy.
//
// Tests that need a program or a right that is not there skip and say which;
// .ci/run installs all of them and fails on a skip.
package e2e

import (
	"flag"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jayproxy/jay/e2e/origin"
	"github.com/jayproxy/jay/e2e/process"
	"github.com/jayproxy/jay/e2e/rawhttp"
)

// env is what TestMain prepares for all tests.
var env struct {
	root   string // the repository
	dir    string // a directory for this run
	binary func() (string, error)
}

func TestMain(m *testing.M) {
	flag.Parse()
	code, err := run(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, "e2e:", err)
		os.Exit(1)
	}
	os.Exit(code)
}

func run(m *testing.M) (int, error) {
	root, err := filepath.Abs("..")
	if err != nil {
		return 0, err
	}
	dir, err := os.MkdirTemp("", "jay-e2e-")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(dir)
	env.root, env.dir = root, dir
	env.binary = sync.OnceValues(func() (string, error) {
		binary := filepath.Join(dir, "jay")
		return binary, process.Build(root, binary, raceEnabled)
	})
	// Most tests wait more than they compute: run more of them side by side
	// than there are processors, unless the command line says how many.
	if !given("test.parallel") {
		if err := flag.Set("test.parallel", fmt.Sprint(8*runtime.GOMAXPROCS(0))); err != nil {
			return 0, err
		}
	}
	return m.Run(), nil
}

func given(name string) bool {
	found := false
	flag.Visit(func(f *flag.Flag) { found = found || f.Name == name })
	return found
}

// startJay runs jay with the arguments until the test ends, and then checks
// that it stopped well.
func startJay(t *testing.T, args ...string) *process.Jay {
	t.Helper()
	return startJayWith(t, process.Options{Args: args})
}

func startJayWith(t *testing.T, o process.Options) *process.Jay {
	t.Helper()
	binary, err := env.binary()
	if err != nil {
		t.Fatal(err)
	}
	o.Binary = binary
	j, err := process.Start(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := j.Stop(); err != nil {
			t.Error(err)
		}
		if bad := j.BadLog(); len(bad) > 0 {
			t.Errorf("stdout has %d lines that are no JSON, first %q", len(bad), bad[0])
		}
		if t.Failed() {
			t.Logf("jay's stderr:\n%s", j.Stderr())
		}
	})
	return j
}

// startOrigin serves h until the test ends, and then fails the test if anything
// but well-formed requests was received.
func startOrigin(t *testing.T, h origin.Handler) *origin.Origin {
	t.Helper()
	o, err := origin.Start(h)
	if err != nil {
		t.Fatal(err)
	}
	watch(t, o)
	return o
}

func watch(t *testing.T, o *origin.Origin) {
	t.Helper()
	t.Cleanup(func() {
		o.Close()
		for _, v := range o.Violations() {
			t.Errorf("origin received something malformed: %v: %q", v.Err, v.Bytes)
		}
	})
}

// way is how a client comes to jay: through the explicit or the intercepting
// listener.
type way struct {
	name        string
	addr        string // of jay's listener
	transparent bool
	// connect, if set, connects to host:port in the belief that it is the
	// origin; nil means that addr is dialled whatever the origin.
	connect func(host string) (net.Conn, error)
}

// eachWay runs f as parallel subtests through both listeners of one jay.
func eachWay(t *testing.T, j *process.Jay, f func(t *testing.T, w way)) {
	t.Helper()
	for _, w := range waysOf(j) {
		t.Run(w.name, func(t *testing.T) { f(t, w) })
	}
}

func waysOf(j *process.Jay) []way {
	return []way{{name: "explicit", addr: j.Proxy}, {name: "transparent", addr: j.Intercept, transparent: true}}
}

// target returns the request target for a path on the origin.
func (w way) target(host, path string) string {
	if w.transparent {
		return path
	}
	return "http://" + host + path
}

// do sends one request on its own connection and returns the response.
func (w way) do(t *testing.T, method, host, path string, fs rawhttp.Fields, body string) *rawhttp.Response {
	t.Helper()
	c := w.dial(t, host)
	defer c.Close()
	send(t, c, rawhttp.Request(method, w.target(host, path), append(rawhttp.F("Host", host), fs...), body))
	resp, err := c.ReadResponse(method)
	if err != nil {
		t.Fatalf("%s %s: %v\n%v", method, path, err, resp)
	}
	return resp
}

// dial connects to jay, on the way to host, until the test ends.
func (w way) dial(t *testing.T, host string) *rawhttp.Conn {
	t.Helper()
	c, err := w.open(host)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return rawhttp.NewConn(c)
}

func (w way) open(host string) (net.Conn, error) {
	if w.connect != nil {
		return w.connect(host)
	}
	return net.DialTimeout("tcp", w.addr, rawhttp.Timeout)
}

// send writes text; an error fails the test.
func send(t *testing.T, c *rawhttp.Conn, text string) {
	t.Helper()
	if err := c.Send(text); err != nil {
		t.Fatal(err)
	}
}

// receive reads a whole response; an error or a cut body fails the test.
func receive(t *testing.T, c *rawhttp.Conn, method string) *rawhttp.Response {
	t.Helper()
	resp, err := c.ReadResponse(method)
	if err == nil {
		err = resp.Err
	}
	if err != nil {
		t.Fatalf("%v in %v", err, resp)
	}
	return resp
}

// need skips the test unless all programs are there.
func need(t *testing.T, programs ...string) {
	t.Helper()
	for _, p := range programs {
		if _, err := exec.LookPath(p); err != nil {
			t.Skipf("skipped: the program %s is not installed", p)
		}
	}
}

// needRoot skips the test unless it may make network namespaces.
func needRoot(t *testing.T) {
	t.Helper()
	if runtime.GOOS != "linux" {
		t.Skip("skipped: network namespaces are Linux's")
	}
	if os.Geteuid() != 0 {
		t.Skip("skipped: making network namespaces needs root")
	}
	need(t, "ip", "nft", "iptables")
}

// command runs a program and returns its output; a failure fails the test.
func command(t *testing.T, name string, args ...string) (stdout, stderr string) {
	t.Helper()
	var out, errs strings.Builder
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		t.Fatalf("%s %s: %v\n%s%s", name, strings.Join(args, " "), err, out.String(), errs.String())
	}
	return out.String(), errs.String()
}

// eventually waits up to 30 s for ok to become true.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !ok(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Errorf("%s: not within 30 s", what)
			return
		}
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
