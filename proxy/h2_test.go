package proxy

//lint:file-ignore SA1019 net/http's own client, which is to replace http2.Transport, sends no http:// URLs over TLS

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// inSecureBubble is inBubble with a listener for TLS. The function that test gets connects to it and agrees on HTTP/2.
func inSecureBubble(t *testing.T, o Options, serve func(*ask) string, test func(t *testing.T, w *world, dial func() *tls.Conn)) {
	t.Helper()
	inBubble(t, o, serve, func(t *testing.T, w *world) {
		cert, pool := certificate(t, "127.0.0.1")
		ln := &pipeListener{conns: make(chan net.Conn), done: make(chan struct{})}
		go w.p.ServeWith(ln, ListenOptions{TLS: &tls.Config{Certificates: []tls.Certificate{cert}}})
		test(t, w, func() *tls.Conn {
			here, there := net.Pipe()
			ln.conns <- there
			c := tls.Client(here, &tls.Config{RootCAs: pool, ServerName: "127.0.0.1", NextProtos: []string{"h2"}})
			if err := c.Handshake(); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { here.Close() })
			return c
		})
	})
}

// client2 makes an HTTP/2 client of a connection.
func client2(t *testing.T, c *tls.Conn) *http2.ClientConn {
	t.Helper()
	cc, err := new(http2.Transport).NewClientConn(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cc.Close() })
	return cc
}

// connect2 opens a tunnel; what is written to the pipe goes into it.
func connect2(t *testing.T, cc *http2.ClientConn, to string) (*http.Response, *io.PipeWriter) {
	t.Helper()
	r, w := io.Pipe()
	req := h2Request("CONNECT", "https://"+to, r)
	req.Host = to
	res, err := cc.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	return res, w
}

// TestH2_connect_RFC9113_8_5 checks a tunnel in a stream: bytes both ways, and the end of the client's direction before the
// other's.
func TestH2_connect_RFC9113_8_5(t *testing.T) {
	inSecureBubble(t, Options{}, nil, func(t *testing.T, w *world, dial func() *tls.Conn) {
		w.origin.raw = func(c net.Conn) {
			defer c.Close()
			b, _ := io.ReadAll(io.LimitReader(c, 5))
			io.WriteString(c, "got "+string(b))
			io.Copy(io.Discard, c) // pipes have no half-close: the end of the stream closes
		}
		res, in := connect2(t, client2(t, dial()), "192.0.2.1:443")
		if res.StatusCode != 200 {
			t.Fatalf("got %d; want 200", res.StatusCode)
		}
		io.WriteString(in, "hello")
		b := make([]byte, 9)
		if _, err := io.ReadFull(res.Body, b); string(b) != "got hello" {
			t.Errorf("got %q, %v; want got hello", b, err)
		}
		in.Close()
		if rest, err := io.ReadAll(res.Body); len(rest) > 0 || err != nil {
			t.Errorf("got %q, %v; want the end", rest, err)
		}
		synctest.Wait()
		if n := w.p.Stats().OpenTunnels; n != 0 {
			t.Errorf("%d tunnels are open; want none", n)
		}
	})
}

// TestH2_connectHalfClose checks over real sockets that the end of the client's direction reaches the origin as such, and
// that the answer to it still comes.
func TestH2_connectHalfClose(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			b, _ := io.ReadAll(c)
			io.WriteString(c, strings.ToUpper(string(b)))
			c.Close()
		}
	}()
	s := newSecureWorld(t, Options{Dial: new(net.Dialer).DialContext}, nil)
	res, in := connect2(t, s.h2(), ln.Addr().String())
	io.WriteString(in, strings.Repeat("x", 100_000))
	in.Close()
	if b, err := io.ReadAll(res.Body); err != nil || string(b) != strings.Repeat("X", 100_000) {
		t.Errorf("got %d bytes, %v; want 100000", len(b), err)
	}
}

