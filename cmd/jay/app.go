package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/jayproxy/jay/config"
)

// command is one of the program's commands.
type command struct {
	name     string // empty: the program without a command
	usage    string // one phrase
	text     string // what there is to say besides
	example  string
	bare     bool      // takes no options
	arg      string    // what stands for its argument; empty: it takes none
	words    []string  // what the argument may be; nil: anything
	optional bool      // the argument may be left out
	flags    []ownFlag // of this command alone
	offline  bool      // does not speak to a running Jay, though it has flags of its own
	run      func(p *process, ctx context.Context, f *flags) error
}

// ownFlag is a flag that only one command has.
type ownFlag struct {
	name string // one letter, or a word
	long string // another name for it
	arg  string // what stands for its value; empty: a switch
	help string

	words []string // what the value may be; nil: anything
}

func commands() []command {
	return []command{
		{
			name: "serve", usage: "run the proxy; this is also what jay alone does",
			text: "SIGTERM and Ctrl-C end it when running exchanges are finished, a second one at once.\n" +
				"SIGHUP reads the configuration anew, as jay reload does, and reopens the access log.",
			example: "jay serve --listen :3128 --cache-size 2g",
			run:     (*process).serve,
		}, {
			name: "check-config", usage: "say what is wrong with the configuration",
			text:    "Exits with 0 when nothing is, otherwise with 2 and one line for each fault.",
			example: "jay check-config --config /etc/jay.yaml",
			run:     (*process).checkConfig,
		}, {
			name: "print-config", usage: "print the effective configuration as a file for --config",
			example: "jay print-config --cache-size 2g > jay.yaml",
			run:     (*process).printConfig,
		},
		explainCommand(),
		purgeCommand(),
		reloadCommand(),
		statsCommand(),
		topCommand(),
		policyCommand(),
		rulesCommand(),
		doctorCommand(),
		unitCommand(),
		completionCommand(),
		manCommand(),
		{
			name: "version", usage: "print the version", example: "jay version", bare: true,
			run: (*process).version,
		},
	}
}

// newApp wires the commands. Nothing in it ends the process or prints anything: errors come back to run.
func newApp(p *process) *cli.App {
	f := newFlags()
	app := &cli.App{
		Name: "jay", HelpName: "jay", Usage: "caching HTTP proxy",
		Writer: io.Discard, ErrWriter: io.Discard,
		HideHelp: true, HideVersion: true,
		ExitErrHandler: func(*cli.Context, error) {},
		OnUsageError:   f.usageError,
		Flags:          append(f.cli(command{}), f.record("version", nil)),
	}
	root := commands()[0]
	root.name = ""
	app.Action = p.action(root, f)
	for _, c := range commands() {
		app.Commands = append(app.Commands, &cli.Command{
			Name: c.name, HideHelp: true, OnUsageError: f.usageError, Flags: f.cli(c), Action: p.action(c, f),
		})
	}
	app.Commands = append(app.Commands, &cli.Command{
		Name: "help", HideHelp: true, OnUsageError: f.usageError, Flags: f.cli(command{bare: true}), Action: p.help,
	})
	return app
}

// action runs c unless it is given arguments that it does not take.
func (p *process) action(c command, f *flags) cli.ActionFunc {
	return func(cc *cli.Context) error {
		arg := cc.Args().First()
		switch {
		case f.given("help"):
			return p.printHelp(c)
		case cc.NArg() > 0 && c.name == "":
			return usagef("unknown command %q%s", arg, cmp.Or(f.meant(arg), config.Suggest(arg, commandNames())))
		case cc.NArg() > 0 && c.arg == "":
			return usagef("%s takes no arguments, but there is %q%s", c.name, arg, f.meant(arg))
		case cc.NArg() > 1:
			return usagef("%s takes one %s, but there is %q, too", c.name, c.arg, cc.Args().Get(1))
		case c.arg != "" && !c.optional && cc.NArg() == 0:
			return usagef("%s needs a %s, as in %s", c.name, c.arg, c.example)
		case f.given("version"):
			return p.version(cc.Context, f)
		}
		f.args = cc.Args().Slice()
		return c.run(p, cc.Context, f)
	}
}

func commandNames() []string {
	names := []string{"help"}
	for _, c := range commands() {
		names = append(names, c.name)
	}
	return names
}

