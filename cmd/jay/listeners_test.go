package main

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/jayproxy/jay/proxy"
)

// openSet is a set with listeners at some places.
func openSet(t *testing.T, places ...place) *listeners {
	t.Helper()
	s := &listeners{log: slog.New(slog.DiscardHandler)}
	ch, err := s.prepare(t.Context(), places)
	if err != nil {
		t.Fatal(err)
	}
	ch.commit()
	t.Cleanup(s.close)
	return s
}

// at is a place for clients.
func at(address string) place { return place{address: address} }

// freePort is an address with a port on which nothing listens, below those that the kernel gives to connections: no other
// test's takes it meanwhile.
func freePort(t *testing.T, host string) string {
	t.Helper()
	for range 1000 {
		address := net.JoinHostPort(host, fmt.Sprint(11000+rand.IntN(20000)))
		if ln, err := net.Listen("tcp", address); err == nil {
			ln.Close()
			return address
		}
	}
	t.Fatal("no port is free")
	return ""
}

// reaches tells whether something listens.
func reaches(address string) bool {
	c, err := net.Dial("tcp", address)
	if err != nil {
		return false
	}
	c.Close()
	return true
}

// TestListeners_kept checks that what is wanted again stays the same listener, and the rest goes.
func TestListeners_kept(t *testing.T) {
	a, b := freePort(t, "127.0.0.1"), freePort(t, "127.0.0.1")
	s := openSet(t, at(a), at("127.0.0.1:0"), at("127.0.0.1:0"))
	first, second := s.open[0].Listener, s.open[1].Listener
	ch, err := s.prepare(t.Context(), []place{at(a), at("127.0.0.1:0"), at(b)})
	if err != nil {
		t.Fatal(err)
	}
	if len(ch.kept) != 2 || len(ch.opened) != 1 || len(ch.gone) != 1 || !reaches(b) || !reaches(ch.gone[0].Addr().String()) {
		t.Errorf("prepared: got %d kept, %d opened, %d gone; want 2, 1 and 1, all of them open", len(ch.kept), len(ch.opened), len(ch.gone))
	}
	ch.commit()
	if s.open[0].Listener != first || s.open[1].Listener != second {
		t.Errorf("got other listeners at the same places")
	}
	if gone := ch.gone[0].Addr().String(); reaches(gone) || !reaches(a) || !reaches(b) || len(s.open) != 3 {
		t.Errorf("committed: got %v open, %s open %v; want 3 and not that", s.open, gone, reaches(gone))
	}
}

// TestListeners_inTheWay checks places that need the port of a listener that goes.
func TestListeners_inTheWay(t *testing.T) {
	a, b := freePort(t, "127.0.0.1"), freePort(t, "127.0.0.1")
	_, port, _ := net.SplitHostPort(a)
	tests := []struct {
		name       string
		have, want []place
	}{
		{"another mode", []place{at(a)}, []place{{address: a, mode: proxy.ByHost}}},
		{"all addresses", []place{at(a)}, []place{at(":" + port)}},
		{"one address", []place{at(":" + port)}, []place{at(a)}},
		{"changing places", []place{at(a), {address: b, admin: true}}, []place{at(b), {address: a, admin: true}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := openSet(t, tt.have...)
			ch, err := s.prepare(t.Context(), tt.want)
			if err != nil {
				t.Fatal(err)
			}
			ch.commit()
			for i, ln := range s.open {
				if ln.place != tt.want[i] || !reaches(ln.Addr().String()) {
					t.Errorf("got %v; want %v, open", ln.place, tt.want[i])
				}
			}
		})
	}
}

// TestListeners_sameSocket checks that who has connected before a listener gives way to another one at its address is
// served by that.
func TestListeners_sameSocket(t *testing.T) {
	a := freePort(t, "127.0.0.1")
	for _, want := range []place{{address: a, mode: proxy.ByHost}, {address: a, fronted: true}, {address: a, secure: true}, {address: a, admin: true}} {
		s := openSet(t, at(a))
		c, err := net.Dial("tcp", a)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		ch, err := s.prepare(t.Context(), []place{want})
		if err != nil {
			t.Fatal(err)
		}
		ch.commit()
		ln := s.open[0].Listener.(*net.TCPListener)
		ln.SetDeadline(time.Now().Add(5 * time.Second))
		if got, err := ln.Accept(); err != nil {
			t.Errorf("%v: %v; want the connection from before", want, err)
		} else {
			got.Close()
		}
		s.close()
		if reaches(a) {
			t.Errorf("%v: a copy of the socket is left", want)
		}
	}
	s := openSet(t, at("127.0.0.1:0"))
	ch, err := s.prepare(t.Context(), []place{{address: "127.0.0.1:0", fronted: true}, {address: "127.0.0.1:0", secure: true}})
	if err != nil {
		t.Fatal(err)
	}
	ch.commit()
	if a, b := s.open[0].Addr().String(), s.open[1].Addr().String(); a == b {
		t.Errorf("two listeners at %s; want two ports", a)
	}
}

// TestListeners_undo checks that a place that cannot be had leaves everything as it was, even what was in the way.
func TestListeners_undo(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	a, b := freePort(t, "127.0.0.1"), freePort(t, "127.0.0.1")
	_, port, _ := net.SplitHostPort(a)
	for _, want := range [][]place{
		{at(b), at(taken.Addr().String())},
		{at(b), at(":" + port), at("192.0.2.1:" + port)}, // an address that is not this machine's
	} {
		s := openSet(t, at(a))
		served := 0
		s.serve = func(listener) { served++ }
		_, err := s.prepare(context.Background(), want)
		if err == nil || !strings.Contains(err.Error(), "cannot listen on") {
			t.Errorf("prepare(%v) = %v; want an error that says where", want, err)
		}
		if len(s.open) != 1 || s.open[0].place != at(a) || !reaches(a) || reaches(b) {
			t.Errorf("after prepare(%v): got %v; want %s only, open", want, s.open, a)
		}
		s.close()
	}
}

// TestListeners_spare checks that Jay does without an admin listener whose address nobody chose.
func TestListeners_spare(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	s := openSet(t)
	want := []place{at("127.0.0.1:0"), {address: taken.Addr().String(), admin: true}}
	if _, err := s.prepare(t.Context(), want); err == nil || !strings.HasPrefix(err.Error(), "admin: cannot listen on") {
		t.Errorf("prepare() = %v; want an error about admin", err)
	}
	s.spare = true
	ch, err := s.prepare(t.Context(), want)
	if err != nil {
		t.Fatal(err)
	}
	ch.commit()
	if len(s.open) != 1 || adminOf(s.open) != nil {
		t.Errorf("got %v; want the proxy's listener only", s.open)
	}
}
