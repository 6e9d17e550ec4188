//go:build soak && linux

package e2e

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jayproxy/jay/e2e/process"
	"github.com/jayproxy/jay/e2e/rawhttp"
)

// TestSoak runs the long and heavy loads one after the other and prints what
// was measured:
//
//	go test -tags soak -v -timeout 40m ./e2e -run Soak
//
// JAY_SOAK_SCALE shortens the times: 0.1 is enough to try it; go test's timeout
// shortens them, too. JAY_SOAK_REPORT names a file for the table, which go test
// does not show without -v. Times of answers are worth something only where
// nothing else runs.
func TestSoak(t *testing.T) {
	if raceEnabled {
		t.Log("the figures below are those of the race detector")
	}
	f := &figures{}
	fit(t, f)
	for _, part := range []struct {
		name string
		run  func(*testing.T, *figures)
	}{
		{"R7", soakIdle}, {"R8", soakSlow}, {"R12", soakMemory}, {"R13", soakDescriptors}, {"R13 panics", soakPanics}, {"R17", soakRestarts}, {"R9 R10", soakFaults},
	} {
		t.Run(part.name, func(t *testing.T) { part.run(t, f) })
	}
	fmt.Print(f)
	if file := os.Getenv("JAY_SOAK_REPORT"); file != "" {
		must(t, os.WriteFile(file, []byte(f.String()), 0o644))
	}
}

// figures collects what was measured.
type figures struct {
	rows [][4]string
}

// add notes a figure; one that is not ok fails the test.
func (f *figures) add(t *testing.T, id, what string, ok bool, want, format string, args ...any) {
	t.Helper()
	got := fmt.Sprintf(format, args...)
	f.rows = append(f.rows, [4]string{id, what, got, want})
	if !ok {
		t.Errorf("%s %s: got %s; want %s", id, what, got, want)
		f.rows[len(f.rows)-1][2] += " (!)"
	}
}

// note adds a figure that is not judged.
func (f *figures) note(t *testing.T, id, what, format string, args ...any) {
	t.Helper()
	f.add(t, id, what, true, "", format, args...)
}

// String is the table.
func (f *figures) String() string {
	var b strings.Builder
	b.WriteString("\n| id | figure | measured | wanted |\n|---|---|---|---|\n")
	for _, r := range f.rows {
		fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", r[0], r[1], r[2], r[3])
	}
	return b.String()
}

// scaled is a time shortened as JAY_SOAK_SCALE says.
func scaled(d time.Duration) time.Duration {
	return time.Duration(float64(d) * scale())
}

func scale() float64 {
	if v, err := strconv.ParseFloat(os.Getenv("JAY_SOAK_SCALE"), 64); err == nil && v > 0 {
		return v
	}
	return 1
}

// fit shortens the times so that all of them fit into go test's timeout.
func fit(t *testing.T, f *figures) {
	t.Helper()
	deadline, ok := t.Deadline()
	if left := time.Until(deadline); ok && left < 20*time.Minute {
		v := scale() * max((left-3*time.Minute).Minutes(), 0.5) / 20
		t.Setenv("JAY_SOAK_SCALE", fmt.Sprint(v))
		f.note(t, "", "times shortened by go test's timeout", "to %.2f", v)
	}
}

// subject is a proxy under load.
type subject struct {
	name, addr string
	pid        int
}

func subjectOf(j *process.Jay) subject { return subject{"jay", j.Proxy, j.PID()} }

// descriptors returns how many the process has open.
func (s subject) descriptors(t *testing.T) int {
	t.Helper()
	d, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", s.pid))
	must(t, err)
	return len(d)
}

// memory returns the process's resident bytes.
func (s subject) memory(t *testing.T) int64 {
	t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", s.pid))
	must(t, err)
	pages, err := strconv.ParseInt(strings.Fields(string(b))[1], 10, 64)
	must(t, err)
	return pages * int64(os.Getpagesize())
}

// cpu returns the processor time that the process has used.
func (s subject) cpu(t *testing.T) time.Duration {
	t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", s.pid))
	must(t, err)
	_, rest, _ := strings.Cut(string(b), ") ")
	p := strings.Fields(rest)
	user, _ := strconv.Atoi(p[11])
	system, _ := strconv.Atoi(p[12])
	return time.Duration(user+system) * 10 * time.Millisecond
}

// startSoakJay runs jay without the checks of startJay, so that goroutines may
// end it.
func startSoakJay(t *testing.T, o process.Options) *process.Jay {
	t.Helper()
	binary, err := env.binary()
	must(t, err)
	o.Binary = binary
	j, err := process.Start(o)
	must(t, err)
	t.Cleanup(j.Kill)
	return j
}

// goroutines ends jay and returns how many goroutines it had.
func goroutines(t *testing.T, j *process.Jay) int {
	t.Helper()
	must(t, j.Signal(syscall.SIGQUIT))
	<-j.Done()
	for _, bad := range []string{"DATA RACE", "panic:", "fatal error:"} {
		if strings.Contains(j.Stderr(), bad) {
			t.Errorf("stderr has %q:\n%.5000s", bad, j.Stderr())
		}
	}
	return strings.Count(j.Stderr(), "\ngoroutine ")
}

