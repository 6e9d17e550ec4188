package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/jayproxy/jay/config"
	"github.com/jayproxy/jay/tunnel/netfilter"
)

func findInterception(f *facts) []finding {
	i := &f.intercept
	d := interceptDoctor{interceptFact: i}
	switch {
	case i.mode == "":
		return []finding{{"interception", levelNote, "there is no intercept address", ""}}
	case i.mode == config.InterceptHost:
		return []finding{{"interception", levelNote, "by the Host field (intercept-mode host): no rules are needed, but names that lead to this machine", ""}}
	case i.system != "linux":
		d.add(levelProblem, "use intercept-mode host", "intercept-mode %s works on Linux only", i.mode)
		return d.found
	}
	d.addresses()
	good := d.checkRules()
	if good && i.mode == config.InterceptTProxy {
		d.routes()
	}
	d.kernel()
	if f.admin.version != "" && !slices.ContainsFunc(d.found, func(x finding) bool { return x.Level == levelProblem }) && good {
		d.add(levelNote, "from a client's machine: curl -sI http://example.com/ | grep -i via", "whether clients get here only they can show")
	}
	return d.found
}

// interceptDoctor collects findings about interception by the packet filter.
type interceptDoctor struct {
	*interceptFact
	found []finding
}

func (d *interceptDoctor) add(level, advice, format string, args ...any) {
	d.found = append(d.found, finding{"interception", level, fmt.Sprintf(format, args...), advice})
}

// addresses looks at where Jay listens and where clients come in.
func (d *interceptDoctor) addresses() {
	for _, a := range d.loopback {
		d.add(levelProblem, "listen on all addresses: intercept :"+a[strings.LastIndexByte(a, ':')+1:],
			"intercept %s is this machine's own: connections of other machines do not get there, with any rule", a)
	}
	for _, name := range d.missing {
		d.add(levelProblem, "see ip link for the names of the interfaces", "there is no interface %s", name)
	}
}

// command is how to load the rules.
func (d *interceptDoctor) command() string {
	names := "lan0"
	if len(d.interfaces) > 0 {
		names = strings.Join(d.interfaces, ",")
	}
	return fmt.Sprintf("sudo jay intercept-rules --mode %s --interface %s --apply, with the same --config", d.mode, names)
}

// checkRules looks at the packet filter, and reports whether it found rules that are good.
func (d *interceptDoctor) checkRules() (some bool) {
	if errors.Is(d.rulesErr, netfilter.ErrMissing) {
		d.add(levelProblem, "install nftables", "neither nftables nor iptables is installed")
		return false
	}
	if d.rulesErr != nil {
		d.add(levelNote, "sudo jay doctor", "whether rules are loaded only root can see")
		return false
	}
	for _, port := range d.ports {
		four, six := false, false
		for _, r := range d.rulesTo(port) {
			if r.Mode != d.mode {
				d.add(levelProblem, "remove it, or change intercept-mode", "a rule for %s leads to port %d, where Jay expects %s", r.Mode, port, d.mode)
				continue
			}
			four, six = four || r.IPv4, six || r.IPv6
			d.ruleFound(&r)
			some = true
		}
		switch {
		case !four && !six:
			d.add(levelProblem, d.command(), "no rule of the packet filter leads to port %d: nothing is intercepted", port)
		case !four:
			d.add(levelProblem, d.command(), "no rule leads IPv4 to port %d", port)
		case !six && d.ipv6:
			d.add(levelWarning, d.command(), "no rule leads IPv6 to port %d: it goes past Jay", port)
		}
	}
	d.strays()
	return some
}

// ruleFound says what a good rule does.
func (d *interceptDoctor) ruleFound(r *netfilter.Found) {
	family := "IPv4 and IPv6"
	if !r.IPv6 {
		family = "IPv4"
	} else if !r.IPv4 {
		family = "IPv6"
	}
	from := "any interface"
	if len(r.Interfaces) > 0 {
		from = strings.Join(r.Interfaces, ", ")
	}
	d.add(levelGood, "", "%s from %s to ports %s is diverted to %d (%s)", family, from, portList(r.Ports), r.To, r.Mode)
}

// strays are rules that lead web traffic where no Jay of this configuration listens.
func (d *interceptDoctor) strays() {
	for _, r := range d.webRules() {
		if !slices.Contains(d.ports, r.To) {
			d.add(levelWarning, "if it is for Jay, change its port or intercept; sudo jay intercept-rules --remove removes what Jay loaded",
				"a rule leads ports %s to %d, which is no intercept address", portList(r.Ports), r.To)
		}
	}
}

// rulesTo are the rules that lead to a port.
func (i *interceptFact) rulesTo(port uint16) (list []netfilter.Found) {
	for _, r := range i.rules {
		if r.To == port {
			list = append(list, r)
		}
	}
	return list
}

// webRules are the rules that divert web traffic.
func (i *interceptFact) webRules() (list []netfilter.Found) {
	for _, r := range i.rules {
		if len(r.Ports) == 0 || slices.Contains(r.Ports, 80) || slices.Contains(r.Ports, 443) {
			list = append(list, r)
		}
	}
	return list
}

// routes looks at the way of packets that TPROXY marks.
func (d *interceptDoctor) routes() {
	const text = "packets with the mark %d do not stay on this machine (%s): TPROXY has no effect"
	if !d.routed4 {
		d.add(levelProblem, d.command(), text, netfilter.Mark, "IPv4")
	}
	if !d.routed6 && d.ipv6 {
		d.add(levelProblem, d.command(), text, netfilter.Mark, "IPv6")
	}
	if d.routed4 && (d.routed6 || !d.ipv6) {
		d.add(levelGood, "", "packets with the mark %d stay on this machine (table %d)", netfilter.Mark, netfilter.Table)
	}
}

// kernel looks at settings of the kernel.
func (d *interceptDoctor) kernel() {
	if d.forward4 == "0" {
		d.add(levelWarning, "if this machine is the clients' router: sysctl -w net.ipv4.ip_forward=1",
			"IPv4 is not forwarded (net.ipv4.ip_forward is 0): clients reach nothing but what is intercepted")
	}
	if d.forward6 == "0" && d.ipv6 {
		d.add(levelNote, "if this machine is the clients' router: sysctl -w net.ipv6.conf.all.forwarding=1", "IPv6 is not forwarded")
	}
	for _, name := range d.interfaces {
		if d.rpFilter[name] == "1" {
			d.add(levelNote, "", "%s drops packets of clients that are not behind it (rp_filter is 1)", name)
		}
	}
}
