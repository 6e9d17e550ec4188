package proxy

import (
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// content is a representation in which no two bytes close to each other are the same.
func content(n int) string {
	var b strings.Builder
	for i := 0; b.Len() < n; i++ {
		b.WriteString(strconv.Itoa(i) + ",")
	}
	return b.String()[:n]
}

// ranged answers like an origin that knows ranges: with the whole of body, or one range of it where the request has a
// Range and no If-Range other than tag.
func ranged(a *ask, body, tag string, lines ...string) string {
	lines = append(lines, "ETag: "+tag)
	spec, ok := strings.CutPrefix(a.get("Range"), "bytes=")
	if cond := a.get("If-Range"); !ok || strings.Contains(spec, ",") || cond != "" && cond != tag {
		return respond(200, body, lines...)
	}
	first, last, _ := strings.Cut(spec, "-")
	start, err1 := strconv.Atoi(first)
	end, err2 := strconv.Atoi(last)
	switch {
	case err1 != nil:
		start, end = max(len(body)-end, 0), len(body)-1
	case err2 != nil || end >= len(body):
		end = len(body) - 1
	}
	if start > end {
		return respond(416, "", append(lines, fmt.Sprintf("Content-Range: bytes */%d", len(body)))...)
	}
	return respond(206, body[start:end+1], append(lines, fmt.Sprintf("Content-Range: bytes %d-%d/%d", start, end, len(body)))...)
}

// TestRanges_RFC9110_14 checks ranges of a complete stored response.
func TestRanges_RFC9110_14(t *testing.T) {
	body := content(100)
	tests := []struct {
		lines        []string
		status       int
		contentRange string
		want         string
	}{
		{[]string{"Range: bytes=0-0"}, 206, "bytes 0-0/100", body[:1]},
		{[]string{"Range: bytes=10-19"}, 206, "bytes 10-19/100", body[10:20]},
		{[]string{"Range: bytes=90-"}, 206, "bytes 90-99/100", body[90:]},
		{[]string{"Range: bytes=-10"}, 206, "bytes 90-99/100", body[90:]},
		{[]string{"Range: bytes=-1000"}, 206, "bytes 0-99/100", body},
		{[]string{"Range: bytes=50-9999"}, 206, "bytes 50-99/100", body[50:]},
		{[]string{"Range: bytes=100-"}, 416, "bytes */100", ""},
		{[]string{"Range: bytes=-0"}, 416, "bytes */100", ""},
		{[]string{"Range: bytes=5-4"}, 200, "", body},
		{[]string{"Range: lines=1-2"}, 200, "", body},
		{[]string{"Range: bytes=x"}, 200, "", body},
		{[]string{"Range: bytes=0-1,1-2,2-3,3-4,4-5,5-6,6-7,7-8,8-9"}, 200, "", body},
		{[]string{"Range: bytes=0-1", `If-Range: "1"`}, 206, "bytes 0-1/100", body[:2]},
		{[]string{"Range: bytes=0-1", `If-Range: "2"`}, 200, "", body},
		{[]string{"Range: bytes=0-1", `If-Range: W/"1"`}, 200, "", body},
		{[]string{"Range: bytes=0-1", `If-None-Match: "1"`}, 304, "", ""},
	}
	for _, tt := range tests {
		inBubble(t, Options{}, func(a *ask) string {
			return ranged(a, body, `"1"`, "Cache-Control: max-age=60", "Content-Type: text/x")
		}, func(t *testing.T, w *world) {
			c := w.client()
			c.get(host + "/")
			a := c.get(host+"/", tt.lines...)
			if a.status != tt.status || a.get("Content-Range") != tt.contentRange || tt.status != 416 && a.body != tt.want {
				t.Errorf("%q: got %q, Content-Range %q, %q; want %d, %q, %q", tt.lines, a.line, a.get("Content-Range"), a.body, tt.status, tt.contentRange, tt.want)
			}
			if w.origin.count("") != 1 || !strings.Contains(a.cacheStatus(), "hit") || a.get("Age") != "0" {
				t.Errorf("%q: %d requests, %s; want a hit", tt.lines, w.origin.count(""), a.cacheStatus())
			}
			if tt.status == 206 && (a.get("Content-Type") != "text/x" || a.get("ETag") != `"1"`) {
				t.Errorf("%q: got %q; want the whole's fields", tt.lines, a.head)
			}
		})
	}
}

// TestRanges_multipart_RFC9110_14_6 checks an answer with several parts, whose length is announced exactly.
func TestRanges_multipart_RFC9110_14_6(t *testing.T) {
	body := content(100)
	inBubble(t, Options{}, func(a *ask) string {
		return ranged(a, body, `"1"`, "Cache-Control: max-age=60", "Content-Type: text/x")
	}, func(t *testing.T, w *world) {
		c := w.client()
		c.get(host + "/")
		a := c.get(host+"/", "Range: bytes=0-4,50-59,-3")
		_, boundary, _ := strings.Cut(a.get("Content-Type"), "multipart/byteranges; boundary=")
		want := ""
		for _, s := range [][2]int{{0, 5}, {50, 60}, {97, 100}} {
			want += fmt.Sprintf("--%s\r\nContent-Type: text/x\r\nContent-Range: bytes %d-%d/100\r\n\r\n%s\r\n", boundary, s[0], s[1]-1, body[s[0]:s[1]])
		}
		want += "--" + boundary + "--\r\n"
		if a.status != 206 || boundary == "" || strings.TrimPrefix(a.body, "\r\n") != want || a.get("Content-Range") != "" {
			t.Errorf("got %q %q\n%q; want\n%q", a.line, a.head, a.body, want)
		}
		if b := c.get(host + "/"); b.body != body {
			t.Errorf("then: got %q %q on the same connection", b.line, b.body)
		}
	})
}

// TestPartial_RFC9111_3_3 checks that stored parts serve what they hold, that only gaps are fetched, with If-Range, and
// that the whole is complete when the last gap closes.
func TestPartial_RFC9111_3_3(t *testing.T) {
	body := content(1000)
	inBubble(t, Options{}, func(a *ask) string { return ranged(a, body, `"1"`, "Cache-Control: max-age=60") }, func(t *testing.T, w *world) {
		steps := []struct {
			ask, want, fetches string // the conditions that went out, "" if nothing did
			hit                bool
		}{
			{"bytes=100-199", body[100:200], "Range: bytes=100-199", false},
			{"bytes=100-199", body[100:200], "", true},
			{"bytes=120-129", body[120:130], "", true},
			{"bytes=150-249", body[150:250], `Range: bytes=200-249|If-Range: "1"`, false},
			{"bytes=100-249", body[100:250], "", true},
			{"bytes=-100", body[900:], `Range: bytes=900-|If-Range: "1"`, false},
			{"bytes=950-", body[950:], "", true},
			{"bytes=200-949", body[200:950], `Range: bytes=250-899|If-Range: "1"`, false},
			{"", body, `Range: bytes=0-99|If-Range: "1"`, false},
			{"", body, "", true},
			{"bytes=0-0", body[:1], "", true},
		}
		for i, s := range steps {
			n := w.origin.count("")
			var lines []string
			if s.ask != "" {
				lines = []string{"Range: " + s.ask}
			}
			a := w.get(host+"/", lines...)
			if a.body != s.want || a.cut || (a.status == 206) != (s.ask != "") {
				t.Fatalf("%d: %s: got %q with %d bytes, cut %v", i, s.ask, a.line, len(a.body), a.cut)
			}
			got := ""
			if w.origin.count("") > n {
				got = conditions(w.origin.last())
			}
			if got != s.fetches || strings.Contains(a.cacheStatus(), "hit") != s.hit || w.origin.count("") > n+1 {
				t.Errorf("%d: %s: asked %q, %s; want %q, hit %v", i, s.ask, got, a.cacheStatus(), s.fetches, s.hit)
			}
			synctest.Wait()
		}
	})
}

// TestPartial_gaps checks an answer that is made from several held and several missing pieces.
func TestPartial_gaps(t *testing.T) {
	body := content(100_000)
	for _, slow := range []time.Duration{0, time.Second} {
		inBubble(t, Options{}, func(a *ask) string {
			time.Sleep(slow)
			return ranged(a, body, `"1"`, "Cache-Control: max-age=60")
		}, func(t *testing.T, w *world) {
			for _, r := range []string{"bytes=10000-19999", "bytes=40000-49999", "bytes=70000-70000"} {
				w.get(host+"/", "Range: "+r)
			}
			synctest.Wait()
			if a := w.get(host + "/"); a.body != body || a.status != 200 || a.get("Content-Length") != "100000" {
				t.Errorf("the whole: got %q with %d bytes that are right: %v", a.line, len(a.body), a.body == body)
			}
			synctest.Wait()
			if n := w.origin.count(""); n != 7 {
				t.Errorf("%d requests; want 3 and 4 for the gaps", n)
			}
			if a := w.get(host + "/"); !strings.Contains(a.cacheStatus(), "hit") || a.body != body {
				t.Errorf("then: got %s", a.cacheStatus())
			}
		})
	}
}

// TestPartial_manyRanges checks a multipart answer some of whose parts have to be fetched.
func TestPartial_manyRanges(t *testing.T) {
	body := content(10_000)
	inBubble(t, Options{}, func(a *ask) string { return ranged(a, body, `"1"`, "Cache-Control: max-age=60") }, func(t *testing.T, w *world) {
		w.get(host+"/", "Range: bytes=2000-2999")
		synctest.Wait()
		a := w.get(host+"/", "Range: bytes=0-9,2500-2509,4000-4009,9000-9009")
		for _, s := range []int{0, 2500, 4000, 9000} {
			if !strings.Contains(a.body, fmt.Sprintf("Content-Range: bytes %d-%d/10000\r\n\r\n%s\r\n", s, s+9, body[s:s+10])) {
				t.Errorf("the part at %d is missing in %q", s, a.body)
			}
		}
		if a.cut || a.status != 206 {
			t.Errorf("got %q, cut %v", a.line, a.cut)
		}
	})
}

// TestPartial_parallel checks that ranges fetched at the same time make a whole, whatever the order in which they end.
func TestPartial_parallel(t *testing.T) {
	const size, parts = 80_000, 8
	body := content(size)
	inBubble(t, Options{}, func(a *ask) string {
		time.Sleep(time.Duration(a.nth*7%5) * time.Second)
		return ranged(a, body, `"1"`, "Cache-Control: max-age=60")
	}, func(t *testing.T, w *world) {
		var wg sync.WaitGroup
		for i := range parts {
			c := w.client()
			wg.Go(func() {
				from, to := i*size/parts, (i+1)*size/parts
				if a := c.get(host+"/", fmt.Sprintf("Range: bytes=%d-%d", from, to-1)); a.body != body[from:to] {
					t.Errorf("part %d: got %q with %d bytes", i, a.line, len(a.body))
				}
			})
		}
		wg.Wait()
		synctest.Wait()
		a := w.get(host + "/")
		if a.body != body || !strings.Contains(a.cacheStatus(), "hit") || w.origin.count("") != parts {
			t.Errorf("then: got %d bytes, %s after %d requests; want a hit after %d", len(a.body), a.cacheStatus(), w.origin.count(""), parts)
		}
	})
}

// TestPartial_overtaken checks an answer whose first gap has closed by the time it gets there, because its client reads
// slowly: the pieces that follow must still be the right ones.
func TestPartial_overtaken(t *testing.T) {
	body := content(100_000)
	inBubble(t, Options{}, func(a *ask) string { return ranged(a, body, `"1"`, "Cache-Control: max-age=60") }, func(t *testing.T, w *world) {
		for _, r := range []string{"bytes=0-49999", "bytes=60000-69999", "bytes=80000-99999"} {
			w.get(host+"/", "Range: "+r)
		}
		synctest.Wait()
		c := w.client()
		c.send(request("GET", host+"/", ""))
		synctest.Wait() // the gap from 50000 on has been fetched and stored; nothing was read
		if a := c.read("GET"); a.body != body || a.cut {
			t.Errorf("got %q with %d bytes that are right: %v", a.line, len(a.body), a.body == body)
		}
	})
}
