package config

import (
	"maps"
	"slices"

	"go.yaml.in/yaml/v3"
)

// loadPolicy reads the section into c, or leaves c as it is and returns all that is wrong.
func loadPolicy(c *Config, n *yaml.Node) []error {
	l := policyLoader{p: new(Policy)}
	if l.keys(n, "policy", map[string]func(*yaml.Node){
		"default": func(v *yaml.Node) { l.p.Default = l.word(v, "default", PolicyAllow, PolicyDeny) },
		"groups":  l.groups,
		"lists":   l.lists,
		"rules":   l.rules,
	}) && l.p.Default == "" && l.errs == nil {
		l.fail(n, "policy: default is missing; say what happens when no rule decides: allow or deny")
	}
	l.references()
	if l.errs == nil {
		c.Policy = l.p
	}
	return l.errs
}

// policyLoader collects the section and what is wrong with it.
type policyLoader struct {
	p    *Policy
	errs []error
	refs []reference
}

// reference is the use of a group's or a list's name, which may be declared behind it.
type reference struct {
	node *yaml.Node
	list bool
	name string
}

func (l *policyLoader) fail(n *yaml.Node, format string, args ...any) {
	l.errs = append(l.errs, at(n, format, args...))
}

// good reports whether a node is free of what the file must not have.
func (l *policyLoader) good(n *yaml.Node) bool {
	err := plain(n)
	if err != nil {
		l.errs = append(l.errs, err)
	}
	return err == nil
}

// keys hands each value of a mapping to the function for its key. It returns whether n is a mapping.
func (l *policyLoader) keys(n *yaml.Node, what string, known map[string]func(*yaml.Node)) bool {
	return l.each(n, what, func(key, value *yaml.Node) {
		if f, ok := known[key.Value]; ok {
			f(value)
			return
		}
		l.fail(key, "%s: unknown key %q%s", what, key.Value, Suggest(key.Value, slices.Sorted(maps.Keys(known))))
	})
}

// each calls f for each entry of a mapping whose keys are all different.
func (l *policyLoader) each(n *yaml.Node, what string, f func(key, value *yaml.Node)) bool {
	if !l.good(n) {
		return false
	}
	if n.Kind != yaml.MappingNode {
		l.fail(n, "%s: wants lines of the form name: value", what)
		return false
	}
	seen := make(map[string]int)
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		if !l.good(key) || !l.good(value) {
			continue
		}
		if line, ok := seen[key.Value]; ok {
			l.fail(key, "%s: %s is already on line %d", what, key.Value, line)
			continue
		}
		seen[key.Value] = key.Line
		f(key, value)
	}
	return true
}

// text is a scalar's text; empty if something is wrong.
func (l *policyLoader) text(n *yaml.Node, what string, check func(string) error) string {
	if !l.good(n) {
		return ""
	}
	if n.Kind != yaml.ScalarNode || n.Tag == "!!null" {
		l.fail(n, "%s: wants a value", what)
		return ""
	}
	if err := check(n.Value); err != nil {
		l.fail(n, "%s: %v", what, err)
		return ""
	}
	return n.Value
}

// word is one of some words.
func (l *policyLoader) word(n *yaml.Node, what string, words ...string) string {
	o := Option{choices: words}
	return l.text(n, what, func(text string) error {
		_, err := o.parseString(text)
		return err
	})
}

// texts are the texts of a list, or of one scalar with commas.
func (l *policyLoader) texts(n *yaml.Node, what string, check func(string) error) []string {
	items := []*yaml.Node{n}
	if n.Kind == yaml.SequenceNode {
		items = n.Content
	} else if n.Kind == yaml.ScalarNode && n.Tag != "!!null" && l.good(n) {
		items = nil
		for _, text := range (&Option{Many: true}).Split(n.Value) {
			items = append(items, &yaml.Node{Kind: yaml.ScalarNode, Value: text, Line: n.Line})
		}
	}
	if len(items) == 0 {
		l.fail(n, "%s: is empty; leave the line out", what)
	}
	var all []string
	for _, item := range items {
		if text := l.text(item, what, check); text != "" {
			all = append(all, text)
		}
	}
	return all
}

func (l *policyLoader) groups(n *yaml.Node) {
	l.each(n, "groups", func(key, value *yaml.Node) {
		name := l.text(key, "groups", checkRuleName)
		l.p.Groups = append(l.p.Groups, PolicyGroup{name, l.texts(value, key.Value, checkPerson)})
	})
}

func (l *policyLoader) lists(n *yaml.Node) {
	l.each(n, "lists", func(key, value *yaml.Node) {
		name := l.text(key, "lists", checkRuleName)
		l.p.Lists = append(l.p.Lists, PolicyList{name, l.text(value, key.Value, checkFilled)})
	})
}

