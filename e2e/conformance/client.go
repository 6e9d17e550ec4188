package conformance

import (
	"crypto/rand"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/jayproxy/jay/e2e/origin"
	"github.com/jayproxy/jay/e2e/rawhttp"
)

const (
	atOnce = 25              // cases side by side, as the public runner
	pause  = 3 * time.Second // after a request with pause_after
)

// Via tells how the client reaches the origin.
type Via struct {
	// Proxy is the address to connect to; "" means the origin itself.
	Proxy string
	// Transparent clients send origin-form targets, as if they knew nothing
	// of a proxy; others send absolute-form targets.
	Transparent bool
	// Bare clients leave out the Pragma and Cache-Control that mean nothing,
	// with which the public runner keeps its client library from adding others.
	Bare bool
	// Do, if set, sends a request, given as HTTP/1.1 would have it, in another
	// way than by connecting to Proxy.
	Do func(request string) (*rawhttp.Response, error)
	// Also are further fields of every request.
	Also rawhttp.Fields
}

// Run runs all cases that keep accepts, and returns a result for each in their
// order. Cases run side by side against one origin of their own.
func Run(suites []Suite, via Via, keep func(*Case) bool) ([]Result, error) {
	st := &stage{runs: map[string]*run{}}
	o, err := origin.Start(st.serve)
	if err != nil {
		return nil, err
	}
	defer o.Close()
	if via.Proxy == "" {
		via.Proxy, via.Transparent = o.Addr(), true
	}
	var results []Result
	for _, s := range suites {
		for i := range s.Tests {
			if c := &s.Tests[i]; keep(c) {
				results = append(results, Result{Suite: s.ID, Case: c})
			}
		}
	}
	slots := make(chan bool, atOnce)
	var wg sync.WaitGroup
	for i := range results {
		slots <- true
		wg.Go(func() {
			r := &run{c: results[i].Case, token: rand.Text(), sent: map[int]rawhttp.Fields{}}
			st.add(r)
			results[i].judge(r.play(via, o.Addr()))
			results[i].Seen, results[i].token, results[i].host = r.seen, r.token, o.Addr()
			<-slots
		})
	}
	wg.Wait()
	return results, nil
}

// play sends the case's requests in order, checks each response, and in the
// end what the origin recorded.
func (r *run) play(via Via, host string) error {
	client := &client{via: via, host: host}
	defer client.close()
	var responses []*rawhttp.Response
	for i := range r.c.Requests {
		e := &r.c.Requests[i]
		resp, err := client.do(r.request(e, i+1, via, host, responses), e.Method)
		if err != nil {
			return fmt.Errorf("request %d: %w", i+1, err)
		}
		responses = append(responses, resp)
		r.seen = responses
		if err := checkResponse(e, i+1, resp, r.token); err != nil {
			return fmt.Errorf("response %d: %w", i+1, err)
		}
		if e.PauseAfter {
			time.Sleep(pause)
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.checkRecords(responses)
}

// request serialises the request of number n.
func (r *run) request(e *Entry, n int, via Via, host string, before []*rawhttp.Response) string {
	target := "/test/" + r.token
	if e.Filename != "" {
		target += "/" + e.Filename
	}
	if e.QueryArg != "" {
		target += "?" + e.QueryArg
	}
	if !via.Transparent {
		target = (&url.URL{Scheme: "http", Host: host}).String() + target
	}
	fs := rawhttp.F("Host", host)
	if !via.Bare {
		fs = append(fs, rawhttp.F("Pragma", "foo", "Cache-Control", "nothing-to-see-here")...)
	}
	fs = append(append(fs, via.Also...), rawhttp.F("Test-ID", r.c.ID, "Req-Num", strconv.Itoa(n))...)
	now := time.Now()
	if e.MagicIMS && len(before) > 0 {
		now = serverNow(before[len(before)-1], now)
	}
	for _, h := range e.RequestHeaders {
		fs = append(fs, rawhttp.Field{Name: h.Name, Value: latin1(e.value(h, now, target))})
	}
	if e.RequestBody != "" && !fs.Has("Content-Length") {
		fs = append(fs, rawhttp.Field{Name: "Content-Length", Value: strconv.Itoa(len(e.RequestBody))})
	}
	return rawhttp.Request(e.Method, target, fs, e.RequestBody)
}

func serverNow(resp *rawhttp.Response, fallback time.Time) time.Time {
	ms, err := strconv.ParseInt(resp.Fields.Get("Server-Now"), 10, 64)
	if err != nil {
		return fallback
	}
	return time.UnixMilli(ms)
}

// client keeps one connection as long as it may be kept.
type client struct {
	via  Via
	host string
	conn *rawhttp.Conn
}

func (c *client) do(request, method string) (*rawhttp.Response, error) {
	if c.via.Do != nil {
		return c.via.Do(request)
	}
	if c.conn == nil {
		conn, err := rawhttp.Dial(c.via.Proxy)
		if err != nil {
			return nil, err
		}
		c.conn = conn
	}
	if err := c.conn.Send(request); err != nil {
		return nil, err
	}
	resp, err := c.conn.ReadResponse(method)
	if err != nil {
		return nil, err
	}
	if resp.Err != nil {
		return nil, errors.New("body breaks off: " + resp.Err.Error())
	}
	if !resp.Keep() || strings.EqualFold(resp.Fields.Get("Connection"), "close") {
		c.close()
	}
	return resp, nil
}

func (c *client) close() {
	if c.conn != nil {
		c.conn.Close()
		c.conn = nil
	}
}
