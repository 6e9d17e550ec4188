package policy_test

import (
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jayproxy/jay/proxy/policy"
)

func addr(s string) netip.Addr { return netip.MustParseAddr(s) }

func prefixes(list ...string) []netip.Prefix {
	var out []netip.Prefix
	for _, s := range list {
		out = append(out, netip.MustParsePrefix(s))
	}
	return out
}

// mustNew makes a policy.
func mustNew(t testing.TB, o policy.Options) *policy.Policy {
	t.Helper()
	p, err := policy.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// rules are one allow rule for everything that o says, and denial of the rest.
func only(o policy.Rule) policy.Options {
	o.Name, o.Action = "it", policy.Allow
	return policy.Options{Rules: []policy.Rule{o}, Default: policy.Deny, Groups: map[string][]string{"staff": {"anna", "ben"}}, Location: time.UTC}
}

// monday is a Monday noon.
var monday = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)

func TestConditions(t *testing.T) {
	get := policy.Question{Time: monday, Client: addr("10.0.0.7"), Via: policy.HTTP, Method: "GET", Host: "www.example.com", Port: 80}
	with := func(change func(*policy.Question)) policy.Question {
		q := get
		change(&q)
		return q
	}
	host := func(h string) policy.Question { return with(func(q *policy.Question) { q.Host = h }) }
	client := func(a string) policy.Question { return with(func(q *policy.Question) { q.Client = addr(a) }) }
	user := func(u string) policy.Question { return with(func(q *policy.Question) { q.User = u }) }
	at := func(day, hour, minute int) policy.Question {
		return with(func(q *policy.Question) { q.Time = time.Date(2026, 3, 1+day, hour, minute, 0, 0, time.UTC) })
	}
	via := func(v policy.Via) policy.Question { return with(func(q *policy.Question) { q.Via = v }) }
	tests := []struct {
		name     string
		rule     policy.Rule
		yes, not []policy.Question
	}{
		{"all", policy.Rule{}, []policy.Question{get}, nil},
		{"exact", policy.Rule{To: []string{"www.Example.com"}},
			[]policy.Question{get, host("WWW.EXAMPLE.COM"), host("www.example.com.")},
			[]policy.Question{host("example.com"), host("a.www.example.com"), host("www.example.com.evil"), host("wwwxexample.com"), host("192.0.2.1")}},
		{"suffix", policy.Rule{To: []string{".example.com"}},
			[]policy.Question{get, host("example.com"), host("example.com."), host("a.b.Example.Com")},
			[]policy.Question{host("badexample.com"), host("com"), host("example.org"), host("example.com.org")}},
		{"top level", policy.Rule{To: []string{".test"}}, []policy.Question{host("a.test"), host("test")}, []policy.Question{get}},
		{"address", policy.Rule{To: []string{"192.0.2.0/24", "2001:db8::1", "198.51.100.7"}},
			[]policy.Question{host("192.0.2.77"), host("[2001:db8::1]"), host("2001:DB8:0::1"), host("::ffff:192.0.2.1"), host("198.51.100.7."),
				host("64:ff9b::192.0.2.1"), host("2002:c000:0201::5"), host("::192.0.2.3"),
				with(func(q *policy.Question) { q.Addr = addr("192.0.2.8") }), with(func(q *policy.Question) { q.Addr = addr("::ffff:192.0.2.8") })},
			[]policy.Question{host("192.0.3.1"), host("2001:db8::2"), host("198.51.100.8"), host("64:ff9b::192.0.3.1"), with(func(q *policy.Question) { q.Addr = addr("192.0.3.8") })}},
		{"client", policy.Rule{Clients: prefixes("10.0.0.0/29", "fd00::/8")},
			[]policy.Question{get, client("::ffff:10.0.0.1"), client("fd12::1"), client("fd12::1%eth0")},
			[]policy.Question{client("10.0.0.8"), client("fe80::1"), with(func(q *policy.Question) { q.Client = netip.Addr{} })}},
		{"everyone", policy.Rule{Clients: prefixes("0.0.0.0/0", "::/0")}, []policy.Question{get, client("255.255.255.255"), client("ffff::")}, nil},
		{"user", policy.Rule{Users: []string{"carl"}, Groups: []string{"staff"}},
			[]policy.Question{user("anna"), user("carl")}, []policy.Question{get, user("dora"), user("Anna"), user("staff")}},
		{"port", policy.Rule{Ports: []policy.PortRange{{First: 80, Last: 80}, {First: 8000, Last: 8999}}},
			[]policy.Question{get, with(func(q *policy.Question) { q.Port = 8999 })}, []policy.Question{with(func(q *policy.Question) { q.Port = 81 })}},
		{"method", policy.Rule{Methods: []string{"GET", "HEAD"}},
			[]policy.Question{get}, []policy.Question{with(func(q *policy.Question) { q.Method = "get" }), with(func(q *policy.Question) { q.Method = "" })}},
		{"via", policy.Rule{Via: policy.HTTP | policy.Upgrade},
			[]policy.Question{get, via(policy.HTTP | policy.Intercept), via(policy.Upgrade)}, []policy.Question{via(policy.Connect), via(policy.Intercept)}},
		{"hours", policy.Rule{Days: []time.Weekday{time.Monday, time.Tuesday}, Hours: []policy.Hours{{From: 480, To: 720}, {From: 780, To: 1440}}},
			[]policy.Question{at(1, 8, 0), at(1, 11, 59), at(2, 13, 0), at(1, 23, 59)}, []policy.Question{at(1, 7, 59), at(1, 12, 0), at(3, 9, 0), at(0, 9, 0)}},
		{"past midnight", policy.Rule{Days: []time.Weekday{time.Saturday}, Hours: []policy.Hours{{From: 1320, To: 360}}},
			[]policy.Question{at(6, 22, 0), at(7, 5, 59), at(0, 0, 0)}, []policy.Question{at(6, 5, 0), at(7, 6, 0), at(7, 22, 0), at(6, 21, 59)}},
		{"days", policy.Rule{Days: []time.Weekday{time.Monday}}, []policy.Question{at(1, 0, 0), at(8, 23, 59)}, []policy.Question{at(2, 0, 0)}},
		{"until midnight", policy.Rule{Hours: []policy.Hours{{From: 1380, To: 0}}}, []policy.Question{at(3, 23, 30)}, []policy.Question{at(3, 0, 0)}},
		{"several", policy.Rule{To: []string{".example.com"}, Methods: []string{"GET"}}, []policy.Question{get},
			[]policy.Question{host("example.org"), with(func(q *policy.Question) { q.Method = "PUT" })}},
	}
	for _, tt := range tests {
		p := mustNew(t, only(tt.rule))
		for _, q := range tt.yes {
			if d := p.Decide(q); !d.Allow || d.Rule != "it" || d.Pending {
				t.Errorf("%s: Decide(%+v) = %+v; want it to match", tt.name, q, d)
			}
		}
		for _, q := range tt.not {
			if q.Addr == (netip.Addr{}) {
				q.Addr = addr("203.0.113.1")
				if a, err := netip.ParseAddr(strings.Trim(q.Host, "[]")); err == nil {
					q.Addr = a
				}
			}
			if d := p.Decide(q); d.Allow || d.Rule != "default" || d.Pending {
				t.Errorf("%s: Decide(%+v) = %+v; want it not to match", tt.name, q, d)
			}
		}
	}
}

