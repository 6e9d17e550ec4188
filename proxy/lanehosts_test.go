package proxy

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// TestLane_alternatingHosts: an intercepted client that names one host after the other, true ones and others, in all their
// spellings, gets on one connection the same with the lane as without, and nothing from the cache by a name that is not
// its address's (CVE-2009-0801).
func TestLane_alternatingHosts(t *testing.T) {
	hosts := []struct {
		text string
		true bool
	}{
		{"good.test", true}, {"GOOD.test", true}, {"good.test.", true}, {"good.test:80", true}, {"good.test:080", true}, {"good.test:", true},
		{"also.test", true}, {"93.184.216.34", true}, {"93.184.216.34:80", true}, {"[::ffff:93.184.216.34]", true}, {"[::FFFF:5db8:d822]:80", true},
		{"other.test", false}, {"good.test:8080", false}, {"good.test:443", false}, {"nowhere.test", false}, {"93.184.216.35", false}, {"good.test.other.test", false},
		{"[::ffff:93.184.216.35]", false}, {"[2001:db8::1]", false}, {"ood.test", false}, {"good.tes", false},
	}
	synctest.Test(t, func(t *testing.T) {
		ns := &nameserver{addrs: map[string]string{"good.test": "93.184.216.34", "also.test": "93.184.216.34", "other.test": "93.184.216.35"}}
		tw := newTwins(t, Options{DNS: ns.dns()})
		var clients [2]*client
		var pipes [2]net.Conn
		for i := range tw {
			for _, h := range hosts { // all is stored for those who use a proxy and say what is true
				tw[i].get("http://"+strings.ToLower(h.text)+"/fresh", "")
			}
			here, there := net.Pipe()
			defer here.Close()
			tw[i].listener(TProxy).conns <- &addressed{Conn: there, local: tcpAddr("93.184.216.34:80"), remote: tcpAddr("10.0.0.7:1")}
			clients[i], pipes[i] = newClient(t, here), here
		}
		r := rand.New(rand.NewPCG(1, 2))
		hits := 0
		for n := range 600 {
			h := hosts[r.IntN(len(hosts))]
			if r.IntN(3) == 0 {
				h = hosts[r.IntN(2)]
			}
			send := fmt.Sprintf("GET /fresh HTTP/1.1\r\nHost: %s\r\n\r\n", h.text)
			var out [2]string
			for i, c := range clients {
				var got bytes.Buffer
				c.r.Reset(io.TeeReader(pipes[i], &got))
				c.send(send)
				a := c.read("GET")
				out[i] = got.String()
				if hit := strings.Contains(a.cacheStatus(), "hit"); hit && !h.true {
					t.Fatalf("request %d: %s is answered from the cache", n, h.text)
				} else if hit && i == 0 {
					hits++
				}
			}
			if out[0] != out[1] {
				t.Fatalf("request %d: %s\nlane:     %q\nordinary: %q", n, h.text, out[0], out[1])
			}
			if r.IntN(20) == 0 {
				time.Sleep(time.Duration(r.IntN(8)) * time.Second)
			}
		}
		if hits < 200 {
			t.Errorf("%d hits; want one for most true names", hits)
		}
	})
}
