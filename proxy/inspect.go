package proxy

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/jayproxy/jay/freshness"
	"github.com/jayproxy/jay/proxy/wire"
)

// Seconds is a duration in seconds, which is how HTTP and JSON count; it has milliseconds behind the point.
type Seconds float64

func seconds(d time.Duration) Seconds { return Seconds(math.Round(d.Seconds()*1000) / 1000) }

// Duration is s as Go counts time.
func (s Seconds) Duration() time.Duration {
	return time.Duration(math.Round(float64(s)*1000)) * time.Millisecond
}

// Field is one field line of a message, or one selecting field of a request (RFC 9111 §4.1).
type Field struct {
	Name  string `json:"name"`
	Value string `json:"value"`
	// Absent tells, of a selecting field, that the request did not have it.
	Absent bool `json:"absent,omitempty"`
}

// Age is how a current age was computed (RFC 9111 §4.2.3): the greater of Apparent and Value plus Delay, plus Resident.
type Age struct {
	Current  Seconds `json:"current"`
	Value    Seconds `json:"age_value"`      // the Age field
	Apparent Seconds `json:"apparent_age"`   // time of receipt minus Date
	Delay    Seconds `json:"response_delay"` // how long the origin took to answer
	Initial  Seconds `json:"initial_age"`    // the age on arrival
	Resident Seconds `json:"resident_time"`  // the time since
}

// StoredResponse is what is known about one stored response, or about one that could be stored.
type StoredResponse struct {
	URL      string  `json:"url"`
	Status   int     `json:"status"`
	Phrase   string  `json:"phrase,omitempty"`
	Fields   []Field `json:"fields,omitempty"` // as they are sent, without Age and Content-Length
	Type     string  `json:"content_type,omitempty"`
	Length   int64   `json:"length"` // of the whole body in bytes; -1: unknown
	Held     int64   `json:"held"`   // bytes of it that are stored
	Complete bool    `json:"complete"`

	// Reason and Why say in a word and in a sentence why it is stored, or why it may not be.
	Reason string `json:"reason"`
	Why    string `json:"why"`
	// Selecting are the request fields that select it, with what they were when it was asked for; credentials are not shown.
	Selecting []Field `json:"selecting,omitempty"`

	Lifetime     Seconds   `json:"lifetime"`
	Source       string    `json:"lifetime_source"` // s-maxage, max-age, expires, heuristic or none
	Age          Age       `json:"age"`
	TTL          Seconds   `json:"ttl"` // the freshness that is left; negative when it is stale
	ETag         string    `json:"etag,omitempty"`
	LastModified string    `json:"last_modified,omitempty"`
	Received     time.Time `json:"received"`
	Origin       string    `json:"origin,omitempty"`     // the address that it came from
	LocalOnly    bool      `json:"local_only,omitempty"` // for clients on this machine only

	// Override is the operator's rule that applies to it; nil if none does.
	Override *AppliedOverride `json:"override,omitempty"`
}

// describe says what is known about a response, in full or, with brief, without its fields.
func (s *settings) describe(e *entry, now time.Time, brief bool) StoredResponse {
	m := &e.Meta
	f := s.judged(e)
	age := f.Age(now)
	_, reason := freshness.Storable("GET", freshness.Request{}, f)
	r := StoredResponse{
		URL: e.Key, Status: f.Status, Phrase: m.reason, Length: e.Length, Held: e.Body.Held(), Complete: e.Complete(),
		Reason: s.word(reason, f), Why: sentence(s.word(reason, f)), Selecting: selecting(m),
		Lifetime: seconds(f.Lifetime), Source: f.Source.String(), TTL: seconds(f.Lifetime - age), Received: f.Received.Round(0),
		Age: Age{
			Current: seconds(age), Value: seconds(f.AgeValue), Apparent: seconds(f.ApparentAge), Delay: seconds(f.Delay),
			Initial: seconds(f.InitialAge()), Resident: seconds(age - f.InitialAge()),
		},
		LocalOnly: m.restricted,
	}
	if m.addr.IsValid() {
		r.Origin = m.addr.String()
	}
	lines, err := wire.ParseFields(m.lines)
	if err != nil {
		return r
	}
	r.Type = lines.Get("Content-Type")
	if brief {
		return r
	}
	for i := range lines.Len() {
		name, value := lines.At(i)
		r.Fields = append(r.Fields, Field{Name: name, Value: value})
	}
	r.ETag, r.LastModified = lines.Get("Etag"), lines.Get("Last-Modified")
	r.Override = s.applied(f, lines.Has("Set-Cookie"))
	return r
}

