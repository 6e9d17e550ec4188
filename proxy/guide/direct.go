package guide

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
)

// Direct is a set of destinations that clients reach without the proxy. The zero value is empty.
type Direct struct {
	exact  []string // names
	below  []string // names that stand for all below them as well
	globs  []string // names with * for any characters
	blocks []netip.Prefix
	texts  []string // the entries that other programs understand, too
}

// NewDirect reads entries: "example.com" is that name, ".example.com" that name and all below it, "web-*.example.com" has *
// for any characters; "192.0.2.1" and "192.0.2.0/24" are for hosts that are addresses, since no name is looked up.
func NewDirect(entries []string) (Direct, error) {
	var d Direct
	for _, entry := range entries {
		if err := d.add(strings.TrimSuffix(strings.ToLower(entry), ".")); err != nil {
			return Direct{}, fmt.Errorf("%q: %w", entry, err)
		}
	}
	return d, nil
}

var errEntry = errors.New("neither a name nor an address; write example.com, .example.com, web-*.example.com or 192.0.2.0/24")

// add adds an entry in lower case.
func (d *Direct) add(entry string) error {
	if p, ok := parseBlock(entry); ok {
		d.blocks = append(d.blocks, p)
		d.texts = append(d.texts, blockText(p))
		return nil
	}
	name, below := strings.CutPrefix(entry, ".")
	if !validName(name) {
		return errEntry
	}
	switch {
	case strings.Contains(name, "*") && (below || strings.Trim(name, "0123456789.*") == ""):
		return errEntry // blocks of addresses are written in another way
	case strings.Contains(name, "*"):
		d.globs = append(d.globs, name)
		return nil
	case below:
		d.below = append(d.below, name)
	default:
		d.exact = append(d.exact, name)
	}
	d.texts = append(d.texts, entry)
	return nil
}

// blockText is an address or a block, as short as it can be written.
func blockText(p netip.Prefix) string {
	if p.IsSingleIP() {
		return p.Addr().String()
	}
	return p.String()
}

// parseBlock reads an address or a block of addresses.
func parseBlock(text string) (netip.Prefix, bool) {
	if inner, ok := strings.CutPrefix(text, "["); ok {
		text = strings.TrimSuffix(inner, "]")
	}
	if a, err := netip.ParseAddr(text); err == nil && a.Zone() == "" {
		return netip.PrefixFrom(a.Unmap(), a.Unmap().BitLen()), true
	}
	p, err := netip.ParsePrefix(text)
	return p, err == nil && p == p.Masked() && !p.Addr().Is4In6()
}

// validName tells whether a text is a host name, which may hold *. Nothing in it means anything in a script or a page.
func validName(name string) bool {
	if len(name) == 0 || len(name) > 253 {
		return false
	}
	for label := range strings.SplitSeq(name, ".") {
		if label == "" || len(label) > 63 || strings.Trim(label, "abcdefghijklmnopqrstuvwxyz0123456789-_*") != "" {
			return false
		}
	}
	last := name[strings.LastIndexByte(name, '.')+1:]
	return strings.Trim(last, "0123456789") != ""
}

// NoProxy is the set as the value of no_proxy: what programs make of it differs a little, and names with * are left out,
// since hardly any knows them.
func (d *Direct) NoProxy() string {
	return strings.Join(append([]string{"localhost", "127.0.0.1", "::1"}, d.texts...), ",")
}