// TestH2_connectReset checks that an origin's reset ends the stream with one.
func TestH2_connectReset(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	go func() {
		c, err := ln.Accept()
		if err != nil {
			return
		}
		io.ReadFull(c, make([]byte, 1))
		c.(*net.TCPConn).SetLinger(0)
		c.Close()
	}()
	s := newSecureWorld(t, Options{Dial: new(net.Dialer).DialContext}, nil)
	res, in := connect2(t, s.h2(), ln.Addr().String())
	io.WriteString(in, "x")
	var reset http2.StreamError
	if b, err := io.ReadAll(res.Body); !errors.As(err, &reset) {
		t.Errorf("got %q, %v; want a reset stream", b, err)
	}
}

// TestH2_refusedTunnel checks that a refusal of CONNECT is an answer like others, and leaves the connection alone.
func TestH2_refusedTunnel(t *testing.T) {
	inSecureBubble(t, Options{}, nil, func(t *testing.T, w *world, dial func() *tls.Conn) {
		w.origin.refuses = "192.0.2.1:443"
		cc := client2(t, dial())
		for range 2 {
			res, in := connect2(t, cc, "192.0.2.1:443")
			if b, err := io.ReadAll(res.Body); res.StatusCode != 502 || err != nil || !strings.Contains(string(b), "refused") {
				t.Errorf("got %d %q, %v; want 502", res.StatusCode, b, err)
			}
			in.Close()
		}
	})
}

// TestH2_trailers checks trailers and interim answers, in both directions where there are two.
func TestH2_trailers(t *testing.T) {
	inSecureBubble(t, Options{}, func(a *ask) string {
		a.say("HTTP/1.1 103 Early Hints\r\nLink: </style>\r\n\r\n")
		return strings.TrimSuffix(chunked("Cache-Control: no-store\r\nETag: \"1\"\r\nTrailer: Check, ETag\r\n", "one", "two"), "\r\n") + "Check: sum\r\n\r\n"
	}, func(t *testing.T, w *world, dial func() *tls.Conn) {
		req := h2Request("POST", host+"/", struct{ io.Reader }{strings.NewReader("body")})
		req.Trailer = http.Header{"Digest": {"abc"}}
		res, body := h2Do(t, client2(t, dial()), req)
		if body != "onetwo" || res.Trailer.Get("Check") != "sum" || res.Trailer.Get("ETag") != "" {
			t.Errorf("got %q, trailers %v; want onetwo, Check: sum", body, res.Trailer)
		}
		if a := w.origin.last(); a.body != "body" || a.get("Transfer-Encoding") != "chunked" || a.get("Trailer") != "Digest" {
			t.Errorf("origin got %q with %q; want body, chunked", a.body, a.head)
		}
	})
}

// TestH2_self checks that a request for the name and port of the proxy itself gets its own page, as in HTTP/1.1 an
// origin-form target does.
func TestH2_self(t *testing.T) {
	s := newSecureWorld(t, Options{}, nil)
	if res, body := h2Do(t, s.h2(), h2Request("GET", "https://"+s.addr+"/", nil)); res.StatusCode != 200 || !strings.Contains(body, "Jay") {
		t.Errorf("got %d %.60q; want the proxy's own page", res.StatusCode, body)
	}
	if _, body := h2Do(t, s.h2(), h2Request("GET", "https://"+s.addr+"/proxy.pac", nil)); !strings.Contains(body, "HTTPS "+s.addr) {
		t.Errorf("got the PAC file %q; want HTTPS %s in it", body, s.addr)
	}
	if n := s.origin.count(""); n != 0 {
		t.Errorf("%d requests went out; want none", n)
	}
}

// TestH2_gone checks that a client's reset ends the fetch that nobody else waits for.
func TestH2_gone(t *testing.T) {
	inSecureBubble(t, Options{}, func(a *ask) string {
		if a.target == "/hangs" {
			a.gone()
			return ""
		}
		a.say("HTTP/1.1 200 OK\r\nCache-Control: no-store\r\n\r\nstart")
		a.gone()
		return ""
	}, func(t *testing.T, w *world, dial func() *tls.Conn) {
		cc := client2(t, dial())
		for _, path := range []string{"/hangs", "/begins"} {
			ctx, cancel := context.WithCancel(t.Context())
			go func() {
				if res, err := cc.RoundTrip(h2Request("GET", host+path, nil).WithContext(ctx)); err == nil {
					io.Copy(io.Discard, res.Body)
				}
			}()
			time.Sleep(time.Second)
			cancel()
			synctest.Wait()
			w.p.mu.Lock()
			if w.p.streams != 0 {
				t.Errorf("%s: %d streams are left; want none", path, w.p.streams)
			}
			w.p.mu.Unlock()
		}
		w.origin.close() // waits for the origin to see both ends
	})
}

