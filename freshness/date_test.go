package freshness_test

import (
	"testing"
	"time"

	"github.com/jayproxy/jay/freshness"
)

func TestParseDate_RFC9110_5_6_7(t *testing.T) {
	want := time.Date(1994, time.November, 6, 8, 49, 37, 0, time.UTC)
	for _, s := range []string{
		"Sun, 06 Nov 1994 08:49:37 GMT",
		"Sunday, 06-Nov-94 08:49:37 GMT",
		"Sun Nov  6 08:49:37 1994",
		"Sun Nov 06 08:49:37 1994",
		// RFC 9111 §4.2: caches match dates regardless of case.
		"SUN, 06 NOV 1994 08:49:37 gmt",
		"sun, 06 nov 1994 08:49:37 Gmt",
		"sunday, 06-NOV-94 08:49:37 gMT",
		"sUN nOV  6 08:49:37 1994",
		// Nobody checks the day of the week, and a wrong one leaves no doubt about the rest.
		"Thu, 06 Nov 1994 08:49:37 GMT",
		"Thu Nov  6 08:49:37 1994",
	} {
		got, ok := freshness.ParseDate(s, t0)
		if !ok || !got.Equal(want) || got.Location() != time.UTC {
			t.Errorf("%q: got %v, %v; want %v", s, got, ok, want)
		}
	}
}

func TestParseDate_RFC9110_5_6_7_invalid(t *testing.T) {
	for name, s := range map[string]string{
		"empty":                   "",
		"zero":                    "0",
		"minus one":               "-1",
		"word":                    "never",
		"other zone":              "Sun, 06 Nov 1994 08:49:37 UTC",
		"letter zone":             "Sun, 06 Nov 1994 08:49:37 AEST",
		"numeric zone":            "Sun, 06 Nov 1994 08:49:37 +0000",
		"no zone":                 "Sun, 06 Nov 1994 08:49:37",
		"asctime with a zone":     "Sun Nov  6 08:49:37 GMT 1994",
		"two-digit year":          "Sun, 06 Nov 94 08:49:37 GMT",
		"five-digit year":         "Sun, 06 Nov 19940 08:49:37 GMT",
		"rfc850 four-digit year":  "Sunday, 06-Nov-1994 08:49:37 GMT",
		"rfc850 short day":        "Sun, 06-Nov-94 08:49:37 GMT",
		"rfc850 spaces":           "Sunday, 06 Nov 94 08:49:37 GMT",
		"long day":                "Sunday, 06 Nov 1994 08:49:37 GMT",
		"dashes":                  "Sun, 06-Nov-1994 08:49:37 GMT",
		"no comma":                "Sun 06 Nov 1994 08:49:37 GMT",
		"no space after comma":    "Sun,06 Nov 1994 08:49:37 GMT ",
		"two spaces":              "Sun, 06  Nov 1994 08:49:37 GMT",
		"tab":                     "Sun,\t06 Nov 1994 08:49:37 GMT",
		"leading space":           " Sun, 06 Nov 1994 08:49:37 GMT",
		"trailing space":          "Sun, 06 Nov 1994 08:49:37 GMT ",
		"trailing junk":           "Sun, 06 Nov 1994 08:49:37 GMT; foo",
		"one-digit day":           "Sun, 6 Nov 1994 08:49:37 GMT",
		"space-padded day":        "Sun, _6 Nov 1994 08:49:37 GMT",
		"one-digit hour":          "Sun, 06 Nov 1994 8:49:37 GMT",
		"one-digit hour, padded":  "Sun, 06 Nov 1994  8:49:37 GMT",
		"periods":                 "Sun, 06 Nov 1994 08.49.37 GMT",
		"no seconds":              "Sun, 06 Nov 1994 08:49 GMT",
		"fraction":                "Sun, 06 Nov 1994 08:49:37.0 GMT",
		"unknown day":             "Son, 06 Nov 1994 08:49:37 GMT",
		"unknown month":           "Sun, 06 Okt 1994 08:49:37 GMT",
		"long month":              "Sun, 06 November 1994 08:49:37 GMT",
		"no day of the week":      "06 Nov 1994 08:49:37 GMT",
		"day 0":                   "Sun, 00 Nov 1994 08:49:37 GMT",
		"day 31 of 30":            "Sun, 31 Nov 1994 08:49:37 GMT",
		"29 February":             "Wed, 29 Feb 2023 08:49:37 GMT",
		"hour 24":                 "Sun, 06 Nov 1994 24:00:00 GMT",
		"minute 60":               "Sun, 06 Nov 1994 08:60:00 GMT",
		"second 61":               "Sun, 06 Nov 1994 08:49:61 GMT",
		"sign in the year":        "Sun, 06 Nov +994 08:49:37 GMT",
		"other digits":            "Sun, ٠٦ Nov 1994 08:49:37 GMT",
		"ISO 8601":                "1994-11-06T08:49:37Z",
		"asctime, one-digit day":  "Sun Nov 6 08:49:37 1994",
		"asctime, unknown day":    "Son Nov  6 08:49:37 1994",
		"asctime, two-digit hour": "Sun Nov  6  8:49:37 1994",
		"asctime, no space":       "Sun Nov_ 6 08:49:37 1994",
		"asctime, tab":            "Sun Nov\t 6 08:49:37 1994",
		"asctime, two-digit year": "Sun Nov  6 08:49:37 94",
		"long s in the day":       "ſunday, 06-Nov-94 08:49:37 GMT",
		"long s, right length":    "ſuday, 06-Nov-94 08:49:37 GMT",
		"two dates":               "Sun, 06 Nov 1994 08:49:37 GMT, Sun, 06 Nov 1994 08:49:37 GMT",
	} {
		if got, ok := freshness.ParseDate(s, t0); ok {
			t.Errorf("%s: %q: got %v; want no date", name, s, got)
		}
	}
}

