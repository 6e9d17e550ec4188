package tunnel

import (
	"net"
	"sync"
	"sync/atomic"
	"syscall"
)

// Sizes of the buffers of a flow.
const (
	bufferSize = 32 << 10 // taken from the pool while bytes are moving
	restSize   = 2 << 10  // held while waiting for what is no kernel socket
	bulkSize   = 16 << 10 // a read of so many bytes makes the next one a splice
)

// buffers hands out what is held only between a read and the end of its write.
var buffers = sync.Pool{New: func() any { return new([bufferSize]byte) }}

// flow is one direction of a tunnel.
type flow struct {
	owner    *relay
	pipes    *pipePool
	src, dst net.Conn
	from, to syscall.RawConn // src and dst as kernel sockets, nil when they are none
	early    []byte
	moved    int64 // bytes written to dst

	buf  *[bufferSize]byte // from buffers, nil while waiting
	pipe *pipe             // from pipes, nil while waiting
	bulk bool              // the last read was a large one: splice the next
	n    int               // what the last read moved
	err  error             // what stopped the last read or write

	writing atomic.Bool // dst has not accepted all that was read
	queued  int         // bytes dst's peer had yet to get when delivering last looked
}

func (f *flow) init(r *relay, pipes *pipePool, src, dst net.Conn, early []byte) {
	f.owner, f.pipes, f.src, f.dst, f.early = r, pipes, src, dst, early
	f.from, f.to = kernelSocket(src), kernelSocket(dst)
}

// carry passes on everything that comes from src. It returns nil at the end of
// the stream, a *readError when src failed, any other error when dst did.
func (f *flow) carry() error {
	if len(f.early) > 0 {
		if err := f.write(f.early); err != nil {
			return err
		}
		f.early = nil
	}
	if f.from != nil {
		return f.carryKernel()
	}
	return f.carryPlain()
}

// carryKernel waits for bytes without a buffer to hold them.
func (f *flow) carryKernel() error {
	defer f.rest()
	fill, pour := f.fill, f.pour
	for {
		if err := f.from.Read(fill); err != nil {
			return &readError{err}
		}
		if f.err != nil {
			return &readError{f.err}
		}
		if f.n == 0 {
			return nil
		}
		f.owner.touch()
		if err := f.push(pour); err != nil {
			return err
		}
	}
}

// push writes what the last read brought.
func (f *flow) push(pour func(fd uintptr) bool) error {
	if f.pipe == nil {
		return f.write(f.buf[:f.n])
	}
	f.writing.Store(true)
	defer f.writing.Store(false)
	if err := f.to.Write(pour); err != nil {
		return err
	}
	return f.err
}

// carryPlain serves connections that are no kernel sockets. It waits with a
// small buffer and changes to a large one while that gets filled.
func (f *flow) carryPlain() error {
	defer f.rest()
	small := make([]byte, restSize)
	p := small
	for {
		n, err := f.src.Read(p)
		if n > 0 {
			f.owner.touch()
			if err := f.write(p[:n]); err != nil {
				return err
			}
		}
		if err != nil {
			return endOrFault(err)
		}
		switch {
		case n > restSize:
		case n == restSize:
			p = f.buffer()[:]
		default:
			f.rest()
			p = small
		}
	}
}

func (f *flow) write(p []byte) error {
	f.writing.Store(true)
	defer f.writing.Store(false)
	n, err := f.dst.Write(p)
	f.moved += int64(n)
	f.owner.touch()
	return err
}

// buffer returns the flow's buffer, taking one when it has none.
func (f *flow) buffer() *[bufferSize]byte {
	if f.buf == nil {
		f.buf = buffers.Get().(*[bufferSize]byte)
	}
	return f.buf
}

// rest gives back what the flow held for moving bytes.
func (f *flow) rest() {
	if f.buf != nil {
		buffers.Put(f.buf)
		f.buf = nil
	}
	f.releasePipe()
}

func (f *flow) releasePipe() {
	if f.pipe != nil {
		f.pipes.put(f.pipe)
		f.pipe = nil
	}
}

// delivering reports whether a write is waiting for a peer that has taken some
// bytes since this was asked last. The first time it is, there is nothing to
// compare with, and the doubt counts for the peer.
func (f *flow) delivering() bool {
	if !f.writing.Load() {
		return false
	}
	t := socketOf(f.dst)
	if t == nil {
		return false
	}
	queued := unsent(t)
	if queued == f.queued {
		return false
	}
	f.queued = queued
	return true
}
