package wiretest

import (
	"fmt"
	"strings"
)

// BadResponses are answers to GET requests that must become a 502 at the
// client or, where Body says so, may instead break off there visibly. None may
// ever be stored. The connection ends with FIN behind each.
func BadResponses() []Case {
	var cs cases
	cs.statusLines()
	cs.responseFields()
	cs.responseFraming()
	cs.responseBodies()
	return cs
}

// ok is a cacheable 200 response with the given lines and body.
func ok(lines, body string) string {
	return "HTTP/1.1 200 OK\r\nCache-Control: max-age=600\r\n" + lines + "\r\n" + body
}

// statusLines are faults in the status line.
func (cs *cases) statusLines() {
	const s = "RFC9112-4/"
	rest := "\r\nCache-Control: max-age=600\r\nContent-Length: 2\r\n\r\nok"
	for _, l := range []string{
		"HTTP/1.1 99 X", "HTTP/1.1 099 X", "HTTP/1.1 000 X", "HTTP/1.1 600 X", "HTTP/1.1 999 X", "HTTP/1.1 2000 X", "HTTP/1.1 20 X", "HTTP/1.1 2 X", "HTTP/1.1 0200 X",
		"HTTP/1.1 +20 X", "HTTP/1.1 -20 X", "HTTP/1.1 2x0 X", "HTTP/1.1 OK 200", "HTTP/1.1", "HTTP/1.1 ", "HTTP/1.1  200 OK", "HTTP/1.1\t200 OK", "HTTP/1.1 200\tOK", "HTTP/1.1 200OK",
		"HTTP/1.1 200,OK", "HTTP/1.1 200.0 OK", "HTTP/2.0 200 OK", "HTTP/2 200 OK", "HTTP/1.2 200 OK", "HTTP/0.9 200 OK", "HTTP/3.0 200 OK", "HTTP/1 200 OK", "HTTP/1. 200 OK", "HTTP/11 200 OK",
		"HTTP/1.10 200 OK", "HTTP/01.1 200 OK", "http/1.1 200 OK", "Http/1.1 200 OK", "HTTP 1.1 200 OK", "HTTPS/1.1 200 OK", "ICY 200 OK", "RTSP/1.0 200 OK", "200 OK", " HTTP/1.1 200 OK", "\tHTTP/1.1 200 OK",
		"\r\nHTTP/1.1 200 OK", "\nHTTP/1.1 200 OK", "\x00HTTP/1.1 200 OK", "xHTTP/1.1 200 OK", "HTTP/1.1 200 O\x00K", "HTTP/1.1 200 O\rK", "HTTP/1.1 200 O\nK", "HTTP/1.1 200 O\x7fK", "HTTP/1.1 200 OK\r", "GET / HTTP/1.1",
		"HTTP/1.1 \xb2\xb0\xb0 OK",
	} {
		cs.add(fmt.Sprintf(s+"%q", l), l+rest, 502)
	}
	cs.add("RFC9112-2.3/http-0.9", "<html>hello</html>\n", 502)
	cs.add("RFC9112-2.3/http-0.9-crlf", "<html>\r\n<body>hello\r\n\r\n</body></html>\r\n", 502)
	cs.add("RFC9112-2.2/lf-only", strings.ReplaceAll("HTTP/1.1 200 OK"+rest, "\r\n", "\n"), 502)
	cs.add("RFC9112-2.2/cr-only", strings.ReplaceAll("HTTP/1.1 200 OK"+rest, "\r\n", "\r"), 502)
	cs.add("RFC9112-2.2/lf-after-status-line", strings.Replace("HTTP/1.1 200 OK"+rest, "\r\n", "\n", 1), 502)
	cs.add("RFC9112-2.2/lf-as-empty-line", strings.Replace("HTTP/1.1 200 OK"+rest, "\r\n\r\n", "\r\n\n", 1), 502)
	cs.add("RFC9112-8/nothing", "", 502)
	cs.add("RFC9112-8/status-line-cut", "HTTP/1.1 200", 502)
	cs.add("RFC9112-8/status-line-only", "HTTP/1.1 200 OK\r\n", 502)
	cs.add("RFC9112-8/head-without-empty-line", "HTTP/1.1 200 OK\r\nCache-Control: max-age=600\r\nContent-Length: 0\r\n", 502)
	cs.add("RFC9112-8/head-cut-in-field", "HTTP/1.1 200 OK\r\nCache-Control: max-age=600\r\nContent-Len", 502)
	cs.add("RFC9112-8/head-cut-before-last-lf", "HTTP/1.1 200 OK\r\nCache-Control: max-age=600\r\nContent-Length: 0\r\n\r", 502)
	cs.add("RFC9112-8/only-100", "HTTP/1.1 100 Continue\r\n\r\n", 502)
}

