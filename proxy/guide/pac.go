package guide

import (
	"fmt"
	"net/netip"
	"strings"
)

// PACType is the media type of a PAC file.
const PACType = "application/x-ns-proxy-autoconfig"

// PAC describes a proxy auto-configuration file.
type PAC struct {
	// Proxies are where clients find the proxy, in the order in which they try them. None of them: everything is direct.
	Proxies []Address
	// Direct is what does not go through the proxy, besides names without a dot and the client's own machine and link.
	Direct Direct
	// Fallback has clients go direct when no proxy answers.
	Fallback bool
}

// Script is the file's text. It is ES3, as old clients need, plain ASCII, asks no name server and calls none of the
// functions that PAC clients offer.
func (p *PAC) Script() string {
	var b strings.Builder
	b.WriteString(scriptHead)
	fmt.Fprintf(&b, "var proxies = %s;\n", quote(p.answer()))
	b.WriteString("var own = [")
	for i, a := range p.Proxies {
		fmt.Fprintf(&b, "%s%s", comma(i), quote(a.origin()+"/"))
	}
	b.WriteString("];\nvar names = {")
	writeSet(&b, p.Direct.exact)
	b.WriteString("};\nvar below = {")
	writeSet(&b, append([]string{"localhost"}, p.Direct.below...))
	b.WriteString("};\nvar globs = [")
	for i, g := range p.Direct.globs {
		fmt.Fprintf(&b, "%s/^%s$/", comma(i), strings.NewReplacer(".", `\.`, "*", ".*").Replace(g))
	}
	b.WriteString("];\n")
	writeBlocks(&b, p.Direct.blocks)
	b.WriteString(scriptBody)
	return b.String()
}

// answer is what FindProxyForURL returns for what goes through the proxy.
func (p *PAC) answer() string {
	var list []string
	for _, a := range p.Proxies {
		kind := "PROXY "
		if a.Secure {
			kind = "HTTPS "
		}
		list = append(list, kind+a.String())
	}
	if p.Fallback || len(list) == 0 {
		list = append(list, "DIRECT")
	}
	return strings.Join(list, "; ")
}

// quote is a JavaScript string. What is quoted consists of a few characters only; all others are escaped nevertheless, so
// that nothing ends the string, whatever comes here one day.
func quote(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, c := range []byte(s) {
		if 'a' <= c|0x20 && c|0x20 <= 'z' || '0' <= c && c <= '9' || strings.IndexByte(" .:;/-_[]", c) >= 0 {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, `\x%02x`, c)
		}
	}
	b.WriteByte('"')
	return b.String()
}

// comma separates the items of a list.
func comma(i int) string {
	if i == 0 {
		return ""
	}
	return ", "
}

func writeSet(b *strings.Builder, names []string) {
	for i, n := range names {
		fmt.Fprintf(b, "%s%s: 1", comma(i), quote(n))
	}
}

// writeBlocks writes the blocks of addresses as pairs of their first and last one: numbers for IPv4, 32 hexadecimal digits
// for IPv6.
func writeBlocks(b *strings.Builder, blocks []netip.Prefix) {
	var four, six []string
	all := append(ownBlocks(), blocks...)
	for _, p := range all {
		first, last := p.Addr().AsSlice(), p.Addr().AsSlice()
		for i := p.Bits(); i < 8*len(last); i++ {
			last[i/8] |= 0x80 >> (i % 8)
		}
		if p.Addr().Is4() {
			four = append(four, fmt.Sprintf("[0x%x, 0x%x]", first, last))
		} else {
			six = append(six, fmt.Sprintf(`["%x", "%x"]`, first, last))
		}
	}
	fmt.Fprintf(b, "var four = [%s];\nvar six = [%s];\n", strings.Join(four, ", "), strings.Join(six, ", "))
}

// ownBlocks are the addresses that mean the client's own machine or its link: the proxy's would be others.
func ownBlocks() []netip.Prefix {
	return []netip.Prefix{
		netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("169.254.0.0/16"),
		netip.MustParsePrefix("::1/128"), netip.MustParsePrefix("fe80::/10"),
	}
}

const scriptHead = `// Proxy auto-configuration, made by Jay.
`

const scriptBody = `
function FindProxyForURL(url, host) {
  var i;
  url = String(url).toLowerCase();
  for (i = 0; i < own.length; i++) {
    if (url.substring(0, own[i].length) === own[i]) return "DIRECT";
  }
  return isDirect(String(host).toLowerCase()) ? "DIRECT" : proxies;
}

function isDirect(host) {
  var i, dot, rest, n;
  if (host.charAt(0) === "[") host = host.substring(1, host.length - 1);
  if (host.indexOf(":") >= 0) return within(sixDigits(host), six) || mapped(sixDigits(host));
  if (host.charAt(host.length - 1) === ".") host = host.substring(0, host.length - 1);
  if (host.indexOf(".") < 0) return true;
  n = fourNumber(host);
  if (n !== null) return within(n, four);
  if (names[host] === 1) return true;
  for (rest = host; ; rest = rest.substring(dot + 1)) {
    if (below[rest] === 1) return true;
    dot = rest.indexOf(".");
    if (dot < 0) break;
  }
  for (i = 0; i < globs.length; i++) {
    if (globs[i].test(host)) return true;
  }
  return false;
}

function within(value, ranges) {
  if (value === null) return false;
  for (var i = 0; i < ranges.length; i++) {
    if (ranges[i][0] <= value && value <= ranges[i][1]) return true;
  }
  return false;
}

function fourNumber(host) {
  var i, n = 0, m = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/.exec(host);
  if (!m) return null;
  for (i = 1; i <= 4; i++) {
    if (Number(m[i]) > 255) return null;
    n = n * 256 + Number(m[i]);
  }
  return n;
}

function sixDigits(host) {
  var i, n, hole, groups, rest, out = "", m = /^(.*:)(\d+\.\d+\.\d+\.\d+)$/.exec(host);
  if (m) {
    n = fourNumber(m[2]);
    if (n === null) return null;
    host = m[1] + Math.floor(n / 65536).toString(16) + ":" + (n % 65536).toString(16);
  }
  hole = host.split("::");
  if (hole.length > 2) return null;
  groups = hole[0] === "" ? [] : hole[0].split(":");
  if (hole.length === 2) {
    rest = hole[1] === "" ? [] : hole[1].split(":");
    while (groups.length + rest.length < 8) groups.push("0");
    groups = groups.concat(rest);
  }
  if (groups.length !== 8) return null;
  for (i = 0; i < 8; i++) {
    if (!/^[0-9a-f]{1,4}$/.test(groups[i])) return null;
    out += ("000" + groups[i]).slice(-4);
  }
  return out;
}

function mapped(digits) {
  if (digits === null || digits.substring(0, 24) !== "00000000000000000000ffff") return false;
  return within(parseInt(digits.substring(24), 16), four);
}
`
