package resolve_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/miekg/dns"

	"github.com/jayproxy/jay/proxy/resolve"
)

// TestLookup_Literals: only what netip parses is an address, and no other numeric form gets as far as a server.
func TestLookup_Literals(t *testing.T) {
	s := &server{reply: says("www.example. 60 IN A 127.0.0.1")}
	r := resolve.New(resolve.Options{Dial: s.dial})
	defer r.Close()
	for host, want := range map[string]string{
		"127.0.0.1":        "127.0.0.1",
		"::1":              "::1",
		"::ffff:127.0.0.1": "127.0.0.1",
		"::ffff:7f00:1":    "127.0.0.1",
		"64:ff9b::7f00:1":  "64:ff9b::7f00:1",
		"127.1":            "none", "127.0.1": "none", "0x7f000001": "none", "0X7F000001": "none", "2130706433": "none", "0": "none", "0.": "none",
		"0177.0.0.1": "none", "0x7f.1": "none", "1.2.3.0x4": "none", "127.0.0.1.": "none", "1.2.3.4.5": "none", "a.b.1": "none", "0x": "none", "a.0x": "none",
		"127.0.0.01": "none", "256.1.1.1": "none", "[::1]": "none", "::1%lo": "none", "fe80::1%eth0": "none", "1:2:3": "none",
		"": "none", ".": "none", "a..b": "none", ".a": "none", "a b": "none", "a\x00b": "none", "a/b": "none", "a%62": "none", "a:80": "none", "b\xc3\xbc": "none", "a@b": "none",
		strings.Repeat("a", 64): "none", strings.Repeat("a.", 127) + "a": "none",
	} {
		if got := lookup(t, r, host); got != want {
			t.Errorf("%q: got %s; want %s", host, got, want)
		}
	}
	if n := s.count(""); n != 0 || r.Stats() != (resolve.Stats{}) {
		t.Errorf("got %d queries, %+v; want none", n, r.Stats())
	}
}

// TestLookup_TTL: answers are kept as long as their records live (RFC 1035 §3.2.1, RFC 2181 §8, RFC 2308 §5, RFC 9520 §3.2),
// within the bounds.
func TestLookup_TTL(t *testing.T) {
	const a, aaaa = "www.example. %d IN A 192.0.2.1", "www.example. %d IN AAAA 2001:db8::1"
	both := "192.0.2.1 2001:db8::1"
	o := resolve.Options{MinTTL: 2 * time.Second, MaxTTL: 400 * time.Second, MaxNegativeTTL: 100 * time.Second}
	for _, tt := range []struct {
		name    string
		o       resolve.Options
		rcode   int
		records []string
		want    string
		kept    int
	}{
		{"both", o, 0, []string{fmt.Sprintf(a, 60), fmt.Sprintf(aaaa, 60)}, both, 60},
		{"the least", o, 0, []string{fmt.Sprintf(a, 300), fmt.Sprintf(aaaa, 61)}, both, 61},
		{"0", o, 0, []string{fmt.Sprintf(a, 0), fmt.Sprintf(aaaa, 60)}, both, 2},
		{"0, no bound", resolve.Options{}, 0, []string{fmt.Sprintf(a, 0), fmt.Sprintf(aaaa, 60)}, both, 0},
		{"long", o, 0, []string{fmt.Sprintf(a, 86400), fmt.Sprintf(aaaa, 86400)}, both, 400},
		{"an hour", resolve.Options{}, 0, []string{fmt.Sprintf(a, 86400)}, "192.0.2.1", 3600},
		{"sign bit", o, 0, []string{fmt.Sprintf(a, 1<<31), fmt.Sprintf(aaaa, 60)}, both, 2},
		{"IPv4 only", o, 0, []string{fmt.Sprintf(a, 90), soa(5, 5)}, "192.0.2.1", 90},
		{"alias", o, 0, []string{"www.example. 30 IN CNAME a.example.", "a.example. 20 IN CNAME b.example.", "b.example. 300 IN A 192.0.2.9"}, "192.0.2.9", 20},
		{"no address", o, 0, []string{soa(900, 60)}, "none", 60},
		{"no address, SOA's own TTL", o, 0, []string{soa(40, 60)}, "none", 40},
		{"alias of nothing", o, 0, []string{"www.example. 30 IN CNAME a.example.", soa(900, 60)}, "none", 30},
		{"no such name", o, dns.RcodeNameError, []string{soa(900, 50)}, "none NXDOMAIN", 50},
		{"no such name, long", o, dns.RcodeNameError, []string{soa(86400, 86400)}, "none NXDOMAIN", 100},
		{"no such name, short", o, dns.RcodeNameError, []string{soa(1, 0)}, "none NXDOMAIN", 2},
		{"no such name, no SOA", resolve.Options{}, dns.RcodeNameError, nil, "none NXDOMAIN", 1},
		{"server failure", o, dns.RcodeServerFailure, nil, "failed SERVFAIL", 1},
		{"refused", o, dns.RcodeRefused, []string{soa(900, 60)}, "failed REFUSED", 1},
		{"does not know how", o, dns.RcodeNotImplemented, nil, "failed NOTIMP", 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := &server{reply: func(q *dns.Msg, _, _ string) []*dns.Msg {
				return []*dns.Msg{answer(q, tt.rcode, tt.records...)}
			}}
			bubble(t, s, tt.o, func(t *testing.T, r *resolve.Resolver) {
				got := lookup(t, r, "www.example.")
				if n := kept(t, s, r, "www.example.", 5000); got != tt.want || n != tt.kept {
					t.Errorf("got %s for %d s; want %s for %d s", got, n, tt.want, tt.kept)
				}
			})
		})
	}
}

