package h2

import (
	"crypto/tls"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/net/http/httpguts"

	"github.com/jayproxy/jay/proxy/wire"
)

// FuzzStream_appendHead checks that whatever request the library lets through is either refused or becomes exactly one
// HTTP/1.1 request, which says the same about its method, its authority, its path, its fields and its body.
func FuzzStream_appendHead(f *testing.F) {
	f.Add("GET", "http", "a.test", "/", "x-a", "b", true)
	f.Add("POST", "https", "A.test:8080", "/a?b", "content-length", "5", false)
	f.Add("PUT", "http", "[::1]:80", "//a/", "cookie", "a\tb", false)
	f.Add("CONNECT", "", "a.test:443", "", "x-a", "", false)
	f.Add("OPTIONS", "http", "a.test", "*", "expect", "x", true)
	f.Add("GET /x", "http", "a.test/b", "/ HTTP/1.1", "host", "b", false)
	f.Fuzz(func(t *testing.T, method, scheme, authority, path, name, value string, ended bool) {
		r := received(method, scheme, authority, path, name, value, ended)
		if r == nil {
			return
		}
		s := &Stream{r: r}
		head, ok := s.appendHead(nil, func(string) bool { return false })
		var got wire.Request
		if !ok || wire.ParseRequest(string(head), wire.Limits{}, &got) != nil {
			return
		}
		target := scheme + "://" + authority + strings.TrimPrefix(path, "*")
		switch {
		case method == "CONNECT":
			target = authority
		case authority == "":
			target = path
		}
		if got.Method != method || got.Target != target || got.Minor != 1 || got.Fields.Get("Host") != authority {
			t.Errorf("got %s %s for %q; want %q %q", got.Method, got.Target, got.Fields.Get("Host"), method, target)
		}
		want := wire.Framing{Length: max(r.ContentLength, 0), Chunked: r.ContentLength < 0}
		if method != "CONNECT" && got.Body != want {
			t.Errorf("%q: got the body %+v; want %+v", head, got.Body, want)
		}
		n := 2 // Host and the field
		if want.Chunked && method != "CONNECT" {
			n++
		}
		if v := got.Fields.Get(name); v != strings.Trim(value, " \t") || got.Fields.Len() != n {
			t.Errorf("%q: got %s: %q, %d fields; want %q, %d", head, name, v, got.Fields.Len(), value, n)
		}
	})
}

// received is a request as the library gives it to handlers, nil if it would not.
func received(method, scheme, authority, path, name, value string, ended bool) *http.Request {
	r := &http.Request{Method: method, Host: authority, RequestURI: path, Header: http.Header{}, Body: http.NoBody}
	for _, text := range []string{method, authority, path, value} {
		if !httpguts.ValidHeaderFieldValue(text) {
			return nil
		}
	}
	if !httpguts.ValidHeaderFieldName(name) || strings.ToLower(name) != name || name == "host" || name == "trailer" || authority != "" && !httpguts.ValidHostHeader(authority) {
		return nil
	}
	switch {
	case method == "CONNECT" && (path != "" || scheme != "" || authority == ""):
		return nil
	case method == "CONNECT":
		r.RequestURI = authority
	case method == "" || path == "" || path[0] != '/' && path != "*" || scheme != "http" && scheme != "https" || strings.Contains(authority, "@"):
		return nil
	default:
		if _, err := url.ParseRequestURI(path); err != nil {
			return nil
		}
	}
	if scheme == "https" {
		r.TLS = &tls.ConnectionState{}
	}
	r.Header[http.CanonicalHeaderKey(name)] = []string{value}
	if connectionField(http.CanonicalHeaderKey(name)) || name == "te" && value != "trailers" {
		return nil
	}
	switch n, err := strconv.ParseUint(value, 10, 63); {
	case ended:
	case name != "content-length":
		r.ContentLength = -1
	case err == nil:
		r.ContentLength = int64(n)
	}
	return r
}
