package config_test

import (
	"bytes"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jayproxy/jay/config"
)

const (
	mib = config.MiB
	gib = config.GiB
)

// TestDefault checks the defaults that the README promises in words.
func TestDefault(t *testing.T) {
	c := config.Default()
	tests := []struct {
		name      string
		got, want any
	}{
		{"listen", c.Listen, []string{"127.0.0.1:3128"}},
		{"intercept", c.Intercept, []string{}},
		{"intercept-mode", c.InterceptMode, "redirect"},
		{"cache-size", c.CacheSize, config.Size(0)},
		{"max-object-size", c.MaxObjectSize, 64 * mib},
		{"access-log", c.AccessLog, "-"},
		{"admin", c.Admin, "127.0.0.1:3127"},
		{"idle-timeout", c.IdleTimeout, time.Minute},
		{"response-header-timeout", c.ResponseHeaderTimeout, 10 * time.Minute},
		{"tunnel-lifetime", c.TunnelLifetime, 24 * time.Hour},
		{"shutdown-timeout", c.ShutdownTimeout, 30 * time.Second},
		{"max-head-size", c.MaxHeadSize, 64 * config.KiB},
		{"min-body-rate", c.MinBodyRate, config.KiB},
		{"store-errors", c.StoreErrors, true},
		{"connect-ports", c.ConnectPorts, []config.PortRange{{First: 80, Last: 80}, {First: 443, Last: 443}}},
		{"upgrade-tokens", c.UpgradeTokens, []string{"websocket"}},
		{"deny-private", c.DenyPrivate, false},
	}
	for _, tt := range tests {
		if !reflect.DeepEqual(tt.got, tt.want) {
			t.Errorf("default of %s is %v; want %v", tt.name, tt.got, tt.want)
		}
	}
	if err := c.Validate(); err != nil {
		t.Errorf("Validate() of the defaults = %v; want nil", err)
	}
}

// TestOptions checks that the table covers the struct: each field is the target of exactly one option.
func TestOptions(t *testing.T) {
	seen := map[string]bool{}
	for _, o := range config.Options() {
		if seen[o.Name] || o.Help == "" || o.Category == "" {
			t.Errorf("option %q is listed twice or lacks a text", o.Name)
		}
		seen[o.Name] = true
		if o.IsBool() != (o.Arg == "") {
			t.Errorf("%s: Arg is %q; want one exactly for options that are no switches", o.Name, o.Arg)
		}
		if want := "JAY_" + strings.ToUpper(strings.ReplaceAll(o.Name, "-", "_")); o.Env() != want {
			t.Errorf("Env() = %q; want %q", o.Env(), want)
		}
	}
	sections := 4 // policy, overrides, hosts, parents
	if got, want := len(seen), reflect.TypeFor[config.Config]().NumField()-sections; got != want {
		t.Errorf("%d options for %d fields", got, want)
	}
}

