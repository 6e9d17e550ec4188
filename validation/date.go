package validation

import (
	"strings"
	"time"
)

// parseDate reads an HTTP-date (RFC 9110 §5.6.7) in any of its three forms and no other. Names are matched without regard to
// case, as RFC 9111 §4.2 asks of caches. now decides the century of a two-digit year.
func parseDate(s string, now time.Time) (time.Time, bool) {
	switch {
	case len(s) == len("Sun, 06 Nov 1994 08:49:37 GMT") && s[3] == ',':
		return parseFixed(s)
	case len(s) == len("Sun Nov  6 08:49:37 1994") && s[3] == ' ':
		return parseAsctime(s)
	}
	return parseRFC850(s, now)
}

func parseFixed(s string) (time.Time, bool) {
	d := dateParts{ok: s[4] == ' ' && s[7] == ' ' && s[11] == ' ' && s[16] == ' '}
	d.weekday(s[:3], 3)
	d.date(d.number(s[5:7]), s[8:11], d.number(s[12:16]))
	d.clock(s[17:25])
	return d.time(s[25:])
}

func parseAsctime(s string) (time.Time, bool) {
	d := dateParts{ok: s[7] == ' ' && s[10] == ' ' && s[19] == ' '}
	d.weekday(s[:3], 3)
	day := s[8:10]
	if day[0] == ' ' {
		day = day[1:]
	}
	d.date(d.number(day), s[4:7], d.number(s[20:24]))
	d.clock(s[11:19])
	return d.time(" GMT")
}

func parseRFC850(s string, now time.Time) (time.Time, bool) {
	name, rest, _ := strings.Cut(s, ",")
	if len(rest) != len(" 06-Nov-94 08:49:37 GMT") {
		return time.Time{}, false
	}
	d := dateParts{ok: rest[0] == ' ' && rest[3] == '-' && rest[7] == '-' && rest[10] == ' '}
	d.weekday(name, len(name))
	d.ok = d.ok && len(name) > 3
	year := d.number(rest[8:10])
	if now.IsZero() {
		now = time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)
	}
	d.date(d.number(rest[1:3]), rest[4:7], now.UTC().Year()/100*100+year)
	d.clock(rest[11:19])
	t, ok := d.time(rest[19:])
	if ok && t.After(now.AddDate(50, 0, 0)) {
		d.year -= 100
		return d.time(rest[19:])
	}
	return t, ok
}

// dateParts collects the parts of a date; ok turns false at the first that is wrong.
type dateParts struct {
	year, month, day, hour, minute, second int
	ok                                     bool
}

// number reads decimal digits only.
func (d *dateParts) number(s string) int {
	n := 0
	for i := 0; i < len(s); i++ {
		if s[i] < '0' || s[i] > '9' {
			d.ok = false
			return 0
		}
		n = n*10 + int(s[i]-'0')
	}
	return n
}

// weekday checks that s is a day's name, or its first n letters. Whether it is the day of that date nobody needs to know.
func (d *dateParts) weekday(s string, n int) {
	for day := time.Sunday; day <= time.Saturday; day++ {
		if name := day.String(); len(name) >= n && strings.EqualFold(s, name[:n]) && (n == 3 || n == len(name)) {
			return
		}
	}
	d.ok = false
}

func (d *dateParts) date(day int, month string, year int) {
	d.day, d.year = day, year
	for m := time.January; m <= time.December; m++ {
		if strings.EqualFold(month, m.String()[:3]) {
			d.month = int(m)
		}
	}
}

// clock reads hh:mm:ss; the second 60 is a leap second.
func (d *dateParts) clock(s string) {
	d.hour, d.minute, d.second = d.number(s[:2]), d.number(s[3:5]), d.number(s[6:8])
	d.ok = d.ok && s[2] == ':' && s[5] == ':' && d.hour < 24 && d.minute < 60 && d.second <= 60
}

func (d *dateParts) time(zone string) (time.Time, bool) {
	if !d.ok || d.month == 0 || d.day == 0 || !strings.EqualFold(zone, " GMT") {
		return time.Time{}, false
	}
	t := time.Date(d.year, time.Month(d.month), d.day, d.hour, d.minute, d.second, 0, time.UTC)
	// A day past the month's end would silently become one of the next month.
	if midnight := time.Date(d.year, time.Month(d.month), d.day, 0, 0, 0, 0, time.UTC); midnight.Day() != d.day {
		return time.Time{}, false
	}
	return t, true
}
