package main

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/cpuguy83/go-md2man/v2/md2man"

	"github.com/jayproxy/jay/config"
)

// tool is the path of a program that a test needs.
func tool(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Skipf("skipped: %s is not installed", name)
	}
	return path
}

// TestMan checks that the page tells everything, and that two formatters find nothing wrong with it.
func TestMan(t *testing.T) {
	page := manPage("v1.2.3", "2026-03-02")
	for _, c := range []byte(page) {
		if c >= 0x7f || c < ' ' && c != '\n' && c != '\t' {
			t.Fatalf("the page has the byte %#x", c)
		}
	}
	for _, args := range [][]string{{"-T", "lint", "-W", "warning"}, {"-T", "utf8"}} {
		cmd := exec.Command(tool(t, "mandoc"), args...)
		cmd.Stdin = strings.NewReader(page)
		out, err := cmd.CombinedOutput()
		if err != nil || args[1] == "lint" && len(out) > 0 {
			t.Errorf("mandoc %s: %v, %s", strings.Join(args, " "), err, out)
		}
		if args[1] == "utf8" {
			checkManText(t, string(out))
		}
	}
	code, out, errOut := jay(t, "man")
	if code != 0 || errOut != "" || out != manPage(buildVersion(), buildDate()) {
		t.Errorf("jay man: exit %d, %q, %d bytes; want the page", code, errOut, len(out))
	}
}

// checkManText checks what people read.
func checkManText(t *testing.T, text string) {
	t.Helper()
	var b strings.Builder // without what was struck over
	for i := 0; i < len(text); i++ {
		if i+1 < len(text) && text[i+1] == '\b' {
			i++
			continue
		}
		b.WriteByte(text[i])
	}
	text = strings.Join(strings.Fields(b.String()), " ")
	for _, want := range []string{"NAME jay - caching", "SYNOPSIS", "COMMANDS", "OPTIONS", "FILES", "ENVIRONMENT JAY_CONFIG", "EXIT STATUS 0", "SIGNALS SIGTERM, SIGINT", "SIGHUP", "SEE ALSO", "jay v1.2.3", "2026-03-02"} {
		if !strings.Contains(text, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	for _, o := range config.Options() {
		for _, want := range []string{"--" + o.Name, o.Env() + "."} {
			if !strings.Contains(text, want) {
				t.Errorf("the page lacks %q", want)
			}
		}
	}
	for _, c := range commands() {
		if !strings.Contains(text, strings.Join(strings.Fields(c.example), " ")) {
			t.Errorf("the page lacks the example of %s", c.name)
		}
		for _, o := range c.flags {
			if !strings.Contains(text, o.names()) {
				t.Errorf("the page lacks %q of %s", o.names(), c.name)
			}
		}
	}
}

func TestEscapeMarkdown(t *testing.T) {
	tricky := "a_b *c* `d` [e](f) <g> # h\\ ~~i~~ | j http://k.test/ \"l\" 'm' -- 1. n + o & p %q .r"
	cmd := exec.Command(tool(t, "mandoc"), "-T", "ascii", "-O", "width=200")
	cmd.Stdin = strings.NewReader(".TH A 1 2026-01-01\n.SH A\n" + string(md2man.Render([]byte("# B\n\n"+escapeMarkdown(tricky)+"\n"))))
	out, err := cmd.Output()
	if err != nil || !strings.Contains(string(out), tricky) {
		t.Errorf("got %v, %s; want %s", err, out, tricky)
	}
}
