package proxy

//lint:file-ignore SA1019 see h2_test.go

import (
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/net/http2"

	"github.com/jayproxy/jay/proxy/policy"
)

// TestH2_sameAsHTTP1 checks answer by answer, and log line by log line, that HTTP/2 changes nothing but the framing. The two
// proxies live the same life, one with clients that speak HTTP/1.1 and one with those that speak HTTP/2.
func TestH2_sameAsHTTP1(t *testing.T) {
	rules := rulesOf(t,
		policy.Rule{Name: "no-put", Action: policy.Deny, Methods: []string{"PUT"}},
		policy.Rule{Name: "seen", Action: policy.Report, To: []string{"192.0.2.1", "93.184.216.34"}})
	login := guarded(t)
	for name, o := range map[string]Options{"plain": {}, "key": {CacheStatusKey: true, HideCacheStatus: true}, "rules": {Policy: rules}, "login": {Auth: login, MaxRequestBody: 10_000}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { compareProtocols(t, o) })
		})
	}
}

func compareProtocols(t *testing.T, o Options) {
	tw := newTwins(t, o)
	tw[1].p.noLane = false
	cert, pool := certificate(t, "127.0.0.1")
	ln := &pipeListener{conns: make(chan net.Conn), done: make(chan struct{})}
	go tw[1].p.ServeWith(ln, ListenOptions{TLS: &tls.Config{Certificates: []tls.Certificate{cert}}})
	dial := func(from string) *raw2 {
		here, there := net.Pipe()
		ln.conns <- &addressed{Conn: there, local: tcpAddr("10.0.0.1:3129"), remote: tcpAddr(from)}
		t.Cleanup(func() { here.Close() })
		return newRaw2(t, tls.Client(here, &tls.Config{RootCAs: pool, ServerName: "127.0.0.1", NextProtos: []string{"h2"}}))
	}
	clients := map[string]*raw2{"": dial(""), "10.0.0.7:1234": dial("10.0.0.7:1234")}
	streams := map[string]uint32{"": 1, "10.0.0.7:1234": 1}
	compared := 0
	for round := range 2 {
		for _, send := range corpus2() {
			for _, from := range []string{"", "10.0.0.7:1234"} {
				r := clients[from]
				if from != "" {
					send = strings.ReplaceAll(send, "192.0.2.1", "93.184.216.34")
				}
				fields, body, ok := asHTTP2(send)
				if !ok {
					continue
				}
				a := plainAnswer(t, tw[0].world, from, send)
				b := r.exchange(streams[from], fields, body)
				streams[from] += 2
				if a != b {
					t.Fatalf("round %d, from %q: %.300q\nHTTP/1.1: %.600s\nHTTP/2:   %.600s", round, from, send, a, b)
				}
				compared++
				synctest.Wait()
			}
		}
		time.Sleep(7 * time.Second)
	}
	if compared < 500 {
		t.Errorf("%d requests were compared; want more", compared)
	}
	for i := range tw {
		tw[i].log.Close()
	}
	one, two := strings.Split(tw[0].text.String(), "\n"), strings.Split(strings.ReplaceAll(tw[1].text.String(), `"HTTP/2.0"`, `"HTTP/1.1"`), "\n")
	for i := range min(len(one), len(two)) {
		if one[i] != two[i] {
			t.Fatalf("log line %d:\nHTTP/1.1: %s\nHTTP/2:   %s", i, one[i], two[i])
		}
	}
	if a, b := tw[0].p.Stats(), tw[1].p.Stats(); len(one) != len(two) || a.Requests != b.Requests || a.Hits != b.Hits || a.BytesHit != b.BytesHit {
		t.Errorf("got %d lines, %+v with HTTP/1.1; %d, %+v with HTTP/2", len(one), a, len(two), b)
	}
}

