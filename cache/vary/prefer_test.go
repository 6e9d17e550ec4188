package vary_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/jayproxy/jay/cache/vary"
)

func TestPrefers_RFC9111_4_1(t *testing.T) {
	de := http.Header{"Content-Language": {"de"}}
	gzip := http.Header{"Content-Encoding": {"gzip"}}
	tests := []struct {
		name       string
		vary       string
		stored     request // the request that selected the stored response
		response   http.Header
		presented  request
		wantPrefer bool
	}{
		{"language-top", "Accept-Language", request{"Accept-Language: en, de"}, de, request{"Accept-Language: fr;q=0.5, de;q=1.0"}, true},
		{"language-only", "Accept-Language", request{"Accept-Language: en, de"}, de, request{"Accept-Language: de"}, true},
		{"language-only-low-weight", "Accept-Language", request{"Accept-Language: en, de"}, de, request{"Accept-Language: de;q=0.1"}, true},
		{"language-with-star", "Accept-Language", request{"Accept-Language: en, de"}, de, request{"Accept-Language: de, *;q=0.1"}, true},
		{"language-case", "Accept-Language", request{"Accept-Language: en"}, http.Header{"Content-Language": {"DE-at"}}, request{"Accept-Language: de-AT, de;q=0.9"}, true},
		{"language-stored-without-field", "Accept-Language", request{}, de, request{"Accept-Language: de"}, true},
		{"language-stored-odd", "Accept-Language", request{"Accept-Language: en_US"}, de, request{"Accept-Language: de"}, true},
		{"language-tie", "Accept-Language", request{"Accept-Language: en"}, de, request{"Accept-Language: fr, de"}, false},
		{"language-tie-below", "Accept-Language", request{"Accept-Language: en"}, de, request{"Accept-Language: de, fr;q=0.5, it;q=0.5"}, true},
		{"language-tie-with-star", "Accept-Language", request{"Accept-Language: en"}, de, request{"Accept-Language: de, *"}, false},
		{"language-second", "Accept-Language", request{"Accept-Language: en"}, de, request{"Accept-Language: fr, de;q=0.9"}, false},
		{"language-refused", "Accept-Language", request{"Accept-Language: en"}, de, request{"Accept-Language: de;q=0"}, false},
		{"language-unlisted", "Accept-Language", request{"Accept-Language: en"}, de, request{"Accept-Language: fr"}, false},
		{"language-broader", "Accept-Language", request{"Accept-Language: en"}, http.Header{"Content-Language": {"de-AT"}}, request{"Accept-Language: de"}, false},
		{"language-narrower", "Accept-Language", request{"Accept-Language: en"}, de, request{"Accept-Language: de-AT"}, false},
		{"language-star-only", "Accept-Language", request{"Accept-Language: en"}, http.Header{"Content-Language": {"*"}}, request{"Accept-Language: *"}, false},
		{"language-unknown", "Accept-Language", request{"Accept-Language: en"}, http.Header{}, request{"Accept-Language: de"}, false},
		{"language-two", "Accept-Language", request{"Accept-Language: en"}, http.Header{"Content-Language": {"de, en"}}, request{"Accept-Language: de"}, false},
		{"language-two-lines", "Accept-Language", request{"Accept-Language: en"}, http.Header{"Content-Language": {"de", "en"}}, request{"Accept-Language: de"}, false},
		{"language-empty", "Accept-Language", request{"Accept-Language: en"}, http.Header{"Content-Language": {""}}, request{"Accept-Language:"}, false},
		{"language-absent-now", "Accept-Language", request{"Accept-Language: en"}, de, request{}, false},
		{"language-odd-now", "Accept-Language", request{"Accept-Language: en"}, de, request{"Accept-Language: de_DE, de"}, false},
		{"language-contradiction", "Accept-Language", request{"Accept-Language: en"}, de, request{"Accept-Language: de, de;q=0.1"}, false},
		{"language-contradiction-refused", "Accept-Language", request{"Accept-Language: en"}, de, request{"Accept-Language: de, de;q=0"}, false},
		{"language-contradiction-below", "Accept-Language", request{"Accept-Language: en"}, de, request{"Accept-Language: de, en;q=0.5, en;q=0.4"}, true},

		{"coding-top", "Accept-Encoding", request{"Accept-Encoding: gzip, br"}, gzip, request{"Accept-Encoding: br;q=0.5, gzip"}, true},
		{"coding-only", "Accept-Encoding", request{"Accept-Encoding: gzip, br"}, gzip, request{"Accept-Encoding: gzip"}, true},
		{"coding-alias-stored", "Accept-Encoding", request{"Accept-Encoding: gzip, br"}, http.Header{"Content-Encoding": {"X-Gzip"}}, request{"Accept-Encoding: gzip"}, true},
		{"coding-tie", "Accept-Encoding", request{"Accept-Encoding: gzip"}, gzip, request{"Accept-Encoding: gzip, br"}, false},
		{"coding-two", "Accept-Encoding", request{"Accept-Encoding: gzip, br"}, http.Header{"Content-Encoding": {"br, gzip"}}, request{"Accept-Encoding: gzip"}, false},
		{"coding-not-accepted", "Accept-Encoding", request{"Accept-Encoding: gzip"}, gzip, request{"Accept-Encoding: br"}, false},
		{"coding-identity-stored", "Accept-Encoding", request{"Accept-Encoding: gzip"}, http.Header{}, request{"Accept-Encoding: identity"}, true},
		{"coding-identity-top", "Accept-Encoding", request{"Accept-Encoding: gzip"}, http.Header{}, request{"Accept-Encoding: identity, gzip;q=0.5"}, true},
		{"coding-identity-empty", "Accept-Encoding", request{"Accept-Encoding: gzip"}, http.Header{}, request{"Accept-Encoding:"}, true},
		{"coding-identity-wanted-gzip-stored", "Accept-Encoding", request{"Accept-Encoding: gzip"}, gzip, request{"Accept-Encoding:"}, false},
		{"coding-absent-now", "Accept-Encoding", request{"Accept-Encoding: gzip"}, http.Header{}, request{}, false},
		{"coding-gzip-wanted-identity-stored", "Accept-Encoding", request{"Accept-Encoding: br"}, http.Header{}, request{"Accept-Encoding: gzip"}, false},

		{"both", "Accept-Language, Accept-Encoding", request{"Accept-Language: en", "Accept-Encoding: br"}, http.Header{"Content-Language": {"de"}, "Content-Encoding": {"gzip"}}, request{"Accept-Language: de", "Accept-Encoding: gzip"}, true},
		{"both-one-wrong", "Accept-Language, Accept-Encoding", request{"Accept-Language: en", "Accept-Encoding: br"}, http.Header{"Content-Language": {"de"}, "Content-Encoding": {"gzip"}}, request{"Accept-Language: de", "Accept-Encoding: zstd"}, false},
		{"other-same", "Accept-Language, Foo", request{"Accept-Language: en", "Foo: 1"}, de, request{"Accept-Language: de", "Foo: 1"}, true},
		{"other-differs", "Accept-Language, Foo", request{"Accept-Language: en", "Foo: 1"}, de, request{"Accept-Language: de", "Foo: 2"}, false},
		{"other-only", "Foo", request{"Foo: 1"}, de, request{"Foo: 2"}, false},
		{"accept", "Accept", request{"Accept: a/b"}, http.Header{"Content-Type": {"c/d"}}, request{"Accept: c/d"}, false},
		{"equal", "Foo", request{"Foo: 1"}, nil, request{"Foo: 1"}, true},
		{"colon-in-value", "Foo", request{"Foo: a:b"}, de, request{"Foo: a:c"}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			storedKey, star := vary.Key([]string{tt.vary}, tt.stored.header())
			presented, star2 := vary.Key([]string{tt.vary}, tt.presented.header())
			if star || star2 {
				t.Fatalf("no key")
			}
			if got := vary.Prefers(storedKey, presented, tt.response); got != tt.wantPrefer {
				t.Errorf("stored for %q, presented %q: %v; want %v", storedKey, presented, got, tt.wantPrefer)
			}
		})
	}
}

