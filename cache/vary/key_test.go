package vary_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/jayproxy/jay/cache/vary"
)

// request is a list of "Name: value" lines, and a vary.Source.
type request []string

func (r request) Len() int { return len(r) }

func (r request) At(i int) (name, value string) {
	name, value, _ = strings.Cut(r[i], ":")
	return name, strings.Trim(value, " \t")
}

func (r request) header() http.Header {
	h := http.Header{}
	for i := range r {
		name, value := r.At(i)
		h.Add(name, value)
	}
	return h
}

func TestNames_RFC9110_12_5_5(t *testing.T) {
	tests := []struct {
		name  string
		lines []string
		want  []string
		star  bool
	}{
		{"none", nil, nil, false},
		{"one", []string{"Foo"}, []string{"Foo"}, false},
		{"case", []string{"accept-ENCODING"}, []string{"Accept-Encoding"}, false},
		{"sorted", []string{"Foo, Bar,baz"}, []string{"Bar", "Baz", "Foo"}, false},
		{"repeated", []string{"Foo, foo, FOO"}, []string{"Foo"}, false},
		{"lines", []string{"Foo", "Bar, Foo"}, []string{"Bar", "Foo"}, false},
		{"white-space", []string{"\tFoo ,\t Bar "}, []string{"Bar", "Foo"}, false},
		{"empty-members", []string{", ,Foo,,"}, []string{"Foo"}, false},
		{"empty", []string{""}, nil, false},
		{"star", []string{"*"}, nil, true},
		{"star-star", []string{"*, *"}, nil, true},
		{"star-lines", []string{"*", "*"}, nil, true},
		{"empty-star", []string{", *"}, nil, true},
		{"empty-star-lines", []string{"", "*"}, nil, true},
		{"star-foo", []string{"*, Foo"}, nil, true},
		{"foo-star", []string{"Foo, *"}, nil, true},
		{"foo-star-lines", []string{"Foo", "*"}, nil, true},
		{"star-no-space", []string{"Foo,*"}, nil, true},
		// "*" is a token byte: as a part of a name it is a field that nobody sends.
		{"star-in-name", []string{"Foo*"}, []string{"Foo*"}, false},
		// What is no field name names nothing that could be compared.
		{"space-inside", []string{"Foo Bar"}, nil, true},
		{"semicolon", []string{"Foo; Bar"}, nil, true},
		{"quoted", []string{`"Foo"`}, nil, true},
		{"colon", []string{"Foo:"}, nil, true},
		{"obs-text", []string{"F\xfc"}, nil, true},
		{"too-many", []string{strings.Repeat("x,", 65)}, nil, true},
		{"many", []string{strings.Repeat("x,", 64)}, []string{"X"}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, star := vary.Names(tt.lines)
			if star != tt.star || !slices.Equal(got, tt.want) {
				t.Errorf("Names(%q) = %q, %v; want %q, %v", tt.lines, got, star, tt.want, tt.star)
			}
		})
	}
}

// match reports whether two requests have the same key, and checks that both ways to it agree.
func match(t *testing.T, varied []string, a, b request) bool {
	t.Helper()
	names, star := vary.Names(varied)
	keys := [2]string{}
	ok := [2]bool{}
	for i, r := range []request{a, b} {
		var starKey bool
		keys[i], starKey = vary.Key(varied, r.header())
		ok[i] = !starKey
		fromSource, okSource := vary.AppendKey([]byte("x"), names, r)
		if star {
			continue
		}
		if okSource != ok[i] || (okSource && string(fromSource) != "x"+keys[i]) {
			t.Errorf("%q: AppendKey gives %q, %v; Key %q, %v", r, fromSource, okSource, keys[i], ok[i])
		}
		if !okSource && string(fromSource) != "x" {
			t.Errorf("%q: AppendKey fails with %q", r, fromSource)
		}
	}
	return ok[0] && ok[1] && keys[0] == keys[1]
}

