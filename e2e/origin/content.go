package origin

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/jayproxy/jay/e2e/rawhttp"
)

// Content is a body that is a function of its key and version alone, so that
// any byte from another URL, another version or another place is seen.
type Content struct {
	Key     string
	Version int
	Size    int64
}

// Reader returns the bytes from offset off (inclusive) to end (exclusive).
func (c Content) Reader(off, end int64) io.Reader {
	key := sha256.Sum256(fmt.Appendf(nil, "%s\x00%d", c.Key, c.Version))
	block, err := aes.NewCipher(key[:16])
	if err != nil {
		panic(err) // the key has a fixed, right size
	}
	var iv [aes.BlockSize]byte
	binary.BigEndian.PutUint64(iv[8:], uint64(off/aes.BlockSize))
	stream := cipher.NewCTR(block, iv[:])
	var skip [aes.BlockSize]byte
	stream.XORKeyStream(skip[:off%aes.BlockSize], skip[:off%aes.BlockSize])
	return io.LimitReader(keystream{stream}, max(end-off, 0))
}

type keystream struct{ s cipher.Stream }

// Read implements io.Reader.
func (k keystream) Read(p []byte) (int, error) {
	clear(p)
	k.s.XORKeyStream(p, p)
	return len(p), nil
}

// Bytes returns the whole content.
func (c Content) Bytes() []byte {
	b := make([]byte, c.Size)
	_, _ = io.ReadFull(c.Reader(0, c.Size), b)
	return b
}

// Sum returns the SHA-256 of the whole content in hex.
func (c Content) Sum() string {
	h := sha256.New()
	_, _ = io.Copy(h, c.Reader(0, c.Size))
	return hex.EncodeToString(h.Sum(nil))
}

// ETag returns a strong validator that names the key and version.
func (c Content) ETag() string {
	sum := sha256.Sum256([]byte(c.Key))
	return fmt.Sprintf(`"%x-%d"`, sum[:4], c.Version)
}

// Serve answers a GET or HEAD for the content as a file server does: 304 for a
// matching If-None-Match, 206 for one range when If-Range allows it, 416.
// The fields fs come after Date, ETag and Accept-Ranges.
func (c Content) Serve(x *Exchange, fs rawhttp.Fields) {
	head := append(rawhttp.F("Date", Date(time.Now()), "ETag", c.ETag(), "Accept-Ranges", "bytes"), fs...)
	req := x.Req.Fields
	if req.Get("If-None-Match") == c.ETag() {
		x.Reply("304 Not Modified", head, "")
		return
	}
	value := req.Get("Range")
	if ir := req.Get("If-Range"); ir != "" && ir != c.ETag() {
		value = ""
	}
	start, end, ok := c.span(value)
	switch {
	case value == "":
		head = append(head, rawhttp.F("Content-Length", strconv.FormatInt(c.Size, 10))...)
		x.Head("200 OK", head)
	case !ok:
		x.Reply("416 Range Not Satisfiable", append(head, rawhttp.F("Content-Range", fmt.Sprintf("bytes */%d", c.Size))...), "")
		return
	default:
		head = append(head, rawhttp.F(
			"Content-Range", fmt.Sprintf("bytes %d-%d/%d", start, end-1, c.Size),
			"Content-Length", strconv.FormatInt(end-start, 10))...)
		x.Head("206 Partial Content", head)
	}
	if x.Req.Method != "HEAD" {
		c.Copy(x, start, end)
	}
}

// Copy writes the bytes from off to end as they are and stops at an error.
func (c Content) Copy(x *Exchange, off, end int64) {
	if _, err := io.CopyBuffer(struct{ io.Writer }{x}, c.Reader(off, end), make([]byte, 256<<10)); err != nil {
		x.Close()
	}
}

// span resolves a single byte range; the whole content for "".
func (c Content) span(value string) (start, end int64, ok bool) {
	spec, found := strings.CutPrefix(value, "bytes=")
	first, last, dash := strings.Cut(spec, "-")
	if !found || !dash || strings.Contains(spec, ",") {
		return 0, c.Size, value == ""
	}
	a, errA := strconv.ParseInt(first, 10, 64)
	b, errB := strconv.ParseInt(last, 10, 64)
	switch {
	case first == "" && errB == nil:
		return max(c.Size-b, 0), c.Size, b > 0
	case errA == nil && last == "":
		return a, c.Size, a < c.Size
	case errA == nil && errB == nil:
		return a, min(b+1, c.Size), a < c.Size && a <= b
	}
	return 0, 0, false
}
