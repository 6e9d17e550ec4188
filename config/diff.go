package config

import (
	"reflect"
	"regexp"
	"slices"
	"strings"
	"unicode"
)

// Change is an option whose value differs.
type Change struct {
	Option   string // its name
	Old, New string // as flags are given them, without passwords in URLs
}

// Diff returns the options in which two configurations differ, in the order of [Options], and the names of the file's
// sections in which they do. What is in a section is not told: it may hold passwords.
func Diff(before, after *Config) (changes []Change, sections []string) {
	for _, o := range Options() {
		was, is := o.Values(before), o.Values(after)
		if !slices.Equal(was, is) {
			changes = append(changes, Change{o.Name, text(was), text(is)})
		}
	}
	b, a := reflect.ValueOf(before).Elem(), reflect.ValueOf(after).Elem()
	for i, isOption := range optionFields() {
		if !isOption && !reflect.DeepEqual(b.Field(i).Interface(), a.Field(i).Interface()) {
			sections = append(sections, kebab(b.Type().Field(i).Name))
		}
	}
	return changes, sections
}

// text is an option's value in one line, without the user information of URLs (RFC 3986 §3.2.1).
func text(values []string) string {
	return userInfo.ReplaceAllString(strings.Join(values, ", "), "//…@")
}

var userInfo = regexp.MustCompile(`//[^/\s,]*@`)

// optionFields tells for each field of Config whether it belongs to an option.
func optionFields() []bool {
	var c Config
	v := reflect.ValueOf(&c).Elem()
	known := map[uintptr]bool{}
	for _, o := range Options() {
		known[reflect.ValueOf(o.field(&c)).Pointer()] = true
	}
	all := make([]bool, v.NumField())
	for i := range all {
		all[i] = known[v.Field(i).Addr().Pointer()]
	}
	return all
}

// kebab is a field's name as the file spells it.
func kebab(name string) string {
	var b strings.Builder
	for i, r := range name {
		if unicode.IsUpper(r) && i > 0 {
			b.WriteByte('-')
		}
		b.WriteRune(unicode.ToLower(r))
	}
	return b.String()
}
