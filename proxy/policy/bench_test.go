package policy_test

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/jayproxy/jay/proxy/policy"
)

// million writes a list of a million names and returns its path.
func million(tb testing.TB, prefix string) string {
	tb.Helper()
	path := filepath.Join(tb.TempDir(), "million")
	file, err := os.Create(path)
	if err != nil {
		tb.Fatal(err)
	}
	w := bufio.NewWriter(file)
	for i := range 1_000_000 {
		fmt.Fprintf(w, "%sads%d.example%d.test\n", prefix, i, i%5000)
	}
	if err := w.Flush(); err != nil {
		tb.Fatal(err)
	}
	if err := file.Close(); err != nil {
		tb.Fatal(err)
	}
	return path
}

func heap() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// BenchmarkLoadMillion reads a list of a million names and reports what one costs in memory.
func BenchmarkLoadMillion(b *testing.B) {
	path := million(b, "")
	o := policy.Options{Lists: map[string]string{"l": path}, Default: policy.Deny}
	b.ReportAllocs()
	var used uint64
	for b.Loop() {
		before := heap()
		p := mustNew(b, withList(o))
		used = heap() - before
		runtime.KeepAlive(p)
	}
	b.ReportMetric(float64(used)/1e6, "B/name")
}

func withList(o policy.Options) policy.Options {
	o.Rules = []policy.Rule{{Name: "l", Action: policy.Allow, Lists: []string{"l"}}}
	return o
}

// BenchmarkMillion looks names up in lists of a million.
func BenchmarkMillion(b *testing.B) {
	for _, prefix := range []string{"", "."} {
		o := policy.Options{Lists: map[string]string{"l": million(b, prefix)}, Default: policy.Allow}
		p := mustNew(b, withList(o))
		var hosts [4096]string
		for i := range hosts {
			hosts[i] = fmt.Sprintf("ads%d.example%d.test", i*241, i*241%5000+i%2)
		}
		b.Run("names"+prefix, func(b *testing.B) {
			b.ReportAllocs()
			q := policy.Question{Via: policy.HTTP, Method: "GET", Port: 80}
			for i := 0; b.Loop(); i++ {
				q.Host = hosts[i%len(hosts)]
				p.Decide(q)
			}
		})
	}
}

// office is a policy such as a company may have.
func office(tb testing.TB) *policy.Policy {
	return mustNew(tb, policy.Options{
		Default: policy.Deny,
		Groups:  map[string][]string{"staff": {"anna", "ben"}},
		Rules: []policy.Rule{
			{Name: "metadata", Action: policy.Deny, To: []string{"169.254.0.0/16", "fd00:ec2::254"}},
			{Name: "social", Action: policy.Report, To: []string{".social.test", ".video.test"}, Days: []time.Weekday{1, 2, 3, 4, 5}, Hours: []policy.Hours{{From: 480, To: 1080}}},
			{Name: "no-put", Action: policy.Deny, Methods: []string{"PUT", "DELETE"}, Via: policy.HTTP},
			{Name: "guests", Action: policy.Allow, Clients: prefixes("192.168.7.0/24"), Ports: []policy.PortRange{{First: 443, Last: 443}}},
			{Name: "staff", Action: policy.Allow, Groups: []string{"staff"}},
			{Name: "updates", Action: policy.Allow, To: []string{".debian.test", ".ubuntu.test"}},
		},
	})
}

var asked = policy.Question{
	Time: time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC), Client: addr("10.0.0.7"), User: "anna", Via: policy.Connect,
	Method: "CONNECT", Host: "www.video.test", Port: 443,
}

func BenchmarkDecide(b *testing.B) {
	p := office(b)
	b.ReportAllocs()
	for b.Loop() {
		p.Decide(asked)
	}
}

// TestAllocations checks that deciding allocates nothing.
func TestAllocations(t *testing.T) {
	p := office(t)
	literal, known, capital := asked, asked, asked
	literal.Host, known.Addr, capital.User = "[::ffff:192.0.2.1]", addr("192.0.2.1"), ""
	for name, q := range map[string]policy.Question{"name": asked, "literal": literal, "known": known, "nobody": capital} {
		if n := testing.AllocsPerRun(100, func() { p.Decide(q) }); n != 0 {
			t.Errorf("%s: Decide allocates %v times; want 0", name, n)
		}
	}
	if d := p.Decide(asked); d.Rule != "staff" || len(d.Reported) != 1 {
		t.Errorf("Decide = %+v; want staff, with a report", d)
	}
}
