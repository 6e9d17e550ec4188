package wiretest

import (
	"fmt"
	"math/rand/v2"
	"strings"
)

// mutation is one way to spoil a good request.
type mutation struct {
	section, name string
	body          bool
	apply         func(r *rand.Rand, m *message) (status int)
}

// mutations are applied in turn.
var mutations = []mutation{
	{"RFC9112-2.2", "bare-lf", false, func(r *rand.Rand, m *message) int {
		m.setEnding(r.IntN(len(m.lines)+2), "\n")
		return 400
	}},
	{"RFC9112-2.2", "bare-cr", false, func(r *rand.Rand, m *message) int {
		m.setEnding(r.IntN(len(m.lines)+2), "\r")
		return 400
	}},
	{"RFC9112-2.2", "odd-line-end", false, func(r *rand.Rand, m *message) int {
		m.setEnding(r.IntN(len(m.lines)+2), pick(r, []string{"\r\r\n", "\n\r", "\n\n", "\r\x00\n", "\x00\r\n", "\v\r\n"}))
		return 400
	}},
	{"RFC9112-2.2", "leading-bytes", false, func(r *rand.Rand, m *message) int {
		m.start = pick(r, []string{"\n", "\r", " ", "\t", "\r\n\r\n", "\r\n\n", "\r\n ", "\x00", "\r\r\n", "\v", "0\r\n\r\n"})
		return 400
	}},
	{"RFC9112-3.1", "method-byte", false, func(r *rand.Rand, m *message) int {
		bad := pick(r, strings.Split("( ) , / : ; < = > ? @ [ \\ ] { } \" \x80 \xff", " "))
		m.method = insertAt(r, m.method, pick(r, []string{bad, control(r)}), 0)
		return 400
	}},
	{"RFC9112-3.1", "method-lower-case", false, func(r *rand.Rand, m *message) int {
		i := r.IntN(len("GET"))
		m.method = "GET"[:i] + strings.ToLower("GET"[i:])
		return 400
	}},
	{"RFC9112-3.2", "target-byte", false, func(r *rand.Rand, m *message) int {
		m.target = insertAt(r, m.target, pick(r, []string{" ", "\t", "#", "\x80", "\xc3\xa9", "\n", control(r)}), 0)
		return 400
	}},
	{"RFC9112-3.2", "authority", false, func(r *rand.Rand, m *message) int {
		bad := pick(r, []string{word(r) + "@", word(r) + ":" + word(r) + "@", "%20", "[", "..", ",", "<", "\\", "|", "\"", ":x", ":0:", "@"})
		m.target = origin[:len("http://")] + "a" + bad + "b" + Host + "/"
		return 400
	}},
	{"RFC9112-2.3", "version-number", false, func(r *rand.Rand, m *message) int {
		major, minor := r.IntN(10), 2+r.IntN(8)
		m.version = fmt.Sprintf("HTTP/%d.%d", major, minor)
		return 505
	}},
	{"RFC9112-2.3", "version-syntax", false, func(r *rand.Rand, m *message) int {
		bad := pick(r, []string{" ", "\t", "x", "1", ".", ",", "\x80", "\xb1", control(r)})
		m.version = insertAt(r, m.version, bad, 0)
		return 400
	}},
	{"RFC9112-2.3", "version-missing", false, func(r *rand.Rand, m *message) int {
		m.version = ""
		m.sp[1] = pick(r, []string{"", " ", "\t"})
		return 400
	}},
	{"RFC9112-3", "white-space", false, func(r *rand.Rand, m *message) int {
		m.sp[r.IntN(2)] = pick(r, []string{"  ", "\t", " \t", "\v", "\f", "\r", "\n", "\x00", "\xa0", "   "})
		return 400
	}},
	{"RFC9112-3.2", "host", false, func(r *rand.Rand, m *message) int {
		m.remove("Host")
		bad := pick(r, strings.Split("a b,a/b,a@b,a?b,a#b,a\\b,a%20b,[::1,a..b,.a,a:b,a:0,a:65536,a:80:80,a\"b,a<b,a;b,a|b,[a],a\x80", ","))
		m.insert(r, randomCase(r, "Host")+": "+bad)
		return 400
	}},
	{"RFC9112-3.2", "host-count", false, func(r *rand.Rand, m *message) int {
		if r.IntN(2) == 0 {
			m.remove("Host")
			return 400
		}
		m.insert(r, randomCase(r, "Host")+": "+pick(r, []string{Host, "other.test", "", "a"}))
		return 400
	}},
	{"RFC9112-5", "name-byte", false, func(r *rand.Rand, m *message) int {
		bad := pick(r, strings.Split("( ) , / ; < = > ? @ [ \\ ] { } \" \x80 \xff \n", " "))
		bad = pick(r, []string{bad, " ", "\t", control(r)})
		i := r.IntN(len(m.lines))
		name, value, _ := strings.Cut(m.lines[i], ":")
		m.lines[i] = insertAt(r, name, bad, 0) + ":" + value
		return 400
	}},
	{"RFC9112-5", "no-name", false, func(r *rand.Rand, m *message) int {
		m.insert(r, pick(r, []string{":", ": ", "::"})+word(r))
		return 400
	}},
	{"RFC9112-5", "no-colon", false, func(r *rand.Rand, m *message) int {
		m.insert(r, word(r)+pick(r, []string{"", " " + word(r), "=" + word(r)}))
		return 400
	}},
	{"RFC9112-5.1", "before-colon", false, func(r *rand.Rand, m *message) int {
		i := r.IntN(len(m.lines))
		m.lines[i] = strings.Replace(m.lines[i], ":", pick(r, []string{" :", "\t:", "  :", "\v:", "\x00:", "\xa0:"}), 1)
		return 400
	}},
	{"RFC9112-5.2", "fold", false, func(r *rand.Rand, m *message) int {
		i := r.IntN(len(m.lines))
		m.lines[i] += "\r\n" + pick(r, []string{" ", "\t", "  \t"}) + pick(r, []string{"", word(r), "Transfer-Encoding: chunked"})
		return 400
	}},
	{"RFC9110-5.5", "value-byte", false, func(r *rand.Rand, m *message) int {
		i := r.IntN(len(m.lines))
		m.lines[i] = insertAt(r, m.lines[i], pick(r, []string{control(r), "\n"}), strings.Index(m.lines[i], ":")+1)
		return 400
	}},
	{"RFC9112-6.2", "length", false, func(r *rand.Rand, m *message) int {
		m.insert(r, randomCase(r, "Content-Length")+": "+pick(r, badLengths))
		m.body = word(r)
		return 400
	}},
	{"RFC9112-6.2", "length-byte", false, func(r *rand.Rand, m *message) int {
		bad := pick(r, []string{"+", "-", "x", " 1", ".", "e", "_", "\xb2", "\"", ";", control(r), "\t0"})
		m.withLength(r)
		i := m.field("Content-Length")
		name, value, _ := strings.Cut(m.lines[i], ": ")
		at := r.IntN(len(value) + 1)
		m.lines[i] = name + ": " + value[:at] + bad + value[at:] + "9"
		if at == 0 && strings.TrimLeft(bad, " \t") != bad {
			m.lines[i] += "x" // white space before the number alone is no fault
		}
		return 400
	}},
	{"RFC9112-6.2", "lengths-differ", false, func(r *rand.Rand, m *message) int {
		m.withLength(r)
		m.insert(r, fmt.Sprintf("%s: %d", randomCase(r, "Content-Length"), len(m.body)+1+r.IntN(50)))
		return 400
	}},
	{"RFC9112-6.3", "length-and-coding", false, func(r *rand.Rand, m *message) int {
		m.withLength(r)
		m.insert(r, randomCase(r, "Transfer-Encoding")+": "+pick(r, []string{"chunked", "Chunked", "identity", "gzip, chunked", "", "x"}))
		return 400
	}},
	{"RFC9112-6.1", "coding", false, func(r *rand.Rand, m *message) int {
		bad := pick(r, badCodings)
		m.insert(r, randomCase(r, "Transfer-Encoding")+": "+bad.value)
		return bad.status
	}},
	{"RFC9112-6.1", "codings", false, func(r *rand.Rand, m *message) int {
		for range 2 + r.IntN(2) {
			m.insert(r, randomCase(r, "Transfer-Encoding")+": "+pick(r, []string{"chunked", "identity", "gzip", "", "CHUNKED"}))
		}
		m.body = "0\r\n\r\n"
		return 400
	}},
	{"RFC9112-6.1", "coding-http-1.0", false, func(r *rand.Rand, m *message) int {
		m.version = "HTTP/1.0"
		m.withChunks(r, goodChunk)
		return 400
	}},
	{"RFC9112-7.1", "chunk-size", true, func(r *rand.Rand, m *message) int {
		bad := pick(r, []string{"+", "-", "x", "g", "\"", ".", ",", "_", " ", "\t", "\x00", "\x80", "\n", "\r", "0x", ":"})
		m.withChunks(r, func(size, data string) string { return insertAt(r, size, bad, 0) + "\r\n" + data + "\r\n" })
		return 400
	}},
	{"RFC9112-7.1", "chunk-line", true, func(r *rand.Rand, m *message) int {
		bad := pick(r, []string{"\n", "\r", "\r\r\n", "\n\r", "\n\r\n", " \r\n", "\r\x00\n", "\x00\r\n", "", "g"})
		m.withChunks(r, func(size, data string) string { return size + bad + "~" + data + "\r\n" })
		return 400
	}},
	{"RFC9112-7.1", "chunk-end", true, func(r *rand.Rand, m *message) int {
		bad := pick(r, []string{"", "\n", "\r", "\n\r\n", "\r\r\n", "x\r\n", " \r\n", "\x00\r\n", "\rx\n"})
		m.withChunks(r, func(size, data string) string { return size + "\r\n" + data + bad })
		return 400
	}},
	{"RFC9112-7.1", "chunk-digits", true, func(r *rand.Rand, m *message) int {
		m.withChunks(r, func(size, data string) string {
			return pick(r, []string{"1", "f", "0"}) + strings.Repeat("0", 16) + size + "\r\n" + data + "\r\n"
		})
		return 400
	}},
	{"RFC9112-7.1.1", "chunk-extension", true, func(r *rand.Rand, m *message) int {
		bad := pick(r, []string{"\n", "\r", "\x00", "=", ";", "=\"", "=\"\n\"", "=\"\r\n\"", " b", "=b c", "=\"\\\r\n\"", "\x80", ",b", "="})
		m.withChunks(r, func(size, data string) string { return size + ";" + word(r) + bad + "\r\n" + data + "\r\n" })
		return 400
	}},
	{"RFC9112-7.1.2", "trailer", true, func(r *rand.Rand, m *message) int {
		bad := pick(r, []string{"X", ": a", "X : a", " X: a", "X: a\r\n b", "X: \x00", "X: a\rY: b", "X: a\nY: b", "X\x80: a", "X: \x7f", "X Y: a"})
		m.withChunks(r, goodChunk)
		m.body = strings.TrimSuffix(m.body, "\r\n") + "T: a\r\n" + bad + "\r\n\r\n"
		return 400
	}},
}

// goodChunk is a chunk without a fault.
func goodChunk(size, data string) string { return size + "\r\n" + data + "\r\n" }