// A two-digit year that seems more than 50 years ahead is the last such year in the past.
func TestParseDate_RFC9110_5_6_7_century(t *testing.T) {
	for _, tt := range []struct {
		now  time.Time
		year string
		want int
	}{
		{t0, "26", 2026},
		{t0, "00", 2000},
		{t0, "27", 2027},
		{t0, "75", 2075},
		{t0, "77", 1977},
		{t0, "99", 1999},
		{time.Date(2049, 1, 1, 0, 0, 0, 0, time.UTC), "98", 2098},
		{time.Date(2060, 1, 1, 0, 0, 0, 0, time.UTC), "05", 2105},
		{time.Date(1999, 1, 1, 0, 0, 0, 0, time.UTC), "50", 1950},
		{time.Date(1999, 1, 1, 0, 0, 0, 0, time.UTC), "40", 2040},
	} {
		got, ok := freshness.ParseDate("Monday, 15-Jun-"+tt.year+" 00:00:00 GMT", tt.now)
		if !ok || got.Year() != tt.want {
			t.Errorf("year %s at %d: got %v, %v; want %d", tt.year, tt.now.Year(), got, ok, tt.want)
		}
	}
	// The edge is exact to the second.
	edge := t0.AddDate(50, 0, 0)
	for offset, want := range map[time.Duration]int{0: 2076, time.Second: 1976} {
		s := edge.Add(offset).Format("Monday, 02-Jan-06 15:04:05 GMT")
		if got, ok := freshness.ParseDate(s, t0); !ok || got.Year() != want {
			t.Errorf("50 years and %v ahead: got %v, %v; want %d", offset, got, ok, want)
		}
	}
	if got, ok := freshness.ParseDate("Tuesday, 29-Feb-24 00:00:00 GMT", t0); !ok || got.Day() != 29 {
		t.Errorf("leap day: got %v, %v", got, ok)
	}
	if got, ok := freshness.ParseDate("Monday, 29-Feb-00 00:00:00 GMT", time.Date(2060, 1, 1, 0, 0, 0, 0, time.UTC)); ok {
		t.Errorf("29 February 2100: got %v; want no date", got)
	}
	if got, ok := freshness.ParseDate("Tuesday, 29-Feb-23 00:00:00 GMT", t0); ok {
		t.Errorf("29 February 2023: got %v; want no date", got)
	}
}

// RFC 9111 §4.2: a date that cannot be represented becomes the nearest earlier one.
func TestParseDate_RFC9111_4_2_leapSecond(t *testing.T) {
	want := time.Date(2016, time.December, 31, 23, 59, 59, 0, time.UTC)
	if got, ok := freshness.ParseDate("Sat, 31 Dec 2016 23:59:60 GMT", t0); !ok || !got.Equal(want) {
		t.Errorf("got %v, %v; want %v", got, ok, want)
	}
}

func TestParseDate_RFC9110_5_6_7_range(t *testing.T) {
	for s, want := range map[string]int64{
		"Tue, 19 Jan 2038 03:14:08 GMT": 1 << 31,
		"Wed, 20 Nov 2286 17:46:40 GMT": 10000000000,
		"Fri, 31 Dec 9999 23:59:59 GMT": 253402300799,
		"Thu, 01 Jan 1970 00:00:00 GMT": 0,
		"Mon, 01 Jan 0001 00:00:00 GMT": -62135596800,
	} {
		if got, ok := freshness.ParseDate(s, t0); !ok || got.Unix() != want {
			t.Errorf("%q: got %v (%d), %v; want %d", s, got, got.Unix(), ok, want)
		}
	}
}
