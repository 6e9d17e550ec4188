package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jayproxy/jay/proxy/admin"
)

// configured is a proxy in this process with its settings in a file.
type configured struct {
	running
	t     *testing.T
	path  string
	admin string // its address
}

// startConfigured runs the proxy with a file; text needs neither listen nor admin.
func startConfigured(t *testing.T, text string) *configured {
	t.Helper()
	r := &configured{t: t, running: running{test: test{signals: make(chan chan<- os.Signal, 1)}, code: make(chan int, 1)}}
	r.path, r.admin, r.addr = filepath.Join(t.TempDir(), "jay.yaml"), freePort(t, "127.0.0.1"), freePort(t, "127.0.0.1")
	r.write(text)
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	go func() { r.code <- r.process().run(ctx, []string{"serve", "--config", r.path}) }()
	select {
	case r.stop = <-r.signals:
	case code := <-r.code:
		t.Fatalf("exit %d before serving: %s", code, r.stderr.String())
	}
	t.Cleanup(func() {
		if r.stop == nil {
			return
		}
		r.stop <- syscall.SIGTERM
		if code := r.wait(t); code != 0 {
			t.Errorf("exit %d: %s", code, r.stderr.String())
		}
	})
	for !reaches(r.admin) {
		runtime.Gosched()
	}
	return r
}

// write writes the file. What text says of listen and admin comes first.
func (r *configured) write(text string) {
	r.t.Helper()
	for key, value := range map[string]string{"listen": r.addr, "admin": r.admin} {
		if !regexp.MustCompile(`(?m)^` + key + `:`).MatchString(text) {
			text += key + ": " + value + "\n"
		}
	}
	if err := os.WriteFile(r.path, []byte(text), 0o600); err != nil {
		r.t.Fatal(err)
	}
}

// reload runs jay reload.
func (r *configured) reload(args ...string) (code int, stdout, stderr string) {
	r.t.Helper()
	return jay(r.t, append([]string{"reload", "--admin", r.admin}, args...)...)
}

// must is reload where nothing goes wrong.
func (r *configured) must(args ...string) string {
	r.t.Helper()
	code, stdout, stderr := r.reload(args...)
	if code != 0 {
		r.t.Fatalf("jay reload %v: exit %d, %s", args, code, stderr)
	}
	return stdout
}

