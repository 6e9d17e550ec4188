package validation_test

import (
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/jayproxy/jay/validation"
)

func lines(fs []validation.Field) string {
	var out []string
	for _, f := range fs {
		out = append(out, f.Name+": "+f.Value)
	}
	return strings.Join(out, "\n")
}

// toHeader makes a map of ordered fields.
func toHeader(fs []validation.Field) http.Header {
	h := http.Header{}
	for _, f := range fs {
		h.Add(f.Name, f.Value)
	}
	return h
}

func TestFreshen_RFC9111_3_2(t *testing.T) {
	tests := []struct {
		name                 string
		stored, update, want []string
	}{
		{"kept", []string{"A: 1", "B: 2"}, []string{"Date: d"}, []string{"A: 1", "B: 2", "Date: d"}},
		{"replaced", []string{"A: 1", "B: 2"}, []string{"A: 3"}, []string{"A: 3", "B: 2"}},
		{"replaced-not-appended", []string{"A: 1", "A: 2", "B: 3"}, []string{"A: 4"}, []string{"A: 4", "B: 3"}},
		{"one-by-several", []string{"A: 1", "B: 2"}, []string{"A: 3", "A: 4"}, []string{"A: 3", "A: 4", "B: 2"}},
		{"scattered", []string{"A: 1", "B: 2", "A: 3"}, []string{"A: 4", "C: 5", "A: 6"}, []string{"A: 4", "A: 6", "B: 2", "C: 5"}},
		{"case-of-names", []string{"cache-control: max-age=1"}, []string{"Cache-Control: max-age=2"}, []string{"Cache-Control: max-age=2"}},
		{"empty-value", []string{"A: 1"}, []string{"A:"}, []string{"A: "}},
		{"nothing-new", []string{"A: 1"}, nil, []string{"A: 1"}},
		{"nothing-stored", nil, []string{"A: 1"}, []string{"A: 1"}},
		{"twice-the-same", []string{"A: 1"}, []string{"A: 1"}, []string{"A: 1"}},
		// The Content- prefix is no reason to leave a field alone.
		{"content-fields", []string{"Content-Type: a", "Content-Location: /a", "Content-MD5: a", "Content-Foo: a", "Content-Language: de"},
			[]string{"Content-Type: b", "Content-Location: /b", "Content-MD5: b", "Content-Foo: b", "Content-Language: en"},
			[]string{"Content-Type: b", "Content-Location: /b", "Content-MD5: b", "Content-Foo: b", "Content-Language: en"}},
		{"validators", []string{`ETag: "a"`, "Last-Modified: 1"}, []string{`ETag: "a"`, "Last-Modified: 2"}, []string{`ETag: "a"`, "Last-Modified: 2"}},
		{"vary", []string{"Vary: A"}, []string{"Vary: B"}, []string{"Vary: B"}},
		// What the stored bytes depend on.
		{"length", []string{"Content-Length: 10"}, []string{"Content-Length: 0"}, []string{"Content-Length: 10"}},
		{"coding", []string{"Content-Encoding: gzip"}, []string{"Content-Encoding: br"}, []string{"Content-Encoding: gzip"}},
		{"coding-new", []string{"A: 1"}, []string{"content-encoding: br"}, []string{"A: 1"}},
		{"content-range", []string{"A: 1"}, []string{"Content-Range: bytes 0-1/2"}, []string{"A: 1"}},
		// What is never stored.
		{"hop-by-hop", []string{"A: 1"}, []string{"Connection: close", "Keep-Alive: 1", "Proxy-Connection: x", "TE: x", "Transfer-Encoding: chunked", "Upgrade: x", "Trailer: x"}, []string{"A: 1"}},
		{"proxy", []string{"A: 1"}, []string{"Proxy-Authenticate: x", "Proxy-Authentication-Info: x", "Proxy-Authorization: x"}, []string{"A: 1"}},
		{"nominated", []string{"A: 1", "B: 1"}, []string{"Connection: a, X-Hop", "A: 2", "B: 2", "x-hop: 1"}, []string{"A: 1", "B: 2"}},
		{"nominated-lines", []string{"A: 1", "B: 1"}, []string{"Connection: a", "Connection: b", "A: 2", "B: 2"}, []string{"A: 1", "B: 1"}},
		// Age counts from the newer response.
		{"age-replaced", []string{"Age: 100", "A: 1"}, []string{"Age: 5"}, []string{"Age: 5", "A: 1"}},
		{"age-gone", []string{"age: 100", "A: 1"}, []string{"Date: d"}, []string{"A: 1", "Date: d"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			stored, update := list(tt.stored...), list(tt.update...)
			got := validation.FreshenFields(stored, update)
			if lines(got) != lines(list(tt.want...)) {
				t.Errorf("FreshenFields:\n%s\nwant\n%s", lines(got), lines(list(tt.want...)))
			}
			if !slices.Equal(stored, list(tt.stored...)) || !slices.Equal(update, list(tt.update...)) {
				t.Errorf("an argument changed")
			}
			h := validation.Freshen(fields(tt.stored...), fields(tt.update...))
			if want := toHeader(list(tt.want...)); !maps.EqualFunc(h, want, slices.Equal) {
				t.Errorf("Freshen: %v; want %v", h, want)
			}
		})
	}
}

