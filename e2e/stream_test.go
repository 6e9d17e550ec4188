package e2e

import (
	"bytes"
	"fmt"
	"io"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jayproxy/jay/e2e/origin"
	"github.com/jayproxy/jay/e2e/rawhttp"
)

// handshake returns the fields of a WebSocket opening handshake (RFC 6455
// section 4.1) besides Host.
func handshake() rawhttp.Fields {
	return rawhttp.F("Connection", "Upgrade", "Upgrade", "websocket", "Sec-WebSocket-Version", "13",
		"Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==")
}

// get serialises a GET this way with the fields after Host.
func (w way) get(host, path string, fs rawhttp.Fields) string {
	return rawhttp.Request("GET", w.target(host, path), append(rawhttp.F("Host", host), fs...), "")
}

// TestStream_events: each event reaches the client before the origin has sent
// the next, whatever delimits the body.
func TestStream_events(t *testing.T) {
	t.Parallel()
	const events = 5
	event := func(i int) string { return fmt.Sprintf("data: %03d\n\n", i) }
	step := make(map[string]chan bool)
	o := startOrigin(t, func(x *origin.Exchange) {
		framing := strings.Split(x.Path(), "/")[2]
		fs := rawhttp.F("Content-Type", "text/event-stream")
		switch framing {
		case "chunked":
			fs = append(fs, rawhttp.F("Transfer-Encoding", "chunked")...)
		case "length":
			fs = append(fs, rawhttp.F("Content-Length", strconv.Itoa(events*len(event(0))), "Cache-Control", "max-age=60")...)
		case "close":
			x.Close()
		}
		x.Head("200 OK", fs)
		for i := range events {
			select {
			case <-step[x.Path()]:
			case <-time.After(rawhttp.Timeout):
				x.Reset()
				return
			}
			if framing == "chunked" {
				x.Chunk(event(i))
			} else {
				x.Send(event(i))
			}
		}
		if framing == "chunked" {
			x.Send("0\r\n\r\n")
		}
	})
	j := startJay(t)
	for _, w := range waysOf(j) {
		for _, framing := range []string{"chunked", "length", "close"} {
			step["/"+w.name+"/"+framing] = make(chan bool)
		}
	}
	for _, w := range waysOf(j) {
		for _, framing := range []string{"chunked", "length", "close"} {
			t.Run(w.name+"/"+framing, func(t *testing.T) {
				t.Parallel()
				path := "/" + w.name + "/" + framing
				c := w.dial(t, o.Addr())
				send(t, c, w.get(o.Addr(), path, nil))
				resp, err := c.ReadFinal("GET")
				if err != nil {
					t.Fatalf("no head before the first event: %v", err)
				}
				body := c.Body(resp)
				for i := range events {
					step[path] <- true
					got := make([]byte, len(event(i)))
					if _, err := io.ReadFull(body, got); err != nil || string(got) != event(i) {
						t.Fatalf("event %d: got %q, %v", i, got, err)
					}
				}
				if n, err := body.Read(make([]byte, 1)); n != 0 || err != io.EOF {
					t.Errorf("after the events: got %d bytes, %v; want the end", n, err)
				}
			})
		}
	}
}

// TestStream_upload: each part of a request body reaches the origin before the
// client has sent the next.
func TestStream_upload(t *testing.T) {
	t.Parallel()
	got := map[string]chan string{"/explicit": make(chan string), "/transparent": make(chan string)}
	o := startOrigin(t, func(x *origin.Exchange) {
		buf := make([]byte, 100)
		for {
			n, err := x.Read(buf)
			if n > 0 {
				got[x.Path()] <- string(buf[:n])
			}
			if err != nil {
				break
			}
		}
		x.Reply("200 OK", nil, "done")
	})
	eachWay(t, startJay(t), func(t *testing.T, w way) {
		c := w.dial(t, o.Addr())
		path := "/" + w.name
		send(t, c, rawhttp.Request("POST", w.target(o.Addr(), path), rawhttp.F("Host", o.Addr(), "Transfer-Encoding", "chunked"), ""))
		for i := range 5 {
			part := fmt.Sprintf("part %d", i)
			send(t, c, fmt.Sprintf("%x\r\n%s\r\n", len(part), part))
			select {
			case s := <-got[path]:
				if s != part {
					t.Errorf("got %q; want %q", s, part)
				}
			case <-time.After(10 * time.Second):
				t.Fatalf("part %d has not reached the origin after 10 s", i)
			}
		}
		send(t, c, "0\r\n\r\n")
		if resp := receive(t, c, "POST"); string(resp.Body) != "done" {
			t.Errorf("got %v; want done", resp)
		}
	})
}

