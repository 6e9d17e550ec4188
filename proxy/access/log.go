package access

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// The formats of [Options].Format.
const (
	Text     = "text"     // for people
	JSON     = "json"     // one object a line
	Squid    = "squid"    // Squid's native format with its result codes
	Combined = "combined" // the combined format of Apache and nginx
)

const (
	flushBytes  = 64 << 10               // a buffer of this size is written at once
	flushDelay  = 200 * time.Millisecond // and any other after this time
	keepBytes   = 1 << 20                // a buffer that outgrew this is given up when it is hardly used
	bufferBytes = 8 << 20                // default of Options.BufferBytes
	patience    = 5 * time.Second        // how long Close and Reopen wait for a slow disk
	reportDelay = 10 * time.Second       // between two reports of lost lines
)

// Options says where and how a [Log] writes. The zero value writes text to standard output.
type Options struct {
	// Path is a file to append to, "-" or empty for Stdout, "off" for nothing, "journald", "syslog" or
	// "syslog://host:port" (UDP) or "syslog+tcp://host:port" for a log daemon. "journald:/path" and "syslog:/path" name the
	// daemon's socket.
	Path        string
	Format      string       // Text, JSON, Squid or Combined; empty: Text
	StripQuery  bool         // leave queries out of URLs
	Stdout      io.Writer    // what "-" means; nil: os.Stdout
	BufferBytes int          // most bytes that wait to be written; 0: 8 MiB
	Logger      *slog.Logger // where lost lines are reported; nil: nowhere
}

// Log is an access log. All methods may be called concurrently; a nil *Log is one that is off.
type Log struct {
	stdout io.Writer
	most   int // bytes that may wait
	logger *slog.Logger
	kick   chan struct{} // wakes the writer at once
	done   chan struct{} // closed when the writer has ended
	typed  atomic.Bool   // lines have the content type

	changing sync.Mutex // held while a change is put in force

	mu       sync.Mutex // guards the rest
	options  Options
	encoder  encoder
	buf      []byte // lines that wait
	rest     []byte // lines that wait and belong to where they went before next
	spare    []byte // the buffer that is not in use
	timer    *time.Timer
	lost     int64
	closed   bool
	next     *target       // not in use yet
	switched chan struct{} // closed when next has come into use

	out      *target   // used by the writer only, like those below
	torn     bool      // the file ends within a line
	reported int64     // lost lines that were reported
	reportAt time.Time // when
	lastErr  error     // of the last failed write
}

// target is where lines go.
type target struct {
	io.Writer
	owned io.Closer // nil: somebody else's
	end   []byte    // of each line
}

// Open opens the log and starts its writer, which [Log.Close] ends. Its error names the file.
func Open(o Options) (*Log, error) {
	l := &Log{
		stdout: o.Stdout, most: max(o.BufferBytes, 0) / 2, logger: o.Logger,
		kick: make(chan struct{}, 1), done: make(chan struct{}),
	}
	if l.most == 0 {
		l.most = bufferBytes / 2 // the other half is the buffer that is being written
	}
	if l.logger == nil {
		l.logger = slog.New(slog.DiscardHandler)
	}
	if l.stdout == nil {
		l.stdout = os.Stdout
	}
	ch, err := l.Prepare(o)
	if err != nil {
		return nil, err
	}
	l.options, l.encoder, l.out = ch.options, ch.encoder, ch.target
	l.typed.Store(l.encoder.format == Squid)
	l.timer = time.NewTimer(flushDelay)
	go l.run()
	return l, nil
}

// open opens the file for appending. Others may not read it: URLs are private.
func open(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o640)
	if err != nil {
		return nil, fmt.Errorf("access log: %w", err)
	}
	return f, nil
}

