package proxy

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"net/netip"
	"time"

	"github.com/pires/go-proxyproto"

	"github.com/jayproxy/jay/proxy/wire"
)

// The PROXY protocol: a machine in front of Jay, which has taken a client's connection, says in a header before everything
// else who the client is (https://www.haproxy.org/download/3.2/doc/proxy-protocol.txt, versions 1 and 2).

// The most bytes that a header has.
const (
	longestV1 = 107
	longestV2 = 16 + 2<<10 // the length field allows more than any sender's additions need
)

// errNotConveyed means that a connection does not begin with a PROXY header.
var errNotConveyed = errors.New("proxy: no PROXY header, or a malformed one")

// sends tells whether PROXY headers from an address are believed.
func (s *settings) sends(a netip.Addr) bool {
	for _, pre := range s.ProxySenders {
		if pre.Contains(a.WithZone("")) {
			return true
		}
	}
	return false
}

// readConveyed reads the PROXY header that c begins with, in the time that a request's head may take, and lets in the
// client that it names. Without one nothing is believed: the connection ends. The client never counts as being on this
// machine, whatever the header says.
func (c *conn) readConveyed() bool {
	c.nc.SetReadDeadline(time.Now().Add(c.opt.HeadTimeout))
	h, err := conveyed(c.r)
	c.readBy = time.Time{}
	if err == errNotConveyed && c.secure == nil {
		return c.refuseHead(&wire.Error{Status: 400, Detail: "connections from this address must begin with a PROXY header"})
	}
	if errors.Is(err, io.EOF) { // who just looks whether anybody listens
		return false
	}
	if err != nil {
		c.p.stats.refusedHeads.Add(1)
		c.p.log.Debug("PROXY header refused", "sender", c.client.String(), "err", err)
		return false
	}
	if !c.convey(h) || !c.welcome() {
		c.p.stats.refusedClients.Add(1)
		c.p.warnOfLimit(c)
		return false
	}
	return true
}

// convey makes the client that a header names that of c; false means that it has too many connections.
func (c *conn) convey(h *proxyproto.Header) bool {
	c.p.mu.Lock()
	defer c.p.mu.Unlock()
	if from := addrPort(h.SourceAddr); h.Command.IsProxy() && from.IsValid() {
		c.client, c.at = from, addrPort(h.DestinationAddr)
	}
	if c.mode == Redirect || c.mode == TProxy {
		c.dst = c.at
	}
	return c.p.count(c)
}

// conveyed reads a PROXY header, and nothing beyond it.
func conveyed(r *wire.Reader) (*proxyproto.Header, error) {
	for {
		n, err := conveyedLength(r.Buffered())
		if err != nil {
			return nil, err
		}
		if n > 0 {
			h, err := proxyproto.Read(bufio.NewReader(bytes.NewReader(r.Buffered()[:n])))
			if err != nil {
				return nil, errNotConveyed
			}
			r.Skip(n)
			return h, nil
		}
		if err := r.Fill(); err != nil {
			if r.Pending() && errors.Is(err, io.EOF) {
				return nil, errNotConveyed
			}
			return nil, err
		}
	}
}

// conveyedLength is the length of the PROXY header that b begins with, 0 if more bytes are needed to tell. They may come
// one by one.
func conveyedLength(b []byte) (int, error) {
	switch {
	case begins(b, proxyproto.SIGV1):
		if i := bytes.IndexByte(b[:min(len(b), longestV1)], '\n'); i >= 0 {
			return i + 1, nil
		}
		if len(b) >= longestV1 {
			return 0, errNotConveyed
		}
		return 0, nil
	case begins(b, proxyproto.SIGV2):
		if len(b) < 16 {
			return 0, nil
		}
		n := 16 + int(binary.BigEndian.Uint16(b[14:16]))
		if n > longestV2 {
			return 0, errNotConveyed
		}
		if len(b) < n {
			return 0, nil
		}
		return n, nil
	}
	return 0, errNotConveyed
}

// begins tells whether b begins with a signature, as far as it goes.
func begins(b, signature []byte) bool {
	n := min(len(b), len(signature))
	return bytes.Equal(b[:n], signature[:n])
}
