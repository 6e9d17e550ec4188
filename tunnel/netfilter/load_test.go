package netfilter

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
)

// machine is a Host that remembers what the programs added.
type machine struct {
	state []string // what was added, as the steps that did so
	table string   // nftables' table inet jay
	asked []string // commands that change something
	fail  string   // the beginning of a command that fails
}

func (m *machine) host(ipv6 bool) *Host { return &Host{Run: m.run, IPv6: ipv6} }

func (m *machine) run(_ context.Context, input string, words ...string) (string, error) {
	text := strings.Join(words, " ")
	if m.fail != "" && strings.HasPrefix(text, m.fail) {
		return "", errors.New("netfilter: " + text + ": refused")
	}
	switch {
	case text == "nft -f -":
		m.asked = append(m.asked, text)
		_, m.table, _ = strings.Cut(input, "delete table inet jay\n")
	case text == "nft list ruleset":
		return m.table, nil
	case text == "nft list table inet jay" && m.table == "":
		return "", errors.New("netfilter: no such table")
	case text == "nft list table inet jay":
		return strings.ReplaceAll(strings.ReplaceAll(m.table, "  ", "\t"), "mark set 1", "mark set 0x00000001"), nil
	case text == "nft list tables":
		if m.table != "" {
			return "table ip nat\ntable inet jay\n", nil
		}
		return "table ip nat\n", nil
	case text == "nft delete table inet jay":
		m.asked, m.table = append(m.asked, text), ""
	case strings.Contains(text, " show"):
		return m.show(words), nil
	case strings.Contains(text, " -S "):
		return m.list(text), nil
	case strings.Contains(text, " -C "):
		if !slices.Contains(m.state, strings.Replace(text, " -C ", " -A ", 1)) {
			return "", errors.New("netfilter: no such rule")
		}
	default:
		return "", m.change(text)
	}
	return "", nil
}

// change adds or deletes.
func (m *machine) change(text string) error {
	m.asked = append(m.asked, text)
	add := strings.Replace(strings.Replace(text, " del ", " add ", 1), " -D ", " -A ", 1)
	i := slices.Index(m.state, add)
	switch {
	case add == text:
		m.state = append(m.state, text)
	case i < 0:
		return errors.New("netfilter: " + text + ": there is no such thing")
	default:
		m.state = slices.Delete(m.state, i, i+1)
	}
	return nil
}

// show lists routes or rules as ip does.
func (m *machine) show(words []string) string {
	ip, what := "ip", words[1]
	if words[1] == "-6" {
		ip, what = "ip -6", words[2]
	}
	switch {
	case !slices.ContainsFunc(m.state, func(s string) bool { return strings.HasPrefix(s, ip+" "+what) }):
		return ""
	case what == "rule":
		return "0:\tfrom all lookup local\n32765:\tfrom all fwmark 0x1 lookup 100 \n"
	}
	return "local default dev lo scope host \n"
}

// list lists rules as iptables -S does.
func (m *machine) list(text string) string {
	prefix, _, _ := strings.Cut(text, "-S")
	out := "-P PREROUTING ACCEPT\n-A PREROUTING -i x0 -j ACCEPT\n"
	for _, s := range m.state {
		if rule, ok := strings.CutPrefix(s, prefix); ok {
			out += rule + "\n"
		}
	}
	return out
}

func rules(mode, backend string) *Rules {
	return &Rules{Mode: mode, Backend: backend, Interfaces: []string{"lan0"}, Ports: []uint16{80, 443}, To: 3129}
}

// TestApply: what is loaded is loaded once, replaced by another, and gone in the end.
func TestApply(t *testing.T) {
	for _, mode := range []string{Redirect, TProxy} {
		for _, backend := range []string{NFT, IPTables} {
			for _, ipv6 := range []bool{true, false} {
				m := &machine{}
				h := m.host(ipv6)
				check := func(what string, f func(context.Context, *Host) (bool, error), want bool) {
					t.Helper()
					if changed, err := f(t.Context(), h); changed != want || err != nil {
						t.Errorf("%s, %s, IPv6 %v: %s: got %v, %v; want %v\n%q", mode, backend, ipv6, what, changed, err, want, m.asked)
					}
				}
				r, other := rules(mode, backend), rules(mode, backend)
				other.To = 8129
				check("apply", r.Apply, true)
				n := len(m.state)
				check("again", r.Apply, false)
				check("another", other.Apply, true)
				if all := strings.Join(m.state, "\n") + m.table; len(m.state) != n || strings.Contains(all, "3129") || !strings.Contains(all, "8129") || !ipv6 && strings.Contains(all, "6 ") {
					t.Errorf("%s, %s: got %s; want the other rules alone", mode, backend, all)
				}
				check("remove", r.Remove, true)
				check("remove again", r.Remove, false)
				if len(m.state) != 0 || m.table != "" {
					t.Errorf("%s, %s: left %q, %q; want nothing", mode, backend, m.state, m.table)
				}
			}
		}
	}
}

// TestApply_fails: a machine that takes only part of it is left as it was.
func TestApply_fails(t *testing.T) {
	for _, fail := range []string{"nft -f", "ip -6 route add", "ip6tables -t mangle -A", "iptables -t mangle -A"} {
		backend := IPTables
		if strings.HasPrefix(fail, "nft") {
			backend = NFT
		}
		m := &machine{fail: fail}
		_, err := rules(TProxy, backend).Apply(t.Context(), m.host(true))
		if err == nil || !strings.Contains(err.Error(), "refused") || len(m.state) != 0 || m.table != "" {
			t.Errorf("%s fails: got %v, left %q, %q; want that error and nothing left", fail, err, m.state, m.table)
		}
	}
}

// FuzzScript: nothing that passes Validate can leave its place in a command.
func FuzzScript(f *testing.F) {
	f.Add("lan0", "nft")
	f.Add("a b", "iptables")
	f.Add("$(x)", "nft")
	f.Add("-j", "iptables")
	f.Fuzz(func(t *testing.T, name, backend string) {
		r := rules(Redirect, backend)
		r.Interfaces = []string{name}
		if r.Validate() != nil {
			return
		}
		plain := rules(Redirect, backend)
		if got, want := len(strings.Fields(r.Script())), len(strings.Fields(plain.Script())); got != want || strings.ContainsAny(name, "'\"$`\\;&|<>(){}*?[]~#\n+!") || name[0] == '-' {
			t.Errorf("%q passes; want an error", name)
		}
	})
}
