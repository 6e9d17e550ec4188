package e2e

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/jayproxy/jay/e2e/origin"
	"github.com/jayproxy/jay/e2e/rawhttp"
)

// TestPoisonedByDenial: what one client can make an origin answer badly is not
// kept for others: a head near the limits, meta characters, a method override
// (C5).
func TestPoisonedByDenial(t *testing.T) {
	t.Parallel()
	o := startOrigin(t, func(x *origin.Exchange) {
		fs := rawhttp.F("Date", origin.Date(time.Now()))
		switch {
		case len(x.Req.Raw) > 8<<10:
			x.Reply("400 Bad Request", fs, "too large")
		case x.Req.Fields.Has("X-HTTP-Method-Override"):
			x.Reply("405 Method Not Allowed", fs, "no")
		case strings.ContainsFunc(x.Req.Fields.Get("X-Meta"), func(r rune) bool { return r == utf8.RuneError }):
			x.Reply("500 Internal Server Error", fs, "crashed")
		case x.Req.Fields.Has("X-Forwarded-Host"):
			x.Reply("302 Found", append(fs, rawhttp.F("Location", "http://"+x.Req.Fields.Get("X-Forwarded-Host")+"/")...), "")
		default:
			x.OK("fine")
		}
	})
	eachWay(t, startJay(t), func(t *testing.T, w way) {
		for name, fs := range map[string]rawhttp.Fields{
			"oversize":   rawhttp.F("X-Oversized", strings.Repeat("a", 20<<10)),
			"override":   rawhttp.F("X-HTTP-Method-Override", "POST"),
			"meta":       rawhttp.F("X-Meta", "\x80\xff"),
			"too large":  rawhttp.F("X-Oversized", strings.Repeat("a", 70<<10)),
			"control":    rawhttp.F("X-Meta", "a\x07b"),
			"other host": rawhttp.F("X-Forwarded-Host", "evil.test"),
		} {
			path := "/" + w.name + "/" + strings.ReplaceAll(name, " ", "-")
			for range 2 {
				if resp, err := w.once(o.Addr(), "GET", path, fs); err == nil && resp.Code == 200 {
					t.Errorf("%s: attacker got %v; want an error", name, resp)
				}
			}
			if resp := w.do(t, "GET", o.Addr(), path, nil, ""); resp.Code != 200 || string(resp.Body) != "fine" {
				t.Errorf("%s: victim got %v; want fine", name, resp)
			}
		}
	})
}

// TestDeception: a path that looks like a picture makes no page storable, nor
// does what the page is called inside the URL (C8).
func TestDeception(t *testing.T) {
	t.Parallel()
	o := startOrigin(t, func(x *origin.Exchange) {
		x.Reply("200 OK", rawhttp.F("Content-Type", "text/html", "Date", origin.Date(time.Now())), "account of "+x.Req.Fields.Get("Cookie"))
	})
	eachWay(t, startJay(t), func(t *testing.T, w way) {
		for _, suffix := range []string{";x.css", "/x.css", "%0ax.css", "%3fx.css", "%00.js", "/..%2fx.png", "?x.css", ".woff2", "//static/x.js", "/%2e%2e/robots.txt"} {
			path := "/" + w.name + "/account" + suffix
			for _, who := range []string{"a", "b"} {
				if resp := w.do(t, "GET", o.Addr(), path, rawhttp.F("Cookie", who), ""); string(resp.Body) != "account of "+who {
					t.Errorf("%s: %s got %v", suffix, who, resp)
				}
			}
		}
	})
}

