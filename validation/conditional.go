package validation

import (
	"net/http"
	"slices"
	"strings"
	"time"
)

// Field is one header field line.
type Field struct {
	// Name is the field name in any case.
	Name string
	// Value is the field value without white space at its ends.
	Value string
}

// Conditions are the preconditions that a cache puts on a request to validate what it has stored (RFC 9111 §4.3.1), and what is
// needed to understand the 304 that may come back. Where nothing can be validated both lists are empty and the request's own
// preconditions stay as they are.
type Conditions struct {
	// Set are fields to send in place of any of the same name.
	Set []Field
	// Drop are the names of fields to remove from the request.
	Drop []string

	stored []Validators
	asked  []int     // which stored responses the request validates
	own    bool      // the client sent If-None-Match or If-Modified-Since itself
	client []ETag    // the client's own tags in the request
	since  time.Time // the client's If-Modified-Since, where it is sent on
}

// maxTags bounds the entity tags sent in one If-None-Match field.
const maxTags = 64

// Conditional makes the preconditions that validate stored responses of one URI, most recent first. req are the fields of the
// request as it will be forwarded. All entity tags are sent, joined by those that the client knows (RFC 9111 §4.3.2), so that a
// client that is ahead of the cache need not fetch the body again; a modification date is sent where just one response is
// validated, byte for byte as it came.
//
// A partial response may be among the stored ones only if the request is for a range that it satisfies.
func Conditional(req http.Header, stored []Validators) Conditions {
	c := Conditions{stored: stored, own: len(req["If-None-Match"])+len(req["If-Modified-Since"]) > 0}
	for i, v := range stored {
		if v.ETag.Present() && len(c.asked) < maxTags {
			c.asked = append(c.asked, i)
		}
	}
	if len(c.asked) > 0 {
		c.askByTag(req)
		return c
	}
	for i, v := range stored {
		if !v.LastModified.IsZero() {
			// An If-None-Match of the client would make the origin ignore the date, and hide whom a 304 is meant for.
			c.asked = []int{i}
			c.set("If-Modified-Since", v.modifiedText)
			c.drop(req, "If-None-Match")
			return c
		}
	}
	if len(stored) > 0 && len(req["If-None-Match"]) == 0 {
		c.since, _ = conditionDate(req["If-Modified-Since"], stored[0].Date)
	}
	return c
}

func (c *Conditions) askByTag(req http.Header) {
	var tags []string
	for _, i := range c.asked {
		if text := c.stored[i].ETag.text; !slices.Contains(tags, text) {
			tags = append(tags, text)
		}
	}
	for _, tag := range clientTags(req) {
		known := slices.ContainsFunc(c.asked, func(i int) bool { return c.stored[i].ETag.WeakEqual(tag) })
		if !known && len(tags) < maxTags {
			tags = append(tags, tag.text)
			c.client = append(c.client, tag)
		}
	}
	c.set("If-None-Match", strings.Join(tags, ", "))
	if v := c.stored[c.asked[0]]; len(c.asked) == 1 && !v.LastModified.IsZero() && len(req["Range"]) == 0 {
		c.set("If-Modified-Since", v.modifiedText)
		return
	}
	c.drop(req, "If-Modified-Since")
}

// clientTags are the well-formed tags of the request's own If-None-Match field.
func clientTags(req http.Header) []ETag {
	return slices.DeleteFunc(ParseETags(req["If-None-Match"]), func(e ETag) bool { return e.class == oddTag })
}

func (c *Conditions) set(name, value string) {
	c.Set = append(c.Set, Field{name, value})
}

func (c *Conditions) drop(req http.Header, name string) {
	if len(req[name]) > 0 {
		c.Drop = append(c.Drop, name)
	}
}

// Validating reports whether the request validates any stored response.
func (c *Conditions) Validating() bool { return len(c.asked) > 0 }

// Reply is how the client is answered after a 304 response from the origin.
type Reply uint8

// The replies to a 304.
const (
	// Reuse means that the first selected stored response, once freshened, answers the request; its own preconditions are to be
	// checked against it with [Check].
	Reuse Reply = iota
	// Relay means that the 304 answers the client's own precondition and is passed on.
	Relay
	// Refetch means that the 304 can be applied to nothing: the request is to be sent again, once, without preconditions.
	Refetch
)

// String returns the reply as a word.
func (r Reply) String() string {
	switch r {
	case Relay:
		return "relay"
	case Refetch:
		return "refetch"
	}
	return "reuse"
}

// NotModified tells what to do about a 304 response with the given validators: which of the stored responses (as indices) are
// to be freshened (RFC 9111 §4.3.4), and how the client is answered.
//
// It goes beyond RFC 9111 §4.3.4 in one point: a 304 without any validator selects the stored response if that was all the
// request asked about. Many origins answer so, and it can mean nothing else.
func (c *Conditions) NotModified(update Validators) (selected []int, reply Reply) {
	if !c.Validating() {
		return c.notAsked(update)
	}
	if selected = Selects(update, c.stored); len(selected) > 0 {
		return selected, Reuse
	}
	if update.None() && len(c.asked) == 1 && len(c.client) == 0 {
		return c.asked, Reuse
	}
	for _, tag := range c.client {
		if tag.WeakEqual(update.ETag) {
			return nil, Relay
		}
	}
	return nil, Refetch
}

// notAsked is NotModified where all preconditions were the client's.
func (c *Conditions) notAsked(update Validators) ([]int, Reply) {
	if !c.own {
		return nil, Refetch
	}
	if c.provesUnchanged() {
		return Selects(update, c.stored), Relay
	}
	return nil, Relay
}

// provesUnchanged reports whether a 304 to the client's own If-Modified-Since also speaks for the one stored response, which has
// no validators: it was generated after that date.
func (c *Conditions) provesUnchanged() bool {
	return len(c.stored) == 1 && !c.since.IsZero() && !c.stored[0].Date.Before(c.since)
}

// GapCondition returns the If-Range value for a range request that completes a partial stored response (RFC 9111 §3.3, RFC 9110
// §13.1.5). ok is false if the stored response has no strong validator: then nothing can ever be combined with it.
func GapCondition(stored Validators) (value string, ok bool) {
	switch {
	case stored.ETag.Strong():
		return stored.ETag.text, true
	case !stored.ETag.Present() && stored.StrongDate():
		return stored.modifiedText, true
	}
	return "", false
}
