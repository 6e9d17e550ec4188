package e2e

import (
	"errors"
	"os/exec"
	"strings"
	"testing"
)

// TestDoctor: jay doctor sees on a router what is missing for interception, and that nothing is when nothing is.
func TestDoctor(t *testing.T) {
	t.Parallel()
	needRoot(t)
	binary, err := env.binary()
	must(t, err)
	for _, mode := range []string{"redirect", "tproxy"} {
		for _, backend := range []string{"nft", "iptables"} {
			t.Run(mode+"-"+backend, func(t *testing.T) {
				t.Parallel()
				n := newLan(t, mode, "true")
				rules := binary + " intercept-rules --intercept :3129 --interface lan0 --backend " + backend + " --mode "
				check := func(setup, want string, code int) {
					t.Helper()
					must(t, n.router.Run(setup))
					args := append(n.router.Prefix(), binary, "doctor", "--listen", "10.77.1.1:3128", "--intercept", ":3129", "--intercept-mode", mode,
						"--cache-size", "64m", "--admin", "off", "--online", "--url", "http://site.test/doctor")
					out, err := exec.CommandContext(t.Context(), args[0], args[1:]...).Output()
					var failed *exec.ExitError
					got := 0
					if errors.As(err, &failed) {
						got = failed.ExitCode()
					} else if err != nil {
						t.Fatal(err)
					}
					for w := range strings.SplitSeq(want, "; ") {
						if !strings.Contains(string(out), w) {
							t.Errorf("%s: got\n%s\nwant %q in it", setup, out, w)
						}
					}
					if got != code {
						t.Errorf("%s: exit %d; want %d\n%s", setup, got, code, out)
					}
				}
				check("true", "no rule of the packet filter leads to port 3129; listen 10.77.1.1:3128 is Jay's; intercept :3129 is Jay's; "+
					"http://site.test/doctor can be fetched; finds site.test; \n1 problem.; nft -f -", 1)
				check(rules+mode+" --apply", "IPv4; from lan0 to ports 80, 443 is diverted to 3129; Nothing stands in the way", 0)
				check("echo 0 >/proc/sys/net/ipv4/ip_forward", "net.ipv4.ip_forward is 0", 0)
				if mode == "tproxy" {
					check("ip rule del fwmark 1 lookup 100", "packets with the mark 1 do not stay on this machine (IPv4)", 1)
				}
				check(rules+mode+" --remove", "nothing is intercepted", 1)
				other := map[string]string{"redirect": "tproxy", "tproxy": "redirect"}[mode]
				check(rules+other+" --apply", "a rule for "+other+" leads to port 3129, where Jay expects "+mode, 1)
			})
		}
	}
}
