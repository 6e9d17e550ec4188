package e2e

import (
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/bcrypt"

	"github.com/jayproxy/jay/e2e/origin"
	"github.com/jayproxy/jay/e2e/process"
	"github.com/jayproxy/jay/e2e/rawhttp"
)

// namesHere is a name server for which every name is this machine.
func namesHere(t *testing.T) *origin.DNS {
	t.Helper()
	pc, err := net.ListenPacket("udp", "127.0.0.1:0")
	must(t, err)
	d := origin.ServeDNS(pc, func(string) ([]netip.Addr, time.Duration) {
		return []netip.Addr{netip.MustParseAddr("127.0.0.1")}, 0
	})
	t.Cleanup(d.Close)
	return d
}

// startParent runs a jay that is another one's parent.
func startParent(t *testing.T, name, listen string, d *origin.DNS) *process.Jay {
	t.Helper()
	return startJayWith(t, process.Options{Listen: listen, Intercept: "none", Args: []string{"--name", name, "--dns-servers", d.Addr()}})
}

// TestParents: what clients ask for goes through two jays, of which only the first can resolve names; the second caches
// all the same. Via, the logs and Proxy-Status say which way it went.
func TestParents(t *testing.T) {
	t.Parallel()
	o := startOrigin(t, func(x *origin.Exchange) { x.OK("hello") })
	up := startParent(t, "up", "", namesHere(t))
	j := startJay(t, "--name", "down", "--parent", "http://"+up.Proxy, "--dns-servers", process.FreeAddr())
	eachWay(t, j, func(t *testing.T, w way) {
		host := w.name + ".test:" + o.Port()
		for i := range 2 {
			resp := w.do(t, "GET", host, "/", nil, "")
			if via := strings.Join(resp.Fields.Values("Via"), ", "); resp.Code != 200 || string(resp.Body) != "hello" || via != "1.1 up, 1.1 down" {
				t.Errorf("got %v; want hello via up and down", resp)
			}
			if i == 1 {
				checkHit(t, resp.Fields)
			}
		}
		e, ok := j.WaitLog(func(e process.Entry) bool {
			return e.String("url") == "http://"+host+"/" && e.String("decision") == "miss"
		})
		if !ok || e.String("parent") != "http://"+up.Proxy || e.String("origin") != up.Proxy {
			t.Errorf("got %v; want the parent in the log", e)
		}
		// The tunnel's other direction lives on after the client has said all, and what came with the request is not lost.
		if !w.transparent {
			c := w.dial(t, host)
			send(t, c, fmt.Sprintf("CONNECT %[1]s HTTP/1.1\r\nHost: %[1]s\r\n\r\nGET /t HTTP/1.1\r\nHost: x\r\n\r\n", host))
			must(t, c.Conn.(*net.TCPConn).CloseWrite())
			all, _ := io.ReadAll(c.Conn)
			if s := string(all); strings.Count(s, "HTTP/1.1 200") != 2 || !strings.HasSuffix(s, "hello") {
				t.Errorf("tunnel: got %q; want the origin's answer", s)
			}
		}
		resp := w.do(t, "GET", w.name+".test:1", "/", nil, "")
		if resp.Code != 502 && resp.Code != 403 {
			t.Errorf("an origin that the parent cannot reach: got %v; want its error", resp)
		}
	})
}

