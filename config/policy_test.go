package config_test

import (
	"bytes"
	"net/netip"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/jayproxy/jay/config"
)

// office is a section with everything in it.
const office = `policy:
  default: deny
  groups:
    staff: [anna, "ben"]
    guests: carl, dora
  lists:
    ads: /etc/jay/ads.txt
  rules:
    - name: no-ads
      action: deny
      list: ads
    - name: Social_1.x
      action: report
      to: [.social.test, video.test, 192.0.2.0/24, '2001:db8::1', "[2001:db8::2]", 198.51.100.7]
      days: mon-fri
      time: [08:00-12:00, 13:00-24:00]
    - {name: night, action: allow, client: [10.0.0.0/8, 192.0.2.7], days: [sat-mon, wed], time: 22:00-06:00}
    - name: staff
      action: allow
      group: [staff, guests]
      user: erna
      port: 80, 443, 8000-8999
      method: [GET, HEAD, propfind]
      via: [connect, http, upgrade, intercept]
`

// officePolicy is what office says.
func officePolicy() *config.Policy {
	p := netip.MustParsePrefix
	return &config.Policy{
		Default: "deny",
		Groups:  []config.PolicyGroup{{Name: "staff", Users: []string{"anna", "ben"}}, {Name: "guests", Users: []string{"carl", "dora"}}},
		Lists:   []config.PolicyList{{Name: "ads", File: "/etc/jay/ads.txt"}},
		Rules: []config.PolicyRule{
			{Name: "no-ads", Action: "deny", Lists: []string{"ads"}},
			{Name: "Social_1.x", Action: "report", To: []string{".social.test", "video.test", "192.0.2.0/24", "2001:db8::1", "[2001:db8::2]", "198.51.100.7"},
				Days: []time.Weekday{1, 2, 3, 4, 5}, Hours: []config.Hours{{From: 480, To: 720}, {From: 780, To: 1440}}},
			{Name: "night", Action: "allow", Clients: []netip.Prefix{p("10.0.0.0/8"), p("192.0.2.7/32")},
				Days: []time.Weekday{6, 0, 1, 3}, Hours: []config.Hours{{From: 1320, To: 360}}},
			{Name: "staff", Action: "allow", Groups: []string{"staff", "guests"}, Users: []string{"erna"},
				Ports:   []config.PortRange{{First: 80, Last: 80}, {First: 443, Last: 443}, {First: 8000, Last: 8999}},
				Methods: []string{"GET", "HEAD", "propfind"}, Via: []string{"connect", "http", "upgrade", "intercept"}},
		},
	}
}

func TestLoadPolicy(t *testing.T) {
	c := config.Default()
	if err := config.Load(&c, "f", []byte("log-level: warn\n"+office+"auth-file: users\n")); err != nil {
		t.Fatal(err)
	}
	if want := officePolicy(); !reflect.DeepEqual(c.Policy, want) {
		t.Errorf("policy %+v; want %+v", c.Policy, want)
	}
	if err := c.Validate(); err != nil || c.LogLevel != "warn" || c.AuthFile != "users" {
		t.Errorf("Validate() = %v, log level %s, auth file %s", err, c.LogLevel, c.AuthFile)
	}
	c.AuthFile = ""
	want := "policy: rule staff is about users, but without auth-file nobody says who they are"
	if err := c.Validate(); err == nil || err.Error() != want {
		t.Errorf("Validate() without auth-file = %v; want %s", err, want)
	}
}

func TestPrintPolicy(t *testing.T) {
	for _, text := range []string{office, "policy: {default: allow}\n", "policy: {default: deny, groups: {'1': ['true', a b, 'c,d']}, lists: {no: ~/x}}\n"} {
		c := config.Default()
		if err := config.Load(&c, "f", []byte(text)); err != nil {
			t.Fatal(err)
		}
		var b bytes.Buffer
		if err := config.Print(&b, &c); err != nil {
			t.Fatal(err)
		}
		var back config.Config
		if err := config.Load(&back, "f", b.Bytes()); err != nil || !reflect.DeepEqual(back, c) {
			t.Errorf("Load(Print(c)) = %v, %+v; want %+v from\n%s", err, back.Policy, c.Policy, b.Bytes())
		}
	}
}

