//go:build !unix

package wire

// initPoll does nothing: here a Reader holds a buffer while it waits.
func (r *Reader) initPoll() {}

// await is not reached, as raw is nil.
func (r *Reader) await() error { return r.err }
