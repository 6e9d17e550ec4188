package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/jayproxy/jay/proxy"
	"github.com/jayproxy/jay/proxy/access"
	"github.com/jayproxy/jay/proxy/admin"
)

// someView is what jay top has seen after some busy seconds, with hosts and URLs that mean no good.
func someView() *view {
	start := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	v := &view{address: "127.0.0.1:3127", utf8: true}
	for i, n := range []int64{0, 10, 40, 120, 60, 100, 0, 200} {
		f := v.now
		f.Version, f.Started, f.Now, f.Uptime = "v1.2.3", start, start.Add(time.Duration(3600+i)*time.Second), proxy.Seconds(3600+i)
		f.Requests, f.Hits, f.BytesOut, f.BytesHit = f.Requests+n+2, f.Hits+n/2, f.BytesOut+n*40_000, f.BytesHit+n*10_000
		f.HitRatio, f.ByteHitRatio, f.Failures, f.Connections, f.OpenTunnels, f.Memory = 0.492, 0.25, 3, 17, 4, 312<<20
		f.Cache = admin.CacheFigures{Entries: 12345, Bytes: 1 << 30, Overhead: 100 << 20, MaxBytes: 4 << 30}
		f.Decisions = []admin.DecisionFigures{
			{Decision: access.Hit, Count: 270, P50: 0.000_12, P99: 0.000_9}, {Decision: access.Miss, Count: 260, P50: 0.034, P99: 1.2},
		}
		v.add(&f, &admin.Latest{})
	}
	for i := range 20 {
		v.latest.Hosts = append(v.latest.Hosts, proxy.HostFigures{Host: fmt.Sprintf("host%d.example", i), Requests: int64(1000 - i), Hits: int64(500 - 20*i), Bytes: int64(i) << 20})
	}
	v.latest.Hosts[1].Host = "evil\x1b[2J\r\n日本.example"
	v.latest.Hosts[2].Host = strings.Repeat("long-", 30) + ".example"
	decisions := []access.Decision{access.Hit, access.Miss, access.Denied, access.Failed, access.Tunnel}
	for i := range 60 {
		r := proxy.Finished{
			Time: v.now.Now.Add(-time.Duration(i) * time.Second), Duration: proxy.Seconds(i) / 100, Method: "GET", URL: fmt.Sprintf("http://host%d.example/page?%d", i, i),
			Status: 200, BytesOut: int64(i) * 1000, Decision: decisions[i%len(decisions)], Reason: "explicit-freshness",
		}
		v.latest.Recent = append(v.latest.Recent, r)
	}
	v.latest.Recent[1].URL = "http://x.example/\x1b]0;title\x07\u202e\t日本語" + strings.Repeat("/very-long", 40)
	v.latest.Recent[2].Rule, v.latest.Recent[2].Status = "no-ads", 403
	v.latest.Recent[4].Status, v.latest.Recent[4].Method, v.latest.Recent[4].URL = 0, "CONNECT", "host4.example:443"
	return v
}

// text is the screen as text.
func text(rows []row) string {
	var b strings.Builder
	for _, r := range rows {
		b.WriteString(strings.TrimRight(r.text, " ") + "\n")
	}
	return b.String()
}

// TestTopScreen compares screens of several sizes with what they are meant to look like.
func TestTopScreen(t *testing.T) {
	ascii := someView()
	ascii.utf8 = false
	trouble := someView()
	trouble.trouble = "no Jay answers at 127.0.0.1:3127\x1b[31m"
	fresh := &view{address: "unix:/run/jay.sock", utf8: true}
	fresh.add(&admin.Figures{Version: "(devel)", Now: time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)}, &admin.Latest{})
	tests := []struct {
		name          string
		v             *view
		width, height int
	}{
		{"80x24", someView(), 80, 24}, {"132x43", someView(), 132, 43}, {"40x12", someView(), 40, 12}, {"ascii", ascii, 80, 24},
		{"trouble", trouble, 80, 24}, {"fresh", fresh, 80, 24},
	}
	for _, tt := range tests {
		got := text(tt.v.render(tt.width, tt.height))
		golden := filepath.Join("testdata", "top-"+tt.name+".txt")
		if *update {
			if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(golden)
		if err != nil {
			t.Fatal(err)
		}
		if got != string(want) {
			t.Errorf("%s: got\n%s\nwant\n%s", tt.name, got, want)
		}
	}
}

