package wiretest

import (
	"fmt"
	"strings"
)

// Malformed are requests that must be refused with their status, after which
// nothing more of the connection may be read and nothing may be forwarded,
// save as Body says.
func Malformed() []Case {
	var cs cases
	cs.lines()
	cs.requestLine()
	cs.targets()
	cs.hosts()
	cs.fieldNames()
	cs.fieldValues()
	cs.lengths()
	cs.codings()
	cs.chunks()
	cs.sizes()
	return cs
}

// lines are faults in what ends a line.
func (cs *cases) lines() {
	const s = "RFC9112-2.2/"
	head := "GET " + origin + "/a HTTP/1.1\r\nHost: " + Host + "\r\nAccept: */*\r\n\r\n"
	cs.add(s+"lf-only", strings.ReplaceAll(head, "\r\n", "\n")+probe, 400)
	cs.add(s+"cr-only", strings.ReplaceAll(head, "\r\n", "\r")+probe, 400)
	cs.add(s+"lf-after-request-line", strings.Replace(head, "\r\n", "\n", 1)+probe, 400)
	cs.add(s+"cr-after-request-line", strings.Replace(head, "\r\n", "\r", 1)+probe, 400)
	cs.add(s+"crcrlf-after-request-line", strings.Replace(head, "\r\n", "\r\r\n", 1)+probe, 400)
	cs.add(s+"lfcr-after-request-line", strings.Replace(head, "\r\n", "\n\r", 1)+probe, 400)
	cs.add(s+"lf-after-host", strings.Replace(head, Host+"\r\n", Host+"\n", 1)+probe, 400)
	cs.add(s+"cr-after-host", strings.Replace(head, Host+"\r\n", Host+"\r", 1)+probe, 400)
	cs.add(s+"crcrlf-after-field", strings.Replace(head, "*/*\r\n", "*/*\r\r\n", 1)+probe, 400)
	cs.add(s+"lf-as-empty-line", strings.Replace(head, "*/*\r\n\r\n", "*/*\r\n\n", 1)+probe, 400)
	cs.add(s+"lflf-at-the-end", strings.Replace(head, "*/*\r\n\r\n", "*/*\n\n", 1)+probe, 400)
	cs.add(s+"lfcrlf-at-the-end", strings.Replace(head, "*/*\r\n\r\n", "*/*\n\r\n", 1)+probe, 400)
	cs.add(s+"cr-as-empty-line", strings.Replace(head, "*/*\r\n\r\n", "*/*\r\n\r", 1)+probe, 400)
	cs.add(s+"leading-lf", "\n"+head+probe, 400)
	cs.add(s+"leading-cr", "\r"+head+probe, 400)
	cs.add(s+"leading-two-empty-lines", "\r\n\r\n"+head+probe, 400)
	cs.add(s+"leading-space", " "+head+probe, 400)
	cs.add(s+"leading-tab", "\t"+head+probe, 400)
	cs.add(s+"leading-nul", "\x00"+head+probe, 400)
	cs.add(s+"leading-bom", "\xef\xbb\xbf"+head+probe, 400)
	cs.add(s+"space-before-first-field", strings.Replace(head, "Host", " Host", 1)+probe, 400)
	cs.add(s+"tab-before-first-field", strings.Replace(head, "Host", "\tHost", 1)+probe, 400)
	cs.add(s+"space-line-first", strings.Replace(head, "Host", " \r\nHost", 1)+probe, 400)
	cs.add(s+"space-line-last", strings.Replace(head, "*/*\r\n", "*/*\r\n \r\n", 1)+probe, 400)
	cs.add(s+"tls-hello", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400)
	cs.add(s+"ssh", "SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n", 400)
	cs.add(s+"smtp", "EHLO mail.test\r\n", 400)
	cs.add(s+"a-response", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"+probe, 400)
}

// requestLine are faults in the method, the version and the space between.
func (cs *cases) requestLine() {
	t := origin + "/a"
	const m, v = "RFC9112-3.1/", "RFC9112-2.3/"
	for _, c := range []byte("\"(),/:;<=>?@[\\]{}\x01\x1f\x7f\x80\xff") {
		cs.add(fmt.Sprintf(m+"method-byte-%02x", c), line("GE"+string([]byte{c})+"T "+t+" HTTP/1.1\r\n"), 400)
	}
	for _, method := range []string{"get", "Get", "gET", "GEt", "post", "connect", "x"} {
		cs.add(m+"method-case-"+method, line(method+" "+t+" HTTP/1.1\r\n"), 400)
	}
	cs.add(m+"method-long", line(strings.Repeat("A", 65)+" "+t+" HTTP/1.1\r\n"), 501)
	cs.add(m+"method-none", line(t+" HTTP/1.1\r\n"), 400)
	cs.add(m+"method-empty", line(" "+t+" HTTP/1.1\r\n"), 400)
	const l = "RFC9112-3/"
	for _, c := range [][2]string{
		{"two-spaces-before-target", "GET  " + t + " HTTP/1.1\r\n"},
		{"two-spaces-before-version", "GET " + t + "  HTTP/1.1\r\n"},
		{"tab-before-target", "GET\t" + t + " HTTP/1.1\r\n"},
		{"tab-before-version", "GET " + t + "\tHTTP/1.1\r\n"},
		{"space-after-version", "GET " + t + " HTTP/1.1 \r\n"},
		{"tab-after-version", "GET " + t + " HTTP/1.1\t\r\n"},
		{"space-in-target", "GET " + t + " b HTTP/1.1\r\n"},
		{"second-version", "GET " + t + " HTTP/1.1 HTTP/1.1\r\n"},
		{"version-in-target", "GET " + t + " HTTP/1.0 HTTP/1.1\r\n"},
		{"vertical-tab-as-space", "GET\v" + t + "\vHTTP/1.1\r\n"},
		{"form-feed-as-space", "GET\f" + t + "\fHTTP/1.1\r\n"},
		{"cr-as-space", "GET\r" + t + "\rHTTP/1.1\r\n"},
		{"nbsp-as-space", "GET\xa0" + t + "\xa0HTTP/1.1\r\n"},
		{"no-target", "GET HTTP/1.1\r\n"},
		{"empty-target", "GET  HTTP/1.1\r\n"},
		{"method-only", "GET\r\n"},
	} {
		cs.add(l+c[0], line(c[1]), 400)
	}
	cs.add(v+"http-0.9", "GET "+t+"\r\n"+probe, 400)
	cs.add(v+"http-0.9-alone", "GET /\r\n", 400)
	cs.add(v+"http-0.9-space", "GET "+t+" \r\n"+probe, 400)
	for _, s := range []string{"0.9", "0.0", "1.2", "1.9", "2.0", "2.1", "3.0", "9.9"} {
		cs.add(v+"version-"+s, line("GET "+t+" HTTP/"+s+"\r\n"), 505)
	}
	for _, s := range []string{
		"http/1.1", "Http/1.1", "HTTP/1.10", "HTTP/11.1", "HTTP/01.1", "HTTP/1.01", "HTTP/1", "HTTP/1.", "HTTP/.1",
		"HTTP/1,1", "HTTP/1.1.1", "HTTP/1.x", "HTTP/-1.1", "HTTP/+1.1", "HTTP 1.1", "HTTP1.1", "HTTPS/1.1", "HTTP/",
		"XTTP/1.1", "ICAP/1.0", "RTSP/1.0", "HTTP/1.1\x00", "HTTP/1.1\x7f", "HTTP/1.1#", "\"HTTP/1.1\"", "HTTP/\xb1.1", "HTTP\\1.1",
	} {
		cs.add(v+fmt.Sprintf("version-%q", s), line("GET "+t+" "+s+"\r\n"), 400)
	}
	cs.add(v+"http-2-preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505)
}

// targets are faults in the request target.
func (cs *cases) targets() {
	const s = "RFC9112-3.2/"
	for c := range 256 {
		legal := c > ' ' && c < 0x7f && c != '#'
		if legal || c > 0x82 && c < 0xfe { // one of the many octets above 0x7F is like the other
			continue
		}
		cs.add(fmt.Sprintf(s+"byte-%02x", c), line("GET "+origin+"/a"+string([]byte{byte(c)})+"b HTTP/1.1\r\n"), 400)
	}
	cs.add(s+"utf-8", line("GET "+origin+"/caf\xc3\xa9 HTTP/1.1\r\n"), 400)
	cs.add(s+"fragment", line("GET "+origin+"/a#b HTTP/1.1\r\n"), 400)
	cs.add(s+"fragment-only", line("GET # HTTP/1.1\r\n"), 400)
	for _, target := range badTargets {
		cs.add(fmt.Sprintf(s+"GET-%.40q", target), line("GET "+target+" HTTP/1.1\r\n"), 400)
	}
	for _, target := range []string{"**", "*a", "@*", "*/", "*?a"} {
		cs.add(fmt.Sprintf(s+"OPTIONS-%q", target), line("OPTIONS "+target+" HTTP/1.1\r\n"), 400)
	}
	for _, target := range []string{
		"", "/", "*", "no-port.test", Host + ":", Host + ":0", Host + ":65536", Host + ":443/", Host + ":443/a", Host + ":443?a",
		"http://" + Host + ":443", "https://" + Host + "/", "user@" + Host + ":443", "user:pw@" + Host + ":443", ":443", "[::1]",
		"::1:443", "[::1:443", "[::g]:443", Host + ":443:443", Host + ",443", Host + ":44 3", Host + ":https",
	} {
		cs.add(fmt.Sprintf(s+"CONNECT-%.40q", target), line("CONNECT "+target+" HTTP/1.1\r\n"), 400)
	}
}

// badTargets are no targets of a GET request.
var badTargets = []string{
	"*", "a", "a/b", "?q", Host, Host + "/a", Host + ":80", "http:", "http:/", "http://", "http:///a", "http://?a", "http:a",
	"http:/" + Host + "/a", "http//" + Host + "/a", "://" + Host + "/a", "http:\\\\" + Host + "\\a",
	"ftp://" + Host + "/a", "file:///etc/passwd", "ws://" + Host + "/a", "gopher://" + Host + "/", "httpx://" + Host + "/",
	"xhttp://" + Host + "/", "javascript:alert(1)", "urn:a:b", "mailto:a@" + Host,
	"http://user@" + Host + "/a", "http://user:pw@" + Host + "/a", "http://@" + Host + "/a", "http://a@b@" + Host + "/",
	"http://" + Host + ":80@" + Host + "/a", "http://" + Host + "\\@" + Host + "/a", "https://user:pw@" + Host + "/a",
	"http://[", "http://[]/", "http://[::1/", "http://::1/", "http://[::1]a/", "http://[::1]]/", "http://[[::1]]/",
	"http://[::g]/", "http://[1.2.3.4]/", "http://[" + Host + "]/", "http://[fe80::1%25eth0]/", "http://[fe80::1%eth0]/", "http://[v1.a]/",
	"http://" + Host + ":0/", "http://" + Host + ":65536/", "http://" + Host + ":99999999999999999999/", "http://" + Host + ":80a/",
	"http://" + Host + ":-80/", "http://" + Host + ":+80/", "http://" + Host + ":0x50/", "http://" + Host + ":80:80/",
	"http://" + Host + "::80/", "http://" + Host + ":%38%30/", "http://:80/",
	"http://a..b/", "http://.a/", "http://./", "http://../", "http://a%2eb/", "http://a%00b/", "http://a,b/", "http://a;b/",
	"http://a!b/", "http://a*b/", "http://a\\b/", "http://a|b/", "http://a<b/", "http://a\"b/", "http://a'b/", "http://a{b}/",
	"http://a^b/", "http://a`b/", "http://a=b/", "http://a&b/", "http://a$b/", "http://a(b)/", "http://a+b/", "http://a[b/",
	"http://a]b/", "http://" + strings.Repeat("a.", 128) + "test/",
}
