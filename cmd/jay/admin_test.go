package main

import (
	"encoding/json"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/jayproxy/jay/proxy"
	"github.com/jayproxy/jay/proxy/admin"
)

// adminAddr is where the status page of a running proxy is.
func (r *running) adminAddr(t *testing.T) string {
	t.Helper()
	m := regexp.MustCompile(`jay: status page on http://(\S+)/\n`).FindStringSubmatch(r.stderr.String())
	if m == nil {
		t.Fatalf("no status page in %q", r.stderr.String())
	}
	return m[1]
}

// cacheable is an origin whose answers are stored, but for those below /private.
func cacheable(t *testing.T) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "max-age=60")
		if strings.HasPrefix(r.URL.Path, "/private") {
			w.Header().Set("Cache-Control", "private")
		}
		w.Header().Set("Vary", "Accept-Language")
		w.Write([]byte("body of " + r.URL.Path))
	}))
	t.Cleanup(s.Close)
	return s.URL
}

// jay runs a command and returns its output.
func jay(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var tt test
	code = tt.run(t, args...)
	return code, tt.stdout.String(), tt.stderr.String()
}

func TestAdminCommands(t *testing.T) {
	origin := cacheable(t)
	r := start(t, "--admin", "127.0.0.1:0", "--access-log", "off")
	at := "--admin=" + r.adminAddr(t)
	c := r.client(t)
	get(t, c, origin+"/a")
	get(t, c, origin+"/b")
	tests := []struct {
		args []string
		want []string
	}{
		{[]string{"explain", origin + "/a", at}, []string{"Answered from the cache.", "(max-age)", "selected by "}},
		{[]string{"explain", at, strings.TrimPrefix(origin, "http://") + "/a"}, []string{"Answered from the cache."}},
		{[]string{"explain", origin + "/a", at, "-H", "Accept-Language: de", "--origin", "never"}, []string{"(vary-miss)", "Advice"}},
		{[]string{"explain", origin + "/a", at, "--header=Cache-Control:no-cache"}, []string{"(request-no-cache)"}},
		{[]string{"explain", origin + "/private", at}, []string{"Not storable", "(private)", "in place of private"}},
		{[]string{"explain", "-X", "POST", origin + "/a", at}, []string{"past the cache", "(method)"}},
		{[]string{"explain", origin + "/a", at, "--client", "203.0.113.9"}, []string{"(client-refused)"}},
		{[]string{"stats", at}, []string{"requests ", "from the cache", "miss", "stored "}},
		{[]string{"purge", "--all", "--dry-run", at}, []string{"2 responses would be removed\n"}},
		{[]string{"purge", origin + "/a", at}, []string{"1 response removed\n"}},
		{[]string{"purge", "--older-than", "1h", at}, []string{"0 responses removed\n"}},
		{[]string{"purge", "--regex", "/b$", "--json", at}, []string{`"purged": 1`}},
	}
	for _, tt := range tests {
		code, out, errOut := jay(t, tt.args...)
		if code != 0 || errOut != "" {
			t.Errorf("jay %s: exit %d, %q", strings.Join(tt.args, " "), code, errOut)
		}
		for _, want := range tt.want {
			if !strings.Contains(out, want) {
				t.Errorf("jay %s: no %q in\n%s", strings.Join(tt.args, " "), want, out)
			}
		}
	}
	_, out, _ := jay(t, "stats", "--json", at)
	var s admin.Figures
	if err := json.Unmarshal([]byte(out), &s); err != nil || s.Requests != 2 || s.Cache.Removed != 2 {
		t.Errorf("stats: %v, %+v; want 2 requests, 2 removed", err, s)
	}
	_, out, _ = jay(t, "explain", "--json", origin+"/a", at)
	var e proxy.Explanation
	if err := json.Unmarshal([]byte(out), &e); err != nil || e.Outcome != proxy.OutcomeFetch || !e.Answer.Storable {
		t.Errorf("explain: %v, %+v", err, e)
	}
	r.stop <- syscall.SIGTERM
	if code := r.wait(t); code != 0 {
		t.Errorf("exit %d; want 0", code)
	}
	if c, err := net.Dial("tcp", strings.TrimPrefix(at, "--admin=")); err == nil {
		c.Close()
		t.Error("the admin listener is still there")
	}
}