// startPeer runs Squid with the same memory, or returns false.
func startPeer(t *testing.T) (subject, bool) {
	t.Helper()
	for _, dir := range []string{"/usr/sbin", "/usr/local/sbin"} {
		if _, err := os.Stat(filepath.Join(dir, "squid")); err == nil {
			return runSquid(t, filepath.Join(dir, "squid"))
		}
	}
	return subject{}, false
}

// latencies are how long requests took, and what went wrong.
type latencies struct {
	mu    sync.Mutex
	began time.Time
	took  []time.Duration
	errs  []string
	slow  []time.Duration // when requests began that took more than 100 ms
}

func (l *latencies) add(d time.Duration, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.took = append(l.took, d)
	if d > 100*time.Millisecond {
		l.slow = append(l.slow, time.Since(l.began)-d)
	}
	if err != nil {
		l.errs = append(l.errs, err.Error())
	}
}

// p99 is the time within which 99 of 100 requests were answered.
func (l *latencies) p99() time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.took) == 0 {
		return 0
	}
	slices.Sort(l.took)
	return l.took[len(l.took)*99/100]
}

// slowFrom tells when the slow ones of the requests began.
func (l *latencies) slowFrom() string {
	if len(l.slow) == 0 {
		return ""
	}
	count := map[int]int{}
	for _, at := range l.slow {
		count[int(at/(5*time.Second))*5]++
	}
	return fmt.Sprintf(", %d took more than 100 ms, by second of their beginning %v", len(l.slow), count)
}

// firstErr returns the first error for a message.
func (l *latencies) firstErr() string {
	if len(l.errs) == 0 {
		return "none"
	}
	return l.errs[0]
}

// steadily calls do at a rate a second for a time, each call on its own
// goroutine and whether or not earlier ones are done, and waits for the last.
func steadily(d time.Duration, rate int, do func(i int)) {
	var wg sync.WaitGroup
	tick := time.NewTicker(time.Second / time.Duration(rate))
	defer tick.Stop()
	end := time.Now().Add(d)
	for i := 0; time.Now().Before(end); i++ {
		<-tick.C
		wg.Go(func() { do(i) })
	}
	wg.Wait()
}

// clients are kept connections to a proxy.
type clients struct {
	addr string
	free chan *rawhttp.Conn
}

func newClients(addr string) *clients {
	return &clients{addr: addr, free: make(chan *rawhttp.Conn, 1000)}
}

// get sends a request on a kept connection, or a new one, and returns the
// answer.
func (c *clients) get(request string) (*rawhttp.Response, error) {
	var conn *rawhttp.Conn
	select {
	case conn = <-c.free:
	default:
		var err error
		if conn, err = rawhttp.Dial(c.addr); err != nil {
			return nil, err
		}
	}
	if err := conn.Send(request); err != nil {
		conn.Close()
		return nil, err
	}
	resp, err := conn.ReadResponse("GET")
	if err != nil || !resp.Keep() {
		conn.Close()
		return resp, err
	}
	c.free <- conn
	return resp, nil
}

// close ends the kept connections.
func (c *clients) close() {
	for {
		select {
		case conn := <-c.free:
			conn.Close()
		default:
			return
		}
	}
}

// honest asks for hits and misses at 200 requests a second.
func honest(s subject, host string, d time.Duration) *latencies {
	l, c := &latencies{began: time.Now()}, newClients(s.addr)
	defer c.close()
	steadily(d, 200, func(i int) {
		path := fmt.Sprintf("/page/%d", i%10)
		if i%4 == 0 {
			path = fmt.Sprintf("/miss/%d/%x", i, rand.Uint64())
		}
		began := time.Now()
		resp, err := c.get("GET http://" + host + path + " HTTP/1.1\r\nHost: " + host + "\r\n\r\n")
		if err == nil && (resp.Err != nil || resp.Code != 200) {
			err = fmt.Errorf("%d, %v", resp.Code, resp.Err)
		}
		l.add(time.Since(began), err)
	})
	return l
}

// startPlain serves small fresh answers on raw TCP, without keeping any record.
// A path that starts with /big has 8 MiB, /vary one that varies by X-A.
func startPlain(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	t.Cleanup(func() { l.Close() })
	small := "HTTP/1.1 200 OK\r\nCache-Control: max-age=3600\r\nContent-Length: 200\r\n\r\n" + strings.Repeat("x", 200)
	vary := strings.Replace(small, "Content", "Vary: X-A\r\nContent", 1)
	big := fmt.Sprintf("HTTP/1.1 200 OK\r\nCache-Control: max-age=3600\r\nContent-Length: %d\r\n\r\n%s", 8<<20, strings.Repeat("x", 8<<20))
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				r := rawhttp.NewConn(c).Reader()
				for {
					h, err := rawhttp.ReadHead(r)
					if err != nil {
						return
					}
					if strings.HasPrefix(h.Line, "POST") {
						_, _ = r.WriteTo(io.Discard) // for as long as it takes
						return
					}
					answer := small
					if strings.Contains(h.Line, " /big") {
						answer = big
					} else if strings.Contains(h.Line, " /vary") {
						answer = vary
					}
					if _, err := c.Write([]byte(answer)); err != nil {
						return
					}
				}
			}()
		}
	}()
	return l.Addr().String()
}