// TestVariantFlood: of one URL no more than max-variants responses are kept, and
// a client that invents values cannot push out what others use (C9).
func TestVariantFlood(t *testing.T) {
	t.Parallel()
	o := startOrigin(t, func(x *origin.Exchange) {
		x.Reply("200 OK", fresh("Vary", "X-A", "Date", origin.Date(time.Now())), x.Req.Fields.Get("X-A"))
	})
	eachWay(t, startJay(t, "--max-variants", "8"), func(t *testing.T, w way) {
		path := "/" + w.name
		for i := range 100 {
			w.do(t, "GET", o.Addr(), path, rawhttp.F("X-A", fmt.Sprint(i)), "")
			if resp := w.do(t, "GET", o.Addr(), path, rawhttp.F("X-A", "used"), ""); string(resp.Body) != "used" {
				t.Errorf("got %v; want its own variant", resp)
			}
		}
		hits := 0
		for i := range 100 {
			resp := w.do(t, "GET", o.Addr(), path, rawhttp.F("X-A", fmt.Sprint(i), "Cache-Control", "only-if-cached"), "")
			if resp.Code == 200 {
				hits++
			}
		}
		if hits > 8 {
			t.Errorf("%d variants are stored; want at most 8", hits)
		}
		used := 0
		for _, r := range o.To(path) {
			if r.Fields.Get("X-A") == "used" {
				used++
			}
		}
		if used > 20 {
			t.Errorf("the used variant was fetched %d times of 100; want it kept", used)
		}
	})
}

// TestRangeAbuse: many, overlapping or monstrous ranges are answered with the
// whole, or refused, never with more than the whole; a small range of something
// unknown is fetched as such, and never stored as the whole (C10).
func TestRangeAbuse(t *testing.T) {
	t.Parallel()
	file := origin.Content{Key: "range", Version: 1, Size: 100_000}
	o := startOrigin(t, func(x *origin.Exchange) { file.Serve(x, fresh()) })
	many := "bytes=" + strings.TrimSuffix(strings.Repeat("0-,", 500), ",")
	eachWay(t, startJay(t), func(t *testing.T, w way) {
		stored := "/stored/" + w.name
		w.do(t, "GET", o.Addr(), stored, nil, "")
		for _, path := range []string{stored, "/unknown/" + w.name} {
			for i, value := range []string{
				many, "bytes=0-99999,0-99999,0-99999", "bytes=0-,1-,2-,3-", "bytes=0-18446744073709551615", "bytes=18446744073709551616-", "bytes=-18446744073709551617",
				"bytes=9223372036854775807-9223372036854775808", "bytes=5-2", "bytes=--5", "bytes=0-0,-1,5-5,7-7,9-9,11-11,13-13,15-15,17-17,19-19", "bytes=100000-", "octets=0-5",
			} {
				if path != stored {
					path = fmt.Sprintf("/unknown/%s/%d", w.name, i)
				}
				began := time.Now()
				resp := w.do(t, "GET", o.Addr(), path, rawhttp.F("Range", value), "")
				if resp.Err != nil || resp.Code != 200 && resp.Code != 206 && resp.Code != 416 || len(resp.Body) > int(file.Size)+4096 {
					t.Errorf("%s %.40s: got %d, %d bytes, %v; want at most the whole", path, value, resp.Code, len(resp.Body), resp.Err)
				}
				if resp.Code == 200 && string(resp.Body) != string(file.Bytes()) {
					t.Errorf("%s %.40s: got a 200 of %d bytes; want the whole", path, value, len(resp.Body))
				}
				if d := time.Since(began); d > patient(2*time.Second) {
					t.Errorf("%s %.40s: took %v", path, value, d)
				}
			}
		}
		part := "/part/" + w.name
		if resp := w.do(t, "GET", o.Addr(), part, rawhttp.F("Range", "bytes=0-0"), ""); resp.Code != 206 || len(resp.Body) != 1 {
			t.Errorf("got %v; want one byte", resp)
		}
		if r := o.To(part); len(r) != 1 || r[0].Fields.Get("Range") != "bytes=0-0" {
			t.Errorf("origin was asked %d times, for %q; want the byte alone", len(r), r[0].Fields.Get("Range"))
		}
		if resp := w.do(t, "GET", o.Addr(), part, nil, ""); resp.Code != 200 || string(resp.Body) != string(file.Bytes()) {
			t.Errorf("got %d, %d bytes; want the whole file", resp.Code, len(resp.Body))
		}
		resp := w.do(t, "GET", o.Addr(), part, rawhttp.F("Range", "bytes=0-0", "If-Range", `"another"`), "")
		if resp.Code != 200 || len(resp.Body) != int(file.Size) {
			t.Errorf("If-Range with another validator: got %d, %d bytes; want the whole", resp.Code, len(resp.Body))
		}
	})
}