// TestFirstMatch checks the order of rules, reports among them.
func TestFirstMatch(t *testing.T) {
	r := func(name string, a policy.Action, to ...string) policy.Rule {
		return policy.Rule{Name: name, Action: a, To: to}
	}
	rules := []policy.Rule{
		r("one", policy.Report, ".a.test"), r("two", policy.Allow, "x.a.test"), r("three", policy.Deny, ".a.test"),
		r("four", policy.Report, ".test"), r("five", policy.Report, "b.test"), r("six", policy.Allow, "b.test"),
	}
	p := mustNew(t, policy.Options{Rules: rules, Default: policy.Deny})
	tests := []struct {
		host     string
		allow    bool
		rule     string
		reported []string
	}{
		{"x.a.test", true, "two", []string{"one"}},
		{"y.a.test", false, "three", []string{"one"}},
		{"b.test", true, "six", []string{"four", "five"}},
		{"c.test", false, "default", []string{"four"}},
		{"c.example", false, "default", nil},
	}
	for _, tt := range tests {
		d := p.Decide(policy.Question{Host: tt.host})
		if d.Allow != tt.allow || d.Rule != tt.rule || !slices.Equal(d.Reported, tt.reported) || d.Pending {
			t.Errorf("Decide(%s) = %+v; want %v by %s, reported %v", tt.host, d, tt.allow, tt.rule, tt.reported)
		}
	}
}

