package proxy

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/jayproxy/jay/proxy/access"
)

// maxRuleCounts bounds the rules that are counted; a policy that is reloaded with new names again and again goes beyond it.
const maxRuleCounts = 512

// ruleCounts counts what the rules of the policy decided. Counting takes no lock and allocates nothing once a rule is known.
type ruleCounts struct {
	known atomic.Pointer[map[string]*ruleCount]
	mu    sync.Mutex // held to replace known
}

// ruleCount is about one rule.
type ruleCount struct{ allowed, denied, reported atomic.Int64 }

// count adds one finished exchange or tunnel.
func (c *ruleCounts) count(r *access.Record) {
	if r.Rule != "" {
		if n := c.of(r.Rule); n == nil {
			return
		} else if r.Decision == access.Denied {
			n.denied.Add(1)
		} else {
			n.allowed.Add(1)
		}
	}
	for rest := r.Reported; rest != ""; {
		var name string
		name, rest, _ = strings.Cut(rest, ",")
		if n := c.of(name); n != nil {
			n.reported.Add(1)
		}
	}
}

// of is where a rule is counted; nil if there are too many already.
func (c *ruleCounts) of(name string) *ruleCount {
	if m := c.known.Load(); m != nil {
		if n := (*m)[name]; n != nil {
			return n
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	next := map[string]*ruleCount{}
	if m := c.known.Load(); m != nil {
		if n := (*m)[name]; n != nil || len(*m) >= maxRuleCounts {
			return n
		}
		maps.Copy(next, *m)
	}
	n := &ruleCount{}
	next[strings.Clone(name)] = n
	c.known.Store(&next)
	return n
}

// RuleFigures tell how often a rule of the policy decided.
type RuleFigures struct {
	Rule     string `json:"rule"`
	Allowed  int64  `json:"allowed"`
	Denied   int64  `json:"denied"`
	Reported int64  `json:"reported"` // let pass, and noted as what would have been refused
}

// Rules returns what the rules of the policy decided since the start, in the order of their names. Rules that have not
// decided anything are not among them.
func (p *Proxy) Rules() []RuleFigures {
	out := []RuleFigures{}
	if m := p.stats.rules.known.Load(); m != nil {
		for name, n := range *m {
			out = append(out, RuleFigures{Rule: name, Allowed: n.allowed.Load(), Denied: n.denied.Load(), Reported: n.reported.Load()})
		}
	}
	slices.SortFunc(out, func(a, b RuleFigures) int { return cmp.Compare(a.Rule, b.Rule) })
	return out
}
