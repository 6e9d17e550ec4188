package e2e

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jayproxy/jay/e2e/origin"
	"github.com/jayproxy/jay/e2e/rawhttp"
)

// stampede is what happens when many clients want one resource that is not
// stored, and its origin takes a while.
type stampede struct {
	name    string
	clients int
	answer  func(x *origin.Exchange, nth int)
	// want judges one client's answer: whose it is, and which.
	want func(who int, resp *rawhttp.Response, err error) bool
	// least and most are how often the origin may be asked.
	least, most int
	longest     time.Duration
}

// originDelay is how long the origin thinks about each answer.
const originDelay = time.Second

// stampedes are the variants of D6. The body names who asked.
func stampedes() []stampede {
	body := func(x *origin.Exchange) string { return "for " + x.Req.Fields.Get("X-Who") }
	reply := func(fs ...string) func(x *origin.Exchange, nth int) {
		return func(x *origin.Exchange, nth int) {
			time.Sleep(originDelay)
			x.Reply("200 OK", rawhttp.F(fs...), body(x))
		}
	}
	whole := func(resp *rawhttp.Response, err error) bool { return err == nil && resp.Err == nil && resp.Code == 200 }
	own := func(who int, resp *rawhttp.Response, err error) bool {
		return whole(resp, err) && string(resp.Body) == fmt.Sprint("for ", who)
	}
	any := func(who int, resp *rawhttp.Response, err error) bool { return whole(resp, err) }
	return []stampede{
		{"shared", 500, reply("Cache-Control", "max-age=600"), any, 1, 1, 3 * time.Second},
		{"private", 200, reply("Cache-Control", "private, max-age=600"), own, 200, 200, 5 * time.Second},
		{"no-store", 200, reply("Cache-Control", "no-store"), own, 200, 200, 5 * time.Second},
		{"set-cookie without freshness", 100, reply("Set-Cookie", "a=b"), own, 100, 100, 5 * time.Second},
		{"vary", 200, reply("Cache-Control", "max-age=600", "Vary", "X-Language"), func(who int, resp *rawhttp.Response, err error) bool {
			var asker int
			_, scanErr := fmt.Sscanf(string(resp.Body), "for %d", &asker)
			return whole(resp, err) && scanErr == nil && asker%5 == who%5
		}, 5, 200, 5 * time.Second},
		{"vary star", 100, reply("Cache-Control", "max-age=600", "Vary", "*"), own, 100, 100, 5 * time.Second},
		{"the first answer is reset", 100, func(x *origin.Exchange, nth int) {
			time.Sleep(originDelay)
			if nth == 0 {
				x.Reset()
				return
			}
			x.Reply("200 OK", fresh(), body(x))
		}, func(who int, resp *rawhttp.Response, err error) bool {
			return whole(resp, err) || err == nil && resp.Code == 502
		}, 1, 101, 4 * time.Second},
		{"the first body is cut", 100, func(x *origin.Exchange, nth int) {
			time.Sleep(originDelay)
			if nth == 0 {
				x.Head("200 OK", fresh("Content-Length", "100"))
				x.Send("for ")
				time.Sleep(50 * time.Millisecond)
				x.Reset()
				return
			}
			x.Reply("200 OK", fresh(), body(x))
		}, func(who int, resp *rawhttp.Response, err error) bool {
			return whole(resp, err) && resp.Fields.Get("Content-Length") != "100" || err != nil || resp.Err != nil || resp.Code == 502
		}, 1, 101, 4 * time.Second},
	}
}

// TestStampede_variants: as many fetches as the answer needs, no answer to the
// wrong client, and nobody waits for longer than for an answer of its own (D6,
// R11).
func TestStampede_variants(t *testing.T) {
	t.Parallel()
	for _, s := range stampedes() {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			var mu sync.Mutex
			count := map[string]int{}
			o := startOrigin(t, func(x *origin.Exchange) {
				mu.Lock()
				nth := count[x.Path()]
				count[x.Path()]++
				mu.Unlock()
				s.answer(x, nth)
			})
			j := startJay(t, "--max-client-connections", "0", "--max-origin-connections", "1000")
			for _, w := range waysOf(j) {
				s.run(t, w, o)
			}
		})
	}
}