// other holds a value for each option that differs from its default.
var other = map[string][]string{
	"listen": {":8080", "[::1]:3128"}, "listen-tls": {"[::]:3130"}, "tls-cert": {"/etc/jay/cert.pem"}, "tls-key": {"/etc/jay/key.pem"},
	"tls-client-ca": {"/etc/jay/clients.pem"}, "proxy-protocol-from": {"192.0.2.0/24", "2001:db8::/32"}, "proxy-protocol-at": {":8080"},
	"intercept": {":3129"}, "intercept-mode": {"host"}, "reuse-port": {"true"}, "name": {"jay-1"},
	"pac-direct": {".example.com", "web-*.example.org", "192.0.2.0/24"}, "pac-proxy": {"https://proxy.example.com:3130", "[2001:db8::1]:3128"}, "pac-fallback": {"false"},
	"cache-size": {"100MiB"}, "max-object-size": {"1MiB"}, "fill-size": {"20MiB"}, "max-variants": {"7"},
	"max-ranges": {"2"}, "targeted-cache-control": {"CDN-Cache-Control", "Jay-Cache-Control"},
	"store-set-cookie": {"false"}, "store-errors": {"false"}, "stale-if-error-max": {"1h30m"}, "collapse-wait": {"1.5s"}, "max-request-body": {"1GiB"},
	"cache-status": {"false"}, "cache-status-key": {"true"}, "access-log": {"/var/log/jay.log"}, "log-format": {"squid"}, "log-level": {"debug"},
	"log-strip-query": {"true"}, "admin": {"unix:/run/jay/admin.sock"}, "admin-token-file": {"/etc/jay.token"}, "admin-pprof": {"true"}, "idle-timeout": {"5s"}, "head-timeout": {"6s"}, "connect-timeout": {"7s"},
	"response-header-timeout": {"8m"}, "body-timeout": {"9s"}, "write-timeout": {"11s"}, "tunnel-idle-timeout": {"12m"},
	"tunnel-drain-timeout": {"13s"}, "tunnel-lifetime": {"48h"}, "shutdown-timeout": {"15s"}, "max-connections": {"1000"},
	"max-client-connections": {"0"}, "max-origin-connections": {"17"}, "max-head-size": {"32KiB"}, "max-fields": {"100"},
	"max-target-size": {"8KiB"}, "max-interim": {"3"}, "min-body-rate": {"0"}, "allow-clients": {"192.0.2.7/32", "2001:db8::/32"},
	"connect-ports": {"1-65535"}, "http-ports": {"80", "8080-8090"}, "deny-private": {"true"}, "upgrade-tokens": {"websocket", "tls"},
	"ca-file": {"/etc/ca one.pem", "b.pem"}, "dns-servers": {"192.0.2.53", "[2001:db8::53]:5353"},
	"dns-min-ttl": {"2s"}, "dns-max-ttl": {"2h"}, "dns-negative-ttl": {"7s"}, "dns-stale-max": {"0s"},
	"parent": {"http://proxy.example:3128", "direct"}, "parent-login-file": {"/etc/jay/logins"}, "source-address": {"192.0.2.7", "2001:db8::7"},
	"auth-file": {"/etc/jay/users"}, "auth-realm": {"the office"},
}

// all returns the configuration of other.
func all(t *testing.T) config.Config {
	t.Helper()
	c := config.Default()
	for _, o := range config.Options() {
		before := o.Values(&c)
		if err := o.Set(&c, other[o.Name]); err != nil {
			t.Fatalf("%s: Set(%q): %v", o.Name, other[o.Name], err)
		}
		if slices.Equal(o.Values(&c), before) {
			t.Fatalf("%s: %q is the default; want another value", o.Name, before)
		}
	}
	return c
}

func TestSetValues(t *testing.T) {
	c := all(t)
	for _, o := range config.Options() {
		if got := o.Values(&c); !slices.Equal(got, other[o.Name]) {
			t.Errorf("%s: Values() = %q; want %q", o.Name, got, other[o.Name])
		}
	}
	if err := c.Validate(); err != nil {
		t.Errorf("Validate() = %v; want nil", err)
	}
}

