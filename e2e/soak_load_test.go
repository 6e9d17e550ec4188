//go:build soak && linux

package e2e

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/jayproxy/jay/e2e/process"
	"github.com/jayproxy/jay/e2e/rawhttp"
	"github.com/jayproxy/jay/proxy"
)

// soakSlow attacks with clients that are slow in each way, and measures when
// they are let go and what others notice (R8).
func soakSlow(t *testing.T, f *figures) {
	const heads, bodies, readers = 2000, 500, 500
	plain := startPlain(t)
	j := startSoakJay(t, process.Options{Log: "off", Args: []string{"--max-client-connections", "0", "--cache-size", "128MiB", "--idle-timeout", "5s"}})
	s := subjectOf(j)
	calm := honest(s, plain, max(scaled(10*time.Second), 5*time.Second))
	f.note(t, "R8", "p99 of 200 req/s without slow clients", "%v%s", calm.p99().Round(10*time.Microsecond), calm.slowFrom())
	fds0 := s.descriptors(t)
	began := time.Now()
	stop := make(chan struct{})
	var left, longest [3]atomic.Int64
	attack := func(kind, n int, request string, slow func(c *net.TCPConn) error) {
		left[kind].Store(int64(n))
		for i := range n {
			go func() {
				time.Sleep(time.Duration(i) * 5 * time.Second / time.Duration(n)) // 600 a second in all
				if lived, gone := attacker(s.addr, request, slow, stop); gone {
					left[kind].Add(-1)
					for old := longest[kind].Load(); int64(lived) > old && !longest[kind].CompareAndSwap(old, int64(lived)); old = longest[kind].Load() {
					}
				}
			}()
		}
	}
	head := "GET http://" + plain + "/page/1 HTTP/1.1\r\nHost: " + plain + "\r\n"
	attack(0, heads, head, func(c *net.TCPConn) error {
		_, err := io.WriteString(c, "X: a\r\n")
		return err
	})
	attack(1, bodies, "POST http://"+plain+"/ HTTP/1.1\r\nHost: "+plain+"\r\nContent-Length: 1000000\r\n\r\n", func(c *net.TCPConn) error {
		_, err := io.WriteString(c, "0123456789")
		return err
	})
	attack(2, readers, "GET http://"+plain+"/big HTTP/1.1\r\nHost: "+plain+"\r\n\r\n", func(c *net.TCPConn) error {
		if err := socketError(c); err != nil {
			return err // what was received before a reset could still be read for long
		}
		_, err := c.Read(make([]byte, 8))
		return err
	})
	cpu := s.cpu(t)
	lat := honest(s, plain, max(scaled(100*time.Second), 15*time.Second))
	f.note(t, "R8", "CPU for all of them", "%.1f %% of a core", 100*float64(s.cpu(t)-cpu)/float64(time.Since(began)))
	close(stop)
	good := 100 * float64(len(lat.took)-len(lat.errs)) / float64(len(lat.took))
	f.add(t, "R8", "200 req/s beside 3,000 slow clients, answered", good >= 99.9, "≥ 99.9 %", "%.2f %% of %d (first error: %s)", good, len(lat.took), lat.firstErr())
	f.add(t, "R8", "p99 of these", lat.p99() <= 50*time.Millisecond || scale() < 1, "≤ 50 ms", "%v%s", lat.p99().Round(10*time.Microsecond), lat.slowFrom())
	for kind, limit := range []time.Duration{15 * time.Second, 60 * time.Second, 90 * time.Second} {
		what := []string{"longest life of a slow head", "longest life of a slow body", "longest life of a slow reader"}[kind]
		ok := left[kind].Load() == 0 && time.Duration(longest[kind].Load()) <= limit
		f.add(t, "R8", what, ok || scale() < 1, "≤ "+limit.String(), "%v (%d left)", time.Duration(longest[kind].Load()).Round(100*time.Millisecond), left[kind].Load())
	}
	time.Sleep(7 * time.Second)
	f.add(t, "R8", "descriptors afterwards", scale() < 1 || s.descriptors(t) <= fds0+16, "≤ +16", "%+d", s.descriptors(t)-fds0)
	stopSoakJay(t, j)
}

