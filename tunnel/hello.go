package tunnel

import "strings"

// Numbers of RFC 8446 §4, §5.1 and RFC 6066, RFC 7301.
const (
	recordHandshake = 22
	maxRecord       = 1<<14 + 256
	clientHello     = 1
	maxHello        = 64 << 10
	extServerName   = 0
	extALPN         = 16
	nameHost        = 0
	maxALPN         = 16 // names reported; a client offers two or three
)

// ServerName reads the server name (SNI, RFC 6066 §3) and the offered protocols
// (ALPN, RFC 7301 §3.1) from the first bytes of a TLS connection. It is meant for
// logs: nothing is decided by a name that the client may choose freely.
//
// ok tells that hello holds one whole ClientHello, which may be spread over
// several records. Otherwise sni and alpn hold what was found before the end or
// the first fault. The name is in lower case; a name that is no host name, and a
// protocol that is not printable, is left out.
func ServerName(hello []byte) (sni string, alpn []string, ok bool) {
	body, whole := handshakeBody(hello)
	b := cursor{body, true}
	b.take(2 + 32)      // legacy_version, random
	b.take(b.number(1)) // legacy_session_id
	b.take(b.number(2)) // cipher_suites
	b.take(b.number(1)) // legacy_compression_methods
	if b.ok && len(b.rest) == 0 {
		return "", nil, whole // extensions are optional before TLS 1.3
	}
	size := b.number(2)
	whole = whole && b.ok && size == len(b.rest)
	ext := cursor{b.rest[:min(size, len(b.rest))], b.ok}
	for ext.ok && len(ext.rest) > 0 {
		kind := ext.number(2)
		data := ext.take(ext.number(2))
		switch {
		case !ext.ok:
		case kind == extServerName && sni == "":
			sni = hostName(data)
		case kind == extALPN && alpn == nil:
			alpn = protocolNames(data)
		}
	}
	return sni, alpn, whole && ext.ok
}

// handshakeBody joins the records that the ClientHello is spread over and
// returns its body, or the part of it that is there.
func handshakeBody(b []byte) (body []byte, whole bool) {
	in := cursor{b, true}
	var msg []byte
	for in.ok && len(in.rest) > 0 {
		kind := in.number(1)
		in.take(2) // legacy_record_version, to be ignored: RFC 8446 §5.1
		size := in.number(2)
		if !in.ok || kind != recordHandshake || size == 0 || size > maxRecord {
			break
		}
		msg = append(msg, in.rest[:min(size, len(in.rest))]...)
		in.take(size)
		if len(msg) < 4 {
			continue
		}
		want := 4 + int(msg[1])<<16 + int(msg[2])<<8 + int(msg[3])
		if msg[0] != clientHello || want > maxHello {
			return nil, false
		}
		if len(msg) >= want {
			return msg[4:want], true
		}
	}
	return msg[min(4, len(msg)):], false
}

// hostName reads a server_name extension. There may be one name of each type,
// and host_name is the only type there is.
func hostName(data []byte) string {
	list := cursor{data, true}
	list.number(2)
	kind := list.number(1)
	name := list.take(list.number(2))
	if !list.ok || kind != nameHost || len(name) == 0 || len(name) > 255 {
		return ""
	}
	for _, c := range name {
		if !hostChar(c) {
			return ""
		}
	}
	return strings.ToLower(string(name))
}

func hostChar(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-' || c == '.' || c == '_'
}

// protocolNames reads an ALPN extension.
func protocolNames(data []byte) []string {
	list := cursor{data, true}
	list.number(2)
	var names []string
	for list.ok && len(list.rest) > 0 && len(names) < maxALPN {
		name := list.take(list.number(1))
		if list.ok && printable(name) {
			names = append(names, string(name))
		}
	}
	return names
}

func printable(b []byte) bool {
	for _, c := range b {
		if c <= ' ' || c >= 0x7f {
			return false
		}
	}
	return len(b) > 0
}

// cursor reads from the front of rest. After a read beyond its end it is not ok,
// empty, and yields zeros.
type cursor struct {
	rest []byte
	ok   bool
}

func (c *cursor) take(n int) []byte {
	if n > len(c.rest) {
		c.rest, c.ok = nil, false
		return nil
	}
	b := c.rest[:n]
	c.rest = c.rest[n:]
	return b
}

// number reads a big-endian number of so many bytes.
func (c *cursor) number(size int) int {
	n := 0
	for _, b := range c.take(size) {
		n = n<<8 | int(b)
	}
	return n
}
