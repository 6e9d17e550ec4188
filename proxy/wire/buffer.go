package wire

import "sync"

// The sizes of pooled buffers. Most heads fit the small one; the large one
// holds the largest head that the default limits allow.
const (
	smallBuffer  = 8 << 10
	mediumBuffer = 32 << 10
	largeBuffer  = 64 << 10
)

// The pools hold pointers to arrays, which go into an interface without an
// allocation.
var (
	smallPool  = sync.Pool{New: func() any { return new([smallBuffer]byte) }}
	mediumPool = sync.Pool{New: func() any { return new([mediumBuffer]byte) }}
	largePool  = sync.Pool{New: func() any { return new([largeBuffer]byte) }}
)

// takeBuffer is a buffer of at least n bytes, of arbitrary content.
func takeBuffer(n int) []byte {
	switch {
	case n <= smallBuffer:
		return smallPool.Get().(*[smallBuffer]byte)[:]
	case n <= mediumBuffer:
		return mediumPool.Get().(*[mediumBuffer]byte)[:]
	case n <= largeBuffer:
		return largePool.Get().(*[largeBuffer]byte)[:]
	}
	return make([]byte, n)
}

// giveBuffer takes back what takeBuffer gave.
func giveBuffer(b []byte) {
	switch len(b) {
	case smallBuffer:
		smallPool.Put((*[smallBuffer]byte)(b))
	case mediumBuffer:
		mediumPool.Put((*[mediumBuffer]byte)(b))
	case largeBuffer:
		largePool.Put((*[largeBuffer]byte)(b))
	}
}
