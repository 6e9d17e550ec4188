package wire

// Held is the size of the buffer that r holds.
func (r *Reader) Held() int { return len(r.buf) }
