package auth

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"net/netip"
	"strings"
	"unsafe"
)

// maxCredentials bounds user, colon and password together, in bytes.
const maxCredentials = 512

// credentials are a user name and a password as they came. They live on the stack of who checks them.
type credentials struct {
	buf   [maxCredentials]byte
	n     int
	colon int
}

// presence is whether a field holds credentials.
type presence uint8

const (
	absent presence = iota
	malformed
	present
)

// parse reads a field's value (RFC 9110 §11.4, RFC 7617 §2).
func (c *credentials) parse(header string) presence {
	scheme, token, _ := strings.Cut(header, " ")
	if !strings.EqualFold(scheme, "Basic") {
		return absent
	}
	token = strings.Trim(token, " ")
	if base64.StdEncoding.DecodedLen(len(token)) > maxCredentials || strings.ContainsAny(token, "\r\n") {
		return malformed
	}
	n, err := base64.StdEncoding.Strict().Decode(c.buf[:], unsafe.Slice(unsafe.StringData(token), len(token)))
	if err != nil {
		return malformed
	}
	c.n, c.colon = n, bytes.IndexByte(c.buf[:n], ':')
	if c.colon <= 0 || bytes.ContainsFunc(c.buf[:n], func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return malformed
	}
	return present
}

// user and password are copies.
func (c *credentials) user() string     { return string(c.buf[:c.colon]) }
func (c *credentials) password() string { return string(c.buf[c.colon+1 : c.n]) }

// digest is the keyed hash of credentials from an address. It never leaves the process, so a plain hash with the key in
// front is good enough.
func (a *Auth) digest(client netip.Addr, c *credentials) [sha256.Size]byte {
	var b [32 + 16 + maxCredentials]byte
	n := copy(b[:], a.key[:])
	ip := client.As16()
	n += copy(b[n:], ip[:])
	n += copy(b[n:], c.buf[:c.n])
	return sha256.Sum256(b[:n])
}

// who is the keyed hash of a user name, by which failures are counted without keeping names that nobody has.
func (a *Auth) who(user []byte) uint64 {
	var b [32 + maxCredentials]byte
	n := copy(b[:], a.key[:])
	n += copy(b[n:], user)
	return index(sha256.Sum256(b[:n]))
}
