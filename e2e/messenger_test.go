package e2e

import (
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jayproxy/jay/e2e/origin"
	"github.com/jayproxy/jay/e2e/rawhttp"
)

// closeEvery is after how many answers the gateway ends its connection.
const closeEvery = 7

// gateway is a messenger's HTTP gateway. A session lives by a chain of ids:
// each answer carries the next one in a field, and a poll with any other id, or
// one that comes before the last was answered, throws the client out.
type gateway struct {
	mu     sync.Mutex
	next   int // the only id that may come
	busy   bool
	thrown string // why the client was thrown out
	polls  int
	hold   time.Duration
}

func (g *gateway) serve(x *origin.Exchange) {
	body, err := x.ReadBody()
	if err != nil {
		x.Close()
		return
	}
	g.mu.Lock()
	g.polls++
	n := g.polls
	g.judge(x.Req, string(body))
	g.busy = true
	bad := g.thrown
	g.mu.Unlock()
	if n%10 == 0 {
		time.Sleep(g.hold) // a long poll
	}
	g.mu.Lock()
	g.busy = false
	g.next++
	id := g.next
	g.mu.Unlock()
	if bad != "" {
		x.Reply("403 Forbidden", rawhttp.F("X-Session", "gone"), bad)
		return
	}
	x.Reply("200 OK", rawhttp.F("X-Session", strconv.Itoa(id), "Content-Type", "application/octet-stream"), fmt.Sprintf("messages %d\x00\xff", n))
	if n%closeEvery == 0 {
		x.Close() // without a word: the pooled connection is dead
	}
}

func (g *gateway) judge(req *origin.Request, body string) {
	id := req.Fields.Get("X-Session")
	want := ""
	if g.next > 0 {
		want = strconv.Itoa(g.next)
	}
	switch {
	case g.thrown != "":
	case g.busy:
		g.thrown = "two requests at a time"
	case id != want:
		g.thrown = fmt.Sprintf("got session %q; want %q", id, want)
	case body != "poll "+want:
		g.thrown = fmt.Sprintf("got body %q; want %q", body, "poll "+want)
	case req.Fields.Has("Proxy-Connection"):
		g.thrown = "Proxy-Connection came through"
	case req.Fields.Get("Pragma") != "no-cache":
		g.thrown = "Pragma did not come through"
	}
}

// chat polls through w on one connection, as old messengers do. Where the
// gateway o, which the client knows as host, has ended its connection, the next
// poll comes after that: what happens in the same moment can only be a 502,
// since a POST must not be sent twice.
func chat(t *testing.T, w way, o *origin.Origin, host string, polls int) {
	t.Helper()
	c := w.dial(t, host)
	session := ""
	for i := range polls {
		body := "poll " + session
		fs := rawhttp.F("Host", host, "User-Agent", "Messenger/1.0", "Accept", "*/*", "Pragma", "no-cache",
			"Proxy-Connection", "Keep-Alive", "Content-Length", strconv.Itoa(len(body)))
		if session != "" {
			fs = append(fs, rawhttp.Field{Name: "X-Session", Value: session})
		}
		send(t, c, rawhttp.Request("POST", w.target(host, "/gateway"), fs, body))
		resp := receive(t, c, "POST")
		if want := fmt.Sprintf("messages %d\x00\xff", i+1); resp.Code != 200 || string(resp.Body) != want {
			t.Fatalf("poll %d: got %v; want 200 %q", i, resp, want)
		}
		session = resp.Fields.Get("X-Session")
		if !resp.Keep() {
			t.Fatalf("poll %d: jay ends the connection: %v", i, resp)
		}
		if (i+1)%closeEvery == 0 {
			eventually(t, "the gateway ends its connection", func() bool { return o.Open() == 0 })
			time.Sleep(200 * time.Millisecond) // for its FIN to arrive on a busy machine
		}
		time.Sleep(5 * time.Millisecond) // the pause between two polls, shortened
	}
}

// TestMessenger: a session of strictly sequential POST polls survives.
func TestMessenger(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"explicit", "transparent"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := &gateway{hold: 500 * time.Millisecond}
			o := startOrigin(t, g.serve)
			j := startJay(t)
			w := waysOf(j)[0]
			if name == "transparent" {
				w = waysOf(j)[1]
			}
			chat(t, w, o, o.Addr(), 60)
			if g.thrown != "" || g.polls != 60 {
				t.Errorf("thrown out: %q after %d polls; want 60", g.thrown, g.polls)
			}
		})
	}
}

// bosh is an XMPP connection manager (XEP-0124): it holds at most one request;
// a second one makes it answer the first.
type bosh struct {
	mu      sync.Mutex
	hold    time.Duration
	waiting chan bool // closed to answer the held request early
}

func (b *bosh) serve(x *origin.Exchange) {
	body, err := x.ReadBody()
	if err != nil {
		x.Close()
		return
	}
	rid := strings.TrimSuffix(strings.TrimPrefix(string(body), "<body rid='"), "'/>")
	mine := make(chan bool)
	b.mu.Lock()
	if b.waiting != nil {
		close(b.waiting)
	}
	b.waiting = mine
	b.mu.Unlock()
	early := false
	select {
	case <-mine:
		early = true
	case <-time.After(b.hold):
	}
	b.mu.Lock()
	if b.waiting == mine {
		b.waiting = nil
	}
	b.mu.Unlock()
	x.Reply("200 OK", rawhttp.F("Content-Type", "text/xml; charset=utf-8"), fmt.Sprintf("<body ack='%s' early='%t'/>", rid, early))
}

// TestBOSH: two POSTs under way, the older answered early by the newer, which
// is held for its full time.
func TestBOSH(t *testing.T) {
	t.Parallel()
	for name, hold := range map[string]time.Duration{"short": time.Second, "61 s": 61 * time.Second} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			j := startJay(t)
			for _, w := range waysOf(j) {
				t.Run(w.name, func(t *testing.T) {
					t.Parallel()
					holdTwo(t, w, hold)
				})
			}
		})
	}
}

func holdTwo(t *testing.T, w way, hold time.Duration) {
	b := &bosh{hold: hold}
	o := startOrigin(t, b.serve)
	post := func(c *rawhttp.Conn, rid string) {
		body := "<body rid='" + rid + "'/>"
		send(t, c, rawhttp.Request("POST", w.target(o.Addr(), "/http-bind"), rawhttp.F("Host", o.Addr(),
			"Content-Type", "text/xml", "Content-Length", strconv.Itoa(len(body))), body))
	}
	first, second := w.dial(t, o.Addr()), w.dial(t, o.Addr())
	second.Patience = hold + 30*time.Second
	for round := range 2 {
		a, z := fmt.Sprint(2*round), fmt.Sprint(2*round+1)
		post(first, a)
		eventually(t, "the first POST is held", func() bool { return len(o.Requests()) == 2*round+1 })
		began := time.Now()
		post(second, z)
		resp := receive(t, first, "POST")
		if want := "<body ack='" + a + "' early='true'/>"; string(resp.Body) != want || time.Since(began) > hold/2 {
			t.Errorf("got %v after %v; want %s at once", resp, time.Since(began), want)
		}
		resp = receive(t, second, "POST")
		if want := "<body ack='" + z + "' early='false'/>"; string(resp.Body) != want || time.Since(began) < hold {
			t.Errorf("got %v after %v; want %s after %v", resp, time.Since(began), want, hold)
		}
		if hold > 30*time.Second {
			break // one round of the real time is enough
		}
	}
}
