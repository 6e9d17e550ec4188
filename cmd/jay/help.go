package main

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/urfave/cli/v2"

	"github.com/jayproxy/jay/config"
)

// The columns of the help text: where descriptions of options begin, and where lines end.
const (
	helpIndent = 33
	helpWidth  = 110
)

// help prints the help of the program or of the command that it is given.
func (p *process) help(cc *cli.Context) error {
	if cc.NArg() > 1 {
		return usagef("help takes one command, but there is %q", cc.Args().Get(1))
	}
	name := cc.Args().First()
	if name == "" || name == "help" {
		return p.printHelp(command{})
	}
	for _, c := range commands() {
		if c.name == name {
			return p.printHelp(c)
		}
	}
	return usagef("unknown command %q%s", name, config.Suggest(name, commandNames()))
}

// printHelp prints the help of c, or of the program when c has no name.
func (p *process) printHelp(c command) error {
	var b strings.Builder
	if c.name == "" {
		programHelp(&b)
	} else {
		commandHelp(&b, &c)
	}
	switch {
	case c.flags != nil:
		ownHelp(&b, &c)
	case !c.bare:
		optionHelp(&b)
	}
	_, err := io.WriteString(p.stdout, b.String())
	return err
}

func programHelp(b *strings.Builder) {
	b.WriteString("Jay is a caching HTTP proxy.\n\nUsage: jay [COMMAND] [OPTION…]\n\nCommands:\n")
	for _, c := range commands() {
		fmt.Fprintf(b, "  %-16s %s\n", c.name, c.usage)
	}
	fmt.Fprintf(b, "  %-16s %s\n", "help", "print this text, or that of a command")
	b.WriteString("\nExample: jay --listen 127.0.0.1:3128 --cache-size 2g\n")
}

func commandHelp(b *strings.Builder, c *command) {
	fmt.Fprintf(b, "jay %s: %s\n\nUsage: jay %s\n\n", c.name, c.usage, c.synopsis())
	if c.text != "" {
		fmt.Fprintf(b, "%s\n\n", c.text)
	}
	fmt.Fprintf(b, "Example: %s\n", c.example)
}

// synopsis is how the command is written.
func (c *command) synopsis() string {
	text := c.name
	if c.arg != "" && c.optional {
		text += " [" + c.arg + "]"
	} else if c.arg != "" {
		text += " " + c.arg
	}
	if !c.bare {
		text += " [OPTION…]"
	}
	return text
}

// names are the ways of writing a flag, the shortest first, and its value.
func (o *ownFlag) names() string {
	var all []string
	for _, n := range []string{o.name, o.long} {
		if len(n) == 1 {
			all = append(all, "-"+n)
		} else if n != "" {
			all = append(all, "--"+n)
		}
	}
	return strings.TrimSpace(strings.Join(all, ", ") + " " + o.arg)
}

// optionHelp describes all options.
func optionHelp(b *strings.Builder) {
	b.WriteString("\nEvery option is a flag, a variable (--cache-size is JAY_CACHE_SIZE) and a key of the file; flags win over\n" +
		"variables, variables over the file. Flags that take a list (…) may be repeated or hold commas; switches are\n" +
		"turned off as in --store-errors=false.\n\n")
	writeOption(b, "--config FILE", "YAML file with settings, name: value")
	category := ""
	for _, o := range config.Options() {
		if o.Category != category {
			category = o.Category
			fmt.Fprintf(b, "\n%s:\n", category)
		}
		name := strings.TrimSpace("--" + o.Name + " " + o.Arg)
		if o.Many {
			name += " …"
		}
		help := o.Help
		if o.Default != "" {
			help += " [" + strings.ReplaceAll(o.Default, ",", ", ") + "]"
		}
		writeOption(b, name, help)
	}
}

// ownHelp describes the flags of a command that has some of its own.
func ownHelp(b *strings.Builder, c *command) {
	b.WriteString("\n")
	for _, o := range c.flags {
		writeOption(b, o.names(), o.help)
	}
	for _, o := range config.Options() {
		if (o.Name == "admin" || o.Name == "admin-token-file") && !c.offline {
			help := o.Help
			if o.Default != "" {
				help += " [" + o.Default + "]"
			}
			writeOption(b, "--"+o.Name+" "+o.Arg, help)
		}
	}
	writeOption(b, "--config FILE", "YAML file with settings, name: value")
	b.WriteString("\nAll other options of jay serve may be given, too; jay help lists them.\n")
}

// writeOption writes a name and, beside it or below, its description in as many lines as it takes.
func writeOption(b *strings.Builder, name, help string) {
	indent := strings.Repeat(" ", helpIndent)
	line := "  " + name
	if n := utf8.RuneCountInString(line); n < helpIndent {
		line += indent[n:]
	} else {
		b.WriteString(line + "\n")
		line = indent
	}
	for word := range strings.FieldsSeq(help) {
		if len(line)+len(word) > helpWidth {
			b.WriteString(strings.TrimRight(line, " ") + "\n")
			line = indent
		}
		line += word + " "
	}
	b.WriteString(strings.TrimRight(line, " ") + "\n")
}
