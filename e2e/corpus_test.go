package e2e

import (
	"fmt"
	"strings"

	"github.com/jayproxy/jay/e2e/rawhttp"
)

// noStore keeps a response out of the cache, so that each pair stands alone.
func noStore(pairs ...string) rawhttp.Fields {
	return append(rawhttp.F("Cache-Control", "no-store"), rawhttp.F(pairs...)...)
}

// fidelityCorpus returns request and response pairs that a proxy must pass on
// untouched.
func fidelityCorpus() []message {
	var c []message
	c = append(c, methodPairs()...)
	c = append(c, targetPairs()...)
	c = append(c, requestFieldPairs()...)
	c = append(c, responseFieldPairs()...)
	c = append(c, bodyPairs()...)
	c = append(c, statusPairs()...)
	return c
}

func methodPairs() []message {
	var c []message
	for _, method := range []string{"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "PROPFIND", "REPORT", "MKCOL",
		"LOCK", "M-SEARCH", "SUBSCRIBE", "QUERY", "X", "!#$%&'*+-.^_`|~09AZ"} {
		c = append(c, message{name: "method " + method, method: method, answer: noStore("X-A", "1"), answerBody: "answer"})
		if method == "GET" || method == "HEAD" || method == "TRACE" {
			continue
		}
		c = append(c, message{name: "method with body " + method, method: method, fields: rawhttp.F("Content-Length", "4"), body: "body",
			answer: noStore(), answerBody: "answer"})
	}
	return c
}

func targetPairs() []message {
	var c []message
	for _, target := range []string{
		"/", "/a", "/A", "//", "//a", "/a//b", "/./a", "/../a", "/a/../b", "/a/.", "/%41", "/%2f", "/%2F", "/%zz", "/%", "/%00", "/%c3%a9", "/%C3%A9",
		"/a;b=c", "/a,b", "/a=b", "/a:b", "/a@b", "/~u", "/!$&'()*+,;=", "/a|b", "/{a}", "/[a]", "/a\"b", "/a<b>", "/a\\b", "/a^b", "/a`b",
		"/?", "/??", "/?a", "/?a=", "/?a=b&c=d", "/?a=b;c=d", "/?a+b", "/?a%20b", "/?%26=%3D", "/?http://x.test/?y", "/?a[]=1&a[]=2", "/?/../", "/?q=%E2%82%AC",
		"/" + strings.Repeat("a", 8000), "/?" + strings.Repeat("q=1&", 3000), "/http://x.test/", "/a/b/c/d/e/f/g", "/.well-known/x", "/a%2e%2e/b",
	} {
		c = append(c, message{name: fmt.Sprintf("target %.40s", target), target: target, answer: noStore(), answerBody: "x"})
	}
	return append(c,
		message{name: "options of the server", method: "OPTIONS", target: "/*", answer: noStore()},
		message{name: "connect-like path", target: "/x.test:443", answer: noStore()})
}

