package e2e

import (
	"context"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jayproxy/jay/e2e/chromium"
	"github.com/jayproxy/jay/e2e/process"
)

var writeScreenshots = flag.Bool("screenshots", false, "write the screenshots of the status page anew, which takes a minute and a half")

// until is a script that waits for a condition in the page and comes to "yes".
func until(condition string) string {
	return `new Promise((done, failed) => {
		const end = Date.now() + 20000, look = () => {
			try { if (` + condition + `) return done("yes"); } catch (e) { return failed(e); }
			if (Date.now() > end) return failed(new Error("never: " + ` + "`" + strings.ReplaceAll(condition, "`", "'") + "`" + ` + " in " + document.body.innerText));
			setTimeout(look, 50);
		};
		look();
	})`
}

// do runs a script in the page.
func do(t *testing.T, ctx context.Context, b *chromium.Browser, script string) string {
	t.Helper()
	got, err := b.Eval(ctx, script)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// TestStatusPage: somebody browses through jay, sees the decisions appear on
// the status page, looks at one stored response and purges it.
func TestStatusPage(t *testing.T) {
	t.Parallel()
	site := startSite(t, nil)
	admin, config := process.FreeAddr(), filepath.Join(t.TempDir(), "jay.yaml")
	must(t, os.WriteFile(config, []byte("overrides: [{name: short, path: /page.html, max: 59m}]"), 0o600))
	j := startJay(t, "--admin", admin, "--config", config)
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	browsing, watching := startChromium(t, j.Proxy), startChromium(t, "")
	loadPage(t, ctx, browsing, "http://"+site.addr)

	must(t, watching.Open(ctx, "http://"+admin+"/"))
	do(t, ctx, watching, until(`document.querySelectorAll("#recent button.link").length > 10`))
	do(t, ctx, watching, until(`document.querySelector("#recent").innerText.includes("explicit-freshness")`))
	do(t, ctx, watching, until(`document.querySelector("#hosts").innerText.includes("`+site.addr+`")`))
	if got := do(t, ctx, watching, `getComputedStyle(document.querySelector("#tiles")).display`); got != "grid" {
		t.Errorf("the page's style is not applied: display %q; want grid", got)
	}

	page := "http://" + site.addr + "/page.html"
	do(t, ctx, watching, `q.value = "page.html"; document.querySelector("#search-form").requestSubmit()`)
	do(t, ctx, watching, until(`document.querySelector("#found").innerText.startsWith("1 stored")`))
	do(t, ctx, watching, `document.querySelector("#entries button").click()`)
	do(t, ctx, watching, until(`detail.open && detail.innerText.includes("`+page+`") && detail.innerText.includes("max-age")`))
	do(t, ctx, watching, until(`detail.innerText.includes("short: lifetime 59m0s in place of 1h0m0s (max-age)")`))
	do(t, ctx, watching, `[...detail.querySelectorAll("button")].find(b => b.innerText == "Explain").click()`)
	do(t, ctx, watching, until(`detail.innerText.includes("Answered from the cache. The stored response is still fresh.")`))
	do(t, ctx, watching, `[...detail.querySelectorAll("button")].find(b => b.innerText == "Back").click()`)
	do(t, ctx, watching, until(`detail.innerText.includes("Purge")`))

	foreign(t, ctx, browsing, admin, page)
	site.total()
	do(t, ctx, watching, `[...detail.querySelectorAll("button")].find(b => b.innerText == "Purge").click()`)
	do(t, ctx, watching, `[...detail.querySelectorAll("button")].find(b => b.innerText == "Remove").click()`)
	do(t, ctx, watching, until(`detail.innerText.includes("1 response was removed.")`))
	loadPage(t, ctx, startChromium(t, j.Proxy), "http://"+site.addr)
	if n := site.total(); n != 1 {
		t.Errorf("origin got %d requests after one URL was purged; want 1", n)
	}

	must(t, watching.Resize(ctx, 390, 844, "dark"))
	if got := do(t, ctx, watching, `document.documentElement.scrollWidth`); got != "390" {
		t.Errorf("the page is %s pixels wide on a phone of 390", got)
	}
	if got := do(t, ctx, watching, `getComputedStyle(document.body).backgroundColor`); got != "rgb(18, 22, 28)" {
		t.Errorf("the background is %s in the dark", got)
	}
}

// foreign has a page of another origin try to read and to purge.
func foreign(t *testing.T, ctx context.Context, b *chromium.Browser, admin, page string) {
	t.Helper()
	direct := startChromium(t, "")
	for _, who := range []*chromium.Browser{b, direct} {
		must(t, who.Open(ctx, page))
		got := do(t, ctx, who, `fetch("http://`+admin+`/stats").then(r => r.text(), () => "refused")`)
		if strings.Contains(got, "requests") {
			t.Errorf("a foreign page read %q", got)
		}
		do(t, ctx, who, `fetch("http://`+admin+`/purge", {method: "POST", mode: "no-cors", body: '{"all":true}'}).then(() => "sent", () => "refused")`)
	}
	resp, err := http.Get("http://" + admin + "/entry?url=" + url.QueryEscape(page))
	must(t, err)
	resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Errorf("%d; want 200: a foreign page has purged", resp.StatusCode)
	}
}

