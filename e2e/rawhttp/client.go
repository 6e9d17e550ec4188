package rawhttp

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"time"
)

// Timeout bounds every wait of a Conn for the other side.
const Timeout = 60 * time.Second

// Conn is a client's connection: bytes out, parsed responses in.
type Conn struct {
	net.Conn
	// Patience bounds each wait for bytes; 0 means Timeout.
	Patience time.Duration

	r *bufio.Reader
}

// Response is a final response with the interim ones before it. Err tells why
// its body is incomplete; it is nil when the end was proven.
type Response struct {
	StatusLine
	Head
	Interim  []Response
	Framing  Framing
	Body     []byte
	Trailers Fields
	Err      error
}

// Dial connects to a TCP address.
func Dial(address string) (*Conn, error) {
	c, err := net.DialTimeout("tcp", address, Timeout)
	if err != nil {
		return nil, err
	}
	return NewConn(c), nil
}

// NewConn wraps a connection that is already there.
func NewConn(c net.Conn) *Conn {
	return &Conn{Conn: c, r: bufio.NewReaderSize(c, 64<<10)}
}

// Reader returns the buffered reader under the responses, for what follows a
// 101 or a CONNECT.
func (c *Conn) Reader() *bufio.Reader { return c.r }

// Send writes text as it is.
func (c *Conn) Send(text string) error {
	_ = c.SetWriteDeadline(time.Now().Add(Timeout))
	_, err := io.WriteString(c.Conn, text)
	return err
}

// ReadHead reads the next response head, interim or final, for a request of
// that method.
func (c *Conn) ReadHead(method string) (*Response, error) {
	c.patience()
	h, err := ReadHead(c.r)
	resp := &Response{Head: h}
	if err != nil {
		return resp, err
	}
	if resp.StatusLine, err = ParseStatusLine(h.Line); err != nil {
		return resp, err
	}
	resp.Framing, err = ResponseFraming(method, resp.StatusLine, h.Fields)
	return resp, err
}

// ReadFinal reads heads up to the final one and collects the interim ones.
func (c *Conn) ReadFinal(method string) (*Response, error) {
	var interim []Response
	for {
		resp, err := c.ReadHead(method)
		if err != nil || resp.Code >= 200 || resp.Code == 101 {
			resp.Interim = interim
			return resp, err
		}
		interim = append(interim, *resp)
	}
}

// ReadResponse reads a final response and its whole body. A body that breaks
// off is no error here: it is told by the response's Err.
func (c *Conn) ReadResponse(method string) (*Response, error) {
	resp, err := c.ReadFinal(method)
	if err != nil {
		return resp, err
	}
	c.ReadBody(resp)
	return resp, nil
}

// ReadBody reads the body of resp into it.
func (c *Conn) ReadBody(resp *Response) {
	b := c.Body(resp)
	resp.Body, resp.Err = io.ReadAll(b)
	resp.Trailers = b.Trailers()
}

// Body returns the body of resp to be read as it arrives. Each Read has the
// connection's patience.
func (c *Conn) Body(resp *Response) *BodyReader {
	return &BodyReader{Body: NewBody(c.r, resp.Framing), c: c}
}

// BodyReader is a Body whose reads have a deadline.
type BodyReader struct {
	*Body
	c *Conn
}

// Read implements io.Reader.
func (b *BodyReader) Read(p []byte) (int, error) {
	b.c.patience()
	return b.Body.Read(p)
}

func (c *Conn) patience() {
	d := c.Patience
	if d == 0 {
		d = Timeout
	}
	_ = c.SetReadDeadline(time.Now().Add(d))
}

// Closed waits for the other side to end the connection and reports whether it
// did so within d without sending anything more. A reset counts as an end.
func (c *Conn) Closed(d time.Duration) bool {
	_ = c.SetReadDeadline(time.Now().Add(d))
	n, err := c.r.Read(make([]byte, 1))
	if n > 0 || err == nil {
		return false
	}
	ne, ok := err.(net.Error)
	return !ok || !ne.Timeout()
}

// Keep reports whether the connection may carry another request after resp.
func (resp *Response) Keep() bool {
	if resp.Err != nil || resp.Framing.UntilClose || resp.Version != "HTTP/1.1" {
		return false
	}
	return !strings.Contains(strings.ToLower(resp.Fields.Joined("Connection")), "close")
}

// String renders the response for a failure message.
func (resp *Response) String() string {
	body := string(resp.Body)
	if len(body) > 300 {
		body = body[:300] + "… (" + strconv.Itoa(len(resp.Body)) + " bytes)"
	}
	return fmt.Sprintf("%s%s [err %v]", resp.Raw, body, resp.Err)
}

// Request serialises a request: the line, the fields, an empty line, the body.
func Request(method, target string, fs Fields, body string) string {
	return method + " " + target + " HTTP/1.1\r\n" + fs.String() + "\r\n" + body
}

// Get sends one request on its own connection and returns the response.
func Get(address, method, target string, fs Fields, body string) (*Response, error) {
	c, err := Dial(address)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	if err := c.Send(Request(method, target, fs, body)); err != nil {
		return nil, err
	}
	return c.ReadResponse(method)
}
