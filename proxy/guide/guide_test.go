package guide_test

import (
	"crypto/sha256"
	"encoding/base64"
	"strings"
	"testing"

	"github.com/jayproxy/jay/proxy/guide"
)

func TestPage(t *testing.T) {
	v := guide.Visit{
		Address: address(t, "[2001:db8::1]:3128"), NoProxy: "localhost,.example.com", Login: true, User: "<anna>",
		Rules: []string{"You may not reach a<b>."}, StatusPage: "http://127.0.0.1:3127/",
	}
	b, err := guide.Page(&v)
	if err != nil {
		t.Fatal(err)
	}
	page := string(b)
	for _, want := range []string{
		"http://[2001:db8::1]:3128/proxy.pac", "<code>2001:db8::1</code>", "export http_proxy=http://NAME:PASSWORD@[2001:db8::1]:3128",
		"HTTPS_PROXY=", "NO_PROXY=localhost,.example.com", "apt.conf.d", "npm config", "pip config", "git config", "daemon.json", "wget -e",
		"Windows", "macOS", "GNOME", "KDE", "Android", "iPhone", "Firefox", "Chromium",
		"What &lt;anna&gt; may do", "a&lt;b&gt;", `href="http://127.0.0.1:3127/"`,
	} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	for _, not := range []string{"<anna>", "<script", "javascript:", "src=", "@import", "ZgotmplZ"} {
		if strings.Contains(page, not) {
			t.Errorf("the page has %q", not)
		}
	}
	_, rest, _ := strings.Cut(page, "<style>")
	style, _, _ := strings.Cut(rest, "</style>")
	sum := sha256.Sum256([]byte(style))
	if want := "style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"; !strings.Contains(guide.Policy(), want) {
		t.Errorf("the policy is %q; want %q in it", guide.Policy(), want)
	}
}

// TestPageLeavesOut checks what those see who may not see everything.
func TestPageLeavesOut(t *testing.T) {
	v := guide.Visit{Address: address(t, "proxy.test:3128"), NoProxy: "localhost", Login: true}
	page, err := guide.Page(&v)
	if err != nil {
		t.Fatal(err)
	}
	if s := string(page); !strings.Contains(s, `href="/rules"`) || strings.Contains(s, "Status page") || strings.Contains(s, "counts") {
		t.Errorf("got %s; want the way to log in and nothing of the rules", s)
	}
	v.Login = false
	page, err = guide.Page(&v)
	if s := string(page); err != nil || strings.Contains(s, "may do") || strings.Contains(s, "NAME") {
		t.Errorf("got %v, %s; want no rules and no login", err, s)
	}
}

func TestText(t *testing.T) {
	v := guide.Visit{Address: address(t, "10.0.0.5:3128"), NoProxy: "localhost,127.0.0.1,::1", Rules: []string{"Everything is allowed."}}
	want := `This is Jay, a caching HTTP proxy. It answers here only to say how to use it.

Browser:   set 10.0.0.5:3128 as the HTTP and HTTPS proxy,
           or http://10.0.0.5:3128/proxy.pac as the address of the automatic configuration
Shell:     export http_proxy=http://10.0.0.5:3128 https_proxy=http://10.0.0.5:3128 no_proxy=localhost,127.0.0.1,::1
One call:  curl -x http://10.0.0.5:3128 http://example.com/

What you may do:
- Everything is allowed.
`
	if got := v.Text(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}