func TestSetRefuses(t *testing.T) {
	tests := []struct{ name, text, want string }{
		{"listen", "3128", `"3128" has no port; write host:port or :port`},
		{"admin", "", `"" has no port; write host:port or :port`},
		{"admin", "on", `"on" has no port; write host:port or :port`},
		{"admin", "unix:", `unix: needs the path of a socket, as in unix:/run/jay/admin.sock`},
		{"listen", "::1:3128", `"::1:3128" is not host:port; an IPv6 address stands in brackets, as in [::1]:3128`},
		{"listen", "[::1:3128", `"[::1:3128" is not host:port; an IPv6 address stands in brackets, as in [::1]:3128`},
		{"listen", "a:70000", `"a:70000" has no valid port`},
		{"listen", "a:", `"a:" has no valid port`},
		{"listen", "http://a:1", `"http://a:1" is not host:port; an IPv6 address stands in brackets, as in [::1]:3128`},
		{"listen", "a/b:1", `"a/b:1" has no valid host`},
		{"intercept-mode", "nat", `"nat" is not one of redirect, tproxy, host`},
		{"pac-direct", "a b", `"a b" is not a name, an address or a block of addresses; write example.com, .example.com or 192.0.2.0/24`},
		{"pac-direct", "10.*", `"10.*" is not a name, an address or a block of addresses; write example.com, .example.com or 192.0.2.0/24`},
		{"pac-direct", ".a*.test", `".a*.test" is not a name, an address or a block of addresses; write example.com, .example.com or 192.0.2.0/24`},
		{"pac-proxy", "proxy.test", `"proxy.test" has no port; write host:port or :port`},
		{"pac-proxy", "http://proxy.test:3128", `"http://proxy.test:3128" is not host:port; an IPv6 address stands in brackets, as in [::1]:3128`},
		{"pac-proxy", ":3128", `":3128" has no valid host`},
		{"pac-proxy", "proxy.test:0", `"proxy.test:0" has no valid port`},
		{"pac-proxy", "a\"b:1", `"a\"b:1" has no valid host`},
		{"name", "a b", `"a b" holds a character that a token cannot have`},
		{"name", strings.Repeat("a", 65), `longer than 64 characters`},
		{"cache-size", "0", `0 is too small; the least is 1MiB`},
		{"cache-size", "many", `"many" is not a size; write 64MiB, 1g or a number of bytes`},
		{"cache-size", "5x", `"5x" is not a size; write 64MiB, 1g or a number of bytes`},
		{"cache-size", "5kk", `"5kk" is not a size; the units are k, m, g and t`},
		{"max-object-size", "auto", `"auto" is not a size; write 64MiB, 1g or a number of bytes`},
		{"max-variants", "0", `0 is too small; the least is 1`},
		{"max-variants", "1.5", `"1.5" is not a whole number`},
		{"max-variants", "99999999999", `"99999999999" is not a whole number`},
		{"max-fields", "100000", `100000 is too large; the most is 16384`},
		{"store-errors", "maybe", `"maybe" is neither true nor false`},
		{"idle-timeout", "30", `"30" needs a unit, as in 30s`},
		{"idle-timeout", "soon", `"soon" is not a duration; write 500ms, 30s, 10m or 1h30m`},
		{"idle-timeout", "-1s", `-1s is too small; the least is 1ms`},
		{"idle-timeout", "0", `0s is too small; the least is 1ms`},
		{"idle-timeout", "999999h", `999999h is too large; the most is 87600h`},
		{"access-log", "", `is empty`},
		{"access-log", "a\nb", `"a\nb" holds a control character`},
		{"access-log", "syslog://loghost", `"loghost" has no port; write host:port or :port`},
		{"access-log", "syslog://:514", `":514" has no valid host`},
		{"access-log", "syslog+tcp:/dev/log", `"syslog+tcp:/dev/log" is not journald, syslog, syslog://host:port or syslog+tcp://host:port`},
		{"access-log", "journald://h:1", `"journald://h:1" is not journald, syslog, syslog://host:port or syslog+tcp://host:port`},
		{"allow-clients", "10.1.2.3/8", `"10.1.2.3/8" has bits set behind its prefix; 10.0.0.0/8 is the block`},
		{"allow-clients", "all", `"all" is not an address or a block of addresses; write 192.0.2.7 or 10.0.0.0/8`},
		{"allow-clients", "fe80::1%eth0", `"fe80::1%eth0" is not an address or a block of addresses; write 192.0.2.7 or 10.0.0.0/8`},
		{"allow-clients", "::ffff:10.0.0.0/104", `"::ffff:10.0.0.0/104" is not an address or a block of addresses; write 192.0.2.7 or 10.0.0.0/8`},
		{"connect-ports", "443-80", `"443-80" is not a port or a range of ports; write 443 or 1025-65535`},
		{"upgrade-tokens", "a/b", `"a/b" holds a character that a token cannot have`},
		{"dns-servers", "dns.example", `"dns.example" is not an address; write 192.0.2.53 or [2001:db8::53]:5353`},
		{"dns-servers", "192.0.2.53:0", `"192.0.2.53:0" is not an address; write 192.0.2.53 or [2001:db8::53]:5353`},
	}
	for _, tt := range tests {
		c := config.Default()
		err := option(t, tt.name).Set(&c, []string{tt.text})
		if err == nil || err.Error() != tt.want {
			t.Errorf("%s: Set(%q) = %v; want %s", tt.name, tt.text, err, tt.want)
		}
		if !reflect.DeepEqual(c, config.Default()) {
			t.Errorf("%s: Set(%q) failed and changed the configuration", tt.name, tt.text)
		}
	}
}

