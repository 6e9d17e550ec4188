//go:build soak && linux

package e2e

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/jayproxy/jay/e2e/origin"
	"github.com/jayproxy/jay/e2e/process"
	"github.com/jayproxy/jay/e2e/rawhttp"
)

// stallTimeout is jay's body-timeout in the soak.
const stallTimeout = 3 * time.Second

// faultSoak is the state of R9.
type faultSoak struct {
	jay       *process.Jay
	good, bad *origin.Origin
	flapping  string // an origin that comes and goes
	refused   string // where nobody listens
	began     time.Time
	ways      []way
	aborted   atomic.Int64

	mu     sync.Mutex
	counts map[string]int
	wrong  []string // answers that are not what their URL says
	late   []string // exchanges that took too long
	lost   []string // requests without a fault that failed
}

// soakFaults lets origins and clients fail in every way for 8 minutes (R9), and
// looks for leaks (R10).
func soakFaults(t *testing.T, f *figures) {
	s := newFaultSoak(t)
	d := scaled(8 * time.Minute)
	sub := subjectOf(s.jay)
	var early, end []int64 // RSS after an eighth of the time, and at the end
	var fds1, fdsEnd int
	stop, sampled := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(sampled)
		for i := 1; ; i++ {
			select {
			case <-stop:
				return
			case <-time.After(time.Second):
			}
			at := time.Since(s.began)
			if at >= d/8 && at < d/4 {
				early, fds1 = append(early, sub.memory(t)), sub.descriptors(t)
			}
			if at >= d-d/8 {
				end, fdsEnd = append(end, sub.memory(t)), sub.descriptors(t)
			}
			if i%20 == 0 {
				_ = s.jay.Signal(syscall.SIGHUP)
			}
		}
	}()
	steadily(d, 200, s.one)
	close(stop)
	<-sampled
	s.report(t, f, d)
	a, b := mean(early), mean(end)
	f.add(t, "R10", "RSS in the last eighth of the time over that in the second", b <= 1.2*a || scale() < 1, "≤ 1.2", "%.2f (%.0f MiB, %.0f MiB)", b/a, b/(1<<20), a/(1<<20))
	f.note(t, "R10", "descriptors under load, then and at the end", "%d, %d", fds1, fdsEnd)
	s.rest(t, f, sub)
}

func mean(list []int64) float64 {
	sum := int64(0)
	for _, v := range list {
		sum += v
	}
	return float64(sum) / float64(max(len(list), 1))
}

// rest compares jay, once nobody uses it any more, with a fresh one.
func (s *faultSoak) rest(t *testing.T, f *figures, sub subject) {
	t.Helper()
	fresh := startSoakJay(t, process.Options{Log: "off"})
	time.Sleep(8 * time.Second) // idle-timeout, and some
	base := subjectOf(fresh).descriptors(t)
	now := sub.descriptors(t)
	f.add(t, "R10", "descriptors at rest, over a fresh jay's", now <= base+16, "≤ +16", "%+d", now-base)
	before, after := goroutines(t, fresh), goroutines(t, s.jay)
	f.add(t, "R10", "goroutines at rest, over a fresh jay's", after <= before+20, "≤ +20", "%+d", after-before)
}

func newFaultSoak(t *testing.T) *faultSoak {
	t.Helper()
	s := &faultSoak{counts: map[string]int{}, refused: process.FreeAddr(), flapping: process.FreeAddr(), began: time.Now()}
	s.good = startOrigin(t, s.serveGood)
	s.bad = startOrigin(t, origin.Faults)
	pc, err := net.ListenPacket("udp", "127.0.0.1:0")
	must(t, err)
	d := origin.ServeDNS(pc, func(name string) ([]netip.Addr, time.Duration) {
		return []netip.Addr{netip.MustParseAddr("127.0.0.1")}, 2 * time.Second
	})
	t.Cleanup(d.Close)
	go s.flap(t)
	s.jay = startSoakJay(t, process.Options{Log: "off", Args: []string{"--max-client-connections", "0", "--cache-size", "32MiB", "--body-timeout", stallTimeout.String(),
		"--idle-timeout", "5s", "--dns-servers", d.Addr(), "--max-origin-connections", "2000"}})
	s.ways = waysOf(s.jay)
	return s
}

