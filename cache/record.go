package cache

import (
	"encoding/binary"
	"unsafe"
)

// Codec turns a Meta into bytes and back, so that small entries can be kept without pointers.
type Codec[M any] struct {
	// Append appends m to b. What Parse makes of the bytes must equal m.
	Append func(b []byte, m *M) []byte
	// Parse reads into m, a zero value, what Append wrote. m may refer to text, which does not change while m is used.
	Parse func(text string, m *M)
}

// A record is an entry as it lies in the arena: four lengths of two bytes each, then the key, the variant, the meta and
// the body. Only an entry whose whole body is held in one piece becomes a record, so that its Length needs no place.
const recordHead = 8

// packed is an entry about to become a record.
type packed struct {
	meta []byte
	size int // of the record; 0: the entry is kept as it is
}

// pack returns e's form in the arena. It uses b, which it returns as meta in any case, perhaps grown.
func (s *Store[M]) pack(e *Entry[M], b []byte) packed {
	if s.arena == nil || e.Body.parts != nil || e.Length != int64(len(e.Body.whole)) {
		return packed{meta: b[:0]}
	}
	size := recordHead + len(e.Key) + len(e.Variant) + len(e.Body.whole)
	if size > s.arena.limit {
		return packed{meta: b[:0]}
	}
	meta := s.codec.Append(b[:0], &e.Meta)
	if size += len(meta); size > s.arena.limit {
		return packed{meta: meta}
	}
	return packed{meta, size}
}

// write fills a slot with e's record.
func write[M any](slot []byte, e *Entry[M], p packed) {
	for i, n := range [...]int{len(e.Key), len(e.Variant), len(p.meta), len(e.Body.whole)} {
		binary.LittleEndian.PutUint16(slot[2*i:], uint16(n))
	}
	n := recordHead + copy(slot[recordHead:], e.Key)
	n += copy(slot[n:], e.Variant)
	n += copy(slot[n:], p.meta)
	copy(slot[n:], e.Body.whole)
}

// recordSize returns the length of the record in a slot.
func recordSize(slot []byte) int {
	n := recordHead
	for i := range 4 {
		n += int(binary.LittleEndian.Uint16(slot[2*i:]))
	}
	return n
}

// recordKey returns the key of the record in a slot, as a view of it.
func recordKey(slot []byte) string {
	return text(slot[recordHead:][:binary.LittleEndian.Uint16(slot)])
}

// recordVariant returns the variant of the record in a slot, as a view of it.
func recordVariant(slot []byte) string {
	return text(slot[recordHead+int(binary.LittleEndian.Uint16(slot)):][:binary.LittleEndian.Uint16(slot[2:])])
}

// text returns b as a string without copying it; b must not change while the string is used.
func text(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

// read makes e the entry of a record, which must not change while e is used.
func (s *Store[M]) read(record []byte, e *Entry[M]) {
	var n [4]int
	for i := range n {
		n[i] = int(binary.LittleEndian.Uint16(record[2*i:]))
	}
	key, rest := record[recordHead:][:n[0]], record[recordHead+n[0]:]
	e.Key, e.Variant = text(key), text(rest[:n[1]])
	rest = rest[n[1]:]
	s.codec.Parse(text(rest[:n[2]]), &e.Meta)
	e.Extra = int64(n[2])
	e.Body = Body{whole: rest[n[2]:][:n[3]:n[3]]}
	e.Length = int64(n[3])
}

// View is memory for the entries that [Store.View] returns. The zero value is ready to use.
type View[M any] struct {
	list []*Entry[M]
	own  []Entry[M]
	buf  []byte
}

// maxIdleView is how much memory a View that is put aside may keep.
const maxIdleView = 32 << 10

// Reset lets go of the entries of the last call, so that v can be put aside without keeping them.
func (v *View[M]) Reset() {
	clear(v.list)
	clear(v.own)
	if cap(v.buf) > maxIdleView {
		v.buf = nil
	}
}

// grow makes room for entries of which some are records of so many bytes altogether.
func (v *View[M]) grow(entries, records, bytes int) {
	if cap(v.list) < entries {
		v.list = make([]*Entry[M], 0, entries)
	}
	if cap(v.own) < records {
		v.own = make([]Entry[M], records)
	}
	if cap(v.buf) < bytes {
		v.buf = make([]byte, bytes)
	}
	v.list, v.own, v.buf = v.list[:0], v.own[:0], v.buf[:0]
}
