//go:build unix

package wire

import (
	"io"
	"net"
	"os"
	"syscall"
)

// initPoll prepares the Reader to wait for a TCP connection without a buffer.
// Only the very type will do: a type that embeds it may read differently.
func (r *Reader) initPoll() {
	tcp, ok := r.conn.(*net.TCPConn)
	if !ok {
		return
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return
	}
	r.raw, r.poll = raw, r.pollRead
}

// await reads into a new buffer, taken once there is something to read. It
// obeys the connection's read deadline.
func (r *Reader) await() error {
	if err := r.raw.Read(r.poll); err != nil {
		if !isTimeout(err) {
			r.err = err
		}
		return err
	}
	switch {
	case r.polledErr != nil:
		r.err = &net.OpError{
			Op: "read", Net: "tcp", Source: r.conn.LocalAddr(), Addr: r.conn.RemoteAddr(),
			Err: os.NewSyscallError("read", r.polledErr),
		}
	case r.polled == 0:
		r.err = io.EOF
	default:
		return nil
	}
	return r.err
}

// pollRead reads from the descriptor if that does not block.
func (r *Reader) pollRead(fd uintptr) bool {
	buf := takeBuffer(smallBuffer)
	n, err := syscall.Read(int(fd), buf)
	for err == syscall.EINTR {
		n, err = syscall.Read(int(fd), buf)
	}
	if n > 0 && err == nil {
		r.buf, r.start, r.end = buf, 0, n
		r.polled, r.polledErr = n, nil
		return true
	}
	giveBuffer(buf)
	r.polled, r.polledErr = 0, err
	return err != syscall.EAGAIN
}
