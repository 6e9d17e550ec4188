//go:build unix

package tunnel

import (
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

// kernelSocket returns the raw form of a plain stream socket, else nil. Only the
// two types themselves will do: a type that embeds one may have bytes of its own
// to read first.
func kernelSocket(c net.Conn) syscall.RawConn {
	var sc syscall.Conn
	switch t := c.(type) {
	case *net.TCPConn:
		sc = t
	case *net.UnixConn:
		if t.LocalAddr().Network() != "unix" {
			return nil
		}
		sc = t
	default:
		return nil
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return nil
	}
	return raw
}

// fill is a syscall.RawConn callback: it reads once, into the pipe when bytes
// come in bulk, else into the buffer. Without any bytes it gives both back before
// the runtime waits for some.
func (f *flow) fill(fd uintptr) bool {
	for {
		f.n, f.err = f.read(int(fd))
		switch f.err {
		case unix.EINTR:
			continue
		case unix.EAGAIN:
			f.rest()
			return false
		}
		f.bulk = f.n >= bulkSize
		return true
	}
}

func (f *flow) read(fd int) (int, error) {
	if f.spliceable() {
		n, err := f.pipe.fill(fd)
		if err != unix.EINVAL {
			return n, err
		}
		f.to = nil // never again: this socket cannot be spliced
	}
	f.releasePipe()
	return unix.Read(fd, f.buffer()[:])
}

// spliceable reports whether the next read is to go into a pipe, and has one.
func (f *flow) spliceable() bool {
	if !f.bulk || f.to == nil {
		return false
	}
	if f.pipe == nil {
		f.pipe = f.pipes.get()
	}
	return f.pipe != nil
}
