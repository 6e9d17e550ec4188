package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/term"

	"github.com/jayproxy/jay/proxy/admin"
)

func topCommand() command {
	return command{
		name: "top", usage: "show the figures of a running Jay as they change",
		text: "Draws them anew each second until q or Ctrl-C. Where standard output is no terminal, or a dumb one, and\n" +
			"with --once or -n, there is one line a second instead.",
		example: "jay top --admin 127.0.0.1:3127",
		flags: []ownFlag{
			{name: "interval", arg: "DURATION", help: "time between two looks [1s]"},
			{name: "n", long: "count", arg: "COUNT", help: "print this many lines, then end"},
			{name: "once", help: "the same as -n 1"},
		},
		run: (*process).top,
	}
}

// shortestLook keeps jay top from being the load that it shows.
const shortestLook = 100 * time.Millisecond

// top shows the figures of a running Jay until it is told to end.
func (p *process) top(ctx context.Context, f *flags) error {
	c, err := p.settings(f, codeUsage)
	if err != nil {
		return err
	}
	interval, count, err := topFlags(f)
	if err != nil {
		return err
	}
	client, err := p.adminClient(&c)
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	w := &watcher{client: client, interval: interval, view: view{address: c.Admin, utf8: p.utf8()}}
	if err := w.look(ctx); err != nil {
		return err
	}
	if out, ok := p.stdout.(*os.File); ok && count == 0 && term.IsTerminal(int(out.Fd())) && p.getenv("TERM") != "dumb" {
		return w.draw(ctx, out, p.getenv("NO_COLOR") == "")
	}
	return w.print(ctx, p.stdout, count)
}

// topFlags reads the flags of jay top; a count of 0 means that there is no end.
func topFlags(f *flags) (interval time.Duration, count int, err error) {
	interval = time.Second
	if text := f.last("interval"); text != "" {
		if interval, err = time.ParseDuration(text); err != nil || interval < shortestLook {
			return 0, 0, usagef("--interval: %q is not a duration of at least %v; write 2s", text, shortestLook)
		}
	}
	if f.given("once") {
		count = 1
	}
	if text := f.last("n"); text != "" {
		if count, err = strconv.Atoi(text); err != nil || count < 1 {
			return 0, 0, usagef("-n: %q is not a number of lines", text)
		}
	}
	return interval, count, nil
}

// utf8 tells whether the terminal understands UTF-8.
func (p *process) utf8() bool {
	for _, name := range []string{"LC_ALL", "LC_CTYPE", "LANG"} {
		if v := strings.ToLower(p.getenv(name)); v != "" {
			return strings.Contains(v, "utf-8") || strings.Contains(v, "utf8")
		}
	}
	return false
}

// watcher looks at a running Jay again and again.
type watcher struct {
	client   *adminClient
	interval time.Duration
	view     view
}

// look asks for what there is to see.
func (w *watcher) look(ctx context.Context) error {
	var figures admin.Figures
	var latest admin.Latest
	if err := w.get(ctx, "/stats", &figures); err != nil {
		return err
	}
	if err := w.get(ctx, "/recent", &latest); err != nil {
		return err
	}
	w.view.add(&figures, &latest)
	return nil
}

func (w *watcher) get(ctx context.Context, path string, v any) error {
	b, err := w.client.call(ctx, "GET", path, "application/json", nil)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(b, v); err != nil {
		return fmt.Errorf("what answers at %s is another version of Jay: %w", w.client.address, err)
	}
	return nil
}

// print writes one line after each interval, until there were as many as asked for.
func (w *watcher) print(ctx context.Context, out io.Writer, count int) error {
	tick := time.NewTicker(w.interval)
	defer tick.Stop()
	for n := 0; count == 0 || n < count; n++ {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		err := w.look(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return err
		}
		text := w.view.line()
		if n%lineHeadEvery == 0 {
			text = lineHead + text
		}
		if _, err := io.WriteString(out, text); err != nil {
			return err
		}
	}
	return nil
}

// draw fills the terminal after each interval, and at once when its size has changed, until q or Ctrl-C is pressed.
func (w *watcher) draw(ctx context.Context, out *os.File, colour bool) error {
	ctx, cancel := context.WithCancel(ctx) // also what is being waited for ends when q is pressed
	defer cancel()
	screen, err := openScreen(out, colour, cancel)
	if err != nil {
		return err
	}
	defer screen.close()
	look, size := time.NewTicker(w.interval), time.NewTicker(sizeEvery)
	defer look.Stop()
	defer size.Stop()
	for {
		if err := screen.show(&w.view); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-size.C:
			continue
		case <-look.C:
		}
		if err := w.look(ctx); err != nil && ctx.Err() == nil {
			w.view.trouble = err.Error()
		}
	}
}

// sizeEvery is how soon a change of the terminal's size is noticed.
const sizeEvery = 250 * time.Millisecond
