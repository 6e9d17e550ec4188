package main

import (
	"context"
	"io"
	"log/slog"
	"sync/atomic"

	"github.com/jayproxy/jay/config"
	"github.com/jayproxy/jay/proxy/access"
)

// messages is a handler of log records in whose place another one can be put.
type messages struct{ current atomic.Pointer[slog.Handler] }

// set puts in force what a configuration says about messages: their least level, and JSON where the access log is.
func (m *messages) set(w io.Writer, c *config.Config) {
	var o slog.HandlerOptions
	switch c.LogLevel {
	case "debug":
		o.Level = slog.LevelDebug
	case "warn":
		o.Level = slog.LevelWarn
	case "error":
		o.Level = slog.LevelError
	}
	var h slog.Handler = slog.NewTextHandler(w, &o)
	if c.LogFormat == access.JSON {
		h = slog.NewJSONHandler(w, &o)
	}
	m.current.Store(&h)
}

func (m *messages) handler() slog.Handler { return *m.current.Load() }

// Enabled implements slog.Handler.
func (m *messages) Enabled(ctx context.Context, l slog.Level) bool {
	return m.handler().Enabled(ctx, l)
}

// Handle implements slog.Handler.
func (m *messages) Handle(ctx context.Context, r slog.Record) error {
	return m.handler().Handle(ctx, r)
}

// WithAttrs implements slog.Handler. What it returns stays as it is.
func (m *messages) WithAttrs(a []slog.Attr) slog.Handler { return m.handler().WithAttrs(a) }

// WithGroup implements slog.Handler. What it returns stays as it is.
func (m *messages) WithGroup(name string) slog.Handler { return m.handler().WithGroup(name) }
