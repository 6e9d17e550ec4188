package config_test

import (
	"bytes"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/jayproxy/jay/config"
)

func TestHosts(t *testing.T) {
	var c config.Config
	err := config.Load(&c, "f", []byte("hosts:\n  Intranet.Example.: 10.0.0.5\n  www.example: [10.0.0.6, 'fd00::6']\n  both.example: 10.0.0.7, ::ffff:10.0.0.8\n"))
	if got, want := fmt.Sprint(c.Hosts), "[{intranet.example [10.0.0.5]} {www.example [10.0.0.6 fd00::6]} {both.example [10.0.0.7 10.0.0.8]}]"; err != nil || got != want {
		t.Errorf("got %s, %v; want %s", got, err, want)
	}
	full := config.Default()
	full.Hosts = c.Hosts
	var b bytes.Buffer
	if err := config.Print(&b, &full); err != nil {
		t.Fatal(err)
	}
	var back config.Config
	if err := config.Load(&back, "f", b.Bytes()); err != nil || !reflect.DeepEqual(back.Hosts, c.Hosts) {
		t.Errorf("printed and read again: %v, %v; want %v", back.Hosts, err, c.Hosts)
	}
}

func TestHosts_errors(t *testing.T) {
	for text, want := range map[string]string{
		"hosts: x":                            "f:1: hosts: wants lines of the form name: value",
		"hosts:\n  a b: 1.2.3.4":              `f:2: hosts: "a b" is not a host name`,
		"hosts:\n  1.2.3.4: 1.2.3.4":          `f:2: hosts: "1.2.3.4" is not a host name`,
		"hosts:\n  a: b":                      `f:2: hosts: a: "b" is not an address`,
		"hosts:\n  a: fe80::1%eth0":           "f:2: hosts: a: an address with a zone means something on one link only",
		"hosts:\n  a: []":                     "f:2: hosts: a: is empty; leave the line out",
		"hosts:\n  a:":                        "f:2: hosts: a: wants a value",
		"hosts:\n  a: 1.2.3.4\n  A.: 1.1.1.1": "f:3: hosts: a is already on line 2",
		"hosts:\n  a..b: 1.2.3.4":             `f:2: hosts: "a..b" is not a host name`,
	} {
		var c config.Config
		err := config.Load(&c, "f", []byte(text))
		if err == nil || !strings.Contains(err.Error(), want) || c.Hosts != nil {
			t.Errorf("%q: got %v, %v; want %s", text, err, c.Hosts, want)
		}
	}
}