type matchCase struct {
	name string
	vary string
	a, b request
	want bool
}

func runMatch(t *testing.T, tests []matchCase) {
	t.Helper()
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := match(t, []string{tt.vary}, tt.a, tt.b); got != tt.want {
				t.Errorf("Vary: %s: %q and %q match: %v; want %v", tt.vary, tt.a, tt.b, got, tt.want)
			}
			if got := match(t, []string{tt.vary}, tt.b, tt.a); got != tt.want {
				t.Errorf("the other way round: %v; want %v", got, tt.want)
			}
		})
	}
}

func TestKey_RFC9111_4_1(t *testing.T) {
	runMatch(t, []matchCase{
		{"same", "Foo", request{"Foo: 1"}, request{"Foo: 1"}, true},
		{"other", "Foo", request{"Foo: 1"}, request{"Foo: 2"}, false},
		{"other-field-differs", "Foo", request{"Foo: 1", "Bar: 1"}, request{"Foo: 1", "Bar: 2"}, true},
		{"no-vary", "", request{"Foo: 1"}, request{"Foo: 2"}, true},
		{"absent-both", "Foo", request{}, request{"Bar: 1"}, true},
		{"absent-one", "Foo", request{}, request{"Foo: 1"}, false},
		{"absent-is-not-empty", "Foo", request{}, request{"Foo:"}, false},
		{"name-case", "fOO", request{"foo: 1"}, request{"FOO: 1"}, true},
		{"value-case", "Foo", request{"Foo: a"}, request{"Foo: A"}, false},
		{"two", "Foo, Bar", request{"Foo: 1", "Bar: 2"}, request{"Bar: 2", "Foo: 1"}, true},
		{"two-one-differs", "Foo, Bar", request{"Foo: 1", "Bar: 2"}, request{"Foo: 1", "Bar: 3"}, false},
		{"two-swapped", "Foo, Bar", request{"Foo: 1", "Bar: 2"}, request{"Foo: 2", "Bar: 1"}, false},
		{"two-one-absent", "Foo, Bar", request{"Foo: 1", "Bar: 2"}, request{"Foo: 1"}, false},
		{"two-same-absent", "Foo, Bar", request{"Foo: 1"}, request{"Foo: 1"}, true},
		{"value-in-other-field", "Foo, Bar", request{"Foo: 1"}, request{"Bar: 1"}, false},
		{"value-looks-like-key", "Bar, Foo", request{"Bar: 1\nFoo=2"}, request{"Bar: 1", "Foo: 2"}, false},
		{"star", "*", request{"Foo: 1"}, request{"Foo: 1"}, false},
		{"prefix", "Foo", request{"Foo: 1"}, request{"Foo: 12"}, false},
		{"prefix-of-name", "Foo", request{"Foo: 1"}, request{"Foobar: 1"}, false},
		// White space and lines: allowed everywhere, they mean nothing.
		{"outer-space", "Foo", request{"Foo: 1"}, request{"Foo:   1\t"}, true},
		{"list-space", "Foo", request{"Foo: 1, 2"}, request{"Foo: 1 ,\t2"}, true},
		{"list-no-space", "Foo", request{"Foo: 1, 2"}, request{"Foo: 1,2"}, true},
		{"lines", "Foo", request{"Foo: 1, 2"}, request{"Foo: 1", "Foo: 2"}, true},
		{"lines-apart", "Foo", request{"Foo: 1, 2"}, request{"foo: 1", "Bar: x", "FOO: 2"}, true},
		{"order-of-unknown-list", "Foo", request{"Foo: 1, 2"}, request{"Foo: 2, 1"}, false},
		{"repetition-in-unknown-list", "Foo", request{"Foo: 1"}, request{"Foo: 1, 1"}, false},
		{"inner-space", "Foo", request{"Foo: a b"}, request{"Foo: a  b"}, false},
		{"inner-space-none", "Foo", request{"Foo: a b"}, request{"Foo: ab"}, false},
		{"semicolon-space", "Foo", request{"Foo: a;b"}, request{"Foo: a; b"}, false},
		{"quoted-space", "Foo", request{`Foo: "a, b"`}, request{`Foo: "a,b"`}, false},
		{"quoted-then-list", "Foo", request{`Foo: "a, b", c`}, request{`Foo: "a, b",c`}, true},
		{"quoted-escape", "Foo", request{`Foo: "a\", b", c`}, request{`Foo: "a\", b",c`}, true},
		{"quoted-escape-space", "Foo", request{`Foo: "a\" , b", c`}, request{`Foo: "a\", b", c`}, false},
		{"quoted-not-lines", "Foo", request{`Foo: "a,b"`}, request{`Foo: "a`, `Foo: b"`}, false},
		{"unclosed-matches-nothing", "Foo", request{`Foo: "a`}, request{`Foo: "a`}, false},
		{"control-matches-nothing", "Foo", request{"Foo: a\x00"}, request{"Foo: a\x00"}, false},
		{"obs-text", "Foo", request{"Foo: \xfc"}, request{"Foo: \xfc"}, true},
		{"tab-inside", "Foo", request{"Foo: a\tb"}, request{"Foo: a\tb"}, true},
		// Fields that are no lists: a comma is a comma.
		{"cookie-same", "Cookie", request{"Cookie: a=b; c=d"}, request{"Cookie: a=b; c=d"}, true},
		{"cookie-comma", "Cookie", request{"Cookie: a=b, c"}, request{"Cookie: a=b,c"}, false},
		{"cookie-lines", "Cookie", request{"Cookie: a=b, c=d"}, request{"Cookie: a=b", "Cookie: c=d"}, false},
		{"cookie-lines-no-space", "Cookie", request{"Cookie: a=b,c=d"}, request{"Cookie: a=b", "Cookie: c=d"}, false},
		{"cookie-lines-same", "Cookie", request{"Cookie: a=b", "Cookie: c=d"}, request{"Cookie: a=b", "Cookie: c=d"}, true},
		{"cookie-lines-order", "Cookie", request{"Cookie: a=b", "Cookie: c=d"}, request{"Cookie: c=d", "Cookie: a=b"}, false},
		{"cookie-empty", "Cookie", request{"Cookie:"}, request{}, false},
		{"cookie-control", "Cookie", request{"Cookie: a\x01b"}, request{"Cookie: a\x01b"}, false},
		{"cookie-quote", "Cookie", request{`Cookie: a="b`}, request{`Cookie: a="b`}, true},
		{"authorization-comma", "Authorization", request{"Authorization: Digest a=1, b=2"}, request{"Authorization: Digest a=1,b=2"}, false},
		{"user-agent-comma", "User-Agent", request{"User-Agent: (KHTML, like Gecko)"}, request{"User-Agent: (KHTML,like Gecko)"}, false},
		{"origin", "Origin", request{"Origin: http://a"}, request{"Origin: http://b"}, false},
	})
}

