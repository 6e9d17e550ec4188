package parent_test

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/jayproxy/jay/proxy/parent"
	"github.com/jayproxy/jay/proxy/policy"
)

// via is an HTTP parent.
func via(host string) parent.Spec { return parent.Spec{Kind: parent.HTTP, Host: host, Port: 3128} }

// names are the ways as texts.
func names(use []*parent.Parent) string {
	var all []string
	for _, p := range use {
		name := p.String()
		name = strings.TrimSuffix(strings.TrimPrefix(name, "http://"), ":3128")
		all = append(all, name)
	}
	return strings.Join(all, " ")
}

func newParents(t *testing.T, o parent.Options) *parent.Parents {
	t.Helper()
	ps, err := parent.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return ps
}

// office is a set of rules with one of each kind of condition.
func office() parent.Options {
	rule := func(match policy.Rule, use ...parent.Spec) parent.Rule { return parent.Rule{Match: match, Use: use} }
	return parent.Options{
		Rules: []parent.Rule{
			rule(policy.Rule{Name: "intranet", To: []string{".corp.example", "10.0.0.0/8", "2001:db8::/32"}}, parent.Spec{}),
			rule(policy.Rule{Name: "mail", Ports: []policy.PortRange{{First: 993, Last: 995}}}, via("mail")),
			rule(policy.Rule{Name: "sockets", Via: policy.Upgrade}, via("ws"), parent.Spec{}),
			rule(policy.Rule{Name: "guests", Clients: []netip.Prefix{netip.MustParsePrefix("192.168.7.0/24")}}, via("guests")),
			rule(policy.Rule{Name: "exact", To: []string{"one.example"}}, via("a"), via("b")),
		},
		Else: []parent.Spec{via("world"), via("spare"), via("world")},
	}
}

func TestChoose(t *testing.T) {
	ps := newParents(t, office())
	for _, tt := range []struct {
		q          policy.Question
		rule, want string
	}{
		{policy.Question{Host: "www.corp.example", Port: 80}, "intranet", "direct"},
		{policy.Question{Host: "CORP.example.", Port: 80}, "intranet", "direct"},
		{policy.Question{Host: "notcorp.example", Port: 80}, "parent", "world spare"},
		{policy.Question{Host: "10.1.2.3", Port: 80}, "intranet", "direct"},
		{policy.Question{Host: "[2001:db8::1]", Port: 80}, "intranet", "direct"},
		{policy.Question{Host: "11.1.2.3", Port: 80}, "parent", "world spare"},
		{policy.Question{Host: "x.example", Addr: netip.MustParseAddr("10.9.9.9"), Port: 80}, "intranet", "direct"},
		{policy.Question{Host: "x.example", Port: 80}, "parent", "world spare"}, // whatever its address
		{policy.Question{Host: "x.example", Port: 994}, "mail", "mail"},
		{policy.Question{Host: "x.example", Port: 80, Via: policy.Upgrade}, "sockets", "ws direct"},
		{policy.Question{Host: "x.example", Port: 80, Client: netip.MustParseAddr("192.168.7.9")}, "guests", "guests"},
		{policy.Question{Host: "one.example", Port: 80}, "exact", "a b"},
		{policy.Question{Host: "www.one.example", Port: 80}, "parent", "world spare"},
		{policy.Question{Host: "not a host", Port: 80}, "parent", "world spare"},
	} {
		c := ps.Choose(tt.q)
		if got := names(c.Use); got != tt.want || c.Rule != tt.rule {
			t.Errorf("%s:%d: got %q by %q; want %q by %q", tt.q.Host, tt.q.Port, got, c.Rule, tt.want, tt.rule)
		}
	}
	if n := len(ps.All()); n != 7 {
		t.Errorf("got %d parents; want 7: each of them once", n)
	}
}

// TestChoose_none: without any parent nothing is asked, and nothing but rules that lead past parents is none either.
func TestChoose_none(t *testing.T) {
	direct := parent.Options{Rules: []parent.Rule{{Match: policy.Rule{Name: "all"}, Use: []parent.Spec{{}}}}}
	for name, ps := range map[string]*parent.Parents{"nil": nil, "empty": newParents(t, parent.Options{}), "direct": newParents(t, direct)} {
		if c := ps.Choose(policy.Question{Host: "a.example"}); ps.Active() || names(c.Use) != "direct" || c.Rule != "" || ps.All() != nil {
			t.Errorf("%s: got %q by %q, active %v; want direct", name, names(c.Use), c.Rule, ps.Active())
		}
	}
}

