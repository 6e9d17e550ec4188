package main

import (
	"fmt"
	"net/netip"
	"os"

	"github.com/jayproxy/jay/config"
	"github.com/jayproxy/jay/proxy"
	"github.com/jayproxy/jay/proxy/parent"
)

// parentOptions is what c says about the way to origins. It fails for a file of logins that cannot be used.
func parentOptions(c *config.Config) (parent.Options, error) {
	logins, err := readLogins(c.ParentLoginFile)
	if err != nil {
		return parent.Options{}, err
	}
	var o parent.Options
	for i := range c.Parents {
		r := &c.Parents[i]
		use, err := parentSpecs(r.Use, logins)
		if err != nil {
			return o, fmt.Errorf("parents: rule %s: %w", r.Match.Name, err)
		}
		o.Rules = append(o.Rules, parent.Rule{Match: policyRule(&r.Match), Use: use})
	}
	if o.Else, err = parentSpecs(c.Parent, logins); err != nil {
		return o, fmt.Errorf("parent: %w", err)
	}
	return o, nil
}

// parentSpecs reads parents. One whose URL says nothing about a login may have one in the file.
func parentSpecs(texts []string, logins map[string]config.Login) ([]parent.Spec, error) {
	var all []parent.Spec
	for _, text := range texts {
		u, err := config.ParseParent(text)
		if err != nil {
			return nil, err
		}
		if u == (config.ParentURL{}) {
			all = append(all, parent.Spec{})
			continue
		}
		s := parent.Spec{Kind: parentKinds[u.Scheme], Host: u.Host, Port: u.Port, User: u.User, Password: u.Password}
		if l, ok := logins[u.Address()]; ok && s.Password == "" && (s.User == "" || s.User == l.User) {
			s.User, s.Password = l.User, l.Password
		}
		all = append(all, s)
	}
	return all, nil
}

var parentKinds = map[string]parent.Kind{"http": parent.HTTP, "https": parent.HTTPS, "socks5": parent.SOCKS5}

// readLogins reads the file of logins, if there is one.
func readLogins(name string) (map[string]config.Login, error) {
	if name == "" {
		return nil, nil
	}
	data, err := os.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("parent-login-file: %w", plainPath(err))
	}
	logins, err := config.ParseLogins(data)
	if err != nil {
		return nil, fmt.Errorf("parent-login-file: %s:%w", name, err)
	}
	return logins, nil
}

// sourceAddresses are the addresses that connections come from; config has checked them.
func sourceAddresses(c *config.Config) []netip.Addr {
	var all []netip.Addr
	for _, text := range c.SourceAddress {
		if a, err := netip.ParseAddr(text); err == nil {
			all = append(all, a)
		}
	}
	return all
}

// routes puts the way to origins into o.
func routes(o *proxy.Options, c *config.Config) error {
	o.SourceAddresses = sourceAddresses(c)
	ways, err := parentOptions(c)
	if err != nil {
		return err
	}
	o.Parents, err = parent.New(ways)
	return err
}
