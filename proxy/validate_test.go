package proxy

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

const (
	day1 = "Fri, 24 Dec 1999 10:00:00 GMT"
	day2 = "Sat, 25 Dec 1999 10:00:00 GMT"
)

// TestValidation_RFC9111_4_3 checks what goes out to validate a stale response, and what becomes of the answer.
func TestValidation_RFC9111_4_3(t *testing.T) {
	tests := []struct {
		name    string
		stored  []string // the fields of the stored response
		request []string // of the second request
		asks    string   // the conditions at the origin
		answer  string
		status  int
		body    string
		fwd     string
	}{
		{"ETag", []string{`ETag: "1"`}, nil, `If-None-Match: "1"`, "304", 200, "old", "fwd=stale; fwd-status=304; stored"},
		{"weak ETag", []string{`ETag: W/"1"`}, nil, `If-None-Match: W/"1"`, "304", 200, "old", "fwd=stale; fwd-status=304; stored"},
		{"Last-Modified", []string{"Last-Modified: " + day1}, nil, "If-Modified-Since: " + day1, "304", 200, "old", "fwd=stale; fwd-status=304; stored"},
		{"both", []string{`ETag: "1"`, "Last-Modified: " + day1}, nil, `If-None-Match: "1"|If-Modified-Since: ` + day1, "304", 200, "old", "fwd=stale; fwd-status=304; stored"},
		{"neither", nil, nil, "", "200", 200, "new", "fwd=stale; fwd-status=200; stored"},
		{"changed", []string{`ETag: "1"`}, nil, `If-None-Match: "1"`, "200", 200, "new", "fwd=stale; fwd-status=200; stored"},
		{"gone", []string{`ETag: "1"`}, nil, `If-None-Match: "1"`, "404", 404, "none", "fwd=stale; fwd-status=404"},
		{"the client has it", []string{`ETag: "1"`}, []string{`If-None-Match: "1"`}, `If-None-Match: "1"`, "304", 304, "", "fwd=stale; fwd-status=304; stored"},
		{"the client has another", []string{`ETag: "1"`}, []string{`If-None-Match: "9"`}, `If-None-Match: "1", "9"`, "304", 200, "old", "fwd=stale; fwd-status=304; stored"},
		{"the client is ahead", []string{`ETag: "1"`}, []string{`If-None-Match: "2"`}, `If-None-Match: "1", "2"`, "304-2", 304, "", "fwd=stale; fwd-status=304"},
		{"the client asks by date", []string{"Last-Modified: " + day1}, []string{"If-Modified-Since: " + day2}, "If-Modified-Since: " + day1, "304", 304, "", "fwd=stale; fwd-status=304; stored"},
		{"a part of it", []string{`ETag: "1"`}, []string{"Range: bytes=1-1"}, `Range: bytes=1-1|If-None-Match: "1"`, "304", 206, "l", "fwd=stale; fwd-status=304; stored"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			inBubble(t, Options{}, func(a *ask) string {
				switch {
				case a.nth == 0:
					return respond(200, "old", append(tt.stored, "Cache-Control: max-age=10")...)
				case tt.answer == "304":
					return "HTTP/1.1 304 Not Modified\r\n" + strings.Join(append(tt.stored, "Cache-Control: max-age=20\r\n\r\n"), "\r\n")
				case tt.answer == "304-2":
					return "HTTP/1.1 304 Not Modified\r\nETag: \"2\"\r\nCache-Control: max-age=20\r\n\r\n"
				case tt.answer == "404":
					return respond(404, "none")
				}
				return respond(200, "new", "Cache-Control: max-age=10")
			}, func(t *testing.T, w *world) {
				w.get(host + "/")
				time.Sleep(15 * time.Second)
				a := w.get(host+"/", tt.request...)
				if got := conditions(w.origin.last()); got != tt.asks {
					t.Errorf("asked with %q; want %q", got, tt.asks)
				}
				if a.status != tt.status || a.body != tt.body || !strings.HasPrefix(a.cacheStatus(), "jay; "+tt.fwd) {
					t.Errorf("got %q %q, %s; want %d %q, %s", a.line, a.body, a.cacheStatus(), tt.status, tt.body, tt.fwd)
				}
			})
		})
	}
}