// TestH2_cutUpload checks that a body that the client gives up does not reach the origin as whole.
func TestH2_cutUpload(t *testing.T) {
	for _, length := range []int64{-1, 100} {
		inSecureBubble(t, Options{}, always(respond(200, "body")), func(t *testing.T, w *world, dial func() *tls.Conn) {
			r, in := io.Pipe()
			req := h2Request("POST", host+"/", r)
			req.ContentLength = length
			go func() {
				io.WriteString(in, "some")
				time.Sleep(time.Second)
				in.CloseWithError(errors.New("given up"))
			}()
			if res, err := client2(t, dial()).RoundTrip(req); err == nil {
				t.Errorf("got %d; want an error", res.StatusCode)
			}
			synctest.Wait()
			if a := w.origin.last(); a.err == nil {
				t.Errorf("origin got %q as a whole body", a.body)
			}
		})
	}
}

// TestH2_shutdown checks that Shutdown lets running streams end, tells idle clients, and leaves nothing behind.
func TestH2_shutdown(t *testing.T) {
	inSecureBubble(t, Options{}, func(a *ask) string {
		time.Sleep(5 * time.Second)
		return respond(200, "late", "Cache-Control: no-store")
	}, func(t *testing.T, w *world, dial func() *tls.Conn) {
		idle, busy := client2(t, dial()), client2(t, dial())
		got := make(chan string)
		go func() {
			_, body := h2Do(t, busy, h2Request("GET", host+"/", nil))
			got <- body
		}()
		time.Sleep(time.Second)
		began := time.Now()
		ended := make(chan error)
		go func() {
			ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
			defer cancel()
			ended <- w.p.Shutdown(ctx)
		}()
		if body := <-got; body != "late" {
			t.Errorf("got %q; want late", body)
		}
		if err := <-ended; err != nil || time.Since(began) > 10*time.Second {
			t.Errorf("Shutdown: got %v after %v; want nil soon after the last answer", err, time.Since(began))
		}
		synctest.Wait()
		if !idle.State().Closed || !busy.State().Closed {
			t.Errorf("connections are closed: %v, %v; want both", idle.State().Closed, busy.State().Closed)
		}
	})
}

// TestH2_shutdownCuts checks that what does not end in time is reset, and nothing is left.
func TestH2_shutdownCuts(t *testing.T) {
	inSecureBubble(t, Options{}, func(a *ask) string {
		a.say("HTTP/1.1 200 OK\r\nCache-Control: no-store\r\n\r\nstart")
		a.gone()
		return ""
	}, func(t *testing.T, w *world, dial func() *tls.Conn) {
		res, err := client2(t, dial()).RoundTrip(h2Request("GET", host+"/", nil))
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
		defer cancel()
		if err := w.p.Shutdown(ctx); err == nil {
			t.Error("Shutdown: got nil; want that something was cut")
		}
		if b, err := io.ReadAll(res.Body); err == nil {
			t.Errorf("got %q and a clean end; want an error", b)
		}
	})
}

// TestH2_limits checks that streams count as connections of their client.
func TestH2_limits(t *testing.T) {
	inSecureBubble(t, Options{MaxConnections: 3}, func(a *ask) string {
		time.Sleep(time.Minute)
		return respond(200, "late", "Cache-Control: no-store")
	}, func(t *testing.T, w *world, dial func() *tls.Conn) {
		cc := client2(t, dial())
		codes := make(chan int)
		for _, path := range []string{"/1", "/2", "/3", "/4"} {
			go func() {
				res, _ := h2Do(t, cc, h2Request("GET", host+path, nil))
				codes <- res.StatusCode
			}()
			synctest.Wait()
		}
		if a, b, c, d := <-codes, <-codes, <-codes, <-codes; a != 503 || b != 503 || c != 200 || d != 200 {
			t.Errorf("got %d, %d, %d, %d; want two refused at once and two answered", a, b, c, d)
		}
	})
}

