package proxy

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jayproxy/jay/proxy/access"
	"github.com/jayproxy/jay/proxy/policy"
	"github.com/jayproxy/jay/proxy/wire"
)

// rulesOf is a policy of some rules that allows what they do not decide.
func rulesOf(t testing.TB, rules ...policy.Rule) *policy.Policy {
	t.Helper()
	p, err := policy.New(policy.Options{Rules: rules, Default: policy.Allow})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// records is an access log that a test reads.
type records struct {
	mu  sync.Mutex
	buf bytes.Buffer
	log *access.Log
}

// Write takes lines of the log.
func (r *records) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.buf.Write(p)
}

func newRecords(t testing.TB) *records {
	t.Helper()
	r := &records{}
	log, err := access.Open(access.Options{Path: "-", Format: access.JSON, Stdout: r})
	if err != nil {
		t.Fatal(err)
	}
	r.log = log
	return r
}

// line is what the log says about an exchange.
type line struct {
	Method, URL, User, Rule, Reported, Decision, Reason, Kind string
	Parent, Origin                                            string
	Status                                                    int
	Proxy                                                     string `json:"proxy_status"`
}

// all ends the log and reads it.
func (r *records) all(t testing.TB) []line {
	t.Helper()
	if err := r.log.Close(); err != nil {
		t.Fatal(err)
	}
	var out []line
	for d := json.NewDecoder(&r.buf); d.More(); {
		var l line
		if err := d.Decode(&l); err != nil {
			t.Fatal(err)
		}
		out = append(out, l)
	}
	return out
}

