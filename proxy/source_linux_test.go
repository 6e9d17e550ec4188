package proxy

import (
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
	"testing"
)

// TestSourceAddresses: connections come from the address of their family; a family without one is left to the system. All
// of 127.0.0.0/8 is this machine's on Linux.
func TestSourceAddresses(t *testing.T) {
	address := loopback(t, func(c net.Conn) {
		buf := make([]byte, 4096)
		c.Read(buf)
		from := c.RemoteAddr().(*net.TCPAddr).IP.String()
		io.WriteString(c, fmt.Sprintf("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s", len(from), from))
	})
	for _, tt := range []struct{ sources, want string }{
		{"127.0.0.9", "127.0.0.9"}, {"2001:db8::1,127.0.0.8", "127.0.0.8"}, {"2001:db8::1", "127.0.0.1"}, {"", "127.0.0.1"},
	} {
		var o Options
		for s := range strings.SplitSeq(tt.sources, ",") {
			if s != "" {
				o.SourceAddresses = append(o.SourceAddresses, netip.MustParseAddr(s))
			}
		}
		_, proxy := loopbackProxy(t, o)
		for _, text := range []string{
			"GET http://" + address + "/ HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
			"CONNECT " + address + " HTTP/1.1\r\nHost: a\r\n\r\nhello",
		} {
			c, err := net.Dial("tcp", proxy)
			if err != nil {
				t.Fatal(err)
			}
			io.WriteString(c, text)
			b, _ := io.ReadAll(c)
			c.Close()
			if !strings.HasSuffix(string(b), "\n"+tt.want) {
				t.Errorf("from %q: got %q; want %s", tt.sources, b, tt.want)
			}
		}
	}
}
