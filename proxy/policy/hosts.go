package policy

import (
	"bytes"
	"errors"
	"hash/maphash"
	"math/bits"
	"net/netip"
	"slices"
	"strings"
	"unsafe"
)

// hosts is a set of destinations.
type hosts struct {
	exact names // names
	below names // names that stand for all below them as well
	addrs addrs
}

// match tells whether a subject's destination is in the set.
func (h *hosts) match(s *subject) match {
	if s.name != "" && h.hasName(s.name) {
		return yes
	}
	switch {
	case h.addrs.empty():
		return no
	case !s.addr.IsValid() && s.Unresolved:
		return no
	case !s.addr.IsValid():
		return maybe
	case h.addrs.has(s.addr) || h.addrs.has(s.translated):
		return yes
	}
	return no
}

// hasName looks a lower-case name up: as it is, and by the names that it is below.
func (h *hosts) hasName(name string) bool {
	if h.exact.has(name) {
		return true
	}
	if len(h.below.slots) == 0 {
		return false
	}
	for rest, labels := name, strings.Count(name, ".")+1; labels > 0; labels-- {
		if h.below.labels&bit(labels) != 0 && h.below.has(rest) {
			return true
		}
		_, rest, _ = strings.Cut(rest, ".")
	}
	return false
}

// bit marks a number of labels; what is beyond 63 shares one.
func bit(labels int) uint64 { return 1 << min(labels, 63) }

// names is a set of names, of which there may be millions: a hash table of offsets into one text, without a pointer for the
// garbage collector to follow.
type names struct {
	seed  maphash.Seed
	text  []byte   // each name behind a byte that is its length
	slots []uint32 // offsets into text
	tags  []uint8  // a byte of each slot's hash, 0 where the slot is free: most look-ups touch nothing else
	// labels has the bits of the numbers of labels that names have: what has another number need not be looked up.
	labels uint64
}

// newNames makes the set of the names in text.
func newNames(text []byte, n int) names {
	t := names{seed: maphash.MakeSeed(), text: text}
	if n == 0 {
		return t
	}
	t.slots, t.tags = make([]uint32, n+n/3+1), make([]uint8, n+n/3+1)
	for at := 0; at < len(text); at += 1 + int(text[at]) {
		name := text[at+1 : at+1+int(text[at])]
		i, tag, found := t.find(maphash.Bytes(t.seed, name), unsafe.String(unsafe.SliceData(name), len(name)))
		if !found {
			t.slots[i], t.tags[i] = uint32(at), tag
			t.labels |= bit(bytes.Count(name, []byte{'.'}) + 1)
		}
	}
	return t
}

// has tells whether a name is in the set.
func (t *names) has(name string) bool {
	if len(t.slots) == 0 {
		return false
	}
	_, _, found := t.find(maphash.String(t.seed, name), name)
	return found
}

// find returns the slot of a name, or the free one where it would go, and its tag.
func (t *names) find(hash uint64, name string) (slot int, tag uint8, found bool) {
	tag = uint8(hash) | 1
	at, _ := bits.Mul64(hash, uint64(len(t.slots)))
	for i := int(at); ; {
		switch t.tags[i] {
		case 0:
			return i, tag, false
		case tag:
			if string(t.at(t.slots[i])) == name {
				return i, tag, true
			}
		}
		if i++; i == len(t.slots) {
			i = 0
		}
	}
}

// at is the name at an offset.
func (t *names) at(offset uint32) []byte {
	return t.text[offset+1:][:t.text[offset]]
}

// builder collects destinations.
type builder struct {
	exact, below   []byte
	nExact, nBelow int
	addrs          addrs
}

var (
	errEntry     = errors.New("neither a name nor an address")
	errWildcard  = errors.New("a name with all names below it is written with a dot in front of it, as in .example.com")
	errBlock     = errors.New("not a block of addresses; write 192.0.2.0/24")
	errBlockBits = errors.New("has bits set behind its prefix")
	errTooMany   = errors.New("the names are longer than 4 GiB altogether")
)

// add adds an entry. It changes the letters of entry to lower case.
func (b *builder) add(entry []byte) error {
	for i, c := range entry {
		if 'A' <= c && c <= 'Z' {
			entry[i] = c | 0x20
		}
	}
	if n := len(entry); n > 1 && entry[n-1] == '.' {
		entry = entry[:n-1]
	}
	switch {
	case len(entry) == 0:
		return errEntry
	case slices.Contains(entry, '/'):
		return b.addBlock(string(entry))
	case entry[0] == '*':
		return errWildcard
	}
	if last := entry[len(entry)-1]; '0' <= last && last <= '9' || last == ']' || slices.Contains(entry, ':') {
		return b.addNumeric(entry)
	}
	return b.addName(entry)
}

// addNumeric adds what may be an address.
func (b *builder) addNumeric(entry []byte) error {
	name, addr, ok := cutHost(string(entry))
	if !ok || name != "" && numericLabel(name[strings.LastIndexByte(name, '.')+1:]) {
		return errEntry
	}
	if name != "" {
		return b.addName(entry)
	}
	b.addrs.add(netip.PrefixFrom(addr, addr.BitLen()))
	return nil
}

// numericLabel tells whether inet_aton would read a label as a number; no name ends with such a label (RFC 3696 §2).
func numericLabel(s string) bool {
	if rest, ok := strings.CutPrefix(s, "0x"); ok {
		return strings.Trim(rest, "0123456789abcdef") == ""
	}
	return strings.Trim(s, "0123456789") == ""
}

func (b *builder) addBlock(s string) error {
	p, err := netip.ParsePrefix(s)
	switch {
	case err != nil:
		return errBlock
	case p != p.Masked():
		return errBlockBits
	}
	b.addrs.add(p)
	return nil
}

func (b *builder) addName(name []byte) error {
	text, n := &b.exact, &b.nExact
	if name[0] == '.' {
		text, n, name = &b.below, &b.nBelow, name[1:]
	}
	if !validName(name) {
		return errEntry
	}
	*text = append(append(*text, uint8(len(name))), name...)
	*n++
	return nil
}

// hosts makes the set. The builder must not be used any more.
func (b *builder) hosts() (*hosts, error) {
	if max(uint64(len(b.exact)), uint64(len(b.below))) >= 1<<32 {
		return nil, errTooMany
	}
	b.addrs.settle()
	return &hosts{newNames(slices.Clip(b.exact), b.nExact), newNames(slices.Clip(b.below), b.nBelow), b.addrs}, nil
}

// validName tells whether a host without trailing dot can be a name: labels of letters, digits, hyphens and the
// underscores that occur in practice.
func validName[T string | []byte](name T) bool {
	if len(name) == 0 || len(name) > 253 {
		return false
	}
	label := 0
	for i := range len(name) {
		c := name[i]
		switch {
		case c == '.':
			if label == 0 {
				return false
			}
			label = 0
			continue
		case 'a' <= c|0x20 && c|0x20 <= 'z', '0' <= c && c <= '9', c == '-', c == '_':
		default:
			return false
		}
		if label++; label > 63 {
			return false
		}
	}
	return label > 0
}