// TestH2_unreadUploads checks that uploads that an origin does not read hold up no other stream of the connection.
func TestH2_unreadUploads(t *testing.T) {
	inSecureBubble(t, Options{}, always(respond(200, "body", "Cache-Control: no-store")), func(t *testing.T, w *world, dial func() *tls.Conn) {
		w.origin.raw = func(c net.Conn) {
			defer c.Close()
			time.Sleep(10 * time.Second)
		}
		cc := client2(t, dial())
		for range 8 {
			_, in := connect2(t, cc, "192.0.2.1:443")
			go in.Write(make([]byte, 1<<20))
		}
		synctest.Wait()
		w.origin.raw = nil
		began := time.Now()
		res, body := h2Do(t, cc, h2Request("POST", host+"/", strings.NewReader(strings.Repeat("x", 10_000))))
		if res.StatusCode != 200 || body != "body" || time.Since(began) > time.Second {
			t.Errorf("got %d %q after %v; want 200 at once", res.StatusCode, body, time.Since(began))
		}
	})
}

// raw2 is a client that writes frames as it likes.
type raw2 struct {
	t *testing.T
	*http2.Framer
	out  bytes.Buffer
	pack *hpack.Encoder
	conn net.Conn
}

func newRaw2(t *testing.T, c net.Conn) *raw2 {
	t.Helper()
	r := &raw2{t: t, Framer: http2.NewFramer(c, c), conn: c}
	r.pack = hpack.NewEncoder(&r.out)
	r.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	if _, err := io.WriteString(c, http2.ClientPreface); err != nil {
		t.Fatal(err)
	}
	if err := r.WriteSettings(); err != nil {
		t.Fatal(err)
	}
	return r
}

// block is a header block of fields, in pairs.
func (r *raw2) block(fields ...string) []byte {
	r.out.Reset()
	for i := 0; i < len(fields); i += 2 {
		r.pack.WriteField(hpack.HeaderField{Name: fields[i], Value: fields[i+1]})
	}
	return bytes.Clone(r.out.Bytes())
}

// get are the fields of an ordinary request.
func get2(more ...string) []string {
	return append([]string{":method", "GET", ":scheme", "http", ":authority", "192.0.2.1", ":path", "/"}, more...)
}

// outcome is what becomes of a stream: its status, or "RST" or "GOAWAY" with the code.
func (r *raw2) outcome(stream uint32) string {
	for {
		f, err := r.ReadFrame()
		if err != nil {
			return "closed"
		}
		switch f := f.(type) {
		case *http2.MetaHeadersFrame:
			if f.StreamID == stream {
				return f.PseudoValue("status")
			}
		case *http2.RSTStreamFrame:
			if f.StreamID == stream {
				return "RST " + f.ErrCode.String()
			}
		case *http2.GoAwayFrame:
			return "GOAWAY " + f.ErrCode.String()
		}
	}
}

