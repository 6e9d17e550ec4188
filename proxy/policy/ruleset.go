package policy

import (
	"errors"
	"fmt"
	"slices"
	"time"
)

// ruleset is a policy in the form in which it is asked. It is never written after it was made.
type ruleset struct {
	rules    []rule
	said     []Rule // the rules as they were written, for those who are to read them
	fallback Action
	location *time.Location
}

// decide finds the rule that decides. A rule that depends on an address that is not known yet leaves open what happens:
// only when it and all that may decide behind it say the same is that the answer.
func (rs *ruleset) decide(s *subject) Decision {
	var d Decision
	var open [Report + 1]bool // actions that a rule with an unknown address may turn out to take
	last, by := rs.fallback, ruleDefault
	for i := range rs.rules {
		r := &rs.rules[i]
		m, _ := r.match(s)
		if m == no {
			continue
		}
		if m == maybe {
			open[r.action] = true
			continue
		}
		if r.action != Report {
			last, by = r.action, r.name
			break
		}
		if d.Reported == nil {
			d.Reported = r.self
		} else {
			d.Reported = append(d.Reported[:len(d.Reported):len(d.Reported)], r.name)
		}
	}
	d.Rule = by
	d.Allow = last == Allow || open[Allow]
	d.Pending = d.Allow && (open[Allow] || open[Deny] || open[Report])
	return d
}

// compile makes a ruleset; nil if everything is allowed and nothing reported.
func compile(o *Options) (*ruleset, error) {
	if len(o.Rules) == 0 && o.Default == 0 {
		o.Default = Allow
	}
	rs := &ruleset{said: o.Rules, fallback: o.Default, location: o.Location}
	if rs.location == nil {
		rs.location = time.Local
	}
	var all []error
	if o.Default != Allow && o.Default != Deny {
		all = append(all, errors.New("policy: default is neither allow nor deny"))
	}
	lists, errs := readLists(o.Lists)
	all = append(all, errs...)
	seen := make(map[string]bool)
	for i := range o.Rules {
		r, err := compileRule(&o.Rules[i], o.Groups, lists)
		if err == nil && seen[r.name] {
			err = errors.New("there is another rule of that name")
		}
		if err != nil {
			all = append(all, fmt.Errorf("policy: rule %s: %w", o.Rules[i].Name, err))
		}
		seen[r.name] = true
		rs.rules = append(rs.rules, r)
	}
	if len(rs.rules) == 0 && o.Default == Allow && all == nil {
		return nil, nil
	}
	return rs, errors.Join(all...)
}

// readLists reads all list files, each once.
func readLists(files map[string]string) (map[string]*hosts, []error) {
	names := make([]string, 0, len(files))
	for name := range files {
		names = append(names, name)
	}
	slices.Sort(names)
	lists := make(map[string]*hosts, len(files))
	var errs []error
	for _, name := range names {
		h, err := readList(files[name])
		if err != nil {
			errs = append(errs, fmt.Errorf("policy: list %s: %w", name, err))
		}
		lists[name] = h
	}
	return lists, errs
}

// rule is a Rule in the form in which it is asked. Empty conditions hold.
type rule struct {
	name    string
	self    []string // the name alone
	action  Action
	via     Via
	ports   []PortRange
	methods []string
	clients *addrs
	users   map[string]struct{}
	times   times
	to      []*hosts
}

// compileRule makes the rule; its name is valid only without an error.
func compileRule(o *Rule, groups map[string][]string, lists map[string]*hosts) (rule, error) {
	r := rule{name: o.Name, self: []string{o.Name}, action: o.Action, via: o.Via, ports: o.Ports, methods: o.Methods}
	if !validRuleName(o.Name) {
		return r, fmt.Errorf("a rule's name is letters, digits, -, _ and ., and is not %s", ruleDefault)
	}
	if o.Action < Allow || o.Action > Report {
		return r, errors.New("the action is neither allow nor deny nor report")
	}
	for _, p := range o.Ports {
		if p.First == 0 || p.First > p.Last {
			return r, fmt.Errorf("%d-%d is not a range of ports", p.First, p.Last)
		}
	}
	if len(o.Clients) > 0 {
		r.clients = newAddrs(o.Clients)
	}
	var err error
	if r.users, err = people(o, groups); err != nil {
		return r, err
	}
	if r.times, err = newTimes(o.Days, o.Hours); err != nil {
		return r, err
	}
	r.to, err = destinations(o, lists)
	return r, err
}

// validRuleName tells whether a name can stand in a log line and a quoted string as it is.
func validRuleName(s string) bool {
	if s == "" || len(s) > 64 || s == ruleDefault {
		return false
	}
	for _, c := range []byte(s) {
		if !('a' <= c|0x20 && c|0x20 <= 'z' || '0' <= c && c <= '9' || c == '-' || c == '_' || c == '.') {
			return false
		}
	}
	return true
}

// people are the users that a rule names; nil if it names none.
func people(o *Rule, groups map[string][]string) (map[string]struct{}, error) {
	if len(o.Users)+len(o.Groups) == 0 {
		return nil, nil
	}
	all := make(map[string]struct{})
	for _, u := range o.Users {
		all[u] = struct{}{}
	}
	for _, g := range o.Groups {
		users, ok := groups[g]
		if !ok {
			return nil, fmt.Errorf("there is no group %q", g)
		}
		for _, u := range users {
			all[u] = struct{}{}
		}
	}
	return all, nil
}

// destinations are the sets that a rule's destination is looked up in; nil if it names none.
func destinations(o *Rule, lists map[string]*hosts) ([]*hosts, error) {
	var all []*hosts
	if len(o.To) > 0 {
		var b builder
		for _, entry := range o.To {
			if err := b.add([]byte(entry)); err != nil {
				return nil, fmt.Errorf("%q: %w", entry, err)
			}
		}
		h, err := b.hosts()
		if err != nil {
			return nil, err
		}
		all = append(all, h)
	}
	for _, name := range o.Lists {
		h, ok := lists[name]
		if !ok {
			return nil, fmt.Errorf("there is no list %q", name)
		}
		all = append(all, h)
	}
	return all, nil
}
