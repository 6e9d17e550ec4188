package main

import (
	"fmt"
	"path/filepath"
	"strings"

	"github.com/jayproxy/jay/config"
)

// unitQuote writes a word so that systemd reads it as one: a percent sign begins a specifier, a backslash an escape.
func unitQuote(word string) string {
	word = strings.ReplaceAll(word, "%", "%%")
	if word != "" && !strings.ContainsAny(word, " \t\n\"'\\;") {
		return word
	}
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`).Replace(word) + `"`
}

// hidden tells whether the service cannot see a file: it sees neither people's directories nor temporary ones.
func hidden(path string) bool {
	for _, dir := range []string{"/home/", "/root/", "/run/user/", "/tmp/", "/var/tmp/"} {
		if strings.HasPrefix(path, dir) {
			return true
		}
	}
	return false
}

// unitPaths gives the service the directory of its access log to write to. All its files must be where it finds them.
func unitPaths(c *config.Config, file string) (string, error) {
	dir, log := "", c.LogFile()
	if log != "" {
		dir = filepath.Dir(log)
	}
	for _, file := range append([]string{file, log, c.AuthFile, c.AdminTokenFile, c.TLSCert, c.TLSKey, c.TLSClientCA}, c.CAFiles...) {
		switch {
		case file == "":
		case !filepath.IsAbs(file):
			return "", fmt.Errorf("%s: a service has no directory of its own; write the whole path", file)
		case hidden(file):
			return "", fmt.Errorf("%s: the service sees neither home nor temporary directories; /etc/jay is a good place", file)
		}
	}
	if name, ok := strings.CutPrefix(dir, "/var/log/"); ok {
		return "LogsDirectory=" + unitQuote(name) + "\n", nil
	}
	if dir != "" {
		return "ReadWritePaths=" + unitQuote(dir) + "\n", nil
	}
	return "", nil
}

// serviceText is the service: it may speak to the network and to systemd, read files that are not people's own, and
// nothing else.
const serviceText = `[Unit]
Description=Jay, a caching HTTP proxy
After=network.target nss-lookup.target {sockets}
Requires={sockets}

[Service]
Type=notify
ExecStart={command}
ExecReload=/bin/kill -HUP $MAINPID
Sockets={sockets}
{environment}Restart=on-failure
RestartPreventExitStatus=2
WatchdogSec=30
TimeoutStopSec={stop}

# A user that exists only while Jay runs. To give Jay files that not everybody may read, make one that stays
# (useradd --system jay); it is then used instead.
User=jay
DynamicUser=yes
UMask=0027
{paths}CapabilityBoundingSet=
NoNewPrivileges=yes
ProtectSystem=strict
ProtectHome=yes
PrivateTmp=yes
PrivateDevices=yes
ProtectClock=yes
ProtectControlGroups=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
ProtectProc=invisible
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX AF_NETLINK
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
LockPersonality=yes
MemoryDenyWriteExecute=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallFilter=~@privileged
SystemCallErrorNumber=EPERM

[Install]
WantedBy=multi-user.target
`
