package admin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/jayproxy/jay/proxy"
)

// handler is everything that the server answers.
func (s *Server) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", servePage)
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { say(w, http.StatusOK, "ok\n") })
	mux.HandleFunc("GET /readyz", s.readyz)
	mux.HandleFunc("GET /stats", func(w http.ResponseWriter, _ *http.Request) { reply(w, s.figures()) })
	mux.HandleFunc("GET /history", func(w http.ResponseWriter, _ *http.Request) { reply(w, s.history.report(s.opt.Interval)) })
	mux.HandleFunc("GET /recent", s.recent)
	mux.HandleFunc("GET /entry", s.entry)
	mux.HandleFunc("GET /entries", s.entries)
	mux.HandleFunc("POST /explain", s.explain)
	mux.HandleFunc("POST /purge", s.purge)
	mux.HandleFunc("POST /reload", s.reload)
	mux.HandleFunc("POST /reload-log", s.reloadLog)
	mux.Handle("GET /metrics", s.metrics)
	mux.HandleFunc("GET /debug/pprof/{$}", s.profiles)
	mux.HandleFunc("GET /debug/pprof/{name}", s.profiles)
	return s.guard(mux)
}

// say answers with text.
func say(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, text) // a client that has gone needs no answer
}

// reply answers with JSON.
func reply(w http.ResponseWriter, v any) { replyStatus(w, http.StatusOK, v) }

func replyStatus(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	_ = enc.Encode(v) // a client that has gone needs no answer
}

// fail answers with an error.
func fail(w http.ResponseWriter, status int, text string) {
	replyStatus(w, status, map[string]string{"error": text})
}

// read reads a request's body, one JSON object without unknown members. It answers when that fails.
func read(w http.ResponseWriter, r *http.Request, v any) bool {
	dec := json.NewDecoder(r.Body)
	dec.DisallowUnknownFields()
	err := dec.Decode(v)
	if err == nil {
		if _, more := dec.Token(); !errors.Is(more, io.EOF) {
			err = errors.New("there is something behind the object")
		}
	}
	if err != nil {
		fail(w, http.StatusBadRequest, "the body cannot be read: "+err.Error())
	}
	return err == nil
}

// plainError is an error of package proxy without its prefix.
func plainError(err error) string { return strings.TrimPrefix(err.Error(), "proxy: ") }

func (s *Server) readyz(w http.ResponseWriter, _ *http.Request) {
	if s.drained.Load() {
		say(w, http.StatusServiceUnavailable, "stopping\n")
		return
	}
	say(w, http.StatusOK, "ready\n")
}

// Latest is the answer to GET /recent.
type Latest struct {
	Recent []proxy.Finished    `json:"recent"` // latest first
	Hosts  []proxy.HostFigures `json:"hosts"`  // busiest first
}

// recent answers with the last decisions and the busiest hosts.
func (s *Server) recent(w http.ResponseWriter, _ *http.Request) {
	list, strip := s.opt.Proxy.Recent(), s.access.Load().strip
	for i := range list {
		if strip {
			list[i].URL, _, _ = strings.Cut(list[i].URL, "?")
		}
	}
	reply(w, Latest{list, s.opt.Proxy.TopHosts(20)})
}

// entry answers with the stored responses of a URL.
func (s *Server) entry(w http.ResponseWriter, r *http.Request) {
	url := r.FormValue("url")
	list, err := s.opt.Proxy.Stored(url)
	if err != nil {
		fail(w, http.StatusBadRequest, plainError(err))
		return
	}
	status := http.StatusOK
	if len(list) == 0 {
		status = http.StatusNotFound
	}
	replyStatus(w, status, struct {
		URL    string                 `json:"url"`
		Stored []proxy.StoredResponse `json:"stored"`
	}{url, list})
}

// orders are the values of sort.
var orders = map[string]proxy.Order{"": proxy.ByHeld, "held": proxy.ByHeld, "received": proxy.ByReceived, "url": proxy.ByURL}

// entries answers with the stored responses whose URLs contain a text.
func (s *Server) entries(w http.ResponseWriter, r *http.Request) {
	order, ok := orders[r.FormValue("sort")]
	if !ok {
		fail(w, http.StatusBadRequest, "sort is one of held, received and url")
		return
	}
	limit := 50
	if text := r.FormValue("limit"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > 1000 {
			fail(w, http.StatusBadRequest, "limit is a number from 1 to 1000")
			return
		}
		limit = n
	}
	list, total := s.opt.Proxy.Find(r.FormValue("q"), order, limit)
	reply(w, struct {
		Total   int                    `json:"total"`
		Entries []proxy.StoredResponse `json:"entries"`
	}{total, list})
}

