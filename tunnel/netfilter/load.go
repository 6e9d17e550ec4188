package netfilter

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"strings"
)

// ErrMissing is the cause when a program is not installed.
var ErrMissing = errors.New("the program is not installed")

// Host is the machine whose rules are changed.
type Host struct {
	// Run runs a program and returns what it prints. Its error says what the program said.
	Run func(ctx context.Context, input string, words ...string) (string, error)
	// IPv6 tells whether the kernel has it; where it does not, its rules are left out.
	IPv6 bool
}

// This returns the machine that the process runs on.
func This() *Host {
	_, err := os.Stat("/proc/net/if_inet6")
	return &Host{Run: run, IPv6: err == nil}
}

func run(ctx context.Context, input string, words ...string) (string, error) {
	var out, errs bytes.Buffer
	cmd := exec.CommandContext(ctx, path(words[0]), words[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(input), &out, &errs
	cmd.Env = append(os.Environ(), "LC_ALL=C")
	err := cmd.Run()
	switch {
	case errors.Is(err, exec.ErrNotFound), errors.Is(err, fs.ErrNotExist):
		return "", fmt.Errorf("netfilter: %s: %w", words[0], ErrMissing)
	case err != nil:
		first, _, _ := strings.Cut(strings.TrimSpace(errs.String()), "\n")
		return "", fmt.Errorf("netfilter: %s: %w: %s", strings.Join(words, " "), err, first)
	}
	return out.String(), nil
}

// path is where a program is. Not everybody has the directories of the system's programs in PATH.
func path(program string) string {
	if _, err := exec.LookPath(program); err != nil {
		for _, dir := range []string{"/usr/sbin/", "/sbin/"} {
			if _, err := os.Stat(dir + program); err == nil {
				return dir + program
			}
		}
	}
	return program
}

// Installed reports whether this machine has a program.
func Installed(program string) bool {
	_, err := exec.LookPath(path(program))
	return err == nil
}

// skip tells whether a step is for an IPv6 that the kernel lacks.
func (h *Host) skip(s step) bool {
	return !h.IPv6 && (strings.HasPrefix(s.text, "ip -6") || strings.HasPrefix(s.text, "ip6tables"))
}

// Apply loads the rules in place of those that an earlier Apply with the same backend has loaded, and reports whether it
// changed anything. After an error the machine is as it was, except for rules that were to be replaced with iptables.
func (r *Rules) Apply(ctx context.Context, h *Host) (changed bool, err error) {
	if err := r.Validate(); err != nil {
		return false, err
	}
	var done []step
	for _, s := range h.used(r.routing()) {
		if h.routed(ctx, s) {
			continue
		}
		if err = h.do(ctx, s); err != nil {
			return false, errors.Join(err, h.undo(ctx, done))
		}
		done = append(done, s)
	}
	filtered, err := r.applyFilter(ctx, h)
	if err != nil {
		return false, errors.Join(err, h.undo(ctx, done))
	}
	return filtered || len(done) > 0, nil
}

// Remove removes all rules that Apply has loaded with this backend and, for TPROXY, its routes, and reports whether there
// were any. Only Mode and Backend of r count.
func (r *Rules) Remove(ctx context.Context, h *Host) (changed bool, err error) {
	changed, err = r.removeFilter(ctx, h)
	var routes []step
	for _, s := range h.used(r.routing()) {
		if h.routed(ctx, s) {
			routes = append(routes, s)
		}
	}
	return changed || len(routes) > 0, errors.Join(err, h.undo(ctx, routes))
}

// do runs a step.
func (h *Host) do(ctx context.Context, s step) error {
	_, err := h.Run(ctx, s.input, strings.Fields(s.text)...)
	return err
}

// undo takes back steps that add something.
func (h *Host) undo(ctx context.Context, steps []step) error {
	var all []error
	for _, s := range steps {
		text := strings.Replace(strings.Replace(s.text, " add ", " del ", 1), " -A ", " -D ", 1)
		all = append(all, h.do(ctx, step{text: text}))
	}
	return errors.Join(all...)
}

// routed tells whether what a step of routing adds is there.
func (h *Host) routed(ctx context.Context, s step) bool {
	words := strings.Fields(s.text)
	ip := words[:1]
	if words[1] == "-6" {
		ip = words[:2]
	}
	if strings.Contains(s.text, " rule ") {
		out, err := h.Run(ctx, "", append(ip[:len(ip):len(ip)], "rule", "show")...)
		return err == nil && strings.Contains(strings.Join(strings.Fields(out), " ")+" ", fmt.Sprintf(" fwmark 0x%x lookup %d ", Mark, Table))
	}
	out, err := h.Run(ctx, "", append(ip[:len(ip):len(ip)], "route", "show", "table", fmt.Sprint(Table))...)
	return err == nil && strings.HasPrefix(strings.TrimSpace(out), "local default dev lo")
}

// applyFilter puts the packet filter's rules in place.
func (r *Rules) applyFilter(ctx context.Context, h *Host) (changed bool, err error) {
	if r.Backend == NFT {
		return r.applyTable(ctx, h)
	}
	own, err := h.ownLines(ctx)
	if err != nil {
		return false, err
	}
	steps := h.used(r.filter())
	if len(own) == len(steps) && h.loaded(ctx, steps) {
		return false, nil
	}
	if err := h.undo(ctx, own); err != nil {
		return true, err
	}
	for i, s := range steps {
		if err := h.do(ctx, s); err != nil {
			return true, errors.Join(err, h.undo(ctx, steps[:i]))
		}
	}
	return true, nil
}

// loaded tells whether iptables has all of the rules that steps add.
func (h *Host) loaded(ctx context.Context, steps []step) bool {
	for _, s := range steps {
		if h.do(ctx, step{text: strings.Replace(s.text, " -A ", " -C ", 1)}) != nil {
			return false
		}
	}
	return true
}

// used is steps without those that this machine skips.
func (h *Host) used(steps []step) (out []step) {
	for _, s := range steps {
		if !h.skip(s) {
			out = append(out, s)
		}
	}
	return out
}

// applyTable replaces the table in one transaction.
func (r *Rules) applyTable(ctx context.Context, h *Host) (changed bool, err error) {
	const list = "nft list table inet jay"
	before, err := h.Run(ctx, "", strings.Fields(list)...)
	if err == nil && sameTable(before, r.table()) {
		return false, nil
	}
	s := r.filter()[0]
	s.input = "table inet jay\ndelete table inet jay\n" + s.input
	return true, h.do(ctx, s)
}

// sameTable compares a table as it is listed with one as it was given.
func sameTable(listed, given string) bool {
	listed = strings.ReplaceAll(listed, fmt.Sprintf("meta mark set 0x%08x", Mark), fmt.Sprintf("meta mark set %d", Mark))
	return strings.Join(strings.Fields(listed), " ") == strings.Join(strings.Fields(given), " ")
}

// removeFilter takes the packet filter's rules away.
func (r *Rules) removeFilter(ctx context.Context, h *Host) (changed bool, err error) {
	if r.Backend == NFT {
		tables, err := h.Run(ctx, "", "nft", "list", "tables")
		if err != nil || !strings.Contains(tables+"\n", "table inet jay\n") {
			return false, err
		}
		_, err = h.Run(ctx, "", "nft", "delete", "table", "inet", "jay")
		return true, err
	}
	own, err := h.ownLines(ctx)
	if err != nil {
		return false, err
	}
	return len(own) > 0, h.undo(ctx, own)
}

// ownLines are the iptables rules that Apply has loaded, known by their comment, as the steps that add them.
func (h *Host) ownLines(ctx context.Context) (own []step, err error) {
	for _, program := range []string{"iptables", "ip6tables"} {
		for _, table := range []string{"nat", "mangle"} {
			s := step{text: program + " -t " + table + " -S PREROUTING"}
			if h.skip(s) {
				continue
			}
			out, err := h.Run(ctx, "", strings.Fields(s.text)...)
			if err != nil {
				return nil, err
			}
			for line := range strings.Lines(out) {
				if strings.Contains(line, " --comment jay ") {
					own = append(own, step{text: program + " -t " + table + " " + strings.TrimSpace(line)})
				}
			}
		}
	}
	return own, nil
}