// TestPolicy_refusal checks what a refused client sees and what the log says, however the request comes.
func TestPolicy_refusal(t *testing.T) {
	deny := policy.Rule{Name: "no-evil", Action: policy.Deny, To: []string{".evil.test", "203.0.113.9"}}
	upgrade := "Connection: Upgrade\r\nUpgrade: websocket\r\n"
	tests := []struct {
		mode     Mode
		to, send string
		rule     policy.Rule
	}{
		{Explicit, "", "GET http://www.Evil.test./a HTTP/1.1\r\nHost: www.evil.test\r\n\r\n", deny},
		{Explicit, "", "GET https://evil.test/ HTTP/1.1\r\nHost: evil.test\r\n\r\n", deny},
		{Explicit, "", "GET http://203.0.113.9/ HTTP/1.1\r\nHost: a.test\r\n\r\n", deny},
		{Explicit, "", "GET http://[::ffff:203.0.113.9]/ HTTP/1.1\r\nHost: a.test\r\n\r\n", deny},
		{Explicit, "", "CONNECT evil.test:443 HTTP/1.1\r\nHost: evil.test\r\n\r\n", deny},
		{Explicit, "", "CONNECT 203.0.113.9:443 HTTP/1.1\r\nHost: a.test\r\n\r\n", deny},
		{Explicit, "", "PUT http://192.0.2.1/ HTTP/1.1\r\nHost: a.test\r\nContent-Length: 1\r\n\r\nx", policy.Rule{Name: "no-put", Action: policy.Deny, Methods: []string{"PUT"}}},
		{Explicit, "", "PURGE http://192.0.2.1/ HTTP/1.1\r\nHost: a.test\r\n\r\n", policy.Rule{Name: "no-purge", Action: policy.Deny, Methods: []string{"PURGE"}}},
		{Explicit, "", "GET http://192.0.2.1:81/ HTTP/1.1\r\nHost: a.test\r\n\r\n", policy.Rule{Name: "no-81", Action: policy.Deny, Ports: []policy.PortRange{{First: 81, Last: 81}}}},
		{Explicit, "", "GET http://192.0.2.1/ HTTP/1.1\r\nHost: a.test\r\n" + upgrade + "\r\n", policy.Rule{Name: "no-ws", Action: policy.Deny, Via: policy.Upgrade}},
		{Explicit, "", "CONNECT 192.0.2.1:443 HTTP/1.1\r\nHost: a.test\r\n\r\n", policy.Rule{Name: "no-tunnel", Action: policy.Deny, Via: policy.Connect}},
		{Explicit, "", "GET http://192.0.2.1/ HTTP/1.1\r\nHost: a.test\r\n\r\n", policy.Rule{Name: "not-you", Action: policy.Deny, Clients: []netip.Prefix{netip.MustParsePrefix("10.0.0.7/32")}}},
		{ByHost, "", "GET / HTTP/1.1\r\nHost: www.evil.test\r\n\r\n", deny},
		{TProxy, "203.0.113.9:80", "GET / HTTP/1.1\r\nHost: 203.0.113.9\r\n\r\n", deny},
		{TProxy, "93.184.216.34:80", "GET / HTTP/1.1\r\nHost: evil.test\r\n\r\n", deny},   // a lie, or another resolver's truth
		{TProxy, "203.0.113.9:80", "GET / HTTP/1.1\r\nHost: 93.184.216.34\r\n\r\n", deny}, // a lie
		{TProxy, "93.184.216.34:80", "GET / HTTP/1.1\r\nHost: 93.184.216.34\r\n\r\n", policy.Rule{Name: "no-catch", Action: policy.Deny, Via: policy.Intercept}},
	}
	for _, tt := range tests {
		inBubble(t, Options{Policy: rulesOf(t, tt.rule)}, always(respond(200, "ok")), func(t *testing.T, w *world) {
			rec := newRecords(t)
			w.p.opt().Access = rec.log
			c := w.clientOf(tt.mode, "10.0.0.7:1234", tt.to)
			if tt.mode == Explicit && tt.rule.Clients == nil {
				c = w.client()
			}
			c.send(tt.send)
			a := c.read("GET")
			name := tt.rule.Name
			if a.status != 403 || a.get("Proxy-Status") != `jay; error=http_request_denied; details="rule `+name+`"` || !strings.Contains(a.body, `"`+name+`"`) || a.get("Connection") != "close" {
				t.Errorf("%v %q: got %s, %q, %q; want 403 by %s and close", tt.mode, tt.send, a.line, a.head, a.body, name)
			}
			c.Close()
			synctest.Wait()
			if len(w.origin.dials) != 0 {
				t.Errorf("%v %q: dialled %v; want nothing", tt.mode, tt.send, w.origin.dials)
			}
			if l := rec.all(t); len(l) != 1 || l[0].Rule != name || l[0].Decision != "denied" || l[0].Status != 403 {
				t.Errorf("%v %q: log %+v; want one line, denied by %s", tt.mode, tt.send, l, name)
			}
		})
	}
}

