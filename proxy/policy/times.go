package policy

import (
	"errors"
	"fmt"
	"time"
)

// times is when a rule applies.
type times struct {
	set   bool
	days  [7]bool
	hours []Hours
}

// minutesOfDay is 24:00, which may be an end.
const minutesOfDay = 24 * 60

func newTimes(days []time.Weekday, hours []Hours) (times, error) {
	t := times{set: len(days)+len(hours) > 0, hours: hours}
	for i := range t.days {
		t.days[i] = len(days) == 0
	}
	for _, d := range days {
		if d < time.Sunday || d > time.Saturday {
			return t, errors.New("there is no such day of the week")
		}
		t.days[d] = true
	}
	for _, h := range hours {
		if h.From < 0 || h.From >= minutesOfDay || h.To < 0 || h.To > minutesOfDay || h.From == h.To {
			return t, fmt.Errorf("%02d:%02d-%02d:%02d is not a part of a day", h.From/60, h.From%60, h.To/60, h.To%60)
		}
	}
	return t, nil
}

// has tells whether a moment, in the right time zone, belongs to the times.
func (t *times) has(at time.Time) bool {
	today := at.Weekday()
	if len(t.hours) == 0 {
		return t.days[today]
	}
	yesterday := (today + 6) % 7
	minute := at.Hour()*60 + at.Minute()
	for _, h := range t.hours {
		switch {
		case h.From < h.To:
			if t.days[today] && h.From <= minute && minute < h.To {
				return true
			}
		case t.days[today] && minute >= h.From, t.days[yesterday] && minute < h.To:
			return true
		}
	}
	return false
}
