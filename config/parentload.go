package config

import (
	"strconv"

	"go.yaml.in/yaml/v3"
)

// loadParents reads the section into c, or leaves c as it is and returns all that is wrong.
func loadParents(c *Config, n *yaml.Node) []error {
	l := policyLoader{p: new(Policy)}
	var rules []ParentRule
	l.ruleList(n, "parents", func(i int, item *yaml.Node) string {
		r := l.parentRule(item)
		if r.Match.Name == "" {
			r.Match.Name = "parents-" + strconv.Itoa(i+1)
		}
		rules = append(rules, r)
		return r.Match.Name
	})
	if l.errs == nil {
		c.Parents = rules
	}
	return l.errs
}

// parentRule reads one rule.
func (l *policyLoader) parentRule(n *yaml.Node) ParentRule {
	var r ParentRule
	before := len(l.errs)
	keys := l.conditions(&r.Match)
	keys["name"] = func(v *yaml.Node) { r.Match.Name = l.text(v, "name", checkRuleName) }
	keys["use"] = func(v *yaml.Node) { r.Use = l.texts(v, "use", checkParent) }
	if l.keys(n, "rule", keys) && len(r.Use) == 0 && len(l.errs) == before {
		l.fail(n, "rule: use is missing; say which proxies to use, or direct")
	}
	return r
}

// writeParents is the section as a YAML value, without passwords.
func writeParents(rules []ParentRule) *yaml.Node {
	n := &yaml.Node{Kind: yaml.SequenceNode}
	for i := range rules {
		m := mapping{}
		m.add("name", rules[i].Match.Name)
		writeConditions(&m, &rules[i].Match)
		var use []string
		for _, text := range rules[i].Use {
			use = append(use, MaskParent(text))
		}
		m.list("use", use)
		n.Content = append(n.Content, m.node())
	}
	return n
}
