package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jayproxy/jay/config"
	"github.com/jayproxy/jay/proxy"
)

// running is a proxy in this process.
type running struct {
	test
	addr string
	stop chan<- os.Signal
	code chan int
}

// start runs the proxy until the test sends it signals.
func start(t *testing.T, args ...string) *running {
	t.Helper()
	r := &running{test: test{signals: make(chan chan<- os.Signal, 1)}, code: make(chan int, 1)}
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	go func() {
		r.code <- r.process().run(ctx, append([]string{"serve", "--listen", "127.0.0.1:0", "--admin", "off"}, args...))
	}()
	select {
	case r.stop = <-r.signals:
	case code := <-r.code:
		t.Fatalf("exit %d before serving: %s", code, r.stderr.String())
	}
	m := regexp.MustCompile(`listening on (\S+)\n`)
	for r.addr == "" { // the banner follows at once
		if found := m.FindStringSubmatch(r.stderr.String()); found != nil {
			r.addr = found[1]
		}
		runtime.Gosched()
	}
	return r
}

// wait returns the exit code.
func (r *running) wait(t *testing.T) int {
	t.Helper()
	select {
	case code := <-r.code:
		return code
	case <-time.After(20 * time.Second):
		t.Fatalf("does not end: %s", r.stderr.String())
		return -1
	}
}

// client is an HTTP client that uses the proxy.
func (r *running) client(t *testing.T) *http.Client {
	transport := &http.Transport{Proxy: http.ProxyURL(&url.URL{Scheme: "http", Host: r.addr})}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

// get fetches a URL and returns the body.
func get(t *testing.T, c *http.Client, url string) string {
	t.Helper()
	resp, err := c.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

func TestBanner(t *testing.T) {
	args := []string{"--cache-size", "64m", "--access-log", "off"}
	if runtime.GOOS == "linux" {
		args = append(args, "--intercept", "127.0.0.1:0", "--intercept-mode", "host")
	}
	r := start(t, args...)
	r.stop <- syscall.SIGTERM
	if code := r.wait(t); code != 0 {
		t.Errorf("exit %d after SIGTERM; want 0", code)
	}
	for _, want := range []string{
		"jay: listening on " + r.addr + "\n",
		"jay: cache of 64MiB, access log off\n",
		"  export http_proxy=http://" + r.addr + " https_proxy=http://" + r.addr + "\n",
		"  curl -x http://" + r.addr + " http://example.com/\n",
	} {
		if !strings.Contains(r.stderr.String(), want) {
			t.Errorf("no %q in %q", want, r.stderr.String())
		}
	}
	if got := r.stderr.String(); runtime.GOOS == "linux" && !regexp.MustCompile(`jay: intercepting on 127\.0\.0\.1:\d+ \(host\)\n`).MatchString(got) {
		t.Errorf("no intercepting listener in %q", got)
	}
	if r.stdout.String() != "" {
		t.Errorf("stdout %q; want nothing", r.stdout.String())
	}
}

func TestClientURL(t *testing.T) {
	tests := map[string]string{
		"127.0.0.1:3128": "http://127.0.0.1:3128", "0.0.0.0:3128": "http://127.0.0.1:3128",
		"[::]:3128": "http://127.0.0.1:3128", "[::1]:1": "http://[::1]:1", "192.0.2.1:80": "http://192.0.2.1:80",
	}
	for addr, want := range tests {
		a, err := net.ResolveTCPAddr("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		if got := clientURL(a); got != want {
			t.Errorf("clientURL(%s) = %s; want %s", addr, got, want)
		}
	}
}

// TestServe sends a request through the proxy and finds it in the log, before and after the log was moved away.
func TestServe(t *testing.T) {
	origin := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, r.URL.Path) }))
	defer origin.Close()
	path := filepath.Join(t.TempDir(), "log")
	r := start(t, "--access-log", path, "--log-format", "json")
	c := r.client(t)
	if got := get(t, c, origin.URL+"/one"); got != "/one" {
		t.Errorf("body %q; want /one", got)
	}
	for data := []byte(nil); !strings.Contains(string(data), "/one"); { // the line is written after the answer
		var err error
		if data, err = os.ReadFile(path); err != nil {
			t.Fatal(err)
		}
		runtime.Gosched()
	}
	if err := os.Rename(path, path+".1"); err != nil {
		t.Fatal(err)
	}
	r.stop <- syscall.SIGHUP
	for !strings.Contains(r.stderr.String(), "configuration reloaded") {
		runtime.Gosched()
	}
	if got := get(t, c, origin.URL+"/two"); got != "/two" {
		t.Errorf("body %q; want /two", got)
	}
	r.stop <- os.Interrupt
	if code := r.wait(t); code != 0 {
		t.Errorf("exit %d; want 0: %s", code, r.stderr.String())
	}
	for name, want := range map[string]string{path + ".1": "/one", path: "/two"} {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		var line struct{ URL string }
		if err := json.Unmarshal(data, &line); err != nil || line.URL != origin.URL+want {
			t.Errorf("%s holds %q, %v; want one line for %s", filepath.Base(name), data, err, want)
		}
	}
}