// TestFreshening_RFC9111_3_2: a 304 updates what it selects and nothing else; it
// replaces fields, adds none twice, and leaves framing alone (C11).
func TestFreshening_RFC9111_3_2(t *testing.T) {
	t.Parallel()
	o := startOrigin(t, func(x *origin.Exchange) {
		n := x.Req.Seq
		tag := x.Req.Fields.Get("If-None-Match")
		more := rawhttp.F("Cache-Control", "max-age=0", "X-Count", strconv.Itoa(n), "Warning", "199 - w", "Link", "</a>", "Set-Cookie", "n=1")
		switch {
		case tag == "":
			x.Reply("200 OK", append(more, rawhttp.F("ETag", `"a"`, "Content-Type", "text/plain", "Content-Encoding", "x-none")...), "body "+x.Req.Fields.Get("X-Who"))
		case strings.HasPrefix(x.Path(), "/mismatch"):
			x.Reply("304 Not Modified", append(more, rawhttp.F("ETag", `"b"`)...), "")
		default:
			x.Reply("304 Not Modified", append(more, rawhttp.F("ETag", `"a"`, "Content-Length", "99999", "Content-Encoding", "gzip", "Content-Range", "bytes 0-1/2",
				"Transfer-Encoding", "chunked")[:len(more)+4]...), "")
		}
	})
	eachWay(t, startJay(t), func(t *testing.T, w way) {
		path := "/match/" + w.name
		for i := range 6 {
			resp := w.do(t, "GET", o.Addr(), path, rawhttp.F("X-Who", "me"), "")
			if resp.Code != 200 || string(resp.Body) != "body me" || resp.Fields.Get("Content-Encoding") != "x-none" || resp.Fields.Has("Content-Range") {
				t.Errorf("%d: got %v; want the stored body and its framing", i, resp)
			}
			for _, name := range []string{"X-Count", "Warning", "Link", "ETag", "Cache-Control", "Content-Length", "Date"} {
				if v := resp.Fields.Values(name); len(v) > 1 {
					t.Errorf("%d: got %s %q; want one line", i, name, v)
				}
			}
		}
		if n := o.Count(path); n != 6 {
			t.Errorf("origin was asked %d times; want 6", n)
		}
		path = "/mismatch/" + w.name
		w.do(t, "GET", o.Addr(), path, rawhttp.F("X-Who", "first"), "")
		if resp := w.do(t, "GET", o.Addr(), path, rawhttp.F("X-Who", "second"), ""); resp.Code != 200 || string(resp.Body) != "body second" {
			t.Errorf("a 304 for another validator: got %v; want the answer fetched anew", resp)
		}
	})
}

