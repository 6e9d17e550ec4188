package wiretest

import (
	"fmt"
	"strings"
)

// badLengths are no values of Content-Length.
var badLengths = []string{
	"", " ", "\t", "+5", "-1", "-0", "+0", "0x5", "0X5", "5x", "x5", "5a", "5 5", "5\t5", "5,6", "5, 6", "6,5", "5,", ",5", ",", "5,,5", "5;5", "5;a",
	"5.0", "5.", ".5", "5e0", "1e1", "\"5\"", "'5'", "0b1", "0o5", "5_0", "1_000", "\xd9\xa5", "\xef\xbc\x95", "5\x00", "\x005", "five", "NaN", "Infinity", "null",
	"9223372036854775808", "18446744073709551615", "18446744073709551616", "18446744073709551621", "99999999999999999999999999", "-9223372036854775808",
	"5, 5, 6", "5, 0x5", "5 chunked", "chunked", "5:5", "=5", "5/5", "(5)", "5-", "5\x0b", "\x0c5",
}

// lengths are faults in Content-Length.
func (cs *cases) lengths() {
	const s = "RFC9112-6.2/"
	for _, v := range badLengths {
		cs.add(fmt.Sprintf(s+"length-%q", v), post("Content-Length: "+v+"\r\n", "abcde"), 400)
	}
	for _, method := range []string{"GET", "HEAD", "DELETE", "OPTIONS", "TRACE"} {
		cs.add(s+"length-minus-"+method, method+strings.TrimPrefix(post("Content-Length: -5\r\n", ""), "POST"), 400)
	}
	for _, pair := range [][2]string{{"5", "6"}, {"6", "5"}, {"0", "5"}, {"5", "0"}, {"5", ""}, {"", "5"}, {"5", "5, 6"}, {"5", "+5"}, {"5", "0x5"}} {
		lines := "Content-Length: " + pair[0] + "\r\nContent-Length: " + pair[1] + "\r\n"
		cs.add(fmt.Sprintf(s+"lengths-%q-%q", pair[0], pair[1]), post(lines, "abcde"), 400)
	}
	cs.add(s+"lengths-apart", post("Content-Length: 5\r\nX: a\r\ncontent-length: 6\r\n", "abcde"), 400)
	cs.add(s+"lengths-get", get("Content-Length: 0\r\nContent-Length: 5\r\n"), 400)
}

// badCodings are values of Transfer-Encoding and how they are refused.
var badCodings = []struct {
	value  string
	status int
}{
	{"", 400}, {" ", 400}, {",", 400}, {",chunked", 400}, {", chunked", 400}, {"chunked,", 400}, {"chunked, ", 400}, {"chunked,,", 400},
	{"chunked, chunked", 400}, {"chunked,chunked", 400}, {"chunked, gzip", 400}, {"chunked, identity", 400}, {"gzip,, chunked", 400},
	{"gzip, chunked, gzip", 400}, {"chunked;", 400}, {"chunked;q=1", 400}, {"chunked ; a=b", 400}, {"\"chunked\"", 400}, {"'chunked'", 501}, {"chunked chunked", 400},
	{"chun ked", 400}, {"chunked\tx", 400}, {"chunked\x00", 400}, {"\x0bchunked", 400}, {"\x0cchunked", 400}, {"chunked\x0b", 400}, {"\x00chunked", 400},
	{"chunked\x7f", 400}, {"\xa0chunked", 400}, {"chunked\xa0", 400}, {"chunked\x85", 400}, {"chun\xe2\x84\xaaed", 400}, {"(chunked)", 400}, {"chunked/1", 400}, {"chunked:", 400},
	{"=chunked", 400}, {"[chunked]", 400}, {"chunked\\", 400}, {"@chunked", 400},
	{"xchunked", 501}, {"chunkedx", 501}, {"chunk", 501}, {"identity", 501}, {"gzip", 501}, {"gzip, chunked", 501}, {"gzip,chunked", 501},
	{"identity, chunked", 501}, {"deflate", 501}, {"compress", 501}, {"x-gzip, chunked", 501}, {"br", 501}, {"none", 501}, {"0", 501}, {"chunked.", 501},
	{"gzip;q=1, chunked", 501}, {"trailers", 501}, {"x-chunked", 501}, {"-chunked", 501}, {"chunked-", 501}, {"`chunked`", 501},
}

