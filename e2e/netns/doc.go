// Package netns makes Linux network namespaces for tests: small hosts with
// their own addresses, routes, firewall rules and names, joined by veth pairs.
// It needs root and the programs of iproute2. On other systems it is empty.
package netns
