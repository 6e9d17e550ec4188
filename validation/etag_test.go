package validation_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/jayproxy/jay/validation"
)

func TestParseETag_RFC9110_8_8_3(t *testing.T) {
	tests := []struct {
		in              string
		present, strong bool
	}{
		{`"xyzzy"`, true, true},
		{`W/"xyzzy"`, true, false},
		{`""`, true, true},
		{`W/""`, true, false},
		{`"a,b"`, true, true},
		{`"a\b"`, true, true},
		{"\"abc\xfc\"", true, true},
		{`"!#$%&'()*+-./:;<=>?@[]^_{|}~` + "`\"", true, true},
		{`  "xyzzy"	`, true, true},
		// Odd ones: usable as they are, never strong.
		{`xyzzy`, true, false},
		{`w/"xyzzy"`, true, false},
		{`W\"xyzzy"`, true, false},
		{`W"xyzzy"`, true, false},
		{`"xyzzy`, true, false},
		{`xyzzy"`, true, false},
		{`'xyzzy'`, true, false},
		{`"a"b`, true, false},
		{`W/W/"a"`, true, false},
		// Not even that: they could not be sent back in a list.
		{``, false, false},
		{`   `, false, false},
		{`*`, false, false},
		{`,`, false, false},
		{`a,b`, false, false},
		{`"a", "b"`, false, false},
		{`"a",`, false, false},
		{`,"a"`, false, false},
		{`"a b"`, false, false},
		{`W/ "a"`, false, false},
		{"\"a\tb\"", false, false},
		{"\"a\x7fb\"", false, false},
		{"a\x00", false, false},
	}
	for _, tt := range tests {
		got := validation.ParseETag(tt.in)
		if got.Present() != tt.present || got.Strong() != tt.strong {
			t.Errorf("ParseETag(%q): present %v, strong %v; want %v, %v", tt.in, got.Present(), got.Strong(), tt.present, tt.strong)
		}
		want := ""
		if tt.present {
			want = strings.TrimSpace(tt.in)
		}
		if got.String() != want {
			t.Errorf("ParseETag(%q).String() = %q; want %q", tt.in, got, want)
		}
	}
}

func TestETagComparison_RFC9110_8_8_3_2(t *testing.T) {
	tests := []struct {
		a, b         string
		strong, weak bool
	}{
		// The table of the section.
		{`W/"1"`, `W/"1"`, false, true},
		{`W/"1"`, `W/"2"`, false, false},
		{`W/"1"`, `"1"`, false, true},
		{`"1"`, `"1"`, true, true},
		// Opaque: no case folding, no unescaping.
		{`"a"`, `"A"`, false, false},
		{`"a"`, `"%61"`, false, false},
		{`"a"`, `"\a"`, false, false},
		{`""`, `""`, true, true},
		{`""`, `W/""`, false, true},
		// Odd tags equal their own bytes only.
		{`abc`, `abc`, false, true},
		{`abc`, `"abc"`, false, false},
		{`w/"abc"`, `w/"abc"`, false, true},
		{`w/"abc"`, `W/"abc"`, false, false},
		{`W"abc"`, `W"abc"`, false, true},
		{`W"abc"`, `W/"abc"`, false, false},
		{`W\"abc"`, `W\"abc"`, false, true},
		// Nothing equals nothing.
		{``, ``, false, false},
		{`*`, `*`, false, false},
		{``, `""`, false, false},
		{`"1"`, ``, false, false},
	}
	for _, tt := range tests {
		a, b := validation.ParseETag(tt.a), validation.ParseETag(tt.b)
		for range 2 {
			if got := a.StrongEqual(b); got != tt.strong {
				t.Errorf("%s strong-equals %s: %v; want %v", a, b, got, tt.strong)
			}
			if got := a.WeakEqual(b); got != tt.weak {
				t.Errorf("%s weak-equals %s: %v; want %v", a, b, got, tt.weak)
			}
			a, b = b, a
		}
	}
}

func TestParseETags_RFC9110_13_1_2(t *testing.T) {
	tests := []struct {
		name  string
		lines []string
		want  []string
	}{
		{"one", []string{`"a"`}, []string{`"a"`}},
		{"several", []string{`"a", W/"b","c"`}, []string{`"a"`, `W/"b"`, `"c"`}},
		{"lines", []string{`"a"`, `"b", "c"`}, []string{`"a"`, `"b"`, `"c"`}},
		{"comma-in-tag", []string{`"a,b", "c"`}, []string{`"a,b"`, `"c"`}},
		{"comma-space-in-tag", []string{`"a, b"`}, []string{`"a`, `b"`}},
		{"empty-members", []string{`, ,"a",, ,"b",`}, []string{`"a"`, `"b"`}},
		{"tabs", []string{"\t\"a\"\t,\t\"b\"\t"}, []string{`"a"`, `"b"`}},
		{"unquoted", []string{`a, "b", c`}, []string{`a`, `"b"`, `c`}},
		{"junk-after-tag", []string{`"a"x, "b"`}, []string{`"a"x`, `"b"`}},
		{"no-comma", []string{`"a" "b", "c"`}, []string{`"c"`}},
		{"star-in-list", []string{`"a", *`}, []string{`"a"`}},
		{"unclosed", []string{`"a", "b`}, []string{`"a"`, `"b`}},
		{"nothing", nil, nil},
		{"empty", []string{``, ` , `}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var got []string
			for _, tag := range validation.ParseETags(tt.lines) {
				got = append(got, tag.String())
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("ParseETags(%q) = %q; want %q", tt.lines, got, tt.want)
			}
		})
	}
}

func FuzzETagRoundTrip(f *testing.F) {
	for _, s := range []string{`"a"`, `W/"a"`, `a`, `w/"a"`, `*`, `"a,b"`, `W/"`, "\"\xff\""} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		tag := validation.ParseETag(s)
		if !tag.Present() {
			if tag.WeakEqual(tag) || tag.StrongEqual(tag) {
				t.Errorf("%q is no entity tag but equals itself", s)
			}
			return
		}
		if again := validation.ParseETag(tag.String()); again != tag {
			t.Errorf("%q comes back as %q", s, again)
		}
		if !tag.WeakEqual(tag) {
			t.Errorf("%q does not equal itself", s)
		}
		if tag.StrongEqual(tag) != tag.Strong() {
			t.Errorf("%q: strong %v, equals itself strongly %v", s, tag.Strong(), tag.StrongEqual(tag))
		}
		// Sent as a member of a list it is found again, and it never ends the list early or matches everything.
		list := validation.ParseETags([]string{`"x", ` + tag.String() + `, "y"`})
		if len(list) != 3 || list[1] != tag {
			t.Errorf("%q in a list is %q", s, list)
		}
	})
}

func FuzzETagList(f *testing.F) {
	for _, s := range []string{`"a", W/"b"`, `"a,b"`, `*`, `"a" "b"`, `,,`, `"`, `W/`} {
		f.Add(s, s)
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		var got []validation.ETag
		got = append(got, validation.ParseETags([]string{a})...)
		got = append(got, validation.ParseETags([]string{b})...)
		if lines := validation.ParseETags([]string{a, b}); !slices.Equal(got, lines) {
			t.Errorf("lines %q and %q make %q; together %q", a, b, got, lines)
		}
		for _, tag := range got {
			if !tag.Present() || !strings.Contains(a+b, tag.String()) {
				t.Errorf("%q invented in %q, %q", tag, a, b)
			}
		}
	})
}