// TestReload checks what is said about changes, and that a dry run does not make them.
func TestReload(t *testing.T) {
	token := file(t, "token", "a-token-that-is-long\n")
	r := startConfigured(t, "cache-size: 64MiB\naccess-log: off\n")
	second := freePort(t, "127.0.0.1")
	if got := r.must(); got != "changed:\n  nothing\n" {
		t.Errorf("nothing changed: got %q", got)
	}
	r.write("cache-size: 16MiB\naccess-log: off\nlog-level: error\nlisten: [" + r.addr + ", " + second + "]\nadmin-token-file: '" + token + "'\npolicy: {default: allow}\n")
	want := []string{
		"listen: " + r.addr + " → " + r.addr + ", " + second, "cache-size: 64MiB → 16MiB", "fill-size: 16MiB → 4MiB", "log-level: info → error",
		"admin-token-file: (none) → " + token, "section policy has changed", "explicit listener " + second + " opened",
	}
	if got := r.must("--dry-run"); got != "would change:\n  "+strings.Join(slices.Insert(slices.Clone(want), 2, "max-object-size: 8MiB → 2MiB"), "\n  ")+"\n" {
		t.Errorf("dry run: got %q; want %q", got, want)
	}
	if reaches(second) {
		t.Error("the dry run opened a listener")
	}
	got := r.must()
	for _, line := range want {
		if !strings.Contains(got, "  "+line+"\n") {
			t.Errorf("got %q; want a line %q", got, line)
		}
	}
	if !reaches(second) || !reaches(r.addr) {
		t.Error("not all listeners are open")
	}
	if code, _, stderr := r.reload(); code != 1 || !strings.Contains(stderr, "token") {
		t.Errorf("without the token: exit %d, %q; want a refusal", code, stderr)
	}
	if err := os.WriteFile(token, []byte("another-token-is-longer"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := r.must("--admin-token-file", file(t, "old", "a-token-that-is-long")); got != "changed:\n  "+token+" has changed\n" {
		t.Errorf("another token: got %q; want that the file has changed, and no token", got)
	}
	if got := r.must("--admin-token-file", token); got != "changed:\n  nothing\n" {
		t.Errorf("with the new token: got %q", got)
	}
}

// TestReload_broken checks that what is wrong is named with its line, and that nothing changes then.
func TestReload_broken(t *testing.T) {
	list := file(t, "list", "example.com\n")
	taken := httptest.NewServer(nil)
	defer taken.Close()
	port := taken.Listener.Addr().String()
	good := "access-log: off\ncache-size: 64MiB\npolicy: {default: allow, lists: {l: '" + list + "'}, rules: [{name: x, action: deny, list: l}]}\n"
	r := startConfigured(t, good)
	moved := freePort(t, "127.0.0.1")
	tests := []struct {
		name, text string
		code       int
		want       string
	}{
		{"syntax", "cache-size: 16MiB\n  listen: x\n", 2, r.path + ":2: "},
		{"an unknown option", "cache-size: 16MiB\n\ncach: 1\n", 2, r.path + ":3: unknown option \"cach\""},
		{"two faults", "cache-size: 16x\nhead-timeout: 0s\n", 2, r.path + ":2: head-timeout"},
		{"a rule", "policy:\n  default: allow\n  rules:\n  - {name: a, action: dney}\n", 2, r.path + ":4: "},
		{"a list", good + "# " + list, 2, list + ":1: "},
		{"no such file", "ca-file: /no/such/file\n", 2, "/no/such/file: "},
		{"options that do not fit together", "cache-size: 16MiB\nadmin: 0.0.0.0:1\n", 2, r.path + ":2: admin: 0.0.0.0:1 can be reached"},
		{"a taken port", "cache-size: 16MiB\nlisten: [" + moved + ", " + port + "]\n", 1, "cannot listen on " + port + ": another program"},
		{"a taken port for admin", "cache-size: 16MiB\nlisten: " + moved + "\nadmin: " + port + "\n", 1, "admin: cannot listen on " + port},
		{"a log that cannot be opened", "listen: " + moved + "\naccess-log: /no/such/log\n", 1, "/no/such/log"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r.write(tt.text)
			if strings.HasSuffix(tt.text, list) {
				if err := os.WriteFile(list, []byte("what is this\n"), 0o600); err != nil {
					t.Fatal(err)
				}
				defer os.WriteFile(list, []byte("example.com\n"), 0o600)
			}
			code, stdout, stderr := r.reload()
			if code != tt.code || stdout != "" || !strings.Contains(stderr, tt.want) {
				t.Errorf("got exit %d, %q, %q; want %d and %q", code, stdout, stderr, tt.code, tt.want)
			}
			if reaches(moved) || !reaches(r.addr) {
				t.Error("the listeners have changed")
			}
		})
	}
	r.write(good)
	if got := r.must(); got != "changed:\n  nothing\n" {
		t.Errorf("with the old file: got %q; want that nothing has changed meanwhile", got)
	}
}

// TestReload_moves checks listeners that move, the admin listener among them, while it is asked.
func TestReload_moves(t *testing.T) {
	origin := cacheable(t)
	r := startConfigured(t, "access-log: off\n")
	c := r.client(t)
	get(t, c, origin+"/kept") // leaves a connection
	oldAddr, oldAdmin := r.addr, r.admin
	next, nextAdmin := freePort(t, "127.0.0.1"), freePort(t, "127.0.0.1")
	r.write("access-log: off\nlisten: " + next + "\nadmin: " + nextAdmin + "\n")
	got := r.must()
	for _, line := range []string{"explicit listener " + next + " opened", "admin listener " + nextAdmin + " opened", "explicit listener " + oldAddr + " closed", "admin listener " + oldAdmin + " closed"} {
		if !strings.Contains(got, line+"\n") {
			t.Errorf("got %q; want a line %q", got, line)
		}
	}
	for address, open := range map[string]bool{next: true, nextAdmin: true, oldAddr: false, oldAdmin: false} {
		if reaches(address) != open {
			t.Errorf("%s: open is %v; want %v", address, !open, open)
		}
	}
	if body := get(t, c, origin+"/kept"); body == "" {
		t.Error("the connection to the old listener does not live on")
	}
	r.admin, r.addr = nextAdmin, next
	r.write("access-log: off\nlisten: " + nextAdmin + "\nadmin: " + next + "\n") // changing places
	r.must()
	r.admin, r.addr = next, nextAdmin
	if got := get(t, r.client(t), origin+"/x"); got == "" {
		t.Error("no answer after changing places")
	}
	r.write("access-log: off\nadmin: off\n")
	r.must()
	if reaches(r.admin) {
		t.Error("the admin listener is open after admin: off")
	}
	r.write("access-log: off\n")
	r.stop <- syscall.SIGHUP
	for !reaches(r.admin) {
		runtime.Gosched()
	}
	r.must()
}

// awaitLine waits for a line in a file: the log tells of an exchange after its answer.
func awaitLine(t *testing.T, path string) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); runtime.Gosched() {
		if text, err := os.ReadFile(path); err == nil && strings.Contains(string(text), "\n") {
			return
		}
	}
	t.Fatalf("no line in %s", path)
}

