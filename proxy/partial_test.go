package proxy

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// TestPartial_changed checks what becomes of stored parts when the representation has changed: what is given to a client
// is of one version, and the old parts go.
func TestPartial_changed(t *testing.T) {
	old, fresh := strings.Repeat("o", 1000), strings.Repeat("n", 1000)
	tests := []struct {
		name  string
		serve func(a *ask) string // after the change
	}{
		{"the whole", func(a *ask) string { return ranged(a, fresh, `"2"`, "Cache-Control: max-age=60") }},
		{"ignores If-Range", func(a *ask) string {
			a.head = strings.Replace(a.head, "If-Range", "X", 1)
			return ranged(a, fresh, `"2"`, "Cache-Control: max-age=60")
		}},
		{"shorter", func(a *ask) string { return ranged(a, fresh[:150], `"2"`, "Cache-Control: max-age=60") }},
		{"no-store", func(a *ask) string { return ranged(a, fresh, `"2"`, "Cache-Control: no-store") }},
		{"weak tag", func(a *ask) string { return ranged(a, fresh, `W/"1"`, "Cache-Control: max-age=60") }},
		{"gone", func(a *ask) string { return respond(404, "gone") }},
		{"no ranges", func(a *ask) string { return respond(200, fresh, `ETag: "2"`, "Cache-Control: max-age=60") }},
	}
	for _, tt := range tests {
		for _, want := range []string{"", "bytes=100-299", "bytes=0-9,500-509"} {
			t.Run(tt.name+" "+want, func(t *testing.T) {
				inBubble(t, Options{}, func(a *ask) string {
					if a.nth < 2 {
						return ranged(a, old, `"1"`, "Cache-Control: max-age=60")
					}
					return tt.serve(a)
				}, func(t *testing.T, w *world) {
					w.get(host+"/", "Range: bytes=0-199")
					w.get(host+"/", "Range: bytes=400-499")
					synctest.Wait()
					a := w.get(host+"/", append([]string{"X-A: 1"}, rangeLine(want)...)...)
					body := strings.NewReplacer("bytes", "", "Content-Range", "", "boundary", "").Replace(a.body)
					if strings.Contains(a.body, "ooo") && strings.Contains(body, "nnn") || a.status == 200 && len(a.body) != 1000 && len(a.body) != 150 {
						t.Errorf("got %q, a mixture of %d bytes", a.line, len(a.body))
					}
					if a.cut {
						t.Errorf("got %q, cut", a.line)
					}
				})
			})
		}
	}
}

// rangeLine is a Range field, or nothing.
func rangeLine(value string) []string {
	if value == "" {
		return nil
	}
	return []string{"Range: " + value}
}

// TestPartial_uncombined checks parts that must not be combined: of weak tags and without validators.
func TestPartial_uncombined(t *testing.T) {
	body := content(100)
	for _, tag := range []string{`W/"1"`, ""} {
		inBubble(t, Options{}, func(a *ask) string { return ranged(a, body, tag, "Cache-Control: max-age=60") }, func(t *testing.T, w *world) {
			w.get(host+"/", "Range: bytes=0-49")
			synctest.Wait()
			w.get(host+"/", "Range: bytes=50-99")
			synctest.Wait()
			if a := w.get(host + "/"); a.body != body || strings.Contains(a.cacheStatus(), "hit") || w.origin.last().get("If-Range") != "" {
				t.Errorf("tag %q: got %q, %s; want it fetched whole", tag, a.line, a.cacheStatus())
			}
		})
	}
}

