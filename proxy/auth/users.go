package auth

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"unicode/utf8"

	"github.com/tg123/go-htpasswd"
	"golang.org/x/crypto/bcrypt"
)

// Bounds of a file and of what stands in it.
const (
	maxFile  = 16 << 20
	maxName  = 255
	hashSize = 60 // of bcrypt's text form
	maxCost  = 15 // seconds for each check
)

// users are the contents of a file.
type users struct {
	file  *htpasswd.File
	names []string
}

// match tells whether a user has a password. For a user that does not exist, somebody else's hash is compared, the same
// one each time, so that the answer takes as long as for one that does.
func (u *users) match(who uint64, user, password string) bool {
	if len(u.names) == 0 {
		return false
	}
	exists := u.file.Exists(user)
	compared := user
	if !exists {
		compared = u.names[who%uint64(len(u.names))]
	}
	return u.file.Match(compared, password) && exists
}

// readUsers reads a file. Errors begin with its name and, if they are about one, the line; they do not quote it.
func readUsers(path string) (*users, error) {
	file, err := os.Open(path)
	if err != nil {
		var pe *os.PathError
		errors.As(err, &pe)
		return nil, fmt.Errorf("%s: %w", path, pe.Err)
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, maxFile+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("%s: cannot be read", path)
	case len(text) > maxFile:
		return nil, fmt.Errorf("%s: larger than 16 MiB", path)
	}
	u, line, err := parseUsers(text)
	if err != nil {
		return nil, fmt.Errorf("%s:%d: %w", path, line, err)
	}
	return u, nil
}

var (
	errColon   = errors.New("no colon; a line is user:hash")
	errName    = errors.New("the user's name is empty, too long, not UTF-8 or has control characters")
	errHash    = errors.New("not a bcrypt hash; htpasswd -B makes one")
	errCost    = fmt.Errorf("checking a hash of this cost takes too long; the highest is %d", maxCost)
	errSeveral = errors.New("the user is on another line, too")
)

// parseUsers reads a file's text. With an error comes the line that it is about.
func parseUsers(text []byte) (*users, int, error) {
	u := new(users)
	seen := make(map[string]bool)
	var kept bytes.Buffer
	n := 0
	for line := range bytes.Lines(text) {
		n++
		line = bytes.TrimSpace(line)
		if len(line) == 0 || line[0] == '#' {
			continue
		}
		name, hash, ok := strings.Cut(string(line), ":")
		if !ok {
			return nil, n, errColon
		}
		if err := checkUser(name, hash); err != nil {
			return nil, n, err
		}
		if seen[name] {
			return nil, n, errSeveral
		}
		seen[name] = true
		u.names = append(u.names, name)
		kept.Write(line)
		kept.WriteByte('\n')
	}
	var err error
	u.file, err = htpasswd.NewFromReader(&kept, []htpasswd.PasswdParser{htpasswd.AcceptBcrypt}, nil)
	if err != nil {
		return nil, n, errHash // every line was good, so this cannot be; its own words could hold a hash
	}
	return u, n, nil
}

// checkUser tells what is wrong with a line.
func checkUser(name, hash string) error {
	if name == "" || len(name) > maxName || !utf8.ValidString(name) || strings.ContainsFunc(name, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return errName
	}
	cost, err := bcrypt.Cost([]byte(hash))
	if err != nil || len(hash) != hashSize {
		return errHash
	}
	if cost > maxCost {
		return errCost
	}
	return nil
}
