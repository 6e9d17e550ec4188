package proxy

import (
	"context"
	"encoding/binary"
	"io"
	"net"
	"net/netip"
	"strings"
	"sync"

	"github.com/jayproxy/jay/proxy/resolve"
)

// nameserver answers queries for names with one IPv4 address each.
type nameserver struct {
	mu    sync.Mutex
	addrs map[string]string
}

// set changes the address of a name.
func (s *nameserver) set(name, addr string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.addrs[name] = addr
}

// dns asks the nameserver over pipes.
func (s *nameserver) dns() resolve.Options {
	return resolve.Options{Dial: func(context.Context, string, string) (net.Conn, error) {
		here, there := net.Pipe()
		go s.serve(there) // until the resolver closes its end
		return here, nil
	}}
}

func (s *nameserver) serve(c net.Conn) {
	defer c.Close()
	for {
		var size [2]byte
		if _, err := io.ReadFull(c, size[:]); err != nil {
			return
		}
		q := make([]byte, binary.BigEndian.Uint16(size[:]))
		if _, err := io.ReadFull(c, q); err != nil {
			return
		}
		r := s.reply(q)
		c.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(r))), r...))
	}
}

// reply answers the one question of q.
func (s *nameserver) reply(q []byte) []byte {
	var labels []string
	i := 12
	for q[i] != 0 {
		labels = append(labels, string(q[i+1:i+1+int(q[i])]))
		i += 1 + int(q[i])
	}
	qtype, end := binary.BigEndian.Uint16(q[i+1:]), i+5
	s.mu.Lock()
	addr, known := s.addrs[strings.Join(labels, ".")]
	s.mu.Unlock()
	r := append([]byte{q[0], q[1], 0x81, 0x80, 0, 1, 0, 0, 0, 0, 0, 0}, q[12:end]...)
	switch {
	case !known:
		r[3] |= 3 // no such name
	case qtype == 1:
		r[7] = 1
		r = append(r, 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 30, 0, 4)
		r = append(r, netip.MustParseAddr(addr).AsSlice()...)
	}
	return r
}
