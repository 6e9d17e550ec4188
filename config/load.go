package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// Load puts the settings of a YAML file into c. The file is one mapping from option names to scalars or, for options
// that take a list, sequences of scalars, and the sections "policy", see [Policy], "overrides", see [Override], "hosts", see
// [HostAddresses], and "parents", see [ParentRule]; an empty file is fine. Unknown and
// repeated keys, missing values, anchors,
// aliases, tags and second documents are errors. The error joins one error for each wrong line, "name:line: what is
// wrong"; settings on the other lines are applied all the same.
func Load(c *Config, name string, data []byte) error {
	root, err := parse(data)
	if err != nil {
		return fmt.Errorf("%s:%w", name, err)
	}
	if root == nil {
		return nil
	}
	var all []error
	seen := make(map[string]int)
	for i := 0; i+1 < len(root.Content); i += 2 {
		key, value := root.Content[i], root.Content[i+1]
		if errs, is := setSection(c, key, value, seen); is {
			for _, err := range errs {
				all = append(all, fmt.Errorf("%s:%w", name, err))
			}
			continue
		}
		if err := set(c, key, value, seen); err != nil {
			all = append(all, fmt.Errorf("%s:%w", name, err))
		}
	}
	return errors.Join(all...)
}

// Lines returns on which line of a file each of its settings stands. Of a file that [Load] refuses it may know none.
func Lines(data []byte) map[string]int {
	all := make(map[string]int)
	root, err := parse(data)
	if err != nil || root == nil {
		return all
	}
	for i := 0; i+1 < len(root.Content); i += 2 {
		all[root.Content[i].Value] = root.Content[i].Line
	}
	return all
}

// LoadEnv puts the settings of JAY_… variables into c; lookup gives a variable's value. An empty variable counts as
// unset. The error joins one error for each wrong variable, "JAY_NAME: what is wrong".
func LoadEnv(c *Config, lookup func(string) string) error {
	var all []error
	for _, o := range Options() {
		text := lookup(o.Env())
		if text == "" {
			continue
		}
		if err := o.Set(c, o.Split(text)); err != nil {
			all = append(all, fmt.Errorf("%s: %w", o.Env(), err))
		}
	}
	return errors.Join(all...)
}

// CheckEnv looks through the names of all variables for those that begin with JAY_ and are no option's. One that is nearly
// an option's is a slip, and the error says which was meant, "JAY_NAME: what is wrong"; the others are returned, since the
// variable may be somebody else's: Kubernetes sets JAY_PORT for a service of that name.
func CheckEnv(names []string) (strangers []string, err error) {
	known := []string{"config"}
	for _, o := range Options() {
		known = append(known, o.Name)
	}
	var all []error
	for _, name := range names {
		rest, ours := strings.CutPrefix(name, envPrefix)
		if !ours || slices.ContainsFunc(known, func(k string) bool { return envName(k) == name }) {
			continue
		}
		if best := nearest(strings.ReplaceAll(rest, "_", "-"), known); best != "" {
			all = append(all, fmt.Errorf("%s: there is no such variable; did you mean %s?", name, envName(best)))
			continue
		}
		strangers = append(strangers, name)
	}
	return strangers, errors.Join(all...)
}

// lineError is an error of one line of a file.
type lineError struct {
	line int
	what string
}

// Error implements error.
func (e *lineError) Error() string { return strconv.Itoa(e.line) + ": " + e.what }

// at makes the error of the line on which n stands.
func at(n *yaml.Node, format string, args ...any) error {
	return &lineError{max(n.Line, 1), fmt.Sprintf(format, args...)}
}

// parse returns the mapping that is the file's only document, or nil for a file without any.
func parse(data []byte) (*yaml.Node, error) {
	var doc, more yaml.Node
	dec := yaml.NewDecoder(bytes.NewReader(data))
	switch err := dec.Decode(&doc); {
	case errors.Is(err, io.EOF):
		return nil, nil
	case err != nil:
		return nil, syntaxError(data, err)
	}
	switch err := dec.Decode(&more); {
	case err == nil:
		return nil, at(&more, "a second document; a configuration is one")
	case !errors.Is(err, io.EOF):
		return nil, syntaxError(data, err)
	}
	root := doc.Content[0]
	if root.Kind == yaml.ScalarNode && root.Tag == "!!null" && root.Value == "" {
		return nil, nil
	}
	if root.Kind != yaml.MappingNode {
		return nil, at(root, "not a list of settings; write name: value")
	}
	return root, plain(root)
}

