package origin

import (
	"bufio"
	"fmt"
	"hash"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/jayproxy/jay/e2e/rawhttp"
)

const keptBody = 1 << 20

// Exchange is one request and the means to answer it.
type Exchange struct {
	// Req is the request. Its body fields are valid once the body was read.
	Req *Request

	o    *Origin
	conn net.Conn
	r    *bufio.Reader
	body *rawhttp.Body
	sum  hash.Hash
	over bool
}

// Read reads the request body, strictly de-chunked; io.EOF at its proven end.
func (x *Exchange) Read(p []byte) (int, error) {
	n, err := x.body.Read(p)
	x.o.mu.Lock()
	defer x.o.mu.Unlock()
	req := x.Req
	req.Size += int64(n)
	x.sum.Write(p[:n])
	if room := keptBody - len(req.Body); room > 0 {
		req.Body = append(req.Body, p[:min(room, n)]...)
	}
	if err == io.EOF && !req.Complete {
		req.Complete = true
		req.Trailers = x.body.Trailers()
		x.sum.Sum(req.Sum[:0])
	}
	return n, err
}

// ReadRaw reads the request body like Read and records no more of it than that
// it was read to its end; it is for bodies too large to be summed.
func (x *Exchange) ReadRaw(p []byte) (int, error) {
	n, err := x.body.Read(p)
	if err == io.EOF {
		x.o.mu.Lock()
		x.Req.Complete = true
		x.o.mu.Unlock()
	}
	return n, err
}

// ReadBody reads the whole request body and returns its first MiB.
func (x *Exchange) ReadBody() ([]byte, error) {
	err := x.drain()
	return x.Req.Body, err
}

func (x *Exchange) drain() error {
	_, err := io.CopyBuffer(io.Discard, struct{ io.Reader }{x}, make([]byte, 256<<10))
	x.o.violate(x.Req.Conn, err)
	return err
}

// Write sends bytes as they are.
func (x *Exchange) Write(p []byte) (int, error) {
	_ = x.conn.SetWriteDeadline(time.Now().Add(rawhttp.Timeout))
	return x.conn.Write(p)
}

// Send writes text as it is; an error ends the exchange.
func (x *Exchange) Send(text string) {
	if _, err := io.WriteString(struct{ io.Writer }{x}, text); err != nil {
		x.over = true
	}
}

// Head writes a response head: "200 OK" as status, the fields, an empty line.
func (x *Exchange) Head(status string, fs rawhttp.Fields) {
	x.Send("HTTP/1.1 " + status + "\r\n" + fs.String() + "\r\n")
}

// Reply answers with status ("200 OK"), the fields and the body, in one write.
// Content-Length is added unless the fields frame the message or the status
// has no body; the body itself is left out for HEAD, 204 and 304.
func (x *Exchange) Reply(status string, fs rawhttp.Fields, body string) {
	code := status[:3]
	none := code == "204" || code == "304" || code[0] == '1'
	if !none && !fs.Has("Content-Length") && !fs.Has("Transfer-Encoding") {
		fs = append(fs[:len(fs):len(fs)], rawhttp.Field{Name: "Content-Length", Value: strconv.Itoa(len(body))})
	}
	if none || x.Req.Method == "HEAD" {
		body = ""
	}
	x.Send("HTTP/1.1 " + status + "\r\n" + fs.String() + "\r\n" + body)
}

// OK answers 200 with an hour of freshness, a Date and the body.
func (x *Exchange) OK(body string) {
	x.Reply("200 OK", rawhttp.F("Date", Date(time.Now()), "Cache-Control", "max-age=3600"), body)
}

// Chunk writes one chunk.
func (x *Exchange) Chunk(data string) {
	x.Send(fmt.Sprintf("%x\r\n%s\r\n", len(data), data))
}

// Close ends the connection with a FIN once the handler returns.
func (x *Exchange) Close() { x.over = true }

// Reset ends the connection at once with a RST.
func (x *Exchange) Reset() {
	x.over = true
	c := x.conn
	if t, ok := c.(interface{ NetConn() net.Conn }); ok {
		c = t.NetConn()
	}
	if t, ok := c.(*net.TCPConn); ok {
		_ = t.SetLinger(0)
	}
	c.Close()
}

// Gone waits up to d and reports whether the other side ended the connection
// in that time. A new request that arrives meanwhile does not count.
func (x *Exchange) Gone(d time.Duration) bool {
	_ = x.conn.SetReadDeadline(time.Now().Add(d))
	defer x.conn.SetReadDeadline(time.Time{})
	_, err := x.r.Peek(1)
	if err == nil {
		time.Sleep(d)
		return false
	}
	ne, ok := err.(net.Error)
	return !ok || !ne.Timeout()
}

// Hijack hands out the connection and its reader; the exchange is over when
// the handler returns.
func (x *Exchange) Hijack() (net.Conn, *bufio.Reader) {
	x.over = true
	return x.conn, x.r
}

// Path returns the request target without its query.
func (x *Exchange) Path() string {
	path, _, _ := strings.Cut(x.Req.Target, "?")
	return path
}

// Date formats t as an IMF-fixdate (RFC 9110 section 5.6.7).
func Date(t time.Time) string { return t.UTC().Format(http.TimeFormat) }
