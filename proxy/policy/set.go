package policy

import "fmt"

// Set is a set of destinations in the notation of [Rule].To, for other things that go by hosts. It is never changed.
type Set struct{ hosts *hosts }

// NewSet makes the set of the entries.
func NewSet(entries []string) (*Set, error) {
	var b builder
	for _, entry := range entries {
		if err := b.add([]byte(entry)); err != nil {
			return nil, fmt.Errorf("%q: %w", entry, err)
		}
	}
	h, err := b.hosts()
	return &Set{h}, err
}

// Has tells whether a host is in the set by what it is called. A name is not resolved: addresses are about hosts that are
// addresses themselves, IPv6 ones with or without brackets.
func (s *Set) Has(host string) bool {
	about, ok := subjectOf(Question{Host: host}, nil)
	return ok && s.hosts.match(&about) == yes
}
