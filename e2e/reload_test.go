package e2e

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/jayproxy/jay/e2e/origin"
	"github.com/jayproxy/jay/e2e/process"
	"github.com/jayproxy/jay/e2e/rawhttp"
)

// reloadable is a jay whose settings stand in a file.
type reloadable struct {
	*process.Jay
	t     *testing.T
	path  string
	proxy string // addresses of the listeners
	admin string
}

func startReloadable(t *testing.T, text string) *reloadable {
	t.Helper()
	r := &reloadable{t: t, path: filepath.Join(t.TempDir(), "jay.yaml"), proxy: process.FreeAddr(), admin: process.FreeAddr()}
	r.write(text)
	r.Jay = startJayWith(t, process.Options{
		Args: []string{"--config", r.path}, Listen: "none", Intercept: "none", Env: []string{"JAY_ADMIN="},
	})
	return r
}

// write writes the file, with both listeners unless text has them.
func (r *reloadable) write(text string) {
	r.t.Helper()
	for key, value := range map[string]string{"listen": r.proxy, "admin": r.admin} {
		if !strings.Contains("\n"+text, "\n"+key+":") {
			text += key + ": " + value + "\n"
		}
	}
	must(r.t, os.WriteFile(r.path, []byte(text), 0o600))
}

// reload runs jay reload, which must be done.
func (r *reloadable) reload() string {
	r.t.Helper()
	status, stdout, stderr := runJay(r.t, "reload", "--admin", r.admin)
	if status != 0 {
		r.t.Fatalf("jay reload: exit %d, %s%s", status, stdout, stderr)
	}
	return stdout
}

// everything changes most of what there is.
const everything = `cache-size: 16MiB
max-object-size: 1MiB
fill-size: 1MiB
max-variants: 2
name: other
idle-timeout: 3s
connect-timeout: 3s
body-timeout: 1s
write-timeout: 1s
tunnel-idle-timeout: 1s
tunnel-lifetime: 1s
max-connections: 100
max-origin-connections: 3
max-head-size: 8KiB
max-target-size: 4KiB
connect-ports: 1
http-ports: 1
deny-private: true
dns-servers: 192.0.2.1
log-level: debug
policy: {default: deny}
`

// TestReload_running: a download, an upload and a tunnel that have begun are finished byte for byte by the settings that they began with,
// although everything changes and the listener moves; what comes next goes by the new ones.
func TestReload_running(t *testing.T) {
	t.Parallel()
	content := origin.Content{Key: "reload", Size: 12 << 20}
	half := make(chan struct{})
	o := startOrigin(t, func(x *origin.Exchange) {
		switch x.Path() {
		case "/down":
			x.Head("200 OK", rawhttp.F("Content-Length", strconv.FormatInt(content.Size, 10), "Cache-Control", "max-age=600"))
			content.Copy(x, 0, content.Size/2)
			<-half
			content.Copy(x, content.Size/2, content.Size)
		case "/up":
			_, err := x.ReadBody()
			x.OK(fmt.Sprintf("%x %v", x.Req.Sum, err))
		default:
			x.OK("x")
		}
	})
	echo, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	t.Cleanup(func() { echo.Close() })
	go func() {
		if c, err := echo.Accept(); err == nil {
			_, _ = io.Copy(c, c)
			c.Close()
		}
	}()
	j := startReloadable(t, "cache-size: 64MiB\n")
	w := way{name: "explicit", addr: j.proxy}
	down, up, tunnel, kept := w.dial(t, o.Addr()), w.dial(t, o.Addr()), w.dial(t, ""), w.dial(t, o.Addr())
	send(t, kept, w.get(o.Addr(), "/kept", nil))
	receive(t, kept, "GET")
	send(t, down, w.get(o.Addr(), "/down", nil))
	resp, err := down.ReadFinal("GET")
	must(t, err)
	body, got := down.Body(resp), make([]byte, content.Size)
	_, err = io.ReadFull(body, got[:1<<20])
	must(t, err)
	upload := content.Bytes()[:4<<20]
	send(t, up, rawhttp.Request("POST", w.target(o.Addr(), "/up"), rawhttp.F("Host", o.Addr(), "Content-Length", strconv.Itoa(len(upload))), string(upload[:1<<20])))
	send(t, tunnel, rawhttp.Request("CONNECT", echo.Addr().String(), rawhttp.F("Host", echo.Addr().String()), ""))
	if resp, err := tunnel.ReadFinal("CONNECT"); err != nil || resp.Code != 200 {
		t.Fatalf("CONNECT: got %v, %v; want 200", resp, err)
	}
	chat := func(text string) {
		t.Helper()
		send(t, tunnel, text)
		b := make([]byte, len(text))
		if _, err := io.ReadFull(tunnel, b); err != nil || string(b) != text {
			t.Errorf("tunnel: got %d bytes, %v; want the %d that were sent", len(b), err, len(text))
		}
	}
	chat("before")

	was := j.proxy
	j.proxy = process.FreeAddr()
	j.write(everything)
	if out := j.reload(); !strings.Contains(out, "cache-size: 64MiB → 16MiB\n") || !strings.Contains(out, "explicit listener "+was+" closed\n") {
		t.Errorf("jay reload said %q; want the cache's size and the listener that is closed", out)
	}

	for i := range 50 {
		chat(string(content.Bytes()[i*1000 : i*1000+1000*(i%3+1)]))
	}
	send(t, up, string(upload[1<<20:]))
	sum := sha256.Sum256(upload)
	if resp, want := receive(t, up, "POST"), fmt.Sprintf("%x <nil>", sum); string(resp.Body) != want {
		t.Errorf("upload: got %v; want %s", resp, want)
	}
	close(half)
	if _, err := io.ReadFull(body, got[1<<20:]); err != nil || !bytes.Equal(got, content.Bytes()) {
		t.Errorf("download: got %v; want the content", err)
	}
	send(t, kept, w.get(o.Addr(), "/kept", nil))
	if resp := receive(t, kept, "GET"); resp.Code != 403 {
		t.Errorf("the next request on a connection: got %v; want 403 by the new policy", resp)
	}
	if c, err := net.Dial("tcp", was); err == nil {
		c.Close()
		t.Errorf("%s is still open", was)
	}
	w.addr = j.proxy
	if resp := w.do(t, "GET", o.Addr(), "/", nil, ""); resp.Code != 403 || !strings.Contains(resp.Fields.Get("Proxy-Status"), "default") {
		t.Errorf("at the new listener: got %v; want 403 by the new policy", resp)
	}
	tunnel.Close() // or jay waits for it
}