// conditions are the fields of a request that make it conditional, and Range.
func conditions(a *ask) string {
	var out []string
	for _, name := range []string{"Range", "If-Range", "If-None-Match", "If-Modified-Since", "If-Match"} {
		for _, v := range valuesOf(a.head, name) {
			out = append(out, name+": "+v)
		}
	}
	return strings.Join(out, "|")
}

// TestFreshen_RFC9111_3_2 checks which fields of a 304 replace stored ones, and that the response stays fresh by them.
func TestFreshen_RFC9111_3_2(t *testing.T) {
	inBubble(t, Options{}, func(a *ask) string {
		if a.nth == 0 {
			return respond(200, "body", "Cache-Control: max-age=10", `ETag: "1"`, "X-A: old", "x-b: keep", "X-A: older", "Content-Type: text/plain", "Date: Sat, 01 Jan 2000 00:00:00 GMT")
		}
		return "HTTP/1.1 304 Not Modified\r\nConnection: X-Hop\r\nX-Hop: 1\r\nCache-Control: max-age=30\r\nETag: \"1\"\r\nX-A: new\r\nX-C: added\r\n" +
			"Content-Length: 99\r\nContent-Encoding: gzip\r\nKeep-Alive: x\r\nProxy-Authenticate: x\r\n\r\n"
	}, func(t *testing.T, w *world) {
		w.get(host + "/")
		time.Sleep(20 * time.Second)
		for i, age := range []string{"0", "5"} {
			a := w.get(host + "/")
			want := "Cache-Control: max-age=30\r\nETag: \"1\"\r\nX-A: new\r\nx-b: keep\r\nContent-Type: text/plain\r\n" +
				"Date: Sat, 01 Jan 2000 00:00:20 GMT\r\nVia: 1.1 jay-test\r\nX-C: added\r\nContent-Length: 4\r\nAge: " + age + "\r\n"
			got, _, _ := strings.Cut(a.head, "Cache-Status")
			if got != want || a.body != "body" {
				t.Errorf("%d: got %q\n%q; want\n%q", i, a.line, got, want)
			}
			time.Sleep(5 * time.Second)
		}
		if n := w.origin.count(""); n != 2 {
			t.Errorf("%d requests; want 2", n)
		}
	})
}

// TestSelects_RFC9111_4_3_4 checks that one validation carries the tags of all variants, and that the 304's tag decides
// which of them is fresh again.
func TestSelects_RFC9111_4_3_4(t *testing.T) {
	inBubble(t, Options{}, func(a *ask) string {
		if tag := a.get("If-None-Match"); tag != "" {
			return "HTTP/1.1 304 Not Modified\r\nVary: X-A\r\nETag: \"" + a.get("X-A") + "\"\r\nCache-Control: max-age=10\r\n\r\n"
		}
		return respond(200, "for "+a.get("X-A"), "Cache-Control: max-age=10", "Vary: X-A", `ETag: "`+a.get("X-A")+`"`)
	}, func(t *testing.T, w *world) {
		for _, v := range []string{"1", "2", "3"} {
			w.get(host+"/", "X-A: "+v)
		}
		time.Sleep(20 * time.Second)
		if a := w.get(host+"/", "X-A: 2"); a.body != "for 2" {
			t.Errorf("got %q, %s", a.body, a.cacheStatus())
		}
		if got := w.origin.last().get("If-None-Match"); got != `"2", "3", "1"` {
			t.Errorf("asked with %s; want the selected one's tag first, then the others'", got)
		}
		if !w.hits(host+"/", "X-A: 2") || w.hits(host+"/", "X-A: 1") {
			t.Error("the 304 freshened another variant than its own")
		}
	})
}

