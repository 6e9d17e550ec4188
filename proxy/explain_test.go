package proxy

import (
	"encoding/json"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/jayproxy/jay/freshness"
	"github.com/jayproxy/jay/proxy/policy"
)

// explain explains a GET.
func (w *world) explain(q ExplainRequest) Explanation {
	w.t.Helper()
	e, err := w.p.Explain(w.t.Context(), q)
	if err != nil {
		w.t.Fatal(err)
	}
	return e
}

// byPath answers with the field lines that stand behind a path.
func byPath(m map[string]string) func(*ask) string {
	return func(a *ask) string {
		path, _, _ := strings.Cut(a.target, "?")
		lines := m[path]
		if lines == "" {
			return respond(200, "body")
		}
		return respond(200, "body", strings.Split(lines, "\n")...)
	}
}

func TestExplain_Origin(t *testing.T) {
	tests := []struct {
		lines    string // of the response
		request  []Field
		storable bool
		reason   string
		advice   string // part of it
	}{
		{"Cache-Control: max-age=60", nil, true, "explicit-freshness", ""},
		{"Cache-Control: no-store", nil, false, "no-store", "in place of no-store"},
		{"Cache-Control: private", nil, false, "private", "in place of private"},
		{"Set-Cookie: a=b", nil, false, "set-cookie", "leave out Set-Cookie"},
		{"Vary: *\nCache-Control: max-age=60", nil, false, "vary-star", "in place of *"},
		{"X: y", nil, false, "no-explicit-freshness", "max-age=3600"},
		{`ETag: "a"`, nil, true, "validator", ""},
		{"Last-Modified: Fri, 31 Dec 1999 00:00:00 GMT", nil, true, "heuristic-freshness", "an estimate"},
		{"Cache-Control: max-age=60", []Field{{Name: "Authorization", Value: "Basic x"}}, false, "authorization", "s-maxage"},
		{"Cache-Control: max-age=60", []Field{{Name: "Cache-Control", Value: "no-store"}}, false, "request-no-store", "without Cache-Control: no-store"},
		{"Cache-Control: max-age=60", []Field{{Name: "If-Match", Value: `"a"`}}, false, "precondition", "If-Match"},
		{`Cache-Control: private="x`, nil, false, "malformed-cache-control", "close the quote"},
	}
	for _, tt := range tests {
		inBubble(t, Options{}, always(respond(200, "body", strings.Split(tt.lines, "\n")...)), func(t *testing.T, w *world) {
			e := w.explain(ExplainRequest{URL: host + "/", Fields: tt.request})
			if e.Answer == nil || e.Answer.Response == nil {
				t.Fatalf("%q: no answer: %+v", tt.lines, e)
			}
			r := e.Answer.Response
			if e.Answer.Storable != tt.storable || r.Reason != tt.reason || r.Why != sentence(tt.reason) {
				t.Errorf("%q: storable %v, %s, %q; want %v, %s", tt.lines, e.Answer.Storable, r.Reason, r.Why, tt.storable, tt.reason)
			}
			advice := strings.Join(e.Advice, " ")
			if !strings.Contains(advice, tt.advice) || tt.advice == "" && advice != "" {
				t.Errorf("%q: advice %q; want %q in it", tt.lines, advice, tt.advice)
			}
			if n := w.p.Stats(); n.Cache.Entries != 0 || n.Requests != 0 {
				t.Errorf("%q: %+v; want nothing stored or counted", tt.lines, n)
			}
			// What is explained is what happens.
			if got := w.get(host+"/", linesOf(tt.request)...).cacheStatus(); strings.Contains(got, "; stored") != tt.storable {
				t.Errorf("%q: Cache-Status %q; explained storable=%v", tt.lines, got, tt.storable)
			}
		})
	}
}

func linesOf(fields []Field) (lines []string) {
	for _, f := range fields {
		lines = append(lines, f.Name+": "+f.Value)
	}
	return lines
}