// TestParents_secure: a parent that listens with TLS and wants a login, as another jay does; a wrong one is a fault of the
// configuration, which no client is asked about.
func TestParents_secure(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	cert, ca, err := origin.SelfSigned("localhost", "127.0.0.1")
	must(t, err)
	key, err := x509.MarshalPKCS8PrivateKey(cert.PrivateKey)
	must(t, err)
	hash, err := bcrypt.GenerateFromPassword([]byte("geheim"), bcrypt.MinCost)
	must(t, err)
	for name, data := range map[string][]byte{
		"cert": ca, "key": pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key}),
		"users": []byte("anna:" + string(hash) + "\n"), "logins": nil, "wrong": nil,
	} {
		must(t, os.WriteFile(filepath.Join(dir, name), data, 0o600))
	}
	at := process.FreeAddr()
	must(t, os.WriteFile(filepath.Join(dir, "logins"), []byte(at+" anna:geheim\n"), 0o600))
	must(t, os.WriteFile(filepath.Join(dir, "wrong"), []byte(at+" anna:falsch\n"), 0o600))
	o := startOrigin(t, func(x *origin.Exchange) { x.OK("hello") })
	startJayWith(t, process.Options{Intercept: "none", Args: []string{
		"--listen-tls", at, "--tls-cert", filepath.Join(dir, "cert"), "--tls-key", filepath.Join(dir, "key"),
		"--auth-file", filepath.Join(dir, "users"), "--dns-servers", namesHere(t).Addr(),
	}})
	down := func(logins string) way {
		j := startJay(t, "--parent", "https://"+at, "--parent-login-file", filepath.Join(dir, logins), "--ca-file", filepath.Join(dir, "cert"))
		return waysOf(j)[0]
	}
	host := "secure.test:" + o.Port()
	right, wrong := down("logins"), down("wrong")
	if resp := right.do(t, "GET", host, "/", nil, ""); resp.Code != 200 || string(resp.Body) != "hello" {
		t.Errorf("got %v; want hello", resp)
	}
	c := right.dial(t, host)
	send(t, c, fmt.Sprintf("CONNECT %[1]s HTTP/1.1\r\nHost: %[1]s\r\n\r\nGET /t HTTP/1.1\r\nHost: x\r\n\r\n", host))
	must(t, c.Conn.(*net.TCPConn).CloseWrite())
	if all, _ := io.ReadAll(c.Conn); !strings.HasSuffix(string(all), "hello") {
		t.Errorf("tunnel: got %q; want the origin's answer", all)
	}
	if resp := wrong.do(t, "GET", host, "/x", nil, ""); resp.Code != 502 || resp.Fields.Get("Proxy-Authenticate") != "" ||
		!strings.Contains(resp.Fields.Get("Proxy-Status"), "proxy_configuration_error") {
		t.Errorf("with a wrong login: got %v, %v; want 502", resp, resp.Fields)
	}
	if n := o.Count("/x"); n != 0 {
		t.Errorf("the origin got %d requests past the login", n)
	}
}

// TestParentDown: while parents come and go, no request is lost as long as one of them is there, none takes longer than two
// seconds for it, and the answer that none is there names one (F4).
func TestParentDown(t *testing.T) {
	t.Parallel()
	d := namesHere(t)
	o := startOrigin(t, func(x *origin.Exchange) { x.Reply("200 OK", rawhttp.F("Cache-Control", "no-store"), "hello") })
	first, second := startParent(t, "first", "", d), startParent(t, "second", "", d)
	j := startJay(t, "--parent", "http://"+first.Proxy, "--parent", "http://"+second.Proxy)
	eachWay(t, j, func(t *testing.T, w way) {
		if resp := w.do(t, "POST", w.name+".test:"+o.Port(), "/", nil, ""); resp.Code != 200 || !strings.Contains(resp.Fields.Get("Via"), "first") {
			t.Errorf("both up: got %v; want it through the first", resp)
		}
	})
	through := func(t *testing.T, want string) {
		t.Helper()
		eachWay(t, j, func(t *testing.T, w way) {
			for i := range 20 {
				began := time.Now()
				resp := w.do(t, "POST", w.name+".test:"+o.Port(), "/", nil, "")
				if resp.Code != 200 || !strings.Contains(resp.Fields.Get("Via"), want) {
					t.Errorf("request %d: got %v after %v; want it through the %s", i, resp, time.Since(began), want)
				}
			}
		})
	}
	must(t, first.Stop())
	through(t, "second")
	must(t, second.Stop())
	eachWay(t, j, func(t *testing.T, w way) {
		resp := w.do(t, "GET", w.name+".test:"+o.Port(), "/", nil, "")
		if ps := resp.Fields.Get("Proxy-Status"); resp.Code != 502 || !strings.Contains(ps, `error=connection_refused; next-hop="127.0.0.1:`) {
			t.Errorf("none there: got %v, %q; want 502 that names one", resp, ps)
		}
	})
	startParent(t, "again", first.Proxy, d)
	w := waysOf(j)[0]
	eventually(t, "the first parent is used again", func() bool {
		return w.do(t, "GET", "x.test:"+o.Port(), "/", nil, "").Code == 200
	})
	through(t, "again")
}