// TestPolicy_E2_E3_E4 sends clients on this machine, whom nothing but the policy holds back, to hostile destinations: by
// literal, by name, and by a name that changes its mind, through every kind of listener.
func TestPolicy_E2_E3_E4(t *testing.T) {
	blocks := []string{"0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24", "192.168.0.0/16",
		"198.18.0.0/15", "224.0.0.0/3", "::/128", "::1/128", "fc00::/7", "fe80::/10", "ff00::/8"}
	rules := rulesOf(t, policy.Rule{Name: "hostile", Action: policy.Deny, To: blocks})
	four := []string{"0.0.0.0", "0.1.2.3", "10.0.0.1", "100.64.0.1", "127.0.0.1", "127.1.2.3", "169.254.169.254", "169.254.0.1", "172.16.0.1", "172.31.255.255",
		"192.0.0.1", "192.168.1.1", "198.18.0.1", "198.19.255.255", "224.0.0.1", "240.0.0.1", "255.255.255.255"}
	six := []string{"::", "::1", "fd00::1", "fe80::1", "ff02::1", "::ffff:127.0.0.1", "::ffff:a9fe:a9fe", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "2002:7f00:1::", "::127.0.0.1", "2002:0a00:0001::7"}
	dns := &nameserver{addrs: map[string]string{}}
	inBubble(t, Options{Policy: rules, DNS: dns.dns()}, always(respond(200, "ok")), func(t *testing.T, w *world) {
		refused := func(mode Mode, to, send string) {
			t.Helper()
			c := w.clientOf(mode, "127.0.0.1:9", to)
			defer c.Close()
			c.send(send)
			if a := c.readHead(); a.status != 403 || a.get("Connection") != "close" || !strings.Contains(a.get("Proxy-Status"), "rule hostile") {
				t.Errorf("%v %.50q: got %s %q; want 403 by hostile, and close", mode, send, a.line, a.head)
			}
		}
		each := func(host string) {
			t.Helper()
			refused(Explicit, "", "GET http://"+host+"/ HTTP/1.1\r\nHost: h\r\n\r\n")
			refused(Explicit, "", "CONNECT "+host+":443 HTTP/1.1\r\nHost: h\r\n\r\n")
			refused(ByHost, "", "GET / HTTP/1.1\r\nHost: "+host+"\r\n\r\n")
		}
		for i, ip := range four {
			name := fmt.Sprintf("h%d.test", i)
			dns.set(name, ip)
			each(ip)
			each(name)
			each(strings.ToUpper(name) + ".")
			refused(TProxy, ip+":80", "GET / HTTP/1.1\r\nHost: "+name+"\r\n\r\n")
		}
		for _, ip := range six {
			each("[" + ip + "]")
			refused(TProxy, "["+ip+"]:80", "GET / HTTP/1.1\r\nHost: ["+ip+"]\r\n\r\n")
		}
		if len(w.origin.dials) != 0 {
			t.Errorf("dialled %v; want nothing", w.origin.dials)
		}
		for i, ip := range four {
			name := fmt.Sprintf("rebind%d.test", i)
			dns.set(name, "93.184.216.34")
			if a := w.get("http://" + name + "/"); a.status != 200 {
				t.Errorf("%s before: got %s; want 200", name, a.line)
			}
			dns.set(name, ip)
			time.Sleep(31 * time.Second) // what is known of names is forgotten
			w.p.direct.CloseIdle()
			each(name)
		}
		for _, d := range w.origin.dials {
			if d != "93.184.216.34:80" {
				t.Errorf("dialled %s; want only the good address", d)
			}
		}
	})
}

// TestPolicy_addresses checks that a client who may not reach an address gets nothing that another has fetched from it: no
// stored response, no part in a fetch, no open connection.
func TestPolicy_addresses(t *testing.T) {
	dns := &nameserver{addrs: map[string]string{"lan.test": "10.9.9.9", "both.test": "10.9.9.9"}}
	rules := rulesOf(t,
		policy.Rule{Name: "boss", Action: policy.Allow, Clients: []netip.Prefix{netip.MustParsePrefix("10.0.0.1/32")}, To: []string{"10.0.0.0/8"}},
		policy.Rule{Name: "lan", Action: policy.Deny, To: []string{"10.0.0.0/8"}})
	var slow chan struct{}
	answer := func(a *ask) string {
		if a.target == "/slow" {
			<-slow
		}
		return respond(200, "secret", "Cache-Control: max-age=60")
	}
	inBubble(t, Options{Policy: rules, DNS: dns.dns()}, answer, func(t *testing.T, w *world) {
		slow = make(chan struct{})
		boss, other := w.clientOf(Explicit, "10.0.0.1:1", ""), func() *client { return w.clientOf(Explicit, "10.0.0.2:1", "") }
		refused := func(url string) {
			t.Helper()
			if a := other().get(url); a.status != 403 || strings.Contains(a.body, "secret") || !strings.Contains(a.get("Proxy-Status"), `"rule lan"`) {
				t.Errorf("%s: got %s %q; want 403 by lan", url, a.line, a.body)
			}
		}
		for range 2 { // fetched, and stored
			if a := boss.get("http://lan.test/a"); a.body != "secret" {
				t.Fatalf("the boss gets %s", a.line)
			}
		}
		refused("http://lan.test/a") // stored
		refused("http://lan.test/b") // over the connection that is open
		boss.send(request("GET", "http://lan.test/slow", ""))
		synctest.Wait()
		denied := other()
		denied.send(request("GET", "http://lan.test/slow", ""))
		time.Sleep(time.Second)
		close(slow)
		if a := denied.read("GET"); a.status != 403 || strings.Contains(a.body, "secret") {
			t.Errorf("beside a fetch: got %s %q; want 403", a.line, a.body)
		}
		if a := boss.read("GET"); a.body != "secret" {
			t.Errorf("the boss gets %s", a.line)
		}
		if n := w.origin.count("/b"); n != 0 {
			t.Errorf("%d requests for /b; want none", n)
		}
	})
}

