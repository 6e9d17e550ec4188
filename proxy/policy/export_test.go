package policy

import (
	"strings"
	"time"
)

// NewFromList is a policy that denies what a list's text names, without a file.
func NewFromList(text string) (*Policy, error) {
	var b builder
	if err := b.read(strings.NewReader(text)); err != nil {
		return nil, err
	}
	h, err := b.hosts()
	if err != nil {
		return nil, err
	}
	p := new(Policy)
	p.rules = &ruleset{fallback: Allow, location: time.UTC, rules: []rule{{name: "listed", action: Deny, to: []*hosts{h}}}}
	return p, nil
}
