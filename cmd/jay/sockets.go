package main

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"

	"github.com/jayproxy/jay/config"
	"github.com/jayproxy/jay/proxy"
	"github.com/jayproxy/jay/tunnel"
)

// The names of sockets for the admin listener, and for clients that speak TLS; those of the others are the names of the
// proxy's modes.
const (
	kindAdmin = "admin"
	kindTLS   = "tls"
)

// firstDescriptor is the number of the first descriptor that a service manager hands over (SD_LISTEN_FDS_START).
const firstDescriptor = 3

// socket is a listening socket that a service manager has opened and handed over (sd_listen_fds(3)). It stays open as long
// as the process lives, so that a listener can be made of it again after a reload.
type socket struct {
	file *os.File
	name string // as the manager calls it: FileDescriptorName=
	what string // the descriptor, for messages
	addr net.Addr
	kind string // "explicit", "redirect", "tproxy", "host", kindTLS or kindAdmin; empty: its address decides
	text string // its address as the configuration writes it
}

// sockets are all that were handed over.
type sockets []*socket

// kinds are the names by which a service manager can say what a socket is for.
func kinds() []string {
	all := []string{}
	for m := proxy.Explicit; m <= proxy.ByHost; m++ {
		all = append(all, m.String())
	}
	return append(all, kindTLS, kindAdmin)
}

// takeSockets looks at the files that a service manager handed over. All of them must be listening sockets.
func takeSockets(files []*os.File) (sockets, error) {
	var all sockets
	for i, f := range files {
		s := &socket{file: f, name: f.Name(), what: fmt.Sprintf("descriptor %d (%q)", firstDescriptor+i, f.Name())}
		ln, err := s.open()
		if err != nil {
			return nil, s.fault("%w", err)
		}
		s.addr = ln.Addr()
		ln.Close()
		s.text = s.addr.String()
		if s.addr.Network() == "unix" {
			s.text = "unix:" + s.text
		}
		if all.find(s.text) != nil {
			return nil, s.fault("%s was handed over twice", s.text)
		}
		all = append(all, s)
	}
	return all, nil
}

// fault is an error about the socket.
func (s *socket) fault(format string, args ...any) error {
	return fmt.Errorf("socket activation: %s: %w", s.what, fmt.Errorf(format, args...))
}

// open makes a listener of the socket.
func (s *socket) open() (net.Listener, error) {
	switch on, err := listens(s.file); {
	case err != nil:
		return nil, errors.New("it is not a socket")
	case !on:
		return nil, errors.New("the socket does not listen")
	}
	ln, err := net.FileListener(s.file)
	if err != nil {
		return nil, errors.New("the socket is none for connections")
	}
	return ln, nil
}

// listen makes the listener of a place.
func (s *socket) listen(pl place) (net.Listener, error) {
	ln, err := s.open()
	if err != nil {
		return nil, s.fault("%w", err)
	}
	if pl.admin {
		return ln, nil
	}
	t, ok := ln.(*net.TCPListener)
	if !ok {
		ln.Close()
		return nil, s.fault("clients of the proxy need a TCP socket")
	}
	if pl.mode != proxy.TProxy {
		return ln, nil
	}
	if ok, err := tunnel.Transparent(t); err != nil || !ok {
		ln.Close()
		return nil, s.fault("the socket lacks IP_TRANSPARENT, which tproxy needs; Transparent=yes in the socket unit sets it")
	}
	return ln, nil
}

// find is the socket that has an address, as fit writes it into the configuration; nil if there is none.
func (all sockets) find(text string) *socket {
	for _, s := range all {
		if s.text == text {
			return s
		}
	}
	return nil
}

// mode is how the clients of an intercepting listener come to it: as the socket's name says, or else the configuration.
func (s *socket) mode(configured proxy.Mode) proxy.Mode {
	for m := proxy.Explicit; m <= proxy.ByHost; m++ {
		if m.String() == s.kind {
			return m
		}
	}
	return configured
}

// close closes all of them.
func (all sockets) close() {
	for _, s := range all {
		s.file.Close()
	}
}

