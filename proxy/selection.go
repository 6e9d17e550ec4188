package proxy

import (
	"encoding/binary"
	"slices"

	"github.com/jayproxy/jay/cache/vary"
)

// selection is the request fields that a response was selected by (RFC 9111 §4.1), their names and values in turn, each
// behind its length: one string, so that a stored response can be kept without pointers.
type selection string

// selectionOf is the selection of a response to a request, by the names in Vary. It shares no memory with either.
func selectionOf(src vary.Source, names []string) selection {
	var b []byte
	for _, name := range names {
		b = appendText(appendText(b, name), fieldValue(src, name))
	}
	return selection(b)
}

// appendText appends s behind its length.
func appendText[T ~string | ~[]byte](b []byte, s T) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

// cutText is appendText undone: the first text and what follows it.
func cutText(s string) (first, rest string) {
	n, shift := 0, 0
	for i := range len(s) {
		n |= int(s[i]&0x7f) << shift
		if shift += 7; s[i] < 0x80 {
			return s[i+1:][:n], s[i+1+n:]
		}
	}
	return "", ""
}

// cut is the first field and the others; of an empty selection there is none.
func (s selection) cut() (name, value string, rest selection) {
	name, after := cutText(string(s))
	value, after = cutText(after)
	return name, value, selection(after)
}

// names are the names of the fields; nil if there are none.
func (s selection) names() []string {
	var names []string
	for s != "" {
		var name string
		name, _, s = s.cut()
		names = append(names, name)
	}
	return names
}

// likewise tells whether two responses were selected by the same fields.
func (s selection) likewise(o selection) bool {
	for s != "" && o != "" {
		var a, b string
		a, _, s = s.cut()
		if b, _, o = o.cut(); a != b {
			return false
		}
	}
	return s == "" && o == ""
}

// by tells whether the selecting fields of a request are byte for byte those of the request that was answered.
func (s selection) by(src vary.Source) bool {
	for s != "" {
		var name, value string
		name, value, s = s.cut()
		if fieldValue(src, name) != value {
			return false
		}
	}
	return true
}

// has tells whether these are the names of the selecting fields.
func (s selection) has(names []string) bool { return slices.Equal(names, s.names()) }
