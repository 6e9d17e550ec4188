package main

import (
	"context"
	"net"
	"net/netip"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"github.com/jayproxy/jay/config"
	"github.com/jayproxy/jay/tunnel/netfilter"
)

// lookInterception looks at the packet filter and what goes with it.
func (p *process) lookInterception(ctx context.Context, c *config.Config, f *flags, i *interceptFact) {
	i.mode, i.system = c.InterceptMode, runtime.GOOS
	if i.mode == config.InterceptHost || i.system != "linux" {
		return
	}
	for _, address := range c.Intercept {
		host, port, _ := net.SplitHostPort(address) // the configuration was checked
		if n, err := strconv.ParseUint(port, 10, 16); err == nil && n != 0 && !slices.Contains(i.ports, uint16(n)) {
			i.ports = append(i.ports, uint16(n))
		}
		if ip, err := netip.ParseAddr(host); err == nil && ip.IsLoopback() || host == "localhost" {
			i.loopback = append(i.loopback, address)
		}
	}
	i.ipv6 = p.filter.IPv6
	i.rules, i.rulesErr = netfilter.Find(ctx, p.filter)
	i.routed4, i.routed6 = netfilter.Routed(ctx, p.filter)
	i.interfaces = clientInterfaces(f, i)
	i.rpFilter = make(map[string]string)
	for _, name := range i.interfaces {
		if _, err := net.InterfaceByName(name); err != nil {
			i.missing = append(i.missing, name)
		}
		i.rpFilter[name] = max(sysctl("net/ipv4/conf/all/rp_filter"), sysctl("net/ipv4/conf/"+name+"/rp_filter"))
	}
	i.forward4, i.forward6 = sysctl("net/ipv4/ip_forward"), sysctl("net/ipv6/conf/all/forwarding")
	i.scripts = rulesFor(i)
}

// clientInterfaces are those that were named, or else those of the rules that lead to Jay.
func clientInterfaces(f *flags, i *interceptFact) (names []string) {
	if texts := f.texts["interface"]; texts != nil {
		return strings.Split(strings.Join(texts, ","), ",")
	}
	for _, port := range i.ports {
		for _, r := range i.rulesTo(port) {
			names = append(names, r.Interfaces...)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// rulesFor are the rules that there should be.
func rulesFor(i *interceptFact) map[string]string {
	if len(i.ports) == 0 {
		return nil
	}
	scripts := make(map[string]string)
	for _, backend := range []string{netfilter.NFT, netfilter.IPTables} {
		r := netfilter.Rules{Mode: i.mode, Backend: backend, Interfaces: i.interfaces, Ports: []uint16{80, 443}, To: i.ports[0]}
		if len(r.Interfaces) == 0 {
			r.Interfaces = []string{"lan0"}
		}
		if r.Validate() == nil {
			scripts[backend] = r.Script()
		}
	}
	return scripts
}

// sysctl is a setting of the kernel; empty if there is none of that name.
func sysctl(name string) string {
	b, err := os.ReadFile("/proc/sys/" + name)
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(b))
}