// TestPartial_wrong checks answers whose content does not fit their Content-Range: nothing of them is stored beyond what
// is certain, and none is passed on as more than it is.
func TestPartial_wrong(t *testing.T) {
	tests := []struct{ name, raw string }{
		{"longer", "Content-Range: bytes 0-3/10\r\nTransfer-Encoding: chunked\r\n\r\n8\r\nabcdefgh\r\n0\r\n\r\n"},
		{"longer by length", "Content-Range: bytes 0-3/10\r\nContent-Length: 8\r\n\r\nabcdefgh"},
		{"no length", "Content-Range: bytes 0-3/*\r\nContent-Length: 4\r\n\r\nabcd"},
		{"reversed", "Content-Range: bytes 3-0/10\r\nContent-Length: 4\r\n\r\nabcd"},
		{"beyond", "Content-Range: bytes 8-11/10\r\nContent-Length: 4\r\n\r\nabcd"},
		{"twice", "Content-Range: bytes 0-3/10\r\nContent-Range: bytes 0-3/10\r\nContent-Length: 4\r\n\r\nabcd"},
		{"none", "Content-Length: 4\r\n\r\nabcd"},
		{"cut", "Content-Range: bytes 0-3/10\r\nContent-Length: 4\r\n\r\nab"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			inBubble(t, Options{}, func(a *ask) string {
				a.say("HTTP/1.1 206 Partial Content\r\nCache-Control: max-age=60\r\nETag: \"1\"\r\n" + tt.raw)
				return ""
			}, func(t *testing.T, w *world) {
				w.get(host+"/", "Range: bytes=0-3")
				synctest.Wait()
				if n := w.p.Stats().Cache.Entries; n != 0 {
					t.Errorf("%d entries; want none", n)
				}
			})
		})
	}
}

// TestPartial_shares checks that requests for ranges that overlap share their fetches.
func TestPartial_shares(t *testing.T) {
	body := content(1000)
	inBubble(t, Options{}, func(a *ask) string {
		time.Sleep(time.Second)
		return ranged(a, body, `"1"`, "Cache-Control: max-age=60")
	}, func(t *testing.T, w *world) {
		answers := crowd(w, 50, host+"/", func(i int) []string { return []string{fmt.Sprintf("Range: bytes=%d-%d", 100+i, 299+i)} })
		for i, a := range answers {
			if a.body != body[100+i:300+i] || a.status != 206 {
				t.Errorf("%d: got %q with %d bytes", i, a.line, len(a.body))
			}
		}
	})
}

// TestPartial_sharesGaps checks that the gaps of one stored part are fetched once for all who want them.
func TestPartial_sharesGaps(t *testing.T) {
	body := content(1000)
	inBubble(t, Options{}, func(a *ask) string {
		time.Sleep(time.Second)
		return ranged(a, body, `"1"`, "Cache-Control: max-age=60")
	}, func(t *testing.T, w *world) {
		w.get(host+"/", "Range: bytes=0-499")
		synctest.Wait()
		for _, a := range crowd(w, 50, host+"/", nil) {
			if a.body != body || a.cut {
				t.Fatalf("got %q with %d bytes, cut %v", a.line, len(a.body), a.cut)
			}
		}
		if n := w.origin.count(""); n != 2 {
			t.Errorf("%d fetches; want 2", n)
		}
	})
}

// TestPartial_authorized checks that a gap which was fetched with one client's credentials, or for one that wants nothing
// stored, is for that client only (RFC 9111 §3.5).
func TestPartial_authorized(t *testing.T) {
	for _, line := range []string{"Authorization: Basic x", "Cache-Control: no-store"} {
		public := strings.Repeat("p", 100)
		inBubble(t, Options{}, func(a *ask) string {
			body := public
			if a.get("Authorization") != "" || a.get("Cache-Control") != "" {
				body = public[:50] + strings.Repeat("s", 50)
			}
			return ranged(a, body, `"1"`, "Cache-Control: max-age=60")
		}, func(t *testing.T, w *world) {
			w.get(host+"/", "Range: bytes=0-49")
			synctest.Wait()
			if a := w.get(host+"/", line); !strings.HasSuffix(a.body, "sss") {
				t.Errorf("%s: got %q %q", line, a.line, a.body)
			}
			synctest.Wait()
			if a := w.get(host + "/"); strings.Contains(a.body, "s") {
				t.Errorf("%s: then another client got %q, %s", line, a.body, a.cacheStatus())
			}
		})
	}
}