func TestKeyAcceptLanguage_RFC9110_12_5_4(t *testing.T) {
	l := func(s string) request { return request{"Accept-Language: " + s} }
	runMatch(t, []matchCase{
		{"order", "Accept-Language", l("en, de"), l("de, en"), true},
		{"case", "Accept-Language", l("en, de"), l("eN, De"), true},
		{"space", "Accept-Language", l("en, de"), l(" en ,   de"), true},
		{"no-space", "Accept-Language", l("en, de"), l("en,de"), true},
		{"lines", "Accept-Language", l("en, de"), request{"Accept-Language: de", "Accept-Language: en"}, true},
		{"weight-spelling", "Accept-Language", l("en, de;q=0.5"), l("en;q=1, de;q=0.50"), true},
		{"weight-spelling-full", "Accept-Language", l("en"), l("en;q=1.000"), true},
		{"weight-case", "Accept-Language", l("de;q=0.5"), l("de;Q=0.5"), true},
		{"weight-space", "Accept-Language", l("de;q=0.5"), l("de ; q=0.5"), true},
		{"weight-order", "Accept-Language", l("en;q=0.5, de"), l("de, en;q=0.5"), true},
		{"weight-zero", "Accept-Language", l("en;q=0"), l("en;q=0.000"), true},
		{"repetition", "Accept-Language", l("en, de"), l("en, de, en"), true},
		{"empty-members", "Accept-Language", l("en, de"), l(",en,,de,"), true},
		{"star", "Accept-Language", l("en, *;q=0.1"), l("*;q=0.1,EN"), true},
		{"script-and-region", "Accept-Language", l("zh-Hant-TW"), l("ZH-hant-tw"), true},
		{"other", "Accept-Language", l("en"), l("de"), false},
		{"subset", "Accept-Language", l("en, de"), l("en"), false},
		{"region", "Accept-Language", l("en"), l("en-US"), false},
		{"weight", "Accept-Language", l("en, de;q=0.5"), l("en, de;q=0.6"), false},
		{"weight-swapped", "Accept-Language", l("en;q=0.5, de"), l("en, de;q=0.5"), false},
		{"refusal", "Accept-Language", l("en"), l("en, de;q=0"), false},
		{"repetition-other-weight", "Accept-Language", l("en"), l("en, en;q=0.5"), false},
		{"absent", "Accept-Language", request{}, l("*"), false},
		{"empty", "Accept-Language", l(""), l(","), true},
		// Outside the grammar only white space is tidied.
		{"underscore-same", "Accept-Language", l("en_US, de"), l("en_US,de"), true},
		{"underscore-order", "Accept-Language", l("en_US, de"), l("de, en_US"), false},
		{"bad-weight", "Accept-Language", l("en;q=2"), l("en;q=1"), false},
		{"text-is-not-meaning", "Accept-Language", l("en;q=500"), l("en;q=0.5"), false},
		{"weight-four-digits", "Accept-Language", l("en;q=0.5000"), l("en;q=0.5"), false},
		{"weight-above-one", "Accept-Language", l("en;q=1.001"), l("en"), false},
		{"weight-above-one-order", "Accept-Language", l("en;q=1.001, de"), l("de, en;q=1.001"), false},
		{"coding-alias-is-no-language", "Accept-Language", l("x-gzip"), l("gzip"), false},
		{"most-members", "Accept-Language", l(many("en-%c%c", 23) + ",de"), l("de," + many("en-%c%c", 23)), true},
		{"weight-no-zero", "Accept-Language", l("en;q=.5"), l("en;q=0.5"), false},
		{"weight-empty", "Accept-Language", l("en;q="), l("en"), false},
		{"weight-space-inside", "Accept-Language", l("en;q =0.5"), l("en;q=0.5"), false},
		{"weight-letters", "Accept-Language", l("en;q=0.x"), l("en;q=0.0"), false},
		{"weight-trailing", "Accept-Language", l("en;q=0.5;x"), l("en;q=0.5"), false},
		{"semicolon-trailing", "Accept-Language", l("en;"), l("en"), false},
		{"parameter", "Accept-Language", l("en;x=1"), l("en"), false},
		{"subtag-too-long", "Accept-Language", l("en-abcdefghi, de"), l("de, en-abcdefghi"), false},
		{"digits-first", "Accept-Language", l("12, de"), l("de, 12"), false},
		{"hyphen-end", "Accept-Language", l("en-, de"), l("de, en-"), false},
		{"unclosed-quote", "Accept-Language", l(`en"`), l(`en"`), false},
		{"too-many-same-order", "Accept-Language", l(many("en-%c%c", 30)), l(many("en-%c%c", 30)), true},
		{"too-many-other-order", "Accept-Language", l(many("en-%c%c", 30) + ",de"), l("de," + many("en-%c%c", 30)), false},
	})
}

