package e2e

import (
	"strings"
	"testing"
)

// TestInterceptRules: jay intercept-rules loads rules that intercept, once however often it is told to, and leaves
// nothing behind.
func TestInterceptRules(t *testing.T) {
	t.Parallel()
	needRoot(t)
	need(t, "curl")
	binary, err := env.binary()
	must(t, err)
	for _, mode := range []string{"redirect", "tproxy"} {
		for _, backend := range []string{"nft", "iptables"} {
			t.Run(mode+"-"+backend, func(t *testing.T) {
				t.Parallel()
				n := newLan(t, mode, "true")
				run := func(words string) string {
					t.Helper()
					args := append(n.router.Prefix(), strings.Fields(words)...)
					out, _ := command(t, args[0], args[1:]...)
					return out
				}
				must(t, n.router.Run("iptables -t nat -A PREROUTING -i other0 -j ACCEPT; nft add table inet other; ip rule add fwmark 1 lookup 101"))
				state := func() string {
					return run("iptables -t nat -S") + run("iptables -t mangle -S") + run("ip6tables -t nat -S") + run("ip6tables -t mangle -S") +
						run("nft list tables inet") + run("ip rule") + run("ip -6 rule") + run("ip route show table all dev lo") + run("ip -6 route show table all dev lo")
				}
				before := state()
				change := binary + " intercept-rules --intercept :3129 --interface lan0 --mode " + mode + " --backend " + backend
				for _, tt := range []struct{ flag, want string }{
					{" --apply", "done\n"}, {" --apply", "nothing to do\n"},
				} {
					if got := run(change + tt.flag); got != tt.want {
						t.Errorf("%s: got %q; want %q", tt.flag, got, tt.want)
					}
				}
				t.Run("cached", n.testCached)
				t.Run("IPv6", n.testIPv6)
				for _, want := range []string{"done\n", "nothing to do\n"} {
					if got := run(change + " --remove"); got != want {
						t.Errorf("--remove: got %q; want %q", got, want)
					}
				}
				if after := state(); after != before {
					t.Errorf("left behind: got\n%s\nwant\n%s", after, before)
				}
				if a := n.curl(t, "http://site.test/direct"); a.body != "site /direct" || a.Has("Via") {
					t.Errorf("got %q, Via %q; want the client to go past jay", a.body, a.Get("Via"))
				}
			})
		}
	}
}
