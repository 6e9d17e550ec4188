package proxy

import (
	"io"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// step is what happens to a proxy in a test of its log.
type step func(w *world)

// logTest is an exchange and a part of the line that it leaves.
type logTest struct {
	name   string
	first  step // its line is not looked at
	do     step
	answer func(a *ask) string
	want   string
}

// logTests has one for each kind of exchange.
func logTests() []logTest {
	const fresh = "Cache-Control: max-age=60"
	get := func(lines ...string) step { return func(w *world) { w.get(host+"/?q", lines...) } }
	return []logTest{
		{"miss", nil, get("Authorization: Basic c2VjcmV0"), func(a *ask) string {
			time.Sleep(1500 * time.Millisecond)
			return respond(200, "body", "Cache-Control: s-maxage=60")
		}, `"client":"-","method":"GET","url":"http://192.0.2.1/?q","proto":"HTTP/1.1","status":200,"in":0,"out":4,"duration_ms":1500.000,"decision":"miss","reason":"explicit-freshness","cache_status":"jay; fwd=uri-miss; fwd-status=200; stored; ttl=59; detail=explicit-freshness","origin":"192.0.2.1:80"`},
		{"hit", get(), get(), always(respond(200, "body", fresh)), `"status":200,"in":0,"out":4,"duration_ms":0.000,"decision":"hit","reason":"fresh","cache_status":"jay; hit; ttl=60; detail=fresh"`},
		{"condition", get(), get(`If-None-Match: "1"`), always(respond(200, "body", fresh, `ETag: "1"`)), `"status":304,"in":0,"out":0,"duration_ms":0.000,"decision":"hit","reason":"fresh"`},
		{"revalidated", get(), get("Cache-Control: no-cache"), func(a *ask) string {
			if a.nth > 0 {
				return notModified
			}
			return respond(200, "body", fresh, `ETag: "1"`)
		}, `"status":200,"in":0,"out":4,"duration_ms":0.000,"decision":"revalidated","reason":"request-no-cache"`},
		{"updated", get(), get("Cache-Control: no-cache"), always(respond(200, "body", fresh)), `"decision":"miss","reason":"explicit-freshness"`},
		{"pass", nil, func(w *world) {
			c := w.client()
			c.send(request("POST", host+"/", "12345"))
			c.read("POST")
		}, always(respond(200, "body")), `"method":"POST","url":"http://192.0.2.1/","proto":"HTTP/1.1","status":200,"in":5,"out":4,"duration_ms":0.000,"decision":"pass","reason":"method"`},
		{"error", nil, get(), always(""), `"status":502,"in":0,"out":83,"duration_ms":0.000,"decision":"error","reason":"connection_terminated","proxy_status":"jay; error=connection_terminated"`},
		{"malformed", nil, func(w *world) {
			c := w.client()
			c.send("GET / HTTP/1.1\r\nHost: a\x00b\r\n\r\n")
			c.read("GET")
		}, nil, `"client":"-","url":"-","status":400,"in":0`},
		{"left", nil, func(w *world) {
			c := w.client()
			c.send(request("GET", host+"/", ""))
			time.Sleep(time.Second)
			c.Close()
		}, func(a *ask) string {
			a.gone()
			return ""
		}, `"url":"http://192.0.2.1/","proto":"HTTP/1.1","status":0,"in":0,"out":0,"duration_ms":1000.000,"decision":"miss","cause":"client-closed"`},
		{"broke off", nil, get(), func(a *ask) string {
			a.say("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc")
			return ""
		}, `"status":200,"in":0,"out":3,"duration_ms":0.000,"decision":"miss","reason":"no-explicit-freshness","cache_status":"jay; fwd=uri-miss; fwd-status=200; detail=no-explicit-freshness","origin":"192.0.2.1:80","cause":"http_response_incomplete"`},
		{"tunnel", nil, func(w *world) {
			w.origin.raw = func(c net.Conn) {
				io.ReadFull(c, make([]byte, 4))
				io.WriteString(c, "answer")
				c.Close()
			}
			c := w.client()
			c.send("CONNECT 192.0.2.1:443 HTTP/1.1\r\nHost: h\r\nProxy-Authorization: Basic c2VjcmV0\r\n\r\nping")
			c.readHead()
			io.ReadAll(c.r)
		}, nil, `"method":"CONNECT","url":"192.0.2.1:443","proto":"HTTP/1.1","status":200,"in":4,"out":6,"duration_ms":0.000,"decision":"tunnel","origin":"192.0.2.1:443","kind":"connect","cause":"origin-closed"`},
	}
}

// TestLog checks the line for each kind of exchange: what was decided and why, bytes and time, and nothing secret.
func TestLog(t *testing.T) {
	for _, tt := range logTests() {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRecords(t)
				t.Cleanup(func() { r.log.Close() })
				w := newWorld(t, Options{Access: r.log}, tt.answer)
				if tt.first != nil {
					tt.first(w)
					synctest.Wait() // for its line
				}
				tt.do(w)
				synctest.Wait()
				r.log.Close()
				lines := strings.Split(strings.TrimSpace(r.buf.String()), "\n")
				if got := lines[len(lines)-1]; !strings.Contains(got, tt.want) || strings.Contains(got, "c2VjcmV0") {
					t.Errorf("got  %s\nwant %s", got, tt.want)
				}
			})
		})
	}
}
