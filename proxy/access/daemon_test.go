package access_test

import (
	"bufio"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/jayproxy/jay/proxy/access"
)

// daemon is a log daemon of the test's own, at a socket that stands for /dev/log or journald's.
func daemon(t *testing.T, path string) *net.UnixConn {
	t.Helper()
	os.Remove(path)
	c, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// receive reads one message.
func receive(t *testing.T, c net.Conn) string {
	t.Helper()
	buf := make([]byte, 64<<10)
	c.SetReadDeadline(time.Now().Add(20 * time.Second))
	n, err := c.Read(buf)
	if err != nil {
		t.Fatal(err)
	}
	return string(buf[:n])
}

func openLog(t *testing.T, o access.Options) *access.Log {
	t.Helper()
	l, err := access.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

// TestSyslog_RFC3164 checks what the daemon of the same machine gets, also one that is started later or anew.
func TestSyslog_RFC3164(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	l := openLog(t, access.Options{Path: "syslog:" + path})
	l.Write(record(1)) // to nobody
	for deadline := time.Now().Add(20 * time.Second); l.Dropped() != 1; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d lines dropped; want 1, to a daemon that is not there", l.Dropped())
		}
	}
	for n := range 2 {
		d := daemon(t, path)
		for i := range 3 {
			l.Write(record(10*n + i))
		}
		for i := range 3 {
			want := regexp.MustCompile(fmt.Sprintf(`^<30>[A-Z][a-z]{2} [ 0-9]\d \d\d:\d\d:\d\d jay\[%d\]: \S+ - - http://h/%d 0 0 0\.000ms\b[^\n]*$`, os.Getpid(), 10*n+i))
			if got := receive(t, d); !want.MatchString(got) {
				t.Errorf("got %q; want %v", got, want)
			}
		}
		d.Close()
	}
	if err := l.Close(); err != nil || l.Dropped() != 1 {
		t.Errorf("Close() = %v, %d dropped; want 1", err, l.Dropped())
	}
}

// TestSyslog_RFC5424 checks what a daemon on another machine gets.
func TestSyslog_RFC5424(t *testing.T) {
	want := regexp.MustCompile(`^<30>1 \d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}(Z|[-+]\d\d:\d\d) \S+ jay \d+ access - \S+ - - http://h/7 [^\n]*$`)
	packets, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer packets.Close()
	l := openLog(t, access.Options{Path: "syslog://" + packets.LocalAddr().String()})
	l.Write(record(7))
	if got := receive(t, packets.(net.Conn)); !want.MatchString(got) {
		t.Errorf("UDP: got %q; want %v", got, want)
	}

	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	stream := openLog(t, access.Options{Path: "syslog+tcp://" + ln.Addr().String()})
	stream.Write(record(7))
	stream.Write(record(7))
	c, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	r := bufio.NewReader(c)
	for range 2 {
		c.SetReadDeadline(time.Now().Add(20 * time.Second))
		if got, err := r.ReadString('\n'); err != nil || !want.MatchString(strings.TrimSuffix(got, "\n")) {
			t.Errorf("TCP: got %q, %v; want %v and a line feed", got, err, want)
		}
	}
}