func TestPolicyErrors(t *testing.T) {
	rule := func(lines string) string {
		return "policy:\n  default: deny\n  rules:\n    - name: x\n      action: deny\n" + lines
	}
	tests := []struct{ name, file, want string }{
		{"no default", "policy:\n  rules: []\n", `f:2: policy: default is missing; say what happens when no rule decides: allow or deny`},
		{"report as default", "policy:\n  default: report\n", `f:2: default: "report" is not one of allow, deny`},
		{"nothing", "policy:\n", `f:1: policy: wants lines of the form name: value`},
		{"a list", "policy: [a]\n", `f:1: policy: wants lines of the form name: value`},
		{"unknown key", "policy:\n  defualt: deny\n", `f:2: policy: unknown key "defualt"; did you mean default?`},
		{"twice", "policy:\n  default: deny\npolicy:\n  default: allow\n", `f:3: policy is already set on line 1`},
		{"default twice", "policy:\n  default: deny\n  default: allow\n", `f:3: policy: default is already on line 2`},
		{"alias", "policy:\n  default: &a deny\n", `f:2: anchors are not supported`},
		{"tag", "policy: !!map\n  default: deny\n", `f:1: tags are not supported`},
		{"rules no list", "policy:\n  default: deny\n  rules: {a: b}\n", `f:3: rules: wants a list of rules, each with a hyphen in front`},
		{"rule no mapping", "policy:\n  default: deny\n  rules:\n    - deny\n", `f:4: rule: wants lines of the form name: value`},
		{"no name", "policy:\n  default: deny\n  rules:\n    - action: deny\n", `f:4: rule: name is missing; refusals and log lines give it`},
		{"no action", "policy:\n  default: deny\n  rules:\n    - name: x\n", `f:4: rule x: action is missing: allow, deny or report`},
		{"bad action", "policy:\n  default: deny\n  rules:\n    - {name: x, action: block}\n", `f:4: action: "block" is not one of allow, deny, report`},
		{"bad name", "policy:\n  default: deny\n  rules:\n    - {name: a b, action: deny}\n", `f:4: name: "a b" is not a name for this; use up to 64 letters, digits, -, _ and ., but not default`},
		{"name default", "policy:\n  default: deny\n  rules:\n    - {name: default, action: deny}\n", `f:4: name: "default" is not a name for this; use up to 64 letters, digits, -, _ and ., but not default`},
		{"name twice", rule("    - name: x\n      action: allow\n"), `f:6: rule x: there is one of that name on line 4`},
		{"unknown condition", rule("      dest: a.test\n"), `f:6: rule: unknown key "dest"`},
		{"no list", rule("      list: ads\n"), `f:6: there is no list "ads"`},
		{"no group", rule("      group: [stuff]\n  groups:\n    staff: a\n"), `f:6: there is no group "stuff"; did you mean staff?`},
		{"empty", rule("      to: []\n"), `f:6: to: is empty; leave the line out`},
		{"empty text", rule("      to: ''\n"), `f:6: to: is empty; leave the line out`},
		{"null", rule("      to:\n"), `f:6: to: wants a value`},
		{"null item", rule("      to:\n      - a.test\n      -\n"), `f:8: to: wants a value`},
		{"mapping", rule("      to: {a: b}\n"), `f:6: to: wants a value`},
		{"nested", rule("      to: [[a.test]]\n"), `f:6: to: wants a value`},
		{"client", rule("      client: 10.0.0.1/8\n"), `f:6: client: "10.0.0.1/8" has bits set behind its prefix; 10.0.0.0/8 is the block`},
		{"client name", rule("      client: [a.test]\n"), `f:6: client: "a.test" is not an address or a block of addresses; write 192.0.2.7 or 10.0.0.0/8`},
		{"to url", rule("      to: http://a.test/\n"), `f:6: to: "http://a.test/" is not an address or a block of addresses; write 192.0.2.7 or 10.0.0.0/8`},
		{"to wildcard", rule("      to: '*.a.test'\n"), `f:6: to: "*.a.test": a name with all names below it is written with a dot in front, as in .example.com`},
		{"to odd numeral", rule("      to: '127.1'\n"), `f:6: to: "127.1" is not a name, an address or a block of addresses; write example.com, .example.com or 192.0.2.0/24`},
		{"to bracket", rule("      to: '[a.test]'\n"), `f:6: to: "[a.test]" is not a name, an address or a block of addresses; write example.com, .example.com or 192.0.2.0/24`},
		{"to not ASCII", rule("      to: é.test\n"), `f:6: to: "é.test" is not a name, an address or a block of addresses; write example.com, .example.com or 192.0.2.0/24`},
		{"port", rule("      port: [443, 0]\n"), `f:6: port: "0" is not a port or a range of ports; write 443 or 1025-65535`},
		{"method", rule("      method: get\n"), `f:6: method: "get" is never sent; write GET`},
		{"method token", rule("      method: 'GET POST'\n"), `f:6: method: "GET POST" holds a character that a token cannot have`},
		{"via", rule("      via: https\n"), `f:6: via: "https" is not one of http, connect, upgrade, intercept`},
		{"days", rule("      days: workdays\n"), `f:6: days: "workdays" is not a day or a range of days; write mon or mon-fri`},
		{"time", rule("      time: 8-18\n"), `f:6: time: "8-18" is not a part of a day; write 08:00-18:00`},
		{"time empty", rule("      time: 08:00-08:00\n"), `f:6: time: "08:00-08:00" is not a part of a day; write 08:00-18:00`},
		{"time late", rule("      time: 20:00-24:01\n"), `f:6: time: "20:00-24:01" is not a part of a day; write 08:00-18:00`},
		{"user", rule("      user: 'a:b'\n"), `f:6: user: "a:b" holds a colon, which no user's name does`},
		{"group users", "policy:\n  default: deny\n  groups: {a: {b: c}}\n", `f:3: a: wants a value`},
		{"list file", "policy:\n  default: deny\n  lists: {a: [b]}\n", `f:3: a: wants a value`},
		{"several", "policy:\n  default: maybe\n  rules:\n    - {name: x, action: y}\nlisten: 1\n",
			"f:2: default: \"maybe\" is not one of allow, deny\nf:4: action: \"y\" is not one of allow, deny, report\nf:5: listen: \"1\" has no port; write host:port or :port"},
		{"section name", "polcy:\n  default: deny\n", `f:1: unknown option "polcy"; did you mean policy?`},
	}
	for _, tt := range tests {
		c := config.Default()
		err := config.Load(&c, "f", []byte(tt.file))
		if err == nil || err.Error() != tt.want {
			t.Errorf("%s: Load = %v; want %s", tt.name, err, tt.want)
		}
		if c.Policy != nil && tt.name != "twice" {
			t.Errorf("%s: Load left a policy", tt.name)
		}
	}
}