// TestPolicy_report checks that a report rule lets pass and is logged, on the ordinary path and in the lane.
func TestPolicy_report(t *testing.T) {
	rules := rulesOf(t,
		policy.Rule{Name: "would", Action: policy.Report, To: []string{"192.0.2.0/24"}},
		policy.Rule{Name: "too", Action: policy.Report, Methods: []string{"GET"}},
		policy.Rule{Name: "fine", Action: policy.Allow, Methods: []string{"GET"}})
	inBubble(t, Options{Policy: rules}, always(respond(200, "ok", "Cache-Control: max-age=60")), func(t *testing.T, w *world) {
		rec := newRecords(t)
		w.p.opt().Access = rec.log
		for range 2 {
			if a := w.get(host + "/"); a.status != 200 {
				t.Errorf("got %s; want 200", a.line)
			}
			synctest.Wait() // a record is written after the answer
		}
		for i, l := range rec.all(t) {
			if l.Reported != "would,too" || l.Rule != "fine" || l.Decision != []string{"miss", "hit"}[i] {
				t.Errorf("log %+v; want it reported by would and too, allowed by fine", l)
			}
		}
	})
}

// TestPolicy_another checks that new rules hold for what is stored and for connections that are open.
func TestPolicy_another(t *testing.T) {
	inBubble(t, Options{Policy: rulesOf(t)}, always(respond(200, "ok", "Cache-Control: max-age=60")), func(t *testing.T, w *world) {
		c := w.client()
		for range 2 {
			if a := c.get(host + "/"); a.status != 200 {
				t.Fatalf("got %s; want 200", a.line)
			}
		}
		deny, err := policy.New(policy.Options{Rules: []policy.Rule{{Name: "none", Action: policy.Allow, Methods: []string{"NONE"}}}, Default: policy.Deny})
		if err != nil {
			t.Fatal(err)
		}
		w.reconfigure(Options{Policy: deny})
		if a := c.get(host + "/"); a.status != 403 || !strings.Contains(a.body, `"default"`) {
			t.Errorf("after an update: got %s %q; want 403 by default", a.line, a.body)
		}
	})
}

