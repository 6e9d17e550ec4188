package e2e

import (
	"context"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/jayproxy/jay/e2e/origin"
	"github.com/jayproxy/jay/e2e/process"
)

// pacSites starts two sites whose names a name server of the test's tells Jay, and nobody else.
func pacSites(t *testing.T) (through, past *site, resolver string) {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	must(t, err)
	d := origin.ServeDNS(conn, func(name string) ([]netip.Addr, time.Duration) {
		if strings.HasSuffix(name, ".test") {
			return []netip.Addr{netip.MustParseAddr("127.0.0.1")}, 0
		}
		return nil, 0
	})
	t.Cleanup(d.Close)
	return startSite(t, nil), startSite(t, nil), d.Addr()
}

// logged counts the lines of the log whose URL has a text in it, when one is there that comes after them.
func logged(t *testing.T, j *process.Jay, text, last string) int {
	t.Helper()
	if _, ok := j.WaitLog(func(e process.Entry) bool { return strings.Contains(e.String("url"), last) }); !ok {
		t.Fatalf("no line for %s in the log", last)
	}
	n := 0
	for _, e := range j.Log() {
		if strings.Contains(e.String("url"), text) {
			n++
		}
	}
	return n
}

// TestPAC: Chromium takes its configuration from jay, loads what the file sends
// to the proxy through it, and what is to be direct past it.
func TestPAC(t *testing.T) {
	t.Parallel()
	through, past, resolver := pacSites(t)
	j := startJay(t, "--dns-servers", resolver, "--pac-direct", ".past.test")
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	// Chromium itself knows the direct name only: nothing else has an address without the proxy.
	b := startChromiumWith(t, "--proxy-pac-url=http://"+j.Proxy+"/proxy.pac", "--host-resolver-rules=MAP www.past.test 127.0.0.1,MAP *.through.test ~NOTFOUND")
	_, port, _ := net.SplitHostPort(past.addr)
	loadPage(t, ctx, b, "http://www.past.test:"+port)
	_, port, _ = net.SplitHostPort(through.addr)
	loadPage(t, ctx, b, "http://www.through.test:"+port)
	if n := past.total(); n != pageResources+1 {
		t.Errorf("the direct site got %d requests; want %d", n, pageResources+1)
	}
	if n := through.total(); n != pageResources+1 {
		t.Errorf("the other site got %d requests; want %d", n, pageResources+1)
	}
	if n := logged(t, j, "past.test", "through.test"); n != 0 {
		t.Errorf("%d requests for the direct site came through jay; want none", n)
	}
	// The proxy's own page is direct, too.
	must(t, b.Open(ctx, "http://"+j.Proxy+"/"))
	if got := do(t, ctx, b, `document.title`); !strings.Contains(got, "Jay") {
		t.Errorf("got the page %q; want Jay's own", got)
	}
}

// TestWPAD: a browser that looks for a proxy by itself finds jay by the name
// wpad, and is told an address that is not that name.
func TestWPAD(t *testing.T) {
	t.Parallel()
	through, _, resolver := pacSites(t)
	_, port, _ := net.SplitHostPort(through.addr)
	j := startJay(t, "--dns-servers", resolver)
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	b := startChromiumWith(t, "--proxy-auto-detect", "--host-resolver-rules=MAP wpad "+j.Proxy+",MAP *.through.test ~NOTFOUND")
	loadPage(t, ctx, b, "http://www.through.test:"+port)
	if _, ok := j.WaitLog(func(e process.Entry) bool { return e.String("url") == "/wpad.dat" && e.String("reason") == "pac" }); !ok {
		t.Error("nobody asked for /wpad.dat")
	}
}

// TestPACFallback: without the proxy, pages load only if the file says so.
func TestPACFallback(t *testing.T) {
	t.Parallel()
	through, _, resolver := pacSites(t)
	_, port, _ := net.SplitHostPort(through.addr)
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	for _, fallback := range []string{"true", "false"} {
		dead := process.FreeAddr()
		j := startJay(t, "--dns-servers", resolver, "--pac-proxy", dead, "--pac-fallback="+fallback)
		b := startChromiumWith(t, "--proxy-pac-url=http://"+j.Proxy+"/wpad.dat", "--host-resolver-rules=MAP www.through.test 127.0.0.1")
		err := b.Open(ctx, "http://www.through.test:"+port+"/page.html")
		if (err == nil) != (fallback == "true") {
			t.Errorf("pac-fallback %s, and a proxy that does not answer: got %v", fallback, err)
		}
	}
}

// TestOwnPage: the page of the explicit listener in a browser, in the light and
// in the dark, by keyboard and on a phone.
func TestOwnPage(t *testing.T) {
	t.Parallel()
	admin := process.FreeAddr()
	j := startJay(t, "--admin", admin)
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	b := startChromium(t, "")
	must(t, b.Open(ctx, "http://"+j.Proxy+"/"))
	if got := do(t, ctx, b, `getComputedStyle(document.querySelector("dl")).display`); got != "grid" {
		t.Errorf("the page's style is not applied: display %q; want grid", got)
	}
	if got := do(t, ctx, b, `document.querySelector("a").href`); got != "http://"+admin+"/" {
		t.Errorf("the link leads to %q; want the status page", got)
	}
	if got := do(t, ctx, b, `document.body.innerText`); !strings.Contains(got, "export http_proxy=http://"+j.Proxy) || !strings.Contains(got, "Everything is allowed.") {
		t.Errorf("got %s; want the variables and the rules", got)
	}
	must(t, b.Resize(ctx, 390, 844, "dark"))
	do(t, ctx, b, `document.querySelectorAll("details").forEach(d => d.open = true)`)
	if got := do(t, ctx, b, `document.documentElement.scrollWidth`); got != "390" {
		t.Errorf("the page is %s pixels wide on a phone of 390", got)
	}
	if got := do(t, ctx, b, `getComputedStyle(document.body).backgroundColor`); got != "rgb(18, 22, 28)" {
		t.Errorf("the background is %s in the dark", got)
	}
	must(t, b.Open(ctx, "http://"+admin+"/"))
	if got := do(t, ctx, b, `document.title`); got == "" {
		t.Error("the status page has no title")
	}
}
