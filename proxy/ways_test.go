package proxy

import (
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jayproxy/jay/proxy/parent"
	"github.com/jayproxy/jay/proxy/policy"
)

// TestParent_reach: behind a parent, too, other machines' clients get nowhere they may not go, and nobody gets to this
// machine, to its links or to Jay through one.
func TestParent_reach(t *testing.T) {
	remote, here := "10.0.0.7:1", ""
	tests := []struct {
		from, url string
		status    int
		dials     string
	}{
		{remote, "http://127.0.0.1/", 403, ""},
		{remote, "http://[::1]/", 403, ""},
		{remote, "http://[::ffff:127.0.0.1]/", 403, ""},
		{remote, "http://0.0.0.0/", 403, ""},
		{remote, "http://169.254.169.254/", 403, ""},
		{remote, "http://[fe80::1]/", 403, ""},
		{remote, "http://192.168.1.1/", 403, ""},
		{remote, "http://100.64.0.1/", 403, ""},
		{remote, "http://224.0.0.1/", 403, ""},
		{remote, "http://127.1/", 502, ""},
		{remote, "http://2130706433/", 502, ""},
		{remote, "http://0x7f000001/", 502, ""},
		{remote, "http://93.184.216.34:25/", 403, ""},
		{remote, "http://93.184.216.34/", 200, firstParent},
		{remote, "http://a.example/", 200, firstParent},
		{here, "http://127.0.0.1/", 200, "127.0.0.1:80"},
		{here, "http://169.254.169.254/", 200, "169.254.169.254:80"},
		{here, "http://[::1]/", 200, "[::1]:80"},
		{here, "http://192.168.1.1/", 200, firstParent},
		{here, "http://127.1/", 502, ""},
	}
	for _, tt := range tests {
		for _, tunnel := range []bool{false, true} {
			o := Options{Parents: parentsOf(t, firstParent), DenyPrivate: true}
			inBubble(t, o, asParent(always(respond(200, "ok"))), func(t *testing.T, w *world) {
				c := w.clientOf(Explicit, tt.from, "")
				var a *answer
				if tunnel {
					host := strings.TrimSuffix(strings.TrimPrefix(tt.url, "http://"), "/")
					if !strings.HasSuffix(host, ":25") {
						host += ":80"
					}
					c.send("CONNECT " + host + " HTTP/1.1\r\nHost: " + host + "\r\n\r\n")
					a = c.readHead()
				} else {
					a = c.get(tt.url)
				}
				if a.status != tt.status || strings.Join(w.origin.dials, " ") != tt.dials {
					t.Errorf("%q %s, tunnel %v: got %s, dialled %v; want %d, %q", tt.from, tt.url, tunnel, a.line, w.origin.dials, tt.status, tt.dials)
				}
			})
		}
	}
}

// TestParent_localhost: the name of this machine means this machine, not the parent.
func TestParent_localhost(t *testing.T) {
	p := &Proxy{}
	for host, want := range map[string]bool{
		"localhost": true, "localhost.": true, "a.localhost": true, "127.0.0.1": true, "127.9.9.9": true, "::1": true, "0.0.0.0": true, "::": true,
		"::ffff:127.0.0.1": true, "fe80::1": true, "169.254.1.1": true, "64:ff9b::7f00:1": true,
		"notlocalhost": false, "localhost.example": false, "10.0.0.1": false, "a.example": false, "2001:db8::1": false,
	} {
		if got := p.stays(host); got != want {
			t.Errorf("%s: got %v; want %v", host, got, want)
		}
	}
}

// TestParent_loops_E5: a parent that is Jay itself, and a way through parents that leads back, end at once.
func TestParent_loops_E5(t *testing.T) {
	o := Options{Parents: parentsOf(t, "10.1.1.1:3128")}
	inBubble(t, o, always(respond(200, "ok")), func(t *testing.T, w *world) {
		defer w.p.Reserve(net.TCPAddrFromAddrPort(netip.MustParseAddrPort("10.1.1.1:3128")))()
		if a := w.get("http://a.example/"); a.status != 508 || len(w.origin.dials) != 0 {
			t.Errorf("Jay as its own parent: got %s, dialled %v; want 508", a.line, w.origin.dials)
		}
	})
	inBubble(t, Options{Parents: parentsOf(t, firstParent)}, nil, func(t *testing.T, w *world) {
		if a := w.get("http://a.example/", "Via: 1.1 jay-test, 1.1 up"); a.status != 508 {
			t.Errorf("back from the parent: got %s; want 508", a.line)
		}
		c := w.client()
		c.send("CONNECT a.example:443 HTTP/1.1\r\nHost: a\r\nVia: 1.1 jay-test\r\n\r\n")
		if a := c.readHead(); a.status != 508 || len(w.origin.dials) != 0 {
			t.Errorf("CONNECT back from the parent: got %s; want 508", a.line)
		}
	})
}

