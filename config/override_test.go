package config_test

import (
	"bytes"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/jayproxy/jay/config"
)

// mirror is a section with everything in it.
const mirror = `overrides:
  - name: except
    to: fresh.debian.test
  - name: debs
    to: [.debian.test, 192.0.2.0/24]
    path: [/*/pool/*, '*.deb']
    min: 30d
    max: 8760h
    ignore: [reload, no-cache, no-cache]
  - {name: updates, regexp: '(?i)\.(cab|msu)(\?|$)', heuristic: 20%, ignore: "lifetime, cookie, must-revalidate"}
  - {name: errors, status: [404, 5xx, 301-302], type: "text/html, image/*", min: 1m30s}
  - {name: gone, to: [x.test], never: true}
  - {name: live, to: [y.test], always-revalidate: yes, ignore: [no-store, private]}
`

func mirrorOverrides() []config.Override {
	const day = 24 * time.Hour
	return []config.Override{
		{Name: "except", To: []string{"fresh.debian.test"}},
		{Name: "debs", To: []string{".debian.test", "192.0.2.0/24"}, Paths: []string{"/*/pool/*", "*.deb"}, Min: 30 * day, Max: 365 * day, Ignore: []string{"no-cache", "reload"}},
		{Name: "updates", Regexp: `(?i)\.(cab|msu)(\?|$)`, Heuristic: 0.2, Ignore: []string{"cookie", "lifetime", "must-revalidate"}},
		{Name: "errors", Statuses: []config.StatusRange{{First: 404, Last: 404}, {First: 500, Last: 599}, {First: 301, Last: 302}}, Types: []string{"text/html", "image/*"}, Min: 90 * time.Second},
		{Name: "gone", To: []string{"x.test"}, Never: true},
		{Name: "live", To: []string{"y.test"}, AlwaysRevalidate: true, Ignore: []string{"no-store", "private"}},
	}
}

func TestLoadOverrides(t *testing.T) {
	c := config.Default()
	if err := config.Load(&c, "f", []byte(office+mirror)); err != nil {
		t.Fatal(err)
	}
	if want := mirrorOverrides(); !reflect.DeepEqual(c.Overrides, want) {
		t.Errorf("got %+v; want %+v", c.Overrides, want)
	}
	var b bytes.Buffer
	if err := config.Print(&b, &c); err != nil {
		t.Fatal(err)
	}
	var back config.Config
	if err := config.Load(&back, "f", b.Bytes()); err != nil || !reflect.DeepEqual(back, c) {
		t.Errorf("Load(Print(c)) = %v, %+v; want %+v from\n%s", err, back.Overrides, c.Overrides, b.Bytes())
	}
}