// TestLookup_Silence: a server that says nothing is a timeout within the bound.
func TestLookup_Silence(t *testing.T) {
	s := &server{reply: func(*dns.Msg, string, string) []*dns.Msg { return nil }}
	for n := range 4 {
		bubble(t, s, resolve.Options{Servers: servers(n), Timeout: 3 * time.Second}, func(t *testing.T, r *resolve.Resolver) {
			began := time.Now()
			if got := lookup(t, r, "www.example."); got != "timeout" || time.Since(began) > 3*time.Second {
				t.Errorf("%d servers: got %s after %v; want timeout after at most 3 s", n, got, time.Since(began))
			}
			if st := r.Stats(); st.Lookups != 1 || st.Timeouts != 1 {
				t.Errorf("got %+v; want 1 timeout", st)
			}
		})
	}
}

// TestLookup_HalfSilence: a server that says nothing about IPv6 keeps nobody waiting, and is asked again soon (RFC 8305 §3).
func TestLookup_HalfSilence(t *testing.T) {
	s := &server{reply: func(q *dns.Msg, _, _ string) []*dns.Msg {
		if q.Question[0].Qtype == dns.TypeAAAA {
			return nil
		}
		return []*dns.Msg{answer(q, 0, "www.example. 300 IN A 192.0.2.1")}
	}}
	bubble(t, s, resolve.Options{}, func(t *testing.T, r *resolve.Resolver) {
		began := time.Now()
		if got := lookup(t, r, "www.example."); got != "192.0.2.1" || time.Since(began) > time.Second {
			t.Errorf("got %s after %v; want the address within a second", got, time.Since(began))
		}
		if n := kept(t, s, r, "www.example.", 100); n != 30 {
			t.Errorf("kept for %d s; want 30 s", n)
		}
	})
}

// TestLookup_Truncated: what does not fit a datagram comes over TCP; if it does not come, what came must do.
func TestLookup_Truncated(t *testing.T) {
	var all []string
	for i := range 20 {
		all = append(all, fmt.Sprintf("www.example. 60 IN A 192.0.2.%d", i))
	}
	for _, broken := range []bool{false, true} {
		s := &server{reply: func(q *dns.Msg, network, _ string) []*dns.Msg {
			switch {
			case network == "udp":
				m := answer(q, 0, all[0])
				m.Truncated = true
				return []*dns.Msg{m}
			case broken:
				return []*dns.Msg{answer(new(dns.Msg).SetQuestion("other.example.", dns.TypeA), 0)}
			}
			return []*dns.Msg{answer(q, 0, all...)}
		}}
		bubble(t, s, resolve.Options{Servers: servers(1), Timeout: 4 * time.Second}, func(t *testing.T, r *resolve.Resolver) {
			want := 16
			if broken {
				want = 1
			}
			if got := strings.Fields(lookup(t, r, "www.example.")); len(got) != want || s.count("tcp 192.0.2.1:53 www.example. A") == 0 {
				t.Errorf("broken %v: got %q by %q; want %d addresses by TCP", broken, got, s.asked, want)
			}
		})
	}
}

