package validation_test

import (
	"net/http"
	"strings"
	"time"

	"github.com/jayproxy/jay/validation"
)

// now is the time of all tests: an instant in 2026.
var now = time.Date(2026, time.March, 10, 12, 0, 0, 0, time.UTC)

// fields builds a header from lines of the form "Name: value".
func fields(lines ...string) http.Header {
	h := http.Header{}
	for _, line := range lines {
		name, value, _ := strings.Cut(line, ":")
		h.Add(name, strings.TrimSpace(value))
	}
	return h
}

// list builds ordered fields from lines of the form "Name: value".
func list(lines ...string) []validation.Field {
	var out []validation.Field
	for _, line := range lines {
		name, value, _ := strings.Cut(line, ":")
		out = append(out, validation.Field{Name: name, Value: strings.TrimSpace(value)})
	}
	return out
}

// date formats an instant that lies d after now as an IMF-fixdate.
func date(d time.Duration) string { return now.Add(d).Format(http.TimeFormat) }

// of are the validators of a response with these fields, received now.
func of(lines ...string) validation.Validators { return validation.Of(fields(lines...), now) }

// balanced reports whether the quotes in s are paired.
func balanced(s string) bool { return strings.Count(s, `"`)%2 == 0 }

// trim removes optional white space.
func trim(s string) string { return strings.Trim(s, " \t") }
