package policy_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jayproxy/jay/proxy/policy"
)

// listed is a policy that denies what stands in a list file of that text.
func listed(t testing.TB, text string) (p *policy.Policy, path string, err error) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "list")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	p, err = policy.New(policy.Options{
		Lists: map[string]string{"l": path}, Default: policy.Allow,
		Rules: []policy.Rule{{Name: "listed", Action: policy.Deny, Lists: []string{"l"}}},
	})
	return p, path, err
}

// denies tells whether a policy denies a literal or a name with an address that is in no list.
func denies(p *policy.Policy, host string) bool {
	return !p.CheckAddr(policy.Question{Host: host}, literalOr(host)).Allow
}

func TestList(t *testing.T) {
	p, _, err := listed(t, "\xef\xbb\xbf# names\r\nads.test\r\n  .Track.test \t# and below\n\n#\n127.0.0.1 localhost\n0.0.0.0 one.test two.TEST # three.test\n"+
		"::1\tip6-localhost four.test\n0.0.0.0 0.0.0.0\nfe80::1%lo0 localhost\nads.test\n192.0.2.1\n198.51.100.0/24\n2001:db8::/32\n[2001:db9::1]\nfive.test.")
	if err != nil {
		t.Fatal(err)
	}
	for _, host := range []string{"ads.test", "track.test", "a.b.track.test", "one.test", "two.test", "four.test", "five.test", "192.0.2.1", "198.51.100.255", "2001:db8:1::1", "2001:db9::1"} {
		if !denies(p, host) {
			t.Errorf("%s is allowed; want it to be in the list", host)
		}
	}
	for _, host := range []string{"x.ads.test", "test", "localhost", "ip6-localhost", "three.test", "0.0.0.0", "192.0.2.2", "198.51.101.0", "xtrack.test", "2001:db9::2"} {
		if denies(p, host) {
			t.Errorf("%s is denied; want it not to be in the list", host)
		}
	}
}

func TestListErrors(t *testing.T) {
	tests := []struct{ text, want string }{
		{"a.test\nb test\n", `2: "b test": more than one word, and the first is no address, as in a hosts file`},
		{"a.test\n\n0.0.0.0 b_.test c/d.test\n", `3: "c/d.test": not a block of addresses; write 192.0.2.0/24`},
		{"||a.test^\n", `1: "||a.test^": neither a name nor an address`},
		{"*.a.test", `1: "*.a.test": a name with all names below it is written with a dot in front of it, as in .example.com`},
		{"a..test\n", `1: "a..test": neither a name nor an address`},
		{"http://a.test/\n", `1: "http://a.test/": not a block of addresses; write 192.0.2.0/24`},
		{"a.test\nmünchen.test\n", `2: "m\xc3\xbcnchen.test": neither a name nor an address`},
		{"a.test\n" + strings.Repeat("b", 1<<17), `2: the line is too long`},
		{"a\x00.test", `1: "a\x00.test": neither a name nor an address`},
		{"300.1.2.3\n", `1: "300.1.2.3": neither a name nor an address`},
	}
	for _, tt := range tests {
		_, path, err := listed(t, tt.text)
		want := "policy: list l: " + path + ":" + tt.want
		if err == nil || strings.ReplaceAll(err.Error(), "ü", `\xc3\xbc`) != want {
			t.Errorf("list %.40q: %v; want %s", tt.text, err, want)
		}
	}
}
