//go:build soak && linux

package e2e

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jayproxy/jay/e2e/process"
)

const (
	idleClients = 8000
	idleTunnels = 2000
)

// soakIdle measures what idle clients and tunnels cost, and that they cost
// others nothing (R7).
func soakIdle(t *testing.T, f *figures) {
	clients, tunnels := idleClients, idleTunnels
	var limit syscall.Rlimit
	must(t, syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit))
	if need := uint64(clients + 2*tunnels + 1000); limit.Max < need {
		clients, tunnels = int(limit.Max)/2, int(limit.Max)/8
		f.note(t, "R7", "fewer connections, for the descriptor limit is "+fmt.Sprint(limit.Max), "%d clients, %d tunnels", clients, tunnels)
	} else {
		must(t, syscall.Setrlimit(syscall.RLIMIT_NOFILE, &syscall.Rlimit{Cur: limit.Max, Max: limit.Max}))
	}
	j := startSoakJay(t, process.Options{Log: "off", Args: []string{"--max-client-connections", "0", "--idle-timeout", "10m"}})
	idle(t, f, subjectOf(j), clients, tunnels, true)
	fresh := startSoakJay(t, process.Options{Log: "off"})
	before, after := goroutines(t, fresh), goroutines(t, j)
	f.add(t, "R7", "goroutines after close, over a fresh jay's", after <= before+16, "≤ +16", "%+d", after-before)
	if squid, ok := startPeer(t); ok {
		idle(t, f, squid, clients, tunnels, false)
	}
}

// idle runs R7 on one proxy; judged says whether its figures must be good.
func idle(t *testing.T, f *figures, s subject, clients, tunnels int, judged bool) {
	t.Helper()
	plain := startPlain(t)
	add := func(what string, ok bool, want, format string, args ...any) {
		t.Helper()
		f.add(t, "R7", s.name+": "+what, ok || !judged, want, format, args...)
	}
	honest(s, plain, time.Second)
	time.Sleep(time.Second)
	fds0, rss0 := s.descriptors(t), s.memory(t)
	held := openMany(t, clients, func() (net.Conn, error) { return idleClient(s.addr, plain) })
	time.Sleep(3 * time.Second)
	fds1, rss1 := s.descriptors(t), s.memory(t)
	add("KiB a idle client", float64(rss1-rss0)/float64(clients) <= 24<<10, "≤ 24", "%.1f", float64(rss1-rss0)/float64(clients)/1024)
	add("descriptors a client", true, "", "%.2f", float64(fds1-fds0)/float64(clients))
	l := listen(t)
	defer l.Close()
	go holdAll(l, false)
	held = append(held, openMany(t, tunnels, func() (net.Conn, error) { return idleTunnel(s.addr, l.Addr().String()) })...)
	time.Sleep(3 * time.Second)
	fds2, rss2 := s.descriptors(t), s.memory(t)
	add("KiB a tunnel", float64(rss2-rss1)/float64(tunnels) <= 40<<10, "≤ 40", "%.1f", float64(rss2-rss1)/float64(tunnels)/1024)
	add("descriptors a tunnel", float64(fds2-fds1)/float64(tunnels) <= 2.1, "≤ 2.1", "%.2f", float64(fds2-fds1)/float64(tunnels))
	lat := honest(s, plain, scaled(time.Minute))
	add("errors of 200 req/s beside them", len(lat.errs) == 0, "0", "%d of %d (first: %s)", len(lat.errs), len(lat.took), lat.firstErr())
	add("p99 of these", lat.p99() <= 25*time.Millisecond, "≤ 25 ms", "%v", lat.p99().Round(10*time.Microsecond))
	for _, c := range held {
		c.Close()
	}
	began := time.Now()
	for s.descriptors(t) > fds0+16 && time.Since(began) < 30*time.Second {
		time.Sleep(50 * time.Millisecond)
	}
	add("seconds until descriptors are back", time.Since(began) <= 5*time.Second, "≤ 5", "%.1f, %+d descriptors", time.Since(began).Seconds(), s.descriptors(t)-fds0)
}

