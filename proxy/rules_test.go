package proxy

import (
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/jayproxy/jay/proxy/access"
)

func TestRules(t *testing.T) {
	var p Proxy
	if got := p.Rules(); len(got) != 0 {
		t.Errorf("before anything was decided: %+v", got)
	}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 100 {
				p.stats.count(&access.Record{Decision: access.Hit, Rule: "staff", Reported: "watch,night"})
				p.stats.count(&access.Record{Decision: access.Denied, Rule: "night"})
				p.stats.count(&access.Record{Decision: access.Miss})
			}
		})
	}
	wg.Wait()
	want := []RuleFigures{{Rule: "night", Denied: 400, Reported: 400}, {Rule: "staff", Allowed: 400}, {Rule: "watch", Reported: 400}}
	if got := p.Rules(); !slices.Equal(got, want) {
		t.Errorf("got %+v; want %+v", got, want)
	}
	r := access.Record{Decision: access.Hit, Rule: "staff", Reported: "watch"}
	if n := testing.AllocsPerRun(100, func() { p.stats.count(&r) }); n != 0 {
		t.Errorf("%v allocations; want 0", n)
	}
}

func TestRules_Bounded(t *testing.T) {
	var p Proxy
	for i := range maxRuleCounts + 100 {
		p.stats.count(&access.Record{Decision: access.Denied, Rule: fmt.Sprintf("rule-%d", i), Reported: fmt.Sprintf("report-%d", i)})
	}
	if n := len(p.Rules()); n != maxRuleCounts {
		t.Errorf("%d rules are counted; want %d", n, maxRuleCounts)
	}
}
