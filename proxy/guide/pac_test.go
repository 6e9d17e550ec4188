package guide_test

import (
	"strings"
	"testing"

	"github.com/dop251/goja"

	"github.com/jayproxy/jay/proxy/guide"
)

// finder evaluates a PAC file and returns its function.
func finder(t testing.TB, script string) func(url, host string) string {
	t.Helper()
	vm := goja.New()
	if _, err := vm.RunString(script); err != nil {
		t.Fatalf("%v in\n%s", err, script)
	}
	var find func(url, host string) string
	if err := vm.ExportTo(vm.Get("FindProxyForURL"), &find); err != nil {
		t.Fatal(err)
	}
	return find
}

func direct(t testing.TB, entries ...string) guide.Direct {
	t.Helper()
	d, err := guide.NewDirect(entries)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func address(t testing.TB, text string) guide.Address {
	t.Helper()
	a, ok := guide.ParseAddress(text)
	if !ok {
		t.Fatalf("%q is no address", text)
	}
	return a
}

// TestScript checks which hosts a client sends to the proxy.
func TestScript(t *testing.T) {
	p := guide.PAC{
		Proxies: []guide.Address{address(t, "10.0.0.5:3128")}, Fallback: true,
		Direct: direct(t, "exact.test", ".below.test", "web-*.glob.test", "*.any.test", "192.0.2.7", "198.51.100.0/25", "2001:db8::/33", "UPPER.test."),
	}
	find := finder(t, p.Script())
	const proxied = "PROXY 10.0.0.5:3128; DIRECT"
	tests := []struct{ host, want string }{
		{"example.com", proxied}, {"example.com.", proxied}, {"EXAMPLE.com", proxied},
		{"intranet", "DIRECT"}, {"localhost", "DIRECT"}, {"app.localhost", "DIRECT"}, {"localhost.", "DIRECT"}, {"notlocalhost.test", proxied},
		{"exact.test", "DIRECT"}, {"Exact.Test", "DIRECT"}, {"exact.test.", "DIRECT"}, {"www.exact.test", proxied}, {"inexact.test", proxied}, {"upper.test", "DIRECT"},
		{"below.test", "DIRECT"}, {"a.b.below.test", "DIRECT"}, {"xbelow.test", proxied}, {"below.test.example", proxied},
		{"web-1.glob.test", "DIRECT"}, {"web-.glob.test", "DIRECT"}, {"web1.glob.test", proxied}, {"web-1xglob.test", proxied}, {"web-1.glob.test.evil.example", proxied},
		{"x.any.test", "DIRECT"}, {"any.test", proxied},
		{"127.0.0.1", "DIRECT"}, {"127.255.255.255", "DIRECT"}, {"128.0.0.1", proxied}, {"169.254.1.1", "DIRECT"}, {"10.0.0.5", proxied}, {"0.0.0.0", proxied},
		{"192.0.2.7", "DIRECT"}, {"192.0.2.8", proxied}, {"198.51.100.0", "DIRECT"}, {"198.51.100.127", "DIRECT"}, {"198.51.100.128", proxied},
		{"999.0.0.1", proxied}, {"1.2.3.4.5", proxied},
		{"::1", "DIRECT"}, {"[::1]", "DIRECT"}, {"fe80::1", "DIRECT"}, {"febf::", "DIRECT"}, {"fec0::1", proxied}, {"::2", proxied},
		{"2001:db8::", "DIRECT"}, {"2001:db8:7fff:ffff:ffff:ffff:ffff:ffff", "DIRECT"}, {"2001:db8:8000::", proxied}, {"2001:DB8::1", "DIRECT"},
		{"::ffff:127.0.0.1", "DIRECT"}, {"::ffff:c000:207", "DIRECT"}, {"::ffff:c000:208", proxied}, {"::", proxied}, {":::", proxied}, {"1::2::3", proxied}, {"12345::", proxied},
		{"constructor.prototype", proxied}, {"a.constructor", proxied}, {"a.__proto__", proxied}, {"a.hasownproperty", proxied}, {"", "DIRECT"},
	}
	for _, tt := range tests {
		if got := find("http://"+tt.host+"/", tt.host); got != tt.want {
			t.Errorf("%q: got %q; want %q", tt.host, got, tt.want)
		}
	}
	for url, want := range map[string]string{
		"http://10.0.0.5:3128/": "DIRECT", "http://10.0.0.5:3128/proxy.pac": "DIRECT", "http://10.0.0.5:8080/": proxied, "http://10.0.0.5/": proxied, "https://10.0.0.5:3128/": proxied,
	} {
		if got := find(url, "10.0.0.5"); got != want {
			t.Errorf("%s: got %q; want %q", url, got, want)
		}
	}
}

func TestAnswer(t *testing.T) {
	six, name := address(t, "[2001:db8::1]:3128"), address(t, "Proxy.Example.com:80")
	secure := address(t, "https://proxy.example.com:443")
	tests := []struct {
		p    guide.PAC
		want string
		own  string
	}{
		{guide.PAC{Proxies: []guide.Address{six}}, "PROXY [2001:db8::1]:3128", "http://[2001:db8::1]:3128/"},
		{guide.PAC{Proxies: []guide.Address{name, six}, Fallback: true}, "PROXY proxy.example.com:80; PROXY [2001:db8::1]:3128; DIRECT", "http://proxy.example.com/"},
		{guide.PAC{Proxies: []guide.Address{secure}}, "HTTPS proxy.example.com:443", "https://proxy.example.com/rules"},
		{guide.PAC{}, "DIRECT", "http://example.org/"},
	}
	for _, tt := range tests {
		find := finder(t, tt.p.Script())
		if got := find("http://example.com/", "example.com"); got != tt.want {
			t.Errorf("got %q; want %q", got, tt.want)
		}
		if got := find(tt.own, "proxy.example.com"); got != "DIRECT" {
			t.Errorf("%s: got %q; want DIRECT", tt.own, got)
		}
	}
}

func TestNewDirect(t *testing.T) {
	for _, bad := range []string{"", ".", "*", "*.*", "a b", `a"b`, "a\\b", "10.*", ".a*.test", "a..b", "10.1.2.3/8", "1.2.3", "::ffff:10.0.0.0/104", "fe80::1%eth0", "a/b", "http://a", strings.Repeat("a", 64)} {
		if d, err := guide.NewDirect([]string{bad}); err == nil {
			t.Errorf("%q: got %+v; want an error", bad, d)
		}
	}
	d := direct(t, "a.test", ".b.test", "c*.test", "10.0.0.0/8", "[2001:db8::1]", "192.0.2.1/32")
	if got, want := d.NoProxy(), "localhost,127.0.0.1,::1,a.test,.b.test,10.0.0.0/8,2001:db8::1,192.0.2.1"; got != want {
		t.Errorf("NoProxy() = %q; want %q", got, want)
	}
}

func TestParseAddress(t *testing.T) {
	for text, want := range map[string]string{
		"a:1": "a:1", "A.Test.:80": "a.test:80", "192.0.2.1:65535": "192.0.2.1:65535", "[::1]:3128": "[::1]:3128", "[::ffff:192.0.2.1]:3128": "192.0.2.1:3128",
		"": "", "a": "", "a:": "", ":1": "", "a:0": "", "a:65536": "", "a:-1": "", "a:1;": "", `a";x:1`: "", "a b:1": "", "[fe80::1%eth0]:1": "", "a*:1": "", "http://a:1": "", "https://": "", "ä:1": "",
	} {
		a, ok := guide.ParseAddress(text)
		if ok != (want != "") || ok && a.String() != want {
			t.Errorf("%q: got %v, %v; want %q", text, a, ok, want)
		}
	}
}

// FuzzScript checks that nothing that is taken for an address or a destination breaks the script or puts anything else
// into its answer.
func FuzzScript(f *testing.F) {
	f.Add("proxy.test:3128", ".example.com")
	f.Add("[::1]:1", "2001:db8::/32")
	f.Add("a\"; alert(1); \":1", "*.web*.test")
	f.Fuzz(func(t *testing.T, proxy, entry string) {
		a, ok := guide.ParseAddress(proxy)
		d, err := guide.NewDirect([]string{entry})
		if !ok || err != nil {
			return
		}
		p := guide.PAC{Proxies: []guide.Address{a}, Direct: d}
		script := p.Script()
		for _, c := range []byte(script) {
			if c >= 0x7f || c < ' ' && c != '\n' {
				t.Fatalf("the script has the byte %#x", c)
			}
		}
		find := finder(t, script)
		if got := find("ftp://x.y.z.invalid/", "x.y.z.invalid"); got != "PROXY "+a.String() && got != "DIRECT" {
			t.Errorf("%q, %q: got %q", proxy, entry, got)
		}
		if name := strings.TrimPrefix(strings.ToLower(entry), "."); !strings.ContainsAny(name, "*/:[") {
			if got := find("http://"+name+"/", name); got != "DIRECT" {
				t.Errorf("%q is not direct but %q", name, got)
			}
		}
	})
}
