package main

import "strings"

// flagsFirst puts the arguments of a command that takes some behind its flags, where the flag package wants them: people
// write jay explain URL -H 'Field: value'. Other command lines stay as they are.
func flagsFirst(args []string) []string {
	f := newFlags()
	i := commandIndex(args, f.takesValue(nil))
	if i < 0 {
		return args
	}
	for _, c := range commands() {
		if c.name == args[i] && c.arg != "" {
			return append(args[:i+1:i+1], reorder(args[i+1:], f.takesValue(c.flags))...)
		}
	}
	return args
}

// takesValue returns a function that tells whether a flag needs a value behind it.
func (f *flags) takesValue(own []ownFlag) func(name string) bool {
	with := map[string]bool{"config": true}
	for i := range f.options {
		with[f.options[i].Name] = !f.options[i].IsBool()
	}
	for _, o := range own {
		with[o.name], with[o.long] = o.arg != "", o.arg != ""
	}
	return func(name string) bool { return name != "" && with[name] }
}

// commandIndex is where the command stands, -1 if there is none.
func commandIndex(args []string, value func(string) bool) int {
	for i := 0; i < len(args); i++ {
		name, ok := flagName(args[i])
		switch {
		case args[i] == "--":
			return -1
		case !ok:
			return i
		case value(name):
			i++
		}
	}
	return -1
}

// flagName is the name of the flag that an argument is, if it is one. One with its value behind = is none that takes the
// next argument, and has no name.
func flagName(arg string) (name string, ok bool) {
	if len(arg) < 2 || arg[0] != '-' {
		return "", false
	}
	name = strings.TrimPrefix(arg[1:], "-")
	if strings.Contains(name, "=") {
		return "", true
	}
	return name, true
}

// reorder puts flags with their values first.
func reorder(args []string, value func(string) bool) []string {
	var flags, rest []string
	for i := 0; i < len(args); i++ {
		name, ok := flagName(args[i])
		switch {
		case args[i] == "--":
			rest = append(rest, args[i+1:]...)
			i = len(args)
		case !ok:
			rest = append(rest, args[i])
		default:
			flags = append(flags, args[i])
			if !value(name) {
				continue
			}
			if i++; i == len(args) {
				return flags // the last one lacks its value, which is the first thing to be told
			}
			flags = append(flags, args[i])
		}
	}
	return append(append(flags, "--"), rest...)
}
