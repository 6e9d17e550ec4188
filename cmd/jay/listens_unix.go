//go:build unix

package main

import (
	"os"
	"syscall"
)

// listens tells whether a file is a socket that takes connections.
func listens(f *os.File) (bool, error) {
	raw, err := f.SyscallConn()
	if err != nil {
		return false, err
	}
	var on int
	var fault error
	if err := raw.Control(func(fd uintptr) {
		on, fault = syscall.GetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_ACCEPTCONN)
	}); err != nil {
		return false, err
	}
	return on != 0, fault
}
