package main

import (
	"fmt"
	"strings"
)

// bashCompletion is for bash 3.2 and later. The case for each value stands behind the command, since two commands may have
// flags of one name.
func bashCompletion(all []completed) string {
	var b strings.Builder
	withValue := spelled(all, func(f *completedFlag) bool { return f.arg != "" })
	fmt.Fprintf(&b, bashHead, strings.Join(withValue, "|"))
	for _, c := range all {
		var flags []string
		for _, f := range c.flags {
			flags = append(flags, f.names...)
		}
		fmt.Fprintf(&b, "    '%s') flags='%s' words='%s' ;;\n", c.name, strings.Join(flags, " "), strings.Join(c.words, " "))
	}
	b.WriteString("  esac\n  case \"$cmd $prev\" in\n")
	for _, c := range all {
		for _, f := range c.flags {
			var patterns []string
			for _, n := range f.names {
				patterns = append(patterns, "'"+c.name+" "+n+"'")
			}
			switch {
			case f.words != nil && f.arg != "":
				fmt.Fprintf(&b, "    %s) COMPREPLY=($(compgen -W '%s' -- \"$cur\")); return ;;\n", strings.Join(patterns, "|"), strings.Join(f.words, " "))
			case f.file():
				fmt.Fprintf(&b, "    %s) COMPREPLY=($(compgen -f -- \"$cur\")); return ;;\n", strings.Join(patterns, "|"))
			case f.words != nil: // a switch, whose value stands behind = only
				fmt.Fprintf(&b, "    %s) [ -z \"$eq\" ] || { COMPREPLY=($(compgen -W '%s' -- \"$cur\")); return; } ;;\n", strings.Join(patterns, "|"), strings.Join(f.words, " "))
			}
		}
	}
	fmt.Fprintf(&b, bashTail, strings.Join(withValue, "|"))
	return b.String()
}

const bashHead = `# bash completion for jay

_jay() {
  local cur prev eq='' cmd='' flags='' words='' i w
  COMPREPLY=()
  cur=${COMP_WORDS[COMP_CWORD]}
  prev=${COMP_WORDS[COMP_CWORD-1]}
  if [ "$cur" = = ]; then cur='' eq=1; fi
  if [ "$prev" = = ] && [ "$COMP_CWORD" -ge 2 ]; then prev=${COMP_WORDS[COMP_CWORD-2]} eq=1; fi
  for ((i = 1; i < COMP_CWORD; i++)); do
    w=${COMP_WORDS[i]}
    case $w in
      =) i=$((i + 1)) ;;
      %s) [ "${COMP_WORDS[i+1]}" = = ] || i=$((i + 1)) ;;
      -*) ;;
      *) cmd=$w; break ;;
    esac
  done
  case $cmd in
`

const bashTail = `  esac
  case $prev in
    %s) return ;;
  esac
  case $cur in
    -*) COMPREPLY=($(compgen -W "$flags" -- "$cur")) ;;
    *) COMPREPLY=($(compgen -W "$words" -- "$cur")) ;;
  esac
}

complete -o default -F _jay jay
`

// zshCompletion is for zsh's completion system.
func zshCompletion(all []completed) string {
	var b strings.Builder
	b.WriteString("#compdef jay\n\n_jay() {\n  local curcontext=$curcontext state line\n  local -a commands\n  commands=(\n")
	for _, c := range all[1:] {
		fmt.Fprintf(&b, "    %s\n", shellQuote(c.name+":"+strings.ReplaceAll(c.help, ":", `\:`)))
	}
	b.WriteString("  )\n  _arguments -C \\\n")
	for _, f := range all[0].flags {
		zshFlag(&b, "    ", &f)
	}
	b.WriteString("    '1: :->command' \\\n    '*:: :->rest' && return\n  case $state in\n    command) _describe -t commands command commands ;;\n    rest)\n      case $words[1] in\n")
	for _, c := range all[1:] {
		fmt.Fprintf(&b, "        %s)\n          _arguments \\\n", c.name)
		for _, f := range c.flags {
			zshFlag(&b, "            ", &f)
		}
		if c.words != nil {
			fmt.Fprintf(&b, "            '1: :(%s)' \\\n", strings.Join(c.words, " "))
		}
		b.WriteString("            ;;\n")
	}
	b.WriteString("      esac ;;\n  esac\n}\n\nif [ \"$funcstack[1]\" = _jay ]; then _jay \"$@\"; else compdef _jay jay; fi\n")
	return b.String()
}

