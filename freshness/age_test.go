package freshness_test

import (
	"net/http"
	"testing"
	"time"
	"unsafe"

	"github.com/jayproxy/jay/freshness"
)

func TestAge_RFC9111_5_1(t *testing.T) {
	for _, tt := range []struct {
		name  string
		lines []string
		want  time.Duration
	}{
		{"absent", nil, 0},
		{"number", []string{"30"}, sec(30)},
		{"zeros", []string{"0030"}, sec(30)},
		{"list, old first", []string{"7200, 0"}, sec(7200)},
		{"list, old last", []string{"0, 7200"}, 0},
		{"lines, old last", []string{"0", "7200"}, 0},
		{"lines, old first", []string{"7200", "0"}, sec(7200)},
		{"list without spaces", []string{"7200,0"}, sec(7200)},
		{"empty members", []string{" , 7200"}, sec(7200)},
		{"empty line", []string{"", "7200"}, sec(7200)},
		{"32 bits less one", []string{"2147483647"}, most},
		{"31 bits", []string{"2147483648"}, most},
		{"31 bits more one", []string{"2147483649"}, most},
		{"64 bits", []string{"18446744073709551616"}, most},
		{"long", []string{"999999999999999999999999999999999999999999"}, most},
		// "If the field value … is invalid …, a cache SHOULD ignore the field."
		{"word", []string{"abc"}, 0},
		{"negative", []string{"-7200"}, 0},
		{"plus", []string{"+7200"}, 0},
		{"fraction", []string{"7200.5"}, 0},
		{"parameter", []string{"7200;foo=111"}, 0},
		{"quoted", []string{`"7200"`}, 0},
		{"open quote", []string{`"7200`}, 0},
		{"suffix", []string{"7200s"}, 0},
		{"two numbers", []string{"7200 7200"}, 0},
		{"hexadecimal", []string{"0x10"}, 0},
		{"junk first", []string{"abc, 7200"}, 0},
		{"empty", []string{""}, 0},
	} {
		h := cc("max-age=3600")
		h["Age"] = tt.lines
		r := response(200, h)
		if r.AgeValue != tt.want || r.Age(t0) != tt.want {
			t.Errorf("%s: got value %v, age %v; want %v", tt.name, r.AgeValue, r.Age(t0), tt.want)
		}
	}
}

func TestCurrentAge_RFC9111_4_2_3(t *testing.T) {
	for _, tt := range []struct {
		name              string
		age, date         string // fields; "" is absent
		requested         float64
		received, now     float64 // seconds from t0
		apparent, initial time.Duration
		want              time.Duration
	}{
		{"nothing known", "", "", 0, 0, 10, 0, 0, sec(10)},
		{"Age", "30", at(0), 0, 0, 3, 0, sec(30), sec(33)},
		{"delay counts with Age", "30", at(0), -5, 0, 0, 0, sec(35), sec(35)},
		{"delay counts without Age", "", at(0), -5, 0, 1, 0, sec(5), sec(6)},
		{"Date in the past", "", at(-sec(100)), 0, 0, 1, sec(100), sec(100), sec(101)},
		{"Age beats a younger Date", "200", at(-sec(100)), 0, 0, 0, sec(100), sec(200), sec(200)},
		{"an older Date beats Age", "50", at(-sec(100)), 0, 0, 0, sec(100), sec(100), sec(100)},
		{"Age and delay do not add to Date", "60", at(-sec(100)), -30, 0, 0, sec(100), sec(100), sec(100)},
		{"Date in the future", "", at(sec(100)), 0, 0, 1, 0, 0, sec(1)},
		{"Date in the future, with Age", "15", at(sec(10)), 0, 0, 1, 0, sec(15), sec(16)},
		{"invalid Date", "", "foo", 0, 0, 2, 0, 0, sec(2)},
		{"Date within the second", "", at(0), 0.9, 0.9, 0.9, 0, 0, 0},
		{"Date of the second before", "", at(0), 1.1, 1.1, 1.1, sec(1), sec(1), sec(1)},
		{"fractions are kept", "", "", 0, 0, 1.5, 0, 0, 1500 * time.Millisecond},
		{"request after response", "", at(0), 60, 0, 0, 0, 0, 0},
		{"now a little before the response", "10", at(0), 0, 0, -2, 0, sec(10), sec(10)},
		{"now far before the response", "10", at(0), 0, 0, -86400, 0, sec(10), most},
		{"greatest Age", "99999999999", at(0), 0, 0, 10, 0, most, most},
		{"greatest Age and delay", "2147483647", at(0), -100, 0, 100, 0, most, most},
		{"far future now", "", at(0), 0, 0, 3e9, 0, 0, most},
		{"very old Date", "", "Mon, 01 Jan 0001 00:00:00 GMT", 0, 0, 0, most, most, most},
	} {
		h := cc("max-age=60")
		if tt.age != "" {
			h.Set("Age", tt.age)
		}
		if tt.date != "" {
			h.Set("Date", tt.date)
		}
		r := freshness.ParseResponse(nil, 200, h, later(tt.requested), later(tt.received))
		if r.ApparentAge != tt.apparent || r.InitialAge() != tt.initial || r.Age(later(tt.now)) != tt.want {
			t.Errorf("%s: got apparent %v, initial %v, current %v; want %v, %v, %v", tt.name,
				r.ApparentAge, r.InitialAge(), r.Age(later(tt.now)), tt.apparent, tt.initial, tt.want)
		}
	}
}

