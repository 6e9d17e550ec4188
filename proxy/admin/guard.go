package admin

import (
	"crypto/sha256"
	"crypto/subtle"
	"mime"
	"net"
	"net/http"
	"net/netip"
	"strings"
)

// guard lets pass what comes from somebody who may ask, and sees to it that browsers keep the answers to themselves.
func (s *Server) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Cache-Control", "no-store")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
		switch {
		case r.URL.Host != "" || r.Header["Via"] != nil:
			fail(w, http.StatusForbidden, "this is not a proxy, and takes nothing that came through one")
		case !s.knows(r):
			fail(w, http.StatusForbidden, "the Host field names another server; use localhost, or the address that Jay listens on")
		case foreign(r):
			fail(w, http.StatusForbidden, "the request was made by a page of another origin")
		case !s.authorized(r):
			h.Set("WWW-Authenticate", `Bearer realm="jay admin"`)
			fail(w, http.StatusUnauthorized, "a token is needed; it is in the file that the option admin-token-file names")
		case r.Method == http.MethodPost && !isJSON(r):
			fail(w, http.StatusUnsupportedMediaType, "the Content-Type must be application/json")
		default:
			r.Body = http.MaxBytesReader(w, r.Body, 64<<10)
			next.ServeHTTP(w, r)
		}
	})
}

// plainName is a host name as it is compared.
func plainName(name string) string { return strings.TrimSuffix(strings.ToLower(name), ".") }

// knows tells whether the Host field names this server: a name that an attacker's DNS could answer for does not.
func (s *Server) knows(r *http.Request) bool {
	host := r.Host
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	host = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	if s.access.Load().names[plainName(host)] {
		return true
	}
	ip, err := netip.ParseAddr(host)
	if err != nil {
		return false
	}
	ip, here := ip.Unmap(), localAddr(r)
	return ip == here || ip.IsLoopback() && (!here.IsValid() || here.IsLoopback())
}

// localAddr is the address that the client connected to; none for a Unix socket.
func localAddr(r *http.Request) netip.Addr {
	t, ok := r.Context().Value(http.LocalAddrContextKey).(*net.TCPAddr)
	if !ok {
		return netip.Addr{}
	}
	return t.AddrPort().Addr().Unmap().WithZone("")
}

// foreign tells whether a page of another origin made the request. A link to the status page is all that they may have.
func foreign(r *http.Request) bool {
	if o := r.Header["Origin"]; o != nil && (len(o) != 1 || !strings.EqualFold(o[0], "http://"+r.Host)) {
		return true
	}
	switch r.Header.Get("Sec-Fetch-Site") {
	case "", "none", "same-origin":
		return false
	}
	link := r.Method == http.MethodGet && r.URL.Path == "/" && r.Header.Get("Sec-Fetch-Mode") == "navigate" &&
		r.Header.Get("Sec-Fetch-Dest") == "document"
	return !link
}

// open are the paths that need no token: what they answer is the same for everybody.
var open = map[string]bool{"/": true, "/healthz": true, "/readyz": true}

// authorized tells whether the request has the token, in a time that does not depend on how much of it is right.
func (s *Server) authorized(r *http.Request) bool {
	e := s.access.Load()
	if e.open || open[r.URL.Path] {
		return true
	}
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	sum := sha256.Sum256([]byte(strings.TrimSpace(token)))
	return strings.EqualFold(scheme, "Bearer") && subtle.ConstantTimeCompare(sum[:], e.token[:]) == 1
}

// isJSON tells whether the request's body is JSON, which no form can send.
func isJSON(r *http.Request) bool {
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	return err == nil && kind == "application/json"
}