// flap starts and ends an origin every few seconds.
func (s *faultSoak) flap(t *testing.T) {
	for t.Context().Err() == nil {
		l, err := net.Listen("tcp", s.flapping)
		if err != nil {
			time.Sleep(100 * time.Millisecond)
			continue
		}
		o := origin.Serve(l, s.serveGood)
		time.Sleep(3 * time.Second)
		o.Close()
		time.Sleep(time.Second)
	}
}

// versionTime is how long one version of what changes lives.
const versionTime = 5 * time.Second

// serveGood answers /ok/size/version/name for good, and /live/size/name with the
// version of the moment, fresh for a second.
func (s *faultSoak) serveGood(x *origin.Exchange) {
	if c, ok := s.live(x.Req.Target, time.Now()); ok {
		c.Serve(x, rawhttp.F("Cache-Control", "max-age=1, stale-while-revalidate=1"))
		return
	}
	origin.Faults(x)
}

// live is what an origin has at a time under a target that changes.
func (s *faultSoak) live(target string, at time.Time) (origin.Content, bool) {
	var size int64
	var name string
	if _, err := fmt.Sscanf(target, "/live/%d/%s", &size, &name); err != nil {
		return origin.Content{}, false
	}
	return origin.Content{Key: target, Version: int(at.Sub(s.began) / versionTime), Size: size}, true
}

// one is one request of the soak.
func (s *faultSoak) one(i int) {
	w := s.ways[i%2]
	size := []int64{100, 2_000, 20_000, 200_000}[rand.IntN(4)]
	kind := rand.IntN(100) / 5
	faults := []origin.Fault{origin.FaultResetHead, origin.FaultResetMid, origin.FaultResetEnd, origin.FaultFIN, origin.FaultStall, origin.FaultDrip, origin.FaultBadChunk}
	switch {
	case kind < len(faults):
		fault := faults[kind]
		if fault == origin.FaultDrip {
			size = 100
		}
		s.ask(w, s.bad.Addr(), origin.FaultPath(fault, size, i, fmt.Sprint("n", i/4)), string(fault))
	case kind == 7:
		s.ask(w, s.refused, origin.FaultPath(origin.FaultNone, size, 1, "r"), "refused")
	case kind == 8:
		_, port, _ := net.SplitHostPort(s.good.Addr())
		s.ask(w, fmt.Sprintf("slow%d.test:%s", rand.IntN(50), port), origin.FaultPath(origin.FaultNone, size, i, "d"), "slow-dns")
	case kind == 9:
		s.ask(w, s.flapping, origin.FaultPath(origin.FaultNone, size, i, "f"), "flapping")
	case kind <= 11:
		s.abort(w, s.good.Addr(), origin.FaultPath(origin.FaultNone, 200_000, i/8, "a"))
	case kind <= 13:
		s.ask(w, s.good.Addr(), fmt.Sprintf("/live/%d/%d", size, rand.IntN(20)), "live")
	case kind <= 15:
		s.ask(w, s.good.Addr(), origin.FaultPath(origin.FaultNone, size, i, "unique"), "ok")
	default:
		s.ask(w, s.good.Addr(), origin.FaultPath(origin.FaultNone, size, rand.IntN(200), "hot"), "ok")
	}
}

// abort asks and goes away in the middle.
func (s *faultSoak) abort(w way, host, path string) {
	nc, err := w.open(host)
	if err != nil {
		return
	}
	c := rawhttp.NewConn(nc)
	_ = c.Send(w.get(host, path, nil))
	_ = nc.SetReadDeadline(time.Now().Add(time.Duration(rand.IntN(20)) * time.Millisecond))
	_, _ = nc.Read(make([]byte, 1+rand.IntN(100_000)))
	if t, ok := nc.(*net.TCPConn); ok && rand.IntN(2) == 0 {
		_ = t.SetLinger(0)
	}
	nc.Close()
	s.aborted.Add(1)
}