// attacker is slow once a second until it is let go or told to stop. It returns
// how long it lived, and whether it was let go.
func attacker(addr, request string, slow func(c *net.TCPConn) error, stop chan struct{}) (lived time.Duration, gone bool) {
	began := time.Now()
	nc, err := slowDialer().Dial("tcp", addr)
	if err != nil {
		return 0, true
	}
	defer nc.Close()
	_, err = io.WriteString(nc, request)
	for err == nil {
		select {
		case <-stop:
			return 0, false
		case <-time.After(time.Second):
			err = slow(nc.(*net.TCPConn))
		}
	}
	return time.Since(began), true
}

// socketError returns what has happened to a connection.
func socketError(c *net.TCPConn) error {
	raw, err := c.SyscallConn()
	if err != nil {
		return err
	}
	code := 0
	e := raw.Control(func(fd uintptr) { code, err = syscall.GetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_ERROR) })
	if err == nil && code != 0 {
		err = syscall.Errno(code)
	}
	return errors.Join(e, err)
}

// slowDialer makes connections that can take little at a time.
func slowDialer() *net.Dialer {
	return &net.Dialer{Control: func(_, _ string, c syscall.RawConn) error {
		var err error
		if e := c.Control(func(fd uintptr) { err = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUF, 4096) }); e != nil {
			return e
		}
		return err
	}}
}

// stopSoakJay ends jay and checks that it ended well.
func stopSoakJay(t *testing.T, j *process.Jay) {
	t.Helper()
	if err := j.Stop(); err != nil {
		t.Error(err)
	}
}

// soakMemory floods the cache in each way and measures the memory (R12).
func soakMemory(t *testing.T, f *figures) {
	const budget = 128 << 20
	plain, admin := startPlain(t), process.FreeAddr()
	j := startSoakJay(t, process.Options{Log: "off", Args: []string{"--max-client-connections", "0", "--cache-size", "128MiB", "--max-object-size", "64MiB", "--admin", admin}})
	s := subjectOf(j)
	var peak, held int64
	samples := 0
	stop, sampled := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(sampled)
		for {
			peak = max(peak, s.memory(t))
			if n, ok := residentBytes(admin); ok {
				held, samples = max(held, n), samples+1
			}
			select {
			case <-stop:
				return
			case <-time.After(200 * time.Millisecond):
			}
		}
	}()
	largeFills(t, f, s)
	keys := flood(t, s, plain, scaled(90*time.Second), 1_000_000, func(i int) string {
		return fmt.Sprintf("GET http://%s/key/%d HTTP/1.1\r\nHost: %s\r\n\r\n", plain, i, plain)
	})
	f.note(t, "R12", "keys of the flood", "%d in %v", keys, scaled(90*time.Second))
	variants := flood(t, s, plain, scaled(20*time.Second), 10_000, func(i int) string {
		return fmt.Sprintf("GET http://%s/vary HTTP/1.1\r\nHost: %s\r\nX-A: %d\r\n\r\n", plain, plain, i)
	})
	f.note(t, "R12", "variants of one URL", "%d", variants)
	close(stop)
	<-sampled
	f.add(t, "R12", "most bytes in the cache and on their way into it", held <= budget && samples > 0, "≤ 128 MiB", "%.1f MiB in %d samples", float64(held)/(1<<20), samples)
	f.add(t, "R12", "highest RSS with a cache of 128 MiB", peak <= budget/2*3+64<<20, "≤ 256 MiB", "%d MiB", peak>>20)
	lat := honest(s, plain, 3*time.Second)
	f.add(t, "R12", "requests that fail afterwards", len(lat.errs) == 0, "0", "%d of %d", len(lat.errs), len(lat.took))
	stopSoakJay(t, j)
}

// residentBytes asks jay what its cache holds, bodies on their way included.
func residentBytes(admin string) (int64, bool) {
	resp, err := rawhttp.Get(admin, "GET", "/stats", rawhttp.F("Host", admin), "")
	if err != nil || resp.Code != 200 {
		return 0, false
	}
	var stats struct {
		Cache struct {
			Bytes     int64
			FillBytes int64 `json:"fill_bytes"`
		}
	}
	if err := json.Unmarshal(resp.Body, &stats); err != nil {
		return 0, false
	}
	return stats.Cache.Bytes + stats.Cache.FillBytes, true
}

