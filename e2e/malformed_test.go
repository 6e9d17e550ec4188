package e2e

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jayproxy/jay/e2e/origin"
	"github.com/jayproxy/jay/e2e/rawhttp"
	"github.com/jayproxy/jay/proxy/wire/wiretest"
)

const (
	mutationSeed = 1
	workers      = 8
)

// closeTime is how long jay may take to end a connection after refusing.
const closeTime = 10 * time.Second

// TestMalformed_RFC9112: each malformed request is refused with its status and
// the end of the connection, through both listeners, and the origin sees
// neither it nor what hides behind it (security A1-A14, R1).
func TestMalformed_RFC9112(t *testing.T) {
	t.Parallel()
	cases := append(wiretest.Malformed(), wiretest.Mutations(mutationSeed, 1100)...)
	if n := len(wiretest.Malformed()); n < 250 {
		t.Errorf("got %d malformed requests; want at least 250", n)
	}
	j := startJay(t, "--max-client-connections", "0")
	for _, w := range waysOf(j) {
		t.Run(w.name, func(t *testing.T) {
			t.Parallel()
			spread(t, w, cases)
		})
	}
}

// spread refuses all cases in several workers. Each has two origins, so that
// what arrives late is not taken for another case's: one for faults in the
// head, of which nothing at all may arrive, and one for faults in the body, of
// which nothing may arrive whole.
func spread(t *testing.T, w way, cases []wiretest.Case) {
	t.Helper()
	answer := func(x *origin.Exchange) {
		if _, err := x.ReadBody(); err == nil {
			x.OK("served")
		}
	}
	queue := make(chan wiretest.Case)
	failed := make(chan string, len(cases))
	var wg sync.WaitGroup
	for range workers {
		head, body := startOrigin(t, answer), startOrigin(t, answer)
		t.Cleanup(func() {
			for _, r := range body.Requests() {
				if r.Complete || strings.Contains(r.Target, wiretest.Smuggled) {
					t.Errorf("origin got a whole request of a broken one: %q", r.Raw)
				}
			}
		})
		wg.Go(func() {
			for c := range queue {
				o := head
				if c.Body {
					o = body
				}
				if err := refuse(w, o, c); err != nil {
					failed <- fmt.Sprintf("%s: %v", c.Name, err)
				}
			}
		})
	}
	for _, c := range cases {
		queue <- c
	}
	close(queue)
	wg.Wait()
	close(failed)
	for f := range failed {
		t.Error(f)
	}
	t.Logf("%d cases", len(cases))
}

// refuse sends a malformed request and judges the answer and the origin.
func refuse(w way, o *origin.Origin, c wiretest.Case) error {
	raw := c.Explicit(o.Addr())
	if w.transparent {
		raw = c.Intercepted(o.Addr())
	}
	before := len(o.Requests())
	nc, err := w.open(o.Addr())
	if err != nil {
		return err
	}
	defer nc.Close()
	conn := rawhttp.NewConn(nc)
	conn.Patience = closeTime
	go conn.Send(raw) // may be cut short by the refusal
	method, _, _ := strings.Cut(raw, " ")
	resp, err := conn.ReadResponse(method)
	switch {
	case err != nil:
		return fmt.Errorf("no answer: %v (%q); want %d", err, resp.Raw, c.Status)
	case resp.Code != c.Status:
		return fmt.Errorf("got %d (Proxy-Status %s; Cache-Status %s); want %d", resp.Code, resp.Fields.Joined("Proxy-Status"), resp.Fields.Joined("Cache-Status"), c.Status)
	case resp.Err != nil:
		return fmt.Errorf("the refusal breaks off: %v", resp.Err)
	case method != "HEAD" && !conn.Closed(closeTime):
		return fmt.Errorf("the connection goes on after %d", resp.Code)
	}
	if arrived := o.Requests()[before:]; !c.Body && len(arrived) > 0 {
		return fmt.Errorf("forwarded: origin got %q", arrived[0].Raw)
	}
	return nil
}

// TestMalformed_serverLives: after all that, plain requests are served.
func TestMalformed_serverLives(t *testing.T) {
	t.Parallel()
	o := startOrigin(t, func(x *origin.Exchange) { x.OK("fine") })
	j := startJay(t)
	eachWay(t, j, func(t *testing.T, w way) {
		for _, c := range wiretest.Malformed()[:50] { // faults in lines and request lines
			if err := refuse(w, o, c); err != nil {
				t.Errorf("%s: %v", c.Name, err)
			}
		}
		if resp := w.do(t, "GET", o.Addr(), "/", nil, ""); string(resp.Body) != "fine" {
			t.Errorf("got %v; want fine", resp)
		}
	})
}

