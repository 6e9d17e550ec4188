package freshness

import (
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/dunglas/httpsfv"
	"github.com/pquerna/cachecontrol/cacheobject"
)

// directives collects the response directives of Cache-Control or of one targeted field.
type directives struct {
	noStore, noCache, private, public, noTransform, immutable bool
	mustRevalidate, proxyRevalidate, mustUnderstand           bool

	// granted: must-revalidate was readable, so that it also permits something (§3.5). One that was not only restricts.
	granted   bool
	malformed bool

	sMaxAge, maxAge, staleWhileRevalidate, staleIfError number

	withheld string // see Response.withheld
}

// number is a directive with delta-seconds that may occur several times.
type number struct {
	value    time.Duration
	set, bad bool // bad: unreadable, or given twice with different values
}

// add takes one occurrence. RFC 9111 §4.2.1 leaves a choice for directives that disagree, "the first occurrence" or
// stale; this cache takes the second, because nobody can know which one the origin meant.
func (n *number) add(v time.Duration, ok bool) {
	n.bad = n.bad || !ok || n.set && v != n.value
	n.value, n.set = v, true
}

// read takes what the decoder found, where -1 is nothing.
func (n *number) read(v cacheobject.DeltaSeconds) {
	if v >= 0 {
		n.add(seconds(v), true)
	}
}

// delta returns the value for a directive that permits something: nothing if it cannot be relied on.
func (n number) delta() Delta {
	if !n.set || n.bad {
		return Delta{}
	}
	return Delta{Value: n.value, Set: true}
}

// responseDirectives returns the directives that apply: those of the first usable targeted field, else of Cache-Control.
func responseDirectives(p *Policy, h http.Header) (d directives, targeted bool) {
	for _, name := range p.Targeted {
		if d, ok := parseTargeted(h[http.CanonicalHeaderKey(name)]); ok {
			return d, true
		}
	}
	return parseCacheControl(h["Cache-Control"]), false
}

// parseCacheControl reads all lines of Cache-Control (RFC 9111 §5.2). A directive that cannot be read is restrictive.
func parseCacheControl(lines []string) directives {
	var d directives
	eachMember(lines, func(member string, open bool) {
		d.malformed = d.malformed || open
		d.add(member)
	})
	return d
}

// add takes one directive of Cache-Control into d.
func (d *directives) add(member string) {
	name, wellFormed := nameOf(member)
	if !wellFormed {
		// Something like "max-age=60;no-store": obey every word in it that forbids anything.
		eachWord(member, d.restrict)
		return
	}
	name = strings.ToLower(name)
	if d.flag(name) == nil && d.number(name) == nil {
		return // RFC 9111 §5.2.3: unknown directives are ignored
	}
	decoded, err := cacheobject.ParseResponseCacheControl(member)
	if err != nil {
		d.restrict(name)
		return
	}
	d.merge(decoded)
}

// merge takes one directive that could be read.
func (d *directives) merge(c *cacheobject.ResponseCacheDirectives) {
	d.noStore = d.noStore || c.NoStore
	d.private = d.private || c.PrivatePresent // with field names too: a shared cache may then refuse the whole (§5.2.2.7)
	d.public = d.public || c.Public
	d.noTransform = d.noTransform || c.NoTransform
	d.immutable = d.immutable || c.Immutable
	d.mustRevalidate = d.mustRevalidate || c.MustRevalidate
	d.granted = d.granted || c.MustRevalidate
	d.proxyRevalidate = d.proxyRevalidate || c.ProxyRevalidate
	d.mustUnderstand = d.mustUnderstand || slices.Equal(c.Extensions, []string{"must-understand"})
	switch {
	case c.NoCachePresent && c.NoCache != nil:
		d.withhold(slices.Sorted(maps.Keys(c.NoCache)))
	case c.NoCachePresent:
		d.noCache = true
	}
	d.sMaxAge.read(c.SMaxAge)
	d.maxAge.read(c.MaxAge)
	d.staleWhileRevalidate.read(c.StaleWhileRevalidate)
	d.staleIfError.read(c.StaleIfError)
}

