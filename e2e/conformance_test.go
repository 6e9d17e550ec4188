package e2e

import (
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/jayproxy/jay/e2e/conformance"
	"github.com/jayproxy/jay/e2e/rawhttp"
)

const passList = "testdata/conformance.txt"

var updateList = flag.Bool("update", false, "write the cases that passed in every mode to "+passList)

// TestConformance runs the public cache test suite's cases through both
// listeners. A required or optimal case that testdata/conformance.txt lists
// must pass; the others are reported.
func TestConformance(t *testing.T) {
	t.Parallel()
	suites := loadCases(t)
	plain := startJay(t)
	cdn := startJay(t, "--targeted-cache-control", "CDN-Cache-Control")

	ways, gateways := waysOf(plain), waysOf(cdn)
	results := make([][]conformance.Result, len(ways))
	var wg sync.WaitGroup
	for i := range ways {
		wg.Go(func() {
			results[i] = runCases(t, suites, ways[i], gateways[i])
		})
	}
	wg.Wait()

	listed, used := readList(t), map[string]bool{}
	passed := map[string]int{}
	for i, w := range ways {
		fmt.Print(conformance.Report(w.name, results[i]))
		for _, r := range results[i] {
			used[r.Name()] = true
			if r.Outcome == conformance.Pass {
				passed[r.Name()]++
			}
			t.Run(w.name+"/"+r.Name(), func(t *testing.T) { judge(t, r, listed[r.Name()]) })
		}
	}
	for name := range listed {
		if !used[name] {
			t.Errorf("%s lists %s; want a case of that name", passList, name)
		}
	}
	if *updateList {
		writeList(t, results[0], passed, len(ways))
	}
}

func judge(t *testing.T, r conformance.Result, listed bool) {
	switch {
	case r.Outcome == conformance.Pass:
	case listed:
		t.Errorf("lost: %s %s: %s (%s)", r.Case.Kind, r.Outcome, r.Detail, r.Case.Name)
	default:
		t.Logf("%s %s: %s (%s)", r.Case.Kind, r.Outcome, r.Detail, r.Case.Name)
	}
}

// loadCases reads the cases, or skips where there are none.
func loadCases(t *testing.T) []conformance.Suite {
	t.Helper()
	file := os.Getenv("JAY_CONFORMANCE")
	if file == "" {
		file = filepath.Join(env.root, "..", "shared", "conformance", "cases.json")
	}
	suites, err := conformance.Load(file)
	if errors.Is(err, fs.ErrNotExist) {
		t.Skipf("skipped: no conformance cases at %s; JAY_CONFORMANCE may name the file", file)
	}
	if err != nil {
		t.Fatal(err)
	}
	return suites
}

// runCases runs the cases for gateways on one jay and all others on another.
func runCases(t *testing.T, suites []conformance.Suite, plain, cdn way) []conformance.Result {
	var results, targeted []conformance.Result
	var err, err2 error
	var wg sync.WaitGroup
	wg.Go(func() {
		results, err = conformance.Run(suites, conformance.Via{Proxy: plain.addr, Transparent: plain.transparent},
			func(c *conformance.Case) bool { return !c.CDNOnly })
	})
	wg.Go(func() {
		targeted, err2 = conformance.Run(suites, conformance.Via{Proxy: cdn.addr, Transparent: cdn.transparent},
			func(c *conformance.Case) bool { return c.CDNOnly })
	})
	wg.Wait()
	if err := errors.Join(err, err2); err != nil {
		t.Error(err)
	}
	results = append(results, targeted...)
	conformance.Resolve(results)
	return results
}

func readList(t *testing.T) map[string]bool {
	t.Helper()
	b, err := os.ReadFile(passList)
	if err != nil {
		t.Fatal(err)
	}
	listed := map[string]bool{}
	for line := range strings.Lines(string(b)) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			listed[line] = true
		}
	}
	return listed
}

func writeList(t *testing.T, results []conformance.Result, passed map[string]int, ways int) {
	t.Helper()
	lines := []string{"# Cases that pass through every listener, as suite/case. CI fails when one is lost.",
		"# Written by: go test ./e2e -run TestConformance -update"}
	for _, r := range results {
		if passed[r.Name()] == ways && r.Case.Kind != conformance.Check {
			lines = append(lines, r.Name())
		}
	}
	slices.Sort(lines[2:])
	if err := os.WriteFile(passList, []byte(strings.Join(lines, "\n")+"\n"), 0o644); err != nil {
		t.Error(err)
	}
}

// TestConformance_Lane runs each case twice, with requests that may take the
// short way of plain hits and with a field that keeps them on the ordinary
// one: the client must see the same. A case whose answers depend on what time
// it is may differ by chance, but not three times.
func TestConformance_Lane(t *testing.T) {
	t.Parallel()
	suites := loadCases(t)
	jay := startJay(t)
	var again map[string]bool // nil: all
	for try := range 3 {
		keep := func(c *conformance.Case) bool { return !c.CDNOnly && (again == nil || again[c.ID]) }
		short, ordinary := bothWays(t, suites, jay.Proxy, keep)
		again = map[string]bool{}
		hits := 0
		for i := range short {
			a, b := short[i].Transcript(), ordinary[i].Transcript()
			hits += strings.Count(a, "; hit")
			if a == b {
				continue
			}
			again[short[i].Case.ID] = true
			if try == 2 {
				t.Errorf("%s: the short way gave\n%s\nthe ordinary one\n%s", short[i].Name(), a, b)
			}
		}
		if try == 0 && hits < 50 {
			t.Errorf("%d hits in all cases; want many, or this compares nothing", hits)
		}
		if len(again) == 0 {
			return
		}
	}
}

// bothWays runs cases with plain requests and with requests that say TE.
func bothWays(t *testing.T, suites []conformance.Suite, proxy string, keep func(*conformance.Case) bool) (short, ordinary []conformance.Result) {
	t.Helper()
	var err, err2 error
	var wg sync.WaitGroup
	wg.Go(func() {
		short, err = conformance.Run(suites, conformance.Via{Proxy: proxy, Bare: true}, keep)
	})
	wg.Go(func() {
		also := rawhttp.F("TE", "trailers", "Connection", "TE")
		ordinary, err2 = conformance.Run(suites, conformance.Via{Proxy: proxy, Bare: true, Also: also}, keep)
	})
	wg.Wait()
	if err := errors.Join(err, err2); err != nil {
		t.Fatal(err)
	}
	return short, ordinary
}
