package config

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// section is a part of the file that is more than an option.
type section struct {
	name string
	load func(*Config, *yaml.Node) []error
}

func sections() []section {
	return []section{{"policy", loadPolicy}, {"overrides", loadOverrides}, {"hosts", loadHosts}, {"parents", loadParents}}
}

// setSection reads a section if key names one.
func setSection(c *Config, key, value *yaml.Node, seen map[string]int) (errs []error, is bool) {
	i := slices.IndexFunc(sections(), func(s section) bool { return key.Kind == yaml.ScalarNode && s.name == key.Value })
	if i < 0 {
		return nil, false
	}
	if err := plain(key); err != nil {
		return []error{err}, true
	}
	if line, ok := seen[key.Value]; ok {
		return []error{at(key, "%s is already set on line %d", key.Value, line)}, true
	}
	seen[key.Value] = key.Line
	return sections()[i].load(c, value), true
}

// printSections is what Print writes below the options.
func printSections(c *Config) (string, error) {
	var policy, overrides, hosts, parents *yaml.Node
	if c.Policy != nil {
		policy = writePolicy(c.Policy)
	}
	if len(c.Overrides) > 0 {
		overrides = writeOverrides(c.Overrides)
	}
	if len(c.Hosts) > 0 {
		hosts = writeHosts(c.Hosts)
	}
	if len(c.Parents) > 0 {
		parents = writeParents(c.Parents)
	}
	var b strings.Builder
	err := errors.Join(
		printSection(&b, "Who may go where", "policy", policy),
		printSection(&b, "Addresses of names that are not looked up", "hosts", hosts),
		printSection(&b, "How long responses stay fresh, whatever they say", "overrides", overrides),
		printSection(&b, "Which way to which origin", "parents", parents))
	return b.String(), err
}

// printSection writes one section with a comment above it, unless there is none.
func printSection(b *strings.Builder, comment, name string, value *yaml.Node) error {
	if value == nil {
		return nil
	}
	top := mapping{}
	top.put(name, value)
	out, err := yaml.Marshal(top.node())
	if err != nil {
		return fmt.Errorf("config: %w", err)
	}
	fmt.Fprintf(b, "\n# %s\n%s", comment, out)
	return nil
}
