// Package cache keeps stored responses in memory.
package cache

// Options configures a Store.
type Options struct {
	// MaxBytes bounds what the store holds: bodies, keys, Extra bytes, the index and the admission
	// counters together. 0: 64 MiB.
	MaxBytes int64
	// MaxObjectBytes bounds one stored body. The effective limit never exceeds MaxBytes/8. 0: MaxBytes/8.
	MaxObjectBytes int64
	// MaxFillBytes bounds the bytes that all fills hold together. 0: MaxBytes/4.
	MaxFillBytes int64
	// MaxVariants bounds the stored variants of one key; storing one more drops the oldest. 0: 16.
	MaxVariants int
}

// Entry is one stored response. It must not be changed once it was given to Put or Swap, and one Entry is put once only.
type Entry[M any] struct {
	// Key is the primary cache key (RFC 9111 §2).
	Key string
	// Variant is the secondary key that the nominated request fields give (RFC 9111 §4.1); "" without Vary.
	Variant string
	// Meta is whatever the caller keeps beside the body.
	Meta M
	// Body is what is held of the representation.
	Body Body
	// Length is the complete length of the representation, -1 when unknown.
	Length int64
	// Extra is the number of bytes Meta holds (a serialised head, for instance); it is charged like the body.
	Extra int64
}

// Complete reports whether the whole representation is held.
func (e *Entry[M]) Complete() bool { panic("cache: not yet") }

// Epoch is a point in the history of a key's invalidations.
type Epoch uint64

// Reasons that Put gives for not storing.
const (
	ReasonInvalidated = "invalidated"
	ReasonTooLarge    = "too-large"
	ReasonNoRoom      = "no-room"
	ReasonClosed      = "closed"
)

// Store holds stored responses.
type Store[M any] struct {
	_ M
}

// Stats is a snapshot of a Store's figures.
type Stats struct {
	Entries, Bytes, MaxBytes, MaxObjectBytes           int64
	Fills, FillBytes, MaxFillBytes                     int64
	Puts, Swaps, Replaced, Evicted, Rejected, Removed int64
}

// New returns an empty store. Close it to end its goroutines.
func New[M any](o Options) (*Store[M], error) { panic("cache: not yet") }

// Variants returns the stored variants of key, newest first: an immutable snapshot; key is not retained.
func (s *Store[M]) Variants(key string) []*Entry[M] { panic("cache: not yet") }

// Use counts a use of e for eviction.
func (s *Store[M]) Use(e *Entry[M]) { panic("cache: not yet") }

// Epoch returns the current epoch of key; read it before the request is forwarded.
func (s *Store[M]) Epoch(key string) Epoch { panic("cache: not yet") }

// Put stores e in place of an entry with the same Key and Variant. e is visible when Put returns true; otherwise the reason is one of the Reason constants.
func (s *Store[M]) Put(e *Entry[M], at Epoch) (bool, string) { panic("cache: not yet") }

// Swap puts next in the place of old if old is still stored. Both have the same Key and Variant.
func (s *Store[M]) Swap(old, next *Entry[M]) bool { panic("cache: not yet") }

// Delete removes e if it is still stored.
func (s *Store[M]) Delete(e *Entry[M]) bool { panic("cache: not yet") }

// Invalidate removes every variant of key, discards fills begun before, and returns how many were removed.
func (s *Store[M]) Invalidate(key string) int { panic("cache: not yet") }

// Purge removes every entry that match reports true for, and discards fills begun before; dry only counts.
func (s *Store[M]) Purge(match func(*Entry[M]) bool, dry bool) int { panic("cache: not yet") }

// Range calls f for every stored entry until f returns false. f may call the store.
func (s *Store[M]) Range(f func(*Entry[M]) bool) { panic("cache: not yet") }

// Stats returns the current figures.
func (s *Store[M]) Stats() Stats { panic("cache: not yet") }

// Resize changes MaxBytes and evicts what is above it before it returns.
func (s *Store[M]) Resize(maxBytes int64) { panic("cache: not yet") }

// Close drops everything and ends the store's goroutines; later calls find nothing and store nothing.
func (s *Store[M]) Close() { panic("cache: not yet") }

// MaxObjectBytes returns the effective limit for one body.
func (s *Store[M]) MaxObjectBytes() int64 { panic("cache: not yet") }

// NewFill begins a fill.
func (s *Store[M]) NewFill(o FillOptions) *Fill { panic("cache: not yet") }
