package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/jayproxy/jay/proxy"
	"github.com/jayproxy/jay/proxy/admin"
)

func statsCommand() command {
	return command{
		name: "stats", usage: "print the figures of a running Jay",
		example: "jay stats --admin 127.0.0.1:3127",
		flags:   []ownFlag{{name: "json", help: "print JSON"}},
		run:     (*process).stats,
	}
}

// stats prints what a running Jay has counted.
func (p *process) stats(ctx context.Context, f *flags) error {
	c, err := p.settings(f, codeUsage)
	if err != nil {
		return err
	}
	var s admin.Figures
	if printed, err := p.ask(ctx, f, &c, "GET", "/stats", nil, &s); printed || err != nil {
		return err
	}
	return printFigures(p.stdout, &s)
}

// printFigures writes the figures for people.
func printFigures(w io.Writer, s *admin.Figures) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	line := func(name, format string, args ...any) { fmt.Fprintf(t, "%s\t%s\n", name, fmt.Sprintf(format, args...)) }
	line("jay", "%s, up %v", s.Version, s.Uptime.Duration().Round(time.Second))
	line("requests", "%d, %s of them from the cache, %d failed", s.Requests, percent(s.HitRatio), s.Failures)
	line("to clients", "%s, %s of it from the cache", bytesText(s.BytesOut), percent(s.ByteHitRatio))
	line("stored", "%s, %s and %s of overhead, of %s", responses(s.Cache.Entries), bytesText(s.Cache.Bytes), bytesText(s.Cache.Overhead), bytesText(s.Cache.MaxBytes))
	line("evicted", "%d, never admitted %d, purged or invalidated %d", s.Cache.Evicted, s.Cache.Rejected, s.Cache.Removed)
	line("on their way", "%s, %s of %s", responses(s.Cache.Fills), bytesText(s.Cache.FillBytes), bytesText(s.Cache.MaxFillBytes))
	line("memory", "%s", bytesText(s.Memory))
	line("open", "%d client connections, %d tunnels", s.Connections, s.OpenTunnels)
	line("lookups", "%d of names, %d without asking, %d with expired addresses, %d failed", s.Names.Lookups, s.Names.Hits, s.Names.Stale,
		s.Names.NotFound+s.Names.Timeouts+s.Names.Failures)
	for _, p := range s.Parents {
		state := "up"
		if !p.Up {
			state = "down, " + p.Last
		}
		line("parent", "%s %s, %d connections made, %d failed", p.Name, state, p.Connects, p.Failures)
	}
	line("refused", "%d requests that were not valid, %d connections", s.RefusedRequests, s.RefusedConnections)
	if s.LogLinesDropped > 0 {
		line("lost", "%d lines of the access log", s.LogLinesDropped)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	return printDecisions(w, s)
}

// responses is a number of responses in words.
func responses(n int64) string {
	return fmt.Sprintf("%d %s", n, plural(int(n), "response", "responses"))
}

// printDecisions writes a line for each decision that was made, each rule that decided and each error.
func printDecisions(w io.Writer, s *admin.Figures) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(t, "\ndecision\tcount\tsent\tmedian\t99 %%\t\n")
	for _, d := range s.Decisions {
		if d.Count > 0 {
			fmt.Fprintf(t, "%s\t%d\t%s\t%s\t%s\t\n", d.Decision, d.Count, bytesText(d.BytesOut), shortTime(d.P50), shortTime(d.P99))
		}
	}
	if len(s.Rules) > 0 {
		fmt.Fprintf(t, "\nrule\tallowed\tdenied\treported\t\n")
	}
	for _, r := range s.Rules {
		fmt.Fprintf(t, "%s\t%d\t%d\t%d\t\n", r.Rule, r.Allowed, r.Denied, r.Reported)
	}
	kinds := slices.SortedFunc(maps.Keys(s.Errors), func(a, b string) int {
		return cmp.Or(cmp.Compare(s.Errors[b], s.Errors[a]), strings.Compare(a, b))
	})
	if len(kinds) > 0 {
		fmt.Fprintf(t, "\nerror\tcount\t\n")
	}
	for _, kind := range kinds {
		fmt.Fprintf(t, "%s\t%d\t\n", kind, s.Errors[kind])
	}
	return t.Flush()
}

func percent(x float64) string { return fmt.Sprintf("%.1f %%", 100*x) }

// bytesText is a number of bytes in the unit that suits it.
func bytesText(n int64) string {
	const units = "KMGTPE"
	if n < 1024 {
		return fmt.Sprintf("%d B", n)
	}
	f, i := float64(n)/1024, 0
	for f >= 1024 && i < len(units)-1 {
		f, i = f/1024, i+1
	}
	return fmt.Sprintf("%.1f %ciB", f, units[i])
}

// shortTime is a duration with three digits or so.
func shortTime(s proxy.Seconds) string {
	d := time.Duration(float64(s) * float64(time.Second))
	switch {
	case d == 0:
		return "-"
	case d < time.Millisecond:
		return d.Round(time.Microsecond).String()
	case d < time.Second:
		return d.Round(100 * time.Microsecond).String()
	}
	return d.Round(10 * time.Millisecond).String()
}
