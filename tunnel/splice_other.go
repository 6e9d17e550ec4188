//go:build !linux

package tunnel

import "net"

// pipe is never made: only Linux moves bytes between sockets within the kernel.
type pipe struct{}

func (p *pipe) fill(fd int) (int, error) { return 0, nil }

type pipePool struct{}

func (pp *pipePool) get() *pipe { return nil }
func (pp *pipePool) put(*pipe)  {}
func (pp *pipePool) close()     {}

func (f *flow) pour(fd uintptr) bool { return true }

// unsent is unknown: a blocked write counts as stalled.
func unsent(c *net.TCPConn) int { return 0 }
