package resolve_test

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/miekg/dns"

	"github.com/jayproxy/jay/proxy/resolve"
)

func TestLookup_Hosts(t *testing.T) {
	s := &server{reply: says("www.example. 60 IN A 192.0.2.1")}
	here := []netip.Addr{netip.MustParseAddr("192.0.2.7"), netip.MustParseAddr("2001:db8::7")}
	bubble(t, s, resolve.Options{Hosts: map[string][]netip.Addr{"www.example": here}}, func(t *testing.T, r *resolve.Resolver) {
		for _, host := range []string{"www.example", "www.example.", "WWW.Example"} {
			if got := lookup(t, r, host); got != "192.0.2.7 2001:db8::7" {
				t.Errorf("%s: got %s; want what was given", host, got)
			}
		}
		if ok, err := r.Has(t.Context(), "www.example", here[1]); !ok || err != nil {
			t.Errorf("Has: got %v, %v; want true", ok, err)
		}
		if st := r.Stats(); s.count("") != 0 || st.Lookups != 4 || st.Hits != 4 || st.Names != 0 {
			t.Errorf("got %+v and queries %q; want 4 hits", st, s.asked)
		}
	})
}

// TestLookup_Stale: addresses outlive their time while no server says anything (RFC 8767 §5), but not for ever, and not
// against a server's word.
func TestLookup_Stale(t *testing.T) {
	var mu sync.Mutex
	state := "good"
	set := func(now string) { mu.Lock(); state = now; mu.Unlock() }
	s := &server{reply: func(q *dns.Msg, _, _ string) []*dns.Msg {
		mu.Lock()
		defer mu.Unlock()
		switch state {
		case "silent":
			return nil
		case "good":
			return []*dns.Msg{answer(q, 0, "www.example. 60 IN A 192.0.2.1")}
		}
		return []*dns.Msg{answer(q, dns.StringToRcode[state])}
	}}
	check := func(t *testing.T, r *resolve.Resolver, want string, wait time.Duration) {
		t.Helper()
		began := time.Now()
		if got := lookup(t, r, "www.example."); got != want || time.Since(began) != wait {
			t.Errorf("%s: got %s after %v; want %s after %v", state, got, time.Since(began), want, wait)
		}
	}
	o := resolve.Options{MaxStale: 10 * time.Minute, Timeout: 3 * time.Second}
	bubble(t, s, o, func(t *testing.T, r *resolve.Resolver) {
		check(t, r, "192.0.2.1", 0)
		time.Sleep(61 * time.Second)
		set("silent")
		check(t, r, "192.0.2.1", 1800*time.Millisecond)
		time.Sleep(2 * time.Second)
		n := s.count("")
		check(t, r, "192.0.2.1", 0)
		time.Sleep(27 * time.Second)
		check(t, r, "192.0.2.1", 0)
		if s.count("") != n {
			t.Error("asked within 30 s after a failure")
		}
		time.Sleep(4 * time.Second)
		set("SERVFAIL")
		check(t, r, "192.0.2.1", 0)
		if st := r.Stats(); st.Stale != 4 || st.Timeouts+st.Failures != 0 {
			t.Errorf("got %+v; want 4 stale", st)
		}
		time.Sleep(31 * time.Second)
		set("good")
		check(t, r, "192.0.2.1", 0)
		time.Sleep(time.Minute + 10*time.Minute)
		set("silent")
		check(t, r, "timeout", 3*time.Second)
		set("good")
		time.Sleep(2 * time.Second)
		check(t, r, "192.0.2.1", 0)
		time.Sleep(2 * time.Minute)
		set("NXDOMAIN")
		check(t, r, "none NXDOMAIN", 0)
		time.Sleep(2 * time.Second)
		set("SERVFAIL")
		check(t, r, "failed SERVFAIL", 0)
	})
	set("good")
	bubble(t, s, resolve.Options{}, func(t *testing.T, r *resolve.Resolver) {
		check(t, r, "192.0.2.1", 0)
		time.Sleep(2 * time.Minute)
		set("SERVFAIL")
		check(t, r, "failed SERVFAIL", 0)
	})
}

// TestHas: a name that has other addresses each time still has those of the last minutes, and no others.
func TestHas(t *testing.T) {
	var mu sync.Mutex
	n := 0
	s := &server{reply: func(q *dns.Msg, _, _ string) []*dns.Msg {
		mu.Lock()
		defer mu.Unlock()
		if q.Question[0].Qtype == dns.TypeA {
			n++
		}
		return []*dns.Msg{answer(q, 0, fmt.Sprintf("www.example. 60 IN A 192.0.2.%d", n))}
	}}
	bubble(t, s, resolve.Options{}, func(t *testing.T, r *resolve.Resolver) {
		has := func(last string) bool {
			ok, err := r.Has(t.Context(), "www.example.", netip.MustParseAddr("::ffff:192.0.2."+last))
			if err != nil {
				t.Error(err)
			}
			return ok
		}
		if !has("1") || has("2") {
			t.Error("want 192.0.2.1 alone")
		}
		time.Sleep(61 * time.Second)
		if !has("2") || !has("1") || has("3") {
			t.Error("a minute later: want 192.0.2.2 and 192.0.2.1")
		}
		time.Sleep(10 * time.Minute)
		if !has("3") || has("1") || !has("2") {
			t.Error("ten minutes later: want 192.0.2.3 and 192.0.2.2, but no longer 192.0.2.1")
		}
		for range 200 {
			time.Sleep(2 * time.Minute)
			has("1")
		}
		if st := r.Stats(); st.Bytes > 4096 {
			t.Errorf("got %d bytes for one name; want few", st.Bytes)
		}
	})
}

