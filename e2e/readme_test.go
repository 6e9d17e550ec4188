package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The README marks what the tests run: a line
//
//	<!-- test: NAME -->
//
// directly before a fenced sh block. Blocks of one name are one script. With
// NAME background in the mark, the block is started in the background, and the
// script goes on when something listens on port 3128.
//
// A name that begins with "rules-" is a set of interception rules, which
// TestInterception loads as printed on a router; the others are run by
// TestReadme from the repository's root, each script in a network namespace of
// its own where there are names for nothing but localhost and example.com (an
// origin of the test), so that ports and rules are free to be used.

// snippets returns the marked blocks of README.md by name, and the names in
// order.
func snippets(t *testing.T) (map[string]string, []string) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(env.root, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	blocks, names, err := parseSnippets(string(b))
	if err != nil {
		t.Fatalf("README.md: %v", err)
	}
	return blocks, names
}

// awaitJay is shell that waits for a listener on Jay's default port.
const awaitJay = "for i in $(seq 600); do (: </dev/tcp/127.0.0.1/3128) 2>/dev/null && break; sleep 0.1; done\n"

func parseSnippets(text string) (map[string]string, []string, error) {
	blocks := map[string]string{}
	var names []string
	name, open, background := "", false, false
	for i, line := range strings.Split(text, "\n") {
		mark, isMark := strings.CutPrefix(line, "<!-- test: ")
		switch {
		case open && strings.HasPrefix(line, "```"):
			if background {
				blocks[name] += ") &\n" + awaitJay
			}
			name, open = "", false
		case open:
			blocks[name] += line + "\n"
		case name != "" && line == "```sh":
			open = true
			if background {
				blocks[name] += "(\n"
			}
		case name != "":
			return nil, nil, fmt.Errorf("line %d: no sh block after the mark of %s", i+1, name)
		case isMark:
			name = strings.TrimSuffix(mark, " -->")
			name, background = strings.CutSuffix(name, " background")
			if _, ok := blocks[name]; !ok {
				names = append(names, name)
			}
		}
	}
	return blocks, names, nil
}

func TestParseSnippets(t *testing.T) {
	blocks, names, err := parseSnippets("<!-- test: a -->\n```sh\none\n```\n```sh\nother\n```\n<!-- test: b -->\n```sh\ntwo\n```\n<!-- test: a -->\n```sh\nthree\n```\n")
	if err != nil || blocks["a"] != "one\nthree\n" || blocks["b"] != "two\n" || len(blocks) != 2 || strings.Join(names, " ") != "a b" {
		t.Errorf("got %q, %q, %v; want a and b", blocks, names, err)
	}
	blocks, _, err = parseSnippets("<!-- test: c background -->\n```sh\njay\n```\n<!-- test: c -->\n```sh\ncurl\n```\n")
	if want := "(\njay\n) &\n" + awaitJay + "curl\n"; err != nil || blocks["c"] != want {
		t.Errorf("got %q, %v; want %q", blocks["c"], err, want)
	}
	if _, _, err := parseSnippets("<!-- test: a -->\n\ntext\n"); err == nil {
		t.Error("got no error for a mark without a block; want one")
	}
}

// TestReadme runs the README's commands as printed.
func TestReadme(t *testing.T) {
	t.Parallel()
	blocks, names := snippets(t)
	ran := 0
	for _, name := range names {
		if strings.HasPrefix(name, "rules-") {
			continue
		}
		ran++
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			out := runSnippet(t, blocks[name])
			if name == "first-minute" && (!strings.Contains(out, "; hit") || !strings.Contains(out, "\nAge: ")) {
				t.Errorf("got %s; want a hit with Age and Cache-Status", out)
			}
			if name == "first-minute" && !strings.Contains(out, "function FindProxyForURL") {
				t.Errorf("got %s; want the PAC file", out)
			}
		})
	}
	if ran == 0 {
		t.Error("README.md marks no command; want some")
	}
}
