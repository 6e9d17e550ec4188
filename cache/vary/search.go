package vary

// Rule is what a No-Vary-Search field says of a URI's query. The zero value is the default: every byte of the query counts.
type Rule struct {
	keyOrder bool
	all      bool
	names    []string
}

// ParseNoVarySearch reads the lines of a No-Vary-Search field; ok is false if the default applies.
func ParseNoVarySearch(lines []string) (r Rule, ok bool) { panic("unfinished") }

// Normalize returns the canonical form of a path and query: two targets are equivalent under r exactly if these are equal.
func (r Rule) Normalize(target string) string { panic("unfinished") }