// TestJournald checks the fields of an entry, whatever a client puts into them.
func TestJournald(t *testing.T) {
	path := filepath.Join(t.TempDir(), "socket")
	d := daemon(t, path)
	l := openLog(t, access.Options{Path: "journald:" + path, Format: access.Squid})
	l.Write(&access.Record{
		Time: time.Unix(1, 0), Duration: 1500 * time.Microsecond, Client: netip.MustParseAddrPort("10.0.0.7:1234"),
		Method: "GET", URL: "http://user:secret@h/a\nPRIORITY=0 b", Proto: "HTTP/1.1", Status: 200, BytesIn: 3, BytesOut: 1256,
		Decision: access.Miss, Reason: "uri-miss", CacheStatus: "jay; fwd=uri-miss", Origin: netip.MustParseAddrPort("192.0.2.1:80"), User: "anna\n\nbert",
	})
	l.Write(record(2))
	want := []string{
		"PRIORITY=6", "SYSLOG_FACILITY=3", "SYSLOG_IDENTIFIER=jay",
		"MESSAGE=1.000      1 10.0.0.7 TCP_MISS/200 1256 GET http://h/a%0APRIORITY=0%20b ",
		"JAY_CLIENT=10.0.0.7:1234", `JAY_USER=anna\x0a\x0abert`, "JAY_METHOD=GET", "JAY_URL=http://h/a%0APRIORITY=0%20b", "JAY_STATUS=200",
		"JAY_BYTES_IN=3", "JAY_BYTES_OUT=1256", "JAY_DURATION_USEC=1500", "JAY_DECISION=miss", "JAY_REASON=uri-miss",
		"JAY_CACHE_STATUS=jay; fwd=uri-miss", "JAY_ORIGIN=192.0.2.1:80", "",
	}
	got := strings.Split(receive(t, d), "\n")
	if len(got) != len(want) {
		t.Fatalf("got %q; want %q", got, want)
	}
	for i := range want {
		if got[i] != want[i] && !(strings.HasPrefix(want[i], "MESSAGE=") && strings.HasPrefix(strings.Join(strings.Fields(got[i]), " "), strings.Join(strings.Fields(want[i]), " "))) {
			t.Errorf("got %q; want %q", got[i], want[i])
		}
	}
	if got := receive(t, d); !strings.Contains(got, "\nJAY_URL=http://h/2\n") || strings.Contains(got, "\n\n") || strings.Contains(got, "JAY_USER") {
		t.Errorf("got %q; want the second entry", got)
	}
	if err := l.Close(); err != nil || l.Dropped() != 0 {
		t.Errorf("Close() = %v, %d dropped; want none", err, l.Dropped())
	}
}

// TestStuckDaemon checks that a daemon which takes nothing costs lines, and neither time nor the end of the log.
func TestStuckDaemon(t *testing.T) {
	for _, name := range []string{"syslog:", "journald:"} {
		path := filepath.Join(t.TempDir(), "log")
		d := daemon(t, path) // nobody reads
		l := openLog(t, access.Options{Path: name + path, BufferBytes: 1 << 20})
		const n = 20000
		for i := range n {
			l.Write(record(i))
		}
		if err := l.Close(); err != nil {
			t.Errorf("%s %v", name, err)
		}
		got := int64(0)
		buf := make([]byte, 64<<10)
		for d.SetReadDeadline(time.Now().Add(50 * time.Millisecond)); ; got++ {
			if _, err := d.Read(buf); err != nil {
				break
			}
		}
		if dropped := l.Dropped(); dropped == 0 || dropped+got != n {
			t.Errorf("%s %d lines in the socket and %d dropped; want %d together", name, got, dropped, n)
		}
	}
}

func TestDaemonErrors(t *testing.T) {
	const usage = ": write journald, syslog, syslog://host:port or syslog+tcp://host:port"
	for path, want := range map[string]string{
		"syslog:":            "syslog:" + usage,
		"syslog:log":         "syslog:log" + usage,
		"syslog+tcp":         "syslog+tcp" + usage,
		"syslog+tcp:/path":   "syslog+tcp:/path" + usage,
		"journald://h:1":     "journald://h:1" + usage,
		"syslog://host":      "syslog://host: not an address and its port",
		"syslog+tcp://[::1]": "syslog+tcp://[::1]: not an address and its port",
	} {
		if _, err := access.Open(access.Options{Path: path}); err == nil || err.Error() != "access log: "+want {
			t.Errorf("%s: got %v; want %s", path, err, want)
		}
	}
}

// TestDaemonAllocs checks that a record for a daemon is written without allocation, too.
func TestDaemonAllocs(t *testing.T) {
	l := openLog(t, access.Options{Path: "journald:" + filepath.Join(t.TempDir(), "none")})
	r := record(1)
	if got := testing.AllocsPerRun(100, func() { l.Write(r) }); got > 0 {
		t.Errorf("%v allocations a record; want 0", got)
	}
}
