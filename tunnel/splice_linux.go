package tunnel

import (
	"net"
	"slices"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

const (
	pipeSize  = 1 << 20     // the most that an unprivileged process may ask for by default
	maxPipes  = 64          // two descriptors each; flows beyond that copy
	pipesRest = time.Second // how long a pipe without use is kept
)

// pipe is what splice(2) needs between two sockets.
type pipe struct {
	r, w int
	held int // bytes inside
}

// fill moves bytes from a socket into the empty pipe.
func (p *pipe) fill(fd int) (int, error) {
	n, err := unix.Splice(fd, nil, p.w, nil, pipeSize, unix.SPLICE_F_NONBLOCK)
	if err != nil {
		return 0, err
	}
	p.held = int(n)
	return p.held, nil
}

// pour is a syscall.RawConn callback: it empties the flow's pipe into dst.
func (f *flow) pour(fd uintptr) bool {
	p := f.pipe
	f.err = nil
	for p.held > 0 {
		n, err := unix.Splice(p.r, nil, int(fd), nil, p.held, unix.SPLICE_F_NONBLOCK)
		switch err {
		case nil:
			p.held -= int(n)
			f.moved += int64(n)
			f.owner.touch()
		case unix.EINTR:
		case unix.EAGAIN:
			return false
		default:
			f.err = err
			return true
		}
	}
	return true
}

// pipePool lends pipes to flows while their bytes are moving, so that idle
// tunnels share a few. What has not been used for pipesRest is closed.
type pipePool struct {
	mu    sync.Mutex
	free  []*pipe
	open  int         // free and lent
	low   int         // the fewest that were free since trim ran
	timer *time.Timer // runs trim, nil while none is free
	shut  bool
}

// get returns an empty pipe, or nil when there are no more to have.
func (pp *pipePool) get() *pipe {
	pp.mu.Lock()
	defer pp.mu.Unlock()
	if last := len(pp.free) - 1; last >= 0 {
		p := pp.free[last]
		pp.free = pp.free[:last]
		pp.low = min(pp.low, last)
		return p
	}
	if pp.shut || pp.open >= maxPipes {
		return nil
	}
	var fds [2]int
	if unix.Pipe2(fds[:], unix.O_CLOEXEC|unix.O_NONBLOCK) != nil {
		return nil
	}
	// Refused beyond a user's share of pipe memory: the size it has will do.
	_, _ = unix.FcntlInt(uintptr(fds[0]), unix.F_SETPIPE_SZ, pipeSize)
	pp.open++
	return &pipe{r: fds[0], w: fds[1]}
}

// put takes a pipe back. One that still holds bytes is of no further use.
func (pp *pipePool) put(p *pipe) {
	pp.mu.Lock()
	defer pp.mu.Unlock()
	if p.held > 0 || pp.shut {
		pp.drop(p)
		return
	}
	pp.free = append(pp.free, p)
	if pp.timer == nil {
		pp.low = len(pp.free)
		pp.timer = time.AfterFunc(pipesRest, pp.trim)
	}
}

// trim closes the pipes that nobody needed since it ran last.
func (pp *pipePool) trim() {
	pp.mu.Lock()
	defer pp.mu.Unlock()
	for _, p := range pp.free[:pp.low] { // the last ones are those in use
		pp.drop(p)
	}
	pp.free = slices.Delete(pp.free, 0, pp.low)
	pp.low = len(pp.free)
	pp.timer = nil
	if pp.low > 0 {
		pp.timer = time.AfterFunc(pipesRest, pp.trim)
	}
}

// close closes the free pipes, and from then on each one that comes back.
func (pp *pipePool) close() {
	pp.mu.Lock()
	defer pp.mu.Unlock()
	pp.shut = true
	for _, p := range pp.free {
		pp.drop(p)
	}
	pp.free, pp.low = nil, 0
	if pp.timer != nil {
		pp.timer.Stop()
		pp.timer = nil
	}
}

func (pp *pipePool) drop(p *pipe) {
	unix.Close(p.r)
	unix.Close(p.w)
	pp.open--
}

// unsent returns how many bytes c's peer has not confirmed, 0 when unknown.
func unsent(c *net.TCPConn) int {
	raw, err := c.SyscallConn()
	if err != nil {
		return 0
	}
	n := 0
	_ = raw.Control(func(fd uintptr) { n, _ = unix.IoctlGetInt(int(fd), unix.SIOCOUTQ) })
	return n
}
