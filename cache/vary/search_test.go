package vary_test

import (
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/jayproxy/jay/cache/vary"
)

// Section numbers are those of draft-ietf-httpbis-no-vary-search.
func TestParseNoVarySearch_Draft5(t *testing.T) {
	// A rule is observed by what it does to this.
	const probe = "/p?b=1&a=2&c=3"
	tests := []struct {
		name  string
		lines []string
		want  string // "" for the default
	}{
		{"key-order", []string{"key-order"}, "/p?a=2&b=1&c=3"},
		{"key-order-true", []string{"key-order=?1"}, "/p?a=2&b=1&c=3"},
		{"params-list", []string{`params=("a")`}, "/p?b=1&c=3"},
		{"params-several", []string{`params=("a" "c")`}, "/p?b=1"},
		{"except", []string{`except=("a")`}, "/p?a=2"},
		{"except-several", []string{`except=("c" "b")`}, "/p?b=1&c=3"},
		{"except-none", []string{`except=()`}, "/p"},
		{"params-and-key-order", []string{`key-order, params=("b")`}, "/p?a=2&c=3"},
		{"except-and-key-order", []string{`except=("b" "a"), key-order`}, "/p?a=2&b=1"},
		{"lines", []string{`params=("a")`, "key-order"}, "/p?b=1&c=3"},
		{"last-wins", []string{`params=("a"), params=("b")`}, "/p?a=2&c=3"},
		{"unknown-key-ignored", []string{`params=("a"), foo=bar, baz`}, "/p?b=1&c=3"},
		{"parameters-ignored", []string{`params=("a";x=1 "b";y);z, key-order;q`}, "/p?c=3"},
		{"repeated-name", []string{`params=("a" "a")`}, "/p?b=1&c=3"},
		{"spaces", []string{`  params=(  "a"   "c"  ) ,  key-order `}, "/p?b=1"},
		// The earlier form, in which params may be a boolean.
		{"params-true", []string{"params"}, "/p"},
		{"params-true-spelled", []string{"params=?1"}, "/p"},
		{"params-except", []string{`params, except=("a")`}, "/p?a=2"},
		{"params-except-key-order", []string{`key-order, params, except=("b" "a")`}, "/p?a=2&b=1"},
		{"params-except-lines", []string{"params", `except=("a")`}, "/p?a=2"},
		// The default.
		{"none", nil, ""},
		{"empty", []string{""}, ""},
		{"key-order-false", []string{"key-order=?0"}, ""},
		{"params-empty", []string{"params=()"}, ""},
		{"unknown-key", []string{"unknown-key"}, ""},
		{"key-order-string", []string{`key-order="not a boolean"`}, ""},
		{"key-order-list", []string{`key-order=("a")`}, ""},
		{"key-order-number", []string{`key-order=1, params=("a")`}, ""},
		{"params-string", []string{`params="not an inner list"`}, ""},
		{"params-tokens", []string{`params=(not-a-string)`}, ""},
		{"params-mixed", []string{`params=("a" b)`}, ""},
		{"params-false", []string{"params=?0"}, ""},
		{"params-false-except", []string{`params=?0, except=("a")`}, ""},
		{"params-false-key-order", []string{`params=?0, key-order`}, ""},
		{"params-list-except", []string{`params=("a"), except=("b")`}, ""},
		{"params-empty-except-empty", []string{`params=(), except=()`}, ""},
		{"except-string", []string{`except="not an inner list"`}, ""},
		{"except-tokens", []string{`except=(not-a-string)`}, ""},
		{"except-true", []string{"except=?1"}, ""},
		{"params-except-tokens", []string{`params, except=(a)`}, ""},
		{"syntax", []string{`params=("a"`}, ""},
		{"trailing-comma", []string{`params=("a"),`}, ""},
		{"not-a-dictionary", []string{`("a" "b")`}, ""},
		{"upper-case-key", []string{`Params=("a")`}, ""},
		{"non-ascii", []string{"params=(\"\xc3\xa9\")"}, ""},
		{"second-line-bad", []string{`params=("a")`, `(`}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			rule, ok := vary.ParseNoVarySearch(tt.lines)
			if ok != (tt.want != "") {
				t.Errorf("ParseNoVarySearch(%q) is %v; want %v", tt.lines, ok, tt.want != "")
			}
			want := tt.want
			if want == "" {
				want = probe
			}
			if got := rule.Normalize(probe); got != want {
				t.Errorf("under %q, %q is %q; want %q", tt.lines, probe, got, want)
			}
		})
	}
}