func TestFreshenKeepsArguments(t *testing.T) {
	stored, update := fields("A: 1", "Age: 3"), fields("A: 2", "B: 3")
	validation.Freshen(stored, update)
	if len(stored) != 2 || stored.Get("A") != "1" || stored.Get("Age") != "3" || len(update) != 2 {
		t.Errorf("arguments are now %v, %v", stored, update)
	}
}

func TestUnstored_RFC9111_3_1(t *testing.T) {
	for _, name := range []string{"Connection", "keep-alive", "Proxy-Connection", "TE", "te", "TRANSFER-ENCODING", "Upgrade", "Proxy-Authenticate", "Proxy-Authentication-Info", "Proxy-Authorization", "Trailer"} {
		if !validation.Unstored(name) {
			t.Errorf("%s is stored", name)
		}
	}
	for _, name := range []string{"Content-Length", "Content-Encoding", "Content-Range", "Set-Cookie", "Set-Cookie2", "Clear-Site-Data", "Public-Key-Pins", "Age", "Via", "Warning", "Tee", ""} {
		if validation.Unstored(name) {
			t.Errorf("%s is not stored", name)
		}
	}
}

func TestHeadMatches_RFC9111_4_3_5(t *testing.T) {
	lm := "Last-Modified: " + date(-hour)
	asctime := "Last-Modified: " + now.Add(-hour).Format("Mon Jan _2 15:04:05 2006")
	tests := []struct {
		name         string
		stored, head []string
		length       int64
		want         bool
	}{
		{"nothing-received", []string{`ETag: "a"`, lm}, nil, 10, true},
		{"same-tag", []string{`ETag: "a"`}, []string{`ETag: "a"`}, 10, true},
		{"same-weak-tag", []string{`ETag: W/"a"`}, []string{`ETag: W/"a"`}, 10, true},
		{"other-tag", []string{`ETag: "a"`}, []string{`ETag: "b"`}, 10, false},
		{"weakened-tag", []string{`ETag: "a"`}, []string{`ETag: W/"a"`}, 10, false},
		{"new-tag", nil, []string{`ETag: "a"`}, 10, false},
		{"same-date", []string{lm}, []string{lm}, 10, true},
		{"same-date-other-form", []string{lm}, []string{asctime}, 10, true},
		{"other-date", []string{lm}, []string{"Last-Modified: " + date(0)}, 10, false},
		{"new-date", nil, []string{lm}, 10, false},
		{"invalid-date-same", []string{"Last-Modified: 0"}, []string{"Last-Modified: 0"}, 10, true},
		{"invalid-date-other", []string{"Last-Modified: 0"}, []string{"Last-Modified: 1"}, 10, false},
		{"tag-same-date-other", []string{`ETag: "a"`, lm}, []string{`ETag: "a"`, "Last-Modified: " + date(0)}, 10, false},
		{"length-same", nil, []string{"Content-Length: 10"}, 10, true},
		{"length-same-twice", nil, []string{"Content-Length: 10", "Content-Length: 10"}, 10, true},
		{"length-other", nil, []string{"Content-Length: 11"}, 10, false},
		{"length-other-same-tag", []string{`ETag: "a"`}, []string{`ETag: "a"`, "Content-Length: 11"}, 10, false},
		{"length-zero", nil, []string{"Content-Length: 0"}, 0, true},
		{"length-unknown", nil, []string{"Content-Length: 10"}, -1, false},
		{"length-absent-unknown", nil, nil, -1, true},
		{"length-junk", nil, []string{"Content-Length: ten"}, 10, false},
		{"length-negative", nil, []string{"Content-Length: -1"}, -1, false},
		{"length-twice", nil, []string{"Content-Length: 10", "Content-Length: 11"}, 10, false},
		{"coding-same", []string{"Content-Encoding: gzip"}, []string{"Content-Encoding: gzip"}, 10, true},
		{"coding-other", []string{"Content-Encoding: gzip"}, []string{"Content-Encoding: br"}, 10, false},
		{"coding-new", nil, []string{"Content-Encoding: br"}, 10, false},
		{"coding-not-received", []string{"Content-Encoding: gzip"}, nil, 10, true},
	}
	for _, tt := range tests {
		if got := validation.HeadMatches(fields(tt.stored...), fields(tt.head...), tt.length); got != tt.want {
			t.Errorf("%s: got %v; want %v", tt.name, got, tt.want)
		}
	}
}