// largeFills downloads 200 different objects of 20 MB at a time.
func largeFills(t *testing.T, f *figures, s subject) {
	t.Helper()
	const clients, size = 200, 20 << 20
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer l.Close()
	chunk := make([]byte, 256<<10)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				r := bufio.NewReader(c)
				for {
					if _, err := rawhttp.ReadHead(r); err != nil {
						return
					}
					fmt.Fprintf(c, "HTTP/1.1 200 OK\r\nCache-Control: max-age=3600\r\nContent-Length: %d\r\n\r\n", size)
					for range size / len(chunk) {
						if _, err := c.Write(chunk); err != nil {
							return
						}
					}
				}
			}()
		}
	}()
	var wg sync.WaitGroup
	var whole atomic.Int64
	began := time.Now()
	for i := range clients {
		wg.Go(func() {
			c, err := rawhttp.Dial(s.addr)
			if err != nil {
				return
			}
			defer c.Close()
			_ = c.Send(fmt.Sprintf("GET http://%s/%d HTTP/1.1\r\nHost: h\r\n\r\n", l.Addr(), i))
			resp, err := c.ReadFinal("GET")
			if err != nil {
				return
			}
			if n, err := io.CopyBuffer(struct{ io.Writer }{io.Discard}, struct{ io.Reader }{c.Body(resp)}, make([]byte, 64<<10)); err == nil && n == size {
				whole.Add(1)
			}
		})
	}
	wg.Wait()
	f.add(t, "R12", "200 downloads of 20 MiB at a time, whole", whole.Load() == clients, "200", "%d in %v", whole.Load(), time.Since(began).Round(100*time.Millisecond))
}

// flood sends up to n requests as fast as 32 clients can, pipelined by eight,
// and returns how many were answered.
func flood(t *testing.T, s subject, host string, d time.Duration, n int, request func(i int) string) int64 {
	t.Helper()
	var next, done atomic.Int64
	var wg sync.WaitGroup
	end := time.Now().Add(d)
	for range 32 {
		wg.Go(func() {
			c, err := net.Dial("tcp", s.addr)
			if err != nil {
				return
			}
			defer c.Close()
			r := bufio.NewReader(c)
			for time.Now().Before(end) {
				first := next.Add(8) - 8
				if first >= int64(n) {
					return
				}
				var b strings.Builder
				for i := range int64(8) {
					b.WriteString(request(int(first + i)))
				}
				if _, err := io.WriteString(c, b.String()); err != nil {
					return
				}
				for range 8 {
					if !skipAnswer(r) {
						return
					}
					done.Add(1)
				}
			}
		})
	}
	wg.Wait()
	return done.Load()
}

// skipAnswer reads one answer of 200 bytes.
func skipAnswer(r *bufio.Reader) bool {
	for {
		line, err := r.ReadSlice('\n')
		if err != nil {
			return false
		}
		if len(line) == 2 {
			_, err := r.Discard(200)
			return err == nil
		}
	}
}

// soakDescriptors lets 1,000 clients come to a jay that may open 256 files
// (R13).
func soakDescriptors(t *testing.T, f *figures) {
	plain := startPlain(t)
	j := startSoakJay(t, process.Options{Log: "off", Prefix: []string{"sh", "-c", `ulimit -n 256; exec "$@"`, "jay"},
		Args: []string{"--max-client-connections", "0", "--max-connections", "100000"}})
	s := subjectOf(j)
	var held []net.Conn
	for range 1000 {
		if c, err := net.DialTimeout("tcp", s.addr, time.Second); err == nil {
			held = append(held, c)
			_, _ = io.WriteString(c, "GET http://"+plain+"/page/1 HTTP/1.1\r\nHost: "+plain+"\r\n\r\n")
		}
	}
	before, began := s.cpu(t), time.Now()
	time.Sleep(max(scaled(20*time.Second), 3*time.Second))
	used := 100 * float64(s.cpu(t)-before) / float64(time.Since(began))
	f.add(t, "R13", "CPU with 1,000 clients and 256 descriptors", used <= 50, "≤ 50 % of a core", "%.1f %%", used)
	for _, c := range held {
		c.Close()
	}
	began = time.Now()
	for {
		resp, err := rawhttp.Get(s.addr, "GET", "http://"+plain+fmt.Sprintf("/miss/%x", rand.Uint64()), rawhttp.F("Host", plain), "")
		if err == nil && resp.Code == 200 || time.Since(began) > 20*time.Second {
			break
		}
	}
	f.add(t, "R13", "served again after", time.Since(began) <= time.Second, "≤ 1 s", "%v", time.Since(began).Round(time.Millisecond))
	stopSoakJay(t, j)
}

