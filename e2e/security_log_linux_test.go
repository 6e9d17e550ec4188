package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jayproxy/jay/e2e/origin"
	"github.com/jayproxy/jay/e2e/process"
)

// TestLogBlocked: a log that nobody reads, or a disk that is full, holds nobody
// up and costs lines alone (F5).
func TestLogBlocked(t *testing.T) {
	t.Parallel()
	fifo := filepath.Join(t.TempDir(), "fifo")
	must(t, syscall.Mkfifo(fifo, 0o600))
	reader, err := os.OpenFile(fifo, os.O_RDWR, 0) // it has a reader, which does not read
	must(t, err)
	defer reader.Close()
	o := startOrigin(t, func(x *origin.Exchange) { x.OK("fine") })
	for _, file := range []string{"/dev/full", fifo} {
		j := startJayWith(t, process.Options{Log: file, Args: []string{"--shutdown-timeout", "2s"}})
		for _, w := range waysOf(j) {
			c := w.dial(t, o.Addr())
			began := time.Now()
			for i := range 2000 {
				send(t, c, w.get(o.Addr(), fmt.Sprintf("/%d?%s", i%10, strings.Repeat("x", 200)), nil))
				if resp := receive(t, c, "GET"); resp.Code != 200 {
					t.Fatalf("%s: got %v", file, resp)
				}
			}
			if d := time.Since(began); d > patient(20*time.Second) {
				t.Errorf("%s: 2,000 requests took %v", file, d)
			}
			c.Close()
		}
		if file == "/dev/full" && !strings.Contains(j.Stderr(), "no space left") {
			t.Error("stderr does not say that the disk is full")
		}
	}
}