// TestH2_malformed_RFC9113_8_2 checks that nothing of a malformed request gets to the origin.
func TestH2_malformed_RFC9113_8_2(t *testing.T) {
	for _, tt := range []struct {
		name   string
		fields []string
		body   string // "": the stream ends with its head
		want   string
	}{
		{"plain", get2(), "", "200"},
		{"upper case", get2("X-Upper", "a"), "", "RST PROTOCOL_ERROR"},
		{"connection field", get2("connection", "close"), "", "400"},
		{"transfer-encoding", get2("transfer-encoding", "chunked"), "", "400"},
		{"upgrade", get2("upgrade", "websocket"), "", "400"},
		{"proxy-connection", get2("proxy-connection", "close"), "", "400"},
		{"TE", get2("te", "gzip"), "", "400"},
		{"CRLF in a value", get2("x-a", "b\r\nHost: evil"), "", "RST PROTOCOL_ERROR"},
		{"LF in a value", get2("x-a", "b\nc"), "", "RST PROTOCOL_ERROR"},
		{"space in a name", get2("x a", "b"), "", "RST PROTOCOL_ERROR"},
		{"colon in a name", get2("x:a", "b"), "", "RST PROTOCOL_ERROR"},
		{"space in the path", []string{":method", "GET", ":scheme", "http", ":authority", "192.0.2.1", ":path", "/ HTTP/1.1"}, "", "400"},
		{"CRLF in the path", []string{":method", "GET", ":scheme", "http", ":authority", "192.0.2.1", ":path", "/\r\nHost: evil"}, "", "RST PROTOCOL_ERROR"},
		{"space in the method", []string{":method", "GET /evil HTTP/1.1", ":scheme", "http", ":authority", "192.0.2.1", ":path", "/"}, "", "400"},
		{"no path", []string{":method", "GET", ":scheme", "http", ":authority", "192.0.2.1"}, "", "RST PROTOCOL_ERROR"},
		{"empty path", []string{":method", "GET", ":scheme", "http", ":authority", "192.0.2.1", ":path", ""}, "", "RST PROTOCOL_ERROR"},
		{"absolute path", []string{":method", "GET", ":scheme", "http", ":authority", "192.0.2.1", ":path", "http://evil/"}, "", "RST PROTOCOL_ERROR"},
		{"asterisk of GET", []string{":method", "GET", ":scheme", "http", ":authority", "192.0.2.1", ":path", "*"}, "", "400"},
		{"other scheme", []string{":method", "GET", ":scheme", "ftp", ":authority", "192.0.2.1", ":path", "/"}, "", "RST PROTOCOL_ERROR"},
		{"two paths", get2(":path", "/b"), "", "RST PROTOCOL_ERROR"},
		{"other host", get2("host", "evil"), "", "RST PROTOCOL_ERROR"},
		{"user in the authority", []string{":method", "GET", ":scheme", "http", ":authority", "a@192.0.2.1", ":path", "/"}, "", "RST PROTOCOL_ERROR"},
		{"bad authority", []string{":method", "GET", ":scheme", "http", ":authority", "192.0.2.1/evil", ":path", "/"}, "", "400"},
		{"pseudo-field last", append([]string{"x-a", "b"}, get2()...), "", "RST PROTOCOL_ERROR"},
		{"two lengths", get2("content-length", "1", "content-length", "2"), "a", "400"},
		{"bad length", get2("content-length", "+1"), "a", "400"},
		{"short body", get2("content-length", "5"), "abc", "400"},
		{"long body", get2("content-length", "2"), "abc", "RST PROTOCOL_ERROR"},
		{"length without a body", get2("content-length", "5"), "", "400"},
		{"CONNECT with a path", []string{":method", "CONNECT", ":authority", "192.0.2.1:443", ":path", "/"}, "", "RST PROTOCOL_ERROR"},
		{"CONNECT without a port", []string{":method", "CONNECT", ":authority", "192.0.2.1"}, "", "400"},
		{"extended CONNECT", []string{":method", "CONNECT", ":protocol", "websocket", ":scheme", "https", ":authority", "192.0.2.1:443", ":path", "/"}, "", "RST PROTOCOL_ERROR"},
	} {
		inSecureBubble(t, Options{}, func(a *ask) string {
			if a.err != nil {
				return ""
			}
			return respond(200, "body", "Cache-Control: no-store")
		}, func(t *testing.T, w *world, dial func() *tls.Conn) {
			r := newRaw2(t, dial())
			r.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, EndHeaders: true, EndStream: tt.body == "", BlockFragment: r.block(tt.fields...)})
			if tt.body != "" {
				r.WriteData(1, true, []byte(tt.body))
			}
			if got := r.outcome(1); got != tt.want && !(tt.want == "400" && got == "RST PROTOCOL_ERROR") {
				t.Errorf("%s: got %s; want %s", tt.name, got, tt.want)
			}
			r.conn.Close()
			synctest.Wait()
			if a := w.origin.last(); tt.want != "200" && a.line != "" && a.err == nil {
				t.Errorf("%s: the origin got %q", tt.name, a.line)
			}
		})
	}
}