// restrict takes a directive whose argument cannot be read, by its lower-case name. What only permits is dropped.
func (d *directives) restrict(name string) {
	switch name {
	case "public", "immutable", "must-understand":
		return
	}
	if f := d.flag(name); f != nil {
		*f = true
	}
	if n := d.number(name); n != nil {
		n.add(0, false)
	}
}

// flag returns where the named directive is kept, nil if it is not known or has delta-seconds.
func (d *directives) flag(name string) *bool {
	switch name {
	case "no-store":
		return &d.noStore
	case "no-cache":
		return &d.noCache
	case "private":
		return &d.private
	case "public":
		return &d.public
	case "no-transform":
		return &d.noTransform
	case "immutable":
		return &d.immutable
	case "must-revalidate":
		return &d.mustRevalidate
	case "proxy-revalidate":
		return &d.proxyRevalidate
	case "must-understand":
		return &d.mustUnderstand
	}
	return nil
}

// number returns where the value of the named directive is kept, nil if it has no delta-seconds.
func (d *directives) number(name string) *number {
	switch name {
	case "s-maxage":
		return &d.sMaxAge
	case "max-age":
		return &d.maxAge
	case "stale-while-revalidate":
		return &d.staleWhileRevalidate
	case "stale-if-error":
		return &d.staleIfError
	}
	return nil
}

// maxWithheld bounds how many bytes of field names a response may have in no-cache.
const maxWithheld = 512

// withhold takes the field names of no-cache (§5.2.2.4). Where the response would mean something else without such a
// field, the name is none, or there are too many, the directive counts as one without names.
func (d *directives) withhold(names []string) {
	d.noCache = d.noCache || len(names) == 0
	for _, name := range names {
		name = strings.ToLower(name)
		if tokenLen(name) != len(name) || name == "" || indispensable(name) ||
			len(d.withheld)+len(name) > maxWithheld {
			d.noCache = true
			return
		}
		d.withheld += name + ","
	}
}

// indispensable tells whether a stored response cannot be reused without the field of that lower-case name.
func indispensable(name string) bool {
	switch name {
	case "age", "cache-control", "connection", "date", "etag", "expires", "last-modified", "location", "trailer",
		"transfer-encoding", "vary", "www-authenticate":
		return true
	}
	return strings.HasPrefix(name, "content-")
}

// parseTargeted reads a targeted field as a strict dictionary (RFC 9213 §2.1). It is not ok, and the field is to be
// ignored as a whole, when the field is absent, empty, not a dictionary, or gives a directive a value of the wrong type.
func parseTargeted(lines []string) (d directives, ok bool) {
	if len(lines) == 0 {
		return directives{}, false
	}
	dict, err := httpsfv.UnmarshalDictionary(lines)
	if err != nil || len(dict.Names()) == 0 {
		return directives{}, false
	}
	for _, name := range dict.Names() {
		member, _ := dict.Get(name)
		item, isItem := member.(httpsfv.Item)
		if !d.addItem(name, item.Value, isItem) {
			return directives{}, false
		}
	}
	return d, true
}

// addItem takes one member of a targeted field; it is false when the value's type does not fit the directive.
func (d *directives) addItem(name string, value any, isItem bool) bool {
	if n := d.number(name); n != nil {
		v, ok := value.(int64)
		n.add(time.Duration(min(v, int64(maxDelta/time.Second)))*time.Second, v >= 0)
		return ok && isItem
	}
	flag := d.flag(name)
	if flag == nil {
		return true // unknown directives are ignored whatever their type
	}
	set, isBool := value.(bool)
	names, isString := value.(string)
	switch {
	case isBool && set:
		*flag = true
	case isString && name == "private":
		d.private = true
	case isString && name == "no-cache":
		d.withhold(strings.FieldsFunc(names, func(r rune) bool { return r == ',' || r == ' ' }))
	default:
		return false
	}
	d.granted = d.mustRevalidate
	return isItem
}