func TestCombinable_RFC9111_3_4(t *testing.T) {
	lm, dt := "Last-Modified: "+date(-hour), "Date: "+date(0)
	tests := []struct {
		name           string
		stored, update []string
		want           bool
	}{
		{"same-tag", []string{`ETag: "a"`}, []string{`ETag: "a"`}, true},
		{"other-tag", []string{`ETag: "a"`}, []string{`ETag: "b"`}, false},
		{"weak-tag", []string{`ETag: W/"a"`}, []string{`ETag: W/"a"`}, false},
		{"weak-and-strong", []string{`ETag: "a"`}, []string{`ETag: W/"a"`}, false},
		{"weak-tag-same-date", []string{`ETag: W/"a"`, lm, dt}, []string{`ETag: W/"a"`, lm, dt}, false},
		{"odd-tag", []string{`ETag: a`}, []string{`ETag: a`}, false},
		{"no-validator", []string{dt}, []string{dt}, false},
		{"tag-lost", []string{`ETag: "a"`}, []string{dt}, false},
		{"strong-date", []string{lm, dt}, []string{lm, dt}, true},
		{"other-date", []string{lm, dt}, []string{"Last-Modified: " + date(-2*hour), dt}, false},
		{"undated", []string{lm}, []string{lm, dt}, false},
		{"weak-date", []string{"Last-Modified: " + date(0), dt}, []string{"Last-Modified: " + date(0), "Date: " + date(hour)}, false},
		{"same-tag-other-date", []string{`ETag: "a"`, lm, dt}, []string{`ETag: "a"`, "Last-Modified: " + date(-2*hour), dt}, true},
		{"other-tag-same-date", []string{`ETag: "a"`, lm, dt}, []string{`ETag: "b"`, lm, dt}, false},
		{"same-length", []string{`ETag: "a"`, "Content-Range: bytes 0-1/10"}, []string{`ETag: "a"`, "Content-Range: bytes 5-9/10"}, true},
		{"other-length", []string{`ETag: "a"`, "Content-Range: bytes 0-1/10"}, []string{`ETag: "a"`, "Content-Range: bytes 5-9/11"}, false},
		{"unknown-length", []string{`ETag: "a"`, "Content-Range: bytes 0-1/*"}, []string{`ETag: "a"`, "Content-Range: bytes 5-9/11"}, true},
		{"same-coding", []string{`ETag: "a"`, "Content-Encoding: gzip"}, []string{`ETag: "a"`, "Content-Encoding: gzip"}, true},
		{"other-coding", []string{`ETag: "a"`, "Content-Encoding: gzip"}, []string{`ETag: "a"`}, false},
	}
	for _, tt := range tests {
		if got := validation.Combinable(fields(tt.stored...), fields(tt.update...)); got != tt.want {
			t.Errorf("%s: got %v; want %v", tt.name, got, tt.want)
		}
		if got := validation.Combinable(fields(tt.update...), fields(tt.stored...)); got != tt.want {
			t.Errorf("%s, the other way round: got %v; want %v", tt.name, got, tt.want)
		}
	}
}

// The ordered form and the map agree, updating twice changes nothing more, and the excluded fields never come from the update.
func FuzzFreshen(f *testing.F) {
	f.Add("A", "1", "B", "2", "A", "3", "Connection", "b")
	f.Add("Age", "1", "Content-Length", "2", "content-length", "3", "Age", "4")
	f.Fuzz(func(t *testing.T, n1, v1, n2, v2, u1, w1, u2, w2 string) {
		for _, name := range []string{n1, n2, u1, u2} {
			if name == "" || strings.ContainsFunc(name, func(r rune) bool { return r <= ' ' || r >= 0x7f || strings.ContainsRune(`"(),/:;<=>?@[\]{}`, r) }) {
				return
			}
		}
		stored := []validation.Field{{n1, v1}, {n2, v2}, {n1, v2}}
		update := []validation.Field{{u1, w1}, {u2, w2}}
		got := validation.FreshenFields(stored, update)
		h := validation.Freshen(toHeader(stored), toHeader(update))
		if !maps.EqualFunc(toHeader(got), h, slices.Equal) {
			t.Errorf("ordered %q, map %q", got, h)
		}
		if again := validation.FreshenFields(got, update); !slices.Equal(again, got) {
			t.Errorf("updated again: %q, then %q", got, again)
		}
		if !slices.Equal(h["Content-Length"], toHeader(stored)["Content-Length"]) {
			t.Errorf("Content-Length changed to %q", h["Content-Length"])
		}
	})
}
