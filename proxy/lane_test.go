package proxy

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"regexp"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jayproxy/jay/proxy/access"
	"github.com/jayproxy/jay/proxy/policy"
)

// twin is one of two proxies with the same history, of which one has no lane.
type twin struct {
	*world
	log  *access.Log
	mu   sync.Mutex
	text bytes.Buffer
}

// Write takes a line of the log.
func (w *twin) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.text.Write(p)
}

// newTwins returns the two.
func newTwins(t testing.TB, o Options) [2]*twin {
	var out [2]*twin
	for i := range out {
		tw := &twin{}
		log, err := access.Open(access.Options{Path: "-", Format: access.JSON, Stdout: tw})
		if err != nil {
			t.Fatal(err)
		}
		o := o
		o.Access, tw.log = log, log
		t.Cleanup(func() { log.Close() })
		tw.world = newWorld(t, o, twinOrigin)
		tw.p.noLane = i == 1
		out[i] = tw
	}
	return out
}

// twinOrigin answers by the path alone, so that both get the same.
func twinOrigin(a *ask) string {
	path, _, _ := strings.Cut(a.target, "?")
	body := "body of " + path
	switch {
	case a.method != "GET" && a.method != "HEAD":
		return respond(200, "done")
	case a.method == "HEAD":
		return "HTTP/1.1 200 OK\r\nCache-Control: no-store\r\n\r\n"
	case strings.HasPrefix(path, "/vary"):
		return respond(200, body+a.get("X-A"), "Cache-Control: max-age=1000", "Vary: "+path[len("/vary"):], `ETag: "v"`)
	}
	switch path {
	case "/fresh":
		return respond(200, body, "Cache-Control: max-age=1000", `ETag: "1"`, "Last-Modified: "+day1, "Content-Type: text/x")
	case "/large":
		return respond(200, strings.Repeat(body, 2000), "Cache-Control: max-age=1000")
	case "/aged":
		return respond(200, body, "Cache-Control: max-age=1000", "Age: 100", "Cache-Status: far; hit")
	case "/withheld":
		return respond(200, body, `Cache-Control: max-age=1000, no-cache="x-w"`, "X-W: 1")
	case "/404":
		return respond(404, body, "Cache-Control: max-age=1000")
	case "/204":
		return "HTTP/1.1 204 No Content\r\nCache-Control: max-age=1000\r\n\r\n"
	case "/empty":
		return respond(200, "", "Cache-Control: max-age=1000")
	case "/short":
		return respond(200, body, "Cache-Control: max-age=5", `ETag: "s"`)
	case "/swr":
		return respond(200, body, "Cache-Control: max-age=5, stale-while-revalidate=1000")
	case "/heuristic":
		return respond(200, body, "Last-Modified: "+day1)
	}
	return respond(200, body, "Cache-Control: no-store")
}

// both sends the same to both and reads one answer from each, as bytes without what time may change.
func both(t testing.TB, tw [2]*twin, mode Mode, from, send string) (a, b string) {
	t.Helper()
	method, _, _ := strings.Cut(send, " ")
	var out [2]string
	for i := range tw {
		here, there := net.Pipe()
		to := ""
		if mode == TProxy {
			to = "192.0.2.1:80"
		}
		tw[i].listener(mode).conns <- &addressed{Conn: there, local: tcpAddr(to), remote: tcpAddr(from)}
		c := newClient(t, here)
		if mode == TProxy { // the lane takes no name that has not been looked at
			c.send("GET /first HTTP/1.1\r\nHost: 192.0.2.1\r\n\r\n")
			c.read("GET")
		}
		c.send(send)
		var got bytes.Buffer
		c.r.Reset(io.TeeReader(here, &got))
		c.read(method)
		here.Close()
		out[i] = boundary.ReplaceAllString(got.String(), "jay")
	}
	return out[0], out[1]
}

// boundary is what separates parts, which is random.
var boundary = regexp.MustCompile("jay[0-9a-f]{16}")