// TestPartial_gapFails checks that an answer begun from held bytes breaks off visibly when the rest cannot be had, and
// that a failure before it began is an error.
func TestPartial_gapFails(t *testing.T) {
	body := content(100_000)
	tests := []struct {
		name, answer string
		status       int // 0: cut
	}{
		{"no answer", "", 502},
		{"500", respond(500, "broken"), 500},
		{"cut", "HTTP/1.1 206 Partial Content\r\nETag: \"1\"\r\nCache-Control: max-age=60\r\nContent-Range: bytes 50000-99999/100000\r\nContent-Length: 50000\r\n\r\nabc", 0},
		{"another part", "HTTP/1.1 206 Partial Content\r\nETag: \"1\"\r\nContent-Range: bytes 0-2/100000\r\nContent-Length: 3\r\n\r\nabc", 502},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			inBubble(t, Options{}, func(a *ask) string {
				if a.nth == 0 {
					return ranged(a, body, `"1"`, "Cache-Control: max-age=60")
				}
				if a.say(tt.answer); tt.status != 500 {
					return ""
				}
				return " "
			}, func(t *testing.T, w *world) {
				w.get(host+"/", "Range: bytes=0-49999")
				synctest.Wait()
				a := w.get(host + "/")
				if a.cut != (tt.status == 0) || tt.status != 0 && a.status != tt.status || a.body == body {
					t.Errorf("got %q, cut %v, %d bytes; want %d", a.line, a.cut, len(a.body), tt.status)
				}
			})
		})
	}
}

// TestPartial_prompt checks that the head, and the pieces that are held, do not wait for a gap whose bytes come slowly.
func TestPartial_prompt(t *testing.T) {
	body := content(1000)
	for _, held := range []string{"bytes=0-499", "bytes=500-999"} {
		inBubble(t, Options{}, func(a *ask) string {
			answer := ranged(a, body, `"1"`, "Cache-Control: max-age=60")
			if a.nth == 0 {
				return answer
			}
			head := strings.Index(answer, "\r\n\r\n") + 4
			a.say(answer[:head])
			time.Sleep(time.Minute / 2)
			return answer[head:]
		}, func(t *testing.T, w *world) {
			w.get(host+"/", "Range: "+held)
			synctest.Wait()
			c := w.client()
			start := time.Now()
			c.send(request("GET", host+"/", ""))
			a := c.readHead()
			if took := time.Since(start); a.status != 200 || took != 0 {
				t.Errorf("%s held: got %q after %v; want it at once", held, a.line, took)
			}
			if a.readBody("GET", c.r); a.body != body {
				t.Errorf("%s held: got %d bytes", held, len(a.body))
			}
		})
	}
}

// TestPartial_clientLeaves checks that a gap's fetch ends with the client that wanted it.
func TestPartial_clientLeaves(t *testing.T) {
	body := content(1000)
	gone := make(chan struct{})
	inBubble(t, Options{}, func(a *ask) string {
		if a.nth == 0 {
			return ranged(a, body, `"1"`, "Cache-Control: max-age=60")
		}
		a.gone()
		close(gone)
		return ""
	}, func(t *testing.T, w *world) {
		gone = make(chan struct{})
		w.get(host+"/", "Range: bytes=0-499")
		c := w.client()
		c.send(request("GET", host+"/", ""))
		time.Sleep(time.Second)
		c.Close()
		select {
		case <-gone:
		case <-time.After(time.Second):
			t.Error("the fetch goes on")
		}
	})
}

// TestPartial_HEAD checks HEAD against stored parts: it knows the whole's length, and a new one drops the parts.
func TestPartial_HEAD(t *testing.T) {
	body := content(1000)
	inBubble(t, Options{}, func(a *ask) string { return ranged(a, body, `"1"`, "Cache-Control: max-age=60") }, func(t *testing.T, w *world) {
		w.get(host+"/", "Range: bytes=0-499")
		synctest.Wait()
		if a := w.client().do("HEAD", host+"/"); a.get("Content-Length") != "1000" || a.status != 200 || a.get("Content-Range") != "" {
			t.Errorf("got %q %q; want the whole's head", a.line, a.head)
		}
		if a := w.get(host+"/", "Range: bytes=0-9", "Cache-Control: only-if-cached"); a.body != body[:10] {
			t.Errorf("only-if-cached, held: got %q", a.line)
		}
		if a := w.get(host+"/", "Range: bytes=600-609", "Cache-Control: only-if-cached"); a.status != 504 {
			t.Errorf("only-if-cached, not held: got %q", a.line)
		}
	})
}

