package access_test

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jayproxy/jay/proxy/access"
)

func Example() {
	log, err := access.Open(access.Options{Path: "-"})
	if err != nil {
		panic(err)
	}
	log.Write(&access.Record{
		Time: time.Date(2026, 10, 5, 12, 0, 0, 0, time.UTC), Duration: 150 * time.Microsecond,
		Method: "GET", URL: "http://example.com/", Status: 200, BytesOut: 1256, Decision: access.Hit, Reason: "fresh",
	})
	if err := log.Close(); err != nil {
		panic(err)
	}
	// Output: 2026-10-05T12:00:00.000Z - GET http://example.com/ 200 1256 0.150ms hit fresh
}

func record(n int) *access.Record { return &access.Record{URL: fmt.Sprintf("http://h/%d", n)} }

func TestOpenErrors(t *testing.T) {
	if _, err := access.Open(access.Options{Format: "xml"}); err == nil || err.Error() != `access log: "xml" is not a format` {
		t.Errorf("Open with an unknown format = %v", err)
	}
	path := filepath.Join(t.TempDir(), "none", "log")
	if _, err := access.Open(access.Options{Path: path}); !errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), path) {
		t.Errorf("Open(%s) = %v; want the path and what is wrong", path, err)
	}
}

func TestOff(t *testing.T) {
	off, err := access.Open(access.Options{Path: "off"})
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range []*access.Log{off, nil} {
		l.Write(record(1))
		if l.Enabled() || l.Dropped() != 0 || l.Reopen() != nil || l.Close() != nil {
			t.Error("a log that is off does something")
		}
	}
}

// gate is a writer that is as slow as the test wants.
type gate struct {
	mu   sync.Mutex
	got  bytes.Buffer
	open chan struct{} // each write takes one value; closed: no waiting
}

func (g *gate) Write(p []byte) (int, error) {
	<-g.open
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.got.Write(p)
}

func (g *gate) String() string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.got.String()
}

func TestFlushDelay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &gate{open: make(chan struct{})}
		close(g.open)
		l, err := access.Open(access.Options{Stdout: g})
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour)
		l.Write(record(1))
		time.Sleep(199 * time.Millisecond)
		synctest.Wait()
		if got := g.String(); got != "" {
			t.Errorf("written before 200 ms: %q", got)
		}
		time.Sleep(time.Millisecond)
		synctest.Wait()
		if got := strings.Count(g.String(), "\n"); got != 1 {
			t.Errorf("%d lines after 200 ms; want 1", got)
		}
		for n := range 2000 { // more than 64 KiB
			l.Write(record(n))
		}
		synctest.Wait()
		if got := strings.Count(g.String(), "\n"); got < 1000 {
			t.Errorf("%d lines at once; want a full buffer", got)
		}
		if err := l.Close(); err != nil {
			t.Error(err)
		}
		if got := strings.Count(g.String(), "\n"); got != 2001 {
			t.Errorf("%d lines after Close; want 2001", got)
		}
		l.Write(record(0))
		if got := l.Dropped(); got != 1 {
			t.Errorf("%d lines dropped after Close; want 1", got)
		}
	})
}

// TestSlowWriter_F5 checks that a blocked disk costs lines, never time or memory, and that the loss is reported.
func TestSlowWriter_F5(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var said bytes.Buffer
		g := &gate{open: make(chan struct{})}
		l, err := access.Open(access.Options{Stdout: g, BufferBytes: 256 << 10, Logger: slog.New(slog.NewTextHandler(&said, nil))})
		if err != nil {
			t.Fatal(err)
		}
		const n = 20000
		for i := range n {
			l.Write(record(i))
		}
		dropped := l.Dropped()
		if dropped == 0 {
			t.Errorf("nothing dropped although nothing is read")
		}
		close(g.open)
		if err := l.Close(); err != nil {
			t.Error(err)
		}
		if got := int64(strings.Count(g.String(), "\n")); got+dropped != n || len(g.String()) > 256<<10 {
			t.Errorf("%d lines written in %d bytes and %d dropped; want %d in all, at most 256 KiB", got, g.got.Len(), dropped, n)
		}
		if got := said.String(); !strings.Contains(got, fmt.Sprintf("total=%d", dropped)) {
			t.Errorf("reported %q; want total=%d", got, dropped)
		}
	})
}