func TestPrefersOtherNames(t *testing.T) {
	a, _ := vary.Key([]string{"Accept-Language"}, request{"Accept-Language: en"}.header())
	b, _ := vary.Key([]string{"Accept-Language, Foo"}, request{"Accept-Language: de"}.header())
	c, _ := vary.Key([]string{"Accept-Language-X"}, request{"Accept-Language-X: de"}.header())
	d, _ := vary.Key([]string{"Accept-Language"}, request{"Accept-Language: de"}.header())
	de := http.Header{"Content-Language": {"de"}}
	if vary.Prefers(c, d, de) {
		t.Errorf("a name that begins like Accept-Language is taken for it")
	}
	if vary.Prefers(a, b, de) || vary.Prefers(b, a, de) || vary.Prefers(a, "", de) || vary.Prefers(c, b, de) {
		t.Errorf("keys of other names match")
	}
}

// No key, however strange, makes Prefers panic, and it never prefers what the client refuses or does not mention.
func FuzzPrefers(f *testing.F) {
	f.Add("en, de", "fr;q=0.5, de", "de")
	f.Add("", "de;q=0", "de")
	f.Add("x", "*", "*")
	f.Fuzz(func(t *testing.T, stored, presented, language string) {
		a, star := vary.Key([]string{"Accept-Language"}, http.Header{"Accept-Language": {stored}})
		b, star2 := vary.Key([]string{"Accept-Language"}, http.Header{"Accept-Language": {presented}})
		if star || star2 {
			return
		}
		got := vary.Prefers(a, b, http.Header{"Content-Language": {language}})
		if got && a != b && !strings.Contains(strings.ToLower(presented), strings.ToLower(strings.Trim(language, " \t"))) {
			t.Errorf("%q prefers %q", presented, language)
		}
		vary.Prefers(presented, stored, http.Header{"Content-Language": {language}})
	})
}