// many makes a list of n different members.
func many(format string, n int) string {
	var out []string
	for i := range n {
		out = append(out, strings.NewReplacer("%c%c", string([]byte{'a' + byte(i/20), 'a' + byte(i%20)})).Replace(format))
	}
	return strings.Join(out, ",")
}

func TestKeyAcceptEncoding_RFC9110_12_5_3(t *testing.T) {
	e := func(s string) request { return request{"Accept-Encoding: " + s} }
	runMatch(t, []matchCase{
		{"order", "Accept-Encoding", e("gzip, deflate, br"), e("br, gzip, deflate"), true},
		{"case", "Accept-Encoding", e("gzip"), e("GZIP"), true},
		{"space", "Accept-Encoding", e("gzip, br"), e("gzip,br"), true},
		{"alias-gzip", "Accept-Encoding", e("gzip"), e("x-gzip"), true},
		{"alias-compress", "Accept-Encoding", e("compress"), e("X-Compress"), true},
		{"no-alias", "Accept-Encoding", e("br"), e("x-br"), false},
		{"weight-spelling", "Accept-Encoding", e("gzip;q=1.0, br;q=0.8"), e("br;q=0.800, gzip"), true},
		{"refused", "Accept-Encoding", e("gzip"), e("gzip, br;q=0"), true},
		{"refused-all-others", "Accept-Encoding", e("gzip, *;q=0"), e("gzip, br;q=0, *;q=0"), true},
		{"refused-of-star", "Accept-Encoding", e("gzip, *"), e("gzip, br;q=0, *"), false},
		{"identity-refused", "Accept-Encoding", e("gzip"), e("gzip, identity;q=0"), false},
		{"star-refused", "Accept-Encoding", e("gzip"), e("gzip, *;q=0"), false},
		{"identity-listed", "Accept-Encoding", e("gzip"), e("gzip, identity"), false},
		{"all-refused", "Accept-Encoding", e("br;q=0"), e("gzip;q=0"), true},
		{"all-refused-is-empty", "Accept-Encoding", e("br;q=0"), e(""), true},
		{"empty-is-not-absent", "Accept-Encoding", e(""), request{}, false},
		{"subset", "Accept-Encoding", e("gzip, br"), e("gzip"), false},
		{"unknown-counts", "Accept-Encoding", e("gzip, foo"), e("gzip"), false},
		{"unknown-order", "Accept-Encoding", e("gzip, foo"), e("foo, gzip"), true},
		{"slash", "Accept-Encoding", e("gzip/br"), e("gzip/br"), true},
		{"slash-case", "Accept-Encoding", e("gzip/br"), e("GZIP/br"), false},
	})
}