// TestLane_sameAsOrdinary checks byte by byte, and log line by log line, that the short way gives the ordinary answers.
func TestLane_sameAsOrdinary(t *testing.T) {
	rules, err := policy.New(policy.Options{Rules: []policy.Rule{
		{Name: "no-empty", Action: policy.Deny, To: []string{"192.0.2.9"}},
		{Name: "seen", Action: policy.Report, To: []string{"192.0.2.1"}},
	}, Default: policy.Allow})
	if err != nil {
		t.Fatal(err)
	}
	for name, o := range map[string]Options{"plain": {}, "key": {CacheStatusKey: true}, "rules": {Policy: rules}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { compareTwins(t, newTwins(t, o)) })
		})
	}
}

func compareTwins(t *testing.T, tw [2]*twin) {
	corpus := laneCorpus()
	for round := range 2 {
		for i, send := range corpus {
			if i%3 > 0 && tw[0].p.opt().Policy != nil { // the whole of it was compared without
				continue
			}
			for _, from := range []string{"", "10.0.0.7:1234"} {
				for _, mode := range []Mode{Explicit, ByHost, TProxy} {
					if a, b := both(t, tw, mode, from, send); a != b {
						t.Fatalf("round %d, %v, from %q: %q\nlane:     %q\nordinary: %q", round, mode, from, send, a, b)
					}
					synctest.Wait() // for background validations, and the log's order
				}
			}
		}
		time.Sleep(7 * time.Second)
	}
	for i := range tw {
		tw[i].log.Close()
	}
	one, two := strings.Split(tw[0].text.String(), "\n"), strings.Split(tw[1].text.String(), "\n")
	for i := range min(len(one), len(two)) {
		if one[i] != two[i] {
			t.Fatalf("log line %d:\nlane:     %s\nordinary: %s", i, one[i], two[i])
		}
	}
	if len(one) != len(two) {
		t.Errorf("%d log lines with the lane, %d without", len(one), len(two))
	}
	if a, b := tw[0].p.Stats(), tw[1].p.Stats(); a.Requests != b.Requests || a.Hits != b.Hits || a.BytesHit != b.BytesHit {
		t.Errorf("got %+v with the lane, %+v without", a, b)
	}
}

// laneCorpus are requests that should or should not take the short way.
func laneCorpus() (out []string) {
	lines := []string{
		"", "Accept: */*", "X-A: 1", "x-a: 1\r\nX-A: 2", "Accept-Encoding: gzip, br", "accept-encoding: br,gzip", "Accept-Encoding: br;q=0.5, gzip",
		"Cookie: a=b", "Connection: keep-alive", "Connection: close", "Connection: X-A\r\nX-A: 1", "Proxy-Connection: keep-alive", "Proxy-Connection: close",
		"Keep-Alive: 5", "Cache-Control: no-cache", "Cache-Control: max-age=3", "Cache-Control: only-if-cached", "Cache-Control: no-store", "Pragma: no-cache",
		"Range: bytes=0-3", "Range: bytes=0-1,3-4", `If-None-Match: "1"`, "If-Modified-Since: " + day1, `If-Match: "1"`, `If-Range: "1"` + "\r\nRange: bytes=0-0",
		"Authorization: Basic x", "Proxy-Authorization: Basic x", "Via: 1.1 x", "Via: 1.1 jay-test", "Max-Forwards: 0", "Expect: 100-continue", "Expect: x",
		"TE: trailers", "Trailer: x", "Upgrade: websocket\r\nConnection: Upgrade", "Content-Length: 0", "HTTP2-Settings: x", "User-Agent: u\r\nReferer: r", "X-Odd: ", "X-Obs: \xff",
	}
	paths := []string{"/fresh", "/short", "/varyX-A", "/large", "/aged", "/withheld", "/404", "/204", "/empty", "/swr", "/heuristic", "/varyAccept-Encoding", "/varyCookie,X-A", "/no", "/fresh?", "/fresh?q", "//fresh", "/%66resh"}
	for i, p := range paths {
		if i == 3 {
			lines = []string{"", "X-A: 1", "Accept-Encoding: br,gzip", "Cookie: a=b", "Connection: close", "Range: bytes=0-3"}
		}
		for _, l := range lines {
			if l != "" {
				l += "\r\n"
			}
			out = append(out, "GET "+host+p+" HTTP/1.1\r\nHost: 192.0.2.1\r\n"+l+"\r\n")
			if l == "" || strings.HasPrefix(l, "X-A") {
				out = append(out, "HEAD "+host+p+" HTTP/1.1\r\nHost: 192.0.2.1\r\n"+l+"\r\n",
					"GET "+host+p+" HTTP/1.0\r\nHost: 192.0.2.1\r\n"+l+"\r\n",
					"GET "+p+" HTTP/1.1\r\nHost: 192.0.2.1\r\n"+l+"\r\n",
					"GET "+p+" HTTP/1.1\r\nHost: 93.184.216.34\r\n"+l+"\r\n",
					"GET http://93.184.216.34:80"+p+" HTTP/1.1\r\nHost: x\r\n"+l+"\r\n",
					"GET http://93.184.216.34:081"+p+" HTTP/1.1\r\nHost: x\r\n"+l+"\r\n",
					"GET http://93.184.216.34:25"+p+" HTTP/1.1\r\nHost: x\r\n"+l+"\r\n",
					"GET http://[2606:2800::1]"+p+" HTTP/1.1\r\nHost: x\r\n"+l+"\r\n",
					"GET http://192.0.2.9"+p+" HTTP/1.1\r\nHost: x\r\n"+l+"\r\n")
			}
		}
	}
	return out
}

