package main

import (
	"bytes"
	"context"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/jayproxy/jay/config"
)

// buffer is a bytes.Buffer that two goroutines may use.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// test is one run of the program in this process, on a machine of the test's making.
type test struct {
	env            map[string]string
	stdout, stderr buffer
	signals        chan chan<- os.Signal // hands over where the program wants its signals
}

func (tt *test) process() *process {
	return &process{
		getenv: func(name string) string { return tt.env[name] },
		environ: func() (all []string) {
			for name, value := range tt.env {
				all = append(all, name+"="+value)
			}
			return all
		},
		stdout: &tt.stdout, stderr: &tt.stderr,
		host:   func() config.Host { return config.Host{Memory: 2 << 30, Descriptors: 1024} },
		notify: func(c chan<- os.Signal) { tt.signals <- c },
	}
}

// run runs the program to its end.
func (tt *test) run(t *testing.T, args ...string) int {
	t.Helper()
	return tt.process().run(t.Context(), args)
}

// file writes a file and returns its name.
func file(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestUsageErrors checks that a wrong command line is one line on standard error, nothing on standard output, and
// exit code 2.
func TestUsageErrors(t *testing.T) {
	good := file(t, "good.yaml", "log-level: warn\n")
	tests := []struct {
		args []string
		want string
	}{
		{[]string{"serv"}, `unknown command "serv"; did you mean serve?`},
		{[]string{"frobnicate"}, `unknown command "frobnicate"`},
		{[]string{"check_config"}, `unknown command "check_config"; did you mean check-config?`},
		{[]string{"serve", "now"}, `serve takes no arguments, but there is "now"`},
		{[]string{"check-config", good}, `check-config takes no arguments, but there is "` + good + `"`},
		{[]string{"print-config", "x", "--listen", ":1"}, `print-config takes no arguments, but there is "x"`},
		{[]string{"version", "x"}, `version takes no arguments, but there is "x"`},
		{[]string{"version", "--listen", ":1"}, `unknown flag "--listen"; did you mean --listen?`},
		{[]string{"help", "nope"}, `unknown command "nope"`},
		{[]string{"help", "serve", "x"}, `help takes one command, but there is "x"`},
		{[]string{"--nope"}, `unknown flag "--nope"`},
		{[]string{"--lisen", ":1"}, `unknown flag "--lisen"; did you mean --listen?`},
		{[]string{"--cache_size=1g"}, `unknown flag "--cache_size"; did you mean --cache-size?`},
		{[]string{"serve", "-x"}, `unknown flag "--x"`},
		{[]string{"serve", "--listen"}, `--listen needs a value`},
		{[]string{"serve", "---listen"}, `bad flag syntax: ---listen`},
		{[]string{"--", "serv"}, `unknown command "serv"; did you mean serve?`},
		{[]string{"--store-errors", "false"}, `unknown command "false"; did you mean --store-errors=false?`},
		{[]string{"serve", "--cache-size", "2g", "--deny-private", "yes"}, `serve takes no arguments, but there is "yes"; did you mean --deny-private=yes?`},
		{[]string{"serve", "--deny-private", "--cache-size", "2g", "no"}, `serve takes no arguments, but there is "no"`},
		{[]string{"stats", "--json", "true"}, `stats takes no arguments, but there is "true"; did you mean --json=true?`},
		{[]string{"--listen", "3128"}, `--listen: "3128" has no port; write host:port or :port`},
		{[]string{"serve", "--cache-size", "huge"}, `--cache-size: "huge" is not a size; write 64MiB, 1g or a number of bytes`},
		{[]string{"check-config", "--idle-timeout=30"}, `--idle-timeout: "30" needs a unit, as in 30s`},
		{[]string{"--store-errors=perhaps"}, `--store-errors: "perhaps" is neither true nor false`},
		{[]string{"--listen", ""}, `listen: no address to listen on, and none in listen-tls or intercept either`},
		{[]string{"check-config", "--config", "/does/not/exist"}, `/does/not/exist: no such file or directory`},
		{[]string{"print-config", "--ca-file", "/does/not/exist", "--max-ranges", "0"}, `--max-ranges: 0 is too small; the least is 1`},
		{[]string{"check-config", "--ca-file", "/does/not/exist"}, `ca-file: /does/not/exist: no such file or directory`},
		{[]string{"check-config", "--ca-file", good}, `ca-file: ` + good + `: no certificate in it`},
	}
	for _, args := range tests {
		var tt test
		code := tt.run(t, args.args...)
		if got, want := tt.stderr.String(), "jay: "+args.want+"\n"; code != 2 || got != want || tt.stdout.String() != "" {
			t.Errorf("jay %s: exit %d, stderr %q, stdout %q; want 2, %q and nothing", strings.Join(args.args, " "), code, got, tt.stdout.String(), want)
		}
	}
}

func TestEnvironmentErrors(t *testing.T) {
	tt := test{env: map[string]string{"JAY_MAX_RANGES": "few"}}
	for _, command := range []string{"serve", "check-config", "print-config"} {
		tt.stderr = buffer{}
		code := tt.run(t, command)
		if got, want := tt.stderr.String(), "jay: JAY_MAX_RANGES: \"few\" is not a whole number\n"; code != 2 || got != want {
			t.Errorf("%s: exit %d, stderr %q; want 2, %q", command, code, got, want)
		}
	}
}

// TestStrangeVariables checks that a misspelt variable is an error, and that one that may be somebody else's is named.
func TestStrangeVariables(t *testing.T) {
	slip := test{env: map[string]string{"JAY_DENY_PRIVAT": "true", "JAY_PORT": "tcp://10.0.0.1:3128"}}
	for _, command := range []string{"serve", "check-config", "print-config", "stats"} {
		slip.stderr = buffer{}
		code := slip.run(t, command)
		if got, want := slip.stderr.String(), "jay: JAY_DENY_PRIVAT: there is no such variable; did you mean JAY_DENY_PRIVATE?\n"; code != 2 || got != want {
			t.Errorf("%s: exit %d, %q; want 2, %q", command, code, got, want)
		}
	}
	strange := test{env: map[string]string{"JAY_SERVICE_PORT": "3128", "JAY_PORT": "tcp://10.0.0.1:3128", "JAYNE": "x", "JAY_EMPTY": "", "JAY_LISTEN": ":1"}}
	if code := strange.run(t, "check-config"); code != 0 || strange.stderr.String() != "jay: ignored, since no option is called so: JAY_PORT, JAY_SERVICE_PORT\n" {
		t.Errorf("exit %d, %q; want 0 and the names", code, strange.stderr.String())
	}
}

// TestBadFile checks what a broken file leads to: check-config says all with lines and exits with 2, serve says it in one line and
// exits with 1.
func TestBadFile(t *testing.T) {
	path := file(t, "jay.yaml", "listen: :0\n\ncache_size: 1g\nidle-timeout: 5\n")
	first := "jay: " + path + `:3: unknown option "cache_size"; did you mean cache-size?`
	twice := file(t, "f", "\nlisten: ':1, :1'\n")
	second := "jay: " + path + `:4: idle-timeout: "5" needs a unit, as in 5s`
	tests := []struct {
		args []string
		env  map[string]string
		code int
		want string
	}{
		{[]string{"check-config", "--config", path}, nil, 2, first + "\n" + second + "\n"},
		{[]string{"check-config"}, map[string]string{"JAY_CONFIG": path}, 2, first + "\n" + second + "\n"},
		{[]string{"print-config", "--config", path}, nil, 2, first + "\n" + second + "\n"},
		{[]string{"serve", "--config", path}, nil, 1, first + " (and 1 more; jay check-config shows all)\n"},
		{[]string{"--config", path}, nil, 1, first + " (and 1 more; jay check-config shows all)\n"},
		{[]string{"--config", path, "--max-ranges=x"}, nil, 2, first + " (and 2 more; jay check-config shows all)\n"},
		{[]string{"serve", "--config", "/does/not/exist"}, nil, 1, "jay: /does/not/exist: no such file or directory\n"},
		{[]string{"serve", "--config", filepath.Dir(path)}, nil, 1, "jay: " + filepath.Dir(path) + ": is a directory\n"},
		{[]string{"serve", "--config", twice}, nil, 1, "jay: " + twice + ":2: listen: :1 is listened on twice\n"},
		{[]string{"serve", "--config", twice, "--listen", ":2,:2"}, nil, 1, "jay: listen: :2 is listened on twice\n"},
	}
	for _, bad := range tests {
		tt := test{env: bad.env}
		code := tt.run(t, bad.args...)
		if got := tt.stderr.String(); code != bad.code || got != bad.want || tt.stdout.String() != "" {
			t.Errorf("jay %s: exit %d, stderr %q, stdout %q; want %d, %q", strings.Join(bad.args, " "), code, got, tt.stdout.String(), bad.code, bad.want)
		}
	}
}

func TestCheckConfig(t *testing.T) {
	var tt test
	if code := tt.run(t, "check-config", "--config", file(t, "f", "log-format: json\n")); code != 0 || tt.stdout.String() != "the configuration is good\n" {
		t.Errorf("exit %d, stdout %q, stderr %q; want 0", code, tt.stdout.String(), tt.stderr.String())
	}
	var bad test
	key := file(t, "key.pem", "no key\n")
	if code := bad.run(t, "check-config", "--listen-tls", ":0", "--tls-cert", key); code != 2 || !strings.Contains(bad.stderr.String(), "tls-cert: "+key) {
		t.Errorf("a certificate that is none: exit %d, stderr %q; want 2", code, bad.stderr.String())
	}
}

func TestVersion(t *testing.T) {
	want := regexp.MustCompile(`^jay \S.* go1\.\S+ \w+/\w+\n$`)
	for _, args := range [][]string{{"version"}, {"--version"}} {
		var tt test
		if code := tt.run(t, args...); code != 0 || !want.MatchString(tt.stdout.String()) || tt.stderr.String() != "" {
			t.Errorf("jay %s: exit %d, %q, stderr %q; want %v", args[0], code, tt.stdout.String(), tt.stderr.String(), want)
		}
	}
}

// TestHelp checks that help goes to standard output, fits a terminal, and that every command has an example.
func TestHelp(t *testing.T) {
	tests := []struct {
		args []string
		want []string
	}{
		{[]string{"help"}, []string{"Usage: jay", "check-config", "Example: jay --listen", "--tunnel-drain-timeout DURATION", "JAY_CACHE_SIZE"}},
		{[]string{"--help"}, []string{"Usage: jay", "--listen ADDR …"}},
		{[]string{"-h"}, []string{"Usage: jay"}},
		{[]string{"help", "help"}, []string{"Usage: jay"}},
		{[]string{"help", "serve"}, []string{"jay serve: run the proxy", "Example: jay serve", "--listen ADDR …", "SIGHUP"}},
		{[]string{"serve", "--help"}, []string{"jay serve: run the proxy", "Example: jay serve"}},
		{[]string{"--help", "serve"}, []string{"jay serve: run the proxy"}},
		{[]string{"check-config", "-h"}, []string{"Example: jay check-config", "[127.0.0.1:3128]"}},
		{[]string{"print-config", "--help"}, []string{"Example: jay print-config"}},
		{[]string{"version", "--help"}, []string{"Example: jay version"}},
	}
	for _, h := range tests {
		var tt test
		code, out := tt.run(t, h.args...), ""
		out = tt.stdout.String()
		if code != 0 || tt.stderr.String() != "" {
			t.Errorf("jay %s: exit %d, stderr %q; want 0 and nothing", strings.Join(h.args, " "), code, tt.stderr.String())
		}
		for _, want := range h.want {
			if !strings.Contains(out, want) {
				t.Errorf("jay %s: no %q in %q", strings.Join(h.args, " "), want, out)
			}
		}
		for line := range strings.Lines(out) {
			if len(line) > 120 {
				t.Errorf("jay %s: a line of %d bytes: %q", strings.Join(h.args, " "), len(line), line)
			}
		}
	}
}

var update = flag.Bool("update", false, "write testdata/default.yaml anew")

func TestPrintConfigGolden(t *testing.T) {
	const golden = "testdata/default.yaml"
	var tt test
	if code := tt.run(t, "print-config"); code != 0 {
		t.Fatalf("exit %d: %s", code, tt.stderr.String())
	}
	if *update {
		if err := os.WriteFile(golden, []byte(tt.stdout.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if got := tt.stdout.String(); got != string(want) {
		t.Errorf("print-config:\n%s\nwant\n%s", got, want)
	}
	var again test
	if code := again.run(t, "print-config", "--config", golden); code != 0 || again.stdout.String() != string(want) {
		t.Errorf("print-config of its own output: exit %d, %s%s", code, again.stdout.String(), again.stderr.String())
	}
}

// TestPrecedence checks flag > variable > file > default for each kind of option.
func TestPrecedence(t *testing.T) {
	tests := []struct {
		name, initial          string
		file, env, flag        string
		wantFile, wantEnv, end string
	}{
		{"listen", "['127.0.0.1:3128']", "[':1', ':2']", ":3,:4", ":5", "[':1', ':2']", "[':3', ':4']", "[':5']"},
		{"intercept-mode", "redirect", "tproxy", "host", "redirect", "tproxy", "host", "redirect"},
		{"name", `""`, "a", "b", "c", "a", "b", "c"},
		{"cache-size", "512MiB", "1g", "2g", "3g", "1GiB", "2GiB", "3GiB"},
		{"max-ranges", "8", "1", "2", "3", "1", "2", "3"},
		{"max-connections", "768", "1", "2", "3", "1", "2", "3"},
		{"deny-private", "false", "true", "false", "true", "true", "false", "true"},
		{"store-errors", "true", "false", "true", "false", "false", "true", "false"},
		{"idle-timeout", "1m", "1s", "2s", "3s", "1s", "2s", "3s"},
		{"allow-clients", "", "[10.0.0.0/8]", "192.0.2.1", "::1,fe80::/10", "[10.0.0.0/8]", "[192.0.2.1/32]", "['::1/128', 'fe80::/10']"},
		{"connect-ports", "[80, 443]", "[443]", "1-9", "7,8", "[443]", "[1-9]", "[7, 8]"},
		{"upgrade-tokens", "[websocket]", "[]", "a", "b", "[]", "[a]", "[b]"},
		{"access-log", "'-'", "off", "/a,b", "-", "off", "/a,b", "'-'"},
	}
	for _, o := range tests {
		path := file(t, "f", o.name+": "+o.file+"\n")
		env := map[string]string{"JAY_" + strings.ToUpper(strings.ReplaceAll(o.name, "-", "_")): o.env}
		empty := map[string]string{"JAY_" + strings.ToUpper(strings.ReplaceAll(o.name, "-", "_")): ""}
		stages := []struct {
			stage string
			env   map[string]string
			args  []string
			want  string
		}{
			{"default", nil, nil, o.initial},
			{"file", nil, []string{"--config", path}, o.wantFile},
			{"empty variable", empty, []string{"--config", path}, o.wantFile},
			{"variable", env, []string{"--config", path}, o.wantEnv},
			{"flag", env, []string{"--config", path, "--" + o.name + "=" + o.flag}, o.end},
		}
		for _, s := range stages {
			tt := test{env: s.env}
			if code := tt.run(t, append([]string{"print-config"}, s.args...)...); code != 0 {
				t.Errorf("%s from %s: exit %d, %s", o.name, s.stage, code, tt.stderr.String())
			}
			if want := "\n" + o.name + ": " + s.want; !strings.Contains(tt.stdout.String(), want) {
				t.Errorf("%s from %s: want %q in\n%s", o.name, s.stage, want, tt.stdout.String())
			}
		}
	}
}

// TestFlagForms checks where and how flags may be written.
func TestFlagForms(t *testing.T) {
	tests := []struct {
		args []string
		want string
	}{
		{[]string{"print-config", "--listen", ":1", "--listen", ":2,:3"}, "listen: [':1', ':2', ':3']"},
		{[]string{"--listen", ":1", "print-config", "--listen", ":2"}, "listen: [':1', ':2']"},
		{[]string{"print-config", "-listen=:1"}, "listen: [':1']"},
		{[]string{"print-config", "--max-ranges", "1", "--max-ranges", "2"}, "max-ranges: 2"},
		{[]string{"print-config", "--deny-private"}, "deny-private: true"},
		{[]string{"print-config", "--deny-private=false"}, "deny-private: false"},
		{[]string{"--deny-private", "print-config"}, "deny-private: true"},
	}
	for _, form := range tests {
		var tt test
		if code := tt.run(t, form.args...); code != 0 || !strings.Contains(tt.stdout.String(), "\n"+form.want+"\n") {
			t.Errorf("jay %s: exit %d, %s; want %q in %s", strings.Join(form.args, " "), code, tt.stderr.String(), form.want, tt.stdout.String())
		}
	}
}

// TestEveryOptionIsAFlag checks that no option of the table was forgotten on the command line.
func TestEveryOptionIsAFlag(t *testing.T) {
	for _, o := range config.Options() {
		var tt test
		if code := tt.run(t, "print-config", "--"+o.Name+"="+o.Default, "--listen", ":0"); code != 0 {
			t.Errorf("--%s=%s: exit %d, %s", o.Name, o.Default, code, tt.stderr.String())
		}
	}
}

// failing is a standard output that is closed.
type failing struct{}

func (failing) Write([]byte) (int, error) { return 0, os.ErrClosed }

func TestClosedOutput(t *testing.T) {
	for _, command := range []string{"print-config", "check-config", "version", "help"} {
		var tt test
		p := tt.process()
		p.stdout = failing{}
		if code := p.run(context.Background(), []string{command}); code != 1 || strings.Count(tt.stderr.String(), "\n") != 1 {
			t.Errorf("%s: exit %d, %q; want 1 and one line", command, code, tt.stderr.String())
		}
	}
}
