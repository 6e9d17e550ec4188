package policy_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jayproxy/jay/proxy/policy"
)

// TestWords checks what somebody reads about what they may do, and that nobody reads about others.
func TestWords(t *testing.T) {
	var many []string
	for i := range 15 {
		many = append(many, fmt.Sprintf("h%d.test", i))
	}
	rules := []policy.Rule{
		{Name: "sites", Action: policy.Deny, To: []string{".social.test", "games.test", "192.0.2.0/24"}},
		{Name: "tried", Action: policy.Report, To: []string{"tried.test"}},
		{Name: "boss", Action: policy.Allow, Users: []string{"carol"}},
		{Name: "staff", Action: policy.Allow, Groups: []string{"staff"}, To: []string{".wiki.test"}},
		{Name: "lab", Action: policy.Deny, Clients: prefixes("10.9.0.0/16"), To: []string{"lab.test"}},
		{Name: "cut", Action: policy.Deny, Via: policy.Intercept},
		{Name: "many", Action: policy.Deny, To: many},
		{Name: "times", Action: policy.Allow, Ports: []policy.PortRange{{First: 80, Last: 80}, {First: 8000, Last: 8099}}, Methods: []string{"GET", "HEAD"},
			Via: policy.HTTP | policy.Upgrade, Days: []time.Weekday{1, 2, 3, 5, 6, 0}, Hours: []policy.Hours{{From: 480, To: 750}}},
	}
	const (
		sites = "You may not reach social.test or any name below it, games.test or 192.0.2.0/24."
		lots  = "You may not reach h0.test, h1.test, h2.test, h3.test, h4.test, h5.test, h6.test, h7.test, h8.test, h9.test, h10.test, h11.test or 3 more."
		times = "You may reach everything, on port 80 or 8000 to 8099, by plain HTTP or by WebSocket, with GET or HEAD, on Monday to Wednesday and Friday to Sunday, at 08:00 to 12:30."
		rest  = "Everything else is refused."
	)
	tests := []struct {
		client, user string
		want         []string
	}{
		{"10.0.0.7", "", []string{sites, lots, times, rest}},
		{"::ffff:10.9.1.1", "", []string{sites, "You may not reach lab.test.", lots, times, rest}},
		{"10.0.0.7", "anna", []string{sites, "You may reach wiki.test and all names below it.", lots, times, rest}},
		{"10.0.0.7", "carol", []string{sites, "You may reach everything else."}},
	}
	p := mustNew(t, policy.Options{Rules: rules, Groups: map[string][]string{"staff": {"anna"}}, Default: policy.Deny})
	for _, tt := range tests {
		got := p.Words(addr(tt.client), tt.user)
		if !slices.Equal(got, tt.want) {
			t.Errorf("%s %q: got\n%s\nwant\n%s", tt.client, tt.user, strings.Join(got, "\n"), strings.Join(tt.want, "\n"))
		}
	}
	for _, tt := range []struct {
		o    policy.Options
		want []string
	}{
		{policy.Options{}, nil},
		{policy.Options{Default: policy.Deny}, []string{"Everything is refused."}},
		{policy.Options{Rules: []policy.Rule{{Name: "a", Action: policy.Deny}}, Default: policy.Allow}, []string{"You may not reach anything."}},
		{policy.Options{Rules: rules[:1], Default: policy.Allow}, []string{sites, "Everything else is allowed."}},
	} {
		if got := mustNew(t, tt.o).Words(addr("10.0.0.7"), ""); !slices.Equal(got, tt.want) {
			t.Errorf("%+v: got %q; want %q", tt.o, got, tt.want)
		}
	}
}
