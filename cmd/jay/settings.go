package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/jayproxy/jay/config"
)

// maxFile is the largest configuration file that is read.
const maxFile = 16 << 20

// settings reads the configuration: flags win over variables, variables over the file, the file over the defaults.
// Faults of the file lead to the exit code bad, all others to codeUsage.
func (p *process) settings(f *flags, bad int) (config.Config, error) {
	c := config.Default()
	c.Admin, c.Listen = "", nil // which nobody can choose
	name := p.configName(f)
	data, fileErr := loadFile(&c, name)
	_, slips := config.CheckEnv(p.variables())
	usageErr := errors.Join(slips, config.LoadEnv(&c, p.getenv), f.apply(&c))
	if err := errors.Join(fileErr, usageErr); err != nil {
		if usageErr != nil {
			bad = codeUsage
		}
		return c, &exitError{code: bad, err: err}
	}
	if f.adminChosen = c.Admin != ""; !f.adminChosen {
		c.Admin = config.Default().Admin
	}
	if f.listenChosen = c.Listen != nil; !f.listenChosen {
		c.Listen = config.Default().Listen
	}
	if err := c.Validate(); err != nil {
		if name == "" {
			bad = codeUsage
		}
		return c, &exitError{code: bad, err: p.placed(err, name, data, f)}
	}
	return c.Resolve(p.host()), nil
}

// placed puts the line of the file in front of what is wrong with settings that are good by themselves, if they stand there.
func (p *process) placed(err error, name string, data []byte, f *flags) error {
	all, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return err
	}
	lines := config.Lines(data)
	var placed []error
	for _, err := range all.Unwrap() {
		option, _, _ := strings.Cut(err.Error(), ":")
		env := config.Option{Name: option}
		if line := lines[option]; line > 0 && f.texts[option] == nil && p.getenv(env.Env()) == "" {
			err = fmt.Errorf("%s:%d: %w", name, line, err)
		}
		placed = append(placed, err)
	}
	return errors.Join(placed...)
}

// variables are the names of all variables that are set to something.
func (p *process) variables() []string {
	var all []string
	for _, text := range p.environ() {
		if name, value, _ := strings.Cut(text, "="); value != "" {
			all = append(all, name)
		}
	}
	slices.Sort(all)
	return all
}

// strangers says which variables look like Jay's and are not; empty if none does.
func (p *process) strangers() string {
	names, _ := config.CheckEnv(p.variables())
	if len(names) == 0 {
		return ""
	}
	return "ignored, since no option is called so: " + strings.Join(names, ", ")
}

// configName is the path of the configuration file; empty if there is none.
func (p *process) configName(f *flags) string {
	if name := f.last("config"); name != "" {
		return name
	}
	return p.getenv("JAY_CONFIG")
}

// loadFile reads the file, if there is one to read, and returns its text.
func loadFile(c *config.Config, name string) ([]byte, error) {
	if name == "" {
		return nil, nil
	}
	file, err := os.Open(name)
	if err != nil {
		return nil, plainPath(err)
	}
	defer file.Close()
	data, err := io.ReadAll(io.LimitReader(file, maxFile+1))
	if err != nil {
		return nil, plainPath(err)
	}
	if len(data) > maxFile {
		return nil, fmt.Errorf("%s: larger than %v", name, config.Size(maxFile))
	}
	return data, config.Load(c, name, data)
}

// plainPath turns "open x: no such file" into "x: no such file", which is how messages about files begin.
func plainPath(err error) error {
	var e *os.PathError
	if errors.As(err, &e) {
		return fmt.Errorf("%s: %w", e.Path, e.Err)
	}
	return err
}

// oneLine makes an error of many lines fit for a place where only one is read.
func oneLine(err error) error {
	var e *exitError
	if !errors.As(err, &e) {
		return err
	}
	first, rest, more := strings.Cut(e.Error(), "\n")
	if !more {
		return err
	}
	n := strings.Count(rest, "\n") + 1
	return &exitError{code: e.code, err: fmt.Errorf("%s (and %d more; jay check-config shows all)", first, n)}
}

// checkConfig says what is wrong with the configuration.
func (p *process) checkConfig(_ context.Context, f *flags) error {
	c, err := p.settings(f, codeUsage)
	if err != nil {
		return err
	}
	if _, err := proxyOptions(&c); err != nil {
		return &exitError{code: codeUsage, err: err}
	}
	if _, err := adminToken(&c); err != nil {
		return &exitError{code: codeUsage, err: err}
	}
	if text := p.strangers(); text != "" {
		fmt.Fprintf(p.stderr, "jay: %s\n", text)
	}
	if _, err := identityOf(&c); err != nil {
		return &exitError{code: codeUsage, err: err}
	}
	_, err = fmt.Fprintln(p.stdout, "the configuration is good")
	return err
}

// printConfig prints the effective configuration.
func (p *process) printConfig(_ context.Context, f *flags) error {
	c, err := p.settings(f, codeUsage)
	if err != nil {
		return err
	}
	return config.Print(p.stdout, &c)
}

// version prints what the linker knows about the build.
func (p *process) version(context.Context, *flags) error {
	_, err := fmt.Fprintf(p.stdout, "jay %s %s %s/%s\n", buildVersion(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
	return err
}

// buildDate is the day of the commit that the program was built from; empty if that is not known.
func buildDate() string {
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			if s.Key == "vcs.time" {
				day, _, _ := strings.Cut(s.Value, "T")
				return day
			}
		}
	}
	return ""
}

// buildVersion is the module's version, or the commit that it was built from.
func buildVersion() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "(unknown)"
	}
	version := info.Main.Version
	if version == "" {
		version = "(devel)"
	}
	if version != "(devel)" {
		return version // already says commit and date where there is no tag
	}
	for _, s := range info.Settings {
		switch {
		case s.Key == "vcs.revision" || s.Key == "vcs.time":
			version += " " + s.Value
		case s.Key == "vcs.modified" && s.Value == "true":
			version += " modified"
		}
	}
	return version
}
