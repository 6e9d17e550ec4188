package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/jayproxy/jay/tunnel/netfilter"
)

// healthy are the facts of a machine on which all is well, with interception.
func healthy() *facts {
	now := time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)
	rules := []netfilter.Found{{Mode: "tproxy", IPv4: true, IPv6: true, Interfaces: []string{"lan0"}, Ports: []uint16{80, 443}, To: 3129}}
	return &facts{
		admin:       adminFact{address: "127.0.0.1:3127", version: "v1.2.3"},
		ports:       []portFact{{option: "listen", address: ":3128", state: portJay}, {option: "intercept", address: ":3129", state: portJay}},
		names:       []nameFact{{server: "192.0.2.53:53", host: "example.com", addresses: 2, took: 3 * time.Millisecond}},
		clock:       clockFact{now: now, built: now.Add(-time.Hour), url: "http://example.com/", date: now.Add(-time.Second)},
		descriptors: 65536, connections: 49152, memory: 8 << 30, cache: 2 << 30,
		intercept: interceptFact{
			mode: "tproxy", system: "linux", ports: []uint16{3129}, interfaces: []string{"lan0"}, rules: rules,
			ipv6: true, routed4: true, routed6: true, forward4: "1", forward6: "1",
		},
	}
}

// TestDiagnose: what is wrong is found, and nothing else. Each change says what the facts lead to.
func TestDiagnose(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(*facts)
		want   string // "level check: words in the text or the advice", one a line, of all that is neither good nor a note
	}{
		{"healthy", func(*facts) {}, ""},
		{"no Jay runs", func(f *facts) {
			f.admin = adminFact{address: "127.0.0.1:3127"}
			f.ports[0].state, f.ports[1].state = portFree, portFree
		}, ""},
		{"no admin", func(f *facts) { f.admin = adminFact{} }, ""},
		{"wrong token", func(f *facts) {
			f.admin = adminFact{address: "a", refused: true, err: errors.New("the Jay at a refuses: no token")}
		}, "problem admin: refuses: no token; admin-token-file"},
		{"taken", func(f *facts) { f.admin.version, f.ports[0].state = "", portTaken }, "problem ports: listen :3128 is taken by another program; ss -ltnp"},
		{"taken beside Jay", func(f *facts) { f.ports[0].state = portTaken }, "warning ports: listen :3128 is taken; PROXY protocol"},
		{"another configuration", func(f *facts) { f.ports[1].state = portFree }, "warning ports: intercept :3129 is free, although; restart"},
		{"no permission", func(f *facts) { f.ports[1].state, f.ports[1].err = portBad, errors.New("permission denied") }, "problem ports: :3129 cannot be listened on; permission denied"},
		{"resolver silent", func(f *facts) { f.names[0].timeout, f.names[0].err = true, errors.New("x") }, "problem names: 192.0.2.53:53 does not answer; dns-servers"},
		{"resolver fails", func(f *facts) { f.names[0].err = errors.New("SERVFAIL") }, "problem names: does not resolve example.com: SERVFAIL; dns-servers"},
		{"name unknown", func(f *facts) { f.names[0].notFound, f.names[0].err = true, errors.New("NXDOMAIN") }, ""},
		{"one of two resolvers", func(f *facts) { f.names = append(f.names, nameFact{server: "b", timeout: true, err: errors.New("x")}) }, "warning names: b does not answer; dns-servers"},
		{"resolver silent behind parents", func(f *facts) { f.names[0].timeout, f.names[0].err, f.behind = true, errors.New("x"), true }, "warning names: does not answer; dns-servers"},
		{"parent gone", func(f *facts) { f.parents = []parentFact{{"a:1", nil}, {"b:2", errors.New("connection refused")}} },
			"problem parents: b:2 cannot be connected to: connection refused; take it out"},
		{"clock before the program", func(f *facts) { f.clock.now = f.clock.built.Add(-time.Hour); f.clock.url = "" }, "problem clock: is before this program was built; NTP"},
		{"clock wrong", func(f *facts) { f.clock.date = f.clock.now.Add(10 * time.Minute) }, "problem clock: -10m0s off; NTP"},
		{"clock off", func(f *facts) { f.clock.date = f.clock.now.Add(-time.Minute) }, "warning clock: 1m0s off; NTP"},
		{"offline", func(f *facts) { f.clock.err = errors.New("502") }, "problem online: http://example.com/ cannot be fetched: 502; curl -v"},
		{"no Date", func(f *facts) { f.clock.date = time.Time{} }, ""},
		{"few descriptors", func(f *facts) { f.descriptors, f.connections = 1024, 768 }, "warning descriptors: 1024; LimitNOFILE"},
		{"too few descriptors", func(f *facts) { f.descriptors, f.connections = 1024, 1000 }, "problem descriptors: 1024 file descriptors are too few for 1000; LimitNOFILE"},
		{"descriptors unknown", func(f *facts) { f.descriptors = 0 }, ""},
		{"no memory", func(f *facts) { f.memory = 1 << 30 }, "problem memory: a cache of 2GiB does not fit into the 1GiB; cache-size"},
		{"little memory", func(f *facts) { f.memory = 2200 << 20 }, "warning memory: 2200MiB, 2GiB of them; cache-size"},
		{"memory unknown", func(f *facts) { f.memory = 0 }, ""},

		{"no interception", func(f *facts) { f.intercept = interceptFact{} }, ""},
		{"by Host", func(f *facts) { f.intercept = interceptFact{mode: "host", system: "linux"} }, ""},
		{"not Linux", func(f *facts) { f.intercept.system = "darwin" }, "problem interception: tproxy works on Linux only; intercept-mode host"},
		{"no rules", func(f *facts) { f.intercept.rules = nil }, "problem interception: no rule of the packet filter leads to port 3129; jay intercept-rules --mode tproxy --interface lan0 --apply"},
		{"not root", func(f *facts) {
			f.intercept.rules, f.intercept.rulesErr, f.intercept.routed4 = nil, errors.New("x"), false
		}, ""},
		{"no program", func(f *facts) {
			f.intercept.rules, f.intercept.rulesErr = nil, fmt.Errorf("x: %w", netfilter.ErrMissing)
		}, "problem interception: neither nftables nor iptables; install"},
		{"no IPv6 rule", func(f *facts) { f.intercept.rules[0].IPv6 = false }, "warning interception: no rule leads IPv6 to port 3129; --apply"},
		{"no IPv6 at all", func(f *facts) {
			f.intercept.rules[0].IPv6, f.intercept.ipv6, f.intercept.routed6, f.intercept.forward6 = false, false, false, ""
		}, ""},
		{"no IPv4 rule", func(f *facts) { f.intercept.rules[0].IPv4 = false }, "problem interception: no rule leads IPv4 to port 3129; --apply"},
		{"other mode", func(f *facts) { f.intercept.rules[0].Mode = "redirect" },
			"problem interception: a rule for redirect leads to port 3129, where Jay expects tproxy; intercept-mode\nproblem interception: no rule of the packet filter; --apply"},
		{"other port", func(f *facts) { f.intercept.rules[0].To = 8080 },
			"problem interception: no rule of the packet filter leads to port 3129; --apply\nwarning interception: ports 80, 443 to 8080, which is no intercept address; --remove"},
		{"others' rules", func(f *facts) {
			f.intercept.rules = append(f.intercept.rules, netfilter.Found{Mode: "redirect", IPv4: true, Ports: []uint16{25}, To: 2525})
		}, ""},
		{"no route", func(f *facts) { f.intercept.routed4 = false }, "problem interception: packets with the mark 1 do not stay on this machine (IPv4); --apply"},
		{"no IPv6 route", func(f *facts) { f.intercept.routed6 = false }, "problem interception: do not stay on this machine (IPv6); --apply"},
		{"REDIRECT needs no route", func(f *facts) {
			f.intercept.mode, f.intercept.rules[0].Mode, f.intercept.routed4, f.intercept.routed6 = "redirect", "redirect", false, false
		}, ""},
		{"no forwarding", func(f *facts) { f.intercept.forward4 = "0" }, "warning interception: net.ipv4.ip_forward is 0; sysctl -w net.ipv4.ip_forward=1"},
		{"loopback", func(f *facts) { f.intercept.loopback = []string{"127.0.0.1:3129"} }, "problem interception: intercept 127.0.0.1:3129 is this machine's own; intercept :3129"},
		{"no such interface", func(f *facts) { f.intercept.missing = []string{"lan0"} }, "problem interception: there is no interface lan0; ip link"},
	} {
		f := healthy()
		tt.change(f)
		var bad []finding
		for _, x := range diagnose(f) {
			if x.Text == "" || x.Level != levelGood && x.Level != levelNote && x.Advice == "" {
				t.Errorf("%s: %+v says too little", tt.name, x)
			}
			if x.Level == levelProblem || x.Level == levelWarning {
				bad = append(bad, x)
			}
		}
		lines := strings.FieldsFunc(tt.want, func(r rune) bool { return r == '\n' })
		ok := len(lines) == len(bad)
		for i := 0; ok && i < len(lines); i++ {
			what, words, _ := strings.Cut(lines[i], ": ")
			ok = what == bad[i].Level+" "+bad[i].Check
			for w := range strings.SplitSeq(words, "; ") {
				ok = ok && strings.Contains(bad[i].Text+"\n"+bad[i].Advice, w)
			}
		}
		if !ok {
			t.Errorf("%s: got %+v; want %q", tt.name, bad, tt.want)
		}
	}
}

