package main

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"time"

	"golang.org/x/term"
)

// screen is a terminal that is drawn on as a whole. What was on it comes back when it is closed.
type screen struct {
	out, keys *os.File
	colour    bool
	before    *term.State
	quit      func()        // called when who watches wants no more
	ended     chan struct{} // closed when no key is read any more
	last      string        // what is on it
}

// The control sequences (ECMA-48, and xterm's for the second screen and the cursor).
const (
	enterScreen = "\x1b[?1049h\x1b[?25l"
	leaveScreen = "\x1b[?25h\x1b[?1049l"
	toTop       = "\x1b[H"
	clearBelow  = "\x1b[J"
	clearRight  = "\x1b[K"
	plainStyle  = "\x1b[0m"
)

// styles are the sequences of row styles.
var styles = [...]string{plain: "", heading: "\x1b[1m", title: "\x1b[7m", good: "\x1b[32m", bad: "\x1b[31m"}

// openScreen takes over the terminal. It calls quit when a key that says so is pressed.
func openScreen(out *os.File, colour bool, quit func()) (*screen, error) {
	name := "/dev/tty"
	if runtime.GOOS == "windows" {
		name = "CONIN$"
	}
	keys, err := os.OpenFile(name, os.O_RDWR, 0)
	if err != nil {
		return nil, fmt.Errorf("top: %w", err)
	}
	var before *term.State
	err = descriptor(keys, func(fd int) error {
		before, err = term.MakeRaw(fd)
		return err
	})
	if err != nil {
		keys.Close()
		return nil, fmt.Errorf("top: %w", err)
	}
	s := &screen{out: out, keys: keys, colour: colour, before: before, quit: quit, ended: make(chan struct{})}
	if _, err := out.WriteString(enterScreen); err != nil {
		close(s.ended)
		return nil, errors.Join(err, s.close())
	}
	go s.read()
	return s, nil
}

// read waits for a key that ends it: q, Ctrl-C or Ctrl-D.
func (s *screen) read() {
	defer close(s.ended)
	defer s.quit()
	var b [64]byte
	for {
		n, err := s.keys.Read(b[:])
		if err != nil || strings.ContainsAny(string(b[:n]), "qQ\x03\x04") {
			return
		}
	}
}

// show draws the view, if that changes anything.
func (s *screen) show(v *view) error {
	width, height, err := term.GetSize(int(s.out.Fd()))
	if err != nil {
		return fmt.Errorf("top: %w", err)
	}
	var b strings.Builder
	b.WriteString(toTop)
	for i, r := range v.render(width, height) {
		if i > 0 {
			b.WriteString("\r\n")
		}
		if style := styles[r.style]; style != "" && s.colour {
			b.WriteString(style + r.text + plainStyle)
		} else {
			b.WriteString(r.text)
		}
		b.WriteString(clearRight)
	}
	b.WriteString(clearBelow)
	if b.String() == s.last {
		return nil
	}
	s.last = b.String()
	_, err = s.out.WriteString(s.last)
	return err
}

// close gives the terminal back as it was.
func (s *screen) close() error {
	_, err := s.out.WriteString(leaveScreen)
	// A read that waits cannot be ended on every system; where it cannot, it ends with the process, which is about to.
	if s.keys.SetReadDeadline(time.Unix(1, 0)) == nil {
		<-s.ended
	}
	restore := descriptor(s.keys, func(fd int) error { return term.Restore(fd, s.before) })
	return errors.Join(err, restore, s.keys.Close())
}

// descriptor calls a function with a file's descriptor. Fd would make reads of the file impossible to end.
func descriptor(f *os.File, do func(fd int) error) error {
	c, err := f.SyscallConn()
	if err != nil {
		return err
	}
	controlled := c.Control(func(fd uintptr) { err = do(int(fd)) })
	return errors.Join(controlled, err)
}
