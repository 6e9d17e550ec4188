package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestSystemdUnit checks what is printed for which options.
func TestSystemdUnit(t *testing.T) {
	tests := []struct {
		args, env string
		want      []string // in the output
		not       []string
	}{
		{"", "", []string{
			"# /etc/systemd/system/jay.service\n[Unit]\n", "\n\n# /etc/systemd/system/jay.socket\n[Unit]\n",
			" serve\nExecReload", "Type=notify\n", "\nWatchdogSec=", "\nTimeoutStopSec=40\n", "\nRequires=jay.socket\n", "\nSockets=jay.socket\n",
			"\nListenStream=127.0.0.1:3128\nFileDescriptorName=explicit\nService=jay.service\n\n[Install]",
			"\nCapabilityBoundingSet=\n", "\nDynamicUser=yes\n",
		}, []string{"Directory=", "Paths=", "Environment=", "{", "Transparent", "FreeBind"}},
		{"--service", "", []string{"jay.service\n", "[Service]"}, []string{"[Socket]"}},
		{"--socket", "", []string{"jay.socket\n", "[Socket]"}, []string{"[Service]"}},
		{"--service --socket", "", []string{"[Socket]", "[Service]"}, nil},
		{"--listen :3128,localhost:1,[::1]:2,[::]:3,0.0.0.0:4 --shutdown-timeout 5m", "", []string{
			"\nListenStream=3128\nListenStream=127.0.0.1:1\nListenStream=[::1]:2\nListenStream=3\nListenStream=4\n", "\nTimeoutStopSec=310\n",
			" serve --listen=:3128,localhost:1,[::1]:2,[::]:3,0.0.0.0:4 --shutdown-timeout=5m\n",
		}, []string{"FreeBind"}},
		{"--listen 192.0.2.1:3128", "", []string{"\nListenStream=192.0.2.1:3128\n", "\nFreeBind=yes\n"}, nil},
		{"--intercept :3129 --intercept-mode tproxy", "", []string{
			"system/jay-tproxy.socket\n", "\nListenStream=3129\nFileDescriptorName=tproxy\nService=jay.service\n", "\nTransparent=yes\n",
			"\nRequires=jay.socket jay-tproxy.socket\n", "\nSockets=jay.socket jay-tproxy.socket\n",
		}, nil},
		{"--intercept :3129", "", []string{"system/jay-redirect.socket\n", "\nFileDescriptorName=redirect\n"}, []string{"Transparent"}},
		{"--listen-tls :3130 --tls-cert /etc/jay/cert.pem", "", []string{"system/jay-tls.socket\n", "\nFileDescriptorName=tls\n", "\nSockets=jay.socket jay-tls.socket\n"}, nil},
		{"--access-log /var/log/jay/a.log", "", []string{"\nLogsDirectory=jay\n"}, nil},
		{"--access-log journald", "", nil, []string{"Directory=", "Paths="}},
		{"--access-log /srv/jay/a.log", "", []string{"\nReadWritePaths=/srv/jay\n"}, nil},
		{"--auth-realm x%y$z", "JAY_CACHE_SIZE=1g", []string{" --auth-realm=x%%y$$z\n", "\nEnvironment=JAY_CACHE_SIZE=1g\n"}, nil},
		{"--auth-realm a\"b'c\\", "JAY_AUTH_REALM=a %b$", []string{` "--auth-realm=a\"b'c\\"` + "\n", "\nEnvironment=\"JAY_AUTH_REALM=a %%b$\"\n"}, nil},
	}
	for _, tt := range tests {
		run := test{env: map[string]string{}}
		if name, value, ok := strings.Cut(tt.env, "="); ok {
			run.env[name] = value
		}
		if code := run.run(t, append([]string{"systemd-unit"}, strings.Fields(tt.args)...)...); code != 0 {
			t.Errorf("%s: exit %d: %s", tt.args, code, run.stderr.String())
			continue
		}
		got := run.stdout.String()
		for _, want := range tt.want {
			if !strings.Contains(got, want) {
				t.Errorf("%s: no %q in\n%s", tt.args, want, got)
			}
		}
		for _, not := range tt.not {
			if strings.Contains(got, not) {
				t.Errorf("%s: %q in\n%s", tt.args, not, got)
			}
		}
	}
}

// TestSystemdUnit_refused checks what cannot be a service.
func TestSystemdUnit_refused(t *testing.T) {
	tests := map[string]string{
		"--listen proxy.example:3128":               "proxy.example:3128: systemd takes addresses, not names",
		"--listen 127.0.0.1:0":                      "127.0.0.1:0: a socket needs a port of its own",
		"--access-log a.log":                        "a.log: a service has no directory of its own; write the whole path",
		"--auth-file /home/anna/htpasswd":           "/home/anna/htpasswd: the service sees neither home nor temporary directories; /etc/jay is a good place",
		"--listen-tls :1 --tls-cert /root/cert.pem": "/root/cert.pem: the service sees neither home nor temporary directories; /etc/jay is a good place",
		"--ca-file /etc/jay/ca,/tmp/other":          "/tmp/other: the service sees neither home nor temporary directories; /etc/jay is a good place",
	}
	for args, want := range tests {
		var run test
		code := run.run(t, append([]string{"systemd-unit"}, strings.Fields(args)...)...)
		if got := run.stderr.String(); code != 2 || got != "jay: systemd-unit: "+want+"\n" || run.stdout.String() != "" {
			t.Errorf("%s: exit %d, %q; want 2 and %q", args, code, got, want)
		}
	}
}

// TestSystemdUnit_dir checks that the files are written as they are printed.
func TestSystemdUnit_dir(t *testing.T) {
	dir := t.TempDir()
	var run, printed test
	if code := run.run(t, "systemd-unit", "--dir", dir, "--intercept", ":3129"); code != 0 {
		t.Fatalf("exit %d: %s", code, run.stderr.String())
	}
	if want := "to start: systemctl daemon-reload && systemctl enable --now jay.socket jay-redirect.socket jay.service\n"; !strings.HasSuffix(run.stdout.String(), want) {
		t.Errorf("got %q; want %q at its end", run.stdout.String(), want)
	}
	printed.run(t, "systemd-unit", "--intercept", ":3129")
	for _, name := range []string{"jay.service", "jay.socket", "jay-redirect.socket"} {
		text, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(printed.stdout.String(), "# /etc/systemd/system/"+name+"\n"+string(text)) {
			t.Errorf("%s is not what is printed: %s", name, text)
		}
	}
	var missing test
	if code := missing.run(t, "systemd-unit", "--dir", filepath.Join(dir, "none")); code != 1 || !strings.Contains(missing.stderr.String(), "no such file") {
		t.Errorf("exit %d, %q; want 1 and the path", code, missing.stderr.String())
	}
}
