package proxy

import (
	"context"
	"errors"
	"net"
	"testing"
)

// TestMain has the resolver of package net set itself up before any test runs in a bubble: what it makes there could not be
// used in another one.
func TestMain(m *testing.M) {
	r := &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) { return nil, errors.New("nobody") }}
	r.LookupHost(context.Background(), "warm.test")
	m.Run()
}