// TestParents_loop: two jays that are each other's parents end a request after one round (E5).
func TestParents_loop(t *testing.T) {
	t.Parallel()
	a, b := process.FreeAddr(), process.FreeAddr()
	start := func(name, listen, parent string) *process.Jay {
		return startJayWith(t, process.Options{Listen: listen, Intercept: "none", Args: []string{"--name", name, "--parent", "http://" + parent}})
	}
	one, two := start("one", a, b), start("two", b, a)
	w := way{name: "explicit", addr: a}
	if resp := w.do(t, "GET", "x.test", "/", nil, ""); resp.Code != 508 {
		t.Errorf("GET: got %v; want 508", resp)
	}
	c := w.dial(t, "x.test")
	send(t, c, "CONNECT x.test:443 HTTP/1.1\r\nHost: x.test\r\n\r\n")
	if resp := receive(t, c, "GET"); resp.Code != 502 || !strings.Contains(resp.Fields.Get("Proxy-Status"), `next-hop="`+b+`"; received-status=`) {
		t.Errorf("CONNECT: got %v, %q; want 502", resp, resp.Fields.Get("Proxy-Status"))
	}
	must(t, one.Stop())
	must(t, two.Stop())
	if n, m := len(one.Log()), len(two.Log()); n != 4 || m != 2 {
		t.Errorf("got %d and %d requests; want each of the two to come round once", n, m)
	}
}

// TestOwnEnvironment: a proxy that is named in jay's own environment, be it jay itself, is nobody to jay.
func TestOwnEnvironment(t *testing.T) {
	t.Parallel()
	o := startOrigin(t, func(x *origin.Exchange) { x.OK("hello") })
	d := namesHere(t)
	self := process.FreeAddr()
	var vars []string
	for _, name := range []string{"http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"} {
		vars = append(vars, name+"=http://"+self)
	}
	vars = append(vars, "no_proxy=", "NO_PROXY=")
	j := startJayWith(t, process.Options{Listen: self, Env: vars, Args: []string{"--dns-servers", d.Addr()}})
	eachWay(t, j, func(t *testing.T, w way) {
		host := w.name + ".test:" + o.Port()
		if resp := w.do(t, "GET", host, "/", nil, ""); resp.Code != 200 || strings.Contains(resp.Fields.Get("Via"), ",") {
			t.Errorf("got %v, via %q; want it straight from the origin", resp, resp.Fields.Get("Via"))
		}
		if w.transparent {
			return
		}
		c := w.dial(t, host)
		send(t, c, fmt.Sprintf("CONNECT %[1]s HTTP/1.1\r\nHost: %[1]s\r\n\r\nGET /t HTTP/1.1\r\nHost: x\r\n\r\n", host))
		must(t, c.Conn.(*net.TCPConn).CloseWrite())
		if all, _ := io.ReadAll(c.Conn); !strings.HasSuffix(string(all), "hello") {
			t.Errorf("tunnel: got %q; want the origin's answer", all)
		}
	})
	must(t, j.Stop())
	if n := len(j.Log()); n != 3 {
		t.Errorf("got %d lines in the log; want 3: none that jay asked itself for", n)
	}
}
