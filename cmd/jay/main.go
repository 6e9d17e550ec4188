// Command jay is a caching HTTP proxy for clients that are told to use it and for clients that are not.
//
// It takes its settings from flags, JAY_… variables and one YAML file, in that order of precedence; see jay help.
// Exit codes are 0 for success, 1 for a failure at run time and 2 for a command line or configuration that is wrong.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/jayproxy/jay/config"
	"github.com/jayproxy/jay/tunnel/netfilter"
)

// The exit codes besides 0.
const (
	codeFailure = 1
	codeUsage   = 2
)

// process is what the program knows of its surroundings, so that tests can give it others.
type process struct {
	getenv         func(string) string
	environ        func() []string // name=value of all variables
	stdout, stderr io.Writer
	host           func() config.Host
	notify         func(chan<- os.Signal) // asks for the signals that a server obeys
	filter         *netfilter.Host
	manager        manager // whoever started the process as a service
}

func main() {
	p := &process{
		getenv: os.Getenv, environ: os.Environ, stdout: os.Stdout, stderr: os.Stderr,
		host:    host,
		notify:  notify,
		filter:  netfilter.This(),
		manager: systemd(),
	}
	os.Exit(p.run(context.Background(), os.Args[1:]))
}

// host measures the machine. The Go runtime has already raised the soft descriptor limit to the hard one.
func host() config.Host {
	return config.Host{
		Memory:      config.MemoryLimit(os.DirFS("/"), os.Getenv("GOMEMLIMIT")),
		Descriptors: descriptorLimit(),
	}
}

// notify passes on the signals to drain and to reopen logs. A log's reader that goes away must not end the proxy, as it
// would by default (SIGPIPE).
func notify(c chan<- os.Signal) {
	signal.Ignore(syscall.SIGPIPE)
	signal.Notify(c, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
}

// run runs the program with the arguments behind its name and returns the exit code. The end of ctx has the same effect
// as SIGTERM.
func (p *process) run(ctx context.Context, args []string) int {
	err := newApp(p).RunContext(ctx, append([]string{"jay"}, flagsFirst(args)...))
	if err == nil {
		return 0
	}
	var e *exitError
	if !errors.As(err, &e) {
		e = &exitError{code: codeFailure, err: err}
	}
	for line := range strings.Lines(e.err.Error()) {
		fmt.Fprintf(p.stderr, "jay: %s\n", strings.TrimSuffix(line, "\n"))
	}
	return e.code
}

// exitError is an error with the exit code that it leads to.
type exitError struct {
	code int
	err  error
}

// Error implements error.
func (e *exitError) Error() string { return e.err.Error() }

// Unwrap gives errors.Is and errors.As the cause.
func (e *exitError) Unwrap() error { return e.err }

// usagef makes the error of a wrong command line.
func usagef(format string, args ...any) error {
	return &exitError{code: codeUsage, err: fmt.Errorf(format, args...)}
}