func TestAdminUnixSocket(t *testing.T) {
	dir, err := os.MkdirTemp("", "jay") // a socket's path must be short
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	socket := "unix:" + filepath.Join(dir, "s")
	token := file(t, "token", "0123456789abcdef\n")
	r := start(t, "--admin", socket, "--admin-token-file", token)
	if !strings.Contains(r.stderr.String(), "jay: admin socket "+dir) {
		t.Errorf("no socket in %q", r.stderr.String())
	}
	if code, _, errOut := jay(t, "stats", "--admin", socket); code != 1 || !strings.Contains(errOut, "a token is needed") {
		t.Errorf("without a token: exit %d, %q", code, errOut)
	}
	if code, out, errOut := jay(t, "stats", "--admin", socket, "--admin-token-file", token); code != 0 || !strings.Contains(out, "requests") {
		t.Errorf("exit %d, %q", code, errOut)
	}
	r.stop <- syscall.SIGTERM
	r.wait(t)
	if _, err := os.Stat(filepath.Join(dir, "s")); !os.IsNotExist(err) {
		t.Errorf("the socket is left: %v", err)
	}
}

// TestAdminTaken: a taken default port is no reason not to start, a chosen one is.
func TestAdminTaken(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:3127")
	if err == nil {
		defer ln.Close() // or somebody else has it, which does as well
	}
	r := &running{test: test{signals: make(chan chan<- os.Signal, 1)}, code: make(chan int, 1)}
	go func() { r.code <- r.process().run(t.Context(), []string{"serve", "--listen", "127.0.0.1:0"}) }()
	select {
	case stop := <-r.signals:
		stop <- syscall.SIGTERM
		r.wait(t)
	case code := <-r.code:
		t.Fatalf("exit %d: %s", code, r.stderr.String())
	}
	if got := r.stderr.String(); !strings.Contains(got, "there is no status page") || !strings.Contains(got, "127.0.0.1:3127") {
		t.Errorf("no warning in %q", got)
	}
	for _, env := range []map[string]string{nil, {"JAY_ADMIN": "127.0.0.1:3127"}} {
		given := test{env: env}
		args := []string{"serve", "--listen", "127.0.0.1:0"}
		if env == nil {
			args = append(args, "--admin", "127.0.0.1:3127")
		}
		code := given.run(t, args...)
		if want := "jay: admin: cannot listen on 127.0.0.1:3127: another program listens there already\n"; code != 1 || given.stderr.String() != want {
			t.Errorf("%v: exit %d, %q; want 1, %q", args, code, given.stderr.String(), want)
		}
	}
}

func TestExplainDirect(t *testing.T) {
	origin := cacheable(t)
	code, out, errOut := jay(t, "explain", "--direct", origin+"/x", "--admin", "off")
	if code != 0 || !strings.Contains(out, "Storable") || !strings.Contains(out, "(explicit-freshness)") {
		t.Errorf("exit %d, %q, %q", code, out, errOut)
	}
	code, out, errOut = jay(t, "explain", "--direct", "--json", origin+"/private")
	var e proxy.Explanation
	if err := json.Unmarshal([]byte(out), &e); code != 0 || err != nil || e.Answer == nil || e.Answer.Response.Reason != "private" {
		t.Errorf("exit %d, %v, %q, %q", code, err, out, errOut)
	}
	code, out, _ = jay(t, "explain", "--direct", origin+"/x", "--targeted-cache-control", "Cache-Control", "--max-object-size", "3")
	if code != 0 || !strings.Contains(out, "(too-large)") {
		t.Errorf("the options do not count: exit %d, %q", code, out)
	}
}

