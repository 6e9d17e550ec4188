package freshness

import (
	"net/http"
	"time"
)

// ParseRequest …
func ParseRequest(h http.Header) Request { panic("later") }

// ParseResponse …
func ParseResponse(p *Policy, status int, h http.Header, requestTime, responseTime time.Time) Response {
	panic("later")
}

// Storable …
func Storable(method string, req Request, resp *Response) (bool, Reason) { panic("later") }

// Decide …
func Decide(req Request, resp *Response, now time.Time) Decision { panic("later") }

// OnError …
func OnError(req Request, resp *Response, status int, now time.Time) Decision { panic("later") }

// Age …
func (r *Response) Age(now time.Time) time.Duration { panic("later") }

// InitialAge …
func (r *Response) InitialAge() time.Duration { panic("later") }

// Withholds …
func (r *Response) Withholds(name string) bool { panic("later") }

// TTL …
func (d Decision) TTL() time.Duration { panic("later") }

// String …
func (v Verdict) String() string { panic("later") }

// String …
func (s Source) String() string { panic("later") }

// Reason …
type Reason uint8

// String …
func (r Reason) String() string { panic("later") }

// Explain …
func (r Reason) Explain() string { panic("later") }

// ParseDate …
func ParseDate(s string, now time.Time) (time.Time, bool) { panic("later") }
