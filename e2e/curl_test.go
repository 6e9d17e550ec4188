package e2e

import (
	"crypto/sha256"
	"crypto/tls"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jayproxy/jay/e2e/origin"
	"github.com/jayproxy/jay/e2e/process"
	"github.com/jayproxy/jay/e2e/rawhttp"
)

// answer is what curl received.
type answer struct {
	rawhttp.StatusLine
	rawhttp.Fields
	body string
}

// curl runs curl through w and returns the final response.
func (w way) curl(t *testing.T, args ...string) answer {
	t.Helper()
	need(t, "curl")
	dir := t.TempDir()
	heads, body := filepath.Join(dir, "heads"), filepath.Join(dir, "body")
	all := []string{"--silent", "--show-error", "--max-time", "300", "--dump-header", heads}
	if !slices.Contains(args, "--output") {
		all = append(all, "--output", body)
	}
	if w.transparent {
		all = append(all, "--connect-to", "::"+w.addr)
	} else {
		all = append(all, "--proxy", "http://"+w.addr)
	}
	command(t, "curl", append(all, args...)...)
	b, _ := os.ReadFile(body)
	h, err := os.ReadFile(heads)
	if err != nil {
		t.Fatal(err)
	}
	return lastHead(t, string(h), string(b))
}

func lastHead(t *testing.T, heads, body string) answer {
	t.Helper()
	blocks := strings.Split(strings.TrimSuffix(heads, "\r\n\r\n"), "\r\n\r\n")
	lines := strings.Split(blocks[len(blocks)-1], "\r\n")
	sl, err := rawhttp.ParseStatusLine(lines[0])
	if err != nil {
		t.Fatalf("%v in %q", err, heads)
	}
	a := answer{StatusLine: sl, body: body}
	for _, line := range lines[1:] {
		name, value, _ := strings.Cut(line, ":")
		a.Fields = append(a.Fields, rawhttp.Field{Name: name, Value: strings.TrimSpace(value)})
	}
	return a
}

// hit fails the test unless the response says that it came from the cache.
func (a answer) hit(t *testing.T) {
	t.Helper()
	checkHit(t, a.Fields)
}

func checkHit(t *testing.T, fs rawhttp.Fields) {
	t.Helper()
	if cs := fs.Joined("Cache-Status"); !strings.Contains(cs, "; hit") {
		t.Errorf("got Cache-Status %q; want a hit", cs)
	}
	if _, err := strconv.Atoi(fs.Get("Age")); err != nil {
		t.Errorf("got Age %q; want seconds", fs.Get("Age"))
	}
}

func checkNoHit(t *testing.T, fs rawhttp.Fields) {
	t.Helper()
	if cs := fs.Joined("Cache-Status"); strings.Contains(cs, "; hit") || !strings.Contains(cs, "fwd=") {
		t.Errorf("got Cache-Status %q; want fwd", cs)
	}
}

func TestCurl(t *testing.T) {
	t.Parallel()
	need(t, "curl")
	file := origin.Content{Key: "file", Version: 1, Size: 1_000_003}
	o := startOrigin(t, func(x *origin.Exchange) {
		switch path := x.Path(); {
		case strings.HasPrefix(path, "/file"):
			file.Serve(x, rawhttp.F("Cache-Control", "max-age=600"))
		case x.Req.Method == "POST", x.Req.Method == "PUT":
			body, _ := x.ReadBody()
			x.Reply("201 Created", rawhttp.F("Cache-Control", "no-store"), fmt.Sprintf("%s %d %q", x.Req.Method, x.Req.Size, body[:min(len(body), 20)]))
		default:
			x.OK("answer of " + x.Req.Target)
		}
	})
	j := startJay(t)
	for _, w := range waysOf(j) {
		t.Run(w.name, func(t *testing.T) {
			t.Run("get twice", func(t *testing.T) { curlTwice(t, w, o) })
			t.Run("head", func(t *testing.T) { curlHead(t, w, o) })
			t.Run("post", func(t *testing.T) { curlPost(t, w, o) })
			t.Run("range", func(t *testing.T) { curlRange(t, w, o, file) })
			t.Run("resume", func(t *testing.T) { curlResume(t, w, o, file) })
			t.Run("http1.0", func(t *testing.T) { curlOld(t, w, o) })
			t.Run("chunked upload", func(t *testing.T) { curlChunked(t, w, o) })
		})
	}
}

