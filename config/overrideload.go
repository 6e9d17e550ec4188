package config

import (
	"slices"
	"strconv"

	"go.yaml.in/yaml/v3"
)

// loadOverrides reads the section into c, or leaves c as it is and returns all that is wrong.
func loadOverrides(c *Config, n *yaml.Node) []error {
	l := policyLoader{p: new(Policy)}
	var all []Override
	l.ruleList(n, "overrides", func(_ int, item *yaml.Node) string {
		all = append(all, l.override(item))
		return all[len(all)-1].Name
	})
	if l.errs == nil {
		c.Overrides = all
	}
	return l.errs
}

// override reads one rule.
func (l *policyLoader) override(n *yaml.Node) Override {
	var o Override
	before := len(l.errs)
	texts := func(into *[]string, what string, check func(string) error) func(*yaml.Node) {
		return func(v *yaml.Node) { *into = l.texts(v, what, check) }
	}
	ok := l.keys(n, "override", map[string]func(*yaml.Node){
		"name":              func(v *yaml.Node) { o.Name = l.text(v, "name", checkRuleName) },
		"to":                texts(&o.To, "to", checkDestination),
		"path":              texts(&o.Paths, "path", checkPathPattern),
		"regexp":            func(v *yaml.Node) { o.Regexp = l.text(v, "regexp", checkRegexp) },
		"type":              texts(&o.Types, "type", checkType),
		"status":            func(v *yaml.Node) { o.Statuses = parsed(l, v, "status", one(ParseStatusRange)) },
		"min":               func(v *yaml.Node) { o.Min = parsedText(l, v, "min", parseLifetime) },
		"max":               func(v *yaml.Node) { o.Max = parsedText(l, v, "max", parseLifetime) },
		"heuristic":         func(v *yaml.Node) { o.Heuristic = parsedText(l, v, "heuristic", parseFraction) },
		"ignore":            texts(&o.Ignore, "ignore", checkIgnorable),
		"never":             func(v *yaml.Node) { o.Never = parsedText(l, v, "never", parseBool) },
		"always-revalidate": func(v *yaml.Node) { o.AlwaysRevalidate = parsedText(l, v, "always-revalidate", parseBool) },
	})
	if !ok || len(l.errs) > before {
		return o
	}
	if o.Name == "" {
		l.fail(n, "override: name is missing; Cache-Status and log lines give it")
	} else if what := o.contradiction(); what != "" {
		l.fail(n, "override %s: %s", o.Name, what)
	}
	slices.Sort(o.Ignore)
	o.Ignore = slices.Compact(o.Ignore)
	return o
}

// parsedText is what one scalar stands for.
func parsedText[T any](l *policyLoader, n *yaml.Node, what string, parse func(string) (T, error)) (v T) {
	l.text(n, what, func(text string) error {
		var err error
		v, err = parse(text)
		return err
	})
	return v
}

// writeOverrides is the section as a YAML value.
func writeOverrides(list []Override) *yaml.Node {
	rules := &yaml.Node{Kind: yaml.SequenceNode}
	for i := range list {
		rules.Content = append(rules.Content, writeOverride(&list[i]))
	}
	return rules
}

func writeOverride(o *Override) *yaml.Node {
	m := mapping{}
	m.add("name", o.Name)
	m.list("to", o.To)
	m.list("path", o.Paths)
	if o.Regexp != "" {
		m.add("regexp", o.Regexp)
	}
	m.list("type", o.Types)
	m.list("status", texts(o.Statuses))
	if o.Min > 0 {
		m.add("min", formatLifetime(o.Min))
	}
	if o.Max > 0 {
		m.add("max", formatLifetime(o.Max))
	}
	if o.Heuristic > 0 {
		m.add("heuristic", formatFraction(o.Heuristic))
	}
	m.list("ignore", o.Ignore)
	if o.Never {
		m.add("never", "true")
	}
	if o.AlwaysRevalidate {
		m.add("always-revalidate", "true")
	}
	return m.node()
}

// formatFraction is what parseFraction reads.
func formatFraction(f float64) string { return strconv.FormatFloat(f, 'g', -1, 64) }
