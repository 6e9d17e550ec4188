package conformance

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/jayproxy/jay/e2e/rawhttp"
)

// failure is a check that did not hold. Setup failures mean that the case
// could not be run as planned.
type failure struct {
	setup bool
	text  string
}

// Error implements error.
func (f *failure) Error() string {
	if f.setup {
		return "set-up: " + f.text
	}
	return f.text
}

func fail(setup bool, format string, args ...any) error {
	return &failure{setup, fmt.Sprintf(format, args...)}
}

// checkResponse judges what the client received for request n.
func checkResponse(e *Entry, n int, resp *rawhttp.Response, token string) error {
	nums := strings.Fields(resp.Fields.Get("Request-Numbers"))
	seen := map[string]bool{}
	for _, num := range nums {
		if seen[num] {
			return fail(true, "request %s was sent again", num)
		}
		seen[num] = true
	}
	for _, check := range []func(*Entry, int, *rawhttp.Response, string) error{
		checkType, checkStatus, checkFields, checkBody, checkInterim,
	} {
		if err := check(e, n, resp, token); err != nil {
			return err
		}
	}
	return nil
}

func checkType(e *Entry, n int, resp *rawhttp.Response, _ string) error {
	count, err := strconv.Atoi(resp.Fields.Get("Server-Request-Count"))
	switch e.ExpectedType {
	case "cached":
		if resp.Code == 304 && err != nil {
			return nil
		}
		if err != nil || count >= n {
			return fail(e.setup("expected_type"), "does not come from the cache (%s)", cacheStatus(resp))
		}
	case "not_cached":
		if err != nil || count != n {
			return fail(e.setup("expected_type"), "comes from the cache (%s)", cacheStatus(resp))
		}
	}
	return nil
}

func cacheStatus(resp *rawhttp.Response) string {
	return fmt.Sprintf("%d; Cache-Status: %s", resp.Code, resp.Fields.Joined("Cache-Status"))
}

func checkStatus(e *Entry, _ int, resp *rawhttp.Response, _ string) error {
	if e.ExpectedStatus != nil {
		var want *int
		if err := json.Unmarshal(e.ExpectedStatus, &want); err != nil {
			return err
		}
		if want != nil && *want != resp.Code {
			return fail(e.setup("expected_status"), "got status %d; want %d (%s)", resp.Code, *want, cacheStatus(resp))
		}
		return nil
	}
	want := 200
	if e.ResponseStatus != nil {
		want = e.ResponseStatus.Code
	} else if resp.Code == 999 {
		return fail(e.setup("expected_type"), "the request should have been conditional")
	}
	if resp.Code != want {
		return fail(true, "got status %d; want %d (%s)", resp.Code, want, cacheStatus(resp))
	}
	return nil
}

func checkFields(e *Entry, _ int, resp *rawhttp.Response, _ string) error {
	for _, x := range e.ExpectedHeaders {
		if err := x.check(e, resp); err != nil {
			return err
		}
	}
	for _, x := range e.ExpectedMissing {
		got := resp.Fields.Joined(x.Name)
		if resp.Fields.Has(x.Name) && (x.Op == "" || strings.Contains(got, latin1(x.Value))) {
			return fail(e.setup("expected_response_headers_missing"), "got %s: %q; want it absent", x.Name, got)
		}
	}
	return nil
}

func (x *Expectation) check(e *Entry, resp *rawhttp.Response) error {
	setup, got := e.setup("expected_response_headers"), resp.Fields.Joined(x.Name)
	if !resp.Fields.Has(x.Name) {
		return fail(setup, "no %s", x.Name)
	}
	want, ok := "", true
	switch x.Op {
	case "is":
		want = latin1(x.Value)
		ok = got == want
	case "=":
		want = resp.Fields.Joined(x.Value)
		ok = got == want
	case "date":
		t := serverNow(resp, time.Time{}).Add(time.Duration(x.N) * time.Second)
		want = e.date(x.Name, t)
		ok = got == want
	case ">":
		want = "> " + strconv.Itoa(x.N)
		n, err := strconv.Atoi(got)
		ok = err == nil && n > x.N
	}
	if !ok {
		return fail(setup, "got %s: %q; want %q", x.Name, got, want)
	}
	return nil
}

