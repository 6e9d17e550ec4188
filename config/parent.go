package config

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// ParentDirect is the word for the way to an origin that has no parent on it.
const ParentDirect = "direct"

// ParentRule is a rule of the section "parents" of the file, of which the first that matches decides through which proxies a
// request goes.
type ParentRule struct {
	Match PolicyRule // name and conditions; it has no action, no groups and no lists
	Use   []string   // what [ParseParent] reads, in the order in which they are tried
}

// ParentURL says where another proxy is and how to log in there. The zero value stands for [ParentDirect].
type ParentURL struct {
	Scheme         string // http, https or socks5
	Host           string // a lower-case name or an address without brackets
	Port           uint16
	User, Password string // empty: none
}

// Login is a user name and a password.
type Login struct{ User, Password string }

// masked is what stands for a password wherever settings are shown.
const masked = "***"

var errParent = errors.New("not the URL of a proxy; write http://proxy.example:3128, https://…, socks5://… or direct, with user:password@ in front of the host where it wants a login")

// ParseParent reads the URL of a proxy, or "direct". No error quotes a password.
func ParseParent(text string) (ParentURL, error) {
	if text == ParentDirect {
		return ParentURL{}, nil
	}
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.Opaque != "" || u.RawQuery != "" || u.Fragment != "" || u.Path != "" && u.Path != "/" {
		return ParentURL{}, fmt.Errorf("%q is %w", MaskParent(text), errParent)
	}
	p := ParentURL{Scheme: u.Scheme, Host: strings.ToLower(strings.TrimSuffix(u.Hostname(), "."))}
	switch u.Scheme {
	case "http", "https", "socks5":
	case "socks5h":
		p.Scheme = "socks5"
	default:
		return ParentURL{}, fmt.Errorf("%q is %w", MaskParent(text), errParent)
	}
	if _, err := netip.ParseAddr(p.Host); err != nil && !isName(p.Host) {
		return ParentURL{}, fmt.Errorf("%q has no valid host", MaskParent(text))
	}
	if p.Port, err = parsePort(u.Port()); err != nil || p.Port == 0 {
		return ParentURL{}, fmt.Errorf("%q has no port; write %s://%s:3128", MaskParent(text), p.Scheme, p.hostText())
	}
	return p, p.login(u.User, text)
}

// login takes user and password from a URL.
func (u *ParentURL) login(info *url.Userinfo, text string) error {
	if info == nil {
		return nil
	}
	u.User = info.Username()
	u.Password, _ = info.Password()
	switch {
	case u.Password == masked:
		return fmt.Errorf("%q has stars in place of a password, as settings are shown; write the password, or put it into parent-login-file", MaskParent(text))
	case u.User == "":
		return fmt.Errorf("%q has a password, but no user", MaskParent(text))
	case strings.Contains(u.User, ":"):
		return fmt.Errorf("%q has a user with a colon", MaskParent(text))
	case len(u.User) > 255 || len(u.Password) > 255:
		return fmt.Errorf("%q has a user or a password of more than 255 bytes", MaskParent(text))
	}
	return nil
}

// hostText is the host as it stands in a URL.
func (u *ParentURL) hostText() string {
	if strings.Contains(u.Host, ":") {
		return "[" + u.Host + "]"
	}
	return u.Host
}

// Address is host and port.
func (u *ParentURL) Address() string { return net.JoinHostPort(u.Host, strconv.Itoa(int(u.Port))) }

// MaskParent returns a proxy's URL, whatever else is wrong with it, without its password.
func MaskParent(text string) string {
	at := strings.LastIndexByte(text, '@')
	if at < 0 {
		return text
	}
	start := 0
	if i := strings.Index(text, "://"); i >= 0 && i < at {
		start = i + 3
	}
	user, _, has := strings.Cut(text[start:at], ":")
	if has {
		user += ":" + masked
	}
	return text[:start] + user + text[at:]
}

// checkParent accepts what ParseParent does.
func checkParent(text string) error {
	_, err := ParseParent(text)
	return err
}

