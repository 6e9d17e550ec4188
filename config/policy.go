package config

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The words for what a rule does, and for what is done when no rule decides; PolicyReport is for rules only.
const (
	PolicyAllow  = "allow"
	PolicyDeny   = "deny"
	PolicyReport = "report"
)

// Policy is the section "policy" of the file: rules about who may go where, of which the first that matches decides.
type Policy struct {
	Default string        // PolicyAllow or PolicyDeny
	Groups  []PolicyGroup // names for sets of users
	Lists   []PolicyList  // names for files with destinations
	Rules   []PolicyRule  // in the order in which they are asked
}

// PolicyGroup is a name for a set of users.
type PolicyGroup struct {
	Name  string
	Users []string
}

// PolicyList is a name for a file with destinations, one on a line.
type PolicyList struct{ Name, File string }

// PolicyRule is a rule and its conditions. All that are given must hold; one holds if any of its entries does, and Users
// and Groups are one condition, as are To and Lists. Nil means that there is no such condition.
type PolicyRule struct {
	Name    string
	Action  string         // PolicyAllow, PolicyDeny or PolicyReport
	Clients []netip.Prefix // addresses of clients
	Users   []string
	Groups  []string
	To      []string // destinations: example.com, .example.com for all below it as well, 192.0.2.1 or 192.0.2.0/24
	Lists   []string
	Ports   []PortRange // ports of destinations
	Methods []string
	Via     []string       // http, connect, upgrade or intercept
	Days    []time.Weekday // when, by the local clock
	Hours   []Hours
}

// Hours is a part of the day from one time, in minutes since midnight, to before another; it passes midnight if To is not
// after From. Its text is "08:00-18:00".
type Hours struct{ From, To int }

// String returns the text that [ParseHours] reads.
func (h Hours) String() string {
	return fmt.Sprintf("%02d:%02d-%02d:%02d", h.From/60, h.From%60, h.To/60, h.To%60)
}

// ParseHours reads a part of a day such as "08:00-18:00" or "22:00-06:00". An end may be 24:00.
func ParseHours(text string) (Hours, error) {
	from, to, ok := strings.Cut(text, "-")
	a, errA := minuteOf(from)
	b, errB := minuteOf(to)
	if !ok || errA != nil || errB != nil || a == b || a == 24*60 {
		return Hours{}, fmt.Errorf("%q is not a part of a day; write 08:00-18:00", text)
	}
	return Hours{a, b}, nil
}

// minuteOf reads hours and minutes.
func minuteOf(text string) (int, error) {
	hours, minutes, _ := strings.Cut(strings.TrimSpace(text), ":")
	h, errH := strconv.ParseUint(hours, 10, 8)
	m, errM := strconv.ParseUint(minutes, 10, 8)
	if errH != nil || errM != nil || len(minutes) != 2 || len(hours) > 2 || m > 59 || h*60+m > 24*60 {
		return 0, errors.New("not a time of day")
	}
	return int(h*60 + m), nil
}

// parseDays reads a day of the week, or two with a hyphen between them for the days from the one to the other.
func parseDays(text string) ([]time.Weekday, error) {
	first, last, ranged := strings.Cut(strings.ToLower(text), "-")
	if !ranged {
		last = first
	}
	a, b := slices.Index(dayNames, first), slices.Index(dayNames, last)
	if a < 0 || b < 0 {
		return nil, fmt.Errorf("%q is not a day or a range of days; write mon or mon-fri", text)
	}
	days := []time.Weekday{time.Weekday(a)}
	for a != b {
		a = (a + 1) % 7
		days = append(days, time.Weekday(a))
	}
	return days, nil
}

var dayNames = []string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}

// checkDestination accepts a name, a name with a dot in front, an address and a block of addresses.
func checkDestination(text string) error {
	if strings.Contains(text, "/") {
		_, err := parsePrefix(text)
		return err
	}
	name := strings.ToLower(strings.TrimSuffix(text, "."))
	if inner, ok := strings.CutPrefix(name, "["); ok {
		a, err := netip.ParseAddr(strings.TrimSuffix(inner, "]"))
		if err == nil && a.Is6() && a.Zone() == "" && inner != name && strings.HasSuffix(inner, "]") {
			return nil
		}
	}
	if a, err := netip.ParseAddr(name); err == nil && a.Zone() == "" {
		return nil
	}
	if strings.HasPrefix(name, "*") {
		return fmt.Errorf("%q: a name with all names below it is written with a dot in front, as in .example.com", text)
	}
	if !isName(strings.TrimPrefix(name, ".")) {
		return fmt.Errorf("%q is not a name, an address or a block of addresses; write example.com, .example.com or 192.0.2.0/24", text)
	}
	return nil
}

// isName accepts a lower-case host name whose last label is not a number.
func isName(name string) bool {
	labels := strings.Split(name, ".")
	for _, label := range labels {
		if label == "" || len(label) > 63 || strings.Trim(label, "abcdefghijklmnopqrstuvwxyz0123456789-_") != "" {
			return false
		}
	}
	last := labels[len(labels)-1]
	number := strings.Trim(last, "0123456789") == "" || strings.HasPrefix(last, "0x") && strings.Trim(last[2:], "0123456789abcdef") == ""
	return len(name) <= 253 && !number
}

// checkRuleName accepts what can stand in log lines and header fields as it is.
func checkRuleName(text string) error {
	if text == "" || len(text) > 64 || strings.Trim(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.") != "" || text == "default" {
		return fmt.Errorf("%q is not a name for this; use up to 64 letters, digits, -, _ and ., but not default", text)
	}
	return nil
}

// checkMethod accepts a token that is not a known method in small letters, which would never match.
func checkMethod(text string) error {
	upper := strings.ToUpper(text)
	if text != upper && slices.Contains(methods, upper) {
		return fmt.Errorf("%q is never sent; write %s", text, upper)
	}
	return checkToken(text)
}

var methods = []string{"GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"}

// checkPerson accepts a user's name.
func checkPerson(text string) error {
	if strings.Contains(text, ":") {
		return fmt.Errorf("%q holds a colon, which no user's name does", text)
	}
	return checkFilled(text)
}

// checkRealm accepts what can stand in a header field.
func checkRealm(text string) error {
	if strings.ContainsFunc(text, func(r rune) bool { return r >= 0x7f }) {
		return fmt.Errorf("%q holds a character that is not ASCII", text)
	}
	return checkFilled(text)
}

// namesPeople reports whether the rule is about users.
func (r *PolicyRule) namesPeople() bool { return len(r.Users)+len(r.Groups) > 0 }

// policyConflicts finds rules that cannot do what they say.
func (c *Config) policyConflicts() []error {
	if c.Policy == nil || c.AuthFile != "" {
		return nil
	}
	if i := slices.IndexFunc(c.Policy.Rules, func(r PolicyRule) bool { return r.namesPeople() }); i >= 0 {
		return []error{fmt.Errorf("policy: rule %s is about users, but without auth-file nobody says who they are", c.Policy.Rules[i].Name)}
	}
	return nil
}

// authOptions are about who asks.
func authOptions() []Option {
	return []Option{{
		Name: "auth-file", Arg: "FILE", Category: catReach,
		Help:  "htpasswd file with bcrypt hashes (htpasswd -B); when given, clients of listen addresses must log in (407)",
		field: func(c *Config) any { return &c.AuthFile },
	}, {
		Name: "auth-realm", Arg: "TEXT", Default: "Jay", Category: catReach, check: checkRealm,
		Help:  "what people are told they log in to",
		field: func(c *Config) any { return &c.AuthRealm },
	}}
}