// TestInvalidation_RFC9111_4_4: an unsafe request drops what is stored for its
// own URI and same-origin ones that its answer names, and nobody else's (C12).
func TestInvalidation_RFC9111_4_4(t *testing.T) {
	t.Parallel()
	victim := startOrigin(t, func(x *origin.Exchange) { x.OK("victim") })
	o := startOrigin(t, func(x *origin.Exchange) {
		if _, err := x.ReadBody(); err != nil || x.Req.Method == "GET" {
			x.OK("page")
			return
		}
		status := "201 Created"
		if x.Req.Fields.Has("X-Fail") {
			status = "500 Internal Server Error"
		}
		x.Reply(status, rawhttp.F("Location", x.Req.Fields.Get("X-Location"), "Content-Location", x.Req.Fields.Get("X-Content-Location")), "")
	})
	eachWay(t, startJay(t), func(t *testing.T, w way) {
		stored := func(host, path string) bool {
			return w.do(t, "GET", host, path, rawhttp.F("Cache-Control", "only-if-cached"), "").Code == 200
		}
		for _, method := range []string{"POST", "PUT", "DELETE", "PATCH", "FOO"} {
			base := "/" + w.name + "/" + method
			for _, path := range []string{base, base + "/l", base + "/cl", base + "/other"} {
				w.do(t, "GET", o.Addr(), path, nil, "")
			}
			w.do(t, "GET", victim.Addr(), base, nil, "")
			fs := rawhttp.F("Content-Length", "0", "X-Location", base+"/l", "X-Content-Location", base+"/cl")
			w.do(t, method, o.Addr(), base, append(fs, rawhttp.F("X-Fail", "1")...), "")
			if !stored(o.Addr(), base) {
				t.Errorf("%s that failed: the page is gone; want it kept", method)
			}
			w.do(t, method, o.Addr(), base, rawhttp.F("Content-Length", "0", "X-Location", "http://"+victim.Addr()+base, "X-Content-Location", "//"+victim.Addr()+base), "")
			if stored(o.Addr(), base) || !stored(victim.Addr(), base) {
				t.Errorf("%s: own page stored %v, the victim's %v; want the victim's alone", method, stored(o.Addr(), base), stored(victim.Addr(), base))
			}
			w.do(t, method, o.Addr(), base, fs, "")
			if stored(o.Addr(), base+"/l") || stored(o.Addr(), base+"/cl") || !stored(o.Addr(), base+"/other") {
				t.Errorf("%s: want Location and Content-Location dropped, the rest kept", method)
			}
		}
	})
}

// TestAgeLies: whatever an origin says in Age, Date and Expires, no answer that
// is stale is served as fresh, and Age is never negative (C13).
func TestAgeLies(t *testing.T) {
	t.Parallel()
	day := 24 * time.Hour
	at := func(d time.Duration) string { return origin.Date(time.Now().Add(d)) }
	tests := []struct {
		name   string
		answer rawhttp.Fields
		hit    bool
	}{
		{"honest", rawhttp.F("Date", at(0), "Cache-Control", "max-age=60"), true},
		{"bad date is the time of receipt", rawhttp.F("Date", "yesterday", "Cache-Control", "max-age=60"), true},
		{"no date", rawhttp.F("Cache-Control", "max-age=60"), true},
		{"old date", rawhttp.F("Date", at(-day), "Cache-Control", "max-age=60"), false},
		{"future date", rawhttp.F("Date", at(day), "Cache-Control", "max-age=60"), true},
		{"age above lifetime", rawhttp.F("Date", at(0), "Age", "61", "Cache-Control", "max-age=60"), false},
		{"age overflows", rawhttp.F("Date", at(0), "Age", "99999999999999999999999", "Cache-Control", "max-age=60"), false},
		{"max-age overflows", rawhttp.F("Date", at(0), "Cache-Control", "max-age=99999999999999999999999"), true},
		{"negative max-age", rawhttp.F("Date", at(0), "Cache-Control", "max-age=-1"), false},
		{"expires before date", rawhttp.F("Date", at(0), "Expires", at(-time.Hour)), false},
		{"expires and date in the future", rawhttp.F("Date", at(day), "Expires", at(day)), false},
		{"expires 0", rawhttp.F("Date", at(0), "Expires", "0"), false},
		{"two max-ages", rawhttp.F("Date", at(0), "Cache-Control", "max-age=0, max-age=60"), false},
	}
	o := startOrigin(t, func(x *origin.Exchange) {
		var i int
		fmt.Sscanf(x.Path(), "/%d/", &i)
		x.Reply("200 OK", tests[i].answer, "x")
	})
	eachWay(t, startJay(t), func(t *testing.T, w way) {
		for i, tt := range tests {
			path := fmt.Sprintf("/%d/%s", i, w.name)
			w.do(t, "GET", o.Addr(), path, nil, "")
			resp := w.do(t, "GET", o.Addr(), path, nil, "")
			if hit := o.Count(path) == 1; hit != tt.hit {
				t.Errorf("%s: got a hit %v (%v); want %v", tt.name, hit, resp.Fields, tt.hit)
			}
			if age := resp.Fields.Get("Age"); strings.HasPrefix(age, "-") {
				t.Errorf("%s: got Age %s", tt.name, age)
			}
		}
	})
}
