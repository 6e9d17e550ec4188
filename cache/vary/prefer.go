package vary

import (
	"net/http"
	"strconv"
	"strings"
)

// Prefers reports whether a stored response whose key differs from that of the presented request is nevertheless certainly
// what its client prefers (RFC 9111 §4.1, RFC 9110 §12.4.2). Both keys must be of the same names. stored are the response's
// fields.
//
// That is so where the keys differ in Accept-Language or Accept-Encoding only, where one language or coding has more weight
// than any other in the presented request, and where the stored response has that Content-Language or Content-Encoding and no
// other: no representation that the origin might have could suit the client better. Equal weights leave the choice to the
// origin, and then nothing is certain.
func Prefers(storedKey, presentedKey string, stored http.Header) bool {
	for storedKey != presentedKey {
		was, storedRest, ok := strings.Cut(storedKey, string(rune(recordEnd)))
		is, presentedRest, ok2 := strings.Cut(presentedKey, string(rune(recordEnd)))
		if !ok || !ok2 {
			return false
		}
		storedKey, presentedKey = storedRest, presentedRest
		if was != is && !preferredRecord(was, is, stored) {
			return false
		}
	}
	return true
}

func preferredRecord(was, is string, stored http.Header) bool {
	name, value, ok := strings.Cut(is, string(rune(markMeaning)))
	if !ok || !strings.HasPrefix(was, name) {
		return false
	}
	// Names end where no token byte follows; without this Accept-Language would be taken for a longer name's beginning.
	if len(was) > len(name) && isTokenByte(was[len(name)]) {
		return false
	}
	switch name {
	case "Accept-Language":
		top, ok := favourite(value)
		return ok && strings.EqualFold(top, only(stored["Content-Language"]))
	case "Accept-Encoding":
		coding := only(stored["Content-Encoding"])
		if len(stored["Content-Encoding"]) == 0 {
			coding = "identity"
		}
		if value == "" {
			// An empty field accepts no coding but the absence of one (RFC 9110 §12.5.3).
			return coding == "identity"
		}
		top, ok := favourite(value)
		return ok && coding != "" && strings.EqualFold(top, unaliased(coding))
	}
	return false
}

// favourite returns the item with the greatest weight of a list in canonical form; ok is false if there is not exactly one, if
// it is a wildcard, or if it is not acceptable at all.
func favourite(list string) (item string, ok bool) {
	best := 0
	for m := range strings.SplitSeq(list, ",") {
		name, digits, weighted := strings.Cut(m, ";q=")
		weight := fullWeight
		if weighted {
			weight, _ = strconv.Atoi(digits)
		}
		if weight == best {
			ok = false
		}
		if weight > best {
			item, best, ok = name, weight, true
		}
	}
	// The same item twice means two weights, of which one does not count; which is not said.
	return item, ok && item != "" && item != "*" && !mentions(list, item)
}

// mentions reports whether a canonical list names an item more than once.
func mentions(list, item string) bool {
	n := 0
	for m := range strings.SplitSeq(list, ",") {
		if name, _, _ := strings.Cut(m, ";"); name == item {
			n++
		}
	}
	return n > 1
}

// only returns the value of a field that has one line, else "". A list of several members equals no language and no coding.
func only(values []string) string {
	if len(values) != 1 {
		return ""
	}
	return trimOWS(values[0])
}

func unaliased(coding string) string {
	var buf [32]byte
	return string(appendLower(buf[:0], coding, kindCoding))
}