// held is an origin that does not answer before it is told to.
func held(t *testing.T) (url string, asked <-chan struct{}, answer func()) {
	t.Helper()
	in, out := make(chan struct{}, 1), make(chan struct{})
	origin := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		in <- struct{}{}
		select {
		case <-out:
		case <-r.Context().Done():
		}
	}))
	t.Cleanup(origin.Close)
	return origin.URL, in, func() { close(out) }
}

// TestDrain_F6 checks that a running exchange is finished after SIGTERM while new connections are not accepted.
func TestDrain_F6(t *testing.T) {
	url, asked, answer := held(t)
	r := start(t)
	status := make(chan int, 1)
	c := r.client(t)
	go func() {
		resp, err := c.Get(url)
		if err != nil {
			t.Error(err)
			status <- 0
			return
		}
		resp.Body.Close()
		status <- resp.StatusCode
	}()
	<-asked
	r.stop <- syscall.SIGTERM
	for { // until the listener is closed
		nc, err := net.Dial("tcp", r.addr)
		if err != nil {
			break
		}
		nc.Close()
		runtime.Gosched()
	}
	answer()
	if got := <-status; got != 200 {
		t.Errorf("status %d of the running exchange; want 200", got)
	}
	if code := r.wait(t); code != 0 {
		t.Errorf("exit %d; want 0: %s", code, r.stderr.String())
	}
	if got := strings.Count(r.stdout.String(), "\n"); got != 1 {
		t.Errorf("access log %q; want one line", r.stdout.String())
	}
}

func TestSecondSignal(t *testing.T) {
	url, asked, _ := held(t)
	r := start(t, "--shutdown-timeout", "1h")
	c := r.client(t)
	failed := make(chan error, 1)
	go func() {
		_, err := c.Get(url)
		failed <- err
	}()
	<-asked
	r.stop <- syscall.SIGTERM
	r.stop <- syscall.SIGHUP // is none
	r.stop <- os.Interrupt
	if code := r.wait(t); code != 1 || !strings.HasSuffix(r.stderr.String(), "jay: stopped at once by a second signal\n") {
		t.Errorf("exit %d, %q; want 1 at once", code, r.stderr.String())
	}
	if err := <-failed; err == nil {
		t.Errorf("the exchange ended well; want it cut off")
	}
}

func TestDrainTimeout(t *testing.T) {
	url, asked, _ := held(t)
	r := start(t, "--shutdown-timeout", "50ms")
	c := r.client(t)
	go func() { _, _ = c.Get(url) }()
	<-asked
	r.stop <- syscall.SIGTERM
	if code := r.wait(t); code != 0 {
		t.Errorf("exit %d after the deadline; want 0: %s", code, r.stderr.String())
	}
}