// TestLookup_Shared: those who ask for one name at once share a lookup, which does not end with the one who was first.
func TestLookup_Shared(t *testing.T) {
	s := &server{}
	s.reply = func(q *dns.Msg, _, _ string) []*dns.Msg {
		time.Sleep(100 * time.Millisecond)
		return []*dns.Msg{answer(q, 0, "www.example. 0 IN A 192.0.2.1")}
	}
	bubble(t, s, resolve.Options{}, func(t *testing.T, r *resolve.Resolver) {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
		defer cancel()
		_, err := r.Lookup(ctx, "www.example.")
		var e *resolve.Error
		if !errors.As(err, &e) || !e.Timeout || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v; want a timeout", err)
		}
		var wg sync.WaitGroup
		for range 10 {
			wg.Go(func() {
				if got := lookup(t, r, "www.example."); got != "192.0.2.1" {
					t.Errorf("got %s; want the address", got)
				}
			})
		}
		wg.Wait()
		if n := s.count(""); n != 2 {
			t.Errorf("got %d queries; want 2, although the TTL is 0", n)
		}
	})
}

// TestClose ends what runs.
func TestClose(t *testing.T) {
	s := &server{reply: func(*dns.Msg, string, string) []*dns.Msg { return nil }}
	synctest.Test(t, func(t *testing.T) {
		r := resolve.New(resolve.Options{Dial: s.dial, Servers: servers(3)})
		done := make(chan string)
		go func() { done <- lookup(t, r, "www.example.") }()
		synctest.Wait()
		began := time.Now()
		r.Close()
		if got := <-done; got == "" || time.Since(began) != 0 {
			t.Errorf("got %q after %v; want an error at once", got, time.Since(began))
		}
		if got := lookup(t, r, "other.example."); got != "failed" {
			t.Errorf("afterwards got %s; want failed", got)
		}
	})
}

// TestConfigure: other servers are asked from now on, and what the former ones said is forgotten.
func TestConfigure(t *testing.T) {
	s := &server{reply: func(q *dns.Msg, _, address string) []*dns.Msg {
		return []*dns.Msg{answer(q, 0, "www.example. 60 IN A "+strings.TrimSuffix(address, ":53"))}
	}}
	all := servers(2)
	bubble(t, s, resolve.Options{Servers: all[:1]}, func(t *testing.T, r *resolve.Resolver) {
		first := lookup(t, r, "www.example.")
		r.Configure(resolve.Options{Servers: all[1:], Dial: s.dial})
		if second := lookup(t, r, "www.example."); first != "192.0.2.1" || second != "192.0.2.2" {
			t.Errorf("got %s, %s; want 192.0.2.1, 192.0.2.2", first, second)
		}
	})
}

// TestLookup_Flood: a flood of names fills no more memory than it may, and what is asked for often stays.
func TestLookup_Flood(t *testing.T) {
	s := &server{reply: func(q *dns.Msg, _, _ string) []*dns.Msg {
		if strings.HasPrefix(q.Question[0].Name, "www") {
			return []*dns.Msg{answer(q, 0, "www.example. 3600 IN A 192.0.2.1")}
		}
		return []*dns.Msg{answer(q, dns.RcodeNameError, soa(300, 300))}
	}}
	const limit = 256 << 10
	bubble(t, s, resolve.Options{MaxBytes: limit}, func(t *testing.T, r *resolve.Resolver) {
		for i := range 2000 {
			lookup(t, r, "www.example.")
			lookup(t, r, fmt.Sprintf("%030d.x%d.example.", i, i))
		}
		if st := r.Stats(); st.Bytes > limit || st.Names < 200 || st.NotFound != 2000 {
			t.Errorf("got %+v; want less than %d bytes", st, limit)
		}
		if n := s.count("www.example."); n != 2 {
			t.Errorf("asked %d times for the name that is in use; want 2", n)
		}
	})
}

// TestLookup_Crowd: a flood of names that nobody answers fills neither memory nor descriptors.
func TestLookup_Crowd(t *testing.T) {
	s := &server{reply: func(*dns.Msg, string, string) []*dns.Msg { return nil }}
	bubble(t, s, resolve.Options{Timeout: time.Second}, func(t *testing.T, r *resolve.Resolver) {
		results := make(chan string)
		for i := range 1200 {
			go func() { results <- lookup(t, r, fmt.Sprintf("n%d.example.", i)) }()
		}
		got := map[string]int{}
		for range 1200 {
			got[<-results]++
		}
		if got["timeout"] != 1000 || got["failed"] != 200 {
			t.Errorf("got %v; want 1000 timeouts, 200 refused", got)
		}
	})
}

// TestLookup_Allocations: every request of an intercepted client has its name checked.
func TestLookup_Allocations(t *testing.T) {
	s := &server{reply: says("www.example. 3600 IN A 192.0.2.1")}
	r := resolve.New(resolve.Options{Dial: s.dial, MaxStale: time.Hour})
	defer r.Close()
	addr := netip.MustParseAddr("192.0.2.1")
	if n := testing.AllocsPerRun(100, func() { r.Has(context.Background(), "www.example.", addr) }); n > 0 {
		t.Errorf("got %v allocations for what is kept; want none", n)
	}
}
