package config

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// Size is a number of bytes. Its text is a whole number with an optional unit: k, m, g or t, in either case, with or
// without "B" or "iB" after it. All units are powers of 1024.
type Size int64

// Byte units.
const (
	KiB Size = 1 << (10 * (iota + 1))
	MiB
	GiB
	TiB
)

// PortRange is the TCP ports from First to Last, both included. Its text is "443" or "1025-65535".
type PortRange struct{ First, Last uint16 }

// Contains reports whether port is in the range.
func (r PortRange) Contains(port uint16) bool { return r.First <= port && port <= r.Last }

// String returns the text that [ParsePortRange] reads.
func (r PortRange) String() string {
	if r.First == r.Last {
		return strconv.Itoa(int(r.First))
	}
	return fmt.Sprintf("%d-%d", r.First, r.Last)
}

// String returns the text that [ParseSize] reads, in the largest unit that loses nothing.
func (s Size) String() string {
	units := []struct {
		size Size
		name string
	}{{TiB, "TiB"}, {GiB, "GiB"}, {MiB, "MiB"}, {KiB, "KiB"}}
	for _, u := range units {
		if s != 0 && s%u.size == 0 {
			return strconv.FormatInt(int64(s/u.size), 10) + u.name
		}
	}
	return strconv.FormatInt(int64(s), 10)
}

// ParseSize reads a size such as "64MiB", "1g" or "4096". It fails for signs, fractions, unknown units and more bytes
// than an int64 can count.
func ParseSize(text string) (Size, error) {
	digits := strings.TrimRight(text, "kKmMgGtTiIbB ")
	n, err := strconv.ParseUint(digits, 10, 63)
	if err != nil {
		return 0, fmt.Errorf("%q is not a size; write 64MiB, 1g or a number of bytes", text)
	}
	unit, ok := sizeUnit(strings.TrimLeft(text[len(digits):], " "))
	if !ok {
		return 0, fmt.Errorf("%q is not a size; the units are k, m, g and t", text)
	}
	if n > uint64(1<<63-1)/uint64(unit) {
		return 0, fmt.Errorf("%q is too large", text)
	}
	return Size(n) * unit, nil
}

// sizeUnit reads what stands behind a size's digits.
func sizeUnit(text string) (Size, bool) {
	switch strings.ToLower(text) {
	case "", "b":
		return 1, true
	case "k", "ki", "kb", "kib":
		return KiB, true
	case "m", "mi", "mb", "mib":
		return MiB, true
	case "g", "gi", "gb", "gib":
		return GiB, true
	case "t", "ti", "tb", "tib":
		return TiB, true
	}
	return 0, false
}

// parseDuration reads a duration in Go's notation; all but 0 need a unit.
func parseDuration(text string) (time.Duration, error) {
	if d, err := time.ParseDuration(text); err == nil {
		return d, nil
	}
	if _, err := strconv.ParseFloat(text, 64); err == nil {
		return 0, fmt.Errorf("%q needs a unit, as in %ss", text, text)
	}
	return 0, fmt.Errorf("%q is not a duration; write 500ms, 30s, 10m or 1h30m", text)
}