// TestLane_mostRecent checks that of stored responses with different selecting fields the newest that matches wins, on
// either way.
func TestLane_mostRecent(t *testing.T) {
	for _, noLane := range []bool{false, true} {
		inBubble(t, Options{}, func(a *ask) string {
			return respond(200, fmt.Sprint(a.nth), "Cache-Control: max-age=60", "Vary: "+[]string{"X-A", "Accept-Encoding"}[a.nth])
		}, func(t *testing.T, w *world) {
			w.p.noLane = noLane
			w.get(host+"/", "X-A: 1", "Accept-Encoding: gzip,br")
			w.get(host+"/", "X-A: 2", "Accept-Encoding: br,gzip")
			if a := w.get(host+"/", "X-A: 1", "Accept-Encoding: gzip,  br"); a.body != "1" {
				t.Errorf("without lane %v: got %q; want the newest", noLane, a.body)
			}
		})
	}
}

// variable is what may differ between two answers a moment apart.
var variable = regexp.MustCompile(`(?m)^(Date|Age): .*$|; ttl=-?\d+`)

// FuzzLane checks that no request is answered otherwise on the short way than on the ordinary one.
func FuzzLane(f *testing.F) {
	for _, send := range laneCorpus()[:200] {
		target, rest, _ := strings.Cut(strings.TrimPrefix(send, "GET "+host), " HTTP/1.1\r\n")
		if !strings.Contains(target, "\r") {
			f.Add(target, strings.TrimSuffix(strings.TrimPrefix(rest, "Host: 192.0.2.1\r\n"), "\r\n"))
		}
	}
	tw := newTwins(f, Options{MaxInterim: 1})
	for _, p := range []string{"/fresh", "/withheld", "/varyX-A", "/varyAccept-Encoding"} {
		both(f, tw, Explicit, "", request("GET", host+p, "", "X-A: 1", "Accept-Encoding: gzip"))
	}
	f.Fuzz(func(t *testing.T, target, lines string) {
		if strings.Contains(lines, "\r\n\r\n") || strings.HasPrefix(lines, "\r\n") || len(target)+len(lines) > 4000 {
			return // a second request
		}
		if l := strings.ToLower(lines); strings.Contains(l, "content-length") || strings.Contains(l, "transfer-encoding") {
			return // a body that does not come
		}
		send := "GET " + host + target + " HTTP/1.1\r\nHost: 192.0.2.1\r\n" + lines
		if lines != "" && !strings.HasSuffix(lines, "\r\n") {
			send += "\r\n"
		}
		for range 2 {
			a, b := both(t, tw, Explicit, "", send+"\r\n")
			if variable.ReplaceAllString(a, "") != variable.ReplaceAllString(b, "") {
				t.Fatalf("%q:\nlane:     %q\nordinary: %q", send, a, b)
			}
		}
	})
}
