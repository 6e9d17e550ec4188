package config

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"
)

// auto is the text of a setting that [Config.Resolve] fills in.
const auto = "auto"

// Option describes one setting.
type Option struct {
	Name     string // kebab case, as flags and the file spell it
	Arg      string // what stands for the value in help texts; empty for a bool
	Default  string // text of the default; items of a list are separated by commas
	Help     string // one phrase
	Category string // heading under which it is listed
	Many     bool   // takes a list

	auto    bool                // a number whose zero value is automatic
	least   int64               // smallest number, in bytes, nanoseconds or pieces
	most    int64               // largest number; 0: what the type holds
	choices []string            // all values of a string
	check   func(string) error  // of a string or an item; nil: anything
	mask    func(string) string // makes a value fit to be shown; nil: it is
	field   func(*Config) any   // pointer to the field
}

// Env returns the name of the option's environment variable.
func (o *Option) Env() string { return envName(o.Name) }

// envPrefix is what the names of all variables begin with.
const envPrefix = "JAY_"

func envName(option string) string {
	return envPrefix + strings.ToUpper(strings.ReplaceAll(option, "-", "_"))
}

// IsBool reports whether the option is a switch, whose flag needs no value.
func (o *Option) IsBool() bool {
	_, ok := o.field(new(Config)).(*bool)
	return ok
}

// Choices returns all texts that the option may have; nil if they cannot be counted.
func (o *Option) Choices() []string {
	if o.IsBool() {
		return []string{"true", "false"}
	}
	return slices.Clone(o.choices)
}

// Split cuts the text of a flag or a variable into the values that [Option.Set] takes: the items of a comma list, or
// the text itself.
func (o *Option) Split(text string) []string {
	if !o.Many {
		return []string{text}
	}
	items := []string{}
	for item := range strings.SplitSeq(text, ",") {
		if item = strings.TrimSpace(item); item != "" {
			items = append(items, item)
		}
	}
	return items
}

// Set gives the option's field in c the value that values stand for: one text, or the items of a list, which replace
// the items that were there. Errors say what is wrong with the value, without the option's name; c is then unchanged.
func (o *Option) Set(c *Config, values []string) error {
	if !o.Many && len(values) != 1 {
		return errors.New("takes one value, not a list")
	}
	switch p := o.field(c).(type) {
	case *bool:
		return setOne(p, values, parseBool)
	case *string:
		return setOne(p, values, o.parseString)
	case *int:
		return setOne(p, values, o.parseInt)
	case *Size:
		return setOne(p, values, o.parseSize)
	case *time.Duration:
		return setOne(p, values, o.parseDuration)
	case *[]string:
		return setAll(p, values, o.parseString)
	case *[]netip.Prefix:
		return setAll(p, values, parsePrefix)
	case *[]PortRange:
		return setAll(p, values, ParsePortRange)
	}
	panic("config: option " + o.Name + " has a field of unknown type")
}

// Values returns the texts that make [Option.Set] give the option the value that it has in c.
func (o *Option) Values(c *Config) []string {
	switch p := o.field(c).(type) {
	case *bool:
		return []string{strconv.FormatBool(*p)}
	case *string:
		return []string{*p}
	case *int:
		return []string{o.number(int64(*p), strconv.Itoa(*p))}
	case *Size:
		return []string{o.number(int64(*p), p.String())}
	case *time.Duration:
		return []string{formatDuration(*p)}
	case *[]string:
		return slices.Clone(*p)
	case *[]netip.Prefix:
		return texts(*p)
	case *[]PortRange:
		return texts(*p)
	}
	panic("config: option " + o.Name + " has a field of unknown type")
}

// Shown is Values without what nobody should read over a shoulder: passwords.
func (o *Option) Shown(c *Config) []string {
	all := o.Values(c)
	if o.mask != nil {
		for i := range all {
			all[i] = o.mask(all[i])
		}
	}
	return all
}

// number is text, or "auto" where zero means that.
func (o *Option) number(n int64, text string) string {
	if o.auto && n == 0 {
		return auto
	}
	return text
}

func (o *Option) parseString(text string) (string, error) {
	if o.choices != nil && !slices.Contains(o.choices, text) {
		return "", fmt.Errorf("%q is not one of %s", text, strings.Join(o.choices, ", "))
	}
	if o.check == nil {
		return text, nil
	}
	return text, o.check(text)
}

func (o *Option) parseInt(text string) (int, error) {
	if o.auto && text == auto {
		return 0, nil
	}
	n, err := strconv.ParseInt(text, 10, 32)
	if err != nil {
		return 0, fmt.Errorf("%q is not a whole number", text)
	}
	return int(n), o.bound(n, func(n int64) string { return strconv.FormatInt(n, 10) })
}

func (o *Option) parseSize(text string) (Size, error) {
	if o.auto && text == auto {
		return 0, nil
	}
	s, err := ParseSize(text)
	if err != nil {
		return 0, err
	}
	return s, o.bound(int64(s), func(n int64) string { return Size(n).String() })
}

func (o *Option) parseDuration(text string) (time.Duration, error) {
	d, err := parseDuration(text)
	if err != nil {
		return 0, err
	}
	return d, o.bound(int64(d), func(n int64) string { return formatDuration(time.Duration(n)) })
}

// bound refuses numbers outside the option's limits.
func (o *Option) bound(n int64, text func(int64) string) error {
	if n < o.least {
		return fmt.Errorf("%s is too small; the least is %s", text(n), text(o.least))
	}
	if o.most > 0 && n > o.most {
		return fmt.Errorf("%s is too large; the most is %s", text(n), text(o.most))
	}
	return nil
}

func setOne[T any](p *T, values []string, parse func(string) (T, error)) error {
	v, err := parse(values[0])
	if err == nil {
		*p = v
	}
	return err
}

func setAll[T any](p *[]T, values []string, parse func(string) (T, error)) error {
	all := make([]T, 0, len(values))
	for _, text := range values {
		v, err := parse(text)
		if err != nil {
			return err
		}
		all = append(all, v)
	}
	*p = all
	return nil
}

func texts[T fmt.Stringer](values []T) []string {
	all := make([]string, 0, len(values))
	for _, v := range values {
		all = append(all, v.String())
	}
	return all
}