// corpus2 is the lane's corpus, and what the lane does not know.
func corpus2() []string {
	out := laneCorpus()
	for _, line := range []string{credentials("anna", "sesame"), credentials("anna", "wrong"), "Proxy-Authorization: Bearer x", "Proxy-Authorization: Basic !"} {
		out = append(out, request("GET", host+"/fresh", "", line), request("POST", host+"/fresh", "body", line))
	}
	for _, method := range []string{"POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "PURGE", "ODD", "GET"} {
		out = append(out,
			request(method, host+"/fresh", ""),
			request(method, host+"/fresh", "body"),
			request(method, host+"/large", strings.Repeat("x", 40_000)))
	}
	for _, target := range []string{"http://a_b.test/", "http://a..b/", "http://192.0.2.1:0/", "http://192.0.2.1:99999/", "http://[::1/", "http://192.0.2.1/#f", "http://127.0.0.1/", "http://10.0.0.1:3129/", "http://192.0.2.1/a\"<>\\^`{|}", "http://192.0.2.1/\xc3\xa4"} {
		authority := strings.SplitN(target, "/", 4)[2]
		out = append(out, "GET "+target+" HTTP/1.1\r\nHost: "+authority+"\r\n\r\n")
	}
	return out
}

// asHTTP2 are the fields and the body of a request, unless HTTP/2 cannot have it.
func asHTTP2(send string) (fields []string, body string, ok bool) {
	head, body, _ := strings.Cut(send, "\r\n\r\n")
	lines := strings.Split(head, "\r\n")
	method, rest, _ := strings.Cut(lines[0], " ")
	target, version, _ := strings.Cut(rest, " ")
	scheme, rest, absolute := strings.Cut(target, "://")
	if version != "HTTP/1.1" || !absolute {
		return nil, "", false
	}
	authority, path, _ := strings.Cut(rest, "/")
	fields = []string{":method", method, ":scheme", scheme, ":authority", authority, ":path", "/" + path}
	for _, line := range lines[1:] {
		name, value, _ := strings.Cut(line, ":")
		switch name = strings.ToLower(name); name {
		case "host":
		case "connection", "proxy-connection", "keep-alive", "upgrade", "transfer-encoding":
			return nil, "", false
		default:
			fields = append(fields, name, strings.TrimSpace(value))
		}
	}
	return fields, body, true
}

// exchange is what the request gets: its status, its fields in order of their names, and its body.
func (r *raw2) exchange(stream uint32, fields []string, body string) string {
	r.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, EndHeaders: true, EndStream: body == "", BlockFragment: r.block(fields...)})
	for len(body) > 0 {
		n := min(len(body), 16<<10)
		r.WriteData(stream, n == len(body), []byte(body[:n]))
		body = body[n:]
	}
	var out, text strings.Builder
	for {
		f, err := r.ReadFrame()
		if err != nil {
			return err.Error()
		}
		if f.Header().StreamID != stream {
			continue
		}
		switch f := f.(type) {
		case *http2.MetaHeadersFrame:
			var lines []string
			for _, h := range f.RegularFields() {
				lines = append(lines, h.Name+": "+h.Value)
			}
			out.WriteString(answerText(f.PseudoValue("status"), lines))
		case *http2.DataFrame:
			text.Write(f.Data())
			if n := f.Header().Length; n > 0 {
				r.WriteWindowUpdate(0, n)
			}
		case *http2.RSTStreamFrame:
			return "RST " + f.ErrCode.String()
		}
		if f.Header().Flags.Has(http2.FlagDataEndStream) {
			return boundary.ReplaceAllString(out.String()+text.String(), "jay")
		}
	}
}

// answerText puts an answer into words that both protocols have.
func answerText(status string, lines []string) string {
	lines = slices.DeleteFunc(lines, func(line string) bool {
		name, _, _ := strings.Cut(line, ":")
		return slices.Contains([]string{"connection", "transfer-encoding"}, name)
	})
	slices.Sort(lines)
	return fmt.Sprintf("%s\n%s\n\n", status, strings.Join(lines, "\n"))
}

// plainAnswer is what the request gets over HTTP/1.1.
func plainAnswer(t *testing.T, w *world, from, send string) string {
	t.Helper()
	here, there := net.Pipe()
	w.listener(Explicit).conns <- &addressed{Conn: there, local: tcpAddr("10.0.0.1:3129"), remote: tcpAddr(from)}
	defer here.Close()
	c := newClient(t, here)
	go io.WriteString(here, send)
	method, _, _ := strings.Cut(send, " ")
	a := c.read(method)
	var lines []string
	for line := range strings.SplitSeq(strings.TrimSuffix(a.head, "\r\n"), "\r\n") {
		name, value, _ := strings.Cut(line, ":")
		lines = append(lines, strings.ToLower(name)+": "+strings.TrimSpace(value))
	}
	return boundary.ReplaceAllString(answerText(fmt.Sprint(a.status), lines)+a.body, "jay")
}
