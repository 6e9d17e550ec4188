package main

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/crypto/bcrypt"

	"github.com/jayproxy/jay/config"
	"github.com/jayproxy/jay/proxy/policy"
)

// policyFile writes a configuration with a policy and a list, and returns their paths.
func policyFile(t *testing.T, rest string) (conf, list string) {
	t.Helper()
	list = file(t, "ads.txt", "ads.test\n.track.test\n")
	return file(t, "jay.yaml", "policy:\n  default: deny\n  groups: {staff: [anna]}\n  lists: {ads: '"+list+"'}\n  rules:\n"+
		"    - {name: no-ads, action: deny, list: ads}\n"+
		"    - {name: watch, action: report, to: .social.test}\n"+
		"    - {name: lan, action: deny, to: 10.0.0.0/8}\n"+rest), list
}

func TestPolicyTest(t *testing.T) {
	conf, _ := policyFile(t, "    - {name: web, action: allow, client: [127.0.0.1, 10.0.0.0/8], via: [connect, http], method: [GET, CONNECT], time: 08:00-18:00}\n"+
		"    - {name: staff, action: allow, group: staff}\nauth-file: /users\n")
	at := []string{"--time", "2026-03-02T12:00", "--address", "192.0.2.1"}
	tests := []struct {
		args []string
		code int
		want string // how it begins
	}{
		{[]string{"--url", "http://a.test/x"}, 0, "allowed by the rule web\n  no-ads               deny    does not match: to\n  watch                report  does not match: to\n" +
			"  lan                  deny    does not match: to\n  web                  allow   matches\n"},
		{[]string{"--url", "https://A.test."}, 0, "allowed by the rule web\n"},
		{[]string{"--url", "x.track.test:8080/"}, 3, "refused by the rule no-ads\n  no-ads               deny    matches\n"},
		{[]string{"--url", "wss://www.social.test/"}, 0, "allowed by the rule web\n  no-ads               deny    does not match: to\n  watch                report  matches, and would refuse\n"},
		{[]string{"--url", "ws://a.test/"}, 3, "refused by default: no rule decides\n"},
		{[]string{"--url", "ws://a.test/", "--user", "anna"}, 0, "allowed by the rule staff\n"},
		{[]string{"--url", "http://a.test/", "--via", "http,intercept"}, 0, "allowed by the rule web\n"},
		{[]string{"--url", "http://a.test/", "--via", "intercept"}, 3, "refused by default"},
		{[]string{"--url", "http://a.test/", "--method", "PUT"}, 3, "refused by default"},
		{[]string{"--url", "http://a.test/", "--address", "10.1.2.3"}, 3, "refused by the rule lan\n"},
		{[]string{"--url", "http://a.test/", "--address", "::ffff:10.1.2.3"}, 3, "refused by the rule lan\n"},
		{[]string{"--url", "http://[::ffff:10.1.2.3]/", "--address", "::ffff:10.1.2.3"}, 3, "refused by the rule lan\n"},
		{[]string{"--url", "http://a.test/", "--client", "192.168.1.1"}, 3, "refused by default"},
		{[]string{"--url", "http://a.test/", "--client", "8.8.8.8"}, 3, "refused before the policy is asked: 8.8.8.8 is not in allow-clients\n"},
		{[]string{"--url", "http://a.test:25/", "--client", "10.0.0.7"}, 3, "refused before the policy is asked: 25 is not in http-ports\n"},
		{[]string{"--url", "https://a.test:25/", "--client", "10.0.0.7"}, 3, "refused before the policy is asked: 25 is not in connect-ports\n"},
		{[]string{"--url", "http://a.test/", "--time", "2026-03-02T18:00"}, 3, "refused by default"},
	}
	for _, tt := range tests {
		var run test
		args := append([]string{"policy", "test", "--config", conf}, append(at[:len(at):len(at)], tt.args...)...)
		code := run.run(t, args...)
		if code != tt.code || !strings.HasPrefix(run.stdout.String(), tt.want) || run.stderr.String() != "" {
			t.Errorf("jay %s: exit %d, %q, %q; want %d, %q", strings.Join(tt.args, " "), code, run.stdout.String(), run.stderr.String(), tt.code, tt.want)
		}
	}
}

