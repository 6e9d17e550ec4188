package main

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/cpuguy83/go-md2man/v2/md2man"

	"github.com/jayproxy/jay/config"
)

func manCommand() command {
	return command{
		name: "man", usage: "print the manual page", example: "jay man | man -l -", bare: true,
		run: (*process).man,
	}
}

// man prints the manual page.
func (p *process) man(context.Context, *flags) error {
	_, err := io.WriteString(p.stdout, manPage(buildVersion(), buildDate()))
	return err
}

// manPage is the manual page for troff, in ASCII: not all of them read UTF-8.
func manPage(version, date string) string {
	var b strings.Builder
	for _, c := range string(md2man.Render([]byte(manText(version, date)))) {
		if c < 0x80 {
			b.WriteRune(c)
		} else {
			fmt.Fprintf(&b, `\[u%04X]`, c)
		}
	}
	return b.String()
}

// manText is the manual page in Markdown.
func manText(version, date string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%% %q %q %q %q %q\n\n", "JAY", "1", date, "jay "+version, "User Commands")
	b.WriteString("# NAME\n\njay - caching HTTP proxy\n\n# SYNOPSIS\n\n")
	b.WriteString("**jay** \\[OPTION…\\]\n\n**jay** COMMAND \\[OPTION…\\]\n\n# DESCRIPTION\n\n" + manDescription + "\n\n# COMMANDS\n\n")
	for _, c := range commands() {
		manSection(&b, &c)
	}
	b.WriteString("### help\n\n**jay help** \\[COMMAND\\]\n\nPrint a summary, or the help of a command.\n\n# OPTIONS\n\n")
	b.WriteString("Every option is a flag, an environment variable and a key of the configuration file. Flags that take a list (…) may be repeated or hold " +
		"commas; switches are turned off as in **--store-errors=false**.\n\n")
	manItem(&b, "--config", "FILE", "YAML file with settings, name: value", "JAY_CONFIG")
	manOptions(&b)
	b.WriteString(manRest)
	return b.String()
}

// manSection writes the section of a command.
func manSection(b *strings.Builder, c *command) {
	words := strings.Fields(c.synopsis())
	fmt.Fprintf(b, "### %s\n\n**jay %s**", c.name, c.name)
	for _, w := range words[1:] {
		fmt.Fprintf(b, " %s", escapeMarkdown(w))
	}
	fmt.Fprintf(b, "\n\n%s.\n\n", escapeMarkdown(strings.ToUpper(c.usage[:1])+c.usage[1:]))
	switch {
	case strings.Contains(c.text, "  "): // columns
		fmt.Fprintf(b, "    %s\n\n", strings.ReplaceAll(c.text, "\n", "\n    "))
	case c.text != "":
		fmt.Fprintf(b, "%s\n\n", escapeMarkdown(strings.ReplaceAll(c.text, "\n", " ")))
	}
	for _, o := range c.flags {
		manItem(b, strings.TrimSuffix(o.names(), " "+o.arg), o.arg, o.help, "")
	}
	fmt.Fprintf(b, "Example:\n\n    %s\n\n", c.example)
}

// manOptions writes the options by category.
func manOptions(b *strings.Builder) {
	category := ""
	for _, o := range config.Options() {
		if o.Category != category {
			category = o.Category
			fmt.Fprintf(b, "### %s\n\n", category)
		}
		arg, help := o.Arg, o.Help
		if o.Many {
			arg += " …"
		}
		if o.Default != "" {
			help += " [" + strings.ReplaceAll(o.Default, ",", ", ") + "]"
		}
		manItem(b, "--"+o.Name, arg, help, o.Env())
	}
}

// manItem writes a name, its value and what it means.
func manItem(b *strings.Builder, name, arg, help, env string) {
	fmt.Fprintf(b, "**%s**", escapeMarkdown(name))
	if arg != "" {
		fmt.Fprintf(b, " *%s*", escapeMarkdown(arg))
	}
	fmt.Fprintf(b, "\n: %s.", escapeMarkdown(help))
	if env != "" {
		fmt.Fprintf(b, " Variable: %s.", escapeMarkdown(env))
	}
	b.WriteString("\n\n")
}

// escapeMarkdown keeps a text from being anything but text.
func escapeMarkdown(s string) string {
	var b strings.Builder
	for _, c := range s {
		if strings.ContainsRune("\\`*_{}[]()#+-.!<>|~:", c) {
			b.WriteByte('\\')
		}
		b.WriteRune(c)
	}
	return b.String()
}

const manDescription = `Jay serves from memory what HTTP allows to be reused, passes HTTPS and WebSockets through untouched, and says about every answer why
it came from the cache or not. Without a command it runs the proxy, on 127.0.0.1:3128 unless told otherwise, with a status page on
http://127.0.0.1:3127/. Asked for http://127.0.0.1:3128/ itself, it shows how to use it from each system.`

const manRest = `# FILES

*FILE* of **--config**
: Settings in YAML, and the sections that no flag has, such as the policy. **jay print-config** prints one, **jay check-config** says on which line one is wrong.

*FILE* of **--auth-file**
: Who may log in, as htpasswd -B writes it.

*FILE* of **--admin-token-file**
: The token of the admin address, of at least 16 characters; it should be readable by Jay and its operators only.

*unix:PATH* of **--admin**
: The socket of the admin address, which only its owner may use.

# ENVIRONMENT

**JAY_CONFIG**
: The configuration file, where there is no --config.

**JAY\_**…
: The option of that name, in capitals and with an underscore in place of each hyphen: JAY\_CACHE\_SIZE is --cache-size. A flag wins over it, and it over the file.

**LISTEN_FDS**, **LISTEN_FDNAMES**, **NOTIFY_SOCKET**, **WATCHDOG_USEC**
: Set by systemd for the sockets that it hands over and to be told how Jay is; see jay systemd-unit.

**GOMEMLIMIT**, **GOGC**
: How the garbage collector works; Jay then leaves it alone.

**NO_COLOR**
: If set, jay top uses no colours.

# EXIT STATUS

**0**
: Success; after SIGTERM, everything that ran has finished or was given its time.

**1**
: A failure at run time, or no running Jay that answers.

**2**
: The command line or the configuration is wrong.

**3**
: jay policy test: the request would be refused.

# SIGNALS

**SIGTERM**, **SIGINT**
: No new connections; running exchanges and tunnels have the time of --shutdown-timeout to finish. A second one ends them at once.

**SIGHUP**
: The same as jay reload, whose answer is written to standard error; opens the access log anew, too.

# SEE ALSO

curl(1), htpasswd(1), systemd(1), nft(8), RFC 9110, RFC 9111, RFC 9112, RFC 9211
`
