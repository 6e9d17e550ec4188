package netns

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

const prefix = "jaye2e"

// NS is a network namespace. New makes one, Close removes it.
type NS struct {
	name string
	file *os.File
}

// Lab is a set of namespaces that is removed as a whole.
type Lab struct {
	id     string
	spaces []*NS
}

// NewLab returns an empty lab. It removes what dead processes left behind.
func NewLab() *Lab {
	sweep()
	return &Lab{id: fmt.Sprintf("%s-%d-%x", prefix, os.Getpid(), rand.Uint32())}
}

// sweep removes namespaces whose process is gone.
func sweep() {
	found, _ := filepath.Glob("/run/netns/" + prefix + "-*")
	for _, f := range found {
		p := strings.Split(filepath.Base(f), "-")
		if pid, err := strconv.Atoi(p[1]); err == nil && errors.Is(unix.Kill(pid, 0), unix.ESRCH) {
			(&NS{name: filepath.Base(f)}).remove()
		}
	}
}

// Add makes a namespace with its loopback up. hosts is its /etc/hosts besides
// localhost; its /etc/resolv.conf names no server but those given.
func (l *Lab) Add(hosts string, servers ...string) (*NS, error) {
	n := &NS{name: fmt.Sprintf("%s-%d", l.id, len(l.spaces))}
	l.spaces = append(l.spaces, n)
	if err := run("ip", "netns", "add", n.name); err != nil {
		return nil, err
	}
	dir := filepath.Join("/etc/netns", n.name)
	var conf strings.Builder
	for _, s := range servers {
		conf.WriteString("nameserver " + s + "\n")
	}
	if len(servers) == 0 {
		conf.WriteString("nameserver 127.0.0.1\noptions timeout:1 attempts:1\n")
	}
	err := errors.Join(os.MkdirAll(dir, 0o755),
		os.WriteFile(filepath.Join(dir, "hosts"), []byte("127.0.0.1 localhost\n"+hosts), 0o644),
		os.WriteFile(filepath.Join(dir, "resolv.conf"), []byte(conf.String()), 0o644))
	if err != nil {
		return nil, err
	}
	if n.file, err = os.Open("/run/netns/" + n.name); err != nil {
		return nil, err
	}
	return n, n.Run("ip link set lo up")
}

// Close removes all namespaces of the lab. Processes in them should have ended.
func (l *Lab) Close() {
	for _, n := range l.spaces {
		if n.file != nil {
			n.file.Close()
		}
		n.remove()
	}
}

func (n *NS) remove() {
	_ = run("ip", "netns", "del", n.name)
	_ = os.RemoveAll(filepath.Join("/etc/netns", n.name))
}

// Prefix returns the words that run a command inside the namespace.
func (n *NS) Prefix() []string { return []string{"ip", "netns", "exec", n.name} }

// Run runs a shell script inside the namespace.
func (n *NS) Run(script string) error {
	return run("ip", "netns", "exec", n.name, "bash", "-euo", "pipefail", "-c", script)
}

// Join connects two namespaces by a veth pair with the interface names and
// addresses (with prefix length, several divided by space) given for each end.
func Join(a *NS, aName, aAddrs string, b *NS, bName, bAddrs string) error {
	if err := run("ip", "link", "add", aName, "netns", a.name, "type", "veth", "peer", "name", bName, "netns", b.name); err != nil {
		return err
	}
	return errors.Join(a.up(aName, aAddrs), b.up(bName, bAddrs))
}

func (n *NS) up(link, addrs string) error {
	script := "ip link set " + link + " up\n"
	for _, a := range strings.Fields(addrs) {
		script += "ip addr add " + a + " dev " + link
		if strings.Contains(a, ":") {
			script += " nodad"
		}
		script += "\n"
	}
	return n.Run(script)
}

// Do calls f on a thread that is inside the namespace. Sockets that f makes
// itself, not in other goroutines, belong to the namespace for good.
func (n *NS) Do(f func() error) error {
	runtime.LockOSThread()
	home, err := os.Open("/proc/thread-self/ns/net")
	if err != nil {
		runtime.UnlockOSThread()
		return err
	}
	defer home.Close()
	if err := unix.Setns(int(n.file.Fd()), unix.CLONE_NEWNET); err != nil {
		runtime.UnlockOSThread()
		return fmt.Errorf("netns: %s: %w", n.name, err)
	}
	result := f()
	if err := unix.Setns(int(home.Fd()), unix.CLONE_NEWNET); err != nil {
		return fmt.Errorf("netns: going home: %w", err) // the thread stays locked and ends with its goroutine
	}
	runtime.UnlockOSThread()
	return result
}

// Listen listens inside the namespace; the address must be literal.
func (n *NS) Listen(network, address string) (net.Listener, error) {
	var l net.Listener
	err := n.Do(func() (err error) {
		l, err = net.Listen(network, address)
		return err
	})
	return l, err
}

// Dial connects from inside the namespace; the address must be literal.
func (n *NS) Dial(network, address string) (net.Conn, error) {
	var c net.Conn
	err := n.Do(func() (err error) {
		c, err = net.Dial(network, address)
		return err
	})
	return c, err
}

func run(name string, args ...string) error {
	if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		return fmt.Errorf("netns: %s %s: %w\n%s", name, strings.Join(args, " "), err, out)
	}
	return nil
}
