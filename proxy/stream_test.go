package proxy

import (
	"bufio"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// framings are the ways in which a response of three parts "one", "two", "six" can be delimited.
var framings = map[string]struct{ head, end, part string }{
	"chunked": {"Transfer-Encoding: chunked\r\n\r\n", "0\r\n\r\n", "3\r\n%s\r\n"},
	"length":  {"Content-Length: 9\r\n\r\n", "", "%s"},
	"close":   {"Connection: close\r\n\r\n", "", "%s"},
}

// TestStream_prompt checks that head and each part reach the client at once, stored or not, whoever reads them.
func TestStream_prompt(t *testing.T) {
	for name, f := range framings {
		for _, cc := range []string{"no-store", "max-age=60"} {
			t.Run(name+" "+cc, func(t *testing.T) {
				inBubble(t, Options{}, func(a *ask) string {
					a.say("HTTP/1.1 200 OK\r\nCache-Control: " + cc + "\r\n" + f.head)
					for _, p := range []string{"one", "two", "six"} {
						time.Sleep(10 * time.Second)
						a.say(fmt.Sprintf(f.part, p))
					}
					time.Sleep(10 * time.Second)
					a.say(f.end)
					return ""
				}, func(t *testing.T, w *world) {
					start := time.Now()
					clients := []*client{w.client(), w.client()}
					for _, c := range clients {
						c.send(request("GET", host+"/", ""))
						synctest.Wait()
					}
					for i, c := range clients {
						follow(t, c, fmt.Sprint("client ", i), start)
					}
				})
			})
		}
	}
}

// follow reads a response whose parts come every ten seconds.
func follow(t *testing.T, c *client, who string, start time.Time) {
	t.Helper()
	a := c.readHead()
	if took := time.Since(start); a.status != 200 || who == "client 0" && took != 0 {
		t.Fatalf("%s: head %q after %v; want it at once", who, a.line, took)
	}
	body := bodyOf(a, c.r)
	for i, want := range []string{"one", "two", "six"} {
		b := make([]byte, 3)
		_, err := io.ReadFull(body, b)
		if took := time.Since(start); string(b) != want || err != nil || who == "client 0" && took != time.Duration(i+1)*10*time.Second {
			t.Fatalf("%s: got %q, %v after %v; want %q", who, b, err, took, want)
		}
	}
	if n, err := body.Read(make([]byte, 1)); n != 0 || err != io.EOF {
		t.Errorf("%s: then got %d bytes, %v; want the end", who, n, err)
	}
}

// bodyOf reads the body of a response whose head was read.
func bodyOf(a *answer, r *bufio.Reader) io.Reader {
	pr, pw := io.Pipe()
	go func() {
		switch {
		case a.get("Transfer-Encoding") == "chunked":
			for {
				var n int
				if _, err := fmt.Fscanf(r, "%x\r\n", &n); err != nil {
					pw.CloseWithError(io.ErrUnexpectedEOF)
					return
				}
				if _, err := io.CopyN(pw, r, int64(n)); err != nil {
					pw.CloseWithError(io.ErrUnexpectedEOF)
					return
				}
				if r.Discard(2); n == 0 {
					pw.Close()
					return
				}
			}
		case a.get("Content-Length") != "":
			_, err := io.Copy(pw, io.LimitReader(r, 9))
			pw.CloseWithError(err)
		default:
			_, err := io.Copy(pw, r)
			pw.CloseWithError(err)
		}
	}()
	return pr
}

// TestStream_events checks that an event stream may be silent for longer than another body.
func TestStream_events(t *testing.T) {
	for kind, whole := range map[string]bool{"text/event-stream": true, "Text/Event-Stream;charset=utf-8": true, "text/plain": false} {
		inBubble(t, Options{}, func(a *ask) string {
			a.say("HTTP/1.1 200 OK\r\nContent-Type: " + kind + "\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n")
			time.Sleep(5 * time.Minute)
			return "1\r\nb\r\n0\r\n\r\n"
		}, func(t *testing.T, w *world) {
			if a := w.get(host + "/"); a.cut == whole {
				t.Errorf("%s: got %q, cut %v; want whole %v", kind, a.body, a.cut, whole)
			}
		})
	}
}

// TestHeld checks that an answer may take five minutes, and that its client is waited for no longer than it stays.
func TestHeld(t *testing.T) {
	for _, method := range []string{"GET", "POST"} {
		inBubble(t, Options{}, func(a *ask) string {
			time.Sleep(5 * time.Minute)
			return respond(200, "at last")
		}, func(t *testing.T, w *world) {
			c := w.client()
			c.send(request(method, host+"/", strings.Repeat("x", map[string]int{"POST": 3}[method])))
			if a := c.read(method); a.body != "at last" {
				t.Errorf("%s: got %q %q", method, a.line, a.body)
			}
		})
	}
}

// TestTruncated_RFC9112_8 checks that a body which breaks off never looks whole, to its client or to those who wait for
// it, and is never stored.
func TestTruncated_RFC9112_8(t *testing.T) {
	large := strings.Repeat("x", 100<<10)
	tests := []struct{ name, raw string }{
		{"short of its length", "Content-Length: 10\r\n\r\nabc"},
		{"nothing of its length", "Content-Length: 10\r\n\r\n"},
		{"large and short", "Content-Length: 200000\r\n\r\n" + large},
		{"no last chunk", "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n"},
		{"no end of the last chunk", "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n"},
		{"within a chunk", "Transfer-Encoding: chunked\r\n\r\n5\r\nabc"},
		{"bad chunk size", "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nz\r\n"},
		{"bad chunk end", "Transfer-Encoding: chunked\r\n\r\n3\r\nabcd\r\n0\r\n\r\n"},
		{"huge chunk size", "Transfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\nabc"},
	}
	for _, tt := range tests {
		for _, cc := range []string{"max-age=60", "no-store"} {
			t.Run(tt.name+" "+cc, func(t *testing.T) {
				inBubble(t, Options{}, func(a *ask) string {
					if a.nth > 1 {
						return respond(200, "whole", "Cache-Control: "+cc)
					}
					time.Sleep(time.Second)
					a.say("HTTP/1.1 200 OK\r\nCache-Control: " + cc + "\r\n" + tt.raw)
					return ""
				}, func(t *testing.T, w *world) {
					one, two := w.client(), w.client()
					one.send(request("GET", host+"/", ""))
					two.send(request("GET", host+"/", ""))
					a, b := one.read("GET"), two.read("GET")
					for _, got := range []*answer{a, b} {
						if !got.cut && got.status != 502 && got.body != "whole" {
							t.Errorf("got %q with %d bytes that looks whole", got.line, len(got.body))
						}
					}
					if got := w.get(host + "/").cacheStatus(); strings.Contains(got, "hit") && w.origin.count("") < 3 {
						t.Errorf("then: got %s; nothing of it may be stored", got)
					}
					synctest.Wait()
					if s := w.p.Stats().Cache; s.Fills != 0 {
						t.Errorf("%d fills are left", s.Fills)
					}
				})
			})
		}
	}
}

// TestTruncated_HEAD checks that an answer without a body is whole with its head.
func TestTruncated_HEAD(t *testing.T) {
	inBubble(t, Options{}, func(a *ask) string {
		a.say("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n")
		return ""
	}, func(t *testing.T, w *world) {
		c := w.client()
		for range 2 {
			if a := c.do("HEAD", host+"/"); a.status != 200 || a.cut {
				t.Errorf("got %q, cut %v", a.line, a.cut)
			}
		}
	})
}
