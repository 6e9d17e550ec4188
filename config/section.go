package config

import (
	"fmt"
	"slices"

	"go.yaml.in/yaml/v3"
)

// section is a part of the file that is more than an option.
type section struct {
	name string
	load func(*Config, *yaml.Node) []error
}

func sections() []section {
	return []section{{"policy", loadPolicy}}
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
	if c.Policy == nil {
		return "", nil
	}
	top := mapping{}
	top.put("policy", writePolicy(c.Policy))
	out, err := yaml.Marshal(top.node())
	if err != nil {
		return "", fmt.Errorf("config: %w", err)
	}
	return "\n# Who may go where\n" + string(out), nil
}
