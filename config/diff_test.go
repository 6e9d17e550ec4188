package config_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/jayproxy/jay/config"
)

// TestDiff checks that a change of any option is told, with both values, and nothing else.
func TestDiff(t *testing.T) {
	for _, o := range config.Options() {
		before, after := config.Default(), config.Default()
		if err := o.Set(&after, other[o.Name]); err != nil {
			t.Fatalf("%s: %v", o.Name, err)
		}
		changes, sections := config.Diff(&before, &after)
		want := []config.Change{{Option: o.Name, Old: strings.Join(o.Values(&before), ", "), New: strings.Join(o.Values(&after), ", ")}}
		if !slices.Equal(changes, want) || sections != nil {
			t.Errorf("%s: got %v and sections %v; want %v and none", o.Name, changes, sections, want)
		}
		if changes, sections := config.Diff(&after, &after); changes != nil || sections != nil {
			t.Errorf("%s with itself: got %v, %v; want nothing", o.Name, changes, sections)
		}
	}
}

// TestDiff_sections checks that the parts of the file that are no options are compared by what is in them.
func TestDiff_sections(t *testing.T) {
	const text = "policy:\n  default: allow\n  rules:\n  - {name: a, action: deny, to: example.com}\n"
	tests := []struct {
		a, b string
		want []string
	}{
		{text, text, nil},
		{text, text + "# comment\n", nil},
		{"", text, []string{"policy"}},
		{text, strings.Replace(text, "example.com", "example.org", 1), []string{"policy"}},
	}
	for _, tt := range tests {
		before, after := config.Default(), config.Default()
		for c, text := range map[*config.Config]string{&before: tt.a, &after: tt.b} {
			if err := config.Load(c, "x", []byte(text)); err != nil {
				t.Fatal(err)
			}
		}
		if changes, got := config.Diff(&before, &after); !slices.Equal(got, tt.want) || changes != nil {
			t.Errorf("%q and %q: got %v, %v; want sections %v", tt.a, tt.b, changes, got, tt.want)
		}
	}
}

// TestDiff_passwords checks that user information in URLs is not told.
func TestDiff_passwords(t *testing.T) {
	before, after := config.Default(), config.Default()
	after.AccessLog = "https://anna:sesame@log.example/x"
	changes, _ := config.Diff(&before, &after)
	again := after
	again.AccessLog = "https://anna:other@log.example/x"
	if changes, _ := config.Diff(&after, &again); len(changes) != 1 {
		t.Errorf("another password: got %v; want a change", changes)
	}
	if len(changes) != 1 || changes[0].New != "https://…@log.example/x" {
		t.Errorf("got %v; want the URL without the password", changes)
	}
}
