package netfilter

import (
	"context"
	"errors"
	"regexp"
	"strconv"
	"strings"
)

// Found is a rule that is loaded, whoever made it, and that diverts TCP connections to a port of this machine.
type Found struct {
	Mode       string   // Redirect or TProxy
	IPv4, IPv6 bool     // what it diverts
	Interfaces []string // where the connections come in; empty: anywhere
	Ports      []uint16 // that the connections are for; empty: any, or ports that are not told
	To         uint16   // the port that they end at
}

// Find returns the diverting rules of the hook prerouting that nftables and iptables have loaded. It fails when neither can
// be asked: that takes root, and one of them installed.
func Find(ctx context.Context, h *Host) (all []Found, err error) {
	asked := false
	var errs []error
	note := func(list []Found, err error) {
		all = append(all, list...)
		switch {
		case err == nil:
			asked = true
		case !errors.Is(err, ErrMissing):
			errs = append(errs, err)
		}
	}
	note(findNFT(ctx, h))
	for _, program := range []string{"iptables", "ip6tables"} {
		for _, table := range []string{"nat", "mangle"} {
			note(findIPTables(ctx, h, program, table))
		}
	}
	switch {
	case asked:
		return all, nil
	case errs == nil:
		return nil, ErrMissing
	}
	return nil, errors.Join(errs...)
}

// Routed reports whether the routes that TPROXY needs are there, by which marked packets stay on this machine.
func Routed(ctx context.Context, h *Host) (ipv4, ipv6 bool) {
	steps := (&Rules{Mode: TProxy}).routing()
	half := len(steps) / 2
	all := func(steps []step) bool {
		for _, s := range steps {
			if !h.routed(ctx, s) {
				return false
			}
		}
		return true
	}
	return all(steps[:half]), all(steps[half:])
}

var (
	nftTarget    = regexp.MustCompile(`\b(redirect|tproxy)(?: ip6?)? to \S*:(\d+)`)
	nftInterface = regexp.MustCompile(`\biifname (?:"([^"]*)"|\{([^}]*)\})`)
	nftPorts     = regexp.MustCompile(`\btcp dport (?:(\d+)|\{([^}]*)\})`)
)

// findNFT reads the rules of nftables.
func findNFT(ctx context.Context, h *Host) ([]Found, error) {
	out, err := h.Run(ctx, "", "nft", "list", "ruleset")
	if err != nil {
		return nil, err
	}
	return parseNFT(out), nil
}

// parseNFT reads what nft list ruleset prints: the chains of each table, of which those with the hook prerouting count.
func parseNFT(text string) (all []Found) {
	family, prerouting := "", false
	for line := range strings.Lines(text) {
		words := strings.Fields(line)
		switch {
		case len(words) > 1 && words[0] == "table":
			family = words[1]
		case len(words) > 0 && words[0] == "chain":
			prerouting = false
		case strings.Contains(line, " hook prerouting "):
			prerouting = true
		case prerouting:
			if f, ok := nftRule(line); ok {
				f.IPv4, f.IPv6 = family != "ip6", family != "ip"
				all = append(all, f)
			}
		}
	}
	return all
}

func nftRule(line string) (f Found, ok bool) {
	m := nftTarget.FindStringSubmatch(line)
	if m == nil || strings.Contains(line, "udp dport") {
		return f, false
	}
	f.Mode, f.To = m[1], port(m[2])
	if m := nftInterface.FindStringSubmatch(line); m != nil {
		f.Interfaces = words(strings.ReplaceAll(m[1]+m[2], `"`, ""))
	}
	if m := nftPorts.FindStringSubmatch(line); m != nil {
		f.Ports = ports(m[1] + m[2])
	}
	return f, f.To != 0
}

// findIPTables reads the rules of iptables.
func findIPTables(ctx context.Context, h *Host, program, table string) ([]Found, error) {
	out, err := h.Run(ctx, "", program, "-t", table, "-S", "PREROUTING")
	if err != nil {
		return nil, err
	}
	return parseIPTables(out, program == "ip6tables"), nil
}

// parseIPTables reads what iptables -S prints.
func parseIPTables(text string, ipv6 bool) (all []Found) {
	for line := range strings.Lines(text) {
		f := Found{IPv4: !ipv6, IPv6: ipv6}
		fields := strings.Fields(line)
		for i := 0; i+1 < len(fields); i++ {
			value := fields[i+1]
			switch fields[i] {
			case "-j":
				f.Mode = map[string]string{"REDIRECT": Redirect, "TPROXY": TProxy}[value]
			case "-i":
				f.Interfaces = words(value)
			case "--dport", "--dports":
				f.Ports = ports(value)
			case "--to-ports", "--on-port":
				f.To = port(value)
			}
		}
		if f.Mode != "" && f.To != 0 && !strings.Contains(line, " -p udp ") {
			all = append(all, f)
		}
	}
	return all
}

// words are the elements of a list with commas.
func words(list string) (out []string) {
	for w := range strings.SplitSeq(list, ",") {
		if w = strings.TrimSpace(w); w != "" {
			out = append(out, w)
		}
	}
	return out
}

// ports are those of a list; ranges are left out.
func ports(list string) (out []uint16) {
	for _, w := range words(list) {
		if p := port(w); p != 0 {
			out = append(out, p)
		}
	}
	return out
}

func port(text string) uint16 {
	n, err := strconv.ParseUint(text, 10, 16)
	if err != nil {
		return 0
	}
	return uint16(n)
}
