package config

import (
	"errors"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The words for what an override may ignore.
const (
	IgnoreNoCache        = "no-cache"
	IgnoreNoStore        = "no-store"
	IgnorePrivate        = "private"
	IgnoreMustRevalidate = "must-revalidate"
	IgnoreLifetime       = "lifetime"
	IgnoreReload         = "reload"
	IgnoreCookie         = "cookie"
)

var ignorable = []string{IgnoreNoCache, IgnoreNoStore, IgnorePrivate, IgnoreMustRevalidate, IgnoreLifetime, IgnoreReload, IgnoreCookie}

// Override is a rule of the section "overrides" of the file: how long some responses stay fresh, whatever those who sent
// them say. Of the rules the first that matches applies. All conditions that are given must hold; one holds if any of its
// entries does. Zero values are what is not given.
type Override struct {
	Name     string
	To       []string      // hosts: example.com, .example.com for all below it as well, 192.0.2.1 or 192.0.2.0/24
	Paths    []string      // patterns for the whole path, in which * stands for anything
	Regexp   string        // found in the URL
	Types    []string      // media types, as text/html or image/*
	Statuses []StatusRange // of the response

	Min              time.Duration // least lifetime
	Max              time.Duration // greatest lifetime
	Heuristic        float64       // part of the time since Last-Modified
	Ignore           []string      // IgnoreNoCache and so on
	Never            bool          // not stored
	AlwaysRevalidate bool          // validated before each use
}

// StatusRange is a range of status codes, both ends included. Its text is "404", "4xx" or "500-599".
type StatusRange struct{ First, Last int }

// String returns the text that [ParseStatusRange] reads.
func (r StatusRange) String() string {
	switch {
	case r.First == r.Last:
		return strconv.Itoa(r.First)
	case r.First%100 == 0 && r.Last == r.First+99:
		return strconv.Itoa(r.First/100) + "xx"
	}
	return fmt.Sprintf("%d-%d", r.First, r.Last)
}

// ParseStatusRange reads a status code, a class of them or a range of them.
func ParseStatusRange(text string) (StatusRange, error) {
	first, last, ranged := strings.Cut(text, "-")
	if class, ok := strings.CutSuffix(text, "xx"); ok {
		first, last = class+"00", class+"99"
	} else if !ranged {
		last = first
	}
	a, errA := strconv.ParseUint(first, 10, 16)
	b, errB := strconv.ParseUint(last, 10, 16)
	if errA != nil || errB != nil || a < 200 || b > 599 || a > b {
		return StatusRange{}, fmt.Errorf("%q is not a status code or a range of them; write 404, 4xx or 500-599", text)
	}
	return StatusRange{int(a), int(b)}, nil
}

// parseLifetime reads a duration in whole seconds, more than 0, which may be given in days, too.
func parseLifetime(text string) (time.Duration, error) {
	d, err := time.Duration(0), error(nil)
	if days, ok := strings.CutSuffix(text, "d"); ok {
		n, bad := strconv.ParseUint(days, 10, 16)
		if d = time.Duration(n) * 24 * time.Hour; bad != nil {
			err = fmt.Errorf("%q is not a duration; write 30d, 12h or 10m", text)
		}
	} else {
		d, err = parseDuration(text)
	}
	switch {
	case err != nil:
		return 0, err
	case d < time.Second || d%time.Second != 0:
		return 0, fmt.Errorf("%q is not a number of whole seconds, one at least; to keep nothing fresh, write always-revalidate: true", text)
	case d > math.MaxInt32*time.Second:
		return 0, fmt.Errorf("%q is longer than 68 years", text)
	}
	return d, nil
}

// formatLifetime is what parseLifetime reads.
func formatLifetime(d time.Duration) string {
	const day = 24 * time.Hour
	if d%day == 0 {
		return strconv.Itoa(int(d/day)) + "d"
	}
	return formatDuration(d)
}

// parseFraction reads a fraction, as 0.2 or 20%.
func parseFraction(text string) (float64, error) {
	number, percent := strings.CutSuffix(text, "%")
	f, err := strconv.ParseFloat(number, 64)
	if percent {
		f /= 100
	}
	if err != nil || !(f > 0 && f <= 10) {
		return 0, fmt.Errorf("%q is not a fraction of a time; write 0.2 or 20%%", text)
	}
	return f, nil
}

// checkPathPattern accepts what can match a path.
func checkPathPattern(text string) error {
	switch {
	case text == "" || text[0] != '/' && text[0] != '*':
		return fmt.Errorf("%q can match no path; begin with / or *, which stands for anything", text)
	case strings.Contains(text, "?"):
		return fmt.Errorf("%q has a query, which paths do not; use regexp, which sees the whole URL", text)
	}
	return nil
}

// checkRegexp accepts an RE2 expression.
func checkRegexp(text string) error {
	if text == "" {
		return errors.New("is empty; leave the line out")
	}
	_, err := regexp.Compile(text)
	return err
}

// checkType accepts a media type, or one with * behind the slash.
func checkType(text string) error {
	kind, sub, ok := strings.Cut(text, "/")
	if !ok || checkToken(kind) != nil || checkToken(sub) != nil || strings.Contains(kind, "*") || sub != "*" && strings.Contains(sub, "*") {
		return fmt.Errorf("%q is not a media type; write text/html or image/*", text)
	}
	return nil
}

// checkIgnorable accepts what can be ignored.
func checkIgnorable(text string) error {
	_, err := (&Option{choices: ignorable}).parseString(text)
	return err
}

// contradiction says what about a rule cannot go together, if anything.
func (o *Override) contradiction() string {
	frees := o.Min > 0 || o.Heuristic > 0 || len(o.Ignore) > 0
	switch {
	case o.Never && (frees || o.Max > 0 || o.AlwaysRevalidate):
		return "never leaves nothing for what else it says"
	case o.AlwaysRevalidate && (o.Min > 0 || o.Max > 0 || o.Heuristic > 0):
		return "always-revalidate leaves no lifetime to decide about"
	case o.Max > 0 && o.Min > o.Max:
		return fmt.Sprintf("min, %s, is more than max, %s", formatLifetime(o.Min), formatLifetime(o.Max))
	case slices.Contains(o.Ignore, IgnoreCookie) && (slices.Contains(o.Ignore, IgnorePrivate) || slices.Contains(o.Ignore, IgnoreNoStore)):
		return "cookie cannot be ignored together with private or no-store: users would get what was made for others"
	case len(o.Ignore) == 1 && o.Ignore[0] == IgnoreCookie && o.Min == 0 && o.Heuristic == 0:
		return "to ignore cookies changes nothing by itself; say min or ignore more"
	}
	return ""
}
