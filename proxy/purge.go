package proxy

import (
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/elazarl/goproxy"

	"github.com/jayproxy/jay/cache/vary"
	"github.com/jayproxy/jay/proxy/access"
	"github.com/jayproxy/jay/proxy/wire"
)

// PurgeRequest says which stored responses are to be removed: those for which everything that is given holds. At least
// one condition must be given; All stands alone.
type PurgeRequest struct {
	URL       string        // this URL, all of its variants
	Prefix    string        // URLs that begin so, as in "http://example.com/img/"
	Host      string        // this host on all of its ports, or on one as in "example.com:8080"
	Regexp    string        // URLs in which this RE2 expression is found
	Group     string        // responses in this cache group (RFC 9875), of whatever origin
	OlderThan time.Duration // received longer ago than this
	All       bool
	DryRun    bool // count only
}

// Purge removes stored responses and returns how many those were. What is on its way when it is called is not stored any
// more. It fails, having removed nothing, when the request says too little or something that cannot be read.
func (p *Proxy) Purge(q PurgeRequest) (int, error) {
	if q.URL != "" && q == (PurgeRequest{URL: q.URL, DryRun: q.DryRun}) {
		return p.purgeURL(q.URL, q.DryRun)
	}
	match, err := p.purgeMatch(q)
	if err != nil {
		return 0, err
	}
	n := p.store.Purge(match, q.DryRun)
	if !q.DryRun {
		p.flights.forgetAll()
	}
	return n, nil
}

// purgeURL removes the variants of one URL.
func (p *Proxy) purgeURL(url string, dry bool) (int, error) {
	x, err := p.located(url)
	if err != nil {
		return 0, err
	}
	n := len(x.variants())
	if !dry {
		p.drop(x.url)
	}
	return n, nil
}

// purgeMatch is the conditions of a request as a function.
func (p *Proxy) purgeMatch(q PurgeRequest) (func(*entry) bool, error) {
	all := PurgeRequest{All: true, DryRun: q.DryRun}
	switch {
	case q == all:
		return func(*entry) bool { return true }, nil
	case q.All:
		return nil, errors.New("proxy: a purge of all takes no other condition")
	case q == PurgeRequest{DryRun: q.DryRun}:
		return nil, errors.New("proxy: a purge needs a condition: url, prefix, host, regex, group, older-than or all")
	case q.OlderThan < 0:
		return nil, errors.New("proxy: older-than must not be negative")
	}
	sel := &selector{PurgeRequest: q, now: time.Now()}
	var err error
	if sel.URL, err = p.keyOf(q.URL); err != nil {
		return nil, err
	}
	if sel.Prefix, err = p.prefixOf(q.Prefix); err != nil {
		return nil, err
	}
	if sel.Host, sel.port, err = purgedHost(q.Host); err != nil {
		return nil, err
	}
	if sel.re, err = regexp.Compile(q.Regexp); err != nil {
		return nil, fmt.Errorf("proxy: the expression is not valid: %w", err)
	}
	return sel.has, nil
}

// selector is a purge's conditions in the form in which stored responses are compared with them.
type selector struct {
	PurgeRequest
	port string // of Host; empty: all
	re   *regexp.Regexp
	now  time.Time
}

// has tells whether a stored response meets all conditions.
func (s *selector) has(e *entry) bool {
	switch {
	case s.URL != "" && e.Key != s.URL, !strings.HasPrefix(e.Key, s.Prefix), s.Host != "" && !isAt(e.Key, s.Host, s.port):
		return false
	case s.OlderThan > 0 && s.now.Sub(e.Meta.fresh.Moment()) <= s.OlderThan:
		return false
	case s.Group != "" && !inGroup(e, s.Group):
		return false
	}
	return s.re.MatchString(e.Key)
}

// keyOf is the cache key of a URL; empty for none.
func (p *Proxy) keyOf(url string) (string, error) {
	if url == "" {
		return "", nil
	}
	x, err := p.located(url)
	if err != nil {
		return "", err
	}
	return x.url, nil
}

// prefixOf is what the cache keys of URLs begin with that begin so: the scheme and, if it is complete, the authority in
// their normal form.
func (p *Proxy) prefixOf(prefix string) (string, error) {
	scheme, rest, ok := strings.Cut(prefix, "://")
	switch {
	case prefix == "":
		return "", nil
	case !ok || !strings.EqualFold(scheme, "http") && !strings.EqualFold(scheme, "https"):
		return "", fmt.Errorf("proxy: %q is not the beginning of a URL, such as http://example.com/img/", prefix)
	case !strings.Contains(rest, "/"):
		return strings.ToLower(prefix), nil
	}
	return p.keyOf(prefix)
}

// purgedHost reads a host with or without a port; empty for none.
func purgedHost(text string) (host, port string, err error) {
	if text == "" {
		return "", "", nil
	}
	if a, err := netip.ParseAddr(text); err == nil && a.Is6() {
		text = "[" + text + "]"
	}
	if host, port, err = wire.ParseAuthority(text); err != nil {
		return "", "", fmt.Errorf("proxy: %q is not a host; write example.com or example.com:8080", text)
	}
	return host, port, nil
}

// isAt tells whether a cache key is at a host and, if it is not empty, at a port.
func isAt(key, host, port string) bool {
	is, at, err := wire.ParseAuthority(hostOf(key))
	if at == "" {
		at = "80"
		if strings.HasPrefix(key, "https:") {
			at = "443"
		}
	}
	return err == nil && is == host && (port == "" || at == port)
}

// inGroup tells whether a stored response is in a cache group (RFC 9875 §2).
func inGroup(e *entry, group string) bool {
	return e.Meta.indexed && slices.Contains(vary.ParseGroups(e.Meta.header()["Cache-Groups"]), group)
}

// forgetAll makes all later requests begin anew: what is on its way was asked for before a purge.
func (f *flights) forgetAll() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, list := range f.m {
		for _, fl := range list {
			fl.key = ""
		}
	}
	clear(f.m)
}

// purges tells whether a request is one to purge a URL, in the way that users of Squid and Varnish know.
func purges(r *http.Request, _ *goproxy.ProxyCtx) bool {
	return r.Method == "PURGE" && exchangeOf(r).c.mode == Explicit
}

// faultPurge is the answer to clients who must not purge.
var faultPurge = fault{status: 403, kind: "http_request_denied", text: "only clients on the proxy's own machine may purge"}

// answerPurge removes what is stored for the URL and says how much that was.
func answerPurge(r *http.Request, _ *goproxy.ProxyCtx) (*http.Request, *http.Response) {
	x := exchangeOf(r)
	if !x.c.local {
		x.refuse(faultPurge)
		return r, x.response()
	}
	n := len(x.variants())
	if x.explaining == nil {
		x.p.drop(x.url)
	}
	status := http.StatusOK
	if n == 0 {
		status = http.StatusNotFound
	}
	text := fmt.Sprintf("%d removed\n", n)
	x.rec.Decision, x.rec.Reason = access.Local, "purge"
	x.reply = reply{
		own: true, status: status, reason: http.StatusText(status), age: -1, close: x.reply.close, text: []byte(text), length: int64(len(text)),
	}
	x.reply.lines = "Content-Type: text/plain; charset=utf-8\r\nCache-Control: no-store\r\n"
	return r, x.response()
}
