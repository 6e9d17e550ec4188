package main

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/jayproxy/jay/config"
	"github.com/jayproxy/jay/proxy/parent"
	"github.com/jayproxy/jay/proxy/policy"
)

// TestParentOptions checks what the settings about the way to origins come to, logins from the file included.
func TestParentOptions(t *testing.T) {
	c := config.Default()
	text := `parents:
  - {name: near, to: .corp.example, via: connect, use: direct}
  - {to: .lab.example, use: ["socks5://gate.example:1080", "https://anna@b.example:3129", direct]}
parent: http://ben:own@a.example:3128, http://c.example:1
parent-login-file: ` + file(t, "logins", "a.example:3128 ben:file\nb.example:3129 anna:one two\nGate.example:1080 carl:x\n")
	if err := config.Load(&c, "f", []byte(text)); err != nil {
		t.Fatal(err)
	}
	got, err := parentOptions(&c)
	want := parent.Options{
		Rules: []parent.Rule{
			{Match: policy.Rule{Name: "near", To: []string{".corp.example"}, Via: policy.Connect}, Use: []parent.Spec{{}}},
			{Match: policy.Rule{Name: "parents-2", To: []string{".lab.example"}}, Use: []parent.Spec{
				{Kind: parent.SOCKS5, Host: "gate.example", Port: 1080, User: "carl", Password: "x"},
				{Kind: parent.HTTPS, Host: "b.example", Port: 3129, User: "anna", Password: "one two"}, {},
			}},
		},
		Else: []parent.Spec{{Kind: parent.HTTP, Host: "a.example", Port: 3128, User: "ben", Password: "own"}, {Kind: parent.HTTP, Host: "c.example", Port: 1}},
	}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v; want %+v", got, err, want)
	}
	c.SourceAddress = []string{"192.0.2.1", "2001:db8::1"}
	o, err := proxyOptions(&c)
	if err != nil || len(o.Parents.All()) != 4 || len(o.SourceAddresses) != 2 {
		t.Errorf("got %v, %v, %v; want four parents and two addresses", o.Parents.All(), o.SourceAddresses, err)
	}
}

// TestParentOptions_errors checks that files of logins are found wrong by line, without a word of what is in them.
func TestParentOptions_errors(t *testing.T) {
	missing := filepath.Join(t.TempDir(), "none")
	for name, want := range map[string]string{
		missing:                                  "parent-login-file: " + missing + ": no such file or directory",
		file(t, "wrong", "\na.example:1 geheim"): "wrong:2: want HOST:PORT USER:PASSWORD",
	} {
		code, _, stderr := jay(t, "check-config", "--parent-login-file", name)
		if code != 2 || !strings.Contains(stderr, want) || strings.Contains(stderr, "geheim") {
			t.Errorf("exit %d, %q; want %s", code, stderr, want)
		}
	}
	code, _, stderr := jay(t, "check-config", "--parent", "http://anna:geheim@a.example")
	if code != 2 || !strings.Contains(stderr, `parent: "http://anna:***@a.example" has no port`) || strings.Contains(stderr, "geheim") {
		t.Errorf("exit %d, %q; want a complaint about the port, without the password", code, stderr)
	}
	code, stdout, _ := jay(t, "print-config", "--parent", "http://anna:geheim@a.example:1")
	if code != 0 || !strings.Contains(stdout, "http://anna:***@a.example:1") || strings.Contains(stdout, "geheim") {
		t.Errorf("print-config: exit %d; want the password masked", code)
	}
}

// TestReload_parents checks that other parents, and other logins, are put in force, and that nothing said about that tells a
// password; parents that stay keep their health.
func TestReload_parents(t *testing.T) {
	logins := file(t, "logins", "127.0.0.1:9 anna:geheim\n")
	r := startConfigured(t, "access-log: off\nparent: http://127.0.0.1:9\nparent-login-file: '"+logins+"'\n")
	text := func() string {
		_, stdout, _ := jay(t, "explain", "--admin", r.admin, "http://a.example/")
		return stdout
	}
	text() // finds the parent down
	if _, got, _ := jay(t, "stats", "--admin", r.admin); !strings.Contains(got, "http://127.0.0.1:9 ") || !strings.Contains(got, " 0 connections made, 1 failed") {
		t.Errorf("stats: got %s; want the parent's figures", got)
	}
	if got := text(); !strings.Contains(got, "reached through: http://127.0.0.1:9 (down), by the rule parent.") {
		t.Errorf("got %s; want the parent down", got)
	}
	r.write("access-log: off\nparent: http://127.0.0.1:9, http://ben:geheim@127.0.0.1:10\nparent-login-file: '" + logins + "'\n")
	if got := r.must(); !strings.Contains(got, "parent: http://127.0.0.1:9 → http://127.0.0.1:9, http://") || strings.Contains(got, "geheim") {
		t.Errorf("got %q; want the change without the password", got)
	}
	if got := text(); !strings.Contains(got, "http://127.0.0.1:9") || !strings.Contains(got, ", http://127.0.0.1:10") {
		t.Errorf("got %s; want both", got)
	}
	if err := os.WriteFile(logins, []byte("127.0.0.1:9 anna:geheimer\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := r.must(); got != "changed:\n  "+logins+" has changed\n" {
		t.Errorf("got %q; want that the file has changed", got)
	}
}
