package config

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"

	"go.yaml.in/yaml/v3"
)

// HostAddresses are the addresses that a name has without being looked up: an entry of the section "hosts" of the file,
//
//	hosts:
//	  intranet.example: 10.0.0.5
//	  www.example: [10.0.0.6, "fd00::6"]
type HostAddresses struct {
	Name      string       // in lower case, without a final dot
	Addresses []netip.Addr // at least one
}

// loadHosts reads the section into c, or leaves c as it is and returns all that is wrong.
func loadHosts(c *Config, n *yaml.Node) []error {
	var l policyLoader
	var all []HostAddresses
	lines := make(map[string]int)
	l.each(n, "hosts", func(key, value *yaml.Node) {
		name := strings.TrimSuffix(strings.ToLower(key.Value), ".")
		if err := checkHost(name); err != nil {
			l.fail(key, "hosts: %v", err)
			return
		}
		if line, ok := lines[name]; ok {
			l.fail(key, "hosts: %s is already on line %d", name, line)
			return
		}
		lines[name] = key.Line
		h := HostAddresses{Name: name}
		for _, text := range l.texts(value, "hosts: "+name, checkHostAddress) {
			h.Addresses = append(h.Addresses, netip.MustParseAddr(text).Unmap())
		}
		all = append(all, h)
	})
	if l.errs == nil {
		c.Hosts = all
	}
	return l.errs
}

// checkHost accepts what may stand in a URL as a name.
func checkHost(name string) error {
	_, err := netip.ParseAddr(name)
	if name == "" || len(name) > 253 || err == nil || strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789-_.") != "" ||
		strings.HasPrefix(name, ".") || strings.Contains(name, "..") {
		return fmt.Errorf("%q is not a host name", name)
	}
	return nil
}

func checkHostAddress(text string) error {
	a, err := netip.ParseAddr(text)
	switch {
	case err != nil:
		return fmt.Errorf("%q is not an address", text)
	case a.Zone() != "":
		return errors.New("an address with a zone means something on one link only")
	}
	return nil
}

// writeHosts is the section as a YAML value.
func writeHosts(hosts []HostAddresses) *yaml.Node {
	m := mapping{}
	for _, h := range hosts {
		m.list(h.Name, texts(h.Addresses))
	}
	return m.node()
}
