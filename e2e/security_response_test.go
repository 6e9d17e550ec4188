package e2e

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jayproxy/jay/e2e/origin"
	"github.com/jayproxy/jay/e2e/rawhttp"
)

// poisonous is what hostile origins put where another client's answer would be.
const poisonous = "HTTP/1.1 200 OK\r\nCache-Control: max-age=600\r\nContent-Length: 6\r\n\r\npoison"

// TestExtraBytes: bytes behind a whole answer, at once or while the connection
// is idle, are nobody's answer (B5).
func TestExtraBytes(t *testing.T) {
	t.Parallel()
	sent := make(chan struct{}, 1) // what comes later has come
	o := startOrigin(t, func(x *origin.Exchange) {
		switch x.Path() {
		case "/at-once":
			x.Send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok" + poisonous)
		case "/chunked":
			x.Send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n" + poisonous)
		case "/later":
			x.Send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
			time.Sleep(20 * time.Millisecond)
			x.Send(poisonous)
			sent <- struct{}{}
		case "/empty-lines":
			x.Send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok\r\n\r\n")
		default:
			x.Reply("200 OK", nil, x.Path())
		}
	})
	eachWay(t, startJay(t), func(t *testing.T, w way) {
		for _, path := range []string{"/at-once", "/chunked", "/later", "/empty-lines"} {
			for i := range 5 {
				c := w.dial(t, o.Addr())
				send(t, c, w.get(o.Addr(), path, nil))
				if resp := receive(t, c, "GET"); string(resp.Body) != "ok" {
					t.Errorf("%s: got %v; want ok", path, resp)
				}
				if path == "/later" {
					<-sent
				}
				want := fmt.Sprintf("/next/%s/%d%s", w.name, i, path)
				send(t, c, w.get(o.Addr(), want, nil))
				if resp := receive(t, c, "GET"); string(resp.Body) != want {
					t.Errorf("after %s: got %v; want its own answer", path, resp)
				}
				if c.Closed(10 * time.Millisecond) {
					t.Errorf("after %s: the connection ended or said more", path)
				}
				c.Close()
			}
		}
	})
}

// TestBodyWhereNone: an answer that cannot have a body is not followed by one,
// and the connection it came on is not used again (B7).
func TestBodyWhereNone(t *testing.T) {
	t.Parallel()
	o := startOrigin(t, func(x *origin.Exchange) {
		if status := x.Req.Fields.Get("X-Status"); status != "" {
			x.Send("HTTP/1.1 " + status + "\r\nETag: \"a\"\r\nContent-Length: " + fmt.Sprint(len(poisonous)) + "\r\n\r\n" + poisonous)
			return
		}
		x.Reply("200 OK", nil, x.Path())
	})
	eachWay(t, startJay(t), func(t *testing.T, w way) {
		for i, tt := range []struct{ method, status, condition string }{
			{"GET", "204 No Content", ""}, {"GET", "304 Not Modified", `"a"`}, {"HEAD", "200 OK", ""}, {"HEAD", "404 Not Found", ""}, {"POST", "204 No Content", ""},
		} {
			c := w.dial(t, o.Addr())
			fs := rawhttp.F("Host", o.Addr(), "X-Status", tt.status)
			if tt.condition != "" {
				fs = append(fs, rawhttp.F("If-None-Match", tt.condition)...)
			}
			path := fmt.Sprintf("/%s/%d", w.name, i)
			send(t, c, rawhttp.Request(tt.method, w.target(o.Addr(), path), fs, ""))
			first, err := c.ReadResponse(tt.method)
			if err != nil || len(first.Body) != 0 || !strings.HasPrefix(tt.status, fmt.Sprint(first.Code)) && first.Code != 502 {
				t.Errorf("%s %s: got %v, %v; want no body", tt.method, tt.status, first, err)
			}
			if err == nil && first.Keep() {
				send(t, c, w.get(o.Addr(), path+"/next", nil))
				if resp := receive(t, c, "GET"); string(resp.Body) != path+"/next" {
					t.Errorf("%s %s: then got %v; want its own answer", tt.method, tt.status, resp)
				}
			}
			resp := w.do(t, "GET", o.Addr(), path, nil, "")
			if string(resp.Body) != path {
				t.Errorf("%s %s: another client got %v", tt.method, tt.status, resp)
			}
			if a, b := o.To(path)[0], o.To(path)[1]; a.Conn == b.Conn {
				t.Errorf("%s %s: connection %d was used again", tt.method, tt.status, a.Conn)
			}
		}
	})
}