func TestOverrideErrors(t *testing.T) {
	tests := []struct{ rule, want string }{
		{"min: 1d", "override: name is missing; Cache-Status and log lines give it"},
		{"name: a b", `name: "a b" is not a name for this; use up to 64 letters, digits, -, _ and ., but not default`},
		{"name: x, hosts: a.test", `override: unknown key "hosts"`},
		{"name: x, pth: /a", `override: unknown key "pth"; did you mean path?`},
		{"name: x, to: '*.a.test'", `to: "*.a.test": a name with all names below it is written with a dot in front, as in .example.com`},
		{"name: x, path: pool", `path: "pool" can match no path; begin with / or *, which stands for anything`},
		{"name: x, path: '/a?b'", `path: "/a?b" has a query, which paths do not; use regexp, which sees the whole URL`},
		{"name: x, regexp: (", "regexp: error parsing regexp: missing closing ): `(`"},
		{"name: x, regexp: ''", "regexp: is empty; leave the line out"},
		{"name: x, type: image", `type: "image" is not a media type; write text/html or image/*`},
		{"name: x, status: 2x", `status: "2x" is not a status code or a range of them; write 404, 4xx or 500-599`},
		{"name: x, status: 100", `status: "100" is not a status code or a range of them; write 404, 4xx or 500-599`},
		{"name: x, min: 1", `min: "1" needs a unit, as in 1s`},
		{"name: x, min: 1.5d", `min: "1.5d" is not a duration; write 30d, 12h or 10m`},
		{"name: x, min: 0s", `min: "0s" is not a number of whole seconds, one at least; to keep nothing fresh, write always-revalidate: true`},
		{"name: x, max: 65535d", `max: "65535d" is longer than 68 years`},
		{"name: x, min: 2h, max: 1h", "override x: min, 2h, is more than max, 1h"},
		{"name: x, heuristic: 2000%", `heuristic: "2000%" is not a fraction of a time; write 0.2 or 20%`},
		{"name: x, ignore: vary", `ignore: "vary" is not one of no-cache, no-store, private, must-revalidate, lifetime, reload, cookie`},
		{"name: x, ignore: [private, cookie]", "override x: cookie cannot be ignored together with private or no-store: users would get what was made for others"},
		{"name: x, ignore: cookie", "override x: to ignore cookies changes nothing by itself; say min or ignore more"},
		{"name: x, never: true, min: 1h", "override x: never leaves nothing for what else it says"},
		{"name: x, always-revalidate: true, max: 1h", "override x: always-revalidate leaves no lifetime to decide about"},
		{"name: x, never: maybe", `never: "maybe" is neither true nor false`},
		{"name: first", "rule first: there is one of that name on line 2"},
	}
	for _, tt := range tests {
		c := config.Default()
		err := config.Load(&c, "f", []byte("overrides:\n  - name: first\n  - {"+tt.rule+"}\n"))
		if want := "f:3: " + tt.want; err == nil || err.Error() != want {
			t.Errorf("%s: got %v; want %s", tt.rule, err, want)
		}
		if c.Overrides != nil {
			t.Errorf("%s: got %+v; want nothing set", tt.rule, c.Overrides)
		}
	}
	for file, want := range map[string]string{
		"overrides: {a: b}\n":                 "f:1: overrides: wants a list of rules, each with a hyphen in front",
		"overrides:\n":                        "f:1: overrides: wants a list of rules, each with a hyphen in front",
		"overrides:\n  - x\n":                 "f:2: override: wants lines of the form name: value",
		"overrides: []\noverrides: []\n":      "f:2: overrides is already set on line 1",
		"overrides:\n  - &a {name: x}\n":      "f:2: anchors are not supported",
		"override: []\n":                      `f:1: unknown option "override"; did you mean overrides?`,
		"overrides:\n  - {name: x}\n  - {}\n": "f:3: override: name is missing; Cache-Status and log lines give it",
	} {
		c := config.Default()
		if err := config.Load(&c, "f", []byte(file)); err == nil || err.Error() != want {
			t.Errorf("%q: got %v; want %s", file, err, want)
		}
	}
}

// What is read as a range of status codes comes back from its text.
func FuzzParseStatusRange(f *testing.F) {
	for _, s := range []string{"404", "4xx", "500-599", "200-299", "6xx", "-", "xx", "+404", "404-"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		r, err := config.ParseStatusRange(s)
		if err != nil {
			return
		}
		if again, err := config.ParseStatusRange(r.String()); err != nil || again != r || r.First < 200 || r.Last > 599 || strings.Contains(s, "+") {
			t.Fatalf("%q: got %v, then %v, %v", s, r, again, err)
		}
	})
}

// TestReadmeOverrides checks that the README's example is one.
func TestReadmeOverrides(t *testing.T) {
	readme, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, example, ok := strings.Cut(string(readme), "```yaml\noverrides:")
	example, _, _ = strings.Cut(example, "```")
	c := config.Default()
	if err := config.Load(&c, "README.md", []byte("overrides:"+example)); !ok || err != nil || len(c.Overrides) < 5 {
		t.Errorf("the overrides in README.md: %v, %+v", err, c.Overrides)
	}
}
