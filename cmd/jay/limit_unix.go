//go:build unix

package main

import (
	"math"
	"syscall"
)

// descriptorLimit returns how many file descriptors the process may open.
func descriptorLimit() int64 {
	var r syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &r); err != nil {
		return 0
	}
	return int64(min(uint64(r.Cur), math.MaxInt32))
}
