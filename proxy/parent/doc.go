// Package parent decides through which other proxies, Jay's parents, a request goes on its way to the origin: HTTP proxies
// with and without TLS (RFC 9110 §3.7, §9.3.6), SOCKS5 proxies (RFC 1928, RFC 1929), or none.
//
//	ps, err := parent.New(parent.Options{Rules: …, Else: …})
//	choice := ps.Choose(policy.Question{Host: "example.com", Port: 443, Via: policy.Connect})
//	for _, via := range parent.Order(choice.Use, now) { … } // nil: no parent, straight to the origin
//
// # Rules
//
// Rules are asked in their order, and the first that matches decides. Their conditions are those of package policy. Names
// are never resolved to find a rule, since behind a parent there may be no resolver that knows them: conditions on addresses
// hold for hosts that are literal addresses and for the destinations of intercepted clients.
//
// # Health
//
// A parent that cannot be connected to is down: for a second, and for twice as long each time that this happens again, up to
// ten. When the time is over, one request tries it. There are no probes of its own: a parent that nobody needs may be down,
// and a request that finds one down goes on to the next. What is down is tried nevertheless when nothing else of the list can
// be connected to, beginning with the parent whose time ends first.
//
// What a parent answers says nothing about its health: refusals and failures that depend on what was asked for could else be
// used to have it taken out of service. A parent that accepts connections and then does nothing is therefore up.
//
// The package does no I/O and has no clock.
package parent
