package validation_test

import (
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/jayproxy/jay/validation"
)

func TestInvalidates_RFC9111_4_4(t *testing.T) {
	for _, method := range []string{"POST", "PUT", "DELETE", "PATCH", "M-SEARCH", "PURGE", "LOCK", "UNKNOWN", "get", ""} {
		for status, want := range map[int]bool{200: true, 201: true, 204: true, 206: true, 299: true, 301: true, 303: true, 399: true, 100: false, 400: false, 404: false, 412: false, 500: false, 503: false, 600: false} {
			if got := validation.Invalidates(method, status); got != want {
				t.Errorf("Invalidates(%q, %d) = %v; want %v", method, status, got, want)
			}
		}
	}
	for _, method := range []string{"GET", "HEAD", "OPTIONS", "TRACE", "PROPFIND", "REPORT", "SEARCH", "QUERY"} {
		if validation.Invalidates(method, 200) {
			t.Errorf("%s invalidates; it is safe", method)
		}
	}
}

var base = validation.URI{Scheme: "http", Host: "example.com", Target: "/a/b?q=1"}

func TestTargets_RFC9111_4_4(t *testing.T) {
	tests := []struct {
		name string
		base validation.URI
		ref  string
		want []string
	}{
		// RFC 3986 §5.2: the forms of a reference.
		{"absolute", base, "http://example.com/x?y", []string{"/x?y"}},
		{"absolute-no-path", base, "http://example.com", []string{"/"}},
		{"absolute-query-only", base, "http://example.com?y", []string{"/?y"}},
		{"network-path", base, "//example.com/x", []string{"/x"}},
		{"absolute-path", base, "/x/y", []string{"/x/y"}},
		{"relative", base, "x", []string{"/a/x"}},
		{"relative-deep", base, "x/y?z", []string{"/a/x/y?z"}},
		{"relative-query", base, "?z", []string{"/a/b?z"}},
		{"empty", base, "", []string{"/a/b?q=1"}},
		{"fragment-only", base, "#f", []string{"/a/b?q=1"}},
		{"fragment", base, "/x?y#f", []string{"/x?y"}},
		{"colon-in-segment", base, "x/y:z", []string{"/a/x/y:z"}},
		{"colon-first-digit", base, "1:z", []string{"/a/1:z"}},
		{"question-slash", base, "x?y/../z", []string{"/a/x?y/../z"}},
		{"white-space-around", base, " \t/x ", []string{"/x"}},
		{"base-without-path", validation.URI{Scheme: "http", Host: "example.com"}, "x", []string{"/x"}},
		{"base-without-path-empty", validation.URI{Scheme: "http", Host: "example.com"}, "", []string{"/"}},
		{"base-query-only", validation.URI{Scheme: "http", Host: "example.com", Target: "?q"}, "x", []string{"/x"}},
		{"base-star", validation.URI{Scheme: "http", Host: "example.com", Target: "*"}, "x", []string{"/x"}},
		{"base-slash-in-query", validation.URI{Scheme: "http", Host: "example.com", Target: "/a?b/c"}, "x", []string{"/x"}},
		{"double-slash-path", base, "http://example.com//x", []string{"//x"}},
		// Bytes stay as they are.
		{"percent", base, "/%7e%7E/%2f?%41", []string{"/%7e%7E/%2f?%41"}},
		{"case", base, "/X", []string{"/X"}},
		{"reserved", base, "/a;b=c,d!$&'()*+@:", []string{"/a;b=c,d!$&'()*+@:"}},
		{"obs-text", base, "/\xc3\xa9", []string{"/\xc3\xa9"}},
		{"empty-query", base, "/x?", []string{"/x?"}},
		// Dot segments: as given, and as a client would ask.
		{"dot", base, "./x", []string{"/a/./x", "/a/x"}},
		{"dot-dot", base, "../x", []string{"/a/../x", "/x"}},
		{"dot-dot-end", base, "..", []string{"/a/..", "/"}},
		{"dot-end", base, ".", []string{"/a/.", "/a/"}},
		{"above-root", base, "../../../x", []string{"/a/../../../x", "/x"}},
		{"absolute-dots", base, "/x/../y/./z", []string{"/x/../y/./z", "/y/z"}},
		{"dot-file", base, "/.x/..y/z.", []string{"/.x/..y/z."}},
		{"encoded-dots", base, "/%2e%2e/x", []string{"/%2e%2e/x"}},
		// The same origin, however it is spelled.
		{"default-port", base, "http://example.com:80/x", []string{"/x"}},
		{"empty-port", base, "http://example.com:/x", []string{"/x"}},
		{"host-case", base, "HTTP://EXAMPLE.com/x", []string{"/x"}},
		{"https-port", validation.URI{Scheme: "https", Host: "example.com", Port: "443"}, "https://example.com/x", []string{"/x"}},
		{"other-port-same", validation.URI{Scheme: "http", Host: "example.com", Port: "8080"}, "http://example.com:8080/x", []string{"/x"}},
		{"ipv6", validation.URI{Scheme: "http", Host: "2001:db8::1"}, "http://[2001:DB8::1]:80/x", []string{"/x"}},
		// Another one.
		{"other-host", base, "http://example.org/x", nil},
		{"sub-host", base, "http://www.example.com/x", nil},
		{"host-prefix", base, "http://example.com.evil.test/x", nil},
		{"trailing-dot", base, "http://example.com./x", nil},
		{"other-port", base, "http://example.com:81/x", nil},
		{"other-port-missing", validation.URI{Scheme: "http", Host: "example.com", Port: "8080"}, "http://example.com/x", nil},
		{"other-scheme", base, "https://example.com/x", nil},
		{"other-scheme-same-port", base, "https://example.com:80/x", nil},
		{"network-path-other", base, "//example.org/x", nil},
		{"user", base, "http://example.com@example.org/x", nil},
		{"user-same-host", base, "http://u:p@example.com/x", nil},
		{"no-authority", base, "http:/x", nil},
		{"no-authority-relative", base, "http:x", nil},
		{"empty-authority", base, "http:///x", nil},
		{"mailto", base, "mailto:a@example.com", nil},
		{"backslash", base, "http:\\\\example.com\\x", nil},
		{"backslash-host", base, "http://example.com\\@example.org/", nil},
		{"space", base, "/a b", nil},
		{"control", base, "/a\x01b", nil},
		{"ipv6-unclosed", validation.URI{Scheme: "http", Host: "::1"}, "http://[::1/x", nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for _, name := range []string{"Location", "Content-Location"} {
				if got := validation.Targets(tt.base, map[string][]string{name: {tt.ref}}); !slices.Equal(got, tt.want) {
					t.Errorf("%s: %q leads to %q; want %q", name, tt.ref, got, tt.want)
				}
			}
		})
	}
}

