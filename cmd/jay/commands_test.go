package main

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/urfave/cli/v2"

	"github.com/jayproxy/jay/config"
)

// TestCommands walks the tree of commands: each says how it is used, with an example that is a valid command line, and
// tells of --admin if it speaks to a running Jay. A command that is added falls under this by itself.
func TestCommands(t *testing.T) {
	seen, asking := map[string]bool{"help": true}, 0
	for _, c := range commands() {
		if seen[c.name] {
			t.Errorf("there are two commands %s", c.name)
		}
		seen[c.name] = true
		t.Run(c.name, func(t *testing.T) {
			if checkCommand(t, &c) {
				asking++
			}
		})
	}
	if asking < 4 {
		t.Errorf("%d commands speak to a running Jay; want explain, purge, stats and top at least", asking)
	}
	var tt test
	for _, c := range newApp(tt.process()).Commands {
		if !seen[c.Name] {
			t.Errorf("%s is in the program but not among its commands", c.Name)
		}
		if len(c.Subcommands) > 0 {
			t.Errorf("%s has sub-commands, which nothing checks; they are words of the argument", c.Name)
		}
		flags := map[string]bool{}
		for _, f := range c.Flags {
			for _, n := range f.Names() {
				if flags[n] {
					t.Errorf("%s has two flags %s", c.Name, n)
				}
				flags[n] = true
			}
		}
	}
	code, out, _ := jay(t, "help")
	for name := range seen {
		if code != 0 || !regexp.MustCompile(`(?m)^  `+name+`  +\S`).MatchString(out) {
			t.Errorf("jay help does not list %s with its use", name)
		}
	}
}

// checkCommand checks one command and tells whether it speaks to a running Jay.
func checkCommand(t *testing.T, c *command) bool {
	code, out, errOut := jay(t, c.name, "--help")
	if code != 0 || errOut != "" {
		t.Fatalf("--help: exit %d, %q", code, errOut)
	}
	for _, args := range [][]string{{"help", c.name}, {c.name, "-h"}, {"--help", c.name}} {
		if _, again, _ := jay(t, args...); again != out {
			t.Errorf("jay %s differs from jay %s --help:\n%s", strings.Join(args, " "), c.name, again)
		}
	}
	for _, want := range []string{"jay " + c.name + ": " + c.usage + "\n", "\nUsage: jay " + c.name, "\nExample: " + c.example + "\n"} {
		if !strings.Contains(out, want) {
			t.Errorf("--help lacks %q:\n%s", want, out)
		}
	}
	if c.usage == "" || strings.HasSuffix(c.usage, ".") || !strings.HasPrefix(c.usage, strings.ToLower(c.usage[:1])) {
		t.Errorf("the use %q is no phrase", c.usage)
	}
	for _, f := range c.flags {
		if f.help == "" || strings.Count(out, "\n  "+f.names()) != 1 {
			t.Errorf("--help does not describe %s once", f.names())
		}
	}
	asks := asksJay(t, c)
	if asks && !strings.Contains(out, "\n  --admin ADDR") {
		t.Errorf("it speaks to a running Jay, but does not describe --admin:\n%s", out)
	}
	checkExample(t, c)
	return asks
}

// asksJay tells whether the command wants to reach the admin listener, by giving it one that nobody listens on. Those that
// say that they do not are not run, since their examples may change this machine.
func asksJay(t *testing.T, c *command) bool {
	if c.bare || c.offline || c.name == "serve" {
		return false
	}
	args := slices.DeleteFunc(exampleArgs(t, c), func(s string) bool { return s == "--config" || strings.HasSuffix(s, ".yaml") })
	_, _, errOut := jay(t, append(args, "--admin=127.0.0.1:1")...)
	return strings.Contains(errOut, "no Jay answers at 127.0.0.1:1")
}

// exampleArgs are the arguments of the command in its example.
func exampleArgs(t *testing.T, c *command) []string {
	t.Helper()
	m := regexp.MustCompile(`(?:^|[ |])jay ([^|>]*)`).FindStringSubmatch(c.example)
	if m == nil {
		t.Fatalf("the example %q does not run jay", c.example)
	}
	var args []string
	for _, word := range regexp.MustCompile(`'[^']*'|\S+`).FindAllString(m[1], -1) {
		args = append(args, strings.Trim(word, "'"))
	}
	return args
}

// checkExample checks that the program understands the example: its command, flags and the words that they may have.
func checkExample(t *testing.T, c *command) {
	t.Helper()
	args := flagsFirst(exampleArgs(t, c))
	if len(args) == 0 || args[0] != c.name {
		t.Errorf("the example %q is for another command", c.example)
		return
	}
	var tt test
	f, ran := newFlags(), false
	app := newApp(tt.process())
	app.Commands = []*cli.Command{{
		Name: c.name, HideHelp: true, OnUsageError: f.usageError, Flags: f.cli(*c),
		Action: func(cc *cli.Context) error {
			ran = true
			if arg := cc.Args().First(); cc.NArg() > 1 || c.arg == "" && arg != "" || c.words != nil && !slices.Contains(c.words, arg) {
				t.Errorf("the example %q has the arguments %q", c.example, cc.Args().Slice())
			}
			return nil
		},
	}}
	if err := app.Run(append([]string{"jay"}, args...)); err != nil || !ran {
		t.Errorf("the example %q: %v", c.example, err)
	}
	cfg := config.Default()
	if err := f.apply(&cfg); err != nil {
		t.Errorf("the example %q: %v", c.example, err)
	}
	for _, o := range c.flags {
		for _, text := range f.texts[o.name] {
			if o.words != nil && !slices.Contains(o.words, text) {
				t.Errorf("the example %q has %q for %s", c.example, text, o.names())
			}
		}
	}
}
