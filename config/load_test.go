package config_test

import (
	"bytes"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/jayproxy/jay/config"
)

func ExampleLoad() {
	c := config.Default()
	err := config.Load(&c, "jay.yaml", []byte("listen: [\":3128\"]\ncache-size: 1g\nidle_timeout: 5s\n"))
	fmt.Println(c.Listen, c.CacheSize)
	fmt.Println(err)
	// Output:
	// [:3128] 1GiB
	// jay.yaml:3: unknown option "idle_timeout"; did you mean idle-timeout?
}

func TestLoad(t *testing.T) {
	tests := []struct {
		name, file string
		want       func(*config.Config)
	}{
		{"empty", "", func(*config.Config) {}},
		{"comments", "# nothing\n\n", func(*config.Config) {}},
		{"one document mark", "---\nlog-level: debug\n", func(c *config.Config) { c.LogLevel = "debug" }},
		{"mark alone", "---\n", func(*config.Config) {}},
		{"list", "listen:\n  - :1\n  - '[::1]:2'\n", func(c *config.Config) { c.Listen = []string{":1", "[::1]:2"} }},
		{"one for a list", "listen: :1\n", func(c *config.Config) { c.Listen = []string{":1"} }},
		{"commas for a list", "listen: :1, :2\n", func(c *config.Config) { c.Listen = []string{":1", ":2"} }},
		{"comma in an item", "ca-file: ['a,b']\n", func(c *config.Config) { c.CAFiles = []string{"a,b"} }},
		{"no items", "listen: []\nintercept: [':3']\n", func(c *config.Config) { c.Listen, c.Intercept = []string{}, []string{":3"} }},
		{"off is a word", "access-log: off\n", func(c *config.Config) { c.AccessLog = "off" }},
		{"yes is true", "deny-private: yes\n", func(c *config.Config) { c.DenyPrivate = true }},
		{"numbers", "max-fields: 99\nconnect-ports: [443, 8000-9000]\n", func(c *config.Config) {
			c.MaxFields, c.ConnectPorts = 99, []config.PortRange{{First: 443, Last: 443}, {First: 8000, Last: 9000}}
		}},
		{"duration", "idle-timeout: 1h30m # long\n", func(c *config.Config) { c.IdleTimeout = 90 * time.Minute }},
		{"auto", "cache-size: auto\nmax-connections: auto\n", func(*config.Config) {}},
		{"empty name", "name: ''\n", func(*config.Config) {}},
		{"flow", "{log-level: warn, max-ranges: 3}", func(c *config.Config) { c.LogLevel, c.MaxRanges = "warn", 3 }},
	}
	for _, tt := range tests {
		got, want := config.Default(), config.Default()
		tt.want(&want)
		if err := config.Load(&got, "f", []byte(tt.file)); err != nil {
			t.Errorf("%s: %v", tt.name, err)
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s: Load = %+v; want %+v", tt.name, got, want)
		}
	}
}

func TestLoadErrors(t *testing.T) {
	tests := []struct{ name, file, want string }{
		{"unknown key", "\nlog-level: info\ncache-sizee: 1g\n", `f:3: unknown option "cache-sizee"; did you mean cache-size?`},
		{"unlike any", "x: 1\n", `f:1: unknown option "x"`},
		{"duplicate key", "name: a\nlog-level: info\nname: b\n", `f:3: name is already set on line 1`},
		{"second document", "name: a\n---\nname: b\n", `f:2: a second document; a configuration is one`},
		{"broken second", "name: a\n---\n[\n", `f:3: did not find expected node content`},
		{"list at top", "- name\n", `f:1: not a list of settings; write name: value`},
		{"text at top", "\n\nhello\n", `f:3: not a list of settings; write name: value`},
		{"null", "cache-size:\nlog-level: info\n", `f:1: cache-size: has no value; leave the line out for the default`},
		{"tilde", "cache-size: ~\n", `f:1: cache-size: has no value; leave the line out for the default`},
		{"null item", "listen:\n- :1\n-\n", `f:3: listen: has no value; leave the line out for the default`},
		{"mapping", "listen:\n  a: b\n", `f:2: listen: wants a value, not a mapping`},
		{"nested list", "listen:\n- [a]\n", `f:2: listen: wants plain values`},
		{"list for one", "name: [a]\n", `f:1: name: takes one value, not a list`},
		{"mapping as key", "? {a: b}\n: c\n", `f:1: unknown option ""`},
		{"alias", "name: &a b\n", `f:1: anchors are not supported`},
		{"anchor", "log-level: info\nname: *a\n", `f:2: unknown anchor 'a' referenced`},
		{"merge", "<<: {name: a}\n", `f:1: unknown option "<<"`},
		{"tag", "name: !!str a\n", `f:1: tags are not supported`},
		{"custom tag", "name: !env a\n", `f:1: tags are not supported`},
		{"tag on a list", "listen: !!seq [a]\n", `f:1: tags are not supported`},
		{"tag at top", "!!map\nname: a\n", `f:1: tags are not supported`},
		{"bad duration", "\nidle-timeout: 30\n", `f:2: idle-timeout: "30" needs a unit, as in 30s`},
		{"bad size", "cache-size: 1.5g\n", `f:1: cache-size: "1.5g" is not a size; write 64MiB, 1g or a number of bytes`},
		{"bad item", "allow-clients:\n  - 10.0.0.0/8\n  - everyone\n",
			`f:3: allow-clients: "everyone" is not an address or a block of addresses; write 192.0.2.7 or 10.0.0.0/8`},
		{"two errors", "nam: a\nlog-level: loud\n", "f:1: unknown option \"nam\"; did you mean name?\nf:2: log-level: \"loud\" is not one of debug, info, warn, error"},
		{"syntax", "name: a\nlog-level: [info\n", `f:1: did not find expected ',' or ']'`},
		{"tab", "name: a\n\tlog-level: info\n", `f:2: found a tab character that violates indentation`},
		{"control", "name: a\nlog-level: \x01\n", `f:2: control characters are not allowed`},
		{"not UTF-8", "name: a\n\nlog-level: \xff\n", `f:3: invalid leading UTF-8 octet`},
		{"colon", "name: a: b\n", `f:1: mapping values are not allowed in this context`},
	}
	for _, tt := range tests {
		c := config.Default()
		err := config.Load(&c, "f", []byte(tt.file))
		if err == nil || err.Error() != tt.want {
			t.Errorf("%s: Load = %v; want %s", tt.name, err, tt.want)
		}
	}
}