// TestReload_log checks that the access log and the messages change place, format and level.
func TestReload_log(t *testing.T) {
	origin := cacheable(t)
	dir := t.TempDir()
	a, b := filepath.Join(dir, "a"), filepath.Join(dir, "b")
	r := startConfigured(t, "access-log: "+a+"\n")
	c := r.client(t)
	get(t, c, origin+"/one")
	awaitLine(t, a)
	r.write("access-log: " + b + "\nlog-format: json\nlog-level: debug\nlog-strip-query: true\n")
	r.must()
	get(t, c, origin+"/two?secret")
	awaitLine(t, b)
	r.write("access-log: '-'\nlog-level: error\n")
	r.must()
	get(t, c, origin+"/three")
	for !strings.Contains(r.stdout.String(), "/three") { // written after the answer
		runtime.Gosched()
	}
	for path, want := range map[string]string{a: origin + "/one ", b: `"url":"` + origin + `/two"`} {
		text, err := os.ReadFile(path)
		if err != nil || strings.Count(string(text), "\n") != 1 || !strings.Contains(string(text), want) {
			t.Errorf("%s: got %q, %v; want one line with %q", filepath.Base(path), text, err, want)
		}
	}
	if text := r.stderr.String(); !strings.Contains(text, `"msg":"configuration reloaded"`) || strings.Count(text, "configuration reloaded") != 1 {
		t.Errorf("messages: got %q; want the first reload in JSON, and nothing of the second", text)
	}
}

// TestReload_many checks that reloads at the same time follow one another, and that fifty leave nothing behind.
func TestReload_many(t *testing.T) {
	origin := cacheable(t)
	r := startConfigured(t, "access-log: off\n")
	other := freePort(t, "127.0.0.1")
	texts := []string{
		"access-log: off\n",
		"access-log: " + filepath.Join(t.TempDir(), "log") + "\nconnect-timeout: 3s\nlisten: [" + r.addr + ", " + other + "]\ncache-size: 16MiB\n",
	}
	round := func(n int) {
		for i := range n {
			r.write(texts[i%2])
			r.must()
			c := &http.Client{Transport: &http.Transport{Proxy: http.ProxyURL(&url.URL{Scheme: "http", Host: r.addr}), DisableKeepAlives: true}}
			get(t, c, fmt.Sprintf("%s/%d", origin, i))
		}
		r.write(texts[0])
		r.must()
	}
	round(4)
	goroutines, files := settled(0, 0)
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for range 5 {
				if code, _, stderr := r.reload(); code != 0 {
					t.Errorf("exit %d: %s", code, stderr)
				}
			}
		})
	}
	all.Wait()
	round(50)
	if n, m := settled(goroutines, files); n > goroutines || m > files {
		buf := make([]byte, 1<<20)
		t.Errorf("got %d goroutines and %d descriptors; want at most %d and %d\n%s", n, m, goroutines, files, buf[:runtime.Stack(buf, true)])
	}
}

// settled counts goroutines and descriptors, and waits for a while for those to end that are more than wanted.
func settled(goroutines, files int) (n, m int) {
	for range 500 {
		n, m = runtime.NumGoroutine(), descriptors()
		if n <= goroutines && m <= files {
			return n, m
		}
		time.Sleep(2 * time.Millisecond)
	}
	return n, m
}

// descriptors counts the open descriptors, 0 where they cannot be counted.
func descriptors() int {
	all, _ := os.ReadDir("/proc/self/fd")
	return len(all)
}

// TestReload_json checks the answer for programs.
func TestReload_json(t *testing.T) {
	r := startConfigured(t, "access-log: off\n")
	r.write("access-log: off\nname: other\n")
	resp, err := http.Post("http://"+r.admin+"/reload", "application/json", strings.NewReader(`{"dry-run": true}`))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	var a admin.ReloadAnswer
	if err := json.Unmarshal(text, &a); err != nil {
		t.Fatal(err)
	}
	if !a.DryRun || !slices.Equal(a.Options, []admin.OptionChange{{Option: "name", New: "other"}}) ||
		!slices.Contains(a.Listeners, admin.ListenerChange{Kind: "explicit", Address: r.addr, State: "kept"}) ||
		!strings.Contains(string(text), `"sections": []`) {
		t.Errorf("got %s; want a dry run, the name, and a listener that is kept", text)
	}
}
