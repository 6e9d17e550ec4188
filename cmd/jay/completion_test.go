package main

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// script writes the completion script of a shell into a file and returns its name.
func script(t *testing.T, shell string) string {
	t.Helper()
	code, out, errOut := jay(t, "completion", shell)
	if code != 0 || errOut != "" {
		t.Fatalf("jay completion %s: exit %d, %q", shell, code, errOut)
	}
	return file(t, "completion", out)
}

// TestBashCompletion asks a real bash for completions.
func TestBashCompletion(t *testing.T) {
	bash, path := tool(t, "bash"), script(t, "bash")
	dir := t.TempDir()
	for _, name := range []string{"jay.yaml", "jay.token"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	tests := []struct {
		line string // the words as bash cuts them, the last one to be completed
		want string
	}{
		{"jay che", "check-config"},
		{"jay p", "print-config purge policy"},
		{"jay --log-f", "--log-format"},
		{"jay --log-format j", "json"},
		{"jay --log-format = j", "json"},
		{"jay serve --log-format = ", "text json squid combined"},
		{"jay serve --log-format =", "text json squid combined"},
		{"jay --store-errors = f", "false"},
		{"jay --store-errors f", ""},
		{"jay --store-errors ver", "version"},
		{"jay --listen che", ""},
		{"jay --listen = :1 che", "check-config"},
		{"jay --listen :1 --deny-private che", "check-config"},
		{"jay --config jay.y", "jay.yaml"},
		{"jay stats --admin-token-file = jay.t", "jay.token"},
		{"jay purge --dr", "--dry-run"},
		{"jay stats --dr", ""},
		{"jay explain --origin ", "auto always never"},
		{"jay explain -X G", ""},
		{"jay explain http : //a --dire", "--direct"},
		{"jay policy ", "test"},
		{"jay completion f", "fish"},
		{"jay help exp", "explain"},
		{"jay version --l", ""},
		{"jay nonsense --", ""},
	}
	for _, tt := range tests {
		cmd := exec.Command(bash, "--noprofile", "--norc", "-c", `source "$1"; shift
			COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMPREPLY=(); _jay; echo "${COMPREPLY[*]}"; complete -p jay >&2`, "bash", path)
		cmd.Args = append(cmd.Args, strings.Split(tt.line, " ")...)
		cmd.Dir = dir
		var errs strings.Builder
		cmd.Stderr = &errs
		out, err := cmd.Output()
		if got := strings.TrimSpace(string(out)); err != nil || got != tt.want || errs.String() != "complete -o default -F _jay jay\n" {
			t.Errorf("%q: got %q, %v, %s; want %q", tt.line, got, err, errs.String(), tt.want)
		}
	}
}

// TestFishCompletion asks a real fish for completions.
func TestFishCompletion(t *testing.T) {
	fish, path := tool(t, "fish"), script(t, "fish")
	for line, want := range map[string]string{
		"jay che": "check-config", "jay --log-format ": "combined json squid text", "jay purge --dr": "--dry-run", "jay stats --dr": "",
		"jay explain --origin ": "always auto never", "jay policy ": "test", "jay completion f": "fish", "jay --log-format=j": "--log-format=json",
	} {
		cmd := exec.Command(fish, "--no-config", "-c", `source $argv[1]; complete -C $argv[2]`, path, line)
		out, err := cmd.CombinedOutput()
		var got []string
		for l := range strings.Lines(string(out)) {
			name, _, _ := strings.Cut(strings.TrimSpace(l), "\t")
			got = append(got, name)
		}
		slices.Sort(got)
		if strings.Join(got, " ") != want || err != nil {
			t.Errorf("%q: got %q, %v; want %q", line, got, err, want)
		}
	}
}

// TestZshCompletion asks a real zsh, in a terminal of its own, for completions.
func TestZshCompletion(t *testing.T) {
	zsh, path := tool(t, "zsh"), script(t, "zsh")
	if out, err := exec.Command(zsh, "-n", path).CombinedOutput(); err != nil || len(out) > 0 {
		t.Fatalf("%v, %s", err, out)
	}
	for line, want := range map[string]string{
		"jay che": "jay check-config ", "jay --log-format j": "jay --log-format json ", "jay purge --dr": "jay purge --dry-run ",
		"jay explain --origin al": "jay explain --origin always ", "jay completion f": "jay completion fish ",
		"jay --listen :1 stat": "jay --listen :1 stats ", "jay stats --js": "jay stats --json ", "jay explain -X GET --dir": "jay explain -X GET --direct ",
	} {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		cmd := exec.CommandContext(ctx, zsh, "-f", "-c", `zmodload zsh/zpty
			zpty shell zsh -f
			zpty -w shell "PS1=; autoload -U compinit; compinit -u -D; source ${(q)1}; show() { print -r -- \"<<\$BUFFER>>\"; zle kill-buffer; }; zle -N show; bindkey '^X' show; print -r READY-\$(( 1 + 1 ))"
			zpty -r shell out '*READY-2*'
			zpty -w -n shell "$2"$'\t\x18'
			zpty -r shell out '*<<*>>*'
			print -r -- "$out"
			zpty -d shell`, "zsh", path, line)
		cmd.Dir = t.TempDir()
		cmd.Env = append(os.Environ(), "HOME="+cmd.Dir, "TERM=dumb")
		out, err := cmd.CombinedOutput()
		_, rest, _ := strings.Cut(string(out), "<<")
		got, _, ok := strings.Cut(rest, ">>")
		if err != nil || !ok || got != want {
			t.Errorf("%q: got %q, %v, %q; want %q", line, got, err, out, want)
		}
	}
}

// TestPowershellCompletion checks the script's form; PowerShell is no package of Debian's.
func TestPowershellCompletion(t *testing.T) {
	_, out, _ := jay(t, "completion", "powershell")
	for _, pair := range []string{"()", "{}", "[]"} {
		if a, b := strings.Count(out, pair[:1]), strings.Count(out, pair[1:]); a != b {
			t.Errorf("%d %q and %d %q", a, pair[:1], b, pair[1:])
		}
	}
	if strings.Count(out, "'")%2 != 0 {
		t.Error("a quote is open")
	}
	for _, want := range []string{"'policy' = @('test')", "' --log-format' = @('text', 'json', 'squid', 'combined')", "'explain --origin' = @('auto', 'always', 'never')"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q", want)
		}
	}
}

func TestCompletionErrors(t *testing.T) {
	code, out, errOut := jay(t, "completion", "bsh")
	if want := "jay: \"bsh\" is not one of bash, zsh, fish, powershell; did you mean bash?\n"; code != 2 || out != "" || errOut != want {
		t.Errorf("exit %d, %q, %q; want 2, %q", code, out, errOut, want)
	}
}