func TestTargetsOfSeveralFields(t *testing.T) {
	h := fields("Location: /l", "Content-Location: /c", "Content-Location: /l", "Location: http://example.org/x")
	if got, want := validation.Targets(base, h), []string{"/l", "/c"}; !slices.Equal(got, want) {
		t.Errorf("got %q; want %q", got, want)
	}
	h = fields(strings.Split(strings.Repeat("Location: /x|", 9)+"Location: /late", "|")...)
	if got, want := validation.Targets(base, h), []string{"/x"}; !slices.Equal(got, want) {
		t.Errorf("got %q; want %q", got, want)
	}
	if got := validation.Targets(base, nil); got != nil {
		t.Errorf("got %q from nothing", got)
	}
}

func TestContentLocationIs_RFC9110_8_7(t *testing.T) {
	tests := []struct {
		name string
		refs []string
		want bool
	}{
		{"path", []string{"/a/b?q=1"}, true},
		{"absolute", []string{"http://example.com/a/b?q=1"}, true},
		{"absolute-port", []string{"http://EXAMPLE.com:80/a/b?q=1"}, true},
		{"relative", []string{"b?q=1"}, true},
		{"relative-dots", []string{"../a/b?q=1"}, true},
		{"query", []string{"?q=1"}, true},
		{"fragment", []string{"/a/b?q=1#f"}, true},
		{"other-path", []string{"/a/c?q=1"}, false},
		{"no-query", []string{"/a/b"}, false},
		{"other-query", []string{"/a/b?q=2"}, false},
		{"other-encoding", []string{"/%61/b?q=1"}, false},
		{"other-host", []string{"http://example.org/a/b?q=1"}, false},
		{"other-scheme", []string{"https://example.com/a/b?q=1"}, false},
		{"absent", nil, false},
		{"empty", []string{""}, false},
		{"twice", []string{"/a/b?q=1", "/a/b?q=1"}, false},
	}
	for _, tt := range tests {
		if got := validation.ContentLocationIs(base, map[string][]string{"Content-Location": tt.refs}); got != tt.want {
			t.Errorf("%s: got %v; want %v", tt.name, got, tt.want)
		}
	}
	root := validation.URI{Scheme: "http", Host: "example.com"}
	if !validation.ContentLocationIs(root, fields("Content-Location: http://example.com")) {
		t.Errorf("an empty path is not the root")
	}
}

func TestRemoveDots_RFC3986_5_2_4(t *testing.T) {
	for in, want := range map[string]string{
		"/a/b/c/./../../g": "/a/g",
		"/./g":             "/g",
		"/../g":            "/g",
		"/g.":              "/g.",
		"/.g":              "/.g",
		"/g..":             "/g..",
		"/..g":             "/..g",
		"/./../g":          "/g",
		"/./g/.":           "/g/",
		"/g/./h":           "/g/h",
		"/g/../h":          "/h",
		"/g;x=1/./y":       "/g;x=1/y",
		"/g;x=1/../y":      "/y",
		"/a//../b":         "/a/b",
		"/a/..":            "/",
		"/..":              "/",
		"/.":               "/",
		"/":                "/",
		"/a/.?b/../c":      "/a/?b/../c",
	} {
		if got := validation.RemoveDots(in); got != want {
			t.Errorf("RemoveDots(%q) = %q; want %q", in, got, want)
		}
	}
	long := "/" + strings.Repeat("../a/", 3000)
	if got := validation.RemoveDots(long); got != "/a/" {
		t.Errorf("a long path comes to %.40q", got)
	}
}

// Where net/url understands a reference, it leads to the same place.
func FuzzTargets(f *testing.F) {
	for _, s := range []string{"/x", "x/../y", "?q", "http://example.com/a/./b", "//example.com:80/", "http://example.org/", "..", "#f"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, ref string) {
		got := validation.Targets(base, map[string][]string{"Location": {ref}})
		for _, target := range got {
			if target == "" || target[0] != '/' || strings.ContainsAny(target, " #\x00\r\n") {
				t.Errorf("%q leads to %q", ref, target)
			}
		}
		u, err := url.Parse(trim(ref))
		if err != nil || len(got) == 0 {
			return
		}
		from, _ := url.Parse("http://example.com/a/b?q=1")
		to := from.ResolveReference(u)
		if !strings.EqualFold(to.Hostname(), "example.com") || to.Scheme != "http" || to.User != nil {
			t.Errorf("%q leads to %v, which has another origin", ref, to)
		}
	})
}
