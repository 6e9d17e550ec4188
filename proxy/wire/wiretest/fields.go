package wiretest

import (
	"fmt"
	"strings"
)

// hosts are faults in the Host field.
func (cs *cases) hosts() {
	const s = "RFC9112-3.2/host-"
	req := func(lines string) string {
		return "GET " + origin + "/a HTTP/1.1\r\n" + lines + "Accept: */*\r\n\r\n" + probe
	}
	host := "Host: " + Host + "\r\n"
	cs.add(s+"missing", req(""), 400)
	cs.add(s+"missing-origin-form", strings.Replace(req(""), origin, "", 1), 400)
	cs.add(s+"twice", req(host+host), 400)
	cs.add(s+"twice-apart", req(host+"X: a\r\n"+host), 400)
	cs.add(s+"twice-other-case", req(host+"hOST: "+Host+"\r\n"), 400)
	cs.add(s+"twice-different", req(host+"Host: other.test\r\n"), 400)
	cs.add(s+"twice-second-empty", req(host+"Host:\r\n"), 400)
	cs.add(s+"three-times", req(host+host+host), 400)
	cs.add(s+"twice-http-1.0", strings.Replace(req(host+host), "HTTP/1.1", "HTTP/1.0", 1), 400)
	cs.add(s+"empty-origin-form", strings.Replace(req("Host:\r\n"), origin, "", 1), 400)
	cs.add(s+"blank-origin-form", strings.Replace(req("Host: \t \r\n"), origin, "", 1), 400)
	for _, h := range badHosts {
		cs.add(fmt.Sprintf(s+"%.40q", h), req("Host: "+h+"\r\n"), 400)
	}
}

// badHosts are no values of a Host field.
var badHosts = []string{
	"a b", "a b<c", "a,b", Host + ", " + Host, Host + "," + Host, "a/b", "/" + Host, Host + "/", "http://" + Host, "a?b", "a#b", "a\\b",
	"user@" + Host, "user:pw@" + Host, "@" + Host, Host + "@", "a%2eb", "%00", "a\"b", "'a'", "a;b", "a|b", "<a>", "a&b", "a=b", "{a}", "a^b", "`a`",
	"a\x80b", "\xc3\xa9.test", "a\x00b", "a\x7fb", "a\tb", Host + " x", ".", "..", ".a", "a..b", ":", ":80", "a:0", "a:65536", "a:80a", "a:a", "a:-1", "a:+1", "a:80:80",
	"a: 80", "a :80", "a:80,b", "[", "[]", "[::1", "::1", "[::1]80", "[::1]:x", "[::1]:0", "[::g]", "[1.2.3.4]", "[" + Host + "]", "[fe80::1%25lo]", "[fe80::1%lo]",
}

// fieldNames are faults before the colon of a field line.
func (cs *cases) fieldNames() {
	const s = "RFC9112-5/"
	for _, c := range []byte(" \t\"(),/;<=>?@[\\]{}\x00\x01\x08\x0b\x0c\x0d\x1b\x1f\x7f\x80\xa0\xad\xc3\xff") {
		cs.add(fmt.Sprintf(s+"name-byte-%02x", c), get("X"+string([]byte{c})+"Y: a\r\n"), 400)
	}
	for _, c := range []byte(" \t\v\f\x00\x85\xa0") {
		cs.add(fmt.Sprintf("RFC9112-5.1/before-colon-%02x", c), get("X"+string([]byte{c})+": a\r\n"), 400)
	}
	cs.add("RFC9112-5.1/space-before-colon-host", strings.Replace(get(""), "Host:", "Host :", 1), 400)
	cs.add("RFC9112-5.1/space-before-colon-length", post("Content-Length : 3\r\n", "abc"), 400)
	cs.add("RFC9112-5.1/tab-before-colon-length", post("Content-Length\t: 3\r\n", "abc"), 400)
	cs.add("RFC9112-5.1/space-before-colon-coding", post("Transfer-Encoding : chunked\r\n", "0\r\n\r\n"), 400)
	cs.add(s+"name-empty", get(": a\r\n"), 400)
	cs.add(s+"name-empty-no-value", get(":\r\n"), 400)
	cs.add(s+"name-of-space", get(" : a\r\n"), 400)
	cs.add(s+"no-colon", get("Accept\r\n"), 400)
	cs.add(s+"no-colon-words", get("this is no field\r\n"), 400)
	cs.add(s+"no-colon-first", strings.Replace(get(""), "Host", "Accept\r\nHost", 1), 400)
	cs.add(s+"name-quoted", get("\"X\": a\r\n"), 400)
	cs.add(s+"name-utf-8", get("\xc3\x89t\xc3\xa9: a\r\n"), 400)
	const f = "RFC9112-5.2/"
	cs.add(f+"fold-space", get("X: a\r\n b\r\n"), 400)
	cs.add(f+"fold-tab", get("X: a\r\n\tb\r\n"), 400)
	cs.add(f+"fold-empty-value", get("X:\r\n b\r\n"), 400)
	cs.add(f+"fold-with-colon", get("X: a\r\n Y: b\r\n"), 400)
	cs.add(f+"fold-length", post("Content-Length:\r\n 3\r\n", "abc"), 400)
	cs.add(f+"fold-length-middle", post("Content-Length: 1\r\n 3\r\n", "abc"), 400)
	cs.add(f+"fold-coding", post("Transfer-Encoding:\r\n chunked\r\n", "0\r\n\r\n"), 400)
	cs.add(f+"fold-coding-as-field", post("X: a\r\n Transfer-Encoding: chunked\r\n", ""), 400)
	cs.add(f+"fold-host", strings.Replace(get(""), "Host: ", "Host:\r\n ", 1), 400)
	cs.add(f+"fold-empty", get("X: a\r\n \r\n"), 400)
	cs.add(f+"fold-at-the-end", get("X: a\r\n \t \r\n"), 400)
}