// TestStartErrors checks that what keeps the proxy from starting is one clear line and exit code 1.
func TestStartErrors(t *testing.T) {
	busy, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer busy.Close()
	addr := busy.Addr().String()
	tests := []struct {
		args []string
		want string
	}{
		{[]string{"--listen", addr}, "cannot listen on " + addr + ": another program listens there already"},
		{[]string{"--listen", "127.0.0.1:0", "--intercept", addr}, "cannot listen on " + addr + ": another program listens there already"},
		{[]string{"--listen", "192.0.2.1:1"}, "cannot listen on 192.0.2.1:1: this machine does not have that address"},
		{[]string{"--listen", "127.0.0.1:0", "--access-log", "/does/not/exist"}, "access log: open /does/not/exist: no such file or directory"},
		{[]string{"--listen", "127.0.0.1:0", "--ca-file", "/does/not/exist"}, "ca-file: /does/not/exist: no such file or directory"},
	}
	for _, bad := range tests {
		var tt test
		code := tt.run(t, bad.args...)
		if got, want := tt.stderr.String(), "jay: "+bad.want+"\n"; code != 1 || got != want {
			t.Errorf("jay %s: exit %d, stderr %q; want 1, %q", strings.Join(bad.args, " "), code, got, want)
		}
	}
}

func TestListenError(t *testing.T) {
	wrap := func(err error) error {
		return &net.OpError{Op: "listen", Net: "tcp", Err: os.NewSyscallError("bind", err)}
	}
	tests := []struct {
		err  error
		want string
	}{
		{wrap(syscall.EADDRINUSE), "cannot listen on a:1: another program listens there already"},
		{wrap(syscall.EACCES), "cannot listen on a:1: permission denied; ports below 1024 and intercept-mode tproxy need privileges (root, or CAP_NET_BIND_SERVICE and CAP_NET_ADMIN)"},
		{wrap(syscall.EPERM), "cannot listen on a:1: permission denied; ports below 1024 and intercept-mode tproxy need privileges (root, or CAP_NET_BIND_SERVICE and CAP_NET_ADMIN)"},
		{wrap(syscall.EMFILE), "cannot listen on a:1: too many open files"},
		{&net.DNSError{Err: "no such host", Name: "a", IsNotFound: true}, "cannot listen on a:1: no address found for the host name"},
		{errors.New("odd"), "cannot listen on a:1: odd"},
	}
	for _, tt := range tests {
		if got := listenError("a:1", tt.err).Error(); got != tt.want {
			t.Errorf("listenError(%v) = %s; want %s", tt.err, got, tt.want)
		}
	}
}

// TestProxyOptions checks the settings whose meaning the mapping turns around.
// TestGuideOptions checks what clients are told about how to reach the proxy.
func TestGuideOptions(t *testing.T) {
	c := config.Default()
	c.Listen, c.ListenTLS = []string{":3128", "jay.example:3128"}, []string{"secure.example:3130"}
	c.PACProxy, c.PACDirect, c.PACFallback = []string{"https://proxy.example:3130", "[2001:db8::1]:3128"}, []string{".corp.example"}, false
	o, err := proxyOptions(&c)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"jay.example", "secure.example", "proxy.example"} {
		if !slices.Contains(o.Names, name) {
			t.Errorf("the names %q lack %s", o.Names, name)
		}
	}
	if len(o.PACProxies) != 2 || o.PACProxies[0].URL() != "https://proxy.example:3130" || o.PACProxies[1].URL() != "http://[2001:db8::1]:3128" || !o.PACStrict {
		t.Errorf("got %v, strict %v", o.PACProxies, o.PACStrict)
	}
	if got, want := o.PACDirect.NoProxy(), "localhost,127.0.0.1,::1,.corp.example"; got != want {
		t.Errorf("got %s; want %s", got, want)
	}
}