func TestEquivalent_Draft6(t *testing.T) {
	tests := []struct {
		rule, a, b string
		want       bool
	}{
		// Only what the rule says.
		{`key-order`, "/?a=1&b=2", "/?b=2&a=1", true},
		{`key-order`, "/?a=1&b=2", "/?b=1&a=2", false},
		{`key-order`, "/?a=1&a=2", "/?a=2&a=1", false},
		{`key-order`, "/?a=1&b=2&a=3", "/?b=2&a=1&a=3", true},
		{`key-order`, "/?a=1&b=2&a=3", "/?b=2&a=3&a=1", false},
		{`key-order`, "/?a=1", "/?a=1&a=1", false},
		{`params=("a")`, "/?a=1&b=2", "/?b=2", true},
		{`params=("a")`, "/?a=1&b=2", "/?b=2&a=3&a", true},
		{`params=("a")`, "/?a=1", "/", true},
		{`params=("a")`, "/?a=1&b=2", "/?b=3", false},
		{`params=("a")`, "/?b=2&c=3", "/?c=3&b=2", false},
		{`params=("a")`, "/?A=1", "/", false},
		{`params=("a")`, "/x?a=1", "/y?a=1", false},
		{`params=("a")`, "/x?a=1", "/X", false},
		{`params=("a")`, "/x?a=1", "/x/", false},
		{`except=("id")`, "/?id=1&utm=2", "/?utm=3&id=1", true},
		{`except=("id")`, "/?id=1", "/?id=2", false},
		{`except=("id")`, "/?id=1", "/", false},
		{`except=("id")`, "/?x", "/?y=2", true},
		{`except=()`, "/?x", "/", true},
		{`except=("a" "b")`, "/?a=1&b=2", "/?b=2&a=1", false},
		{`except=("a" "b"), key-order`, "/?a=1&x&b=2", "/?b=2&y&a=1", true},
		{`params=("")`, "/?=1&b", "/?b", true},
		// Section 6.1: queries that are parsed the same.
		{`key-order`, "/", "/?", true},
		{`key-order`, "/?a=x", "/?%61=%78", true},
		{`key-order`, "/?a=\xc3\xa9", "/?a=%C3%A9", true},
		{`key-order`, "/?a=%c3%a9", "/?a=%C3%A9", true},
		{`key-order`, "/?a=x&&&&", "/?a=x", true},
		{`key-order`, "/?&a=x", "/?a=x", true},
		{`key-order`, "/?a=", "/?a", true},
		{`key-order`, "/?a=%20", "/?a=+", true},
		{`key-order`, "/?a=%2B", "/?a=+", false},
		{`key-order`, "/?a=1=2", "/?a=1%3D2", true},
		{`key-order`, "/?a%3D1=2", "/?a=1=2", false},
		{`key-order`, "/?a=1%26b=2", "/?a=1&b=2", false},
		{`key-order`, "/?a=1;b=2", "/?a=1&b=2", false},
		{`key-order`, "/?a=%zz", "/?a=%25zz", true},
		{`key-order`, "/?a=%", "/?a=%25", true},
		{`key-order`, "/?a=%4", "/?a=%254", true},
		{`key-order`, "/?a?b", "/?a%3Fb", true},
		{`key-order`, "/?=", "/?", false},
		// The path is compared byte for byte.
		{`key-order`, "/%61", "/a", false},
		{`key-order`, "/a+b", "/a%20b", false},
		// No Unicode normalisation; and invalid bytes stay apart, on the safe side of the draft.
		{`key-order`, "/?a=%C3%A9", "/?a=e%CC%81", false},
		{`key-order`, "/?a=%f6", "/?a=%ef%bf%bd", false},
		{`key-order`, "/?a=%f6", "/?a=%f7", false},
		// Section 5.3: names in the field are encoded as in a query.
		{`params=("%C3%A9+%E6%B0%97")`, "/?\xc3\xa9+\xe6\xb0\x97=1", "/?%c3%a9%20%e6%b0%97=2", true},
		{`params=("a+b")`, "/?a%20b=1", "/", true},
		{`params=("a+b")`, "/?a%2Bb=1", "/", false},
		{`params=("%61")`, "/?a=1", "/", true},
		{`params=("a%")`, "/?a%25=1", "/", true},
		// The default compares everything.
		{``, "/", "/?", false},
		{``, "/?a", "/?a=", false},
		{``, "/?a", "/?%61", false},
		{``, "/?a&b", "/?a&b", true},
		{`params=()`, "/?a", "/?a=", false},
	}
	for _, tt := range tests {
		rule, _ := vary.ParseNoVarySearch([]string{tt.rule})
		if got := rule.Equivalent(tt.a, tt.b); got != tt.want {
			t.Errorf("under %q, %q and %q are equivalent: %v; want %v", tt.rule, tt.a, tt.b, got, tt.want)
		}
		if got := rule.Equivalent(tt.b, tt.a); got != tt.want {
			t.Errorf("under %q, %q and %q are equivalent: %v; want %v", tt.rule, tt.b, tt.a, got, tt.want)
		}
	}
}

