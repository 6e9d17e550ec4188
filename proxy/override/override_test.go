package override

import (
	"errors"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestMatch(t *testing.T) {
	rs, err := New([]Conditions{
		{To: []string{".debian.test", "192.0.2.0/24"}, Paths: []string{"/*/pool/*.deb", "/exact"}},
		{Types: []string{"IMAGE/*", "text/css"}, Statuses: []StatusRange{{200, 200}, {301, 399}}},
		{Regexp: `(?i)\.cab(\?|$)`},
		{To: []string{"all.test"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		s    Subject
		want int
	}{
		{Subject{URL: "http://deb.debian.test/debian/pool/a/a_1.deb"}, 0},
		{Subject{URL: "http://debian.test:8080/debian/pool/a/a_1.deb?x=/y"}, 0},
		{Subject{URL: "http://192.0.2.9/exact"}, 0},
		{Subject{URL: "http://192.0.2.9/exact/"}, -1},
		{Subject{URL: "http://deb.debian.test/debian/pool/a/a_1.DEB"}, -1},
		{Subject{URL: "http://other.test/debian/pool/a/a_1.deb"}, -1},
		{Subject{URL: "http://x.test/", Type: "image/png", Status: 200}, 1},
		{Subject{URL: "http://x.test/", Type: "Image/PNG; a=b", Status: 304}, 1},
		{Subject{URL: "http://x.test/", Type: "text/css ;a", Status: 301}, 1},
		{Subject{URL: "http://x.test/", Type: "text/css2", Status: 200}, -1},
		{Subject{URL: "http://x.test/", Type: "image/png", Status: 404}, -1},
		{Subject{URL: "http://x.test/", Status: 200}, -1},
		{Subject{URL: "http://x.test/a.CAB?b", Status: 200}, 2},
		{Subject{URL: "http://x.test/a.cabin", Status: 200}, -1},
		{Subject{URL: "http://[2001:db8::1]:8080/a.cab"}, 2},
		{Subject{URL: "http://all.test"}, 3},
		{Subject{URL: ""}, -1},
	}
	for _, tt := range tests {
		if got := rs.Match(tt.s); got != tt.want {
			t.Errorf("Match(%+v) = %d; want %d", tt.s, got, tt.want)
		}
	}
	if got := (*Rules)(nil).Match(Subject{}); got != -1 {
		t.Errorf("no rules: got %d; want -1", got)
	}
	if n := testing.AllocsPerRun(100, func() { rs.Match(tests[0].s); rs.Match(tests[12].s) }); n != 0 {
		t.Errorf("asking allocates %v times; want 0", n)
	}
}

func TestNew_Errors(t *testing.T) {
	tests := []struct {
		c    Conditions
		want string
	}{
		{Conditions{To: []string{"*.a.test"}}, "to: "},
		{Conditions{Paths: []string{"pool"}}, `path: "pool": a pattern for paths begins with / or *`},
		{Conditions{Paths: []string{""}}, "path: "},
		{Conditions{Regexp: "("}, "regexp: error parsing regexp: missing closing ): `(`"},
		{Conditions{Types: []string{"image"}}, `type: "image" is not a media type; write text/html or image/*`},
		{Conditions{Types: []string{"*/*"}}, "type: "},
		{Conditions{Types: []string{"a/b*"}}, "type: "},
		{Conditions{Statuses: []StatusRange{{200, 600}}}, "status: 200-600 is not a range of status codes"},
	}
	for _, tt := range tests {
		_, err := New([]Conditions{{}, tt.c})
		var e *Error
		if !errors.As(err, &e) || e.Index != 1 || !strings.HasPrefix(e.Err.Error(), tt.want) || e.Error() != "override: "+e.Err.Error() {
			t.Errorf("%+v: got %v; want rule 1, %s", tt.c, err, tt.want)
		}
	}
}

// Globs agree with the expression that says the same, and nothing that comes in is too much for either.
func FuzzMatch(f *testing.F) {
	for _, s := range [][2]string{
		{"/a*b*c", "/aXbbYc"}, {"*", ""}, {"/", "/"}, {"/*", "/"}, {"**a", "aa"}, {"/a*a", "/a"}, {"*ab*ab", "abab"}, {"/é*", "/éx"},
	} {
		f.Add(s[0], s[1], "text/html; q=1")
	}
	f.Fuzz(func(t *testing.T, pattern, path, media string) {
		if utf8.ValidString(pattern) && utf8.ValidString(path) {
			want := regexp.MustCompile("(?s)^" + strings.ReplaceAll(regexp.QuoteMeta(pattern), `\*`, ".*") + "$").MatchString(path)
			if got := glob(pattern, path); got != want {
				t.Fatalf("glob(%q, %q) = %v; want %v", pattern, path, got, want)
			}
		}
		rs, err := New([]Conditions{{Paths: []string{pattern}, Types: []string{media}}, {To: []string{path}}})
		if err == nil {
			rs.Match(Subject{URL: "http://" + path, Type: media})
			rs.Match(Subject{URL: path, Type: path})
		}
	})
}
