package proxy

import (
	"encoding/binary"
	"net/http"
	"net/netip"
	"time"

	"github.com/jayproxy/jay/cache"
	"github.com/jayproxy/jay/freshness"
)

// The properties of a stored response in its record.
const (
	isIndexed = 1 << iota
	isWithholding
	isRestricted
	isParented
	hasUsualReason // the one that belongs to the status
)

// codec is how the cache keeps what is stored beside the bodies of small responses. base is when the proxy began.
func codec(base time.Time) cache.Codec[stored] {
	return cache.Codec[stored]{
		Append: func(b []byte, m *stored) []byte { return m.append(b, base) },
		Parse:  func(text string, m *stored) { m.parse(text, base) },
	}
}

// append appends m as a record: the flags, and the rest as texts behind their lengths.
func (m *stored) append(b []byte, base time.Time) []byte {
	flags := byte(0)
	for i, is := range [...]bool{m.indexed, m.withholds, m.restricted, m.parented, m.reason == http.StatusText(m.fresh.Status)} {
		if is {
			flags |= 1 << i
		}
	}
	b = binary.LittleEndian.AppendUint32(append(b, flags), m.criteria)
	var scratch [256]byte
	b = appendText(b, m.fresh.Append(scratch[:0], base))
	addr, _ := m.addr.AppendBinary(scratch[:0]) // it cannot fail
	b = appendText(b, addr)
	if flags&hasUsualReason == 0 {
		b = appendText(b, m.reason)
	}
	b = appendText(appendText(appendText(b, m.gap), m.selects), m.asked)
	b = binary.AppendVarint(binary.AppendVarint(b, m.answered.Start), m.answered.End)
	return append(b, m.lines...)
}

// parse is append undone. m refers to text afterwards.
func (m *stored) parse(text string, base time.Time) {
	flags := text[0]
	m.indexed, m.withholds, m.restricted = flags&isIndexed != 0, flags&isWithholding != 0, flags&isRestricted != 0
	m.parented = flags&isParented != 0
	m.criteria = uint32(text[1]) | uint32(text[2])<<8 | uint32(text[3])<<16 | uint32(text[4])<<24
	fresh, text := cutText(text[5:])
	m.fresh = freshness.ReadResponse(fresh, base)
	addr, text := cutText(text)
	m.addr = readAddr(addr)
	m.reason = http.StatusText(m.fresh.Status)
	if flags&hasUsualReason == 0 {
		m.reason, text = cutText(text)
	}
	m.gap, text = cutText(text)
	selects, text := cutText(text)
	m.selects = selection(selects)
	m.asked, text = cutText(text)
	m.answered.Start, text = cutNumber(text)
	m.answered.End, m.lines = cutNumber(text)
}

// readAddr reads what netip.AddrPort.AppendBinary wrote.
func readAddr(text string) netip.AddrPort {
	var b [64]byte
	var a netip.AddrPort
	if err := a.UnmarshalBinary(append(b[:0], text...)); err != nil {
		return netip.AddrPort{}
	}
	return a
}

// cutNumber is binary.AppendVarint undone.
func cutNumber(s string) (n int64, rest string) {
	u, shift := uint64(0), 0
	for i := range len(s) {
		u |= uint64(s[i]&0x7f) << shift
		if shift += 7; s[i] < 0x80 {
			return int64(u>>1) ^ -int64(u&1), s[i+1:]
		}
	}
	return 0, ""
}