// TestExplain_Outcomes checks that what is explained is what the next request gets, and that explaining asks nobody.
func TestExplain_Outcomes(t *testing.T) {
	serve := byPath(map[string]string{
		"/fresh": "Cache-Control: max-age=60",
		"/swr":   "Cache-Control: max-age=5, stale-while-revalidate=60\nETag: \"1\"",
		"/stale": "Cache-Control: max-age=5\nETag: \"1\"",
		"/must":  "Cache-Control: max-age=5, must-revalidate\nETag: \"1\"",
		"/nc":    "Cache-Control: no-cache\nETag: \"1\"",
		"/vary":  "Cache-Control: max-age=60\nVary: X-Kind",
	})
	tests := []struct {
		path            string
		fields          []Field
		outcome, reason string
		status          string // part of the Cache-Status that the request really gets
	}{
		{"/fresh", nil, OutcomeHit, "fresh", "; hit"},
		{"/fresh", []Field{{Name: "Cache-Control", Value: "no-cache"}}, OutcomeFetch, "request-no-cache", "fwd=request"},
		{"/fresh", []Field{{Name: "Cache-Control", Value: "max-age=1"}}, OutcomeFetch, "request-max-age", "fwd=request"},
		{"/swr", nil, OutcomeStale, "stale-while-revalidate", "; hit"},
		{"/stale", nil, OutcomeRevalidate, "stale", "fwd=stale"},
		{"/stale", []Field{{Name: "Cache-Control", Value: "max-stale"}}, OutcomeStale, "max-stale", "; hit"},
		{"/must", nil, OutcomeRevalidate, "must-revalidate", "fwd=stale"},
		{"/nc", nil, OutcomeRevalidate, "no-cache", "fwd=stale"},
		{"/vary", []Field{{Name: "X-Kind", Value: "b"}}, OutcomeFetch, "vary-miss", "fwd=vary-miss"},
		{"/none", nil, OutcomeFetch, "uri-miss", "fwd=uri-miss"},
		{"/none", []Field{{Name: "Cache-Control", Value: "only-if-cached"}}, OutcomeRefuse, "only-if-cached", "fwd=request"},
		{"/fresh", []Field{{Name: "Via", Value: "1.1 jay-test"}}, OutcomeRefuse, "proxy_loop_detected", ""},
	}
	for _, tt := range tests {
		inBubble(t, Options{}, serve, func(t *testing.T, w *world) {
			if tt.path != "/none" {
				w.get(host+tt.path, "X-Kind: a")
			}
			time.Sleep(10 * time.Second)
			asked, before := w.origin.count(""), w.p.Stats()
			e := w.explain(ExplainRequest{URL: host + tt.path, Fields: tt.fields, Ask: AskNever})
			if e.Outcome != tt.outcome || e.Reason != tt.reason || e.Sentence == "" {
				t.Errorf("%s %v: %s, %s (%s); want %s, %s", tt.path, tt.fields, e.Outcome, e.Reason, e.Sentence, tt.outcome, tt.reason)
			}
			if got, after := w.origin.count(""), w.p.Stats(); got != asked || after.Requests != before.Requests || after.Cache != before.Cache {
				t.Errorf("%s: explaining asked the origin %d times or changed %+v to %+v", tt.path, got-asked, before, after)
			}
			if got := w.get(host+tt.path, linesOf(tt.fields)...).cacheStatus(); !strings.Contains(got, tt.status) {
				t.Errorf("%s %v: Cache-Status %q; want %q", tt.path, tt.fields, got, tt.status)
			}
		})
	}
}

func TestExplain_Age_RFC9111_4_2_3(t *testing.T) {
	inBubble(t, Options{}, func(a *ask) string {
		time.Sleep(2 * time.Second)
		return respond(200, "body", "Cache-Control: max-age=100", "Age: 30", `ETag: "v"`, "Vary: Accept-Language, Cookie")
	}, func(t *testing.T, w *world) {
		w.get(host+"/", "Accept-Language: de", "Cookie: secret=1")
		time.Sleep(10 * time.Second)
		e := w.explain(ExplainRequest{URL: host + "/#part", Fields: []Field{{Name: "accept-language", Value: "de"}, {Name: "Cookie", Value: "secret=1"}}})
		s := e.Stored
		if s == nil {
			t.Fatalf("nothing stored: %+v", e)
		}
		want := Age{Current: 42, Value: 30, Delay: 2, Initial: 32, Resident: 10}
		if s.Age != want || s.TTL != 58 || s.Lifetime != 100 || s.Source != "max-age" || s.ETag != `"v"` {
			t.Errorf("got %+v, ttl %v, lifetime %v by %s, ETag %s; want %+v, 58, 100, max-age, \"v\"", s.Age, s.TTL, s.Lifetime, s.Source, s.ETag, want)
		}
		text := e.String()
		for _, part := range []string{
			"Answered from the cache. The stored response is still fresh. (fresh)",
			"42s = 32s on arrival (Age field 30s + delay 2s, or by Date 0s) + 10s here", "1m40s (max-age)", "58s", `ETag "v"`,
			"Accept-Language: de and Cookie: (not shown)",
		} {
			if !strings.Contains(strings.ToLower(text), strings.ToLower(part)) {
				t.Errorf("no %q in\n%s", part, text)
			}
		}
		if b, err := json.Marshal(e); err != nil || strings.Contains(string(b)+text, "secret") {
			t.Errorf("%v, or a cookie in %s", err, b)
		}
	})
}