func TestAdminCommandErrors(t *testing.T) {
	other := httptest.NewServer(http.NotFoundHandler())
	defer other.Close()
	short := file(t, "short", "abc\n")
	tests := []struct {
		args []string
		code int
		want string
	}{
		{[]string{"explain"}, 2, "explain needs a URL, as in jay explain http://example.com/ -H 'Accept-Language: de'"},
		{[]string{"explain", "a", "b"}, 2, `explain takes one URL, but there is "b", too`},
		{[]string{"explain", "a", "-H", "nonsense"}, 2, `-H: "nonsense" is not a field; write 'Name: value'`},
		{[]string{"explain", "a", "--hedaer", "x"}, 2, `unknown flag "--hedaer"; did you mean --header?`},
		{[]string{"explain", "a", "-H"}, 2, `--H needs a value`},
		{[]string{"explain", "--direct", "ftp://a/"}, 2, `"ftp://a/" is not a URL: `},
		{[]string{"explain", "--direct", "a", "--origin", "x"}, 2, `--origin is one of auto, always and never`},
		{[]string{"explain", "a", "--admin", "off"}, 2, "admin is off; name the admin address of a running Jay with --admin"},
		{[]string{"explain", "a", "--admin", "127.0.0.1:1"}, 1, "no Jay answers at 127.0.0.1:1; is it running, and is this its admin address (--admin)?"},
		{[]string{"stats", "--admin", "unix:/does/not/exist"}, 1, "no Jay answers at unix:/does/not/exist; is it running"},
		{[]string{"stats", "--admin", strings.TrimPrefix(other.URL, "http://")}, 1, "is no Jay, or another version: 404 Not Found"},
		{[]string{"stats", "x"}, 2, `stats takes no arguments, but there is "x"`},
		{[]string{"purge"}, 2, "purge needs a URL, or one of --prefix"},
		{[]string{"purge", "--dry-run"}, 2, "purge needs a URL, or one of --prefix"},
		{[]string{"stats", "--admin-token-file", short}, 2, "the token has fewer than 16 characters"},
		{[]string{"check-config", "--admin-token-file", short}, 2, "the token has fewer than 16 characters"},
		{[]string{"check-config", "--admin", ":3127"}, 2, "admin: :3127 can be reached from other machines, which takes a token"},
		{[]string{"serve", "--dry-run"}, 2, `unknown flag "--dry-run"`},
	}
	for _, tt := range tests {
		code, out, errOut := jay(t, tt.args...)
		if code != tt.code || !strings.Contains(errOut, tt.want) || strings.Count(errOut, "\n") != 1 || out != "" {
			t.Errorf("jay %s: exit %d, %q, %q; want %d, %q", strings.Join(tt.args, " "), code, out, errOut, tt.code, tt.want)
		}
	}
	r := start(t, "--admin", "127.0.0.1:0")
	at := "--admin=" + r.adminAddr(t)
	for _, args := range [][]string{{"purge", "--regex", "("}, {"purge", "--all", "--host", "a"}, {"explain", "http://u:p@h/"}} {
		if code, _, errOut := jay(t, append(args, at)...); code != 2 || strings.Count(errOut, "\n") != 1 {
			t.Errorf("jay %s: exit %d, %q; want 2 and one line", strings.Join(args, " "), code, errOut)
		}
	}
}

func TestOwnHelp(t *testing.T) {
	tests := map[string][]string{
		"explain": {"jay explain: ", "Usage: jay explain URL [OPTION…]\n", "Example: jay explain ", "-H, --header FIELD", "--direct ", "--admin ADDR", "[127.0.0.1:3127]"},
		"purge":   {"jay purge: ", "Usage: jay purge [URL] [OPTION…]\n", "Example: jay purge ", "--older-than DURATION", "--dry-run"},
		"stats":   {"jay stats: ", "Example: jay stats ", "--json", "--admin-token-file FILE"},
	}
	for name, wants := range tests {
		code, out, _ := jay(t, name, "--help")
		for _, want := range wants {
			if code != 0 || !strings.Contains(out, want) {
				t.Errorf("jay %s --help: exit %d, no %q in\n%s", name, code, want, out)
			}
		}
		if _, again, _ := jay(t, "help", name); again != out {
			t.Errorf("jay help %s differs from jay %s --help", name, name)
		}
		for line := range strings.Lines(out) {
			if len(line) > 120 {
				t.Errorf("%s: a line of %d bytes: %q", name, len(line), line)
			}
		}
	}
}

func TestFlagsFirst(t *testing.T) {
	tests := []struct{ args, want string }{
		{"", ""}, {"serve now", "serve now"}, {"--listen explain", "--listen explain"},
		{"explain u -H a", "explain -H a -- u"}, {"explain -H a u", "explain -H a -- u"}, {"explain u --json", "explain --json -- u"},
		{"explain --json u", "explain --json -- u"}, {"explain u --header=a --admin b", "explain --header=a --admin b -- u"},
		{"--admin x explain u -X HEAD", "--admin x explain -X HEAD -- u"}, {"explain -- -u", "explain -- -u"},
		{"explain u -H", "explain -H"}, {"purge a b --all", "purge --all -- a b"}, {"stats --json", "stats --json"}, {"-- explain u -H a", "-- explain u -H a"},
	}
	for _, tt := range tests {
		if got := flagsFirst(strings.Fields(tt.args)); !slices.Equal(got, strings.Fields(tt.want)) {
			t.Errorf("flagsFirst(%s) = %s; want %s", tt.args, got, tt.want)
		}
	}
}

func TestBytesText(t *testing.T) {
	tests := map[int64]string{0: "0 B", 1023: "1023 B", 1024: "1.0 KiB", 1536: "1.5 KiB", 5 << 30: "5.0 GiB", 1<<63 - 1: "8.0 EiB"}
	for n, want := range tests {
		if got := bytesText(n); got != want {
			t.Errorf("bytesText(%d) = %q; want %q", n, got, want)
		}
	}
	for s, want := range map[proxy.Seconds]string{0: "-", 25e-6: "25µs", 0.0123: "12.3ms", 2.5: "2.5s"} {
		if got := shortTime(s); got != want {
			t.Errorf("shortTime(%v) = %q; want %q", s, got, want)
		}
	}
}