// zshFlag writes the specification of a flag.
func zshFlag(b *strings.Builder, indent string, f *completedFlag) {
	help := strings.NewReplacer(`\`, `\\`, "[", `\[`, "]", `\]`, ":", `\:`).Replace(f.help)
	for _, name := range f.names {
		spec := "*" + name
		switch {
		case f.arg != "" && strings.HasPrefix(name, "--"):
			spec += "="
		case f.arg != "":
			spec += "+"
		}
		spec += "[" + help + "]"
		switch {
		case f.arg == "":
		case f.words != nil:
			spec += ":" + f.arg + ":(" + strings.Join(f.words, " ") + ")"
		case f.file():
			spec += ":" + f.arg + ":_files"
		default:
			spec += ":" + f.arg + ": "
		}
		fmt.Fprintf(b, "%s%s \\\n", indent, shellQuote(spec))
	}
}

// shellQuote is a word for a POSIX shell.
func shellQuote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

// fishCompletion is for fish 3.0 and later.
func fishCompletion(all []completed) string {
	var b strings.Builder
	b.WriteString("# fish completion for jay\n\ncomplete -c jay -f\n")
	for _, c := range all {
		when := "__fish_use_subcommand"
		if c.name != "" {
			fmt.Fprintf(&b, "complete -c jay -n __fish_use_subcommand -a %s -d %s\n", c.name, fishQuote(c.help))
			when = "'__fish_seen_subcommand_from " + c.name + "'"
		}
		if c.name != "" && c.words != nil {
			fmt.Fprintf(&b, "complete -c jay -n %s -a '%s'\n", when, strings.Join(c.words, " "))
		}
		for _, f := range c.flags {
			fmt.Fprintf(&b, "complete -c jay -n %s", when)
			for _, n := range f.names {
				if long, ok := strings.CutPrefix(n, "--"); ok {
					b.WriteString(" -l " + long)
				} else {
					b.WriteString(" -s " + n[1:])
				}
			}
			switch {
			case f.arg == "":
			case f.words != nil:
				fmt.Fprintf(&b, " -x -a '%s'", strings.Join(f.words, " "))
			case f.file():
				b.WriteString(" -r -F")
			default:
				b.WriteString(" -x")
			}
			fmt.Fprintf(&b, " -d %s\n", fishQuote(f.help))
		}
	}
	return b.String()
}

// fishQuote is a word for fish.
func fishQuote(s string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, "'", `\'`).Replace(s) + "'"
}

// powershellCompletion is for PowerShell 5.0 and later.
func powershellCompletion(all []completed) string {
	var b strings.Builder
	list := func(words []string) string {
		if len(words) == 0 {
			return "@()"
		}
		return "@('" + strings.Join(words, "', '") + "')"
	}
	fmt.Fprintf(&b, "# PowerShell completion for jay\n\nRegister-ArgumentCompleter -Native -CommandName jay -ScriptBlock {\n  param($word, $ast, $position)\n  $valued = %s\n",
		list(spelled(all, func(f *completedFlag) bool { return f.arg != "" })))
	b.WriteString("  $flags = @{\n")
	for _, c := range all {
		var names []string
		for _, f := range c.flags {
			names = append(names, f.names...)
		}
		fmt.Fprintf(&b, "    '%s' = %s\n", c.name, list(names))
	}
	b.WriteString("  }\n  $words = @{\n")
	for _, c := range all {
		if c.words != nil {
			fmt.Fprintf(&b, "    '%s' = %s\n", c.name, list(c.words))
		}
	}
	b.WriteString("  }\n  $values = @{\n")
	for _, c := range all {
		for _, f := range c.flags {
			for _, n := range f.names {
				if f.arg != "" && f.words != nil {
					fmt.Fprintf(&b, "    '%s %s' = %s\n", c.name, n, list(f.words))
				}
			}
		}
	}
	b.WriteString(powershellTail)
	return b.String()
}

const powershellTail = `  }
  $command = ''
  $before = ''
  foreach ($e in $ast.CommandElements | Select-Object -Skip 1) {
    if ($e.Extent.EndOffset -ge $position) { break }
    $text = $e.Extent.Text
    if ($command -eq '' -and -not $text.StartsWith('-') -and $valued -cnotcontains $before) { $command = $text }
    $before = $text
  }
  if ($valued -ccontains $before) { $list = $values["$command $before"] }
  elseif ($word.StartsWith('-')) { $list = $flags[$command] }
  else { $list = $words[$command] }
  $list | Where-Object { $_ -clike "$word*" } | ForEach-Object {
    [System.Management.Automation.CompletionResult]::new($_, $_, 'ParameterValue', $_)
  }
}
`