func TestKeyAccept_RFC9110_12_5_1(t *testing.T) {
	a := func(s string) request { return request{"Accept: " + s} }
	runMatch(t, []matchCase{
		{"order", "Accept", a("text/html, image/png"), a("image/png, text/html"), true},
		{"case", "Accept", a("text/html"), a("TEXT/Html"), true},
		{"space", "Accept", a("text/html;q=0.5,*/*"), a("text/html ; q=0.5 , */*"), true},
		{"weight", "Accept", a("text/html;q=0.9, */*;q=0.8"), a("*/*;q=0.80, text/html;q=0.900"), true},
		{"parameter-name-case", "Accept", a("text/html;level=1"), a("text/html;LEVEL=1"), true},
		{"parameter-space", "Accept", a("text/html;level=1;q=0.4"), a("text/html; level=1; q=0.4"), true},
		{"parameter-quoted", "Accept", a(`text/html;a="x,;y"`), a(`text/html; a="x,;y"`), true},
		{"parameter-escape", "Accept", a(`text/html;a="x\",;y", b/c`), a(`b/c,text/html; a="x\",;y"`), true},
		{"parameter-escape-differs", "Accept", a(`text/html;a="x\"y"`), a(`text/html;a="x\\y"`), false},
		{"parameter-bad-name", "Accept", a("text/html;a b=c, d/e"), a("d/e, text/html;a b=c"), false},
		{"parameter-unclosed", "Accept", a(`text/html;a="x`), a(`text/html;a="x`), false},
		{"parameter-value-case", "Accept", a("text/html;level=a"), a("text/html;level=A"), false},
		{"parameter-differs", "Accept", a("text/html;level=1"), a("text/html;level=2"), false},
		{"parameter-missing", "Accept", a("text/html;level=1"), a("text/html"), false},
		{"parameter-quoted-space", "Accept", a(`text/html;a="x, y"`), a(`text/html;a="x,y"`), false},
		{"other-weight", "Accept", a("text/html;q=0.9"), a("text/html;q=0.8"), false},
		{"refused", "Accept", a("text/html"), a("text/html, text/plain;q=0"), false},
		{"absent", "Accept", a("*/*"), request{}, false},
		{"bad-range-order", "Accept", a("*/html, text/plain"), a("text/plain, */html"), false},
		{"no-slash-order", "Accept", a("text, */*"), a("*/*, text"), false},
		{"extension-order", "Accept", a("text/html;q=1;x=y, a/b"), a("a/b, text/html;q=1;x=y"), false},
		{"parameter-without-value", "Accept", a("text/html;x, a/b"), a("a/b, text/html;x"), false},
		{"parameter-bad-value", "Accept", a(`text/html;x=", a/b`), a(`a/b, text/html;x="`), false},
		{"quote-half", "Accept", a(`text/html;x=a"b", c/d`), a(`c/d, text/html;x=a"b"`), false},
	})
	c := func(s string) request { return request{"Accept-Charset: " + s} }
	runMatch(t, []matchCase{
		{"charset-alias", "Accept-Charset", c("x-gzip"), c("gzip"), false},
		{"charset-order-and-case", "Accept-Charset", c("utf-8, ISO-8859-1;q=0.5"), c("iso-8859-1;q=0.5,UTF-8"), true},
		{"charset-refused", "Accept-Charset", c("utf-8"), c("utf-8, x;q=0"), false},
	})
}