// TestPending checks what is said about names whose address is not known, and that the address settles it.
func TestPending(t *testing.T) {
	const A, D, R = policy.Allow, policy.Deny, policy.Report
	lan := func(a policy.Action) policy.Rule {
		return policy.Rule{Name: "lan", Action: a, To: []string{"10.0.0.0/8"}}
	}
	name := func(a policy.Action) policy.Rule {
		return policy.Rule{Name: "name", Action: a, To: []string{"a.test"}}
	}
	type d = policy.Decision
	tests := []struct {
		rules           []policy.Rule
		fallback        policy.Action
		unknown, in, by d // without an address, with one in the LAN, with another one
	}{
		{[]policy.Rule{lan(D)}, A, d{Allow: true, Pending: true, Rule: "default"}, d{Rule: "lan"}, d{Allow: true, Rule: "default"}},
		{[]policy.Rule{lan(A)}, D, d{Allow: true, Pending: true, Rule: "default"}, d{Allow: true, Rule: "lan"}, d{Rule: "default"}},
		{[]policy.Rule{lan(D)}, D, d{Rule: "default"}, d{Rule: "lan"}, d{Rule: "default"}},
		{[]policy.Rule{lan(A)}, A, d{Allow: true, Pending: true, Rule: "default"}, d{Allow: true, Rule: "lan"}, d{Allow: true, Rule: "default"}},
		{[]policy.Rule{lan(R)}, A, d{Allow: true, Pending: true, Rule: "default"}, d{Allow: true, Rule: "default", Reported: []string{"lan"}}, d{Allow: true, Rule: "default"}},
		{[]policy.Rule{lan(R)}, D, d{Rule: "default"}, d{Rule: "default", Reported: []string{"lan"}}, d{Rule: "default"}},
		{[]policy.Rule{name(A), lan(D)}, A, d{Allow: true, Rule: "name"}, d{Allow: true, Rule: "name"}, d{Allow: true, Rule: "name"}},
		{[]policy.Rule{name(D), lan(A)}, A, d{Rule: "name"}, d{Rule: "name"}, d{Rule: "name"}},
		{[]policy.Rule{lan(D), name(A)}, D, d{Allow: true, Pending: true, Rule: "name"}, d{Rule: "lan"}, d{Allow: true, Rule: "name"}},
		{[]policy.Rule{lan(A), name(D)}, A, d{Allow: true, Pending: true, Rule: "name"}, d{Allow: true, Rule: "lan"}, d{Rule: "name"}},
	}
	for i, tt := range tests {
		p := mustNew(t, policy.Options{Rules: tt.rules, Default: tt.fallback})
		q := policy.Question{Host: "a.test"}
		check := func(what string, got, want d) {
			t.Helper()
			if got.Allow != want.Allow || got.Pending != want.Pending || got.Rule != want.Rule || !slices.Equal(got.Reported, want.Reported) {
				t.Errorf("%d, %s: %+v; want %+v", i, what, got, want)
			}
		}
		check("unknown", p.Decide(q), tt.unknown)
		check("in", p.CheckAddr(q, addr("10.1.2.3")), tt.in)
		check("mapped", p.CheckAddr(q, addr("::ffff:10.1.2.3")), tt.in)
		check("by", p.CheckAddr(q, addr("192.0.2.1")), tt.by)
	}
}

// TestHost_E3 checks that what is no host gets nowhere, whatever the rules.
func TestHost_E3(t *testing.T) {
	p := mustNew(t, policy.Options{Rules: []policy.Rule{{Name: "x", Action: policy.Deny, To: []string{".evil.test"}}}, Default: policy.Allow})
	for _, host := range []string{"", ".", "..", "a..test", "evil.test..", ".evil.test", "[evil.test]", "[evil.test", "evil.test]", "[10.0.0.1]",
		"[::1", "fe80::1%eth0", "[fe80::1%eth0]", "a b", "a/b", "a\x00", "é.test", "a@evil.test", strings.Repeat("a", 64) + ".test", strings.Repeat("a.", 127) + "a"} {
		if d := p.Decide(policy.Question{Host: host}); d.Allow || d.Rule != "host" {
			t.Errorf("Decide(%q) = %+v; want denied by host", host, d)
		}
	}
	for _, host := range []string{"evil.test", "EVIL.test.", "a.eVil.tesT"} {
		if d := p.Decide(policy.Question{Host: host}); d.Allow || d.Rule != "x" {
			t.Errorf("Decide(%q) = %+v; want denied by x", host, d)
		}
	}
}

func TestInactive(t *testing.T) {
	var none *policy.Policy
	for _, p := range []*policy.Policy{none, new(policy.Policy), mustNew(t, policy.Options{}), mustNew(t, policy.Options{Default: policy.Allow})} {
		if d := p.Decide(policy.Question{Host: "?"}); p.Active() || !d.Allow || d.Rule != "" {
			t.Errorf("Active() = %v, Decide() = %+v; want everything allowed", p.Active(), d)
		}
	}
	if !mustNew(t, policy.Options{Default: policy.Deny}).Active() {
		t.Error("a policy that denies everything is not active")
	}
}

