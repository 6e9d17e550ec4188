package access

import "io"

// Change is another place, another format or both for a log. It does nothing until it is put in force, and is to be put in
// force or discarded.
type Change struct {
	log     *Log
	options Options
	encoder encoder
	target  *target
}

// Prepare opens what other options want; only Path, Format and StripQuery can be changed. A file that is open already is
// opened anew. The log stays as it is, whether this fails or not.
func (l *Log) Prepare(o Options) (*Change, error) {
	enc, err := newEncoder(o.Format, o.StripQuery)
	if err != nil {
		return nil, err
	}
	t, err := l.target(o.Path)
	if err != nil {
		return nil, err
	}
	enc.fields = len(t.end) > 1
	return &Change{log: l, options: o, encoder: enc, target: t}, nil
}

// target opens what a path names.
func (l *Log) target(path string) (*target, error) {
	end := []byte("\n")
	switch path {
	case "off":
		return &target{Writer: io.Discard, end: end}, nil
	case "", "-":
		return &target{Writer: l.stdout, end: end}, nil
	}
	switch d, err := daemonOf(path); {
	case err != nil:
		return nil, err
	case d != nil:
		return &target{Writer: d, owned: d, end: d.end}, nil
	}
	f, err := open(path)
	if err != nil {
		return nil, err
	}
	return &target{Writer: f, owned: f, end: end}, nil
}

// Discard gives the change up.
func (ch *Change) Discard() { ch.target.close() }

// Commit puts the change in force: lines of records that are written from now on go the new way, and those before go the old
// one. When it returns, nothing more is written to the old file, unless that has been blocking for 5 s.
func (ch *Change) Commit() {
	l := ch.log
	l.changing.Lock()
	defer l.changing.Unlock()
	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		ch.target.close()
		return
	}
	l.rest, l.buf = append(l.rest, l.buf...), l.buf[:0]
	if l.next != nil {
		l.next.close() // never written to
	}
	l.next, l.options, l.encoder = ch.target, ch.options, ch.encoder
	l.typed.Store(l.encoder.format == Squid)
	if l.switched == nil {
		l.switched = make(chan struct{})
	}
	switched := l.switched
	l.wake()
	l.mu.Unlock()
	wait(switched)
}

// Reopen opens the file anew, after it was moved away. When it returns nil, nothing more is written to the old file,
// unless that has been blocking for 5 s. When it fails, the old file stays in use.
func (l *Log) Reopen() error {
	if l == nil {
		return nil
	}
	l.mu.Lock()
	o := l.options
	l.mu.Unlock()
	ch, err := l.Prepare(o)
	if err != nil {
		return err
	}
	ch.Commit()
	return nil
}