// TestSelects_mismatch checks that a 304 which fits nothing has the request sent again without conditions, once.
func TestSelects_mismatch(t *testing.T) {
	for name, always304 := range map[string]bool{"then whole": false, "a 304 again": true} {
		inBubble(t, Options{}, func(a *ask) string {
			if a.nth == 0 {
				return respond(200, "old", "Cache-Control: max-age=10", `ETag: "1"`)
			}
			if a.get("If-None-Match") != "" || always304 {
				return "HTTP/1.1 304 Not Modified\r\nETag: \"9\"\r\nCache-Control: max-age=99\r\n\r\n"
			}
			return respond(200, "new", "Cache-Control: max-age=10", `ETag: "2"`)
		}, func(t *testing.T, w *world) {
			w.get(host + "/")
			time.Sleep(20 * time.Second)
			a := w.get(host + "/")
			if n := w.origin.count(""); n != 3 {
				t.Errorf("%s: %d requests; want 3", name, n)
			}
			if want := map[bool]string{false: "new", true: ""}[always304]; a.body != want && !(always304 && a.status == 502) {
				t.Errorf("%s: got %q %q", name, a.line, a.body)
			}
		})
	}
}

// TestHEAD_RFC9111_4_3_5 checks that an answer to HEAD brings a stored response up to date, or drops it.
func TestHEAD_RFC9111_4_3_5(t *testing.T) {
	tests := []struct {
		name, head string
		hit        bool
		value      string
	}{
		{"the same", "ETag: \"1\"\r\nContent-Length: 4\r\nX-A: new\r\n", true, "new"},
		{"another tag", "ETag: \"2\"\r\nContent-Length: 4\r\n", false, ""},
		{"another length", "ETag: \"1\"\r\nContent-Length: 5\r\n", false, ""},
		{"another date", "ETag: \"1\"\r\nLast-Modified: " + day2 + "\r\n", false, ""},
	}
	for _, tt := range tests {
		inBubble(t, Options{}, func(a *ask) string {
			if a.method == "HEAD" {
				return "HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\n" + tt.head + "\r\n"
			}
			return respond(200, "body", "Cache-Control: max-age=60", `ETag: "1"`, "X-A: old", "Last-Modified: "+day1)
		}, func(t *testing.T, w *world) {
			w.get(host + "/")
			time.Sleep(10 * time.Second)
			w.client().do("HEAD", host+"/", "Cache-Control: no-cache")
			a := w.get(host + "/")
			if hit := strings.Contains(a.cacheStatus(), "hit"); hit != tt.hit || tt.hit && (a.get("X-A") != tt.value || a.get("Age") != "0") {
				t.Errorf("%s: then got %s, X-A %q, Age %q; want hit %v", tt.name, a.cacheStatus(), a.get("X-A"), a.get("Age"), tt.hit)
			}
		})
	}
}

// TestConditions_RFC9110_13 checks the client's own conditions against a fresh stored response.
func TestConditions_RFC9110_13(t *testing.T) {
	tests := []struct {
		lines  []string
		status int
	}{
		{[]string{`If-None-Match: "1"`}, 304},
		{[]string{`If-None-Match: W/"1"`}, 304},
		{[]string{`If-None-Match: "0", "1"`}, 304},
		{[]string{"If-None-Match: *"}, 304},
		{[]string{`If-None-Match: "2"`}, 200},
		{[]string{`If-None-Match: "2"`, "If-Modified-Since: " + day2}, 200},
		{[]string{"If-Modified-Since: " + day1}, 304},
		{[]string{"If-Modified-Since: Thu, 23 Dec 1999 10:00:00 GMT"}, 200},
		{[]string{"If-Modified-Since: junk"}, 200},
	}
	for _, tt := range tests {
		inBubble(t, Options{}, always(respond(200, "body", "Cache-Control: max-age=60", `ETag: "1"`, "Last-Modified: "+day1, "Content-Type: text/plain", "X-A: 1")), func(t *testing.T, w *world) {
			c := w.client()
			c.get(host + "/")
			a := c.get(host+"/", tt.lines...)
			if a.status != tt.status || !strings.Contains(a.cacheStatus(), "hit") || w.origin.count("") != 1 {
				t.Errorf("%q: got %q, %s; want %d from the cache", tt.lines, a.line, a.cacheStatus(), tt.status)
			}
			if tt.status == 304 && (a.get("ETag") != `"1"` || a.get("Content-Length") != "" || a.get("Content-Type") != "" || a.get("Age") != "0") {
				t.Errorf("%q: got %q; want a 304's fields", tt.lines, a.head)
			}
		})
	}
}