// TestPolicyTest_address checks that a name whose address decides is looked up, and what happens without one.
func TestPolicyTest_address(t *testing.T) {
	conf, _ := policyFile(t, "    - {name: rest, action: allow}\n")
	var run test
	code := run.run(t, "policy", "test", "--config", conf, "--url", "http://localhost/")
	if code != 0 || !strings.HasPrefix(run.stdout.String(), "localhost at ") || !strings.Contains(run.stdout.String(), ": allowed by the rule rest\n") {
		t.Errorf("localhost: exit %d, %q, %q; want 0, allowed by rest", code, run.stdout.String(), run.stderr.String())
	}
	run = test{}
	code = run.run(t, "policy", "test", "--config", conf, "--url", "http://nowhere.invalid/", "--dns-servers", "127.0.0.1:1", "--connect-timeout", "1s")
	if want := "the address of nowhere.invalid decides, but it was not found; --address says it\n"; code != 3 || !strings.HasPrefix(run.stdout.String(), want) {
		t.Errorf("nowhere: exit %d, %q; want 3, %q", code, run.stdout.String(), want)
	}
	run = test{}
	if code = run.run(t, "policy", "test", "--url", "http://a.test/"); code != 0 || run.stdout.String() != "allowed; there is no policy\n" {
		t.Errorf("without a policy: exit %d, %q", code, run.stdout.String())
	}
}