// Enabled reports whether records are written at all.
func (l *Log) Enabled() bool {
	if l == nil {
		return false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.options.Path != "off"
}

// HasContentType reports whether lines show [Record].ContentType, which it takes some time to find.
func (l *Log) HasContentType() bool { return l != nil && l.typed.Load() }

// Write adds a line for r. It neither blocks nor allocates: when too many bytes wait to be written, the line is
// dropped and counted. r is not retained.
func (l *Log) Write(r *Record) {
	if l == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.options.Path == "off" {
		return
	}
	before := len(l.buf)
	if l.closed || len(l.rest)+before+l.encoder.room() > l.most {
		l.lost++
		return
	}
	l.buf = l.encoder.append(l.buf, r)
	if before == 0 {
		l.timer.Reset(flushDelay)
	}
	if before < flushBytes && len(l.buf) >= flushBytes {
		l.wake()
	}
}

// wake makes the writer look at the buffer at once.
func (l *Log) wake() {
	select {
	case l.kick <- struct{}{}:
	default:
	}
}

// Close writes what is buffered and closes the file. It fails when that takes more than 5 s. Later records are
// counted as dropped.
func (l *Log) Close() error {
	if l == nil {
		return nil
	}
	l.mu.Lock()
	l.closed = true
	l.wake()
	l.mu.Unlock()
	if !wait(l.done) {
		return errors.New("access log: the last lines could not be written in time")
	}
	return nil
}

// wait waits for c, but not for ever.
func wait(c <-chan struct{}) bool {
	t := time.NewTimer(patience)
	defer t.Stop()
	select {
	case <-c:
		return true
	case <-t.C:
		return false
	}
}

// Dropped returns how many lines were lost so far, to a full buffer or a failing disk.
func (l *Log) Dropped() int64 {
	if l == nil {
		return 0
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.lost
}

// run is the writer.
func (l *Log) run() {
	defer close(l.done)
	for {
		select {
		case <-l.kick:
		case <-l.timer.C:
		}
		if l.flush() {
			l.timer.Stop()
			return
		}
	}
}

// flush writes what waits, puts a reopened file in place, and reports whether the log is closed.
func (l *Log) flush() (closed bool) {
	l.mu.Lock()
	rest, full := l.rest, l.buf
	l.rest, l.buf, l.spare = nil, l.spare[:0], nil
	next, switched, closed := l.next, l.switched, l.closed
	l.next, l.switched = nil, nil
	l.mu.Unlock()

	lost := l.write(rest)
	if next != nil {
		l.close()
		l.out, l.torn = next, false
		close(switched)
	}
	lost += l.write(full)
	if cap(full) > keepBytes && len(full) < cap(full)/8 {
		full = nil
	}
	if closed {
		l.close()
	}

	l.mu.Lock()
	l.spare = full[:0]
	l.lost += lost
	lost = l.lost
	l.mu.Unlock()
	l.report(lost, closed)
	return closed
}

// write writes whole lines and returns how many of them were lost. A line that was cut off by an error is ended
// before the next one, so that only itself is damaged.
func (l *Log) write(lines []byte) (lost int64) {
	if len(lines) == 0 {
		return 0
	}
	if l.torn {
		if _, err := l.out.Write([]byte("\n")); err != nil {
			l.lastErr = err
			return int64(bytes.Count(lines, l.out.end))
		}
		l.torn = false
	}
	n, err := l.out.Write(lines)
	if err == nil {
		return 0
	}
	l.lastErr = err
	l.torn = n > 0 && lines[n-1] != '\n'
	return int64(bytes.Count(lines[n:], l.out.end))
}

// close closes what the lines went to.
func (l *Log) close() {
	if err := l.out.close(); err != nil {
		l.lastErr = err
	}
}

// close closes the file, or the connection to a daemon; standard output is left alone.
func (t *target) close() error {
	if t.owned == nil {
		return nil
	}
	return t.owned.Close()
}

// report says that lines were lost, not more often than people can read.
func (l *Log) report(lost int64, last bool) {
	if lost == l.reported || !last && time.Since(l.reportAt) < reportDelay {
		return
	}
	l.logger.Warn("access log: lines lost", "lines", lost-l.reported, "total", lost, "error", l.lastErr)
	l.reported, l.reportAt, l.lastErr = lost, time.Now(), nil
}
