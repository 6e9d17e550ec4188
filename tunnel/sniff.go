package tunnel

// Protocol is what the first bytes of a connection look like.
type Protocol int

// What Sniff tells apart.
const (
	NeedMore Protocol = iota // too few bytes to tell
	HTTP                     // textual: strict parsing decides what it is worth
	TLS                      // a TLS handshake record
	Other                    // clearly not HTTP
)

// String returns a word for logs.
func (p Protocol) String() string {
	switch p {
	case NeedMore:
		return "need-more"
	case HTTP:
		return "http"
	case TLS:
		return "tls"
	default:
		return "other"
	}
}

// greetings are first bytes of protocols that begin like text and are no HTTP.
// None of them can begin a request: an HTTP method is a token and is followed by
// a space (RFC 9112 §3).
var greetings = [...]string{
	"SSH-",           // RFC 4253 §4.2
	"<?xml",          // XMPP, RFC 6120 §4.2
	"<stream:stream", // XMPP without an XML declaration
	"AMQP\x00",       // AMQP 1.0 §2.2
}

// Sniff judges the first bytes that a client sent on a connection of unknown
// protocol. Only what cannot be HTTP is TLS or Other: whatever begins as text is
// HTTP, so that a malformed request is refused rather than relayed unseen.
// NeedMore is returned for an empty slice and for a true prefix of a greeting;
// 14 bytes are always enough.
func Sniff(first []byte) Protocol {
	if len(first) == 0 {
		return NeedMore
	}
	switch c := first[0]; {
	case c == recordHandshake:
		return sniffTLS(first)
	case c == '\r', c == '\n', c == '\t':
		return HTTP
	case c < ' ', c >= 0x7f:
		return Other
	}
	for _, g := range greetings {
		n := min(len(g), len(first))
		if string(first[:n]) != g[:n] {
			continue
		}
		if n < len(g) {
			return NeedMore
		}
		return Other
	}
	return HTTP
}

func sniffTLS(first []byte) Protocol {
	switch {
	case len(first) == 1:
		return NeedMore
	case first[1] == 3:
		return TLS
	default:
		return Other
	}
}
