//go:build !unix

package upstream

// nothingToRead knows nothing on this system; a closed connection shows when it
// is used.
func nothingToRead(uintptr) bool { return true }
