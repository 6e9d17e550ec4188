package e2e

import (
	"fmt"
	"io"
	"runtime"
	"strconv"
	"testing"
	"time"

	"github.com/jayproxy/jay/e2e/origin"
	"github.com/jayproxy/jay/e2e/rawhttp"
)

// largeSize is more than 32 bits can count.
const largeSize = 4<<30 + 5

// TestFidelity_4GiB: a body of 4 GiB passes each way, in bounded memory.
func TestFidelity_4GiB(t *testing.T) {
	o := startOrigin(t, func(x *origin.Exchange) {
		if x.Req.Method == "PUT" {
			n, err := io.CopyBuffer(io.Discard, struct{ io.Reader }{discardSum{x}}, make([]byte, 1<<20))
			if err == nil {
				x.Reply("200 OK", nil, fmt.Sprint(n))
			}
			return
		}
		x.Head("200 OK", rawhttp.F("Content-Length", strconv.Itoa(largeSize), "Cache-Control", "max-age=600"))
		writeZeros(x, largeSize)
	})
	j := startJay(t)
	eachWay(t, j, func(t *testing.T, w way) {
		if w.transparent { // one direction each is enough: the paths behind the listeners are the same
			largeUpload(t, w, o)
		} else {
			largeDownload(t, w, o)
		}
	})
	if runtime.GOOS == "linux" {
		if _, peak, err := j.Memory(); err != nil || peak > 250<<20 {
			t.Errorf("got peak memory %d MiB, %v; want at most 250", peak>>20, err)
		}
	}
}

// discardSum reads a request body without the origin's checksum.
type discardSum struct{ x *origin.Exchange }

// Read implements io.Reader.
func (d discardSum) Read(p []byte) (int, error) { return d.x.ReadRaw(p) }

func writeZeros(w io.Writer, n int64) {
	buf := make([]byte, 1<<20)
	for n > 0 {
		m, err := w.Write(buf[:min(n, int64(len(buf)))])
		if n -= int64(m); err != nil {
			return
		}
	}
}

func largeDownload(t *testing.T, w way, o *origin.Origin) {
	began := time.Now()
	c := w.dial(t, o.Addr())
	send(t, c, w.get(o.Addr(), "/", nil))
	resp, err := c.ReadFinal("GET")
	must(t, err)
	n, err := io.CopyBuffer(io.Discard, struct{ io.Reader }{c.Body(resp)}, make([]byte, 1<<20))
	if n != largeSize || err != nil {
		t.Errorf("got %d bytes, %v; want %d", n, err, int64(largeSize))
	}
	t.Logf("4 GiB down in %v", time.Since(began))
}

func largeUpload(t *testing.T, w way, o *origin.Origin) {
	began := time.Now()
	c := w.dial(t, o.Addr())
	send(t, c, rawhttp.Request("PUT", w.target(o.Addr(), "/"), rawhttp.F("Host", o.Addr(), "Content-Length", strconv.Itoa(largeSize)), ""))
	_ = c.SetWriteDeadline(time.Now().Add(5 * time.Minute))
	writeZeros(c, largeSize)
	if resp := receive(t, c, "PUT"); string(resp.Body) != strconv.Itoa(largeSize) {
		t.Errorf("origin read %s; want %d bytes", resp, int64(largeSize))
	}
	t.Logf("4 GiB up in %v", time.Since(began))
}