// flags collects the texts of the flags that were given, wherever on the command line they stand.
type flags struct {
	options []config.Option
	texts   map[string][]string
	args    []string  // the command's argument
	known   []string  // the names of the command's own flags
	latest  *recorder // the flag that was given last

	adminChosen  bool // admin was given, by whatever means
	listenChosen bool // so was listen
}

func newFlags() *flags {
	return &flags{options: config.Options(), texts: make(map[string][]string)}
}

// cli returns the flags of a command; each command needs its own.
func (f *flags) cli(c command) []cli.Flag {
	all := []cli.Flag{f.record("help", nil, "h")}
	if c.bare {
		return all
	}
	for _, own := range c.flags {
		all = append(all, f.own(own)...)
	}
	all = append(all, f.record("config", new(string)))
	for i := range f.options {
		o := &f.options[i]
		if o.IsBool() {
			all = append(all, f.record(o.Name, nil))
		} else {
			all = append(all, f.record(o.Name, new(string)))
		}
	}
	return all
}

// record returns a flag that notes its texts under its name. A flag without a value is a switch.
func (f *flags) record(name string, value *string, aliases ...string) cli.Flag {
	return &cli.GenericFlag{Name: name, Aliases: aliases, Value: &recorder{f: f, name: name, isSwitch: value == nil}}
}

// own returns the flags that stand for one of a command's own; all their texts go under its name.
func (f *flags) own(o ownFlag) (all []cli.Flag) {
	for _, name := range []string{o.name, o.long} {
		if name != "" {
			f.known = append(f.known, name)
			all = append(all, &cli.GenericFlag{Name: name, Value: &recorder{f: f, name: o.name, isSwitch: o.arg == ""}})
		}
	}
	return all
}

// last is the text of the last use of a flag; empty if there is none.
func (f *flags) last(name string) string {
	texts := f.texts[name]
	if len(texts) == 0 {
		return ""
	}
	return texts[len(texts)-1]
}

// given reports whether a switch was given, and not as false.
func (f *flags) given(name string) bool {
	texts := f.texts[name]
	return len(texts) > 0 && texts[len(texts)-1] != "false"
}

// meant suggests how a switch takes a value, where one stands behind it as a word of its own.
func (f *flags) meant(word string) string {
	if f.latest == nil || !f.latest.isSwitch || !slices.Contains([]string{"true", "false", "yes", "no", "on", "off", "1", "0"}, word) {
		return ""
	}
	return fmt.Sprintf("; did you mean --%s=%s?", f.latest.name, word)
}

// usageError says in our words what the flag package found.
func (f *flags) usageError(_ *cli.Context, err error, _ bool) error {
	what := err.Error()
	if name, ok := strings.CutPrefix(what, "flag provided but not defined: -"); ok {
		name = strings.TrimLeft(name, "-")
		known := append([]string{"help", "config"}, f.known...)
		for i := range f.options {
			known = append(known, f.options[i].Name)
		}
		return usagef("unknown flag %q%s", "--"+name, strings.Replace(config.Suggest(name, known), "mean ", "mean --", 1))
	}
	if name, ok := strings.CutPrefix(what, "flag needs an argument: -"); ok {
		return usagef("--%s needs a value", strings.TrimLeft(name, "-"))
	}
	return usagef("%s", strings.ReplaceAll(what, "\n", " "))
}

// recorder is the value of a flag on the command line.
type recorder struct {
	f        *flags
	name     string
	isSwitch bool
}

// Set notes one use of the flag; what it means is found out later, when the file and the environment are known.
func (r *recorder) Set(text string) error {
	r.f.texts[r.name] = append(r.f.texts[r.name], text)
	r.f.latest = r
	return nil
}

// String is the default, which the library wants to know.
func (r *recorder) String() string { return "" }

// IsBoolFlag makes the flag package accept the flag without a value.
func (r *recorder) IsBoolFlag() bool { return r.isSwitch }

// apply puts the flags that were given into c.
func (f *flags) apply(c *config.Config) error {
	var wrong []string
	for i := range f.options {
		o := &f.options[i]
		texts := f.texts[o.Name]
		if len(texts) == 0 {
			continue
		}
		if !o.Many {
			texts = texts[len(texts)-1:]
		}
		var values []string
		for _, text := range texts {
			values = append(values, o.Split(text)...)
		}
		if err := o.Set(c, values); err != nil {
			wrong = append(wrong, fmt.Sprintf("--%s: %v", o.Name, err))
		}
	}
	if wrong == nil {
		return nil
	}
	return usagef("%s", strings.Join(wrong, "\n"))
}
