package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/jayproxy/jay/config"
	"github.com/jayproxy/jay/tunnel/netfilter"
)

func doctorCommand() command {
	return command{
		name: "doctor", usage: "look for what keeps Jay from working on this machine, and say what to do",
		text: "Checks the configuration, the listeners' ports, name resolution, parents, clock, limits of descriptors and memory, the\n" +
			"admin address and interception, with or without a running Jay. As root it sees the packet filter's rules, too. It changes\n" +
			"nothing. Exits with 0 when nothing stands in the way, otherwise with 1.",
		example: "sudo jay doctor --config /etc/jay.yaml",
		flags: []ownFlag{
			{name: "online", help: "fetch --url the way that Jay does, and compare the clock with its Date"},
			{name: "url", arg: "URL", help: "what --online fetches, and whose host is looked up [http://example.com/]"},
			{name: "interface", arg: "NAME", help: "interface that intercepted clients are on; several with commas [found out]"},
			{name: "json", help: "print JSON"},
		},
		run: (*process).doctor,
	}
}

// The levels of findings. Only problems keep Jay from working.
const (
	levelGood    = "good"
	levelNote    = "note"
	levelWarning = "warning"
	levelProblem = "problem"
)

// finding is one thing that the doctor found.
type finding struct {
	Check  string `json:"check"`
	Level  string `json:"level"`
	Text   string `json:"text"`
	Advice string `json:"advice,omitempty"` // what to do
}

// diagnosis is what jay doctor --json prints.
type diagnosis struct {
	Good     bool              `json:"good"`
	Findings []finding         `json:"findings"`
	Rules    map[string]string `json:"rules,omitempty"` // for interception on this machine, by backend
}

// doctor answers jay doctor.
func (p *process) doctor(ctx context.Context, f *flags) error {
	d := diagnosis{}
	c, err := p.settings(f, codeUsage)
	if err == nil {
		err = p.checkFiles(&c)
	}
	if err != nil {
		for line := range strings.Lines(err.Error()) {
			d.Findings = append(d.Findings, finding{"configuration", levelProblem, strings.TrimSuffix(line, "\n"), "correct it; nothing else was checked"})
		}
	} else {
		facts, err := p.gather(ctx, &c, f)
		if err != nil {
			return err
		}
		d.Findings = append([]finding{{"configuration", levelGood, "is good", ""}}, diagnose(facts)...)
		d.Rules = facts.intercept.scripts
	}
	d.Good = true
	for _, found := range d.Findings {
		d.Good = d.Good && found.Level != levelProblem
	}
	if err := p.printDiagnosis(&d, f.given("json")); err != nil || d.Good {
		return err
	}
	return &exitError{code: codeFailure, err: errors.New("")}
}

// checkFiles checks what the configuration refers to, as jay check-config does.
func (p *process) checkFiles(c *config.Config) error {
	_, err := proxyOptions(c)
	if err == nil {
		_, err = adminToken(c)
	}
	return err
}

// printDiagnosis prints d for people or programs.
func (p *process) printDiagnosis(d *diagnosis, asJSON bool) error {
	if asJSON {
		b, err := json.MarshalIndent(d, "", "  ")
		if err != nil {
			return fmt.Errorf("doctor: %w", err)
		}
		_, err = fmt.Fprintf(p.stdout, "%s\n", b)
		return err
	}
	var b strings.Builder
	problems := 0
	for _, found := range d.Findings {
		fmt.Fprintf(&b, "%-8s %-14s %s\n", found.Level, found.Check, found.Text)
		if found.Advice != "" {
			fmt.Fprintf(&b, "%23s → %s\n", "", found.Advice)
		}
		if found.Level == levelProblem {
			problems++
		}
	}
	for _, backend := range []string{netfilter.NFT, netfilter.IPTables} {
		if script := d.Rules[backend]; script != "" {
			fmt.Fprintf(&b, "\nThe rules for interception on this machine, with %s:\n\n%s", backend, script)
		}
	}
	switch problems {
	case 0:
		b.WriteString("\nNothing stands in the way.\n")
	case 1:
		b.WriteString("\n1 problem.\n")
	default:
		fmt.Fprintf(&b, "\n%d problems.\n", problems)
	}
	_, err := io.WriteString(p.stdout, b.String())
	return err
}