// formatDuration is Duration.String without the units that are zero: 1h instead of 1h0m0s.
func formatDuration(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// parseBool reads yes and no in the ways in which people write them.
func parseBool(text string) (bool, error) {
	switch strings.ToLower(text) {
	case "true", "yes", "on", "1":
		return true, nil
	case "false", "no", "off", "0":
		return false, nil
	}
	return false, fmt.Errorf("%q is neither true nor false", text)
}

// ParsePortRange reads one port or two with a hyphen between them.
func ParsePortRange(text string) (PortRange, error) {
	first, last, ranged := strings.Cut(text, "-")
	if !ranged {
		last = first
	}
	a, errA := parsePort(first)
	b, errB := parsePort(last)
	if errA != nil || errB != nil || a == 0 || a > b {
		return PortRange{}, fmt.Errorf("%q is not a port or a range of ports; write 443 or 1025-65535", text)
	}
	return PortRange{First: a, Last: b}, nil
}

// parsePort reads a decimal port number without sign; strconv refuses everything but digits.
func parsePort(text string) (uint16, error) {
	n, err := strconv.ParseUint(text, 10, 16)
	return uint16(n), err
}

// parsePrefix reads a CIDR block or one address, which stands for itself. Bits behind the prefix must be zero, since
// 10.1.2.3/8 is more often a slip than meant.
func parsePrefix(text string) (netip.Prefix, error) {
	if a, err := netip.ParseAddr(text); err == nil && a.Zone() == "" {
		a = a.Unmap()
		return netip.PrefixFrom(a, a.BitLen()), nil
	}
	p, err := netip.ParsePrefix(text)
	if err != nil || p.Addr().Is4In6() {
		return netip.Prefix{}, fmt.Errorf("%q is not an address or a block of addresses; write 192.0.2.7 or 10.0.0.0/8", text)
	}
	if p != p.Masked() {
		return netip.Prefix{}, fmt.Errorf("%q has bits set behind its prefix; %v is the block", text, p.Masked())
	}
	return p, nil
}

// checkListen accepts host:port, [IPv6]:port and :port.
func checkListen(text string) error {
	host, port, err := splitHostPort(text)
	if err != nil {
		return err
	}
	if _, err := parsePort(port); err != nil {
		return fmt.Errorf("%q has no valid port", text)
	}
	if strings.ContainsAny(host, " \t/@") {
		return fmt.Errorf("%q has no valid host", text)
	}
	return nil
}

// unixPrefix is what the path of a Unix socket stands behind.
const unixPrefix = "unix:"

// checkAdmin accepts host:port, unix: with a path, and AdminOff.
func checkAdmin(text string) error {
	if path, ok := strings.CutPrefix(text, unixPrefix); ok {
		if path == "" {
			return errors.New("unix: needs the path of a socket, as in unix:/run/jay/admin.sock")
		}
		return checkFilled(path)
	}
	if text == AdminOff {
		return nil
	}
	return checkListen(text)
}

// logDaemons are the words for log daemons in access-log, and those that stand before an address.
const logDaemons = "journald, syslog, syslog://host:port or syslog+tcp://host:port"

// isLogDaemon reports whether access-log names a daemon rather than a file.
func isLogDaemon(text string) bool {
	name, _, _ := strings.Cut(text, ":")
	return name == "journald" || name == "syslog" || name == "syslog+tcp"
}

// checkLog accepts what access-log may be: nearly everything is the path of a file.
func checkLog(text string) error {
	if err := checkFilled(text); err != nil || !isLogDaemon(text) {
		return err
	}
	name, at, more := strings.Cut(text, ":")
	remote, far := strings.CutPrefix(at, "//")
	switch {
	case far && name != "journald":
		return checkRemote(remote)
	case !more && name != "syslog+tcp", strings.HasPrefix(at, "/") && !far && name != "syslog+tcp":
		return nil
	}
	return fmt.Errorf("%q is not %s", text, logDaemons)
}

// splitHostPort is net.SplitHostPort without the net package's wording.
func splitHostPort(text string) (host, port string, err error) {
	i := strings.LastIndexByte(text, ':')
	if i < 0 {
		return "", "", fmt.Errorf("%q has no port; write host:port or :port", text)
	}
	host, port = text[:i], text[i+1:]
	if !strings.Contains(host, ":") {
		return host, port, nil
	}
	inner, ok := strings.CutPrefix(host, "[")
	inner, ok2 := strings.CutSuffix(inner, "]")
	if _, err := netip.ParseAddr(inner); err != nil || !ok || !ok2 {
		return "", "", fmt.Errorf("%q is not host:port; an IPv6 address stands in brackets, as in [::1]:3128", text)
	}
	return inner, port, nil
}

// checkPACProxy accepts a name or an address with a port, behind https:// for a proxy that speaks TLS.
func checkPACProxy(text string) error { return checkRemote(strings.TrimPrefix(text, "https://")) }

// checkDirect accepts a destination, or a name with * in it.
func checkDirect(text string) error {
	plain := strings.ReplaceAll(text, "*", "x")
	if plain == text || strings.HasPrefix(text, ".") || strings.Trim(text, "*.0123456789") == "" || checkDestination(plain) != nil {
		return checkDestination(text)
	}
	return nil
}

// checkRemote accepts a name or an address with a port.
func checkRemote(text string) error {
	host, port, err := splitHostPort(text)
	if err != nil {
		return err
	}
	if n, err := parsePort(port); err != nil || n == 0 {
		return fmt.Errorf("%q has no valid port", text)
	}
	if a, err := netip.ParseAddr(host); err != nil && !isName(strings.ToLower(host)) || a.Zone() != "" {
		return fmt.Errorf("%q has no valid host", text)
	}
	return nil
}

// checkResolver accepts an address with or without a port.
func checkResolver(text string) error {
	if _, err := netip.ParseAddr(text); err == nil {
		return nil
	}
	if a, err := netip.ParseAddrPort(text); err == nil && a.Port() != 0 {
		return nil
	}
	return fmt.Errorf("%q is not an address; write 192.0.2.53 or [2001:db8::53]:5353", text)
}

// checkToken accepts an RFC 9110 section 5.6.2 token.
func checkToken(text string) error {
	for i := range len(text) {
		c := text[i]
		letter := 'a' <= c|0x20 && c|0x20 <= 'z' || '0' <= c && c <= '9'
		if !letter && !strings.ContainsRune("!#$%&'*+-.^_`|~", rune(c)) {
			return fmt.Errorf("%q holds a character that a token cannot have", text)
		}
	}
	return checkFilled(text)
}

// checkName accepts a token that is short enough for every Via field, or nothing.
func checkName(text string) error {
	if text == "" {
		return nil
	}
	if len(text) > 64 {
		return errors.New("longer than 64 characters")
	}
	return checkToken(text)
}

// checkFilled refuses the empty text and control characters.
func checkFilled(text string) error {
	if text == "" {
		return errors.New("is empty")
	}
	if strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return fmt.Errorf("%q holds a control character", text)
	}
	return nil
}
