package rawhttp

import "strings"

// Field is one field line: the name as sent and the value without the white
// space around it (RFC 9112 section 5).
type Field struct {
	Name, Value string
}

// Fields is a field section in the order it was sent.
type Fields []Field

// F builds a field section from name, value, name, value and so on.
func F(pairs ...string) Fields {
	fs := make(Fields, 0, len(pairs)/2)
	for i := 0; i+1 < len(pairs); i += 2 {
		fs = append(fs, Field{pairs[i], pairs[i+1]})
	}
	return fs
}

// Has reports whether a line of that name is present, whatever its case.
func (fs Fields) Has(name string) bool {
	return len(fs.Values(name)) > 0
}

// Get returns the value of the first line of that name, or "".
func (fs Fields) Get(name string) string {
	for _, f := range fs {
		if strings.EqualFold(f.Name, name) {
			return f.Value
		}
	}
	return ""
}

// Values returns the values of all lines of that name in order.
func (fs Fields) Values(name string) []string {
	var out []string
	for _, f := range fs {
		if strings.EqualFold(f.Name, name) {
			out = append(out, f.Value)
		}
	}
	return out
}

// Joined returns all lines of that name as one list (RFC 9110 section 5.3).
func (fs Fields) Joined(name string) string {
	return strings.Join(fs.Values(name), ", ")
}

// Without returns a copy that lacks every line with one of the names.
func (fs Fields) Without(names ...string) Fields {
	out := make(Fields, 0, len(fs))
	for _, f := range fs {
		if !contains(names, f.Name) {
			out = append(out, f)
		}
	}
	return out
}

// String serialises the section: each line ended by CRLF, no empty line.
func (fs Fields) String() string {
	var b strings.Builder
	for _, f := range fs {
		b.WriteString(f.Name)
		b.WriteString(": ")
		b.WriteString(f.Value)
		b.WriteString("\r\n")
	}
	return b.String()
}

func contains(names []string, name string) bool {
	for _, n := range names {
		if strings.EqualFold(n, name) {
			return true
		}
	}
	return false
}