func TestProxyOptions(t *testing.T) {
	c := config.Default().Resolve(config.Host{Memory: 1 << 30, Descriptors: 1000})
	o, err := proxyOptions(&c)
	if err != nil {
		t.Fatal(err)
	}
	if o.CacheBytes != 256<<20 || o.MaxConnections != 750 || o.MinBodyRate != 1024 || o.Freshness.RefuseErrors || o.TLS != nil || o.DNS.Servers != nil {
		t.Errorf("options of the defaults are %+v", o)
	}
	c.StoreErrors, c.StoreSetCookie, c.MinBodyRate, c.DNSServers = false, false, 0, []string{"192.0.2.53"}
	c.CAFiles = []string{file(t, "ca.pem", certificate)}
	o, err = proxyOptions(&c)
	if err != nil {
		t.Fatal(err)
	}
	if !o.Freshness.RefuseErrors || !o.Freshness.RefuseSetCookie || o.MinBodyRate >= 0 || len(o.DNS.Servers) != 1 || o.TLS.RootCAs == nil {
		t.Errorf("options are %+v", o)
	}
	if o.HTTPPorts[len(o.HTTPPorts)-1] != (proxy.PortRange{First: 1025, Last: 65535}) {
		t.Errorf("http ports are %v", o.HTTPPorts)
	}
}

func TestNameOptions(t *testing.T) {
	c := config.Default()
	if o := nameOptions(&c); len(o.Servers) != 0 || o.MaxStale != time.Hour || o.MinTTL != time.Second || o.Hosts != nil {
		t.Errorf("options of the defaults are %+v", o)
	}
	c.DNSServers = []string{"127.0.0.1:9", "127.0.0.2", "2001:db8::53"}
	c.Hosts = []config.HostAddresses{{Name: "a.test", Addresses: []netip.Addr{netip.MustParseAddr("192.0.2.1")}}}
	o := nameOptions(&c)
	if got, want := fmt.Sprint(o.Servers), "[127.0.0.1:9 127.0.0.2:53 [2001:db8::53]:53]"; got != want || len(o.Hosts["a.test"]) != 1 {
		t.Errorf("got servers %s, hosts %v; want %s and a.test", got, o.Hosts, want)
	}
}

func TestMemoryLimit(t *testing.T) {
	tests := []struct {
		cache  config.Size
		memory int64
		want   int64
	}{
		{128 * config.MiB, 24 << 30, 256 << 20},
		{16 * config.MiB, 24 << 30, 256 << 20},
		{6 * config.GiB, 24 << 30, 9<<30 + 64<<20},
		{6 * config.GiB, 8 << 30, 8 << 30 / 10 * 9},
		{config.GiB, 0, 3<<29 + 64<<20},
	}
	for _, tt := range tests {
		if got := memoryLimit(&config.Config{CacheSize: tt.cache}, tt.memory); got != tt.want {
			t.Errorf("memoryLimit(%v of %d) = %d; want %d", tt.cache, tt.memory, got, tt.want)
		}
	}
}

func TestHost(t *testing.T) {
	h := host()
	if h.Descriptors < 64 || runtime.GOOS == "linux" && h.Memory < 1<<24 {
		t.Errorf("host() = %+v; want what this machine has", h)
	}
}

// certificate is of an authority whose key was thrown away.
const certificate = `-----BEGIN CERTIFICATE-----
MIIBgjCCASmgAwIBAgIUX905rw/wfO87Xs6vTS3hesFGkH8wCgYIKoZIzj0EAwIw
FjEUMBIGA1UEAwwLSmF5IHRlc3QgQ0EwIBcNMjYxMTIyMDYxNDI5WhgPMjEyNjEw
MjkwNjE0MjlaMBYxFDASBgNVBAMMC0pheSB0ZXN0IENBMFkwEwYHKoZIzj0CAQYI
KoZIzj0DAQcDQgAErVcaMbvG0lkX37a1pOoYqu6Z+7Noz/8jnH5ItSFWgxzS39KM
Xhgia2NpavdOEBrnLNPefF3WsakRGP1IIxct5aNTMFEwHQYDVR0OBBYEFO9QTm1w
SeEWi3Ei/C4UUB/fLvQTMB8GA1UdIwQYMBaAFO9QTm1wSeEWi3Ei/C4UUB/fLvQT
MA8GA1UdEwEB/wQFMAMBAf8wCgYIKoZIzj0EAwIDRwAwRAIgDUWSgchci+p0IUCV
UIHlGw2Bc9Djdv3yA9IFQC09oLsCIBnN6ClPH8RCyE5OZQYANEpd8siLnwiQxoNt
7KNZWYIj
-----END CERTIFICATE-----
`
