package access_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/jayproxy/jay/proxy/access"
)

// linesOf are the lines of a file; none if there is no file.
func linesOf(t *testing.T, path string) []string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	return strings.SplitAfter(string(b), "\n")[:bytes.Count(b, []byte("\n"))]
}

// change puts other options in force.
func change(t *testing.T, l *access.Log, o access.Options) {
	t.Helper()
	ch, err := l.Prepare(o)
	if err != nil {
		t.Fatal(err)
	}
	ch.Commit()
}

// TestChange checks that each line goes where and looks as the options in force when it was written say.
func TestChange(t *testing.T) {
	dir := t.TempDir()
	a, b := filepath.Join(dir, "a"), filepath.Join(dir, "b")
	var out bytes.Buffer
	l, err := access.Open(access.Options{Path: "off", Stdout: &out})
	if err != nil {
		t.Fatal(err)
	}
	steps := []access.Options{
		{Path: a}, {Path: a, Format: access.JSON}, {Path: b, Format: access.Squid, StripQuery: true}, {Path: "off"}, {Path: "-"}, {Path: b},
	}
	l.Write(record(9))
	for i, o := range steps {
		change(t, l, o)
		if l.Enabled() != (o.Path != "off") {
			t.Errorf("%+v: got Enabled %v", o, l.Enabled())
		}
		l.Write(record(i))
	}
	if err := l.Close(); err != nil || l.Dropped() != 0 {
		t.Errorf("Close() = %v, %d lines dropped; want none", err, l.Dropped())
	}
	for path, want := range map[string][]string{a: {"/0 ", `/1"`}, b: {"/2 ", "/5 "}} {
		got := linesOf(t, path)
		for i := range want {
			if len(got) != len(want) || !strings.Contains(got[i], want[i]) {
				t.Errorf("%s: got %q; want lines with %q", filepath.Base(path), got, want)
				break
			}
		}
	}
	if got := out.String(); strings.Count(got, "\n") != 1 || !strings.Contains(got, "/4 ") {
		t.Errorf("standard output: got %q; want the line of /4", got)
	}
}

// TestChange_fails checks that nothing changes before a change is put in force, and that a discarded one leaves nothing open.
func TestChange_fails(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a")
	l, err := access.Open(access.Options{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := l.Prepare(access.Options{Path: filepath.Join(dir, "no", "b")}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v; want that there is no such directory", err)
	}
	if _, err := l.Prepare(access.Options{Path: path, Format: "xml"}); err == nil {
		t.Error("a format that is none was taken")
	}
	before, _ := os.ReadDir("/proc/self/fd")
	ch, err := l.Prepare(access.Options{Path: filepath.Join(dir, "b"), Format: access.JSON})
	if err != nil {
		t.Fatal(err)
	}
	l.Write(record(1))
	ch.Discard()
	if after, _ := os.ReadDir("/proc/self/fd"); len(after) != len(before) {
		t.Errorf("got %d descriptors; want %d", len(after), len(before))
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
	if got := linesOf(t, path); len(got) != 1 || !strings.Contains(got[0], "/1 ") {
		t.Errorf("got %q; want the line in the old file and format", got)
	}
}

// TestChange_concurrent checks that no line is lost while writers meet changes, and that each file has one format.
func TestChange_concurrent(t *testing.T) {
	dir := t.TempDir()
	text, json := filepath.Join(dir, "text"), filepath.Join(dir, "json")
	l, err := access.Open(access.Options{Path: text})
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for i := range 1000 {
				l.Write(record(i))
			}
		})
		all.Go(func() {
			for range 5 {
				change(t, l, access.Options{Path: json, Format: access.JSON})
				change(t, l, access.Options{Path: text})
			}
		})
	}
	all.Wait()
	if err := l.Close(); err != nil {
		t.Error(err)
	}
	for _, line := range linesOf(t, json) {
		if line[0] != '{' {
			t.Fatalf("got %q among JSON", line)
		}
	}
	for _, line := range linesOf(t, text) {
		if line[0] == '{' {
			t.Fatalf("got %q among text", line)
		}
	}
	if n := len(linesOf(t, text)) + len(linesOf(t, json)); n != 4000 || l.Dropped() != 0 {
		t.Errorf("got %d lines and %d dropped; want 4000 and 0", n, l.Dropped())
	}
}