// responseFields are faults in field lines.
func (cs *cases) responseFields() {
	const s = "RFC9112-5/"
	for _, l := range []string{
		"X : a", "X\t: a", ": a", "X", "no colon here", "X: a\x00b", "X: a\rb", "X: a\nb", "X: a\x01b", "X: a\x7fb", "X: a\x1bb", "X\x00: a", "X\xff: a", "X Y: a", "(X): a", "X\r: a", "X: a\r", "X: a\r\r\nY: b",
		"Content-Length : 2", "X: a\r\n \r\nY: b",
	} {
		cs.add(fmt.Sprintf(s+"%q", l), ok("Y: b\r\n"+l+"\r\nContent-Length: 2\r\n", "ok"), 502)
	}
	cs.add("RFC9112-5.2/first-line-folded", "HTTP/1.1 200 OK\r\n X: a\r\nContent-Length: 2\r\n\r\nok", 502)
	cs.add("RFC9112-5.2/length-folded", ok("Content-Length:\r\n 2\r\n", "ok"), 502)
	cs.add("RFC9112-5.2/length-folded-list", ok("Content-Length: 2,\r\n 2\r\n", "ok"), 502)
	cs.add("RFC9112-5.2/coding-folded", ok("Transfer-Encoding:\r\n\tchunked\r\n", "2\r\nok\r\n0\r\n\r\n"), 502)
	long := strings.Repeat("a", 16<<10)
	cs.add("RFC6585-5/fields-257", ok(strings.Repeat("X: a\r\n", 256)+"Content-Length: 2\r\n", "ok"), 502)
	cs.add("RFC6585-5/fields-5000", ok(strings.Repeat("X: a\r\n", 5000)+"Content-Length: 2\r\n", "ok"), 502)
	cs.add("RFC6585-5/fields-without-end", ok(strings.Repeat("X: a\r\n", 20000), "")[:110000], 502)
	cs.add("RFC6585-5/value-64k", ok("X: "+strings.Repeat(long, 4)+"\r\nContent-Length: 2\r\n", "ok"), 502)
	cs.add("RFC6585-5/value-1m", ok("X: "+strings.Repeat(long, 64)+"\r\nContent-Length: 2\r\n", "ok"), 502)
	cs.add("RFC6585-5/reason-1m", "HTTP/1.1 200 "+strings.Repeat(long, 64)+"\r\nContent-Length: 2\r\n\r\nok", 502)
	cs.add("RFC6585-5/folds-20000", ok("X: a\r\n"+strings.Repeat(" b\r\n", 20000), "ok"), 502)
}

// responseFraming are faults in the fields that frame the body.
func (cs *cases) responseFraming() {
	const s = "RFC9112-6.3/"
	for _, v := range badLengths {
		cs.add(fmt.Sprintf(s+"length-%q", v), ok("Content-Length: "+v+"\r\n", "abcde"), 502)
	}
	for _, c := range badCodings {
		cs.add(fmt.Sprintf(s+"coding-%q", c.value), ok("Transfer-Encoding: "+c.value+"\r\n", "5\r\nabcde\r\n0\r\n\r\n"), 502)
	}
	const te, cl, body = "Transfer-Encoding: chunked\r\n", "Content-Length: 5\r\n", "5\r\nabcde\r\n0\r\n\r\n"
	cs.add(s+"lengths-differ", ok(cl+"Content-Length: 6\r\n", "abcdef"), 502)
	cs.add(s+"lengths-differ-reversed", ok("Content-Length: 6\r\n"+cl, "abcdef"), 502)
	cs.add(s+"length-and-coding", ok(cl+te, body), 502)
	cs.add(s+"coding-and-length", ok(te+cl, body), 502)
	cs.add(s+"coding-twice", ok(te+te, body), 502)
	cs.add(s+"coding-http-1.0", strings.Replace(ok(te, body), "HTTP/1.1", "HTTP/1.0", 1), 502)
}

// responseBodies are bodies that are not whole or not well-formed.
func (cs *cases) responseBodies() {
	const l, c = "RFC9112-8/", "RFC9112-7.1/"
	length := func(s string) string { return ok("Content-Length: 10\r\n", s) }
	coded := func(s string) string { return ok("Transfer-Encoding: chunked\r\n", s) }
	cs.addBody(l+"length-nothing", length(""), 502)
	cs.addBody(l+"length-half", length("abcde"), 502)
	cs.addBody(l+"length-less-one", length("abcdefghi"), 502)
	cs.addBody(l+"length-huge", ok("Content-Length: 9223372036854775807\r\n", "abcde"), 502)
	for _, s := range []string{
		"", "5", "5\r", "5\r\n", "5\r\nabc", "5\r\nabcde", "5\r\nabcde\r", "5\r\nabcde\r\n", "5\r\nabcde\r\n0", "5\r\nabcde\r\n0\r", "5\r\nabcde\r\n0\r\n", "5\r\nabcde\r\n0\r\n\r",
		"5\r\nabcde\r\n0\r\nX: a", "5\r\nabcde\r\n0\r\nX: a\r\n", "5\r\nabcde\r\n0\r\nX: a\r\n\r", "7fffffffffffffff\r\nabcde",
	} {
		cs.addBody(fmt.Sprintf(l+"chunked-cut-%q", s), coded(s), 502)
	}
	for _, s := range badSizes {
		cs.addBody(fmt.Sprintf(c+"size-%q", s), coded("3\r\nxyz\r\n"+s+"abcde\r\n0\r\n\r\n"), 502)
	}
	for _, s := range []string{"", "\n", "\r", "x\r\n", "\r\r\n"} {
		cs.addBody(fmt.Sprintf(c+"data-ended-by-%q", s), coded("5\r\nabcde"+s+"0\r\n\r\n"), 502)
	}
	for _, s := range []string{"X\r\n", ": a\r\n", "X : a\r\n", "X: a\r\n b\r\n", "X: a\n", "X: \x00\r\n", "\n"} {
		cs.addBody(fmt.Sprintf("RFC9112-7.1.2/trailer-%q", s), coded("5\r\nabcde\r\n0\r\n"+s+"\r\n"), 502)
	}
	cs.addBody(c+"extension-16k", coded("5;"+strings.Repeat("a", 16<<10)+"\r\nabcde\r\n0\r\n\r\n"), 502)
	cs.addBody(c+"not-chunked-at-all", coded("<html>hello</html>"), 502)
}
