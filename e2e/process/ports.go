package process

import (
	"fmt"
	"math/rand/v2"
	"net"
)

// FreeAddr returns an address of 127.0.0.1 on which nothing listens. Its port
// is below the range from which the kernel takes the ports of clients, so that
// no connection takes it before the caller does.
func FreeAddr() string { return FreeAddrOf("127.0.0.1") }

// FreeAddrOf is FreeAddr for another address of this machine.
func FreeAddrOf(host string) string {
	for {
		addr := net.JoinHostPort(host, fmt.Sprint(11000+rand.IntN(20000)))
		if l, err := net.Listen("tcp", addr); err == nil {
			l.Close()
			return addr
		}
	}
}
