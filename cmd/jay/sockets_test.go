//go:build unix

package main

import (
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/jayproxy/jay/config"
	"github.com/jayproxy/jay/proxy"
)

// handedOver is a socket as a service manager hands it over, open until the test ends, and its address.
func handedOver(t *testing.T, name, address string) (*os.File, string) {
	t.Helper()
	network := "tcp"
	if filepath.IsAbs(address) {
		network = "unix"
	}
	ln, err := net.Listen(network, address)
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	if u, ok := ln.(*net.UnixListener); ok {
		u.SetUnlinkOnClose(false)
	}
	f, err := ln.(interface{ File() (*os.File, error) }).File()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return rename(t, f, name), ln.Addr().String()
}

// rename is the same file under the name that the manager calls it by.
func rename(t *testing.T, f *os.File, name string) *os.File {
	t.Helper()
	fd, err := syscall.Dup(int(f.Fd()))
	if err != nil {
		t.Fatal(err)
	}
	named := os.NewFile(uintptr(fd), name)
	t.Cleanup(func() { named.Close() })
	return named
}

// TestFitSockets checks that configuration and sockets agree afterwards, or that it is said why they do not.
func TestFitSockets(t *testing.T) {
	// In what follows A is the address of the socket, P its port, B an address that is configured.
	tests := []struct {
		name, socket      string // the socket's name and address
		args              string // options, with A and P
		listen, intercept string // what is listened on afterwards
		admin             string
		want              string // an error
	}{
		{name: "explicit", listen: "A"},
		{name: "explicit", args: "--listen=A", listen: "A"},
		{name: "explicit", args: "--listen=localhost:P", listen: "A"},
		{name: "explicit", args: "--listen=127.0.0.1:1,A", listen: "127.0.0.1:1 A"},
		{name: "explicit", args: "--listen=127.0.0.1:1", listen: "127.0.0.1:1 A"},
		{name: "explicit", socket: ":0", args: "--listen=:P", listen: "A"},
		{name: "explicit", socket: ":0", args: "--listen=0.0.0.0:P", listen: "A"}, // as Go understands it
		{name: "explicit", socket: ":0", args: "--listen=127.0.0.1:P", want: "covers 127.0.0.1:P, which is configured; make the two the same"},
		{name: "explicit", args: "--intercept=A", want: "its address, A, is configured for something else: redirect"},
		{name: "jay.socket", args: "--listen=A", listen: "A"},
		{name: "jay.socket", args: "--intercept=A --intercept-mode=host", listen: "127.0.0.1:3128", intercept: "A"},
		{name: "jay.socket", args: "--admin=A", listen: "127.0.0.1:3128", admin: "A"},
		{name: "jay.socket", want: "its address, A, is not configured; configure it, or name the socket explicit, redirect, tproxy, host, tls, admin (FileDescriptorName=)"},
		{name: "redirect", listen: "127.0.0.1:3128", intercept: "A"},
		{name: "tls", listen: "127.0.0.1:3128", want: "listen-tls: needs a certificate; name its file in tls-cert"},
		{name: "jay.socket", socket: ":0", args: "--listen=:P --proxy-protocol-at=:P --proxy-protocol-from=192.0.2.1", listen: "A"},
		{name: "host", args: "--intercept=127.0.0.1:1", listen: "127.0.0.1:3128", intercept: "127.0.0.1:1 A"},
		{name: "host", args: "--intercept=A", want: "its address, A, is configured for something else: redirect"},
		{name: "admin", listen: "127.0.0.1:3128", admin: "A"},
		{name: "admin", args: "--admin=127.0.0.1:1", want: "its address is A, but admin is configured as 127.0.0.1:1"},
		{name: "admin", socket: ":0", want: "A can be reached from other machines, which takes a token"},
		{name: "admin", socket: "/admin", listen: "127.0.0.1:3128", admin: "unix:A"},
		{name: "jay.socket", socket: "/admin", args: "--admin=unix:A", listen: "127.0.0.1:3128", admin: "unix:A"},
	}
	for _, tt := range tests {
		switch tt.socket {
		case "":
			tt.socket = "127.0.0.1:0"
		case "/admin":
			tt.socket = filepath.Join(t.TempDir(), "s")
		}
		f, addr := handedOver(t, tt.name, tt.socket)
		port := addr[strings.LastIndexByte(addr, ':')+1:]
		fill := func(text string) string {
			return strings.NewReplacer("A ", addr+" ", "A,", addr+",", "A", addr, ":P", ":"+port).Replace(text)
		}
		c, flags := parsed(t, strings.Fields(fill(tt.args)))
		handed, err := takeSockets([]*os.File{f})
		if err != nil {
			t.Fatalf("%+v: %v", tt, err)
		}
		if err := handed.fit(&c, flags.listenChosen, flags.adminChosen); err != nil || tt.want != "" {
			if err == nil || tt.want == "" || !strings.Contains(err.Error(), fill(tt.want)) {
				t.Errorf("%s %s: got error %v; want %q", tt.name, tt.args, err, fill(tt.want))
			}
			continue
		}
		if tt.admin == "" {
			tt.admin = config.Default().Admin
		} else {
			tt.admin = fill(tt.admin)
		}
		if l, i := strings.Join(c.Listen, " "), strings.Join(c.Intercept, " "); l != fill(tt.listen) || i != fill(tt.intercept) || c.Admin != tt.admin {
			t.Errorf("%s %s: got %q, %q, %q; want %q, %q, %q", tt.name, tt.args, l, i, c.Admin, fill(tt.listen), fill(tt.intercept), tt.admin)
		}
		for _, pl := range placesOf(&c, handed) {
			if pl.socket != nil && !pl.admin && tt.name != "jay.socket" && pl.mode.String() != tt.name {
				t.Errorf("%s %s: got mode %v; want that of its name", tt.name, tt.args, pl.mode)
			}
		}
		again, flags := parsed(t, strings.Fields(fill(tt.args))) // as a reload does
		if err := handed.fit(&again, flags.listenChosen, flags.adminChosen); err != nil || !slices.Equal(again.Listen, c.Listen) ||
			!slices.Equal(again.Intercept, c.Intercept) || again.Admin != c.Admin {
			t.Errorf("%s %s: once more: %v, %v, %v, %v; want the same", tt.name, tt.args, err, again.Listen, again.Intercept, again.Admin)
		}
	}
}