// TestPartial_interim checks that the 1xx answers to a request for a gap, made while the body is on its way, stay out of
// that body.
func TestPartial_interim(t *testing.T) {
	body := content(1000)
	inBubble(t, Options{}, func(a *ask) string {
		return "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + ranged(a, body, `"1"`, "Cache-Control: max-age=60")
	}, func(t *testing.T, w *world) {
		w.get(host+"/", "Range: bytes=100-199")
		synctest.Wait()
		w.get(host+"/", "Range: bytes=300-399")
		synctest.Wait()
		if a := w.get(host + "/"); a.status != 200 || a.body != body {
			t.Errorf("got %q with %d bytes, other than those of the origin: %q", a.line, len(a.body), a.body)
		}
	})
}

// TestPartial_sharesWhole checks that a range is answered from a fetch of the whole that is under way, unless its bytes
// would be long in coming.
func TestPartial_sharesWhole(t *testing.T) {
	body := content(4 << 20)
	inBubble(t, Options{CacheBytes: 64 << 20}, func(a *ask) string {
		answer := ranged(a, body, `"1"`, "Cache-Control: max-age=60")
		if a.nth > 0 {
			return answer
		}
		half := strings.Index(answer, "\r\n\r\n") + 4 + len(body)/2
		a.say(answer[:half])
		time.Sleep(time.Minute / 2)
		return answer[half:]
	}, func(t *testing.T, w *world) {
		first := w.client()
		first.send(request("GET", host+"/", ""))
		whole := first.readHead()
		done := make(chan struct{})
		go func() {
			whole.readBody("GET", first.r)
			close(done)
		}()
		synctest.Wait()
		for _, tc := range []struct {
			first, last, fetches int
		}{
			{10, 99, 1},                       // there
			{4<<20 - 100, 4<<20 - 1, 2},       // far off
			{4<<20 - 50, 4<<20 - 1, 2},        // stored as a part by now
			{3<<20 + 1<<19, 3<<20 + 1<<19, 3}, // far off, too
			{2<<20 - 10, 2<<20 + 9, 3},        // about to come
		} {
			start := time.Now()
			a := w.get(host+"/", fmt.Sprintf("Range: bytes=%d-%d", tc.first, tc.last))
			if a.status != 206 || a.body != body[tc.first:tc.last+1] {
				t.Errorf("bytes %d to %d: got %q with %d bytes", tc.first, tc.last, a.line, len(a.body))
			}
			if n := w.origin.count(""); n != tc.fetches {
				t.Errorf("bytes %d to %d, after %v: %d fetches; want %d", tc.first, tc.last, time.Since(start), n, tc.fetches)
			}
		}
		<-done
		if whole.body != body || whole.cut {
			t.Errorf("the whole came as %d bytes, cut %v", len(whole.body), whole.cut)
		}
	})
}

// TestPartial_atOnce checks that a small part is stored before its client has all of it, so that the next request finds it.
func TestPartial_atOnce(t *testing.T) {
	inBubble(t, Options{}, func(a *ask) string {
		return respond(206, "01234", "Cache-Control: max-age=60", "Content-Range: bytes 4-8/10")
	}, func(t *testing.T, w *world) {
		c := w.client()
		for i := range 100 {
			url := fmt.Sprintf("%s/%d", host, i)
			for range 2 {
				if a := c.get(url, "Range: bytes=4-8"); a.status != 206 || a.body != "01234" {
					t.Fatalf("got %q, %q", a.line, a.body)
				}
			}
		}
		if n := w.origin.count(""); n != 100 {
			t.Errorf("%d fetches; want 100", n)
		}
	})
}
