package proxy

import (
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/elazarl/goproxy"

	"github.com/jayproxy/jay/cache/vary"
	"github.com/jayproxy/jay/proxy/access"
)

// PurgeRequest says which stored responses are to be removed: those for which everything that is given holds. At least
// one condition must be given; All stands alone.
type PurgeRequest struct {
	URL       string        // this URL, all of its variants
	Prefix    string        // URLs that begin so, as in "http://example.com/img/"
	Host      string        // this host, with its port if it is not the scheme's own
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
	key := ""
	if q.URL != "" {
		x, err := p.located(q.URL)
		if err != nil {
			return nil, err
		}
		key = x.url
	}
	re, err := regexp.Compile(q.Regexp)
	if err != nil {
		return nil, fmt.Errorf("proxy: the expression is not valid: %w", err)
	}
	host, now := strings.ToLower(q.Host), time.Now()
	return func(e *entry) bool {
		switch {
		case key != "" && e.Key != key, !strings.HasPrefix(e.Key, q.Prefix), host != "" && hostOf(e.Key) != host:
			return false
		case q.OlderThan > 0 && now.Sub(e.Meta.fresh.Moment()) <= q.OlderThan:
			return false
		case q.Group != "" && !inGroup(e, q.Group):
			return false
		}
		return q.Regexp == "" || re.MatchString(e.Key)
	}, nil
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
