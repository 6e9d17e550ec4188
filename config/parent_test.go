package config_test

import (
	"bytes"
	"fmt"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/jayproxy/jay/config"
)

func TestParseParent(t *testing.T) {
	for text, want := range map[string]config.ParentURL{
		"direct":                             {},
		"http://proxy.example:3128":          {Scheme: "http", Host: "proxy.example", Port: 3128},
		"http://Proxy.Example.:3128/":        {Scheme: "http", Host: "proxy.example", Port: 3128},
		"https://anna:ge%40heim@[::1]:8443":  {Scheme: "https", Host: "::1", Port: 8443, User: "anna", Password: "ge@heim"},
		"socks5://anna@192.0.2.1:1080":       {Scheme: "socks5", Host: "192.0.2.1", Port: 1080, User: "anna"},
		"socks5h://gate:1":                   {Scheme: "socks5", Host: "gate", Port: 1},
		"http://anna:a:b@proxy.example:3128": {Scheme: "http", Host: "proxy.example", Port: 3128, User: "anna", Password: "a:b"},
	} {
		if got, err := config.ParseParent(text); got != want || err != nil {
			t.Errorf("%s: got %+v, %v; want %+v", text, got, err, want)
		}
	}
}

func TestParseParent_refuses(t *testing.T) {
	for _, text := range []string{
		"", "proxy.example:3128", "http://", "http://proxy.example", "http://proxy.example:0", "http://proxy.example:70000", "ftp://h:1", "socks4://h:1",
		"http://h:1/path", "http://h:1?q", "http://h:1#f", "http://a b:1", "http://127.1:1", "http://-:x", "http://:geheim@h:1", "http://anna:geheim@h",
		"http://an:na:geheim@h:x", "http://anna:%zzgeheim@h:1", "http://anna:ge/heim@h:1", "http://anna%3Ab:geheim@h:1", "http://anna:***@h:1",
		"http://anna:geheim@", "anna:geheim@h:1", "http://anna:" + strings.Repeat("geheim", 50) + "@h:1", "DIRECT",
	} {
		_, err := config.ParseParent(text)
		if err == nil || strings.Contains(err.Error(), "geheim") || strings.Contains(err.Error(), "heim@") {
			t.Errorf("%q: got %v; want an error without the password", text, err)
		}
	}
}

const ways = `parents:
  - {name: intranet, to: [.corp.example, 10.0.0.0/8], use: direct}
  - to: .lab.example
    use: socks5://gate.example:1080
  - name: rest
    client: 192.168.0.0/16
    user: anna
    port: 443, 8443
    via: connect
    method: CONNECT
    days: mon
    time: 08:00-12:00
    use: ["http://anna:geheim@a.example:3128", https://b.example:3129, direct]
`

func TestLoadParents(t *testing.T) {
	c := config.Default()
	if err := config.Load(&c, "f", []byte(ways+"auth-file: users\nparent: http://x.example:1, direct\n")); err != nil {
		t.Fatal(err)
	}
	want := []config.ParentRule{
		{Match: config.PolicyRule{Name: "intranet", To: []string{".corp.example", "10.0.0.0/8"}}, Use: []string{"direct"}},
		{Match: config.PolicyRule{Name: "parents-2", To: []string{".lab.example"}}, Use: []string{"socks5://gate.example:1080"}},
		{Match: config.PolicyRule{
			Name: "rest", Clients: []netip.Prefix{netip.MustParsePrefix("192.168.0.0/16")}, Users: []string{"anna"},
			Ports: []config.PortRange{{First: 443, Last: 443}, {First: 8443, Last: 8443}}, Via: []string{"connect"}, Methods: []string{"CONNECT"},
			Days: []time.Weekday{1}, Hours: []config.Hours{{From: 480, To: 720}},
		}, Use: []string{"http://anna:geheim@a.example:3128", "https://b.example:3129", "direct"}},
	}
	if !reflect.DeepEqual(c.Parents, want) {
		t.Errorf("got %+v; want %+v", c.Parents, want)
	}
	if err := c.Validate(); err != nil {
		t.Errorf("Validate() = %v", err)
	}
	c.AuthFile = ""
	if err := c.Validate(); err == nil || err.Error() != "parents: rule rest is about users, but without auth-file nobody says who they are" {
		t.Errorf("Validate() without auth-file = %v", err)
	}
}