func requestFieldPairs() []message {
	long := strings.Repeat("v", 8000)
	many := rawhttp.Fields{}
	for i := range 240 {
		many = append(many, rawhttp.Field{Name: fmt.Sprintf("X-F%d", i), Value: fmt.Sprint(i)})
	}
	sets := map[string]rawhttp.Fields{
		"none":                 nil,
		"empty value":          rawhttp.F("X-Empty", "", "x-empty2", ""),
		"repeated":             rawhttp.F("X-A", "1", "X-B", "2", "X-A", "3", "x-a", "4", "X-A", "1"),
		"cookies in lines":     rawhttp.F("Cookie", "a=1", "Cookie", "b=2; c=\"3\""),
		"case of names":        rawhttp.F("accept", "*/*", "ACCEPT-LANGUAGE", "de", "uSER-aGENT", "x", "dnt", "1"),
		"order":                rawhttp.F("Z", "1", "A", "2", "M", "3", "User-Agent", "x", "Accept", "y"),
		"symbols in name":      rawhttp.F("!#$%&'*+-.^_`|~09aZ", "1"),
		"obs-text":             rawhttp.F("X-Latin", "caf\xe9 \xff\x80", "X-UTF8", "é"),
		"inner space":          rawhttp.F("X-A", "a  b \t c"),
		"quotes":               rawhttp.F("X-A", `"a, b\"c", d;e="f`),
		"colons":               rawhttp.F("X-A", ":a:b:", "X-B", ":"),
		"commas":               rawhttp.F("X-A", ",,a,,b,", "X-B", ","),
		"long value":           rawhttp.F("X-Long", long),
		"many":                 many,
		"accept-encoding":      rawhttp.F("Accept-Encoding", "br;q=1.0, gzip;q=0.8, *;q=0.1"),
		"accept-encoding none": rawhttp.F("Accept-Encoding", ""),
		"user-agent empty":     rawhttp.F("User-Agent", ""),
		"pragma":               rawhttp.F("Pragma", "no-cache, foo"),
		"cache-control":        rawhttp.F("Cache-Control", "max-age=0", "cache-control", "x-unknown=\"1\", no-transform"),
		"authorization":        rawhttp.F("Authorization", "Digest username=\"x\", nonce=\"a,b\""),
		"conditions":           rawhttp.F("If-None-Match", `W/"a", "b"`, "If-Modified-Since", "Sun, 06 Nov 1994 08:49:37 GMT"),
		"if-match":             rawhttp.F("If-Match", `"a"`, "If-Unmodified-Since", "Sunday, 06-Nov-94 08:49:37 GMT"),
		"forwarded":            rawhttp.F("Forwarded", "for=192.0.2.1;proto=http", "X-Forwarded-For", "192.0.2.1, 10.0.0.1", "X-Forwarded-Proto", "https", "X-Real-IP", "1.2.3.4"),
		"via":                  rawhttp.F("Via", "1.0 fred, 1.1 p.example.net (Apache/1.1)"),
		"via in lines":         rawhttp.F("Via", "1.0 fred", "via", "HTTP/1.1 other"),
		"max-forwards on get":  rawhttp.F("Max-Forwards", "3"),
		"referer":              rawhttp.F("Referer", "http://x.test/?a=b&c#d", "Origin", "null"),
		"date":                 rawhttp.F("Date", "Sun Nov  6 08:49:37 1994", "From", "a@b.test"),
		"client hints":         rawhttp.F("Sec-CH-UA", `"Chromium";v="1"`, "Sec-Fetch-Mode", "navigate", "Priority", "u=0, i", "Upgrade-Insecure-Requests", "1"),
		"age and such":         rawhttp.F("Age", "10", "Server", "odd", "Set-Cookie", "odd=1"),
		"proxy-like":           rawhttp.F("Proxy", "x", "Proxy-Foo", "1", "X-Proxy-Connection", "y"),
	}
	var c []message
	for name, fs := range sets {
		c = append(c, message{name: "request field " + name, fields: fs, answer: noStore(), answerBody: "x"})
		if !fs.Has("Age") {
			c = append(c, message{name: "post field " + name, method: "POST", fields: append(fs[:len(fs):len(fs)], rawhttp.F("Content-Length", "1")...), body: "b", answer: noStore(), answerBody: "x"})
		}
	}
	return c
}

func responseFieldPairs() []message {
	sets := map[string]rawhttp.Fields{
		"none":            nil,
		"empty value":     rawhttp.F("X-Empty", "", "x-empty2", ""),
		"repeated":        rawhttp.F("X-A", "1", "X-B", "2", "X-A", "3", "x-a", "4"),
		"set-cookie":      rawhttp.F("Set-Cookie", "a=1; Expires=Sun, 06 Nov 1994 08:49:37 GMT; Path=/", "set-cookie", "b=2; HttpOnly", "Set-Cookie", "c"),
		"case of names":   rawhttp.F("content-TYPE", "text/plain", "SERVER", "x", "x-lower", "1", "WWW-Authenticate", "Basic realm=\"a, b\""),
		"order":           rawhttp.F("Z", "1", "A", "2", "Server", "s", "M", "3"),
		"symbols in name": rawhttp.F("!#$%&'*+-.^_`|~09aZ", "1"),
		"obs-text":        rawhttp.F("X-Latin", "caf\xe9", "Content-Disposition", "attachment; filename=\"\xc3\xa9.txt\""),
		"inner space":     rawhttp.F("X-A", "a  b \t c"),
		"long value":      rawhttp.F("X-Long", strings.Repeat("v", 8000)),
		"no type":         rawhttp.F("X-No", "type"),
		"odd type":        rawhttp.F("Content-Type", "nonsense", "X-Content-Type-Options", "nosniff"),
		"encoding":        rawhttp.F("Content-Encoding", "gzip", "Content-Language", "de, en"),
		"date old form":   rawhttp.F("Date", "Sunday, 06-Nov-94 08:49:37 GMT"),
		"date fix":        rawhttp.F("Date", "Sun, 06 Nov 2050 08:49:37 GMT"),
		"via":             rawhttp.F("Via", "1.0 fred, 1.1 p.example.net (Apache/1.1)"),
		"cache-status":    rawhttp.F("Cache-Status", "Upstream; fwd=uri-miss; stored"),
		"link":            rawhttp.F("Link", "<a>; rel=x", "Link", "<b>; rel=y, <c>"),
		"policy":          rawhttp.F("Content-Security-Policy", "default-src 'self'", "Strict-Transport-Security", "max-age=1", "Alt-Svc", "h3=\":443\""),
		"warning":         rawhttp.F("Warning", "199 x \"odd\"", "Pragma", "no-cache"),
		"proxy-status":    rawhttp.F("Proxy-Status", "Other; error=http_response_timeout"),
		"allow":           rawhttp.F("Allow", "", "Accept-Ranges", "none", "Retry-After", "1"),
		"etag odd":        rawhttp.F("ETag", "unquoted", "Last-Modified", "never", "Expires", "0"),
	}
	var c []message
	for name, fs := range sets {
		c = append(c, message{name: "response field " + name, answer: append(noStore(), fs...), answerBody: "x"},
			message{name: "response field chunked " + name, answer: append(noStore(), fs...), answerBody: "some text", framing: "chunked"})
		if !fs.Has("Date") && !fs.Has("Warning") && !fs.Has("Cache-Status") && !fs.Has("Content-Encoding") {
			c = append(c, message{name: "stored field " + name, target: "/stored/" + strings.ReplaceAll(name, " ", "-"), answer: append(rawhttp.F("Cache-Control", "max-age=600"), fs...),
				answerBody: "x", stored: true})
		}
	}
	for i, reason := range []string{"", "OK", "ok", "All is well, quite", "caf\xe9", "tab\there", "two  spaces", strings.Repeat("long ", 100) + "x", "200", "!\"#$%&'()", "1.1 200 OK"} {
		c = append(c, message{name: fmt.Sprintf("reason %d", i), status: "200 " + reason, answer: noStore(), answerBody: "x"},
			message{name: fmt.Sprintf("stored reason %d", i), target: fmt.Sprintf("/reason/%d", i), status: "200 " + reason,
				answer: rawhttp.F("Cache-Control", "max-age=600"), answerBody: "x", stored: true})
	}
	return c
}