func TestExplain_Others(t *testing.T) {
	inBubble(t, Options{}, byPath(map[string]string{"/": "Cache-Control: max-age=60\nVary: X-Kind"}), func(t *testing.T, w *world) {
		for _, kind := range []string{"X-Kind: a", "X-Kind: b", "X-Other: c"} {
			w.get(host+"/", kind)
		}
		e := w.explain(ExplainRequest{URL: host + "/", Fields: []Field{{Name: "X-Kind", Value: "b"}}})
		if e.Stored == nil || e.Stored.Selecting[0].Value != "b" || len(e.Others) != 2 {
			t.Fatalf("got %+v", e)
		}
		text := e.String()
		if !strings.Contains(text, "2 stored, selected by no ") || !strings.Contains(text, ": a\n") {
			t.Errorf("the others are not in\n%s", text)
		}
	})
}

func TestExplain_Failures(t *testing.T) {
	w := newWorld(t, Options{}, func(*ask) string { return "" })
	e := w.explain(ExplainRequest{URL: host + "/"})
	if e.Answer == nil || e.Answer.Error == "" || e.Answer.Response != nil {
		t.Errorf("got %+v; want the error of an origin that hangs up", e.Answer)
	}
	bad := []ExplainRequest{
		{URL: ""}, {URL: "/x"}, {URL: "example.com/"}, {URL: "ftp://example.com/"}, {URL: "http://u:p@example.com/"},
		{URL: host + "/ x"}, {URL: host + "/", Method: "CONNECT"}, {URL: host + "/", Method: "G T"},
		{URL: host + "/", Method: "GET / HTTP/1.1\r\nX: y\r\n\r\nGET"}, {URL: host + "/", Fields: []Field{{Name: "A B", Value: "c"}}},
		{URL: host + "/", Fields: []Field{{Name: "A", Value: "b\r\nC: d"}}}, {URL: host + "/", Fields: []Field{{Value: "x"}}},
		{URL: host + "/", Fields: []Field{{Name: "Content-Length", Value: "3"}}},
	}
	for _, q := range bad {
		if e, err := w.p.Explain(t.Context(), q); err == nil || !strings.HasPrefix(err.Error(), "proxy: ") {
			t.Errorf("%+v: %+v, %v; want an error", q, e, err)
		}
	}
}

func TestExplain_Clients(t *testing.T) {
	w := newWorld(t, Options{}, always(respond(200, "body", "Cache-Control: max-age=60")))
	tests := []struct{ url, client, outcome, reason string }{
		{host + ":22/", "10.0.0.1", OutcomeRefuse, "http_request_denied"},
		{host + "/", "198.51.100.7", OutcomeRefuse, "client-refused"},
		{host + "/", "10.0.0.1", OutcomeFetch, "uri-miss"},
	}
	for _, tt := range tests {
		e := w.explain(ExplainRequest{URL: tt.url, Client: netip.MustParseAddr(tt.client), Ask: AskNever})
		if e.Outcome != tt.outcome || e.Reason != tt.reason {
			t.Errorf("%s for %s: %s, %s; want %s, %s", tt.url, tt.client, e.Outcome, e.Reason, tt.outcome, tt.reason)
		}
	}
}

// TestExplain_Printable checks that nothing that an origin sends can drive the terminal.
func TestExplain_Printable(t *testing.T) {
	w := newWorld(t, Options{}, always(respond(200, "b", "Cache-Control: max-age=60", "ETag: \"\x9b31m\xc2\x9b2J\"")))
	text := w.explain(ExplainRequest{URL: host + "/"}).text()
	if strings.ContainsFunc(strings.ReplaceAll(text, "\n", ""), func(r rune) bool { return r < ' ' || r >= 0x7f && r <= 0x9f }) {
		t.Errorf("control characters in %q", text)
	}
}

func (e Explanation) text() string { return e.String() }

// TestSentences checks that every reason that package freshness can give for a refusal has a remedy, and every remedy a reason.
func TestSentences(t *testing.T) {
	allowed := []string{"none", "fresh", "max-stale", "stale-while-revalidate", "stale-if-error", "disconnected", "explicit-freshness",
		"heuristic-freshness", "validator", "partial", "absent", "not-an-error", "no-stale-if-error"}
	for r := freshness.ReasonNone; r.String() != "unknown"; r++ {
		if _, ok := remedies[r.String()]; !ok && !slices.Contains(allowed, r.String()) {
			t.Errorf("no remedy for %s", r)
		}
		if got := sentence(r.String()); got != r.Explain() && words[r.String()] == "" {
			t.Errorf("%s means %q; want %q", r, got, r.Explain())
		}
	}
	for word := range remedies {
		if strings.HasPrefix(sentence(word), "The reason is ") {
			t.Errorf("a remedy for %q, which no reason is called", word)
		}
	}
}