// soakPanics lets 1 % of the connections to origins panic for a while (R13).
func soakPanics(t *testing.T, f *figures) {
	plain := startPlain(t)
	d := net.Dialer{}
	p, ways := inProcess(t, proxy.Options{Dial: func(ctx context.Context, network, address string) (net.Conn, error) {
		c, err := d.DialContext(ctx, network, address)
		if err != nil {
			return nil, err
		}
		return &faultyConn{Conn: c, after: rand.IntN(60_000)}, nil // about one exchange in a hundred
	}})
	var n, cut, wrong atomic.Int64
	c := newClients(ways[0].addr)
	defer c.close()
	steadily(scaled(30*time.Second), 200, func(i int) {
		n.Add(1)
		resp, err := c.get(fmt.Sprintf("GET http://%s/miss/%d HTTP/1.1\r\nHost: %s\r\n\r\n", plain, i, plain))
		switch {
		case err != nil || resp.Err != nil || resp.Code == 502:
			cut.Add(1)
		case resp.Code != 200 || len(resp.Body) != 200:
			wrong.Add(1)
		}
	})
	panics := p.Stats().Panics
	f.add(t, "R13", "exchanges cut beside panics", cut.Load() <= panics+2 && panics > 0, "as many as panics", "%d of %d, %d panics", cut.Load(), n.Load(), panics)
	f.add(t, "R13", "wrong answers beside panics", wrong.Load() == 0, "0", "%d", wrong.Load())
}

// soakRestarts ends jay a hundred times under load, by SIGKILL and SIGTERM in
// turns (R17).
func soakRestarts(t *testing.T, f *figures) {
	plain := startPlain(t)
	binary, err := env.binary()
	must(t, err)
	listenAt := process.FreeAddr()
	cycles := max(int(100*scale()), 6)
	var slowest, longest time.Duration
	bad := 0
	for i := range cycles {
		began := time.Now()
		j, err := process.Start(process.Options{Binary: binary, Listen: listenAt, Log: "off", Args: []string{"--shutdown-timeout", "5s"}})
		must(t, err)
		resp, err := rawhttp.Get(listenAt, "GET", "http://"+plain+"/page/1", rawhttp.F("Host", plain), "")
		if slowest = max(slowest, time.Since(began)); err != nil || resp.Code != 200 {
			bad++
		}
		stop := make(chan struct{})
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() { loadUntil(stop, listenAt, plain) })
		}
		time.Sleep(50 * time.Millisecond)
		began = time.Now()
		if i%2 == 0 {
			j.Kill()
		} else if err := j.Stop(); err != nil {
			t.Error(err)
		}
		longest = max(longest, time.Since(began))
		close(stop)
		wg.Wait()
	}
	f.add(t, "R17", fmt.Sprintf("slowest of %d starts to its first answer", cycles), slowest <= time.Second && bad == 0, "≤ 1 s", "%v, %d failed", slowest.Round(time.Millisecond), bad)
	f.add(t, "R17", "longest end under load, exit status 0 after SIGTERM", longest <= 6*time.Second, "≤ 5 s", "%v", longest.Round(time.Millisecond))
}

// loadUntil asks for one page after the other until stop is closed.
func loadUntil(stop chan struct{}, addr, host string) {
	c := newClients(addr)
	defer c.close()
	for i := 0; ; i++ {
		select {
		case <-stop:
			return
		default:
			if _, err := c.get(fmt.Sprintf("GET http://%s/miss/%d HTTP/1.1\r\nHost: %s\r\n\r\n", host, i, host)); errors.Is(err, net.ErrClosed) {
				return
			}
		}
	}
}
