package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/jayproxy/jay/e2e/origin"
	"github.com/jayproxy/jay/e2e/process"
	"github.com/jayproxy/jay/e2e/rawhttp"
)

// TestHopFieldsStay: what is meant for this proxy is not for the origin, named
// in Connection or not (E7).
func TestHopFieldsStay(t *testing.T) {
	t.Parallel()
	o := startOrigin(t, func(x *origin.Exchange) { x.OK("fine") })
	own := rawhttp.F("Proxy-Authorization", "Basic c2VjcmV0", "Proxy-Connection", "keep-alive", "Keep-Alive", "timeout=5", "TE", "gzip, trailers;q=0.5", "X-Hop", "1")
	eachWay(t, startJay(t), func(t *testing.T, w way) {
		for i, options := range []string{"", "keep-alive", "X-Hop, Keep-Alive", "close, x-hop", "Proxy-Authorization, te"} {
			path := fmt.Sprintf("/%s/%d", w.name, i)
			fs := own
			if options != "" {
				fs = append(own[:len(own):len(own)], rawhttp.F("Connection", options)...)
			}
			w.do(t, "GET", o.Addr(), path, fs, "")
			got := o.To(path)[0].Fields
			for _, name := range []string{"Proxy-Authorization", "Proxy-Connection", "Keep-Alive", "HTTP2-Settings", "Upgrade"} {
				if got.Has(name) {
					t.Errorf("Connection %q: origin got %s", options, name)
				}
			}
			if hop := strings.Contains(strings.ToLower(options), "x-hop"); got.Has("X-Hop") == hop {
				t.Errorf("Connection %q: origin got X-Hop %v", options, got.Has("X-Hop"))
			}
			if te := got.Get("TE"); te != "" && te != "trailers" {
				t.Errorf("Connection %q: origin got TE %q", options, te)
			}
		}
	})
}

// secrets must be in no log and on no page.
var secrets = []string{"s3cr3t-userinfo", "s3cr3t-basic", "s3cr3t-cookie", "s3cr3t-proxy", "s3cr3t-query", "s3cr3t-body", "s3cr3t-set"}

// injections are what clients and origins write in order to forge log lines.
func injections() []string {
	var all []string
	for _, s := range []string{"\"", "\\", "\\\"", "%0d%0aGET", "%00", "%1b[2J", "{\"a\":1}", "' OR 1=1", "\xff\xfe", "\xc0\x80", "\xed\xa0\x80", "é", "\u0085", "\u2028", "\u202e", "\U0001f600", "$(reboot)", "<script>", "${jndi:ldap://x}", "%s%n"} {
		for _, wrap := range []string{"%s", "a%sb", "\",\"status\":999,\"x\":\"%s", " 200 0 - %s", "%[1]s%[1]s%[1]s%[1]s"} {
			all = append(all, fmt.Sprintf(wrap, s))
		}
	}
	for _, s := range []string{"a", "\xff", "\"", "é", "%"} {
		all = append(all, strings.Repeat(s, 12000/len(s)))
	}
	return all
}

// TestLogs: in no format does a line hold a raw control byte or a credential,
// nor does any error page, whatever clients and origins send (E8, E9, R16).
func TestLogs(t *testing.T) {
	t.Parallel()
	o := startOrigin(t, func(x *origin.Exchange) {
		if _, err := x.ReadBody(); err != nil {
			x.Close()
			return
		}
		fs := rawhttp.F("Content-Type", strings.ReplaceAll(x.Req.Fields.Get("X-Inject"), "\r", ""), "Set-Cookie", "s3cr3t-set")
		x.Reply("200 "+x.Req.Fields.Get("X-Inject"), fs, "x")
	})
	for _, format := range []string{"json", "text", "squid", "combined"} {
		t.Run(format, func(t *testing.T) {
			t.Parallel()
			file := filepath.Join(t.TempDir(), "log")
			j := startJayWith(t, process.Options{Log: file, Args: []string{"--log-format", format, "--log-strip-query", "--log-level", "debug"}})
			n := 0
			for _, w := range waysOf(j) {
				n += attackLogs(t, w, o)
			}
			if n < 200 {
				t.Errorf("sent %d injections; want at least 200", n)
			}
			if err := j.Stop(); err != nil {
				t.Error(err)
			}
			b, err := os.ReadFile(file)
			must(t, err)
			if lines := bytes.Count(b, []byte("\n")); lines < n {
				t.Errorf("log has %d lines; want at least %d", lines, n)
			}
			for line := range bytes.Lines(b) {
				checkLine(t, format, bytes.TrimSuffix(line, []byte("\n")))
			}
			checkSecrets(t, "stderr", j.Stderr())
		})
	}
}

