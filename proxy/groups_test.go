package proxy

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/jayproxy/jay/cache/vary"
)

// TestGroups_RFC9875 checks that a group finds the keys of its own origin, once, and that the index stays in its bound.
func TestGroups_RFC9875(t *testing.T) {
	var g groups
	g.add("http://a.test", []string{"x", "y"}, "http://a.test/1")
	g.add("http://a.test", []string{"x"}, "http://a.test/2")
	g.add("http://b.test", []string{"x"}, "http://b.test/1")
	got := g.take("http://a.test", "x")
	slices.Sort(got)
	if want := []string{"http://a.test/1", "http://a.test/2"}; !slices.Equal(got, want) {
		t.Errorf("group x of a.test: got %q; want %q", got, want)
	}
	if got := g.take("http://a.test", "x"); got != nil {
		t.Errorf("group x of a.test again: got %q; want none", got)
	}
	if got := g.take("http://b.test", "x"); len(got) != 1 {
		t.Errorf("group x of b.test: got %q; want one key", got)
	}
}

// TestGroups_bound checks that what the index has no room for is given up, never just forgotten.
func TestGroups_bound(t *testing.T) {
	var g groups
	kept, lost := map[string]bool{}, 0
	for i := range 4000 {
		key := fmt.Sprintf("http://a.test/%d%s", i, strings.Repeat("x", 1000))
		kept[key] = true
		for _, k := range g.add("http://a.test", []string{fmt.Sprint(i % 100)}, key) {
			delete(kept, k)
			lost++
		}
		if g.bytes > indexBytes {
			t.Fatalf("after %d keys: %d bytes; want at most %d", i+1, g.bytes, indexBytes)
		}
	}
	for i := range 100 {
		for _, k := range g.take("http://a.test", fmt.Sprint(i)) {
			delete(kept, k)
		}
	}
	if len(kept) != 0 || lost == 0 || g.bytes != 0 {
		t.Errorf("got %d keys neither kept nor lost, %d lost, %d bytes left; want 0, some, 0", len(kept), lost, g.bytes)
	}
}

// TestSearches checks that a rule finds the URLs that differ in nothing that matters, and no others.
func TestSearches_NoVarySearch(t *testing.T) {
	rule, ok := vary.ParseNoVarySearch([]string{`params=("utm")`})
	if !ok {
		t.Fatal("the rule does not parse")
	}
	var s searches
	s.add("http://a.test", "/p?x=1&utm=2", "http://a.test/p?x=1&utm=2", rule)
	for target, want := range map[string]bool{
		"/p?x=1":         true,
		"/p?utm=9&x=1":   true,
		"/p?x=1&utm=3":   true,
		"/p?x=2":         false,
		"/p":             false,
		"/q?x=1":         false,
		"/p?x=1&other=1": false,
	} {
		if key, ok := s.find("http://a.test", target); ok != want || ok && key != "http://a.test/p?x=1&utm=2" {
			t.Errorf("find(%q): got %q, %v; want found %v", target, key, ok, want)
		}
	}
	if _, ok := s.find("http://b.test", "/p?x=1"); ok {
		t.Error("another origin's URL is found; want none")
	}
}

// TestSearches_bound checks that rules and keys, which origins choose, count as much as they hold.
func TestSearches_bound(t *testing.T) {
	var s searches
	for i := range 1400 {
		rule := ruleOf(t, 380+200*(i%2), i) // the larger is too large
		origin, target := fmt.Sprintf("http://%d.test", i), "/?p1="+strings.Repeat("x", i%5*1000)
		s.add(origin, "/?p1=1", origin+"/?p1=1", rule)
		s.add(origin, target, origin+target, rule)
		if key, found := s.find(origin, "/?p2=2"); found != (i%2 == 0) || found && key != origin+target {
			t.Fatalf("%d: found %q %v", i, key, found)
		}
	}
	held := 0
	for base, rules := range s.rules {
		held += len(base)
		for _, r := range rules {
			held += r.Size()
		}
	}
	for canonical, key := range s.keys {
		held += len(canonical) + len(key)
	}
	if held > s.bytes || s.bytes > indexBytes {
		t.Errorf("%d bytes are held and %d counted; the bound is %d", held, s.bytes, indexBytes)
	}
}

// ruleOf is a rule with n names.
func ruleOf(t *testing.T, n, i int) vary.Rule {
	names := make([]string, n)
	for k := range names {
		names[k] = fmt.Sprintf("%q", fmt.Sprint("p", k))
	}
	names[n-1] = fmt.Sprintf("%q", fmt.Sprint("q", i))
	rule, ok := vary.ParseNoVarySearch([]string{"params=(" + strings.Join(names, " ") + ")"})
	if !ok {
		t.Fatal("the rule does not parse")
	}
	return rule
}