// TestStream_longPoll: a held request is answered when the origin answers, and
// ends at the origin when the client goes away.
func TestStream_longPoll(t *testing.T) {
	t.Parallel()
	gone := map[string]chan bool{"/explicit/gone": make(chan bool, 1), "/transparent/gone": make(chan bool, 1)}
	o := startOrigin(t, func(x *origin.Exchange) {
		if g := gone[x.Path()]; g != nil {
			g <- x.Gone(20 * time.Second)
			x.Close()
			return
		}
		time.Sleep(1500 * time.Millisecond)
		x.Reply("200 OK", nil, "now")
	})
	j := startJay(t)
	for _, w := range waysOf(j) {
		t.Run(w.name, func(t *testing.T) {
			t.Parallel()
			if resp := w.do(t, "GET", o.Addr(), "/"+w.name+"/held", nil, ""); string(resp.Body) != "now" {
				t.Errorf("got %v; want now", resp)
			}
			path := "/" + w.name + "/gone"
			c := w.dial(t, o.Addr())
			send(t, c, w.get(o.Addr(), path, nil))
			eventually(t, "the request is held", func() bool { return o.Count(path) == 1 })
			c.Close()
			began := time.Now()
			if !<-gone[path] || time.Since(began) > 5*time.Second {
				t.Errorf("origin still waits %v after the client went away", time.Since(began))
			}
		})
	}
}

// TestTrailers_RFC9110_6_5: trailers pass both ways when they are announced.
func TestTrailers_RFC9110_6_5(t *testing.T) {
	t.Parallel()
	o := startOrigin(t, func(x *origin.Exchange) {
		if _, err := x.ReadBody(); err != nil {
			x.Close()
			return
		}
		x.Head("200 OK", rawhttp.F("Trailer", "X-Sum, x-other", "Transfer-Encoding", "chunked", "Cache-Control", "no-store"))
		x.Chunk("body")
		x.Send("0\r\nX-Sum: abc\r\nx-other: 1\r\nx-other: 2\r\n\r\n")
	})
	eachWay(t, startJay(t), func(t *testing.T, w way) {
		c := w.dial(t, o.Addr())
		path := "/" + w.name
		send(t, c, rawhttp.Request("POST", w.target(o.Addr(), path), rawhttp.F("Host", o.Addr(), "TE", "trailers",
			"Connection", "TE", "Trailer", "X-Check", "Transfer-Encoding", "chunked"), "4\r\nabcd\r\n0\r\nX-Check: 77\r\n\r\n"))
		resp := receive(t, c, "POST")
		if want := "X-Sum: abc\r\nx-other: 1\r\nx-other: 2\r\n"; resp.Trailers.String() != want || string(resp.Body) != "body" {
			t.Errorf("got trailers %q of %v; want %q", resp.Trailers, resp, want)
		}
		if r := o.To(path)[0]; r.Trailers.Get("X-Check") != "77" || r.Fields.Get("TE") != "trailers" {
			t.Errorf("origin got trailers %q, TE %q; want X-Check, trailers", r.Trailers, r.Fields.Get("TE"))
		}
	})
}

// TestInterim_RFC9110_15_2: 102 and 103 reach the client as they are sent, with
// their fields, before the final response; they are not replayed from store.
func TestInterim_RFC9110_15_2(t *testing.T) {
	t.Parallel()
	seen := map[string]chan bool{"/explicit": make(chan bool), "/transparent": make(chan bool)}
	o := startOrigin(t, func(x *origin.Exchange) {
		x.Head("102 Processing", nil)
		x.Head("103 Early Hints", rawhttp.F("Link", "</a.css>; rel=preload", "link", "</b.js>; rel=preload"))
		<-seen[x.Path()] // the final response waits until the client has both
		x.OK("final")
	})
	eachWay(t, startJay(t), func(t *testing.T, w way) {
		path := "/" + w.name
		c := w.dial(t, o.Addr())
		send(t, c, w.get(o.Addr(), path, nil))
		for _, want := range []string{"HTTP/1.1 102 Processing\r\n\r\n", "HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\nlink: </b.js>; rel=preload\r\n\r\n"} {
			resp, err := c.ReadHead("GET")
			if err != nil || resp.Raw != want && withoutVia(resp.Head) != want {
				close(seen[path])
				t.Fatalf("got %q, %v; want %q", resp.Raw, err, want)
			}
		}
		close(seen[path])
		if resp := receive(t, c, "GET"); string(resp.Body) != "final" {
			t.Errorf("got %v; want final", resp)
		}
		send(t, c, w.get(o.Addr(), path, nil))
		resp := receive(t, c, "GET")
		checkHit(t, resp.Fields)
		if len(resp.Interim) != 0 {
			t.Errorf("got %d interim responses from the cache; want none", len(resp.Interim))
		}
	})
}

