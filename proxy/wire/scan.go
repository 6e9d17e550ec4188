package wire

import (
	"encoding/binary"
	"math/bits"
	"unsafe"
)

// The classes of octets, as bits of the class table.
const (
	isToken  uint8 = 1 << iota // tchar, RFC 9110 §5.6.2
	isMethod                   // tchar save the lower-case letters
	isTarget                   // printable ASCII save space and '#'
	isHost                     // unreserved, RFC 3986 §2.3: what a host name may hold
	isValue                    // field-vchar, SP, HTAB, RFC 9110 §5.5
	isHex                      // HEXDIG in either case
	isDigit                    // DIGIT
	isUpper                    // A to Z
)

// class tells which classes an octet is in. It is never written after start.
var class = classes()

func classes() (t [256]uint8) {
	for c := range 256 {
		alpha := 'a' <= c|0x20 && c|0x20 <= 'z' && c < 0x80
		digit := '0' <= c && c <= '9'
		lower := alpha && c >= 'a'
		if c >= 0x20 && c != 0x7f || c == '\t' {
			t[c] |= isValue
		}
		if c > 0x20 && c < 0x7f && c != '#' {
			t[c] |= isTarget
		}
		if alpha || digit || inString("-._~", c) {
			t[c] |= isHost
		}
		if alpha || digit || inString("!#$%&'*+-.^_`|~", c) {
			t[c] |= isToken
			if !lower {
				t[c] |= isMethod
			}
		}
		if alpha && !lower {
			t[c] |= isUpper
		}
		if digit {
			t[c] |= isDigit
		}
		if digit || alpha && c|0x20 <= 'f' {
			t[c] |= isHex
		}
	}
	return t
}

func inString(s string, c int) bool {
	for i := range len(s) {
		if int(s[i]) == c {
			return true
		}
	}
	return false
}

// run is the end of the run of octets of class c that starts at i.
func run(s string, i int, c uint8) int {
	for i < len(s) && class[s[i]]&c != 0 {
		i++
	}
	return i
}

const (
	ones  = 0x0101010101010101
	highs = 0x8080808080808080
)

// valueEnd is the index, from i on, of the first octet that no field value may
// hold (a control character other than HTAB, or DEL), or len(s).
func valueEnd(s string, i int) int {
	b := unsafe.Slice(unsafe.StringData(s), len(s))
	for len(b)-i >= 8 {
		x := binary.LittleEndian.Uint64(b[i:])
		// A byte's high bit is set in below when the byte is less than 0x20
		// and in del when it is 0x7F. A borrow can set bits wrongly only above
		// a byte that is rightly marked, so the lowest mark is exact.
		y := x ^ ones*0x7f
		below, del := (x-ones*0x20)&^x, (y-ones)&^y
		if m := (below | del) & highs; m != 0 {
			i += bits.TrailingZeros64(m) / 8
			if s[i] != '\t' {
				return i
			}
			i++
			continue
		}
		i += 8
	}
	return run(s, i, isValue)
}

// targetEnd is the index, from i on, of the first octet that no request target
// may hold, or len(s).
func targetEnd(s string, i int) int {
	b := unsafe.Slice(unsafe.StringData(s), len(s))
	for len(b)-i >= 8 {
		x := binary.LittleEndian.Uint64(b[i:])
		y, z := x^ones*0x7f, x^ones*'#'
		below, del, hash := (x-ones*0x21)&^x, (y-ones)&^y, (z-ones)&^z
		if m := (below | del | hash | x) & highs; m != 0 {
			return i + bits.TrailingZeros64(m)/8
		}
		i += 8
	}
	return run(s, i, isTarget)
}

// lower is c in lower case.
func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}

// equalFold reports whether a and b are equal but for the case of ASCII
// letters. Unlike strings.EqualFold it knows no other letters: U+212A is no k.
func equalFold(a, b string) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range len(a) {
		if a[i] != b[i] && lower(a[i]) != lower(b[i]) {
			return false
		}
	}
	return true
}

// isOWS reports whether c is optional white space (RFC 9110 §5.6.3).
func isOWS(c byte) bool { return c == ' ' || c == '\t' }

// trimOWS is s without the white space at its ends.
func trimOWS(s string) string {
	for len(s) > 0 && isOWS(s[0]) {
		s = s[1:]
	}
	for len(s) > 0 && isOWS(s[len(s)-1]) {
		s = s[:len(s)-1]
	}
	return s
}
