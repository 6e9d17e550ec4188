package vary

import (
	"slices"
	"strings"

	"github.com/dunglas/httpsfv"
)

// Rule is what a No-Vary-Search field says of the query of a URI: a "URL variation config" of the draft. The zero value is the
// default: every byte of the query counts.
type Rule struct {
	keyOrder bool     // the order of differently named parameters does not count
	except   bool     // names are the only parameters that count; else they are those that do not
	names    []string // decoded, sorted
}

// ParseNoVarySearch reads the lines of a No-Vary-Search field. ok is false where the default applies: if there are none, or
// if the field says nothing, or if it is not what the draft defines; the rule is then the zero Rule.
//
// The present draft has params=("a" "b") or except=("a" "b"), and key-order. Browsers also implement its earlier form, in which
// except comes with a boolean: "params" and "params, except=(…)". Its meaning is the same, so it is honoured too.
func ParseNoVarySearch(lines []string) (r Rule, ok bool) {
	if len(lines) == 0 {
		return Rule{}, false
	}
	dict, err := httpsfv.UnmarshalDictionary(lines)
	if err != nil {
		return Rule{}, false
	}
	if m, present := dict.Get("key-order"); present {
		if r.keyOrder, ok = boolean(m); !ok {
			return Rule{}, false
		}
	}
	params, hasParams := dict.Get("params")
	except, hasExcept := dict.Get("except")
	if hasParams {
		if all, isBool := boolean(params); isBool && all {
			r.except, hasParams = true, false
		}
	}
	switch {
	case hasParams && hasExcept:
		return Rule{}, false
	case hasParams:
		r.names, ok = keys(params)
	case hasExcept:
		r.except = true
		r.names, ok = keys(except)
	default:
		ok = true
	}
	if !ok || !(r.keyOrder || r.except || len(r.names) > 0) {
		return Rule{}, false
	}
	return r, true
}

func boolean(m httpsfv.Member) (value, ok bool) {
	item, isItem := m.(httpsfv.Item)
	if !isItem {
		return false, false
	}
	value, ok = item.Value.(bool)
	return value, ok
}

// keys decodes an inner list of strings ("parse a key" in the draft).
func keys(m httpsfv.Member) ([]string, bool) {
	list, ok := m.(httpsfv.InnerList)
	if !ok {
		return nil, false
	}
	names := make([]string, 0, len(list.Items))
	for _, item := range list.Items {
		s, ok := item.Value.(string)
		if !ok {
			return nil, false
		}
		names = append(names, decodeForm(s))
	}
	slices.Sort(names)
	return slices.Compact(names), true
}

// Normalize returns the canonical form of a path and query: two of them are equivalent under r exactly if their canonical
// forms are equal. The path is never touched. Under the default rule the target is its own canonical form.
//
// It differs from the draft in one point, on the safe side: bytes that are not UTF-8 are compared as bytes, where the draft
// makes them all U+FFFD and so confuses different queries (its own Security Considerations).
func (r Rule) Normalize(target string) string {
	if !r.keyOrder && !r.except && len(r.names) == 0 {
		return target
	}
	path, query, _ := strings.Cut(target, "?")
	params := r.significant(query)
	if r.keyOrder {
		slices.SortStableFunc(params, func(a, b param) int { return strings.Compare(a.name, b.name) })
	}
	var b strings.Builder
	b.Grow(len(target))
	b.WriteString(path)
	sep := byte('?')
	for _, p := range params {
		b.WriteByte(sep)
		encodeForm(&b, p.name)
		b.WriteByte('=')
		encodeForm(&b, p.value)
		sep = '&'
	}
	return b.String()
}

// Equivalent reports whether two targets, each a path and query, are equivalent under r.
func (r Rule) Equivalent(a, b string) bool {
	return a == b || r.Normalize(a) == r.Normalize(b)
}

// Size returns about how many bytes of memory r holds.
func (r Rule) Size() int {
	n := 0
	for _, name := range r.names {
		n += len(name) + 16
	}
	return n
}

type param struct{ name, value string }

// significant parses a query as application/x-www-form-urlencoded and keeps the parameters that count.
func (r Rule) significant(query string) []param {
	var params []param
	for query != "" {
		var pair string
		pair, query, _ = strings.Cut(query, "&")
		if pair == "" {
			continue
		}
		name, value, _ := strings.Cut(pair, "=")
		name = decodeForm(name)
		if _, listed := slices.BinarySearch(r.names, name); listed == r.except {
			params = append(params, param{name, decodeForm(value)})
		}
	}
	return params
}

// decodeForm undoes percent-encoding and the plus sign for a space. A percent sign without two digits stands for itself.
func decodeForm(s string) string {
	if strings.IndexByte(s, '%') < 0 && strings.IndexByte(s, '+') < 0 {
		return s
	}
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c == '+' {
			c = ' '
		}
		if c == '%' && i+2 < len(s) {
			high, ok := unhex(s[i+1])
			low, ok2 := unhex(s[i+2])
			if ok && ok2 {
				c = high<<4 | low
				i += 2
			}
		}
		b = append(b, c)
	}
	return string(b)
}

func unhex(c byte) (byte, bool) {
	switch {
	case '0' <= c && c <= '9':
		return c - '0', true
	case 'a' <= c|0x20 && c|0x20 <= 'f':
		return c | 0x20 - 'a' + 10, true
	}
	return 0, false
}

// encodeForm writes s so that every string has one form and none contains a separator.
func encodeForm(b *strings.Builder, s string) {
	const digits = "0123456789ABCDEF"
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '-', c == '.', c == '_', c == '~':
			b.WriteByte(c)
		default:
			b.WriteByte('%')
			b.WriteByte(digits[c>>4])
			b.WriteByte(digits[c&15])
		}
	}
}
