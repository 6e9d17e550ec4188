package wire

import "io"

// chunkState is what a chunked body's next byte is part of (RFC 9112 §7.1).
type chunkState uint8

const (
	chunkSize        chunkState = iota // chunk-size
	chunkSizeSpace                     // white space before ";"
	chunkExtStart                      // after ";"
	chunkExtName                       // chunk-ext-name
	chunkExtNameEnd                    // white space after a name
	chunkExtEqual                      // after "="
	chunkExtValue                      // chunk-ext-val, a token
	chunkExtQuoted                     // within a quoted-string
	chunkExtEscape                     // after "\" in one
	chunkExtEnd                        // after a quoted-string
	chunkExtValueEnd                   // white space after a value
	chunkLineLF                        // the LF of the size line
	chunkData                          // chunk-data
	chunkDataCR                        // the CR after it
	chunkDataLF                        // the LF after it
	chunkTrailer                       // the trailer section
)

const (
	// maxChunkDigits bounds a chunk size, leading zeros included.
	maxChunkDigits = 16
	// maxExtBytes bounds the chunk extensions of one body, which are read only
	// to be dropped.
	maxExtBytes = 16 << 10
	// directChunk is how much of a chunk must be missing for it to be read
	// past the buffer: less comes along with the chunks that follow it.
	directChunk = 4 << 10
)

// readChunked reads as much data as fits p and is at hand.
func (b *Body) readChunked(p []byte) (n int, err error) {
	for {
		if b.state == chunkData {
			if n == len(p) || n > 0 && !b.r.Pending() {
				return n, nil
			}
			var m int
			m, err = b.readChunk(p[n:])
			n += m
		} else {
			var more bool
			if more, err = b.step(); more && err == nil {
				if n > 0 {
					return n, nil
				}
				err = b.r.fetch()
			}
		}
		if err != nil {
			err = b.fail(err)
		}
		if n > 0 && (err != nil || b.mode == bodyDone) {
			return n, nil
		}
		if err != nil {
			return 0, err
		}
		if b.mode == bodyDone {
			return 0, io.EOF
		}
	}
}

// readChunk reads data of the current chunk.
func (b *Body) readChunk(p []byte) (int, error) {
	if !b.r.Pending() && b.left < directChunk && int64(len(p)) > b.left {
		if err := b.r.fetch(); err != nil {
			return 0, err
		}
	}
	n, err := b.readData(p)
	if b.left == 0 {
		b.state = chunkDataCR
	}
	return n, err
}

// step reads what is buffered of the framing up to the next data or the end of
// the body. It reports whether more bytes are needed for either.
func (b *Body) step() (more bool, err error) {
	for b.state != chunkTrailer {
		if b.state == chunkData {
			return false, nil
		}
		if !b.r.Pending() {
			return true, nil
		}
		c := b.r.buf[b.r.start]
		b.r.start++
		b.started = true
		if err := b.next(c); err != nil {
			return false, err
		}
	}
	return b.readTrailers()
}

// next takes in one byte of framing.
func (b *Body) next(c byte) error {
	switch b.state {
	case chunkSize:
		return b.nextSize(c)
	case chunkLineLF:
		return b.endLine(c)
	case chunkDataCR:
		if c != '\r' {
			return errChunkEnd
		}
		b.state = chunkDataLF
		return nil
	case chunkDataLF:
		if c != '\n' {
			return errChunkEnd
		}
		b.state, b.digits = chunkSize, 0
		return nil
	}
	if b.extBytes++; b.extBytes > maxExtBytes {
		return errChunkExtBytes
	}
	state, ok := nextExt(b.state, c)
	if !ok {
		return extError(c)
	}
	b.state = state
	return nil
}

// nextSize takes in a byte of the chunk size or the one that ends it.
func (b *Body) nextSize(c byte) error {
	if class[c]&isHex != 0 {
		if b.digits++; b.digits > maxChunkDigits || b.left >= 1<<59 {
			return errChunkSize
		}
		digit := c - '0'
		if c > '9' {
			digit = c | 0x20 - 'a' + 10
		}
		b.left = b.left<<4 | int64(digit)
		return nil
	}
	switch {
	case b.digits == 0:
		return errChunkSize
	case c == '\r':
		b.state = chunkLineLF
	case c == ';':
		b.state = chunkExtStart
	case isOWS(c):
		b.state = chunkSizeSpace
	case c == '\n':
		return errChunkLine
	default:
		return errChunkSize
	}
	return nil
}

// endLine takes in the LF of a size line.
func (b *Body) endLine(c byte) error {
	if c != '\n' {
		return errChunkLine
	}
	b.state = chunkData
	if b.left == 0 {
		b.state, b.section = chunkTrailer, section{}
	}
	return nil
}

// nextExt is the state after byte c of the chunk extensions (RFC 9112 §7.1.1),
// which are checked in full: implementations that skip them in different ways
// are what lets a request hide in them.
func nextExt(s chunkState, c byte) (chunkState, bool) {
	token := class[c]&isToken != 0
	switch s {
	case chunkExtStart:
		if isOWS(c) {
			return s, true
		}
		return chunkExtName, token
	case chunkExtEqual:
		if isOWS(c) {
			return s, true
		}
		if c == '"' {
			return chunkExtQuoted, true
		}
		return chunkExtValue, token
	case chunkExtQuoted:
		if c == '"' {
			return chunkExtEnd, true
		}
		if c == '\\' {
			return chunkExtEscape, true
		}
		return s, class[c]&isValue != 0
	case chunkExtEscape:
		return chunkExtQuoted, class[c]&isValue != 0
	case chunkExtName, chunkExtValue:
		if token {
			return s, true
		}
	}
	return afterExt(s, c)
}

// afterExt is the state after a byte that ends a size, a name or a value, or
// follows one.
func afterExt(s chunkState, c byte) (chunkState, bool) {
	named := s == chunkExtName || s == chunkExtNameEnd
	spaced := s == chunkSizeSpace || s == chunkExtNameEnd || s == chunkExtValueEnd
	switch {
	case c == ';':
		return chunkExtStart, true
	case c == '=' && named:
		return chunkExtEqual, true
	case c == '\r' && !spaced:
		return chunkLineLF, true
	case !isOWS(c):
		return s, false
	case s == chunkSizeSpace:
		return s, true
	case named:
		return chunkExtNameEnd, true
	}
	return chunkExtValueEnd, true
}

// extError is the fault of a size line with c where it cannot be.
func extError(c byte) error {
	if c == '\r' || c == '\n' {
		return errChunkLine
	}
	return errChunkExt
}

// readTrailers reads the trailer section (RFC 9112 §7.1.2) once it is
// buffered, and reports whether more bytes are needed for that.
func (b *Body) readTrailers() (more bool, err error) {
	r := b.r
	n, err := b.section.find(r.Buffered(), r.lim.orDefault())
	if err != nil || n == 0 {
		return n == 0, err
	}
	text := string(r.Buffered()[:n-len(crlf)])
	r.start += n
	if text != "" {
		fields := Fields{detached: true}
		if err := fields.parse(text, 0, len(text), r.lim.orDefault().Fields); err != nil {
			return false, err
		}
		b.trailers = &fields
	}
	b.mode = bodyDone
	return false, nil
}
