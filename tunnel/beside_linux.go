package tunnel

import (
	"fmt"
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

// ShareAddress lets other processes of the same user bind a socket, which is
// not bound yet, to the same address (SO_REUSEPORT).
func ShareAddress(raw syscall.RawConn) error {
	var fault error
	if err := raw.Control(func(fd uintptr) {
		fault = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEPORT, 1)
	}); err != nil {
		return err
	}
	return fault
}

// HandOver lets the kernel send connections that begin from now on to the
// second of the sockets that share the listener's address, which is the one that
// was opened after it; those that have begun still arrive here. It reports false
// when the address is not shared, and nothing has changed then.
//
// A listener that is just closed takes the connections with it that nobody has
// accepted yet. Without a second socket, all come here as before.
func HandOver(l *net.TCPListener) bool {
	raw, err := l.SyscallConn()
	if err != nil {
		return false
	}
	done := false
	_ = raw.Control(func(fd uintptr) {
		on, err := unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEPORT)
		if err != nil || on == 0 {
			return
		}
		// A program that returns the index of a socket in the group: 1. When
		// there is none of that index, the kernel chooses as it did before.
		code := []unix.SockFilter{{Code: unix.BPF_RET | unix.BPF_K, K: 1}}
		prog := &unix.SockFprog{Len: uint16(len(code)), Filter: &code[0]}
		done = unix.SetsockoptSockFprog(int(fd), unix.SOL_SOCKET, unix.SO_ATTACH_REUSEPORT_CBPF, prog) == nil
	})
	return done
}

// transparentWith is controlTransparent after another function of its kind.
func transparentWith(control func(network, address string, raw syscall.RawConn) error) func(string, string, syscall.RawConn) error {
	return func(network, address string, raw syscall.RawConn) error {
		if control != nil {
			if err := control(network, address, raw); err != nil {
				return fmt.Errorf("tunnel: %w", err)
			}
		}
		return controlTransparent(network, address, raw)
	}
}
