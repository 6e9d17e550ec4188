package proxy

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// crowd has n clients ask for a URL at once, each with the lines that fields (may be nil) gives it.
func crowd(w *world, n int, url string, fields func(i int) []string) []*answer {
	w.t.Helper()
	answers := make([]*answer, n)
	var wg sync.WaitGroup
	for i := range n {
		var lines []string
		if fields != nil {
			lines = fields(i)
		}
		c := w.client()
		wg.Go(func() {
			answers[i] = c.get(url, lines...)
			c.Close()
		})
	}
	wg.Wait()
	return answers
}

// TestStampede_D6 checks that many clients and one missing response make one fetch, and that each gets its own where it
// turns out to be for one client only, at once and not one after the other.
func TestStampede_D6(t *testing.T) {
	const clients = 500
	second := func(a *ask, lines ...string) string {
		time.Sleep(time.Second)
		return respond(200, fmt.Sprint("nth ", a.nth), lines...)
	}
	tests := []struct {
		name    string
		serve   func(*ask) string
		fetches int
		same    bool
		within  time.Duration
	}{
		{"cacheable", func(a *ask) string { return second(a, "Cache-Control: max-age=60") }, 1, true, time.Second},
		{"chunked", func(a *ask) string {
			time.Sleep(time.Second)
			return chunked("Cache-Control: max-age=60\r\n", "nth ", "0")
		}, 1, true, time.Second},
		{"heuristic", func(a *ask) string { return second(a, "Last-Modified: Wed, 01 Jan 1997 00:00:00 GMT") }, 1, true, time.Second},
		{"negative", func(a *ask) string {
			time.Sleep(time.Second)
			return respond(404, "nth 0", "Cache-Control: max-age=60")
		}, 1, true, time.Second},
		{"private", func(a *ask) string { return second(a, "Cache-Control: private, max-age=60") }, clients, false, 4 * time.Second},
		{"no-store", func(a *ask) string { return second(a, "Cache-Control: no-store") }, clients, false, 4 * time.Second},
		{"no-cache", func(a *ask) string { return second(a, "Cache-Control: no-cache", `ETag: "1"`) }, clients, false, 4 * time.Second},
		{"vary star", func(a *ask) string { return second(a, "Cache-Control: max-age=60", "Vary: *") }, clients, false, 4 * time.Second},
		{"vary", func(a *ask) string {
			time.Sleep(time.Second)
			return respond(200, "for "+a.get("X-Who"), "Cache-Control: max-age=60", "Vary: X-Who")
		}, clients, false, 4 * time.Second},
		{"leader reset", func(a *ask) string {
			if a.nth == 0 {
				time.Sleep(time.Second)
				return ""
			}
			return second(a, "Cache-Control: no-store")
		}, clients, false, 4 * time.Second},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			inBubble(t, Options{MaxOriginConnections: clients}, tt.serve, func(t *testing.T, w *world) {
				start := time.Now()
				answers := crowd(w, clients, host+"/", func(i int) []string { return []string{fmt.Sprint("X-Who: ", i)} })
				if took := time.Since(start); took > tt.within {
					t.Errorf("took %v; want at most %v", took, tt.within)
				}
				if n := w.origin.count(""); n != tt.fetches {
					t.Errorf("%d fetches; want %d", n, tt.fetches)
				}
				checkCrowd(t, answers, tt.same)
			})
		})
	}
}

// checkCrowd checks that all answers are the same, or that none is.
func checkCrowd(t *testing.T, answers []*answer, same bool) {
	t.Helper()
	bodies := map[string]int{}
	collapsed := 0
	for _, a := range answers {
		if a.status == 502 { // the leader's own failure
			continue
		}
		bodies[a.body]++
		if strings.Contains(a.cacheStatus(), "collapsed") {
			collapsed++
		}
		if a.cut {
			t.Fatalf("got %q, cut", a.line)
		}
	}
	switch {
	case same && (len(bodies) != 1 || collapsed != len(answers)-1):
		t.Errorf("%d bodies, %d collapsed; want 1 and %d", len(bodies), collapsed, len(answers)-1)
	case !same && (len(bodies) < len(answers)-1 || collapsed != 0):
		t.Errorf("%d bodies for %d clients, %d collapsed; want each its own", len(bodies), len(answers), collapsed)
	}
}

// TestStampede_leaderLeaves checks that the fetch goes on for those who wait when the one who began it goes.
func TestStampede_leaderLeaves(t *testing.T) {
	for _, moment := range []time.Duration{500 * time.Millisecond, 1500 * time.Millisecond} { // before and after the head
		inBubble(t, Options{}, func(a *ask) string {
			time.Sleep(time.Second)
			a.say("HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nContent-Length: 6\r\n\r\nabc")
			time.Sleep(time.Second)
			return "def"
		}, func(t *testing.T, w *world) {
			leader := w.client()
			leader.send(request("GET", host+"/", ""))
			synctest.Wait()
			followers := []*client{w.client(), w.client()}
			for _, c := range followers {
				c.send(request("GET", host+"/", ""))
			}
			time.Sleep(moment)
			leader.Close()
			for _, c := range followers {
				if a := c.read("GET"); a.body != "abcdef" || a.cut {
					t.Errorf("leader left after %v: got %q %q, cut %v", moment, a.line, a.body, a.cut)
				}
			}
			if a := w.get(host + "/"); w.origin.count("") != 1 || !strings.Contains(a.cacheStatus(), "hit") {
				t.Errorf("leader left after %v: %d fetches, then %s; want one, stored", moment, w.origin.count(""), a.cacheStatus())
			}
		})
	}
}