// TestH2_floods checks that a client that abuses the protocol loses its connection, or is held up, and that memory stays
// bounded (RFC 9113 §10.5; CVE-2023-44487, CVE-2023-45288).
func TestH2_floods(t *testing.T) {
	for name, flood := range map[string]func(r *raw2) error{
		"rapid reset": func(r *raw2) error {
			for id := uint32(1); id < 40_000; id += 2 {
				if err := r.WriteHeaders(http2.HeadersFrameParam{StreamID: id, EndHeaders: true, EndStream: true, BlockFragment: r.block(get2()...)}); err != nil {
					return err
				}
				if err := r.WriteRSTStream(id, http2.ErrCodeCancel); err != nil {
					return err
				}
			}
			return nil
		},
		"continuation": func(r *raw2) error {
			if err := r.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: r.block(get2()...)}); err != nil {
				return err
			}
			for range 10_000 {
				if err := r.WriteContinuation(1, false, r.block("x-fill", strings.Repeat("a", 8<<10))); err != nil {
					return err
				}
			}
			return nil
		},
		"ping": func(r *raw2) error {
			for range 2_000_000 {
				if err := r.WritePing(false, [8]byte{}); err != nil {
					return err
				}
			}
			return nil
		},
	} {
		s := newSecureWorld(t, Options{}, func(a *ask) string { a.gone(); return "" })
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		c := s.dial("h2")
		r := newRaw2(t, c)
		if name != "ping" { // whose sender does not read the answers
			go io.Copy(io.Discard, c)
		}
		c.SetDeadline(time.Now().Add(20 * time.Second))
		if err := flood(r); err == nil && name != "rapid reset" { // which costs no more than as many requests
			t.Errorf("%s: the connection bore all of it", name)
		}
		runtime.ReadMemStats(&after)
		if grown := int64(after.HeapAlloc) - int64(before.HeapAlloc); grown > 64<<20 {
			t.Errorf("%s: memory grew by %d MiB", name, grown>>20)
		}
		c.Close()
		if res, _ := h2Do(t, s.h2(), h2Request("OPTIONS", "https://"+s.addr+"/", nil)); res.StatusCode == 0 {
			t.Errorf("%s: others are not served", name)
		}
	}
}

// TestH2_largeHead checks that a head beyond the limit is refused and that the connection goes on.
func TestH2_largeHead(t *testing.T) {
	inSecureBubble(t, Options{}, always(respond(200, "body", "Cache-Control: no-store")), func(t *testing.T, w *world, dial func() *tls.Conn) {
		cc := client2(t, dial())
		h2Do(t, cc, h2Request("GET", host+"/", nil))
		var many []string
		for range 300 {
			many = append(many, "X-Many: 1")
		}
		if res, _ := h2Do(t, cc, h2Request("GET", host+"/", nil, many...)); res.StatusCode != 431 {
			t.Errorf("300 fields: got %d; want 431", res.StatusCode)
		}
		if res, _ := h2Do(t, cc, h2Request("GET", host+"/"+strings.Repeat("a", 20_000), nil)); res.StatusCode != 414 {
			t.Errorf("long URL: got %d; want 414", res.StatusCode)
		}
		if res, _ := h2Do(t, cc, h2Request("GET", host+"/", nil)); res.StatusCode != 200 {
			t.Errorf("afterwards: got %d; want 200", res.StatusCode)
		}
	})
}

