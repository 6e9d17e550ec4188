// Package wire reads and writes HTTP/1.1 messages as RFC 9112 has them.
package wire

import (
	"iter"
	"net"
	"net/http"
)

// Limits bounds what a message head may cost.
type Limits struct {
	HeadBytes   int
	Fields      int
	TargetBytes int
}

// DefaultLimits gives 64 KiB, 256 fields and 16 KiB.
func DefaultLimits() Limits { return Limits{64 << 10, 256, 16 << 10} }

// Error says why bytes are not a message.
type Error struct {
	Status int
	Detail string
}

// Error implements error.
func (e *Error) Error() string { return "wire: " + e.Detail }

// Fields is an immutable view of field lines.
type Fields struct {
	text  string
	spans []span
}

type span struct{ name, colon, value, end uint32 }

// ParseFields parses lines each ended by CRLF.
func ParseFields(text string) (Fields, error) { panic("wire: later") }

// Len is the number of lines.
func (f *Fields) Len() int { panic("wire: later") }

// At is line i.
func (f *Fields) At(i int) (name, value string) { panic("wire: later") }

// Get is the first value.
func (f *Fields) Get(name string) string { panic("wire: later") }

// Has reports whether there is a line called name.
func (f *Fields) Has(name string) bool { panic("wire: later") }

// Values are all values of name.
func (f *Fields) Values(name string) []string { panic("wire: later") }

// HasToken reports whether a #token list holds token, without allocation.
func (f *Fields) HasToken(name, token string) bool { panic("wire: later") }

// Tokens are the lower-cased members of the list field name.
func (f *Fields) Tokens(name string) iter.Seq[string] { panic("wire: later") }

// Header is a canonical map.
func (f *Fields) Header() http.Header { panic("wire: later") }

// Clone is a copy that shares nothing.
func (f *Fields) Clone() Fields { panic("wire: later") }

// Append appends the lines, save those that drop (may be nil) refuses.
func (f *Fields) Append(dst []byte, drop func(name string) bool) []byte { panic("wire: later") }

// Framing says how a body ends.
type Framing struct {
	Chunked    bool
	UntilClose bool
	Length     int64
}

// Request is a parsed request head.
type Request struct {
	Method string
	Target string
	URI    Target // Target parsed; in origin and asterisk form Host and Port are those of the Host field
	Minor  int
	Fields Fields
	Body   Framing
}

// ParseRequest parses a request head.
func ParseRequest(head string, lim Limits, req *Request) error { panic("wire: later") }

// Detach copies the text.
func (r *Request) Detach() { panic("wire: later") }

// Form is the form of a request target.
type Form int

// The forms.
const (
	OriginForm Form = iota
	AbsoluteForm
	AuthorityForm
	AsteriskForm
)

// Target is a parsed request target.
type Target struct {
	Form   Form
	Scheme string
	Host   string
	Port   string
	Path   string
}

// ParseTarget parses a request target.
func ParseTarget(method, target string) (Target, error) { panic("wire: later") }

// ParseAuthority parses host[:port].
func ParseAuthority(s string) (host, port string, err error) { panic("wire: later") }

// Response is a parsed response head.
type Response struct {
	Minor  int
	Status int
	Reason string
	Fields Fields
	Body   Framing
}

// ParseResponse parses the head of a response to a request with method.
func ParseResponse(head, method string, lim Limits, resp *Response) error { panic("wire: later") }

// Detach copies the text.
func (r *Response) Detach() { panic("wire: later") }

// Reader is a buffered strict reader.
type Reader struct{ conn net.Conn }

// NewReader makes a Reader.
func NewReader(c net.Conn) *Reader { return &Reader{conn: c} }

// Wait blocks until a byte is buffered.
func (r *Reader) Wait() error { panic("wire: later") }

// Head reads a head.
func (r *Reader) Head(lim Limits) (string, error) { panic("wire: later") }

// Buffered is what was read and not consumed.
func (r *Reader) Buffered() []byte { panic("wire: later") }

// Pending reports whether bytes are buffered.
func (r *Reader) Pending() bool { panic("wire: later") }

// Body initialises b.
func (r *Reader) Body(b *Body, f Framing) { panic("wire: later") }

// Release gives the buffer back when it is empty.
func (r *Reader) Release() { panic("wire: later") }

// Conn is the connection.
func (r *Reader) Conn() net.Conn { return r.conn }

// Fill reads once.
func (r *Reader) Fill() error { panic("wire: later") }

// Body reads a message body.
type Body struct{ r *Reader }

// Read implements io.Reader.
func (b *Body) Read(p []byte) (int, error) { panic("wire: later") }

// Whole reports whether the body is proven whole.
func (b *Body) Whole() bool { panic("wire: later") }

// Trailers are nil if none.
func (b *Body) Trailers() *Fields { panic("wire: later") }

// Started reports whether any byte was consumed.
func (b *Body) Started() bool { panic("wire: later") }

// Remaining is -1 when unknown.
func (b *Body) Remaining() int64 { panic("wire: later") }

// AppendField appends a field line.
func AppendField(dst []byte, name, value string) []byte { panic("wire: later") }

// AppendRequestLine appends a request line for HTTP/1.1.
func AppendRequestLine(dst []byte, method, target string) []byte { panic("wire: later") }

// AppendStatusLine appends a status line.
func AppendStatusLine(dst []byte, minor, status int, reason string) []byte { panic("wire: later") }

// AppendChunkHeader appends the size line of a chunk of n > 0 bytes; CRLF must follow the data.
func AppendChunkHeader(dst []byte, n int) []byte { panic("wire: later") }

// AppendChunk appends data as one chunk; nothing when data is empty.
func AppendChunk(dst, data []byte) []byte { panic("wire: later") }

// AppendLastChunk appends the end of a chunked body; trailers and drop may be nil.
func AppendLastChunk(dst []byte, trailers *Fields, drop func(name string) bool) []byte {
	panic("wire: later")
}

// ListTokens are the lower-cased members of the #token list in values.
func ListTokens(values []string) iter.Seq[string] { panic("wire: later") }
