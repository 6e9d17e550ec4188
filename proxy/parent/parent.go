package parent

import (
	"encoding/base64"
	"fmt"
	"net"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// Kind is how a parent is spoken to.
type Kind uint8

// The kinds. There is none at zero, so that a forgotten one is found.
const (
	// HTTP is an HTTP proxy.
	HTTP Kind = iota + 1
	// HTTPS is an HTTP proxy that is spoken to over TLS.
	HTTPS
	// SOCKS5 is a SOCKS5 proxy, which is given names, not addresses.
	SOCKS5
)

// String is the scheme of the URLs of such parents.
func (k Kind) String() string {
	if int(k) >= len(kinds) {
		return "unknown"
	}
	return kinds[k]
}

var kinds = [...]string{"none", "http", "https", "socks5"}

// Spec describes a parent, or with the zero value none: straight to the origin.
type Spec struct {
	Kind Kind
	// Host is a name or an address without brackets, Port the port that it listens on.
	Host string
	Port uint16
	// User and Password are what Jay logs in with; no user means that it does not. Over HTTP a user has no colon.
	User, Password string
}

// direct tells whether there is no parent.
func (s Spec) direct() bool { return s == Spec{} }

// check finds what no parent can be like.
func (s Spec) check() error {
	switch {
	case s.direct():
		return nil
	case s.Kind < HTTP || s.Kind > SOCKS5:
		return fmt.Errorf("parent: %s is of no known kind", s.address())
	case s.Host == "" || s.Port == 0:
		return fmt.Errorf("parent: %s has no host or no port", s.address())
	case len(s.User) > 255 || len(s.Password) > 255: // RFC 1929 §2
		return fmt.Errorf("parent: %s has a user name or a password that is longer than 255 bytes", s.address())
	}
	return nil
}

// address is where the parent listens.
func (s Spec) address() string { return net.JoinHostPort(s.Host, strconv.Itoa(int(s.Port))) }

// Parent is one of Jay's parents with its health. A nil Parent stands for none: the way straight to the origin. Parents are
// compared by identity: two rules with equal Specs share one.
type Parent struct {
	spec  Spec
	name  string
	login string // the value of Proxy-Authorization

	connects, failures atomic.Int64

	mu     sync.Mutex
	fails  int       // in a row
	marked time.Time // when the last of them was noted
	until  time.Time // the end of the pause
	trial  time.Time // until when one request may find out whether it is up again
	last   string    // the word for what failed last
	told   time.Time // when the operator was last told that the parent does not work; zero: it does
}

func newParent(s Spec) *Parent {
	p := &Parent{spec: s, name: s.Kind.String() + "://" + s.address()}
	if s.User != "" && s.Kind != SOCKS5 {
		p.login = "Basic " + base64.StdEncoding.EncodeToString([]byte(s.User+":"+s.Password)) // RFC 7617 §2
	}
	return p
}

// Kind is how the parent is spoken to.
func (p *Parent) Kind() Kind { return p.spec.Kind }

// Host is the parent's name or its address without brackets.
func (p *Parent) Host() string { return p.spec.Host }

// Port is the port that it listens on.
func (p *Parent) Port() uint16 { return p.spec.Port }

// Address is host and port.
func (p *Parent) Address() string { return p.spec.address() }

// Login is the user name and the password for the parent; ok is false if it wants none.
func (p *Parent) Login() (user, password string, ok bool) {
	return p.spec.User, p.spec.Password, p.spec.User != ""
}

// Authorization is the value of Proxy-Authorization for an HTTP parent (RFC 9110 §11.7.2); empty if it wants none.
func (p *Parent) Authorization() string { return p.login }

// String is the parent's URL without user and password; "direct" for nil.
func (p *Parent) String() string {
	if p == nil {
		return "direct"
	}
	return p.name
}

// GoString keeps passwords out of what %#v prints.
func (p *Parent) GoString() string { return p.String() }
