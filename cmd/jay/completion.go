package main

import (
	"context"
	"io"
	"slices"
	"strings"

	"github.com/jayproxy/jay/config"
)

func completionCommand() command {
	return command{
		name: "completion", arg: "SHELL", words: []string{"bash", "zsh", "fish", "powershell"}, bare: true,
		usage: "print what a shell needs to complete jay's command lines",
		text: "bash:        source <(jay completion bash), or into /etc/bash_completion.d/jay\n" +
			"zsh:         jay completion zsh > \"${fpath[1]}/_jay\"\n" +
			"fish:        jay completion fish > ~/.config/fish/completions/jay.fish\n" +
			"PowerShell:  jay completion powershell | Out-String | Invoke-Expression",
		example: "jay completion bash > /etc/bash_completion.d/jay",
		run:     (*process).completion,
	}
}

// completion prints the script for a shell.
func (p *process) completion(_ context.Context, f *flags) error {
	write, ok := map[string]func([]completed) string{
		"bash": bashCompletion, "zsh": zshCompletion, "fish": fishCompletion, "powershell": powershellCompletion,
	}[f.args[0]]
	if !ok {
		return usagef("%q is not one of %s%s", f.args[0], strings.Join(completionCommand().words, ", "), config.Suggest(f.args[0], completionCommand().words))
	}
	_, err := io.WriteString(p.stdout, write(completions()))
	return err
}

// completed is a command as shells complete it.
type completed struct {
	name, help string // no name: the program without a command
	words      []string
	flags      []completedFlag
}

// completedFlag is a flag with its hyphens.
type completedFlag struct {
	names []string
	arg   string // empty: a switch
	words []string
	help  string
}

// file tells whether the flag's value is a file.
func (f *completedFlag) file() bool { return f.arg == "FILE" }

// completions are the program without a command, all commands, and help.
func completions() []completed {
	var all []completed
	program := completed{help: "caching HTTP proxy", words: commandNames(), flags: append(optionFlags(), completedFlag{names: []string{"--version"}, help: "print the version"})}
	for _, c := range commands() {
		e := completed{name: c.name, help: c.usage, words: c.words, flags: []completedFlag{helpFlag()}}
		for _, o := range c.flags {
			e.flags = append(e.flags, completedFlag{names: o.spellings(), arg: o.arg, words: o.words, help: o.help})
		}
		if !c.bare {
			e.flags = append(e.flags, optionFlags()[1:]...)
		}
		all = append(all, e)
	}
	help := completed{name: "help", help: "print the help of a command", words: commandNames(), flags: []completedFlag{helpFlag()}}
	return append([]completed{program}, append(all, help)...)
}

func helpFlag() completedFlag {
	return completedFlag{names: []string{"-h", "--help"}, help: "print help"}
}

// optionFlags are the flags of all options, help first.
func optionFlags() []completedFlag {
	all := []completedFlag{helpFlag(), {names: []string{"--config"}, arg: "FILE", help: "YAML file with settings"}}
	for _, o := range config.Options() {
		all = append(all, completedFlag{names: []string{"--" + o.Name}, arg: o.Arg, words: o.Choices(), help: o.Help})
	}
	return all
}

// spellings are the flag's names with their hyphens.
func (o *ownFlag) spellings() (all []string) {
	for _, n := range []string{o.name, o.long} {
		if len(n) == 1 {
			all = append(all, "-"+n)
		} else if n != "" {
			all = append(all, "--"+n)
		}
	}
	return all
}

// spelled are all names of flags for which something holds, each once.
func spelled(all []completed, holds func(*completedFlag) bool) []string {
	var names []string
	for _, c := range all {
		for i := range c.flags {
			if !holds(&c.flags[i]) {
				continue
			}
			for _, n := range c.flags[i].names {
				if !slices.Contains(names, n) {
					names = append(names, n)
				}
			}
		}
	}
	return names
}