func (s stampede) run(t *testing.T, w way, o *origin.Origin) {
	path := "/" + w.name
	began := time.Now()
	var wg sync.WaitGroup
	for who := range s.clients {
		wg.Go(func() {
			resp, err := w.once(o.Addr(), "GET", path, rawhttp.F("X-Who", fmt.Sprint(who), "X-Language", fmt.Sprint(who%5)))
			if !s.want(who, resp, err) {
				t.Errorf("%s: client %d got %v, %v", w.name, who, resp, err)
			}
		})
	}
	wg.Wait()
	if d := time.Since(began); d > patient(s.longest) {
		t.Errorf("%s: took %v; want at most %v", w.name, d, s.longest)
	}
	if n := o.Count(path); n < s.least || n > s.most {
		t.Errorf("%s: origin was asked %d times by %d clients; want %d to %d", w.name, n, s.clients, s.least, s.most)
	}
}

// TestStampede_leaderLeaves: when the client whose request is under way goes
// away, those who wait for the same answer get it (D6).
func TestStampede_leaderLeaves(t *testing.T) {
	t.Parallel()
	o := startOrigin(t, func(x *origin.Exchange) {
		time.Sleep(originDelay)
		x.OK("answer")
	})
	eachWay(t, startJay(t), func(t *testing.T, w way) {
		path := "/" + w.name
		leader := w.dial(t, o.Addr())
		send(t, leader, w.get(o.Addr(), path, nil))
		eventually(t, "the leader's request arrives", func() bool { return o.Count(path) == 1 })
		began := time.Now()
		var wg sync.WaitGroup
		for range 50 {
			wg.Go(func() {
				resp, err := w.once(o.Addr(), "GET", path, nil)
				if err != nil || string(resp.Body) != "answer" {
					t.Errorf("got %v, %v; want the answer", resp, err)
				}
			})
		}
		time.Sleep(200 * time.Millisecond) // they wait
		leader.Close()
		wg.Wait()
		if d := time.Since(began); d > patient(3*time.Second) || o.Count(path) > 2 {
			t.Errorf("took %v and %d requests; want the leader's answer, or one more", d, o.Count(path))
		}
	})
}

// TestStampede_waitEnds: a fetch that takes longer than collapse-wait holds
// nobody back who might be answered (D6).
func TestStampede_waitEnds(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	first := map[string]bool{}
	o := startOrigin(t, func(x *origin.Exchange) {
		mu.Lock()
		held := !first[x.Path()]
		first[x.Path()] = true
		mu.Unlock()
		if held {
			x.Gone(20 * time.Second)
			x.Close()
			return
		}
		x.OK("answer")
	})
	eachWay(t, startJay(t, "--collapse-wait", "500ms"), func(t *testing.T, w way) {
		path := "/" + w.name
		leader := w.dial(t, o.Addr())
		send(t, leader, w.get(o.Addr(), path, nil))
		eventually(t, "the leader's request arrives", func() bool { return o.Count(path) == 1 })
		began := time.Now()
		resp, err := w.once(o.Addr(), "GET", path, nil)
		if d := time.Since(began); err != nil || string(resp.Body) != "answer" || d > patient(3*time.Second) {
			t.Errorf("got %v, %v after %v; want the answer soon after half a second", resp, err, d)
		}
		leader.Close()
	})
}

// TestPrivateIsNotShared: an answer that turns out private after its head was
// seen reaches only who asked, though others wait for it (D6, C4).
func TestPrivateIsNotShared(t *testing.T) {
	t.Parallel()
	o := startOrigin(t, func(x *origin.Exchange) {
		time.Sleep(100 * time.Millisecond)
		x.Head("200 OK", rawhttp.F("Cache-Control", "private", "Transfer-Encoding", "chunked"))
		for range 5 {
			x.Chunk("for " + x.Req.Fields.Get("Cookie") + "\n")
			time.Sleep(20 * time.Millisecond)
		}
		x.Send("0\r\n\r\n")
	})
	eachWay(t, startJay(t), func(t *testing.T, w way) {
		var wg sync.WaitGroup
		for i := range 30 {
			wg.Go(func() {
				who := fmt.Sprintf("user=%d", i)
				resp, err := w.once(o.Addr(), "GET", "/"+w.name, rawhttp.F("Cookie", who))
				if err != nil || string(resp.Body) != strings.Repeat("for "+who+"\n", 5) {
					t.Errorf("%s got %v, %v", who, resp, err)
				}
			})
		}
		wg.Wait()
	})
}
