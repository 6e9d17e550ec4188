package upstream_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/jayproxy/jay/proxy/upstream"
	"github.com/jayproxy/jay/proxy/wire"
)

// slowReader gives data one byte at a time and then err, or io.EOF.
type slowReader struct {
	data string
	err  error
}

func (r *slowReader) Read(p []byte) (int, error) {
	if r.data == "" {
		if r.err != nil {
			return 0, r.err
		}
		return 0, io.EOF
	}
	p[0] = r.data[0]
	r.data = r.data[1:]
	return 1, nil
}

// clientBody is a body as a client sends it: Read waits for data, and stop ends
// the waiting as a deadline would.
type clientBody struct {
	data    chan string
	stopped chan struct{}
	once    sync.Once
	stops   atomic.Int32
	reading atomic.Bool
}

func newClientBody() *clientBody {
	return &clientBody{data: make(chan string), stopped: make(chan struct{})}
}

var errDeadline = errors.New("deadline")

func (b *clientBody) Read(p []byte) (int, error) {
	if b.reading.Swap(true) {
		panic("two readers")
	}
	defer b.reading.Store(false)
	select {
	case s, ok := <-b.data:
		if !ok {
			return 0, io.EOF
		}
		return copy(p, s), nil
	case <-b.stopped:
		return 0, errDeadline
	}
}

func (b *clientBody) stop() {
	b.stops.Add(1)
	b.once.Do(func() { close(b.stopped) })
}

// post is a request with a body of known length, or with -1 a chunked one.
func post(body io.Reader, length int) *upstream.Request {
	framing := fmt.Sprintf("Content-Length: %d", length)
	if length < 0 {
		framing = "Transfer-Encoding: chunked"
	}
	return &upstream.Request{
		Method: "POST", Head: []byte("POST / HTTP/1.1\r\nHost: a.example\r\n" + framing + "\r\n\r\n"),
		Body: body, Chunked: length < 0,
	}
}

// bodyOrigin answers each whole request with its body and trailers.
func bodyOrigin(t *testing.T) *origin {
	return newOrigin(t, func(_ int, p *peer) {
		for {
			r, body := p.request()
			if r == nil {
				return
			}
			answer := body
			if len(r.Trailer) > 0 {
				answer += fmt.Sprint(r.Trailer)
			}
			p.say(fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(answer), answer))
		}
	})
}

// countedDial counts writes to the connections it opens.
func countedDial(writes *atomic.Int32) func(context.Context, string, string) (net.Conn, error) {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		nc, err := new(net.Dialer).DialContext(ctx, network, address)
		return &countedConn{nc, writes}, err
	}
}

type countedConn struct {
	net.Conn
	writes *atomic.Int32
}

func (c *countedConn) Write(p []byte) (int, error) {
	c.writes.Add(1)
	return c.Conn.Write(p)
}

func TestDo_Body(t *testing.T) {
	big := strings.Repeat("0123456789abcdef", 1<<16)
	trailers := func() *wire.Fields {
		f, err := wire.ParseFields("X-Sum: 1\r\nContent-Length: 7\r\nHost: b\r\nAuthorization: c\r\nIf-Match: d\r\n")
		if err != nil {
			t.Error(err)
		}
		return &f
	}
	for _, tt := range []struct {
		name     string
		data     string
		chunked  bool
		buffered bool
		slow     bool
		trailers func() *wire.Fields
		want     string
		writes   int32 // at most
	}{
		{"length, in memory", "hello", false, true, false, nil, "hello", 1},
		{"chunked, in memory", "hello", true, true, false, nil, "hello", 1},
		{"chunked, in memory, bytewise", "hello", true, true, true, nil, "hello", 1},
		{"empty, length, in memory", "", false, true, false, nil, "", 1},
		{"empty, chunked, in memory", "", true, true, false, nil, "", 1},
		{"in memory with trailers", "hello", true, true, false, trailers, "hellomap[X-Sum:[1]]", 1},
		{"big, length, in memory", big, false, true, false, nil, big, 40},
		{"big, chunked, in memory", big, true, true, false, nil, big, 40},
		{"length", "hello", false, false, false, nil, "hello", 2},
		{"chunked", "hello", true, false, false, nil, "hello", 3},
		{"length, bytewise", "hello", false, false, true, nil, "hello", 6},
		{"chunked, bytewise", "hello", true, false, true, nil, "hello", 7},
		{"empty, chunked", "", true, false, false, nil, "", 2},
		{"with trailers", "hello", true, false, false, trailers, "hellomap[X-Sum:[1]]", 3},
		{"big, length", big, false, false, false, nil, big, 40},
		{"big, chunked", big, true, false, false, nil, big, 40},
	} {
		t.Run(tt.name, func(t *testing.T) {
			noLeaks(t)
			var writes atomic.Int32
			o := bodyOrigin(t)
			c := newClient(t, upstream.Options{DialContext: countedDial(&writes)})
			for range 2 {
				var body io.Reader = strings.NewReader(tt.data)
				if tt.slow {
					body = &slowReader{data: tt.data}
				}
				length := len(tt.data)
				if tt.chunked {
					length = -1
				}
				r := post(body, length)
				r.Buffered, r.Trailers = tt.buffered, tt.trailers
				writes.Store(0)
				status, got, err := fetch(t.Context(), c, o.origin(), r)
				if status != 200 || got != tt.want || err != nil {
					t.Fatalf("got %d, %d bytes %.40q, %v; want 200, %d bytes %.40q", status, len(got), got, err, len(tt.want), tt.want)
				}
				if n := writes.Load(); n > tt.writes {
					t.Errorf("got %d writes; want at most %d", n, tt.writes)
				}
			}
			if n := o.accepted.Load(); n != 1 {
				t.Errorf("got %d connections; want 1", n)
			}
		})
	}
}

