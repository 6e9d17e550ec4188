package config

import "go.yaml.in/yaml/v3"

// writePolicy is the section as a YAML value.
func writePolicy(p *Policy) *yaml.Node {
	top := mapping{}
	top.add("default", p.Default)
	if len(p.Groups) > 0 {
		groups := mapping{}
		for _, g := range p.Groups {
			groups.list(g.Name, g.Users)
		}
		top.put("groups", groups.node())
	}
	if len(p.Lists) > 0 {
		lists := mapping{}
		for _, f := range p.Lists {
			lists.add(f.Name, f.File)
		}
		top.put("lists", lists.node())
	}
	if len(p.Rules) > 0 {
		rules := &yaml.Node{Kind: yaml.SequenceNode}
		for i := range p.Rules {
			rules.Content = append(rules.Content, writeRule(&p.Rules[i]))
		}
		top.put("rules", rules)
	}
	return top.node()
}

func writeRule(r *PolicyRule) *yaml.Node {
	m := mapping{}
	m.add("name", r.Name)
	m.add("action", r.Action)
	writeConditions(&m, r)
	return m.node()
}

// writeConditions adds the conditions of a rule.
func writeConditions(m *mapping, r *PolicyRule) {
	m.list("client", texts(r.Clients))
	m.list("user", r.Users)
	m.list("group", r.Groups)
	m.list("to", r.To)
	m.list("list", r.Lists)
	m.list("port", texts(r.Ports))
	m.list("method", r.Methods)
	m.list("via", r.Via)
	var days []string
	for _, d := range r.Days {
		days = append(days, dayNames[d])
	}
	m.list("days", days)
	m.list("time", texts(r.Hours))
}

// mapping makes a YAML mapping.
type mapping struct{ content []*yaml.Node }

func (m *mapping) node() *yaml.Node { return &yaml.Node{Kind: yaml.MappingNode, Content: m.content} }

func (m *mapping) put(key string, value *yaml.Node) {
	m.content = append(m.content, scalarNode(key), value)
}

func (m *mapping) add(key, text string) { m.put(key, scalarNode(text)) }

// list adds a list, unless it is empty.
func (m *mapping) list(key string, items []string) {
	if len(items) == 0 {
		return
	}
	n := &yaml.Node{Kind: yaml.SequenceNode, Style: yaml.FlowStyle}
	for _, text := range items {
		n.Content = append(n.Content, scalarNode(text))
	}
	m.put(key, n)
}

// scalarNode is a text that is quoted where it could be taken for something else.
func scalarNode(text string) *yaml.Node {
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: text}
}