// attackLogs sends every injection wherever it may stand, and returns how many
// exchanges that were.
func attackLogs(t *testing.T, w way, o *origin.Origin) (n int) {
	t.Helper()
	hide := rawhttp.F("Authorization", "Basic s3cr3t-basic", "Cookie", "a=s3cr3t-cookie", "Proxy-Authorization", "Basic s3cr3t-proxy", "Content-Length", "11")
	for _, s := range injections() {
		target := strings.Map(func(r rune) rune {
			if r <= ' ' || r >= 0x7f || r == '#' {
				return -1
			}
			return r
		}, s)
		fs := append(rawhttp.F("User-Agent", s, "Referer", "http://u:s3cr3t-userinfo@h/"+s, "X-Inject", s), hide...)
		resp, err := w.once2(o.Addr(), "POST", "/"+target+"?q=s3cr3t-query", fs, "s3cr3t-body")
		if err != nil || resp.Code != 200 {
			t.Errorf("%.30q: got %v, %v; want 200", s, resp, err)
		}
		n++
	}
	for _, raw := range []string{
		"GET http://u:s3cr3t-userinfo@" + o.Addr() + "/ HTTP/1.1\r\nHost: " + o.Addr() + "\r\n\r\n",
		"CONNECT u:s3cr3t-userinfo@" + o.Addr() + " HTTP/1.1\r\nHost: x\r\n\r\n",
		"GET http://" + o.Addr() + "/\x1b[2J HTTP/1.1\r\nHost: x\r\n\r\n",
		"GET http://" + o.Addr() + "/ HTTP/1.1\r\nHost: x\r\nAuthorization : s3cr3t-basic\r\n\r\n",
		"s3cr3t-basic\x00\x1b / HTTP/1.1\r\n\r\n",
		"GET http://127.0.0.1:1/?q=s3cr3t-query HTTP/1.1\r\nHost: 127.0.0.1:1\r\nAuthorization: s3cr3t-basic\r\nAccept: text/html\r\n\r\n",
		"GET http://no-such-\xff\x1bhost.invalid/ HTTP/1.1\r\nHost: h\r\n\r\n",
		"GET http://<script>.invalid/<script> HTTP/1.1\r\nHost: <script>\r\nAccept: text/html\r\n\r\n",
	} {
		c := w.dial(t, o.Addr())
		_ = c.Send(raw)
		if resp, err := c.ReadResponse("GET"); err == nil {
			page := resp.Raw + string(resp.Body)
			checkSecrets(t, "an error page", page)
			if resp.Code < 400 || strings.Contains(page, "<script>") || bytes.ContainsAny(resp.Body, "\x1b\x00") || bytes.IndexByte(resp.Body, 0xff) >= 0 {
				t.Errorf("%.50q: got %v; want an error that repeats nothing", raw, resp)
			}
			if resp.Code >= 400 && resp.Fields.Get("Cache-Control") != "no-store" {
				t.Errorf("%.50q: got Cache-Control %q; want no-store", raw, resp.Fields.Get("Cache-Control"))
			}
		}
		c.Close()
		n++
	}
	return n
}

// once2 is once with a body.
func (w way) once2(host, method, path string, fs rawhttp.Fields, body string) (*rawhttp.Response, error) {
	nc, err := w.open(host)
	if err != nil {
		return nil, err
	}
	defer nc.Close()
	conn := rawhttp.NewConn(nc)
	if err := conn.Send(rawhttp.Request(method, w.target(host, path), append(rawhttp.F("Host", host), fs...), body)); err != nil {
		return nil, err
	}
	return conn.ReadResponse(method)
}

func checkSecrets(t *testing.T, where, text string) {
	t.Helper()
	for _, s := range secrets {
		if strings.Contains(text, s) {
			t.Errorf("%s has %s", where, s)
		}
	}
}

func checkLine(t *testing.T, format string, line []byte) {
	t.Helper()
	checkSecrets(t, "the log", string(line))
	if len(line) > 8192 || !utf8.Valid(line) {
		t.Errorf("line of %d bytes, UTF-8 %v: %.80q", len(line), utf8.Valid(line), line)
	}
	if i := bytes.IndexFunc(line, func(r rune) bool { return r < ' ' || r >= 0x7f && r <= 0x9f || r == '\u2028' || r == '\u202e' }); i >= 0 {
		t.Errorf("control character %q in %.80q", line[i], line)
	}
	if format == "json" && !json.Valid(line) {
		t.Errorf("not JSON: %.80q", line)
	}
}