// TestPolicy_raw checks connections that are relayed untouched: by the name that a TLS client asks for and by address.
func TestPolicy_raw(t *testing.T) {
	hello := clientHello("www.evil.test")
	deny := policy.Rule{Name: "no-evil", Action: policy.Deny, To: []string{".evil.test", "203.0.113.9"}}
	pages := policy.Rule{Name: "pages", Action: policy.Allow, To: []string{".evil.test"}}
	rest := policy.Rule{Name: "rest", Action: policy.Deny}
	dns := &nameserver{addrs: map[string]string{"www.evil.test": "93.184.216.34"}}
	tests := []struct {
		name  string
		rules []policy.Rule
		to    string
		send  []byte
		rule  string // of the refusal; empty: relayed
	}{
		{"name", []policy.Rule{deny}, "93.184.216.34:443", hello, "no-evil"},
		{"address", []policy.Rule{deny}, "203.0.113.9:443", hello[:3], "no-evil"},
		{"other port", []policy.Rule{deny}, "93.184.216.34:8443", hello, "no-evil"},
		{"another name", []policy.Rule{deny}, "93.184.216.34:443", clientHello("good.test"), ""},
		{"no name", []policy.Rule{deny}, "93.184.216.34:443", []byte("\x00\x01\x02"), ""},
		{"proven name", []policy.Rule{pages, rest}, "93.184.216.34:443", hello, ""},
		{"borrowed name", []policy.Rule{pages, rest}, "93.184.216.35:443", hello, "rest"},
		{"unknown name", []policy.Rule{pages, rest}, "93.184.216.34:443", clientHello("x.evil.test"), "rest"},
	}
	for _, tt := range tests {
		inBubble(t, Options{Policy: rulesOf(t, tt.rules...), DNS: dns.dns()}, func(*ask) string { return "" }, func(t *testing.T, w *world) {
			rec := newRecords(t)
			w.p.opt().Access = rec.log
			c := w.clientOf(TProxy, "10.0.0.7:1", tt.to)
			c.send(string(tt.send[:len(tt.send)/2]))
			time.Sleep(100 * time.Millisecond)
			c.send(string(tt.send[len(tt.send)/2:]))
			time.Sleep(10 * time.Second)
			synctest.Wait()
			if dialled := len(w.origin.dials) > 0; dialled != (tt.rule == "") {
				t.Errorf("%s: dialled %v; want refusal by %q", tt.name, w.origin.dials, tt.rule)
			}
			c.Close()
			synctest.Wait()
			if l := rec.all(t); tt.rule != "" && (len(l) != 1 || l[0].Rule != tt.rule || l[0].Decision != "denied" || l[0].Kind != "intercept") {
				t.Errorf("%s: log %+v; want denied by %s", tt.name, l, tt.rule)
			}
		})
	}
}

// clientHello is the first message of a TLS client that asks for a name.
func clientHello(name string) []byte {
	sni := append([]byte{0, byte(len(name) + 3), 0, 0, byte(len(name))}, name...)
	ext := append([]byte{0, 0, 0, byte(len(sni))}, sni...)
	body := append(append([]byte{3, 3}, make([]byte, 32)...), 0, 0, 2, 0x13, 1, 1, 0, 0, byte(len(ext)))
	body = append(body, ext...)
	msg := append([]byte{1, 0, 0, byte(len(body))}, body...)
	return append([]byte{22, 3, 1, 0, byte(len(msg))}, msg...)
}

// TestLanePermit_allocations checks that the lane stays free of allocations with a policy and logins.
func TestLanePermit_allocations(t *testing.T) {
	rules := rulesOf(t,
		policy.Rule{Name: "lan", Action: policy.Deny, To: []string{"10.0.0.0/8"}},
		policy.Rule{Name: "watch", Action: policy.Report, To: []string{".example.test"}},
		policy.Rule{Name: "anna", Action: policy.Allow, Users: []string{"anna"}})
	login := guarded(t)
	w := newWorld(t, Options{Policy: rules, Auth: login}, always(""))
	c := &conn{p: w.p, opt: w.p.opt(), mode: Explicit, client: netip.MustParseAddrPort("10.0.0.7:1")}
	head := "GET http://www.example.test:8080/ HTTP/1.1\r\nHost: www.example.test:8080\r\n" + credentials("anna", "sesame") + "\r\n\r\n"
	if err := wire.ParseRequest(head, wire.DefaultLimits(), &c.req); err != nil {
		t.Fatal(err)
	}
	now, e := time.Now(), &entry{Meta: stored{addr: netip.MustParseAddrPort("192.0.2.1:8080")}}
	if _, _, ok := c.lanePermit(now, e); ok || !c.plain(time.Now()) {
		t.Error("the lane lets in whom nobody has looked at, or is closed to those who log in")
	}
	login.Check(now, c.client.Addr(), c.req.Fields.Get("Proxy-Authorization"))
	user, d, ok := c.lanePermit(now, e)
	if !ok || user != "anna" || d.Rule != "anna" || len(d.Reported) != 1 {
		t.Errorf("lanePermit = %q, %+v, %v; want anna by anna, reported", user, d, ok)
	}
	if n := testing.AllocsPerRun(100, func() { c.lanePermit(now, e) }); n != 0 {
		t.Errorf("lanePermit allocates %v times; want 0", n)
	}
	e.Meta.addr = netip.MustParseAddrPort("10.0.0.1:8080")
	if _, d, ok := c.lanePermit(now, e); ok || d.Rule != "lan" {
		t.Errorf("for a response from the LAN: %+v, %v; want lan to refuse", d, ok)
	}
}

