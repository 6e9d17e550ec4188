package wire_test

import (
	"strings"
	"testing"

	"github.com/jayproxy/jay/proxy/wire"
	"github.com/jayproxy/jay/proxy/wire/wiretest"
)

// checkRefused reads a malformed request in every way it can arrive.
func checkRefused(t *testing.T, c wiretest.Case) {
	t.Helper()
	for name, conn := range map[string]*script{"whole": whole(c.Raw), "bytewise": bytewise(c.Raw)} {
		if name == "bytewise" && len(c.Raw) > 100_000 {
			continue
		}
		m := receiveRequest(wire.NewReader(conn))
		if m.status() != c.Status {
			t.Errorf("%s, %s: got status %d (%s); want %d", c.Name, name, m.status(), detail(m.err), c.Status)
		}
		if m.inBody != c.Body {
			t.Errorf("%s, %s: got head accepted %v; want %v", c.Name, name, m.inBody, c.Body)
		}
	}
}

func TestMalformed(t *testing.T) {
	cs := wiretest.Malformed()
	if len(cs) < 250 {
		t.Errorf("got %d malformed requests; want at least 250", len(cs))
	}
	t.Logf("%d malformed requests", len(cs))
	seen := make(map[string]bool)
	for _, c := range cs {
		if seen[c.Name] {
			t.Errorf("two cases called %s", c.Name)
		}
		seen[c.Name] = true
		checkRefused(t, c)
		c.Raw = c.Intercepted("10.0.0.1:8080")
		checkRefused(t, c)
	}
}

func TestMutations(t *testing.T) {
	for seed := range uint64(3) {
		for _, c := range wiretest.Mutations(seed, 1000) {
			checkRefused(t, c)
			c.Raw = c.Explicit("127.0.0.1:8080")
			checkRefused(t, c)
		}
	}
}

func TestMutations_same_seed(t *testing.T) {
	a, b := wiretest.Mutations(7, 50), wiretest.Mutations(7, 50)
	for i := range a {
		if a[i] != b[i] {
			t.Errorf("mutation %d: got %q; want %q", i, b[i].Raw, a[i].Raw)
		}
	}
	if c := wiretest.Mutations(8, 1); c[0].Raw == a[0].Raw {
		t.Errorf("another seed: got the same request %q", c[0].Raw)
	}
}

func TestBadResponses(t *testing.T) {
	cs := wiretest.BadResponses()
	if len(cs) < 50 {
		t.Errorf("got %d bad responses; want at least 50", len(cs))
	}
	t.Logf("%d bad responses", len(cs))
	seen := make(map[string]bool)
	for _, c := range cs {
		if seen[c.Name] {
			t.Errorf("two cases called %s", c.Name)
		}
		seen[c.Name] = true
		for name, conn := range map[string]*script{"whole": whole(c.Raw), "bytewise": bytewise(c.Raw)} {
			if name == "bytewise" && len(c.Raw) > 100_000 {
				continue
			}
			m := receiveResponse(wire.NewReader(conn), "GET")
			if m.err == nil {
				t.Errorf("%s, %s: got %d with body %q; want an error", c.Name, name, m.resp.Status, m.body)
			}
			if m.inBody != c.Body {
				t.Errorf("%s, %s: got head accepted %v (%v); want %v", c.Name, name, m.inBody, m.err, c.Body)
			}
		}
	}
}

func TestOddRequests(t *testing.T) {
	for _, c := range wiretest.OddRequests() {
		for name, conn := range map[string]*script{"whole": whole(c.Raw), "bytewise": bytewise(c.Raw)} {
			r := wire.NewReader(conn)
			m := receiveRequest(r)
			if m.err != nil {
				t.Errorf("%s, %s: got error %v; want none", c.Name, name, m.err)
				continue
			}
			if r.Pending() {
				t.Errorf("%s, %s: got %q left over; want nothing", c.Name, name, r.Buffered())
			}
			checkKept(t, c, m)
		}
	}
}

// checkKept compares a request with its own text, split by simpler means.
func checkKept(t *testing.T, c wiretest.Case, m *received) {
	t.Helper()
	head, _, _ := strings.Cut(strings.TrimPrefix(c.Raw, "\r\n"), "\r\n\r\n")
	lines := strings.Split(head, "\r\n")
	if got, want := m.req.Method+" "+m.req.Target, lines[0][:len(lines[0])-len(" HTTP/1.1")]; got != want {
		t.Errorf("%s: got request line %q; want %q", c.Name, got, want)
	}
	pairs := list(&m.req.Fields)
	if len(pairs) != len(lines)-1 {
		t.Fatalf("%s: got %d field lines; want %d", c.Name, len(pairs), len(lines)-1)
	}
	for i, l := range lines[1:] {
		name, value, _ := strings.Cut(l, ":")
		if want := [2]string{name, strings.Trim(value, " \t")}; pairs[i] != want {
			t.Errorf("%s: got field line %q; want %q", c.Name, pairs[i], want)
		}
	}
}
