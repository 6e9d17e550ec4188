package upstream_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jayproxy/jay/proxy/upstream"
)

// faultyOrigin answers each request with its own path as content, in many forms,
// and now and then does it wrong.
func faultyOrigin(t *testing.T) *origin {
	return newOrigin(t, func(n int, p *peer) {
		rnd := rand.New(rand.NewPCG(1, uint64(n)))
		for {
			r, body := p.request()
			if r == nil {
				return
			}
			content := r.URL.Path + body
			plain := fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(content), content)
			switch rnd.IntN(12) {
			default:
				p.say(plain)
			case 0:
				p.say("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
				for _, b := range []byte(content) {
					p.say("1\r\n" + string(b) + "\r\n")
				}
				p.say("0\r\n\r\n")
			case 1:
				p.say("HTTP/1.1 200 OK\r\n\r\n" + content)
				return
			case 2:
				p.say("HTTP/1.1 103 Early Hints\r\n\r\n" + plain)
			case 3:
				p.say(plain + strings.Replace(plain, "/", "x", 1)) // too much
			case 4:
				p.say(plain[:len(plain)-1])
				return
			case 5:
				p.say(plain)
				p.reset()
				return
			case 6:
				p.reset()
				return
			case 7:
				p.say(plain)
				return // although it said nothing of it
			}
		}
	})
}

// TestDo_NoMixup has many requests at once, of which some are cancelled, against
// an origin that does much wrong. Whatever looks complete must be the right
// answer.
func TestDo_NoMixup(t *testing.T) {
	noLeaks(t)
	o := faultyOrigin(t)
	c := newClient(t, upstream.Options{MaxPerOrigin: 8, MaxIdlePerOrigin: 4})
	var whole, failed atomic.Int32
	var wg sync.WaitGroup
	for g := range 16 {
		wg.Go(func() {
			rnd := rand.New(rand.NewPCG(2, uint64(g)))
			for i := range 200 {
				path := fmt.Sprintf("/%d/%d", g, i)
				r := get()
				want := path
				if rnd.IntN(3) == 0 {
					want += "content"
					r = post(io.LimitReader(strings.NewReader("content"), 7), 7)
				}
				r.Head = []byte(strings.Replace(string(r.Head), " / ", " "+path+" ", 1))
				ctx, cancel := context.WithCancel(t.Context())
				if rnd.IntN(8) == 0 {
					time.AfterFunc(time.Duration(rnd.IntN(300))*time.Microsecond, cancel)
				}
				_, body, err := fetch(ctx, c, o.origin(), r)
				cancel()
				var e *upstream.Error
				switch {
				case err == nil && body == want:
					whole.Add(1)
				case err == nil:
					t.Errorf("got %q; want %q", body, want)
				case errors.As(err, &e):
					failed.Add(1)
				default:
					t.Errorf("got %T %v; want an *Error", err, err)
				}
			}
		})
	}
	wg.Wait()
	if whole.Load() < 1500 || failed.Load() < 100 {
		t.Errorf("got %d answers and %d failures; want many of both", whole.Load(), failed.Load())
	}
	c.Close()
	if pools, conns := c.Pools(); pools != 0 || conns != 0 {
		t.Errorf("got %d pools and %d connections after Close; want none", pools, conns)
	}
}

// FuzzDo gives arbitrary bytes as an answer. A connection may only be kept if
// each of them belonged to it, and what is whole must be read to its end.
func FuzzDo(f *testing.F) {
	for _, tt := range badResponses {
		if len(tt.sent) < 1<<12 {
			f.Add([]byte(tt.sent), "GET")
		}
	}
	f.Add([]byte(okHello), "GET")
	f.Add([]byte(okHello), "HEAD")
	f.Add([]byte(okHello+okHello), "GET")
	f.Add([]byte("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n"), "GET")
	f.Add([]byte("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;a=b\r\nhello\r\n0\r\nX: y\r\n\r\n"), "GET")
	f.Fuzz(func(t *testing.T, answer []byte, method string) {
		if len(answer) > 4<<10 {
			return // a pipe cannot be asked whether more is to come
		}
		taken := make(chan int, 1)
		c := upstream.New(upstream.Options{DialContext: pipes(t, func(p *peer) {
			p.head()
			n, _ := p.Write(answer)
			taken <- n
		})})
		defer c.Close()
		r := get()
		r.Method = method
		resp, err := c.Do(t.Context(), anywhere, r)
		if err != nil {
			return
		}
		_, err = io.ReadAll(resp.Body)
		if (err == nil) != resp.Body.Whole() {
			t.Errorf("got %v, whole %v", err, resp.Body.Whole())
		}
		resp.Close()
		_, kept := c.Pools()
		c.Close() // so that the origin comes to an end
		if n := <-taken; kept > 0 && (n != len(answer) || err != nil) {
			t.Errorf("kept a connection after %d of %d bytes, %v", n, len(answer), err)
		}
	})
}