// TestParent_policy: rules about names hold as ever; rules about addresses are asked about what the name is here, and hold
// for no name that is nothing here.
func TestParent_policy(t *testing.T) {
	dns := &nameserver{addrs: map[string]string{"inside.test": "10.1.1.1", "outside.test": "93.184.216.34"}}
	noInside := policy.Rule{Name: "no-inside", Action: policy.Deny, To: []string{"10.0.0.0/8", ".evil.test"}}
	for _, tt := range []struct {
		host   string
		status int
	}{{"inside.test", 403}, {"outside.test", 200}, {"unknown.test", 200}, {"a.evil.test", 403}, {"10.1.1.1", 403}} {
		o := Options{Parents: parentsOf(t, firstParent), Policy: rulesOf(t, noInside), DNS: dns.dns()}
		inBubble(t, o, asParent(always(respond(200, "ok", "Cache-Control: max-age=60"))), func(t *testing.T, w *world) {
			for i := range 2 {
				a := w.get("http://" + tt.host + "/")
				if a.status != tt.status {
					t.Errorf("%s: got %s; want %d", tt.host, a.line, tt.status)
				}
				if hit := strings.Contains(a.cacheStatus(), "; hit"); hit != (i == 1 && tt.status == 200) {
					t.Errorf("%s: got %s", tt.host, a.cacheStatus())
				}
			}
			c := w.client()
			c.send("CONNECT " + tt.host + ":443 HTTP/1.1\r\nHost: a\r\n\r\n")
			if a := c.readHead(); a.status != tt.status {
				t.Errorf("CONNECT %s: got %s; want %d", tt.host, a.line, tt.status)
			}
		})
	}
}

// TestParent_rules: the rules decide by destination and by how the request comes.
func TestParent_rules(t *testing.T) {
	o := parent.Options{Else: []parent.Spec{specOf(firstParent)}, Rules: []parent.Rule{
		{Match: policy.Rule{Name: "near", To: []string{"192.0.2.0/24"}}, Use: []parent.Spec{{}}},
		{Match: policy.Rule{Name: "tunnels", Via: policy.Connect}, Use: []parent.Spec{specOf(secondParent)}},
	}}
	inBubble(t, Options{Parents: parentsWith(t, o)}, asParent(always(respond(200, "ok"))), func(t *testing.T, w *world) {
		w.get("http://192.0.2.1/")
		w.get("http://a.example/")
		c := w.client()
		c.send("CONNECT a.example:443 HTTP/1.1\r\nHost: a\r\n\r\n")
		c.readHead()
		if want := []string{"192.0.2.1:80", firstParent, secondParent}; !slices.Equal(w.origin.dials, want) {
			t.Errorf("dialled %q; want %q", w.origin.dials, want)
		}
	})
}

// TestParent_log: the log names the parent and its address; failures name it, too.
func TestParent_log(t *testing.T) {
	rec := newRecords(t)
	inBubble(t, Options{Parents: parentsOf(t, firstParent)}, asParent(always(respond(200, "ok"))), func(t *testing.T, w *world) {
		w.p.opt().Access = rec.log
		w.get("http://a.example/")
		c := w.client()
		c.send("CONNECT a.example:443 HTTP/1.1\r\nHost: a\r\n\r\n")
		c.readHead()
		c.Close()
		synctest.Wait()
	})
	for i, l := range rec.all(t) {
		if l.Parent != "http://"+firstParent || l.Origin != firstParent {
			t.Errorf("line %d: got parent %q, origin %q; want %s", i, l.Parent, l.Origin, firstParent)
		}
	}
}

// TestParent_explain: an explanation says on which way the origin would be asked.
func TestParent_explain(t *testing.T) {
	o := Options{Parents: parentsOf(t, firstParent, secondParent, "direct")}
	inBubble(t, o, always(respond(200, "ok")), func(t *testing.T, w *world) {
		now := time.Now()
		w.p.opt().Parents.All()[0].Failed(now, now, "x")
		e, err := w.p.Explain(t.Context(), ExplainRequest{URL: "http://a.example/", Ask: AskNever})
		want := []string{"http://" + firstParent + " (down)", "http://" + secondParent, "direct"}
		if err != nil || !slices.Equal(e.Parents, want) || e.ParentRule != "parent" || !strings.Contains(e.String(), strings.Join(want, ", ")+", by the rule parent.\n") {
			t.Errorf("got %q, %v by %q\n%s", e.Parents, err, e.ParentRule, e.String())
		}
		if e, _ := w.p.Explain(t.Context(), ExplainRequest{URL: "http://127.0.0.1/", Ask: AskNever}); !slices.Equal(e.Parents, []string{"direct"}) || e.ParentRule != "" {
			t.Errorf("this machine: got %q by %q; want direct", e.Parents, e.ParentRule)
		}
	})
}
