package e2e

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jayproxy/jay/e2e/process"
)

// BenchmarkConnectBulk moves 1 GiB over one connection: directly, and through the CONNECT of jay and, where it is
// installed, of Squid. It reports the rate and the proxy's processor time for a GiB.
//
//	go test -run xxx -bench ConnectBulk -benchtime 3x ./e2e
func BenchmarkConnectBulk(b *testing.B) {
	source := bulkSource(b)
	b.Run("direct", func(b *testing.B) { bulk(b, source, "", nil) })
	b.Run("jay", func(b *testing.B) {
		binary, err := env.binary()
		if err != nil {
			b.Fatal(err)
		}
		j, err := process.Start(process.Options{Binary: binary})
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { _ = j.Stop() })
		bulk(b, source, j.Proxy, []int{j.PID()})
	})
	if _, err := exec.LookPath("squid"); err == nil {
		b.Run("squid", func(b *testing.B) {
			addr, pid := startSquid(b)
			bulk(b, source, addr, []int{pid})
		})
	}
}

const bulkBytes = 1 << 30

// bulkSource sends bulkBytes to whoever connects.
func bulkSource(b *testing.B) string {
	b.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { l.Close() })
	go func() {
		block := make([]byte, 256<<10)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			for n := 0; n < bulkBytes; n += len(block) {
				if _, err := c.Write(block); err != nil {
					break
				}
			}
			c.Close()
		}
	}()
	return l.Addr().String()
}

// bulk reads all that the source sends, through a proxy if its address is not empty.
func bulk(b *testing.B, source, proxy string, pids []int) {
	b.Helper()
	b.SetBytes(bulkBytes)
	buf := make([]byte, 256<<10)
	before := cpuTime(b, pids)
	for b.Loop() {
		r := bulkConn(b, source, proxy)
		n, err := io.CopyBuffer(struct{ io.Writer }{io.Discard}, struct{ io.Reader }{r}, buf)
		if err != nil || n != bulkBytes {
			b.Fatalf("got %d bytes, %v; want %d", n, err, bulkBytes)
		}
	}
	if len(pids) > 0 {
		b.ReportMetric(float64((cpuTime(b, pids)-before).Milliseconds())/float64(b.N), "proxy-cpu-ms/GiB")
	}
}

// bulkConn connects to the source.
func bulkConn(b *testing.B, source, proxy string) io.Reader {
	b.Helper()
	to := source
	if proxy != "" {
		to = proxy
	}
	c, err := net.Dial("tcp", to)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { c.Close() })
	if proxy == "" {
		return c
	}
	fmt.Fprintf(c, "CONNECT %s HTTP/1.1\r\nHost: %s\r\n\r\n", source, source)
	r := bufio.NewReaderSize(c, 4096)
	resp, err := http.ReadResponse(r, &http.Request{Method: "CONNECT"})
	if err != nil || resp.StatusCode != http.StatusOK {
		b.Fatalf("CONNECT: got %v, %v; want 200", resp, err)
	}
	early, _ := r.Peek(r.Buffered())
	return io.MultiReader(strings.NewReader(string(early)), c)
}

// cpuTime is the processor time that processes have used.
func cpuTime(b *testing.B, pids []int) (d time.Duration) {
	b.Helper()
	for _, pid := range pids {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil {
			b.Fatal(err)
		}
		var user, system int64
		f := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
		fmt.Sscan(f[11], &user)
		fmt.Sscan(f[12], &system)
		d += time.Duration(user+system) * (time.Second / 100)
	}
	return d
}

// startSquid runs Squid as a plain CONNECT proxy that ends with the benchmark.
func startSquid(b *testing.B) (addr string, pid int) {
	b.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	addr = l.Addr().String()
	l.Close()
	dir := b.TempDir()
	conf := filepath.Join(dir, "squid.conf")
	text := fmt.Sprintf("http_port %s\nhttp_access allow all\naccess_log none\ncache_log %s/cache.log\npid_filename none\ncoredump_dir %s\nshutdown_lifetime 0 seconds\nvisible_hostname bench\n", addr, dir, dir)
	if err := os.WriteFile(conf, []byte(text), 0o644); err != nil {
		b.Fatal(err)
	}
	if err := exec.Command("chmod", "-R", "777", dir, filepath.Dir(dir)).Run(); err != nil {
		b.Fatal(err)
	}
	cmd := exec.Command("squid", "-N", "-f", conf)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		_ = cmd.Wait()
	})
	for range 100 {
		if c, err := net.Dial("tcp", addr); err == nil {
			c.Close()
			return addr, cmd.Process.Pid
		}
		time.Sleep(100 * time.Millisecond)
	}
	log, _ := os.ReadFile(filepath.Join(dir, "cache.log"))
	b.Fatalf("squid does not listen on %s:\n%s", addr, log)
	return "", 0
}
