package wire_test

import (
	"strings"
	"testing"

	"github.com/jayproxy/jay/proxy/wire"
)

func TestParseTarget_RFC9112_3_2(t *testing.T) {
	for _, tt := range []struct {
		method, target string
		want           wire.Target
	}{
		{"GET", "/", wire.Target{Path: "/"}},
		{"GET", "/a/../b//c?d=%2f", wire.Target{Path: "/a/../b//c?d=%2f"}},
		{"GET", "//host/a", wire.Target{Path: "//host/a"}},
		{"OPTIONS", "/a", wire.Target{Path: "/a"}},
		{"OPTIONS", "*", wire.Target{Form: wire.AsteriskForm}},
		{"GET", "http://a/", wire.Target{Form: wire.AbsoluteForm, Scheme: "http", Host: "a", Path: "/"}},
		{"GET", "http://a", wire.Target{Form: wire.AbsoluteForm, Scheme: "http", Host: "a"}},
		{"GET", "http://a?b", wire.Target{Form: wire.AbsoluteForm, Scheme: "http", Host: "a", Path: "?b"}},
		{"OPTIONS", "http://a:1", wire.Target{Form: wire.AbsoluteForm, Scheme: "http", Host: "a", Port: "1"}},
		{"GET", "HTTPS://Www.Example.ORG:0443/A%2fb", wire.Target{Form: wire.AbsoluteForm, Scheme: "https", Host: "www.example.org", Port: "443", Path: "/A%2fb"}},
		{"GET", "http://a.:65535/", wire.Target{Form: wire.AbsoluteForm, Scheme: "http", Host: "a.", Port: "65535", Path: "/"}},
		{"GET", "http://a:/", wire.Target{Form: wire.AbsoluteForm, Scheme: "http", Host: "a", Path: "/"}},
		{"GET", "http://127.0.0.1:80/", wire.Target{Form: wire.AbsoluteForm, Scheme: "http", Host: "127.0.0.1", Port: "80", Path: "/"}},
		{"GET", "http://[::1]/", wire.Target{Form: wire.AbsoluteForm, Scheme: "http", Host: "::1", Path: "/"}},
		{"GET", "http://[FE80::A]:80?x", wire.Target{Form: wire.AbsoluteForm, Scheme: "http", Host: "fe80::a", Port: "80", Path: "?x"}},
		{"GET", "http://[::ffff:1.2.3.4]/", wire.Target{Form: wire.AbsoluteForm, Scheme: "http", Host: "::ffff:1.2.3.4", Path: "/"}},
		{"GET", "http://a/b@c:d", wire.Target{Form: wire.AbsoluteForm, Scheme: "http", Host: "a", Path: "/b@c:d"}},
		{"GET", "http://a_b-c~d.e/", wire.Target{Form: wire.AbsoluteForm, Scheme: "http", Host: "a_b-c~d.e", Path: "/"}},
		{"CONNECT", "a:443", wire.Target{Form: wire.AuthorityForm, Host: "a", Port: "443"}},
		{"CONNECT", "[::1]:443", wire.Target{Form: wire.AuthorityForm, Host: "::1", Port: "443"}},
		{"CONNECT", "A.B:1", wire.Target{Form: wire.AuthorityForm, Host: "a.b", Port: "1"}},
	} {
		got, err := wire.ParseTarget(tt.method, tt.target)
		if err != nil || got != tt.want {
			t.Errorf("ParseTarget(%q, %q): got %+v, %v; want %+v", tt.method, tt.target, got, err, tt.want)
		}
	}
}

func TestParseTarget_RFC9112_3_2_refused(t *testing.T) {
	for _, tt := range []struct{ method, target, want string }{
		{"GET", "", "request target of an unknown form"},
		{"GET", "*", "request target of an unknown form"},
		{"GET", "a:443", "request target of an unknown form"},
		{"GET", "ftp://a/", "request target with an unknown scheme"},
		{"GET", "http://a/#b", "fragment in the request target"},
		{"GET", "/a b", "white space in the request line"},
		{"GET", "/a\tb", "white space in the request line"},
		{"GET", "/a\x80", "forbidden byte in the request target"},
		{"GET", "http://u@a/", "user information in an authority"},
		{"GET", "http://u:p@a/", "user information in an authority"},
		{"GET", "http:///a", "malformed host"},
		{"GET", "http://[::1%25a]/", "malformed host"},
		{"GET", "http://" + strings.Repeat("a", 255) + "/", "malformed host"},
		{"GET", "http://a:000080/", "malformed port"},
		{"CONNECT", "a", "CONNECT target that is not a host and port"},
		{"CONNECT", "a:", "CONNECT target that is not a host and port"},
		{"CONNECT", "/", "malformed host"},
	} {
		got, err := wire.ParseTarget(tt.method, tt.target)
		if detail(err) != tt.want || got != (wire.Target{}) {
			t.Errorf("ParseTarget(%q, %q): got %+v, %q; want %q", tt.method, tt.target, got, detail(err), tt.want)
		}
	}
}

func TestParseAuthority_RFC9110_4_2(t *testing.T) {
	for _, tt := range []struct{ s, host, port string }{
		{"a", "a", ""}, {"a:80", "a", "80"}, {"A.b.:08080", "a.b.", "8080"}, {"[::1]", "::1", ""}, {"[::1]:65535", "::1", "65535"}, {"1.2.3.4:1", "1.2.3.4", "1"}, {"a:", "a", ""},
	} {
		host, port, err := wire.ParseAuthority(tt.s)
		if err != nil || host != tt.host || port != tt.port {
			t.Errorf("ParseAuthority(%q): got %q, %q, %v; want %q, %q", tt.s, host, port, err, tt.host, tt.port)
		}
	}
	for _, s := range []string{"", ":", ":80", "a:0", "a:65536", "a:x", "a b", "a/", "u@a", "[::1", "::1", "[a]", "a..b", ".", "a%2e", "a:1:2"} {
		if host, port, err := wire.ParseAuthority(s); err == nil {
			t.Errorf("ParseAuthority(%q): got %q, %q; want an error", s, host, port)
		}
	}
}

func TestForm_String(t *testing.T) {
	for f, want := range map[wire.Form]string{
		wire.OriginForm: "origin-form", wire.AbsoluteForm: "absolute-form", wire.AuthorityForm: "authority-form", wire.AsteriskForm: "asterisk-form", 9: "unknown form",
	} {
		if got := f.String(); got != want {
			t.Errorf("Form(%d): got %q; want %q", f, got, want)
		}
	}
}
