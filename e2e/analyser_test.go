package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"

	"github.com/jayproxy/jay/e2e/origin"
	"github.com/jayproxy/jay/e2e/process"
	"github.com/jayproxy/jay/e2e/rawhttp"
)

// TestSquidLogAnalyser: Calamaris, which counts what is in Squid's logs, counts the same in Jay's.
func TestSquidLogAnalyser(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("skipped: Calamaris is a Unix program")
	}
	need(t, "calamaris")
	o := startOrigin(t, func(x *origin.Exchange) {
		if x.Path() == "/etag" {
			if x.Req.Fields.Get("If-None-Match") != "" {
				x.Reply("304 Not Modified", rawhttp.F("ETag", `"1"`), "")
				return
			}
			x.Reply("200 OK", rawhttp.F("ETag", `"1"`, "Cache-Control", "no-cache"), "etag")
			return
		}
		x.Reply("200 OK", rawhttp.F("Cache-Control", "max-age=60", "content-type", "text/plain; charset=utf-8"), strings.Repeat("x", 1000))
	})
	name := filepath.Join(t.TempDir(), "access.log")
	binary, err := env.binary()
	must(t, err)
	j, err := process.Start(process.Options{Binary: binary, Log: name, Args: []string{"--log-format", "squid"}})
	must(t, err)
	t.Cleanup(func() { j.Stop() })
	w := waysOf(j)[0]
	for i := range 12 {
		w.do(t, "GET", o.Addr(), fmt.Sprintf("/%d", i%3), nil, "") // 3 misses, 9 hits
	}
	for range 3 {
		w.do(t, "GET", o.Addr(), "/etag", nil, "") // 1 miss, 2 confirmed by the origin
	}
	w.do(t, "POST", o.Addr(), "/post", rawhttp.F("Content-Length", "1"), "x") // a miss
	w.do(t, "GET", process.FreeAddr(), "/", nil, "")                          // an error
	c := w.dial(t, "")
	send(t, c, "CONNECT "+o.Addr()+" HTTP/1.1\r\nHost: x\r\n\r\n") // a tunnel
	if _, err := c.ReadHead("CONNECT"); err != nil {
		t.Fatal(err)
	}
	c.Close()
	must(t, j.Stop())
	stdout, stderr := command(t, "calamaris", "-a", "-F", "unformatted", name)
	for what, want := range map[string]string{
		"lines parsed: lines": "18", "invalid lines: lines": "0", "Total amount: requests": "18", "Total amount cached: requests": "11",
		"HIT": "11", "ERROR": "1", "GET": "16", "POST": "1", "CONNECT": "1", " TCP_MEM_HIT": "9", " TCP_REFRESH_UNMODIFIED": "2", " TCP_TUNNEL": "1", "text/plain": "13",
	} {
		m := regexp.MustCompile(`(?m)^` + what + ` ([0-9]+)\b`).FindStringSubmatch(stdout)
		if m == nil || m[1] != want {
			text, _ := os.ReadFile(name)
			t.Fatalf("%s: got %v; want %s\n%s%s\n%s", what, m, want, stdout, stderr, text)
		}
	}
}
