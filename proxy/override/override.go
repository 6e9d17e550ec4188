// Package override finds the rule for a response among ordered rules about hosts, paths, URLs, media types and status
// codes. What a rule does is its owner's matter: the freshness overrides of package proxy are such rules.
//
// The package is pure, and asking allocates nothing. Rules are never changed once they were made.
package override

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/jayproxy/jay/proxy/policy"
)

// Conditions are what must hold for a rule: all of those that are given, and one holds if any of its entries does. Rules
// without conditions match everything.
type Conditions struct {
	// To are hosts: "example.com" is that name, ".example.com" that name and all below it, "192.0.2.1" and "192.0.2.0/24"
	// hosts that are addresses themselves.
	To []string
	// Paths are patterns for the whole path of the URL without the query, in which "*" stands for any run of characters,
	// slashes too: "/pool/*", "*.deb". Case matters.
	Paths []string
	// Regexp is an RE2 expression that is found in the URL, query included; empty is none.
	Regexp string
	// Types are media types, such as "text/html" or "image/*" (RFC 9110 §8.3.1), without parameters.
	Types []string
	// Statuses are status codes of the response.
	Statuses []StatusRange
}

// StatusRange is a range of status codes, both ends included.
type StatusRange struct{ First, Last int }

// Subject is a response that a rule is looked for.
type Subject struct {
	URL    string // absolute, without a fragment
	Type   string // the value of Content-Type; empty if there is none
	Status int
}

// Rules are conditions in the form in which they are asked; nil matches nothing.
type Rules struct{ list []rule }

// rule is Conditions in that form. Empty conditions hold.
type rule struct {
	to       *policy.Set
	paths    []string
	re       *regexp.Regexp
	types    []string
	statuses []StatusRange
}

// New makes rules. An error says which of them is wrong by its place, from 0.
func New(list []Conditions) (*Rules, error) {
	rs := &Rules{}
	for i := range list {
		r, err := compile(&list[i])
		if err != nil {
			return nil, &Error{Index: i, Err: err}
		}
		rs.list = append(rs.list, r)
	}
	return rs, nil
}

// Error is what is wrong with one of the Conditions.
type Error struct {
	Index int
	Err   error
}

// Error says what is wrong; which rule it is stands in Index.
func (e *Error) Error() string { return "override: " + e.Err.Error() }

// Unwrap returns what is wrong without its prefix.
func (e *Error) Unwrap() error { return e.Err }

func compile(c *Conditions) (r rule, err error) {
	r.paths, r.statuses = c.Paths, c.Statuses
	if len(c.To) > 0 {
		if r.to, err = policy.NewSet(c.To); err != nil {
			return r, fmt.Errorf("to: %w", err)
		}
	}
	for _, p := range c.Paths {
		if err := CheckPath(p); err != nil {
			return r, fmt.Errorf("path: %w", err)
		}
	}
	if c.Regexp != "" {
		if r.re, err = regexp.Compile(c.Regexp); err != nil {
			return r, fmt.Errorf("regexp: %w", err)
		}
	}
	for _, t := range c.Types {
		if err := CheckType(t); err != nil {
			return r, fmt.Errorf("type: %w", err)
		}
		r.types = append(r.types, strings.ToLower(t))
	}
	for _, s := range c.Statuses {
		if s.First < 100 || s.Last > 599 || s.First > s.Last {
			return r, fmt.Errorf("status: %d-%d is not a range of status codes", s.First, s.Last)
		}
	}
	return r, nil
}

var errPath = errors.New("a pattern for paths begins with / or *")

// CheckPath accepts what can match a path.
func CheckPath(pattern string) error {
	if pattern == "" || pattern[0] != '/' && pattern[0] != '*' {
		return fmt.Errorf("%q: %w", pattern, errPath)
	}
	return nil
}

// CheckType accepts a media type, or one with * behind the slash.
func CheckType(text string) error {
	kind, sub, ok := strings.Cut(text, "/")
	if !ok || !token(kind) || !token(sub) || strings.Contains(kind, "*") || sub != "*" && strings.Contains(sub, "*") {
		return fmt.Errorf("%q is not a media type; write text/html or image/*", text)
	}
	return nil
}

// token tells whether s is one (RFC 9110 §5.6.2).
func token(s string) bool {
	return s != "" && strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789!#$%&'*+-.^_`|~") == ""
}

// Match is the place, from 0, of the first rule that matches; -1 if none does.
func (rs *Rules) Match(s Subject) int {
	if rs == nil {
		return -1
	}
	host, path := split(s.URL)
	media := essence(s.Type)
	for i := range rs.list {
		if rs.list[i].match(&s, host, path, media) {
			return i
		}
	}
	return -1
}

func (r *rule) match(s *Subject, host, path, media string) bool {
	return (r.to == nil || r.to.Has(host)) && (r.paths == nil || anyPath(r.paths, path)) &&
		(r.statuses == nil || anyStatus(r.statuses, s.Status)) && (r.types == nil || anyType(r.types, media)) &&
		(r.re == nil || r.re.MatchString(s.URL))
}

// split returns the host of a URL, without port, and its path without query.
func split(url string) (host, path string) {
	_, rest, _ := strings.Cut(url, "://")
	end := strings.IndexAny(rest, "/?")
	if end < 0 {
		end = len(rest)
	}
	host, path = rest[:end], rest[end:]
	if i := strings.LastIndexByte(host, ':'); i > strings.LastIndexByte(host, ']') {
		host = host[:i]
	}
	path, _, _ = strings.Cut(path, "?")
	return host, path
}

// essence is a media type without parameters.
func essence(value string) string {
	media, _, _ := strings.Cut(value, ";")
	return strings.Trim(media, " \t")
}

func anyPath(patterns []string, path string) bool {
	for _, p := range patterns {
		if glob(p, path) {
			return true
		}
	}
	return false
}

// glob tells whether a pattern matches all of s. What stands between two stars is looked for from left to right, which
// finds a match if there is one.
func glob(pattern, s string) bool {
	first, rest, star := strings.Cut(pattern, "*")
	s, ok := strings.CutPrefix(s, first)
	if !ok || !star {
		return ok && s == ""
	}
	for {
		part, more, star := strings.Cut(rest, "*")
		if !star {
			return strings.HasSuffix(s, part)
		}
		_, after, ok := strings.Cut(s, part)
		if !ok {
			return false
		}
		s, rest = after, more
	}
}

func anyType(types []string, media string) bool {
	for _, t := range types {
		kind, all := strings.CutSuffix(t, "*")
		if len(media) >= len(kind) && strings.EqualFold(media[:len(kind)], kind) && (all || len(media) == len(kind)) {
			return true
		}
	}
	return false
}

func anyStatus(ranges []StatusRange, status int) bool {
	for _, r := range ranges {
		if r.First <= status && status <= r.Last {
			return true
		}
	}
	return false
}