// codings are faults in Transfer-Encoding.
func (cs *cases) codings() {
	const s = "RFC9112-6.1/"
	const body = "5\r\nabcde\r\n0\r\n\r\n"
	for _, c := range badCodings {
		cs.add(fmt.Sprintf(s+"coding-%q", c.value), post("Transfer-Encoding: "+c.value+"\r\n", body), c.status)
	}
	const te, cl = "Transfer-Encoding: chunked\r\n", "Content-Length: 15\r\n"
	cs.add(s+"length-and-coding", post(cl+te, body), 400)
	cs.add(s+"coding-and-length", post(te+cl, body), 400)
	cs.add(s+"length-0-and-coding", post("Content-Length: 0\r\n"+te, body), 400)
	cs.add(s+"coding-and-length-apart", post(te+"X: a\r\n"+cl, body), 400)
	cs.add(s+"length-and-coding-lower-case", post("content-length: 15\r\ntransfer-encoding: chunked\r\n", body), 400)
	cs.add(s+"length-and-coding-upper-case", post("CONTENT-LENGTH: 15\r\nTRANSFER-ENCODING: CHUNKED\r\n", body), 400)
	cs.add(s+"length-and-unknown-coding", post(cl+"Transfer-Encoding: identity\r\n", body), 400)
	cs.add(s+"length-and-empty-coding", post(cl+"Transfer-Encoding:\r\n", body), 400)
	cs.add(s+"length-and-coding-get", get(cl+te), 400)
	cs.add(s+"two-lines", post(te+te, body), 400)
	cs.add(s+"two-lines-case", post(te+"transfer-encoding: Chunked\r\n", body), 400)
	cs.add(s+"two-lines-identity-first", post("Transfer-Encoding: identity\r\n"+te, body), 400)
	cs.add(s+"two-lines-identity-last", post(te+"Transfer-Encoding: identity\r\n", body), 400)
	cs.add(s+"two-lines-empty", post(te+"Transfer-Encoding:\r\n", body), 400)
	old := func(s string) string { return strings.Replace(s, "HTTP/1.1", "HTTP/1.0", 1) }
	cs.add(s+"http-1.0", old(post(te, body)), 400)
	cs.add(s+"http-1.0-get", old(get(te)), 400)
	cs.add(s+"http-1.0-unknown", old(post("Transfer-Encoding: identity\r\n", body)), 400)
	cs.add(s+"http-1.0-length-and-coding", old(post(cl+te, body)), 400)
	cs.add(s+"http-1.0-keep-alive", old(post("Connection: keep-alive\r\n"+te, body)), 400)
}

// badSizes are no size lines of a chunk of five bytes, behind which "abcde"
// follows.
var badSizes = []string{
	"\r\n", "0x5\r\n", "0X5\r\n", "+5\r\n", "-5\r\n", "x\r\n", "g\r\n", "5g\r\n", "5x\r\n", "5h\r\n", " 5\r\n", "\t5\r\n", "5 \r\n", "5\t\r\n", "5  \r\n", "5 5\r\n", "5,5\r\n",
	"5.0\r\n", "\"5\"\r\n", "5\x00\r\n", "\x005\r\n", "5\x0b\r\n", "5\xa0\r\n", "5_\r\n", "_5\r\n", "5:\r\n", "5=\r\n", "5=a\r\n", "5\n", "5\r", "5\r\r\n", "5\n\r\n", "5\n\n", "5\r\x00\n", "5\rX\n",
	"00000000000000005\r\n", "10000000000000005\r\n", "ffffffffffffffff\r\n", "8000000000000000\r\n", "fffffffffffffffff\r\n",
	";\r\n", ";a\r\n", ";5\r\n", "5;\r\n", "5;;\r\n", "5;;a\r\n", "5;a;\r\n", "5; \r\n", "5;=\r\n", "5;=a\r\n", "5;a=\r\n", "5;a= \r\n", "5;a=b=c\r\n", "5;a b\r\n", "5;a \r\n", "5;a=b \r\n", "5;a=b c\r\n",
	"5;\n", "5;a\n", "5;a=b\n", "5;a\r", "5;\r", "5;a\r\r\n", "5;\n\r\n", "5;a\rX\r\n", "5;a=\"b\r\n", "5;a=\"\r\n\"\r\n", "5;a=\"\n\"\r\n", "5;a=\"\r\"\r\n", "5;a=\"\\\r\n\"\r\n", "5;a=\"\\\"\r\n", "5;a=\"b\"c\r\n", "5;a=\"b\" c\r\n",
	"5;a=\"b\" \r\n", "5;\"a\"\r\n", "5;\"a\"=b\r\n", "5;a=\"\x00\"\r\n", "5;a=\"\x7f\"\r\n", "5;a=\x00\r\n", "5;a\x01\r\n", "5;a=b,c\r\n", "5;a=b/c\r\n", "5;\xc3\xa9\r\n", "5;a=\xc3\xa9\r\n", "5 a\r\n", "5 =a\r\n", "5\r;a\n",
}

