package proxy

import (
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// shelf is a world with a few stored responses.
func shelf(t *testing.T, w *world) {
	t.Helper()
	for _, url := range []string{host + "/a", host + "/a?x", host + "/img/1", host + "/img/2", "http://192.0.2.2/a", "http://192.0.2.2:8080/a"} {
		w.get(url, "X-Kind: 1")
	}
	time.Sleep(10 * time.Minute)
	w.get(host+"/a", "X-Kind: 2")
	synctest.Wait()
}

func grouped(a *ask) string {
	group := `"pages"`
	if strings.HasPrefix(a.target, "/img/") {
		group = `"images", "all"`
	}
	return respond(200, "body", "Cache-Control: max-age=86400", "Vary: X-Kind", "Cache-Groups: "+group)
}

func TestPurge(t *testing.T) {
	tests := []struct {
		q    PurgeRequest
		want int
	}{
		{PurgeRequest{URL: host + "/a"}, 2},
		{PurgeRequest{URL: "HTTP://192.0.2.2:80/a#x"}, 1},
		{PurgeRequest{URL: host + "/nothing"}, 0},
		{PurgeRequest{URL: host + "/a", OlderThan: time.Minute}, 1},
		{PurgeRequest{Prefix: host + "/img/"}, 2},
		{PurgeRequest{Prefix: "HTTP://192.0.2.1:80/img/1"}, 1},
		{PurgeRequest{Prefix: "http://192.0.2.2:"}, 1},
		{PurgeRequest{Prefix: "HTTP://192.0.2.2"}, 2},
		{PurgeRequest{Host: "192.0.2.2"}, 2},
		{PurgeRequest{Host: "192.0.2.2:80"}, 1},
		{PurgeRequest{Host: "192.0.2.2:8080"}, 1},
		{PurgeRequest{Host: "192.0.2.2:443"}, 0},
		{PurgeRequest{Host: "2001:db8::1"}, 0},
		{PurgeRequest{Regexp: `/a$`}, 4},
		{PurgeRequest{Regexp: `\?x`, Host: "192.0.2.1"}, 1},
		{PurgeRequest{Group: "images"}, 2},
		{PurgeRequest{Group: "none"}, 0},
		{PurgeRequest{OlderThan: time.Minute}, 6},
		{PurgeRequest{OlderThan: time.Hour}, 0},
		{PurgeRequest{All: true}, 7},
	}
	for _, tt := range tests {
		inBubble(t, Options{}, grouped, func(t *testing.T, w *world) {
			shelf(t, w)
			dry := tt.q
			dry.DryRun = true
			if n, err := w.p.Purge(dry); err != nil || n != tt.want || w.p.Stats().Cache.Entries != 7 {
				t.Errorf("%+v: would be %d, %v, %d are left; want %d, 7", tt.q, n, err, w.p.Stats().Cache.Entries, tt.want)
			}
			n, err := w.p.Purge(tt.q)
			if left := w.p.Stats().Cache.Entries; err != nil || n != tt.want || left != int64(7-tt.want) {
				t.Errorf("%+v: %d, %v, %d are left; want %d", tt.q, n, err, left, tt.want)
			}
		})
	}
}

func TestPurge_Errors(t *testing.T) {
	w := newWorld(t, Options{}, grouped)
	bad := []PurgeRequest{
		{}, {DryRun: true}, {All: true, Host: "a"}, {Regexp: "("}, {URL: "nonsense"}, {URL: "nonsense", Host: "a"}, {OlderThan: -1},
		{Host: "a b"}, {Host: "http://a"}, {Host: "a:x"}, {Prefix: "example.com/img"}, {Prefix: "ftp://a/"}, {Prefix: "http://a b/"},
	}
	for _, q := range bad {
		if n, err := w.p.Purge(q); err == nil || n != 0 {
			t.Errorf("%+v: %d, %v; want an error", q, n, err)
		}
	}
}

// TestPurge_UnderWay: what was asked for before a purge is not stored after it.
func TestPurge_UnderWay(t *testing.T) {
	for _, q := range []PurgeRequest{{URL: host + "/"}, {Host: "192.0.2.1"}, {All: true}} {
		inBubble(t, Options{}, func(*ask) string {
			time.Sleep(time.Second)
			return respond(200, "body", "Cache-Control: max-age=60")
		}, func(t *testing.T, w *world) {
			c := w.client()
			c.send(request("GET", host+"/", ""))
			synctest.Wait()
			if _, err := w.p.Purge(q); err != nil {
				t.Fatal(err)
			}
			if a := c.read("GET"); a.body != "body" {
				t.Errorf("the client got %q", a.body)
			}
			synctest.Wait()
			if n := w.p.Stats().Cache.Entries; n != 0 {
				t.Errorf("%+v: %d stored after the purge", q, n)
			}
		})
	}
}

func TestPurge_Method(t *testing.T) {
	w := newWorld(t, Options{}, grouped)
	w.get(host+"/a", "X-Kind: 1")
	w.get(host+"/a", "X-Kind: 2")
	far := w.clientOf(Explicit, "10.0.0.9:1234", "10.0.0.1:3128")
	if a := far.do("PURGE", host+"/a"); a.status != 403 || w.p.Stats().Cache.Entries != 2 {
		t.Errorf("from another machine: %s, %d left; want 403 and 2", a.line, w.p.Stats().Cache.Entries)
	}
	if e := w.explain(ExplainRequest{Method: "PURGE", URL: host + "/a"}); e.Outcome != OutcomeRefuse || w.p.Stats().Cache.Entries != 2 {
		t.Errorf("explained: %+v, %d left", e, w.p.Stats().Cache.Entries)
	}
	near := w.clientOf(Explicit, "127.0.0.1:1234", "127.0.0.1:3128")
	if a := near.do("PURGE", host+"/a"); a.status != 200 || a.body != "2 removed\n" {
		t.Errorf("%s, %q; want 200, 2 removed", a.line, a.body)
	}
	if a := near.do("PURGE", host+"/a"); a.status != 404 || a.body != "0 removed\n" {
		t.Errorf("again: %s, %q; want 404, 0 removed", a.line, a.body)
	}
	if n := w.origin.count("/a"); n != 2 {
		t.Errorf("the origin was asked %d times; want 2", n)
	}
	e := w.explain(ExplainRequest{Method: "PURGE", URL: host + "/a", Client: netip.MustParseAddr("10.0.0.9")})
	if e.Reason != "http_request_denied" {
		t.Errorf("explained for another machine: %+v", e)
	}
}
