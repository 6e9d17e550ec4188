// Package tunnel relays bytes between two connections and holds what an
// intercepting proxy needs to know about a connection before it parses it.
//
// It covers RFC 9110 §9.3.6 (what a tunnel is once CONNECT was accepted) and
// §7.8 (what follows a 101 answer): both become one call of Registry.Join. It
// covers the recovery of the original destination of an intercepted connection
// (Linux: REDIRECT through OriginalDst, TPROXY through ListenTransparent), the
// distinction of HTTP from everything else by first bytes (Sniff), and the
// server name of a TLS ClientHello (RFC 6066 §3, RFC 7301 §3.1) for logs.
//
// Left out on purpose: who may open a tunnel and where to, how it is dialled and
// answered, and what is logged. Nothing here decrypts anything.
package tunnel