// TestReload_load: under load from kept and new connections no request fails while settings go to and fro, and the cache is within its bound
// as soon as it has shrunk.
func TestReload_load(t *testing.T) {
	t.Parallel()
	content := func(path string) origin.Content { return origin.Content{Key: path, Size: 20_000} }
	o := startOrigin(t, func(x *origin.Exchange) { content(x.Path()).Serve(x, rawhttp.F("Cache-Control", "max-age=600")) })
	j := startReloadable(t, "cache-size: 64MiB\n")
	var asked atomic.Int64
	stop := make(chan struct{})
	var all sync.WaitGroup
	for n := range 6 {
		transport := &http.Transport{Proxy: http.ProxyURL(&url.URL{Scheme: "http", Host: j.proxy}), DisableKeepAlives: n%3 == 0}
		defer transport.CloseIdleConnections()
		all.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
				}
				path := fmt.Sprintf("/%d", (i*13+n)%2000)
				if err := fetchExact(transport, o.Addr(), content(path)); err != nil {
					t.Errorf("%s: %v", path, err)
					return
				}
				asked.Add(1)
			}
		})
	}
	second := process.FreeAddr()
	texts := []string{
		"cache-size: 4MiB\nname: a\nconnect-timeout: 5s\npolicy: {default: allow}\n",
		"cache-size: 24MiB\nlisten: [" + j.proxy + ", " + second + "]\nmax-origin-connections: 4\n",
		"cache-size: 8MiB\nlog-level: debug\nbody-timeout: 20s\nallow-clients: 127.0.0.1/32\n",
	}
	for i := range 30 {
		before := asked.Load()
		j.write(texts[i%3])
		if i%2 == 0 {
			j.reload()
		} else {
			seen := strings.Count(j.Stderr(), "configuration reloaded")
			must(t, j.Signal(syscall.SIGHUP))
			eventually(t, "the reload", func() bool { return strings.Count(j.Stderr(), "configuration reloaded") > seen })
		}
		if c := j.figures(); c.Bytes > c.MaxBytes || c.MaxBytes != int64([]int{4, 24, 8}[i%3])<<20 {
			t.Errorf("reload %d: got %d bytes of %d; want the new bound, and no more", i, c.Bytes, c.MaxBytes)
		}
		eventually(t, "more requests", func() bool { return t.Failed() || asked.Load() > before+20 })
	}
	close(stop)
	all.Wait()
	t.Logf("%d requests during 30 reloads", asked.Load())
}

