package e2e

import (
	"encoding/base64"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/crypto/bcrypt"

	"github.com/jayproxy/jay/e2e/origin"
	"github.com/jayproxy/jay/e2e/process"
	"github.com/jayproxy/jay/e2e/rawhttp"
	"github.com/jayproxy/jay/proxy/wire/wiretest"
)

// login is the field by which a user logs in to the proxy.
func login(user, password string) rawhttp.Fields {
	return rawhttp.F("Proxy-Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(user+":"+password)))
}

// usersFile is an htpasswd file with anna.
func usersFile(t *testing.T) string {
	t.Helper()
	hash, err := bcrypt.GenerateFromPassword([]byte("s3cr3t-basic"), bcrypt.MinCost)
	must(t, err)
	file := filepath.Join(t.TempDir(), "htpasswd")
	must(t, os.WriteFile(file, append(append([]byte("anna:"), hash...), '\n'), 0o600))
	return file
}

// TestLogin_RFC9110_11_7: where users are asked for, nothing is had without a
// password, stored or not, by request or tunnel; passwords go no further than to
// jay, and guessing ends soon (E7, E8, E12, A15).
func TestLogin_RFC9110_11_7(t *testing.T) {
	t.Parallel()
	o := startOrigin(t, func(x *origin.Exchange) { x.OK("page") })
	j := startJay(t, "--auth-file", usersFile(t), "--log-level", "debug")
	w := waysOf(j)[0]
	if resp := w.do(t, "GET", o.Addr(), "/", login("anna", "s3cr3t-basic"), ""); resp.Code != 200 {
		t.Fatalf("anna got %v; want the page", resp)
	}
	if got := o.To("/")[0].Fields; got.Has("Proxy-Authorization") || got.Has("Authorization") {
		t.Errorf("origin got %q; want no credentials", got)
	}
	if resp := w.do(t, "GET", o.Addr(), "/", login("anna", "s3cr3t-basic"), ""); resp.Code != 200 || o.Count("/") != 1 {
		t.Errorf("anna got %v; want it from the cache", resp)
	}
	before := len(o.Requests())
	for _, fs := range []rawhttp.Fields{
		nil, login("anna", "wrong"), login("anna", ""), login("", "s3cr3t-basic"), rawhttp.F("Authorization", login("anna", "s3cr3t-basic")[0].Value),
		rawhttp.F("Proxy-Authorization", "Bearer s3cr3t-basic"), rawhttp.F("Proxy-Authorization", "Basic ==="), append(login("anna", "wrong"), login("anna", "s3cr3t-basic")...),
	} {
		resp := w.do(t, "GET", o.Addr(), "/", fs, "")
		if resp.Code != 407 && resp.Code != 400 || resp.Code == 407 && !strings.HasPrefix(resp.Fields.Get("Proxy-Authenticate"), "Basic realm=") {
			t.Errorf("%q: got %v; want 407", fs, resp)
		}
		checkSecrets(t, "the answer", resp.String())
	}
	c := w.dial(t, o.Addr())
	send(t, c, "CONNECT "+o.Addr()+" HTTP/1.1\r\nHost: x\r\n\r\n"+w.get(o.Addr(), wiretest.Smuggled, login("anna", "s3cr3t-basic")))
	if resp, err := c.ReadResponse("GET"); err != nil || resp.Code != 407 {
		t.Errorf("CONNECT: got %v, %v; want 407", resp, err)
	}
	closes(t, c, "407 to CONNECT")
	exactly(t, o, before)
	if _, ok := j.WaitLog(func(e process.Entry) bool { return e.String("user") == "anna" }); !ok {
		t.Errorf("log has no anna: %v", j.Log())
	}
	for _, e := range j.Log() {
		for name := range e {
			checkSecrets(t, "the log's "+name, e.String(name))
		}
	}
	checkSecrets(t, "stderr", j.Stderr())
}

// TestGuessing: after some wrong passwords in a minute an address may not try
// any more, right or wrong (E12).
func TestGuessing(t *testing.T) {
	t.Parallel()
	o := startOrigin(t, func(x *origin.Exchange) { x.OK("page") })
	w := waysOf(startJay(t, "--auth-file", usersFile(t)))[0]
	right := -1
	for i := range 30 {
		resp, err := w.once(o.Addr(), "GET", "/", login("anna", "guess"+strings.Repeat("x", i)))
		if err != nil {
			break
		}
		if resp.Code == 200 {
			right = i
		}
	}
	resp, err := w.once(o.Addr(), "GET", "/", login("anna", "s3cr3t-basic"))
	if right >= 0 || err == nil && resp.Code == 200 {
		t.Errorf("guess %d was right, then the password got %v; want no more tries after 10", right, resp)
	}
	if n := len(o.Requests()); n != 0 {
		t.Errorf("origin got %d requests; want none", n)
	}
}

// TestRefused: jay names the rule that refuses, to the client and in the log, and
// closes a refused tunnel (A15).
func TestRefused(t *testing.T) {
	t.Parallel()
	o := startOrigin(t, func(x *origin.Exchange) { x.OK("page") })
	file := filepath.Join(t.TempDir(), "jay.yaml")
	must(t, os.WriteFile(file, []byte("policy:\n  default: allow\n  rules:\n    - {name: no-loop, action: deny, to: 127.0.0.0/8}\n"), 0o600))
	j := startJay(t, "--config", file)
	eachWay(t, j, func(t *testing.T, w way) {
		resp := w.do(t, "GET", o.Addr(), "/", nil, "")
		if resp.Code != 403 || !strings.Contains(resp.Fields.Get("Proxy-Status"), "no-loop") {
			t.Errorf("got %v; want 403 by the rule no-loop", resp)
		}
	})
	c := waysOf(j)[0].dial(t, o.Addr())
	send(t, c, "CONNECT "+o.Addr()+" HTTP/1.1\r\nHost: x\r\n\r\n"+waysOf(j)[0].get(o.Addr(), wiretest.Smuggled, nil))
	if resp, err := c.ReadResponse("GET"); err != nil || resp.Code != 403 {
		t.Errorf("CONNECT: got %v, %v; want 403", resp, err)
	}
	closes(t, c, "403 to CONNECT")
	exactly(t, o, 0)
	if e, ok := j.WaitLog(func(e process.Entry) bool { return e.String("rule") == "no-loop" }); !ok {
		t.Errorf("log has no rule: %v, %v", e, j.Log())
	}
}