// TestDo_BodyError: a client that breaks off is told apart from an origin that
// does, and the origin never sees a complete request.
func TestDo_BodyError(t *testing.T) {
	for _, length := range []int{10, -1} {
		for _, buffered := range []bool{true, false} {
			t.Run(fmt.Sprint(length, buffered), func(t *testing.T) {
				noLeaks(t)
				whole := make(chan bool, 1)
				o := newOrigin(t, func(_ int, p *peer) {
					r, _ := p.request()
					whole <- r != nil
				})
				c := newClient(t, upstream.Options{})
				broken := errors.New("broken")
				r := post(&slowReader{data: "hello", err: broken}, length)
				r.Buffered = buffered
				_, err := c.Do(t.Context(), o.origin(), r)
				var be *upstream.BodyError
				if !errors.As(err, &be) || be.Err != broken {
					t.Errorf("got %v; want a *BodyError of %v", err, broken)
				}
				if <-whole {
					t.Error("the origin got a complete request; want it cut")
				}
			})
		}
	}
}

// TestDo_BodyLength: a body that is not as long as announced, or not announced,
// never makes the origin see another request.
func TestDo_BodyLength(t *testing.T) {
	for _, tt := range []struct {
		name, announced, body string
		want                  any
	}{
		{"not announced as chunked", "Content-Length: 3\r\n", "one", new(*upstream.Error)},
		{"too long", "Content-Length: 3\r\n", "one\r\nGET /smuggled HTTP/1.1\r\n\r\n", new(*upstream.BodyError)},
		{"too short", "content-length:5\r\n", "one", new(*upstream.BodyError)},
		{"not announced", "", "GET /smuggled HTTP/1.1\r\n\r\n", new(*upstream.Error)},
		{"announced in words", "Content-Length: three\r\n", "one", new(*upstream.Error)},
		{"announced below zero", "Content-Length: -3\r\n", "one", new(*upstream.Error)},
	} {
		for _, buffered := range []bool{true, false} {
			t.Run(fmt.Sprint(tt.name, buffered), func(t *testing.T) {
				noLeaks(t)
				requests := make(chan string, 10)
				o := newOrigin(t, func(_ int, p *peer) {
					for {
						r, _ := p.request()
						if r == nil {
							break
						}
						requests <- r.URL.Path
						p.say(okHello)
					}
					requests <- "end"
				})
				c := newClient(t, upstream.Options{})
				r := post(strings.NewReader(tt.body), 0)
				r.Head = []byte("POST / HTTP/1.1\r\nHost: a.example\r\n" + tt.announced + "\r\n")
				r.Buffered, r.Chunked = buffered, tt.name == "not announced as chunked"
				_, body, err := fetch(t.Context(), c, o.origin(), r)
				if !errors.As(err, tt.want) {
					t.Errorf("got %q, %v; want a %T", body, err, tt.want)
				}
				if got := <-requests; got != "end" {
					t.Errorf("the origin got a request for %s; want none", got)
				}
			})
		}
	}
}

