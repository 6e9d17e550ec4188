package main

import (
	"cmp"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"sync/atomic"

	"github.com/jayproxy/jay/config"
	"github.com/jayproxy/jay/proxy"
)

// identity is what Jay shows to clients that speak TLS to it, and what it wants to see of them. It changes with the
// configuration; sessions that clients resume live on.
type identity struct {
	current atomic.Pointer[tls.Config]
}

// use puts an identity in force for the handshakes to come.
func (id *identity) use(t *tls.Config) { id.current.Store(t) }

// identityOf reads the files of a configuration; it is nil if that names none.
func identityOf(c *config.Config) (*tls.Config, error) {
	if c.TLSCert == "" {
		return nil, nil
	}
	key := cmp.Or(c.TLSKey, c.TLSCert)
	pair, err := tls.LoadX509KeyPair(c.TLSCert, key)
	var path *os.PathError
	switch {
	case errors.As(err, &path):
		return nil, fmt.Errorf("tls-cert, tls-key: %w", plainPath(err))
	case err != nil:
		return nil, fmt.Errorf("tls-cert: %s with the key in %s: %w", c.TLSCert, key, err)
	}
	t := &tls.Config{Certificates: []tls.Certificate{pair}}
	if c.TLSClientCA == "" {
		return t, nil
	}
	pem, err := os.ReadFile(c.TLSClientCA)
	if err != nil {
		return nil, fmt.Errorf("tls-client-ca: %w", plainPath(err))
	}
	t.ClientAuth, t.ClientCAs = tls.RequireAndVerifyClientCert, x509.NewCertPool()
	if !t.ClientCAs.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("tls-client-ca: %s: no certificate in it", c.TLSClientCA)
	}
	return t, nil
}

// config is for listeners: each handshake takes what is current.
func (id *identity) config() *tls.Config {
	return &tls.Config{GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) { return id.current.Load(), nil }}
}

// listenOptions tell the proxy how clients come to a place.
func (s *server) listenOptions(pl place) proxy.ListenOptions {
	o := proxy.ListenOptions{Mode: pl.mode, ProxyProtocol: pl.fronted}
	if pl.secure {
		o.TLS = s.tls.config()
	}
	return o
}