// TestInterimFlood: more interim answers than max-interim are an error, fewer
// are not (B8).
func TestInterimFlood(t *testing.T) {
	t.Parallel()
	o := startOrigin(t, func(x *origin.Exchange) {
		var n int
		fmt.Sscanf(x.Path(), "/%d", &n)
		for range n {
			x.Send("HTTP/1.1 103 Early Hints\r\nLink: </a>; rel=preload\r\n\r\n")
		}
		x.OK("final")
	})
	eachWay(t, startJay(t, "--max-interim", "10"), func(t *testing.T, w way) {
		for n, want := range map[int]int{0: 200, 10: 200, 11: 502, 200: 502} {
			resp, err := w.once(o.Addr(), "GET", fmt.Sprintf("/%d/%s", n, w.name), nil)
			if err != nil || resp.Code != want || len(resp.Interim) > 10 {
				t.Errorf("%d interim: got %v, %d of them, %v; want %d", n, resp, len(resp.Interim), err, want)
			}
		}
	})
}

// TestNeverDecoded: jay asks for no coding of its own and hands a gzip bomb on
// as it came, from the origin and from the cache (B11).
func TestNeverDecoded(t *testing.T) {
	t.Parallel()
	var bomb bytes.Buffer
	z, _ := gzip.NewWriterLevel(&bomb, gzip.BestCompression)
	_, _ = io.CopyN(z, zeros{}, 200<<20)
	must(t, z.Close())
	o := startOrigin(t, func(x *origin.Exchange) {
		fs := rawhttp.F("Cache-Control", "max-age=600", "Content-Encoding", "gzip", "Vary", "Accept-Encoding", "Content-Type", "text/html")
		x.Reply("200 OK", fs, bomb.String())
	})
	want := sha256.Sum256(bomb.Bytes())
	j := startJay(t)
	eachWay(t, j, func(t *testing.T, w way) {
		for range 2 {
			for _, fs := range []rawhttp.Fields{nil, rawhttp.F("Accept-Encoding", "gzip")} {
				resp := w.do(t, "GET", o.Addr(), "/bomb/"+w.name, fs, "")
				if sha256.Sum256(resp.Body) != want || resp.Fields.Get("Content-Encoding") != "gzip" {
					t.Errorf("got %d bytes, Content-Encoding %q; want the %d of the bomb", len(resp.Body), resp.Fields.Get("Content-Encoding"), bomb.Len())
				}
			}
		}
	})
	for _, r := range o.Requests() {
		if ae := r.Fields.Joined("Accept-Encoding"); ae != "" && ae != "gzip" {
			t.Errorf("origin got Accept-Encoding %q", ae)
		}
	}
	if first := o.Requests()[0]; first.Fields.Has("Accept-Encoding") {
		t.Errorf("origin got %q; want no coding of jay's own", first.Raw)
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

// TestFollowersOfACut: those who wait for an answer that breaks off see it break
// off or get another, never a part as the whole; nothing is stored (B1, B2).
func TestFollowersOfACut(t *testing.T) {
	t.Parallel()
	const followers = 20
	o := startOrigin(t, func(x *origin.Exchange) {
		time.Sleep(100 * time.Millisecond) // the followers come
		origin.Faults(x)
	})
	j := startJay(t, "--body-timeout", "1s")
	for _, w := range waysOf(j) {
		for _, f := range origin.AllFaults() {
			if f == origin.FaultDrip {
				continue
			}
			t.Run(w.name+"/"+string(f), func(t *testing.T) {
				t.Parallel()
				path := origin.FaultPath(f, 200_000, 1, "follow-"+w.name)
				_, content, _ := origin.FaultContent(path)
				var wg sync.WaitGroup
				for range followers {
					wg.Go(func() {
						began := time.Now()
						resp, err := w.once(o.Addr(), "GET", path, nil)
						if err == nil && resp.Err == nil && resp.Code < 500 {
							t.Errorf("got a whole answer of %d bytes; the content has %d", len(resp.Body), content.Size)
						}
						if err == nil && resp.Code == 200 && !bytes.HasPrefix(content.Bytes(), resp.Body) {
							t.Errorf("got %d bytes that are not the content's", len(resp.Body))
						}
						if d := time.Since(began); d > 15*time.Second {
							t.Errorf("held for %v", d)
						}
					})
				}
				wg.Wait()
				resp, err := w.once(o.Addr(), "GET", path, rawhttp.F("Cache-Control", "only-if-cached"))
				if err != nil || resp.Code != 504 {
					t.Errorf("afterwards the cache has %v, %v; want nothing", resp, err)
				}
			})
		}
	}
}