// ExplainRequest is the body of POST /explain.
type ExplainRequest struct {
	URL    string        `json:"url"`              // absolute
	Method string        `json:"method,omitempty"` // empty: GET
	Fields []proxy.Field `json:"fields,omitempty"` // of the request
	Client string        `json:"client,omitempty"` // the address of the client to imagine; empty: this machine
	Origin string        `json:"origin,omitempty"` // whether the origin is asked: "auto" (when nothing that is stored matches), "always", "never"
}

// askings are the values of Origin.
var askings = map[string]proxy.Asking{"": proxy.AskIfNeeded, "auto": proxy.AskIfNeeded, "always": proxy.AskAlways, "never": proxy.AskNever}

// Request is q in the proxy's words.
func (q *ExplainRequest) Request() (proxy.ExplainRequest, error) {
	ask, ok := askings[q.Origin]
	if !ok {
		return proxy.ExplainRequest{}, errors.New("origin is one of auto, always and never")
	}
	p := proxy.ExplainRequest{Method: q.Method, URL: q.URL, Fields: q.Fields, Ask: ask}
	if q.Client != "" {
		a, err := netip.ParseAddr(q.Client)
		if err != nil {
			return p, fmt.Errorf("%q is not an address", q.Client)
		}
		p.Client = a.Unmap()
	}
	return p, nil
}

// explainTime is how long an origin may take to answer for an explanation.
const explainTime = 30 * time.Second

// explain answers with an explanation: as text where that is what the client accepts, else as JSON.
func (s *Server) explain(w http.ResponseWriter, r *http.Request) {
	var body ExplainRequest
	if !read(w, r, &body) {
		return
	}
	q, err := body.Request()
	if err != nil {
		fail(w, http.StatusBadRequest, err.Error())
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), explainTime)
	defer cancel()
	e, err := s.opt.Proxy.Explain(ctx, q)
	switch {
	case err != nil:
		fail(w, http.StatusBadRequest, plainError(err))
	case strings.HasPrefix(r.Header.Get("Accept"), "text/plain"):
		say(w, http.StatusOK, e.String())
	default:
		reply(w, &e)
	}
}

// PurgeRequest is the body of POST /purge; see [proxy.PurgeRequest] for what its members mean.
type PurgeRequest struct {
	URL       string `json:"url,omitempty"`
	Prefix    string `json:"prefix,omitempty"`
	Host      string `json:"host,omitempty"`
	Regexp    string `json:"regex,omitempty"`
	Group     string `json:"group,omitempty"`
	OlderThan string `json:"older-than,omitempty"` // a duration such as 1h30m or 7d
	All       bool   `json:"all,omitempty"`
	DryRun    bool   `json:"dry-run,omitempty"`
}

// PurgeAnswer is the answer to it.
type PurgeAnswer struct {
	Purged int  `json:"purged"` // how many were removed, or would be
	DryRun bool `json:"dry-run"`
}

// span reads a duration that may be given in days; 0 means that it is none.
func span(text string) time.Duration {
	if days, ok := strings.CutSuffix(text, "d"); ok {
		n, _ := strconv.ParseUint(days, 10, 16)
		return time.Duration(n) * 24 * time.Hour
	}
	d, _ := time.ParseDuration(text)
	return d
}

// purge removes stored responses.
func (s *Server) purge(w http.ResponseWriter, r *http.Request) {
	var body PurgeRequest
	if !read(w, r, &body) {
		return
	}
	q := proxy.PurgeRequest{
		URL: body.URL, Prefix: body.Prefix, Host: body.Host, Regexp: body.Regexp, Group: body.Group, All: body.All, DryRun: body.DryRun,
	}
	if body.OlderThan != "" {
		if q.OlderThan = span(body.OlderThan); q.OlderThan <= 0 {
			fail(w, http.StatusBadRequest, fmt.Sprintf("older-than: %q is not a duration; write 30m, 1h30m or 7d", body.OlderThan))
			return
		}
	}
	n, err := s.opt.Proxy.Purge(q)
	if err != nil {
		fail(w, http.StatusBadRequest, plainError(err))
		return
	}
	if !q.DryRun {
		s.opt.Logger.Info("purged", "count", n, "url", q.URL, "prefix", q.Prefix, "host", q.Host, "regex", q.Regexp, "group", q.Group, "older-than", q.OlderThan, "all", q.All)
	}
	reply(w, PurgeAnswer{Purged: n, DryRun: q.DryRun})
}

// reloadLog reopens the access log.
func (s *Server) reloadLog(w http.ResponseWriter, _ *http.Request) {
	if s.opt.ReopenLog == nil {
		fail(w, http.StatusNotFound, "there is no access log")
		return
	}
	if err := s.opt.ReopenLog(); err != nil {
		fail(w, http.StatusInternalServerError, err.Error())
		return
	}
	reply(w, map[string]bool{"reopened": true})
}
