package origin

import (
	"net"
	"net/netip"
	"strings"
	"sync"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

// DNS is a name server stub on UDP. Start it with ServeDNS.
type DNS struct {
	conn   net.PacketConn
	answer func(name string) ([]netip.Addr, time.Duration)
	wg     sync.WaitGroup

	mu    sync.Mutex
	asked map[string]int
}

// ServeDNS answers A and AAAA questions that arrive at conn. answer gets the
// lower-case name without its final dot, and returns the addresses (none:
// NXDOMAIN) and how long to wait before answering; it may answer differently
// each time it is asked.
func ServeDNS(conn net.PacketConn, answer func(name string) ([]netip.Addr, time.Duration)) *DNS {
	d := &DNS{conn: conn, answer: answer, asked: map[string]int{}}
	d.wg.Go(d.serve)
	return d
}

// Addr returns the address listened on.
func (d *DNS) Addr() string { return d.conn.LocalAddr().String() }

// Asked returns how many questions were asked for name.
func (d *DNS) Asked(name string) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.asked[name]
}

// Close stops answering and waits for answers under way.
func (d *DNS) Close() {
	d.conn.Close()
	d.wg.Wait()
}

func (d *DNS) serve() {
	for {
		buf := make([]byte, 1500)
		n, from, err := d.conn.ReadFrom(buf)
		if err != nil {
			return
		}
		d.wg.Go(func() { d.reply(buf[:n], from) })
	}
}

func (d *DNS) reply(query []byte, from net.Addr) {
	var p dnsmessage.Parser
	h, err := p.Start(query)
	if err != nil {
		return
	}
	q, err := p.Question()
	if err != nil {
		return
	}
	name := strings.ToLower(strings.TrimSuffix(q.Name.String(), "."))
	d.mu.Lock()
	d.asked[name]++
	d.mu.Unlock()
	addrs, delay := d.answer(name)
	time.Sleep(delay)
	if msg, err := pack(h.ID, q, addrs); err == nil {
		_, _ = d.conn.WriteTo(msg, from)
	}
}

func pack(id uint16, q dnsmessage.Question, addrs []netip.Addr) ([]byte, error) {
	m := dnsmessage.Message{
		Header:    dnsmessage.Header{ID: id, Response: true, Authoritative: true, RecursionAvailable: true},
		Questions: []dnsmessage.Question{q},
	}
	if len(addrs) == 0 {
		m.RCode = dnsmessage.RCodeNameError
	}
	for _, a := range addrs {
		h := dnsmessage.ResourceHeader{Name: q.Name, Type: q.Type, Class: q.Class, TTL: 0}
		switch {
		case a.Is4() && q.Type == dnsmessage.TypeA:
			m.Answers = append(m.Answers, dnsmessage.Resource{Header: h, Body: &dnsmessage.AResource{A: a.As4()}})
		case a.Is6() && q.Type == dnsmessage.TypeAAAA:
			m.Answers = append(m.Answers, dnsmessage.Resource{Header: h, Body: &dnsmessage.AAAAResource{AAAA: a.As16()}})
		}
	}
	return m.Pack()
}