func option(t *testing.T, name string) *config.Option {
	t.Helper()
	for _, o := range config.Options() {
		if o.Name == name {
			return &o
		}
	}
	t.Fatalf("no option %q", name)
	return nil
}

func TestSplit(t *testing.T) {
	if got, want := option(t, "listen").Split(" :1,:2 ,,:3"), []string{":1", ":2", ":3"}; !slices.Equal(got, want) {
		t.Errorf("Split of a list = %q; want %q", got, want)
	}
	if got, want := option(t, "access-log").Split("a,b"), []string{"a,b"}; !slices.Equal(got, want) {
		t.Errorf("Split of one value = %q; want %q", got, want)
	}
}

func TestValidate(t *testing.T) {
	tests := []struct {
		name   string
		change func(*config.Config)
		want   string
	}{
		{"zero", func(c *config.Config) { *c = config.Config{} }, "intercept-mode: \"\" is not one of redirect, tproxy, host"},
		{"no listener", func(c *config.Config) { c.Listen = nil }, "listen: no address to listen on, and none in listen-tls or intercept either"},
		{"listen twice", func(c *config.Config) { c.Listen = []string{":1", ":1"} }, "listen: :1 is listened on twice"},
		{"both", func(c *config.Config) { c.Intercept = c.Listen }, "intercept: 127.0.0.1:3128 is listened on twice"},
		{"target", func(c *config.Config) { c.MaxTargetSize = 128 * config.KiB }, "max-target-size: 128KiB is more than max-head-size, 64KiB"},
		{"negative", func(c *config.Config) { c.IdleTimeout = -1 }, "idle-timeout: -1ns is too small; the least is 1ms"},
		{"two", func(c *config.Config) { c.MaxRanges, c.LogLevel = 0, "x" },
			"max-ranges: 0 is too small; the least is 1\nlog-level: \"x\" is not one of debug, info, warn, error"},
	}
	for _, tt := range tests {
		c := config.Default()
		tt.change(&c)
		if err := c.Validate(); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: Validate() = %v; want %s", tt.name, err, tt.want)
		}
	}
	c := config.Default()
	c.Listen, c.Intercept = []string{"127.0.0.1:0", "127.0.0.1:0"}, []string{"127.0.0.1:0"}
	if err := c.Validate(); err != nil {
		t.Errorf("Validate() with any ports = %v; want nil", err)
	}
}