// TestFitSockets_otherUse checks that a reload may give a socket whose name says nothing another use, and none only as a
// start could.
func TestFitSockets_otherUse(t *testing.T) {
	f, addr := handedOver(t, "jay.socket", "127.0.0.1:0")
	handed, err := takeSockets([]*os.File{f})
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		args []string
		mode proxy.Mode
	}{
		{[]string{"--listen=" + addr}, proxy.Explicit},
		{[]string{"--intercept=" + addr}, proxy.Redirect},
		{[]string{"--intercept=" + addr, "--intercept-mode=host"}, proxy.ByHost},
	} {
		c, flags := parsed(t, tt.args)
		if err := handed.fit(&c, flags.listenChosen, flags.adminChosen); err != nil {
			t.Errorf("%v: %v", tt.args, err)
		}
		for _, pl := range placesOf(&c, handed) {
			if pl.address == addr && pl.mode != tt.mode {
				t.Errorf("%v: got %v; want %v", tt.args, pl.mode, tt.mode)
			}
		}
	}
	c, flags := parsed(t, nil)
	if err := handed.fit(&c, flags.listenChosen, flags.adminChosen); err == nil || !strings.Contains(err.Error(), "is not configured") {
		t.Errorf("not configured any more: got %v; want an error", err)
	}
}

// parsed is the configuration that arguments make.
func parsed(t *testing.T, args []string) (config.Config, *flags) {
	t.Helper()
	f := newFlags()
	for _, a := range args {
		name, value, _ := strings.Cut(strings.TrimPrefix(a, "--"), "=")
		f.texts[name] = append(f.texts[name], value)
	}
	var tt test
	c, err := tt.process().settings(f, codeFailure)
	if err != nil {
		t.Fatal(err)
	}
	return c, f
}

// TestTakeSockets checks what is refused.
func TestTakeSockets(t *testing.T) {
	plain, err := os.Create(filepath.Join(t.TempDir(), "f"))
	if err != nil {
		t.Fatal(err)
	}
	defer plain.Close()
	packets, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer packets.Close()
	datagram, err := packets.(*net.UDPConn).File()
	if err != nil {
		t.Fatal(err)
	}
	defer datagram.Close()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	c, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	connected, err := c.(*net.TCPConn).File()
	if err != nil {
		t.Fatal(err)
	}
	defer connected.Close()
	good, addr := handedOver(t, "explicit", "127.0.0.1:0")
	tests := []struct {
		files []*os.File
		want  string
	}{
		{[]*os.File{rename(t, plain, "a%sb")}, `socket activation: descriptor 3 ("a%sb"): it is not a socket`},
		{[]*os.File{good, rename(t, datagram, "explicit")}, `socket activation: descriptor 4 ("explicit"): the socket does not listen`},
		{[]*os.File{rename(t, connected, "x")}, `socket activation: descriptor 3 ("x"): the socket does not listen`},
		{[]*os.File{good, rename(t, good, "host")}, `socket activation: descriptor 4 ("host"): ` + addr + ` was handed over twice`},
	}
	for _, tt := range tests {
		if _, err := takeSockets(tt.files); err == nil || err.Error() != tt.want {
			t.Errorf("got %v; want %s", err, tt.want)
		}
	}
}

// TestListenOnSocket checks which kinds of socket serve which clients, and that one serves again after its listener was
// closed, with what has come in the meantime.
func TestListenOnSocket(t *testing.T) {
	f, addr := handedOver(t, "explicit", "127.0.0.1:0")
	handed, err := takeSockets([]*os.File{f})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		client, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		ln, err := place{address: addr, socket: handed[0]}.open(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		server, err := ln.Accept()
		if err != nil {
			t.Fatal(err)
		}
		server.Close()
		client.Close()
		ln.Close()
	}
	f, addr = handedOver(t, "tproxy", "127.0.0.1:0")
	if handed, err = takeSockets([]*os.File{f}); err != nil {
		t.Fatal(err)
	}
	if _, err := (place{address: addr, mode: proxy.TProxy, socket: handed[0]}).open(t.Context()); err == nil || !strings.Contains(err.Error(), "Transparent=yes") {
		t.Errorf("tproxy: got %v; want Transparent=yes to be asked for", err)
	}
	f, addr = handedOver(t, "explicit", filepath.Join(t.TempDir(), "s"))
	if handed, err = takeSockets([]*os.File{f}); err != nil {
		t.Fatal(err)
	}
	if _, err := (place{address: addr, socket: handed[0]}).open(t.Context()); err == nil || !strings.Contains(err.Error(), "clients of the proxy need a TCP socket") {
		t.Errorf("unix: got %v; want it refused", err)
	}
}
