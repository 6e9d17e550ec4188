package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"

	"github.com/jayproxy/jay/config"
	"github.com/jayproxy/jay/proxy"
)

func unitCommand() command {
	return command{
		name: "systemd-unit", usage: "print a systemd service with few rights, and the sockets that stay open while it restarts",
		text: "Prints jay.service, jay.socket and, for intercepting listeners, one more socket, with their paths as comments. The\n" +
			"options, files and JAY_ variables that it is given are those of the service. With --dir it writes the files.",
		example: "sudo jay systemd-unit --config /etc/jay.yaml --dir /etc/systemd/system",
		offline: true,
		flags: []ownFlag{
			{name: "service", help: "only the service"},
			{name: "socket", help: "only the sockets"},
			{name: "dir", arg: "DIR", help: "write the files into this directory instead of printing them"},
		},
		run: (*process).systemdUnit,
	}
}

// unitDir is where people keep their own units.
const unitDir = "/etc/systemd/system"

// unit is a file of systemd's.
type unit struct {
	name, text string
}

// systemdUnit answers jay systemd-unit.
func (p *process) systemdUnit(_ context.Context, f *flags) error {
	c, err := p.settings(f, codeUsage)
	if err != nil {
		return err
	}
	units, err := p.unitsFor(&c, f)
	if err != nil {
		return &exitError{code: codeUsage, err: fmt.Errorf("systemd-unit: %w", err)}
	}
	if dir := f.last("dir"); dir != "" {
		return p.writeUnits(dir, units)
	}
	var b strings.Builder
	for i, u := range units {
		if i > 0 {
			b.WriteString("\n")
		}
		fmt.Fprintf(&b, "# %s/%s\n%s", unitDir, u.name, u.text)
	}
	_, err = io.WriteString(p.stdout, b.String())
	return err
}

// writeUnits writes the files and says how it goes on.
func (p *process) writeUnits(dir string, units []unit) error {
	var sockets []string
	for _, u := range units {
		path := filepath.Join(dir, u.name)
		if err := os.WriteFile(path, []byte(u.text), 0o644); err != nil {
			return plainPath(err)
		}
		if strings.HasSuffix(u.name, ".socket") {
			sockets = append(sockets, u.name)
		}
		fmt.Fprintln(p.stdout, "wrote", path)
	}
	_, err := fmt.Fprintf(p.stdout, "to start: systemctl daemon-reload && systemctl enable --now %s jay.service\n", strings.Join(sockets, " "))
	return err
}

// unitsFor are the files that the command line asks for.
func (p *process) unitsFor(c *config.Config, f *flags) ([]unit, error) {
	sockets, err := socketUnits(c)
	if err != nil {
		return nil, err
	}
	service, err := p.serviceUnit(c, f, sockets)
	if err != nil {
		return nil, err
	}
	switch {
	case f.given("service") == f.given("socket"):
		return append([]unit{service}, sockets...), nil
	case f.given("service"):
		return []unit{service}, nil
	}
	return sockets, nil
}

// socketUnits are one file for each kind of listener, since all addresses in a file have one name.
func socketUnits(c *config.Config) ([]unit, error) {
	var units []unit
	intercept := interceptMode(c).String()
	for _, u := range []struct {
		name, kind string
		listen     []string
	}{
		{"jay.socket", proxy.Explicit.String(), c.Listen},
		{"jay-" + kindTLS + ".socket", kindTLS, c.ListenTLS},
		{"jay-" + intercept + ".socket", intercept, c.Intercept},
	} {
		if len(u.listen) == 0 {
			continue
		}
		text, err := socketUnit(u.kind, u.listen)
		if err != nil {
			return nil, err
		}
		units = append(units, unit{u.name, text})
	}
	return units, nil
}

// socketUnit is the file for the listeners of one kind.
func socketUnit(kind string, listen []string) (string, error) {
	var b strings.Builder
	fmt.Fprintf(&b, "[Unit]\nDescription=Jay's sockets (%s)\n\n[Socket]\n", kind)
	free := false
	for _, address := range listen {
		stream, early, err := listenStream(address)
		if err != nil {
			return "", err
		}
		fmt.Fprintf(&b, "ListenStream=%s\n", stream)
		free = free || !early
	}
	fmt.Fprintf(&b, "FileDescriptorName=%s\nService=jay.service\n", kind)
	if kind == proxy.TProxy.String() {
		b.WriteString("# what TPROXY needs, so that Jay itself needs no capability\nTransparent=yes\n")
	}
	if free {
		b.WriteString("# the address may come later than the socket\nFreeBind=yes\n")
	}
	b.WriteString("\n[Install]\nWantedBy=sockets.target\n")
	return b.String(), nil
}

// listenStream is an address as systemd writes it, and whether every machine has it from the start.
func listenStream(address string) (stream string, early bool, err error) {
	host, port, err := net.SplitHostPort(address)
	switch {
	case err != nil || port == "0":
		return "", false, fmt.Errorf("%s: a socket needs a port of its own", address)
	case host == "":
		return port, true, nil
	case host == "localhost":
		host = "127.0.0.1"
	}
	a, err := netip.ParseAddr(host)
	if err != nil {
		return "", false, fmt.Errorf("%s: systemd takes addresses, not names", address)
	}
	if a.IsUnspecified() {
		return port, true, nil
	}
	return net.JoinHostPort(host, port), a.IsLoopback(), nil
}

// serviceUnit is the file of the service.
func (p *process) serviceUnit(c *config.Config, f *flags, sockets []unit) (unit, error) {
	var names []string
	for _, s := range sockets {
		names = append(names, s.name)
	}
	command, err := p.unitCommandLine(f)
	if err != nil {
		return unit{}, err
	}
	paths, err := unitPaths(c, p.configName(f))
	if err != nil {
		return unit{}, err
	}
	text := strings.NewReplacer(
		"{sockets}", strings.Join(names, " "), "{command}", command, "{environment}", p.unitEnvironment(f),
		"{stop}", fmt.Sprint(int((c.ShutdownTimeout + stopMargin).Seconds())), "{paths}", paths,
	).Replace(serviceText)
	return unit{"jay.service", text}, nil
}

// unitCommandLine starts Jay as the command line of systemd-unit says.
func (p *process) unitCommandLine(f *flags) (string, error) {
	program, err := os.Executable()
	if err != nil || hidden(program) { // where go run and go install put it
		program = "/usr/local/bin/jay"
	}
	args := []string{program, "serve"}
	if name := p.configName(f); name != "" {
		args = append(args, "--config", name)
	}
	for i := range f.options {
		for _, text := range f.texts[f.options[i].Name] {
			args = append(args, "--"+f.options[i].Name+"="+text)
		}
	}
	for i, a := range args {
		args[i] = unitQuote(strings.ReplaceAll(a, "$", "$$"))
	}
	return strings.Join(args, " "), nil
}

// unitEnvironment sets the variables that are set now.
func (p *process) unitEnvironment(f *flags) string {
	var b strings.Builder
	for i := range f.options {
		name := f.options[i].Env()
		if value := p.getenv(name); value != "" {
			fmt.Fprintf(&b, "Environment=%s\n", unitQuote(name+"="+value))
		}
	}
	return b.String()
}
