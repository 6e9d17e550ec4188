package main

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/jayproxy/jay/tunnel/netfilter"
)

// readmeRules returns the block of README.md that is marked with a name.
func readmeRules(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, ok := strings.Cut(string(b), "<!-- test: "+name+" -->\n```sh\n")
	block, _, closed := strings.Cut(rest, "```\n")
	if !ok || !closed {
		t.Fatalf("README.md has no block %s", name)
	}
	return block
}

// TestInterceptRules_documented: the command prints what the README documents, which the end-to-end tests load.
func TestInterceptRules_documented(t *testing.T) {
	for _, mode := range []string{"redirect", "tproxy"} {
		for _, backend := range []string{"nft", "iptables"} {
			var tt test
			code := tt.run(t, "intercept-rules", "--mode", mode, "--backend", backend)
			if got, want := tt.stdout.String(), readmeRules(t, "rules-"+mode+"-"+backend); code != 0 || got != want {
				t.Errorf("%s, %s: exit %d, %s, got\n%s\nwant\n%s", mode, backend, code, tt.stderr.String(), got, want)
			}
		}
	}
}

func TestInterceptRules_flags(t *testing.T) {
	path := file(t, "jay.yaml", "intercept: '[::]:8129'\nintercept-mode: tproxy\n")
	var tt test
	code := tt.run(t, "intercept-rules", "--config", path, "--backend", "nft", "--interface", "br-0,wg0", "--ports", "8080")
	for _, want := range []string{`iifname { "br-0", "wg0" } tcp dport 8080 tproxy to :8129 `, "ip -6 rule"} {
		if got := tt.stdout.String(); code != 0 || !strings.Contains(got, want) {
			t.Errorf("exit %d, %s%s; want %q in it", code, got, tt.stderr.String(), want)
		}
	}
	for _, bad := range []struct{ args, want string }{
		{"--apply --remove --interface lan0", "--apply and --remove exclude each other"},
		{"--apply", "--apply needs the --interface that the clients are on"},
		{"--apply --interface lan0", "no intercept address is configured, so clients would be sent to nobody; configure one and start Jay, or name it with --intercept"},
		{"--mode nat", `unknown mode "nat"; it is redirect or tproxy`},
		{"--intercept-mode host", "intercept-mode host needs no rules; name the --mode, redirect or tproxy"},
		{"--backend ipfw", `unknown backend "ipfw"; it is nft or iptables`},
		{"--interface lan0;reboot", `"lan0;reboot" is not the name of an interface`},
		{"--interface eth+", `"eth+" is not the name of an interface`},
		{"--ports 1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16", "16 ports; there must be 1 to 15"},
		{"--ports 0", "0 is no port"},
	} {
		var tt test
		code := tt.run(t, append([]string{"intercept-rules"}, strings.Fields(bad.args)...)...)
		if got, want := tt.stderr.String(), "jay: intercept-rules: "+bad.want+"\n"; code != 2 || got != want || tt.stdout.String() != "" {
			t.Errorf("%s: exit %d, %q, %q; want 2, %q", bad.args, code, got, tt.stdout.String(), want)
		}
	}
}

// TestInterceptRules_fails: what the packet filter's program says reaches the person.
func TestInterceptRules_fails(t *testing.T) {
	var tt test
	p := tt.process()
	p.filter = &netfilter.Host{Run: func(context.Context, string, ...string) (string, error) {
		return "", errors.New("netfilter: nft list tables: exit status 1: Operation not permitted")
	}}
	code := p.run(t.Context(), []string{"intercept-rules", "--backend", "nft", "--remove"})
	if got := tt.stderr.String(); code != 1 || !strings.Contains(got, "nft list tables: exit status 1: Operation not permitted") || os.Geteuid() != 0 && !strings.Contains(got, "sudo") {
		t.Errorf("exit %d, %q; want 1 and what nft said", code, got)
	}
}
