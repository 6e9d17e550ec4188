// Package policy decides who may go where through Jay: ordered rules that allow, deny or report, on the client, the user,
// the destination, the port, the method, the way a request came and the time of day. The first rule that matches decides;
// a report rule lets pass what it matches, is remembered, and the rules behind it go on. What no rule decides, the default
// does, which has to be said.
//
//	p, err := policy.New(policy.Options{Rules: …, Default: policy.Deny})
//	d := p.Decide(policy.Question{Client: addr, Host: "example.com", Port: 443, Method: "CONNECT", Via: policy.Connect})
//
// # Names and addresses
//
// Conditions on names (example.com, .example.com, names in a list) are about the host that the client asked for. Conditions
// on addresses (192.0.2.0/24, addresses in a list) are about an address: that of a literal host, or the very one that is
// going to be dialled. When a client asks for a name, nobody knows that address yet. If the outcome depends on it, the
// [Decision] is pending: the request may go on as far as the dialling, where [Policy.CheckAddr] has to be asked about each
// address before it is connected to, before a connection to it is used again, and before a stored response that came from
// it is served. A name that is resolved once, checked and then dialled leaves no room for DNS rebinding.
//
// A condition on addresses also holds for the IPv6 forms of an IPv4 address: IPv4-mapped, NAT64 (RFC 6052 §2.1), 6to4 (RFC
// 3056) and IPv4-compatible.
//
// The package does no I/O but for reading list files in [New]. Asking takes no lock
// and allocates nothing, unless several report rules match.
package policy

import (
	"net/netip"
	"time"
)

// Action is what a rule does with what it matches.
type Action uint8

// The actions. There is none at zero, so that a forgotten one is found.
const (
	// Allow lets pass.
	Allow Action = iota + 1
	// Deny refuses.
	Deny
	// Report lets the rules behind it decide, and is remembered as what would have been refused.
	Report
)

// String is the word for the action in the configuration.
func (a Action) String() string {
	if int(a) >= len(actions) {
		return "unknown"
	}
	return actions[a]
}

var actions = [...]string{"none", "allow", "deny", "report"}

// Via is a set of ways in which a request comes to Jay.
type Via uint8

// The ways. A request from an intercepting listener is Intercept besides what else it is.
const (
	// HTTP is a request that Jay answers or forwards.
	HTTP Via = 1 << iota
	// Connect is a CONNECT tunnel.
	Connect
	// Upgrade is a request to change to another protocol, such as WebSocket.
	Upgrade
	// Intercept is what came from an intercepting listener: requests, and connections that are relayed untouched.
	Intercept
)

// PortRange is a range of ports, both ends included.
type PortRange struct{ First, Last uint16 }

// Rule is an action and the conditions for it. All conditions that are given must hold; one holds if any of its entries
// does. A rule without conditions matches everything.
type Rule struct {
	// Name is what refusals, log lines and Explain call the rule: letters, digits, "-", "_" and ".". It is unique and not
	// "default".
	Name string
	// Action is what happens to what the rule matches.
	Action Action
	// Clients are the client's addresses.
	Clients []netip.Prefix
	// Users are names of authenticated users, Groups names of Options.Groups; either may hold.
	Users, Groups []string
	// To are destinations: "example.com" is that name, ".example.com" that name and all below it, "192.0.2.1" and
	// "192.0.2.0/24" addresses. Lists are names of Options.Lists; either may hold.
	To, Lists []string
	// Ports are the destination's ports.
	Ports []PortRange
	// Methods are request methods, in their very spelling (RFC 9110 §9.1).
	Methods []string
	// Via are the ways in which the request came; zero means all.
	Via Via
	// Days are the days of the week, Hours the hours of the day; hours that pass midnight belong to the day they begin on.
	Days  []time.Weekday
	Hours []Hours
}

// Hours is a part of the day by the wall clock, from the first minute to before the second: {480, 1080} is 08:00 to
// 18:00. It passes midnight if To is not after From.
type Hours struct{ From, To int }

// Options is what a policy is made from. The zero value allows everything.
type Options struct {
	// Groups are names for sets of users.
	Groups map[string][]string
	// Lists are names for files with destinations, one on a line: a name, a name with a dot before it for all below it as
	// well, an address or a block of addresses, or a hosts file's line, whose address is ignored. "#" starts a comment.
	Lists map[string]string
	// Rules are asked in this order.
	Rules []Rule
	// Default decides when no rule does. It must be Allow or Deny, unless there are no rules: then zero means Allow.
	Default Action
	// Location is the time zone of Days and Hours; nil means the system's.
	Location *time.Location
}

// Question is a request that is to be decided about.
type Question struct {
	// Time is when it came.
	Time time.Time
	// Client is where it came from.
	Client netip.Addr
	// User is the authenticated user; empty without.
	User string
	// Via is how it came.
	Via Via
	// Method is the request's; empty for a connection that is relayed untouched.
	Method string
	// Host is the name or address that the client asked for, in any case, with or without a trailing dot; brackets are for
	// IPv6 addresses only.
	Host string
	// Port is the destination's.
	Port uint16
	// Addr is the destination's address where it is known; a literal Host need not be repeated.
	Addr netip.Addr
	// Unresolved says that nobody here will ever know the address: conditions on it do not hold, and nothing is pending.
	Unresolved bool
}

// Decision is the answer to a Question.
type Decision struct {
	// Allow is whether the request may go on.
	Allow bool
	// Pending says that the address decides, which the question did not tell: ask again with it. Allow is then true and
	// Rule is what will decide if no rule about addresses does.
	Pending bool
	// Rule is the rule that decided, or "default"; empty without a policy. It is "host" for a host that is not one.
	Rule string
	// Reported are the report rules that would have refused. The slice must not be changed.
	Reported []string
}

// Names of what decides besides rules.
const (
	ruleDefault = "default"
	ruleHost    = "host"
)

// Policy is a set of rules, which never changes. A nil Policy allows everything.
type Policy struct {
	rules *ruleset // nil: everything is allowed
}

// New makes a policy. Its error joins one error for each wrong rule, "rule NAME: …", and for each wrong list,
// "file:line: …".
func New(o Options) (*Policy, error) {
	rs, err := compile(&o)
	if err != nil {
		return nil, err
	}
	return &Policy{rs}, nil
}

// Active tells whether there is anything to be asked about: whether not everything is allowed anyway.
func (p *Policy) Active() bool { return p.ruleset() != nil }

// ruleset is what is in force; nil allows everything.
func (p *Policy) ruleset() *ruleset {
	if p == nil {
		return nil
	}
	return p.rules
}

// Decide answers a question about a request.
func (p *Policy) Decide(q Question) Decision {
	rs := p.ruleset()
	if rs == nil {
		return Decision{Allow: true}
	}
	s, ok := subjectOf(q, rs.location)
	if !ok {
		return Decision{Rule: ruleHost}
	}
	return rs.decide(&s)
}

// CheckAddr answers a question about an address that is going to be connected to.
func (p *Policy) CheckAddr(q Question, a netip.Addr) Decision {
	q.Addr = a
	return p.Decide(q)
}
