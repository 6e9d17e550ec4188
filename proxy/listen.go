package proxy

import (
	"context"
	"errors"
	"net"
	"runtime"

	"github.com/jayproxy/jay/tunnel"
)

// Listen opens a TCP listener for clients of the given mode. Multipath TCP is off: it would cost the kernel's shortcuts
// and original destinations. Where the system cannot do what the mode needs, the error says so.
func Listen(ctx context.Context, address string, mode Mode) (net.Listener, error) {
	switch {
	case mode == Redirect && runtime.GOOS != "linux":
		return nil, errors.New("intercept-mode redirect works on Linux only; host works everywhere")
	case mode == TProxy:
		return tunnel.ListenTransparent(ctx, address)
	}
	var lc net.ListenConfig
	lc.SetMultipathTCP(false)
	return lc.Listen(ctx, "tcp", address)
}