// Two Date lines are no Date (RFC 9110 §5.3), and then the time of receipt counts (§6.6.1).
func TestCurrentAge_RFC9110_6_6_1_repeatedDate(t *testing.T) {
	r := response(200, fields("Date", at(-time.Hour), "Date", at(-time.Hour), "Expires", at(time.Minute)))
	if r.ApparentAge != 0 || r.Lifetime != time.Minute {
		t.Errorf("got apparent age %v, lifetime %v; want 0s, 1m0s", r.ApparentAge, r.Lifetime)
	}
}

// Other time zones of the arguments must not matter (RFC 9111 §4.2).
func TestCurrentAge_RFC9111_4_2_localZone(t *testing.T) {
	zone := time.FixedZone("elsewhere", 5*3600+1800)
	h := fields("Date", at(-sec(10)), "Expires", at(sec(50)))
	r := freshness.ParseResponse(nil, 200, h, t0.In(zone), t0.In(zone))
	if r.Age(t0) != sec(10) || r.Lifetime != sec(60) {
		t.Errorf("got age %v, lifetime %v; want 10s, 1m0s", r.Age(t0), r.Lifetime)
	}
}

// A wall clock without monotonic readings that was set back tells nothing about the age. It must not keep a response
// fresh for ever, nor make a stale one fresh again.
func TestCurrentAge_RFC9111_4_2_3_clockSetBack(t *testing.T) {
	r := response(200, cc("max-age=172800"))
	for _, tt := range []struct {
		now  time.Duration
		want freshness.Verdict
	}{
		{0, freshness.Reuse},
		{-time.Second, freshness.Reuse},
		{-time.Minute, freshness.Reuse},
		{-time.Minute - 1, freshness.Forward},
		{-24 * time.Hour, freshness.Forward},
		{24 * time.Hour, freshness.Reuse},
		{48 * time.Hour, freshness.Forward},
	} {
		if d := freshness.Decide(freshness.Request{}, &r, t0.Add(tt.now)); d.Verdict != tt.want || d.Age < 0 {
			t.Errorf("now %v: got %v at age %v; want %v", tt.now, d.Verdict, d.Age, tt.want)
		}
	}
}

// jump returns t with its wall clock, but not its monotonic clock, set ahead or back. Nothing in package time does
// that, so this writes the seconds that a Time with a monotonic reading keeps from bit 30 of its first word on.
func jump(t *testing.T, when time.Time, by time.Duration) time.Time {
	t.Helper()
	jumped := when
	*(*uint64)(unsafe.Pointer(&jumped)) += uint64(by/time.Second) << 30
	if jumped.Sub(when) != 0 || jumped.Round(0).Sub(when.Round(0)) != by {
		t.Fatalf("time.Time is not what it was: got %v from %v", jumped, when)
	}
	return jumped
}

// A jump of the wall clock by a day makes no response younger. It may make one older, because a machine that slept
// looks the same: there the monotonic clock stood still.
func TestCurrentAge_RFC9111_4_2_3_clockJump(t *testing.T) {
	const day = 24 * time.Hour
	start := time.Now()
	r := freshness.ParseResponse(nil, 200, cc("max-age=3600"), start, start)
	for _, tt := range []struct {
		name string
		now  time.Time
		want time.Duration
	}{
		{"no jump", start.Add(time.Minute), time.Minute},
		{"fresh, a day back", jump(t, start.Add(time.Minute), -day), time.Minute},
		{"stale, a day back", jump(t, start.Add(2*time.Hour), -day), 2 * time.Hour},
		{"a day ahead", jump(t, start.Add(time.Minute), day), day + time.Minute},
		{"a second back, at once", jump(t, start, -time.Second), 0},
		{"wall clock only", start.Add(time.Minute).Round(0), time.Minute},
		{"wall clock only, a day back", start.Add(-day).Round(0), most},
	} {
		if got := r.Age(tt.now); got != tt.want {
			t.Errorf("%s: got %v; want %v", tt.name, got, tt.want)
		}
	}
	// A response that came while the clock was a day off is too old or as old as it is, never younger.
	for by, want := range map[time.Duration]time.Duration{day: day, -day: 0} {
		received := jump(t, start, by)
		h := fields("Cache-Control", "max-age=3600", "Date", start.UTC().Format(http.TimeFormat))
		r := freshness.ParseResponse(nil, 200, h, received, received)
		if got := r.Age(received); got.Truncate(time.Second) != want {
			t.Errorf("received %v off: got %v; want %v", by, got, want)
		}
		if got := r.Age(start.Add(2 * time.Hour)); got < 2*time.Hour {
			t.Errorf("received %v off, two hours later: got %v; want no less than 2h0m0s", by, got)
		}
	}
}