// lasts is how much longer than others an exchange takes by its fault.
var lasts = map[string]time.Duration{"slow-dns": 2 * time.Second, string(origin.FaultDrip): 2 * time.Second}

// ask asks for a path and judges the answer by what the fault allows.
func (s *faultSoak) ask(w way, host, path, fault string) {
	began := time.Now()
	resp, err := w.once(host, "GET", path, nil)
	took := time.Since(began)
	whole := err == nil && resp.Err == nil && resp.Code == 200
	s.mu.Lock()
	defer s.mu.Unlock()
	s.counts[fault]++
	if whole {
		s.counts[fault+" whole"]++
		if why := s.compare(path, resp, began); why != "" {
			s.wrong = append(s.wrong, fault+" "+path+": "+why)
		}
	}
	if took > stallTimeout*5/4+time.Second+lasts[fault] { // deadlines are moved a quarter of the time at once
		s.late = append(s.late, fmt.Sprintf("%s %s: %v", fault, path, took))
	}
	switch fault {
	case "ok", "live", string(origin.FaultDrip), "slow-dns":
		if !whole {
			s.lost = append(s.lost, fmt.Sprintf("%s %s: %v, %v", fault, path, resp, err))
		}
	}
}

// compare returns what is wrong about a whole answer, "" if nothing is.
func (s *faultSoak) compare(path string, resp *rawhttp.Response, began time.Time) string {
	if strings.HasPrefix(path, "/live/") {
		for at := began.Add(-3 * time.Second); ; at = at.Add(versionTime) { // max-age, stale-while-revalidate, and the time to fetch
			c, _ := s.live(path, at)
			if resp.Fields.Get("ETag") == c.ETag() {
				return s.sum(c, resp.Body)
			}
			if at.After(time.Now()) {
				return "ETag " + resp.Fields.Get("ETag") + " is of no version that may be served"
			}
		}
	}
	fault, c, _ := origin.FaultContent(path)
	if fault != origin.FaultNone && fault != origin.FaultDrip {
		return fmt.Sprintf("%d bytes of %d came as the whole", len(resp.Body), c.Size)
	}
	return s.sum(c, resp.Body)
}

func (s *faultSoak) sum(c origin.Content, body []byte) string {
	sum := sha256.Sum256(body)
	if got, want := hex.EncodeToString(sum[:]), c.Sum(); got != want {
		return fmt.Sprintf("%d bytes with SHA-256 %s; want %d with %s", len(body), got, c.Size, want)
	}
	return ""
}

// report adds the figures of R9.
func (s *faultSoak) report(t *testing.T, f *figures, d time.Duration) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	total, good := int(s.aborted.Load()), 0
	for kind, n := range s.counts {
		if !strings.Contains(kind, " ") {
			total += n
		} else {
			good += n
		}
	}
	first := func(list []string) string {
		if len(list) == 0 {
			return ""
		}
		return fmt.Sprintf(" (first: %.300s)", list[0])
	}
	f.note(t, "R9", "requests under faults", "%d in %v, %d whole answers, %d client aborts", total, d.Round(time.Second), good, s.aborted.Load())
	f.add(t, "R9", "answers whose SHA-256 is not their URL's, parts served as the whole", len(s.wrong) == 0, "0", "%d%s", len(s.wrong), first(s.wrong))
	f.add(t, "R9", "exchanges that take more than a second beyond their timeout (3 s, and a quarter of it)", len(s.late) == 0, "0", "%d%s", len(s.late), first(s.late))
	f.add(t, "R9", "requests without a fault that failed", len(s.lost) == 0, "0", "%d of %d%s", len(s.lost), s.counts["ok"]+s.counts["live"]+s.counts["drip"]+s.counts["slow-dns"], first(s.lost))
	t.Logf("by fault: %v", s.counts)
}