// Splitting a field over lines changes no key, tidying is idempotent, and a key tells everything that tidying left.
func FuzzKey(f *testing.F) {
	f.Add("Accept-Language", "en, de;q=0.5", "fr")
	f.Add("Accept-Encoding", "gzip", "br;q=0, *")
	f.Add("Accept", `text/html;level="1,2"`, "*/*;q=0.1")
	f.Add("Foo", "1 , 2", `"3, 4"`)
	f.Add("Cookie", "a=b", "c=d")
	f.Fuzz(func(t *testing.T, name, a, b string) {
		names, star := vary.Names([]string{name})
		if star || len(names) != 1 {
			return
		}
		two, ok := vary.AppendHeaderKey(nil, names, http.Header{names[0]: {a, b}})
		one, ok2 := vary.AppendHeaderKey(nil, names, http.Header{names[0]: {a + ", " + b}})
		list := name[0]|0x20 == 'a' && strings.EqualFold(name[:min(len(name), 6)], "accept")
		if list && strings.Count(a, `"`)%2 == 0 && !strings.Contains(a, `\`) && (ok != ok2 || string(one) != string(two)) {
			t.Errorf("%s: %q and %q: key %q, %v; joined %q, %v", name, a, b, two, ok, one, ok2)
		}
		fromSource, ok3 := vary.AppendKey(nil, names, pair{names[0], a, b})
		if ok3 != ok || string(fromSource) != string(two) {
			t.Errorf("%s: %q and %q: key %q of a map, %q of lines", name, a, b, two, fromSource)
		}
		if ok && strings.Count(string(two), "\n") != 1 {
			t.Errorf("key %q is not one record", two)
		}
	})
}

// pair is a request with two lines of one field.
type pair struct{ name, a, b string }

func (p pair) Len() int { return 2 }

func (p pair) At(i int) (name, value string) {
	if i == 0 {
		return p.name, p.a
	}
	return p.name, p.b
}

// FuzzKeyDistinct: in a field of unknown syntax, keys are equal only if nothing but white space and lines differs.
func FuzzKeyDistinct(f *testing.F) {
	f.Add("1, 2", "1,2")
	f.Add("a b", "ab")
	f.Add(`"a, b"`, `"a,b"`)
	f.Fuzz(func(t *testing.T, a, b string) {
		ka, starA := vary.Key([]string{"Foo"}, http.Header{"Foo": {a}})
		kb, starB := vary.Key([]string{"Foo"}, http.Header{"Foo": {b}})
		if starA || starB || ka != kb {
			return
		}
		squeeze := strings.NewReplacer(" ", "", "\t", "").Replace
		if squeeze(a) != squeeze(b) {
			t.Errorf("%q and %q have the key %q", a, b, ka)
		}
		if !strings.Contains(a+b, ",") && strings.Trim(a, " \t") != strings.Trim(b, " \t") {
			t.Errorf("%q and %q are no lists and have the key %q", a, b, ka)
		}
	})
}

// Splitting Vary over lines changes nothing, and names come back in the one form that AppendKey wants.
func FuzzNames(f *testing.F) {
	f.Add("Foo, bar", "Accept-Encoding")
	f.Add("*", "")
	f.Add("a b", ",,")
	f.Fuzz(func(t *testing.T, a, b string) {
		names, star := vary.Names([]string{a, b})
		joined, star2 := vary.Names([]string{a + "," + b})
		if star != star2 || !slices.Equal(names, joined) {
			t.Errorf("%q, %q: %q, %v; joined %q, %v", a, b, names, star, joined, star2)
		}
		if !slices.IsSorted(names) || len(slices.Compact(slices.Clone(names))) != len(names) {
			t.Errorf("%q, %q: %q is not sorted and unique", a, b, names)
		}
		for _, name := range names {
			if http.CanonicalHeaderKey(name) != name || strings.ContainsAny(name, " ,:=\n") {
				t.Errorf("%q, %q: name %q", a, b, name)
			}
		}
		if again, star := vary.Names(names); star || !slices.Equal(again, names) {
			t.Errorf("%q comes back as %q, %v", names, again, star)
		}
	})
}

// TestKeyIsSelfContained: a key says which names it is of, so that variants of responses with different Vary fields never have
// the same one.
func TestKeyIsSelfContained(t *testing.T) {
	fields := []string{"", "Foo", "Bar", "Foo, Bar", "Accept", "Accept-Language", "Accept, Accept-Language", "Cookie"}
	requests := []request{
		{}, {"Foo: 1"}, {"Bar: 1"}, {"Foo: 1", "Bar: 1"}, {"Accept: a/b"}, {"Accept-Language: de"}, {"Cookie: a=b"},
		{"Foo:", "Bar:"}, {"Foo: Bar"}, {"Foo: =", "Bar: :"},
	}
	for i, a := range fields {
		for _, b := range fields[i+1:] {
			for _, ra := range requests {
				for _, rb := range requests {
					ka, _ := vary.Key([]string{a}, ra.header())
					kb, _ := vary.Key([]string{b}, rb.header())
					if ka == kb {
						t.Errorf("Vary: %s with %q and Vary: %s with %q have the key %q", a, ra, b, rb, ka)
					}
				}
			}
		}
	}
}

func BenchmarkAppendKeyOfLines(b *testing.B) {
	names, _ := vary.Names([]string{"Accept-Encoding"})
	var source vary.Source = lineSource{"accept-encoding", "gzip, deflate, br, zstd"}
	buf := make([]byte, 0, 512)
	b.ReportAllocs()
	for b.Loop() {
		vary.AppendKey(buf, names, source)
	}
}