// TestH2_slowReader checks that a client that opens no window loses its stream in the time of WriteTimeout, and that the
// proxy has buffered next to nothing for it.
func TestH2_slowReader(t *testing.T) {
	inSecureBubble(t, Options{WriteTimeout: 5 * time.Second, MaxObjectBytes: 1 << 20}, func(a *ask) string {
		a.say("HTTP/1.1 200 OK\r\nCache-Control: no-store\r\nContent-Length: 100000000\r\n\r\n")
		for range 100 {
			if a.say(strings.Repeat("x", 1_000_000)) != nil {
				break
			}
		}
		return ""
	}, func(t *testing.T, w *world, dial func() *tls.Conn) {
		r := newRaw2(t, dial())
		r.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, EndHeaders: true, EndStream: true, BlockFragment: r.block(get2()...)})
		if got := r.outcome(1); got != "200" {
			t.Fatalf("got %s; want 200", got)
		}
		began := time.Now()
		if got := r.outcome(1); !strings.HasPrefix(got, "RST") || time.Since(began) > 10*time.Second {
			t.Errorf("got %s after %v; want a reset after 5 s", got, time.Since(began))
		}
	})
}

// TestH2_idle checks that a connection without streams ends in the time of IdleTimeout.
func TestH2_idle(t *testing.T) {
	inSecureBubble(t, Options{IdleTimeout: 7 * time.Second}, nil, func(t *testing.T, w *world, dial func() *tls.Conn) {
		began := time.Now()
		if got := newRaw2(t, dial()).outcome(1); got != "GOAWAY NO_ERROR" || time.Since(began) > 10*time.Second {
			t.Errorf("got %s after %v; want GOAWAY after 7 s", got, time.Since(began))
		}
	})
}

// TestH2_storm has many clients ask, send, leave and tunnel at once: no answer is mixed up, and nothing is left.
func TestH2_storm(t *testing.T) {
	before := runtime.NumGoroutine()
	s := newSecureWorld(t, Options{}, func(a *ask) string {
		if a.method == "POST" {
			return respond(200, a.body, "Cache-Control: no-store")
		}
		name := a.target[1:]
		if strings.HasPrefix(name, "long") {
			return chunked("Cache-Control: max-age=60\r\n", strings.Repeat(name, 5000), strings.Repeat(name, 5000))
		}
		return respond(200, name, "Cache-Control: max-age=60")
	})
	var clients sync.WaitGroup
	for i := range 6 {
		cc := s.h2()
		for j := range 10 {
			clients.Go(func() {
				for k := range 8 {
					storm(t, cc, i+j+k, k)
				}
			})
		}
	}
	clients.Wait()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if err := s.p.Shutdown(ctx); err != nil {
		t.Errorf("Shutdown: %v", err)
	}
	s.origin.close()
	for range 100 {
		if runtime.NumGoroutine() <= before+10 {
			break
		}
		time.Sleep(50 * time.Millisecond) // the clients' own
	}
	if n := runtime.NumGoroutine(); n > before+10 {
		b := make([]byte, 1<<20)
		t.Errorf("%d goroutines are left; before there were %d\n%s", n, before, b[:runtime.Stack(b, true)])
	}
}

// storm is one request of TestH2_storm.
func storm(t *testing.T, cc *http2.ClientConn, n, kind int) {
	name := fmt.Sprintf("%d", n%7)
	switch kind % 4 {
	case 0:
		if _, body := h2Do(t, cc, h2Request("GET", host+"/"+name, nil)); body != name {
			t.Errorf("got %q; want %q", body, name)
		}
	case 1:
		want := strings.Repeat(name, 40_000)
		if _, body := h2Do(t, cc, h2Request("POST", host+"/"+name, strings.NewReader(want))); body != want {
			t.Errorf("got %d bytes back; want %d", len(body), len(want))
		}
	case 2:
		if _, body := h2Do(t, cc, h2Request("GET", host+"/long"+name, nil)); body != strings.Repeat("long"+name, 10_000) {
			t.Errorf("got %d bytes; want %d of %s", len(body), 10_000*len("long"+name), name)
		}
	default:
		ctx, cancel := context.WithCancel(t.Context())
		res, err := cc.RoundTrip(h2Request("GET", host+"/long-left"+name, nil).WithContext(ctx))
		if err == nil {
			io.ReadFull(res.Body, make([]byte, 100))
		}
		cancel()
	}
}
