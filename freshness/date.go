package freshness

import (
	"strings"
	"time"
)

var (
	weekdays = [...]string{"Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"}
	months   = [...]string{"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"}
)

// ParseDate reads an HTTP-date in one of the three forms of RFC 9110 §5.6.7 and no other. Letters match in either case,
// as RFC 9111 §4.2 asks of caches; the zone is GMT only. The day of the week must be a name but is not checked against
// the date. now decides the century of a two-digit year: at most 50 years ahead. The result is in UTC.
func ParseDate(s string, now time.Time) (time.Time, bool) {
	switch {
	case len(s) == len("Sun, 06 Nov 1994 08:49:37 GMT") && s[3] == ',':
		return parseFixdate(s)
	case len(s) == len("Sun Nov  6 08:49:37 1994") && s[3] == ' ':
		return parseAsctime(s)
	}
	return parseRFC850(s, now)
}

// parseFixdate reads "Sun, 06 Nov 1994 08:49:37 GMT"; the length and the comma have been checked.
func parseFixdate(s string) (time.Time, bool) {
	if !isWeekday(s[:3], true) || s[4] != ' ' || s[7] != ' ' || s[11] != ' ' || s[16] != ' ' || !fold(s[25:], " GMT") {
		return time.Time{}, false
	}
	return build(s[12:16], s[8:11], s[5:7], s[17:25])
}

// parseAsctime reads "Sun Nov  6 08:49:37 1994"; the length and the first space have been checked.
func parseAsctime(s string) (time.Time, bool) {
	if !isWeekday(s[:3], true) || s[7] != ' ' || s[10] != ' ' || s[19] != ' ' {
		return time.Time{}, false
	}
	day := s[8:10]
	if day[0] == ' ' {
		day = day[1:]
	}
	return build(s[20:24], s[4:7], day, s[11:19])
}

// parseRFC850 reads "Sunday, 06-Nov-94 08:49:37 GMT".
func parseRFC850(s string, now time.Time) (time.Time, bool) {
	name, rest, _ := strings.Cut(s, ",")
	if len(rest) != len(" 06-Nov-94 08:49:37 GMT") || !isWeekday(name, false) ||
		rest[0] != ' ' || rest[3] != '-' || rest[7] != '-' || rest[10] != ' ' || !fold(rest[19:], " GMT") {
		return time.Time{}, false
	}
	t, ok := build(rest[8:10], rest[4:7], rest[1:3], rest[11:19])
	if !ok {
		return time.Time{}, false
	}
	return inCentury(t, now)
}

// inCentury moves t, whose year is 0 to 99, to the latest century in which it is no more than 50 years after now.
func inCentury(t, now time.Time) (time.Time, bool) {
	latest := now.UTC().AddDate(50, 0, 0)
	years := latest.Year() / 100 * 100
	moved := t.AddDate(years, 0, 0)
	if moved.After(latest) {
		moved = t.AddDate(years-100, 0, 0)
	}
	return moved, moved.Day() == t.Day() // 29 February is not in every century's year
}

// build makes a time of its parts and refuses days that the month does not have. A leap second counts as the second
// before it, "the nearest time equal to or earlier" (RFC 9111 §4.2).
func build(year, month, day, clock string) (time.Time, bool) {
	y, ok1 := digits(year)
	d, ok2 := digits(day)
	h, ok3 := digits(clock[:2])
	m, ok4 := digits(clock[3:5])
	s, ok5 := digits(clock[6:])
	mon := monthOf(month)
	if !(ok1 && ok2 && ok3 && ok4 && ok5) || clock[2] != ':' || clock[5] != ':' || mon == 0 || h > 23 || m > 59 || s > 60 {
		return time.Time{}, false
	}
	t := time.Date(y, mon, d, h, m, min(s, 59), 0, time.UTC)
	return t, t.Day() == d && t.Month() == mon
}

// isWeekday tells whether s is the name of a day, in its short form of three letters or in full.
func isWeekday(s string, short bool) bool {
	for _, w := range weekdays {
		if short {
			w = w[:3]
		}
		if fold(s, w) {
			return true
		}
	}
	return false
}

// monthOf returns the month of a three-letter name, 0 if there is none.
func monthOf(s string) time.Month {
	for i, m := range months {
		if fold(s, m) {
			return time.Month(i + 1)
		}
	}
	return 0
}

// digits reads a decimal number of nothing but digits.
func digits(s string) (n int, ok bool) {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return 0, false
		}
		n = n*10 + int(s[i]-'0')
	}
	return n, s != ""
}

// fold compares with an ASCII string regardless of case. The lengths keep out the few letters outside ASCII that fold
// to one inside it: they are longer.
func fold(s, ascii string) bool { return len(s) == len(ascii) && strings.EqualFold(s, ascii) }
