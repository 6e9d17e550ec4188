package proxy

import (
	"bufio"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// version is what a resource of the mixed origin is now: it changes all the time, and bodies tell which it is.
type version struct{ n atomic.Int64 }

// bodyOfVersion is a function of the path and the version, so that any mix-up is seen.
func bodyOfVersion(path, tag string) string {
	size := 100 + len(path)*977%5000
	if strings.HasSuffix(path, "large") {
		size *= 40
	}
	unit := path + " " + tag + ";"
	return strings.Repeat(unit, size/len(unit)+1)[:size]
}

// mixedOrigin answers on one connection, often wrongly, but never with the wrong bytes.
func mixedOrigin(v *version) func(net.Conn) {
	return func(c net.Conn) {
		r := bufio.NewReader(c)
		for {
			line, head, err := readHead(r)
			if err != nil {
				return
			}
			a := &ask{Conn: c, r: r, line: line, head: head}
			a.method, a.target, _ = strings.Cut(line, " ")
			a.target, _, _ = strings.Cut(a.target, " ")
			if a.readBody(); a.method == "POST" {
				v.n.Add(1)
			}
			tag := fmt.Sprintf(`"%d"`, v.n.Load())
			answer := mixedAnswer(a, tag)
			switch rand.IntN(20) {
			case 0: // breaks off
				io.WriteString(c, answer[:rand.IntN(len(answer))])
				if t, ok := c.(*net.TCPConn); ok && rand.IntN(2) == 0 {
					t.SetLinger(0)
				}
				return
			case 1: // in pieces
				cut := rand.IntN(len(answer))
				io.WriteString(c, answer[:cut])
				time.Sleep(time.Millisecond)
				answer = answer[cut:]
			}
			if _, err := io.WriteString(c, answer); err != nil {
				return
			}
		}
	}
}

// mixedAnswer is the right answer to a request.
func mixedAnswer(a *ask, tag string) string {
	body := bodyOfVersion(a.target, tag)
	lines := []string{"Cache-Control: max-age=1, stale-while-revalidate=1", "Vary: X-V"}
	if rand.IntN(5) == 0 {
		lines[0] = "Cache-Control: no-cache"
	}
	switch {
	case a.method == "HEAD":
		return fmt.Sprintf("HTTP/1.1 200 OK\r\nETag: %s\r\n%s\r\nContent-Length: %d\r\n\r\n", tag, strings.Join(lines, "\r\n"), len(body))
	case a.method == "POST":
		return respond(200, body, "ETag: "+tag, "Cache-Control: max-age=1", "Content-Location: "+a.target)
	case strings.Contains(a.get("If-None-Match"), tag):
		return "HTTP/1.1 304 Not Modified\r\nETag: " + tag + "\r\n" + strings.Join(lines, "\r\n") + "\r\n\r\n"
	case a.get("Range") == "" && rand.IntN(3) == 0:
		return chunked("ETag: "+tag+"\r\n"+strings.Join(lines, "\r\n")+"\r\n", body[:len(body)/2], body[len(body)/2:])
	}
	return ranged(a, body, tag, lines...)
}

// TestLoopback_mixed has many clients ask for few resources, which change, in every way, while they and the origin leave at
// random moments. Whatever a client takes for a complete answer must be right.
func TestLoopback_mixed(t *testing.T) {
	v := &version{}
	origin := loopback(t, mixedOrigin(v))
	p, addr := loopbackProxy(t, Options{CacheBytes: 4 << 20, HeadTimeout: time.Second, StallTimeout: 5 * time.Second})
	until := time.Now().Add(3 * time.Second)
	var answers, broken atomic.Int64
	var wg sync.WaitGroup
	for range 24 {
		wg.Go(func() {
			for time.Now().Before(until) {
				nc, err := net.Dial("tcp", addr)
				if err != nil {
					t.Error(err)
					return
				}
				mixedClient(t, newClient(t, nc), origin, &answers, &broken)
				nc.Close()
			}
		})
	}
	wg.Wait()
	if answers.Load() < 100 || answers.Load() < broken.Load() {
		t.Errorf("%d answers, %d broken", answers.Load(), broken.Load())
	}
	deadline := time.Now().Add(5 * time.Second)
	for s := p.Stats(); s.Connections > 0 || s.Cache.Fills > 0; s = p.Stats() {
		if time.Now().After(deadline) {
			t.Fatalf("left: %d connections, %d fills", s.Connections, s.Cache.Fills)
		}
		time.Sleep(time.Millisecond)
	}
	if n := p.Stats().Panics; n != 0 {
		t.Errorf("%d panics", n)
	}
	t.Logf("%d answers, %d broken off", answers.Load(), broken.Load())
}

// mixedClient asks a few times on one connection.
func mixedClient(t *testing.T, c *client, origin string, answers, broken *atomic.Int64) {
	c.SetDeadline(time.Now().Add(20 * time.Second))
	for range 1 + rand.IntN(10) {
		path := fmt.Sprintf("/%d", rand.IntN(4))
		if rand.IntN(3) == 0 {
			path += "large"
		}
		method, lines, body := "GET", []string(nil), ""
		switch rand.IntN(12) {
		case 0:
			method = "HEAD"
		case 1:
			method, body = "POST", strings.Repeat("b", 1+rand.IntN(20000))
		case 2, 3, 4:
			lines = append(lines, fmt.Sprintf("Range: bytes=%d-%d", rand.IntN(50), 50+rand.IntN(3000)))
		case 5:
			lines = append(lines, fmt.Sprintf(`If-None-Match: "%d"`, rand.IntN(50)))
		case 6:
			lines = append(lines, "Cache-Control: no-cache")
		case 7:
			lines = append(lines, "X-V: "+strconv.Itoa(rand.IntN(3)))
		}
		c.send(request(method, "http://"+origin+path, body, lines...))
		if rand.IntN(15) == 0 {
			time.Sleep(time.Duration(rand.IntN(2000)) * time.Microsecond)
			return // leaves
		}
		a := c.read(method)
		if a.cut {
			broken.Add(1)
			return
		}
		answers.Add(1)
		checkMixed(t, method, path, a)
	}
}

// checkMixed checks a complete answer.
func checkMixed(t *testing.T, method, path string, a *answer) {
	t.Helper()
	want := bodyOfVersion(path, a.get("ETag"))
	switch {
	case a.status == 304, a.status == 416, a.status == 502, method == "HEAD":
		return
	case a.status == 206:
		var start, end, length int
		if _, err := fmt.Sscanf(a.get("Content-Range"), "bytes %d-%d/%d", &start, &end, &length); err != nil || length != len(want) {
			t.Errorf("%s %s: Content-Range %q of %d", method, path, a.get("Content-Range"), len(want))
			return
		}
		want = want[start : end+1]
	case a.status != 200:
		t.Errorf("%s %s: got %q", method, path, a.line)
		return
	}
	if a.body != want {
		t.Errorf("%s %s: got %q with %d wrong bytes %.60q; want %d %.60q\n%s", method, path, a.line, len(a.body), a.body, len(want), want, a.head)
	}
}
