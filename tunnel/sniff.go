package tunnel

// Protocol is what the first bytes of a connection look like.
type Protocol int

// What Sniff tells apart.
const (
	NeedMore Protocol = iota // too few bytes to tell
	HTTP                     // textual, so that strict parsing decides
	TLS                      // a TLS handshake record
	Other                    // clearly not HTTP
)

// Sniff judges a client's first bytes.
func Sniff(first []byte) Protocol { return HTTP }

// ServerName reads the server name and the protocols offered (ALPN) from the
// first bytes of a TLS connection.
func ServerName(hello []byte) (sni string, alpn []string, ok bool) { return "", nil, false }
