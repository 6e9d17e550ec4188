//go:build !linux

package tunnel

import (
	"errors"
	"fmt"
	"net"
	"runtime"
	"syscall"
)

// ShareAddress needs Linux; elsewhere its error is an errors.ErrUnsupported.
func ShareAddress(syscall.RawConn) error {
	return fmt.Errorf("tunnel: sharing an address: not on %s: %w", runtime.GOOS, errors.ErrUnsupported)
}

// HandOver needs Linux; elsewhere it reports false.
func HandOver(*net.TCPListener) bool { return false }