func withoutVia(h rawhttp.Head) string {
	return h.Line + "\r\n" + h.Fields.Without("Via").String() + "\r\n"
}

// TestPipelining_RFC9112_9_3_2: pipelined requests are answered in order, slow
// ones and hits mixed.
func TestPipelining_RFC9112_9_3_2(t *testing.T) {
	t.Parallel()
	o := startOrigin(t, func(x *origin.Exchange) {
		if strings.Contains(x.Req.Target, "slow") {
			time.Sleep(200 * time.Millisecond)
		}
		x.ReadBody()
		x.OK(x.Req.Target)
	})
	eachWay(t, startJay(t), func(t *testing.T, w way) {
		w.do(t, "GET", o.Addr(), "/stored"+w.name, nil, "")
		c := w.dial(t, o.Addr())
		paths := []string{"/slow1" + w.name, "/stored" + w.name, "/slow2" + w.name, "/fast" + w.name, "/stored" + w.name}
		var all strings.Builder
		for _, p := range paths {
			all.WriteString(w.get(o.Addr(), p, nil))
		}
		all.WriteString(rawhttp.Request("POST", w.target(o.Addr(), "/post"), rawhttp.F("Host", o.Addr(), "Content-Length", "3"), "abc"))
		send(t, c, all.String())
		for _, p := range append(paths, "/post") {
			if resp := receive(t, c, "GET"); string(resp.Body) != p {
				t.Fatalf("got %v; want %s", resp, p)
			}
		}
	})
}

// TestHTTP10_RFC9112_9_3: an HTTP/1.0 client gets no chunks and, unless it asks
// for more, the end of the connection.
func TestHTTP10_RFC9112_9_3(t *testing.T) {
	t.Parallel()
	body := bytes.Repeat([]byte("0123456789"), 50_000)
	o := startOrigin(t, func(x *origin.Exchange) {
		switch {
		case strings.HasSuffix(x.Path(), "/chunked"):
			x.Head("200 OK", rawhttp.F("Transfer-Encoding", "chunked"))
			for part := body; len(part) > 0; part = part[50_000:] {
				x.Chunk(string(part[:50_000]))
			}
			x.Send("0\r\n\r\n")
		default:
			x.OK("stored")
		}
	})
	eachWay(t, startJay(t), func(t *testing.T, w way) {
		tests := []struct {
			path, fields, want string
			kept               bool
		}{
			{"/chunked", "", string(body), false},
			{"/plain", "", "stored", false},
			{"/plain", "", "stored", false}, // a hit
			{"/plain", "Connection: keep-alive\r\n", "stored", true},
		}
		for i, tt := range tests {
			c := w.dial(t, o.Addr())
			request := "GET " + w.target(o.Addr(), "/"+w.name+tt.path) + " HTTP/1.0\r\nHost: " + o.Addr() + "\r\n" + tt.fields + "\r\n"
			send(t, c, request)
			resp := receive(t, c, "GET")
			if string(resp.Body) != tt.want || resp.Framing.Chunked {
				t.Errorf("%d: got %v; want %d bytes unchunked", i, resp, len(tt.want))
			}
			if !tt.kept {
				if !c.Closed(5 * time.Second) {
					t.Errorf("%d: the connection stays open; want its end", i)
				}
				continue
			}
			send(t, c, request)
			if resp := receive(t, c, "GET"); string(resp.Body) != tt.want {
				t.Errorf("%d: got %v on the kept connection", i, resp)
			}
		}
		if r := o.To("/" + w.name + "/chunked"); len(r) != 1 || r[0].Version != "HTTP/1.1" {
			t.Errorf("origin got %+v; want one HTTP/1.1 request", r)
		}
	})
}