// TestReach_parts checks that parts from where clients on other machines must not reach do not become theirs by being joined
// with parts of the same tag from elsewhere.
func TestReach_parts(t *testing.T) {
	for _, local := range []string{"bytes=0-49", "bytes=0-49,60-69", ""} {
		ns := &nameserver{addrs: map[string]string{"a.test": "10.9.9.9"}}
		secret, public := strings.Repeat("s", 100), strings.Repeat("p", 100)
		inBubble(t, Options{DNS: ns.dns(), DenyPrivate: true}, func(a *ask) string {
			if strings.HasPrefix(a.o.dials[a.conn], "10.") {
				return ranged(a, secret, `"1"`, "Cache-Control: max-age=600")
			}
			return ranged(a, public, `"1"`, "Cache-Control: max-age=600")
		}, func(t *testing.T, w *world) {
			w.get("http://a.test/", "Range: bytes=0-49")
			synctest.Wait()
			time.Sleep(2 * time.Minute)
			ns.set("a.test", "93.184.216.34")
			for range 2 {
				for _, want := range []string{"bytes=50-99", "bytes=0-49", "bytes=20-79"} {
					a := w.clientOf(Explicit, "10.0.0.7:1234", "").get("http://a.test/", "Range: "+want)
					if strings.Contains(a.body, "s") || a.status != 206 {
						t.Errorf("%s: got %q %q %q", want, a.line, a.cacheStatus(), a.body)
					}
					w.get("http://a.test/", rangeLine(local)...)
					synctest.Wait()
				}
			}
		})
	}
}

// TestPolicy_parts checks the same for an address that the policy keeps from some clients: parts from there stay theirs who
// may have them, also when they are joined with parts from an address that all may reach.
func TestPolicy_parts(t *testing.T) {
	dns := &nameserver{addrs: map[string]string{"a.test": "10.9.9.9"}}
	rules := rulesOf(t,
		policy.Rule{Name: "boss", Action: policy.Allow, Clients: []netip.Prefix{netip.MustParsePrefix("10.0.0.1/32")}, To: []string{"10.0.0.0/8"}},
		policy.Rule{Name: "lan", Action: policy.Deny, To: []string{"10.0.0.0/8"}})
	inBubble(t, Options{Policy: rules, DNS: dns.dns()}, func(a *ask) string {
		body := strings.Repeat(map[bool]string{true: "s", false: "p"}[strings.HasPrefix(a.o.dials[a.conn], "10.")], 100)
		return ranged(a, body, `"1"`, "Cache-Control: max-age=600")
	}, func(t *testing.T, w *world) {
		get := func(from, want string) *answer {
			defer synctest.Wait()
			return w.clientOf(Explicit, from, "").get("http://a.test/", "Range: "+want)
		}
		get("10.0.0.1:1", "bytes=0-49")
		time.Sleep(2 * time.Minute)
		dns.set("a.test", "93.184.216.34")
		for _, by := range []string{"10.0.0.1:1", "10.0.0.2:1"} {
			get(by, "bytes=50-99")
			for _, want := range []string{"bytes=0-49", "bytes=20-79", "bytes=50-99"} {
				if a := get("10.0.0.2:1", want); strings.Contains(a.body, "s") || a.status != 206 {
					t.Errorf("%s: got %q %q %q", want, a.line, a.cacheStatus(), a.body)
				}
			}
		}
	})
}
