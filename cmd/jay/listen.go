package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"syscall"

	"github.com/jayproxy/jay/config"
	"github.com/jayproxy/jay/proxy"
)

// interceptMode is the proxy's word for the mode of intercepting listeners.
func interceptMode(c *config.Config) proxy.Mode {
	switch c.InterceptMode {
	case config.InterceptTProxy:
		return proxy.TProxy
	case config.InterceptHost:
		return proxy.ByHost
	}
	return proxy.Redirect
}

// listenError says what is wrong with an address in words that help.
func listenError(address string, err error) error {
	var dns *net.DNSError
	var number syscall.Errno
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return fmt.Errorf("cannot listen on %s: another program listens there already", address)
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return fmt.Errorf("cannot listen on %s: this machine does not have that address", address)
	case errors.Is(err, os.ErrPermission):
		return fmt.Errorf("cannot listen on %s: permission denied; ports below 1024 and intercept-mode tproxy need privileges (root, or CAP_NET_BIND_SERVICE and CAP_NET_ADMIN)", address)
	case errors.As(err, &dns):
		return fmt.Errorf("cannot listen on %s: no address found for the host name", address)
	case errors.As(err, &number):
		return fmt.Errorf("cannot listen on %s: %w", address, number)
	}
	return fmt.Errorf("cannot listen on %s: %w", address, err)
}