func TestLoadEnv(t *testing.T) {
	env := map[string]string{"JAY_LISTEN": ":1, :2", "JAY_CACHE_SIZE": "2g", "JAY_LOG_LEVEL": "", "JAY_STORE_ERRORS": "false"}
	got, want := config.Default(), config.Default()
	want.Listen, want.CacheSize, want.StoreErrors = []string{":1", ":2"}, 2*gib, false
	if err := config.LoadEnv(&got, func(name string) string { return env[name] }); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("LoadEnv = %+v; want %+v", got, want)
	}
	env["JAY_CACHE_SIZE"], env["JAY_IDLE_TIMEOUT"] = "big", "1"
	err := config.LoadEnv(&got, func(name string) string { return env[name] })
	wantErr := "JAY_CACHE_SIZE: \"big\" is not a size; write 64MiB, 1g or a number of bytes\nJAY_IDLE_TIMEOUT: \"1\" needs a unit, as in 1s"
	if err == nil || err.Error() != wantErr {
		t.Errorf("LoadEnv = %v; want %s", err, wantErr)
	}
}

// FuzzLoad checks that no file makes the loader panic, that every line of an error names file and line, and that a
// configuration that is accepted survives printing and loading.
func FuzzLoad(f *testing.F) {
	c := config.Default()
	var b bytes.Buffer
	if err := config.Print(&b, &c); err != nil {
		f.Fatal(err)
	}
	f.Add(b.Bytes())
	for _, s := range []string{"", "listen: [a", "name: &a b\nlog-level: *a\n", "a: b\n---\nc: d", "- x", "? {a: b}\n: c", "name: \"\\x00\"", "%YAML 1.1\n---\n", "name: |\n  a\n"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		c := config.Default()
		err := config.Load(&c, "file", data)
		if err != nil {
			for line := range strings.Lines(err.Error()) {
				var n int
				if _, err := fmt.Sscanf(line, "file:%d: ", &n); err != nil || n < 1 {
					t.Errorf("error %q does not name file and line", line)
				}
			}
			return
		}
		var b bytes.Buffer
		if err := config.Print(&b, &c); err != nil {
			t.Fatal(err)
		}
		var back config.Config
		if err := config.Load(&back, "back", b.Bytes()); err != nil || !reflect.DeepEqual(back, c) {
			t.Errorf("Load(Print(c)) = %+v, %v; want %+v\n%s", back, err, c, b.Bytes())
		}
	})
}

func TestCheckEnv(t *testing.T) {
	const no = ": there is no such variable; did you mean "
	tests := []struct {
		name, slip string
		strange    bool
	}{
		{"PATH", "", false}, {"JAYNE", "", false}, {"JAY_CONFIG", "", false}, {"JAY_CACHE_SIZE", "", false},
		{"JAY_CONFG", no + "JAY_CONFIG?", false}, {"JAY_CACHE_SZIE", no + "JAY_CACHE_SIZE?", false}, {"JAY_CACHESIZE", no + "JAY_CACHE_SIZE?", false},
		{"JAY_cache_size", no + "JAY_CACHE_SIZE?", false}, {"JAY_LISTN", no + "JAY_LISTEN?", false},
		{"JAY_", "", true}, {"JAY_POLICY", "", true}, {"JAY_NOTHING_OF_THE_KIND", "", true},
		// Kubernetes, in every pod beside a service called jay.
		{"JAY_SERVICE_HOST", "", true}, {"JAY_SERVICE_PORT", "", true}, {"JAY_PORT", "", true}, {"JAY_PORT_3128_TCP", "", true},
		{"JAY_PORT_3128_TCP_PROTO", "", true}, {"JAY_PORT_3128_TCP_PORT", "", true}, {"JAY_PORT_3128_TCP_ADDR", "", true}, {"JAY_SERVICE_PORT_PROXY", "", true},
	}
	for _, tt := range tests {
		strangers, err := config.CheckEnv([]string{tt.name})
		if tt.slip == "" && err != nil || tt.slip != "" && (err == nil || err.Error() != tt.name+tt.slip) || (len(strangers) == 1) != tt.strange {
			t.Errorf("%s: got %q, %v; want %q", tt.name, strangers, err, tt.slip)
		}
	}
}