// TestForwardedFor: what a client claims in X-Forwarded-For passes on as it
// came, up to the limits of any head, and no address of the client's is added;
// that it opens no door is TestReach's (E10).
func TestForwardedFor(t *testing.T) {
	t.Parallel()
	o := startOrigin(t, func(x *origin.Exchange) { x.OK("fine") })
	eachWay(t, startJay(t), func(t *testing.T, w way) {
		chain := strings.TrimSuffix(strings.Repeat("10.1.2.3, ", 100), ", ")
		w.do(t, "GET", o.Addr(), "/"+w.name, rawhttp.F("X-Forwarded-For", chain, "X-Forwarded-For", "::1"), "")
		if got := o.To("/" + w.name)[0].Fields.Values("X-Forwarded-For"); len(got) != 2 || got[0] != chain || got[1] != "::1" {
			t.Errorf("origin got X-Forwarded-For %q; want it as it came", got)
		}
		if resp, err := w.once(o.Addr(), "GET", "/", rawhttp.F("X-Forwarded-For", strings.Repeat("10.1.2.3, ", 7000))); err != nil || resp.Code != 431 {
			t.Errorf("70 KB of X-Forwarded-For: got %v, %v; want 431", resp, err)
		}
	})
}

// TestProbing: one client cannot find out by the cache what another one got for
// itself alone, and Cache-Status does not name keys (E11).
func TestProbing(t *testing.T) {
	t.Parallel()
	o := startOrigin(t, func(x *origin.Exchange) {
		control := "private, max-age=600"
		if x.Req.Fields.Has("Authorization") {
			control = "max-age=600"
		}
		x.Reply("200 OK", rawhttp.F("Cache-Control", control, "Date", origin.Date(time.Now())), "mine")
	})
	eachWay(t, startJay(t), func(t *testing.T, w way) {
		for _, fs := range []rawhttp.Fields{rawhttp.F("Cookie", "user=a"), rawhttp.F("Authorization", "Basic YTpi")} {
			path := "/" + w.name + "/" + fs[0].Name
			first := w.do(t, "GET", o.Addr(), path, fs, "")
			for _, ask := range []rawhttp.Fields{nil, fs} {
				resp := w.do(t, "GET", o.Addr(), path, append(rawhttp.F("Cache-Control", "only-if-cached"), ask...), "")
				if resp.Code != 504 {
					t.Errorf("%s: a probe got %v; want 504", fs[0].Name, resp)
				}
			}
			if cs := first.Fields.Joined("Cache-Status"); strings.Contains(cs, "key=") || strings.Contains(cs, "; hit") {
				t.Errorf("got Cache-Status %q; want no key and no hit", cs)
			}
		}
	})
}

// TestNamesAreNormal: names in any case, with a final dot, or in brackets that
// hold no IPv6 address, are one name or none (E3).
func TestNamesAreNormal(t *testing.T) {
	t.Parallel()
	o := startOrigin(t, func(x *origin.Exchange) { x.OK("fine") })
	_, port, _ := net.SplitHostPort(o.Addr())
	w := waysOf(startJay(t))[0]
	for host, want := range map[string]int{
		"localhost:" + port: 200, "LOCALHOST:" + port: 200, "LocalHost:" + port: 200, "127.0.0.1:" + port: 200,
		"[localhost]:" + port: 400, "[127.0.0.1]:" + port: 400, "[::1": 400, "::1": 400, "[::g]": 400, "local host": 400, "a..b": 0, "": 400, ":" + port: 400,
		"127.0.0.1:99999": 400, "127.0.0.1:-1": 400, "127.0.0.1:0x50": 400, "127.0.0.1:": 0, "h,i": 0, "a@b": 400, "%31": 0, "[::ffff:127.0.0.1%25eth0]": 400,
	} {
		c := w.dial(t, "")
		send(t, c, "GET http://"+host+"/n HTTP/1.1\r\nHost: "+host+"\r\n\r\n")
		resp, err := c.ReadResponse("GET")
		if err != nil || want != 0 && resp.Code != want || want == 0 && resp.Code < 400 {
			t.Errorf("%q: got %v, %v; want %d", host, resp, err, want)
		}
		c.Close()
	}
	if n := len(o.To("/n")); n != 2 {
		t.Errorf("origin got %d requests; want one for each name it has", n)
	}
}
