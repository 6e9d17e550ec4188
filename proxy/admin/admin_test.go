package admin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"

	"github.com/jayproxy/jay/proxy"
	"github.com/jayproxy/jay/proxy/parent"
	"github.com/jayproxy/jay/proxy/policy"
)

// rig is an admin server beside a proxy and an origin.
type rig struct {
	t      *testing.T
	s      *Server
	addr   string // of the admin listener
	origin string // URL without a path
	via    *http.Client
}

func newRig(t *testing.T, o Options) *rig {
	t.Helper()
	rules, err := policy.New(policy.Options{Rules: []policy.Rule{{Name: "everybody", Action: policy.Allow}}, Default: policy.Deny})
	if err != nil {
		t.Fatal(err)
	}
	near := policy.Rule{Name: "near", To: []string{"127.0.0.0/8"}}
	spare := parent.Spec{Kind: parent.HTTP, Host: "spare.example", Port: 3128, User: "anna", Password: "geheim"}
	ways, err := parent.New(parent.Options{Rules: []parent.Rule{{Match: near, Use: []parent.Spec{{}}}}, Else: []parent.Spec{spare}})
	if err != nil {
		t.Fatal(err)
	}
	p, err := proxy.New(proxy.Options{CacheBytes: 8 << 20, Policy: rules, Parents: ways})
	if err != nil {
		t.Fatal(err)
	}
	origin := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "max-age=60")
		if r.URL.Path == "/private" {
			w.Header().Set("Cache-Control", "private")
		}
		fmt.Fprintf(w, "body of %s", r.URL.Path)
	}))
	ln, pln := listen(t), listen(t)
	o.Proxy = p
	r := &rig{t: t, s: New(o), addr: ln.Addr().String(), origin: origin.URL}
	served := make(chan error, 2)
	go func() { served <- r.s.Serve(ln) }()
	go func() { served <- p.Serve(pln, proxy.Explicit) }()
	transport := &http.Transport{Proxy: http.ProxyURL(&url.URL{Scheme: "http", Host: pln.Addr().String()})}
	r.via = &http.Client{Transport: transport}
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if err := errors.Join(p.Shutdown(ctx), r.s.Shutdown(ctx), <-served, <-served); err != nil {
			t.Error(err)
		}
		origin.Close()
	})
	return r
}

func listen(t *testing.T) net.Listener {
	t.Helper()
	ln, err := Listen(t.Context(), "127.0.0.1:0", nil)
	if err != nil {
		t.Fatal(err)
	}
	return ln
}

// fetch gets a path of the origin through the proxy.
func (r *rig) fetch(path string) {
	r.t.Helper()
	before := r.s.opt.Proxy.Stats().Requests
	resp, err := r.via.Get(r.origin + path)
	if err != nil {
		r.t.Fatal(err)
	}
	io.Copy(io.Discard, resp.Body)
	resp.Body.Close()
	for r.s.opt.Proxy.Stats().Requests == before { // a record is written right after the answer
		runtime.Gosched()
	}
}

