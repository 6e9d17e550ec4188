package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"github.com/jayproxy/jay/config"
	"github.com/jayproxy/jay/tunnel/netfilter"
)

func rulesCommand() command {
	return command{
		name: "intercept-rules", usage: "print, load or remove the packet filter's rules that send clients to the intercept address",
		text: "Run it on the router that the clients' packets pass, where Jay runs, too. Without --apply and --remove it prints\n" +
			"shell commands. --apply replaces the rules that it loaded before and may be repeated; --remove takes them away.\n" +
			"Rules of others are left alone. None survives a restart of the machine. The port that clients are sent to is that of\n" +
			"the configured intercept address, or 3129.",
		example: "sudo jay intercept-rules --mode redirect --interface lan0 --intercept :3129 --apply",
		offline: true,
		flags: []ownFlag{
			{name: "mode", arg: "MODE", help: "redirect or tproxy [intercept-mode]", words: []string{"redirect", "tproxy"}},
			{name: "interface", arg: "NAME", help: "interface that the clients are on; several with commas [lan0]"},
			{name: "ports", arg: "PORTS", help: "ports that clients connect to, up to 15 [80,443]"},
			{name: "backend", arg: "PROGRAM", help: "nft or iptables [the one that is installed, nft first]", words: []string{"nft", "iptables"}},
			{name: "apply", help: "load the rules; the interface must be named"},
			{name: "remove", help: "remove what --apply loaded"},
		},
		run: (*process).interceptRules,
	}
}

// defaultIntercept is the port that rules name when no address is configured, as in the documentation.
const defaultIntercept = 3129

// interceptRules answers jay intercept-rules.
func (p *process) interceptRules(ctx context.Context, f *flags) error {
	c, err := p.settings(f, codeUsage)
	if err != nil {
		return err
	}
	r, err := rulesOf(&c, f)
	if err != nil {
		return err
	}
	apply, remove := f.given("apply"), f.given("remove")
	switch {
	case apply && remove:
		return usagef("intercept-rules: --apply and --remove exclude each other")
	case apply && f.last("interface") == "":
		return usagef("intercept-rules: --apply needs the --interface that the clients are on")
	case apply && len(c.Intercept) == 0:
		return usagef("intercept-rules: no intercept address is configured, so clients would be sent to nobody; configure one and start Jay, or name it with --intercept")
	case apply:
		return p.changeRules(r.Apply(ctx, p.filter))
	case remove:
		return p.changeRules(r.Remove(ctx, p.filter))
	}
	_, err = io.WriteString(p.stdout, r.Script())
	return err
}

// rulesOf are the rules that the command line and the configuration ask for.
func rulesOf(c *config.Config, f *flags) (*netfilter.Rules, error) {
	r := &netfilter.Rules{
		Mode: c.InterceptMode, Backend: f.last("backend"),
		Interfaces: []string{"lan0"}, Ports: []uint16{80, 443}, To: interceptPort(c),
	}
	if mode := f.last("mode"); mode != "" {
		r.Mode = mode
	}
	if r.Mode == config.InterceptHost {
		return nil, usagef("intercept-rules: intercept-mode host needs no rules; name the --mode, redirect or tproxy")
	}
	if r.Backend == "" {
		r.Backend = installedBackend()
	}
	if names := f.texts["interface"]; names != nil {
		r.Interfaces = strings.Split(strings.Join(names, ","), ",")
	}
	if texts := f.texts["ports"]; texts != nil {
		r.Ports = nil
		for text := range strings.SplitSeq(strings.Join(texts, ","), ",") {
			n, err := strconv.ParseUint(strings.TrimSpace(text), 10, 16)
			if err != nil {
				return nil, usagef("--ports: %q is not a port", text)
			}
			r.Ports = append(r.Ports, uint16(n))
		}
	}
	if err := r.Validate(); err != nil {
		return nil, usagef("intercept-rules: %s", strings.TrimPrefix(err.Error(), "netfilter: "))
	}
	return r, nil
}

// interceptPort is the port of the first intercept address.
func interceptPort(c *config.Config) uint16 {
	if len(c.Intercept) > 0 {
		_, port, _ := strings.Cut(c.Intercept[0][strings.LastIndexByte(c.Intercept[0], ':'):], ":")
		if n, err := strconv.ParseUint(port, 10, 16); err == nil && n != 0 {
			return uint16(n)
		}
	}
	return defaultIntercept
}

// installedBackend is the program that this machine has.
func installedBackend() string {
	if !netfilter.Installed("nft") && netfilter.Installed("iptables") {
		return netfilter.IPTables
	}
	return netfilter.NFT
}

// changeRules says what became of rules that were to be changed.
func (p *process) changeRules(changed bool, err error) error {
	if err != nil && os.Geteuid() != 0 {
		return fmt.Errorf("intercept-rules: only root may change the packet filter; repeat it with sudo (%s)", firstLine(err))
	}
	if err != nil {
		return errors.New(strings.TrimPrefix(err.Error(), "netfilter: "))
	}
	text := "nothing to do\n"
	if changed {
		text = "done\n"
	}
	_, err = io.WriteString(p.stdout, text)
	return err
}

func firstLine(err error) string {
	line, _, _ := strings.Cut(err.Error(), "\n")
	return strings.TrimPrefix(line, "netfilter: ")
}
