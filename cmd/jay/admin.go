package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"time"

	"github.com/jayproxy/jay/config"
	"github.com/jayproxy/jay/proxy/admin"
)

// leastToken is how many characters a token must have.
const leastToken = 16

// adminOptions is what a configuration means to the admin server.
func (s *server) adminOptions(c *config.Config, token string) admin.Options {
	o := admin.Options{
		Proxy: s.proxy, Token: token, Version: buildVersion(), StripQuery: c.LogStripQuery,
		LogDropped: s.access.Dropped, ReopenLog: s.access.Reopen, Logger: s.log, Profiles: c.AdminPprof,
		Reload: func(_ context.Context, dry bool) (*admin.ReloadAnswer, error) { return s.reload(dry) },
	}
	if name, err := os.Hostname(); err == nil {
		o.Names = append(o.Names, name)
	}
	if host, _, err := net.SplitHostPort(c.Admin); err == nil {
		o.Names = append(o.Names, host)
	}
	return o
}

// serveAdmin serves an admin listener until it is closed. That it fails is no reason for the proxy to end.
func (s *server) serveAdmin(ln net.Listener) {
	if err := s.admin.Serve(ln); err != nil {
		s.log.Error("the status page has ended", "error", err)
	}
}

// endAdmin ends the admin listener when the proxy has ended; who looks at it sees that until then.
func (s *server) endAdmin() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if err := s.admin.Shutdown(ctx); err != nil {
		s.log.Debug("the status page was cut off", "error", err)
	}
}

// adminToken reads the token from its file; empty if there is none.
func adminToken(c *config.Config) (string, error) {
	if c.AdminTokenFile == "" {
		return "", nil
	}
	text, err := os.ReadFile(c.AdminTokenFile)
	if err != nil {
		return "", fmt.Errorf("admin-token-file: %w", plainPath(err))
	}
	token := strings.TrimSpace(string(text))
	if len(token) < leastToken {
		return "", fmt.Errorf("admin-token-file: %s: the token has fewer than %d characters", c.AdminTokenFile, leastToken)
	}
	if strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r >= 0x7f }) {
		return "", fmt.Errorf("admin-token-file: %s: the token has characters that a field cannot have", c.AdminTokenFile)
	}
	return token, nil
}

// adminText says where the admin listener is, for the banner.
func (s *server) adminText() string {
	ln := adminOf(s.listeners.open)
	switch {
	case ln == nil:
		return ""
	case ln.Addr().Network() == "unix":
		return "admin socket " + ln.Addr().String()
	}
	return "status page on " + statusPage(ln)
}

// statusPage is the URL of the page on an admin listener; empty without one, and for a socket.
func statusPage(ln net.Listener) string {
	if ln == nil || ln.Addr().Network() == "unix" {
		return ""
	}
	return clientURL(ln.Addr()) + "/"
}

// errAdminOff says why a command cannot reach a running Jay.
var errAdminOff = errors.New("admin is off; name the admin address of a running Jay with --admin")