// openMany opens n connections, some at a time.
func openMany(t *testing.T, n int, open func() (net.Conn, error)) []net.Conn {
	t.Helper()
	var mu sync.Mutex
	var wg sync.WaitGroup
	var held []net.Conn
	for i := range 50 {
		wg.Go(func() {
			for k := i; k < n; k += 50 {
				c, err := open()
				if err != nil {
					t.Errorf("connection %d: %v", k, err)
					return
				}
				mu.Lock()
				held = append(held, c)
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	return held
}

// idleClient is a connection after its first answer.
func idleClient(addr, host string) (net.Conn, error) {
	return talk(addr, "GET http://"+host+"/page/1 HTTP/1.1\r\nHost: "+host+"\r\n\r\n", "xxxx", 200)
}

// idleTunnel is a CONNECT tunnel through which something went both ways.
func idleTunnel(addr, to string) (net.Conn, error) {
	c, err := talk(addr, "CONNECT "+to+" HTTP/1.1\r\nHost: "+to+"\r\n\r\n", "\r\n\r\n", 0)
	if err != nil {
		return nil, err
	}
	if _, err := io.WriteString(c, "?"); err != nil {
		return nil, err
	}
	_, err = io.ReadFull(c, make([]byte, 1))
	return c, err
}

// talk sends a request and reads until rest bytes have come after the head that
// ends before end.
func talk(addr, request, end string, rest int) (net.Conn, error) {
	c, err := net.DialTimeout("tcp", addr, 20*time.Second)
	if err != nil {
		return nil, err
	}
	_ = c.SetDeadline(time.Now().Add(20 * time.Second))
	defer c.SetDeadline(time.Time{})
	if _, err := io.WriteString(c, request); err != nil {
		return nil, err
	}
	var got []byte
	buf := make([]byte, 2048)
	for {
		n, err := c.Read(buf)
		got = append(got, buf[:n]...)
		if i := bytes.Index(got, []byte("\r\n\r\n")); i >= 0 && len(got) >= i+4+rest && bytes.Contains(got, []byte(end)) {
			if !bytes.Contains(got[:i], []byte(" 200 ")) {
				return c, fmt.Errorf("got %q", got)
			}
			return c, nil
		}
		if err != nil {
			return c, fmt.Errorf("%w after %q", err, got)
		}
	}
}

// runSquid starts Squid on a free port, as a memory cache for everybody.
func runSquid(t *testing.T, program string) (subject, bool) {
	t.Helper()
	dir, err := os.MkdirTemp("", "jay-squid-")
	must(t, err)
	must(t, os.Chmod(dir, 0o777))
	addr := process.FreeAddr()
	conf := strings.Join([]string{"http_port " + addr, "http_access allow all", "cache_mem 64 MB", "access_log none", "cache_log " + dir + "/cache.log", "cache_store_log none",
		"pid_filename " + dir + "/pid", "coredump_dir " + dir, "max_filedescriptors 20000", "client_idle_pconn_timeout 10 minutes", "shutdown_lifetime 1 second",
		"memory_cache_mode always", "pinger_enable off", ""}, "\n")
	must(t, os.WriteFile(filepath.Join(dir, "conf"), []byte(conf), 0o644))
	cmd := exec.Command(program, "-N", "-f", filepath.Join(dir, "conf"))
	must(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		os.RemoveAll(dir)
	})
	for range 100 {
		if c, err := net.Dial("tcp", addr); err == nil {
			c.Close()
			return subject{"squid", addr, cmd.Process.Pid}, true
		}
		time.Sleep(100 * time.Millisecond)
	}
	log, _ := os.ReadFile(filepath.Join(dir, "cache.log"))
	t.Logf("squid does not start: %s", log)
	return subject{}, false
}
