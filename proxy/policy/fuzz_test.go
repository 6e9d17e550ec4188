package policy_test

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/jayproxy/jay/proxy/policy"
)

// literalOr is the address that a host is, or one that is in no list.
func literalOr(host string) netip.Addr {
	if a, err := netip.ParseAddr(strings.Trim(strings.TrimSuffix(host, "."), "[]")); err == nil {
		return a
	}
	return netip.MustParseAddr("203.0.113.77")
}

// FuzzList reads lists and checks that what is read means the same line by line: a list of one good line denies what it
// names.
func FuzzList(f *testing.F) {
	for _, s := range []string{"a.test\n", ".a.test", "# x\n\n0.0.0.0 a.test b.test\r\n", "10.0.0.0/8\n::1\n[::1]\n", "*.x", "a b", "A.TEST.", "0.0.0.0 0.0.0.0", "0x7f.1", "1.2.3.4.", "\xef\xbb\xbfa"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		p, err := policy.NewFromList(text)
		if err != nil {
			return
		}
		for line := range strings.Lines(strings.TrimPrefix(text, "\xef\xbb\xbf")) {
			line, _, _ = strings.Cut(line, "#")
			line = strings.Trim(line, " \t\r\n")
			if line == "" || strings.ContainsAny(line, " \t/") {
				continue
			}
			host := strings.TrimPrefix(line, ".")
			if !denies(p, host) || !denies(p, strings.ToUpper(host)) {
				t.Errorf("%q is allowed though it is in the list", host)
			}
			if line != host && !denies(p, "sub."+host) && len(host) < 240 {
				t.Errorf("%q is allowed though %q is in the list", "sub."+host, line)
			}
		}
	})
}

// FuzzDecide checks that the spelling of a host changes nothing, and that an answer that is not pending stays.
func FuzzDecide(f *testing.F) {
	for _, s := range []string{"a.test", "b.a.test", "10.0.0.1", "[::ffff:10.0.0.1]", "64:ff9b::a00:1", "[a.test]", "a..test", "127.1", "", "::1%x", "x.test."} {
		f.Add(s, uint32(0x0a000001))
	}
	p := mustNew(f, policy.Options{Default: policy.Allow, Rules: []policy.Rule{
		{Name: "report", Action: policy.Report, To: []string{"10.1.0.0/16"}},
		{Name: "name", Action: policy.Deny, To: []string{".a.test", "b.test"}},
		{Name: "sub", Action: policy.Allow, To: []string{"10.2.0.0/16", "c.test"}},
		{Name: "lan", Action: policy.Deny, To: []string{"10.0.0.0/8", "fd00::/8"}},
	}})
	f.Fuzz(func(t *testing.T, host string, ip uint32) {
		q := policy.Question{Host: host}
		d := p.Decide(q)
		q.Host = strings.ToUpper(host)
		if up := p.Decide(q); isASCII(host) && (up.Allow != d.Allow || up.Rule != d.Rule || up.Pending != d.Pending) {
			t.Errorf("Decide(%q) = %+v, in capitals %+v", host, d, up)
		}
		q.Host = host
		a := netip.AddrFrom4([4]byte{byte(ip >> 24), byte(ip >> 16), byte(ip >> 8), byte(ip)})
		if after := p.CheckAddr(q, a); !d.Pending && d.Rule == "name" && after.Rule != "name" {
			t.Errorf("Decide(%q) = %+v, but %+v with %v", host, d, after, a)
		} else if after.Pending {
			t.Errorf("CheckAddr(%q, %v) = %+v; want a decision", host, a, after)
		}
	})
}

func isASCII(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r > 0x7f })
}
