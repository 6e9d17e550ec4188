package main

import (
	"time"

	"github.com/jayproxy/jay/tunnel/netfilter"
)

// facts are what the doctor saw, from which diagnose concludes.
type facts struct {
	admin       adminFact
	ports       []portFact
	names       []nameFact
	parents     []parentFact
	behind      bool // all that no rule decides otherwise goes through parents
	clock       clockFact
	descriptors int64 // that the process, or the Jay that runs, may open; 0: unknown
	connections int   // that it may have to serve at once
	memory      int64 // bytes that the process may use; 0: unknown
	cache       int64 // bytes for stored responses
	intercept   interceptFact
}

// adminFact is about the admin address.
type adminFact struct {
	address string // empty: it is off
	version string // of the Jay that answers there; empty: none
	err     error  // why none answers
	refused bool   // something answers, but not as it should
}

// portState is what is known of an address that Jay is to listen on.
type portState int

const (
	portFree  portState = iota // Jay could listen there
	portJay                    // a Jay answers there
	portTaken                  // something else listens there, or a Jay that does not show itself
	portBad                    // Jay could not listen there for another reason
)

// portFact is about one address to listen on.
type portFact struct {
	option, address string
	state           portState
	err             error // of portBad
}

// nameFact is what asking a resolver brought.
type nameFact struct {
	server    string // who was asked
	host      string
	addresses int
	took      time.Duration
	timeout   bool
	notFound  bool  // it answers, but knows of no such name
	err       error // it does not answer, or wrongly
}

// parentFact is about another proxy on the way to origins.
type parentFact struct {
	address string
	err     error // why it cannot be connected to
}

// clockFact is what this machine's clock says, and another one.
type clockFact struct {
	now, built time.Time // built: when the program was; zero: unknown
	url        string    // what was fetched; empty: nothing
	date       time.Time // that the answer had; zero: none
	err        error     // why there is no answer
}

// interceptFact is about interception.
type interceptFact struct {
	mode       string   // empty: there is none
	system     string   // GOOS
	ports      []uint16 // of the intercepting listeners
	loopback   []string // addresses of those that other machines cannot reach
	interfaces []string // that clients are on; empty: unknown
	missing    []string // of interfaces, those that there are not
	rules      []netfilter.Found
	rulesErr   error
	ipv6       bool // the kernel has it
	routed4    bool // TPROXY's routes are there
	routed6    bool
	forward4   string // net.ipv4.ip_forward; empty: unknown
	forward6   string
	rpFilter   map[string]string // net.ipv4.conf.X.rp_filter
	scripts    map[string]string // the rules that there should be, by backend
}