// set applies one line, whose key must not be in seen.
func set(c *Config, key, value *yaml.Node, seen map[string]int) error {
	if err := plain(key); err != nil {
		return err
	}
	o, ok := find(key.Value)
	if key.Kind != yaml.ScalarNode || !ok {
		return at(key, "unknown option %q%s", key.Value, Suggest(key.Value, names()))
	}
	if line, ok := seen[o.Name]; ok {
		return at(key, "%s is already set on line %d", o.Name, line)
	}
	seen[o.Name] = key.Line
	values, err := scalars(&o, value)
	if err != nil {
		return err
	}
	if err := o.Set(c, values); err != nil {
		return at(value, "%s: %v", o.Name, err)
	}
	return nil
}

// scalars returns the texts that stand for an option's value.
func scalars(o *Option, n *yaml.Node) ([]string, error) {
	if n.Kind == yaml.ScalarNode {
		text, err := scalar(o, n)
		return o.Split(text), err
	}
	if err := plain(n); err != nil {
		return nil, err
	}
	if n.Kind != yaml.SequenceNode {
		return nil, at(n, "%s: wants a value, not a mapping", o.Name)
	}
	if !o.Many {
		return nil, at(n, "%s: takes one value, not a list", o.Name)
	}
	items := []string{}
	for _, item := range n.Content {
		text, err := scalar(o, item)
		if err != nil {
			return nil, err
		}
		if err := o.Set(new(Config), []string{text}); err != nil {
			return nil, at(item, "%s: %v", o.Name, err)
		}
		items = append(items, text)
	}
	return items, nil
}

// scalar returns the text of one value as it stands in the file, whatever type YAML sees in it.
func scalar(o *Option, n *yaml.Node) (string, error) {
	if err := plain(n); err != nil {
		return "", err
	}
	if n.Kind != yaml.ScalarNode {
		return "", at(n, "%s: wants plain values", o.Name)
	}
	if n.Tag == "!!null" {
		return "", at(n, "%s: has no value; leave the line out for the default", o.Name)
	}
	return n.Value, nil
}

// plain refuses the parts of YAML that a list of settings has no use for.
func plain(n *yaml.Node) error {
	switch {
	case n.Kind == yaml.AliasNode:
		return at(n, "aliases are not supported")
	case n.Anchor != "":
		return at(n, "anchors are not supported")
	case n.Style&yaml.TaggedStyle != 0:
		return at(n, "tags are not supported")
	}
	return nil
}

// syntaxError gives an error of the YAML parser, "yaml: line 3: what is wrong", our form.
func syntaxError(data []byte, err error) error {
	what := strings.TrimPrefix(err.Error(), "yaml: ")
	if rest, ok := strings.CutPrefix(what, "line "); ok {
		number, rest, _ := strings.Cut(rest, ": ")
		if line, err := strconv.Atoi(number); err == nil {
			return &lineError{line, rest}
		}
	}
	return &lineError{badLine(data, what), what}
}

// badLine finds the line that a message without one is about: the first that holds the unknown alias or what YAML
// forbids.
func badLine(data []byte, what string) int {
	alias := []byte{0xff}
	if name, ok := strings.CutPrefix(what, "unknown anchor '"); ok {
		name, _, _ = strings.Cut(name, "'")
		alias = []byte("*" + name)
	}
	for i, line := range bytes.Split(data, []byte("\n")) {
		if bytes.Contains(line, alias) || !utf8.Valid(line) || bytes.ContainsFunc(line, func(r rune) bool { return r < ' ' && r != '\t' && r != '\r' || r == 0x7f }) {
			return i + 1
		}
	}
	return 1
}

// find returns the option of that name.
func find(name string) (Option, bool) {
	for _, o := range Options() {
		if o.Name == name {
			return o, true
		}
	}
	return Option{}, false
}

// names returns the names of all options and sections.
func names() []string {
	var all []string
	for _, s := range sections() {
		all = append(all, s.name)
	}
	for _, o := range Options() {
		all = append(all, o.Name)
	}
	return all
}