func checkBody(e *Entry, _ int, resp *rawhttp.Response, token string) error {
	want := e.body(token)
	if e.ExpectedText != nil {
		var text *string
		if err := json.Unmarshal(e.ExpectedText, &text); err != nil {
			return err
		}
		if text == nil {
			return nil
		}
		want = *text
	}
	unchecked := e.CheckBody != nil && !*e.CheckBody
	if unchecked || resp.Code == 204 || resp.Code == 304 || e.Method == "HEAD" {
		return nil
	}
	if got := string(resp.Body); got != want {
		return fail(e.setup("expected_response_text"), "got body %q; want %q", got, want)
	}
	return nil
}

func checkInterim(e *Entry, _ int, resp *rawhttp.Response, _ string) error {
	if e.ExpectedInterim == nil {
		return nil
	}
	setup, want := e.setup("expected_interim_responses"), *e.ExpectedInterim
	if len(resp.Interim) != len(want) {
		return fail(setup, "got %d interim responses; want %d", len(resp.Interim), len(want))
	}
	for i, w := range want {
		got := &resp.Interim[i]
		if got.Code != w.Code {
			return fail(setup, "got interim %d; want %d", got.Code, w.Code)
		}
		for _, f := range w.Fields {
			if got.Fields.Joined(f[0]) != f[1] {
				return fail(setup, "got interim %s: %q; want %q", f[0], got.Fields.Joined(f[0]), f[1])
			}
		}
	}
	return nil
}

// checkRecords judges what the origin recorded, and that the client received
// the fields that the origin sent.
func (r *run) checkRecords(responses []*rawhttp.Response) error {
	for i := range r.c.Requests {
		e := &r.c.Requests[i]
		if e.ExpectedType == "cached" {
			continue // the origin did not see the request
		}
		rec := r.record(i + 1)
		if err := e.checkRecord(i+1, rec); err != nil {
			return err
		}
		if rec == nil {
			continue
		}
		for _, f := range rec.sent {
			got, want := responses[i].Fields.Joined(f.Name), rec.sent.Joined(f.Name)
			if got != want {
				return fail(true, "response %d: got %s: %q; want %q", i+1, f.Name, got, want)
			}
		}
	}
	return nil
}

func (r *run) record(n int) *record {
	for i := range r.records {
		if r.records[i].num == n {
			return &r.records[i]
		}
	}
	return nil
}

func (e *Entry) checkRecord(n int, rec *record) error {
	if rec == nil {
		rec = &record{}
	}
	typeSetup := e.setup("expected_type")
	switch {
	case e.ExpectedType == "etag_validated" && !rec.fields.Has("If-None-Match"):
		return fail(typeSetup, "request %d has no If-None-Match at the origin", n)
	case e.ExpectedType == "lm_validated" && !rec.fields.Has("If-Modified-Since"):
		return fail(typeSetup, "request %d has no If-Modified-Since at the origin", n)
	case e.ExpectedMethod != "" && rec.method != e.ExpectedMethod:
		return fail(e.setup("expected_method"), "request %d: got method %q at the origin; want %q", n, rec.method, e.ExpectedMethod)
	}
	for _, x := range e.ExpectedRequestHeaders {
		got := rec.fields.Joined(x.Name)
		if !rec.fields.Has(x.Name) || x.Op == "is" && got != latin1(x.Value) {
			return fail(e.setup("expected_request_headers"), "request %d: got %s: %q at the origin; want %q", n, x.Name, got, x.Value)
		}
	}
	for _, x := range e.ExpectedRequestMissing {
		got := rec.fields.Joined(x.Name)
		if rec.fields.Has(x.Name) && (x.Op == "" || strings.Contains(got, latin1(x.Value))) {
			return fail(e.setup("expected_request_headers_missing"), "request %d: got %s: %q at the origin; want it absent", n, x.Name, got)
		}
	}
	return nil
}
