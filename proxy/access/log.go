package access

import (
	"io"
	"log/slog"
)

// The formats of [Options].Format.
const (
	Text     = "text"     // for people
	JSON     = "json"     // one object a line
	Squid    = "squid"    // Squid's native format with its result codes
	Combined = "combined" // the combined format of Apache and nginx
)

// Options says where and how a [Log] writes. The zero value writes text to standard output.
type Options struct {
	Path        string       // file to append to; "-" or empty: Stdout; "off": write nothing
	Format      string       // Text, JSON, Squid or Combined; empty: Text
	StripQuery  bool         // leave queries out of URLs
	Stdout      io.Writer    // what "-" means; nil: os.Stdout
	BufferBytes int          // most bytes that wait to be written; 0: 4 MiB
	Logger      *slog.Logger // where lost lines are reported; nil: nowhere
}

// Log is an access log. All methods may be called concurrently; a nil *Log is one that is off.
type Log struct{}

// Open opens the log. Its error names the file.
func Open(o Options) (*Log, error) { panic("unfinished") }

// Enabled reports whether records are written at all.
func (l *Log) Enabled() bool { panic("unfinished") }

// Write adds a line for r.
func (l *Log) Write(r *Record) { panic("unfinished") }

// Reopen opens the file anew, after it was moved away.
func (l *Log) Reopen() error { panic("unfinished") }

// Close writes what is buffered and closes the file.
func (l *Log) Close() error { panic("unfinished") }

// Dropped returns how many lines were lost so far.
func (l *Log) Dropped() int64 { panic("unfinished") }
