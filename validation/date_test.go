package validation_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/jayproxy/jay/validation"
)

func TestParseDate_RFC9110_5_6_7(t *testing.T) {
	want := time.Date(1994, time.November, 6, 8, 49, 37, 0, time.UTC)
	tests := []struct {
		in   string
		want time.Time // zero: refused
	}{
		{"Sun, 06 Nov 1994 08:49:37 GMT", want},
		{"Sunday, 06-Nov-94 08:49:37 GMT", want},
		{"Sun Nov  6 08:49:37 1994", want},
		{"Wed Nov 16 08:49:37 1994", time.Date(1994, time.November, 16, 8, 49, 37, 0, time.UTC)},
		// RFC 9111 §4.2: case does not count for a cache.
		{"sun, 06 NOV 1994 08:49:37 gmt", want},
		{"SUNDAY, 06-nov-94 08:49:37 Gmt", want},
		{"sun nov  6 08:49:37 1994", want},
		// The name of the day is not compared with the date.
		{"Mon, 06 Nov 1994 08:49:37 GMT", want},
		// Leap days, leap seconds, ends of ranges.
		{"Sat, 29 Feb 2020 00:00:00 GMT", time.Date(2020, time.February, 29, 0, 0, 0, 0, time.UTC)},
		{"Sat, 31 Dec 2016 23:59:60 GMT", time.Date(2017, time.January, 1, 0, 0, 0, 0, time.UTC)},
		{"Fri, 31 Dec 9999 23:59:59 GMT", time.Date(9999, time.December, 31, 23, 59, 59, 0, time.UTC)},
		{"Sat, 29 Feb 2021 00:00:00 GMT", time.Time{}},
		{"Thu, 31 Apr 2020 00:00:00 GMT", time.Time{}},
		{"Thu, 00 Apr 2020 00:00:00 GMT", time.Time{}},
		{"Thu, 32 Jan 2020 00:00:00 GMT", time.Time{}},
		{"Thu, 01 Jan 2020 24:00:00 GMT", time.Time{}},
		{"Thu, 01 Jan 2020 00:60:00 GMT", time.Time{}},
		{"Thu, 01 Jan 2020 00:00:61 GMT", time.Time{}},
		// Everything else.
		{"", time.Time{}},
		{"0", time.Time{}},
		{"-1", time.Time{}},
		{"1996", time.Time{}},
		{"Sun, 06 Nov 1994 08:49:37 UTC", time.Time{}},
		{"Sun, 06 Nov 1994 08:49:37 PST", time.Time{}},
		{"Sun, 06 Nov 1994 08:49:37 +0000", time.Time{}},
		{"Sun, 06 Nov 1994 08:49:37", time.Time{}},
		{"Sun, 6 Nov 1994 08:49:37 GMT", time.Time{}},
		{"Sun, 06 Nov 94 08:49:37 GMT", time.Time{}},
		{"Sun, 06-Nov-1994 08:49:37 GMT", time.Time{}},
		{"Sun 06 Nov 1994 08:49:37 GMT", time.Time{}},
		{"Sun,06 Nov 1994 08:49:37 GMT", time.Time{}},
		{"Sun, 06 Nov 1994  8:49:37 GMT", time.Time{}},
		{"Sun, 06 Nov 1994 08.49.37 GMT", time.Time{}},
		{"Sun, 06 Nov 1994 08:49:37.5 GMT", time.Time{}},
		{"Sun, 06 Nvo 1994 08:49:37 GMT", time.Time{}},
		{"Xyz, 06 Nov 1994 08:49:37 GMT", time.Time{}},
		{"Sun, +6 Nov 1994 08:49:37 GMT", time.Time{}},
		{"Sun, 06 Nov 1994 08:49:37 GMT ", time.Time{}},
		{"Sun, 06-Nov-94 08:49:37 GMT", time.Time{}},
		{"Sundays, 06-Nov-94 08:49:37 GMT", time.Time{}},
		{"Sunday, 06 Nov 94 08:49:37 GMT", time.Time{}},
		{"Sunday, 06-Nov-94 08:49:37 EST", time.Time{}},
		{"Sun Nov 06 08:49:37 94", time.Time{}},
		{"Sun Nov  6 08:49:37 1994 GMT", time.Time{}},
		{"Sunday Nov 6 08:49:37 1994", time.Time{}},
		{"1994-11-06T08:49:37Z", time.Time{}},
	}
	for _, tt := range tests {
		got, ok := validation.ParseDate(tt.in, now)
		if ok != !tt.want.IsZero() || !got.Equal(tt.want) {
			t.Errorf("ParseDate(%q) = %v, %v; want %v", tt.in, got, ok, tt.want)
		}
	}
}

// A two-digit year that appears to be more than 50 years ahead is one of the past.
func TestParseDateCentury_RFC9110_5_6_7(t *testing.T) {
	tests := []struct {
		now  int
		in   string
		want int
	}{
		{2026, "Sunday, 06-Nov-94 08:49:37 GMT", 1994},
		{2026, "Sunday, 06-Nov-26 08:49:37 GMT", 2026},
		{2026, "Sunday, 06-Nov-75 08:49:37 GMT", 2075},
		{2026, "Sunday, 06-Jan-76 08:49:37 GMT", 2076}, // 50 years are not more than 50 years
		{2026, "Sunday, 06-Nov-76 08:49:37 GMT", 1976},
		{2026, "Sunday, 06-Nov-00 08:49:37 GMT", 2000},
		{1999, "Sunday, 06-Nov-01 08:49:37 GMT", 1901},
		{0, "Sunday, 06-Nov-69 08:49:37 GMT", 2069},
		{0, "Sunday, 06-Nov-71 08:49:37 GMT", 1971},
	}
	for _, tt := range tests {
		at := time.Date(tt.now, time.March, 10, 12, 0, 0, 0, time.UTC)
		if tt.now == 0 {
			at = time.Time{}
		}
		got, ok := validation.ParseDate(tt.in, at)
		if !ok || got.Year() != tt.want {
			t.Errorf("in %d, ParseDate(%q) is in %d, %v; want %d", tt.now, tt.in, got.Year(), ok, tt.want)
		}
	}
}

func FuzzParseDate(f *testing.F) {
	for _, s := range []string{"Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994", "0", ""} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got, ok := validation.ParseDate(s, now)
		if !ok {
			return
		}
		// Whatever is accepted here net/http accepts too, and takes for the same instant, but for leap seconds and the century.
		if again, ok := validation.ParseDate(got.Format(http.TimeFormat), now); !ok || !again.Equal(got) {
			t.Errorf("ParseDate(%q) = %v, which comes back as %v, %v", s, got, again, ok)
		}
		if std, err := http.ParseTime(s); err == nil && std.Sub(got)%(100*365*24*time.Hour) != 0 && len(s) == len(http.TimeFormat) && !std.Equal(got) {
			t.Errorf("ParseDate(%q) = %v; net/http says %v", s, got, std)
		}
	})
}
