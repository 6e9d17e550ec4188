package proxy

import (
	"context"
	"errors"
	"net"
	"runtime"
	"syscall"

	"github.com/jayproxy/jay/tunnel"
)

// Listen opens a TCP listener for clients of the given mode. Multipath TCP is off: it would cost the kernel's shortcuts
// and original destinations. Where the system cannot do what the mode needs, the error says so. The function control, unless
// it is nil, prepares the socket, as that of a net.ListenConfig; see Beside.
func Listen(ctx context.Context, address string, mode Mode, control func(network, address string, raw syscall.RawConn) error) (net.Listener, error) {
	switch {
	case mode == Redirect && runtime.GOOS != "linux":
		return nil, errors.New("intercept-mode redirect works on Linux only; host works everywhere")
	case mode == TProxy:
		return tunnel.ListenTransparent(ctx, address, control)
	}
	lc := net.ListenConfig{Control: control}
	lc.SetMultipathTCP(false)
	return lc.Listen(ctx, "tcp", address)
}
