package process

import (
	"bytes"
	"encoding/json"
	"fmt"
	"sync"
	"time"
)

// Entry is one line of the access log.
type Entry map[string]any

// String returns the entry's member as text, "" if it is absent.
func (e Entry) String(member string) string {
	v, ok := e[member]
	if !ok || v == nil {
		return ""
	}
	return fmt.Sprint(v)
}

// log is the process's stdout: whole lines of JSON.
type log struct {
	mu      sync.Mutex
	rest    []byte
	entries []Entry
	bad     []string
}

// Write implements io.Writer.
func (l *log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.rest = append(l.rest, p...)
	for {
		line, rest, ok := bytes.Cut(l.rest, []byte("\n"))
		if !ok {
			return len(p), nil
		}
		var e Entry
		if err := json.Unmarshal(line, &e); err != nil {
			l.bad = append(l.bad, string(line))
		} else {
			l.entries = append(l.entries, e)
		}
		l.rest = rest
	}
}

// Log returns the entries of the access log so far.
func (j *Jay) Log() []Entry {
	j.log.mu.Lock()
	defer j.log.mu.Unlock()
	return append([]Entry(nil), j.log.entries...)
}

// BadLog returns the lines of stdout that are not JSON.
func (j *Jay) BadLog() []string {
	j.log.mu.Lock()
	defer j.log.mu.Unlock()
	return append([]string(nil), j.log.bad...)
}

// WaitLog waits up to 10 s for an entry that matches, since lines are written
// a moment after the exchange they tell of.
func (j *Jay) WaitLog(match func(Entry) bool) (Entry, bool) {
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		for _, e := range j.Log() {
			if match(e) {
				return e, true
			}
		}
		if time.Now().After(deadline) {
			return nil, false
		}
	}
}