// TestStampede_allLeave checks that a fetch ends when nobody waits for it any more, and leaves nothing behind.
func TestStampede_allLeave(t *testing.T) {
	inBubble(t, Options{}, func(a *ask) string {
		if a.nth == 0 {
			a.say("HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nContent-Length: 6\r\n\r\nabc")
			a.gone()
			return ""
		}
		return respond(200, "second", "Cache-Control: max-age=60")
	}, func(t *testing.T, w *world) {
		clients := []*client{w.client(), w.client(), w.client()}
		for _, c := range clients {
			c.send(request("GET", host+"/", ""))
			synctest.Wait()
		}
		for _, c := range clients {
			c.Close()
			time.Sleep(time.Second)
		}
		if s := w.p.Stats(); s.Cache.Fills != 0 || s.Connections != 0 {
			t.Errorf("%d fills and %d connections are left", s.Cache.Fills, s.Connections)
		}
		if a := w.get(host + "/"); a.body != "second" || !strings.Contains(a.cacheStatus(), "uri-miss") {
			t.Errorf("then: got %q, %s", a.body, a.cacheStatus())
		}
	})
}

// TestStampede_wait checks that nobody waits for another's fetch for longer than the bound.
func TestStampede_wait(t *testing.T) {
	inBubble(t, Options{CollapseWait: 3 * time.Second}, func(a *ask) string {
		if a.nth == 0 {
			time.Sleep(time.Minute)
		}
		return respond(200, fmt.Sprint(a.nth), "Cache-Control: max-age=60")
	}, func(t *testing.T, w *world) {
		leader := w.client()
		leader.send(request("GET", host+"/", ""))
		synctest.Wait()
		start := time.Now()
		if a := w.get(host + "/"); a.body != "1" || time.Since(start) != 3*time.Second {
			t.Errorf("got %q after %v; want its own answer after 3 s", a.body, time.Since(start))
		}
		if a := leader.read("GET"); a.body != "0" {
			t.Errorf("the leader got %q", a.body)
		}
	})
}

// TestFill_slowLeader checks that a client which does not read holds nobody up, though it began the fetch.
func TestFill_slowLeader(t *testing.T) {
	body := strings.Repeat("0123456789abcdef", 40<<10) // 640 KiB
	for _, o := range []Options{{}, {MaxObjectBytes: 100 << 10}} {
		inBubble(t, o, func(a *ask) string {
			a.say("HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nTransfer-Encoding: chunked\r\n\r\n")
			for i := 0; i < len(body); i += 64 << 10 {
				a.say(fmt.Sprintf("%x\r\n%s\r\n", 64<<10, body[i:i+64<<10]))
				time.Sleep(time.Second)
			}
			return "0\r\n\r\n"
		}, func(t *testing.T, w *world) {
			leader := w.client()
			leader.send(request("GET", host+"/", ""))
			synctest.Wait()
			start := time.Now()
			if a := w.get(host + "/"); a.body != body || a.cut || time.Since(start) > 30*time.Second {
				t.Errorf("%+v: got %d bytes, cut %v, after %v", o, len(a.body), a.cut, time.Since(start))
			}
			if o.MaxObjectBytes == 0 {
				if a := leader.read("GET"); a.body != body || a.cut {
					t.Errorf("the leader, late: got %d bytes, cut %v", len(a.body), a.cut)
				}
				if a := w.get(host + "/"); !strings.Contains(a.cacheStatus(), "hit") {
					t.Errorf("then: got %s; want a hit", a.cacheStatus())
				}
			}
		})
	}
}

// TestFill_late checks that a client which comes while a body is on its way gets all of it from the same fetch.
func TestFill_late(t *testing.T) {
	inBubble(t, Options{}, func(a *ask) string {
		a.say("HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nContent-Length: 9\r\n\r\n")
		for _, p := range []string{"one", "two"} {
			a.say(p)
			time.Sleep(10 * time.Second)
		}
		return "six"
	}, func(t *testing.T, w *world) {
		one := w.client()
		one.send(request("GET", host+"/", ""))
		time.Sleep(12 * time.Second)
		late := w.client()
		late.send(request("GET", host+"/", ""))
		a := late.readHead()
		if a.get("Age") != "12" || !strings.Contains(a.cacheStatus(), "collapsed") {
			t.Errorf("got Age %q, %s; want 12 and collapsed", a.get("Age"), a.cacheStatus())
		}
		b, _ := io.ReadAll(io.LimitReader(late.r, 9))
		if string(b) != "onetwosix" || one.read("GET").body != "onetwosix" || w.origin.count("") != 1 {
			t.Errorf("got %q and %d fetches", b, w.origin.count(""))
		}
	})
}