// do asks the admin server. Lines are fields of the request; Host may be one of them.
func (r *rig) do(method, path, body string, lines ...string) (int, string, http.Header) {
	r.t.Helper()
	req, err := http.NewRequestWithContext(r.t.Context(), method, "http://"+r.addr+path, strings.NewReader(body))
	if err != nil {
		r.t.Fatal(err)
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	for _, l := range lines {
		name, value, _ := strings.Cut(l, ": ")
		if name == "Host" {
			req.Host = value
		} else {
			req.Header.Set(name, value)
		}
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		r.t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	return resp.StatusCode, string(b), resp.Header
}

// json asks the admin server and reads its answer.
func (r *rig) json(method, path, body string, v any) int {
	r.t.Helper()
	status, text, _ := r.do(method, path, body)
	if err := json.Unmarshal([]byte(text), v); err != nil {
		r.t.Fatalf("%s %s: %v in %q", method, path, err, text)
	}
	return status
}

func TestEndpoints(t *testing.T) {
	r := newRig(t, Options{Version: "v1", LogDropped: func() int64 { return 3 }})
	r.fetch("/a")
	r.fetch("/a")
	r.fetch("/bigger")
	r.fetch("/private?secret")
	var f Figures
	if r.json("GET", "/stats", "", &f); f.Requests != 4 || f.Hits != 1 || f.HitRatio != 0.25 || f.Cache.Entries != 2 || f.Version != "v1" || f.LogLinesDropped != 3 || len(f.Decisions) != 11 || len(f.Rules) != 1 || len(f.Parents) != 1 || f.Parents[0].Name != "http://spare.example:3128" || !f.Parents[0].Up || f.Memory <= 0 {
		t.Errorf("figures: %+v", f)
	}
	var list struct {
		Total   int
		Entries []proxy.StoredResponse
	}
	if r.json("GET", "/entries?q=bigger&sort=url", "", &list); list.Total != 1 || list.Entries[0].URL != r.origin+"/bigger" {
		t.Errorf("entries: %+v", list)
	}
	if r.json("GET", "/entries?limit=1", "", &list); list.Total != 2 || len(list.Entries) != 1 || list.Entries[0].URL != r.origin+"/bigger" {
		t.Errorf("largest: %+v", list)
	}
	var e struct{ Stored []proxy.StoredResponse }
	if status := r.json("GET", "/entry?url="+url.QueryEscape(r.origin+"/a"), "", &e); status != 200 || len(e.Stored) != 1 || e.Stored[0].Lifetime != 60 || len(e.Stored[0].Fields) == 0 {
		t.Errorf("entry: %d, %+v", status, e)
	}
	if status := r.json("GET", "/entry?url="+url.QueryEscape(r.origin+"/b"), "", &e); status != 404 || len(e.Stored) != 0 {
		t.Errorf("missing entry: %d, %+v", status, e)
	}
	var x proxy.Explanation
	body, _ := json.Marshal(ExplainRequest{URL: r.origin + "/private"})
	if status := r.json("POST", "/explain", string(body), &x); status != 200 || x.Outcome != proxy.OutcomeFetch || x.Answer.Response.Reason != "private" {
		t.Errorf("explanation: %d, %+v", status, x)
	}
	if status, text, h := r.do("POST", "/explain", string(body), "Accept: text/plain"); status != 200 || !strings.Contains(text, "(private)") || !strings.HasPrefix(h.Get("Content-Type"), "text/plain") {
		t.Errorf("explanation as text: %d, %q", status, text)
	}
	var recent struct {
		Recent []proxy.Finished
		Hosts  []proxy.HostFigures
	}
	if r.json("GET", "/recent", "", &recent); len(recent.Recent) != 4 || !strings.HasSuffix(recent.Recent[0].URL, "?secret") || len(recent.Hosts) != 1 || recent.Hosts[0].Requests != 4 {
		t.Errorf("recent: %+v", recent)
	}
	var p PurgeAnswer
	if r.json("POST", "/purge", `{"prefix":"http://127.0.0.1","dry-run":true}`, &p); p != (PurgeAnswer{2, true}) {
		t.Errorf("dry purge: %+v", p)
	}
	if r.json("POST", "/purge", `{"url":"`+r.origin+`/a"}`, &p); p != (PurgeAnswer{1, false}) {
		t.Errorf("purge: %+v", p)
	}
	var h Report
	if r.json("GET", "/history", "", &h); h.Interval != 10 || h.Samples == nil {
		t.Errorf("history: %+v", h)
	}
}

func TestBadRequests(t *testing.T) {
	r := newRig(t, Options{})
	tests := []struct {
		method, path, body string
		status             int
		want               string
	}{
		{"POST", "/purge", `{}`, 400, "a purge needs a condition"},
		{"POST", "/purge", `{"al":true}`, 400, "unknown field"},
		{"POST", "/purge", `{"all":true}{}`, 400, "behind the object"},
		{"POST", "/purge", `{"older-than":"5"}`, 400, "not a duration"},
		{"POST", "/purge", `{"older-than":"-1d"}`, 400, "not a duration"},
		{"POST", "/purge", `{"older-than":"7d"}`, 200, `"purged": 0`},
		{"POST", "/purge", `{"prefix":"example.com/"}`, 400, "not the beginning of a URL"},
		{"POST", "/purge", `{"regex":"("}`, 400, "not valid"},
		{"POST", "/purge", `{"url":"` + strings.Repeat("x", 1<<17) + `"}`, 400, "too large"},
		{"POST", "/explain", `{"url":"x"}`, 400, "absolute URL"},
		{"POST", "/explain", `{"url":"http://x/","origin":"perhaps"}`, 400, "auto, always and never"},
		{"POST", "/explain", `{"url":"http://x/","client":"me"}`, 400, "not an address"},
		{"POST", "/reload-log", `{}`, 404, "no access log"},
		{"GET", "/entry?url=x", "", 400, "absolute URL"},
		{"GET", "/entries?sort=x", "", 400, "sort is"},
		{"GET", "/entries?limit=0", "", 400, "limit is"},
		{"GET", "/purge", "", 405, ""},
		{"GET", "/nothing", "", 404, ""},
	}
	for _, tt := range tests {
		status, text, _ := r.do(tt.method, tt.path, tt.body)
		if status != tt.status || !strings.Contains(text, tt.want) {
			t.Errorf("%s %s %.40s: %d, %q; want %d, %q", tt.method, tt.path, tt.body, status, text, tt.status, tt.want)
		}
	}
}

// TestGuard checks who may ask: security.md's rebinding and forgery, in the ways that browsers show them.
func TestGuard(t *testing.T) {
	r := newRig(t, Options{Names: []string{"Jay.Example."}})
	_, port, _ := net.SplitHostPort(r.addr)
	same := "Origin: http://" + r.addr
	tests := []struct {
		method, path, body string
		lines              []string
		status             int
	}{
		{"GET", "/stats", "", nil, 200},
		{"GET", "/stats", "", []string{"Host: localhost:" + port}, 200},
		{"GET", "/stats", "", []string{"Host: LOCALHOST"}, 200},
		{"GET", "/stats", "", []string{"Host: [::1]:9"}, 200},
		{"GET", "/stats", "", []string{"Host: jay.example:" + port}, 200},
		{"GET", "/stats", "", []string{"Host: evil.example:" + port}, 403},
		{"GET", "/stats", "", []string{"Host: 127.0.0.1.evil.example"}, 403},
		{"GET", "/stats", "", []string{"Host: 192.0.2.1"}, 403},
		{"GET", "/healthz", "", []string{"Host: evil.example"}, 403},
		{"GET", "/", "", []string{"Host: evil.example"}, 403},
		{"GET", "/stats", "", []string{same}, 200},
		{"GET", "/stats", "", []string{"Origin: http://evil.example"}, 403},
		{"GET", "/stats", "", []string{"Origin: null"}, 403},
		{"GET", "/stats", "", []string{"Origin: http://127.0.0.1:3128"}, 403},
		{"GET", "/stats", "", []string{"Origin: https://" + r.addr}, 403},
		{"GET", "/stats", "", []string{"Sec-Fetch-Site: cross-site"}, 403},
		{"GET", "/stats", "", []string{"Sec-Fetch-Site: same-site"}, 403},
		{"GET", "/stats", "", []string{"Sec-Fetch-Site: same-origin"}, 200},
		{"GET", "/", "", []string{"Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: document"}, 200},
		{"GET", "/", "", []string{"Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: iframe"}, 403},
		{"GET", "/stats", "", []string{"Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: document"}, 403},
		{"GET", "/stats", "", []string{"Via: 1.1 other"}, 403},
		{"POST", "/purge", `{"all":true}`, []string{"Origin: http://evil.example"}, 403},
		{"POST", "/purge", `{"all":true}`, []string{"Content-Type: text/plain"}, 415},
		{"POST", "/purge", `{"all":true}`, []string{"Content-Type: application/x-www-form-urlencoded"}, 415},
		{"POST", "/purge", `{"all":true}`, []string{same, "Content-Type: application/json; charset=utf-8"}, 200},
	}
	for _, tt := range tests {
		status, text, h := r.do(tt.method, tt.path, tt.body, tt.lines...)
		if status != tt.status {
			t.Errorf("%s %s with %q: %d, %q; want %d", tt.method, tt.path, tt.lines, status, text, tt.status)
		}
		if h.Get("Content-Security-Policy") == "" || h.Get("Cache-Control") != "no-store" || h.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s %s: %v lacks a guard", tt.method, tt.path, h)
		}
	}
}

// TestNotThroughProxies checks that the server takes no request in a proxy's form, and that the proxy does not lead to it.
func TestNotThroughProxies(t *testing.T) {
	r := newRig(t, Options{})
	_, port, _ := net.SplitHostPort(r.addr)
	for _, line := range []string{"GET http://127.0.0.1/stats HTTP/1.1\r\nHost: 127.0.0.1", "CONNECT 127.0.0.1:80 HTTP/1.1\r\nHost: 127.0.0.1:80"} {
		c, err := net.Dial("tcp", r.addr)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(c, "%s\r\nConnection: close\r\n\r\n", line)
		b, _ := io.ReadAll(c)
		c.Close()
		if got := string(b[:min(len(b), 12)]); got != "HTTP/1.1 403" {
			t.Errorf("%s: %q; want 403", line, b)
		}
	}
	for _, host := range []string{"127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "0.0.0.0"} {
		resp, err := r.via.Get("http://" + host + ":" + port + "/stats")
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != 508 {
			t.Errorf("%s through the proxy: %d; want 508", host, resp.StatusCode)
		}
	}
}

func TestToken(t *testing.T) {
	r := newRig(t, Options{Token: "0123456789abcdef"})
	tests := []struct {
		path, authorization string
		status              int
	}{
		{"/", "", 200}, {"/healthz", "", 200}, {"/readyz", "", 200},
		{"/stats", "", 401}, {"/metrics", "", 401}, {"/stats", "Bearer 0123456789abcdeF", 401}, {"/stats", "Bearer ", 401},
		{"/stats", "Basic 0123456789abcdef", 401}, {"/stats", "0123456789abcdef", 401},
		{"/stats", "Bearer 0123456789abcdef", 200}, {"/metrics", "bearer 0123456789abcdef", 200},
	}
	for _, tt := range tests {
		status, _, h := r.do("GET", tt.path, "", "Authorization: "+tt.authorization)
		if status != tt.status || (status == 401) != (h.Get("WWW-Authenticate") != "") {
			t.Errorf("%s with %q: %d; want %d", tt.path, tt.authorization, status, tt.status)
		}
	}
}

func TestReadyAndReload(t *testing.T) {
	var reopen error
	r := newRig(t, Options{ReopenLog: func() error { return reopen }})
	if status, text, _ := r.do("GET", "/readyz", ""); status != 200 || text != "ready\n" {
		t.Errorf("%d, %q; want ready", status, text)
	}
	if status, text, _ := r.do("POST", "/reload-log", "{}"); status != 200 || !strings.Contains(text, `"reopened": true`) {
		t.Errorf("reload: %d, %q", status, text)
	}
	reopen = errors.New("no space")
	if status, text, _ := r.do("POST", "/reload-log", "{}"); status != 500 || !strings.Contains(text, "no space") {
		t.Errorf("failing reload: %d, %q", status, text)
	}
	r.s.Drain()
	if status, text, _ := r.do("GET", "/readyz", ""); status != 503 || text != "stopping\n" {
		t.Errorf("%d, %q; want 503, stopping", status, text)
	}
}

func TestStripQuery(t *testing.T) {
	r := newRig(t, Options{StripQuery: true})
	r.fetch("/a?secret")
	if _, text, _ := r.do("GET", "/recent", ""); strings.Contains(text, "secret") || !strings.Contains(text, "/a\"") {
		t.Errorf("the query is not stripped in %s", text)
	}
}

func TestMetrics(t *testing.T) {
	r := newRig(t, Options{Version: "v1", LogDropped: func() int64 { return 7 }})
	r.fetch("/a")
	r.fetch("/a")
	status, text, _ := r.do("GET", "/metrics", "")
	if status != 200 {
		t.Fatalf("%d: %s", status, text)
	}
	for _, want := range []string{
		`jay_request_duration_seconds_count{decision="hit"} 1`, `jay_request_duration_seconds_bucket{decision="miss",le="+Inf"} 1`,
		`jay_sent_bytes_total{decision="hit"} 10`, `jay_errors_total{type="dns_error"} 0`, "jay_cache_entries 1", `jay_policy_decisions_total{action="allow",rule="everybody"} 2`, "jay_log_dropped_lines_total 7",
		`jay_parent_up{parent="http://spare.example:3128"} 1`, `jay_parent_failures_total{parent="http://spare.example:3128"} 0`,
		`jay_build_info{goversion="` + runtime.Version() + `",version="v1"} 1`, "jay_tunnel_duration_seconds_count 0", "go_goroutines ", "process_open_fds ",
	} {
		if !strings.Contains(text, want) && !(strings.HasPrefix(want, "process_") && runtime.GOOS != "linux") {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	problems, err := promlint.New(strings.NewReader(text)).Lint()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("promlint: %s: %s", p.Metric, p.Text)
	}
}

func TestQuantile(t *testing.T) {
	bounds := []time.Duration{10 * time.Millisecond, 20 * time.Millisecond, 40 * time.Millisecond}
	tests := []struct {
		buckets []int64
		q       float64
		want    proxy.Seconds
	}{
		{[]int64{0, 0, 0, 0}, 0.5, 0}, {[]int64{10, 0, 0, 0}, 0.5, 0.005}, {[]int64{10, 10, 0, 0}, 0.75, 0.015},
		{[]int64{10, 10, 20, 0}, 1, 0.04}, {[]int64{0, 0, 0, 5}, 0.5, 0.04}, {[]int64{1, 0, 1, 0}, 0.99, 0.0396},
	}
	for _, tt := range tests {
		if got := quantile(tt.buckets, bounds, tt.q); max(got-tt.want, tt.want-got) > 1e-9 {
			t.Errorf("quantile(%v, %v) = %v; want %v", tt.buckets, tt.q, got, tt.want)
		}
	}
}

// TestHistory takes more samples than are kept.
func TestHistory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, err := proxy.New(proxy.Options{CacheBytes: 1 << 20})
		if err != nil {
			t.Fatal(err)
		}
		defer p.Shutdown(t.Context())
		s := New(Options{Proxy: p})
		time.Sleep((samplesKept+5)*10*time.Second + time.Second)
		synctest.Wait()
		r := s.history.report(s.opt.Interval)
		if n := len(r.Samples); n != samplesKept {
			t.Errorf("%d samples; want %d", n, samplesKept)
		}
		first, last := r.Samples[0].Time, r.Samples[samplesKept-1].Time
		if d := last.Sub(first); d != (samplesKept-1)*10*time.Second || time.Since(last) != time.Second {
			t.Errorf("the samples span %v, the last %v ago", d, time.Since(last))
		}
		if err := s.Shutdown(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

func TestSince(t *testing.T) {
	at := time.Unix(0, 0)
	a := state{at: at, hit: make([]int64, len(proxy.DurationBounds())+1), miss: make([]int64, len(proxy.DurationBounds())+1)}
	b := state{at: at.Add(10 * time.Second), hit: append([]int64{20}, a.hit[1:]...), miss: a.miss}
	b.stats.Requests, b.stats.Hits, b.stats.BytesOut, b.stats.BytesHit, b.stats.Connections = 40, 20, 1000, 500, 3
	got := since(&a, &b)
	want := Sample{Time: b.at, Requests: 4, Hits: 2, BytesOut: 100, BytesHit: 50, HitP50: 25e-6, HitP99: 49.5e-6, Connections: 3}
	if got.HitP50 = proxy.Seconds(float64(int(got.HitP50*1e7+0.5)) / 1e7); got.HitP99 > 49.4e-6 && got.HitP99 < 49.6e-6 {
		got.HitP99 = want.HitP99
	}
	if got != want {
		t.Errorf("got %+v; want %+v", got, want)
	}
}

func TestListen_Unix(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.sock")
	ln, err := Listen(t.Context(), "unix:"+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v; want mode 0600", info.Mode(), err)
	}
	if _, err := Listen(t.Context(), "unix:"+path, nil); err == nil {
		t.Error("a socket in use was replaced")
	}
	ln.(*net.UnixListener).SetUnlinkOnClose(false)
	ln.Close()
	again, err := Listen(t.Context(), "unix:"+path, nil)
	if err != nil {
		t.Fatalf("a stale socket is not replaced: %v", err)
	}
	again.Close()
	plain := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(plain, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if ln, err := Listen(t.Context(), "unix:"+plain, nil); err == nil {
		ln.Close()
		t.Error("a file was replaced by a socket")
	}
	if b, _ := os.ReadFile(plain); string(b) != "x" {
		t.Error("a file that is no socket was removed")
	}
}

// TestLimited has more clients than there is room for.
func TestLimited(t *testing.T) {
	r := newRig(t, Options{})
	var held []net.Conn
	for range maxConns {
		c, err := net.Dial("tcp", r.addr)
		if err != nil {
			t.Fatal(err)
		}
		held = append(held, c)
	}
	c, err := net.Dial("tcp", r.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if n, err := c.Read(make([]byte, 1)); n != 0 || err == nil {
		t.Errorf("one too many: %d, %v; want a closed connection", n, err)
	}
	for _, c := range held {
		c.Close()
	}
}

func TestPage(t *testing.T) {
	r := newRig(t, Options{})
	status, text, h := r.do("GET", "/", "")
	if status != 200 || text != page || !strings.HasPrefix(h.Get("Content-Type"), "text/html") {
		t.Errorf("%d, %d bytes, %v", status, len(text), h)
	}
	for _, element := range []string{"<style>", "<script>"} {
		if strings.Count(page, element) != 1 {
			t.Errorf("%d %s in the page; its policy is made for one", strings.Count(page, element), element)
		}
	}
	for _, bad := range []string{"src=\"http", "href=\"http", "url(http", "@import", " style=\"", "innerHTML", " onclick=\""} {
		if strings.Contains(page, bad) {
			t.Errorf("the page has %q", bad)
		}
	}
}
