package upstream

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"time"
)

const alpnHTTP1 = "http/1.1"

// tlsConfig returns what all connections have in common: base, but verified and
// for HTTP/1.1 only.
func tlsConfig(base *tls.Config) *tls.Config {
	cfg := new(tls.Config)
	if base != nil {
		cfg = base.Clone()
	}
	cfg.InsecureSkipVerify = false
	cfg.NextProtos = []string{alpnHTTP1}
	if cfg.ClientSessionCache == nil {
		cfg.ClientSessionCache = tls.NewLRUClientSessionCache(256)
	}
	return cfg
}

// tapConn is the transport below TLS. It notes the end of the stream, which
// crypto/tls reports as the same io.EOF that stands for a close_notify alert.
type tapConn struct {
	net.Conn
	ended bool
}

// Read implements net.Conn.
func (t *tapConn) Read(p []byte) (int, error) {
	n, err := t.Conn.Read(p)
	if err == io.EOF {
		t.ended = true
	}
	return n, err
}

// handshake opens TLS to host over tap.
func (c *Client) handshake(ctx context.Context, tap *tapConn, host string) (*tls.Conn, error) {
	cfg := c.opt().TLS.Clone()
	cfg.ServerName = strings.TrimSuffix(host, ".")
	tc := tls.Client(tap, cfg)
	if err := tc.HandshakeContext(ctx); err != nil {
		return nil, tlsError(err)
	}
	if p := tc.ConnectionState().NegotiatedProtocol; p != "" && p != alpnHTTP1 {
		return nil, &Error{Kind: KindTLSProtocolError, Status: 502, Err: fmt.Errorf("origin chose protocol %q", p)}
	}
	return tc, nil
}

// tlsError names what went wrong in a handshake.
func tlsError(err error) error {
	var cert *tls.CertificateVerificationError
	var op *net.OpError
	var ne net.Error
	switch {
	case errors.As(err, &cert):
		return &Error{Kind: KindTLSCertificateError, Status: 502, Err: err}
	case errors.As(err, &op) && op.Op == "remote error": // crypto/tls has no type for it
		return &Error{Kind: KindTLSAlert, Status: 502, Err: err}
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &ne) && ne.Timeout():
		return &Error{Kind: KindConnectionTimeout, Status: 504, Err: err}
	}
	return &Error{Kind: KindTLSProtocolError, Status: 502, Err: err}
}

// tlsQuiet reports whether tc holds no decrypted or undecrypted record: with the
// deadline in the past nothing is read from the socket, only what TLS had read
// beyond the last response would come.
func tlsQuiet(tc *tls.Conn) bool {
	if tc.SetReadDeadline(time.Unix(1, 0)) != nil {
		return false
	}
	var b [1]byte
	n, err := tc.Read(b[:])
	var ne net.Error
	return n == 0 && errors.As(err, &ne) && ne.Timeout()
}
