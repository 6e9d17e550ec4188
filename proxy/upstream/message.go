package upstream

import (
	"io"
	"net"
	"net/netip"
	"time"

	"github.com/jayproxy/jay/proxy/wire"
)

// Request is one request in the form in which it goes on the wire.
type Request struct {
	// Head is the complete head: request line, fields, empty line. It is not
	// changed and not kept.
	Head []byte
	// Method is the method in Head; it decides the framing of the response.
	Method string
	// Body is the content, nil if there is none. Head says how it is framed.
	Body io.Reader
	// Chunked says that Head announces the chunked coding, so that Body is to be
	// sent in chunks. Otherwise its bytes go out as they are.
	Chunked bool
	// Buffered says that Body can be read to its end without waiting for
	// anybody. Small bodies then go out in one write with the head.
	Buffered bool
	// Trailers, if not nil, is asked after the end of a chunked Body. Fields that
	// may not stand in a trailer section (RFC 9110 §6.5.1) are left out.
	Trailers func() *wire.Fields
	// StopBody makes a pending or later Read of Body return at once, for instance
	// by a read deadline in the past. It is called, at most once and from any
	// goroutine, when the origin has answered or failed and the rest of the body is not
	// wanted; the client's connection cannot be reused then. It may be nil if
	// Body never blocks.
	StopBody func()
	// Idempotent allows to repeat the request once (RFC 9110 §9.2.2) on a new
	// connection if a reused one failed before any byte of an answer and no byte
	// of the body was read.
	Idempotent bool
	// Upgrade says that Head asks for a change of protocol, so that 101 is a final
	// answer. Unasked, it is an error.
	Upgrade bool
	// Interim gets 1xx answers other than 101 as they come; the value is valid
	// until it returns. Its error ends the exchange. If nil they are dropped.
	Interim func(*wire.Response) error
	// HeaderTimeout overrides the client's. Zero means the client's.
	HeaderTimeout time.Duration
}

// Response is the final answer to a request. It belongs to one goroutine.
type Response struct {
	// Response is the head, which stays valid after Close.
	wire.Response
	// Body reads the content. It is never nil.
	Body *Body
	// Addr is the address of the origin.
	Addr netip.AddrPort
	// Reused says that the connection had served another request before.
	Reused bool
	// RequestTime and ResponseTime are when the request was sent and when the head
	// of the response had arrived (RFC 9111 §4.2.3).
	RequestTime, ResponseTime time.Time
}

// Body is the content of a response. In addition to [wire.Body] it enforces
// the idle timeout and names errors.
type Body struct {
	wire.Body
}

// Read reads content. io.EOF means that all of it has been received; every
// other error is an [*Error] or a [*BodyError].
func (b *Body) Read(p []byte) (int, error) { panic("upstream: not ready") }

// Whole reports whether the content has been proven complete.
func (b *Body) Whole() bool { panic("upstream: not ready") }

// Close ends the exchange. The connection goes back to its pool only if
// response and request are both complete, the origin keeps the connection, and
// nothing follows the response; otherwise it is closed. When Close returns, the
// request's body is not touched any more. More calls do nothing.
func (r *Response) Close() error { panic("upstream: not ready") }

// Hijack hands over the connection after a 101, with the bytes read beyond the
// head. The caller owns both and need not call Close.
func (r *Response) Hijack() (net.Conn, []byte) { panic("upstream: not ready") }
