package config

import (
	"fmt"
	"io"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Print writes c as a file that [Load] reads back, with a comment above each group. Passwords are masked, and Load says so.
func Print(w io.Writer, c *Config) error {
	category := ""
	for _, o := range Options() {
		if o.Category != category {
			heading := "# " + o.Category + "\n"
			if category != "" {
				heading = "\n" + heading
			}
			category = o.Category
			if _, err := io.WriteString(w, heading); err != nil {
				return fmt.Errorf("config: %w", err)
			}
		}
		if _, err := fmt.Fprintf(w, "%s: %s\n", o.Name, o.yaml(c)); err != nil {
			return fmt.Errorf("config: %w", err)
		}
	}
	text, err := printSections(c)
	if err != nil {
		return err
	}
	if _, err := io.WriteString(w, text); err != nil {
		return fmt.Errorf("config: %w", err)
	}
	return nil
}

// yaml returns the option's value as it stands behind the key.
func (o *Option) yaml(c *Config) string {
	_, quoted := o.field(c).(*string)
	_, list := o.field(c).(*[]string)
	node := yaml.Node{Kind: yaml.SequenceNode, Style: yaml.FlowStyle}
	for _, text := range o.Shown(c) {
		item := &yaml.Node{Kind: yaml.ScalarNode, Value: text}
		if quoted || list {
			item.Tag = "!!str" // quoted where it could be taken for something else
		}
		node.Content = append(node.Content, item)
	}
	value := &node
	if !o.Many {
		value = node.Content[0]
	}
	out, err := yaml.Marshal(value)
	if err != nil {
		panic("config: " + err.Error()) // scalars always have a YAML form
	}
	return strings.TrimSpace(string(out))
}

// Markdown returns the table of options for the README: name, default and meaning, grouped by category.
func Markdown() string {
	var b strings.Builder
	b.WriteString("| option | default | meaning |\n|---|---|---|\n")
	category := ""
	for _, o := range Options() {
		if o.Category != category {
			category = o.Category
			fmt.Fprintf(&b, "| **%s** | | |\n", category)
		}
		name, value := o.Name, ""
		if o.Arg != "" {
			name += " " + o.Arg
		}
		if o.Default != "" {
			value = "`" + strings.ReplaceAll(o.Default, ",", ", ") + "`"
		}
		if o.Many {
			name += " …"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", name, value, strings.ReplaceAll(o.Help, "|", "\\|"))
	}
	return b.String()
}
