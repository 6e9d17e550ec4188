package access

import (
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

// FuzzEntry checks that nothing a client or an origin says adds a field to an entry for journald, or outgrows it.
func FuzzEntry(f *testing.F) {
	for _, s := range []string{"", "plain", "a b", "\nPRIORITY=0", "\n\n", "\x00\x7f\xff", "é\u2028", strings.Repeat("\"", 10000), strings.Repeat("\n", 10000)} {
		f.Add(s)
	}
	field := regexp.MustCompile(`^(PRIORITY|SYSLOG_FACILITY|SYSLOG_IDENTIFIER|MESSAGE|JAY_[A-Z_]+)=`)
	f.Fuzz(func(t *testing.T, s string) {
		for _, format := range []string{Text, JSON, Squid, Combined} {
			e, err := newEncoder(format, false)
			if err != nil {
				t.Fatal(err)
			}
			e.fields = true
			out := string(e.append(nil, &Record{
				Time: time.Unix(0, 0), User: s, Method: s, URL: s, Proto: s, Decision: Decision(s), Reason: s, CacheStatus: s, ProxyStatus: s,
				Rule: s, Reported: s, Kind: s, Cause: s, SNI: s, ContentType: s, Referer: s, UserAgent: s,
			}))
			if len(out) > e.room() || !utf8.ValidString(out) || strings.Index(out, "\n\n") != len(out)-2 {
				t.Fatalf("%s: %d bytes %q; want one entry of at most %d", format, len(out), out, e.room())
			}
			seen := map[string]bool{}
			for line := range strings.SplitSeq(strings.TrimSuffix(out, "\n\n"), "\n") {
				name := field.FindString(line)
				if name == "" || seen[name] {
					t.Fatalf("%s: line %q in %q; want each field once", format, line, out)
				}
				seen[name] = true
			}
		}
	})
}
