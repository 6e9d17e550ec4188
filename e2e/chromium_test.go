package e2e

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jayproxy/jay/e2e/chromium"
	"github.com/jayproxy/jay/e2e/origin"
)

const pageResources = 20

// site is a web site with a page of 20 resources and a WebSocket echo. It
// counts the requests for each path.
type site struct {
	server *http.Server
	addr   string
	socket socketServer

	mu    sync.Mutex
	count map[string]int
}

func startSite(t *testing.T, config *tls.Config) *site {
	t.Helper()
	l := listen(t)
	s := &site{addr: l.Addr().String(), count: map[string]int{}}
	if config != nil {
		l = tls.NewListener(l, config)
	}
	s.server = &http.Server{Handler: s, ReadHeaderTimeout: time.Minute}
	go s.server.Serve(l)
	t.Cleanup(func() { s.server.Close() })
	return s
}

// ServeHTTP serves the page, its resources and the socket.
func (s *site) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	s.count[r.URL.Path]++
	s.mu.Unlock()
	if r.URL.Path == "/socket" {
		s.socket.ServeHTTP(w, r)
		return
	}
	w.Header().Set("Cache-Control", "public, max-age=3600")
	switch ext := filepath.Ext(r.URL.Path); ext {
	case ".js":
		w.Header().Set("Content-Type", "text/javascript")
		fmt.Fprintf(w, "window.loaded = (window.loaded || 0) + 1; // %s", strings.Repeat("x", 5000))
	case ".css":
		w.Header().Set("Content-Type", "text/css")
		fmt.Fprintf(w, "body { --%s: 1; }", strings.Trim(r.URL.Path, "/.cs"))
	case ".html":
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprint(w, "<!doctype html><title>page</title><link rel=icon href='data:,'>")
		for i := range pageResources / 2 {
			fmt.Fprintf(w, "<script src=/%d.js></script><link rel=stylesheet href=/c%d.css>", i, i)
		}
	default:
		http.NotFound(w, r)
	}
}

// total counts the requests since the last call.
func (s *site) total() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for path, c := range s.count {
		if path != "/favicon.ico" {
			n += c
		}
	}
	clear(s.count)
	return n
}

// startChromium runs a browser with a new profile until the test ends.
func startChromium(t *testing.T, proxy string) *chromium.Browser {
	t.Helper()
	if proxy == "" {
		return startChromiumWith(t)
	}
	return startChromiumWith(t, "--proxy-server=http://"+proxy, "--proxy-bypass-list=<-loopback>")
}

// startChromiumWith is startChromium with flags that say which proxy is used.
func startChromiumWith(t *testing.T, flags ...string) *chromium.Browser {
	t.Helper()
	dir, err := os.MkdirTemp(env.dir, "profile-")
	must(t, err)
	b, err := chromium.Start(t.Context(), dir, flags...)
	if errors.Is(err, chromium.ErrMissing) {
		t.Skipf("skipped: %v", err)
	}
	must(t, err)
	t.Cleanup(b.Close)
	return b
}

// TestChromium: a browser through the explicit proxy.
func TestChromium(t *testing.T) {
	t.Parallel()
	cert, _, err := origin.SelfSigned("127.0.0.1")
	must(t, err)
	plain, secure := startSite(t, nil), startSite(t, &tls.Config{Certificates: []tls.Certificate{cert}})
	j := startJay(t)
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()

	first := startChromium(t, j.Proxy)
	loadPage(t, ctx, first, "http://"+plain.addr)
	if n := plain.total(); n != pageResources+1 {
		t.Errorf("origin got %d requests for the first profile; want %d", n, pageResources+1)
	}
	second := startChromium(t, j.Proxy)
	loadPage(t, ctx, second, "http://"+plain.addr)
	if n := plain.total(); n != 0 {
		t.Errorf("origin got %d requests for the second profile; want all from jay's cache", n)
	}
	loadPage(t, ctx, first, "https://"+secure.addr)
	if n := secure.total(); n != pageResources+1 {
		t.Errorf("origin got %d requests through CONNECT; want %d", n, pageResources+1)
	}
	for _, s := range []struct{ page, socket string }{
		{"http://" + plain.addr, "ws://" + plain.addr}, {"https://" + secure.addr, "wss://" + secure.addr},
	} {
		must(t, second.Open(ctx, s.page+"/page.html"))
		if got, err := second.Eval(ctx, echoScript(s.socket+"/socket")); err != nil || got != "chat:hello,1048576" {
			t.Errorf("%s: got %q, %v; want the echo", s.socket, got, err)
		}
	}
}

// loadPage opens the site's page and checks that all of it came.
func loadPage(t *testing.T, ctx context.Context, b *chromium.Browser, site string) {
	t.Helper()
	must(t, b.Open(ctx, site+"/page.html"))
	got, err := b.Eval(ctx, `document.title + " " + window.loaded + " " + document.styleSheets.length`)
	if want := fmt.Sprintf("page %d %d", pageResources/2, pageResources/2); err != nil || got != want {
		t.Errorf("%s: got %q, %v; want %q", site, got, err, want)
	}
}

// echoScript is a script that sends a text and a MiB to a WebSocket and comes
// to what it got back.
func echoScript(url string) string {
	return `new Promise((done, failed) => {
		const s = new WebSocket(` + "`" + url + "`" + `, ["chat"]), got = [];
		s.binaryType = "arraybuffer";
		s.onopen = () => { s.send("hello"); s.send(new Uint8Array(1 << 20)); };
		s.onerror = () => failed(new Error("socket"));
		s.onmessage = m => {
			got.push(m.data.byteLength || m.data);
			if (got.length == 2) { s.close(); done(s.protocol + ":" + got); }
		};
	})`
}
