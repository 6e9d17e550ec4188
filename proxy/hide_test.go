package proxy

import "testing"

// TestHideCacheStatus checks that only clients on this machine see Cache-Status where it is to be hidden (E11).
func TestHideCacheStatus(t *testing.T) {
	inBubble(t, Options{HideCacheStatus: true}, always(respond(200, "ok", "Cache-Control: max-age=60")), func(t *testing.T, w *world) {
		for _, turn := range []string{"miss", "hit"} {
			far := w.clientOf(Explicit, "10.0.0.7:4000", "10.0.0.1:3128").get("http://93.184.216.34/")
			if far.status != 200 || far.get("Cache-Status") != "" {
				t.Errorf("%s from another machine: got %s with Cache-Status %q; want 200 without", turn, far.line, far.get("Cache-Status"))
			}
		}
		if here := w.get("http://93.184.216.34/"); here.get("Cache-Status") == "" {
			t.Error("a client on this machine gets no Cache-Status; want one")
		}
	})
}