func TestNewErrors(t *testing.T) {
	ok := policy.Rule{Name: "ok", Action: policy.Allow}
	with := func(change func(*policy.Rule)) policy.Options {
		r := ok
		change(&r)
		return policy.Options{Rules: []policy.Rule{r}, Default: policy.Deny}
	}
	tests := []struct {
		o    policy.Options
		want string
	}{
		{policy.Options{Rules: []policy.Rule{ok}}, "policy: default is neither allow nor deny"},
		{policy.Options{Default: policy.Report}, "policy: default is neither allow nor deny"},
		{policy.Options{Rules: []policy.Rule{ok, ok}, Default: policy.Deny}, "policy: rule ok: there is another rule of that name"},
		{with(func(r *policy.Rule) { r.Name = "default" }), "policy: rule default: a rule's name is letters, digits, -, _ and ., and is not default"},
		{with(func(r *policy.Rule) { r.Name = `a"b` }), `policy: rule a"b: a rule's name is letters, digits, -, _ and ., and is not default`},
		{with(func(r *policy.Rule) { r.Action = 0 }), "policy: rule ok: the action is neither allow nor deny nor report"},
		{with(func(r *policy.Rule) { r.Groups = []string{"x"} }), `policy: rule ok: there is no group "x"`},
		{with(func(r *policy.Rule) { r.Lists = []string{"x"} }), `policy: rule ok: there is no list "x"`},
		{with(func(r *policy.Rule) { r.Ports = []policy.PortRange{{First: 2, Last: 1}} }), `policy: rule ok: 2-1 is not a range of ports`},
		{with(func(r *policy.Rule) { r.Hours = []policy.Hours{{From: 60, To: 60}} }), `policy: rule ok: 01:00-01:00 is not a part of a day`},
		{with(func(r *policy.Rule) { r.Days = []time.Weekday{7} }), `policy: rule ok: there is no such day of the week`},
		{with(func(r *policy.Rule) { r.To = []string{"a b"} }), `policy: rule ok: "a b": neither a name nor an address`},
		{with(func(r *policy.Rule) { r.To = []string{""} }), `policy: rule ok: "": neither a name nor an address`},
		{with(func(r *policy.Rule) { r.To = []string{"*.example.com"} }), `policy: rule ok: "*.example.com": a name with all names below it is written with a dot in front of it, as in .example.com`},
		{with(func(r *policy.Rule) { r.To = []string{"10.1.0.0/8"} }), `policy: rule ok: "10.1.0.0/8": has bits set behind its prefix`},
		{with(func(r *policy.Rule) { r.To = []string{"a/8"} }), `policy: rule ok: "a/8": not a block of addresses; write 192.0.2.0/24`},
		{with(func(r *policy.Rule) { r.To = []string{"127.1"} }), `policy: rule ok: "127.1": neither a name nor an address`},
		{with(func(r *policy.Rule) { r.To = []string{"0x7f000001"} }), `policy: rule ok: "0x7f000001": neither a name nor an address`},
		{with(func(r *policy.Rule) { r.To = []string{"fe80::1%lo"} }), `policy: rule ok: "fe80::1%lo": neither a name nor an address`},
		{policy.Options{Lists: map[string]string{"l": "/does/not/exist"}}, "policy: list l: /does/not/exist: no such file or directory"},
	}
	for _, tt := range tests {
		_, err := policy.New(tt.o)
		if err == nil || err.Error() != tt.want {
			t.Errorf("New(%+v) = %v; want %s", tt.o, err, tt.want)
		}
	}
}

func TestExplain(t *testing.T) {
	p := mustNew(t, policy.Options{Default: policy.Deny, Rules: []policy.Rule{
		{Name: "a", Action: policy.Deny, Methods: []string{"PUT"}},
		{Name: "b", Action: policy.Deny, To: []string{"10.0.0.0/8"}},
		{Name: "c", Action: policy.Report},
		{Name: "d", Action: policy.Allow, To: []string{".test"}},
		{Name: "e", Action: policy.Deny},
	}})
	d, steps := p.Explain(policy.Question{Method: "GET", Host: "x.test"})
	want := []policy.Step{
		{Rule: "a", Action: policy.Deny, Matches: "no", Because: "method"},
		{Rule: "b", Action: policy.Deny, Matches: "unknown", Because: "to"},
		{Rule: "c", Action: policy.Report, Matches: "yes"},
		{Rule: "d", Action: policy.Allow, Matches: "yes"},
	}
	if !d.Allow || !d.Pending || d.Rule != "d" || !slices.Equal(steps, want) {
		t.Errorf("Explain = %+v, %+v; want d, %+v", d, steps, want)
	}
}

// TestConcurrent asks from several goroutines.
func TestConcurrent(t *testing.T) {
	p := mustNew(t, only(policy.Rule{To: []string{"a.test"}}))
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 2000 {
				if d := p.Decide(policy.Question{Host: "a.test"}); !d.Allow || d.Rule != "it" {
					t.Errorf("Decide = %+v", d)
				}
			}
		})
	}
	wg.Wait()
}