// selecting are the request fields that a stored response was selected by.
func selecting(m *stored) []Field {
	var out []Field
	for rest := m.selects; rest != ""; {
		var name, value string
		name, value, rest = rest.cut()
		f := Field{Name: name, Value: value, Absent: value == "\x00"}
		switch {
		case f.Absent:
			f.Value = ""
		case strings.EqualFold(name, "Cookie"), strings.EqualFold(name, "Authorization"), strings.EqualFold(name, "Proxy-Authorization"):
			f.Value = "(not shown)"
		}
		out = append(out, f)
	}
	return out
}

// located is an exchange that nobody asked for, at the place that a URL names: absolute, http or https. A fragment is
// for browsers only and left out.
func (p *Proxy) located(url string) (*exchange, error) {
	url, _, _ = strings.Cut(url, "#")
	t, err := wire.ParseTarget("GET", url)
	switch {
	case err != nil && strings.Contains(url, "://"):
		return nil, fmt.Errorf("proxy: %q is not a URL: %s", url, strings.TrimPrefix(err.Error(), "wire: "))
	case err != nil || t.Form != wire.AbsoluteForm:
		return nil, fmt.Errorf("proxy: %q is not an absolute URL, such as http://example.com/", url)
	}
	x := &exchange{p: p, opt: p.opt(), c: &conn{p: p, opt: p.opt(), local: true}, background: true}
	x.setOrigin(t.Scheme, t.Host, t.Port, t.Path, x.origin.Addr)
	return x, nil
}

// Stored describes the stored responses of a URL, newest first; none is no error.
func (p *Proxy) Stored(url string) ([]StoredResponse, error) {
	x, err := p.located(url)
	if err != nil {
		return nil, err
	}
	now, s := time.Now(), p.opt()
	out := []StoredResponse{}
	for _, e := range x.variants() {
		out = append(out, s.describe(e, now, false))
	}
	return out, nil
}

// Order is the order in which Find returns what it finds.
type Order int

// The orders.
const (
	ByHeld     Order = iota // largest first
	ByReceived              // latest first
	ByURL                   // in the order of the URLs' bytes
)

// Find describes the first most stored responses, in the given order, whose URLs contain a text, without their fields, and
// tells how many there are in all.
func (p *Proxy) Find(text string, order Order, most int) (found []StoredResponse, total int) {
	var list []*entry
	p.store.Range(func(e *entry) bool {
		if strings.Contains(e.Key, text) {
			total++
			if list = append(list, p.store.Clone(e)); len(list) >= 4*most+1024 {
				list = first(list, order, most)
			}
		}
		return true
	})
	now, s := time.Now(), p.opt()
	found = []StoredResponse{}
	for _, e := range first(list, order, most) {
		found = append(found, s.describe(e, now, true))
	}
	return found, total
}

// first sorts a list and cuts it.
func first(list []*entry, order Order, most int) []*entry {
	slices.SortFunc(list, func(a, b *entry) int {
		switch order {
		case ByReceived:
			return cmp.Or(b.Meta.fresh.Received.Compare(a.Meta.fresh.Received), cmp.Compare(a.Key, b.Key))
		case ByURL:
			return cmp.Or(cmp.Compare(a.Key, b.Key), cmp.Compare(a.Variant, b.Variant))
		}
		return cmp.Or(cmp.Compare(b.Body.Held(), a.Body.Held()), cmp.Compare(a.Key, b.Key))
	})
	return list[:min(len(list), most)]
}

// validatorsText is the validators of a response for people.
func validatorsText(r *StoredResponse) string {
	var parts []string
	if r.ETag != "" {
		parts = append(parts, "ETag "+r.ETag)
	}
	if r.LastModified != "" {
		parts = append(parts, "Last-Modified "+r.LastModified)
	}
	return strings.Join(parts, ", ")
}