// TestScreenshots writes the screenshots of the status page when it is told to.
func TestScreenshots(t *testing.T) {
	if !*writeScreenshots {
		return
	}
	admin := process.FreeAddr()
	j := startJay(t, "--admin", admin)
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	traffic(t, j.Proxy, 80*time.Second)
	b := startChromium(t, "")
	dir := filepath.Join(env.root, "e2e", "screenshots")
	must(t, os.MkdirAll(dir, 0o755))
	for _, shot := range []struct {
		name, scheme  string
		width, height int
	}{{"light", "light", 1200, 1300}, {"dark", "dark", 1200, 1300}, {"phone", "light", 390, 844}} {
		must(t, b.Resize(ctx, shot.width, shot.height, shot.scheme))
		must(t, b.Open(ctx, "http://"+admin+"/"))
		do(t, ctx, b, until(`document.querySelectorAll("#recent tr").length > 10 && document.querySelector("#tiles dd").innerText[0] != "–" && document.querySelector("#charts path").getAttribute("d")`))
		png, err := b.Screenshot(ctx)
		must(t, err)
		must(t, os.WriteFile(filepath.Join(dir, "status-"+shot.name+".png"), png, 0o644))
	}
}

// traffic asks for pages of all kinds for a while, and goes on until the test
// ends.
func traffic(t *testing.T, proxy string, d time.Duration) {
	t.Helper()
	kinds := []string{"max-age=86400", "max-age=86400", "max-age=86400", "max-age=5, stale-while-revalidate=30", "private", "max-age=60", ""}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		time.Sleep(rand.N(12 * time.Millisecond))
		n := len(r.URL.Path) % len(kinds)
		w.Header().Set("Cache-Control", kinds[n])
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		fmt.Fprint(w, strings.Repeat("<p>text</p>", 20+rand.N(3000)))
	}))
	t.Cleanup(s.Close)
	client := &http.Client{Transport: &http.Transport{Proxy: http.ProxyURL(&url.URL{Scheme: "http", Host: proxy})}}
	stop := make(chan struct{})
	t.Cleanup(func() { close(stop) })
	for i := range 4 {
		go func() {
			for {
				select {
				case <-stop:
					return
				case <-time.After(rand.N(40 * time.Millisecond)):
				}
				name := strings.Repeat("a", 1+rand.N(7))
				resp, err := client.Get(fmt.Sprintf("%s/%s/%d.html", s.URL, name, rand.N(10*(i+1))))
				if err == nil {
					_, _ = io.Copy(io.Discard, resp.Body)
					resp.Body.Close()
				}
			}
		}()
	}
	time.Sleep(d)
}
