package proxy

import (
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/jayproxy/jay/cache"
	"github.com/jayproxy/jay/cache/vary"
)

// indexBytes bounds what each of the two indexes beside the store holds.
const indexBytes = 4 << 20

// groups finds stored responses by the cache groups that their origins put them in (RFC 9875).
type groups struct {
	mu    sync.Mutex
	m     map[string]map[string]struct{} // origin and group, to cache keys
	bytes int

	dropped map[string]time.Time // the groups that were invalidated lately, and when
	horizon time.Time            // before it, any may have been
}

// maxDropped bounds how many invalidated groups are remembered.
const maxDropped = 1024

// groupKey names a group, which is one origin's.
func groupKey(origin, group string) string { return origin + " " + group }

// add notes that a response with this key is in the groups. It returns the keys of groups that there is no room for any
// more: they have to be invalidated, which is always allowed, since they would not be found later.
func (g *groups) add(origin string, names []string, key string) (lost []string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.m == nil {
		g.m = map[string]map[string]struct{}{}
	}
	for _, name := range names {
		id := groupKey(origin, name)
		if g.m[id] == nil {
			g.m[id] = map[string]struct{}{}
			g.bytes += len(id) + mapCost
		}
		if _, ok := g.m[id][key]; !ok {
			g.m[id][key] = struct{}{}
			g.bytes += len(key) + mapCost
		}
	}
	for id := range g.m {
		if g.bytes <= indexBytes {
			break
		}
		lost = append(lost, g.remove(id)...)
	}
	return lost
}

// mapCost is about what a map entry costs beyond its bytes.
const mapCost = 64

// take invalidates a group: it removes it and returns the keys that were in it. What is on its way and will turn out to be
// in the group is told by outdated.
func (g *groups) take(origin, name string) []string {
	g.mu.Lock()
	defer g.mu.Unlock()
	id, now := groupKey(origin, name), time.Now()
	if len(g.dropped) >= maxDropped {
		g.horizon, g.dropped = now, nil
	}
	if g.dropped == nil {
		g.dropped = map[string]time.Time{}
	}
	g.dropped[id] = now
	return g.remove(id)
}

// outdated tells whether one of the groups was invalidated after a time.
func (g *groups) outdated(origin string, names []string, asked time.Time) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, name := range names {
		if when, ok := g.dropped[groupKey(origin, name)]; ok && !when.Before(asked) || g.horizon.After(asked) {
			return true
		}
	}
	return false
}

// outdated tells whether a response was asked for before a group that it is in was invalidated.
func (p *Proxy) outdated(e *entry) bool {
	if !e.Meta.indexed {
		return false
	}
	names := vary.ParseGroups(e.Meta.header()["Cache-Groups"])
	return p.groups.outdated(originOf(e.Key), names, e.Meta.fresh.Moment().Add(-e.Meta.fresh.Delay))
}

// originOf is the origin of a cache key.
func originOf(key string) string {
	return key[:len("https://")+strings.IndexByte(key[len("https://"):], '/')]
}

// remove drops a group from the index; the lock is held.
func (g *groups) remove(id string) (keys []string) {
	members, ok := g.m[id]
	if !ok {
		return nil
	}
	for key := range members {
		keys = append(keys, key)
		g.bytes -= len(key) + mapCost
	}
	g.bytes -= len(id) + mapCost
	delete(g.m, id)
	return keys
}

// invalidateGroups drops what an unsafe request's answer says is out of date (RFC 9875 §3).
func (x *exchange) invalidateGroups(h http.Header) {
	for _, name := range vary.ParseGroups(h["Cache-Group-Invalidation"]) {
		for _, key := range x.p.groups.take(x.scheme+"://"+x.authority, name) {
			x.p.drop(key)
		}
	}
}

// searches finds a stored response for a URL whose query differs from it in nothing that matters (No-Vary-Search).
type searches struct {
	mu    sync.Mutex
	rules map[string][]vary.Rule // scheme, authority and path, to the rules that were seen there
	keys  map[string]string      // the same with the canonical query, to a cache key
	bytes int
}

// maxRules bounds the rules of one path, maxRule the bytes of one: what has a larger one is found by its URL only.
const (
	maxRules = 4
	maxRule  = 8 << 10
)

// add notes a response that is stored under key and has a rule for its query. When the index is full it begins anew.
func (s *searches) add(origin, target, key string, rule vary.Rule) {
	if rule.Size() > maxRule {
		return
	}
	path, _, _ := strings.Cut(target, "?")
	base, canonical := origin+path, origin+rule.Normalize(target)
	s.mu.Lock()
	defer s.mu.Unlock()
	if cost := len(base) + rule.Size() + len(canonical) + len(key) + 3*mapCost; s.keys == nil || s.bytes+cost > indexBytes {
		s.rules, s.keys, s.bytes = map[string][]vary.Rule{}, map[string]string{}, 0
	}
	known := s.rules[base]
	for _, r := range known {
		if r.Normalize(target) == rule.Normalize(target) {
			s.put(canonical, key)
			return
		}
	}
	if len(known) < maxRules {
		s.rules[base] = append(known, rule)
		s.bytes += len(base) + rule.Size() + 2*mapCost
		s.put(canonical, key)
	}
}

// put notes one key; the lock is held.
func (s *searches) put(canonical, key string) {
	if old, ok := s.keys[canonical]; ok {
		s.bytes += len(key) - len(old)
	} else {
		s.bytes += len(canonical) + len(key) + mapCost
	}
	s.keys[canonical] = key
}

// find is the key of a stored response that may be equivalent to a target.
func (s *searches) find(origin, target string) (key string, ok bool) {
	path, _, _ := strings.Cut(target, "?")
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range s.rules[origin+path] {
		if key, ok = s.keys[origin+r.Normalize(target)]; ok {
			return key, true
		}
	}
	return "", false
}

// variants are the stored responses for the request's URL, or for one that its origin says is equivalent.
func (x *exchange) variants() []*entry {
	if list := x.p.store.Variants(x.url); len(list) > 0 {
		return list
	}
	origin := x.scheme + "://" + x.authority
	target := x.url[len(origin):]
	key, ok := x.p.searches.find(origin, target)
	if !ok || key == x.url {
		return nil
	}
	var out []*entry
	for _, e := range x.p.store.Variants(key) {
		rule, ok := vary.ParseNoVarySearch(e.Meta.header()["No-Vary-Search"])
		if ok && rule.Equivalent(e.Key[len(origin):], target) {
			out = append(out, e)
		}
	}
	return out
}

// put stores a response.
func (p *Proxy) put(e *entry, at cache.Epoch) (bool, string) {
	p.index(e) // first: what is invalidated from now on counts the epoch up
	if p.outdated(e) {
		return false, cache.ReasonInvalidated
	}
	return p.store.Put(e, at)
}

// indexed tells whether a response with these fields is to be found otherwise than by its URL.
func indexed(h http.Header) bool { return h["Cache-Groups"] != nil || h["No-Vary-Search"] != nil }

// index notes a stored response where it can be found otherwise than by its URL.
func (p *Proxy) index(e *entry) {
	if !e.Meta.indexed {
		return
	}
	h := e.Meta.header()
	url := strings.Clone(e.Key) // what it is part of need not stay
	origin := originOf(url)
	target := url[len(origin):]
	if rule, ok := vary.ParseNoVarySearch(h["No-Vary-Search"]); ok {
		p.searches.add(origin, target, url, rule)
	}
	for _, key := range p.groups.add(origin, vary.ParseGroups(h["Cache-Groups"]), url) {
		p.drop(key)
	}
}