func TestCloseOfBlockedWriter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &gate{open: make(chan struct{})}
		l, err := access.Open(access.Options{Stdout: g})
		if err != nil {
			t.Fatal(err)
		}
		l.Write(record(1))
		start := time.Now()
		if err := l.Close(); err == nil || time.Since(start) != 5*time.Second {
			t.Errorf("Close = %v after %v; want an error after 5 s", err, time.Since(start))
		}
		close(g.open)
	})
}

// full is a disk that takes a few bytes, then none until space is made.
type full struct {
	got   bytes.Buffer
	space int
}

func (f *full) Write(p []byte) (int, error) {
	n := min(len(p), f.space)
	f.space -= n
	f.got.Write(p[:n])
	if n < len(p) {
		return n, errors.New("no space left on device")
	}
	return n, nil
}

func TestFullDisk_F5(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var said bytes.Buffer
		f := &full{space: 100}
		l, err := access.Open(access.Options{Format: access.Squid, Stdout: f, Logger: slog.New(slog.NewTextHandler(&said, nil))})
		if err != nil {
			t.Fatal(err)
		}
		step := func(n int) {
			l.Write(record(n))
			time.Sleep(time.Second)
			synctest.Wait()
		}
		step(1)
		step(2) // cut off
		step(3) // lost
		f.space = 1 << 20
		step(4)
		if got := l.Dropped(); got != 2 {
			t.Errorf("%d lines dropped; want 2", got)
		}
		if got := strings.Count(said.String(), "no space left"); got != 1 {
			t.Errorf("reported %q; want once within 10 s", said.String())
		}
		if err := l.Close(); err != nil {
			t.Error(err)
		}
		got := strings.Split(strings.TrimSuffix(f.got.String(), "\n"), "\n")
		if len(got) != 3 || !strings.Contains(got[0], "/1 ") || !strings.Contains(got[2], "/4 ") {
			t.Errorf("the file is %q; want line 1, a torn one and line 4", got)
		}
	})
}

func TestReopen(t *testing.T) {
	dir := t.TempDir()
	path, old := filepath.Join(dir, "log"), filepath.Join(dir, "log.1")
	l, err := access.Open(access.Options{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	l.Write(record(1))
	if err := os.Rename(path, old); err != nil {
		t.Fatal(err)
	}
	if err := l.Reopen(); err != nil {
		t.Fatal(err)
	}
	l.Write(record(2))
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{old: "/1 ", path: "/2 "} {
		got, err := os.ReadFile(name)
		if err != nil || strings.Count(string(got), "\n") != 1 || !strings.Contains(string(got), want) {
			t.Errorf("%s holds %q, %v; want one line with %q", filepath.Base(name), got, err, want)
		}
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm()&0o007 != 0 {
		t.Errorf("others may read the log: %v, %v", info, err)
	}
}

func TestReopenFails(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "d")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	l, err := access.Open(access.Options{Path: filepath.Join(dir, "log")})
	if err != nil {
		t.Fatal(err)
	}
	moved := dir + ".moved"
	if err := os.Rename(dir, moved); err != nil {
		t.Fatal(err)
	}
	if err := l.Reopen(); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("Reopen = %v; want that the directory is gone", err)
	}
	l.Write(record(1))
	if err := l.Close(); err != nil {
		t.Error(err)
	}
	if got, err := os.ReadFile(filepath.Join(moved, "log")); err != nil || !strings.Contains(string(got), "/1 ") {
		t.Errorf("the old file holds %q, %v; want the line", got, err)
	}
}

// TestConcurrent lets writers, reopeners and a closer meet; the race detector watches.
func TestConcurrent(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	l, err := access.Open(access.Options{Path: path, Format: access.JSON})
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for i := range 500 {
				l.Write(record(i))
			}
		})
		all.Go(func() {
			for range 5 {
				if err := l.Reopen(); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	if err := errors.Join(l.Close(), l.Close()); err != nil {
		t.Error(err)
	}
	got, err := os.ReadFile(path)
	if err != nil || strings.Count(string(got), "\n") != 2000 || l.Dropped() != 0 {
		t.Errorf("%d lines and %d dropped, %v; want 2000 and 0", strings.Count(string(got), "\n"), l.Dropped(), err)
	}
}
