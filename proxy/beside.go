package proxy

import (
	"net"
	"syscall"

	"github.com/jayproxy/jay/tunnel"
)

// Beside is a net.ListenConfig's Control for addresses on which other processes of the same user may listen, too
// (SO_REUSEPORT). One of them can take the place of another without refusing a connection: the new one listens, then the old
// one is shut down, which sends all that comes to the new one and goes on accepting what was on its way already. Where the
// system cannot do that, the error is an errors.ErrUnsupported.
func Beside(_, _ string, raw syscall.RawConn) error { return tunnel.ShareAddress(raw) }

// handOver sends new connections to whoever listens beside ln since; false means that nobody can.
func handOver(ln net.Listener) bool {
	t, ok := ln.(*net.TCPListener)
	return ok && tunnel.HandOver(t)
}
