package main

import (
	"context"
	"fmt"

	"github.com/jayproxy/jay/proxy/admin"
)

func purgeCommand() command {
	return command{
		name: "purge", arg: "URL", optional: true, usage: "remove stored responses from a running Jay",
		text: "Removes the responses for which everything that is given holds, and says how many those were. A URL stands for all\n" +
			"of its variants. What is being fetched meanwhile is not stored.",
		example: "jay purge --host example.com --older-than 1h --dry-run",
		flags: []ownFlag{
			{name: "prefix", arg: "URL", help: "URLs that begin so"},
			{name: "host", arg: "HOST", help: "this host on all of its ports, or on one as in example.com:8080"},
			{name: "regex", arg: "EXPR", help: "URLs in which the regular expression is found"},
			{name: "group", arg: "NAME", help: "responses in this cache group (RFC 9875)"},
			{name: "older-than", arg: "DURATION", help: "responses that were received longer ago than this, such as 30m or 7d"},
			{name: "all", help: "everything"},
			{name: "dry-run", help: "only say how many it would be"},
			{name: "json", help: "print JSON"},
		},
		run: (*process).purge,
	}
}

// purge removes stored responses.
func (p *process) purge(ctx context.Context, f *flags) error {
	c, err := p.settings(f, codeUsage)
	if err != nil {
		return err
	}
	q := admin.PurgeRequest{
		Prefix: f.last("prefix"), Host: f.last("host"), Regexp: f.last("regex"), Group: f.last("group"),
		OlderThan: f.last("older-than"), All: f.given("all"), DryRun: f.given("dry-run"),
	}
	if q.Prefix != "" {
		q.Prefix = withScheme(q.Prefix)
	}
	if len(f.args) > 0 {
		q.URL = withScheme(f.args[0])
	}
	if q == (admin.PurgeRequest{DryRun: q.DryRun}) {
		return usagef("purge needs a URL, or one of --prefix, --host, --regex, --group, --older-than and --all")
	}
	var a admin.PurgeAnswer
	if printed, err := p.ask(ctx, f, &c, "POST", "/purge", q, &a); printed || err != nil {
		return err
	}
	verb := "removed"
	if a.DryRun {
		verb = "would be removed"
	}
	_, err = fmt.Fprintf(p.stdout, "%d %s %s\n", a.Purged, plural(a.Purged, "response", "responses"), verb)
	return err
}

func plural(n int, one, many string) string {
	if n == 1 {
		return one
	}
	return many
}
