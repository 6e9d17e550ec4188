package main

import (
	"crypto/sha256"
	"crypto/tls"
	"io"
	"os"
	"reflect"
	"slices"

	"github.com/jayproxy/jay/config"
	"github.com/jayproxy/jay/proxy"
)

// setup is a configuration and what was made of it, before anything of it is in force.
type setup struct {
	config   config.Config
	options  proxy.Options
	token    string
	identity *tls.Config       // for clients that speak TLS; nil: there is none
	spare    bool              // nobody chose the address of the admin listener
	files    map[string]digest // the files that the configuration names
}

// digest stands for the content of a file; the zero value for one that cannot be read.
type digest [sha256.Size]byte

// read reads the configuration, fits the sockets that were handed over to it, and reads the files that it names. The last
// part of what it returns is in force only once somebody puts it there.
func (p *process) read(f *flags, handed sockets) (*setup, error) {
	c, err := p.settings(f, codeFailure)
	if err != nil {
		return nil, err
	}
	if err := handed.fit(&c, f.listenChosen, f.adminChosen); err != nil {
		return nil, &exitError{code: codeFailure, err: err}
	}
	n := &setup{config: c, spare: !f.adminChosen, files: digests(&c)} // digests first: what changes meanwhile is read again
	if n.options, err = proxyOptions(&c); err != nil {
		return nil, &exitError{code: codeFailure, err: err}
	}
	if n.token, err = adminToken(&c); err != nil {
		return nil, &exitError{code: codeFailure, err: err}
	}
	if n.identity, err = identityOf(&c); err != nil {
		return nil, &exitError{code: codeFailure, err: err}
	}
	return n, nil
}

// named are the files that a configuration names and that are read when it is.
func named(c *config.Config) []string {
	all := slices.Clone(c.CAFiles)
	for _, name := range []string{c.AuthFile, c.AdminTokenFile, c.ParentLoginFile, c.TLSCert, c.TLSKey, c.TLSClientCA} {
		if name != "" {
			all = append(all, name)
		}
	}
	return append(all, lists(c)...)
}

// lists are the files of the policy's lists.
func lists(c *config.Config) (all []string) {
	if c.Policy != nil {
		for _, l := range c.Policy.Lists {
			all = append(all, l.File)
		}
	}
	return all
}

// digests are those of the files that a configuration names.
func digests(c *config.Config) map[string]digest {
	all := map[string]digest{}
	for _, name := range named(c) {
		all[name] = digestOf(name)
	}
	return all
}

func digestOf(name string) (d digest) {
	f, err := os.Open(name)
	if err != nil {
		return d
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err == nil {
		h.Sum(d[:0])
	}
	return d
}

// keep takes from the setup in force what has not changed, so that nobody has to log in again, to connect anew or to count
// from the beginning for a change of something else.
func (n *setup) keep(before *setup) {
	was, is := &before.config, &n.config
	if slices.Equal(was.CAFiles, is.CAFiles) && n.same(before, is.CAFiles...) {
		n.options.TLS = before.options.TLS
	}
	if reflect.DeepEqual(was.Policy, is.Policy) && n.same(before, lists(is)...) {
		n.options.Policy = before.options.Policy
	}
	n.options.Parents.Inherit(before.options.Parents)
	switch a, b := before.options.Auth, n.options.Auth; {
	case a == nil || b == nil:
	case was.AuthFile == is.AuthFile && was.AuthRealm == is.AuthRealm && n.same(before, is.AuthFile):
		n.options.Auth = a
	default:
		b.Inherit(a)
	}
}

// same tells whether files have the content that they had.
func (n *setup) same(before *setup, names ...string) bool {
	for _, name := range names {
		if n.files[name] != before.files[name] {
			return false
		}
	}
	return true
}

// changed are the files that both setups name and that have another content now.
func (n *setup) changed(before *setup) []string {
	all := []string{}
	for _, name := range named(&n.config) {
		if was, ok := before.files[name]; ok && was != n.files[name] && !slices.Contains(all, name) {
			all = append(all, name)
		}
	}
	return all
}
