// Package h2 lets clients speak HTTP/2 (RFC 9113) to a server that knows HTTP/1.1 only.
//
// Every request becomes a [Stream], which is a net.Conn: what is read from it is the request as HTTP/1.1 would have it, and
// what is written to it is the answer in HTTP/1.1, save that a body of unknown length has no framing of its own. Nothing is
// held in between: a read takes what the client has sent, a write lasts until the client's windows have taken it. So whoever
// serves HTTP/1.1 connections serves streams with the same code, and comes to the same decisions.
//
// The protocol itself is golang.org/x/net/http2's: frames, compression, flow control, and what keeps a client from flooding
// the server with any of them.
package h2

//lint:file-ignore SA1019 net/http's own server, which is to replace http2.Server, does not let handlers see :scheme

import (
	"context"
	"crypto/tls"
	"io"
	"log"
	"net/http"
	"sync"
	"time"

	"golang.org/x/net/http2"
)

// Protocol is how ALPN calls HTTP/2 over TLS (RFC 9113 §3.2).
const Protocol = http2.NextProtoTLS

// What a connection may hold: at most streamWindow bytes of each stream's body wait to be read. All streams together have
// room for as much, or a few whose bodies nobody reads would hold up the others.
const (
	maxStreams   = 100
	streamWindow = 64 << 10
	connWindow   = maxStreams * streamWindow
	frameSize    = 16 << 10
)

// Options bound a connection. All of them must be set.
type Options struct {
	IdleTimeout  time.Duration // ends a connection without a stream
	WriteTimeout time.Duration // ends a connection that takes no byte
	HeadBytes    int           // bytes of a request's head, as RFC 9113 §6.5.2 counts them
}

// Conn is a client's connection.
type Conn struct {
	tls  *tls.Conn
	base *http.Server // holds the settings, and sends GOAWAY
	h2   *http2.Server

	mu       sync.Mutex
	begun    bool // the library knows of the connection
	draining bool
	over     bool
	streams  sync.WaitGroup
}

// NewConn prepares to serve a connection on which [Protocol] was agreed.
func NewConn(c *tls.Conn, o Options) (*Conn, error) {
	h := &Conn{tls: c}
	h.base = &http.Server{MaxHeaderBytes: o.HeadBytes, IdleTimeout: o.IdleTimeout, ErrorLog: log.New(io.Discard, "", 0)}
	h.h2 = &http2.Server{
		MaxConcurrentStreams: maxStreams, MaxReadFrameSize: frameSize,
		MaxUploadBufferPerConnection: connWindow, MaxUploadBufferPerStream: streamWindow,
		IdleTimeout: o.IdleTimeout, WriteByteTimeout: o.WriteTimeout,
	}
	return h, http2.ConfigureServer(h.base, h.h2)
}

// Serve calls serve for every request, each on a goroutine of its own, until the connection has ended and all calls have
// returned. The calls must not use their stream after they have returned. It closes the connection.
func (h *Conn) Serve(serve func(*Stream)) {
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !h.enter() {
			panic(http.ErrAbortHandler)
		}
		defer h.streams.Done()
		s := newStream(h.tls, w, r)
		defer s.finish()
		serve(s)
	})
	h.h2.ServeConn(&known{Conn: h.tls, conn: h}, &http2.ServeConnOpts{BaseConfig: h.base, Handler: handler})
	h.mu.Lock()
	h.over = true
	h.mu.Unlock()
	h.streams.Wait()
}

// enter counts a stream, unless Serve has stopped to wait for them.
func (h *Conn) enter() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.over {
		h.streams.Add(1)
	}
	return !h.over
}

// Drain tells the client to open no more streams (GOAWAY, RFC 9113 §6.8). The connection ends when those that are open have.
func (h *Conn) Drain() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.draining = true
	if h.begun {
		h.goAway()
	}
}

func (h *Conn) goAway() {
	_ = h.base.Shutdown(context.Background()) // it has no listeners: nothing to wait for, nothing to fail
}

// known is a connection whose first read shows that the library knows of it: what is asked of it before would be lost.
type known struct {
	*tls.Conn
	conn *Conn
	once sync.Once
}

// Read implements net.Conn.
func (k *known) Read(p []byte) (int, error) {
	k.once.Do(func() {
		k.conn.mu.Lock()
		defer k.conn.mu.Unlock()
		k.conn.begun = true
		if k.conn.draining {
			k.conn.goAway()
		}
	})
	return k.Conn.Read(p)
}