// chunks are faults in a chunked body.
func (cs *cases) chunks() {
	const s = "RFC9112-7.1/"
	const end = "0\r\n\r\n"
	for _, size := range badSizes {
		cs.addBody(fmt.Sprintf(s+"size-%q", size), chunked(size+"abcde\r\n"+end), 400)
		cs.addBody(fmt.Sprintf(s+"second-size-%q", size), chunked("3\r\nxyz\r\n"+size+"abcde\r\n"+end), 400)
	}
	for _, size := range []string{"0 \r\n\r\n", "0x0\r\n\r\n", "-0\r\n\r\n", "0\n\n", "0\n\r\n", "0\r\r\n\r\n", "0;\r\n\r\n", "0;\n\r\n", "00000000000000000\r\n\r\n", "0,\r\n\r\n"} {
		cs.addBody(fmt.Sprintf(s+"last-%q", size), chunked("5\r\nabcde\r\n"+size), 400)
	}
	for _, after := range []string{"", "\n", "\r", "\r\r\n", "\n\r\n", "\rX\n", "X\r\n", " \r\n", "\x00\r\n", "\r\x00\n", "f\r\n", "fg\r\n"} {
		cs.addBody(fmt.Sprintf(s+"data-ended-by-%q", after), chunked("5\r\nabcde"+after+end), 400)
	}
	cs.addBody(s+"size-too-small", chunked("4\r\nabcde\r\n"+end), 400)
	cs.addBody(s+"size-too-large-by-one", chunked("6\r\nabcde\r\n"+end), 400)
	cs.addBody(s+"size-too-large-by-two", chunked("7\r\nabcde\r\n"+end), 400)
	cs.addBody(s+"size-wrapped", chunked("1000000000000000000000005\r\nabcde\r\n"+end), 400)
	long := strings.Repeat("a", 16<<10)
	const e = "RFC9112-7.1.1/"
	cs.addBody(e+"extension-16k", chunked("5;"+long+"\r\nabcde\r\n"+end), 400)
	cs.addBody(e+"extension-value-16k", chunked("5;a=\""+long+"\"\r\nabcde\r\n"+end), 400)
	cs.addBody(e+"extension-without-end", chunked("5;"+long+long+long+long+long), 400)
	cs.addBody(e+"extensions-16k-together", chunked(strings.Repeat("1;"+long[:1000]+"\r\nx\r\n", 17)+end), 400)
	const t = "RFC9112-7.1.2/"
	for _, lines := range []string{
		"X\r\n", ": a\r\n", "X : a\r\n", " X: a\r\n", "X: a\r\n b\r\n", "X: a\n", "X: a\r", "X: a\x00\r\n", "X: a\x01\r\n", "X: a\x7f\r\n", "X\x00: a\r\n", "X Y: a\r\n",
		"X: a\r\n\n", "X: a\n\r\n", "\n", "\r", "X: a\rY: b\r\n", "X\xff: a\r\n", "(X): a\r\n", "X: a\r\r\n", "GET / HTTP/1.1\r\n",
	} {
		cs.addBody(fmt.Sprintf(t+"trailer-%q", lines), chunked("5\r\nabcde\r\n0\r\n"+lines+"\r\n"), 400)
	}
	cs.addBody(t+"trailers-257", chunked("0\r\n"+strings.Repeat("X: a\r\n", 257)+"\r\n"), 431)
	cs.addBody(t+"trailers-64k", chunked("0\r\nX: "+strings.Repeat(long, 4)+"\r\n\r\n"), 431)
	cs.addBody(t+"trailers-without-end", chunked("0\r\nX: "+strings.Repeat(long, 5)), 431)
}
