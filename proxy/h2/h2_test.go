package h2

import (
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jayproxy/jay/proxy/wire"
)

// never says that no authority is the server's own.
func never(string) bool { return false }

// written is what a client gets when an answer is written to a stream in pieces.
func written(t testing.TB, method, answer string, pieces func(string) []string) (*httptest.ResponseRecorder, error) {
	t.Helper()
	w := httptest.NewRecorder()
	s := newStream(&net.TCPConn{}, w, httptest.NewRequest(method, "/", nil))
	for _, p := range pieces(answer) {
		if _, err := s.Write([]byte(p)); err != nil {
			return w, err
		}
	}
	return w, nil
}

func whole(s string) []string { return []string{s} }

func letters(s string) []string { return strings.Split(s, "") }

// TestStream_write checks how answers in HTTP/1.1 become those of HTTP/2.
func TestStream_write(t *testing.T) {
	for _, tt := range []struct {
		name, method, answer string
		status               int
		fields               http.Header
		body                 string
		fails                bool
	}{
		{"length", "GET", "HTTP/1.1 200 OK\r\nContent-Length: 4\r\nX-a: 1\r\nX-A: 2\r\n\r\nbody", 200, http.Header{"Content-Length": {"4"}, "X-A": {"1", "2"}}, "body", false},
		{"stream", "GET", "HTTP/1.1 200 OK\r\nDate: now\r\n\r\nbody", 200, http.Header{"Date": {"now"}}, "body", false},
		{"connection fields", "GET", "HTTP/1.1 404 No\r\nConnection: close\r\nKeep-Alive: 5\r\nUpgrade: a\r\nContent-Length: 0\r\n\r\n", 404, http.Header{"Content-Length": {"0"}}, "", false},
		{"head", "HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n", 200, http.Header{"Content-Length": {"4"}}, "", false},
		{"not modified", "GET", "HTTP/1.1 304 No\r\nETag: \"a\"\r\n\r\n", 304, http.Header{"Etag": {`"a"`}}, "", false},
		{"too long", "GET", "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nbody!", 200, nil, "", true},
		{"malformed", "GET", "HTTP/1.1 20 OK\r\n\r\n", 0, nil, "", true},
	} {
		for _, pieces := range []func(string) []string{whole, letters} {
			w, err := written(t, tt.method, tt.answer, pieces)
			if (err != nil) != tt.fails {
				t.Errorf("%s: got error %v", tt.name, err)
			}
			if err != nil {
				continue
			}
			got := w.Result().Header
			for name, values := range got {
				if values == nil {
					delete(got, name)
				}
			}
			if w.Code != tt.status || !reflect.DeepEqual(got, tt.fields) || w.Body.String() != tt.body {
				t.Errorf("%s: got %d %v %q; want %d %v %q", tt.name, w.Code, got, w.Body, tt.status, tt.fields, tt.body)
			}
		}
	}
}

// FuzzWrite checks that it does not matter in which pieces an answer is written.
func FuzzWrite(f *testing.F) {
	f.Add("HTTP/1.1 103 Early\r\nLink: a\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nbody", 3)
	f.Add("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nbody", 18)
	f.Fuzz(func(t *testing.T, answer string, at int) {
		at = min(max(at, 0), len(answer))
		one, err := written(t, "GET", answer, whole)
		two, err2 := written(t, "GET", answer, func(s string) []string { return []string{s[:at], s[at:]} })
		if (err == nil) != (err2 == nil) {
			t.Errorf("%q at %d: got %v and %v", answer, at, err, err2)
		}
		if err == nil && (one.Code != two.Code || one.Body.String() != two.Body.String() || !reflect.DeepEqual(one.Header(), two.Header())) {
			t.Errorf("%q at %d: got %v and %v", answer, at, one, two)
		}
	})
}

// FuzzHead checks that a request becomes one head of HTTP/1.1 that says the same, or none: never more than one.
func FuzzHead(f *testing.F) {
	f.Add("GET", "example.com", "/path?query", "X-Name", "value", false)
	f.Add("CONNECT", "[::1]:443", "[::1]:443", "X-Name", "value", false)
	f.Add("OPTIONS", "example.com:80", "*", "Content-Length", "5", true)
	f.Add("GET / HTTP/1.1\r\nHost: evil\r\n\r\nGET", "a b", "/\r\n", "X: a\r\nY", "\r\n\r\n", true)
	f.Fuzz(func(t *testing.T, method, host, path, name, value string, secure bool) {
		r := &http.Request{Method: method, Host: host, RequestURI: path, URL: &url.URL{}, Header: http.Header{name: {value}}, Body: http.NoBody}
		if secure {
			r.TLS = &tls.ConnectionState{}
		}
		s := newStream(&net.TCPConn{}, httptest.NewRecorder(), r)
		head, ok := s.appendHead(nil, never)
		if !ok {
			return
		}
		if i := strings.Index(string(head), "\r\n\r\n"); i != len(head)-4 {
			t.Fatalf("%q: more than one head", head)
		}
		var req wire.Request
		if wire.ParseRequest(string(head), wire.Limits{}, &req) == nil && (req.Method != method || req.Fields.Len() != 2) {
			t.Errorf("%q: got %q with %d fields; want %q with 2", head, req.Method, req.Fields.Len(), method)
		}
	})
}

// TestStream_read checks that a read may be given up at its deadline and repeated, without losing a byte.
func TestStream_read(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		body, client := io.Pipe()
		r := httptest.NewRequest("POST", "/", nil)
		r.Host, r.RequestURI, r.Body, r.ContentLength = "a", "/", body, -1
		s := newStream(&net.TCPConn{}, httptest.NewRecorder(), r)
		if !s.Begin(never) {
			t.Fatal("Begin refuses")
		}
		got := ""
		read := func() error {
			p := make([]byte, 100)
			n, err := s.Read(p)
			got += string(p[:n])
			return err
		}
		if err := read(); err != nil || got != "POST http://a/ HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" {
			t.Fatalf("got %q, %v; want the head", got, err)
		}
		got = ""
		for range 2 {
			s.SetReadDeadline(time.Now().Add(time.Second))
			if err := read(); !os.IsTimeout(err) {
				t.Errorf("got %v; want a time-out", err)
			}
		}
		s.SetReadDeadline(time.Time{})
		go func() {
			fmt.Fprint(client, "hello")
			fmt.Fprint(client, "you")
			client.Close()
		}()
		for range 3 {
			if err := read(); err != nil {
				t.Errorf("got %v; want the body", err)
			}
		}
		if want := "5\r\nhello\r\n3\r\nyou\r\n0\r\n\r\n"; got != want {
			t.Errorf("got %q; want %q", got, want)
		}
		go func() {
			time.Sleep(time.Second)
			s.Close()
		}()
		if err := read(); err != io.ErrClosedPipe {
			t.Errorf("after Close: got %v; want %v", err, io.ErrClosedPipe)
		}
		s.retire()
	})
}