func TestLoadParents_refuses(t *testing.T) {
	for text, want := range map[string]string{
		"parents: x":                                                              "f:1: parents: wants a list of rules, each with a hyphen in front",
		"parents: {name: a}":                                                      "f:1: parents: wants a list of rules, each with a hyphen in front",
		"parents:\n  - a":                                                         "f:2: rule: wants lines of the form name: value",
		"parents:\n  - name: a":                                                   "f:2: rule: use is missing; say which proxies to use, or direct",
		"parents:\n  - use: []":                                                   "f:2: use: is empty; leave the line out",
		"parents:\n  - {use: direct, a: 1}":                                       `f:2: rule: unknown key "a"`,
		"parents:\n  - {use: direct, group: staff}":                               "unknown key \"group\"",
		"parents:\n  - use: direct\n    to: '*.x'":                                "f:3: to: ",
		"parents:\n  - use: [direct,\n      \"http://u:geheim@h\"]":               "f:3: use: \"http://u:***@h\" has no port; write http://h:3128",
		"parents:\n  - {name: a, use: direct}\n  - {name: a, use: direct}":        "f:3: rule a: there is one of that name on line 2",
		"parents: []\nparents: []":                                                "f:2: parents is already set on line 1",
		"parent: [http://h:1,\n  \"http://u:geheim@h:1/x\"]":                      "f:2: parent: \"http://u:***@h:1/x\" is not the URL of a proxy",
		"parent: http://127.0.0.1:3128":                                           "parent: http://127.0.0.1:3128 is Jay itself, which listens on 127.0.0.1:3128",
		"parent: http://localhost:3128":                                           "parent: http://localhost:3128 is Jay itself",
		"parents:\n  - {name: a, use: \"http://u:geheim@[::1]:8\"}\nlisten: ':8'": "parents: rule a: http://u:***@[::1]:8 is Jay itself",
		"source-address: 192.0.2.1, 192.0.2.2":                                    "source-address: 192.0.2.2 is the second address of its family",
		"source-address: '::'":                                                    `f:1: source-address: "::" is not an address of this machine`,
		"parents:\n  - {use: direct, port: 0}":                                    "f:2: port: ",
		"parents:\n  - {use: &a direct}":                                          "f:2: anchors are not supported",
		"parents:\n  - {use: [\"http://proxy.example:3128\"], name: default}":     "f:2: name: ",
	} {
		c := config.Default()
		err := config.Load(&c, "f", []byte(text))
		if err == nil {
			err = c.Validate()
		}
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "geheim") {
			t.Errorf("%q: got %v; want %s", text, err, want)
		}
	}
}

// TestParent_secrets: no way of showing the settings shows a password, and stars are not taken for one.
func TestParent_secrets(t *testing.T) {
	c := config.Default()
	if err := config.Load(&c, "f", []byte(ways+"auth-file: users\nparent: http://ben:geheim@x.example:1\n")); err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := config.Print(&b, &c); err != nil {
		t.Fatal(err)
	}
	if s := b.String(); strings.Contains(s, "geheim") || strings.Count(s, ":***@") != 2 {
		t.Errorf("got %s; want two passwords masked", s)
	}
	d := config.Default()
	if err := config.Load(&d, "f", b.Bytes()); err == nil || strings.Count(err.Error(), "stars in place of a password") != 2 {
		t.Errorf("what was printed: got %v; want two complaints about stars", err)
	}
	clean := strings.NewReplacer("ben:***@", "", "anna:***@", "").Replace(b.String())
	if err := config.Load(&d, "f", []byte(clean)); err != nil || len(d.Parents) != 3 || d.Parents[2].Match.Name != "rest" || !reflect.DeepEqual(d.Parents[2].Match, c.Parents[2].Match) {
		t.Errorf("without passwords: got %+v, %v; want what was printed", d.Parents, err)
	}
	for text, want := range map[string]string{
		"http://a:b@c@h:1": "http://a:***@h:1", "a:b@h": "a:***@h", "http://a@h": "http://a@h", "": "", "direct": "direct", "x://y:p/q@h": "x://y:***@h",
	} {
		if got := config.MaskParent(text); got != want {
			t.Errorf("MaskParent(%q) = %q; want %q", text, got, want)
		}
	}
}

func TestParseLogins(t *testing.T) {
	got, err := config.ParseLogins([]byte("# mine\r\n\n  Proxy.example:3128   anna:ge: heim \r\n[2001:db8::1]:1080 ben:\n"))
	want := map[string]config.Login{"proxy.example:3128": {User: "anna", Password: "ge: heim "}, "[2001:db8::1]:1080": {User: "ben"}}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v; want %+v", got, err, want)
	}
	for text, line := range map[string]int{
		"a:1 u:p\nproxy geheim": 2, "geheim": 1, "h:1 geheim": 1, ":1 u:geheim": 1, "h:1 :geheim": 1, "h:1 u:a\nH:1 u:geheim": 2, "\n\n::1:8 u:geheim": 3,
	} {
		if _, err := config.ParseLogins([]byte(text)); err == nil || !strings.HasPrefix(err.Error(), fmt.Sprint(line, ": ")) || strings.Contains(err.Error(), "geheim") {
			t.Errorf("%q: got %v; want an error of line %d that quotes nothing", text, err, line)
		}
	}
}

func FuzzParseParent(f *testing.F) {
	for _, s := range []string{"direct", "http://u:p@h:1", "socks5://[::1]:1080", "https://%41:%zz@h:1", "http://u:***@h:1"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		u, err := config.ParseParent(text)
		if err != nil {
			return
		}
		if u != (config.ParentURL{}) && (u.Host == "" || u.Port == 0 || strings.Contains(u.User, ":") || u.User == "" && u.Password != "") {
			t.Errorf("%q: got %+v", text, u)
		}
		if u.Password != "" && len(u.Password) > 3 && strings.Contains(config.MaskParent(text), ":"+u.Password+"@") {
			t.Errorf("%q: the password is in %q", text, config.MaskParent(text))
		}
	})
}
