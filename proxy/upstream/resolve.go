package upstream

import (
	"context"
	"errors"
	"net/netip"

	"github.com/jayproxy/jay/proxy/resolve"
)

// Lookup returns the addresses of host as [resolve.Resolver.Lookup] does. The error is an [*Error].
func (c *Client) Lookup(ctx context.Context, host string) ([]netip.Addr, error) {
	addrs, err := c.names.Lookup(ctx, host)
	if err != nil {
		return nil, lookupError(err)
	}
	return addrs, nil
}

// CheckName reports as an [*Error] that host is no name that Lookup would ask for, nor a literal address. It asks nobody.
func CheckName(host string) error {
	if err := resolve.Check(host); err != nil {
		return lookupError(err)
	}
	return nil
}

// HasAddress reports whether addr is an address of host, or was one within the last minutes, as [resolve.Resolver.Has].
func (c *Client) HasAddress(ctx context.Context, host string, addr netip.Addr) bool {
	has, _ := c.names.Has(ctx, host, addr)
	return has
}

// LookupStats returns the figures of the lookups.
func (c *Client) LookupStats() resolve.Stats { return c.names.Stats() }

// lookupError names what went wrong while looking a name up.
func lookupError(err error) error {
	var re *resolve.Error
	if !errors.As(err, &re) {
		return &Error{Kind: KindDNSError, Status: 502, Err: err}
	}
	if re.Timeout {
		return &Error{Kind: KindDNSTimeout, Status: 504, Err: err}
	}
	return &Error{Kind: KindDNSError, Status: 502, RCode: re.RCode, Err: err}
}
