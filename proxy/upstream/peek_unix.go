//go:build unix

package upstream

import "syscall"

// nothingToRead reports whether a read of fd would wait. It does not wait:
// sockets of package net are non-blocking.
func nothingToRead(fd uintptr) bool {
	var b [1]byte
	for {
		_, _, err := syscall.Recvfrom(int(fd), b[:], syscall.MSG_PEEK)
		if err != syscall.EINTR {
			return err == syscall.EAGAIN || err == syscall.EWOULDBLOCK
		}
	}
}