func curlTwice(t *testing.T, w way, o *origin.Origin) {
	path := "/twice-" + w.name
	first := w.curl(t, o.URL(path))
	checkNoHit(t, first.Fields)
	second := w.curl(t, o.URL(path))
	second.hit(t)
	if first.body != "answer of "+path || second.body != first.body {
		t.Errorf("got bodies %q, %q; want the answer of %s", first.body, second.body, path)
	}
	if n := o.Count(path); n != 1 {
		t.Errorf("origin got %d requests; want 1", n)
	}
	if !first.Has("Via") || !second.Has("Via") {
		t.Errorf("got Via %q, %q; want both", first.Get("Via"), second.Get("Via"))
	}
}

func curlHead(t *testing.T, w way, o *origin.Origin) {
	path := "/head-" + w.name
	w.curl(t, o.URL(path))
	a := w.curl(t, "--head", o.URL(path))
	a.hit(t)
	if got, want := a.Get("Content-Length"), strconv.Itoa(len("answer of "+path)); got != want {
		t.Errorf("got Content-Length %q; want %q", got, want)
	}
}

func curlPost(t *testing.T, w way, o *origin.Origin) {
	path := "/post-" + w.name
	for range 2 {
		a := w.curl(t, "--data", "a=1&b=2", o.URL(path))
		if want := `POST 7 "a=1&b=2"`; a.Code != 201 || a.body != want {
			t.Errorf("got %d %q; want 201 %q", a.Code, a.body, want)
		}
	}
	if n := o.Count(path); n != 2 {
		t.Errorf("origin got %d requests; want 2", n)
	}
}

func curlRange(t *testing.T, w way, o *origin.Origin, file origin.Content) {
	path := "/file-range-" + w.name
	whole := string(file.Bytes())
	if a := w.curl(t, o.URL(path)); a.body != whole {
		t.Errorf("got %d bytes; want the file's %d", len(a.body), len(whole))
	}
	a := w.curl(t, "--range", "100-199", o.URL(path))
	a.hit(t)
	if want := fmt.Sprintf("bytes 100-199/%d", file.Size); a.Code != 206 || a.Get("Content-Range") != want || a.body != whole[100:200] {
		t.Errorf("got %d %q, %d bytes; want 206 %q, 100 bytes", a.Code, a.Get("Content-Range"), len(a.body), want)
	}
	if n := o.Count(path); n != 1 {
		t.Errorf("origin got %d requests; want 1", n)
	}
}

func curlResume(t *testing.T, w way, o *origin.Origin, file origin.Content) {
	whole := file.Bytes()
	part := filepath.Join(t.TempDir(), "part")
	if err := os.WriteFile(part, whole[:400_000], 0o600); err != nil {
		t.Fatal(err)
	}
	a := w.curl(t, "--continue-at", "-", "--output", part, o.URL("/file-resume-"+w.name))
	got, err := os.ReadFile(part)
	if err != nil || a.Code != 206 || sha256.Sum256(got) != sha256.Sum256(whole) {
		t.Errorf("got %d and %d bytes, %v; want 206 and the file's %d", a.Code, len(got), err, len(whole))
	}
}

func curlOld(t *testing.T, w way, o *origin.Origin) {
	path := "/old-" + w.name
	for i := range 2 {
		a := w.curl(t, "--http1.0", o.URL(path))
		if a.Code != 200 || a.body != "answer of "+path || a.Has("Transfer-Encoding") {
			t.Errorf("got %d %q, Transfer-Encoding %q; want 200 and the answer unchunked", a.Code, a.body, a.Get("Transfer-Encoding"))
		}
		if i == 1 {
			a.hit(t)
		}
	}
}

func curlChunked(t *testing.T, w way, o *origin.Origin) {
	path := "/chunked-" + w.name
	data := filepath.Join(t.TempDir(), "data")
	if err := os.WriteFile(data, []byte(strings.Repeat("x", 300_000)), 0o600); err != nil {
		t.Fatal(err)
	}
	a := w.curl(t, "--header", "Transfer-Encoding: chunked", "--header", "Expect:", "--upload-file", data, o.URL(path))
	if want := `PUT 300000 "xxxxxxxxxxxxxxxxxxxx"`; a.body != want {
		t.Errorf("got %q; want %q", a.body, want)
	}
	if r := o.To(path); len(r) != 1 || !r[0].Framing.Chunked || !r[0].Complete {
		t.Errorf("origin got %+v; want one complete chunked request", r)
	}
}