// TestReadmePolicy checks that the README's example is one.
func TestReadmePolicy(t *testing.T) {
	readme, err := os.ReadFile("../README.md")
	if os.IsNotExist(err) {
		return // a tree without its manual
	}
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(readme), "```yaml\npolicy:")
	example, _, ok := strings.Cut(rest, "```")
	c := config.Default()
	c.AuthFile = "users"
	if err := config.Load(&c, "README.md", []byte("policy:"+example)); !ok || err != nil || c.Policy == nil || c.Validate() != nil {
		t.Errorf("the policy in README.md: %v, %v", err, c.Validate())
	}
}

func TestParseHours(t *testing.T) {
	for text, want := range map[string]string{"8:00-18:00": "08:00-18:00", "22:00 - 06:30": "22:00-06:30", "00:00-24:00": "00:00-24:00"} {
		if h, err := config.ParseHours(text); err != nil || h.String() != want {
			t.Errorf("ParseHours(%q) = %v, %v; want %s", text, h, err, want)
		}
	}
	for _, text := range []string{"", "-", "8-9", "08:0-09:00", "24:00-01:00", "08:60-09:00", "-8:00-09:00", "008:00-09:00", "08:00"} {
		if h, err := config.ParseHours(text); err == nil {
			t.Errorf("ParseHours(%q) = %v; want an error", text, h)
		}
	}
}

// FuzzPolicy checks that a file with a policy that is accepted means the same when it is printed and read again.
func FuzzPolicy(f *testing.F) {
	f.Add(office)
	f.Add("policy:\n  default: allow\n  rules:\n    - {name: a, action: deny, to: [a.test], time: 1:00-2:00}\n")
	f.Add("policy: {default: deny, groups: {a: [b, 'c,d']}, rules: [{name: x, action: report, group: a, days: fri-tue}]}")
	f.Add("policy: &a\n  default: *a\n")
	f.Add("policy:\n  default: deny\n  rules:\n  - \n")
	f.Fuzz(func(t *testing.T, text string) {
		c := config.Default()
		if err := config.Load(&c, "f", []byte(text)); err != nil {
			for line := range strings.Lines(err.Error()) {
				if !strings.HasPrefix(line, "f:") {
					return // a value of several lines in a message
				}
			}
			return
		}
		var b bytes.Buffer
		if err := config.Print(&b, &c); err != nil {
			t.Fatal(err)
		}
		var back config.Config
		if err := config.Load(&back, "f", b.Bytes()); err != nil || !reflect.DeepEqual(back.Policy, c.Policy) {
			t.Errorf("Load(Print(c)) = %v, %+v; want %+v", err, back.Policy, c.Policy)
		}
	})
}