// doctorRun runs the doctor on this machine and returns what --json prints.
func doctorRun(t *testing.T, args ...string) (diagnosis, int) {
	t.Helper()
	var tt test
	p := tt.process()
	p.filter = netfilter.This()
	code := p.run(t.Context(), append([]string{"doctor", "--json"}, args...))
	var d diagnosis
	if err := json.Unmarshal([]byte(tt.stdout.String()), &d); err != nil || d.Good != (code == 0) {
		t.Fatalf("exit %d, %s, %v, %s; want JSON that agrees", code, tt.stdout.String(), err, tt.stderr.String())
	}
	return d, code
}

// level is that of the finding of a check whose text contains a word; empty if there is none.
func (d *diagnosis) level(check, word string) string {
	for _, f := range d.Findings {
		if f.Check == check && strings.Contains(f.Text, word) {
			return f.Level
		}
	}
	return ""
}

// TestDoctor: a machine without a Jay, one with, and one with something else in its place.
func TestDoctor(t *testing.T) {
	origin := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer origin.Close()
	free := freePort(t, "127.0.0.1")
	d, code := doctorRun(t, "--listen", free, "--admin", "127.0.0.1:1", "--online", "--url", origin.URL)
	if code != 0 || d.level("ports", free) != levelGood || d.level("admin", "") != levelNote || d.level("names", "") != levelGood || d.level("online", origin.URL) != levelGood {
		t.Errorf("without a Jay: exit %d, %+v; want 0", code, d)
	}

	r := start(t, "--listen", free, "--admin", freePort(t, "127.0.0.1"))
	d, code = doctorRun(t, "--listen", free, "--admin", r.adminAddr(t), "--online", "--url", origin.URL, "--parent", origin.URL, "--parent", "direct")
	if code != 0 || d.level("parents", strings.TrimPrefix(origin.URL, "http://")) != levelGood || d.level("ports", "is Jay's") != levelGood || d.level("admin", "answers at") != levelGood || d.level("online", "") != levelGood {
		t.Errorf("with a Jay: exit %d, %+v; want 0", code, d)
	}

	other, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	go func() {
		for {
			c, err := other.Accept()
			if err != nil {
				return
			}
			fmt.Fprint(c, "HTTP/1.1 404 Not Found\r\nServer: other\r\n\r\n")
			c.Close()
		}
	}()
	d, code = doctorRun(t, "--listen", other.Addr().String(), "--admin", strings.TrimPrefix(origin.URL, "http://"), "--cache-size", "4g")
	if code != 1 || d.level("ports", "taken") != levelProblem || d.level("admin", "no Jay") != levelProblem || d.level("memory", "does not fit") != levelProblem {
		t.Errorf("with another program: exit %d, %+v; want 1", code, d)
	}
}

func TestDoctor_badConfiguration(t *testing.T) {
	d, code := doctorRun(t, "--config", file(t, "jay.yaml", "listen: x\ncache_size: 1g\n"))
	if code != 1 || len(d.Findings) != 2 || d.level("configuration", "jay.yaml:2: unknown option") != levelProblem {
		t.Errorf("exit %d, %+v; want 1 and both faults", code, d)
	}
	var tt test
	if code := tt.run(t, "doctor", "--url", "http://"); code != 2 || !strings.Contains(tt.stderr.String(), "is not a URL") {
		t.Errorf("exit %d, %s; want 2", code, tt.stderr.String())
	}
}
