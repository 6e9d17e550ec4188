package upstream_test

import (
	"context"
	"errors"
	"net/netip"
	"testing"

	"github.com/jayproxy/jay/proxy/upstream"
)

var errRefused = errors.New("not for you")

// refuses is a check that refuses every address.
func refuses(netip.AddrPort) error { return errRefused }

// TestDo_Check: a request's own check covers new connections and those that others have left, which stay for others.
func TestDo_Check(t *testing.T) {
	noLeaks(t)
	o := newOrigin(t, func(_ int, c *peer) {
		for c.head() != "" {
			c.say(okHello)
		}
	})
	c := newClient(t, upstream.Options{})
	refused := func(what string) {
		t.Helper()
		r := get()
		r.Check = refuses
		_, _, err := fetch(context.Background(), c, o.origin(), r)
		var ue *upstream.Error
		if !errors.As(err, &ue) || ue.Status != 403 || !errors.Is(err, errRefused) {
			t.Errorf("%s: %v; want 403 because of the check", what, err)
		}
	}
	refused("without a connection")
	if n := o.accepted.Load(); n != 0 {
		t.Errorf("got %d connections for a refused request; want none", n)
	}
	for range 2 {
		if _, body, err := fetch(context.Background(), c, o.origin(), get()); body != "hello" {
			t.Errorf("got %q, %v; want hello", body, err)
		}
		refused("beside an idle connection")
	}
	r := get()
	var seen netip.AddrPort
	r.Check = func(a netip.AddrPort) error { seen = a; return nil }
	if _, body, _ := fetch(context.Background(), c, o.origin(), r); body != "hello" || seen != o.addr() {
		t.Errorf("got %q after a check of %v; want hello after one of %v", body, seen, o.addr())
	}
	if n := o.accepted.Load(); n != 1 {
		t.Errorf("got %d connections; want all requests on one", n)
	}
	if _, _, _, err := c.DialOn(context.Background(), o.origin(), upstream.Terms{Check: refuses}); !errors.Is(err, errRefused) {
		t.Errorf("DialOn = %v; want %v", err, errRefused)
	}
}
