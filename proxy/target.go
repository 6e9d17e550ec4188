package proxy

import (
	"net/netip"
	"strconv"
	"strings"

	"github.com/jayproxy/jay/proxy/wire"
)

// locate finds out where the request goes. The fault it returns, if its status is not 0, is the answer instead.
func (x *exchange) locate() fault {
	u := &x.req.URI
	if x.req.Method == "CONNECT" {
		if x.c.mode != Explicit {
			return fault{status: 403, kind: "http_request_denied", text: "CONNECT is for clients that were told to use a proxy"}
		}
		return fault{}
	}
	if x.c.mode == Explicit {
		if u.Form == wire.AbsoluteForm {
			x.setOrigin(u.Scheme, u.Host, u.Port, u.Path, netip.AddrPort{})
		} else {
			x.rec.URL = x.req.Target
		}
		return fault{}
	}
	return x.locateIntercepted()
}

// locateIntercepted finds the origin of a request from a client that does not know of Jay. It is the one that the client
// connected to, whatever it calls it; the cache is left out unless the name is true (CVE-2009-0801).
func (x *exchange) locateIntercepted() fault {
	u, dst := &x.req.URI, x.c.dst
	scheme := "http"
	if u.Form == wire.AbsoluteForm {
		scheme = u.Scheme
	}
	host, port := u.Host, u.Port
	if host == "" {
		if !dst.IsValid() {
			return fault{status: 400, kind: "http_request_error", text: "the request has no Host field, and nothing else says where it goes"}
		}
		host = dst.Addr().String()
		port = strconv.Itoa(int(dst.Port()))
	}
	if x.c.mode == ByHost {
		x.setOrigin(scheme, host, port, u.Path, netip.AddrPort{})
		return fault{}
	}
	if scheme != "http" {
		return fault{status: 400, kind: "http_request_error", text: "an intercepted request cannot ask for https"}
	}
	x.setOrigin(scheme, host, port, u.Path, dst)
	if x.origin.Port != dst.Port() || !x.resolvesTo(host, dst.Addr()) {
		x.unverified, x.bypass = true, "host-mismatch"
	} else {
		x.c.proven = proven{strings.Clone(host), x.start}
	}
	x.origin.Port = dst.Port()
	return fault{}
}

// resolvesTo tells whether a host is, or is the name of, an address. Those count that the name had within the last minutes:
// a name with many addresses has others each time one asks, and the client asked before.
func (x *exchange) resolvesTo(host string, addr netip.Addr) bool {
	if a, err := netip.ParseAddr(host); err == nil {
		return a.Unmap() == addr.Unmap()
	}
	return x.client.HasAddress(x.ctx, strings.TrimSuffix(host, "."), addr)
}