// fetchExact fetches a content and compares it.
func fetchExact(transport http.RoundTripper, host string, c origin.Content) error {
	req, err := http.NewRequest("GET", "http://"+host+c.Key, nil)
	if err != nil {
		return err
	}
	resp, err := transport.RoundTrip(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err == nil && (resp.StatusCode != 200 || !bytes.Equal(body, c.Bytes())) {
		err = fmt.Errorf("got %d and %d bytes; want 200 and the content", resp.StatusCode, len(body))
	}
	return err
}

// cacheFigures are those of the admin listener.
type cacheFigures struct {
	Bytes    int64 `json:"bytes"`
	MaxBytes int64 `json:"max_bytes"`
}

func (r *reloadable) figures() cacheFigures {
	r.t.Helper()
	var f struct{ Cache cacheFigures }
	must(r.t, json.Unmarshal([]byte(r.ask("/stats")), &f))
	return f.Cache
}

// ask is what the admin listener answers.
func (r *reloadable) ask(path string) string {
	r.t.Helper()
	req, err := http.NewRequest("GET", "http://"+r.admin+path, nil)
	must(r.t, err)
	req.Close = true
	resp, err := http.DefaultTransport.RoundTrip(req)
	must(r.t, err)
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	must(r.t, err)
	return string(b)
}

// goroutines counts those of the process.
func (r *reloadable) goroutines() (n int) {
	r.t.Helper()
	_, text, _ := strings.Cut(r.ask("/metrics"), "\ngo_goroutines ")
	text, _, _ = strings.Cut(text, "\n")
	n, err := strconv.Atoi(text)
	must(r.t, err)
	return n
}

// TestReload_leaks: fifty reloads that change everything, some of them in vain, leave neither goroutines nor descriptors behind.
func TestReload_leaks(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" {
		t.Skip("skipped: counting descriptors needs Linux's /proc")
	}
	o := startOrigin(t, func(x *origin.Exchange) { x.OK("x") })
	const plain = "cache-size: 64MiB\n"
	j := startReloadable(t, plain)
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	t.Cleanup(func() { taken.Close() })
	second := process.FreeAddr()
	w := way{name: "explicit", addr: j.proxy}
	round := func(i int) {
		j.write(strings.Replace(everything, "cache-size", "listen: ["+j.proxy+", "+second+"]\ncache-size", 1))
		j.reload()
		w.do(t, "GET", o.Addr(), fmt.Sprintf("/a%d", i), nil, "")
		j.write("cache-size: 32MiB\nlisten: [" + process.FreeAddr() + ", " + taken.Addr().String() + "]\n")
		if status, _, stderr := runJay(t, "reload", "--admin", j.admin); status != 1 || !strings.Contains(stderr, taken.Addr().String()) {
			t.Fatalf("a taken port: got exit %d, %q; want 1 and the address", status, stderr)
		}
		j.write(plain)
		j.reload()
		w.do(t, "GET", o.Addr(), fmt.Sprintf("/b%d", i), nil, "")
	}
	round(0)
	files, err := j.Descriptors()
	must(t, err)
	goroutines := j.goroutines()
	for i := range 17 { // three times fifty, to be exact
		round(i + 1)
	}
	eventually(t, fmt.Sprintf("descriptors and goroutines go back to %d and %d", files, goroutines), func() bool {
		n, err := j.Descriptors()
		return err == nil && n <= files+2 && j.goroutines() <= goroutines+2
	})
}

// TestReload_broken: SIGHUP with a broken file names the line, changes nothing, and reopens the log all the same.
func TestReload_broken(t *testing.T) {
	t.Parallel()
	o := startOrigin(t, func(x *origin.Exchange) { x.OK("x") })
	j := startReloadable(t, "cache-size: 64MiB\n")
	w := way{name: "explicit", addr: j.proxy}
	j.write("cache-size: 16MiB\npolicy:\n  default: allow\n  rules:\n  - {name: a, action: dney}\n")
	must(t, j.Signal(syscall.SIGHUP))
	eventually(t, "the line", func() bool { return strings.Contains(j.Stderr(), j.path+":5: ") })
	if f := j.figures(); f.MaxBytes != 64<<20 {
		t.Errorf("got a cache of %d bytes; want what it was", f.MaxBytes)
	}
	if resp := w.do(t, "GET", o.Addr(), "/", nil, ""); resp.Code != 200 {
		t.Errorf("got %v; want 200", resp)
	}
	status, _, stderr := runJay(t, "reload", "--admin", j.admin)
	if status != 2 || !strings.Contains(stderr, j.path+":5: ") {
		t.Errorf("jay reload: got exit %d, %q; want 2 and the line", status, stderr)
	}
}