func TestStoredAndFind(t *testing.T) {
	w := newWorld(t, Options{}, func(a *ask) string {
		return respond(200, strings.Repeat("x", len(a.target)), "Cache-Control: max-age=60", "Content-Type: text/x")
	})
	for _, path := range []string{"/a", "/longer", "/b?q"} {
		w.get(host + path)
	}
	if list, err := w.p.Stored("HTTP://192.0.2.1:80/a"); err != nil || len(list) != 1 || list[0].Type != "text/x" || list[0].Length != 2 {
		t.Errorf("got %+v, %v", list, err)
	}
	if list, err := w.p.Stored(host + "/nothing"); err != nil || len(list) != 0 {
		t.Errorf("got %+v, %v; want nothing", list, err)
	}
	if _, err := w.p.Stored("nonsense"); err == nil {
		t.Error("no error for nonsense")
	}
	list, total := w.p.Find("", ByHeld, 2)
	if total != 3 || len(list) != 2 || list[0].URL != host+"/longer" || list[1].URL != host+"/b?q" {
		t.Errorf("by size: %d of %d, %+v", len(list), total, list)
	}
	if list, total = w.p.Find("/b", ByURL, 10); total != 1 || list[0].URL != host+"/b?q" {
		t.Errorf("containing /b: %+v", list)
	}
	if list, _ = w.p.Find("", ByReceived, 10); list[0].URL != host+"/b?q" || list[2].URL != host+"/a" {
		t.Errorf("by time: %+v", list)
	}
}

// TestExplain_Policy names the rule that decides.
func TestExplain_Policy(t *testing.T) {
	rules := rulesOf(t, policy.Rule{Name: "no-games", Action: policy.Deny, To: []string{"192.0.2.9"}},
		policy.Rule{Name: "all-else", Action: policy.Allow})
	w := newWorld(t, Options{Policy: rules}, always(respond(200, "body", "Cache-Control: max-age=60")))
	e := w.explain(ExplainRequest{URL: "http://192.0.2.9/"})
	if e.Outcome != OutcomeRefuse || e.Rule != "no-games" || !strings.Contains(e.Sentence, `the rule "no-games"`) || !strings.Contains(e.text(), "no-games") {
		t.Errorf("denied: %+v", e)
	}
	if e = w.explain(ExplainRequest{URL: host + "/"}); e.Outcome != OutcomeFetch || e.Rule != "all-else" || e.Answer == nil {
		t.Errorf("allowed: %+v", e)
	}
	if n := w.p.Rules(); len(n) != 0 {
		t.Errorf("explaining was counted: %+v", n)
	}
}

// FuzzExplain: whatever is asked, nothing is stored, sent or counted, and nothing that drives a terminal comes back.
func FuzzExplain(f *testing.F) {
	f.Add("GET", host+"/a?b#c", "Accept", "x")
	f.Add("HEAD", "https://[::1]:8443", "Cache-Control", "only-if-cached, max-stale=\"")
	f.Add("PURGE", "HTTP://a.b./", "Range", "bytes=0-")
	f.Add("POST", "http://u@h/", "Host", "h")
	f.Add("TRACE", "http://x/", "Max-Forwards", "0")
	f.Add("GET / HTTP/1.1\r\n", "http://x/\x1b[2J", "Connection", "close, te")
	w := newWorld(f, Options{}, always(""))
	f.Fuzz(func(t *testing.T, method, url, name, value string) {
		e, err := w.p.Explain(t.Context(), ExplainRequest{Method: method, URL: url, Fields: []Field{{Name: name, Value: value}}, Ask: AskNever})
		if err != nil {
			return
		}
		if e.Outcome == "" || e.Reason == "" || e.Sentence == "" || e.URL == "" {
			t.Errorf("%q %q: %+v lacks something", method, url, e)
		}
		if text := strings.ReplaceAll(e.String(), "\n", ""); strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }) {
			t.Errorf("%q %q: %q is not printable", method, url, text)
		}
		if s := w.p.Stats(); s.Requests != 0 || s.Cache.Entries != 0 || len(w.origin.dials) != 0 {
			t.Errorf("%q %q: changed %+v", method, url, s)
		}
	})
}
