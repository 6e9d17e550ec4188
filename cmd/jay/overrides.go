package main

import (
	"github.com/jayproxy/jay/config"
	"github.com/jayproxy/jay/freshness"
	"github.com/jayproxy/jay/proxy"
	"github.com/jayproxy/jay/proxy/override"
)

// overrides is what the configuration's section means to the proxy; nil for none.
func overrides(list []config.Override) (*proxy.Overrides, error) {
	if len(list) == 0 {
		return nil, nil
	}
	var rules []proxy.Override
	for i := range list {
		rules = append(rules, overrideOf(&list[i]))
	}
	return proxy.NewOverrides(rules)
}

func overrideOf(c *config.Override) proxy.Override {
	o := proxy.Override{
		Name: c.Name,
		If:   override.Conditions{To: c.To, Paths: c.Paths, Regexp: c.Regexp, Types: c.Types},
		Then: freshness.Override{
			Min: c.Min, Max: freshness.Delta{Value: c.Max, Set: c.Max > 0}, Heuristic: c.Heuristic,
			Never: c.Never, AlwaysRevalidate: c.AlwaysRevalidate,
		},
	}
	for _, s := range c.Statuses {
		o.If.Statuses = append(o.If.Statuses, override.StatusRange(s))
	}
	for _, word := range c.Ignore {
		o.Then.Ignore |= ignored(word)
	}
	return o
}

// ignored is what a word stands for; 0 for nothing.
func ignored(word string) freshness.Ignored {
	switch word {
	case config.IgnoreNoCache:
		return freshness.IgnoreNoCache
	case config.IgnoreNoStore:
		return freshness.IgnoreNoStore
	case config.IgnorePrivate:
		return freshness.IgnorePrivate
	case config.IgnoreMustRevalidate:
		return freshness.IgnoreMustRevalidate
	case config.IgnoreLifetime:
		return freshness.IgnoreLifetime
	case config.IgnoreReload:
		return freshness.IgnoreReload
	case config.IgnoreCookie:
		return freshness.IgnoreCookie
	}
	return 0
}