// TestDo_BodyErrorInResponse: the client's body breaks off after the response began.
func TestDo_BodyErrorInResponse(t *testing.T) {
	noLeaks(t)
	o := newOrigin(t, func(_ int, p *peer) {
		p.head()
		p.say("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello")
		p.wait()
	})
	c := newClient(t, upstream.Options{})
	body := newClientBody()
	resp, err := c.Do(t.Context(), o.origin(), post(body, 5))
	if err != nil {
		t.Fatal(err)
	}
	body.stop() // by the client, not by Do
	_, err = io.ReadAll(resp.Body)
	var be *upstream.BodyError
	if !errors.As(err, &be) {
		t.Errorf("got %v; want a *BodyError", err)
	}
	resp.Close()
}

// TestDo_EarlyAnswer covers A12: an answer that comes before the end of the request.
func TestDo_EarlyAnswer(t *testing.T) {
	for _, tt := range []struct {
		name   string
		answer string
		close  bool // the origin closes after it
		first  string
	}{
		{"413 while sending", "HTTP/1.1 413 Content Too Large\r\nContent-Length: 5\r\n\r\nhello", false, "some"},
		{"413 while sending, closed", "HTTP/1.1 413 Content Too Large\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello", true, "some"},
		{"417 to Expect", "HTTP/1.1 417 Expectation Failed\r\nContent-Length: 5\r\n\r\nhello", false, ""},
		{"401 to Expect", "HTTP/1.1 401 Unauthorized\r\nContent-Length: 5\r\n\r\nhello", false, ""},
		{"200 to Expect", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", false, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			noLeaks(t)
			stopped := make(chan bool, 1) // the body is not wanted, but the answer goes on
			o := newOrigin(t, func(n int, p *peer) {
				p.head()
				if n > 0 {
					p.say(okHello)
					return
				}
				io.ReadFull(p.r, make([]byte, len(tt.first)))
				p.say(tt.answer[:len(tt.answer)-2])
				<-stopped
				p.say(tt.answer[len(tt.answer)-2:])
				if !tt.close {
					p.wait()
				}
			})
			c := newClient(t, upstream.Options{})
			body := newClientBody()
			r := post(body, 1000)
			r.StopBody = body.stop
			if tt.first != "" {
				go func() { body.data <- tt.first }()
			}
			resp, err := c.Do(t.Context(), o.origin(), r)
			if err != nil {
				t.Fatal(err)
			}
			if n := body.stops.Load(); n != 1 && resp.Status >= 300 {
				t.Errorf("got %d calls of StopBody before Close; want 1", n)
			}
			stopped <- true
			if got, err := io.ReadAll(resp.Body); string(got) != "hello" || err != nil {
				t.Errorf("got %q, %v; want hello", got, err)
			}
			resp.Close()
			if n := body.stops.Load(); n != 1 || body.reading.Load() {
				t.Errorf("got %d calls of StopBody, reading %v; want 1, not reading", n, body.reading.Load())
			}
			if _, _, err := fetch(t.Context(), c, o.origin(), get()); err != nil || o.accepted.Load() != 2 {
				t.Errorf("got %v and %d connections; want a second one", err, o.accepted.Load())
			}
		})
	}
}

