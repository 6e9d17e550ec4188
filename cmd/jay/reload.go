package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/jayproxy/jay/proxy/admin"
)

func reloadCommand() command {
	return command{
		name: "reload", usage: "let a running Jay read its configuration anew",
		text: "Reads the file, what it names and the environment that the running Jay was started with, checks all of it, and puts it in\n" +
			"force at once. Exchanges and tunnels that run live on. When something is wrong, nothing changes; the exit code is then 2\n" +
			"for a wrong configuration and 1 for what cannot be done, such as listening on a port that is taken.",
		example: "jay reload --dry-run",
		flags: []ownFlag{
			{name: "dry-run", help: "only say what would change"},
			{name: "json", help: "print JSON"},
		},
		run: (*process).reload,
	}
}

// reload lets a running Jay read its configuration anew, and prints what has changed.
func (p *process) reload(ctx context.Context, f *flags) error {
	c, err := p.settings(f, codeUsage)
	if err != nil {
		return err
	}
	var a admin.ReloadAnswer
	if printed, err := p.ask(ctx, f, &c, "POST", "/reload", admin.ReloadRequest{DryRun: f.given("dry-run")}, &a); printed || err != nil {
		return err
	}
	verb := "changed"
	if a.DryRun {
		verb = "would change"
	}
	_, err = fmt.Fprintf(p.stdout, "%s:\n  %s\n", verb, strings.Join(summary(&a), "\n  "))
	return err
}