func TestResolve(t *testing.T) {
	tests := []struct {
		name   string
		change func(*config.Config)
		host   config.Host
		want   [5]int64 // cache, fill, object, connections, those to one origin
	}{
		{"large", func(*config.Config) {}, config.Host{Memory: 24 << 30, Descriptors: 20000},
			[5]int64{6 << 30, 6 << 28, 64 << 20, 15000, 5000}},
		{"container", func(*config.Config) {}, config.Host{Memory: 512 << 20, Descriptors: 1 << 30},
			[5]int64{128 << 20, 32 << 20, 16 << 20, 8192, 2730}},
		{"tiny", func(*config.Config) {}, config.Host{Memory: 8 << 20, Descriptors: 32},
			[5]int64{16 << 20, 4 << 20, 2 << 20, 64, 21}},
		{"unknown", func(*config.Config) {}, config.Host{},
			[5]int64{256 << 20, 64 << 20, 32 << 20, 64, 21}},
		{"odd", func(*config.Config) {}, config.Host{Memory: 1<<30 + 12345, Descriptors: 256},
			[5]int64{256 << 20, 64 << 20, 32 << 20, 192, 64}},
		{"given", func(c *config.Config) {
			c.CacheSize, c.FillSize, c.MaxObjectSize, c.MaxConnections = gib, mib, mib, 5
		}, config.Host{Memory: 24 << 30, Descriptors: 20000}, [5]int64{1 << 30, 1 << 20, 1 << 20, 5, 16}},
	}
	for _, tt := range tests {
		c := config.Default()
		tt.change(&c)
		c = c.Resolve(tt.host)
		got := [5]int64{int64(c.CacheSize), int64(c.FillSize), int64(c.MaxObjectSize), int64(c.MaxConnections), int64(c.MaxOriginConnections)}
		if got != tt.want {
			t.Errorf("%s: Resolve() = %v; want %v", tt.name, got, tt.want)
		}
		if err := c.Validate(); err != nil {
			t.Errorf("%s: Validate() after Resolve = %v; want nil", tt.name, err)
		}
	}
}

func TestPrintRoundTrip(t *testing.T) {
	for name, c := range map[string]config.Config{"default": config.Default(), "other": all(t)} {
		var b bytes.Buffer
		if err := config.Print(&b, &c); err != nil {
			t.Fatal(err)
		}
		var back config.Config
		if err := config.Load(&back, "f", b.Bytes()); err != nil {
			t.Errorf("%s: Load of what Print wrote: %v\n%s", name, err, b.Bytes())
		}
		if !reflect.DeepEqual(back, c) {
			t.Errorf("%s: Load(Print(c)) = %+v; want %+v", name, back, c)
		}
	}
}

// TestReadme checks that the README shows the table that the program has.
func TestReadme(t *testing.T) {
	table := config.Markdown()
	for _, o := range config.Options() {
		if !strings.Contains(table, "`"+o.Name) {
			t.Errorf("the table lacks %s", o.Name)
		}
	}
	readme, err := os.ReadFile("../README.md")
	if os.IsNotExist(err) {
		return // a tree without its manual
	}
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(readme), table) {
		t.Errorf("README.md does not hold this table of options:\n%s", table)
	}
}

// TestAdminToken checks that what other machines can reach takes a token.
func TestAdminToken(t *testing.T) {
	tests := []struct {
		admin, file string
		ok          bool
	}{
		{"127.0.0.1:3127", "", true}, {"[::1]:1", "", true}, {"localhost:1", "", true}, {"unix:/x", "", true}, {"off", "", true},
		{":3127", "", false}, {"0.0.0.0:3127", "", false}, {"[::]:3127", "", false}, {"192.0.2.1:3127", "", false}, {"jay.example:3127", "", false},
		{":3127", "/etc/token", true}, {"127.0.0.1:3128", "", false},
	}
	for _, tt := range tests {
		c := config.Default()
		c.Admin, c.AdminTokenFile = tt.admin, tt.file
		if err := c.Validate(); (err == nil) != tt.ok {
			t.Errorf("admin %s with token file %q: %v; want ok=%v", tt.admin, tt.file, err, tt.ok)
		}
	}
}

func TestLogFile(t *testing.T) {
	for text, want := range map[string]string{
		"-": "", "off": "", "journald": "", "syslog": "", "syslog:/dev/log": "", "syslog://loghost:514": "", "syslog+tcp://[::1]:514": "", "journald:/run/j": "",
		"/var/log/jay.log": "/var/log/jay.log", "syslog.log": "syslog.log", "./syslog": "./syslog",
	} {
		var c config.Config
		o := option(t, "access-log")
		if err := o.Set(&c, []string{text}); err != nil || c.LogFile() != want {
			t.Errorf("%s: got %q, %v; want %q", text, c.LogFile(), err, want)
		}
	}
}
