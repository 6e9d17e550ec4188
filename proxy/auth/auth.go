// Package auth checks who uses a proxy: HTTP Basic authentication (RFC 7617) as a proxy does it (RFC 9110 §11.7), against
// an htpasswd file with bcrypt hashes.
//
//	a, err := auth.New(auth.Options{File: "/etc/jay/users"})
//	user, outcome := a.Check(now, client, r.Header.Get("Proxy-Authorization"))
//
// Checking a password is slow on purpose, so verdicts are kept for a while: under a keyed hash of the client's address and
// the credentials, never under the credentials. Who is not in the file costs the same time as who is. A client address
// that fails too often gets no password checked for a minute; what was right before goes on working.
//
// Other hashes than bcrypt's are refused when the file is read, since they are guessed too fast. Digest and the other
// schemes are left out. The package logs nothing, and no error of its holds a credential or a hash.
package auth

import (
	"crypto/rand"
	"fmt"
	"maps"
	"net/netip"
	"runtime"
	"strings"
	"sync"
	"time"
)

// Options is what an Auth is made from.
type Options struct {
	// File is the path of the htpasswd file: lines "user:hash".
	File string
	// Realm is what people are asked for the password of (RFC 9110 §11.5); empty means "Jay".
	Realm string
	// MaxFailures is how many failures a minute a client address may have; 0 means 10.
	MaxFailures int
	// Keep is how long a verdict is kept; 0 means 10 min.
	Keep time.Duration
	// MaxVerdicts bounds the verdicts that are kept; 0 means 8192. It bounds the addresses with failures, too.
	MaxVerdicts int
	// Parallel bounds the passwords that are checked at the same time, since each keeps a processor busy; 0 means half of
	// the processors.
	Parallel int
}

// withDefaults fills in what the caller left zero.
func (o Options) withDefaults() Options {
	if o.Realm == "" {
		o.Realm = "Jay"
	}
	if o.MaxFailures <= 0 {
		o.MaxFailures = 10
	}
	if o.Keep <= 0 {
		o.Keep = 10 * time.Minute
	}
	if o.MaxVerdicts <= 0 {
		o.MaxVerdicts = 8192
	}
	if o.Parallel <= 0 {
		o.Parallel = max(1, runtime.GOMAXPROCS(0)/2)
	}
	return o
}

// Outcome is what became of a check.
type Outcome uint8

// The outcomes. All but OK are answered with 407 and [Auth.Challenge].
const (
	// Missing means that there are no Basic credentials.
	Missing Outcome = iota
	// Wrong means that the credentials are not valid.
	Wrong
	// Limited means that too many were not, so that nothing was checked; the connection should be closed.
	Limited
	// OK means that the user is who they say they are.
	OK
)

// String names the outcome for logs.
func (o Outcome) String() string {
	return [...]string{"credentials-missing", "credentials-wrong", "too-many-failures", "ok"}[o]
}

// Auth checks credentials. It is safe for concurrent use.
type Auth struct {
	opt       Options
	challenge string
	key       [32]byte
	users     *users
	slots     chan struct{} // one for each password that is being checked

	mu       sync.Mutex
	verdicts map[uint64]*verdict
	failures map[failure]window
}

// New reads the file. Its error is about the file, "file:line: …".
func New(o Options) (*Auth, error) {
	o = o.withDefaults()
	if strings.ContainsFunc(o.Realm, func(r rune) bool { return r < ' ' || r >= 0x7f }) {
		return nil, fmt.Errorf("auth: the realm %q holds characters that a field cannot have", o.Realm)
	}
	users, err := readUsers(o.File)
	if err != nil {
		return nil, fmt.Errorf("auth: %w", err)
	}
	a := &Auth{
		opt:      o,
		users:    users,
		slots:    make(chan struct{}, o.Parallel),
		verdicts: make(map[uint64]*verdict),
		failures: make(map[failure]window),
	}
	realm := strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(o.Realm)
	a.challenge = `Basic realm="` + realm + `", charset="UTF-8"`
	rand.Read(a.key[:])
	return a, nil
}

// Challenge is the value of Proxy-Authenticate (RFC 7617 §2, §2.1).
func (a *Auth) Challenge() string { return a.challenge }

// Inherit lets a take over what another one knows of failures, so that nobody may guess on because the file has changed. It
// is to be called before a is used.
func (a *Auth) Inherit(from *Auth) {
	from.mu.Lock()
	defer from.mu.Unlock()
	a.key = from.key
	a.failures = maps.Clone(from.failures)
}

// Check judges the value of a Proxy-Authorization field; empty if there is none or more than one. It may take as long as
// a bcrypt comparison, and longer when many are checked.
func (a *Auth) Check(now time.Time, client netip.Addr, header string) (user string, outcome Outcome) {
	client = origin(client)
	var c credentials
	switch c.parse(header) {
	case absent:
		return "", Missing
	case malformed:
		a.mu.Lock()
		defer a.mu.Unlock()
		return "", a.failed(now, client)
	}
	v, first := a.find(now, a.digest(client, &c), &c)
	if first {
		a.judge(now, client, v, &c)
	}
	<-v.done
	return a.apply(now, client, v)
}

// Known tells whose credentials these are if that was found out before, at no cost; false means that Check must be asked.
func (a *Auth) Known(now time.Time, client netip.Addr, header string) (user string, ok bool) {
	var c credentials
	if c.parse(header) != present {
		return "", false
	}
	client = origin(client)
	digest := a.digest(client, &c)
	a.mu.Lock()
	defer a.mu.Unlock()
	v := a.verdicts[index(digest)]
	if v == nil || !v.settled() || !v.right || !v.is(digest) || !now.Before(v.until) || a.over(now, failure{client, v.who}) {
		return "", false
	}
	return v.user, true
}
