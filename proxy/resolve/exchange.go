package resolve

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/miekg/dns"
)

// patience is how long a server is waited for before another one is asked, too.
const patience = time.Second

// udpSize is the largest datagram that is read; queries ask for less.
const udpSize = 4096

var (
	errRounds = errors.New("the servers did not answer before")
	errFrame  = errors.New("malformed query")
)

// exchange is the connection to a server that Go's resolver believes to have: what it writes is a query with its length
// before it, what it reads the answer of the servers.
type exchange struct {
	r       *Resolver
	opt     *Options
	rec     *record
	ctx     context.Context
	network string // tcp if nothing else will do
	system  string // the system's server
	first   uint32 // of the given servers
	query   []byte
	answer  *bytes.Reader
}

// Write takes the query, which comes as a whole.
func (x *exchange) Write(b []byte) (int, error) {
	if len(b) < 2 || int(binary.BigEndian.Uint16(b)) != len(b)-2 {
		return 0, errFrame
	}
	x.query = b[2:]
	return len(b), nil
}

// Read has the query answered.
func (x *exchange) Read(b []byte) (int, error) {
	if x.answer == nil {
		raw, err := x.ask()
		if err != nil {
			return 0, err
		}
		x.answer = bytes.NewReader(append(binary.BigEndian.AppendUint16(nil, uint16(len(raw))), raw...))
	}
	return x.answer.Read(b)
}

// Close does nothing: the exchange is over when Read returns.
func (x *exchange) Close() error { return nil }

// LocalAddr is of no interest to the resolver.
func (x *exchange) LocalAddr() net.Addr { return &net.TCPAddr{} }

// RemoteAddr is of no interest to the resolver.
func (x *exchange) RemoteAddr() net.Addr { return &net.TCPAddr{} }

// SetDeadline does nothing: the resolver's context has the deadline.
func (x *exchange) SetDeadline(time.Time) error { return nil }

// SetReadDeadline does nothing, as SetDeadline.
func (x *exchange) SetReadDeadline(time.Time) error { return nil }

// SetWriteDeadline does nothing, as SetDeadline.
func (x *exchange) SetWriteDeadline(time.Time) error { return nil }

// ask puts the query to the servers and records what they say.
func (x *exchange) ask() ([]byte, error) {
	if !x.r.begin() {
		return nil, errClosed
	}
	defer x.r.wg.Done()
	q := new(dns.Msg)
	if err := q.Unpack(x.query); err != nil || len(q.Question) != 1 {
		return nil, errFrame
	}
	if x.rec.asked(q.Question[0]) >= maxRounds && len(x.opt.Servers) > 0 {
		return nil, errRounds
	}
	ctx, cancel := context.WithCancel(x.ctx)
	defer cancel()
	defer context.AfterFunc(x.rec.ctx, cancel)()
	servers := []string{x.system}
	if len(x.opt.Servers) > 0 {
		x.first = x.r.first.Load()
		servers = x.opt.order(int(x.first))
	}
	a := x.askAll(ctx, q, servers)
	switch {
	case a.err == nil:
		x.rec.answered(q.Question[0], a.msg)
		return a.raw, nil
	case x.ctx.Err() != nil:
		return nil, x.ctx.Err()
	}
	return nil, a.err
}

// order returns the servers, beginning with the one at first.
func (o *Options) order(first int) []string {
	servers := make([]string, len(o.Servers))
	for i := range servers {
		servers[i] = o.Servers[(first+i)%len(o.Servers)].String()
	}
	return servers
}

// reply is what a server said, or why it said nothing.
type reply struct {
	server int // its place in the order
	raw    []byte
	msg    *dns.Msg
	err    error
}

// useful tells whether no other server needs to be asked.
func (a *reply) useful() bool {
	return a.err == nil && (a.msg.Rcode == dns.RcodeSuccess || a.msg.Rcode == dns.RcodeNameError)
}

// askAll asks one server after another: the next one when the one before fails, or lets wait. The first useful reply
// counts, otherwise an answer rather than none.
func (x *exchange) askAll(ctx context.Context, q *dns.Msg, servers []string) (best reply) {
	var wg sync.WaitGroup
	defer wg.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	pause := patience
	if end, ok := ctx.Deadline(); ok {
		pause = min(pause, time.Until(end)/time.Duration(len(servers)))
	}
	replies := make(chan reply, len(servers))
	next := time.NewTimer(pause)
	defer next.Stop()
	started, running := 0, 0
	start := func() {
		if started < len(servers) {
			i := started
			started, running = started+1, running+1
			wg.Go(func() { replies <- x.askOne(ctx, q, i, servers[i]) })
			next.Reset(pause)
		}
	}
	start()
	for running > 0 {
		select {
		case a := <-replies:
			running--
			if a.useful() {
				x.prefer(a.server)
				return a
			}
			if a.err == nil || best.msg == nil {
				best = a
			}
			start()
		case <-next.C:
			start()
		}
	}
	return best
}

// prefer has the server that answered asked first from now on, if others failed before it and nobody found that out yet.
func (x *exchange) prefer(place int) {
	if n := uint32(len(x.opt.Servers)); place > 0 && n > 0 {
		x.r.first.CompareAndSwap(x.first, (x.first+uint32(place))%n)
	}
}

// askOne asks a server, over TCP when its answer does not fit a datagram.
func (x *exchange) askOne(ctx context.Context, q *dns.Msg, place int, server string) reply {
	a := x.send(ctx, q, x.network, server)
	if a.err == nil && a.msg.Truncated && x.network == "udp" {
		if b := x.send(ctx, q, "tcp", server); b.err == nil {
			a = b
		}
		a.raw[2] &^= 2 // the rest cannot be had: what there is must do
	}
	a.server = place
	return a
}

// send sends the query and reads its answer. Other messages are passed over: somebody may try to guess.
func (x *exchange) send(ctx context.Context, q *dns.Msg, network, server string) reply {
	nc, err := x.opt.Dial(ctx, network, server)
	if err != nil {
		return reply{err: err}
	}
	defer nc.Close()
	defer context.AfterFunc(ctx, func() { nc.SetDeadline(time.Unix(1, 0)) })()
	c := &dns.Conn{Conn: nc, UDPSize: udpSize}
	if _, err := c.Write(x.query); err != nil {
		return reply{err: err}
	}
	for {
		raw, err := c.ReadMsgHeader(nil)
		var ne net.Error
		if err != nil && (ctx.Err() != nil || errors.As(err, &ne) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || network != "udp") {
			return reply{err: fmt.Errorf("resolve: %s: %w", server, err)}
		}
		m := new(dns.Msg)
		if err == nil && m.Unpack(raw) == nil && answers(m, q) {
			return reply{raw: raw, msg: m}
		}
	}
}

// answers reports whether m is an answer to q: the identifier and the question are the same (RFC 5452 §9.1).
func answers(m, q *dns.Msg) bool {
	if !m.Response || m.Id != q.Id || len(m.Question) != 1 {
		return false
	}
	a, b := m.Question[0], q.Question[0]
	return a.Qtype == b.Qtype && a.Qclass == b.Qclass && strings.EqualFold(a.Name, b.Name)
}
