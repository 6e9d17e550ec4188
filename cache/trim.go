package cache

import (
	"math/bits"
	"unsafe"
)

// What the tables take for an entry. They keep their size when entries go; what they take then is counted (idle), and
// given back when it is much (trim).
const (
	nodeBytes  = int64(unsafe.Sizeof(node{}))
	tableBytes = 8 + 160 // a number in a hash table that is at least half full; ristretto's maps of 8+48 and 8+8 with spare slots
)

// idle returns how many bytes the tables take for entries that have left.
func (s *Store[M]) idle() int64 {
	n := s.entries.Load()
	return max(s.room.Load()-n, 0)*nodeBytes + max(s.high.Load()-n, 0)*tableBytes
}

// over tells whether the bound would be broken by an entry of the given charge, for which a page of nodes may be made.
func (s *Store[M]) over(charge int64) bool {
	return s.bytes.Load()+charge+s.idle()+pageNodes*nodeBytes > s.bounds.total
}

// reckon moves the bounds when what the tables take for entries that have left has changed by much. The caller holds
// writer, as for trim.
func (s *Store[M]) reckon() {
	if d := s.idle() - s.bounds.idle; max(d, -d) > s.bounds.total/128 {
		s.setBounds(s.maxBytes.Load())
		s.engine.UpdateMaxCost(s.bounds.main)
	}
}

// trim makes the tables smaller when at least half of the entries have left and an eighth of the store is idle, or when
// nearly all have left. It takes time for every entry that is there, which is less than have left. Ristretto's frequencies
// are lost.
func (s *Store[M]) trim() {
	n, high, idle := s.entries.Load(), s.high.Load(), s.idle()
	if n > high/2 || idle < s.bounds.total/8 && (n > high/16 || idle < s.bounds.total/128) {
		return
	}
	if next, err := s.newEngine(s.counters); err == nil { // its maps never shrink
		s.settle()
		s.replace(next)
	}
	none, room := new(page), int64(0)
	for i := range s.shards {
		sh := &s.shards[i]
		sh.mu.Lock()
		sh.closeUp()
		sh.nodes.trim(none)
		room += sh.nodes.room()
		if n := 1 << bits.Len(uint(max(sh.keys, 8)-1)); n < len(sh.table) {
			s.rehash(sh, n)
		}
		sh.mu.Unlock()
	}
	s.room.Store(room)
	s.high.Store(s.entries.Load())
}

// closeUp moves the shard's loose entries together. The caller holds its lock.
func (sh *shard[M]) closeUp() {
	pages := sh.nodes.pages.Load()
	if pages == nil {
		return
	}
	kept := make([]*Entry[M], 0, len(sh.loose)-len(sh.looseFree))
	for _, p := range *pages {
		for i := range p {
			if n := &p[i]; n.at.loose() {
				kept = append(kept, sh.loose[n.at.index()])
				n.at = looseRef | ref(len(kept)-1)
			}
		}
	}
	sh.loose, sh.looseFree = kept, nil
}
