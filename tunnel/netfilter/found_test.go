package netfilter

import (
	"context"
	"errors"
	"reflect"
	"strings"
	"testing"
)

func TestFind(t *testing.T) {
	nft := "table inet jay {\n\tchain prerouting {\n\t\ttype nat hook prerouting priority dstnat; policy accept;\n\t\tfib daddr type local accept\n" +
		"\t\tiifname { \"lan0\", \"lan1\" } tcp dport { 80, 443 } redirect to :3129\n\t}\n" +
		"\tchain output {\n\t\ttype nat hook output priority -100; policy accept;\n\t\ttcp dport 80 redirect to :3130\n\t}\n}\n" +
		"table ip6 mine {\n\tchain p {\n\t\ttype filter hook prerouting priority mangle; policy accept;\n" +
		"\t\tiifname \"wg0\" tcp dport 80 tproxy to [::1]:3131 meta mark set 0x00000001 accept\n\t\tudp dport 53 redirect to :53\n\t}\n}\n"
	iptables := "-P PREROUTING ACCEPT\n-A PREROUTING -i lan0 -p tcp -m multiport --dports 80,443 -m addrtype ! --dst-type LOCAL -m comment --comment jay -j TPROXY --on-port 3129 --on-ip 0.0.0.0 --tproxy-mark 0x1/0xffffffff\n" +
		"-A PREROUTING -p tcp -m tcp --dport 8000:8080 -j REDIRECT --to-ports 3128\n-A PREROUTING -p udp -m udp --dport 53 -j REDIRECT --to-ports 53\n-A PREROUTING -j DOCKER\n"
	got := append(parseNFT(nft), parseIPTables(iptables, false)...)
	want := []Found{
		{Redirect, true, true, []string{"lan0", "lan1"}, []uint16{80, 443}, 3129},
		{TProxy, false, true, []string{"wg0"}, []uint16{80}, 3131},
		{TProxy, true, false, []string{"lan0"}, []uint16{80, 443}, 3129},
		{Redirect, true, false, nil, nil, 3128},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v; want %+v", got, want)
	}
}

// TestFind_own: what Apply loads is found.
func TestFind_own(t *testing.T) {
	for _, mode := range []string{Redirect, TProxy} {
		for _, backend := range []string{NFT, IPTables} {
			m := &machine{}
			r := rules(mode, backend)
			if _, err := r.Apply(t.Context(), m.host(true)); err != nil {
				t.Fatal(err)
			}
			all, err := Find(t.Context(), m.host(true))
			four, six := false, false
			for _, f := range all {
				if f.Mode != mode || f.To != r.To || strings.Join(f.Interfaces, ",") != "lan0" || !reflect.DeepEqual(f.Ports, r.Ports) {
					t.Errorf("%s, %s: found %+v; want what was loaded", mode, backend, f)
				}
				four, six = four || f.IPv4, six || f.IPv6
			}
			if err != nil || !four || !six {
				t.Errorf("%s, %s: found %+v, %v; want rules for IPv4 and IPv6", mode, backend, all, err)
			}
			if four, six := Routed(t.Context(), m.host(true)); four != (mode == TProxy) || six != four {
				t.Errorf("%s: routed %v, %v", mode, four, six)
			}
		}
	}
}

func TestFind_refused(t *testing.T) {
	h := &Host{Run: func(context.Context, string, ...string) (string, error) {
		return "", errors.New("Operation not permitted")
	}}
	if all, err := Find(t.Context(), h); err == nil {
		t.Errorf("got %v; want an error", all)
	}
}

func TestFind_missing(t *testing.T) {
	h := &Host{Run: run}
	if _, err := h.Run(t.Context(), "", "no-such-program"); !errors.Is(err, ErrMissing) {
		t.Errorf("got %v; want %v", err, ErrMissing)
	}
	h.Run = func(ctx context.Context, _ string, _ ...string) (string, error) {
		return run(ctx, "", "no-such-program")
	}
	if _, err := Find(t.Context(), h); !errors.Is(err, ErrMissing) {
		t.Errorf("got %v; want %v", err, ErrMissing)
	}
}

func FuzzFind(f *testing.F) {
	f.Add("table inet jay {\nchain x {\ntype nat hook prerouting priority 0;\niifname \"a\" tcp dport { 1, 2 } redirect to :3\n")
	f.Add("-A PREROUTING -i -j REDIRECT --to-ports")
	f.Fuzz(func(t *testing.T, text string) {
		for _, found := range append(parseNFT(text), parseIPTables(text, true)...) {
			if found.To == 0 || found.Mode == "" {
				t.Errorf("got %+v; want a rule that leads somewhere", found)
			}
		}
	})
}