func TestPolicyTestErrors(t *testing.T) {
	conf, list := policyFile(t, "")
	tests := []struct {
		args []string
		want string
	}{
		{[]string{"policy"}, "policy needs a test, as in jay policy test --config jay.yaml --client 10.0.0.7 --url https://example.com/"},
		{[]string{"policy", "check"}, `unknown command "policy check"; did you mean policy test?`},
		{[]string{"policy", "test"}, "policy test needs a --url"},
		{[]string{"policy", "test", "--url", "ftp://a/"}, `--url: "ftp" is not http, https, ws or wss`},
		{[]string{"policy", "test", "--url", "http://[a.test]/"}, `--url: "[a.test]" is not a host with or without a port`},
		{[]string{"policy", "test", "--url", "http://u@a.test/"}, `--url: "u@a.test" is not a host with or without a port`},
		{[]string{"policy", "test", "--url", "a.test", "--via", "tls"}, `--via: "tls" is not one of http, connect, upgrade, intercept`},
		{[]string{"policy", "test", "--url", "a.test", "--client", "me"}, `--client: "me" is not an address`},
		{[]string{"policy", "test", "--url", "a.test", "--time", "noon"}, `--time: "noon" is not a time; write 2026-01-31T09:30`},
		{[]string{"policy", "test", "--config", conf, "--url", "a.test", "--user"}, `--user needs a value`},
	}
	for _, args := range tests {
		var run test
		code := run.run(t, args.args...)
		if got, want := run.stderr.String(), "jay: "+args.want+"\n"; code != 2 || got != want || run.stdout.String() != "" {
			t.Errorf("jay %s: exit %d, %q, %q; want 2, %q", strings.Join(args.args, " "), code, got, run.stdout.String(), want)
		}
	}
	if err := os.WriteFile(list, []byte("good.test\nbad test\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	want := "jay: policy: list ads: " + list + `:2: "bad test": more than one word, and the first is no address, as in a hosts file` + "\n"
	for _, command := range [][]string{{"check-config"}, {"policy", "test", "--url", "a.test"}} {
		var run test
		if code := run.run(t, append(command, "--config", conf)...); code != 2 || run.stderr.String() != want {
			t.Errorf("%v with a broken list: exit %d, %q; want 2, %q", command, code, run.stderr.String(), want)
		}
	}
	users := file(t, "users", "anna:plain\n")
	var run test
	if code := run.run(t, "check-config", "--auth-file", users); code != 2 || run.stderr.String() != "jay: auth: "+users+":1: not a bcrypt hash; htpasswd -B makes one\n" {
		t.Errorf("check-config with broken users: exit %d, %q", code, run.stderr.String())
	}
}

// TestPolicyReload checks that SIGHUP brings new rules, lists and users, and that broken ones change nothing.
func TestPolicyReload(t *testing.T) {
	origin := httptest.NewServer(http.NotFoundHandler())
	defer origin.Close()
	hash := func(password string) string {
		h, err := bcrypt.GenerateFromPassword([]byte(password), bcrypt.MinCost)
		if err != nil {
			t.Fatal(err)
		}
		return "anna:" + string(h) + "\n"
	}
	users := file(t, "users", hash("one"))
	conf := file(t, "jay.yaml", "auth-file: '"+users+"'\nadmin: off\n")
	r := start(t, "--config", conf)
	proxyURL := &url.URL{Scheme: "http", Host: r.addr}
	transport := &http.Transport{Proxy: http.ProxyURL(proxyURL)}
	defer transport.CloseIdleConnections()
	status := func(password string) int {
		t.Helper()
		req, err := http.NewRequest("GET", origin.URL+"/", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Proxy-Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte("anna:"+password)))
		resp, err := (&http.Client{Transport: transport}).Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		return resp.StatusCode
	}
	reloads := 0
	reload := func(path, text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		r.stop <- syscall.SIGHUP
		for reloads++; strings.Count(r.stderr.String(), "configuration reloaded")+strings.Count(r.stderr.String(), "the old configuration stays") < reloads; {
			runtime.Gosched()
		}
	}
	if a, b := status("one"), status("two"); a != 404 || b != 407 {
		t.Errorf("at first: %d, %d; want 404 and 407", a, b)
	}
	reload(users, hash("two"))
	if a, b := status("one"), status("two"); a != 407 || b != 404 {
		t.Errorf("with new users: %d, %d; want 407 and 404", a, b)
	}
	reload(users, "anna:broken\n")
	if got := status("two"); got != 404 {
		t.Errorf("with broken users: %d; want 404", got)
	}
	reload(users, hash("two"))
	list := filepath.Join(t.TempDir(), "list")
	if err := os.WriteFile(list, []byte("127.0.0.1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	reload(conf, fmt.Sprintf("auth-file: '%s'\npolicy: {default: allow, lists: {l: '%s'}, rules: [{name: x, action: deny, list: l}]}\n", users, list))
	if got := status("two"); got != 403 {
		t.Errorf("with a policy: %d; want 403", got)
	}
	reload(list, "what is this\n")
	if got := status("two"); got != 403 || !strings.Contains(r.stderr.String(), list+":1: ") {
		t.Errorf("with a broken list: %d, %s; want 403 and a message", got, r.stderr.String())
	}
	reload(list, "192.0.2.1\n")
	if got := status("two"); got != 404 {
		t.Errorf("with another list: %d; want 404", got)
	}
	reload(conf, "policy: {default: deny\n")
	if got := status("two"); got != 404 {
		t.Errorf("with a broken file: %d; want 404", got)
	}
	r.stop <- syscall.SIGTERM
	if code := r.wait(t); code != 0 {
		t.Errorf("exit %d: %s", code, r.stderr.String())
	}
}

// FuzzPolicyOptions checks that the policy takes what the configuration does.
func FuzzPolicyOptions(f *testing.F) {
	f.Add("policy: {default: deny, rules: [{name: a, action: allow, to: [a.test, .b.test., 10.0.0.0/8, '[::1]', 1.2.3.4., fe80::1], time: 22:00-00:00, days: sat-sun, port: 1-65535}]}")
	f.Add("policy: {default: allow, groups: {g: [x]}, rules: [{name: a, action: report, group: g, via: [http, intercept], client: '::/0', to: x_-.y}]}")
	f.Add("policy: {default: allow, rules: [{name: a, action: deny, to: ['0x.a', 1.a, '0xg', '..', '.']}]}")
	f.Fuzz(func(t *testing.T, text string) {
		c := config.Default()
		if config.Load(&c, "f", []byte(text)) != nil || c.Policy == nil || len(c.Policy.Lists) > 0 {
			return
		}
		if _, err := policy.New(policyOptions(c.Policy)); err != nil {
			t.Errorf("%s\n%v", text, err)
		}
	})
}