// TestTopFits checks that nothing is ever drawn beyond the terminal, nor anything that moves its cursor.
func TestTopFits(t *testing.T) {
	v := someView()
	v.trouble = "no answer"
	for width := range 200 {
		for _, height := range []int{0, 1, 2, 5, 9, 10, 11, 12, 13, 14, 15, 16, 17, 24, 50, 200} {
			rows := v.render(width, height)
			if len(rows) > height {
				t.Fatalf("%dx%d: %d rows", width, height, len(rows))
			}
			for _, r := range rows {
				if n := utf8.RuneCountInString(r.text); n > width {
					t.Fatalf("%dx%d: %d columns: %q", width, height, n, r.text)
				}
				for _, c := range r.text {
					if (c < ' ' || c >= 0x7f) && !strings.ContainsRune("µ▁▂▃▄▅▆▇█", c) {
						t.Fatalf("%dx%d: %q holds %q", width, height, r.text, c)
					}
				}
			}
		}
	}
}

// TestTopRestart checks that figures of a Jay that was started again are no negative speeds.
func TestTopRestart(t *testing.T) {
	v := someView()
	again := admin.Figures{Started: v.now.Now, Now: v.now.Now.Add(time.Second), Requests: 1}
	v.add(&again, &admin.Latest{})
	if got := v.requestRate(); got != 0 || len(v.speeds) != 0 {
		t.Errorf("got %v, %v; want nothing to compare with", got, v.speeds)
	}
	again.Now, again.Requests = again.Now.Add(2*time.Second), 11
	v.add(&again, &admin.Latest{})
	if got := v.requestRate(); got != 5 || len(v.speeds) != 1 {
		t.Errorf("got %v, %v; want 5", got, v.speeds)
	}
}

// TestTopLines checks what there is where standard output is no terminal.
func TestTopLines(t *testing.T) {
	origin := cacheable(t)
	r := start(t, "--admin", "127.0.0.1:0", "--access-log", "off")
	at := "--admin=" + r.adminAddr(t)
	get(t, r.client(t), origin+"/a")
	for args, lines := range map[string]int{"--once": 2, "-n 3": 4, "--count=2": 3} {
		code, out, errOut := jay(t, append([]string{"top", at, "--interval=100ms"}, strings.Fields(args)...)...)
		if code != 0 || errOut != "" || strings.Count(out, "\n") != lines || !strings.HasPrefix(out, lineHead) || strings.Contains(out, "\x1b") {
			t.Errorf("jay top %s: exit %d, %q, %q; want a heading and %d lines", args, code, errOut, out, lines-1)
		}
	}
	code, out, errOut := jay(t, "top", "--once", "--admin", "127.0.0.1:1")
	if code != 1 || out != "" || !strings.Contains(errOut, "no Jay answers at 127.0.0.1:1") {
		t.Errorf("without a Jay: exit %d, %q, %q; want 1 and why", code, out, errOut)
	}
}

func TestTopFlags(t *testing.T) {
	for _, tt := range []struct{ args, want string }{
		{"--interval 5", `--interval: "5" is not a duration of at least 100ms; write 2s`},
		{"--interval 1ms", `--interval: "1ms" is not a duration of at least 100ms; write 2s`},
		{"-n 0", `-n: "0" is not a number of lines`},
		{"--count x", `-n: "x" is not a number of lines`},
		{"now", `top takes no arguments, but there is "now"`},
	} {
		var p test
		code := p.run(t, append([]string{"top"}, strings.Fields(tt.args)...)...)
		if got, want := p.stderr.String(), "jay: "+tt.want+"\n"; code != 2 || got != want {
			t.Errorf("jay top %s: exit %d, %q; want 2, %q", tt.args, code, got, want)
		}
	}
}