// TestLookup_Forged: messages that answer another question, or carry another identifier, are passed over (RFC 5452 §9.1).
func TestLookup_Forged(t *testing.T) {
	s := &server{reply: func(q *dns.Msg, _, _ string) []*dns.Msg {
		const bad = "www.example. 60 IN A 203.0.113.9"
		id, question, query, class := answer(q, 0, bad), answer(q, 0, bad), answer(q, 0, bad), answer(q, 0, bad)
		id.Id++
		question.Question = []dns.Question{{Name: "other.example.", Qtype: q.Question[0].Qtype, Qclass: dns.ClassINET}}
		query.Response = false
		class.Question = []dns.Question{{Name: q.Question[0].Name, Qtype: q.Question[0].Qtype, Qclass: dns.ClassCHAOS}}
		none := answer(q, 0, bad)
		none.Question = nil
		return []*dns.Msg{id, question, query, class, none, answer(q, 0, "WWW.example. 60 IN A 192.0.2.1")}
	}}
	bubble(t, s, resolve.Options{}, func(t *testing.T, r *resolve.Resolver) {
		if got := lookup(t, r, "www.example."); got != "192.0.2.1" || s.count("") != 2 {
			t.Errorf("got %s by %q; want 192.0.2.1 from the first exchange", got, s.asked)
		}
	})
}

// TestLookup_Servers: one server stands in for another, and is asked first from then on.
func TestLookup_Servers(t *testing.T) {
	for _, tt := range []struct {
		name  string
		first string // what the first server does
		want  string
		wait  time.Duration
	}{
		{"works", "", "192.0.2.80", 0},
		{"silent", "silent", "192.0.2.80", time.Second},
		{"down", "down", "192.0.2.80", 0},
		{"fails", "SERVFAIL", "192.0.2.80", 0},
		{"refuses", "REFUSED", "192.0.2.80", 0},
		{"knows of no such name", "NXDOMAIN", "none NXDOMAIN", 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := &server{down: map[string]bool{"192.0.2.1:53": tt.first == "down"}}
			s.reply = func(q *dns.Msg, _, address string) []*dns.Msg {
				if address != "192.0.2.1:53" || tt.first == "" {
					return []*dns.Msg{answer(q, 0, q.Question[0].Name+" 60 IN A 192.0.2.80")}
				}
				if tt.first == "silent" {
					return nil
				}
				return []*dns.Msg{answer(q, dns.StringToRcode[tt.first])}
			}
			bubble(t, s, resolve.Options{Servers: servers(3)}, func(t *testing.T, r *resolve.Resolver) {
				began := time.Now()
				if got := lookup(t, r, "a.example."); got != tt.want || time.Since(began) != tt.wait {
					t.Errorf("got %s after %v; want %s after %v", got, time.Since(began), tt.want, tt.wait)
				}
				began = time.Now()
				if got := lookup(t, r, "b.example."); got != tt.want || time.Since(began) != 0 {
					t.Errorf("then got %s after %v; want %s at once", got, time.Since(began), tt.want)
				}
				if tt.first != "" && tt.first != "NXDOMAIN" && s.count("192.0.2.1:53 b.example.") != 0 || s.count("192.0.2.3:53") != 0 {
					t.Errorf("asked %q; want neither the one that failed again nor the third", s.asked)
				}
			})
		})
	}
}

// TestLookup_AllFail: the worst that can be is told, and nobody is asked for ever.
func TestLookup_AllFail(t *testing.T) {
	s := &server{reply: func(q *dns.Msg, _, _ string) []*dns.Msg { return []*dns.Msg{answer(q, dns.RcodeServerFailure)} }}
	bubble(t, s, resolve.Options{Servers: servers(2)}, func(t *testing.T, r *resolve.Resolver) {
		if got := lookup(t, r, "www.example."); got != "failed SERVFAIL" || s.count("") > 8 || s.count("") < 4 {
			t.Errorf("got %s by %d queries; want SERVFAIL by A and AAAA to each server, at most twice", got, s.count(""))
		}
	})
}

// FuzzAnswer: whatever a server sends, the lookup ends, and only addresses from an answer to the question come of it.
func FuzzAnswer(f *testing.F) {
	good := answer(new(dns.Msg).SetQuestion("www.example.", dns.TypeA), 0, "www.example. 60 IN A 192.0.2.1")
	raw, err := good.Pack()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(raw[12:], byte(0x81), byte(0x80))
	f.Add(raw[20:], byte(0x83), byte(3))
	f.Add([]byte{0xc0, 0x0c, 0, 1}, byte(0x81), byte(0x82))
	f.Fuzz(func(t *testing.T, rest []byte, high, low byte) {
		synctest.Test(t, func(t *testing.T) {
			r := resolve.New(resolve.Options{Timeout: time.Second, Servers: servers(2), Dial: rawServer(rest, high, low)})
			defer r.Close()
			addrs, err := r.Lookup(t.Context(), "www.example.")
			if (err == nil) != (len(addrs) > 0) || len(addrs) > 16 {
				t.Errorf("got %v, %v; want addresses or an error", addrs, err)
			}
		})
	})
}