// TestWithheld_RFC9111_5_2_2_4 checks that fields named by no-cache are not reused, in no kind of answer.
func TestWithheld_RFC9111_5_2_2_4(t *testing.T) {
	inBubble(t, Options{}, always(respond(200, "body", `Cache-Control: max-age=60, no-cache="set-cookie, X-B"`, `ETag: "1"`, "Set-Cookie: a=1", "X-B: b", "X-C: c")), func(t *testing.T, w *world) {
		if a := w.get(host + "/"); a.get("Set-Cookie") != "a=1" {
			t.Errorf("who asked: got %q; want the cookie", a.head)
		}
		for _, lines := range [][]string{nil, {`If-None-Match: "1"`}, {"Range: bytes=0-1"}, {"Range: bytes=0-0,3-3"}, {"Range: bytes=9-"}} {
			a := w.get(host+"/", lines...)
			if a.get("Set-Cookie") != "" || a.get("X-B") != "" || !strings.Contains(a.cacheStatus(), "hit") {
				t.Errorf("%q: got %q %q; want none of the two", lines, a.line, a.head)
			}
		}
	})
}

// TestVary_RFC9111_4_1 checks which stored response a request selects.
func TestVary_RFC9111_4_1(t *testing.T) {
	inBubble(t, Options{MaxVariants: 4}, func(a *ask) string {
		return respond(200, fmt.Sprint(a.nth), "Cache-Control: max-age=600", "Vary: X-A, x-b")
	}, func(t *testing.T, w *world) {
		tests := []struct{ lines, body string }{
			{"X-C: c", "0"},
			{"X-A: 1", "1"},
			{"X-A: ", "2"},
			{"X-A: 1\r\nX-B: 1", "3"},
			{"X-A: 1", "1"},
			{"x-b: 1\r\nx-a: 1", "3"},
			{"X-A:   1  ", "1"},
			{"X-D: d", "0"},
			{"X-A: a", "4"}, // one too many: the oldest goes
			{"X-A: 1", "1"},
			{"X-C: c", "5"},
		}
		for i, tt := range tests {
			if a := w.get(host+"/", append(strings.Split(tt.lines, "\r\n"), "X-Z: z")...); a.body != tt.body {
				t.Errorf("%d: %q: got %q, %s; want %q", i, tt.lines, a.body, a.cacheStatus(), tt.body)
			}
			time.Sleep(time.Second)
		}
	})
}

// TestFreshen_authorized checks that what a 304 says to a client with credentials gets to no other client, unless the
// answer may be shared (RFC 9111 §3.5).
func TestFreshen_authorized(t *testing.T) {
	for _, share := range []string{"", ", public"} {
		inBubble(t, Options{}, func(a *ask) string {
			if a.get("If-None-Match") != "" {
				return "HTTP/1.1 304 Not Modified\r\nETag: \"1\"\r\nCache-Control: max-age=60" + share + "\r\nX-Balance: of " + a.get("Authorization") + "\r\n\r\n"
			}
			return respond(200, "page", `ETag: "1"`, "Cache-Control: max-age=1")
		}, func(t *testing.T, w *world) {
			w.get(host + "/")
			time.Sleep(5 * time.Second)
			if a := w.get(host+"/", "Authorization: Anna"); a.status != 200 || a.get("X-Balance") != "of Anna" {
				t.Errorf("Anna got %q %q", a.line, a.head)
			}
			a := w.get(host + "/")
			if got := strings.Contains(a.head, "Anna"); got != (share != "") {
				t.Errorf("%q: another got %q %q", share, a.line, a.head)
			}
		})
	}
}