// The canonical form has one canonical form, its own, and what it says is what the query said.
func FuzzNoVarySearch(f *testing.F) {
	f.Add(`key-order`, "/x?b=1&a=2", "/x?a=2&b=1")
	f.Add(`params=("a")`, "/x?a=%20&b=+", "/x?b= ")
	f.Add(`params, except=("a" "%62")`, "/?&&a==1&b", "/")
	f.Fuzz(func(t *testing.T, field, a, b string) {
		rule, ok := vary.ParseNoVarySearch([]string{field})
		na, nb := rule.Normalize(a), rule.Normalize(b)
		if !ok && na != a {
			t.Errorf("the default makes %q of %q", na, a)
		}
		if again := rule.Normalize(na); again != na {
			t.Errorf("%q is %q, which is %q", a, na, again)
		}
		if rule.Equivalent(a, b) != (na == nb) {
			t.Errorf("Equivalent and Normalize differ on %q, %q", a, b)
		}
		pathA, queryA, _ := strings.Cut(a, "?")
		if path, _, _ := strings.Cut(na, "?"); path != pathA {
			t.Errorf("%q has lost its path: %q", a, na)
		}
		if ok && field == "key-order" && !strings.ContainsAny(queryA, ";%") {
			want, err := url.ParseQuery(queryA)
			_, canonical, _ := strings.Cut(na, "?")
			got, err2 := url.ParseQuery(canonical)
			if err == nil && (err2 != nil || want.Encode() != got.Encode()) {
				t.Errorf("%q is %q; want %q", a, got, want)
			}
		}
	})
}

func ExampleRule_Normalize() {
	rule, _ := vary.ParseNoVarySearch([]string{`params=("utm_source" "utm_medium"), key-order`})
	fmt.Println(rule.Normalize("/shop?size=4&utm_source=mail&colour=light+blue"))
	// Output: /shop?colour=light%20blue&size=4
}

func BenchmarkNormalize(b *testing.B) {
	rule, _ := vary.ParseNoVarySearch([]string{`params=("utm_source" "utm_medium"), key-order`})
	for _, target := range []string{"/shop?size=4&utm_source=mail&colour=blue", "/?" + strings.Repeat("a=b&", 4000)} {
		b.Run(fmt.Sprint(len(target)), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				rule.Normalize(target)
			}
		})
	}
}

func TestNormalize_Draft6(t *testing.T) {
	tests := []struct{ rule, in, want string }{
		{`key-order`, "/x", "/x"},
		{`key-order`, "/x?", "/x"},
		{`key-order`, "/x?a", "/x?a="},
		{`key-order`, "/x?b&a", "/x?a=&b="},
		{`key-order`, "/x?=", "/x?="},
		{`key-order`, "/x?a=%7e%2f~", "/x?a=~%2F~"},
		{`key-order`, "/x?a=\xf6", "/x?a=%F6"},
		{`key-order`, "/x?a=b?c", "/x?a=b%3Fc"},
		{`key-order`, "/x%2f/../y?a", "/x%2f/../y?a="},
		{`key-order`, "?b&a", "?a=&b="},
		{`key-order`, "", ""},
		{`key-order`, "*", "*"},
		{`params=("a")`, "/x?b+c=d+e&a=1", "/x?b%20c=d%20e"},
		{`except=()`, "/x?a=1#f", "/x"},
		{``, "/x?b&&a=%7e", "/x?b&&a=%7e"},
	}
	for _, tt := range tests {
		rule, _ := vary.ParseNoVarySearch([]string{tt.rule})
		if got := rule.Normalize(tt.in); got != tt.want {
			t.Errorf("under %q, %q is %q; want %q", tt.rule, tt.in, got, tt.want)
		}
	}
}