func (l *policyLoader) rules(n *yaml.Node) {
	l.ruleList(n, "rules", func(_ int, item *yaml.Node) string {
		l.p.Rules = append(l.p.Rules, l.rule(item))
		return l.p.Rules[len(l.p.Rules)-1].Name
	})
}

// ruleList hands each item of a list of rules to read, which returns the rule's name; no two may have the same.
func (l *policyLoader) ruleList(n *yaml.Node, what string, read func(i int, item *yaml.Node) (name string)) {
	if !l.good(n) {
		return
	}
	if n.Kind != yaml.SequenceNode {
		l.fail(n, "%s: wants a list of rules, each with a hyphen in front", what)
		return
	}
	lines := make(map[string]int)
	for i, item := range n.Content {
		name := read(i, item)
		if line, ok := lines[name]; ok && name != "" {
			l.fail(item, "rule %s: there is one of that name on line %d", name, line)
		}
		lines[name] = item.Line
	}
}

// rule reads one rule.
func (l *policyLoader) rule(n *yaml.Node) PolicyRule {
	var r PolicyRule
	keys := l.conditions(&r)
	keys["name"] = func(v *yaml.Node) { r.Name = l.text(v, "name", checkRuleName) }
	keys["action"] = func(v *yaml.Node) { r.Action = l.word(v, "action", PolicyAllow, PolicyDeny, PolicyReport) }
	keys["group"] = func(v *yaml.Node) { r.Groups = l.refer(v, "group", false) }
	keys["list"] = func(v *yaml.Node) { r.Lists = l.refer(v, "list", true) }
	ok := l.keys(n, "rule", keys)
	if ok && r.Name == "" && len(l.errs) == 0 {
		l.fail(n, "rule: name is missing; refusals and log lines give it")
	}
	if ok && r.Action == "" && len(l.errs) == 0 {
		l.fail(n, "rule %s: action is missing: allow, deny or report", r.Name)
	}
	return r
}

// conditions are the readers of a rule's conditions by their keys.
func (l *policyLoader) conditions(r *PolicyRule) map[string]func(*yaml.Node) {
	texts := func(into *[]string, what string, check func(string) error) func(*yaml.Node) {
		return func(v *yaml.Node) { *into = l.texts(v, what, check) }
	}
	return map[string]func(*yaml.Node){
		"client": func(v *yaml.Node) { r.Clients = parsed(l, v, "client", one(parsePrefix)) },
		"user":   texts(&r.Users, "user", checkPerson),
		"to":     texts(&r.To, "to", checkDestination),
		"port":   func(v *yaml.Node) { r.Ports = parsed(l, v, "port", one(ParsePortRange)) },
		"method": texts(&r.Methods, "method", checkMethod),
		"via":    texts(&r.Via, "via", checkVia),
		"days":   func(v *yaml.Node) { r.Days = parsed(l, v, "days", parseDays) },
		"time":   func(v *yaml.Node) { r.Hours = parsed(l, v, "time", one(ParseHours)) },
	}
}

// checkVia accepts the ways in which requests come.
func checkVia(text string) error {
	_, err := (&Option{choices: []string{"http", "connect", "upgrade", "intercept"}}).parseString(text)
	return err
}

// one makes a parser of one value a parser of several.
func one[T any](parse func(string) (T, error)) func(string) ([]T, error) {
	return func(text string) ([]T, error) {
		v, err := parse(text)
		return []T{v}, err
	}
}

// parsed are the values of a list, each of which may stand for several.
func parsed[T any](l *policyLoader, n *yaml.Node, what string, parse func(string) ([]T, error)) []T {
	var all []T
	l.texts(n, what, func(text string) error {
		v, err := parse(text)
		all = append(all, v...)
		return err
	})
	return all
}

// refer reads names of groups or lists, which are looked for when all of the section was read.
func (l *policyLoader) refer(n *yaml.Node, what string, list bool) []string {
	names := l.texts(n, what, checkRuleName)
	for _, name := range names {
		l.refs = append(l.refs, reference{n, list, name})
	}
	return names
}

// references finds uses of groups and lists that there are not.
func (l *policyLoader) references() {
	var groups, lists []string
	for _, g := range l.p.Groups {
		groups = append(groups, g.Name)
	}
	for _, f := range l.p.Lists {
		lists = append(lists, f.Name)
	}
	for _, r := range l.refs {
		what, known := "group", groups
		if r.list {
			what, known = "list", lists
		}
		if !slices.Contains(known, r.name) {
			l.fail(r.node, "there is no %s %q%s", what, r.name, Suggest(r.name, known))
		}
	}
}
