// Command report reads the output of go test -json, of one run or several, on
// its standard input and prints what a person wants to see of it: the closing
// line of every package, everything that a failed test said, and the
// conformance score. It exits with 1 if a test failed, or skipped and passed in
// no run.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"
)

type event struct {
	Action  string
	Package string
	Test    string
	Output  string
	Elapsed float64
}

type key struct{ pkg, test string }

// results is what the events add up to.
type results struct {
	said        map[key]*strings.Builder // the output of tests under way
	passed      map[key]bool
	skipped     map[key]string // why
	failed      []string
	slow        []string
	conformance string
}

func main() {
	r := &results{said: map[key]*strings.Builder{}, passed: map[key]bool{}, skipped: map[key]string{}}
	in := bufio.NewScanner(os.Stdin)
	in.Buffer(nil, 64<<20)
	for in.Scan() {
		var e event
		if json.Unmarshal(in.Bytes(), &e) != nil {
			fmt.Println(in.Text())
			continue
		}
		r.add(e, key{e.Package, e.Test})
	}
	if !r.print() || in.Err() != nil {
		os.Exit(1)
	}
}

// add takes one event, which belongs to k.
func (r *results) add(e event, k key) {
	if e.Test != "" && e.Elapsed > 20 {
		r.slow = append(r.slow, fmt.Sprintf("%s: %v", name(k), time.Duration(e.Elapsed)*time.Second))
	}
	switch e.Action {
	case "output":
		r.output(e, k)
		return
	case "build-output":
		fmt.Print(e.Output)
		return
	case "pass":
		r.passed[k] = r.passed[k] || e.Test != ""
	case "skip":
		if e.Test != "" {
			r.skipped[k] = text(r.said[k])
		}
	case "fail":
		fmt.Printf("--- FAIL %s\n%s", name(k), text(r.said[k]))
		r.failed = append(r.failed, name(k))
	default:
		return
	}
	delete(r.said, k)
}

// output keeps what a test says and prints what closes a package.
func (r *results) output(e event, k key) {
	if r.said[k] == nil {
		r.said[k] = &strings.Builder{}
	}
	r.said[k].WriteString(e.Output)
	if strings.HasPrefix(e.Output, "conformance ") {
		r.conformance += e.Output
	}
	if e.Test == "" && closing(e.Output) {
		fmt.Print(e.Output)
	}
}

// print prints the sum of it and reports whether all is well.
func (r *results) print() bool {
	var skips []string
	for k, why := range r.skipped {
		if !r.passed[k] {
			skips = append(skips, name(k)+"\n"+why)
		}
	}
	slices.Sort(skips)
	passed := 0
	for _, ok := range r.passed {
		if ok {
			passed++
		}
	}
	fmt.Printf("\n%d tests passed, %d failed, %d skipped\n", passed, len(r.failed), len(skips))
	list("failed", r.failed)
	list("skipped (a failure in CI)", skips)
	list("slow", r.slow)
	fmt.Printf("\n%s\n", r.conformance)
	return len(r.failed)+len(skips) == 0 && passed > 0
}

func name(k key) string {
	return strings.TrimSpace(k.pkg + " " + k.test)
}

func text(b *strings.Builder) string {
	if b == nil {
		return ""
	}
	return b.String()
}

// closing reports whether a line ends a package's output.
func closing(line string) bool {
	return strings.HasPrefix(line, "ok  ") || strings.HasPrefix(line, "FAIL") || strings.HasPrefix(line, "?   ") ||
		strings.HasPrefix(line, "panic:") || strings.Contains(line, "DATA RACE")
}

func list(title string, lines []string) {
	for i, l := range lines {
		if i == 0 {
			fmt.Printf("%s:\n", title)
		}
		fmt.Printf("  %s\n", strings.TrimSpace(l))
	}
}
