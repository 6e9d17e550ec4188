package conformance

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/jayproxy/jay/e2e/origin"
	"github.com/jayproxy/jay/e2e/rawhttp"
)

// rfc850 is the obsolete date format of RFC 9110 section 5.6.7.
const rfc850 = "Monday, 02-Jan-06 15:04:05 GMT"

// record is what the origin keeps of one request and its answer.
type record struct {
	num    int // Req-Num
	method string
	fields rawhttp.Fields
	sent   rawhttp.Fields // the checked response fields, lines joined
	now    time.Time
}

// run is one case under way, shared by its client and its origin.
type run struct {
	c     *Case
	token string

	mu      sync.Mutex
	records []record
	sent    map[int]rawhttp.Fields // all entry fields as sent, by Req-Num
	seen    []*rawhttp.Response    // what the client was answered
}

// stage routes the requests of all running cases to their run by token.
type stage struct {
	mu   sync.Mutex
	runs map[string]*run
}

func (s *stage) add(r *run) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.runs[r.token] = r
}

func (s *stage) serve(x *origin.Exchange) {
	if _, err := x.ReadBody(); err != nil {
		x.Close()
		return
	}
	p := strings.Split(x.Path(), "/") // "", "test", token, filename
	s.mu.Lock()
	var r *run
	if len(p) >= 3 {
		r = s.runs[p[2]]
	}
	s.mu.Unlock()
	n, err := strconv.Atoi(x.Req.Fields.Get("Req-Num"))
	if r == nil || err != nil || n < 1 || n > len(r.c.Requests) {
		x.Reply("409 Conflict", nil, "no such case\n")
		return
	}
	r.answer(x, n)
}

// answer is what the origin does with the request of number n.
func (r *run) answer(x *origin.Exchange, n int) {
	e := &r.c.Requests[n-1]
	if e.ResponsePause > 0 {
		time.Sleep(time.Duration(e.ResponsePause) * time.Second)
	}
	for _, in := range e.Interim {
		var fs rawhttp.Fields
		for _, f := range in.Fields {
			fs = append(fs, rawhttp.Field{Name: f[0], Value: f[1]})
		}
		x.Head(fmt.Sprintf("%d %s", in.Code, reasons[in.Code]), fs)
	}
	now := time.Now()
	r.mu.Lock()
	status := r.status(x, e, n)
	fs := r.fields(x, e, n, now)
	r.mu.Unlock()
	if e.Disconnect {
		x.Close()
		return
	}
	r.send(x, status, fs, e.body(r.token))
}

var reasons = map[int]string{102: "Processing", 103: "Early Hints"}

// status picks the status; for a case that expects validation it is 304 if the
// request has the previous entry's validator, else the telltale 999.
func (r *run) status(x *origin.Exchange, e *Entry, n int) Status {
	if strings.HasSuffix(e.ExpectedType, "validated") {
		prev, req := r.sent[n-1], x.Req.Fields
		lm, tag := prev.Get("Last-Modified"), prev.Get("ETag")
		if lm != "" && req.Get("If-Modified-Since") == lm || tag != "" && req.Get("If-None-Match") == tag {
			return Status{304, "Not Modified"}
		}
		return Status{999, "304 Not Generated"}
	}
	if e.ResponseStatus != nil {
		return *e.ResponseStatus
	}
	return Status{200, "OK"}
}

// fields builds the response fields and records the request.
func (r *run) fields(x *origin.Exchange, e *Entry, n int, now time.Time) rawhttp.Fields {
	var entry, checked rawhttp.Fields
	for _, h := range e.ResponseHeaders {
		f := rawhttp.Field{Name: h.Name, Value: latin1(e.value(h, now, x.Req.Target))}
		entry = append(entry, f)
		if !h.Unchecked && !strings.EqualFold(h.Name, "Date") {
			checked = append(checked, f)
		}
	}
	r.sent[n] = entry
	r.records = append(r.records, record{n, x.Req.Method, x.Req.Fields, checked, now})
	var nums []string
	for _, rec := range r.records {
		nums = append(nums, strconv.Itoa(rec.num))
	}
	fs := rawhttp.F(
		"Server-Base-Url", x.Req.Target,
		"Server-Request-Count", strconv.Itoa(len(r.records)),
		"Client-Request-Count", strconv.Itoa(n),
		"Server-Now", strconv.FormatInt(now.UnixMilli(), 10),
		"Request-Numbers", strings.Join(nums, " "))
	fs = append(fs, entry...)
	if !fs.Has("Content-Type") {
		fs = append(fs, rawhttp.Field{Name: "Content-Type", Value: "text/plain"})
	}
	if !fs.Has("Date") {
		fs = append(fs, rawhttp.Field{Name: "Date", Value: origin.Date(now)})
	}
	return fs
}

// send writes the final response. A Transfer-Encoding of the case's own is no
// framing that anyone knows, so that the body ends with the connection (RFC
// 9112 section 6.3).
func (r *run) send(x *origin.Exchange, s Status, fs rawhttp.Fields, body string) {
	none := s.Code == 204 || s.Code == 304
	if fs.Has("Transfer-Encoding") {
		x.Close()
	} else if !none && !fs.Has("Content-Length") {
		fs = append(fs, rawhttp.Field{Name: "Content-Length", Value: strconv.Itoa(len(body))})
	}
	if cl := fs.Get("Content-Length"); cl != "" && cl != strconv.Itoa(len(body)) {
		x.Close() // more bytes than declared follow: nothing can come after them
	}
	if none || x.Req.Method == "HEAD" {
		body = ""
	}
	x.Send(fmt.Sprintf("HTTP/1.1 %d %s\r\n%s\r\n%s", s.Code, s.Reason, fs, body))
}

// value resolves dates and locations.
func (e *Entry) value(h Header, now time.Time, target string) string {
	if h.IsDate {
		if !slices.Contains([]string{"date", "expires", "last-modified", "if-modified-since", "if-unmodified-since"},
			strings.ToLower(h.Name)) {
			return strconv.Itoa(h.Seconds)
		}
		return e.date(h.Name, now.Add(time.Duration(h.Seconds)*time.Second))
	}
	if e.MagicLocations && (strings.EqualFold(h.Name, "Location") || strings.EqualFold(h.Name, "Content-Location")) {
		if h.Value == "" {
			return target
		}
		return target + "/" + h.Value
	}
	return h.Value
}

func (e *Entry) date(name string, t time.Time) string {
	if slices.ContainsFunc(e.RFC850Date, func(s string) bool { return strings.EqualFold(s, name) }) {
		return t.UTC().Format(rfc850)
	}
	return origin.Date(t)
}

// latin1 writes each character below U+0100 as one byte, as HTTP's obs-text.
func latin1(s string) string {
	b := make([]byte, 0, len(s))
	for _, c := range s {
		if c > 0xff {
			return s
		}
		b = append(b, byte(c))
	}
	return string(b)
}