// TestCurl_tunnel: http and https through CONNECT, and what the log says.
func TestCurl_tunnel(t *testing.T) {
	t.Parallel()
	need(t, "curl")
	plain := startOrigin(t, func(x *origin.Exchange) { x.OK("plain") })
	cert, ca, err := origin.SelfSigned("127.0.0.1", "localhost")
	if err != nil {
		t.Fatal(err)
	}
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{cert}})
	if err != nil {
		t.Fatal(err)
	}
	secure := origin.Serve(l, func(x *origin.Exchange) { x.OK("secure") })
	watch(t, secure)
	caFile := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(caFile, ca, 0o600); err != nil {
		t.Fatal(err)
	}
	j := startJay(t)
	w := waysOf(j)[0]
	for range 2 {
		if a := w.curl(t, "--proxytunnel", plain.URL("/t")); a.body != "plain" || a.Has("Via") {
			t.Errorf("got %q, Via %q; want plain, untouched", a.body, a.Get("Via"))
		}
	}
	if a := w.curl(t, "--cacert", caFile, "https://"+secure.Addr()+"/t"); a.body != "secure" || a.Has("Via") {
		t.Errorf("got %q, Via %q; want secure, untouched", a.body, a.Get("Via"))
	}
	if plain.Count("/t") != 2 || secure.Count("/t") != 1 {
		t.Errorf("origins got %d and %d requests; want 2 and 1: tunnels are not cached", plain.Count("/t"), secure.Count("/t"))
	}
	if _, ok := j.WaitLog(func(e process.Entry) bool { return e.String("method") == "CONNECT" }); !ok {
		t.Errorf("log has no CONNECT: %v", j.Log())
	}
}

// TestCurl_refused: an unreachable origin is 502 with a Proxy-Status (RFC 9209).
func TestCurl_refused(t *testing.T) {
	t.Parallel()
	j := startJay(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	dead := l.Addr().String()
	l.Close()
	eachWay(t, j, func(t *testing.T, w way) {
		a := w.curl(t, "http://"+dead+"/")
		if a.Code != 502 || !strings.Contains(a.Get("Proxy-Status"), "connection_refused") {
			t.Errorf("got %d, Proxy-Status %q; want 502, connection_refused", a.Code, a.Get("Proxy-Status"))
		}
	})
}

// TestCurl_expectUpload: 1 GiB with Expect: 100-continue passes in bounded
// memory (RFC 9110 section 10.1.1).
func TestCurl_expectUpload(t *testing.T) {
	need(t, "curl")
	const size = 1 << 30
	o := startOrigin(t, func(x *origin.Exchange) {
		x.Head("100 Continue", nil)
		if _, err := x.ReadBody(); err != nil {
			x.Close()
			return
		}
		x.Reply("200 OK", nil, fmt.Sprint(x.Req.Size))
	})
	file := filepath.Join(t.TempDir(), "big")
	f, err := os.Create(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Truncate(size); err != nil {
		t.Fatal(err)
	}
	f.Close()
	j := startJay(t)
	eachWay(t, j, func(t *testing.T, w way) {
		began := time.Now()
		a := w.curl(t, "--header", "Expect: 100-continue", "--expect100-timeout", "60", "--upload-file", file, o.URL("/"+w.name))
		if a.body != strconv.Itoa(size) {
			t.Errorf("origin read %q bytes; want %d", a.body, size)
		}
		t.Logf("1 GiB in %v", time.Since(began))
		if r := o.To("/" + w.name); len(r) != 1 || !strings.EqualFold(r[0].Fields.Get("Expect"), "100-continue") {
			t.Errorf("origin got %d requests; want one with its Expect", len(r))
		}
	})
	if runtime.GOOS != "linux" {
		return
	}
	_, peak, err := j.Memory()
	if err != nil || peak > 200<<20 {
		t.Errorf("got peak memory %d MiB, %v; want at most 200", peak>>20, err)
	}
}