// fieldValues are faults behind the colon of a field line.
func (cs *cases) fieldValues() {
	for c := range 0x80 {
		if c >= ' ' && c < 0x7f || c == '\t' {
			continue
		}
		cs.add(fmt.Sprintf("RFC9110-5.5/value-byte-%02x", c), get("X: a"+string([]byte{byte(c)})+"b\r\n"), 400)
	}
	for _, c := range []byte("\x00\x01\x0b\x7f") {
		b := string([]byte{c})
		cs.add(fmt.Sprintf("RFC9110-5.5/value-first-byte-%02x", c), get("X:"+b+"\r\n"), 400)
		cs.add(fmt.Sprintf("RFC9110-5.5/value-last-byte-%02x", c), get("X: a"+b+"\r\n"), 400)
		cs.add(fmt.Sprintf("RFC9110-5.5/long-value-byte-%02x", c), get("X: "+strings.Repeat("a", 100)+b+strings.Repeat("b", 100)+"\r\n"), 400)
	}
	cs.add("RFC9110-5.5/cr-hides-coding", post("X: a\rTransfer-Encoding: chunked\r\n", ""), 400)
	cs.add("RFC9110-5.5/lf-hides-coding", post("X: a\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"), 400)
	cs.add("RFC9110-5.5/cr-hides-end", get("X: a\r\r\n\r\n"), 400)
}

// sizes are messages above the default limits.
func (cs *cases) sizes() {
	const s = "RFC9112-3/"
	long := strings.Repeat("a", 16<<10)
	cs.add(s+"target-16k", line("GET "+origin+"/"+long+" HTTP/1.1\r\n"), 414)
	cs.add(s+"target-100k", line("GET "+origin+"/"+strings.Repeat(long, 6)+" HTTP/1.1\r\n"), 414)
	cs.add(s+"target-without-end", "GET "+origin+"/"+strings.Repeat(long, 6), 414)
	const h = "RFC6585-5/"
	cs.add(h+"fields-257", get(strings.Repeat("X: a\r\n", 256)), 431)
	cs.add(h+"fields-5000", get(strings.Repeat("X: a\r\n", 5000)), 431)
	cs.add(h+"value-64k", get("X: "+strings.Repeat(long, 4)+"\r\n"), 431)
	cs.add(h+"value-1m", get("X: "+strings.Repeat(long, 64)+"\r\n"), 431)
	cs.add(h+"name-64k", get(strings.Repeat(long, 4)+": a\r\n"), 431)
	cs.add(h+"lines-64k", get(strings.Repeat("X-Long: "+long[:1000]+"\r\n", 70)), 431)
	cs.add(h+"value-without-end", "GET "+origin+"/ HTTP/1.1\r\nHost: "+Host+"\r\nX: "+strings.Repeat(long, 5), 431)
}
