package proxy

import (
	"fmt"
	"hash/fnv"
	"net/http"
	"slices"

	"github.com/jayproxy/jay/freshness"
	"github.com/jayproxy/jay/proxy/override"
)

// Override is a rule by which an operator decides how long responses stay fresh, and whether they are stored at all, in
// place of those who sent them.
type Override struct {
	// Name is what Cache-Status and the access log call the rule: letters, digits, "-", "_" and ".".
	Name string
	// If says which responses the rule is about.
	If override.Conditions
	// Then says what it does with them; Errors in it is set for rules whose conditions name status codes.
	Then freshness.Override
}

// Overrides are rules of which the first that matches a response applies, all of it. They are never changed; nil has none.
type Overrides struct {
	list  []Override
	rules *override.Rules
	words []string // what Cache-Status and the log say when a rule has decided, in the order of list
}

// maxOverrides is how many rules a uint16 can number.
const maxOverrides = 1<<16 - 1

// NewOverrides makes overrides of rules, in the order in which they are asked. An error names the rule that is wrong.
func NewOverrides(list []Override) (*Overrides, error) {
	if len(list) > maxOverrides {
		return nil, fmt.Errorf("overrides: %d rules are too many", len(list))
	}
	o := &Overrides{list: append([]Override(nil), list...)}
	conditions := make([]override.Conditions, len(list))
	for i := range o.list {
		conditions[i] = o.list[i].If
		o.list[i].Then.Errors = len(o.list[i].If.Statuses) > 0
		o.words = append(o.words, overrideWord+o.list[i].Name)
	}
	rules, err := override.New(conditions)
	if wrong, ok := err.(*override.Error); ok {
		return nil, fmt.Errorf("overrides: rule %s: %w", list[wrong.Index].Name, wrong.Err)
	}
	o.rules = rules
	return o, err
}

// overrideWord is what the reason begins with where an override decided; its name follows.
const overrideWord = "override:"

// apply returns a response as the override that matches it, if any, wants it to be taken. h are its end-to-end fields.
func (s *settings) apply(url string, own freshness.Response, h http.Header) freshness.Response {
	o := s.Overrides
	if o == nil || len(o.list) == 0 {
		return own
	}
	media := ""
	if lines := h["Content-Type"]; len(lines) > 0 {
		media = lines[0]
	}
	status := own.Status
	if status == 206 { // a part of what would have come with 200, and is kept as such
		status = 200
	}
	i := o.rules.Match(override.Subject{URL: url, Type: media, Status: status})
	if i < 0 {
		return own
	}
	return own.Override(&s.Freshness, o.list[i].Then, uint16(i+1), h)
}

// asks reads what a request says about caching.
func (s *settings) asks(fields http.Header) freshness.Request {
	r := freshness.ParseRequest(fields)
	r.Personal = s.Overrides == nil || freshness.Personal(fields) // which is to be on the safe side without a look
	return r
}

// word is the reason for a decision about a response, as Cache-Status and the log give it.
func (s *settings) word(why freshness.Reason, r *freshness.Response) string {
	if why == freshness.ReasonOverride && s.Overrides != nil && int(r.Rule()) <= len(s.Overrides.words) && r.Rule() > 0 {
		return s.Overrides.words[r.Rule()-1]
	}
	return why.String()
}

// criteriaOf tells sets of rules for freshness from each other: what was judged by others is judged anew before it is used.
func criteriaOf(o *Options) uint32 {
	h := fnv.New32a()
	fmt.Fprintf(h, "%#v", o.Freshness)
	if o.Overrides != nil {
		fmt.Fprintf(h, "%#v", o.Overrides.list)
	}
	return h.Sum32()
}

// judged is what a stored response says about its freshness by the rules that the exchange began with.
func (s *settings) judged(e *entry) *freshness.Response {
	if e.Meta.criteria == s.criteria {
		return &e.Meta.fresh
	}
	h := e.Meta.header()
	next := s.apply(e.Key, e.Meta.fresh.Again(&s.Freshness, h), h)
	return &next
}

// rejudge brings a stored response under the rules that the exchange began with. It returns nil where those want it to be
// stored no longer.
func (x *exchange) rejudge(e *entry) *entry {
	if e == nil || e.Meta.criteria == x.opt.criteria {
		return e
	}
	next := x.p.successor(e)
	next.Extra = next.Meta.size()
	next.Meta.fresh, next.Meta.criteria = *x.opt.judged(e), x.opt.criteria
	if !mayStay(&next.Meta.fresh) {
		x.p.store.Delete(e)
		return nil
	}
	if !x.crowded(e) {
		x.p.store.Swap(e, &next) // or somebody else has done that, or better
	}
	return &next
}

// crowded tells whether the URL has stored responses that were selected by other fields: then their order says which is
// the most recent (RFC 9111 §4.1), and to put one in its own place would change it.
func (x *exchange) crowded(e *entry) bool {
	return slices.ContainsFunc(x.p.store.Variants(e.Key), func(o *entry) bool { return !o.Meta.selects.likewise(e.Meta.selects) })
}

// mayStay tells whether a stored response may stay so.
func mayStay(f *freshness.Response) bool {
	asked := freshness.Request{Authorization: f.Authorized, Cookie: f.Cookied, Personal: !f.Impersonal}
	ok, _ := freshness.Storable("GET", asked, f)
	return ok
}
