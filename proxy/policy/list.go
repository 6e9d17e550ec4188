package policy

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"slices"
)

// readList reads a list file. Errors begin with the file's name and, if they are about one, the line.
func readList(path string) (*hosts, error) {
	file, err := os.Open(path)
	if err != nil {
		var pe *os.PathError
		errors.As(err, &pe)
		return nil, fmt.Errorf("%s: %w", path, pe.Err)
	}
	defer file.Close()
	b := new(builder)
	if info, err := file.Stat(); err == nil && info.Mode().IsRegular() {
		b.exact = make([]byte, 0, min(info.Size(), 1<<30)+1)
	}
	if err := b.read(file); err != nil {
		return nil, fmt.Errorf("%s:%w", path, err)
	}
	if n := len(b.exact); n < cap(b.exact)/8*7 {
		b.exact = append(make([]byte, 0, n), b.exact...)
	}
	h, err := b.hosts()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return h, nil
}

// errLine is an error of one line.
type errLine struct {
	line int
	what error
}

// Error implements error.
func (e *errLine) Error() string { return fmt.Sprintf("%d: %v", e.line, e.what) }

// errLong means that a file is not a list.
var errLong = errors.New("the line is too long")

// read adds the entries of a list. The first wrong line ends it.
func (b *builder) read(r io.Reader) error {
	br := bufio.NewReaderSize(r, 64<<10)
	for n := 1; ; n++ {
		line, err := br.ReadSlice('\n')
		if n == 1 {
			line = bytes.TrimPrefix(line, []byte("\xef\xbb\xbf"))
		}
		if err != nil && err != io.EOF {
			if err == bufio.ErrBufferFull {
				err = errLong
			}
			return &errLine{n, err}
		}
		if wrong := b.addLine(line); wrong != nil {
			return &errLine{n, wrong}
		}
		if err == io.EOF {
			return nil
		}
	}
}

// addLine adds a line's entries: one, or those behind the address in a line of a hosts file.
func (b *builder) addLine(line []byte) error {
	if i := bytes.IndexByte(line, '#'); i >= 0 {
		line = line[:i]
	}
	line = bytes.Trim(line, " \t\r\n")
	if len(line) == 0 {
		return nil
	}
	i := bytes.IndexAny(line, " \t")
	if i < 0 {
		if err := b.add(line); err != nil {
			return fmt.Errorf("%q: %w", short(line), err)
		}
		return nil
	}
	if _, err := netip.ParseAddr(string(line[:i])); err != nil {
		return fmt.Errorf("%q: more than one word, and the first is no address, as in a hosts file", short(line))
	}
	for name := range bytes.FieldsSeq(line[i:]) {
		if slices.Contains(ownNames, string(name)) {
			continue
		}
		if err := b.add(name); err != nil {
			return fmt.Errorf("%q: %w", short(name), err)
		}
	}
	return nil
}

// ownNames are what a hosts file has for the machine that it came from.
var ownNames = []string{
	"localhost", "localhost.localdomain", "local", "broadcasthost", "0.0.0.0", "ip6-localhost", "ip6-loopback",
	"ip6-localnet", "ip6-mcastprefix", "ip6-allnodes", "ip6-allrouters", "ip6-allhosts",
}

// short is the beginning of a text for a message.
func short(b []byte) []byte { return b[:min(len(b), 80)] }