// fit makes the configuration and the sockets agree: a socket takes the place of the address that it has, and one whose
// name says what it is for is added where nobody configured it. The defaults of listen and admin, which nobody chose, give
// way to sockets for the same.
func (all sockets) fit(c *config.Config, listenChosen, adminChosen bool) error {
	if len(all) == 0 {
		return nil
	}
	for _, s := range all {
		if err := s.settle(c, adminChosen); err != nil {
			return err
		}
		if s.kind == proxy.Explicit.String() && !listenChosen {
			c.Listen, listenChosen = nil, true
		}
		if s.kind == kindAdmin && !adminChosen {
			c.Admin, adminChosen = s.text, true
		}
		if err := s.insert(c); err != nil {
			return err
		}
	}
	if err := all.overlap(c); err != nil {
		return err
	}
	return c.Validate()
}

// settle finds out what the socket is for. Without a name that says so the configuration does, each one for itself.
func (s *socket) settle(c *config.Config, adminChosen bool) error {
	s.kind = ""
	if slices.Contains(kinds(), s.name) {
		s.kind = s.name
	}
	where := ""
	mode := interceptMode(c).String()
	switch {
	case slices.ContainsFunc(c.Listen, s.is):
		where = proxy.Explicit.String()
	case slices.ContainsFunc(c.ListenTLS, s.is):
		where = kindTLS
	case slices.ContainsFunc(c.Intercept, s.is):
		where = mode
	case s.is(c.Admin):
		where = kindAdmin
	}
	switch {
	case s.kind == "" && where == "":
		return s.fault("its address, %s, is not configured; configure it, or name the socket %s (FileDescriptorName=)", s.text, strings.Join(kinds(), ", "))
	case s.kind == "":
		s.kind = where
	case where != "" && where != s.kind:
		return s.fault("its address, %s, is configured for something else: %s", s.text, where)
	case s.kind == kindAdmin && where == "" && adminChosen:
		return s.fault("its address is %s, but admin is configured as %s", s.text, c.Admin)
	}
	return nil
}

// insert writes the socket's address into the configuration, in the place of the same address in other words if it is there.
func (s *socket) insert(c *config.Config) error {
	list := &c.Intercept
	switch s.kind {
	case kindAdmin:
		if !s.is(c.Admin) {
			return s.fault("there is a second socket for admin")
		}
		c.Admin = s.text
		return nil
	case proxy.Explicit.String():
		list = &c.Listen
	case kindTLS:
		list = &c.ListenTLS
	}
	c.ProxyProtocolAt = slices.Clone(c.ProxyProtocolAt)
	for i, address := range c.ProxyProtocolAt {
		if s.is(address) {
			c.ProxyProtocolAt[i] = s.text
		}
	}
	*list = slices.Clone(*list)
	if i := slices.IndexFunc(*list, s.is); i >= 0 {
		(*list)[i] = s.text
		return nil
	}
	*list = append(*list, s.text)
	return nil
}

// is tells whether a configured address is the socket's. Whatever way all addresses are written, all of both families are
// meant.
func (s *socket) is(address string) bool {
	if address == s.text {
		return true
	}
	t, ok := s.addr.(*net.TCPAddr)
	if !ok {
		return false
	}
	host, port, err := net.SplitHostPort(address)
	if err != nil || port != fmt.Sprint(t.Port) {
		return false
	}
	own := t.AddrPort().Addr().Unmap()
	switch host {
	case "":
		return own.IsUnspecified()
	case "localhost":
		return own.IsLoopback()
	}
	a, err := netip.ParseAddr(host)
	return err == nil && (a.Unmap() == own || a.IsUnspecified() && own.IsUnspecified())
}

// overlap finds an address that cannot be opened because a socket has all addresses of its port.
func (all sockets) overlap(c *config.Config) error {
	for _, s := range all {
		t, ok := s.addr.(*net.TCPAddr)
		if !ok || !t.IP.IsUnspecified() {
			continue
		}
		for _, a := range slices.Concat(c.Listen, c.ListenTLS, c.Intercept, []string{c.Admin}) {
			if _, port, err := net.SplitHostPort(a); err == nil && port == fmt.Sprint(t.Port) && all.find(a) == nil {
				return s.fault("%s covers %s, which is configured; make the two the same", s.text, a)
			}
		}
	}
	return nil
}
