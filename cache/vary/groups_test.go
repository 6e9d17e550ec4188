package vary_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/jayproxy/jay/cache/vary"
)

func TestParseGroups_RFC9875_2(t *testing.T) {
	long := strings.Repeat("x", 2000)
	tests := []struct {
		name  string
		lines []string
		want  []string
	}{
		{"one", []string{`"scripts"`}, []string{"scripts"}},
		{"two", []string{`"eurovision-results", "australia"`}, []string{"eurovision-results", "australia"}},
		{"lines", []string{`"a"`, `"b","c"`}, []string{"a", "b", "c"}},
		{"parameters-ignored", []string{`"a";x=1;y, "b"`}, []string{"a", "b"}},
		{"repeated", []string{`"a", "b", "a"`}, []string{"a", "b"}},
		{"case-counts", []string{`"a", "A"`}, []string{"a", "A"}},
		{"escapes", []string{`"a\"b\\c"`}, []string{`a"b\c`}},
		{"comma-inside", []string{`"a,b"`}, []string{"a,b"}},
		{"empty-string", []string{`""`}, []string{""}},
		{"long", []string{`"` + long + `"`}, []string{long}},
		{"spaces", []string{`   "a"  ,	"b"  `}, []string{"a", "b"}},
		{"none", nil, nil},
		{"empty", []string{""}, nil},
		// One member of another kind, or wrong syntax, and the whole field is void.
		{"token", []string{`scripts`}, nil},
		{"token-among-strings", []string{`"a", b`}, nil},
		{"number", []string{`"a", 1`}, nil},
		{"boolean", []string{`?1`}, nil},
		{"bytes", []string{`:YQ==:`}, nil},
		{"inner-list", []string{`("a" "b")`}, nil},
		{"display-string", []string{`%"a"`}, nil},
		{"unclosed", []string{`"a", "b`}, nil},
		{"trailing-comma", []string{`"a",`}, nil},
		{"empty-member", []string{`"a",,"b"`}, nil},
		{"bad-escape", []string{`"a\b"`}, nil},
		{"non-ascii", []string{"\"\xc3\xa9\""}, nil},
		{"no-comma", []string{`"a" "b"`}, nil},
		{"second-line-bad", []string{`"a"`, `b`}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := vary.ParseGroups(tt.lines); !slices.Equal(got, tt.want) {
				t.Errorf("ParseGroups(%.80q) = %.80q; want %.80q", tt.lines, got, tt.want)
			}
		})
	}
}

func TestParseGroupsBounded_RFC9875_2(t *testing.T) {
	var members []string
	for i := range 1000 {
		members = append(members, fmt.Sprintf(`"group-%027d"`, i))
	}
	if got := vary.ParseGroups([]string{strings.Join(members[:32], ", ")}); len(got) != 32 {
		t.Errorf("%d of 32 groups; all must be supported", len(got))
	}
	if got := vary.ParseGroups(members); len(got) != vary.MaxGroups {
		t.Errorf("%d of 1000 groups; want %d", len(got), vary.MaxGroups)
	}
	// What is behind the limit is still looked at: junk voids the field.
	if got := vary.ParseGroups(append(members, "junk")); got != nil {
		t.Errorf("%d groups of a field that is no list of strings", len(got))
	}
}

func FuzzParseGroups(f *testing.F) {
	f.Add(`"a", "b"`, `"c";x`)
	f.Add(`"a\"`, `"`)
	f.Fuzz(func(t *testing.T, a, b string) {
		groups := vary.ParseGroups([]string{a, b})
		if joined := vary.ParseGroups([]string{a + ", " + b}); !slices.Equal(groups, joined) {
			t.Errorf("%q and %q are %q; joined %q", a, b, groups, joined)
		}
		if len(groups) > vary.MaxGroups {
			t.Errorf("%d groups", len(groups))
		}
	})
}

func ExampleParseGroups() {
	fmt.Printf("%q\n", vary.ParseGroups([]string{`"scripts";p, "styles"`}))
	// Output: ["scripts" "styles"]
}
