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

// openAdmin opens the admin listener; nil if there is to be none. When the address is taken and nobody chose it, Jay does
// without: a second one on the same machine must start as easily as the first.
func (s *server) openAdmin(ctx context.Context, c *config.Config, chosen bool) (net.Listener, error) {
	if c.Admin == config.AdminOff {
		return nil, nil
	}
	ln, err := admin.Listen(ctx, c.Admin)
	if err == nil {
		return ln, nil
	}
	err = listenError(c.Admin, err)
	if chosen {
		return nil, fmt.Errorf("admin: %w", err)
	}
	s.log.Warn("there is no status page; choose an address for it with --admin, or off", "error", err)
	return nil, nil
}

// startAdmin makes the admin server for a listener.
func (s *server) startAdmin(ln net.Listener, c *config.Config, token string) {
	o := admin.Options{
		Proxy: s.proxy, Token: token, Version: buildVersion(), StripQuery: c.LogStripQuery,
		LogDropped: s.access.Dropped, Logger: s.log,
	}
	if c.AccessLog != "off" {
		o.ReopenLog = s.access.Reopen
	}
	if name, err := os.Hostname(); err == nil {
		o.Names = append(o.Names, name)
	}
	if host, _, err := net.SplitHostPort(c.Admin); err == nil {
		o.Names = append(o.Names, host)
	}
	s.proxy.Reserve(ln.Addr()) // from now on, not only once it is served
	s.admin, s.adminListener = admin.New(o), ln
}

// serveAdmin serves the admin listener until it is shut down. That it fails is no reason for the proxy to end.
func (s *server) serveAdmin() {
	if s.admin == nil {
		return
	}
	if err := s.admin.Serve(s.adminListener); err != nil {
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
	switch {
	case s.admin == nil:
		return ""
	case s.adminListener.Addr().Network() == "unix":
		return "admin socket " + s.adminListener.Addr().String()
	}
	return "status page on " + clientURL(s.adminListener.Addr()) + "/"
}

// errAdminOff says why a command cannot reach a running Jay.
var errAdminOff = errors.New("admin is off; name the admin address of a running Jay with --admin")
