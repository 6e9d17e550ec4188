package wire_test

import (
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/jayproxy/jay/proxy/wire"
)

const someLines = "Host: a\r\nvary: Accept, , X-A\r\nX-a:1\r\nConnection: Keep-Alive\r\nX-A:  2\t\r\nEmpty:\r\nVary:x-b ,\r\n"

func someFields(t *testing.T) *wire.Fields {
	t.Helper()
	f, err := wire.ParseFields(someLines)
	if err != nil {
		t.Fatal(err)
	}
	return &f
}

func TestFields(t *testing.T) {
	f := someFields(t)
	if f.Len() != 7 {
		t.Errorf("Len: got %d; want 7", f.Len())
	}
	if name, value := f.At(4); name != "X-A" || value != "2" {
		t.Errorf("At(4): got %q, %q; want X-A, 2", name, value)
	}
	for name, want := range map[string][]string{"x-a": {"1", "2"}, "X-A": {"1", "2"}, "EMPTY": {""}, "no": nil, "x-": nil, "": nil, "hosu": nil} {
		if got := f.Values(name); !reflect.DeepEqual(got, want) {
			t.Errorf("Values(%q): got %q; want %q", name, got, want)
		}
		if got := f.Has(name); got != (want != nil) {
			t.Errorf("Has(%q): got %v; want %v", name, got, want != nil)
		}
		first := ""
		if want != nil {
			first = want[0]
		}
		if got := f.Get(name); got != first {
			t.Errorf("Get(%q): got %q; want %q", name, got, first)
		}
	}
	var none wire.Fields
	if none.Len() != 0 || none.Has("a") || len(none.Header()) != 0 {
		t.Error("zero Fields: got lines; want none")
	}
}

func TestFields_Header(t *testing.T) {
	f := someFields(t)
	h := f.Header()
	want := http.Header{
		"Host": {"a"}, "Vary": {"Accept, , X-A", "x-b ,"}, "X-A": {"1", "2"}, "Connection": {"Keep-Alive"}, "Empty": {""},
	}
	if !reflect.DeepEqual(h, want) {
		t.Errorf("got %q; want %q", h, want)
	}
	// Appending to one name must not touch another's value.
	h.Add("Host", "b")
	if got := h["Vary"]; !slices.Equal(got, want["Vary"]) {
		t.Errorf("after Add: got Vary %q; want %q", got, want["Vary"])
	}
}

func TestTokens_RFC9110_5_6_1(t *testing.T) {
	f := someFields(t)
	want := []string{"accept", "x-a", "x-b"}
	if got := slices.Collect(f.Tokens("Vary")); !slices.Equal(got, want) {
		t.Errorf("Tokens: got %q; want %q", got, want)
	}
	if got := slices.Collect(wire.ListTokens(f.Values("Vary"))); !slices.Equal(got, want) {
		t.Errorf("ListTokens: got %q; want %q", got, want)
	}
	for token := range f.Tokens("vary") {
		if token != "accept" {
			t.Errorf("first token: got %q; want accept", token)
		}
		break
	}
	for token := range wire.ListTokens([]string{"a", "b"}) {
		if token != "a" {
			t.Errorf("first token: got %q; want a", token)
		}
		break
	}
	for token, want := range map[string]bool{"x-A": true, "X-B": true, "accept": true, "accep": false, "": false, "x-c": false} {
		if got := f.HasToken("VARY", token); got != want {
			t.Errorf("HasToken(%q): got %v; want %v", token, got, want)
		}
	}
}

func TestFields_Append(t *testing.T) {
	f := someFields(t)
	got := string(f.Append(nil, nil))
	back, err := wire.ParseFields(got)
	if err != nil || !slices.Equal(list(&back), list(f)) {
		t.Errorf("got %q, %v; want the same fields as %q", got, err, someLines)
	}
	got = string(f.Append([]byte("> "), func(name string) bool { return !strings.EqualFold(name, "x-a") }))
	if want := "> X-a: 1\r\nX-A: 2\r\n"; got != want {
		t.Errorf("with drop: got %q; want %q", got, want)
	}
}

func TestFields_Clone(t *testing.T) {
	req := parseRequest(t, plainHead)
	want := list(&req.Fields)
	kept := req.Fields.Clone()
	if err := wire.ParseRequest("GET / HTTP/1.1\r\nHost: other\r\nOther: z\r\n\r\n", wire.Limits{}, req); err != nil {
		t.Fatal(err)
	}
	if got := list(&kept); !slices.Equal(got, want) {
		t.Errorf("got %q; want %q", got, want)
	}
}

func TestParseFields_RFC9112_5(t *testing.T) {
	for text, want := range map[string]string{
		"X: a":                   "head without its final empty line",
		"X: a\n":                 "line ended by a bare LF",
		"X: a\r":                 "bare CR",
		"X: a\r\n\r\n":           "empty line where a message should start",
		"X: a\r\n b\r\n":         "folded field line",
		"X : a\r\n":              "white space before the colon of a field",
		"X\r\n":                  "field line without a colon",
		"X":                      "field line without a colon",
		": a\r\n":                "field without a name",
		"X\x80: a\r\n":           "forbidden byte in a field name",
		"X\x00: a\r\n":           "NUL in the head",
		"X: \x00\r\n":            "NUL in the head",
		"X: \x01\r\n":            "control character in a field value",
		"X: a\r\nY: a\rb\r\n":    "bare CR",
		"X: a\r\nY: a\nZ: b\r\n": "line ended by a bare LF",
	} {
		f, err := wire.ParseFields(text)
		if detail(err) != want || f.Len() != 0 {
			t.Errorf("%q: got %d lines, %q; want %q", text, f.Len(), detail(err), want)
		}
	}
	f, err := wire.ParseFields(strings.Repeat("X: a\r\n", 1000))
	if err != nil || f.Len() != 1000 {
		t.Errorf("1000 lines: got %d, %v; want 1000", f.Len(), err)
	}
}

func TestFields_allocations(t *testing.T) {
	f := someFields(t)
	if n := testing.AllocsPerRun(100, func() {
		if !f.HasToken("connection", "keep-alive") || f.Get("host") != "a" || f.Has("range") {
			t.Error("wrong answer")
		}
	}); n != 0 {
		t.Errorf("got %v allocations; want 0", n)
	}
	req := parseRequest(t, manyFields(100))
	if n := testing.AllocsPerRun(100, func() { req.Fields.Header() }); n > 110 {
		t.Errorf("Header of 101 unknown names: got %v allocations; want about one for each name", n)
	}
}
