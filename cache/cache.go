// Package cache keeps stored responses in memory (RFC 9111 §2, §3), within an exact bound of bytes.
//
// A [Store] maps a primary key to its stored variants (§4.1), each an immutable [Entry] with a [Body] that holds all or
// parts of a representation (§3.3, §3.4). What Put stored is there when Put returns; what Invalidate removed (§4.4) is
// gone when it returns, and a response that was requested before that cannot come back. A [Fill] is a body on its way:
// one writer appends, many readers follow (a collapsed request, §4).
//
// Admission and eviction are ristretto's, behind an index of the package's own that decides what is visible, because
// ristretto's Set and Get lose updates by design. See policy.go for how the two work together.
//
// Small complete entries lie in memory without pointers, which costs a garbage collection nothing, and are copied out
// whenever they are looked at; see arena.go. Others stay as they were given.
//
// Left out on purpose: freshness, validation and the choice among variants (packages freshness, validation and
// cache/vary), and storage on disk. What a response means is the caller's affair; it travels in Entry.Meta.
//
//	s, err := cache.New(cache.Options{MaxBytes: 1 << 30}, cache.Codec[Meta]{…})
//	at := s.Epoch(key)                      // before the request is forwarded
//	stored, why := s.Put(&cache.Entry[Meta]{Key: key, Body: cache.NewBody(b), Length: int64(len(b))}, at)
//	for _, e := range s.Variants(key) { … } // newest first
package cache

import (
	"fmt"
	"math/bits"
)

// Options configures a Store.
type Options struct {
	// MaxBytes bounds what the store holds: bodies, keys, Extra bytes, the index and the admission counters together.
	// Some 400 KiB that every store costs are not counted. 0: 64 MiB. At least 64 KiB.
	MaxBytes int64
	// MaxObjectBytes bounds one stored body. The effective limit never exceeds MaxBytes/8. 0: MaxBytes/8.
	MaxObjectBytes int64
	// MaxFillBytes bounds the bytes that all fills hold together. 0: MaxBytes/4.
	MaxFillBytes int64
	// MaxVariants bounds the stored variants of one key; storing one more drops the oldest. 0: 16.
	MaxVariants int
}

// Defaults and bounds of Options.
const (
	defaultMaxBytes    = 64 << 20
	defaultMaxVariants = 16
	minMaxBytes        = 64 << 10
)

func (o *Options) complete() error {
	if o.MaxBytes == 0 {
		o.MaxBytes = defaultMaxBytes
	}
	if o.MaxFillBytes == 0 {
		o.MaxFillBytes = o.MaxBytes / 4
	}
	if o.MaxVariants == 0 {
		o.MaxVariants = defaultMaxVariants
	}
	if o.MaxBytes < minMaxBytes {
		return fmt.Errorf("cache: MaxBytes is %d; want at least %d", o.MaxBytes, int64(minMaxBytes))
	}
	if o.MaxObjectBytes < 0 || o.MaxFillBytes < 0 || o.MaxVariants < 0 {
		return fmt.Errorf("cache: negative limit in %+v", *o)
	}
	return nil
}

// Entry is one stored response. It must not be changed once it was given to Put or Swap, and is given to them once only;
// a changed copy is another entry. The store may keep a small one in another form, and make entries of it when asked.
type Entry[M any] struct {
	// Key is the primary cache key (RFC 9111 §2).
	Key string
	// Variant is the secondary key that the nominated request fields give (RFC 9111 §4.1); "" without Vary.
	Variant string
	// Meta is whatever the caller keeps beside the body: status, fields, times.
	Meta M
	// Body is what is held of the representation.
	Body Body
	// Length is the complete length of the representation in bytes, -1 when unknown.
	Length int64
	// Extra is the number of bytes Meta points to (a serialised head, for instance); it is charged like the body.
	Extra int64

	// What the store knows of a stored entry.
	self     *Entry[M] // the entry itself, which a copy of it is not
	node     handle
	version  uint32 // of the node
	hash, id uint64 // of the node
}

// stored reports whether e itself was given to Put or Swap or came from the store, which a copy of it was not.
func (e *Entry[M]) stored() bool { return e.self == e }

// Is reports whether e and o are the same stored entry, or one and the same entry.
func (e *Entry[M]) Is(o *Entry[M]) bool {
	return e == o || e != nil && o != nil && e.stored() && o.stored() && e.node == o.node && e.version == o.version
}

// Clone returns a copy that shares no memory with e's View (see [Store.View]) and is e to the store all the same.
func (s *Store[M]) Clone(e *Entry[M]) *Entry[M] {
	c := *e
	if p := s.pack(e, nil); p.size > 0 {
		record := make([]byte, p.size)
		write(record, e, p)
		c.Meta = *new(M)
		s.read(record, &c)
	}
	if e.stored() {
		c.self = &c
	}
	return &c
}

// Complete reports whether the whole representation is held.
func (e *Entry[M]) Complete() bool { return e.Length >= 0 && e.Body.Covers(0, e.Length) }

// Epoch is a point in the history of a key's invalidations.
type Epoch uint64

// Reasons that Put gives for not storing.
const (
	// ReasonInvalidated: the key was invalidated or purged after the Epoch was read.
	ReasonInvalidated = "invalidated"
	// ReasonTooLarge: the body exceeds the limit for one object.
	ReasonTooLarge = "too-large"
	// ReasonReused: the entry was given to Put or Swap before.
	ReasonReused = "reused"
	// ReasonClosed: the store is closed.
	ReasonClosed = "closed"
)

// Stats is a snapshot of a store's figures. The counters count since New.
type Stats struct {
	Entries        int64 // stored variants
	Bytes          int64 // bytes charged for them
	Overhead       int64 // bytes of the admission counters and of tables for entries that have left, part of MaxBytes too
	MaxBytes       int64 // the bound for Bytes and Overhead together
	MaxObjectBytes int64 // the effective limit for one body
	Fills          int64 // fills that hold bytes
	FillBytes      int64 // bytes they hold
	MaxFillBytes   int64 // the bound for FillBytes

	Puts     int64 // entries stored by Put
	Swaps    int64 // entries put in another's place by Swap
	Replaced int64 // entries that a newer one of the same key and variant replaced
	Rejected int64 // entries that left the recency window without admission
	Evicted  int64 // entries evicted after admission
	Removed  int64 // entries deleted, invalidated, purged, or dropped as one variant too many
}

// allocBytes returns about what the runtime allocates for n bytes: size classes an eighth apart, whole pages above 32 KiB.
func allocBytes(n int64) int64 {
	switch {
	case n <= 0:
		return 0
	case n <= 128:
		return (n + 15) &^ 15
	case n <= 32<<10:
		step := int64(1) << (bits.Len64(uint64(n-1)) - 4)
		return (n + step - 1) &^ (step - 1)
	}
	return (n + 8191) &^ 8191
}
