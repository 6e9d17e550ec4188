package access_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/netip"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"github.com/jayproxy/jay/proxy/access"
)

var formats = []string{access.Text, access.JSON, access.Squid, access.Combined}

// lines returns what a log writes for the records.
func lines(t testing.TB, o access.Options, records ...*access.Record) string {
	t.Helper()
	var b bytes.Buffer
	o.Stdout = &b
	l, err := access.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range records {
		l.Write(r)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func hit() *access.Record {
	return &access.Record{
		Time:     time.Date(2026, 10, 5, 14, 3, 2, 45_678_901, time.FixedZone("CEST", 7200)),
		Duration: 1234567 * time.Nanosecond,
		Client:   netip.MustParseAddrPort("192.0.2.7:50000"),
		Method:   "GET", URL: "http://example.com/a?b=c", Proto: "HTTP/1.1",
		Status: 200, BytesOut: 1024,
		Decision: access.Hit, Reason: "fresh", CacheStatus: `Jay; hit; ttl=30`,
		ContentType: "text/html; charset=utf-8", Referer: "http://u:p@example.org/?q=1", UserAgent: `curl/8 "x"`,
	}
}

func tunnel() *access.Record {
	return &access.Record{
		Time:     time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC),
		Duration: 90 * time.Second,
		Client:   netip.MustParseAddrPort("[2001:db8::1]:40000"),
		User:     "jörg", Method: "CONNECT", URL: "example.com:443", Proto: "HTTP/1.1",
		Status: 200, BytesIn: 10, BytesOut: 20, Decision: access.Tunnel,
		Origin: netip.MustParseAddrPort("[2001:db8::2]:443"), Rule: "all", Reported: "one,two", Kind: "connect", Cause: "idle", SNI: "example.com",
	}
}

func TestFormats(t *testing.T) {
	aborted := hit()
	aborted.Decision, aborted.Cause, aborted.Origin = access.Miss, "client-closed", netip.MustParseAddrPort("198.51.100.1:80")
	behind := tunnel()
	behind.Parent, behind.Cause, behind.SNI, behind.Reported = "http://proxy.example:3128", "", "", ""
	tests := []struct {
		format string
		strip  bool
		record *access.Record
		want   string
	}{
		{access.Text, false, behind, `2026-01-02T03:04:05.000Z [2001:db8::1]:40000 CONNECT example.com:443 200 20 90000.000ms tunnel - origin=[2001:db8::2]:443 parent=http://proxy.example:3128 in=10 user="jörg" rule=all kind=connect`},
		{access.JSON, false, behind, `{"time":"2026-01-02T03:04:05.000Z","client":"[2001:db8::1]:40000","user":"jörg","method":"CONNECT","url":"example.com:443","proto":"HTTP/1.1","status":200,"in":10,"out":20,"duration_ms":90000.000,"decision":"tunnel","origin":"[2001:db8::2]:443","parent":"http://proxy.example:3128","rule":"all","kind":"connect"}`},
		{access.Squid, false, behind, `1767323045.000  90000 2001:db8::1 TCP_TUNNEL/200 20 CONNECT example.com:443 j%C3%B6rg FIRSTUP_PARENT/2001:db8::2 -`},
		{access.Text, false, hit(), `2026-10-05T14:03:02.045+02:00 192.0.2.7:50000 GET http://example.com/a?b=c 200 1024 1.234ms hit fresh`},
		{"", true, hit(), `2026-10-05T14:03:02.045+02:00 192.0.2.7:50000 GET http://example.com/a 200 1024 1.234ms hit fresh`},
		{access.Text, false, tunnel(), `2026-01-02T03:04:05.000Z [2001:db8::1]:40000 CONNECT example.com:443 200 20 90000.000ms tunnel - origin=[2001:db8::2]:443 in=10 user="jörg" rule=all reported=one,two kind=connect sni=example.com cause=idle`},
		{access.Text, false, &access.Record{Time: time.Unix(0, 0).UTC()}, `1970-01-01T00:00:00.000Z - - - 0 0 0.000ms - -`},
		{access.JSON, false, hit(), `{"time":"2026-10-05T14:03:02.045+02:00","client":"192.0.2.7:50000","method":"GET","url":"http://example.com/a?b=c","proto":"HTTP/1.1","status":200,"in":0,"out":1024,"duration_ms":1.234,"decision":"hit","reason":"fresh","cache_status":"Jay; hit; ttl=30"}`},
		{access.JSON, false, tunnel(), `{"time":"2026-01-02T03:04:05.000Z","client":"[2001:db8::1]:40000","user":"jörg","method":"CONNECT","url":"example.com:443","proto":"HTTP/1.1","status":200,"in":10,"out":20,"duration_ms":90000.000,"decision":"tunnel","origin":"[2001:db8::2]:443","rule":"all","reported":"one,two","kind":"connect","sni":"example.com","cause":"idle"}`},
		{access.Squid, false, hit(), `1791201782.045      1 192.0.2.7 TCP_MEM_HIT/200 1024 GET http://example.com/a?b=c - HIER_NONE/- text/html;%20charset=utf-8`},
		{access.Squid, true, aborted, `1791201782.045      1 192.0.2.7 TCP_MISS_ABORTED/200 1024 GET http://example.com/a - HIER_DIRECT/198.51.100.1 text/html;%20charset=utf-8`},
		{access.Squid, false, tunnel(), `1767323045.000  90000 2001:db8::1 TCP_TUNNEL/200 20 CONNECT example.com:443 j%C3%B6rg HIER_DIRECT/2001:db8::2 -`},
		{access.Combined, false, hit(), `192.0.2.7 - - [05/Oct/2026:14:03:02 +0200] "GET http://example.com/a?b=c HTTP/1.1" 200 1024 "http://example.org/?q=1" "curl/8 \"x\""`},
		{access.Combined, true, tunnel(), `2001:db8::1 - j%C3%B6rg [02/Jan/2026:03:04:05 +0000] "CONNECT example.com:443 HTTP/1.1" 200 20 "-" "-"`},
	}
	for _, tt := range tests {
		got := lines(t, access.Options{Format: tt.format, StripQuery: tt.strip}, tt.record)
		if got != tt.want+"\n" {
			t.Errorf("%s:\ngot  %swant %s", tt.format, got, tt.want)
		}
	}
}

// TestSquidResultCodes checks the words that analysers of Squid's log count.
func TestSquidResultCodes(t *testing.T) {
	tests := []struct {
		decision access.Decision
		status   int
		want     string
	}{
		{access.Hit, 200, "TCP_MEM_HIT/200"}, {access.Hit, 304, "TCP_IMS_HIT/304"}, {access.Stale, 200, "TCP_STALE_HIT/200"},
		{access.Revalidated, 200, "TCP_REFRESH_UNMODIFIED/200"}, {access.Updated, 200, "TCP_REFRESH_MODIFIED/200"},
		{access.Collapsed, 200, "TCP_CF_HIT/200"}, {access.Miss, 404, "TCP_MISS/404"}, {access.Pass, 200, "TCP_MISS/200"},
		{access.Tunnel, 101, "TCP_TUNNEL/101"}, {access.Denied, 403, "TCP_DENIED/403"}, {access.Failed, 502, "TCP_MISS/502"},
		{access.Failed, 400, "NONE_NONE/400"}, {access.Local, 200, "NONE_NONE/200"}, {"", 0, "NONE_NONE/000"},
	}
	for _, tt := range tests {
		got := lines(t, access.Options{Format: access.Squid}, &access.Record{Decision: tt.decision, Status: tt.status})
		if !strings.Contains(got, " "+tt.want+" ") {
			t.Errorf("%s %d: %q; want %s", tt.decision, tt.status, got, tt.want)
		}
	}
}

const secret = "hunter2"

// injections are 200 and some values by which clients and origins try to forge lines, drive terminals, blow up logs or get their
// credentials into them.
func injections() []string {
	payloads := []string{
		"\r\n", "\n", "\r", "\x00", "\x1b[2J", "\x1b]0;title\x07", "\x7f", "\x08\x08", "\t", "\v\f",
		"\u0085", "\u009b31m", "\u2028", "\u2029", "\u202e", "\ufeff", "\xff\xfe", "\xc0\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80",
		`"`, `\`, `\"`, `","status":999,"x":"`, `"} {"`, `%0d%0a`, `\u000a`, "'; --", "\U0001f600", "é",
	}
	wraps := []string{"%s", "a%sb", "%s 200 0 forged\n2026-01-01 127.0.0.1 GET / 200", "http://h/%s", "http://h/?q=%s", "%[1]s%[1]s%[1]s"}
	var all []string
	for _, p := range payloads {
		for _, w := range wraps {
			all = append(all, fmt.Sprintf(w, p))
		}
	}
	for _, p := range []string{"a", "\n", "\xff", "\U0001f600", `"`, "%", " ", "\u0085"} {
		all = append(all, strings.Repeat(p, 1<<20/len(p)))
	}
	for _, u := range []string{
		"http://u:%s@h/", "http://%s@h/", "https://u:%s@h:8443/p?q", "http://a@b:%s@h/", "//u:%s@h/", "u:%s@h:443", "%s@h:443",
		"http:/u:%s@h/", "http:u:%s@h", "http:\\\\u:%s@h/", "HTTP://u:%s@[::1]/", "ftp://u:%s@h/;type=a", "http://u:%s@h?x", "http://u:%s@h#x",
	} {
		all = append(all, fmt.Sprintf(u, secret))
	}
	return all
}

// fill puts s wherever a record has text from outside.
func fill(s string) *access.Record {
	r := hit()
	r.User, r.Method, r.Proto, r.Reason, r.CacheStatus, r.ProxyStatus = s, s, s, s, s, s
	r.Rule, r.Reported, r.Kind, r.Cause, r.SNI, r.ContentType, r.UserAgent, r.Decision = s, s, s, s, s, s, s, access.Decision(s)
	r.URL, r.Referer = s, s
	if strings.Contains(s, secret) { // credentials belong into URLs only
		r = hit()
		r.URL, r.Referer = s, s
	}
	return r
}

var shapes = map[string]*regexp.Regexp{
	access.Text:     regexp.MustCompile(`^2026-\S+ 192\.0\.2\.7:50000 (-|"(\\.|[^"\\])*"|[^ "]+) [^ "]+ 200 1024 1\.234ms (-|"(\\.|[^"\\])*"|[^ "]+) (-|"(\\.|[^"\\])*"|[^ "]+)( [a-z-]+=("(\\.|[^"\\])*"|[^ "]+))*$`),
	access.Squid:    regexp.MustCompile(`^\d+\.\d{3} +\d+ \S+ [A-Z_]+/\d{3} \d+ \S+ \S+ \S+ [A-Z_]+/\S+ \S+$`),
	access.Combined: regexp.MustCompile(`^\S+ - \S+ \[[^]]+\] "[^ "]+ [^ "]+ [^ "]+" \d+ \S+ "(\\.|[^"\\])*" "(\\.|[^"\\])*"$`),
}

// check fails unless out is one line that parses as the format says and is free of what a log must not hold.
func check(t *testing.T, format, in, out string) {
	t.Helper()
	line, ok := strings.CutSuffix(out, "\n")
	shown := in[:min(len(in), 60)]
	switch {
	case !ok || len(out) > 8192:
		t.Errorf("%s of %q: %d bytes, ended %v; want a line of at most 8192", format, shown, len(out), ok)
	case !utf8.ValidString(line):
		t.Errorf("%s of %q: not UTF-8", format, shown)
	case strings.ContainsFunc(line, func(r rune) bool {
		return r < ' ' || r >= 0x7f && r <= 0x9f || r == '\u2028' || r == '\u2029' || r == '\u202e' || r == '\ufeff'
	}):
		t.Errorf("%s of %q: raw control character in %q", format, shown, line)
	case strings.Contains(line, secret):
		t.Errorf("%s of %q: the password is in %q", format, shown, line)
	}
	if re := shapes[format]; re != nil && !re.MatchString(line) {
		t.Errorf("%s of %q: %q has another shape than %v", format, shown, line, re)
	}
	var v struct {
		Status int
		URL    string
	}
	if format == access.JSON {
		if err := json.Unmarshal([]byte(line), &v); err != nil || v.Status != 200 {
			t.Errorf("JSON of %q: %v, status %d in %q; want 200", shown, err, v.Status, line)
		}
	}
}

func TestInjection(t *testing.T) {
	all := injections()
	if len(all) < 200 {
		t.Fatalf("%d strings; want 200", len(all))
	}
	for _, format := range formats {
		for _, s := range all {
			check(t, format, s, lines(t, access.Options{Format: format}, fill(s)))
		}
	}
}

func FuzzLine(f *testing.F) {
	for _, s := range injections() {
		if len(s) < 1000 {
			f.Add(s)
		}
	}
	f.Fuzz(func(t *testing.T, s string) {
		if strings.Contains(s, secret) {
			return
		}
		for _, format := range formats {
			check(t, format, s, lines(t, access.Options{Format: format}, fill(s)))
		}
	})
}

// TestJSONKeepsText checks that what is legal text comes back from a JSON line as it was.
func TestJSONKeepsText(t *testing.T) {
	for _, s := range []string{"plain", `quo"te\`, "\x00\x1f\x7f", "héllo \U0001f600", "\u2028\u202e\U000e0001", "a\tb\r\n"} {
		var v struct{ Reason string }
		out := lines(t, access.Options{Format: access.JSON}, &access.Record{Reason: s})
		if err := json.Unmarshal([]byte(out), &v); err != nil || v.Reason != s {
			t.Errorf("reason %q came back as %q, %v", s, v.Reason, err)
		}
	}
}

func TestUserinfo(t *testing.T) {
	tests := map[string]string{
		"http://u:p@h/a@b":      "http://h/a@b",
		"http://h/@user":        "http://h/@user",
		"http://h/?m=a@b":       "http://h/?m=a@b",
		"http://h?m=a@b":        "http://h?m=a@b",
		"/@user":                "/@user",
		"h:443":                 "h:443",
		"u@h:443":               "h:443",
		"http://u@v@[::1]:80/x": "http://[::1]:80/x",
		"http://@h/":            "http://h/",
		"":                      "-",
		"@":                     "-",
	}
	for url, want := range tests {
		out := lines(t, access.Options{Format: access.Squid}, &access.Record{URL: url})
		if got := strings.Fields(out)[6]; got != want {
			t.Errorf("URL %q is logged as %q; want %q", url, got, want)
		}
	}
}

func TestLongURL(t *testing.T) {
	url := "http://h/" + strings.Repeat("x", 16<<10)
	for _, format := range formats {
		out := lines(t, access.Options{Format: format}, &access.Record{URL: url, Status: 200})
		if !strings.Contains(out, "xxx...") || len(out) < 3000 {
			t.Errorf("%s: a long URL gives %d bytes; want it cut, with dots", format, len(out))
		}
	}
}

// TestWriteAllocatesNothing proves what the fast path relies on.
func TestWriteAllocatesNothing(t *testing.T) {
	for _, format := range formats {
		synctest.Test(t, func(t *testing.T) { // no time passes, so that the writer rests
			l, err := access.Open(access.Options{Format: format, Stdout: io.Discard, BufferBytes: 1 << 17})
			if err != nil {
				t.Fatal(err)
			}
			for range 1000 { // the buffer grows to its bound
				l.Write(hit())
				if l.Dropped() > 0 {
					break
				}
			}
			synctest.Wait()
			at := time.Now()
			got := testing.AllocsPerRun(50, func() {
				r := access.Record{Time: at, Method: "GET", URL: "http://example.com/", Status: 200, Decision: access.Hit}
				l.Write(&r)
			})
			if got != 0 {
				t.Errorf("%s: %v allocations a record; want 0", format, got)
			}
			if err := l.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

// BenchmarkWrite measures what an exchange pays: encoding and handing over to a writer that costs nothing.
func BenchmarkWrite(b *testing.B) {
	for _, format := range formats {
		b.Run(format, func(b *testing.B) {
			l, err := access.Open(access.Options{Format: format, Stdout: io.Discard, BufferBytes: 1 << 28})
			if err != nil {
				b.Fatal(err)
			}
			r, start := hit(), time.Now()
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				r.Time = start.Add(time.Duration(i) * 10 * time.Microsecond)
				l.Write(r)
			}
			b.ReportMetric(float64(l.Dropped()), "dropped")
			if err := l.Close(); err != nil {
				b.Fatal(err)
			}
		})
	}
}