// TestDo_AnswerAndClose: an origin that refuses a large body, answers and closes
// without reading it is heard although writing to it fails.
func TestDo_AnswerAndClose(t *testing.T) {
	noLeaks(t)
	o := newOrigin(t, func(_ int, p *peer) {
		p.head()
		p.say("HTTP/1.1 413 Content Too Large\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello")
		p.Conn.(*net.TCPConn).CloseWrite()
		io.CopyN(io.Discard, p.r, 1<<20)
	})
	c := newClient(t, upstream.Options{})
	r := post(io.LimitReader(zeros{}, 1<<30), 1<<30)
	status, body, err := fetch(t.Context(), c, o.origin(), r)
	if status != 413 || body != "hello" || err != nil {
		t.Errorf("got %d %q %v; want 413 hello", status, body, err)
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { return len(p), nil }

// TestDo_Expect_RFC9110_10_1_1: 100 lets the client send its body, which then
// gets an ordinary answer on a connection that stays.
func TestDo_Expect_RFC9110_10_1_1(t *testing.T) {
	noLeaks(t)
	o := newOrigin(t, func(_ int, p *peer) {
		for p.head() != "" {
			p.say("HTTP/1.1 100 Continue\r\n\r\n")
			io.ReadFull(p.r, make([]byte, 4))
			p.say(okHello)
		}
	})
	c := newClient(t, upstream.Options{})
	for range 2 {
		body := newClientBody()
		r := post(body, 4)
		r.StopBody = body.stop
		r.Interim = func(resp *wire.Response) error {
			if resp.Status != 100 {
				t.Errorf("got %d; want 100", resp.Status)
			}
			go func() {
				body.data <- "body"
				close(body.data)
			}()
			return nil
		}
		if status, got, err := fetch(t.Context(), c, o.origin(), r); status != 200 || got != "hello" || err != nil {
			t.Errorf("got %d %q %v; want 200 hello", status, got, err)
		}
		if n := body.stops.Load(); n != 0 {
			t.Errorf("got %d calls of StopBody; want 0", n)
		}
	}
	if n := o.accepted.Load(); n != 1 {
		t.Errorf("got %d connections; want 1", n)
	}
}

// TestDo_BothWays: a 2xx answer may go on together with the request, piece by piece.
func TestDo_BothWays(t *testing.T) {
	noLeaks(t)
	o := newOrigin(t, func(_ int, p *peer) {
		p.head()
		p.say("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
		io.Copy(p, p.r) // chunks as they come
	})
	c := newClient(t, upstream.Options{})
	body := newClientBody()
	r := post(body, -1)
	r.StopBody = body.stop
	resp, err := c.Do(t.Context(), o.origin(), r)
	if err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 10)
	for _, piece := range []string{"one", "two", "three"} {
		body.data <- piece
		if n, err := io.ReadFull(resp.Body, buf[:len(piece)]); string(buf[:n]) != piece || err != nil {
			t.Fatalf("got %q, %v; want %q", buf[:n], err, piece)
		}
	}
	close(body.data)
	if n, err := resp.Body.Read(buf); n != 0 || err != io.EOF {
		t.Errorf("got %d, %v; want the end", n, err)
	}
	resp.Close()
	if n := body.stops.Load(); n != 0 {
		t.Errorf("got %d calls of StopBody; want 0", n)
	}
}

// TestClose_SendsOn: a 2xx answer that is complete does not cut an upload short.
func TestClose_SendsOn(t *testing.T) {
	noLeaks(t)
	got := make(chan string, 1)
	o := newOrigin(t, func(_ int, p *peer) {
		p.head()
		io.ReadFull(p.r, make([]byte, 3))
		p.say(okHello)
		rest := make([]byte, 3)
		io.ReadFull(p.r, rest)
		got <- string(rest)
	})
	c := newClient(t, upstream.Options{})
	body := newClientBody()
	r := post(body, 6)
	r.StopBody = body.stop
	go func() { body.data <- "one" }()
	resp, err := c.Do(t.Context(), o.origin(), r)
	if err != nil {
		t.Fatal(err)
	}
	io.ReadAll(resp.Body)
	go func() { body.data <- "two"; close(body.data) }()
	resp.Close()
	if rest := <-got; rest != "two" || body.stops.Load() != 0 {
		t.Errorf("got %q, %d calls of StopBody; want two, 0", rest, body.stops.Load())
	}
}

// TestClose_Cancelled: Close does not wait for the rest of an upload whose
// client has gone.
func TestClose_Cancelled(t *testing.T) {
	noLeaks(t)
	o := newOrigin(t, func(_ int, p *peer) {
		p.head()
		p.r.ReadByte()
		p.say(okHello)
		p.wait()
	})
	c := newClient(t, upstream.Options{})
	ctx, cancel := context.WithCancel(t.Context())
	body := newClientBody()
	r := post(body, 6)
	r.StopBody = body.stop
	go func() { body.data <- "one" }()
	resp, err := c.Do(ctx, o.origin(), r)
	if err != nil {
		t.Fatal(err)
	}
	io.ReadAll(resp.Body)
	cancel()
	resp.Close()
	if n := body.stops.Load(); n != 1 || body.reading.Load() {
		t.Errorf("got %d calls of StopBody, reading %v; want 1, not reading", n, body.reading.Load())
	}
}

// TestDo_ResetWhileSending: an origin that resets ends the request at once.
func TestDo_ResetWhileSending(t *testing.T) {
	noLeaks(t)
	o := newOrigin(t, func(_ int, p *peer) {
		p.head()
		p.r.ReadByte()
		p.reset()
	})
	c := newClient(t, upstream.Options{})
	r := post(io.LimitReader(zeros{}, 1<<30), 1<<30)
	if _, err := c.Do(t.Context(), o.origin(), r); kind(err) != upstream.KindConnectionTerminated {
		t.Errorf("got %v; want %s", err, upstream.KindConnectionTerminated)
	}
}
