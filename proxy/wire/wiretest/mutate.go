package wiretest

import (
	"fmt"
	"math/rand/v2"
	"strings"
)

// Mutations are n requests, made from good ones by one change each that makes
// their framing wrong or doubtful. The same seed gives the same requests.
func Mutations(seed uint64, n int) []Case {
	r := rand.New(rand.NewPCG(seed, 0x4a6179))
	var cs cases
	for i := range n {
		m := mutations[i%len(mutations)]
		msg := newMessage(r)
		status := m.apply(r, msg)
		name := fmt.Sprintf("%s/%s-%d-%d", m.section, m.name, seed, i)
		cs = append(cs, Case{Name: name, Raw: msg.String() + probe, Status: status, Body: m.body})
	}
	return cs
}

// message is a request in parts that can be changed one by one.
type message struct {
	start   string
	method  string
	target  string
	version string
	sp      [2]string // between the parts of the request line
	lines   []string  // field lines
	eol     []string  // what ends the request line, each field line and the head
	body    string
}

// String is the request as it is sent.
func (m *message) String() string {
	var b strings.Builder
	b.WriteString(m.start + m.method + m.sp[0] + m.target + m.sp[1] + m.version + m.ending(0))
	for i, l := range m.lines {
		b.WriteString(l + m.ending(i+1))
	}
	b.WriteString(m.ending(len(m.lines)+1) + m.body)
	return b.String()
}

// ending is what ends line i.
func (m *message) ending(i int) string {
	if i < len(m.eol) && m.eol[i] != "" {
		return m.eol[i]
	}
	return "\r\n"
}

// setEnding makes s the end of line i.
func (m *message) setEnding(i int, s string) {
	for len(m.eol) <= i {
		m.eol = append(m.eol, "")
	}
	m.eol[i] = s
}

// insert puts field lines at random places.
func (m *message) insert(r *rand.Rand, lines ...string) {
	for _, l := range lines {
		i := r.IntN(len(m.lines) + 1)
		m.lines = append(m.lines[:i], append([]string{l}, m.lines[i:]...)...)
	}
}

// field is the index of the line called name, or -1.
func (m *message) field(name string) int {
	for i, l := range m.lines {
		if strings.HasPrefix(strings.ToLower(l), strings.ToLower(name)+":") {
			return i
		}
	}
	return -1
}

// remove drops the line called name if there is one.
func (m *message) remove(name string) {
	if i := m.field(name); i >= 0 {
		m.lines = append(m.lines[:i], m.lines[i+1:]...)
	}
}

// newMessage is a good request with random parts.
func newMessage(r *rand.Rand) *message {
	m := &message{
		method:  pick(r, []string{"GET", "GET", "POST", "PUT", "DELETE", "HEAD", "M-SEARCH"}),
		target:  origin + "/" + word(r) + pick(r, []string{"", "?", "?a=b", "/", "/../x", "//y", "%2f"}),
		version: "HTTP/1.1",
		sp:      [2]string{" ", " "},
		lines:   []string{randomCase(r, "Host") + ": " + Host},
	}
	for range 1 + r.IntN(5) {
		m.insert(r, "X-"+word(r)+":"+pick(r, []string{" ", "", "\t", "  "})+word(r))
	}
	return m
}

// withLength gives m a body with Content-Length.
func (m *message) withLength(r *rand.Rand) *message {
	m.body = word(r)
	m.insert(r, fmt.Sprintf("%s: %d", randomCase(r, "Content-Length"), len(m.body)))
	return m
}

// withChunks gives m a chunked body with the given size line and end of data
// in one of its chunks.
func (m *message) withChunks(r *rand.Rand, change func(size, data string) string) *message {
	m.insert(r, randomCase(r, "Transfer-Encoding")+": "+randomCase(r, "chunked"))
	n := 1 + r.IntN(4)
	bad := r.IntN(n)
	for i := range n {
		data := word(r)
		chunk := fmt.Sprintf("%x\r\n%s\r\n", len(data), data)
		if i == bad {
			chunk = change(fmt.Sprintf("%x", len(data)), data)
		}
		m.body += chunk
	}
	m.body += "0\r\n\r\n"
	return m
}

// pick is one of s.
func pick[T any](r *rand.Rand, s []T) T { return s[r.IntN(len(s))] }

// word is a short random token.
func word(r *rand.Rand) string {
	const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
	b := make([]byte, 1+r.IntN(20))
	for i := range b {
		b[i] = letters[r.IntN(len(letters))]
	}
	return string(b)
}

// randomCase is s with letters in random case.
func randomCase(r *rand.Rand, s string) string {
	b := []byte(s)
	for i, c := range b {
		if letter := c|0x20 >= 'a' && c|0x20 <= 'z'; letter && r.IntN(2) == 0 {
			b[i] ^= 0x20
		}
	}
	return string(b)
}

// insertAt is s with t put at a random place from index from on.
func insertAt(r *rand.Rand, s, t string, from int) string {
	i := from + r.IntN(len(s)-from+1)
	return s[:i] + t + s[i:]
}

// control is a random control character that no part of a head may hold.
func control(r *rand.Rand) string {
	c := byte(r.IntN(0x20))
	if c == '\t' || c == '\n' {
		c = 0x7f
	}
	return string([]byte{c})
}
