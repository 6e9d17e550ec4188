package proxy

import (
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/crypto/bcrypt"

	"github.com/jayproxy/jay/proxy/auth"
	"github.com/jayproxy/jay/proxy/policy"
)

// guarded is an Auth with the user anna, whose password is sesame.
func guarded(t testing.TB) *auth.Auth {
	t.Helper()
	hash, err := bcrypt.GenerateFromPassword([]byte("sesame"), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "users")
	if err := os.WriteFile(path, []byte("anna:"+string(hash)+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	a, err := auth.New(auth.Options{File: path, Realm: "the office"})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func credentials(user, password string) string {
	return "Proxy-Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+password))
}

// TestAuth_RFC9110_11_7 checks the challenge, what follows it, and that credentials go nowhere.
func TestAuth_RFC9110_11_7(t *testing.T) {
	challenge := `Basic realm="the office", charset="UTF-8"`
	inBubble(t, Options{Auth: guarded(t)}, always(respond(200, "ok", "Cache-Control: max-age=60")), func(t *testing.T, w *world) {
		rec := newRecords(t)
		w.p.opt().Access = rec.log
		c := w.client()
		for _, lines := range [][]string{nil, {credentials("anna", "wrong")}, {credentials("anna", "sesame"), credentials("anna", "sesame")}, {"Proxy-Authorization: Bearer x"}} {
			a := c.get(host+"/", lines...)
			if a.status != 407 || a.get("Proxy-Authenticate") != challenge || a.get("Connection") == "close" || a.get("Cache-Control") != "no-store" {
				t.Errorf("with %q: got %s %q; want 407, a challenge and an open connection", lines, a.line, a.head)
			}
		}
		right := credentials("anna", "sesame")
		for _, want := range []string{"fwd=uri-miss", "hit", "hit"} { // the last ones in the lane
			if a := c.get(host+"/", right); a.status != 200 || !strings.Contains(a.cacheStatus(), want) {
				t.Errorf("with the password: got %s %q; want 200, %s", a.line, a.cacheStatus(), want)
			}
		}
		if a := c.get(host + "/"); a.status != 407 {
			t.Errorf("without a password, stored: got %s; want 407", a.line)
		}
		for _, head := range []string{w.origin.last().head} {
			if strings.Contains(strings.ToLower(head), "proxy-auth") {
				t.Errorf("the origin got %q", head)
			}
		}
		if n := w.origin.count(""); n != 1 {
			t.Errorf("%d requests got through; want 1", n)
		}
		c.Close()
		synctest.Wait()
		var users []string
		for _, l := range rec.all(t) {
			users = append(users, l.User+" "+l.Decision+" "+l.Reason)
		}
		want := "[ denied credentials-missing  denied credentials-wrong  denied credentials-missing  denied credentials-missing anna miss explicit-freshness anna hit fresh anna hit fresh  denied credentials-missing]"
		if got := fmt.Sprint(users); got != want {
			t.Errorf("log %s; want %s", got, want)
		}
		if strings.Contains(rec.buf.String(), "c2VzYW1l") {
			t.Error("the log holds a password")
		}
	})
}

func TestAuth_connect(t *testing.T) {
	inBubble(t, Options{Auth: guarded(t)}, always(""), func(t *testing.T, w *world) {
		c := w.client()
		c.send("CONNECT 192.0.2.1:443 HTTP/1.1\r\nHost: a\r\n\r\n")
		a := c.read("GET")
		if a.status != 407 || a.get("Proxy-Authenticate") == "" || a.get("Connection") != "close" || len(w.origin.dials) != 0 {
			t.Errorf("got %s %q, dialled %v; want 407, a challenge and close", a.line, a.head, w.origin.dials)
		}
		c = w.client()
		c.send("CONNECT 192.0.2.1:443 HTTP/1.1\r\nHost: a\r\n" + credentials("anna", "sesame") + "\r\n\r\n")
		if a := c.readHead(); a.status != 200 {
			t.Errorf("with the password: got %s; want 200", a.line)
		}
	})
}

// TestAuth_E12 checks that who guesses is cut off, and that intercepted clients, who cannot be asked, are not.
func TestAuth_E12(t *testing.T) {
	inBubble(t, Options{Auth: guarded(t)}, always(respond(200, "ok")), func(t *testing.T, w *world) {
		for i := range 13 {
			c := w.clientOf(Explicit, "10.0.0.7:1", "")
			a := c.get("http://93.184.216.34/", credentials("anna", fmt.Sprint(i)))
			if closed := a.get("Connection") == "close"; a.status != 407 || closed != (i >= 10) {
				t.Errorf("guess %d: got %s, close %v; want 407, and close from the 11th on", i, a.line, closed)
			}
		}
		if a := w.clientOf(Explicit, "10.0.0.7:1", "").get("http://93.184.216.34/", credentials("anna", "sesame")); a.status != 407 {
			t.Errorf("the right password after guesses: got %s; want 407", a.line)
		}
		if a := w.clientOf(Explicit, "10.0.0.8:1", "").get("http://93.184.216.34/", credentials("anna", "sesame")); a.status != 200 {
			t.Errorf("from another address: got %s; want 200", a.line)
		}
		time.Sleep(time.Minute)
		if a := w.clientOf(Explicit, "10.0.0.7:1", "").get("http://93.184.216.34/", credentials("anna", "sesame")); a.status != 200 {
			t.Errorf("a minute later: got %s; want 200", a.line)
		}
		c := w.clientOf(TProxy, "10.0.0.7:1", "93.184.216.34:80")
		c.send("GET / HTTP/1.1\r\nHost: 93.184.216.34\r\n\r\n")
		if a := c.readHead(); a.status != 200 {
			t.Errorf("intercepted: got %s; want 200", a.line)
		}
	})
}

// TestAuth_policy checks that rules about users see who logged in.
func TestAuth_policy(t *testing.T) {
	rules, err := policy.New(policy.Options{Default: policy.Deny, Rules: []policy.Rule{{Name: "anna", Action: policy.Allow, Users: []string{"anna"}}}})
	if err != nil {
		t.Fatal(err)
	}
	inBubble(t, Options{Auth: guarded(t), Policy: rules}, always(respond(200, "ok", "Cache-Control: max-age=60")), func(t *testing.T, w *world) {
		c := w.client()
		for range 3 {
			if a := c.get(host+"/", credentials("anna", "sesame")); a.status != 200 {
				t.Errorf("anna: got %s; want 200", a.line)
			}
		}
		c = w.clientOf(TProxy, "10.0.0.7:1", "93.184.216.34:80")
		c.send("GET / HTTP/1.1\r\nHost: 93.184.216.34\r\n\r\n")
		if a := c.readHead(); a.status != 403 {
			t.Errorf("nobody: got %s; want 403", a.line)
		}
	})
}
