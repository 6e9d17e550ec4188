package wiretest

import (
	"fmt"
	"strings"
)

// OddRequests are requests that are legal and seldom seen. They must be served,
// and what they hold must be kept byte for byte. Nothing follows them.
func OddRequests() []Case {
	var cs cases
	add := func(name, raw string) { cs.add(name, raw, 0) }
	host := "Host: " + Host + "\r\n"
	for _, target := range []string{
		"/", "//", "//a//b", "/%2F", "/%2f", "/%00", "/%zz", "/%", "/a|b", "/a^b", "/a\"b", "/a{b}", "/a`b", "/a<b>", "/a\\b", "/a[b]", "/a@b:c", "/a;b=c", "/a,b", "/a'b(c)*!$&+=",
		"/a?", "/a??", "/a?b?c", "/a?b=/../c", "/./a", "/../a", "/a/..", "/A", "/~a", "/a?http://" + Host + "/", "/" + strings.Repeat("a", 16000),
	} {
		add(fmt.Sprintf("RFC9112-3.2/absolute-%.40q", target), "GET "+origin+target+" HTTP/1.1\r\n"+host+"\r\n")
	}
	add("RFC9112-2.2/one-empty-line-first", "\r\nGET "+origin+"/a HTTP/1.1\r\n"+host+"\r\n")
	add("RFC9112-3.2.2/other-host-field", "GET "+origin+"/a HTTP/1.1\r\nHost: other.test\r\n\r\n")
	add("RFC9112-3.2.2/empty-host-field", "GET "+origin+"/a HTTP/1.1\r\nHost:\r\n\r\n")
	add("RFC9112-3.2.2/upper-case", "GET HTTP://"+strings.ToUpper(Host)+"/a HTTP/1.1\r\n"+host+"\r\n")
	add("RFC9112-3.2.2/empty-port", "GET http://"+Host+":/a HTTP/1.1\r\n"+host+"\r\n")
	add("RFC9112-3.2.2/no-path", "GET "+origin+" HTTP/1.1\r\n"+host+"\r\n")
	add("RFC9112-3.2.2/no-path-but-query", "GET "+origin+"?a HTTP/1.1\r\n"+host+"\r\n")
	add("RFC9112-3.2.4/options", "OPTIONS "+origin+" HTTP/1.1\r\n"+host+"\r\n")
	add("RFC9112-2.3/http-1.0-no-host", "GET "+origin+"/a HTTP/1.0\r\n\r\n")
	add("RFC9112-2.3/http-1.0-host", "GET "+origin+"/a HTTP/1.0\r\n"+host+"\r\n")
	add("RFC9110-9.1/unknown-method", "FOO-X "+origin+"/a HTTP/1.1\r\n"+host+"\r\n")
	add("RFC9110-9.1/method-of-symbols", "A!#$%&'*+-.^_|~1 "+origin+"/a HTTP/1.1\r\n"+host+"\r\n")
	for _, c := range oddFields {
		add("RFC9110-5.5/"+c[0], "GET "+origin+"/a HTTP/1.1\r\n"+host+c[1]+"\r\n")
	}
	add("RFC9112-6.2/length-zero", "POST "+origin+"/a HTTP/1.1\r\n"+host+"Content-Length: 0\r\n\r\n")
	add("RFC9112-6.2/length-leading-zeros", "POST "+origin+"/a HTTP/1.1\r\n"+host+"Content-Length: 0005\r\n\r\nabcde")
	add("RFC9110-8.6/length-list", "POST "+origin+"/a HTTP/1.1\r\n"+host+"Content-Length: 5, 5\r\n\r\nabcde")
	add("RFC9110-8.6/length-lines", "POST "+origin+"/a HTTP/1.1\r\n"+host+"Content-Length: 5\r\ncontent-length: 5\r\n\r\nabcde")
	add("RFC9110-9.3.1/get-with-body", "GET "+origin+"/a HTTP/1.1\r\n"+host+"Content-Length: 5\r\n\r\nabcde")
	for _, c := range oddChunks {
		add("RFC9112-7.1/"+c[0], "POST "+origin+"/a HTTP/1.1\r\n"+host+"Transfer-Encoding: chunKED\r\n\r\n"+c[1])
	}
	return cs
}

// oddFields are legal field lines by what is odd about them.
var oddFields = [][2]string{
	{"repeated", "X: a\r\nY: b\r\nX: c\r\nx: a\r\n"},
	{"case-of-names", "x-a: 1\r\nX-A: 2\r\nX-a: 3\r\n"},
	{"empty-value", "X:\r\nY: \r\nZ:\t \r\n"},
	{"no-space", "X:a\r\n"},
	{"much-space", "X: \t a \t b \t \r\n"},
	{"obs-text", "X: caf\xe9 \xff\x80\r\nY: \xc3\xa9\r\n"},
	{"colons", "X: :a:b:\r\n"},
	{"symbols-in-name", "!#$%&'*+-.^_`|~09aZ: a\r\n"},
	{"quotes-unbalanced", "X: \"a\r\n"},
	{"tab-inside", "X: a\tb\r\n"},
	{"one-letter", "X: a\r\n"},
	{"fields-255", strings.Repeat("X: a\r\n", 255)},
	{"value-60k", "X: " + strings.Repeat("a", 60000) + "\r\n"},
	{"looks-like-framing", "X-Content-Length: 5\r\nContent_Length: 6\r\nTransfer-Encodings: chunked\r\n"},
}

// oddChunks are legal chunked bodies by what is odd about them.
var oddChunks = [][2]string{
	{"empty", "0\r\n\r\n"},
	{"upper-case-size", "A\r\n0123456789\r\n0\r\n\r\n"},
	{"leading-zeros", "0000000000000005\r\nabcde\r\n0000000000000000\r\n\r\n"},
	{"extension", "5;a\r\nabcde\r\n0\r\n\r\n"},
	{"extension-value", "5;a=b;c=\"d;e\\\"f\"\r\nabcde\r\n0;g=h\r\n\r\n"},
	{"extension-bad-space", "5 ; a = b ; c = \"d\" ;e\r\nabcde\r\n0\r\n\r\n"},
	{"extension-quoted-octets", "5;a=\"\t \x80\xff\\\x80\"\r\nabcde\r\n0\r\n\r\n"},
	{"crlf-in-data", "5\r\n\r\n\r\n0\r\n0\r\n\r\n"},
	{"trailers", "5\r\nabcde\r\n0\r\nX: a\r\nY:\r\nX: b\r\n\r\n"},
	{"many-chunks", strings.Repeat("1\r\na\r\n", 3000) + "0\r\n\r\n"},
}
