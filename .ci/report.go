// Command report reads the output of go test -json, of one run or several, on
// its standard input and prints what a person wants to see of it: the closing
// line of every package, everything that a failed test said, and the
// conformance score. It exits with 1 if a test failed, or skipped and passed in
// no run, apart from the tests that its arguments name.
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

func main() {
	said := map[key]*strings.Builder{}
	var failed, slow []string
	passed, skipped := map[key]bool{}, map[key]string{}
	conformance := ""
	in := bufio.NewScanner(os.Stdin)
	in.Buffer(nil, 64<<20)
	for in.Scan() {
		var e event
		if json.Unmarshal(in.Bytes(), &e) != nil {
			fmt.Println(in.Text())
			continue
		}
		k := key{e.Package, e.Test}
		switch e.Action {
		case "output":
			if said[k] == nil {
				said[k] = &strings.Builder{}
			}
			said[k].WriteString(e.Output)
			if strings.HasPrefix(e.Output, "conformance ") {
				conformance += e.Output
			}
			if e.Test == "" && closing(e.Output) {
				fmt.Print(e.Output)
			}
		case "build-output":
			fmt.Print(e.Output)
		case "pass":
			if e.Test != "" {
				passed[k] = true
			}
			delete(said, k)
		case "skip":
			if e.Test != "" && !slices.Contains(os.Args[1:], e.Test) {
				skipped[k] = text(said[k])
			}
			delete(said, k)
		case "fail":
			fmt.Printf("--- FAIL %s\n%s", name(k), text(said[k]))
			failed = append(failed, name(k))
			delete(said, k)
		}
		if e.Test != "" && e.Elapsed > 20 {
			slow = append(slow, fmt.Sprintf("%s: %v", name(k), time.Duration(e.Elapsed)*time.Second))
		}
	}
	var skips []string
	for k, why := range skipped {
		if !passed[k] {
			skips = append(skips, name(k)+"\n"+why)
		}
	}
	slices.Sort(skips)
	fmt.Printf("\n%d tests passed, %d failed, %d skipped\n", len(passed), len(failed), len(skips))
	list("failed", failed)
	list("skipped (a failure in CI)", skips)
	list("slow", slow)
	fmt.Printf("\n%s\n", conformance)
	if len(failed)+len(skips) > 0 || len(passed) == 0 || in.Err() != nil {
		os.Exit(1)
	}
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
