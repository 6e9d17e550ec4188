// Package netfilter makes, loads and removes the packet filter rules of Linux that send clients who know of no proxy to an
// intercepting listener, for nftables and for iptables, IPv4 and IPv6.
package netfilter

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// The ways to divert connections.
const (
	Redirect = "redirect" // REDIRECT, a translation of the destination; needs connection tracking
	TProxy   = "tproxy"   // TPROXY, which leaves the destination as it is; needs a route besides
)

// The programs that load rules.
const (
	NFT      = "nft"
	IPTables = "iptables"
)

// Mark is the packet mark by which TPROXY's routing rule knows what was diverted, and Table the routing table that sends
// it to this machine.
const (
	Mark  = 1
	Table = 100
)

// maxPorts is the most that iptables' multiport match takes.
const maxPorts = 15

// Rules say what is diverted, and where to.
type Rules struct {
	Mode       string   // Redirect or TProxy
	Backend    string   // NFT or IPTables
	Interfaces []string // those that the clients are on
	Ports      []uint16 // TCP ports that clients connect to
	To         uint16   // port of the intercepting listener on this machine
}

// Validate tells what is wrong with r. What it lets pass can neither break nor add to the commands it is put into.
func (r *Rules) Validate() error {
	switch {
	case r.Mode != Redirect && r.Mode != TProxy:
		return fmt.Errorf("netfilter: unknown mode %q; it is %s or %s", r.Mode, Redirect, TProxy)
	case r.Backend != NFT && r.Backend != IPTables:
		return fmt.Errorf("netfilter: unknown backend %q; it is %s or %s", r.Backend, NFT, IPTables)
	case len(r.Interfaces) == 0:
		return errors.New("netfilter: no interface")
	case len(r.Ports) == 0 || len(r.Ports) > maxPorts:
		return fmt.Errorf("netfilter: %d ports; there must be 1 to %d", len(r.Ports), maxPorts)
	case r.To == 0 || slices.Contains(r.Ports, 0):
		return errors.New("netfilter: 0 is no port")
	}
	for _, name := range r.Interfaces {
		if !isInterface(name) {
			return fmt.Errorf("netfilter: %q is not the name of an interface", name)
		}
	}
	return nil
}

// isInterface reports whether name can be an interface's: of what the kernel allows, that which people use. A final + or *
// would be a pattern.
func isInterface(name string) bool {
	if name == "" || len(name) > 15 || name[0] == '-' || strings.Trim(name, ".") == "" {
		return false
	}
	for _, b := range []byte(name) {
		switch {
		case 'a' <= b && b <= 'z', 'A' <= b && b <= 'Z', '0' <= b && b <= '9', strings.IndexByte("-_.:@", b) >= 0:
		default:
			return false
		}
	}
	return true
}

// step is one command: its words as people write them, and what it reads.
type step struct {
	text, input string
}

// Script returns the rules as shell commands.
func (r *Rules) Script() string {
	var b strings.Builder
	for _, s := range append(r.routing(), r.filter()...) {
		b.WriteString(s.text)
		if s.input != "" {
			b.WriteString(" <<'EOF'\n" + s.input + "EOF")
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// routing sends what TPROXY has marked to this machine, whatever its destination.
func (r *Rules) routing() []step {
	if r.Mode != TProxy {
		return nil
	}
	var steps []step
	for _, ip := range []string{"ip   ", "ip -6"} {
		steps = append(steps,
			step{text: fmt.Sprintf("%s rule  add fwmark %d lookup %d", ip, Mark, Table)},
			step{text: fmt.Sprintf("%s route add local default dev lo table %d", ip, Table)})
	}
	return steps
}

// filter diverts the packets.
func (r *Rules) filter() []step {
	if r.Backend == NFT {
		return []step{{text: "nft -f -", input: r.table()}}
	}
	var steps []step
	for _, name := range r.Interfaces {
		for _, program := range []string{"iptables ", "ip6tables"} {
			steps = append(steps, step{text: program + " " + r.iptables(name)})
		}
	}
	return steps
}

// iptables is the rule for one interface, as arguments.
func (r *Rules) iptables(name string) string {
	table, target := "nat", fmt.Sprintf("REDIRECT --to-ports %d", r.To)
	if r.Mode == TProxy {
		table, target = "mangle", fmt.Sprintf("TPROXY --on-port %d --tproxy-mark %d", r.To, Mark)
	}
	return fmt.Sprintf("-t %s -A PREROUTING -i %s -p tcp -m multiport --dports %s -m addrtype ! --dst-type LOCAL -m comment --comment jay -j %s",
		table, name, r.ports(","), target)
}

// table is the nftables table that holds the rules, and nothing else.
func (r *Rules) table() string {
	kind, target := "nat hook prerouting priority dstnat", fmt.Sprintf("redirect to :%d", r.To)
	if r.Mode == TProxy {
		kind, target = "filter hook prerouting priority mangle", fmt.Sprintf("tproxy to :%d meta mark set %d accept", r.To, Mark)
	}
	from := `"` + strings.Join(r.Interfaces, `", "`) + `"`
	if len(r.Interfaces) > 1 {
		from = "{ " + from + " }"
	}
	ports := r.ports(", ")
	if len(r.Ports) > 1 {
		ports = "{ " + ports + " }"
	}
	return fmt.Sprintf(`table inet jay {
  chain prerouting {
    type %s; policy accept;
    fib daddr type local accept
    iifname %s tcp dport %s %s
  }
}
`, kind, from, ports, target)
}

func (r *Rules) ports(separator string) string {
	texts := make([]string, len(r.Ports))
	for i, p := range r.Ports {
		texts[i] = strconv.Itoa(int(p))
	}
	return strings.Join(texts, separator)
}