// TestBadResponses_RFC9112: a response that is malformed or breaks off is a 502
// or a visible break at the client, and never stored (security B1-B10, R2).
func TestBadResponses_RFC9112(t *testing.T) {
	t.Parallel()
	cases := wiretest.BadResponses()
	if len(cases) < 50 {
		t.Errorf("got %d bad responses; want at least 50", len(cases))
	}
	var mu sync.Mutex
	bad := map[string]string{} // by target, sent once
	o := startOrigin(t, func(x *origin.Exchange) {
		mu.Lock()
		raw, ok := bad[x.Req.Target]
		mu.Unlock()
		if !ok || x.Req.Fields.Has("X-Good") {
			x.OK("good")
			return
		}
		x.Send(raw)
		x.Close()
	})
	j := startJay(t)
	for _, w := range waysOf(j) {
		t.Run(w.name, func(t *testing.T) {
			t.Parallel()
			for i, c := range cases {
				path := fmt.Sprintf("/%s/%d", w.name, i)
				mu.Lock()
				bad[path] = c.Raw
				mu.Unlock()
				if err := rejected(w, o, path, c); err != nil {
					t.Errorf("%s: %v", c.Name, err)
				}
			}
			t.Logf("%d cases", len(cases))
		})
	}
}

func rejected(w way, o *origin.Origin, path string, c wiretest.Case) error {
	resp, err := w.once(o.Addr(), "GET", path, nil)
	switch {
	case err == nil && resp.Err == nil && resp.Code == 502:
		if !resp.Fields.Has("Proxy-Status") {
			return fmt.Errorf("502 without Proxy-Status: %v", resp)
		}
	case !c.Body:
		return fmt.Errorf("got %v, %v; want 502", resp, err)
	case err == nil && resp.Err == nil:
		return fmt.Errorf("got a whole answer: %v", resp)
	}
	if n := o.Count(path); n > 2 {
		return fmt.Errorf("origin was asked %d times", n)
	}
	resp, err = w.once(o.Addr(), "GET", path, rawhttp.F("X-Good", "1"))
	if err != nil || resp.Code != 200 || string(resp.Body) != "good" || strings.Contains(resp.Fields.Joined("Cache-Status"), "; hit") {
		return fmt.Errorf("afterwards got %v, %v; want the origin's good answer", resp, err)
	}
	return nil
}

// once sends one request on its own connection; nothing fails the test.
func (w way) once(host, method, path string, fs rawhttp.Fields) (*rawhttp.Response, error) {
	nc, err := w.open(host)
	if err != nil {
		return nil, err
	}
	defer nc.Close()
	conn := rawhttp.NewConn(nc)
	if err := conn.Send(rawhttp.Request(method, w.target(host, path), append(rawhttp.F("Host", host), fs...), "")); err != nil {
		return nil, err
	}
	return conn.ReadResponse(method)
}

// TestFaults: every fault of the fault origin is visible at the client, nothing
// of it is stored, and what is whole is right (security B1, B2, F1, F2).
func TestFaults(t *testing.T) {
	t.Parallel()
	o := startOrigin(t, origin.Faults)
	j := startJay(t, "--body-timeout", "2s")
	for _, w := range waysOf(j) {
		for _, f := range origin.AllFaults() {
			t.Run(w.name+"/"+string(f), func(t *testing.T) {
				t.Parallel()
				size := int64(100_000)
				if f == origin.FaultDrip {
					size = 50
				}
				path := origin.FaultPath(f, size, 1, w.name)
				for range 2 {
					began := time.Now()
					resp, err := w.once(o.Addr(), "GET", path, nil)
					whole := err == nil && resp.Err == nil
					switch {
					case f == origin.FaultDrip:
						_, content, _ := origin.FaultContent(path)
						if !whole || string(resp.Body) != string(content.Bytes()) {
							t.Errorf("got %v, %v; want %d right bytes", resp, err, size)
						}
					case whole && resp.Code < 500:
						t.Errorf("got a whole answer: %d, %d bytes", resp.Code, len(resp.Body))
					case whole && !resp.Fields.Has("Proxy-Status"):
						t.Errorf("got %v; want a Proxy-Status", resp)
					}
					if d := time.Since(began); d > 20*time.Second {
						t.Errorf("took %v", d)
					}
				}
				want := 2
				if f == origin.FaultDrip {
					want = 1
				}
				if n := o.Count(path); n < want || n > 2*want {
					t.Errorf("origin got %d requests for 2; want %d", n, want)
				}
			})
		}
	}
}