// ParseLogins reads a file with logins for proxies: lines of the form "HOST:PORT USER:PASSWORD", in which the password is
// everything behind the first colon, spaces included; empty lines and lines that begin with # say nothing. The result is by
// host:port. Errors give the line, "3: what is wrong", and nothing of what it holds.
func ParseLogins(data []byte) (map[string]Login, error) {
	all := make(map[string]Login)
	n := 0
	for line := range strings.Lines(string(data)) {
		n++
		line = strings.TrimLeft(strings.TrimRight(line, "\r\n"), " \t")
		if line == "" || line[0] == '#' {
			continue
		}
		where, login, _ := strings.Cut(line, " ")
		user, password, ok := strings.Cut(strings.TrimLeft(login, " \t"), ":")
		host, port, err := splitHostPort(where)
		if err != nil || !ok || user == "" || host == "" || len(user) > 255 || len(password) > 255 {
			return nil, &lineError{n, "want HOST:PORT USER:PASSWORD"}
		}
		where = net.JoinHostPort(strings.ToLower(host), port)
		if _, twice := all[where]; twice {
			return nil, &lineError{n, "there is a login for this proxy already"}
		}
		all[where] = Login{user, password}
	}
	return all, nil
}

// parentConflicts finds parents that cannot work with the other settings.
func (c *Config) parentConflicts() []error {
	var all []error
	for _, text := range c.Parent {
		all = append(all, c.ownListener("parent", text)...)
	}
	for i := range c.Parents {
		r := &c.Parents[i]
		for _, text := range r.Use {
			all = append(all, c.ownListener("parents: rule "+r.Match.Name, text)...)
		}
		if r.Match.namesPeople() && c.AuthFile == "" {
			all = append(all, fmt.Errorf("parents: rule %s is about users, but without auth-file nobody says who they are", r.Match.Name))
		}
	}
	for i, text := range c.SourceAddress {
		a, err := netip.ParseAddr(text)
		if err == nil && slices.ContainsFunc(c.SourceAddress[:i], func(other string) bool {
			b, err := netip.ParseAddr(other)
			return err == nil && a.Is4() == b.Is4()
		}) {
			all = append(all, fmt.Errorf("source-address: %s is the second address of its family", text))
		}
	}
	return all
}

// ownListener finds out, as far as it can be told without looking names up, that a parent is Jay itself.
func (c *Config) ownListener(what, text string) []error {
	u, err := ParseParent(text)
	if err != nil || u == (ParentURL{}) {
		return nil // complained about elsewhere
	}
	here := func(host string) bool {
		a, err := netip.ParseAddr(host)
		return host == "" || host == "localhost" || err == nil && (a.IsLoopback() || a.IsUnspecified())
	}
	for _, listen := range slices.Concat(c.Listen, c.ListenTLS, c.Intercept) {
		host, port, err := splitHostPort(listen)
		if err == nil && port == strconv.Itoa(int(u.Port)) && (host == u.Host || here(host) && here(u.Host)) {
			return []error{fmt.Errorf("%s: %s is Jay itself, which listens on %s", what, MaskParent(text), listen)}
		}
	}
	return nil
}

// checkSource accepts an address that connections can come from.
func checkSource(text string) error {
	a, err := netip.ParseAddr(text)
	if err != nil || a.Zone() != "" || a.IsUnspecified() || a.IsMulticast() || a.Is4In6() {
		return fmt.Errorf("%q is not an address of this machine; write 192.0.2.7 or 2001:db8::7", text)
	}
	return nil
}

// parentOptions are about the way to origins.
func parentOptions() []Option {
	return []Option{{
		Name: "parent", Arg: "URL", Category: catParent, Many: true, check: checkParent, mask: MaskParent,
		Help:  "proxies to reach origins through, tried in this order: http://, https:// or socks5://, with user:password@ where one wants a login; direct is none; rules for some destinations are a section of the file",
		field: func(c *Config) any { return &c.Parent },
	}, {
		Name: "parent-login-file", Arg: "FILE", Category: catParent,
		Help:  "file with logins for parents, lines of the form HOST:PORT USER:PASSWORD",
		field: func(c *Config) any { return &c.ParentLoginFile },
	}, {
		Name: "source-address", Arg: "ADDR", Category: catParent, Many: true, check: checkSource,
		Help:  "address that connections to origins and parents come from; one of IPv4 and one of IPv6",
		field: func(c *Config) any { return &c.SourceAddress },
	}}
}