// TestChoose_elseDirect: rules without anything behind them lead past parents.
func TestChoose_elseDirect(t *testing.T) {
	o := office()
	o.Else = nil
	if c := newParents(t, o).Choose(policy.Question{Host: "x.example"}); names(c.Use) != "direct" || c.Rule != "" {
		t.Errorf("got %q by %q; want direct", names(c.Use), c.Rule)
	}
}

func TestNew_errors(t *testing.T) {
	for _, tt := range []struct {
		o    parent.Options
		want string
	}{
		{parent.Options{Rules: []parent.Rule{{Match: policy.Rule{Name: "a"}}}}, "parent: rule a: says nothing to use"},
		{parent.Options{Rules: []parent.Rule{{Match: policy.Rule{Name: "a", To: []string{"*.x"}}, Use: []parent.Spec{via("p")}}}}, `parent: rule a: "*.x"`},
		{parent.Options{Else: []parent.Spec{{Kind: 9, Host: "h", Port: 1}}}, "parent: h:1 is of no known kind"},
		{parent.Options{Else: []parent.Spec{{Kind: parent.HTTP, Host: "h"}}}, "parent: h:0 has no host or no port"},
		{parent.Options{Else: []parent.Spec{{Kind: parent.HTTP, Host: "h", Port: 1, User: "u", Password: strings.Repeat("s", 256)}}}, "longer than 255 bytes"},
	} {
		if _, err := parent.New(tt.o); err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "sss") {
			t.Errorf("got %v; want %s", err, tt.want)
		}
	}
}

// TestInherit: a parent that stays is the same one, with its health; one with another login is another.
func TestInherit(t *testing.T) {
	before := newParents(t, parent.Options{Else: []parent.Spec{via("a"), via("b")}})
	now := time.Unix(1, 0)
	before.All()[0].Failed(now, now, "x")
	other := parent.Spec{Kind: parent.HTTP, Host: "b", Port: 3128, User: "u", Password: "p"}
	rule := parent.Rule{Match: policy.Rule{Name: "r", To: []string{"r.example"}}, Use: []parent.Spec{via("a"), {}}}
	after := newParents(t, parent.Options{Rules: []parent.Rule{rule}, Else: []parent.Spec{via("c"), via("a"), other}})
	after.Inherit(before)
	use := after.Choose(policy.Question{Host: "x.example"}).Use
	byRule := after.Choose(policy.Question{Host: "r.example"}).Use
	if names(use) != "c a b" || use[1] != before.All()[0] || byRule[0] != use[1] || byRule[1] != nil || use[2] == before.All()[1] || use[1].Status(now).Up {
		t.Errorf("got %q, %q; want the a that is down, and a b with another login", names(use), names(byRule))
	}
	if all := after.All(); len(all) != 3 || all[0] != use[1] {
		t.Errorf("got %q in all; want the same ones", names(all))
	}
	after.Inherit(nil)
	(*parent.Parents)(nil).Inherit(before)
	none := newParents(t, parent.Options{})
	none.Inherit(before)
	if c := none.Choose(policy.Question{}); names(c.Use) != "direct" {
		t.Errorf("got %q; want direct", names(c.Use))
	}
}

// TestSecrets: no way of printing shows a password.
func TestSecrets(t *testing.T) {
	ps := newParents(t, parent.Options{Else: []parent.Spec{{Kind: parent.HTTPS, Host: "h", Port: 1, User: "anna", Password: "geheim"}}})
	p := ps.All()[0]
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q"} {
		if got := fmt.Sprintf(verb, p); strings.Contains(got, "geheim") || strings.Contains(got, "anna") || strings.Contains(got, "Z2VoZWlt") {
			t.Errorf("%s prints %s", verb, got)
		}
	}
	if p.Authorization() != "Basic YW5uYTpnZWhlaW0=" {
		t.Errorf("got %q; want anna:geheim in Base64", p.Authorization())
	}
}

func BenchmarkChoose(b *testing.B) {
	ps, err := parent.New(office())
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	now := time.Now()
	for b.Loop() {
		_, _ = parent.Order(ps.Choose(policy.Question{Host: "www.example.com", Port: 443}).Use, now)
	}
}
