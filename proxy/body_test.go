package proxy

import (
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// upload is the head of a request with a body of n bytes.
func upload(n int, lines ...string) string {
	return fmt.Sprintf("POST %s/ HTTP/1.1\r\nHost: 192.0.2.1\r\nContent-Length: %d\r\n%s\r\n", host, n, strings.Join(append(lines, ""), "\r\n"))
}

// TestUpload_prompt checks that each part of a body goes on before the next has come.
func TestUpload_prompt(t *testing.T) {
	parts := make(chan string)
	inBubble(t, Options{}, func(a *ask) string {
		buf := make([]byte, 100)
		for {
			n, err := a.Conn.Read(buf)
			if parts <- string(buf[:n]); err != nil || strings.HasSuffix(string(buf[:n]), "0\r\n\r\n") {
				return respond(200, "ok")
			}
		}
	}, func(t *testing.T, w *world) {
		parts = make(chan string)
		c := w.client()
		c.send("POST " + host + "/ HTTP/1.1\r\nHost: 192.0.2.1\r\nExpect: 100-continue\r\nTransfer-Encoding: chunked\r\n\r\n")
		for _, p := range []string{"one", "three"} {
			c.send(fmt.Sprintf("%x\r\n%s\r\n", len(p), p))
			if got := <-parts; got != fmt.Sprintf("%x\r\n%s\r\n", len(p), p) {
				t.Errorf("got %q; want the chunk %q", got, p)
			}
		}
		c.send("0\r\n\r\n")
		if got := <-parts; got != "0\r\n\r\n" {
			t.Errorf("got %q; want the end", got)
		}
		if a := c.read("POST"); a.status != 200 || a.get("Connection") == "close" {
			t.Errorf("got %q %q; want 200 on a connection that stays", a.line, a.head)
		}
	})
}

// TestUpload_keepsConnection checks that a body of any size that arrives in pieces leaves the connections usable.
func TestUpload_keepsConnection(t *testing.T) {
	for _, size := range []int{1, 100, 5 << 10, 40 << 10, 200 << 10} {
		inBubble(t, Options{}, func(a *ask) string { return respond(301, fmt.Sprint(len(a.body))) }, func(t *testing.T, w *world) {
			c := w.client()
			for range 3 {
				c.send(upload(size))
				c.send(strings.Repeat("x", size))
				a := c.read("POST")
				if a.body != fmt.Sprint(size) || a.get("Connection") == "close" {
					t.Fatalf("%d bytes: got %q %q %q", size, a.line, a.head, a.body)
				}
			}
			if n := len(w.origin.dials); n != 1 {
				t.Errorf("%d bytes: %d connections to the origin; want 1", size, n)
			}
		})
	}
}

// TestUpload_times checks who is to blame for a body that does not come: 408 for a client that stalls or drips, nothing
// for one that waits for a slow origin.
func TestUpload_times(t *testing.T) {
	ok := func(a *ask) string {
		a.readBody()
		return respond(200, "ok")
	}
	tests := []struct {
		name   string
		send   func(c *client)
		origin func(a *ask) string
		status int
		after  time.Duration
	}{
		{"stalls", func(c *client) { c.send(upload(100, "Expect: 100-continue") + "some") }, ok, 408, time.Minute},
		{"stalls after 100", func(c *client) { c.send(upload(100, "Expect: 100-continue")) }, func(a *ask) string {
			time.Sleep(90 * time.Second)
			a.say("HTTP/1.1 100 Continue\r\n\r\n")
			return ok(a)
		}, 408, 150 * time.Second},
		{"drips", func(c *client) {
			c.send(upload(10000, "Expect: 100-continue"))
			for range 100 {
				c.send("x")
				time.Sleep(time.Second)
			}
		}, ok, 408, 30 * time.Second},
		{"waits to be asked", func(c *client) {
			c.send(upload(4, "Expect: 100-continue"))
			readHead(c.r)
			c.send("body")
		}, func(a *ask) string {
			time.Sleep(200 * time.Second)
			a.say("HTTP/1.1 100 Continue\r\n\r\n")
			return ok(a)
		}, 200, 200 * time.Second},
		{"origin reads slowly", func(c *client) { c.send(upload(200<<10, "Expect: 100-continue") + strings.Repeat("x", 200<<10)) }, func(a *ask) string {
			for range 10 {
				time.Sleep(20 * time.Second)
				io.CopyN(io.Discard, a.r, 20<<10)
			}
			return respond(200, "ok")
		}, 200, 200 * time.Second},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			inBubble(t, Options{}, tt.origin, func(t *testing.T, w *world) {
				c := w.client()
				start := time.Now()
				done := make(chan struct{})
				go func() {
					defer close(done)
					tt.send(c)
				}()
				if strings.HasPrefix(tt.name, "waits") {
					<-done
				}
				a := c.readHead()
				if took := time.Since(start); a.status != tt.status || took < tt.after || took > tt.after+5*time.Second {
					t.Errorf("got %q after %v; want %d after %v", a.line, took, tt.status, tt.after)
				}
				<-done
			})
		})
	}
}

// TestUpload_brokenOff checks that a body which breaks off, or is no valid body, never looks complete at the origin.
func TestUpload_brokenOff(t *testing.T) {
	tests := []struct {
		name, head, body string
		status           int
	}{
		{"too short", "Content-Length: 100", "abc", 0},
		{"no last chunk", "Transfer-Encoding: chunked", "3\r\nabc\r\n", 0},
		{"bad chunk size", "Transfer-Encoding: chunked", "3\r\nabc\r\nxyz\r\n", 400},
		{"bad chunk end", "Transfer-Encoding: chunked", "3\r\nabcd\r\n0\r\n\r\n", 400},
		{"bare LF", "Transfer-Encoding: chunked", "3\nabc\n0\n\n", 400},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var got error
			inBubble(t, Options{}, func(a *ask) string {
				got = a.err
				return respond(200, "taken")
			}, func(t *testing.T, w *world) {
				got = nil
				c := w.client()
				c.send("POST " + host + "/ HTTP/1.1\r\nHost: 192.0.2.1\r\n" + tt.head + "\r\n\r\n")
				c.send(tt.body)
				<-c.sent
				synctest.Wait()
				if tt.status == 0 {
					c.Close()
				} else if a := c.readHead(); a.status != tt.status || a.get("Connection") != "close" {
					t.Errorf("got %q %q; want %d and close", a.line, a.head, tt.status)
				}
				synctest.Wait()
				if w.origin.count("") == 1 && got == nil {
					t.Error("the origin got a complete body")
				}
			})
		})
	}
}

// TestUpload_earlyAnswer checks that an answer before the end of the body reaches the client, and that neither
// connection is used again.
func TestUpload_earlyAnswer(t *testing.T) {
	inBubble(t, Options{}, func(a *ask) string {
		io.ReadFull(a.r, make([]byte, 4))
		return respond(413, "enough")
	}, func(t *testing.T, w *world) {
		c := w.client()
		c.send(upload(100, "Expect: 100-continue") + "some")
		a := c.read("POST")
		if a.status != 413 || a.body != "enough" || a.get("Connection") != "close" {
			t.Errorf("got %q %q; want 413 and close", a.line, a.head)
		}
		if _, err := c.r.ReadByte(); err != io.EOF {
			t.Errorf("then: got %v; want the end", err)
		}
		w.client().do("POST", host+"/")
		if n := len(w.origin.dials); n != 2 {
			t.Errorf("%d connections to the origin; want 2", n)
		}
	})
}
