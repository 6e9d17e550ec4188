package freshness

import (
	"net/http"
	"time"
)

// clockSlack is how far now may lie before the time a response was received. A request that asks for the time, and then
// waits for another request's response, sees such a thing; more than this is a clock that was set back.
const clockSlack = time.Minute

// InitialAge is the age that the response had when it arrived, the corrected_initial_age of RFC 9111 §4.2.3.
func (r *Response) InitialAge() time.Duration { return max(r.ApparentAge, clamp(r.AgeValue+r.Delay)) }

// Age is the current age at now (RFC 9111 §4.2.3), from 0 to 2^31-1 seconds; the Age field carries its whole seconds.
//
// The time since the response was received is the longer of what the monotonic clock and the wall clock say, where both
// times have monotonic readings: the first does not follow jumps of the wall clock, the second also runs while the
// machine sleeps. A jump can thus make a response look older, never younger. Without monotonic readings, a wall clock
// that went back by more than a minute leaves the age unknown, which counts as the greatest there is.
func (r *Response) Age(now time.Time) time.Duration {
	resident := now.Sub(r.Moment())
	if wall := now.Round(0).Sub(r.Received.Round(0)); wall > resident {
		resident = wall
	}
	if resident < -clockSlack {
		return maxDelta
	}
	return clamp(r.InitialAge() + clamp(resident))
}

// setAge fills in what the current age is computed from.
func (r *Response) setAge(h http.Header, requestTime, responseTime time.Time) {
	r.Received = responseTime
	r.AgeValue = parseAge(h["Age"])
	r.Delay = clamp(responseTime.Sub(requestTime))
	// Date has whole seconds, so the fraction of the second in which it was written is no age.
	r.ApparentAge = clamp(responseTime.Truncate(time.Second).Sub(r.date(h)))
}

// date returns when the response was generated: Date, or the time of receipt where that is missing, repeated or
// unreadable (RFC 9110 §6.6.1).
func (r *Response) date(h http.Header) time.Time {
	if value, ok := sole(h, "Date"); ok {
		if date, ok := ParseDate(value, r.Received); ok {
			return date
		}
	}
	return r.Received.Round(0)
}

// parseAge reads Age (RFC 9111 §5.1): of a list the first member counts, and what is no number is ignored.
func parseAge(lines []string) (age time.Duration) {
	found := false
	eachMember(lines, func(member string, _ bool) {
		if !found && member != "" {
			found, age = true, ageValue(member)
		}
	})
	return age
}

// ageValue reads delta-seconds, 0 for anything else, cut to the greatest Delta (§1.2.2).
func ageValue(s string) time.Duration {
	const most = int64(maxDelta / time.Second)
	n := int64(0)
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return 0
		}
		n = min(n*10+int64(s[i]-'0'), most)
	}
	return time.Duration(n) * time.Second
}
