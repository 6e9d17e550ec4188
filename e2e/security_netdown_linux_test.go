package e2e

import (
	"testing"
	"time"
)

// TestLinkDown: when the way to the origins is gone, what is stored and fresh is
// served as before, everything else is an error in time, and when the way is
// back, so are the origins, for explicit and intercepted clients (F7).
func TestLinkDown(t *testing.T) {
	t.Parallel()
	needRoot(t)
	n := newLan(t, "redirect", rules(t, "rules-redirect-nft"), "--connect-timeout", "1s", "--response-header-timeout", "2s", "--body-timeout", "2s")
	for _, w := range []way{n.explicit(), n.way()} {
		t.Run(w.name, func(t *testing.T) {
			stored := "/stored/" + w.name
			w.do(t, "GET", "site.test", stored, nil, "")
			for _, down := range []string{"ip link set wan0 down", "ip route del 10.77.2.0/24; ip route add blackhole 10.77.2.0/24", "ip route add prohibit 10.77.2.2/32"} {
				must(t, n.router.Run(down))
				for i := range 3 {
					began := time.Now()
					resp, err := w.once("site.test", "GET", stored, nil)
					if err != nil || resp.Code != 200 || string(resp.Body) != "site "+stored {
						t.Errorf("%s: got %v, %v; want what is stored", down, resp, err)
					}
					resp, err = w.once("site.test", "GET", "/new/"+w.name, nil)
					if err != nil || resp.Code != 502 && resp.Code != 504 {
						t.Errorf("%s: got %v, %v; want 502 or 504", down, resp, err)
					}
					if d := time.Since(began); d > patient(8*time.Second) {
						t.Errorf("%s: request %d took %v", down, i, d)
					}
				}
				must(t, n.router.Run(`ip link set wan0 up
ip route del blackhole 10.77.2.0/24 2>/dev/null || true
ip route del prohibit 10.77.2.2/32 2>/dev/null || true
ip route replace 10.77.2.0/24 dev wan0`))
				eventually(t, "the origin is back after "+down, func() bool {
					resp, err := w.once("site.test", "GET", "/back/"+w.name, nil)
					return err == nil && resp.Code == 200
				})
			}
		})
	}
}