func bodyPairs() []message {
	binary := make([]byte, 256)
	for i := range binary {
		binary[i] = byte(i)
	}
	bodies := map[string]string{"empty": "", "one byte": "\x00", "crlf": "\r\n\r\n", "binary": string(binary), "like a head": "HTTP/1.1 200 OK\r\n\r\n",
		"like a last chunk": "0\r\n\r\n", "gzip magic": "\x1f\x8b\x08", "64 KiB": strings.Repeat("0123456789abcdef", 4096), "3 MB": strings.Repeat("abc", 1_000_000)}
	chunked := rawhttp.F("Transfer-Encoding", "chunked")
	var c []message
	for name, b := range bodies {
		c = append(c,
			message{name: "body up " + name, method: "POST", fields: rawhttp.F("Content-Length", fmt.Sprint(len(b)), "X-After", "1"), body: b, answer: noStore()},
			message{name: "body up chunked " + name, method: "PUT", fields: chunked, body: b, answer: noStore()},
			message{name: "body down " + name, answer: noStore("Content-Length", fmt.Sprint(len(b)), "X-After", "1"), answerBody: b},
			message{name: "body down chunked " + name, answer: noStore(), answerBody: b, framing: "chunked"},
			message{name: "body down to the end " + name, answer: noStore(), answerBody: b, framing: "close"},
			message{name: "body stored " + name, target: "/body/" + strings.ReplaceAll(name, " ", "-"), answer: rawhttp.F("Cache-Control", "max-age=60"), answerBody: b, stored: true},
			message{name: "body stored chunked " + name, target: "/chunked/" + strings.ReplaceAll(name, " ", "-"), answer: rawhttp.F("Cache-Control", "max-age=60"), answerBody: b, framing: "chunked", stored: true})
	}
	te := append(rawhttp.F("TE", "trailers", "Connection", "TE"), chunked...)
	return append(c,
		message{name: "trailers", method: "POST", fields: append(te, rawhttp.F("Trailer", "X-T")...), body: "b", trailers: "X-T: 1\r\nx-u: \r\nX-T: 2\r\n",
			answer: noStore("Trailer", "x-Sum"), answerBody: "x", framing: "chunked", answerTrailers: "x-Sum: 1\r\nOther: caf\xe9\r\n"},
		message{name: "length of a head", method: "HEAD", answer: noStore("Content-Length", "123456789"), framing: "none"},
		message{name: "head without length", method: "HEAD", answer: noStore(), framing: "none"},
		message{name: "huge length of a head", method: "HEAD", answer: noStore("Content-Length", "9223372036854775807"), framing: "none"})
}

// statusPairs has every final status but the few that need a special request.
func statusPairs() []message {
	var c []message
	for code := 200; code <= 599; code++ {
		m := message{name: fmt.Sprintf("status %d", code), status: fmt.Sprintf("%d Reason of %d", code, code), answer: noStore(), answerBody: "text"}
		switch code {
		case 204, 304:
			m.answerBody, m.framing = "", "none"
			m.fields = rawhttp.F("If-None-Match", `"x"`)
			m.answer = noStore("ETag", `"x"`)
		case 205:
			m.answerBody = ""
		case 206:
			m.fields = rawhttp.F("Range", "bytes=2-5")
			m.answer = noStore("Content-Range", "bytes 2-5/10")
		case 416:
			m.fields = rawhttp.F("Range", "bytes=50-")
			m.answer = noStore("Content-Range", "bytes */10")
		}
		c = append(c, m)
	}
	return c
}
